"""The sessions of the world's exchanges, without a heavy import.

A calendar is named by its exchange's code, as XNYS or XLON, or is 24/7 or 24/5; `exchanges` tells which one a
ticker has. What is known of each stands in resources/calendars. Outside the years that are known every
weekday of the exchange counts as a session.
"""

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from functools import cache, lru_cache
from importlib import resources
from zoneinfo import ZoneInfo

import numpy as np
from numpy.typing import NDArray

from forecaster.errors import UsageError
from forecaster.prices.exchanges import EVERY_DAY, WEEKDAYS, XNYS

Days = NDArray[np.datetime64]

NEW_YORK = ZoneInfo("America/New_York")
# Bars of crypto and currencies end at midnight in UTC.
_PLAIN = {
    EVERY_DAY: "UTC 24:00 1111111 1900-01-01 2100-12-31",
    WEEKDAYS: "UTC 24:00 1111100 1900-01-01 2100-12-31",
}
# The longest closure that is known: Shanghai's and Riyadh's holidays last ten days, New York's in 1933 nine.
ONE_DAY = np.timedelta64(1, "D")
"""NumPy no longer takes a bare 1 for it."""
_LONGEST_CLOSURE = np.timedelta64(30, "D")
# Of exchanges with the same days the better known comes first.
_MAJOR = (XNYS, EVERY_DAY, WEEKDAYS, "XLON", "XETR", "XPAR", "XTSE", "XTKS", "XHKG", "XSHG", "XBOM", "XASX")
A_USUAL_DAY = np.datetime64("2024-07-01", "D")
"""On which every exchange closed at its regular time."""
_DAY_SECONDS = 86_400
_ENOUGH_DAYS = 40
_MOST_MISFITS = 0.01
_STRAY_WEIGHT = 5


@dataclass(frozen=True)
class _Rules:
    """What is known of a calendar: its clock and its days, and from when on they are known."""

    zone: ZoneInfo
    close: timedelta
    early: dict[str, timedelta]
    busdays: np.busdaycalendar
    week: tuple[bool, ...]
    first: np.datetime64


def calendar_names() -> list[str]:
    """The names of all calendars, sorted."""
    folder = resources.files(__package__) / "resources" / "calendars"
    codes = [entry.name.removesuffix(".txt") for entry in folder.iterdir() if entry.name.endswith(".txt")]
    return sorted([*codes, *_PLAIN])


def checked_calendar(name: str) -> str:
    """The name of a calendar as it is written here.

    Raises:
        UsageError: there is no such calendar.
    """
    for known in calendar_names():
        if name.strip().upper() == known:
            return known
    raise UsageError(
        f"there is no calendar {name[:20]!r}",
        "give the exchange's code, such as XNYS, XLON, XETR or XTKS, or 24/7 or 24/5",
    )


def zone_of(calendar: str = XNYS) -> ZoneInfo:
    """The exchange's time zone."""
    return _rules(calendar).zone


def known_from(calendar: str = XNYS) -> np.datetime64:
    """The first day of which it is known whether the exchange was open."""
    return _rules(calendar).first


def is_session(dates: Days, calendar: str = XNYS) -> NDArray[np.bool_]:
    """Whether the exchange opens on each of `dates`, as an array of the same shape."""
    return np.asarray(np.is_busday(np.asarray(dates, "datetime64[D]"), busdaycal=_rules(calendar).busdays))


def is_weekend(dates: Days, calendar: str = XNYS) -> NDArray[np.bool_]:
    """Whether each of `dates` is a day of the week without sessions, and none was held all the same."""
    rules = _rules(calendar)
    free = ~np.is_busday(np.asarray(dates, "datetime64[D]"), weekmask=rules.week)
    return np.asarray(free & ~is_session(dates, calendar))


@lru_cache(256)
def sessions_between(first: np.datetime64, last: np.datetime64, calendar: str = XNYS) -> Days:
    """The sessions from `first` to `last`, both included if they are sessions themselves; read only.

    Many tickers span the same days, so the latest answers are kept.
    """
    days: Days = np.arange(first, max(first, last + ONE_DAY), dtype="datetime64[D]")
    days = days[is_session(days, calendar)]
    days.flags.writeable = False
    return days


def next_sessions(after: np.datetime64, count: int, calendar: str = XNYS) -> Days:
    """The `count` sessions that follow `after`, which is not one of them.

    Example: next_sessions(2022-12-28, 3) is 2022-12-29, 2022-12-30, 2023-01-03.
    """
    # The last session up to `after` is step 0, so that a weekend or a holiday needs no special case.
    steps = np.arange(1, count + 1)
    days: Days = np.busday_offset(
        np.asarray(after), steps, roll="preceding", busdaycal=_rules(calendar).busdays
    )
    return days


def session_count(after: np.datetime64, through: np.datetime64, calendar: str = XNYS) -> int:
    """How many sessions lie in (after, through]; negative where `through` comes first."""
    if through < after:
        return -session_count(through, after, calendar)
    return int(np.busday_count(after + ONE_DAY, through + ONE_DAY, busdaycal=_rules(calendar).busdays))


def closing_time(session: np.datetime64, calendar: str = XNYS) -> datetime:
    """When a session ends, in UTC: at the regular time, or earlier on the eve of some holidays."""
    rules = _rules(calendar)
    clock = rules.early.get(str(session), rules.close)
    midnight = datetime.fromisoformat(str(session)).replace(tzinfo=rules.zone)
    return (midnight + clock).astimezone(UTC)  # added on the wall's clock, also when that is changed


def closing_clock(session: np.datetime64, calendar: str = XNYS) -> int:
    """When a session ends, in seconds since midnight at the exchange."""
    closes = closing_time(session, calendar).astimezone(zone_of(calendar))
    return 3600 * closes.hour + 60 * closes.minute or _DAY_SECONDS


def last_closed_session(now: datetime, calendar: str = XNYS) -> np.datetime64:
    """The latest session that has ended by `now` (aware, any zone)."""
    today = local_date(now, calendar)
    recent = sessions_between(today - _LONGEST_CLOSURE, today, calendar)
    # A session may end at the midnight after it, so that the last two of them may be open.
    return next(day for day in reversed(recent) if closing_time(day, calendar) <= now)


def local_date(now: datetime, calendar: str = XNYS) -> np.datetime64:
    """The exchange's date at `now` (aware, any zone)."""
    return np.datetime64(now.astimezone(_rules(calendar).zone).date(), "D")


@cache
def _rules(calendar: str) -> _Rules:
    """Read a calendar.

    Raises:
        UsageError: there is none of this name.
    """
    if calendar in _PLAIN:
        lines = [_PLAIN[calendar]]
    else:
        name = checked_calendar(calendar)
        file = resources.files(__package__) / "resources" / "calendars" / f"{name}.txt"
        lines = file.read_text(encoding="utf-8").splitlines()
    zone, close, week, first, _ = lines[0].split()
    closed: list[str] = []
    extra: list[str] = []
    early: dict[str, timedelta] = {}
    for line in lines[1:]:
        year, *marks = line.split()
        for mark in marks:
            day, _, clock = mark.lstrip("+").partition("@")
            date = f"{year}-{day[:2]}-{day[2:]}"
            if clock:
                early[date] = _clock(clock)
            else:
                (extra if mark.startswith("+") else closed).append(date)
    holidays = np.array(closed, "datetime64[D]")
    mask = tuple(digit == "1" for digit in week)
    if extra:
        # NumPy's calendars know no session on a free day, so that all days are open but those that are named.
        days = np.arange("1900-01-01", "2101-01-01", dtype="datetime64[D]")
        free = days[~np.is_busday(days, weekmask=mask)]
        holidays = np.union1d(holidays, np.setdiff1d(free, np.array(extra, "datetime64[D]")))
    busdays = np.busdaycalendar(weekmask=[True] * 7 if extra else mask, holidays=holidays)
    return _Rules(
        zone=ZoneInfo(zone),
        close=_clock(close),
        early=early,
        busdays=busdays,
        week=mask,
        first=np.datetime64(first, "D"),
    )


def _clock(text: str) -> timedelta:
    hours, minutes = text.split(":")
    return timedelta(hours=int(hours), minutes=int(minutes))


def likely_calendar(dates: Days) -> str:
    """The calendar that the days of bars fit best; New York's unless another fits far better.

    A bar on a day on which the exchange is closed weighs as much as five sessions without one, for files
    lack days more often than they have too many.

    Args:
        dates: (days,) increasing.

    Example:
        Bars on every Saturday and Sunday are 24/7; bars on 4 July and none on 26 August 2019 are XLON.
    """
    if len(dates) < _ENOUGH_DAYS:
        saturdays, sundays = (int(np.is_busday(dates, weekmask=day).sum()) for day in ("Sat", "Sun"))
        every_day = min(saturdays, sundays) > 0 and 5 * (saturdays + sundays) >= len(dates)
        return EVERY_DAY if every_day else XNYS
    usual = _misfits(dates, XNYS)
    if usual <= _MOST_MISFITS * len(dates):
        return XNYS
    names = [*_MAJOR[1:], *(name for name in calendar_names() if name not in _MAJOR)]
    misfits = {name: _misfits(dates, name) for name in names}
    best = min(misfits, key=misfits.__getitem__)
    return best if 2 * misfits[best] < usual else XNYS


def _misfits(dates: Days, calendar: str) -> int:
    """Bars on closed days, five times, and sessions without a bar, in the years that the calendar knows."""
    dates = dates[dates >= known_from(calendar)]
    if len(dates) == 0:
        return 0 if calendar == XNYS else np.iinfo(np.int64).max
    on_sessions = int(is_session(dates, calendar).sum())
    strays = len(dates) - on_sessions
    missing = session_count(dates[0] - ONE_DAY, dates[-1], calendar) - on_sessions
    return _STRAY_WEIGHT * strays + missing
