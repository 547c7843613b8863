"""Bring prices into the store: what a source gets and gives, how its rows are merged, and the report."""

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field, replace
from datetime import datetime
from typing import Protocol

import numpy as np

from forecaster.errors import BadInputError
from forecaster.prices.market import read_market
from forecaster.prices.store import PriceStore
from forecaster.prices.table import Days, Merge, PriceTable, merge_tables

MOST_REJECTIONS_KEPT = 1000


@dataclass(frozen=True)
class Request:
    """What is wanted of a source.

    Attributes:
        tickers: in capitals; empty for all that the source has.
        now: the clock of the command, aware.
        start: bars before this day are not wanted.
    """

    tickers: tuple[str, ...]
    now: datetime
    start: np.datetime64 | None = None


@dataclass(frozen=True)
class Rejection:
    """A row, or where `row` is None a whole file or ticker, that was not taken over.

    Attributes:
        place: the file's name, or the source's.
        row: line of a CSV file (the headings are line 1), row of a Parquet file (from 1).
        ticker: empty where it could not be read.
        reason: why, in words.
    """

    place: str
    row: int | None
    ticker: str
    reason: str

    def __str__(self) -> str:
        where = self.place if self.row is None else f"{self.place}:{self.row}"
        return ": ".join(part for part in (where, self.ticker, self.reason) if part)


@dataclass
class FetchLog:
    """What a source has to say beside its prices; rejections past the first thousand are only counted."""

    rejections: list[Rejection] = field(default_factory=list)
    refused: int = 0
    notes: list[str] = field(default_factory=list)

    def refuse(self, place: str, row: int | None, reason: str, ticker: str = "") -> None:
        """Say that a row, or a whole file, is not taken over."""
        self.refused += 1
        if len(self.rejections) < MOST_REJECTIONS_KEPT:
            self.rejections.append(Rejection(place, row, ticker, reason))

    def note(self, text: str) -> None:
        """Say something that the user should know, once."""
        if text not in self.notes:
            self.notes.append(text)


class PriceSource(Protocol):
    """Anything that prices come from."""

    @property
    def name(self) -> str:
        """What the store remembers as the origin of a ticker's prices."""

    def deliver(self, request: Request, store: PriceStore, log: FetchLog) -> Iterator[PriceTable]:
        """Give the bars of one ticker after the other, checked, and tell `log` what was refused.

        `store` is what is already there, for a source that fetches only what is missing.

        Raises:
            BadInputError, NotFoundError, UnavailableError: the source as a whole is of no use.
        """


ADDED, UPDATED, UNCHANGED = "added", "updated", "unchanged"


@dataclass(frozen=True)
class TickerOutcome:
    """What became of one ticker: `rows` bars in the store now, of which some are new or changed."""

    ticker: str
    outcome: str
    rows_added: int
    rows_replaced: int
    rows: int
    first: str
    last: str


@dataclass(frozen=True)
class FetchReport:
    """What a fetch did; `missing` are the tickers asked for of which nothing usable came."""

    source: str
    outcomes: tuple[TickerOutcome, ...]
    missing: tuple[str, ...]
    log: FetchLog

    def count(self, outcome: str) -> int:
        """How many tickers ended so."""
        return sum(each.outcome == outcome for each in self.outcomes)


def fetch_prices(
    source: PriceSource, store: PriceStore, request: Request, progress: Callable[[str], None]
) -> FetchReport:
    """Merge all that `source` gives into `store`; the caller holds `files.home_lock`.

    New days are added, days already stored are replaced by the source's, and stored days that the
    source lacks stay. A ticker's file is rewritten in one step, and only if anything changed.

    Args:
        source: where the prices come from.
        store: where they go.
        request: which are wanted.
        progress: called with each ticker once it is stored.

    Raises:
        BadInputError, NotFoundError, UnavailableError: the source as a whole is of no use.
        DiskError: the disk refuses.
    """
    store.clear_leftovers()
    log = FetchLog()
    outcomes: dict[str, TickerOutcome] = {}
    for table in source.deliver(request, store, log):
        outcome = _merge(source.name, store, request, table, log)
        outcomes[table.ticker] = _joined(outcomes.get(table.ticker), outcome)
        progress(table.ticker)
    try:
        read_market(store)
    except BadInputError as error:
        log.note(f"the market's return could not be refreshed: {error}")
    missing = tuple(ticker for ticker in request.tickers if ticker not in outcomes)
    return FetchReport(source.name, tuple(outcomes[ticker] for ticker in sorted(outcomes)), missing, log)


def name_some(names: Iterable[str], limit: int = 5) -> str:
    """The first few names and how many more there are, for a message."""
    listed = list(names)
    more = f" and {len(listed) - limit} more" if len(listed) > limit else ""
    return ", ".join(listed[:limit]) + more


def _merge(
    source: str, store: PriceStore, request: Request, table: PriceTable, log: FetchLog
) -> TickerOutcome:
    stored = _stored(store, table.ticker, log)
    merge = merge_tables(stored, table) if stored is not None else Merge(table, len(table), 0)
    if merge.added or merge.replaced:
        store.write(merge.table, source=source, fetched_at=request.now)
        outcome = ADDED if stored is None else UPDATED
    else:
        outcome = UNCHANGED
    dates: Days = merge.table.dates
    return TickerOutcome(
        table.ticker, outcome, merge.added, merge.replaced, len(dates), str(dates[0]), str(dates[-1])
    )


def _stored(store: PriceStore, ticker: str, log: FetchLog) -> PriceTable | None:
    if not store.path(ticker).exists():
        return None
    try:
        return store.read(ticker)
    except BadInputError as error:
        log.note(f"{error.message}; it was replaced by what was fetched")
        return None


def _joined(before: TickerOutcome | None, after: TickerOutcome) -> TickerOutcome:
    """One outcome for a ticker that came in several pieces, as from a folder with a file a year."""
    if before is None:
        return after
    return replace(
        after,
        outcome=after.outcome if before.outcome == UNCHANGED else before.outcome,
        rows_added=before.rows_added + after.rows_added,
        rows_replaced=before.rows_replaced + after.rows_replaced,
    )
