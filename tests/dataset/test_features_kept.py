"""Features are computed once for a panel, and stay with it: here, elsewhere, and for its first days."""

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from earnings_factory import day, said
from factories import panel_of, random_walk_table
from features_spy import count_features

from forecaster import packing
from forecaster.dataset.features import (
    FORMULAS,
    Features,
    available_features,
    compute_features,
    features_of,
    first_days,
    recipe_features,
)
from forecaster.dataset.panel import Panel
from forecaster.dataset.report_features import report_features
from forecaster.prices.earnings.table import EarningsTable, reports
from forecaster.prices.table import PriceTable
from forecaster.processes import run_isolated
from forecaster.settings import PRICES_ONLY, Recipe

DAYS = 600
TICKERS = ("AAA", "BBB", "LATE")


def tables() -> list[PriceTable]:
    """One with a gap, and one that comes later."""
    whole = [random_walk_table(name, DAYS, seed) for seed, name in enumerate(TICKERS)]
    kept = np.ones(DAYS, bool)
    kept[200:203] = False
    return [whole[0].take(kept), whole[1], whole[2].take(slice(300, None))]


def reported(*others: str) -> EarningsTable:
    quarters = [day("2015-01-28") + 91 * quarter for quarter in range(12)]
    rows = [
        f"{ticker} {date + 2 * shift} {'after' if quarter % 2 else 'unknown'}"
        for shift, ticker in enumerate(TICKERS)
        for quarter, date in enumerate(quarters)
    ]
    return reports(said("yahoo", *rows, *others))


@pytest.fixture
def panel() -> Panel:
    return replace(panel_of(*tables()), reports=reported())


def panel_with_a_saturday() -> tuple[Panel, int]:
    """All trade on a day on which, by the calendar, their exchange is closed; and the number of that day."""
    whole = tables()[1:]
    friday = next(date for date in whole[0].dates[500:] if not np.is_busday(date + 1))
    saturday = friday + 1
    moved = [replace(each, dates=np.where(each.dates == friday, saturday, each.dates)) for each in whole]
    panel = replace(panel_of(*moved), reports=reported(f"BBB {saturday + 3} before"))
    return panel, int(np.flatnonzero(panel.dates == saturday)[0])


def assert_same(one: Features, other: Features) -> None:
    assert one.names == other.names
    for name in ("values", "volatility", "valid_input"):
        np.testing.assert_array_equal(getattr(one, name), getattr(other, name))


def test_features_are_computed_once_and_can_not_be_written(
    panel: Panel, monkeypatch: pytest.MonkeyPatch
) -> None:
    names = available_features(panel)
    assert names[-1] == "dates_known"
    expected = compute_features(panel, names)
    counted = count_features(monkeypatch)
    for found in (features_of(panel, names), recipe_features(panel, Recipe()), features_of(panel, [*names])):
        assert_same(found, expected)
        with pytest.raises(ValueError, match="read-only"):
            found.values[0, 0, 0] = 1.0
        assert not found.volatility.flags.writeable
        assert not found.valid_input.flags.writeable
    assert len(counted) == 1
    of_prices = recipe_features(panel, Recipe(features=PRICES_ONLY))
    assert len(counted) == 2
    np.testing.assert_array_equal(of_prices.values, expected.values[..., : len(of_prices.names)])
    features_of(replace(panel), names)
    assert len(counted) == 3  # another panel may have other prices


@pytest.mark.parametrize("smallest", [1, packing.SHARED_BYTES], ids=["in files", "sent"])
def test_another_process_has_what_was_computed_here(
    panel: Panel, monkeypatch: pytest.MonkeyPatch, smallest: int
) -> None:
    monkeypatch.setattr(packing, "SHARED_BYTES", smallest)
    names = available_features(panel)
    expected = compute_features(panel, names)
    features_of(panel, names)
    assert_same(run_isolated(_look_without_formulas, (panel, names)), expected)


def _look_without_formulas(task: tuple[Panel, tuple[str, ...]], _: Callable[[Any], None]) -> Features:
    FORMULAS.clear()
    return features_of(*task)


@pytest.mark.parametrize("days", [*range(64, 70), 201, 202, 204, 300, 301, 330, 499, 599])
def test_those_of_the_first_days_are_those_of_all_days(
    panel: Panel, monkeypatch: pytest.MonkeyPatch, days: int
) -> None:
    """Bit for bit, with a gap and reports near the end of the days."""
    names = available_features(panel)
    features_of(panel, names)
    features_of(panel, names[:5])
    expected = [compute_features(panel.first(days), each) for each in (names, names[:5])]
    counted = count_features(monkeypatch)
    part = first_days(panel, days)
    assert part.shape == (3, days)
    for each in expected:
        assert_same(features_of(part, each.names), each)
    assert not counted


@pytest.mark.parametrize(
    ("ahead", "same"),
    [pytest.param(7, False, id="in sight"), pytest.param(8, True, id="not in sight")],
)
def test_where_a_session_comes_that_no_calendar_has_reports_are_computed_anew(
    monkeypatch: pytest.MonkeyPatch, ahead: int, same: bool
) -> None:
    """Five sessions ahead are seen, and two more of a report that is only likely."""
    panel, saturday = panel_with_a_saturday()
    names = available_features(panel)
    features_of(panel, names)
    of_prices = features_of(panel, names[:5])
    days = saturday - ahead + 1
    expected = compute_features(panel.first(days), names)
    counted = count_features(monkeypatch)
    part = first_days(panel, days)
    assert_same(features_of(part, names), expected)
    assert_same(features_of(part, names[:5]), of_prices.first(days))
    assert len(counted) == (0 if same else 1)


def test_what_such_a_session_moves(monkeypatch: pytest.MonkeyPatch) -> None:
    """Were they taken over all the same, some features would know of the session before it came."""
    monkeypatch.setattr("forecaster.dataset.features.days_ahead_as_known", lambda *_: True)
    panel, saturday = panel_with_a_saturday()
    names = available_features(panel)
    features_of(panel, names)
    differ = [
        (
            features_of(first_days(panel, days), names).values
            != compute_features(panel.first(days), names).values
        )
        .any((0, 1))
        .tolist()
        for days in range(saturday - 6, saturday + 1)
    ]
    moved = {name for days in differ for name, other in zip(names, days, strict=True) if other}
    assert moved
    assert moved <= set(report_features(5))
