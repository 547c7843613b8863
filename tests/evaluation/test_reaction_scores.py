"""Days on which prices react to a report are scored apart."""

from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from factories import closes_table, panel_of, random_walk_table

from forecaster.dataset.panel import Panel
from forecaster.evaluation.baselines import riskmetrics_t
from forecaster.evaluation.breakdown import scores_by
from forecaster.evaluation.comparison import Comparison, ModelResult
from forecaster.evaluation.forecasts import Origins
from forecaster.evaluation.scoring import Actuals, actuals, score_step
from forecaster.prices.earnings.table import AFTER, BEFORE, Announcement, earnings_table, reports

DAYS = ["2020-01-13", "2020-01-14", "2020-01-15", "2020-01-16", "2020-01-17"]


def with_reports(panel: Panel, *rows: Announcement) -> Panel:
    return replace(panel, reports=reports(earnings_table(rows, "file.csv")))


def test_a_step_has_a_reaction_if_one_came_by_then() -> None:
    tables = [closes_table(name, DAYS, [10.0, 11.0, 12.0, 13.0, 14.0]) for name in ("AAA", "BBB")]
    early = Announcement("AAA", np.datetime64("2020-01-15"), BEFORE)
    late = Announcement("BBB", np.datetime64("2020-01-15"), AFTER)
    panel = with_reports(panel_of(*tables), early, late)
    found = actuals(panel, Origins(np.array([0, 0, 1, 1]), np.array([1, 2, 1, 2])), 2, range(5)).reaction
    assert found is not None
    # AAA reacts on day 2, BBB on day 3: from day 1 at step 1 and 2, from day 2 at no step and step 1.
    assert found.tolist() == [[True, True], [False, False], [False, True], [True, True]]


def test_without_dates_there_are_none() -> None:
    panel = panel_of(closes_table("AAA", DAYS, [10.0, 11.0, 12.0, 13.0, 14.0]))
    origins = Origins(np.array([0]), np.array([1]))
    assert actuals(panel, origins, 2, range(5)).reaction is None
    assert actuals(replace(panel, reports=None), origins, 2, range(5)).reaction is None


@pytest.fixture
def scored() -> tuple[Panel, Actuals]:
    tables = [random_walk_table(name, 300, seed) for seed, name in enumerate(("AAA", "BBB"))]
    days = tables[0].dates[[120, 180, 240]]
    rows = [Announcement(name, day, BEFORE) for name in ("AAA", "BBB") for day in days]
    panel = with_reports(panel_of(*tables), *rows)
    ticker, day = np.repeat([0, 1], 190), np.tile(np.arange(100, 290), 2)
    return panel, actuals(panel, Origins(ticker, day), 3, range(100))


def test_the_groups_are_scored_as_if_they_were_all_there_is(scored: tuple[Panel, Actuals]) -> None:
    panel, truth = scored
    forecast = riskmetrics_t(panel, truth.origins, 3)
    assert truth.reaction is not None
    for step in (1, 3):
        sums = score_step(forecast, truth, step).sums.by_reaction
        for group, wanted in enumerate((~truth.reaction, truth.reaction)):
            alone = np.where(wanted[:, step - 1, None], truth.log_return, np.nan)
            expected = score_step(forecast, replace(truth, log_return=alone), step).scores
            assert sums.forecasts[group] == expected.forecasts
            assert sums.crps[group] / sums.forecasts[group] == pytest.approx(expected.crps)
            assert sums.within_90[group] / sums.forecasts[group] == pytest.approx(expected.coverage_90)
            assert sums.within_99[group] / sums.forecasts[group] == pytest.approx(expected.coverage_99)


def test_the_breakdown_names_the_groups_and_is_empty_without_dates(scored: tuple[Panel, Actuals]) -> None:
    panel, truth = scored
    for known in (truth, replace(truth, reaction=None)):
        forecast = riskmetrics_t(panel, truth.origins, 3)
        losses = {1: score_step(forecast, known, 1)}
        row = ModelResult("naive", "baseline", {1: losses[1].scores}, losses, {})
        nothing: Any = None
        found = scores_by(Comparison(panel, nothing, 3, (row,), known, {"naive": forecast}), "reaction")
        if known.reaction is None:
            assert found == []
        else:
            assert [each["reaction"] for each in found] == ["no report", "report"]
            assert [each["forecasts"] for each in found] == [374, 6]
