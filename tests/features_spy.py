"""How often features are computed, whoever does it and by which name; and work that must not compute any."""

from collections.abc import Callable
from typing import Any

import pytest
from quick_training import train_quickly

from forecaster.dataset.features import FORMULAS
from forecaster.dataset.training_set import TrainingSet
from forecaster.evaluation.backtest import FoldTask, run_fold
from forecaster.evaluation.experiment import TrainResult, run_experiment
from forecaster.evaluation.fold_store import FoldResult
from forecaster.processes import run_isolated
from forecaster.settings import Recipe


def count_features(patch: pytest.MonkeyPatch) -> list[tuple[int, int]]:
    """From now on, the shapes of the panels whose features are computed in this process, as they are."""
    counted: list[tuple[int, int]] = []
    formula = FORMULAS["return"]

    def spied(panel: Any, *others: Any) -> Any:
        counted.append(panel.shape)
        return formula(panel, *others)

    patch.setitem(FORMULAS, "return", spied)
    return counted


def run_alone_computing_none(
    task: tuple[TrainingSet, Recipe], report: Callable[[Any], None] = lambda _: None
) -> TrainResult:
    """As `experiment.run_alone`, with the quick trainer; an error where features are computed."""
    return run_isolated(_experiment, task, report)


def _experiment(task: tuple[TrainingSet, Recipe], report: Callable[[Any], None]) -> TrainResult:
    _compute_none()
    return run_experiment(task, report)


def run_fold_computing_none(task: FoldTask) -> FoldResult:
    """As `backtest.run_fold_elsewhere`, with the quick trainer; an error where features are computed."""
    return run_isolated(_fold, task)


def _fold(task: FoldTask, _: Callable[[Any], None]) -> FoldResult:
    _compute_none()
    return run_fold(task)


def _compute_none() -> None:
    """For a process that ends with its task."""
    train_quickly(pytest.MonkeyPatch())
    FORMULAS.clear()
