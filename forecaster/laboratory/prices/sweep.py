"""The cells over one quantity: how much they see, how much they are trained on, how large they are."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from functools import partial
from typing import Any

import numpy as np

from forecaster.dataset.training_set import TrainingSet
from forecaster.evaluation.comparison import cell_recipes
from forecaster.laboratory.prices.trials import PriceTrial, TrialSetup, run_price_trial
from forecaster.laboratory.trials import ResultsFile, key_of, run_trials
from forecaster.settings import Recipe, override

RESULTS = "prices"
ALL = 0  # "all" tickers or years
AXES: dict[str, tuple[int, ...]] = {
    "lookback": (5, 20, 60, 120, 250),
    "tickers": (1, 5, ALL),
    "years": (2, 5, 10, ALL),
    "units": (4, 16, 64),
    "layers": (1, 2, 3),
}


@dataclass(frozen=True)
class SweepPoint:
    """One cell at one value of the axis, over seeds.

    Attributes:
        value: of the axis; 0 is all.
        cell, units, parameters: what was trained.
        crps, crps_deviation: one day ahead, in log return; mean and standard deviation over seeds.
        reference_crps: of RiskMetrics with Student-t tails, on the same test days.
        seconds: mean training time.
        peak_memory_mb: the most of any seed.
        seeds: how many.
    """

    value: int
    cell: str
    units: int
    parameters: int
    crps: float
    crps_deviation: float
    reference_crps: float
    seconds: float
    peak_memory_mb: float
    seeds: int


@dataclass(frozen=True)
class Plan:
    """One cell at one value, with its trials, one a seed."""

    value: int
    cell: str
    trials: tuple[PriceTrial, ...]


def plan_sweep(
    setup: TrialSetup, axis: str, values: Sequence[int], cells: Sequence[str], match: str, seeds: int
) -> list[Plan]:
    """Every value, cell and seed.

    Raises:
        UsageError: a value is out of the recipe's bounds.
    """
    plans = []
    for value in values:
        for recipe in _recipes(setup, axis, value, cells, match):
            seeded = [replace(recipe, seed=recipe.seed + number) for number in range(seeds)]
            tickers = value if axis == "tickers" and value != ALL else None
            years = value if axis == "years" and value != ALL else None
            trials = tuple(setup.trial(each, tickers, years) for each in seeded)
            plans.append(Plan(value, recipe.cell, trials))
    return plans


def run_sweep(
    data: TrainingSet,
    plans: Sequence[Plan],
    results: ResultsFile,
    jobs: int,
    report: Callable[[PriceTrial, dict[str, Any], int], None] = lambda *_: None,
) -> list[SweepPoint]:
    """Run what is not in `results` yet, and sum up by value and cell.

    Raises:
        ForecastError: a trial failed; those done are kept.
    """
    trials = [trial for plan in plans for trial in plan.trials]
    outcomes = run_price_trials(data, trials, results, jobs, report)
    return [_point(plan, [outcomes[key_of(trial.described())] for trial in plan.trials]) for plan in plans]


def run_price_trials(
    data: TrainingSet,
    trials: Sequence[PriceTrial],
    results: ResultsFile,
    jobs: int,
    report: Callable[[PriceTrial, dict[str, Any], int], None] = lambda *_: None,
) -> dict[str, dict[str, Any]]:
    """Run what is not in `results` yet; outcomes of all trials by key."""
    work = partial(run_price_trial, data)
    return run_trials(work, trials, results, jobs, report, describe=PriceTrial.described, threads=True)


def _recipes(setup: TrialSetup, axis: str, value: int, cells: Sequence[str], match: str) -> list[Recipe]:
    recipe = setup.recipe
    if axis not in ("tickers", "years"):
        recipe = override(recipe, {axis: value}, lambda axis, value: f"--values {value} ({axis})")
    return cell_recipes(recipe, cells, setup.features, match)


def _point(plan: Plan, outcomes: Sequence[dict[str, Any]]) -> SweepPoint:
    crps = np.array([outcome["crps"] for outcome in outcomes])
    return SweepPoint(
        value=plan.value,
        cell=plan.cell,
        units=plan.trials[0].recipe.units,
        parameters=outcomes[0]["parameters"],
        crps=float(crps.mean()),
        crps_deviation=float(crps.std(ddof=1)) if len(crps) > 1 else 0.0,
        reference_crps=outcomes[0]["reference_crps"],
        seconds=float(np.mean([outcome["seconds"] for outcome in outcomes])),
        peak_memory_mb=max(outcome["peak_memory_mb"] for outcome in outcomes),
        seeds=len(outcomes),
    )
