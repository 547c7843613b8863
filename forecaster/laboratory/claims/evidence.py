"""The runs behind the claims: which trials, at which size, and their outcomes by group."""

from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

from forecaster.evaluation.comparison import cell_recipes
from forecaster.laboratory.memory.lags import RESULTS as MEMORY_RESULTS
from forecaster.laboratory.memory.lags import plan_trials, run_trial
from forecaster.laboratory.prices.sweep import RESULTS as PRICE_RESULTS
from forecaster.laboratory.prices.sweep import run_price_trials
from forecaster.laboratory.prices.trials import PriceTrial, TrialSetup
from forecaster.laboratory.trials import ResultsFile, key_of, run_trials
from forecaster.settings import CELLS, Recipe

TrialResult = dict[str, Any]

WIDE, DEEP = 128, 3  # units and layers of the networks that are said to overfit
YEARS_BOTH_WAYS = 3  # reading both ways costs 24 times as much a target, so it is tried on little


@dataclass(frozen=True)
class Size:
    """How much is run.

    Attributes:
        seeds: of each network on prices.
        epochs: the most; None: as training chooses.
        memory_seeds, memory_steps: of each cell and lag on the adding problem.
        short_lag, long_lag: its lags.
        repeats: of each timing.
    """

    seeds: int
    epochs: int | None
    memory_seeds: int
    memory_steps: int
    short_lag: int
    long_lag: int
    repeats: int


QUICK = Size(seeds=2, epochs=5, memory_seeds=2, memory_steps=800, short_lag=10, long_lag=60, repeats=10)
FULL = Size(seeds=5, epochs=None, memory_seeds=5, memory_steps=2000, short_lag=10, long_lag=100, repeats=30)


@dataclass(frozen=True)
class Evidence:
    """Outcomes by group.

    Attributes:
        setup: the prices.
        size: how much was run.
        prices: outcomes over seeds by group: "large/lstm", "small/gru", "matched/lstm", …
        lags: outcomes over seeds by cell and lag.
    """

    setup: TrialSetup
    size: Size
    prices: dict[str, list[TrialResult]]
    lags: dict[tuple[str, int], list[TrialResult]]


def price_groups(setup: TrialSetup, size: Size) -> dict[str, list[PriceTrial]]:
    """The trials on prices, by group, one a seed."""
    recipe = replace(setup.recipe, epochs=size.epochs or setup.recipe.epochs, layers=1, bidirectional=False)
    groups: dict[str, tuple[Recipe, dict[str, int]]] = {}
    for cell in CELLS:
        one = replace(recipe, cell=cell)
        groups[f"large/{cell}"] = (one, {})
        groups[f"small/{cell}"] = (one, {"tickers": 1})
    matched = cell_recipes(recipe, CELLS, setup.features, "parameters")
    groups |= {f"matched/{one.cell}": (one, {}) for one in matched if one.cell != "gru"}
    gru = replace(recipe, cell="gru")
    groups["wide/gru"] = (replace(gru, units=WIDE), {"tickers": 1})
    groups["deep/gru"] = (replace(gru, layers=DEEP), {"tickers": 1})
    groups["years/gru"] = (gru, {"years": YEARS_BOTH_WAYS})
    groups["years/both ways"] = (replace(gru, bidirectional=True), {"years": YEARS_BOTH_WAYS})
    return {
        name: [setup.trial(replace(one, seed=one.seed + number), **part) for number in range(size.seeds)]
        for name, (one, part) in groups.items()
    }


def gather_evidence(
    home: Path, setup: TrialSetup, size: Size, jobs: int, report: Callable[[str], None]
) -> Evidence:
    """Run every trial that has no outcome yet.

    Raises:
        ForecastError: a trial failed; those done are kept.
    """
    lags = plan_trials(
        "adding", CELLS, (size.short_lag, size.long_lag), size.memory_seeds, 32, size.memory_steps, "open"
    )
    solved = run_trials(
        run_trial,
        lags,
        ResultsFile(home, MEMORY_RESULTS),
        jobs,
        lambda trial, _, left: report(f"adding problem, {trial.cell}, lag {trial.lag}; {left} to come"),
    )
    by_lag: dict[tuple[str, int], list[TrialResult]] = {}
    for trial in lags:
        by_lag.setdefault((trial.cell, trial.lag), []).append(solved[key_of(asdict(trial))])
    groups = price_groups(setup, size)
    outcomes = run_price_trials(
        [trial for trials in groups.values() for trial in trials],
        ResultsFile(home, PRICE_RESULTS),
        jobs,
        lambda trial, _, left: report(f"prices, {trial.recipe.cell} {trial.recipe.units}; {left} to come"),
    )
    prices = {name: _of(trials, outcomes) for name, trials in groups.items()}
    return Evidence(setup, size, prices, by_lag)


def _of(trials: Sequence[PriceTrial], outcomes: dict[str, TrialResult]) -> list[TrialResult]:
    return [outcomes[key_of(trial.described())] for trial in trials]
