"""Whether the parts are apart: no target reaches into the next part, and test days choose nothing."""

from collections.abc import Sequence
from typing import Any

import numpy as np

from forecaster.dataset.split import Split
from forecaster.errors import BadInputError
from forecaster.evaluation.audit.causality import Futures, Past
from forecaster.evaluation.audit.checks import FAILED, PASSED, Check, sessions_in_words
from forecaster.evaluation.experiment import TrainResult
from forecaster.network.linear_training import training_rows
from forecaster.network.training import TrainedNetwork


def check_purge(futures: Futures, as_is: TrainResult, changed: TrainResult) -> Check:
    """Whether the parts follow one another with a horizon between them, so that no target reaches over.

    That is seen in the split, and in training: with other prices from the validation's first day on, inputs
    and targets of the training origins and a network's training losses must be the same, bit for bit.

    Args:
        futures: the prices, and the same with others after some days.
        as_is: trained on the prices as they are.
        changed: the same with other prices from the validation's first day on.
    """
    split, dates, horizon = futures.split, futures.past.panel.dates, futures.recipe.horizon
    gaps = {"train to validation": _gap(split.train, split.validation)}
    gaps["validation to test"] = _gap(split.validation, split.test)
    figures = {"horizon": horizon, "gaps": gaps}
    for (between, gap), after in zip(gaps.items(), (split.train, split.validation), strict=True):
        if gap < horizon:
            reach = sessions_in_words(horizon - gap)
            first = dates[max(after.stop - (horizon - gap), 0)]
            return Check(
                "purge",
                FAILED,
                f"{between}: {max(gap, 0)} sessions between the parts, and targets reach {horizon} ahead: "
                f"from origin {first} on they see up to {reach} of the next part",
                figures,
            )
    moved = _moved_rows(futures) or _moved_losses(as_is.trained, changed.trained)
    if moved:
        last = dates[futures.before_validation]
        return Check("purge", FAILED, f"{moved} when prices after {last}, where training ends, do", figures)
    apart = " and ".join(f"{gap} from {between}" for between, gap in gaps.items())
    found = (
        f"sessions between the parts: {apart}; {horizon} are needed. Training sees the same inputs, targets "
        "and losses with other prices in validation"
    )
    return Check("purge", PASSED, found, figures)


def _gap(part: range, following: range) -> int:
    """Days between the last origin of one part and the first of the next, which are origins of neither."""
    return following.start - part.stop


def _moved_rows(futures: Futures) -> str:
    """What changes in linear-t's training origins with prices from the validation's first day on, if any."""

    def rows(past: Past) -> Any:
        return training_rows(past.panel, past.features, futures.split.train, futures.recipe)

    try:
        before = rows(futures.past)
    except BadInputError:  # training says so in its own words
        return ""
    after = rows(futures.others[futures.before_validation])
    if len(before[0]) != len(after[0]):
        return f"the number of training origins, {len(before[0]):,}, changes"
    for name, old, new in zip(("inputs", "targets"), before, after, strict=True):
        moved = int(((old != new) & ~(np.isnan(old) & np.isnan(new))).any(1).sum())
        if moved:
            return f"{name} of {moved:,} of {len(old):,} training origins change"
    return ""


def _moved_losses(ours: TrainedNetwork, theirs: TrainedNetwork) -> str:
    """Which training loss differs first, of the epochs that both have: the last may depend on validation."""
    epoch = _first_other(ours.losses, theirs.losses)
    return f"the training loss of epoch {epoch} changes" if epoch else ""


def _first_other(ours: Sequence[float], theirs: Sequence[float]) -> int | None:
    """The first epoch, from 1, of which two losses differ."""
    pairs = zip(ours, theirs, strict=False)
    return next((number for number, (old, new) in enumerate(pairs, 1) if old != new), None)


def check_test_days(split: Split, dates: Any, as_is: TrainResult, changed: TrainResult) -> Check:
    """Whether a training, with all that it chose on the way, is the same with other prices on test days.

    Args:
        split: its parts.
        dates: (D,) the days.
        as_is: trained on the prices as they are.
        changed: the same with other prices from the first test day on.
    """
    first, last = dates[split.test.start], dates[split.test.start - 1]
    ours, theirs = as_is.trained, changed.trained
    figures: dict[str, Any] = {
        "test_start": str(first),
        "validation_losses": [list(ours.validation_losses), list(theirs.validation_losses)],
        "best_epochs": [ours.best_epoch, theirs.best_epoch],
        "weights_differ": _differing_weights(ours, theirs),
    }
    said = []
    for name in ("losses", "validation_losses"):
        epoch = _first_other(getattr(ours, name), getattr(theirs, name))
        if epoch is not None or len(getattr(ours, name)) != len(getattr(theirs, name)):
            which = "the validation loss, which decides when to stop," if name != "losses" else "the loss"
            said.append(f"{which} of epoch {epoch or 'another number'}")
    if figures["weights_differ"]:
        said.append("the weights that were kept")
    if said:
        found = (
            f"{' and '.join(said)} {'change' if len(said) > 1 else 'changes'} when prices after {last} do: "
            f"test days, from {first} on, are used in training or in choosing"
        )
        return Check("test-days", FAILED, found, figures)
    found = (
        "loss, validation loss, the chosen epoch and all weights are the same, bit for bit, with other "
        f"prices on every test day, from {first} on"
    )
    return Check("test-days", PASSED, found, figures)


def _differing_weights(ours: TrainedNetwork, theirs: TrainedNetwork) -> list[str]:
    return [
        name
        for name, array in ours.network.weights.items()
        if not np.array_equal(array, theirs.network.weights.get(name, np.zeros(0)))
    ]
