"""What a table of announcements is: when companies report, who says so, and since when that was known."""

from collections.abc import Sequence
from dataclasses import dataclass, fields, replace
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from forecaster.prices.table import Days

Texts = NDArray[np.str_]
Keys = NDArray[np.int64]

BEFORE, DURING, AFTER, UNKNOWN = "before", "during", "after", "unknown"
WHEN = (BEFORE, DURING, AFTER, UNKNOWN)
"""When on its day a report comes: before the session opens, while it is open, after its close."""
REPORTED, SCHEDULED, PROJECTED = "reported", "scheduled", "projected"
STATUSES = (REPORTED, SCHEDULED, PROJECTED)
SEC, YAHOO, SAMPLE = "sec", "yahoo", "sample"
PRECEDENCE = ("file", SEC, YAHOO, SAMPLE)
"""Whose date is taken where sources differ, the first before the others; any other name is a file's."""
SAME_REPORT_DAYS = 10
"""Two dates of a ticker that lie no further apart are of one report."""
HALF_QUARTER = 45
"""A new date that lies no further from a scheduled one has taken its place."""
KNOWN_AHEAD = 14
"""Days before it from which a date counts as known where that is not recorded; companies tell it earlier."""
NO_DAY = np.datetime64("NaT", "D")
_APART = 1_000_000  # more days than a calendar has: so far apart do tickers lie on one line of days
_TYPES = {"ticker": "U16", "when": "U9", "status": "U9"}


class Announcement(NamedTuple):
    """One row, as a source gives it; `date` is the day at the exchange."""

    ticker: str
    date: np.datetime64
    when: str = UNKNOWN
    status: str = REPORTED


@dataclass(frozen=True)
class EarningsTable:
    """Announcements, sorted by ticker, date and source; rows of several sources may be of one report.

    Attributes:
        ticker: (rows,) symbols as Yahoo writes them.
        date: (rows,) the day, at the exchange, of the announcement.
        when: (rows,) before, during or after the session, or unknown.
        status: (rows,) reported; scheduled, by the company; projected, by a source's estimate.
        source: (rows,) sec, yahoo, sample, or a file's name.
        announced: (rows,) the day on which the store first had the date, ahead of it; NaT where the date was
            past when it came, so that this is not recorded.
        withdrawn: (rows,) the day from which the date no longer held, as another had taken its place; NaT
            while it holds. Such rows are kept, for it is what was known on the days before.

    Raises:
        ValueError: the columns differ in length.
    """

    ticker: Texts
    date: Days
    when: Texts
    status: Texts
    source: Texts
    announced: Days
    withdrawn: Days

    def __post_init__(self) -> None:
        if len({len(getattr(self, name)) for name in COLUMNS}) != 1:
            raise ValueError("columns of unequal length")

    def __len__(self) -> int:
        return len(self.date)

    def take(self, rows: NDArray[np.bool_] | NDArray[np.intp]) -> "EarningsTable":
        """The rows that `rows` picks, in order."""
        return EarningsTable(*(getattr(self, name)[rows] for name in COLUMNS))

    def of(self, tickers: Sequence[str]) -> "EarningsTable":
        """The rows of some tickers."""
        return self.take(np.isin(self.ticker, np.array(tickers, _TYPES["ticker"])))

    @property
    def live(self) -> NDArray[np.bool_]:
        """(rows,) whether the date holds."""
        return np.isnat(self.withdrawn)

    @property
    def known_from(self) -> Days:
        """(rows,) the first day on which the date was known."""
        days: Days = np.where(
            np.isnat(self.announced), self.date - np.timedelta64(KNOWN_AHEAD, "D"), self.announced
        )
        return days


COLUMNS = tuple(part.name for part in fields(EarningsTable))


def earnings_table(rows: Sequence[Announcement], source: str) -> EarningsTable:
    """A source's announcements as a table; nothing is recorded of when each was first known."""
    return table_of(
        np.array([row.ticker for row in rows], str),
        np.array([row.date for row in rows], "datetime64[D]"),
        np.array([row.when for row in rows], str),
        np.array([row.status for row in rows], str),
        source,
    )


def table_of(ticker: Texts, date: Days, when: Texts, status: Texts, source: str) -> EarningsTable:
    """As `earnings_table`, from (rows,) columns."""
    none = np.full(len(date), NO_DAY)
    return in_order(EarningsTable(ticker, date, when, status, np.full(len(date), source), none, none.copy()))


def joined(*tables: EarningsTable) -> EarningsTable:
    """All rows of several tables."""
    columns = (np.concatenate([getattr(each, name) for each in tables]) for name in COLUMNS)
    return in_order(EarningsTable(*columns))


def in_order(table: EarningsTable) -> EarningsTable:
    """The rows sorted by ticker, date and source."""
    texts = {name: getattr(table, name).astype(kind) for name, kind in _TYPES.items()}
    return replace(table, **texts).take(np.lexsort((table.source, table.date, table.ticker)))


def rank_of(source: str) -> int:
    """The place of a source in PRECEDENCE."""
    return PRECEDENCE.index(source) if source in PRECEDENCE else 0


def _ranks(sources: Texts) -> NDArray[np.intp]:
    names, codes = np.unique(sources, return_inverse=True)
    ranks: NDArray[np.intp] = np.array([rank_of(name) for name in names], np.intp)[codes]
    return ranks


def first_of_each_report(table: EarningsTable) -> EarningsTable:
    """One source's rows, one for each report: the earliest, for the price moves when the news first comes.

    A later one within ten days is the same report once more, as a filing that adds to the first. Of two on
    one day that which says when is kept.
    """
    keys = _keys(table)
    table = table.take(np.lexsort((table.when == UNKNOWN, keys)))
    return table.take(_firsts(np.sort(keys)))


class Moved(NamedTuple):
    """A scheduled date in whose place another has come."""

    ticker: str
    before: np.datetime64
    date: np.datetime64
    source: str

    def __str__(self) -> str:
        return f"{self.ticker}: moved from {self.before} to {self.date} ({self.source})"


@dataclass(frozen=True)
class EarningsMerge:
    """The whole of a table into which a source's rows were merged, and what they did.

    Attributes:
        table: it.
        added: reports that were not known.
        changed: those of which something is different now.
        moved: scheduled dates that moved.
    """

    table: EarningsTable
    added: int
    changed: int
    moved: tuple[Moved, ...] = ()


def merge_earnings(stored: EarningsTable, incoming: EarningsTable, today: np.datetime64) -> EarningsMerge:
    """Merge what one source says now into what it, and others, said before.

    Only rows of the same source change, all files being one source; `reports` decides between sources. A date
    that the source no longer has stays, unless it has another one in its place: within ten days of one that
    was reported, within half a quarter of one that was not. Of what was known ahead nothing is rewritten:
    where the date moves, becomes certain, or its time is learned, the old row is withdrawn and kept.

    Args:
        stored: what was known.
        incoming: what one source says; at least a row.
        today: the date of the fetch; dates from it on are known ahead.
    """
    incoming = first_of_each_report(incoming)
    same_source = _ranks(stored.source) == rank_of(incoming.source[0])
    mine = stored.live & same_source & np.isin(stored.ticker, incoming.ticker)
    old, others = stored.take(mine), stored.take(~mine)
    keys = _keys(old, incoming)
    old_keys, new_keys = keys[: len(old)], keys[len(old) :]
    _, kept, again = np.intersect1d(old_keys, new_keys, assume_unique=True, return_indices=True)
    when = incoming.when.copy()
    when[again] = np.where(when[again] == UNKNOWN, old.when[kept], when[again])
    learned = (when[again] != old.when[kept]) | (
        (incoming.status[again] == PROJECTED) != (old.status[kept] == PROJECTED)
    )
    same = np.isnat(old.announced[kept]) | ~learned
    kept, again = kept[same], again[same]
    changed = learned[same] | (incoming.status[again] != old.status[kept])
    announced = np.where(incoming.date >= today, today, NO_DAY)
    announced[again] = old.announced[kept]

    gone = np.setdiff1d(np.arange(len(old)), kept)
    fresh = np.setdiff1d(np.arange(len(incoming)), again)
    near, days = _nearest(old_keys[gone], new_keys[fresh])
    replaced = days <= np.where(old.status[gone] == REPORTED, SAME_REPORT_DAYS, HALF_QUARTER)
    stay = old.take(gone[~replaced])
    gone, by, days = gone[replaced], fresh[near[replaced]], days[replaced]
    believed = ~np.isnat(old.announced[gone])
    # What came in place of something known ahead, and is past, was not known before its day.
    late = by[believed & np.isnat(announced[by])]
    announced[late] = incoming.date[late]
    left = replace(old.take(gone), withdrawn=np.minimum(incoming.date[by], today))
    left = left.take(believed & (left.withdrawn > left.announced))
    moved = [
        Moved(str(old.ticker[row]), old.date[row], incoming.date[new], str(incoming.source[new]))
        for row, new, apart in zip(gone, by, days, strict=True)
        if apart and old.status[row] == SCHEDULED
    ]
    table = joined(others, stay, left, replace(incoming, when=when, announced=announced))
    renewed = len(np.unique(by))
    return EarningsMerge(table, len(fresh) - renewed, int(changed.sum()) + renewed, tuple(moved))


def reports(table: EarningsTable) -> EarningsTable:
    """One row for each report, and the rows that were believed before, with the days on which they were.

    Where sources differ, the date is the first one's in PRECEDENCE. When on that day the report came is the
    first source's that knows it, and all this was known from when the first of them said so. A ticker of
    which there are the SEC's filings alone has no date that was known before its day.

    Args:
        table: as it is stored, in order.
    """
    keys = _keys(table)
    ranks = _ranks(table.source)
    chosen = np.zeros(len(table), bool)
    for rank in range(len(PRECEDENCE)):
        rows = np.flatnonzero(table.live & (ranks == rank))
        rows = rows[_nearest(keys[rows], keys[chosen])[1] > SAME_REPORT_DAYS]
        chosen[rows[_firsts(keys[rows])]] = True
    kept = np.flatnonzero(chosen)
    near, days = _nearest(keys, keys[kept])
    when = np.full(len(kept), UNKNOWN, _TYPES["when"])
    for rank in reversed(range(len(PRECEDENCE))):
        rows = np.flatnonzero(table.live & (days == 0) & (ranks == rank) & (table.when != UNKNOWN))
        when[near[rows]] = table.when[rows]
    believed = (days <= SAME_REPORT_DAYS) & table.live & ~np.isnat(table.announced)
    same = believed & (days == 0) & (table.when == when[near])
    announced = np.full(len(kept), NO_DAY)
    np.fmin.at(announced, near[same], table.announced[same])
    other = np.flatnonzero(believed & ~same)
    unknown = np.isnat(announced[near[other]])
    late = near[other[unknown]]
    announced[late] = table.date[kept[late]]
    was = replace(table.take(other), withdrawn=announced[near[other]])
    # Filings come after the fact: where they are all there is, no date is known ahead of its report.
    ahead = np.unique(table.ticker[table.source != SEC])
    filed = np.isnat(announced) & ~np.isin(table.ticker[kept], ahead)
    announced[filed] = table.date[kept[filed]]
    result = replace(table.take(kept), when=when, announced=announced)
    return joined(result, was.take(was.withdrawn > was.announced), table.take(~table.live))


def known_on(found: EarningsTable, day: np.datetime64) -> EarningsTable:
    """What of `reports` was known on a day of the past; as it stands, where that day is today."""
    table = found.take(found.known_from <= day)
    withdrawn = np.where(table.withdrawn > day, NO_DAY, table.withdrawn)
    coming = (table.date >= day) & (table.status == REPORTED)
    return replace(table, withdrawn=withdrawn, status=np.where(coming, SCHEDULED, table.status))


def _keys(*tables: EarningsTable) -> Keys:
    """(rows of all,) the dates on one line, on which the tickers lie far apart."""
    names = np.concatenate([each.ticker for each in tables])
    _, codes = np.unique(names, return_inverse=True)
    days = np.concatenate([each.date for each in tables]).astype("datetime64[D]").astype(np.int64)
    return codes.astype(np.int64) * _APART + days


def _firsts(keys: Keys) -> NDArray[np.bool_]:
    """Of sorted keys the first of each report.

    Example: days 1, 5, 11, 12 are two reports, of days 1 and 12.
    """
    first = np.zeros(len(keys), bool)
    begun = -_APART
    for place, key in enumerate(keys.tolist()):
        if key - begun > SAME_REPORT_DAYS:
            first[place], begun = True, key
    return first


def _nearest(keys: Keys, others: Keys) -> tuple[NDArray[np.intp], Keys]:
    """Which of `others`, sorted, is nearest to each of `keys`, and how many days away; _APART without any."""
    if len(others) == 0:
        return np.zeros(len(keys), np.intp), np.full(len(keys), _APART)
    after = np.minimum(np.searchsorted(others, keys), len(others) - 1)
    before = np.maximum(after - 1, 0)
    near = np.where(np.abs(others[before] - keys) <= np.abs(others[after] - keys), before, after)
    return near, np.abs(others[near] - keys)
