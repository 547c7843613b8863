"""How complete and how fresh the stored prices are, held against each exchange's calendar."""

from dataclasses import dataclass, field
from datetime import datetime

import numpy as np

from forecaster.errors import DiskError
from forecaster.prices.calendar import known_from, last_closed_session, session_count, sessions_between
from forecaster.prices.exchanges import XNYS
from forecaster.prices.soundness import odd_moves
from forecaster.prices.store import FILE_ERRORS, PriceStore
from forecaster.prices.table import COLUMNS, Days, PriceTable

RECENT_SESSIONS = 60


@dataclass(frozen=True)
class TickerHealth:
    """One ticker's span and gaps; `damage` says why its file cannot be used, and the rest is then empty.

    Attributes:
        ticker: its symbol.
        first: the first stored day.
        last: the last stored day.
        rows: stored bars.
        gaps: (H,) sessions between first and last without a bar.
        recent_gaps: how many of the last 60 sessions have no bar, up to the last stored day.
        age: sessions that have closed since `last`.
        calendar: of its exchange.
        currency: of its prices; empty where it is not known.
        source: where the newest prices came from.
        fetched_at: when, ISO in UTC.
        pending: sessions that were requested in vain and will be requested again.
        restatements: how often the source changed the past, so that all of it was fetched anew.
        restated: when and why it was so the last time.
        events: (day, dividend, split) of days whose bar has not come yet.
        odd: moves that cannot be right, with their days.
        damage: empty for a sound file.
        unreadable: whether the system does not let us read it; it may be sound then.
    """

    ticker: str
    first: str = ""
    last: str = ""
    rows: int = 0
    gaps: Days = field(default_factory=lambda: np.empty(0, "datetime64[D]"))
    recent_gaps: int = 0
    age: int = 0
    calendar: str = XNYS
    currency: str = ""
    source: str = ""
    fetched_at: str = ""
    pending: tuple[str, ...] = ()
    restatements: int = 0
    restated: str = ""
    events: tuple[tuple[str, float, float], ...] = ()
    odd: tuple[str, ...] = ()
    damage: str = ""
    unreadable: bool = False


def recent_sessions(day: np.datetime64, calendar: str) -> Days:
    """The last 60 sessions of a calendar through `day`."""
    return sessions_between(day - np.timedelta64(2 * RECENT_SESSIONS, "D"), day, calendar)[-RECENT_SESSIONS:]


def check_health(store: PriceStore, ticker: str, now: datetime, *, sound: bool = False) -> TickerHealth:
    """Span, gaps and age of a stored ticker at `now`.

    Args:
        store: prices.
        ticker: a symbol.
        now: the clock.
        sound: whether its prices are known to be sound (`market.sound_stocks`): its dates will do then.

    Raises:
        NotFoundError: there is no such ticker.
    """
    try:
        table, info = store.read_with_info(ticker, () if sound else COLUMNS)
    except FILE_ERRORS as error:
        return TickerHealth(ticker, damage=error.message, unreadable=isinstance(error, DiskError))
    first, last = table.dates[0], table.dates[-1]
    gaps = missing_sessions(table)
    recent = recent_sessions(last, table.calendar)
    return TickerHealth(
        ticker=ticker,
        first=str(first),
        last=str(last),
        rows=len(table),
        gaps=gaps,
        recent_gaps=int((gaps >= recent[0]).sum()) if len(recent) else 0,
        age=max(0, session_count(last, last_closed_session(now, table.calendar), table.calendar)),
        calendar=table.calendar,
        currency=table.currency,
        source=info.source,
        fetched_at=info.fetched_at,
        pending=tuple(sorted(info.fetch_state.pending)),
        restatements=info.fetch_state.restatements,
        restated=info.fetch_state.restated,
        odd=() if sound else tuple(f"{move.day}: {move.reason}" for move in odd_moves(table)),
        events=tuple((day, *event) for day, event in sorted(info.fetch_state.events.items())),
    )


def missing_sessions(table: PriceTable, now: datetime | None = None) -> Days:
    """The sessions without a bar from a table's first day to its last, or to the last that has closed."""
    calendar, last = table.calendar, table.dates[-1]
    if now is not None:
        last = max(last, last_closed_session(now, calendar))
    sessions = sessions_between(max(table.dates[0], known_from(calendar)), last, calendar)
    if len(sessions) == len(table) and bool((sessions == table.dates).all()):
        return sessions[:0]
    return np.setdiff1d(sessions, table.dates, assume_unique=True)
