"""The runs behind the claims: which trainings, at which size, and their outcomes by group."""

import math
from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass, replace
from functools import partial
from importlib.util import find_spec
from pathlib import Path
from typing import Any

from forecaster.evaluation.baselines import LINEAR_T
from forecaster.evaluation.comparison import cell_recipes
from forecaster.laboratory.memory.lags import RESULTS as MEMORY_RESULTS
from forecaster.laboratory.memory.lags import equal_units, run_trial
from forecaster.laboratory.memory.tasks import features_of
from forecaster.laboratory.memory.training import STARTS, Trial
from forecaster.laboratory.memory.variants import base_of
from forecaster.laboratory.prices.forms import CONVOLUTION, FEED_FORWARD
from forecaster.laboratory.prices.trials import PriceTrial, TrialSetup, run_price_trial_here
from forecaster.laboratory.trials import ResultsFile, key_of, run_trials
from forecaster.network.cells import nearest_units
from forecaster.network.linear_t import linear_shapes
from forecaster.network.recurrent import network_parameters
from forecaster.settings import CELLS, CONVLSTM, WEEK, Recipe

TrialResult = dict[str, Any]

PRICE_RESULTS = "claims"
WIDE, DEEP = 128, 3  # units and layers of the networks that are said to overfit
MOST_TICKERS = 20  # a training takes as much longer as there are more, and there are a hundred
FEW_YEARS = 3  # one target a window costs tens of times as much a target, so it is tried on little
GATED = ("lstm", "gru")
TASK_UNITS = 32  # of a GRU on the tasks; the other cells have as many parameters
OPEN, KERAS = STARTS
RATES = (0.002, 0.005)
USUAL_RATE = RATES[1]
TUNED = "tuned/lstm"
REMOVED = ("lstm-no-forget", "lstm-no-output", "lstm-coupled", "gru-no-reset")


@dataclass(frozen=True)
class Size:
    """How much is run.

    Attributes:
        seeds: of each network.
        epochs: on prices, the most; None: as training chooses.
        lookback: of the networks on prices; None: the recipe's.
        lengths: of windows that a trained network is used at.
        every: test days of which one is forecast where each takes a window of its own.
        short_seeds: of each cell at the short lag, where a training is soon done.
        steps: the most on a task.
        short_lag, long_lag: of the adding problem.
        distance: words of a sentence in the made-up language.
        examples: in the small set with a long lag.
        repeats: of each timing.
        removed_on_prices: whether cells with a gate taken out are trained on prices too.
        whole_store: whether GRU and LSTM are trained on all tickers too, where there are more than
            `MOST_TICKERS`.
        tune_trials: recipes that each search for a better LSTM tries.
        tune_minutes: after so many it begins no further one.
    """

    seeds: int
    epochs: int | None
    lookback: int | None
    lengths: tuple[int, ...]
    every: int
    short_seeds: int
    steps: int
    short_lag: int
    long_lag: int
    distance: int
    examples: int
    repeats: int
    removed_on_prices: bool
    whole_store: bool
    tune_trials: int
    tune_minutes: float


QUICK = Size(
    seeds=3, epochs=3, lookback=60, lengths=(20, 60, 250), every=5, short_seeds=4, steps=400, short_lag=10,
    long_lag=30, distance=30, examples=64, repeats=10, removed_on_prices=False, whole_store=False,
    tune_trials=4, tune_minutes=0.5,
)  # fmt: skip
FULL = Size(
    seeds=5, epochs=None, lookback=None, lengths=(20, 60, 120, 250, 500), every=2, short_seeds=10, steps=2000,
    short_lag=10, long_lag=100, distance=100, examples=256, repeats=30, removed_on_prices=True,
    whole_store=True, tune_trials=20, tune_minutes=6.0,
)  # fmt: skip


@dataclass(frozen=True)
class Evidence:
    """Outcomes by group, each over seeds.

    Attributes:
        setup: the prices that most networks are trained and tested on.
        store: all prices.
        size: how much was run.
        prices: by group of `price_groups`.
        tasks: by group of `task_groups`.
    """

    setup: TrialSetup
    store: TrialSetup
    size: Size
    prices: Mapping[str, list[TrialResult]]
    tasks: Mapping[str, list[TrialResult]]

    @property
    def lookback(self) -> int:
        """Days of the windows of all networks on prices."""
        return self.size.lookback or self.setup.recipe.lookback

    def steps(self, group: str) -> list[float]:
        """Optimiser steps until each seed of a task's group solved it, the budget where it did not."""
        return [float(run["steps"]) for run in self.tasks[group]]

    def solved(self, group: str) -> list[bool]:
        """Whether each seed of a task's group solved it."""
        return [bool(run["solved"]) for run in self.tasks[group]]


def price_groups(store: TrialSetup, size: Size) -> dict[str, list[PriceTrial]]:
    """The trials on prices by group, one a seed."""
    setup = store.spread(MOST_TICKERS)
    recipe = replace(
        setup.recipe,
        epochs=size.epochs or setup.recipe.epochs,
        lookback=size.lookback or setup.recipe.lookback,
        layers=1,
        bidirectional=False,
    )
    gru = replace(recipe, cell="gru")
    one = setup.tickers[:1]
    usual = setup.trial(gru)
    few = replace(usual, years=FEW_YEARS)
    single = replace(few, one_target=True, every=size.every)
    groups = {
        f"large/{cell}": replace(setup.trial(replace(recipe, cell=cell)), shocked=True) for cell in CELLS
    }
    groups |= {f"small/{cell}": setup.trial(replace(recipe, cell=cell), tickers=1) for cell in CELLS}
    groups |= {
        f"wide/{cell}": setup.trial(replace(recipe, cell=cell, units=WIDE), tickers=1) for cell in CELLS
    }
    groups["deep/gru"] = replace(usual, recipe=replace(gru, layers=DEEP), trained_on=one)
    _, matched = cell_recipes(gru, ["gru", "lstm"], setup.features, "parameters")
    groups["matched/lstm"] = replace(usual, recipe=matched)
    groups["used at/gru"] = replace(usual, used_at=size.lengths, every=size.every)
    groups["years/many targets"], groups["years/one target"] = few, single
    groups["years/both ways"] = replace(single, recipe=replace(gru, bidirectional=True))
    groups["years/convlstm"] = replace(single, recipe=_weekly(gru, setup.features))
    linear = sum(map(math.prod, linear_shapes(recipe.horizon, setup.inputs).values()))
    units = nearest_units(lambda units: network_parameters("gru", units, setup.features, gru), linear)
    groups["tiny/gru"] = setup.trial(replace(gru, units=units))
    groups["returns/gru"] = replace(usual, features=("return",))
    groups |= {form: replace(usual, form=form) for form in (FEED_FORWARD, CONVOLUTION)}
    if size.whole_store and store.tickers != setup.tickers:
        groups |= {f"whole/{cell}": store.trial(replace(recipe, cell=cell)) for cell in GATED}
    if find_spec("optuna"):
        untuned = setup.trial(replace(recipe, cell="lstm"))
        groups[TUNED] = replace(untuned, tune_trials=size.tune_trials, tune_minutes=size.tune_minutes)
    if size.removed_on_prices:
        for variant in REMOVED:
            whole = setup.trial(replace(recipe, cell=base_of(variant)))
            groups[f"removed/{variant}"] = replace(whole, form=variant)
    seeded = {name: _seeds(trial, size.seeds) for name, trial in groups.items()}
    return seeded | {LINEAR_T: [replace(usual, form=LINEAR_T)]}


def task_groups(size: Size) -> dict[str, list[Trial]]:
    """The trials on synthetic tasks by group, one a seed; at equal parameters where nothing else is said."""

    def trials(cell: str, lag: int, seeds: int = size.seeds, **others: Any) -> list[Trial]:
        task = others.pop("task", "adding")
        units = equal_units(base_of(cell), features_of(task), TASK_UNITS, others.get("layers", 1))
        return [Trial(task, cell, units, lag, seed, size.steps, **others) for seed in range(seeds)]

    groups = {}
    for cell in CELLS:
        groups[f"short/{cell}"] = trials(cell, size.short_lag, size.short_seeds)
        groups[f"long/{cell}"] = trials(cell, size.long_lag)
        groups[f"agreement/{cell}"] = trials(cell, size.distance, task="agreement", start=KERAS)
        groups[f"order/{cell}"] = trials(cell, size.long_lag, task="order")
        groups[f"sigmoid/{cell}"] = trials(f"{cell}-sigmoid", size.short_lag, size.short_seeds)
    for cell in GATED:
        for start in STARTS:
            for rate in RATES:
                name = f"{start}/{rate:g}/{cell}"
                groups[name] = trials(cell, size.long_lag, start=start, learning_rate=rate)
        groups[f"few/{cell}"] = trials(cell, size.long_lag, examples=size.examples)
    groups["stacked/lstm"] = trials("lstm", size.long_lag, layers=2)
    groups |= {f"removed/{variant}": trials(variant, size.long_lag) for variant in REMOVED}
    return groups


def gather_evidence(
    home: Path, store: TrialSetup, size: Size, jobs: int, report: Callable[[str], None]
) -> Evidence:
    """Run every trial that has no outcome yet.

    Of more than `MOST_TICKERS` so many are used, evenly spread, but where networks on all are compared.

    Raises:
        ForecastError: a trial failed; those done are kept.
    """
    tasks, prices = task_groups(size), price_groups(store, size)
    if TUNED not in prices:
        report("the claim on tuning is left out: it needs Optuna, pip install 'forecaster[tune]'")
    solved = run_trials(
        run_trial,
        [trial for trials in tasks.values() for trial in trials],
        ResultsFile(home, MEMORY_RESULTS),
        jobs,
        lambda trial, _, left: report(f"{trial.task}, {trial.cell}, lag {trial.lag}; {left} to come"),
    )
    scored = run_trials(
        partial(run_price_trial_here, store.data),
        [trial for trials in prices.values() for trial in trials],
        ResultsFile(home, PRICE_RESULTS),
        jobs,
        lambda trial, _, left: report(
            f"prices, {trial.form or trial.recipe.cell} {trial.recipe.units}; {left} to come"
        ),
        describe=PriceTrial.described,
    )
    by_price = {
        name: [scored[key_of(each.described())] for each in trials] for name, trials in prices.items()
    }
    # It is fitted exactly, so that one fit is what every seed would give.
    by_price[LINEAR_T] = by_price[LINEAR_T] * size.seeds
    by_task = {name: [solved[key_of(asdict(each))] for each in trials] for name, trials in tasks.items()}
    return Evidence(store.spread(MOST_TICKERS), store, size, by_price, by_task)


def _weekly(gru: Recipe, features: int) -> Recipe:
    """A ConvLSTM1D with about the GRU's parameters, over as many whole weeks as its window has."""
    whole = replace(gru, lookback=max(gru.lookback - gru.lookback % WEEK, WEEK))
    _, weekly = cell_recipes(whole, [gru.cell, CONVLSTM], features, "parameters")
    return weekly


def _seeds(trial: PriceTrial, count: int) -> list[PriceTrial]:
    recipe = trial.recipe
    return [replace(trial, recipe=replace(recipe, seed=recipe.seed + number)) for number in range(count)]
