"""Tickers on one calendar: gaps, strays, and days that only this store trades on."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from factories import closes_table, filled_store, panel_of, random_walk_table
from hypothesis import given
from hypothesis import strategies as st

from forecaster.dataset.panel import (
    BRIDGE_SPAN,
    MOST_BRIDGED,
    choose_tickers,
    daily_log_returns,
    load_panel,
    trading_days,
)
from forecaster.dataset.targets import count_known_steps
from forecaster.errors import NotFoundError, UsageError
from forecaster.prices.calendar import sessions_between

# A whole week of sessions, then Monday 20 January 2020, Martin Luther King's day.
WEEK = ["2020-01-13", "2020-01-14", "2020-01-15", "2020-01-16", "2020-01-17"]
HOLIDAY, AFTER = "2020-01-20", "2020-01-21"


def test_returns_are_daily_and_logarithmic() -> None:
    panel = panel_of(closes_table("AAA", WEEK[:3], [100, 110, 99]))
    assert panel.log_return.dtype == np.float32
    np.testing.assert_allclose(panel.log_return, [[np.nan, np.log(1.1), np.log(0.9)]], rtol=1e-6)


def test_a_short_gap_is_bridged_and_is_no_target() -> None:
    whole = closes_table("AAA", WEEK, [1, 2, 4, 8, 16])
    incomplete = closes_table("BBB", [WEEK[0], WEEK[1], WEEK[3], WEEK[4]], [1, 2, 8, 16])
    panel = panel_of(whole, incomplete)
    over_two_days = np.log(4) / np.sqrt(2)
    np.testing.assert_allclose(
        panel.log_return[1], [np.nan, np.log(2), np.nan, over_two_days, np.log(2)], rtol=1e-6
    )
    assert panel.bridged is not None
    assert panel.bridged.tolist() == [[False] * 5, [False, False, True, False, False]]
    assert panel.target_mask is not None
    assert panel.target_mask.tolist() == [[True] * 5, [True, True, False, True, True]]
    assert count_known_steps(panel.log_return, 2)[1].tolist() == [1, 0, 2, 1, 0]
    assert panel.close[1].tolist()[3:] == [8, 16]


def test_without_a_gap_nothing_is_bridged() -> None:
    panel = panel_of(closes_table("AAA", WEEK, [1, 2, 4, 8, 16]))
    assert panel.bridged is None
    assert panel.target_mask is None


def test_a_gap_in_a_single_ticker_is_a_gap_too() -> None:
    panel = panel_of(closes_table("AAA", [WEEK[0], WEEK[1], WEEK[3]], [1, 2, 8]))
    assert [str(day) for day in panel.dates] == WEEK[:4]
    assert np.isnan(panel.log_return[0]).tolist() == [True, False, True, False]


@pytest.mark.parametrize(
    ("missing", "broken"),
    [
        pytest.param([70, 71, 72, 73, 74], [], id="five in a row"),
        pytest.param([70, 71, 72, 73, 74, 75], [75], id="the sixth in a row"),
        pytest.param([10, 20, 30, 40, 50, 69], [69], id="the sixth of sixty"),
        pytest.param([10, 20, 30, 40, 50, 70], [], id="the sixth, sixty days later"),
    ],
)
def test_at_most_five_of_sixty_sessions_are_bridged(missing: list[int], broken: list[int]) -> None:
    assert (MOST_BRIDGED, BRIDGE_SPAN) == (5, 60)
    close = np.exp(np.arange(90) / 100)
    close[missing] = np.nan
    returns, bridged = daily_log_returns(close, np.ones(90, dtype=bool))
    assert np.flatnonzero(bridged).tolist() == [day for day in missing if day not in broken]
    after = {day + 1 for day in broken if day + 1 not in missing}
    assert np.flatnonzero(np.isnan(returns)).tolist() == sorted({0, *missing, *after})


def test_days_on_which_its_exchange_is_closed_do_not_count_as_missing() -> None:
    open_days = np.array([True, False, False, False, False, False, False, True])
    close = np.array([1.0, *[np.nan] * 6, 3.0])
    returns, bridged = daily_log_returns(close, open_days)
    assert bridged.tolist() == [False, *[True] * 6, False]
    assert returns[-1] == np.float32(np.log(3))


@given(st.lists(st.booleans(), min_size=5, max_size=150), st.data())
def test_the_future_moves_no_return_before_it(traded: list[bool], data: st.DataObject) -> None:
    close = np.where(traded, np.exp(np.arange(len(traded)) / 50), np.nan)
    close[0] = 1.0
    origin = data.draw(st.sampled_from(np.flatnonzero(np.isfinite(close)).tolist()))
    open_days = np.ones(len(close), dtype=bool)
    returns, bridged = daily_log_returns(close, open_days)
    cut = daily_log_returns(close[: origin + 1], open_days[: origin + 1])
    np.testing.assert_array_equal(cut[0], returns[: origin + 1])
    np.testing.assert_array_equal(cut[1], bridged[: origin + 1])


def test_two_calendars_lie_side_by_side_each_with_its_own_market() -> None:
    """30 August 2021 is a holiday in London only, 6 September one in New York only."""
    new_york = sessions_between(np.datetime64("2021-08-25"), np.datetime64("2021-09-09"))
    london = sessions_between(np.datetime64("2021-08-25"), np.datetime64("2021-09-09"), "XLON")
    ours = closes_table(
        "AAA", new_york.astype(str).tolist(), np.exp(np.arange(len(new_york)) * 0.01).tolist()
    )
    theirs = closes_table(
        "SHEL.L", london.astype(str).tolist(), np.exp(np.arange(len(london)) * 0.02).tolist()
    )
    panel = panel_of(ours, replace(theirs, calendar="XLON"))
    assert panel.bridged is not None
    closed = [[str(day) for day in panel.dates[row]] for row in panel.bridged]
    assert closed == [["2021-09-06"], ["2021-08-30"]]
    assert panel.market_return.shape == panel.shape
    for row, move in enumerate((0.01, 0.02)):
        open_days = ~panel.bridged[row]
        open_days[0] = False
        np.testing.assert_allclose(panel.log_return[row, open_days], move, rtol=1e-5)
        np.testing.assert_allclose(panel.market_return[row, open_days], move, rtol=1e-5)
    later = panel.last(3)
    assert later.market_return.shape == (2, 3)


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
    np.testing.assert_allclose(panel.log_return[2, 5:], [np.nan, np.log(4)], rtol=1e-6)


def test_only_tickers_that_traded_in_the_week_before_vote_on_a_day() -> None:
    old = closes_table("AAA", ["2020-01-09", "2020-01-10"], [1, 2])
    young = closes_table("BBB", [WEEK[4], HOLIDAY, AFTER], [1, 2, 3])
    assert np.datetime64(HOLIDAY) in trading_days([old, young])


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


def test_beside_stocks_a_coin_has_its_weekends_on_mondays() -> None:
    stocks = [
        random_walk_table(name, 30, seed, after="2021-01-01") for seed, name in enumerate(("AAA", "BBB"))
    ]
    every_day = np.arange("2021-01-04", "2021-02-17", dtype="datetime64[D]").astype(str).tolist()
    closes = np.exp(np.arange(len(every_day)) * 0.01)
    coin = replace(closes_table("BTC-USD", every_day, closes.tolist()), calendar="24/7")
    panel = panel_of(*stocks, coin)
    np.testing.assert_array_equal(panel.dates, stocks[0].dates[stocks[0].dates <= panel.dates[-1]])
    assert panel.bridged is None
    mondays = np.diff(panel.dates).astype(int)
    np.testing.assert_allclose(panel.log_return[2, 1:], 0.01 * mondays, rtol=1e-4)
    alone = panel_of(coin)
    assert alone.shape == (1, len(every_day))
    np.testing.assert_allclose(alone.log_return[0, 1:], 0.01, rtol=1e-4)


@pytest.mark.parametrize(
    "name",
    ["close", "log_return", "log_range", "log_volume", "market_return", "bridged", "target_mask", "dates"],
)
def test_the_digest_is_of_all_that_a_network_sees_or_is_scored_on(name: str) -> None:
    tables = [random_walk_table(ticker, 60, seed) for seed, ticker in enumerate("AB")]
    bridged, mask = np.zeros((2, 60), bool), np.ones((2, 60), bool)
    panel = replace(panel_of(*tables), bridged=bridged, target_mask=mask)
    values = getattr(panel, name).copy()
    values[..., -1] = ~values[..., -1] if values.dtype == bool else values[..., -1] + 1
    changed = replace(panel, **{name: values})
    assert changed.digest() != panel.digest()
    assert replace(changed, **{name: getattr(panel, name).copy()}).digest() == panel.digest()
    if name not in ("close", "log_return", "market_return", "dates"):
        assert replace(panel, **{name: None}).digest() != panel.digest()


def test_ranges_in_place_of_volumes_are_another_digest() -> None:
    panel = panel_of(random_walk_table("A", 60))
    one, other = replace(panel, log_volume=None), replace(panel, log_range=None, log_volume=panel.log_range)
    assert one.digest() != other.digest()


def test_some_tickers_of_a_panel_are_as_they_are_in_it() -> None:
    panel = panel_of(*(random_walk_table(name, 60, seed) for seed, name in enumerate(("AAA", "BBB", "CCC"))))
    several = replace(
        panel,
        market_return=np.stack([panel.market_return + row for row in range(3)]),
        target_mask=np.arange(3)[:, None] <= np.zeros(60),
    )
    rows = np.array([2, 0])
    for whole in (panel, several):
        some = whole.take(rows)
        assert some.tickers == ("CCC", "AAA")
        assert some.shape == (2, 60)
        np.testing.assert_array_equal(some.log_return, whole.log_return[rows])
        np.testing.assert_array_equal(some.close, whole.close[rows])
        assert some.market_members == whole.market_members
    np.testing.assert_array_equal(panel.take(rows).market_return, panel.market_return)
    np.testing.assert_array_equal(several.take(rows).market_return, several.market_return[rows])
    assert panel.take(rows).target_mask is None
    mask = several.take(rows).target_mask
    assert mask is not None
    assert mask[:, 0].tolist() == [False, True]
    for name in ("log_range", "log_volume"):
        np.testing.assert_array_equal(getattr(panel.take(rows), name), getattr(panel, name)[rows])
