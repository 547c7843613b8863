"""Comparisons whose right answer is known."""

from dataclasses import replace

import numpy as np
import pytest
from comparison_factory import Compared

from forecaster.dataset.targets import cumulative_return
from forecaster.evaluation.comparison import cell_recipes
from forecaster.evaluation.verdict import judge
from forecaster.network.recurrent import network_parameters
from forecaster.settings import Recipe


def test_a_random_walk_is_judged_beyond_predicting(walk: Compared) -> None:
    verdict = judge(walk.comparison)
    assert not verdict.beats_naive
    assert not verdict.beats_naive_price
    assert "So no skill was found" in verdict.text
    assert "does not beat the last close" in verdict.text


def test_planted_structure_is_found(planted: Compared) -> None:
    verdict = judge(planted.comparison)
    assert verdict.beats_naive
    assert verdict.beats_naive_price
    assert verdict.best == "gru"
    assert "its median beats the last close" in verdict.text
    scores = planted.comparison.model("gru").steps[1]
    assert scores.skill > 0.02
    assert scores.directional_accuracy > 0.53


def test_equal_parameters_are_nearly_equal(walk: Compared) -> None:
    first, second = (row for row in walk.comparison.models if row.kind == "cell")
    counts = [row.trained[0].keras_parameters for row in (first, second)]
    assert [recipe.units for recipe in walk.recipes][1] == 8 < walk.recipes[0].units
    assert counts[0] == pytest.approx(counts[1], rel=0.05)
    for recipe, count in zip(walk.recipes, counts, strict=True):
        assert count == network_parameters(recipe.cell, recipe.units, 7, recipe)


def test_equal_units_are_the_recipe_s() -> None:
    recipes = cell_recipes(Recipe(units=32), ("lstm", "rnn"), 7, "units")
    assert [(recipe.cell, recipe.units) for recipe in recipes] == [("lstm", 32), ("rnn", 32)]


def test_the_first_cell_is_the_measure_where_the_gru_is_not_compared() -> None:
    recipes = cell_recipes(Recipe(units=32), ("lstm", "rnn"), 7, "parameters")
    assert recipes[0].units == 32
    assert recipes[1].units > 60


def test_all_are_scored_on_the_same_origins_within_the_test_part(walk: Compared) -> None:
    comparison = walk.comparison
    origins, split, panel = comparison.actual.origins, comparison.split, comparison.panel
    assert set(origins.day.tolist()) == set(split.test)
    places = set(zip(origins.ticker.tolist(), origins.day.tolist(), strict=True))
    assert len(places) == len(origins)
    ended = panel.tickers.index("CCC")
    assert max(day for ticker, day in places if ticker == ended) == 1399
    assert {len(forecast.at_step(1).median) for forecast in comparison.forecasts.values()} == {len(origins)}
    truth = cumulative_return(panel.log_return, origins.ticker, origins.day, 2)
    np.testing.assert_array_equal(comparison.actual.log_return, truth)
    for row in comparison.models:
        assert row.steps[1].forecasts == np.isfinite(truth[:, 0]).sum()
        assert row.steps[2].forecasts == np.isfinite(truth[:, 1]).sum() < len(origins)


def test_the_naive_row_is_the_reference(walk: Compared) -> None:
    scores = walk.comparison.model("naive").steps[1]
    assert (scores.skill, scores.p_value, scores.directional_accuracy) == (0, 1, 0.5)
    for row in walk.comparison.models:
        assert row.steps[1].skill == pytest.approx(1 - row.steps[1].crps / scores.crps)


def test_seeds_give_means_and_deviations(planted: Compared) -> None:
    row = planted.comparison.model("gru")
    assert set(planted.reports) == {("gru", 1), ("gru", 2)}
    assert set(planted.comparison.forecasts) >= {"gru-seed3", "gru-seed4"}
    assert row.seconds().mean == pytest.approx(np.mean([run.seconds for run in row.trained]))
    assert row.seconds().deviation > 0
    assert 0 < row.deviations[1]["crps"] < row.steps[1].crps / 10
    assert set(row.deviations[1]) == set(vars(row.steps[1])) - {"forecasts"}


def test_one_seed_has_no_deviation(walk: Compared) -> None:
    row = walk.comparison.model("gru")
    assert row.deviations == {1: {}, 2: {}}
    assert row.seconds().deviation == 0


def test_more_cells_tried_make_the_verdict_harder(planted: Compared) -> None:
    """Twenty copies of one cell: the same p-value must now hold at a twentieth of the level."""
    rows = list(planted.comparison.models)
    cell = rows[0]
    weak = replace(cell, steps={1: replace(cell.steps[1], point_p_value=0.01)})
    assert judge(replace(planted.comparison, models=(weak, *rows[1:]))).beats_naive_price
    many = tuple(replace(weak, model=name) for name in ["gru", "rnn", "lstm"] * 7)
    assert not judge(replace(planted.comparison, models=(*many, *rows[1:]))).beats_naive_price
