"""Search for a better recipe on walk-forward folds, all of them before days that the search never sees.

The days before the test part are walked through as in a backtest. All folds but the last are for choosing;
the last one is for seeing what is left of the gain (`survival`). A recipe's value is its CRPS over
RiskMetrics-t's, the mean of the first and the last step and of the folds: below 1 it is the better one.

All recipes are scored on the same origins: those after as many days without a gap as the longest lookback of
the space has. Otherwise a longer one, which has no forecast for the first months of a ticker, would be scored
on other days.
"""

import json
import math
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from functools import cached_property
from pathlib import Path
from statistics import fmean, median
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from forecaster.dataset.features import available_features, recipe_features
from forecaster.dataset.training_set import TrainingSet
from forecaster.dataset.walk import Fold, WalkRule
from forecaster.dataset.windows import unbroken_days
from forecaster.errors import BadInputError, DiskError, ForecastError
from forecaster.evaluation.backtest import FoldTask, computed_by, described_recipe, run_fold
from forecaster.evaluation.baselines import riskmetrics_t
from forecaster.evaluation.comparison import shown_steps
from forecaster.evaluation.experiment import one_thread
from forecaster.evaluation.forecasts import Forecast, Origins
from forecaster.evaluation.scoring import actuals, daily_crps
from forecaster.evaluation.search_space import Space
from forecaster.evaluation.trial_journal import RECIPE, damaged_journal, opened_study
from forecaster.files import digest_bytes
from forecaster.processes import Workers, run_isolated
from forecaster.settings import Recipe

if TYPE_CHECKING:
    import optuna

DONE, PRUNED, FAILED = "done", "pruned", "failed"
"""What becomes of a trial: scored in every fold, given up after some, or not to be trained."""
FIRST_SHARE = 0.5
"""Of the days before the test part, those before the first fold."""
LEAST_SHARE = 0.5
"""Of the origins that the shortest lookback leaves in a fold, those that a lookback has to leave."""
UNPRUNED = 4
"""Trials to be done before one is pruned."""


@dataclass(frozen=True)
class TuneFolds:
    """Where a search looks.

    Attributes:
        data: up to the test part, and no further.
        chosen: the folds that recipes are chosen on.
        unseen: the fold after them.
    """

    data: TrainingSet
    chosen: tuple[Fold, ...]
    unseen: Fold

    @cached_property
    def searched(self) -> TrainingSet:
        """The days before the unseen fold: all that the search knows."""
        return replace(self.data, panel=self.data.panel.first(self.unseen.split.test.start))


@dataclass(frozen=True)
class Trial:
    """One recipe that was tried.

    Attributes:
        number: from 1, in the order in which they began.
        recipe: what was tried.
        state: DONE, PRUNED or FAILED.
        value: the mean of the folds, of those before it was given up; None where there is none.
        folds: of each fold that it was scored in.
        reason: why it failed.
        kept: whether an earlier run finished it.
    """

    number: int
    recipe: Recipe
    state: str
    value: float | None
    folds: tuple[float, ...]
    reason: str = ""
    kept: bool = False


@dataclass(frozen=True)
class Search:
    """What was searched and found.

    Attributes:
        folds: where.
        space: among which recipes.
        trials: in their order.
        out_of_time: whether the time limit ended it before all trials had begun.
    """

    folds: TuneFolds
    space: Space
    trials: tuple[Trial, ...]
    out_of_time: bool = False

    @property
    def ranking(self) -> list[Trial]:
        """The trials that are done, the best first; of equals the earlier."""
        done = [trial for trial in self.trials if trial.state == DONE]
        return sorted(done, key=lambda trial: (trial.value, trial.number))

    @property
    def default(self) -> Trial | None:
        """The trial of the default recipe, if that is done."""
        return next((trial for trial in self.ranking if trial.recipe == self.space.base), None)

    def count(self, state: str) -> int:
        """How many trials ended so."""
        return sum(trial.state == state for trial in self.trials)

    @property
    def kept(self) -> int:
        """How many trials are from an earlier run."""
        return sum(trial.kept for trial in self.trials)


@dataclass(frozen=True)
class TuneProgress:
    """How far a search has come.

    Attributes:
        trial: the one that ended now; None at the start.
        ended: how many trials have, `kept` of them in an earlier run.
        of: how many there will be, if time allows.
        kept: see `ended`.
        best: the least value so far; None before there is one.
    """

    trial: Trial | None
    ended: int
    of: int
    kept: int
    best: float | None


WatchTrials = Callable[[TuneProgress], None]


@dataclass(frozen=True)
class ScoreTask:
    """A recipe in a fold, for a worker; only origins after so many days without a gap are scored."""

    fold: FoldTask
    unbroken: int


@dataclass
class _Running:
    """A trial that is under way."""

    trial: "optuna.Trial"
    recipe: Recipe
    scores: list[float] = field(default_factory=list)


def tune_folds(data: TrainingSet, horizon: int, folds: int) -> TuneFolds:
    """Cut the later half of the days before the test part into so many folds, and one that stays unseen.

    Args:
        data: prices, split as for a training.
        horizon: steps ahead.
        folds: for choosing.

    Raises:
        BadInputError: there are too few days.
    """
    panel = data.panel.first(data.split.test.start)
    days = panel.shape[1]
    first = round(FIRST_SHARE * days)
    length = math.ceil((days - 1 - first) / (folds + 1))
    try:
        rule = WalkRule(start=str(panel.dates[first]), refit_every=str(max(length, 1)))
        found = rule.folds(panel.dates, horizon).folds
    except ForecastError as error:
        raise _too_few(error.message) from error
    if len(found) <= folds:
        raise _too_few(f"the {days:,} days before the test part are too few for {folds + 1} folds")
    return TuneFolds(replace(data, panel=panel), found[:-1], found[-1])


def _too_few(message: str) -> BadInputError:
    return BadInputError(message, "fetch more history, or choose fewer --folds")


def usable_space(folds: TuneFolds, space: Space) -> Space:
    """The space without lookbacks that leave less than half of the shortest one's origins in a fold.

    The default recipe's lookback stays.
    """
    panel = folds.searched.panel
    run = unbroken_days(recipe_features(panel, space.base).valid_input)
    if panel.target_mask is not None:
        run = np.where(panel.target_mask, run, 0)
    tests = [run[:, fold.split.test.start : fold.split.test.stop] for fold in folds.chosen]
    lookbacks = space.choices["lookback"]
    least = [LEAST_SHARE * np.count_nonzero(part >= lookbacks[0]) for part in tests]

    def usable(lookback: int) -> bool:
        found = [np.count_nonzero(part >= lookback) for part in tests]
        return all(count and count >= bound for count, bound in zip(found, least, strict=True))

    kept = tuple(each for each in lookbacks if each == space.base.lookback or usable(each))
    return replace(space, choices={**space.choices, "lookback": kept})


def has_reports(folds: TuneFolds, recipe: Recipe) -> bool:
    """Whether `features` makes a difference to what the recipe's network reads."""
    panel = folds.searched.panel
    both = {available_features(panel, replace(recipe, features=name)) for name in ("all", "prices")}
    return len(both) > 1


def search(
    folds: TuneFolds,
    space: Space,
    keep: Path,
    *,
    trials: int,
    minutes: float | None = None,
    jobs: int | None = None,
    watch: WatchTrials = lambda _: None,
) -> Search:
    """Try recipes by Optuna's TPE, the default one first, on the folds for choosing.

    After each fold a trial whose mean so far is above the median of the trials that are done is given up. One
    that cannot be trained is given up with its reason. All that is finished is kept: with the same prices,
    folds, default recipe and values, a search goes on where an earlier one was. With one training at a time
    it then ends as if it had not been stopped; with several, what the next knows depends on which ends first.

    Args:
        folds: see `tune_folds`.
        space: what may be tried; see `usable_space`.
        keep: the folder of the journal.
        trials: how many in all, with those of earlier runs.
        minutes: after so many no trial begins; those that are running are finished.
        jobs: trainings at once, each in a process of its own and on one thread; None for one after the other
            in this process.
        watch: told of each trial that has ended.

    Raises:
        UsageError: Optuna is not installed.
        BadInputError: the journal is damaged, or no recipe could be trained.
        DiskError: the journal cannot be written.
        TryLaterError: another process searches there.
    """
    for features in space.choices["features"]:  # here and now, once for all trainings
        recipe_features(folds.searched.panel, replace(space.base, features=features))
    name = study_name(folds, space)
    with opened_study(keep, name) as study:
        run = _Run(folds, space, study, watch)
        if not run.is_sound():
            raise damaged_journal(keep, name, "it has trials of another search")
        deadline = math.inf if minutes is None else time.monotonic() + 60 * minutes
        out_of_time = run.until(trials, deadline, jobs)
        found = Search(folds, space, run.ended(), out_of_time)
    if not found.ranking:
        reasons = [trial.reason for trial in found.trials if trial.reason]
        raise BadInputError(
            f"no recipe could be trained in every fold: {reasons[0] if reasons else 'no trial has ended'}",
            "fetch more history, lower --lookback, or choose fewer --folds",
        )
    return found


def study_name(folds: TuneFolds, space: Space) -> str:
    """A digest of all that a trial's value follows from; days from the unseen fold on are not among it."""
    parts = [{name: [part.start, part.stop] for name, part in vars(f.split).items()} for f in folds.chosen]
    described = [
        *(*computed_by(), folds.searched.panel.digest(), parts),
        *(described_recipe(space.base), dict(space.choices)),
    ]
    return digest_bytes(json.dumps(described, sort_keys=True).encode())[:32]


class _Run:
    """One search: what has been tried, what is under way, and who is told."""

    def __init__(self, folds: TuneFolds, space: Space, study: "optuna.Study", watch: WatchTrials) -> None:
        self._folds, self._space, self._study, self._watch = folds, space, study, watch
        self._searched = folds.searched
        self._longest = max(space.choices["lookback"])
        self._running: dict[int, _Running] = {}
        self._kept = frozenset(trial.number for trial in self._frozen() if trial.state.is_finished())
        self._of = 0
        self._scores: dict[Recipe, list[float]] = {}
        for trial in self._study.get_trials(deepcopy=False):
            if trial.user_attrs.get("scores") and self._is_sound(trial):
                recipe, found = self._recipe(trial), list(trial.user_attrs["scores"])
                self._scores[recipe] = max(self._scores.get(recipe, []), found, key=len)

    def is_sound(self) -> bool:
        """Whether all trials of earlier runs could be of this search."""
        return all(self._is_sound(trial) for trial in self._frozen())

    def _is_sound(self, trial: "optuna.trial.FrozenTrial") -> bool:
        from optuna.trial import TrialState

        folds = len(self._folds.chosen)
        scores, reason = trial.user_attrs.get("scores", []), trial.user_attrs.get("failed", "")
        try:
            known = self._space.parameters(self._recipe(trial)) == trial.params
        except (KeyError, IndexError, TypeError, ValueError):
            known = False
        return (
            known
            and isinstance(reason, str)
            and isinstance(scores, list)
            and all(isinstance(score, float) and math.isfinite(score) for score in scores)
            and (len(scores) == folds if trial.state == TrialState.COMPLETE else len(scores) <= folds)
        )

    def until(self, trials: int, deadline: float, jobs: int | None) -> bool:
        """Go on to so many trials; whether the deadline came first."""
        begun = len(self._frozen())
        self._of = max(trials, begun)
        self._tell(None)
        self._begin_with_default()
        work = _attempt if jobs is None else _attempt_elsewhere
        with Workers(work, jobs) as workers:
            while True:
                while len(self._running) < (jobs or 1) and begun < trials and _may_begin(begun, deadline):
                    self._begin(begun, workers)
                    begun += 1
                if self._running:
                    self._take(*workers.next_done(), workers)
                elif begun >= trials or not _may_begin(begun, deadline):
                    return begun < trials

    def ended(self) -> tuple[Trial, ...]:
        """All trials that have ended."""
        found = enumerate(self._frozen(), start=1)
        return tuple(self._described(trial, number) for number, trial in found if trial.state.is_finished())

    def _begin_with_default(self) -> None:
        from optuna.trial import TrialState

        waiting = self._study.get_trials(deepcopy=False, states=(TrialState.WAITING,))
        if not waiting and not self._frozen():
            self._study.enqueue_trial(self._space.parameters(self._space.base))

    def _begin(self, begun: int, workers: "Workers[ScoreTask, float | ForecastError]") -> None:
        from optuna.samplers import TPESampler

        # A sampler of its own for each trial: what follows is the same whether the search was stopped or not.
        seed = int(np.random.SeedSequence([self._space.base.seed, begun]).generate_state(1)[0])
        self._study.sampler = TPESampler(seed=seed, constant_liar=True)
        trial = self._study.ask()
        recipe = self._space.suggested(trial)
        trial.set_user_attr(RECIPE, described_recipe(recipe))
        self._running[trial.number] = _Running(trial, recipe)
        self._go_on(trial.number, workers)

    def _take(
        self,
        number: int,
        found: float | ForecastError,
        workers: "Workers[ScoreTask, float | ForecastError]",
    ) -> None:
        """A fold of a running trial is done."""
        running = self._running[number]
        if isinstance(found, ForecastError):
            running.trial.set_user_attr("failed", found.message)
            self._end(number, PRUNED)
            return
        known = self._scores.setdefault(running.recipe, [])
        if len(known) == len(running.scores):  # another trial of the same recipe may have been faster
            known.append(found)
        running.trial.set_user_attr("scores", known)
        self._go_on(number, workers)

    def _go_on(self, number: int, workers: "Workers[ScoreTask, float | ForecastError]") -> None:
        """To the next fold of a running trial that is not scored yet, or to its end."""
        running = self._running[number]
        known = self._scores.get(running.recipe, [])
        while len(running.scores) < len(known):
            running.scores.append(known[len(running.scores)])
            running.trial.report(fmean(running.scores), len(running.scores))
            if self._is_poor(running):
                running.trial.set_user_attr("scores", running.scores)
                self._end(number, PRUNED)
                return
        place = len(running.scores)
        if place == len(self._folds.chosen):
            running.trial.set_user_attr("scores", running.scores)
            self._end(number, DONE)
            return
        fold = self._folds.chosen[place]
        workers.start(number, ScoreTask(FoldTask(self._searched, fold, running.recipe), self._longest))

    def _is_poor(self, running: _Running) -> bool:
        """Whether a trial's mean so far is above the median of the trials that are done; never at its end."""
        from optuna.trial import TrialState

        step = len(running.scores)
        done = self._study.get_trials(deepcopy=False, states=(TrialState.COMPLETE,))
        if step == len(self._folds.chosen) or len(done) < UNPRUNED or running.recipe == self._space.base:
            return False
        usual = median(fmean(trial.user_attrs["scores"][:step]) for trial in done)
        return bool(fmean(running.scores) > usual)

    def _end(self, number: int, state: str) -> None:
        from optuna.trial import TrialState

        running = self._running.pop(number)
        if state == DONE:
            self._study.tell(running.trial, fmean(running.scores))
        else:
            self._study.tell(running.trial, state=TrialState.PRUNED)
        self._tell(number)

    def _tell(self, number: int | None) -> None:
        ended = self.ended()
        values = [trial.value for trial in ended if trial.state == DONE and trial.value is not None]
        best = min(values, default=None)
        now = None
        if number is not None:
            place = [trial.number for trial in self._frozen()].index(number)
            now = next(trial for trial in ended if trial.number == place + 1)
        self._watch(TuneProgress(now, len(ended), self._of, len(self._kept), best))

    def _frozen(self) -> "list[optuna.trial.FrozenTrial]":
        """The trials that have begun, without those whose process ended meanwhile: they begin anew."""
        from optuna.trial import TrialState

        left_out = (TrialState.WAITING, TrialState.FAIL)
        return [trial for trial in self._study.get_trials(deepcopy=False) if trial.state not in left_out]

    def _recipe(self, trial: "optuna.trial.FrozenTrial") -> Recipe:
        return self._space.suggested(_Chosen(trial.params))

    def _described(self, trial: "optuna.trial.FrozenTrial", number: int) -> Trial:
        from optuna.trial import TrialState

        folds = tuple(trial.user_attrs.get("scores", ()))
        reason = trial.user_attrs.get("failed", "")
        state = DONE if trial.state == TrialState.COMPLETE else FAILED if reason else PRUNED
        value = fmean(folds) if folds else None
        return Trial(number, self._recipe(trial), state, value, folds, reason, trial.number in self._kept)


@dataclass(frozen=True)
class _Chosen:
    """A trial whose parameters are known."""

    params: Mapping[str, Any]

    def suggest_categorical(self, name: str, choices: object) -> Any:
        del choices
        return self.params[name]

    def suggest_int(self, name: str, low: int, high: int) -> int:
        del low, high
        return int(self.params[name])


def _may_begin(begun: int, deadline: float) -> bool:
    """The default recipe is tried however short the time."""
    return begun == 0 or time.monotonic() < deadline


def _attempt(task: ScoreTask, score: "Callable[[ScoreTask], float] | None" = None) -> float | ForecastError:
    """The score, or why there is none; a full disk is nothing that another recipe would change."""
    try:
        return (score or score_fold)(task)
    except DiskError:
        raise
    except ForecastError as error:
        return error


def _attempt_elsewhere(task: ScoreTask) -> float | ForecastError:
    return _attempt(task, _score_elsewhere)


def _score_elsewhere(task: ScoreTask) -> float:
    return run_isolated(_on_one_thread, task)


def _on_one_thread(task: ScoreTask, report: Callable[[object], None]) -> float:
    del report
    with one_thread():
        return score_fold(task)


def score_fold(task: ScoreTask) -> float:
    """Train in a fold; the CRPS of its test days over RiskMetrics-t's, the mean of the first and last step.

    Raises:
        ForecastError: too few prices, or a loss that became NaN.
    """
    fold = task.fold
    result = run_fold(fold)
    run = unbroken_days(recipe_features(fold.data.panel, fold.recipe).valid_input)
    places = np.flatnonzero(run[result.origins.ticker, result.origins.day] >= task.unbroken)
    origins = Origins(result.origins.ticker[places], result.origins.day[places])
    if not len(origins):
        raise BadInputError(
            f"no ticker has {task.unbroken} days in a row in the fold from {fold.fold.name}",
            "fetch more history",
        )
    losses = relative_losses(fold, origins, [result.forecast.take(places)])[0]
    score = float(losses.mean())
    if not math.isfinite(score):
        raise ForecastError(f"the CRPS in the fold from {fold.fold.name} is {score}", "lower --learning-rate")
    return score


def relative_losses(task: FoldTask, origins: Origins, forecasts: list[Forecast]) -> NDArray[np.float64]:
    """Each forecast's CRPS by day, over RiskMetrics-t's mean, (forecasts, days): steps' mean.

    The mean over days is 1 for RiskMetrics-t. Days are those on which every step is known; each counts alike.

    Args:
        task: the fold, with the days of its targets.
        origins: where the forecasts are made.
        forecasts: of which H is the recipe's horizon.
    """
    panel, horizon = task.data.panel, task.recipe.horizon
    actual = actuals(panel, origins, horizon, task.fold.split.train)
    made: list[Forecast] = [riskmetrics_t(panel, origins, horizon), *forecasts]
    by_step = []
    for step in shown_steps(horizon):
        found = [daily_crps(each, actual, step) for each in made]
        by_step.append((found[0][0], np.stack([crps for _, crps in found])))
    days = by_step[-1][0]  # where the last step is known the first one is, but for gaps
    for day, _ in by_step:
        days = np.intersect1d(days, day)
    if not len(days):
        raise BadInputError(f"no target is known in the fold from {task.fold.name}", "fetch more history")
    relative = []
    for day, crps in by_step:
        shared = crps[:, np.searchsorted(day, days)]
        relative.append(shared[1:] / shared[0].mean())
    mean: NDArray[np.float64] = np.mean(relative, axis=0)
    return mean
