"""How much of a search's gain is left on a fold that it has not seen."""

import math
from dataclasses import dataclass, replace
from typing import Any

from forecaster.dataset.features import recipe_features
from forecaster.errors import DiskError, ForecastError
from forecaster.evaluation.backtest import FoldTask, fold_digest, run_fold, run_fold_elsewhere
from forecaster.evaluation.comparison import shared_origins
from forecaster.evaluation.fold_store import FoldResult, FoldStore
from forecaster.evaluation.forecasts import Forecast, places_of
from forecaster.evaluation.significance import Interval, lead_of, skill_interval
from forecaster.evaluation.tuning import Search, relative_losses
from forecaster.processes import Workers

UNKNOWN = Interval(math.nan, -math.inf, math.inf)


@dataclass(frozen=True)
class Survival:
    """The best recipe beside the default one; gains are shares of the default's relative CRPS.

    Attributes:
        chosen: the gain on the folds that it was chosen on; NaN where the default recipe could not be
            trained.
        unseen: the gain on the unseen fold, with its 95 % interval; NaN where there is none.
        days: that the interval rests on.
        seeds: runs of each recipe on the unseen fold; with several the interval counts other seeds too.
        same: whether the default recipe is the best.
        fault: why there is no gain on the unseen fold, if it could not be measured.
    """

    chosen: float
    unseen: Interval = UNKNOWN
    days: int = 0
    seeds: int = 1
    same: bool = False
    fault: str = ""

    @property
    def share(self) -> float:
        """Of the gain on the folds it was chosen on, what is left; NaN where there was none."""
        return self.unseen.value / self.chosen if self.chosen > 0 else math.nan

    @property
    def surely_better(self) -> bool:
        """Whether the whole interval is above zero."""
        return self.unseen.value > 0 and self.unseen.known and self.unseen.low > 0

    def sentence(self) -> str:
        """What is to be made of it."""
        if self.same:
            return "No recipe was better than the default on the folds: keep the default."
        if self.fault:
            fault = self.fault.rstrip(".")
            return f"Whether anything of the gain survives is not known ({fault}): keep the default."
        return (
            f"{_gain(self.chosen)} than the default on the folds it was chosen on, "
            f"{_gain(self.unseen.value)} {self._interval()} on a fold it has not seen: {self._advice()}"
        )

    def _advice(self) -> str:
        if self.unseen.value <= 0:
            return "nothing of the gain survives; keep the default."
        left = f"{100 * self.share:.0f} % of the gain survives"
        if not self.unseen.known:
            return f"{left}, on too few days to tell it from chance; keep the default until there are more."
        if not self.surely_better:
            return f"{left}, which may be chance; keep the default unless more history confirms it."
        if self.seeds == 1:
            return f"{left}. It is one seed of each: another may decide otherwise (--seeds)."
        return f"{left}, over {self.seeds} seeds of each."

    def _interval(self) -> str:
        if not self.unseen.known:
            return "(no interval, too few days)"
        what = "95 % interval of days and seeds" if self.seeds > 1 else "95 % interval"
        return f"({what} {_percent(self.unseen.low)} to {_percent(self.unseen.high)})"

    def described(self) -> dict[str, Any]:
        """As JSON documents hold it; what is not known is NaN."""
        known = self.unseen.known
        return {
            "gain_chosen": self.chosen,
            "gain_unseen": self.unseen.value,
            "low": self.unseen.low if known else math.nan,
            "high": self.unseen.high if known else math.nan,
            "share": self.share,
            "days": self.days,
            "seeds": self.seeds,
            "surely_better": self.surely_better,
            "fault": self.fault,
            "sentence": self.sentence(),
        }


def _gain(share: float) -> str:
    return f"{100 * abs(share):.2f} % {'worse' if share < 0 else 'better'}"


def _percent(share: float) -> str:
    return f"{100 * share:+.2f} %"


def survival(found: Search, store: FoldStore, *, seeds: int = 1, jobs: int | None = None) -> Survival:
    """Train the best and the default recipe in the unseen fold, with the same seeds, and compare them.

    Args:
        found: the search.
        store: where the results are kept: a second look at the same recipes costs nothing.
        seeds: runs of each, from the recipe's seed upward.
        jobs: as for `search`.

    Raises:
        DiskError: a result cannot be kept.
    """
    best, default = found.ranking[0], found.default
    base = found.space.base
    if best.recipe == base:
        return Survival(0.0, seeds=seeds, same=True)
    if default is None or default.value is None or best.value is None:
        reason = next((each.reason for each in found.trials if each.recipe == base), "not tried")
        return Survival(math.nan, seeds=seeds, fault=f"the default recipe: {reason}")
    chosen = 1 - best.value / default.value
    data, fold = found.folds.data, found.folds.unseen
    panel = data.panel.first(fold.split.test.stop).digest()
    tasks = [
        FoldTask(data, fold, replace(recipe, seed=recipe.seed + number))
        for recipe in (best.recipe, base)
        for number in range(seeds)
    ]
    try:
        runs = _results(tasks, panel, store, jobs)
        origins = shared_origins([run.origins for run in runs])
        made: list[Forecast] = [run.forecast.take(places_of(origins, run.origins)) for run in runs]
        losses = relative_losses(tasks[0], origins, made)
    except DiskError:
        raise
    except ForecastError as error:
        return Survival(chosen, seeds=seeds, fault=error.message)
    own, rival = losses[:seeds], losses[seeds:]
    horizon = base.horizon
    if seeds == 1:
        unseen = skill_interval(own[0], rival[0], horizon)
    else:
        means = [[float(run.mean()) for run in each] for each in (own, rival)]
        unseen = lead_of(own.mean(0), rival.mean(0), means[0], means[1], horizon).interval
    return Survival(chosen, unseen, losses.shape[1], seeds)


def _results(tasks: list[FoldTask], panel: str, store: FoldStore, jobs: int | None) -> list[FoldResult]:
    """Each task's result, from the store where it is kept.

    Raises:
        ForecastError: a training failed.
        DiskError: a result cannot be kept.
    """
    digests = [fold_digest(panel, task.fold, task.recipe) for task in tasks]
    found = {
        number: kept for number, digest in enumerate(digests) if (kept := store.load(digest)) is not None
    }
    left = [number for number in range(len(tasks)) if number not in found]
    for number in left:
        recipe_features(tasks[number].data.panel, tasks[number].recipe)  # here, once for all runs
    with Workers(run_fold if jobs is None else run_fold_elsewhere, jobs) as workers:
        for number in left:
            workers.start(number, tasks[number])
        for _ in left:
            number, result = workers.next_done()
            store.save(digests[number], result)
            found[number] = result
    store.prune()
    return [found[number] for number in range(len(tasks))]
