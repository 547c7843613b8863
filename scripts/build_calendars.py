"""Rebuild the exchanges' calendars that ship with the tool: `python scripts/build_calendars.py [CODE …]`.

It writes forecaster/prices/resources/calendars/CODE.txt for every exchange that
`forecaster.prices.exchanges` names. The format is described in SOURCE.md beside those files.

Run it in an environment of its own, for the rules of some holidays do not work with pandas 3:
`pip install 'pandas<3' exchange_calendars pandas_market_calendars`. The first of the two packages of
calendars has all exchanges; the second has New York's sessions before 1970 too.
"""

import sys
import warnings
from collections import defaultdict
from pathlib import Path

import exchange_calendars
import numpy as np
import pandas as pd
import pandas_market_calendars

from forecaster.prices.exchanges import BY_INDEX, BY_KIND, BY_SUFFIX, BY_ZONE, XNYS

FOLDER = Path(__file__).parent.parent / "forecaster" / "prices" / "resources" / "calendars"
FIRST = {XNYS: "1952-09-29"}  # the first week without a session on Saturday
NEW_YORK_RULES_FROM = "1970-01-01"
USUAL_FIRST, LAST = "1980-01-01", "2060-12-31"
EARLY_FROM = {XNYS: 1990}
USUAL_EARLY_FROM = 2020


def codes() -> list[str]:
    """The calendars that consist of rules and not of an arithmetic of weekdays alone."""
    named = {XNYS, *BY_SUFFIX.values(), *BY_INDEX.values(), *BY_KIND.values(), *BY_ZONE.values()}
    return sorted(code for code in named if "/" not in code)


def schedule(code: str) -> tuple[pd.Series, pd.Timestamp, pd.Timestamp]:
    """The closing times of all sessions in local time, and the first and the last day that is known."""
    rules = exchange_calendars.calendar_utils._default_calendar_factories[code]  # noqa: SLF001
    first, last = pd.Timestamp(FIRST.get(code, USUAL_FIRST)), pd.Timestamp(LAST)
    first = max(first, rules.bound_min() or first)
    last = min(last, rules.bound_max() or last)
    rules_from = max(first, pd.Timestamp(NEW_YORK_RULES_FROM)) if code == XNYS else first
    calendar = exchange_calendars.get_calendar(code, start=rules_from, end=last)
    closes = calendar.schedule["close"].dt.tz_convert(calendar.tz)
    if rules_from > first:
        before = pandas_market_calendars.get_calendar("NYSE").schedule(
            first, rules_from - pd.Timedelta(days=1)
        )
        closes = pd.concat([before["market_close"].dt.tz_convert(calendar.tz), closes])
    return closes, first, last


def describe(code: str) -> str:
    """The text of a calendar's file."""
    closes, first, last = schedule(code)
    sessions = closes.index.to_numpy().astype("datetime64[D]")
    clock = closes.dt.strftime("%H:%M").to_numpy()
    weekday = (sessions.astype(int) + 3) % 7  # 1970-01-01 was a Thursday
    recent = np.bincount(weekday[-2500:], minlength=7)
    week = "".join("1" if count > 100 else "0" for count in recent)
    regular = pd.Series(clock[-250:]).mode()[0]
    exceptions: dict[int, list[str]] = defaultdict(list)
    days = np.arange(first.date(), last.date() + pd.Timedelta(days=1), dtype="datetime64[D]")
    ordinary = np.is_busday(days, weekmask=week)
    open_days = np.isin(days, sessions)
    found = dict.fromkeys(days[ordinary & ~open_days], "")
    found |= dict.fromkeys(days[~ordinary & open_days], "+")
    for day, close in zip(sessions, clock, strict=True):
        year = int(str(day)[:4])
        if year >= EARLY_FROM.get(code, USUAL_EARLY_FROM) and close < regular and day not in found:
            found[day] = f"@{close}"
    for day in sorted(found):
        year, month, date = str(day).split("-")
        mark = found[day]
        exceptions[int(year)].append(f"+{month}{date}" if mark == "+" else f"{month}{date}{mark}")
    # A close that was earlier in a whole year was that year's regular one.
    lines = [f"{closes.dt.tz} {regular} {week} {first.date()} {last.date()}"]
    for year, marks in sorted(exceptions.items()):
        if sum("@" in mark for mark in marks) > 60:
            lines.append(" ".join([str(year), *(mark for mark in marks if "@" not in mark)]))
        else:
            lines.append(" ".join([str(year), *marks]))
    return "\n".join(lines) + "\n"


def main() -> None:
    """Write one file for each exchange."""
    warnings.simplefilter("ignore")
    FOLDER.mkdir(exist_ok=True)
    for code in sys.argv[1:] or codes():
        (FOLDER / f"{code}.txt").write_text(describe(code), encoding="utf-8")
    print(f"written with exchange_calendars {exchange_calendars.__version__}")


if __name__ == "__main__":
    main()
