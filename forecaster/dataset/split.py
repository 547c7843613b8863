"""Train, purge, validation, purge, test: which days may be origins in which part."""

from dataclasses import dataclass
from datetime import date

import numpy as np
from numpy.typing import NDArray

from forecaster.errors import BadInputError, UsageError
from forecaster.settings import WrittenDate

TRAIN_SHARE = 0.75
VALIDATION_SHARE = 0.10
SHORTEST_PART = 20

Days = NDArray[np.datetime64]


@dataclass(frozen=True)
class Split:
    """Origins of each part, as ranges of day numbers.

    An origin is the day at whose close the forecast is made. The targets of a part end within it,
    and `horizon` days between one part's last origin and the next one's first belong to neither.
    """

    train: range
    validation: range
    test: range


def split_days(
    dates: Days, horizon: int, train_end: str | None = None, validation_end: str | None = None
) -> Split:
    """Split trading days in time; by default 75 %, 10 % and 15 % of them.

    Args:
        dates: (D,) trading days.
        horizon: steps ahead, in days.
        train_end: ISO date of the last day a training target may touch.
        validation_end: the same for validation.

    Raises:
        UsageError: a date is not one, or they are in the wrong order or outside the prices.
        BadInputError: a part has hardly a day.
    """
    days = len(dates)
    train_last = _last_day(dates, train_end, "train_end", round(TRAIN_SHARE * days) - 1)
    default = train_last + max(round(VALIDATION_SHARE * days), SHORTEST_PART + horizon)
    if validation_end is None and train_end is not None:
        # What is left after the training years is shared as the defaults share it.
        share = VALIDATION_SHARE / (1 - TRAIN_SHARE)
        default = train_last + round(share * (days - 1 - train_last))
    validation_last = _last_day(dates, validation_end, "validation_end", default)
    if validation_last <= train_last:
        raise UsageError(
            f"{_quoted('train_end', train_end or dates[train_last])} is not before "
            f"{_quoted('validation_end', validation_end or dates[validation_last])}",
            "choose both, in the order of time",
        )
    split = Split(
        train=range(max(train_last - horizon + 1, 0)),
        validation=range(train_last + 1, max(validation_last - horizon + 1, train_last + 1)),
        test=range(validation_last + 1, max(days - 1, validation_last + 1)),
    )
    _reject_short_parts(split, dates, horizon)
    return split


def split_dates(dates: Days, split: Split) -> dict[str, str]:
    """The last day that each part's targets touch, and the first day of the prices, as ISO text."""
    return {
        "train_start": str(dates[0]),
        "train_end": str(dates[split.validation.start - 1]),
        "validation_end": str(dates[split.test.start - 1]),
        "test_end": str(dates[-1]),
    }


def _quoted(name: str, day: object) -> str:
    """A date as a user wrote it, or with the setting's name where a caller or the default gave it."""
    return day.quote if isinstance(day, WrittenDate) else f"{name} {day}"


def _last_day(dates: Days, text: str | None, name: str, default: int) -> int:
    """Number of the last trading day on or before an ISO date."""
    if text is None:
        return default
    try:
        day = np.datetime64(date.fromisoformat(text), "D")
    except ValueError:
        raise UsageError(f"{_quoted(name, text)} is not a date", "write it like 2015-12-31") from None
    if not dates[0] <= day <= dates[-1]:
        raise UsageError(
            f"{_quoted(name, text)} is outside the prices, {dates[0]} to {dates[-1]}",
            "choose a day between them",
        )
    return int(np.searchsorted(dates, day, "right")) - 1


def _reject_short_parts(split: Split, dates: Days, horizon: int) -> None:
    for name in ("train", "validation", "test"):
        origins = len(getattr(split, name))
        if origins < SHORTEST_PART:
            raise BadInputError(
                f"the {name} part has {origins} days to forecast from, of {len(dates)} trading days "
                f"and with {horizon} steps ahead",
                f"it needs {SHORTEST_PART}: fetch more history, or move train_end and validation_end",
            )
