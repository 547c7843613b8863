"""Comparisons made in the test's own process."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from factories import filled_store

from forecaster.dataset.features import available_features
from forecaster.dataset.training_set import choose, load_training_set, split_by
from forecaster.evaluation.comparison import Comparison, cell_recipes, compare_cells
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
    baselines: Sequence[str] = (),
) -> Compared:
    """A comparison in this process: starting TensorFlow in one a cell is left to the command's test."""
    store = filled_store(home, *tables)
    data = load_training_set(store, choose(store), split_by(recipe))
    recipes = cell_recipes(recipe, cells, len(available_features(data.panel, recipe)), match)
    reports: list[tuple[str, int]] = []

    def here(work: Callable[..., Any], task: Any, report: Callable[[Any], None]) -> Any:
        return work(task, report)

    comparison = compare_cells(
        data, recipes, seeds, lambda cell, run, _: reports.append((cell, run)), here, baselines
    )
    return Compared(comparison, recipes, reports)
