"""Windows written out literally, and what they cover."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from forecaster.dataset.windows import (
    Windows,
    grid_windows,
    supervised_days,
    supervision,
    training_stride,
    unbroken_days,
)


def usable(*rows: str) -> np.ndarray:
    """'11011' is five days of a ticker with a gap on the third."""
    return np.array([[day == "1" for day in row] for row in rows])


def pairs(windows: Windows) -> list[tuple[int, int]]:
    return list(zip(windows.ticker.tolist(), windows.start.tolist(), strict=True))


def test_runs_of_usable_days_are_counted() -> None:
    assert unbroken_days(usable("1101", "0011")).tolist() == [[1, 2, 0, 1], [0, 0, 1, 2]]


def test_windows_hang_on_the_last_day_and_never_span_a_gap() -> None:
    days = usable("1111111111", "1111011111")
    windows = grid_windows(days, range(10), lookback=4, supervised=2, stride=2)
    # First ticker: they end on days 9, 7, 5 and 3. Second: the gap on day 4 ends one run on day 3.
    assert pairs(windows) == [(0, 0), (0, 2), (0, 4), (0, 6), (1, 0), (1, 6)]


def test_an_offset_shifts_the_grid_towards_the_past() -> None:
    windows = grid_windows(usable("1111111111"), range(10), lookback=4, supervised=2, stride=2, offset=1)
    assert pairs(windows) == [(0, 1), (0, 3), (0, 5)]


def test_a_part_may_look_back_before_its_first_origin_but_not_be_supervised_there() -> None:
    part = range(6, 9)
    windows = grid_windows(usable("1" * 12), part, lookback=4, supervised=2, stride=2)
    assert pairs(windows) == [(0, 3), (0, 5)]
    known_steps = np.full((1, 12), 3, dtype=np.int16)
    # Windows end on days 6 and 8; their supervised days are 5, 6 and 7, 8; day 5 is not of the part.
    assert supervision(windows, known_steps, part).tolist() == [[0, 3], [3, 3]]


@given(arrays(bool, (3, 60)), st.integers(2, 12), st.integers(0, 40), st.integers(1, 20))
def test_every_origin_with_a_full_window_is_covered_once(
    days: np.ndarray, lookback: int, first: int, length: int
) -> None:
    part = range(first, min(first + length, 60))
    supervised = supervised_days(lookback, last_day_only=False)
    windows = grid_windows(days, part, lookback, supervised, stride=supervised)
    ticker, day = windows.origins()
    inside = (day >= part.start) & (day < part.stop)
    covered = list(zip(ticker[inside].tolist(), day[inside].tolist(), strict=True))
    assert len(covered) == len(set(covered))
    full = unbroken_days(days) >= lookback
    wanted = {(row, end) for row in range(3) for end in part if full[row, end]}
    assert wanted <= set(covered)


@given(arrays(bool, (2, 80)), st.integers(2, 20), st.integers(0, 9))
def test_no_window_holds_an_unusable_day(days: np.ndarray, lookback: int, offset: int) -> None:
    windows = grid_windows(days, range(80), lookback, 1, stride=10, offset=offset)
    for ticker, start in pairs(windows):
        assert days[ticker, start : start + lookback].all()


@pytest.mark.parametrize(
    ("lookback", "last_day_only", "supervised"),
    [
        pytest.param(120, False, 60, id="half"),
        pytest.param(120, True, 1, id="last-only"),
        pytest.param(2, False, 1, id="shortest"),
    ],
)
def test_how_many_days_are_supervised(lookback: int, last_day_only: bool, supervised: int) -> None:
    assert supervised_days(lookback, last_day_only=last_day_only) == supervised


def test_dense_windows_stride_by_what_they_supervise() -> None:
    assert training_stride(120, 60) == 60
    assert training_stride(120, 1) == 5


def test_only_days_that_count_are_supervised_and_windows_without_one_are_left_out() -> None:
    target_mask = usable("0000000100")
    part = range(10)
    windows = grid_windows(
        usable("1" * 10), part, lookback=4, supervised=2, stride=2, target_mask=target_mask
    )
    # Windows end on days 9, 7, 5 and 3; only that of days 4 to 7 has day 7 among its last two.
    assert pairs(windows) == [(0, 4)]
    known_steps = np.full((1, 10), 3, dtype=np.int16)
    assert supervision(windows, known_steps, part, target_mask).tolist() == [[0, 3]]
