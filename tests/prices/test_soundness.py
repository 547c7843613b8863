"""Moves that cannot be right, and series that cannot be joined; and what real prices do all the same."""

from dataclasses import replace

import numpy as np
import pytest
from factories import random_walk_table
from hypothesis import given
from hypothesis import strategies as st

from forecaster.prices import soundness
from forecaster.prices.market import mean_log_return
from forecaster.prices.soundness import odd_moves, splice
from forecaster.prices.table import PriceTable

DAY = 60


def stepped(factor: float, adjusted: float | None = None, table: PriceTable | None = None) -> PriceTable:
    """A walk of 1 % a day whose close, and adjusted close, are `factor` times as large from day 60 on."""
    table = table or random_walk_table("AAA", 120, 1)
    after = np.arange(len(table)) >= DAY
    columns = dict(table.columns)
    columns["close"] = columns["close"] * np.where(after, factor, 1.0)
    columns["adj_close"] = columns["adj_close"] * np.where(
        after, factor if adjusted is None else adjusted, 1.0
    )
    return replace(table, columns=columns)


def test_the_limits_are_these() -> None:
    """They were measured on 491 stocks; who changes one measures again."""
    assert (np.log(1.4), np.log(1.4)) == (soundness.LARGE, soundness.CONTRADICTION)
    assert (soundness.UNITS, soundness.UNIT_TOLERANCE, soundness.SPLIT_TOLERANCE) == ((100, 1000), 0.15, 0.06)
    assert (soundness.CALM, soundness.WILD, soundness.CALM_DAYS, soundness.LEAST_CALM_DAYS) == (
        2.5,
        0.03,
        20,
        5,
    )
    assert soundness.SLIP_DAYS == 5
    assert (soundness.LEAST_SHIFT, soundness.EVEN, soundness.OVERLAP_DAYS) == (0.002, 0.0005, 5)
    assert (soundness.SEAM_SESSIONS, soundness.SEAM_SIGMAS) == (20, 12)


@pytest.mark.parametrize(
    ("factor", "adjusted", "says"),
    [
        pytest.param(0.01, None, "100 times smaller than the day before: another unit", id="pence to pounds"),
        pytest.param(100, None, "100 times larger than the day before: another unit", id="pounds to pence"),
        pytest.param(1000, None, "1,000 times larger", id="thousands"),
        pytest.param(0.25, None, "4 times smaller than the day before: a 4:1 split", id="a split of 4:1"),
        pytest.param(10, None, "10 times larger than the day before: a 1:10 split", id="a reverse split"),
        pytest.param(1, 8.0, "adj_close rose by 7", id="the adjusted close by itself"),
        pytest.param(1, 0.5, "adj_close fell by 5", id="the adjusted close falls by itself"),
    ],
)
def test_what_cannot_be_right_is_found_on_its_day(factor: float, adjusted: float | None, says: str) -> None:
    table = stepped(factor, adjusted)
    (move,) = odd_moves(table)
    assert move.day == table.dates[DAY]
    assert says in move.reason


@pytest.mark.parametrize(
    ("factor", "adjusted"),
    [
        pytest.param(1, None, id="nothing"),
        pytest.param(0.62, None, id="a fall of 38 %"),
        pytest.param(0.41, None, id="a fall of 59 %, to no simple fraction"),
        pytest.param(1.6, None, id="a rise of 60 %"),
        pytest.param(0.25, 1.0, id="a split that the adjusted close reflects"),
        pytest.param(0.78, 1.0, id="a special dividend of 22 %"),
    ],
)
def test_what_real_shares_do_is_not_odd(factor: float, adjusted: float | None) -> None:
    assert odd_moves(stepped(factor, adjusted)) == []


def test_a_halving_after_which_all_is_wild_is_a_crash() -> None:
    table = random_walk_table("AAA", 120, 1)
    columns = dict(table.columns)
    noise = np.where(np.arange(120) > DAY, np.random.default_rng(0).normal(0, 0.1, 120), 0)
    columns["close"] = columns["adj_close"] = columns["close"] * np.exp(np.cumsum(noise))
    assert odd_moves(stepped(0.5, table=replace(table, columns=columns))) == []
    assert len(odd_moves(stepped(0.5, table=table))) == 1


def test_a_step_at_the_very_end_is_not_judged_as_a_split() -> None:
    table = stepped(0.5)
    assert odd_moves(table.take(slice(0, DAY + 3))) == []
    assert len(odd_moves(table.take(slice(0, DAY + 10)))) == 1


def slipped(factor: float, days: int, first: int = DAY) -> PriceTable:
    """A walk of 1 % a day whose prices are `factor` times as large on some days, and then as before."""
    table = random_walk_table("AAA", 120, 1)
    slip = np.where((np.arange(len(table)) >= first) & (np.arange(len(table)) < first + days), factor, 1.0)
    columns = dict(table.columns)
    columns["close"], columns["adj_close"] = columns["close"] * slip, columns["adj_close"] * slip
    return replace(table, columns=columns)


@pytest.mark.parametrize("days", [1, 3, 5])
@pytest.mark.parametrize("factor", [0.1, 0.5, 4, 10])
def test_a_step_by_a_ratio_that_is_undone_is_odd_on_both_days(factor: float, days: int) -> None:
    table = slipped(factor, days)
    there, back = odd_moves(table)
    assert (there.day, back.day) == (table.dates[DAY], table.dates[DAY + days])
    assert f"and back on {back.day}: a slip?" in there.reason
    assert "back from a slip" in back.reason
    assert np.abs(mean_log_return([table]).log_return).max() < 0.1


def test_what_falls_and_comes_back_is_no_slip_unless_by_one_ratio_among_calm_days() -> None:
    assert odd_moves(slipped(0.62, 2)) == []
    assert odd_moves(slipped(0.5, soundness.SLIP_DAYS + 1)) == []
    table = slipped(0.5, 1)
    wild = np.exp(np.cumsum(np.random.default_rng(0).normal(0, 0.08, 120)))
    columns = {**table.columns, **{name: table.columns[name] * wild for name in ("close", "adj_close")}}
    assert odd_moves(replace(table, columns=columns)) == []


def test_odd_moves_do_not_enter_the_market() -> None:
    sound, odd = random_walk_table("BBB", 120, 2), stepped(0.01)
    market = mean_log_return([sound, odd])
    assert market.odd == ("AAA",)
    place = int(np.searchsorted(market.dates, odd.dates[DAY]))
    own = np.diff(np.log(sound.columns["adj_close"]))[DAY - 1]
    assert market.tickers[place] == 1
    assert market.log_return[place] == pytest.approx(own)
    assert np.abs(market.log_return).max() < 0.1


def scaled(table: PriceTable, rows: slice, close: float, adjusted: float) -> PriceTable:
    part = table.take(rows)
    columns = dict(part.columns)
    columns["close"], columns["adj_close"] = columns["close"] * close, columns["adj_close"] * adjusted
    return replace(part, columns=columns)


@pytest.mark.parametrize(
    ("rows", "close", "adjusted", "says"),
    [
        pytest.param(
            slice(90, 130), 100, 100, "its close is 100 times the stored one on 10 shared days", id="pence"
        ),
        pytest.param(slice(98, 110), 4.7, 4.7, "its close is 4.7 times", id="two shared days"),
        pytest.param(slice(90, 130), 1, 0.97, "its adj_close is 0.97 times", id="another adjustment"),
        pytest.param(
            slice(100, 130), 0.01, 0.01, "its close does not go on where the stored one ends", id="adjoins"
        ),
        pytest.param(slice(100, 130), 1, 3, "its adj_close does not go on", id="adjoins, adjusted"),
        pytest.param(
            slice(99, 130), 2, 2, "its close is 2 times the stored one on 1 shared days", id="one day"
        ),
    ],
)
def test_another_scale_is_not_joined(rows: slice, close: float, adjusted: float, says: str) -> None:
    whole = random_walk_table("AAA", 130, 3)
    assert says in splice(whole.take(slice(0, 100)), scaled(whole, rows, close, adjusted))


@pytest.mark.parametrize(
    "rows",
    [
        pytest.param(slice(90, 130), id="overlap"),
        pytest.param(slice(100, 130), id="adjoins"),
        pytest.param(slice(40, 45), id="in the middle"),
        pytest.param(slice(125, 130), id="a month later"),
    ],
)
def test_the_same_scale_is_joined(rows: slice) -> None:
    whole = random_walk_table("AAA", 130, 3)
    assert splice(whole.take(slice(0, 100)), whole.take(rows)) == ""


def test_a_file_that_covers_all_that_is_stored_may_have_any_scale() -> None:
    whole = random_walk_table("AAA", 130, 3)
    assert splice(whole.take(slice(20, 100)), scaled(whole, slice(0, 130), 7, 3)) == ""


def test_one_corrected_day_is_no_other_scale() -> None:
    whole = random_walk_table("AAA", 130, 3)
    columns = dict(whole.columns)
    columns["close"] = columns["adj_close"] = columns["close"] * np.where(np.arange(130) == 95, 1.1, 1.0)
    assert splice(whole.take(slice(0, 100)), replace(whole, columns=columns).take(slice(90, 130))) == ""


@given(st.floats(0.3, 3).filter(lambda factor: abs(np.log(factor)) > 0.003), st.integers(70, 97))
def test_any_factor_over_an_overlap_is_found(factor: float, first: int) -> None:
    whole = random_walk_table("AAA", 130, 3)
    assert splice(whole.take(slice(0, 100)), scaled(whole, slice(first, 130), factor, factor))
