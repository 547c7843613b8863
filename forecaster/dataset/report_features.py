"""What a network sees of reports: those ahead as far as they are known, and how prices moved on past ones."""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from forecaster.dataset.panel import Days, LatestDays, Panel
from forecaster.dataset.reactions import (
    ANNOUNCED,
    LIKELY,
    coming_reactions,
    lay_out,
    reaction_days,
    read_habit,
)
from forecaster.dataset.volatility import exponential_mean, volatility
from forecaster.prices.calendar import next_sessions
from forecaster.prices.earnings.clock import calendar_of

Float32 = NDArray[np.float32]

WITHIN, SIZED = "reports_within_", "reaction_within_"
USUAL_REACTION, DATES_KNOWN = "usual_reaction", "dates_known"
_SPANS = (1, 2, 3, 4, 5, 10, 21, 42, 63)
"""In sessions; beyond a quarter every company reports, and the number says nothing."""
SPREAD = 2
"""Sessions to both sides of a projected day that are likely too."""
_SIZE_DECAY = 0.8  # of a report relative to the next one
_SIZE_SHIFT = 0.7  # about the log of a usual reaction in volatilities
_SMALLEST = 0.01
_UNIT = np.float32(4.0)
_MOST = 8.0
_KNOWN_FOR = 100  # sessions after a report in which the next one comes


_OTHERS = (USUAL_REACTION, DATES_KNOWN)
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


def fill_report_features(
    panel: Panel | LatestDays, names: Sequence[str], sigma: Float32, values: Float32
) -> None:
    """Fill in the named ones; all are zero where no dates are known.

    A day's values rest on what was known at its close: announced dates, and for a quarter without one
    last year's, spread over five sessions.

    Args:
        panel: prices with the reports of its tickers.
        names: F of `report_features`.
        sigma: (N, D) the volatility known at each day's close.
        values: (N, D, F) to be filled; as they are many, they are written where they belong.
    """
    values[...] = 0
    if panel.reports is None or not len(panel.reports):
        return
    place = {name: number for number, name in enumerate(names)}
    spans = sorted(_spans(names))
    longest = _longest(names)
    as_of = panel.as_of if isinstance(panel, LatestDays) else None
    laid = lay_out(panel.reports, panel.tickers, panel.dates, _coming(panel, longest + SPREAD), as_of)
    habit = read_habit(laid, panel.log_return, sigma)
    reacted = reaction_days(laid, habit)
    usual = _usual_reaction(panel.log_return, sigma, reacted)

    def fill(name: str, found: NDArray[np.floating] | NDArray[np.bool_]) -> None:
        if name in place:
            values[..., place[name]] = np.clip(found, -_MOST, _MOST)

    codes = coming_reactions(laid, habit, longest, SPREAD)
    expected, done = np.zeros(panel.shape, np.float32), 0
    for span in spans:
        for ahead in range(done, span):
            expected += _chance(codes[..., ahead])
        done = span
        fill(f"{WITHIN}{span}", expected)
        fill(f"{SIZED}{span}", expected * usual)
    fill(USUAL_REACTION, usual)
    fill(DATES_KNOWN, _recent(reacted))


def days_ahead_as_known(panel: Panel, days: int, names: Sequence[str]) -> bool:
    """Whether the named features of the panel's first days are those of a panel that ends with them.

    Where such a panel has a calendar's sessions after its last day, this one has days on which there were
    prices. They differ where an exchange closed or opened against its calendar, or has another one.
    """
    if panel.reports is None or not any(map(is_report_feature, names)):
        return True
    count = _longest(names) + SPREAD
    ahead = np.concatenate([panel.dates[days:], _coming(panel, count)])[:count]
    return np.array_equal(ahead, _coming(panel.first(days), count))


def _spans(names: Sequence[str]) -> set[int]:
    return {int(name.rpartition("_")[2]) for name in names if name.startswith((WITHIN, SIZED))}


def _longest(names: Sequence[str]) -> int:
    """How many sessions ahead the named features see."""
    return max(_spans(names), default=1)


def reacted_days(panel: Panel | LatestDays) -> NDArray[np.bool_] | None:
    """(N, D) on which days prices reacted to a report, as it turned out; None where no dates are known."""
    if panel.reports is None or not len(panel.reports):
        return None
    laid = lay_out(panel.reports, panel.tickers, panel.dates, _coming(panel, 1))
    return reaction_days(laid, read_habit(laid, panel.log_return, volatility(panel.log_return)))


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
    day = np.arange(reacted.shape[1], dtype=np.int32)
    last = np.maximum.accumulate(np.where(reacted, day, np.int32(-_KNOWN_FOR - 1)), axis=1)
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
