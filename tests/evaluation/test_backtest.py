"""Walks whose right answer is known: no look-ahead, and the same when they are taken up again."""

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from factories import panel_of, persistent_table, random_walk_table
from quick_training import train_quickly

from forecaster.dataset.panel import Panel
from forecaster.dataset.training_set import TrainingSet
from forecaster.dataset.walk import Walk, WalkRule
from forecaster.errors import ForecastError
from forecaster.evaluation import backtest as module
from forecaster.evaluation.backtest import (
    Backtest,
    WalkProgress,
    described_recipe,
    run_fold,
    walk_forward,
)
from forecaster.evaluation.fold_store import FoldStore
from forecaster.settings import Recipe

RECIPE = Recipe(lookback=20, horizon=2, units=4, epochs=2)
RULE = WalkRule("2017-01-01", refit_every="6M")


@pytest.fixture(scope="module")
def panel() -> Panel:
    tables = [persistent_table(f"T{seed}", 800, seed) for seed in range(3)]
    return panel_of(*tables, random_walk_table("LATE", 200, 9, after="2017-06-01"))


@pytest.fixture(autouse=True)
def _quickly(monkeypatch: pytest.MonkeyPatch) -> None:
    train_quickly(monkeypatch)


def walked(
    panel: Panel,
    folder: Path,
    cells: tuple[str, ...] = ("rnn", "gru"),
    rule: WalkRule = RULE,
    **options: object,
) -> Backtest:
    walk = rule.folds(panel.dates, RECIPE.horizon)
    recipes = [replace(RECIPE, cell=cell) for cell in cells]
    return walk_forward(training_set(panel, walk), walk, recipes, FoldStore(folder), **options)  # type: ignore[arg-type]


def training_set(panel: Panel, walk: Walk) -> TrainingSet:
    return TrainingSet(panel, walk.whole)


def medians(backtest: Backtest, model: str) -> dict[tuple[int, int], tuple[float, ...]]:
    """Medians and scales by ticker and day."""
    origins, made = backtest.comparison.actual.origins, backtest.comparison.forecasts[model]
    values = np.column_stack([made.location, made.scale])  # type: ignore[attr-defined]
    places = zip(origins.ticker.tolist(), origins.day.tolist(), strict=True)
    return dict(zip(places, map(tuple, values.tolist()), strict=True))


def test_every_test_day_is_forecast_once_by_every_model(panel: Panel, tmp_path: Path) -> None:
    found = walked(panel, tmp_path)
    origins = found.comparison.actual.origins
    places = list(zip(origins.ticker.tolist(), origins.day.tolist(), strict=True))
    assert len(set(places)) == len(places)
    assert set(origins.day.tolist()) == set(found.walk.whole.test)
    assert 3 in origins.ticker
    assert [row.model for row in found.comparison.models] == [
        *("rnn", "gru", "naive", "drift", "riskmetrics-t", "linear-t")
    ]
    assert len({row.steps[1].forecasts for row in found.comparison.models}) == 1
    assert len(found.costs["gru"]) == len(found.walk.folds) == 3


def test_planted_structure_is_found_in_every_fold(panel: Panel, tmp_path: Path) -> None:
    found = walked(panel, tmp_path)
    assert found.comparison.model("gru").steps[1].skill > 0.02


@pytest.mark.parametrize("warm", [False, True])
def test_what_comes_after_a_fold_does_not_move_its_forecasts(
    panel: Panel, tmp_path: Path, warm: bool
) -> None:
    found = walked(panel, tmp_path / "one", warm=warm)
    last = found.walk.folds[1].split.test[-1]
    random = np.random.default_rng(1)
    noise = np.where(np.arange(panel.shape[1]) > last, random.normal(0, 0.1, panel.shape[1]), 0.0)
    changed = replace(
        panel,
        log_return=(panel.log_return + noise).astype(np.float32),
        market_return=(panel.market_return + noise).astype(np.float32),
        close=panel.close * np.exp(np.cumsum(noise)),
    )
    other = walked(changed, tmp_path / "two", warm=warm)
    for model in ("rnn", "gru", "linear-t", "riskmetrics-t", "naive"):
        before, after = medians(found, model), medians(other, model)
        same = {place for place in before if before[place] == after[place]}
        assert same >= {place for place in before if place[1] <= last}, model
        assert len(same) < len(before), model


def test_a_fold_is_a_training_of_its_own_on_the_days_before_it(panel: Panel, tmp_path: Path) -> None:
    """The forecasts of the third fold are those of a network trained on that fold alone."""
    found = walked(panel, tmp_path)
    fold = found.walk.folds[2]
    task = module.FoldTask(training_set(panel, found.walk), fold, replace(RECIPE, cell="gru"))
    alone = run_fold(task)
    of_walk = medians(found, "gru")
    assert len(alone.origins) > 100
    for row, place in enumerate(zip(alone.origins.ticker.tolist(), alone.origins.day.tolist(), strict=True)):
        assert of_walk[place][: RECIPE.horizon] == tuple(alone.forecast.location[row].tolist())  # type: ignore[attr-defined]


@pytest.mark.parametrize("warm", [False, True])
def test_a_walk_that_was_stopped_twice_ends_like_one_that_was_not(
    panel: Panel, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, warm: bool
) -> None:
    whole = walked(panel, tmp_path / "whole", warm=warm)
    trained: list[str] = []

    def stop_after(count: int) -> Callable[[module.FoldTask], object]:
        def run(task: module.FoldTask) -> object:
            if len(trained) >= count:
                raise KeyboardInterrupt
            trained.append(task.fold.name)
            return run_fold(task)

        return run

    for count in (2, 5):
        monkeypatch.setattr(module, "run_fold", stop_after(count))
        with pytest.raises(KeyboardInterrupt):
            walked(panel, tmp_path / "stopped", warm=warm)
    monkeypatch.setattr(module, "run_fold", run_fold)
    told: list[WalkProgress] = []
    resumed = walked(panel, tmp_path / "stopped", warm=warm, watch=told.append)
    assert told[-1].kept == len(trained) == 5
    assert told[-1].done == told[-1].of == 9
    for model in ("rnn", "gru", "linear-t"):
        assert medians(resumed, model) == medians(whole, model)
    for ours, theirs in zip(resumed.comparison.models, whole.comparison.models, strict=True):
        assert ours.steps == theirs.steps


def test_what_is_kept_is_that_of_the_same_prices_recipe_and_days(panel: Panel, tmp_path: Path) -> None:
    walked(panel, tmp_path, ("gru",))
    told: list[WalkProgress] = []
    walked(panel, tmp_path, ("rnn", "gru"), watch=told.append)
    assert (told[-1].kept, told[-1].of) == (6, 9)  # linear-t and the GRU
    other = replace(panel, close=panel.close * 1.01)
    walked(other, tmp_path, ("gru",), watch=told.append)
    assert told[-1].kept == 0
    walked(panel, tmp_path, ("gru",), rule=replace(RULE, train_years=2.0), watch=told.append)
    assert told[-1].kept == 0


def test_later_days_leave_what_is_kept_in_use(panel: Panel, tmp_path: Path) -> None:
    shorter = panel.first(panel.shape[1] - 30)
    walked(shorter, tmp_path, ("gru",))
    told: list[WalkProgress] = []
    walked(panel, tmp_path, ("gru",), watch=told.append)
    assert told[-1].kept == 4  # the last fold of both models has more days now


def test_a_warm_walk_goes_on_from_the_fold_before(
    panel: Panel, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    tasks: list[module.FoldTask] = []
    monkeypatch.setattr(module, "run_fold", lambda task: tasks.append(task) or run_fold(task))  # type: ignore[func-returns-value]
    found = walked(panel, tmp_path, ("gru",), warm=True)
    own = [task for task in tasks if task.recipe.cell == "gru"]
    assert [task.start is None for task in own] == [True, False, False]
    assert own[1].recipe.epochs == 1
    # A third of the recipe's in a year; where a refit is due sooner, by its share of one.
    new = own[1].fold.split.train.stop - own[0].fold.split.train.stop
    assert 90 <= new <= 130
    assert own[1].recipe.learning_rate == pytest.approx(RECIPE.learning_rate / 3 * new / 250)
    assert all(task.start is None for task in tasks if task.recipe.cell == "linear")
    assert found.warm


def test_seeds_are_averaged_and_named(panel: Panel, tmp_path: Path) -> None:
    found = walked(panel, tmp_path, ("gru",), seeds=2)
    assert {"gru-seed0", "gru-seed1"} <= found.comparison.forecasts.keys()
    assert len(found.comparison.model("gru").seed_crps[1]) == 2
    assert len(found.costs["gru"]) == 6


def test_extra_baselines_are_fitted_in_every_fold_and_kept(panel: Panel, tmp_path: Path) -> None:
    names = ("historical",)
    first = walked(panel, tmp_path, ("gru",), baselines=names)
    told: list[WalkProgress] = []
    again = walked(panel, tmp_path, ("gru",), baselines=names, watch=told.append)
    assert told[-1].kept == told[-1].of == 9
    row, other = (each.comparison.model("historical") for each in (first, again))
    assert row.steps[2].crps == other.steps[2].crps
    assert row.steps[1].forecasts == first.comparison.model("gru").steps[1].forecasts


def test_no_window_is_said(tmp_path: Path) -> None:
    panel = panel_of(random_walk_table("AAA", 700), random_walk_table("BBB", 700, 1))
    holes = np.arange(panel.shape[1]) % 10 == 0
    broken = replace(panel, log_return=np.where(holes, np.nan, panel.log_return).astype(np.float32))
    with pytest.raises(ForecastError, match="no ticker has"):
        walked(broken, tmp_path, rule=WalkRule("2017-01-01"))


def test_folds_from_before_there_was_a_precision_still_count() -> None:
    assert "precision" not in described_recipe(Recipe())
    assert described_recipe(Recipe(precision="mixed"))["precision"] == "mixed"
