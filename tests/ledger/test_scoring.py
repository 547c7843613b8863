"""The actual of recorded forecasts, filled in and scored as evaluation.scoring would score it."""

from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

import numpy as np
import pytest
from factories import closes_table, filled_store, panel_of, random_walk_table
from ledger_factory import normal, outcomes, prediction, record_now, together

from forecaster.evaluation.baselines import naive
from forecaster.evaluation.forecasts import Origins
from forecaster.evaluation.scoring import actuals, against, score_step
from forecaster.ledger.ledger import Ledger
from forecaster.ledger.live_scores import GROUPS, daily_scores, live_scores, p_value
from forecaster.ledger.scoring import fill_outcomes
from forecaster.network.student_t import ForecastDistribution
from forecaster.prices.calendar import closing_time, sessions_between
from forecaster.prices.store import PriceStore
from forecaster.prices.table import PriceTable

MONDAY = np.datetime64("2026-11-16")
LATER = datetime(2026, 12, 31, 23, 0, tzinfo=UTC)
NO_END = np.datetime64("2100-01-01")
DAYS = ("2026-11-16", "2026-11-17", "2026-11-18")
TWO_STEPS = prediction("AAA", MONDAY, normal([0.01, 0.014]), normal([0.02, 0.028]))


def test_the_actual_is_filled_in_when_its_day_is_over(tmp_path: Path) -> None:
    record_now(tmp_path, TWO_STEPS)
    store = filled_store(tmp_path, closes_table("AAA", DAYS, [100, 110, 99]))
    ledger = Ledger(tmp_path)
    assert fill_outcomes(ledger, store, closing_time(MONDAY)).scored == 0
    tuesday, wednesday = (closing_time(np.datetime64(day)) for day in DAYS[1:])
    assert fill_outcomes(ledger, store, tuesday).scored == 1
    assert outcomes(tmp_path) == [pytest.approx(np.log(1.1)), None]
    assert fill_outcomes(ledger, store, wednesday).scored == 1
    assert fill_outcomes(ledger, store, wednesday).scored == 0
    assert outcomes(tmp_path) == pytest.approx([np.log(1.1), np.log(0.99)])


def test_a_split_and_a_dividend_after_the_forecast_spoil_nothing(tmp_path: Path) -> None:
    """Two for one and 1 % paid out on Wednesday: all earlier adjusted prices are rescaled."""
    record_now(tmp_path, TWO_STEPS)
    store = filled_store(tmp_path, closes_table("AAA", DAYS, [100 / 2 * 0.99, 110 / 2 * 0.99, 54]))
    fill_outcomes(Ledger(tmp_path), store, LATER)
    assert outcomes(tmp_path) == pytest.approx([np.log(1.1), np.log(54 / 49.5)])


@pytest.mark.parametrize(
    ("table", "reason", "scored"),
    [
        pytest.param(closes_table("AAA", DAYS[:2], [100, 110]), "prices end on 2026-11-17", 1, id="delisted"),
        pytest.param(closes_table("AAA", DAYS[::2], [100, 99]), "no price of 2026-11-17", 1, id="gap"),
        pytest.param(closes_table("AAA", DAYS[1:], [110, 99]), "no price of 2026-11-16", 0, id="no origin"),
        pytest.param(closes_table("AAA", DAYS, [100, np.nan, 99]), "no price of 2026-11-17", 1, id="unknown"),
        pytest.param(closes_table("BBB", DAYS, [100, 110, 99]), "no prices of AAA", 0, id="gone"),
    ],
)
def test_what_is_missing_stays_open_and_is_said(
    tmp_path: Path, table: PriceTable, reason: str, scored: int
) -> None:
    record_now(tmp_path, TWO_STEPS)
    filled = fill_outcomes(Ledger(tmp_path), filled_store(tmp_path, table), LATER)
    assert (filled.scored, filled.still_open) == (scored, 2 - scored)
    assert reason in filled.reasons["AAA"]
    late = filled_store(tmp_path, closes_table("AAA", DAYS, [100, 110, 99]))
    assert fill_outcomes(Ledger(tmp_path), late, LATER).scored == 2 - scored
    assert outcomes(tmp_path) == pytest.approx([np.log(1.1), np.log(0.99)])


def test_a_damaged_price_file_leaves_the_other_tickers_be(tmp_path: Path) -> None:
    for ticker in ("AAA", "BBB"):
        record_now(tmp_path, prediction(ticker, MONDAY, normal(0.01), normal(0.02)))
    store = filled_store(tmp_path, *(closes_table(ticker, DAYS, [100, 110, 99]) for ticker in ("AAA", "BBB")))
    store.path("AAA").write_bytes(b"rubbish")
    filled = fill_outcomes(Ledger(tmp_path), store, LATER)
    assert (filled.scored, filled.still_open, list(filled.reasons)) == (1, 1, ["AAA"])


def test_scores_are_those_of_the_evaluation(tmp_path: Path) -> None:
    """Three tickers, one delisted, forty origins, three steps: the same forecasts scored directly."""
    tables = [random_walk_table(name, 120, seed) for seed, name in enumerate(("AAA", "BBB", "CCC"))]
    tables[2] = tables[2].take(slice(100))
    panel, horizon = panel_of(*tables), 3
    ticker, day = (grid.ravel() for grid in np.meshgrid(np.arange(3), np.arange(70, 110), indexing="ij"))
    there = np.isfinite(panel.close[ticker, day])
    origins = Origins(ticker[there], day[there])
    random = np.random.default_rng(0)
    shape = (len(origins), horizon)
    learned = ForecastDistribution(
        random.normal(0, 0.01, shape), random.uniform(0.01, 0.04, shape), random.uniform(2.1, 30, shape)
    )
    walk = naive(panel, origins, horizon)
    made = []
    for place in range(len(origins)):
        one, other = (
            ForecastDistribution(made.location[place], made.scale[place], made.degrees_of_freedom[place])
            for made in (learned, walk)
        )
        origin = panel.dates[origins.day[place]]
        made.append(prediction(panel.tickers[origins.ticker[place]], origin, one, other))
    ledger = Ledger(tmp_path)
    ledger.record(together(made), closing_time(panel.dates[70]))
    fill_outcomes(ledger, filled_store(tmp_path, *tables), LATER)
    truth = actuals(panel, origins, horizon, range(60))
    for step, live in enumerate(live_scores(ledger, NO_END), start=1):
        network, reference = score_step(learned, truth, step), score_step(walk, truth, step)
        expected = against(network, reference, step)
        assert live.forecasts == expected.forecasts
        assert live.crps == pytest.approx(expected.crps, rel=1e-5)
        assert live.coverage_90 == pytest.approx(expected.coverage_90)
        assert live.naive_crps == pytest.approx(reference.scores.crps, rel=1e-5)
        assert live.skill == pytest.approx(expected.skill, abs=1e-5)
        daily = daily_scores(ledger, "main", step, NO_END)
        np.testing.assert_allclose(daily.crps, network.crps, rtol=1e-4)
        assert p_value(daily, step) == pytest.approx(expected.p_value, rel=1e-3)


def test_groups_add_up_to_the_whole(tmp_path: Path) -> None:
    days = random_walk_table(days=60).dates
    tables = [random_walk_table(name, 60, seed) for seed, name in enumerate(("AAA", "BBB"))]
    made = [
        prediction(table.ticker, origin, normal(0.01), normal(0.02))
        for table in tables
        for origin in days[:50]
    ]
    ledger = Ledger(tmp_path)
    ledger.record(together(made), closing_time(days[0]))
    fill_outcomes(ledger, filled_store(tmp_path, *tables), LATER)
    whole = live_scores(ledger, NO_END)[0]
    for expression, groups in ((GROUPS["ticker"], ["AAA", "BBB"]), (GROUPS["month"], ["2015-01", "2015-02"])):
        rows = live_scores(ledger, NO_END, expression)
        assert [row.group for row in rows][:2] == groups
        assert sum(row.forecasts for row in rows) == whole.forecasts == 100
        assert sum(row.crps * row.forecasts for row in rows) / 100 == pytest.approx(whole.crps)
    assert (whole.days, whole.model, whole.step) == (50, "main", 1)


def returns_of(days: int) -> np.ndarray:
    return np.random.default_rng(0).normal(0, 0.02, days)


def renamed(shared: int, after: int, factor: float = 1.0) -> tuple[PriceTable, PriceTable]:
    """A ticker that ended, and one with `shared` of its days and some more, all prices times `factor`."""
    sessions = sessions_between(MONDAY - 400, MONDAY + 60)
    first = int(np.searchsorted(sessions, MONDAY)) - shared + 1
    dates = sessions[first : first + shared + after].astype(str).tolist()
    close = 100 * np.exp(np.cumsum(returns_of(shared + after)))
    return closes_table("FB", dates[:shared], close[:shared]), closes_table("META", dates, factor * close)


@pytest.mark.parametrize("factor", [1.0, 0.05], ids=["as it was", "after a split"])
def test_a_renamed_ticker_is_scored_by_its_new_symbol(tmp_path: Path, factor: float) -> None:
    old, new = renamed(80, 5, factor)
    record_now(tmp_path, prediction("FB", MONDAY, normal([0.01, 0.014]), normal([0.02, 0.028])))
    filled = fill_outcomes(Ledger(tmp_path), filled_store(tmp_path, old, new), LATER)
    assert (filled.scored, filled.renamed, filled.reasons) == (2, {"FB": "META"}, {})
    assert outcomes(tmp_path) == pytest.approx(np.cumsum(returns_of(85)[80:82]))


@pytest.mark.parametrize(
    ("shared", "after", "change"),
    [
        pytest.param(40, 5, 0.0, id="too few days in common"),
        pytest.param(80, 0, 0.0, id="it ended too"),
        pytest.param(80, 5, 0.002, id="another company"),
    ],
)
def test_another_ticker_is_no_successor(tmp_path: Path, shared: int, after: int, change: float) -> None:
    old, new = renamed(shared, after)
    new.columns["adj_close"][-after - 10 :] *= 1 + change
    record_now(tmp_path, prediction("FB", MONDAY, normal(0.01), normal(0.02)))
    filled = fill_outcomes(Ledger(tmp_path), filled_store(tmp_path, old, new), LATER)
    assert (filled.scored, filled.renamed) == (0, {})
    assert filled.reasons == {"FB": f"the prices end on {MONDAY}"}


def test_many_that_ended_are_followed_with_one_look_at_the_store(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    old, new = renamed(80, 5)
    other_old, other_new = (replace(each, ticker=f"{each.ticker}X") for each in renamed(90, 4))
    other_new.columns["adj_close"][:] **= 2  # returns of its own
    other_old.columns["adj_close"][:] **= 2
    for ticker in ("FB", "FBX", "GONE"):
        record_now(tmp_path, prediction(ticker, MONDAY, normal([0.01, 0.014]), normal([0.02, 0.028])))
    store = filled_store(tmp_path, old, new, other_old, other_new)
    read: list[str] = []
    reader = PriceStore.read
    monkeypatch.setattr(PriceStore, "read", lambda *given: read.append(given[1]) or reader(*given))
    filled = fill_outcomes(Ledger(tmp_path), store, LATER)
    assert filled.renamed == {"FB": "META", "FBX": "METAX"}
    assert (filled.scored, filled.still_open, list(filled.reasons)) == (4, 2, ["GONE"])
    assert sorted(read) == ["FB", "FBX", "GONE", "META", "METAX"]
