"""Bring one stored ticker up to date: what to request, whether the past was restated, what to keep.

Pure decisions; the caller requests the bars and writes the file.
"""

from collections.abc import Callable
from dataclasses import dataclass, field, replace
from datetime import datetime

import numpy as np
from numpy.typing import NDArray

from forecaster.errors import BadInputError, name_some
from forecaster.prices.calendar import local_date
from forecaster.prices.exchanges import XNYS
from forecaster.prices.fetch_state import FetchState
from forecaster.prices.fetching import YAHOO
from forecaster.prices.health import missing_sessions
from forecaster.prices.store import StoredInfo
from forecaster.prices.table import COLUMNS, Floats, PriceTable, merge_tables
from forecaster.prices.yahoo.answers import NoPricesError
from forecaster.prices.yahoo.bars import CheckedBars

SOURCE = YAHOO
BEGINNING = np.datetime64("1900-01-01", "D")
OVERLAP = 5
TOLERANCE = 1e-4
SHORTER_UNTIL_BELIEVED = 3

Ask = Callable[[np.datetime64, np.datetime64], CheckedBars]


class KeptError(BadInputError):
    """The source's answer is not to replace what is stored."""


@dataclass(frozen=True)
class Stored:
    """What is there of a ticker."""

    table: PriceTable
    info: StoredInfo


@dataclass(frozen=True)
class Update:
    """What is to become of a ticker.

    Attributes:
        table: the whole history to store; None where nothing was requested.
        fetch_state: what its file is to remember.
        rows_added: bars that are new.
        rows_replaced: bars that are changed.
        whole: why the whole history was fetched anew; empty if it was not.
        problem: why the stored history could not be replaced; empty if all is well.
        notes: what the user should know.
        rejections: bars that were not taken over, with the reason.
    """

    table: PriceTable | None = None
    fetch_state: FetchState = field(default_factory=FetchState)
    rows_added: int = 0
    rows_replaced: int = 0
    whole: str = ""
    problem: str = ""
    notes: tuple[str, ...] = ()
    rejections: tuple[str, ...] = ()


def update_ticker(
    stored: Stored | None, start: np.datetime64 | None, now: datetime, ask: Ask, calendar: str = XNYS
) -> Update:
    """Request what is missing and decide what to store.

    Args:
        stored: what is there; None for nothing, or nothing that can be read.
        start: nothing before this day is wanted of a ticker that is not stored yet.
        now: the clock of the command.
        ask: gives the checked bars from one day through another.
        calendar: of a ticker that is not stored yet.

    Raises:
        NotFoundError, NoPricesError, TryLaterError, UnavailableError, BadInputError: as `ask`.
    """
    if stored is None:
        first = start if start is not None else BEGINNING
        return _stored_anew(ask(first, local_date(now, calendar)), first, now)
    fetch_state = stored.info.fetch_state
    if stored.info.source != SOURCE:
        why = f"it was stored from {stored.info.source}"
        return _fetched_whole(stored, _earliest(stored, start), now, ask, why)
    if start is not None and fetch_state.asked_from and start < np.datetime64(fetch_state.asked_from):
        return _fetched_whole(stored, start, now, ask, f"days from {start} on were requested", asked=True)
    due = fetch_state.due(missing_sessions(stored.table, now), now)
    if len(due) == 0:
        return Update()
    return _fetched_since(stored, due[0], now, ask)


def restatement(stored: PriceTable, bars: CheckedBars, known: FetchState) -> str:
    """Why bars fetched now do not continue the stored ones; empty if they do.

    An event that is new rescales the stored past, whether or not the overlap shows it yet.
    """
    fetched = bars.table
    events = {str(fetched.dates[row]): event for row, event in _events(fetched).items()}
    before = {str(stored.dates[row]): event for row, event in _events(stored).items()}
    for day, event in sorted((events | dict(bars.events)).items()):
        if before.get(day, known.events.get(day)) != event:
            return f"{_named(*event)} on {day}"
    shared, old, new = np.intersect1d(stored.dates, fetched.dates, assume_unique=True, return_indices=True)
    if len(shared) == 0:
        return "none of the stored days came again"
    for name in ("close", "volume", "adj_close"):
        past, present = _compared(stored, name)[old], _compared(fetched, name)[new]
        differs = ~_close(past, present)
        if differs.any():
            row = int(np.flatnonzero(differs)[0])
            was, came = stored.columns[name][old[row]], fetched.columns[name][new[row]]
            return f"{name} of {shared[row]} was {was:.6g} and is now {came:.6g}"
    for day in shared.astype(str):
        if day in before and day not in events and day not in bars.events:
            return f"{_named(*before[day])} on {day} was withdrawn"
    return ""


def _stored_anew(bars: CheckedBars, first: np.datetime64, now: datetime) -> Update:
    fetch_state = FetchState(asked_from=str(first), events=bars.events)
    pending = fetch_state.after_asking(missing_sessions(bars.table, now), first, now)
    return Update(
        bars.table,
        replace(fetch_state, pending=pending),
        rows_added=len(bars.table),
        notes=_said_of(bars),
        rejections=bars.rejections,
    )


def _fetched_since(stored: Stored, missing: np.datetime64, now: datetime, ask: Ask) -> Update:
    """The bars from the first missing session on, after an overlap that must agree."""
    table, fetch_state = stored.table, stored.info.fetch_state
    place = int(np.searchsorted(table.dates, missing)) - 1
    first = table.dates[max(0, place - OVERLAP)]
    try:
        bars = ask(first, local_date(now, stored.table.calendar))
    except NoPricesError:
        pending = fetch_state.after_asking(missing_sessions(table, now), first, now)
        note = f"Yahoo has no prices from {first} on, not even those stored already"
        return Update(table, replace(fetch_state, pending=pending), notes=(note,))
    _reject_unadjusted(stored, bars)
    why = restatement(table, bars, fetch_state)
    if why:
        return _fetched_whole(stored, _earliest(stored, None), now, ask, why)
    merge = merge_tables(table, _only_missing(table, bars.table))
    events = {
        day: event for day, event in fetch_state.events.items() if np.datetime64(day) not in merge.table.dates
    }
    after = replace(
        fetch_state,
        pending=fetch_state.after_asking(missing_sessions(merge.table, now), first, now),
        events=events | dict(bars.events),
    )
    notes = _said_of(bars)
    return Update(merge.table, after, merge.added, merge.replaced, notes=notes, rejections=bars.rejections)


def _fetched_whole(
    stored: Stored, first: np.datetime64, now: datetime, ask: Ask, why: str, *, asked: bool = False
) -> Update:
    """The whole history anew in place of the stored one, unless it would lose rows."""
    bars = ask(first, local_date(now, stored.table.calendar))
    _reject_unadjusted(stored, bars)
    table, before = stored.table, stored.info.fetch_state
    foreign = stored.info.source != SOURCE
    lost = np.setdiff1d(table.dates, bars.table.dates, assume_unique=True)
    shorter: tuple[str, ...] = ()
    notes = _said_of(bars)
    if foreign and (bars.table.dates[0] > table.dates[0] or bars.table.dates[-1] < table.dates[-1]):
        raise KeptError(
            f"{why}, {table.dates[0]} to {table.dates[-1]}, and Yahoo's prices, {bars.table.dates[0]} to "
            f"{bars.table.dates[-1]}, do not cover it; the stored prices were kept",
            "remove the file to have Yahoo's",
        )
    if len(lost) and not foreign:
        shorter = tuple(dict.fromkeys([*before.shorter, str(local_date(now, stored.table.calendar))]))
        lacks = f"Yahoo's whole history lacks {len(lost):,} stored rows, the first of {lost[0]}"
        if len(shorter) < SHORTER_UNTIL_BELIEVED:
            problem = f"{why}, but {lacks}; the stored prices were kept"
            return Update(table, replace(before, shorter=shorter), problem=problem)
        lacks += f", on {len(shorter)} different days; it was believed"
        notes, shorter = (*notes, lacks), ()
    elif len(lost):
        notes = (*notes, f"{len(lost):,} rows from {stored.info.source} have no counterpart at Yahoo")
    fetch_state = FetchState(
        asked_from=str(first),
        pending=before.after_asking(missing_sessions(bars.table, now), first, now),
        events=bars.events,
        restatements=before.restatements + (0 if asked or foreign else 1),
        restated=before.restated if asked or foreign else f"{local_date(now, table.calendar)}: {why}",
        shorter=shorter,
    )
    merge = merge_tables(table, bars.table)
    return Update(
        bars.table,
        fetch_state,
        merge.added,
        merge.replaced + len(lost),
        why,
        notes=notes,
        rejections=bars.rejections,
    )


def _earliest(stored: Stored, start: np.datetime64 | None) -> np.datetime64:
    """Where the whole history of a stored ticker begins: no later than what is stored or was requested."""
    asked = stored.info.fetch_state.asked_from
    before = np.datetime64(asked, "D") if asked else BEGINNING
    earliest: np.datetime64 = min(before if start is None else start, stored.table.dates[0])
    return earliest


def _only_missing(stored: PriceTable, fetched: PriceTable) -> PriceTable:
    """Bars that agree with stored ones within the tolerance are no news, unless they fill an empty field."""
    news = ~np.isin(fetched.dates, stored.dates)
    _, old, new = np.intersect1d(stored.dates, fetched.dates, assume_unique=True, return_indices=True)
    for name in COLUMNS:
        news[new] |= np.isnan(stored.columns[name][old]) & np.isfinite(fetched.columns[name][new])
    return fetched.take(news)


def _events(table: PriceTable) -> dict[int, tuple[float, float]]:
    dividend, split = table.columns["dividend"], table.columns["split"]
    return {
        int(row): (float(dividend[row]), float(split[row]))
        for row in np.flatnonzero((dividend != 0) | (split != 1))
    }


def _named(dividend: float, split: float) -> str:
    return f"a dividend of {dividend:g}" if split == 1 else f"a split, {split:g} for 1,"


def _compared(table: PriceTable, name: str) -> Floats:
    """The column, the adjusted close relative to the close, which is what dividends change."""
    values = table.columns[name]
    return values / table.columns["close"] if name == "adj_close" else values


def _close(past: Floats, present: Floats) -> NDArray[np.bool_]:
    same = np.abs(past - present) <= TOLERANCE * np.maximum(np.abs(past), np.abs(present))
    return np.asarray(same | (np.isnan(past) & np.isnan(present)))


def _said_of(bars: CheckedBars) -> tuple[str, ...]:
    """What the user should know of bars that are stored."""
    notes: tuple[str, ...] = ()
    if bars.emptied:
        notes = (f"fields left empty, as their values are impossible: {name_some(bars.emptied)}",)
    if bars.adjusted:
        return notes
    return (
        *notes,
        "Yahoo gave no adjusted close; close stands in for it, so dividends will look like losses",
    )


def _reject_unadjusted(stored: Stored, bars: CheckedBars) -> None:
    """Prices that know nothing of dividends do not replace those that do.

    Raises:
        KeptError: they would.
    """
    columns = stored.table.columns
    if not bars.adjusted and not bool(_close(columns["adj_close"], columns["close"]).all()):
        raise KeptError(
            "Yahoo gave no adjusted close this time; the stored prices were kept", "try again later"
        )
