from datetime import UTC, datetime

import exchange_calendars
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from forecaster.prices.calendar import (
    closing_time,
    is_session,
    last_closed_session,
    next_sessions,
    session_count,
    sessions_between,
)

dates = st.dates(datetime(1990, 1, 1).date(), datetime(2060, 12, 31).date()).map(np.datetime64)  # noqa: DTZ001


def day(text: str) -> np.datetime64:
    return np.datetime64(text, "D")


@pytest.mark.filterwarnings("ignore::DeprecationWarning")  # raised inside exchange_calendars
def test_agrees_with_exchange_calendars_on_every_day() -> None:
    schedule = exchange_calendars.get_calendar("XNYS", start="1990-01-01", end="2060-12-31").schedule
    sessions = sessions_between(day("1990-01-01"), day("2060-12-31"))
    np.testing.assert_array_equal(sessions, schedule.index.to_numpy().astype("datetime64[D]"))
    ours = [closing_time(session) for session in sessions]
    assert ours == [moment.to_pydatetime() for moment in schedule["close"]]


@pytest.mark.parametrize(
    ("text", "open_"),
    [
        pytest.param("2001-09-11", False, id="attack"),
        pytest.param("2022-12-26", False, id="Christmas observed"),
        pytest.param("2022-06-20", False, id="Juneteenth observed"),
        pytest.param("2021-06-18", True, id="before Juneteenth was kept"),
        pytest.param("2024-11-30", False, id="Saturday"),
        pytest.param("2024-11-29", True, id="early close is a session"),
    ],
)
def test_known_days(text: str, *, open_: bool) -> None:
    assert bool(is_session(day(text))) is open_


@pytest.mark.parametrize(
    ("now", "last"),
    [
        pytest.param("2024-07-05T19:59:59", "2024-07-03", id="summer, a second before the close"),
        pytest.param("2024-07-05T20:00:00", "2024-07-05", id="summer close is 20:00 UTC"),
        pytest.param("2024-01-05T20:59:59", "2024-01-04", id="winter, a second before the close"),
        pytest.param("2024-01-05T21:00:00", "2024-01-05", id="winter close is 21:00 UTC"),
        pytest.param("2024-07-03T17:00:00", "2024-07-03", id="early close at 13:00"),
        pytest.param("2024-07-07T12:00:00", "2024-07-05", id="Sunday"),
        pytest.param("2024-01-06T03:00:00", "2024-01-05", id="still Friday evening in New York"),
    ],
)
def test_last_closed_session(now: str, last: str) -> None:
    assert last_closed_session(datetime.fromisoformat(now).replace(tzinfo=UTC)) == day(last)


@pytest.mark.parametrize("after", ["2022-12-28", "2022-12-24", "2022-12-25", "2022-12-26"])
def test_next_sessions_are_those_that_follow(after: str) -> None:
    expected = sessions_between(day(after) + 1, day("2023-03-01"))[:10]
    np.testing.assert_array_equal(next_sessions(day(after), 10), expected)


@given(dates, dates)
def test_session_count_is_the_number_of_sessions_between(first: np.datetime64, last: np.datetime64) -> None:
    first, last = min(first, last), max(first, last)
    assert session_count(first, last) == len(sessions_between(first + 1, last))
    assert session_count(last, first) == -session_count(first, last)


def test_no_sessions_when_the_span_is_empty() -> None:
    assert len(sessions_between(day("2024-01-05"), day("2024-01-04"))) == 0
    assert len(next_sessions(day("2024-01-05"), 0)) == 0
