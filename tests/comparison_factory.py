"""Comparisons made in the test's own process."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from factories import filled_store

from forecaster.dataset.features import available_features
from forecaster.dataset.panel import load_panel
from forecaster.dataset.split import split_days
from forecaster.evaluation import comparison as module
from forecaster.evaluation.comparison import Comparison, cell_recipes, compare_cells
from forecaster.evaluation.experiment import Experiment
from forecaster.prices.table import PriceTable
from forecaster.settings import Recipe


@dataclass(frozen=True)
class Compared:
    comparison: Comparison
    recipes: list[Recipe]
    reports: list[tuple[str, int]]


def compared(
    home: Path,
    tables: Sequence[PriceTable],
    recipe: Recipe,
    cells: Sequence[str],
    match: str,
    seeds: int,
) -> Compared:
    """A comparison in this process: starting TensorFlow in one a cell is left to the command's test."""
    store = filled_store(home, *tables)
    experiment = Experiment(home, tuple(store.tickers()), recipe)
    panel = load_panel(store, experiment.tickers)
    split = split_days(panel.dates, recipe.horizon)
    recipes = cell_recipes(recipe, cells, len(available_features(panel)), match)
    reports: list[tuple[str, int]] = []

    def here(work: Callable[..., Any], task: Experiment, report: Callable[[Any], None]) -> Any:
        return work(task, report)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(module, "run_isolated", here)
        comparison = compare_cells(
            experiment, panel, split, recipes, seeds, lambda cell, run, _: reports.append((cell, run))
        )
    return Compared(comparison, recipes, reports)
