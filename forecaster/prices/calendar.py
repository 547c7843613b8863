"""The sessions of the New York Stock Exchange, 1990 to 2060, without a heavy import.

The exceptions stand in resources/nyse-calendar.csv. Outside those years every weekday counts as a
session.
"""

from datetime import UTC, datetime
from functools import cache, lru_cache
from importlib import resources
from zoneinfo import ZoneInfo

import numpy as np
from numpy.typing import NDArray

Days = NDArray[np.datetime64]

NEW_YORK = ZoneInfo("America/New_York")
FIRST_KNOWN_DAY = np.datetime64("1990-01-01", "D")
REGULAR_CLOSE = "16:00"


def is_session(dates: Days) -> NDArray[np.bool_]:
    """Whether the exchange opens on each of `dates`, as an array of the same shape."""
    return np.asarray(np.is_busday(np.asarray(dates, "datetime64[D]"), busdaycal=_calendar()))


@lru_cache(256)
def sessions_between(first: np.datetime64, last: np.datetime64) -> Days:
    """The sessions from `first` to `last`, both included if they are sessions themselves; read only.

    Many tickers span the same days, so the latest answers are kept.
    """
    days: Days = np.arange(first, max(first, last + 1), dtype="datetime64[D]")
    days = days[is_session(days)]
    days.flags.writeable = False
    return days


def next_sessions(after: np.datetime64, count: int) -> Days:
    """The `count` sessions that follow `after`, which is not one of them.

    Example: next_sessions(2022-12-28, 3) is 2022-12-29, 2022-12-30, 2023-01-03.
    """
    # The last session up to `after` is step 0, so that a weekend or a holiday needs no special case.
    steps = np.arange(1, count + 1)
    days: Days = np.busday_offset(np.asarray(after), steps, roll="preceding", busdaycal=_calendar())
    return days


def session_count(after: np.datetime64, through: np.datetime64) -> int:
    """How many sessions lie in (after, through]; negative where `through` comes first."""
    if through < after:
        return -session_count(through, after)
    return int(np.busday_count(after + 1, through + 1, busdaycal=_calendar()))


def closing_time(session: np.datetime64) -> datetime:
    """When a session ends, in UTC: 16:00 New York time, or earlier on the eve of some holidays."""
    clock = _exceptions()[1].get(str(session), REGULAR_CLOSE)
    return datetime.fromisoformat(f"{session}T{clock}").replace(tzinfo=NEW_YORK).astimezone(UTC)


def last_closed_session(now: datetime) -> np.datetime64:
    """The latest session that has ended by `now` (aware, any zone)."""
    today = new_york_date(now)
    recent = sessions_between(today - 14, today)  # the longest closure since 1933 was 6 days
    closed: np.datetime64 = recent[-1] if closing_time(recent[-1]) <= now else recent[-2]
    return closed


def new_york_date(now: datetime) -> np.datetime64:
    """The date in New York at `now` (aware, any zone)."""
    return np.datetime64(now.astimezone(NEW_YORK).date(), "D")


@cache
def _calendar() -> np.busdaycalendar:
    return np.busdaycalendar(holidays=_exceptions()[0])


@cache
def _exceptions() -> tuple[Days, dict[str, str]]:
    """The weekdays without a session, and the closing times of those that end early."""
    file = resources.files(__package__) / "resources" / "nyse-calendar.csv"
    rows = [line.split(",") for line in file.read_text(encoding="utf-8").split()[1:]]
    closed = [row[0] for row in rows if row[1] == "closed"]
    early = {row[0]: row[2] for row in rows if row[1] == "early"}
    return np.array(closed, "datetime64[D]"), early
