"""One line of the audit's checklist, and where a changed future moved something before it."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from forecaster.dataset.panel import Days
from forecaster.errors import name_some

PASSED, FAILED, NOT_CHECKED = "passed", "failed", "not checked"

TITLES = {
    "features": "features are causal",
    "scaler": "the scale of features and targets is causal",
    "market": "the market series is causal",
    "earnings": "earnings dates are known when they were announced",
    "membership": "membership is that of the day",
    "forecasts": "another future moves no forecast before it",
    "purge": "the purge is wide enough",
    "test-days": "test days choose nothing",
    "shuffled": "shuffled targets show no skill",
    "random-walk": "a random-walk twin shows no skill",
    "restated": "prices are those that models were trained on",
}
"""What holds where a check has passed, by its name, in the order of the list."""


@dataclass(frozen=True)
class Check:
    """What one check found.

    Attributes:
        check: its name, of TITLES.
        state: passed, failed, or not checked where it does not apply.
        found: the finding, or why it was not checked, in a sentence or two.
        figures: what the sentence rests on.
    """

    check: str
    state: str
    found: str
    figures: Mapping[str, Any] = field(default_factory=dict)

    @property
    def title(self) -> str:
        """What holds if it has passed."""
        return TITLES[self.check]


def not_checked(check: str, why: str) -> Check:
    """A check that does not apply."""
    return Check(check, NOT_CHECKED, why)


@dataclass(frozen=True)
class Leak:
    """Something of a day that moved when only later inputs were changed.

    Attributes:
        what: its name.
        ticker: whose; empty for the market's.
        day: the earliest one that moved.
        cut: the last day whose inputs were left as they are.
        sessions: how far ahead it sees at least, from `day` to the first session that was changed.
    """

    what: str
    ticker: str
    day: np.datetime64
    cut: np.datetime64
    sessions: int

    @property
    def described(self) -> dict[str, Any]:
        """As JSON documents hold it."""
        return {
            "what": self.what,
            "ticker": self.ticker,
            "day": str(self.day),
            "cut": str(self.cut),
            "sessions_ahead": self.sessions,
        }


def find_leak(
    what: str,
    before: NDArray[Any] | None,
    after: NDArray[Any] | None,
    dates: Days,
    cut: int,
    tickers: Sequence[str],
) -> Leak | None:
    """The earliest day up to `cut` on which two arrays differ in a bit; None if they are alike up to there.

    Args:
        what: the name of what they hold.
        before: (N, D), or (D,) of the market, from the inputs as they are.
        after: the same from inputs that are others after day number `cut`; it may have more or fewer days.
        dates: (D,) days of `before`.
        cut: a day number.
        tickers: N symbols.
    """
    if before is None or after is None:
        if before is None and after is None:
            return None
        return Leak(what, "", dates[0], dates[cut], cut + 1)
    days = slice(0, cut + 1)
    old, new = np.atleast_2d(before[..., days]), np.atleast_2d(after[..., days])
    if old.shape != new.shape:
        return Leak(what, "", dates[0], dates[cut], cut + 1)
    moved = (old != new) & ~((old != old) & (new != new))  # noqa: PLR0124  (only NaN differs from itself)
    if not moved.any():
        return None
    day = int(moved.any(0).argmax())
    ticker = "" if before.ndim == 1 else tickers[int(moved[:, day].argmax())]
    return Leak(what, ticker, dates[day], dates[cut], cut + 1 - day)


def verdict_of(
    check: str, leaks: Sequence[Leak], changed: str, fine: str, figures: Mapping[str, Any]
) -> Check:
    """The check that no leak was found, or how far the worst one sees.

    Args:
        check: its name.
        leaks: all that were found.
        changed: what was changed after a cut, like "prices"; a plural.
        fine: what is said where nothing moved.
        figures: further ones.
    """
    if not leaks:
        return Check(check, PASSED, fine, {**figures, "leaks": []})
    worst = max(leaks, key=lambda leak: leak.sessions)
    others = list(dict.fromkeys(leak.what for leak in leaks if leak.what != worst.what))
    whose = f" of {worst.ticker}" if worst.ticker else ""
    found = (
        f"{worst.what}{whose} on {worst.day} changes when {changed} after {worst.cut} do: it sees at least "
        f"{sessions_in_words(worst.sessions)} ahead"
    )
    if others:
        found += f"; so do {name_some(others)}"
    return Check(check, FAILED, found, {**figures, "leaks": [leak.described for leak in leaks]})


def sessions_in_words(count: int) -> str:
    """Like `1 session` or `2,000 sessions`."""
    return f"{count:,} session{'' if count == 1 else 's'}"
