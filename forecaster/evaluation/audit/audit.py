"""The whole audit: every check on one subject, in the order of the list."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from time import perf_counter

from forecaster.dataset.split import split_dates
from forecaster.dataset.training_set import SplitRule, TrainingSet, split_by
from forecaster.evaluation.audit.causality import (
    Futures,
    change_futures,
    check_earnings,
    check_features,
    check_forecasts,
    check_market,
    check_membership,
    check_scaler,
)
from forecaster.evaluation.audit.chance import check_random_walk, check_shuffled
from forecaster.evaluation.audit.checks import FAILED, NOT_CHECKED, TITLES, Check
from forecaster.evaluation.audit.choosing import check_purge, check_test_days
from forecaster.evaluation.audit.restated import Models, check_restated
from forecaster.evaluation.audit.subject import (
    Subject,
    random_walk_twin,
    shuffled,
    with_other_future,
)
from forecaster.evaluation.audit.training import Report, small_recipe, train_small, training_subject
from forecaster.evaluation.experiment import TrainResult
from forecaster.network.fitting import Progress
from forecaster.processes import interrupted_between_batches
from forecaster.settings import LINEAR, Recipe

MOST_TICKERS = 100
"""Whose futures are changed; of more, so many evenly from first to last."""


@dataclass(frozen=True)
class Audit:
    """What the audit found.

    Attributes:
        checks: in the order of TITLES.
        cuts: the days after which inputs were changed.
        tickers: whose futures were changed.
        trained_tickers: that the small networks were trained on.
        recipe: of the small networks.
        split: the last days of the parts.
        seconds: it took.
    """

    checks: tuple[Check, ...]
    cuts: tuple[str, ...]
    tickers: tuple[str, ...]
    trained_tickers: tuple[str, ...]
    recipe: Recipe
    split: Mapping[str, str]
    seconds: float

    @property
    def failed(self) -> tuple[Check, ...]:
        """The checks that failed."""
        return tuple(check for check in self.checks if check.state == FAILED)

    @property
    def passed(self) -> bool:
        """Whether none failed."""
        return not self.failed

    @property
    def text(self) -> str:
        """The result in a sentence."""
        left = sum(check.state == NOT_CHECKED for check in self.checks)
        done, rest = len(self.checks) - left, f"; not checked: {left}" if left else ""
        if self.passed:
            return f"All {done} checks passed{rest}. No look-ahead was found on these prices and settings."
        return (
            f"{len(self.failed)} of {done} checks failed{rest}. Results on these prices and settings may "
            "know the future: do not trust them until all checks pass."
        )


@dataclass(frozen=True)
class _Trainer:
    """Trains the small networks, and tells how far each is."""

    recipe: Recipe
    split_rule: SplitRule
    report: Report

    def __call__(self, label: str, subject: Subject) -> tuple[TrainingSet, TrainResult]:
        """Train on a subject; Ctrl-C is held back to the next batch, as what an engine does may drop it."""
        if self.recipe.cell == LINEAR:
            return train_small(subject, self.recipe, self.split_rule, lambda _: None)
        with interrupted_between_batches() as raise_if_interrupted:

            def told(progress: Progress) -> None:
                raise_if_interrupted()
                self.report(label, progress)

            return train_small(subject, self.recipe, self.split_rule, told)


def audit(
    subject: Subject,
    recipe: Recipe,
    models: Models | None = None,
    report: Report = lambda *_: None,
    stage: Callable[[str], None] = lambda _: None,
) -> Audit:
    """Check that nothing sees ahead.

    Args:
        subject: the inputs of the training set.
        recipe: of the networks; the small ones read what it reads, of the same days.
        models: in service, whose prices are compared; None without a registry.
        report: called with the name of a training and its progress.
        stage: called with what is done next.

    Raises:
        UsageError: the split dates do not fit the prices.
        BadInputError: the prices are too few.
        ForecastError: a loss became NaN.
    """
    began = perf_counter()
    subject, split_rule = subject.limited(MOST_TICKERS), split_by(recipe)
    stage("changing the future after some days, and building everything anew")
    futures = change_futures(subject, recipe, split_rule)
    causal = (check_features, check_scaler, check_market, check_earnings, check_membership)
    checks = [*(check(futures) for check in causal), check_restated(models)]
    trained = training_subject(subject)
    small = small_recipe(recipe, len(trained.inputs.tables), len(futures.split.train))
    stage("training small networks where nothing can be known")
    checks += _trained(futures, trained, _Trainer(small, split_rule, report))
    order = list(TITLES)
    return Audit(
        checks=tuple(sorted(checks, key=lambda check: order.index(check.check))),
        cuts=tuple(str(futures.past.panel.dates[cut]) for cut in futures.others),
        tickers=futures.past.panel.tickers,
        trained_tickers=tuple(table.ticker for table in trained.inputs.tables),
        recipe=small,
        split=split_dates(futures.past.panel.dates, futures.split),
        seconds=perf_counter() - began,
    )


def _trained(futures: Futures, subject: Subject, train: _Trainer) -> list[Check]:
    """The checks that train networks: one on the prices as they are, four on others."""
    data, as_is = train("as it is", subject)
    dates, split = data.panel.dates, data.split
    later = with_other_future(subject, dates[split.validation.start - 1], ends=False)
    _, on_later = train("other validation days", later)
    latest = with_other_future(subject, dates[split.test.start - 1], ends=False)
    _, on_latest = train("other test days", latest)
    seed = train.recipe.seed
    dealt, on_dealt = train("shuffled", shuffled(subject, seed))
    twin = random_walk_twin(subject, seed)
    walked, on_walked = train("random walk", twin.subject)
    return [
        check_forecasts(futures, as_is.trained.network),
        check_purge(futures, as_is, on_later),
        check_test_days(split, dates, as_is, on_latest),
        check_shuffled(dealt, on_dealt),
        check_random_walk(walked, on_walked, twin.deviations),
    ]
