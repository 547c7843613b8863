"""Walk forward through history: refit each cell and baseline in every fold, and score all folds together."""

import json
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np

from forecaster import __version__
from forecaster.dataset.features import features_of, first_days, recipe_features
from forecaster.dataset.panel import Days
from forecaster.dataset.training_set import TrainingSet
from forecaster.dataset.walk import Fold, Walk
from forecaster.errors import ForecastError
from forecaster.evaluation.baselines import LINEAR_T, SAME_INPUTS, walks
from forecaster.evaluation.calibration import recalibrated
from forecaster.evaluation.comparison import CellRuns, Comparison, score_models, shared_origins, shown_steps
from forecaster.evaluation.experiment import one_thread, train_and_forecast
from forecaster.evaluation.extra_baselines import EXTRA_BASELINES
from forecaster.evaluation.fitted import Fitted, Wanted
from forecaster.evaluation.fold_store import FoldCost, FoldResult, FoldStore, in_float32, joined
from forecaster.evaluation.forecasts import Forecast, Origins, network_forecasts, places_of
from forecaster.evaluation.scoring import ScoredStep, mean_of_seeds, score_step
from forecaster.files import digest_bytes
from forecaster.network.engine import chosen_backend
from forecaster.network.linear_training import linear_recipe
from forecaster.network.network import Network
from forecaster.network.training import onward_recipe
from forecaster.processes import results_of, run_isolated
from forecaster.settings import LINEAR, Recipe, told_apart

_NOT_OF_A_FOLD = ("train_end", "validation_end", "device")
"""What the fold decides, or what must not change a result."""


@dataclass(frozen=True)
class WalkProgress:
    """How far a walk has come.

    Attributes:
        name: of the model whose fold is done now; empty at the start.
        fold: the first day that it forecasts.
        done: folds that are there, of all models, `kept` of them from an earlier run.
        of: how many there are.
        kept: see `done`.
        was_kept: whether this fold is one of those.
    """

    name: str
    fold: str
    done: int
    of: int
    kept: int
    was_kept: bool = False


Watch = Callable[[WalkProgress], None]


@dataclass(frozen=True)
class Backtest:
    """All folds of a walk, scored together.

    Attributes:
        comparison: cells and baselines on all test days; its split has the first fold's training part.
        walk: the folds.
        calibrated: of each cell, and of linear-t, its scores by step after `recalibrated`.
        costs: of each cell, of each seed's training in each fold.
        warm: whether a fold's training began from the weights of the fold before.
    """

    comparison: Comparison
    walk: Walk
    calibrated: Mapping[str, Mapping[int, ScoredStep]]
    costs: Mapping[str, tuple[FoldCost, ...]]
    warm: bool


@dataclass(frozen=True)
class FoldTask:
    """One training, for a worker; `start` is the network that it begins from, None for random weights."""

    data: TrainingSet
    fold: Fold
    recipe: Recipe
    start: Network | None = None


@dataclass
class _Work:
    """A model's way through the folds.

    Attributes:
        name: `gru`, or `linear` for the baseline.
        recipe: with the seed.
        networks: of the folds that are done, by number.
        results: of folds that are not kept.
        digests: of all folds, or of those whose start is known.
    """

    name: str
    recipe: Recipe
    networks: dict[int, Network | None] = field(default_factory=dict)
    results: dict[int, FoldResult] = field(default_factory=dict)
    digests: dict[int, str] = field(default_factory=dict)


def walk_forward(
    data: TrainingSet,
    walk: Walk,
    recipes: Sequence[Recipe],
    store: FoldStore,
    *,
    seeds: int = 1,
    baselines: Sequence[str] = (),
    warm: bool = False,
    jobs: int | None = None,
    watch: Watch = lambda _: None,
) -> Backtest:
    """Train every recipe in every fold, and score all of them beside the baselines on the same origins.

    A training sees no day after its fold: what comes later is cut off before anything is computed. Finished
    folds are kept in `store`; what is there already is not done again.

    Args:
        data: prices; its split is not looked at.
        walk: the folds.
        recipes: one a cell.
        store: where finished folds are kept.
        seeds: runs a cell, from the recipe's seed upward.
        baselines: of EXTRA_BASELINES, beside those that are always there.
        warm: whether a training goes on from the weights of the fold before, for one epoch of small steps.
        jobs: trainings at once, each in a process of its own and on one thread, so that the result is the
            same however many there are; None for one after the other in this process.
        watch: told of each fold that is done.

    Raises:
        ForecastError: too few prices, or a loss that became NaN.
        DiskError: a fold cannot be kept.
    """
    works = [
        _Work(recipe.cell, replace(recipe, seed=recipe.seed + number))
        for recipe in recipes
        for number in range(seeds)
    ]
    run = _Run(data, walk, store, (len(works) + 1 + len(baselines)) * len(walk.folds), watch)
    linear = _Work(LINEAR, linear_recipe(recipes[0]))
    for wave in _waves([*works, linear], len(walk.folds), warm=warm):
        run.train(wave, warm=warm, jobs=jobs)
    return _finish(run, works, linear, recipes[0], baselines, warm=warm)


def walk_model(
    data: TrainingSet,
    walk: Walk,
    network: Network,
    recipe: Recipe,
    store: FoldStore,
    *,
    baselines: Sequence[str] = (),
    jobs: int | None = None,
    watch: Watch = lambda _: None,
) -> Backtest:
    """Score a network as it is on the days of a walk; the baselines are refitted in every fold.

    Args:
        data: as for `walk_forward`; no test day may be one that the network was trained on.
        walk: as for `walk_forward`.
        network: as it was trained.
        recipe: by which it was trained.
        store: as for `walk_forward`.
        baselines: as for `walk_forward`.
        jobs: as for `walk_forward`.
        watch: as for `walk_forward`.

    Raises:
        ForecastError, DiskError: as `walk_forward`.
    """
    run = _Run(data, walk, store, (2 + len(baselines)) * len(walk.folds), watch)
    own, linear = _Work(recipe.cell, recipe), _Work(LINEAR, linear_recipe(recipe))
    features_of(data.panel, network.features)
    for number, fold in enumerate(walk.folds):
        part = cut_after(data, fold)
        features = features_of(part.panel, network.features)
        found, made = network_forecasts(network, features, fold.split.test, part.panel.target_mask)
        own.results[number] = FoldResult(found, in_float32(made), network)
        run.count(own, number, kept=False)
    if recipe.cell != LINEAR:
        run.train([(linear, number) for number in range(len(walk.folds))], warm=False, jobs=jobs)
    return _finish(run, [own], linear, recipe, baselines, warm=False)


def _finish(
    run: "_Run",
    works: Sequence["_Work"],
    linear: "_Work",
    recipe: Recipe,
    baselines: Sequence[str],
    *,
    warm: bool,
) -> Backtest:
    """Fit the extra baselines to the origins that the works share, and score all of them."""
    numbers = range(len(run.walk.folds))
    found = {id(work): [run.result(work, number) for number in numbers] for work in works}
    origins = [shared_origins([found[id(work)][number].origins for work in works]) for number in numbers]
    fitted = {LINEAR_T: [run.result(linear, number) for number in numbers]} if linear.digests else {}
    for name in baselines:
        fitted[name] = [run.fit(name, recipe, number, origins[number]) for number in numbers]
    run.store.prune()
    everywhere = Origins(
        np.concatenate([each.ticker for each in origins]), np.concatenate([each.day for each in origins])
    )
    data = run.data
    simple = walks(data.panel, everywhere, recipe.horizon)
    rows = {name: Fitted(in_float32(made)) for name, made in simple.items()}
    for name, results in fitted.items():
        left = dict.fromkeys(ticker for result in results for ticker in result.substituted)
        rows[name] = Fitted(_along(results, origins), tuple(left))
    by_cell: dict[str, list[_Work]] = {}
    for work in works:
        by_cell.setdefault(work.name, []).append(work)
    cells = {
        cell: CellRuns(tuple(_along(found[id(work)], origins) for work in own))
        for cell, own in by_cell.items()
    }
    costs = {
        cell: tuple(each.cost for work in own for each in found[id(work)]) for cell, own in by_cell.items()
    }
    del found, fitted  # one copy of the forecasts is enough
    comparison = score_models(replace(data, split=run.walk.whole), everywhere, recipe, cells, rows)
    learned = {name: own.forecasts for name, own in cells.items()}
    learned |= {name: (rows[name].forecast,) for name in (LINEAR_T,) if name in rows}
    calibrated = {name: _calibrated(forecasts, comparison) for name, forecasts in learned.items()}
    return Backtest(comparison, run.walk, calibrated, costs, warm)


def _calibrated(forecasts: Sequence[Forecast], comparison: Comparison) -> dict[int, ScoredStep]:
    """A model's scores by step after recalibration, the seeds' mean."""
    steps, actual = shown_steps(comparison.horizon), comparison.actual
    made = [recalibrated(forecast, actual, steps) for forecast in forecasts]
    return {step: mean_of_seeds([score_step(each, actual, step) for each in made]) for step in steps}


def _along(results: Sequence[FoldResult], origins: Sequence[Origins]) -> Forecast:
    """A model's forecasts of all folds' origins, in their order."""
    parts = []
    for result, wanted in zip(results, origins, strict=True):
        places = places_of(wanted, result.origins)
        same = np.array_equal(places, np.arange(len(result.origins)))
        parts.append(result.forecast if same else result.forecast.take(places))
    return joined(parts)


Place = tuple["_Work", int]
"""A model's way, and the number of a fold."""


class _Run:
    """One walk: what is there already, what is to be done, and who is told."""

    def __init__(self, data: TrainingSet, walk: Walk, store: FoldStore, of: int, watch: Watch) -> None:
        self.data, self.walk, self.store = data, walk, store
        self._of, self._watch = of, watch
        self._done = self._kept = 0
        self._panels = [data.panel.first(fold.split.test.stop).digest() for fold in walk.folds]
        watch(WalkProgress("", "", 0, of, 0))

    def count(self, work: "_Work", number: int, *, kept: bool) -> None:
        """One more fold is there."""
        self._tell(work.name, number, kept=kept)

    def train(self, wave: Sequence[Place], *, warm: bool, jobs: int | None) -> None:
        """Train what is not there yet, `jobs` at once, and keep each as it is done."""
        left: list[Place] = []
        tasks: list[tuple[int, FoldTask]] = []
        for work, number in wave:
            start = work.networks.get(number - 1) if warm and work.name != LINEAR else None
            before = work.digests[number - 1] if start is not None else ""
            fold, recipe = self.walk.folds[number], work.recipe
            if start is not None:
                trained_to = self.walk.folds[number - 1].split.train.stop
                recipe = onward_recipe(recipe, fold.split.train.stop - trained_to)
            digest = work.digests[number] = self._digest(number, recipe, before)
            kept = self.store.load(digest)
            if kept is not None:
                work.networks[number] = kept.network
                self.count(work, number, kept=True)
            else:
                tasks.append((len(left), FoldTask(self.data, fold, recipe, start)))
                left.append((work, number))
        if tasks:
            recipe_features(self.data.panel, tasks[0][1].recipe)  # here, once for all folds
        run = _here if jobs is None else _elsewhere
        # A process of its own gives back the memory that an engine keeps from one training to the next.
        for place, result in results_of(run, tasks, jobs or 1, threads=True, ordered=False):
            work, number = left[place]
            self.store.save(work.digests[number], result)
            work.networks[number] = result.network
            self.count(work, number, kept=False)

    def result(self, work: "_Work", number: int) -> FoldResult:
        """What a fold has found; forecasts that are kept are not held in memory meanwhile.

        Raises:
            ForecastError: another process removed it.
        """
        found = work.results.get(number) or self.store.load(work.digests[number])
        if found is None:
            raise ForecastError(
                f"a finished fold is gone from {self.store.folder}", "run the same command again: it goes on"
            )
        return found

    def fit(self, name: str, recipe: Recipe, number: int, origins: Origins) -> FoldResult:
        """An extra baseline in one fold."""
        digest = self._digest(number, recipe, name)
        result = self.store.load(digest)
        kept = result is not None
        if result is None:
            if name in SAME_INPUTS:
                recipe_features(self.data.panel, recipe)
            data, steps = cut_after(self.data, self.walk.folds[number]), shown_steps(recipe.horizon)
            fitted = EXTRA_BASELINES[name](Wanted(data, recipe, origins, steps))
            result = FoldResult(origins, in_float32(fitted.forecast), substituted=fitted.substituted)
            self.store.save(digest, result)
        self._tell(name, number, kept=kept)
        return result

    def _tell(self, name: str, number: int, *, kept: bool) -> None:
        self._done += 1
        self._kept += kept
        fold = self.walk.folds[number].name
        self._watch(WalkProgress(name, fold, self._done, self._of, self._kept, was_kept=kept))

    def _digest(self, number: int, recipe: Recipe, before: str) -> str:
        return fold_digest(self._panels[number], self.walk.folds[number], recipe, before)


def fold_digest(panel: str, fold: Fold, recipe: Recipe, before: str = "") -> str:
    """Of all that a fold's result follows from.

    Args:
        panel: the digest of the panel up to the fold's last day.
        fold: its parts.
        recipe: what is trained.
        before: what the training goes on from, or what else is fitted.
    """
    parts = {name: [part.start, part.stop] for name, part in vars(fold.split).items()}
    text = json.dumps([*computed_by(), panel, parts, described_recipe(recipe), before], sort_keys=True)
    return digest_bytes(text.encode())


def computed_by() -> tuple[str, str]:
    """The version of this package, and the engine: another one may give other figures."""
    return __version__, chosen_backend()


def described_recipe(recipe: Recipe) -> dict[str, Any]:
    """What of a recipe a fold's result follows from."""
    return {key: value for key, value in told_apart(recipe).items() if key not in _NOT_OF_A_FOLD}


def _waves(works: Sequence[_Work], folds: int, *, warm: bool) -> Iterator[list[Place]]:
    """What can be trained at the same time: all of it, or one fold where each goes on from the one before.

    The longest trainings, of the last folds, come first, so that no worker ends long after the others.
    """
    if not warm:
        yield [(work, number) for number in reversed(range(folds)) for work in works]
        return
    for number in range(folds):
        yield [(work, number) for work in works]


def _here(task: tuple[int, FoldTask]) -> tuple[int, FoldResult]:
    return task[0], run_fold(task[1])


def _elsewhere(task: tuple[int, FoldTask]) -> tuple[int, FoldResult]:
    return task[0], run_fold_elsewhere(task[1])


def run_fold_elsewhere(task: FoldTask) -> FoldResult:
    """`run_fold` in a process of its own, on one thread.

    Raises:
        ForecastError: as `run_fold`, or the process died.
    """
    return run_isolated(_on_one_thread, task)


def _on_one_thread(task: FoldTask, report: Callable[[object], None]) -> FoldResult:
    del report
    with one_thread():
        return run_fold(task)


def run_fold(task: FoldTask) -> FoldResult:
    """Train in one fold, and forecast its test days.

    Raises:
        ForecastError: too few prices, or a loss that became NaN.
    """
    data = cut_after(task.data, task.fold)
    outcome = train_and_forecast(data, task.recipe, lambda _: None, task.start)
    trained = outcome.trained
    cost = FoldCost(
        trained.seconds,
        trained.targets,
        len(trained.losses),
        trained.best_epoch,
        trained.network.parameter_count(),
        trained.engine.backend,
        trained.engine.device,
        trained.kernel,
    )
    return FoldResult(outcome.origins, in_float32(outcome.forecast), trained.network, cost)


def cut_after(data: TrainingSet, fold: Fold) -> TrainingSet:
    """The training set as it was at the close of the fold's last test day, split as the fold says."""
    return replace(data, panel=first_days(data.panel, fold.split.test.stop), split=fold.split)


def described_folds(backtest: Backtest) -> list[dict[str, Any]]:
    """Each refit: the first and last day of its training, validation and test origins, in plain values."""
    dates = backtest.comparison.panel.dates
    return [described_fold(fold, dates) for fold in backtest.walk.folds]


def described_fold(fold: Fold, dates: Days) -> dict[str, Any]:
    """Its first test day, and the first and last day of each part's origins, ISO."""
    return {"fold": fold.name} | {
        f"{name}_{end}": str(dates[part[place]])
        for name, part in vars(fold.split).items()
        for end, place in (("first", 0), ("last", -1))
    }
