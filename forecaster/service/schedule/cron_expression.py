"""Cron expressions: five fields that name the minutes at which something is to happen."""

import re
from datetime import UTC, datetime, timedelta

from forecaster.errors import UsageError

_FIELDS = (
    ("minute", 0, 59),
    ("hour", 0, 23),
    ("day of the month", 1, 31),
    ("month", 1, 12),
    ("weekday", 0, 7),
)
_PART = re.compile(r"(\*|(\d{1,2})(-(\d{1,2}))?)(/(\d{1,2}))?")
_LONGEST_DAYS = 366 * 8 + 1  # the 29th of February may be eight years away


def parse_expression(expression: str) -> tuple[frozenset[int], ...]:
    """The five sets of numbers that a cron expression names: numbers, *, ranges, steps and lists.

    Example: `30 22 * * 1-5` gives {30}, {22}, all days, all months, {1, 2, 3, 4, 5}; Sunday is 0.

    Raises:
        UsageError: it is not one.
    """
    words = expression.split()
    if len(words) != len(_FIELDS) or "\n" in expression or "\r" in expression:
        raise UsageError(
            f"--at {expression!r} is not five fields on one line",
            'write it like "30 22 * * 1-5": minute, hour, day of the month, month, weekday',
        )
    fields = [
        frozenset(number for part in word.split(",") for number in _numbers(part, *field))
        for word, field in zip(words, _FIELDS, strict=True)
    ]
    fields[4] = frozenset(number % 7 for number in fields[4])
    return tuple(fields)


def next_time(expression: str, after: datetime) -> datetime | None:
    """The first minute after `after` that the expression names, in its time zone; None if there is none.

    As cron has it, a day counts by its number or by its weekday where both are restricted.

    Raises:
        UsageError: it is no expression.
    """
    minutes, hours, days, months, weekdays = parse_expression(expression)
    by_day, by_weekday = (not expression.split()[place].startswith("*") for place in (2, 4))
    first = after.replace(second=0, microsecond=0) + timedelta(minutes=1)
    midnight = first.replace(hour=0, minute=0)
    for offset in range(_LONGEST_DAYS):
        day = midnight + timedelta(days=offset)
        right_day, right_weekday = day.day in days, day.isoweekday() % 7 in weekdays
        both = right_day or right_weekday if by_day and by_weekday else right_day and right_weekday
        if not both or day.month not in months:
            continue
        for hour in sorted(hours):
            for minute in sorted(minutes):
                moment = day.replace(hour=hour, minute=minute)
                if moment >= first:
                    return moment
    return None


def next_moment(expression: str, after: datetime) -> datetime | None:
    """As `next_time`, of an aware moment, by the clock on the machine's wall.

    Raises:
        UsageError: it is no expression.
    """
    upcoming = next_time(expression, after.astimezone().replace(tzinfo=None))
    # By way of the timestamp: `astimezone` alone puts an hour that the clock skips an hour too early.
    return None if upcoming is None else datetime.fromtimestamp(upcoming.timestamp(), UTC).astimezone()


def _numbers(part: str, name: str, least: int, most: int) -> range:
    match = _PART.fullmatch(part)
    if match is None:
        raise UsageError(f"--at: {part!r} is no {name}", f"use numbers from {least} to {most}, *, - , and /")
    first, last, step = (None if match[place] is None else int(match[place]) for place in (2, 4, 6))
    low = least if first is None else first
    high = most if first is None else low if last is None else last
    if not least <= low <= high <= most or step == 0 or (step and first is not None and last is None):
        raise UsageError(f"--at: {part!r} is no {name}", f"it goes from {least} to {most}")
    return range(low, high + 1, step or 1)
