"""Tickers on one calendar: gaps, strays, and days that only this store trades on."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from factories import closes_table, filled_store, panel_of, random_walk_table

from forecaster.dataset.panel import choose_tickers, load_panel, trading_days
from forecaster.errors import NotFoundError, UsageError

# A whole week of sessions, then Monday 20 January 2020, Martin Luther King's day.
WEEK = ["2020-01-13", "2020-01-14", "2020-01-15", "2020-01-16", "2020-01-17"]
HOLIDAY, AFTER = "2020-01-20", "2020-01-21"


def test_returns_are_daily_and_logarithmic() -> None:
    panel = panel_of(closes_table("AAA", WEEK[:3], [100, 110, 99]))
    assert panel.log_return.dtype == np.float32
    np.testing.assert_allclose(panel.log_return, [[np.nan, np.log(1.1), np.log(0.9)]], rtol=1e-6)


def test_the_return_after_a_gap_is_unknown() -> None:
    whole = closes_table("AAA", WEEK, [1, 2, 4, 8, 16])
    incomplete = closes_table("BBB", [WEEK[0], WEEK[1], WEEK[3], WEEK[4]], [1, 2, 8, 16])
    panel = panel_of(whole, incomplete)
    assert np.isnan(panel.log_return).tolist() == [
        [True, False, False, False, False],
        [True, False, True, True, False],
    ]
    assert panel.close[1].tolist()[3:] == [8, 16]


def test_a_gap_in_a_single_ticker_is_a_gap_too() -> None:
    panel = panel_of(closes_table("AAA", [WEEK[0], WEEK[1], WEEK[3]], [1, 2, 8]))
    assert [str(day) for day in panel.dates] == WEEK[:4]
    assert np.isnan(panel.log_return[0]).tolist() == [True, False, True, True]


def test_a_stray_holiday_bar_breaks_nobody() -> None:
    days, closes = [*WEEK, AFTER], [1, 2, 4, 8, 16, 32]
    stray = closes_table("BBB", [*WEEK, HOLIDAY, AFTER], [1, 2, 4, 8, 16, 99, 32])
    panel = panel_of(closes_table("AAA", days, closes), stray)
    assert np.datetime64(HOLIDAY) not in panel.dates
    assert np.isfinite(panel.log_return[:, 1:]).all()
    np.testing.assert_allclose(panel.log_return[1], panel.log_return[0])


def test_a_calendar_of_ones_own_is_kept_when_most_trade_on_it() -> None:
    days = [*WEEK, HOLIDAY, AFTER]
    tables = [closes_table(name, days, [1, 2, 4, 8, 16, 32, 64]) for name in ("AAA", "BBB")]
    tables.append(closes_table("CCC", [*WEEK, AFTER], [1, 2, 4, 8, 16, 64]))
    panel = panel_of(*tables)
    assert [str(day) for day in panel.dates] == days
    assert np.isfinite(panel.log_return[:2, 1:]).all()
    assert np.isnan(panel.log_return[2, 5:]).all()


def test_only_tickers_that_traded_in_the_week_before_vote_on_a_day() -> None:
    old = closes_table("AAA", ["2020-01-09", "2020-01-10"], [1, 2])
    young = closes_table("BBB", [WEEK[4], HOLIDAY, AFTER], [1, 2, 3])
    assert np.datetime64(HOLIDAY) in trading_days([old.dates, young.dates])


def test_adjusted_closes_are_what_returns_are_of() -> None:
    table = closes_table("AAA", WEEK[:2], [100, 50])
    split = replace(table, columns={**table.columns, "adj_close": np.array([50.0, 50.0])})
    assert panel_of(split).log_return[0, 1] == 0


def test_the_store_s_market_is_laid_beside_one_ticker(tmp_path: Path) -> None:
    store = filled_store(tmp_path)
    alone, all_of_it = load_panel(store, ["BBB"]), load_panel(store, ["AAA", "BBB", "CCC"])
    np.testing.assert_array_equal(alone.market_return, all_of_it.market_return)
    np.testing.assert_allclose(all_of_it.market_return[1:], all_of_it.log_return[:, 1:].mean(0), atol=1e-7)


def test_the_last_days_are_a_panel_of_their_own() -> None:
    panel = panel_of(random_walk_table(days=50))
    last = panel.last(7)
    assert last.shape == (1, 7)
    np.testing.assert_array_equal(last.log_return, panel.log_return[:, -7:])
    assert panel.last(99).shape == (1, 50)


def test_indices_are_taken_only_when_named(tmp_path: Path) -> None:
    store = filled_store(tmp_path, random_walk_table("AAA"), random_walk_table("^GSPC"))
    assert choose_tickers(store, None) == ["AAA"]
    assert choose_tickers(store, ["^gspc", "aaa", "AAA"]) == ["^GSPC", "AAA"]


@pytest.mark.parametrize(
    ("wanted", "error"),
    [
        pytest.param(["ZZZ"], NotFoundError, id="unknown"),
        pytest.param(["../AAA"], UsageError, id="a-path"),
    ],
)
def test_what_is_no_ticker_is_rejected(tmp_path: Path, wanted: list[str], error: type[Exception]) -> None:
    with pytest.raises(error):
        choose_tickers(filled_store(tmp_path), wanted)
