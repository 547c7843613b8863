"""What a network sees of reports: those ahead as far as they are known, and how prices moved on past ones."""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from forecaster.dataset.panel import Days, LatestDays, Panel
from forecaster.dataset.reactions import (
    ANNOUNCED,
    LIKELY,
    coming_announcements,
    coming_reactions,
    lay_out,
    reaction_days,
    read_habit,
)
from forecaster.dataset.volatility import exponential_mean
from forecaster.prices.calendar import next_sessions
from forecaster.prices.earnings.clock import calendar_of

Float32 = NDArray[np.float32]

WITHIN, SIZED = "reports_within_", "reaction_within_"
NEXT_DAY, REACTED, REACTED_BEFORE = "report_next_day", "reacted", "reacted_day_before"
USUAL_REACTION, DATES_KNOWN = "usual_reaction", "dates_known"
_SPANS = (1, 2, 3, 4, 5, 10, 21, 42, 63)
"""In sessions; beyond a quarter every company reports, and the number says nothing."""
SPREAD = 2
"""Sessions to both sides of a projected day that are likely too."""
_SIZE_DECAY = 0.8  # of a report relative to the next one
_SIZE_SHIFT = 0.7  # about the log of a usual reaction in volatilities
_SMALLEST = 0.01
_UNIT = np.float32(4.0)
_KNOWN_FOR = 100  # sessions after a report in which the next one comes


_OTHERS = (NEXT_DAY, REACTED, REACTED_BEFORE, USUAL_REACTION, DATES_KNOWN)
REPORT_FEATURES = frozenset(
    (*(f"{kind}{span}" for kind in (WITHIN, SIZED) for span in range(1, _SPANS[-1] + 1)), *_OTHERS)
)
"""Of all horizons."""


def report_features(horizon: int) -> tuple[str, ...]:
    """The names of all of them for a network that forecasts `horizon` days.

    Up to five days ahead each has numbers of its own: how many reactions to reports are expected by then,
    and that number times the ticker's usual reaction.
    """
    spans = [span for span in _SPANS if span < horizon]
    spans.append(min(horizon, _SPANS[-1]))
    unlike = tuple(dict.fromkeys(spans))
    within, sized = ([f"{kind}{span}" for span in unlike] for kind in (WITHIN, SIZED))
    return (*within, *sized, *_OTHERS)


def is_report_feature(name: str) -> bool:
    """Whether a feature is one of `report_features`, of any horizon."""
    return name in REPORT_FEATURES


def compute_report_features(
    panel: Panel | LatestDays, names: Sequence[str], sigma: Float32
) -> dict[str, Float32]:
    """The named ones by name, (N, D) each; all are zero where no dates are known.

    A day's values rest on what was known at its close: announced dates, and for a quarter without one
    last year's, spread over five sessions.

    Args:
        panel: prices with the reports of its tickers.
        names: of `report_features`.
        sigma: (N, D) the volatility known at each day's close.
    """
    if panel.reports is None or not len(panel.reports):
        return {name: np.zeros(panel.shape, np.float32) for name in names}
    spans = {
        int(name.removeprefix(kind)) for kind in (WITHIN, SIZED) for name in names if name.startswith(kind)
    }
    longest = max(spans, default=1)
    as_of = panel.as_of if isinstance(panel, LatestDays) else None
    laid = lay_out(panel.reports, panel.tickers, panel.dates, _coming(panel, longest + SPREAD), as_of)
    habit = read_habit(laid, panel.log_return, sigma)
    reacted = reaction_days(laid, habit)
    found: dict[str, Float32] = {}
    found[USUAL_REACTION] = _usual_reaction(panel.log_return, sigma, reacted)
    if spans:
        codes = coming_reactions(laid, habit, longest, SPREAD)
        expected, done = np.zeros(panel.shape, np.float32), 0
        for span in sorted(spans):
            for ahead in range(done, span):
                expected = expected + _chance(codes[..., ahead])
            found[f"{WITHIN}{span}"], done = expected, span
            found[f"{SIZED}{span}"] = expected * found[USUAL_REACTION]
    if NEXT_DAY in names:
        found[NEXT_DAY] = _chance(coming_announcements(laid, 1, SPREAD)[..., 0])
    found[REACTED] = _UNIT * reacted
    found[REACTED_BEFORE] = np.roll(found[REACTED], 1, axis=1)
    found[REACTED_BEFORE][:, 0] = 0
    found[DATES_KNOWN] = _recent(reacted).astype(np.float32)
    return {name: found[name] for name in names}


def _chance(codes: NDArray[np.int8]) -> Float32:
    """How many reports are expected on a day, in quarters: one announced is 4, one projected a share of it.

    So that what is seldom there varies as much as the other inputs, and is learned as soon.
    """
    chance = np.where(codes == LIKELY, np.float32(1 / (2 * SPREAD + 1)), codes == ANNOUNCED)
    return (_UNIT * chance).astype(np.float32)


def _usual_reaction(log_return: Float32, sigma: Float32, reacted: NDArray[np.bool_]) -> Float32:
    """Log of the usual move on reaction days in volatilities of the day before; zero before the first."""
    before = np.roll(sigma, 1, axis=1)
    before[:, 0] = np.nan
    with np.errstate(invalid="ignore", divide="ignore"):
        size = np.log(np.abs(log_return) / before + _SMALLEST) - _SIZE_SHIFT
    usual = exponential_mean(np.where(reacted, size, np.nan).astype(np.float32), _SIZE_DECAY)
    return np.nan_to_num(usual, nan=0.0).astype(np.float32)


def _recent(reacted: NDArray[np.bool_]) -> NDArray[np.bool_]:
    """Whether a report came so lately that the next one is due."""
    day = np.arange(reacted.shape[1])
    last = np.maximum.accumulate(np.where(reacted, day, -_KNOWN_FOR - 1), axis=1)
    recent: NDArray[np.bool_] = day - last <= _KNOWN_FOR
    return recent


def _coming(panel: Panel | LatestDays, count: int) -> Days:
    """The sessions after the last day, (count,), or (N, count) where each ticker has days of its own."""
    if isinstance(panel, Panel):
        return next_sessions(panel.dates[-1], count, calendar_of(panel.tickers[0]))
    return coming_sessions(panel, count)


def coming_sessions(latest: LatestDays, count: int) -> Days:
    """(N, count) the sessions that follow each ticker's last day, on its exchange."""
    return np.stack(
        [
            next_sessions(days[-1], count, calendar)
            for days, calendar in zip(latest.dates, latest.calendars, strict=True)
        ]
    )
