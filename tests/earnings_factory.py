"""Announcements written out by hand."""

from dataclasses import replace

import numpy as np
from hypothesis import strategies as st

from forecaster.prices.earnings.table import (
    NO_DAY,
    REPORTED,
    UNKNOWN,
    Announcement,
    EarningsTable,
    earnings_table,
    joined,
    merge_earnings,
)

EMPTY = earnings_table([], "")


def day(text: str) -> np.datetime64:
    return np.datetime64(text, "D")


def said(source: str, *rows: str) -> EarningsTable:
    """What a source says: rows like `AAPL 2026-01-29 after scheduled`; when and status may be left out."""
    announcements = []
    for row in rows:
        ticker, date, when, status = (*row.split(), *(UNKNOWN, REPORTED)[len(row.split()) - 2 :])
        announcements.append(Announcement(ticker, day(date), when, status))
    return earnings_table(announcements, source)


def after(*fetches: tuple[str, EarningsTable]) -> EarningsTable:
    """What is stored after fetches, each on its day."""
    stored = EMPTY
    for today, incoming in fetches:
        stored = merge_earnings(stored, incoming, day(today)).table
    return stored


def written(table: EarningsTable) -> list[str]:
    """The rows as text: ticker, date, when, status, source, and from when to when it was known."""
    return [
        f"{table.ticker[row]} {table.date[row]} {table.when[row]} {table.status[row]} {table.source[row]} "
        f"{table.announced[row]} {table.withdrawn[row]}".replace(" NaT", " -")
        for row in range(len(table))
    ]


DAY = st.integers(-30, 470).map(lambda shift: day("2024-01-02") + shift)
ROW = st.tuples(
    st.sampled_from(["AA", "BB", "CC"]),
    DAY,
    st.sampled_from(["before", "after", "unknown", "unknown"]),
    st.sampled_from(["reported", "reported", "projected"]),
    st.integers(-5, 120),  # announced so many days before; never recorded if negative
    st.integers(-40, 10),  # withdrawn so many days after announced or before the date; not if negative
)


def table_of_rows(rows: list) -> EarningsTable:
    """Rows as `ROW` draws them, which `reports` may give: any interval of knowledge."""
    if not rows:
        return EMPTY
    ticker, dates, when, status = (np.array(column) for column in list(zip(*rows, strict=True))[:4])
    announced, withdrawn = np.full(len(rows), NO_DAY), np.full(len(rows), NO_DAY)
    for place, (_, date, _, _, ahead, gone) in enumerate(rows):
        if ahead >= 0:
            announced[place] = date - ahead
            withdrawn[place] = date - ahead + gone if gone > 0 else NO_DAY
    columns = (ticker, dates.astype("datetime64[D]"), when, status, np.full(len(rows), "yahoo"))
    return joined(EarningsTable(*columns, announced, withdrawn))


def learned_otherwise(found: EarningsTable, other: EarningsTable, today: np.datetime64) -> EarningsTable:
    """What was known of `found` on a day, and of `other` what was not."""
    known = found.take(found.known_from <= today)
    gone = known.withdrawn > today  # that it will be withdrawn is not known yet
    known = replace(known, withdrawn=np.where(gone, NO_DAY, known.withdrawn))
    return joined(known, other.take(other.known_from > today))
