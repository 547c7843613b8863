"""The days on which prices react to a report, as far as they were known at each origin.

The reaction day is the first session whose close comes after the announcement: the same session where that
comes before the open or during the session, the next one where it comes after the close or on a day without
a session. Where the time of day is unknown the ticker's habit tells: of its reports whose time is known when
that was, of the others on which of the two days the price moved more.

An origin sees of the future what was known on its day and no more, see `EarningsTable.known_from`: the dates
that were announced, and where none was, last year's of the same quarter plus 364 days, as projected.

    found = reports(EarningsStore(home).read().table)
    laid = lay_out(found, panel.tickers, panel.dates, next_sessions(panel.dates[-1], horizon))
    habit = read_habit(laid, panel.log_return, features.volatility)
    coming = coming_reactions(laid, habit, horizon)          # (N, D, H): none, projected or announced
    past = reaction_days(laid, habit)                        # (N, D)
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from forecaster.dataset.panel import Days
from forecaster.dataset.volatility import LEAST
from forecaster.prices.earnings.projection import YEAR_DAYS
from forecaster.prices.earnings.table import AFTER, HALF_QUARTER, PROJECTED, UNKNOWN, EarningsTable

Codes = NDArray[np.int8]
Places = NDArray[np.int64]
Float32 = NDArray[np.float32]

NONE, LIKELY, ANNOUNCED = 0, 1, 2
"""What is known of a day ahead: nothing, a report is projected for it, one is announced."""
HABIT_DECAY = 0.9
"""Weight of a report relative to the next one: with it 93.0 % of known times are told from prices, more than
with any of 0.7, 0.8, 0.85, 0.95 and 1 (`benchmarks/reactions_bench.py`)."""
MOST_EVIDENCE = 4.0
"""In daily volatilities; so much counts a report whose time is known."""
_APART = 1_000_000  # so far apart do tickers lie on one line of days, or of places
_NO_SESSION = -_APART // 4
_SIDES: tuple[Literal["left", "right"], ...] = ("left", "right")


@dataclass(frozen=True)
class ReportDays:
    """E announcements on the sessions of N tickers: D days up to the last origin, and the H that follow.

    Attributes:
        shape: (N, D).
        sessions: (D + H,) the sessions, in days since 1970, or (N, D + H) of each ticker's own.
        ticker: (E,) whose, a place among the N.
        date: (E,) the day, since 1970.
        here: (E,) place of that day's session, or of the first after it; -1 before all, D + H beyond them.
        after: (E,) place of the first session after that day; as `here` where it has no session itself.
        when: (E,) 1 after the close, -1 earlier, 0 unknown.
        known: (E,) place of the first origin that knows of it; D for none.
        until: (E,) place of the first origin that knows better; D for none.
        announced: (E,) whether the date is more than an estimate.
    """

    shape: tuple[int, int]
    sessions: Places
    ticker: Places
    date: Places
    here: Places
    after: Places
    when: Places
    known: Places
    until: Places
    announced: NDArray[np.bool_]

    def take(self, events: NDArray[np.bool_] | NDArray[np.intp]) -> "ReportDays":
        """Some of the announcements."""
        names = ("ticker", "date", "here", "after", "when", "known", "until", "announced")
        return replace(self, **{name: getattr(self, name)[events] for name in names})


def lay_out(
    found: EarningsTable,
    tickers: Sequence[str],
    dates: Days,
    coming: Days,
    as_of: np.datetime64 | None = None,
) -> ReportDays:
    """Lay announcements on the sessions of a panel.

    Args:
        found: as `reports` gives them, those that were withdrawn among them.
        tickers: N symbols.
        dates: (D,) sessions that may be origins, or (N, D) of each ticker's own, NaT before the first.
        coming: (H,) or (N, H) sessions that follow.
        as_of: the day on which the last origin's forecast is made: it knows what was known then, as what
            was announced on the weekend. The last origin's own day without it.
    """
    order = np.argsort(np.array(tickers, str))
    names = np.array(tickers, str)[order]
    place = np.minimum(np.searchsorted(names, found.ticker), len(names) - 1)
    there = names[place] == found.ticker
    found, row = found.take(there), order[place[there]].astype(np.int64)
    origins = _lines(dates)
    sessions = np.concatenate([origins, _lines(coming)], axis=-1)
    days = found.date.astype(np.int64)
    known, until = (
        _first_origin(origins, row, moments, as_of) for moments in (found.known_from, found.withdrawn)
    )
    here, after = _on_sessions(sessions, row, days)
    return ReportDays(
        shape=(len(tickers), origins.shape[-1]),
        sessions=sessions,
        ticker=row,
        date=days,
        here=here,
        after=after,
        when=np.where(found.when == UNKNOWN, 0, np.where(found.when == AFTER, 1, -1)),
        known=known,
        until=until,
        announced=found.status != PROJECTED,
    )


@dataclass(frozen=True)
class Habit:
    """Whether a ticker reports after the close, as it could be told at each day's close.

    Attributes:
        line: (K,) ticker and place of the days on which something was learned, on one line, increasing.
        score: (K,) positive for after the close, from then on.
    """

    line: Places
    score: NDArray[np.float64]

    def reports_after_close(self, ticker: Places, origin: Places) -> NDArray[np.bool_]:
        """(E,) for each ticker and origin; after the close where nothing was learned yet.

        By the next close the news is out in any case.
        """
        if not len(self.line):
            return np.ones(len(ticker), bool)
        last = np.searchsorted(self.line, ticker * _APART + origin, "right") - 1
        mine = (last >= 0) & (self.line[last] // _APART == ticker)
        late: NDArray[np.bool_] = ~mine | (self.score[last] > 0)
        return late


def read_habit(laid: ReportDays, log_return: Float32, sigma: Float32) -> Habit:
    """Tell each ticker's habit from its past reports.

    A report counts from the close of the later of its two days on: as its known time, or as the difference
    between the moves of both, in volatilities of the day before.

    Args:
        laid: the announcements.
        log_return: (N, D) daily log returns, NaN where unknown.
        sigma: (N, D) the volatility known at each day's close.
    """
    learned = np.maximum(np.maximum(laid.after, laid.known), 0)
    used = (learned < laid.shape[1]) & (laid.until > learned)
    used &= (laid.when != 0) | ((laid.here > 0) & (laid.after > laid.here))
    laid, learned = laid.take(used), learned[used]
    here, after = np.maximum(laid.here, 1), np.maximum(laid.after, 0)
    moves = np.abs(log_return[laid.ticker, after]) - np.abs(log_return[laid.ticker, here])
    scale = np.maximum(sigma[laid.ticker, here - 1], LEAST)
    evidence = np.clip(moves / scale, -MOST_EVIDENCE, MOST_EVIDENCE).astype(np.float64)
    evidence = np.where(laid.when == 0, evidence, MOST_EVIDENCE * laid.when)
    line = laid.ticker * _APART + learned
    order = np.lexsort((laid.date, line))
    order = order[np.isfinite(evidence[order])]
    line, score = line[order], evidence[order]
    same = line[1:] // _APART == line[:-1] // _APART
    for place in np.flatnonzero(same).tolist():
        score[place + 1] += HABIT_DECAY * score[place]
    return Habit(line, score)


def coming_reactions(laid: ReportDays, habit: Habit, horizon: int, spread: int = 0) -> Codes:
    """What each origin knows of the reaction days ahead of it.

    Args:
        laid: the announcements, with at least `horizon` + `spread` sessions after the last origin: what lies
            beyond the last session seems to be on the next one, and must not be in sight.
        habit: as `read_habit` tells it.
        horizon: H.
        spread: how many sessions to both sides of a projected day are likely too.

    Returns:
        (N, D, H) NONE, LIKELY or ANNOUNCED; [n, t, h - 1] is of the session t + h. Only what was known at t
        decides on it.
    """
    codes = np.zeros((*laid.shape, horizon), np.int8)
    likely = _projections(laid)
    near, counts = _near(likely, laid)
    for ahead in range(1 - spread, horizon + spread + 1):
        first, last = max(1, ahead - spread), min(horizon, ahead + spread)
        for late in (False, True):
            origin = (likely.after if late else likely.here) - ahead
            fits = _fits(likely, habit, origin, late=late)
            fits &= (likely.known <= origin) & (origin < likely.until)
            pairs, at = near[np.repeat(fits, counts)], np.repeat(origin[fits], counts[fits])
            seen = (laid.known[pairs] <= at) & (at < laid.until[pairs])
            whose = np.repeat(np.arange(int(fits.sum())), counts[fits])
            free = np.flatnonzero(fits)[np.bincount(whose, seen, int(fits.sum())) == 0]
            codes[likely.ticker[free], origin[free], first - 1 : last] = LIKELY
    for code, sure in ((LIKELY, ~laid.announced), (ANNOUNCED, laid.announced)):
        chosen = laid.take(sure)
        for ahead in range(1, horizon + 1):
            for late in (False, True):
                origin = (chosen.after if late else chosen.here) - ahead
                fits = _fits(chosen, habit, origin, late=late)
                fits &= (chosen.known <= origin) & (origin < chosen.until)
                codes[chosen.ticker[fits], origin[fits], ahead - 1] = code
    return codes


def reaction_days(laid: ReportDays, habit: Habit) -> NDArray[np.bool_]:
    """(N, D) whether each day is a reaction day, as its own close knows it."""
    days = np.zeros(laid.shape, bool)
    by_habit = habit.reports_after_close(laid.ticker, np.minimum(laid.here, laid.shape[1] - 1))
    late = np.where(laid.when == 0, by_habit, laid.when > 0)
    _mark_days(days, laid, np.where(late, laid.after, laid.here))
    return days


def _mark_days(days: NDArray[np.bool_], laid: ReportDays, place: Places) -> None:
    there = (
        (place >= 0) & (place < laid.shape[1]) & (laid.known <= place) & (place < laid.until) & laid.announced
    )
    days[laid.ticker[there], place[there]] = True


def _fits(laid: ReportDays, habit: Habit, origin: Places, *, late: bool) -> NDArray[np.bool_]:
    """(E,) whether the later, or the earlier, of an event's two days is the one, as the origins know it."""
    possible = (origin >= 0) & (origin < laid.shape[1])
    unknown = np.flatnonzero(possible & (laid.when == 0))
    after = laid.when > 0
    after[unknown] = habit.reports_after_close(laid.ticker[unknown], origin[unknown])
    fits: NDArray[np.bool_] = possible & (after == late)
    return fits


def _projections(laid: ReportDays) -> ReportDays:
    """Each announcement a year later, moved to a session: known as long as the announcement is."""
    laid = laid.take(laid.announced)
    date = laid.date + YEAR_DAYS
    here, _ = _on_sessions(laid.sessions, laid.ticker, date)
    after = np.where(here < 0, here, here + 1)
    return replace(laid, date=date, here=here, after=after, announced=np.zeros(len(date), bool))


def _near(likely: ReportDays, laid: ReportDays) -> tuple[Places, Places]:
    """Which announcements lie within half a quarter of each projection.

    Returns:
        (P,) their places, those of one projection after the other's, and (E,) how many each has.
    """
    order = np.argsort(laid.ticker * _APART + laid.date, kind="stable")
    line = (laid.ticker * _APART + laid.date)[order]
    middle = likely.ticker * _APART + likely.date
    first = np.searchsorted(line, middle - HALF_QUARTER, "left")
    counts = np.searchsorted(line, middle + HALF_QUARTER, "right") - first
    starts = np.repeat(first - np.concatenate([[0], np.cumsum(counts)[:-1]]), counts)
    return order[np.arange(counts.sum()) + starts], counts


def _first_origin(origins: Places, row: Places, moments: Days, as_of: np.datetime64 | None) -> Places:
    """(E,) place of the first origin on whose day a moment has come; D where it has on none."""
    last = origins.shape[-1] - 1
    never = np.isnat(moments)
    place = _place(origins, row, np.where(never, 0, moments.astype(np.int64)), "left")
    if as_of is not None:
        place = np.where(moments <= as_of, np.minimum(place, last), place)
    return np.where(never, last + 1, place)


def _on_sessions(sessions: Places, row: Places, days: Places) -> tuple[Places, Places]:
    """(E,) the places of the first session on or after each day, and of the first after it; -1 before all."""
    first = np.where(sessions == _NO_SESSION, _APART, sessions).min(-1)
    early = days < (first if sessions.ndim == 1 else first[row])
    here, after = (_place(sessions, row, days, side) for side in _SIDES)
    return np.where(early, -1, here), np.where(early, -1, after)


def _lines(dates: Days) -> Places:
    """Days since 1970; _NO_SESSION where there is none."""
    days: Places = np.where(np.isnat(dates), _NO_SESSION, dates.astype("datetime64[D]").astype(np.int64))
    return days


def _place(sessions: Places, row: Places, days: Places, side: Literal["left", "right"]) -> Places:
    """(E,) where days belong among the sessions, those of their own row where each has its own."""
    if sessions.ndim == 1:
        place: Places = np.searchsorted(sessions, days, side).astype(np.int64)
        return place
    width = sessions.shape[1]
    line = (sessions + np.arange(len(sessions))[:, None] * _APART).ravel()
    own: Places = np.searchsorted(line, row * _APART + days, side).astype(np.int64) - row * width
    return own
