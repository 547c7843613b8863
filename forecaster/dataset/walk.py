"""Walking forward through history: on which days a network is refitted, and on which days each is tested."""

import re
from dataclasses import dataclass
from datetime import date

import numpy as np
from numpy.typing import NDArray

from forecaster.dataset.split import SHORTEST_PART, Split
from forecaster.errors import BadInputError, UsageError

VALIDATION_DAYS = 252
"""Sessions before each refit that training is stopped on: a year, as in MODEL's split."""
VALIDATION_SHARE = 0.2
"""Of what lies before the refit, the most that may be validation."""
FIRST_SHARE = 0.5
"""Of all days, those that no forecast is made on unless `start` says otherwise."""

Days = NDArray[np.datetime64]

_PERIOD = re.compile(r"(?P<count>[1-9]\d{0,4})(?P<unit>[ymYM]?)")


@dataclass(frozen=True)
class Period:
    """How long a network stays in service: so many years, months, or sessions."""

    count: int
    unit: str


@dataclass(frozen=True)
class Fold:
    """One refit, and the days that it forecasts.

    Attributes:
        name: its first test day, ISO.
        split: origins of each part; those of the test part are the fold's alone.
    """

    name: str
    split: Split


@dataclass(frozen=True)
class Walk:
    """All folds, one after the other.

    Attributes:
        folds: in time.
        whole: the first fold's training and validation part, and the test days of all folds.
    """

    folds: tuple[Fold, ...]
    whole: Split


@dataclass(frozen=True)
class WalkRule:
    """What is asked for; days are ISO dates.

    Attributes:
        start: the first day that may be an origin of a test; the later half of the days without it.
        end: the last such day; the last one with an actual without it.
        refit_every: like 1Y, 6M, or 63 for sessions.
        train_years: years that a refit learns from, its validation part included; all before it without it.
    """

    start: str | None = None
    end: str | None = None
    refit_every: str = "1Y"
    train_years: float | None = None

    def folds(self, dates: Days, horizon: int) -> Walk:
        """The folds on these trading days.

        Args:
            dates: (D,) trading days.
            horizon: steps ahead: so many days are purged between two parts.

        Raises:
            UsageError: a day or a period is none, or lies outside the prices.
            BadInputError: there are too few days before the first fold, or in a part.
        """
        period = parse_period(self.refit_every)
        anchor = _start(dates, self.start)
        first, last = int(np.searchsorted(dates, anchor)), _last_day(dates, self.end)
        if last - first + 1 < SHORTEST_PART:
            raise UsageError(
                f"from {self.start or dates[first]} to {self.end or dates[last]} there are "
                f"{max(last - first + 1, 0)} days to forecast from",
                f"choose {SHORTEST_PART} or more, of {dates[0]} to {dates[-1]}",
            )
        begins = _refits(dates, anchor, last, period)
        ends = [*begins[1:], last + 1]
        folds = tuple(
            Fold(str(dates[begin]), self._split(dates, horizon, begin, end))
            for begin, end in zip(begins, ends, strict=True)
        )
        opening = folds[0].split
        return Walk(folds, Split(opening.train, opening.validation, range(first, last + 1)))

    def _split(self, dates: Days, horizon: int, begin: int, end: int) -> Split:
        """The parts of the fold that forecasts days `begin` up to but not `end`."""
        oldest = 0
        if self.train_years is not None:
            since = dates[begin] - np.timedelta64(round(365.25 * self.train_years), "D")
            oldest = int(np.searchsorted(dates, since))
        held_out = min(VALIDATION_DAYS, round(VALIDATION_SHARE * (begin - oldest)))
        stop = begin - held_out
        split = Split(
            train=range(oldest, max(stop - horizon, oldest)),
            validation=range(stop, max(begin - horizon, stop)),
            test=range(begin, end),
        )
        for name in ("train", "validation"):
            count = len(getattr(split, name))
            if count < SHORTEST_PART:
                raise BadInputError(
                    f"before the refit on {dates[begin]} the {name} part has {count} days, "
                    f"with {horizon} steps ahead",
                    f"it needs {SHORTEST_PART}: fetch more history, begin later (--from), or train on more "
                    "years (--train-years)",
                )
        return split


def parse_period(text: str) -> Period:
    """The period that `text` names: 1Y, 6M or, in sessions, 63.

    Raises:
        UsageError: it names none.
    """
    found = _PERIOD.fullmatch(text.strip())
    if found is None:
        raise UsageError(f"{text} is no period between refits", "write it like 1Y, 6M, or 63 for 63 sessions")
    return Period(int(found["count"]), found["unit"].upper())


def _refits(dates: Days, anchor: np.datetime64, last: int, period: Period) -> list[int]:
    """Day numbers of the refits: the first session of each period, counted from the day `anchor`.

    A last fold of hardly a day joins the one before it.
    """
    if period.unit:
        months = period.count * (12 if period.unit == "Y" else 1)
        days = _same_day_of_months(anchor, dates[last], months)
        begins = list(dict.fromkeys(np.searchsorted(dates, days).tolist()))
    else:
        begins = list(range(int(np.searchsorted(dates, anchor)), last + 1, period.count))
    if len(begins) > 1 and last + 1 - begins[-1] < SHORTEST_PART:
        begins.pop()
    return begins


def _same_day_of_months(anchor: np.datetime64, until: np.datetime64, months: int) -> Days:
    """The day `anchor`, and that day of every so many months after it; a short month's last day at most."""
    first = anchor.astype("M8[M]")
    each = np.arange(first, until.astype("M8[M]") + np.timedelta64(1, "M"), np.timedelta64(months, "M"))
    days = each.astype("M8[D]") + (anchor - first.astype("M8[D]"))
    days = np.minimum(days, (each + np.timedelta64(1, "M")).astype("M8[D]") - np.timedelta64(1, "D"))
    found: Days = days[days <= until]
    return found


def _start(dates: Days, text: str | None) -> np.datetime64:
    """The day from which periods are counted."""
    if text is None:
        day: np.datetime64 = dates[round(FIRST_SHARE * len(dates))]
        return day
    return _parsed(dates, text, "--from")


def _last_day(dates: Days, text: str | None) -> int:
    """The last day of the walk; the very last day of the prices has no actual."""
    if text is None:
        return len(dates) - 2
    return min(int(np.searchsorted(dates, _parsed(dates, text, "--to"), "right")) - 1, len(dates) - 2)


def _parsed(dates: Days, text: str, flag: str) -> np.datetime64:
    try:
        day = np.datetime64(date.fromisoformat(text), "D")
    except ValueError:
        raise UsageError(f"{flag} {text} is not a date", "write it like 2010-01-04") from None
    if not dates[0] <= day <= dates[-1]:
        raise UsageError(
            f"{flag} {text} is outside the prices, {dates[0]} to {dates[-1]}", "choose a day between them"
        )
    return day
