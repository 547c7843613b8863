"""The inputs that the audit puts in place of the real ones are others where they should be, only there."""

from dataclasses import replace
from datetime import date, timedelta

import numpy as np
import pytest
from audit_factory import DAYS, TICKERS, quarterly, subject, tables, universe
from factories import random_walk_table
from hypothesis import given
from hypothesis import strategies as st
from scipy.stats import kstest

from forecaster.dataset.membership import member_days
from forecaster.evaluation.audit.subject import (
    Subject,
    random_walk_twin,
    shuffled,
    with_other_dates,
    with_other_future,
    with_other_members,
)
from forecaster.prices.earnings.table import EarningsTable
from forecaster.prices.market import MarketSeries
from forecaster.prices.table import COLUMNS, PriceTable
from forecaster.prices.universe import Span, Universe

CUT = np.datetime64("2016-06-30")


def returns(table: PriceTable) -> np.ndarray:
    return np.diff(np.log(table.columns["adj_close"]))


def test_another_future_leaves_the_past_alone_and_nothing_after_it() -> None:
    before = subject()
    after = with_other_future(before, CUT)
    ended = 0
    for old, new in zip(before.inputs.tables, after.inputs.tables, strict=True):
        past, later = old.dates <= CUT, old.dates > CUT
        for name in COLUMNS:
            np.testing.assert_array_equal(old.columns[name][past], new.columns[name][new.dates <= CUT])
        if len(new) == past.sum():
            ended += 1
            continue
        for name in ("open", "high", "low", "close", "adj_close", "volume"):
            assert (old.columns[name][later] != new.columns[name][later]).all()
        first = int(past.sum())
        assert abs(np.log(new.columns["close"][first] / old.columns["close"][first])) == pytest.approx(0.15)
        assert (new.columns["high"] >= new.columns["low"]).all()
    assert 0 < ended < len(TICKERS)
    known = before.inputs.market.dates <= CUT
    np.testing.assert_array_equal(before.inputs.market.mean[known], after.inputs.market.mean[: known.sum()])


def test_all_go_on_where_that_is_wanted() -> None:
    after = with_other_future(subject(), CUT, ends=False)
    assert [len(table) for table in after.inputs.tables] == [len(table) for table in tables()]


def test_a_single_ticker_does_not_end() -> None:
    for name in TICKERS:
        alone = subject(random_walk_table(name, DAYS))
        assert alone.inputs.tables[0].dates[-1] > CUT
        assert len(with_other_future(alone, CUT).inputs.tables[0]) == DAYS


def test_a_market_that_was_given_is_changed_by_itself() -> None:
    dates = tables()[0].dates
    given_market = MarketSeries(
        dates, np.random.default_rng(0).normal(0, 0.01, len(dates)), np.zeros(len(dates), int)
    )
    before = Subject(replace(subject().inputs, market=given_market), None)
    later = dates > CUT
    after = with_other_future(before, CUT).inputs.market
    np.testing.assert_array_equal(after.mean[~later], given_market.mean[~later])
    assert (after.mean[later] != given_market.mean[later]).all()
    dealt = shuffled(before, 0).inputs.market
    np.testing.assert_array_equal(np.sort(dealt.mean), np.sort(given_market.mean))
    assert (dealt.mean != given_market.mean).mean() > 0.9
    twin = random_walk_twin(before, 1).subject.inputs.market
    assert np.std(twin.mean) == pytest.approx(0.01, rel=0.1)
    assert abs(np.corrcoef(twin.mean, given_market.mean)[0, 1]) < 0.15


def known_rows(table: EarningsTable) -> set[tuple[str, ...]]:
    columns = (getattr(table, name).astype(str) for name in ("ticker", "date", "when"))
    return set(zip(*columns, strict=True))


def test_other_dates_are_other_only_where_they_were_not_known() -> None:
    found = quarterly()
    other = with_other_dates(found, TICKERS, CUT)
    old, new = (known_rows(each.take(each.known_from <= CUT)) for each in (found, other))
    assert old == new
    later = {str(day) for day in found.take(found.known_from > CUT).date}
    assert not later & {str(day) for day in other.date}
    assert (other.take(other.known_from == CUT + 1).date >= CUT + 1).all()
    assert len(other) == len(found) + 2 * len(TICKERS)


span = st.tuples(st.integers(-400, 400), st.integers(0, 500), st.booleans(), st.booleans())


@given(
    spans=st.lists(st.lists(span, max_size=3), min_size=3, max_size=3),
    shift=st.integers(-300, 300),
)
def test_other_members_are_the_same_up_to_the_cut_and_all_others_after_it(
    spans: list[list[tuple[int, int, bool, bool]]], shift: int
) -> None:
    middle = date(2016, 1, 1)
    cut = middle + timedelta(shift)
    whole = Universe(
        "x",
        "test",
        {
            name: tuple(
                Span(
                    None if open_start else middle + timedelta(start),
                    None if open_end else middle + timedelta(start + length),
                )
                for start, length, open_start, open_end in own
            )
            for name, own in zip("ABC", spans, strict=True)
        },
    )
    days = np.arange(np.datetime64(middle) - 500, np.datetime64(middle) + 1200)
    before = member_days(whole, "ABC", days)
    after = member_days(with_other_members(whole, cut), "ABC", days)
    known = days <= np.datetime64(cut)
    np.testing.assert_array_equal(before[:, known], after[:, known])
    was, now = before[:, ~known].any(1), after[:, ~known].any(1)
    np.testing.assert_array_equal(was, ~now)


def test_other_members_of_the_universe_of_the_tests() -> None:
    listed = universe(date(2017, 10, 1)).universe
    assert listed.known_to is not None
    assert with_other_members(listed, date(2016, 6, 30)).known_to is not None


def test_shuffled_days_have_the_same_moves_in_another_order() -> None:
    before = subject()
    after = shuffled(before, 3)
    for old, new in zip(before.inputs.tables, after.inputs.tables, strict=True):
        np.testing.assert_array_equal(old.dates, new.dates)
        np.testing.assert_allclose(np.sort(returns(old)), np.sort(returns(new)), atol=1e-9)
        np.testing.assert_array_equal(np.sort(old.columns["volume"][1:]), np.sort(new.columns["volume"][1:]))
        assert abs(np.corrcoef(returns(old), returns(new))[0, 1]) < 0.15
    one, old = after.inputs.tables[0], before.inputs.tables[0]
    # A day stays a day of all tickers, with its range and volume.
    first, second = (
        int(np.abs(returns(was) - returns(now)[100]).argmin())
        for was, now in zip(before.inputs.tables[:2], after.inputs.tables[:2], strict=True)
    )
    assert first == second
    assert one.columns["volume"][101] == old.columns["volume"][first + 1]
    high = [table.columns["high"] / table.columns["close"] for table in (old, one)]
    assert high[1][101] == pytest.approx(high[0][first + 1])
    np.testing.assert_array_equal(shuffled(before, 3).inputs.market.mean, after.inputs.market.mean)


def test_twins_are_walks_on_the_same_days() -> None:
    bars = tables()
    gappy = bars[1].take(np.delete(np.arange(len(bars[1])), [50, 51, 300]))
    closes = random_walk_table("CCC", len(bars[0]), 2, closes_only=True, volatility=0.05)
    before = subject(bars[0], gappy, closes)
    twin = random_walk_twin(before, 1)
    assert set(twin.deviations) == {"AAA", "BBB", "CCC"}
    assert twin.deviations["CCC"] == pytest.approx(0.05, rel=0.1)
    for old, new in zip(before.inputs.tables, twin.subject.inputs.tables, strict=True):
        np.testing.assert_array_equal(old.dates, new.dates)
        for name in ("high", "low", "volume"):
            np.testing.assert_array_equal(np.isnan(old.columns[name]), np.isnan(new.columns[name]))
        if new.known("high"):
            assert (new.columns["high"] >= new.columns["close"]).all()
            assert (new.columns["low"] <= new.columns["close"]).all()
    panel = twin.subject.inputs.panel()
    for row, ticker in enumerate(panel.tickers):
        moves = panel.log_return[row][np.isfinite(panel.log_return[row])] / twin.deviations[ticker]
        assert kstest(moves, "norm").pvalue > 0.01
        assert abs(np.corrcoef(np.abs(moves[1:]), np.abs(moves[:-1]))[0, 1]) < 0.12


def test_a_few_of_many_tickers_keep_the_market_of_all() -> None:
    before = subject(dated=True)
    few = before.limited(3)
    assert [table.ticker for table in few.inputs.tables] == ["AAA", "CCC", "FFF"]
    assert few.inputs.market is before.inputs.market
    assert few.stocks == before.stocks
    assert set(few.inputs.reports.ticker) == {table.ticker for table in few.inputs.tables}
    assert before.limited(6) is before
