from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

import numpy as np
import pytest
from factories import WRITTEN, closes_table, filled_store, random_walk_table
from hypothesis import assume, given
from hypothesis import strategies as st

from forecaster.dataset.features import MARKET_SHIFT, VOLATILITY_SHIFT
from forecaster.prices import market
from forecaster.prices.market import (
    ThinDay,
    later_markets,
    mean_log_return,
    read_market,
    refresh_markets,
    thin_days,
)
from forecaster.prices.market_sums import LISTED_DAYS
from forecaster.prices.store import PriceStore
from forecaster.prices.table import PriceTable


def test_the_mean_by_hand() -> None:
    first = closes_table("A", ["2024-01-02", "2024-01-03", "2024-01-04"], [100, 110, 121])
    second = closes_table("B", ["2024-01-03", "2024-01-04"], [50, 25])
    series = mean_log_return([first, second])
    assert series.dates.astype(str).tolist() == ["2024-01-03", "2024-01-04"]
    assert series.tickers.tolist() == [1, 2]
    np.testing.assert_allclose(series.log_return, [np.log(1.1), (np.log(1.1) + np.log(0.5)) / 2])


def test_a_return_across_a_missing_session_does_not_count_and_a_weekend_is_none() -> None:
    gap = closes_table("A", ["2024-01-04", "2024-01-05", "2024-01-08", "2024-01-10"], [1, 2, 4, 9])
    assert mean_log_return([gap]).dates.astype(str).tolist() == ["2024-01-05", "2024-01-08"]


def test_indices_are_left_out(tmp_path: Path) -> None:
    store = filled_store(tmp_path, random_walk_table("AAA"), random_walk_table("^IDX", seed=1))
    assert read_market(store).tickers.max() == 1


def test_it_is_kept_until_a_price_file_changes(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    store = filled_store(tmp_path)
    before = read_market(store)
    with monkeypatch.context() as patch:
        patch.setattr(market, "_computed", lambda *_: pytest.fail("computed again"))
        np.testing.assert_array_equal(read_market(store).log_return, before.log_return)
    store.write(random_walk_table("DDD", seed=9), source="test", fetched_at=WRITTEN)
    assert read_market(store).tickers.max() == 4


def test_a_damaged_or_unwritable_copy_does_no_harm(tmp_path: Path) -> None:
    store = filled_store(tmp_path)
    kept = tmp_path / "data" / "market.parquet"
    kept.write_bytes(b"rubbish")
    expected = read_market(store).log_return
    kept.unlink()
    kept.mkdir()
    np.testing.assert_array_equal(read_market(store).log_return, expected)


def test_an_empty_store_has_no_market_and_stays_empty(tmp_path: Path) -> None:
    assert len(read_market(filled_store(tmp_path / "x", random_walk_table("^IDX"))).dates) == 0
    assert not (tmp_path / "x" / "data" / "market.parquet").exists()


def test_a_damaged_file_is_left_out_and_the_members_say_so(tmp_path: Path) -> None:
    store = filled_store(tmp_path, *(random_walk_table(name, seed=seed) for seed, name in enumerate("ABC")))
    assert read_market(store).members == ("A", "B", "C")
    store.path("B").write_bytes(b"rubbish")
    market = read_market(store)
    assert market.members == ("A", "C")
    expected = mean_log_return([store.read("A"), store.read("C")])
    np.testing.assert_array_equal(market.log_return, expected.log_return)
    assert read_market(store).members == ("A", "C")  # from its own file


def walks(names: str, days: int = 300) -> list[PriceTable]:
    return [random_walk_table(name, days, seed) for seed, name in enumerate(names)]


def same(one: market.MarketSeries, other: market.MarketSeries) -> bool:
    arrays = ("dates", "mean", "log_return", "tickers", "listed")
    return all(np.array_equal(getattr(one, name), getattr(other, name)) for name in arrays)


def test_the_numbers_that_decide() -> None:
    assert (market.ENOUGH, market.LEAST_LISTED, LISTED_DAYS) == (0.5, 0.5, 365)
    assert market.MOST_COMPOSITIONS == 8
    usual = np.exp(2 * (MARKET_SHIFT - VOLATILITY_SHIFT)) - 1  # a stock's variance over the market's, less it
    assert pytest.approx(usual, rel=0.1) == market.OWN_VARIANCE


def test_the_market_of_a_composition_is_the_mean_over_its_members_alone(tmp_path: Path) -> None:
    tables = walks("ABC")
    store = filled_store(tmp_path, *tables)
    found = read_market(store, ["B", "A"])
    assert (found.members, found.composition) == (("A", "B"), 2)
    np.testing.assert_array_equal(found.log_return, mean_log_return(tables[:2]).log_return)
    store.write(random_walk_table("D", seed=9, volatility=0.3), source="test", fetched_at=WRITTEN)
    assert same(read_market(store, ["A", "B"]), found)


def test_the_market_of_a_composition_is_kept_until_a_member_changes(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    store = filled_store(tmp_path, *walks("ABC"))
    expected = read_market(store, "AB")
    with monkeypatch.context() as patch:
        patch.setattr(market, "_computed", lambda *_: pytest.fail("computed again"))
        assert same(read_market(store, "AB"), expected)
        assert same(read_market(store, "ABC"), read_market(store))  # all that is stored: no file of its own
    store.write(random_walk_table("B", seed=7), source="test", fetched_at=WRITTEN)
    assert not same(read_market(store, "AB"), expected)


def test_a_fetch_brings_the_kept_markets_up_to_date(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    store = filled_store(tmp_path, *walks("ABC"))
    read_market(store, "AB")
    changed = random_walk_table("B", seed=7)
    store.write(changed, source="test", fetched_at=WRITTEN)
    assert refresh_markets(store).members == ("A", "B", "C")
    monkeypatch.setattr(market, "_computed", lambda *_: pytest.fail("computed again"))
    expected = mean_log_return([walks("A")[0], changed])
    np.testing.assert_array_equal(read_market(store, "AB").log_return, expected.log_return)


def test_so_many_compositions_are_kept_and_the_unused_go_first(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    store = filled_store(tmp_path, *walks("ABCD", 40))
    monkeypatch.setattr(market, "MOST_COMPOSITIONS", 2)
    for composition in ("AB", "BC", "AB", "CD"):
        read_market(store, composition)
    assert len(list((tmp_path / "data").glob("market-*.parquet"))) == 2
    monkeypatch.setattr(market, "_computed", lambda *_: pytest.fail("computed again"))
    read_market(store, "AB")
    with pytest.raises(pytest.fail.Exception):
        read_market(store, "BC")


def test_members_that_are_not_stored_count_as_listed_on_their_calendar(tmp_path: Path) -> None:
    london = replace(random_walk_table("L.L", seed=5), calendar="XLON")
    store = filled_store(tmp_path, *walks("AB"), london)
    found = read_market(store, ["A", "L.L", "GONE", "GONE.L", "MORE.L"])
    assert found.of("XNYS").listed.tolist() == [2] * 299
    assert set(found.of("XLON").listed) == {3}
    assert (found.of("XNYS").thin.any(), found.of("XLON").thin.all()) == (False, True)


def test_where_no_member_trades_all_that_is_stored_is_the_market(tmp_path: Path) -> None:
    london = [replace(random_walk_table(name, seed=5), calendar="XLON") for name in ("K.L", "L.L")]
    store = filled_store(tmp_path, *walks("ABCDE"), *london)
    for composition in ("ABC", "ABCDE"):
        found = read_market(store, composition).of("XLON")
        assert same(found, mean_log_return([*walks("ABCDE"), *london], composition).of("XLON"))
        assert (found.tickers[-1], found.listed[-1]) == (2, len(composition))
    assert read_market(store, ["ZZZ"]).of("XNYS").tickers[-1] == 5


def test_the_mean_of_few_has_the_usual_size_of_the_mean_of_all() -> None:
    """By hand: one of four is left; 2.2 is a stock's own variance over the market's."""
    tables = walks("ABCD", 60)
    found = mean_log_return([tables[0], *(table.take(slice(0, 50)) for table in tables[1:])])
    assert found.tickers[-11:].tolist() == [4] + [1] * 10
    assert found.listed.tolist() == [4] * 59
    factor = ((1 + 2.2 / 4) / (1 + 2.2 / 1)) ** 0.5
    own = np.diff(np.log(tables[0].columns["adj_close"]))[-10:]
    np.testing.assert_allclose(found.log_return[-10:], factor * own)
    np.testing.assert_array_equal(found.log_return[:-10], found.mean[:-10])
    days = found.dates[-12:]
    assert thin_days(found, days) == tuple(ThinDay(str(day), 1, 4) for day in days[-10:])


def test_half_of_the_members_is_enough() -> None:
    tables = walks("ABCD", 60)
    found = mean_log_return([*tables[:2], *(table.take(slice(0, 50)) for table in tables[2:])])
    assert not found.thin.any()


def test_independent_moves_scaled_have_the_size_that_was_meant() -> None:
    """Seeded stocks of one market whose own variance is 2.2 times the market's."""
    random = np.random.default_rng(0)
    common = random.normal(0, 0.01, 20_000)
    returns = common + random.normal(0, 0.01 * 2.2**0.5, (40, 20_000))
    few = market.MarketSeries(
        np.arange(20_000).astype("datetime64[D]"),
        returns[:3].mean(0),
        np.full(20_000, 3),
        listed=np.full(20_000, 40),
    )
    assert few.mean.std() > 1.2 * returns.mean(0).std()
    assert few.log_return.std() == pytest.approx(returns.mean(0).std(), rel=0.02)


def test_a_member_that_ended_more_than_a_year_ago_was_delisted() -> None:
    tables = walks("ABCD", 400)
    found = mean_log_return([tables[0], *(table.take(slice(0, 50)) for table in tables[1:])])
    ended = tables[1].dates[49]
    missing = (found.dates > ended) & (found.dates <= ended + np.timedelta64(365))
    np.testing.assert_array_equal(found.thin, missing)
    assert set(found.listed[found.dates > ended + np.timedelta64(365)]) == {2}


def test_one_ticker_that_goes_on_for_years_is_no_market_of_one() -> None:
    tables = walks("ABCDEFGHIJ", 700)
    found = mean_log_return([tables[0], *(table.take(slice(0, 50)) for table in tables[1:])])
    assert (found.tickers[-1], found.listed[-1]) == (1, 5)
    assert found.thin[-1]


def test_a_day_without_any_member_is_thin_and_one_without_a_known_market_is_not() -> None:
    found = mean_log_return(walks("AB", 60), "AB")
    after = found.dates[-1] + np.arange(1, 3)
    assert [(day.tickers, day.listed) for day in thin_days(found.of("XNYS"), after)] == [(0, 2)] * 2
    given = replace(found, listed=np.empty(0, np.int64), composition=0)
    assert thin_days(given, after) == ()


@given(st.data())
def test_no_day_s_market_depends_on_later_ones(data: st.DataObject) -> None:
    """Whatever tickers do later: they go on, pause, end, or make wild moves."""
    tables = []
    for table in walks("ABC", 40):
        gone = data.draw(st.sets(st.integers(0, 39), max_size=30))
        tables.append(table.take(np.setdiff1d(np.arange(40), list(gone))))
    day = tables[0].dates[0] + data.draw(st.integers(1, 60))
    past = [table.take(table.dates <= day) for table in tables if table.dates[0] <= day]
    composition = data.draw(st.sampled_from(["", "AB", "ABCZ"]))
    full, known = mean_log_return(tables, composition), mean_log_return(past, composition)
    rows = full.dates <= day
    assume(len(past) == len(tables))  # a member that is not listed yet counts as one without prices
    for name in ("dates", "mean", "log_return", "tickers", "listed", "thin"):
        np.testing.assert_array_equal(getattr(full, name)[rows], getattr(known, name), err_msg=name)


def test_a_replay_has_the_market_of_its_day(tmp_path: Path) -> None:
    tables = walks("ABC", 300)
    filled_store(tmp_path, *tables)
    now = datetime(2015, 12, 31, 23, tzinfo=UTC)
    found = read_market(PriceStore(tmp_path, now), "AB")
    past = [table.take(table.dates <= np.datetime64("2015-12-31")) for table in tables[:2]]
    assert later_markets(read_market(PriceStore(tmp_path), "AB"), now)
    assert same(found, mean_log_return(past, "AB"))
