"""Walking forward through history with DataFrames in and out: `fc.backtest` and what it gives."""

import tempfile
from collections.abc import Sequence
from contextlib import ExitStack
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from forecaster.api import ComparisonResult, Model, cell_recipes_on, inputs_of
from forecaster.dataset.training_set import SplitRule, TrainingSet
from forecaster.dataset.walk import WalkRule
from forecaster.errors import UsageError
from forecaster.settings import CELLS, Recipe

if TYPE_CHECKING:
    import pandas as pd

    from forecaster.evaluation.backtest import Backtest, Watch


@dataclass(frozen=True, repr=False)
class BacktestResult(ComparisonResult):
    """What `backtest` found: all that a comparison has, on the test days of all folds.

    Attributes:
        backtest: folds, scores and costs.
        data: what was walked through.
    """

    backtest: "Backtest"
    data: TrainingSet

    @property
    def document(self) -> dict[str, Any]:
        """All of it in plain values, as `backtest --json` prints it."""
        from forecaster.files import plain
        from forecaster.report.documents import backtest_document

        return dict(plain({"schema": "forecast.backtest/1", **backtest_document(self)}))

    @property
    def table(self) -> "pd.DataFrame":
        """A row for each model and scored step; training seconds are those of all folds and seeds."""
        frame = super().table
        costs = self.backtest.costs
        for name, own in costs.items():
            rows = frame["model"] == name
            frame.loc[rows, "parameters"] = own[0].parameters
            frame.loc[rows, "train_seconds"] = sum(cost.seconds for cost in own)
        return frame

    @property
    def folds(self) -> "pd.DataFrame":
        """A row for each refit: the first and last day of its training, validation and test origins."""
        import pandas as pd

        from forecaster.evaluation.backtest import described_folds

        return pd.DataFrame(described_folds(self.backtest))


def backtest(
    prices: "pd.DataFrame",
    cells: Sequence[str] = CELLS,
    recipe: Recipe | None = None,
    *,
    start: str | None = None,
    end: str | None = None,
    refit: str = "1Y",
    train_years: float | None = None,
    warm: bool = False,
    market: "pd.Series | None" = None,
    earnings: "pd.DataFrame | None" = None,
    match: str = "units",
    seeds: int = 1,
    baselines: Sequence[str] = (),
    jobs: int | None = None,
    keep: str | Path | None = None,
) -> BacktestResult:
    """Walk forward through history: refit every so often, and forecast the days until the next refit.

    Each refit has a validation part of its own before the days that it forecasts, with the days purged whose
    targets reach into the next part, and sees nothing later.

    Args:
        prices: as for `train`.
        cells: of rnn, lstm, gru and convlstm.
        recipe: what to train; its cell is replaced by each of `cells`, its split dates are not read.
        start: ISO day of the first forecast; the later half of the days without it.
        end: ISO day of the last forecast; the last day with an actual without it.
        refit: time between refits: years, months or sessions, like 1Y, 6M, 63.
        train_years: years that a refit learns from; all before it without it.
        warm: whether a refit goes on from the weights of the one before, for one epoch.
        market: as for `train`.
        earnings: as for `train`.
        match: `units` for equal units, `parameters` for about equal parameters.
        seeds: runs of each cell.
        baselines: further ones, as for `compare`; refitted in every fold too.
        jobs: trainings at once, each in a process of its own and on one thread, so that the result is the
            same however many there are; None for one after the other in this process.
        keep: a folder in which finished folds are kept: a walk that was stopped goes on from there.

    Raises:
        UsageError: a cell, a baseline, a day or a period is not known, or `match` is not.
        BadInputError: the prices are too few, or no row can be used.
        ForecastError: a loss became NaN.
    """
    chosen = without_split(recipe or Recipe())
    rule = WalkRule(start, end, refit, train_years)
    data = inputs_of(prices, market, earnings).build(whole_split(rule, chosen.horizon))
    with ExitStack() as stack:
        folder = Path(keep) if keep is not None else Path(stack.enter_context(tempfile.TemporaryDirectory()))
        return backtest_on(
            data,
            rule,
            cells,
            chosen,
            folder,
            match=match,
            seeds=seeds,
            baselines=baselines,
            warm=warm,
            jobs=jobs,
        )


def backtest_on(
    data: TrainingSet,
    rule: WalkRule,
    cells: Sequence[str],
    recipe: Recipe,
    keep: Path,
    *,
    match: str = "units",
    seeds: int = 1,
    baselines: Sequence[str] = (),
    warm: bool = False,
    jobs: int | None = None,
    model: Model | None = None,
    watch: "Watch" = lambda _: None,
) -> BacktestResult:
    """`backtest` on a training set.

    Args:
        data: prices; its split is that of `whole_split`.
        rule: the days, and how often to refit.
        cells: as for `backtest`; not looked at with a model.
        recipe: as for `backtest`; the model's with a model.
        keep: as for `backtest`.
        match: as for `backtest`.
        seeds: as for `backtest`.
        baselines: as for `backtest`.
        warm: as for `backtest`.
        jobs: as for `backtest`.
        model: what is tested as it is, in place of networks that are trained.
        watch: told of each fold that is done.

    Raises:
        UsageError, BadInputError, ForecastError: as `backtest`.
        DiskError: the folder cannot be written.
    """
    from forecaster.evaluation.backtest import walk_forward, walk_model
    from forecaster.evaluation.extra_baselines import chosen_baselines
    from forecaster.evaluation.fold_store import FoldStore
    from forecaster.evaluation.verdict import judge

    if (jobs is not None and jobs < 1) or seeds < 1:
        raise UsageError(f"jobs is {jobs} and seeds is {seeds}", "choose whole numbers from 1")
    walk, extra = rule.folds(data.panel.dates, recipe.horizon), chosen_baselines(baselines)
    store = FoldStore(keep)
    store.check()
    if model is not None:
        found = walk_model(data, walk, model.network, recipe, store, baselines=extra, jobs=jobs, watch=watch)
        recipes = [recipe]
    else:
        recipes = cell_recipes_on(data, cells, recipe, match)
        found = walk_forward(
            data, walk, recipes, store, seeds=seeds, baselines=extra, warm=warm, jobs=jobs, watch=watch
        )
    return BacktestResult(found.comparison, judge(found.comparison), tuple(recipes), match, found, data)


def whole_split(rule: WalkRule, horizon: int) -> SplitRule:
    """The split of a training set that is walked through: see `Walk.whole`."""
    return lambda dates: rule.folds(dates, horizon).whole


def without_split(recipe: Recipe) -> Recipe:
    """The recipe without the days of a split, which each fold has of its own."""
    return replace(recipe, train_end=None, validation_end=None)
