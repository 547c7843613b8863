"""Announcements written out by hand."""

import numpy as np

from forecaster.prices.earnings.table import (
    REPORTED,
    UNKNOWN,
    Announcement,
    EarningsTable,
    earnings_table,
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
