"""From what Yahoo gave to bars that may be stored: finished sessions, possible prices, events kept apart."""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime

import numpy as np
from numpy.typing import NDArray

from forecaster.errors import BadInputError
from forecaster.prices.calendar import ONE_DAY, last_closed_session, local_date, zone_of
from forecaster.prices.exchanges import calendar_of_answer
from forecaster.prices.table import Days, PriceTable, clear_bad_fields, day_faults, row_faults
from forecaster.prices.yahoo.answers import Facts, NoPricesError
from forecaster.prices.yahoo.client import RawBars

_CURRENCY = re.compile("[A-Za-z]{3}")
WITHOUT_VOLUME = ("^", "=")
"""Indices and currencies are not traded themselves; a zero volume says nothing about them."""


@dataclass(frozen=True)
class CheckedBars:
    """Bars that may be stored.

    Attributes:
        table: they; never empty.
        events: day to (dividend, split) of days whose bar did not come or was rejected.
        rejections: why bars were rejected, with their days.
        emptied: fields that were left empty as their value is impossible, with their days.
        adjusted: whether adj_close is Yahoo's own.
    """

    table: PriceTable
    events: Mapping[str, tuple[float, float]]
    rejections: tuple[str, ...]
    adjusted: bool
    emptied: tuple[str, ...] = ()


def check_bars(ticker: str, raw: RawBars, now: datetime) -> CheckedBars:
    """Keep the bars of sessions that have closed and whose prices are possible.

    Raises:
        NoPricesError: no session of those that came has closed.
        BadInputError: sessions have closed, and no bar of them can be used.
    """
    dates = raw.dates
    columns, cleared = clear_bad_fields(raw.columns)
    facts = raw.facts
    calendar = calendar_of_answer(ticker, facts.kind, facts.zone)
    currency = facts.currency if _CURRENCY.fullmatch(facts.currency) else ""
    finished = dates <= _last_final_session(facts, now, calendar)
    if not finished.any():
        raise NoPricesError("no session has closed yet")
    # A row without a close is a gap, which the calendar finds; it is no bar that was rejected.
    filled = finished & ~np.isnan(columns["close"])
    rows = np.flatnonzero(filled)
    picked = {name: values[rows] for name, values in columns.items()}
    today, newest = local_date(now, calendar), last_closed_session(now, calendar)
    faults = day_faults(dates[rows], calendar, today, newest) | row_faults(dates[rows], picked)
    if not any(mark in ticker for mark in WITHOUT_VOLUME) and bool((picked["volume"] > 0).any()):
        idle = np.flatnonzero(picked["volume"] == 0)
        faults = dict.fromkeys(idle.tolist(), "nothing was traded that day") | faults
    kept = np.ones(len(rows), dtype=bool)
    kept[list(faults)] = False
    rejections = tuple(f"{dates[rows[row]]}: {faults[row]}" for row in sorted(faults))
    if not kept.any():
        why = rejections[0] if rejections else "they have no prices"
        raise BadInputError(f"none of the {int(finished.sum())} bars can be used: {why}", "try another day")
    stored = np.zeros(len(dates), dtype=bool)
    stored[rows[kept]] = True
    table = PriceTable(ticker, dates, columns, calendar, currency).take(stored)
    events = _events(dates, columns, ~stored & (dates <= today))
    reasons: dict[int, str] = {}
    for found in cleared.values():  # of a row with several the first is told
        reasons = {row: reason for row, reason in found.items() if stored[row]} | reasons
    emptied = tuple(f"{dates[row]}: {reasons[row]}" for row in sorted(reasons))
    return CheckedBars(table, events, rejections, facts.adjusted, emptied)


def _events(
    dates: Days, columns: Mapping[str, NDArray[np.float64]], rows: NDArray[np.bool_]
) -> dict[str, tuple[float, float]]:
    dividend, split = columns["dividend"], columns["split"]
    eventful = rows & ((dividend > 0) | ((split != 1) & (split > 0)))
    return {str(dates[row]): (float(dividend[row]), float(split[row])) for row in np.flatnonzero(eventful)}


def _last_final_session(facts: Facts, now: datetime, calendar: str) -> np.datetime64:
    """The latest session that has closed by the clock and whose last trade the answer has seen.

    An answer kept somewhere on the way may be older than the clock: its bar of that session is not final.
    """
    newest = last_closed_session(now, calendar)
    if facts.opens is None or facts.closes is None or facts.last_trade is None:
        return newest  # not every answer says it
    try:
        session = np.datetime64(datetime.fromtimestamp(facts.opens, zone_of(calendar)).date(), "D")
    except (ValueError, OverflowError, OSError):  # no moment that a calendar has
        return newest
    return min(newest, session - ONE_DAY) if facts.last_trade < facts.closes else newest
