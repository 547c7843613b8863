"""Searching for a better recipe with DataFrames in and out: `fc.tune` and what it gives."""

import tempfile
from collections.abc import Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from forecaster.api import inputs_of
from forecaster.dataset.training_set import TrainingSet, split_by
from forecaster.errors import UsageError
from forecaster.settings import CELLS, Recipe

if TYPE_CHECKING:
    import pandas as pd

    from forecaster.evaluation.survival import Survival
    from forecaster.evaluation.tuning import Search, WatchTrials


@dataclass(frozen=True, repr=False)
class TuneResult:
    """What `tune` found.

    Attributes:
        search: folds, values that were tried, and trials.
        survival: how much of the gain is left on the fold that the search has not seen.
        data: what was searched on; the test part was not looked at.
    """

    search: "Search"
    survival: "Survival"
    data: TrainingSet

    def __repr__(self) -> str:
        """Like TuneResult(30 trials: No recipe was better …)."""
        return f"TuneResult({len(self.search.trials)} trials: {self.survival.sentence()})"

    def _repr_html_(self) -> str:
        from forecaster.report.notebook import shown

        return shown([repr(self)], self.trials)

    @property
    def best(self) -> Recipe:
        """The recipe with the least value on the folds; whether to use it, `survival` says."""
        return self.search.ranking[0].recipe

    @property
    def default(self) -> Recipe:
        """The recipe that the search began with, and that the best one is compared with."""
        return self.search.space.base

    @property
    def recipe(self) -> Recipe:
        """The recipe to train: the best one where its gain is surely more than nothing, else the default."""
        return self.best if self.survival.surely_better else self.default

    @property
    def trials(self) -> "pd.DataFrame":
        """A row for each trial: its number, state, value, searched settings, scored folds, and reason."""
        import pandas as pd

        rows = [
            {"trial": trial.number, "state": trial.state, "value": trial.value}
            | {name: getattr(trial.recipe, name) for name in self.search.space.choices}
            | {"folds": len(trial.folds), "reason": trial.reason, "kept": trial.kept}
            for trial in self.search.trials
        ]
        return pd.DataFrame(rows)


def tune(
    prices: "pd.DataFrame",
    cells: Sequence[str] = CELLS,
    recipe: Recipe | None = None,
    *,
    trials: int = 30,
    minutes: float | None = None,
    folds: int = 3,
    seeds: int = 1,
    space: Mapping[str, Sequence[Any]] | None = None,
    market: "pd.Series | None" = None,
    earnings: "pd.DataFrame | None" = None,
    jobs: int | None = None,
    keep: str | Path | None = None,
) -> TuneResult:
    """Search for a better recipe on days before the test part, and see what is left of the gain.

    The later half of those days is cut into folds, each forecast by networks that were trained on all days
    before it. The search chooses on all but the last; on that the best and the default recipe are compared.

    Args:
        prices: as for `train`.
        cells: of rnn, lstm, gru and convlstm, to search among.
        recipe: the default recipe: the first that is tried, and what is not searched is taken from it.
        trials: recipes to try in all, with those of an earlier run in `keep`.
        minutes: after so many no trial begins; two trainings follow.
        folds: for choosing.
        seeds: runs of the best and the default recipe on the last fold.
        space: values to try in place of the usual ones, by setting: cell, units, layers, lookback, dropout,
            learning_rate, features.
        market: as for `train`.
        earnings: as for `train`.
        jobs: trainings at once, as for `backtest`.
        keep: a folder in which trials are kept: a search that was stopped goes on from there.

    Raises:
        UsageError: a cell, a setting or a number is not known, or Optuna is not installed.
        BadInputError: the prices are too few, or no recipe can be trained.
        TryLaterError: another search runs in `keep`.
    """
    chosen = recipe or Recipe()
    data = inputs_of(prices, market, earnings).build(split_by(chosen))
    with ExitStack() as stack:
        folder = Path(keep) if keep is not None else Path(stack.enter_context(tempfile.TemporaryDirectory()))
        return tune_on(
            data,
            cells,
            chosen,
            folder,
            trials=trials,
            minutes=minutes,
            folds=folds,
            seeds=seeds,
            space=space,
            jobs=jobs,
        )


def tune_on(
    data: TrainingSet,
    cells: Sequence[str],
    recipe: Recipe,
    keep: Path,
    *,
    trials: int = 30,
    minutes: float | None = None,
    folds: int = 3,
    seeds: int = 1,
    space: Mapping[str, Sequence[Any]] | None = None,
    jobs: int | None = None,
    watch: "WatchTrials" = lambda _: None,
) -> TuneResult:
    """`tune` on a training set; `keep` has the journals in tune/ and the last fold's results in folds/.

    Raises:
        UsageError, BadInputError, TryLaterError: as `tune`.
        DiskError: the folder cannot be written.
    """
    from forecaster.evaluation.fold_store import FoldStore
    from forecaster.evaluation.search_space import space_around
    from forecaster.evaluation.survival import survival
    from forecaster.evaluation.trial_journal import check_optuna
    from forecaster.evaluation.tuning import has_reports, search, tune_folds, usable_space

    check_optuna()
    counts = {"trials": trials, "folds": folds, "seeds": seeds, "jobs": 1 if jobs is None else jobs}
    for name, count in counts.items():
        if count < 1:
            raise UsageError(f"{name} is {count}", "choose a whole number from 1")
    if minutes is not None and not minutes > 0:
        raise UsageError(f"minutes is {minutes}", "choose a number above 0")
    where = tune_folds(data, recipe.horizon, folds)
    wanted = space_around(recipe, cells, reports=has_reports(where, recipe), wanted=space)
    usable, store = usable_space(where, wanted), FoldStore(keep / "folds")
    store.check()
    found = search(where, usable, keep / "tune", trials=trials, minutes=minutes, jobs=jobs, watch=watch)
    return TuneResult(found, survival(found, store, seeds=seeds, jobs=jobs), data)
