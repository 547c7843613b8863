"""Commands that train often compute the features of their prices once, whatever trains where."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from factories import panel_of, persistent_table
from features_spy import count_features, run_alone_computing_none, run_fold_computing_none
from quick_training import train_quickly

from forecaster.api import _run_here
from forecaster.dataset.features import available_features
from forecaster.dataset.split import split_days
from forecaster.dataset.training_set import TrainingSet
from forecaster.dataset.walk import WalkRule
from forecaster.evaluation import backtest, boosting, comparison, survival, tuning
from forecaster.evaluation.comparison import Comparison, compare_cells
from forecaster.evaluation.fold_store import FoldStore
from forecaster.evaluation.search_space import space_around
from forecaster.service import gate
from forecaster.settings import Recipe

DAYS = 1000
RECIPE = Recipe(lookback=20, horizon=2, units=4, epochs=2)
RECIPES = [replace(RECIPE, cell=cell) for cell in ("rnn", "gru")]


@pytest.fixture
def data() -> TrainingSet:
    """Prices that no other test has had features of."""
    panel = panel_of(*(persistent_table(f"T{seed}", DAYS, seed) for seed in range(3)))
    return TrainingSet(panel, split_days(panel.dates, RECIPE.horizon))


@pytest.fixture
def counted(monkeypatch: pytest.MonkeyPatch) -> list[tuple[int, int]]:
    train_quickly(monkeypatch)
    monkeypatch.setattr(
        boosting,
        "run_parallel",
        lambda _, fits, __: [np.full(len(each.asked), each.level, "f4") for each in fits],
    )
    return count_features(monkeypatch)


def compared(data: TrainingSet, jobs: int | None) -> Comparison:
    return compare_cells(data, RECIPES, 2, lambda *_: None, _run_here, ("boosting",), jobs=jobs)


def test_a_comparison_computes_them_once(data: TrainingSet, counted: list[tuple[int, int]]) -> None:
    compared(data, None)
    assert counted == [(3, DAYS)]


def test_the_processes_of_a_comparison_compute_none(
    data: TrainingSet, counted: list[tuple[int, int]], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(comparison, "run_alone", run_alone_computing_none)
    found = compared(data, 2)
    assert counted == [(3, DAYS)]
    other = compared(replace(data, panel=replace(data.panel)), None)
    assert found.forecasts.keys() == other.forecasts.keys()
    for name, made in found.forecasts.items():
        for step in made.steps:
            np.testing.assert_array_equal(
                made.at_step(step).median, other.forecasts[name].at_step(step).median
            )


@pytest.mark.parametrize(("jobs", "seeds"), [(None, 2), (2, 1)], ids=["here", "elsewhere"])
def test_a_walk_computes_them_once_for_all_folds(
    data: TrainingSet,
    counted: list[tuple[int, int]],
    monkeypatch: pytest.MonkeyPatch,
    tmp_path: Path,
    jobs: int | None,
    seeds: int,
) -> None:
    monkeypatch.setattr(backtest, "run_fold_elsewhere", run_fold_computing_none)
    walk = WalkRule("2017-06-01").folds(data.panel.dates, RECIPE.horizon)
    assert len(walk.folds) == 2
    store = FoldStore(tmp_path)
    for baselines in ((), ("boosting",)):  # what is kept needs none
        again = replace(data, panel=replace(data.panel))
        backtest.walk_forward(again, walk, RECIPES[:1], store, seeds=seeds, baselines=baselines, jobs=jobs)
        assert counted == [(3, DAYS)]
        counted.clear()


def test_so_does_a_walk_with_a_network_as_it_is(
    data: TrainingSet, counted: list[tuple[int, int]], tmp_path: Path
) -> None:
    walk = WalkRule("2017-06-01", refit_every="6M").folds(data.panel.dates, RECIPE.horizon)
    network = backtest.run_fold(backtest.FoldTask(data, walk.folds[0], RECIPES[1])).network
    assert network is not None
    counted.clear()
    data = replace(data, panel=replace(data.panel))
    backtest.walk_model(data, walk, network, RECIPES[1], FoldStore(tmp_path), baselines=("boosting",))
    assert counted == [(3, DAYS)]


def test_a_search_computes_them_once_and_once_more_with_the_unseen_fold(
    data: TrainingSet, counted: list[tuple[int, int]], tmp_path: Path
) -> None:
    folds = tuning.tune_folds(data, RECIPE.horizon, 2)
    space = space_around(RECIPE, ("rnn", "gru"), reports=False, wanted={"lookback": (10, 20)})
    found = tuning.search(folds, tuning.usable_space(folds, space), tmp_path / "tune", trials=4)
    assert counted == [folds.searched.panel.shape]
    best = replace(found.ranking[0], recipe=replace(found.ranking[0].recipe, units=99))
    survival.survival(replace(found, trials=(replace(best, value=0.0), *found.trials)), FoldStore(tmp_path))
    assert counted == [folds.searched.panel.shape, folds.data.panel.shape]


def test_the_gate_computes_them_once_beside_its_reference(
    data: TrainingSet, counted: list[tuple[int, int]]
) -> None:
    fold = WalkRule("2017-06-01", refit_every="1Y").folds(data.panel.dates, RECIPE.horizon).folds[0]
    networks = [backtest.run_fold(backtest.FoldTask(data, fold, each)).network for each in RECIPES]
    counted.clear()
    panel = replace(data.panel)
    assert networks[0] is not None
    assert networks[1] is not None
    assert networks[0].features == available_features(panel)
    gate.decide(panel, panel.dates[fold.split.test.start], *networks)
    assert counted == [panel.shape]
