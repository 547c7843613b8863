"""When on its day a report comes, from the words and times that sources have for it."""

import re
from datetime import datetime
from functools import cache

import numpy as np

from forecaster.prices.calendar import A_USUAL_DAY, closing_clock, zone_of
from forecaster.prices.earnings.table import AFTER, BEFORE, DURING, UNKNOWN
from forecaster.prices.exchanges import XNYS, calendar_of_symbol

_OPENS = {XNYS: 34_200}
_USUAL_OPENING = (
    32_400  # 9:00, as in Frankfurt and Tokyo; London opens at 8:00, and its companies report at 7:00
)
_CLOCK = re.compile(r"(\d\d?)(?:[:.h](\d\d))?(?::(\d\d)(?:\.\d+)?)? ?([ap]\.?m\.?)? ?(?:e[sd]?t)?")
_WORDS = (
    (BEFORE, re.compile(r"bmo|(?:time)?(?:before|pre).*")),
    (AFTER, re.compile(r"amc|(?:time)?(?:after|post).*")),
    (DURING, re.compile(r"dm[ht]|(?:time)?(?:during|intraday).*")),
    (
        UNKNOWN,
        re.compile(r"(?:time)?notsupplied|notavailable|un.*|tbd|tba|tns|tas|na|nan|none|null|nat|other|"),
    ),
)


def when_at(seconds: int, calendar: str = XNYS) -> str:
    """When a time of day is, in seconds since midnight at an exchange: before, during or after the session.

    Example: when_at(16 * 3600) is after, as New York closes then.
    """
    if seconds >= _closes(calendar):
        return AFTER
    return BEFORE if seconds < _OPENS.get(calendar, _USUAL_OPENING) else DURING


def day_and_when(moment: datetime, calendar: str = XNYS) -> tuple[np.datetime64, str]:
    """The exchange's day of a moment (aware, any zone), and when on it that is."""
    local = moment.astimezone(zone_of(calendar))
    seconds = 3600 * local.hour + 60 * local.minute + local.second
    return np.datetime64(local.date(), "D"), when_at(seconds, calendar)


def when_of_text(text: str, calendar: str = XNYS) -> str | None:
    """What a text says of the time: `bmo`, `After Market Close`, `16:05`, `07:30 AM`; None if nothing known.

    A time is the exchange's; midnight stands for a time that is not known.
    """
    plain = " ".join(text.lower().split())
    if found := _CLOCK.fullmatch(plain):
        if found[2] is None and found[4] is None:  # a bare number
            return None
        hour, minute, second = (int(part or 0) for part in found.group(1, 2, 3))
        if found[4] and not 1 <= hour <= 12:
            return None
        if found[4]:
            hour = hour % 12 + (12 if found[4].startswith("p") else 0)
        if hour > 23 or minute > 59 or second > 59:
            return None
        seconds = 3600 * hour + 60 * minute + second
        return when_at(seconds, calendar) if seconds else UNKNOWN
    letters = re.sub(r"[^a-z]", "", plain)
    if not letters and re.search(r"\d", plain):
        return None
    return next((when for when, words in _WORDS if words.fullmatch(letters)), None)


def calendar_of(ticker: str) -> str:
    """The calendar on which a ticker trades, as far as its symbol tells; New York's if it does not."""
    return calendar_of_symbol(ticker) or XNYS


@cache
def _closes(calendar: str) -> int:
    return closing_clock(A_USUAL_DAY, calendar)
