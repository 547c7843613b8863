"""Rebuild the New York calendar that ships with the tool: `python scripts/build_calendar.py`.

It needs the package exchange-calendars (a part of the `dev` extra), whose rules reach from the past
into the future, and writes forecaster/prices/resources/nyse-calendar.csv: one row for every weekday
on which the exchange is closed or closes before 16:00, New York time.
"""

from pathlib import Path

import exchange_calendars
import numpy as np

FIRST, END = "1990-01-01", "2061-01-01"
TARGET = Path(__file__).parent.parent / "forecaster" / "prices" / "resources" / "nyse-calendar.csv"


def main() -> None:
    """Ask for every weekday of the span, and write down the exceptions."""
    calendar = exchange_calendars.get_calendar("XNYS", start=FIRST, end="2060-12-31")
    schedule = calendar.schedule["close"].dt.tz_convert("America/New_York")
    closes = dict(zip(schedule.dt.strftime("%Y-%m-%d"), schedule.dt.strftime("%H:%M"), strict=True))
    rows = ["date,kind,close"]
    days = np.arange(FIRST, END, dtype="datetime64[D]")
    for day in days[np.is_busday(days)].astype(str):
        if day not in closes:
            rows.append(f"{day},closed,")
        elif closes[day] != "16:00":
            rows.append(f"{day},early,{closes[day]}")
    TARGET.write_text("\n".join(rows) + "\n", encoding="utf-8")
    print(
        f"{len(rows) - 1} days written to {TARGET.name}, exchange_calendars {exchange_calendars.__version__}"
    )


if __name__ == "__main__":
    main()
