"""Predictions with reports: the expected move over one, and what a network without dates does not know."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from dated_home import WIDER, dated_network, store_dates
from earnings_factory import after, day, said
from hypothesis import given
from hypothesis import strategies as st
from trained_home import recent_table

from forecaster.dataset.reports_ahead import ReportAhead
from forecaster.network.student_t import ForecastDistribution
from forecaster.prices.earnings.table import reports
from forecaster.prices.market import mean_log_return
from forecaster.prices.store import PriceStore
from forecaster.registry.versions import ModelRegistry
from forecaster.service.prediction import Batch, Prediction, predict_stored, predict_tables

TABLES = [recent_table(name, seed=seed) for seed, name in enumerate(("AAA", "BBB"))]


def at_step(step: int, status: str = "scheduled") -> ReportAhead:
    return ReportAhead(day("2026-11-23"), "before", status, "sec", day("2026-11-23"), step)


def with_moves(*moves: float) -> Prediction:
    """A prediction whose 68 % intervals of the log return are so wide to each side, in per cent."""
    (found,) = predict_tables(dated_network(), TABLES[:1], mean_log_return(TABLES)).predictions
    assert found.reports_read
    return replace(found, expected_move=np.array(moves))


BASE = with_moves()


def test_the_move_over_a_report_is_what_its_session_adds() -> None:
    prediction = with_moves(3.0, 5.0, 13.0, 12.0)
    found = [prediction.report_move(at_step(step)) for step in range(1, 5)]
    assert found == [3.0, 4.0, 12.0, 0.0]  # Pythagoras; an interval that shrinks adds nothing


def test_no_move_is_told_over_a_day_that_the_network_does_not_know() -> None:
    prediction = with_moves(3.0, 5.0)
    assert prediction.report_move(at_step(2, "projected")) is None
    assert replace(prediction, reports_read=False).report_move(at_step(2)) is None


@given(st.floats(1e-3, 0.2), st.integers(1, 9))
def test_on_a_random_walk_every_session_moves_alike(sigma: float, step: int) -> None:
    steps = np.arange(1, 10)
    walk = ForecastDistribution(np.zeros(9), sigma * np.sqrt(steps), np.full(9, np.inf))
    ends = walk.quantile(np.array([0.16, 0.84]))
    prediction = replace(BASE, expected_move=100 * (ends[:, 1] - ends[:, 0]) / 2)
    # The central 68 % of a normal lie within 0.9945 standard deviations.
    assert prediction.report_move(at_step(step)) == pytest.approx(99.4458 * sigma, rel=1e-5)


def test_a_network_s_move_by_hand() -> None:
    """Its scale is σ√h, twice that from the reaction on: that session adds 4 · 2 − 1 days' variances."""
    found = reports(after(("2026-11-20", said("yahoo", "AAA 2026-11-24 before scheduled"))))
    batch = predict_tables(
        dated_network(), TABLES, mean_log_return(TABLES), reports=found, as_of=day("2026-11-21")
    )
    one, other = batch.predictions
    (report,) = one.reports
    assert (report.step, str(report.reaction_date)) == (2, "2026-11-24")
    assert (one.reports_known, one.reports_read) == (True, True)
    assert one.report_move(report) == pytest.approx(
        one.expected_move[0] * np.sqrt(2 * WIDER**2 - 1), rel=1e-5
    )
    assert (other.reports, other.reports_known, other.reports_read) == ((), False, True)
    assert other.expected_move == pytest.approx(other.expected_move[0] * np.sqrt([1, 2, 3]), rel=1e-5)


def predicted(home: Path, name: str) -> Batch:
    return predict_stored(PriceStore(home), ModelRegistry(home).load(name).network, ["AAA", "BBB"])


def test_a_network_without_dates_predicts_the_same_and_shows_them(own_home: Path) -> None:
    before = predicted(own_home, "main")
    assert not before.dates_kept
    store_dates(own_home, "AAA 2026-11-23 after scheduled")
    batch = predicted(own_home, "main")
    assert batch.dates_kept
    one, other = batch.predictions
    assert [each.step for each in one.reports] == [2]
    assert (one.reports_read, one.reports_known, other.reports_known) == (False, True, False)
    assert one.report_move(one.reports[0]) is None
    for was, each in zip(before.predictions, batch.predictions, strict=True):
        np.testing.assert_array_equal(was.distribution.scale, each.distribution.scale)


def test_a_step_that_is_not_asked_for_has_no_report(own_home: Path) -> None:
    store_dates(own_home, "AAA 2026-11-23 after scheduled")
    network = ModelRegistry(own_home).load("main").network
    batch = predict_stored(PriceStore(own_home), network, ["AAA"], horizon=1)
    assert (batch.predictions[0].reports, batch.predictions[0].reports_known) == ((), True)


def test_however_many_tickers_are_held_at_once_the_forecasts_are_the_same(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    tables = [recent_table(name, seed=seed) for seed, name in enumerate(("AAA", "BBB", "CCC", "DDD", "EEE"))]
    tables[3] = tables[3].take(slice(5))
    lines = [f"{table.ticker} 2026-11-2{3 + row % 3} before scheduled" for row, table in enumerate(tables)]
    found = reports(after(*(("2026-11-20", said("yahoo", line)) for line in lines)))

    def forecasts(at_once: int) -> Batch:
        monkeypatch.setattr("forecaster.service.prediction._TICKERS_AT_ONCE", at_once)
        whole = mean_log_return(tables)
        return predict_tables(dated_network(), iter(tables), whole, reports=found)

    def told(batch: Batch) -> list[str]:
        return [repr(vars(each)) for each in batch.predictions]

    together, apart = forecasts(512), forecasts(2)
    assert told(apart) == told(together)
    assert any(each.reports for each in together.predictions)
    assert [str(each) for each in apart.failures.values()] == [str(e) for e in together.failures.values()]
    assert list(together.failures) == ["DDD"]
