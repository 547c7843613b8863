"""Bring prices into the store: what a source is given, what it says of each ticker, and the report."""

import re
from collections.abc import Callable, Generator
from contextlib import closing
from dataclasses import dataclass, field, replace
from datetime import datetime
from enum import StrEnum
from typing import TYPE_CHECKING, Protocol

import numpy as np

from forecaster.errors import BadInputError, DiskError, ForecastError, UsageError, name_some
from forecaster.prices.market import INDEX_MARK, refresh_markets
from forecaster.prices.soundness import odd_moves, splice
from forecaster.prices.store import PriceStore
from forecaster.prices.table import Days, Merge, PriceTable, merge_tables

if TYPE_CHECKING:
    from forecaster.prices.earnings.fetching import EarningsReport

MOST_REJECTIONS_KEPT = 1000
EXAMPLES = 5
NAMED_MOVES = 3
ON_ANOTHER_SCALE = (
    "the file is on another scale, by adjustment, currency or unit; --replace puts its rows in place of all "
    "that is stored"
)
YAHOO = "yahoo"
_VALUES = re.compile(r"""'[^']*'|"[^"]*"|[+-]?\d[\w.,:+-]*""")
"""What differs between reasons of one kind: texts in quotes, numbers, dates, offsets."""


@dataclass(frozen=True)
class Request:
    """What is wanted of a source.

    Attributes:
        tickers: in capitals; empty for all that the source has.
        now: the clock of the command, aware.
        start: bars before this day are not wanted.
        timezone: in which the dates of a file's times are meant; the one written without it.
        calendar: on whose sessions the tickers of a file trade; told from symbols and days without it.
        replace: whether a file's rows take the place of all that is stored of a ticker.
        last_of_day: whether the last bar of each session is taken where a file has several a day.
    """

    tickers: tuple[str, ...]
    now: datetime
    start: np.datetime64 | None = None
    timezone: str | None = None
    calendar: str | None = None
    replace: bool = False
    last_of_day: bool = False


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
class RejectionGroup:
    """Rejections for one reason, whatever the values: how many, and the first of them."""

    count: int = 0
    examples: list[Rejection] = field(default_factory=list)

    def __str__(self) -> str:
        """Like `3,777 rows: 'NYSE:LMT' is not a ticker; e.g. prices.csv:12, :13, :14`."""
        first = self.examples[0]
        if self.count == 1:
            return str(first)
        if first.row is not None:
            whose = f"{first.ticker} in " if first.ticker else ""
            counted, places = "rows", [f"{whose}{first.place}:{first.row}"]
            places += [
                f":{each.row}" if each.place == first.place else f"{each.place}:{each.row}"
                for each in self.examples[1:]
            ]
        else:
            counted = "tickers" if first.ticker else "files"
            places = [each.ticker or each.place for each in self.examples]
        alike = all(each.reason == first.reason for each in self.examples)
        reason = first.reason if alike else f"{first.reason}, and the like"
        return f"{self.count:,} {counted}: {reason}; e.g. {', '.join(places)}"


@dataclass
class FetchLog:
    """What a source has to say beside its prices; rejections past the first thousand are only counted."""

    rejections: list[Rejection] = field(default_factory=list)
    rejected: int = 0
    groups: dict[str, RejectionGroup] = field(default_factory=dict)
    notes: list[str] = field(default_factory=list)
    grave_notes: int = 0

    def reject(self, place: str, row: int | None, reason: str, ticker: str = "") -> None:
        """Say that a row, or a whole file, is not taken over."""
        self.rejected += 1
        rejection = Rejection(place, row, ticker, reason)
        if len(self.rejections) < MOST_REJECTIONS_KEPT:
            self.rejections.append(rejection)
        what = "row" if row is not None else "ticker" if ticker else "file"
        group = self.groups.setdefault(f"{what}: {_VALUES.sub('…', reason)}", RejectionGroup())
        group.count += 1
        if len(group.examples) < EXAMPLES:
            group.examples.append(rejection)

    def note(self, text: str, *, grave: bool = False) -> None:
        """Say something that the user should know, once; what is grave stands before the rest."""
        if text not in self.notes:
            self.notes.insert(self.grave_notes if grave else len(self.notes), text)
            self.grave_notes += grave


class Outcome(StrEnum):
    """What became of a ticker with which nothing went wrong."""

    ADDED = "added"
    UPDATED = "updated"
    REPLACED = "replaced"
    UNCHANGED = "unchanged"
    NO_DATA = "no data"


@dataclass(frozen=True)
class TickerOutcome:
    """What became of one ticker.

    Attributes:
        ticker: its symbol.
        outcome: in a word.
        rows_added: bars that are new.
        rows_replaced: bars that are changed.
        rows: bars in the store now.
        first, last: the span of these, empty without any.
        why_replaced: why the whole history was fetched anew; empty if it was not.
        missing_sessions: sessions that were requested and had no bar.
        repaired: whether its file was damaged and is sound now.
    """

    ticker: str
    outcome: Outcome
    rows_added: int = 0
    rows_replaced: int = 0
    rows: int = 0
    first: str = ""
    last: str = ""
    why_replaced: str = ""
    missing_sessions: tuple[str, ...] = ()
    repaired: bool = False


class FailureKind(StrEnum):
    """Why there is nothing new of a ticker."""

    NOT_FOUND = "not found"
    RATE_LIMITED = "rate limited"
    UNAVAILABLE = "unavailable"
    UNUSABLE = "unusable"
    KEPT = "kept"
    NOT_REQUESTED = "not requested"


@dataclass(frozen=True)
class Failure:
    """A ticker that could not be brought up to date; what was stored of it is as it was."""

    ticker: str
    kind: FailureKind
    reason: str

    def __str__(self) -> str:
        return f"{self.ticker}: {self.kind}: {self.reason}"


class PriceSource(Protocol):
    """Anything that prices come from."""

    @property
    def name(self) -> str:
        """What the store remembers as the origin of a ticker's prices."""

    def fetch(
        self, request: Request, store: PriceStore, log: FetchLog
    ) -> Generator[TickerOutcome | Failure, None, None]:
        """Store what is wanted, each ticker in one step, and say what became of one after the other.

        Raises:
            BadInputError, NotFoundError: the source as a whole is of no use.
            DiskError: the disk fails.
        """


@dataclass(frozen=True)
class FetchReport:
    """What a fetch did; outcomes and failures are sorted by ticker.

    Attributes:
        source: where the prices came from; empty where none were wanted.
        outcomes, failures: what became of each ticker's prices.
        log: rejections and notes.
        earnings: what became of earnings dates; None where none were wanted.
    """

    source: str
    outcomes: tuple[TickerOutcome, ...]
    failures: tuple[Failure, ...]
    log: FetchLog
    earnings: "EarningsReport | None" = None

    def count(self, what: Outcome | FailureKind) -> int:
        """How many tickers ended so, well or not."""
        kinds = [each.outcome for each in self.outcomes] + [each.kind for each in self.failures]
        return kinds.count(what)


Watch = Callable[[TickerOutcome | Failure], object]


def fetch_prices(source: PriceSource, store: PriceStore, request: Request, watch: Watch) -> FetchReport:
    """Bring what `request` wants of `source` into `store`; the caller holds `files.home_lock`.

    A ticker's file is rewritten in one step, and only if anything changed, so that whatever ends the
    run leaves every ticker either as it was or as it should be. A ticker that was named and of which
    nothing came is a failure.

    Args:
        source: where the prices come from.
        store: where they go.
        request: which are wanted.
        watch: called with what became of each ticker once that is known.

    Raises:
        BadInputError, NotFoundError, UsageError: the source as a whole is of no use.
        DiskError: the disk fails.
    """
    store.clear_leftovers()
    log = FetchLog()
    outcomes: dict[str, TickerOutcome] = {}
    failures: dict[str, Failure] = {}
    with closing(source.fetch(request, store, log)) as results:
        for result in results:
            known = result.ticker in outcomes or result.ticker in failures
            if isinstance(result, Failure):
                failures[result.ticker] = result
            else:
                outcomes[result.ticker] = _joined(outcomes.get(result.ticker), result)
            if not known:
                watch(result)
    for ticker in request.tickers:
        if ticker not in outcomes and ticker not in failures:
            reason = f"{source.name} has no usable price of it"
            failures[ticker] = Failure(ticker, FailureKind.NOT_FOUND, reason)
    members = frozenset(refresh_markets(store).members)  # now, so that no later command has to compute it
    for ticker in store.tickers():
        if ticker not in members and not ticker.startswith(INDEX_MARK):
            _note_damage(store, ticker, log)
    return FetchReport(
        source.name,
        tuple(outcomes[ticker] for ticker in sorted(outcomes)),
        tuple(failures[ticker] for ticker in sorted(failures)),
        log,
    )


def _note_damage(store: PriceStore, ticker: str, log: FetchLog) -> None:
    try:
        store.read(ticker)
    except ForecastError as error:
        log.note(f"{error.message}; the market's return is without {ticker}", grave=True)


def merge_into(
    store: PriceStore, table: PriceTable, source: str, request: Request, log: FetchLog
) -> TickerOutcome | Failure:
    """Merge bars into what is stored of their ticker.

    New days are added, days already stored are replaced by the source's, and stored days that the
    source lacks stay, unless `request.replace`. Bars on another scale than the stored ones are not merged.
    A damaged file is replaced, one of a newer version of this tool or that we may not read is kept.

    Raises:
        DiskError: the disk fails.
    """
    ticker, stored, info = table.ticker, None, None
    damaged = False
    if store.has(ticker):
        try:
            stored, info = store.read_with_info(ticker)
        except BadInputError as error:
            damaged = True
            log.note(f"{error.message}; it was replaced by what was fetched", grave=True)
        except (DiskError, UsageError) as error:
            return Failure(ticker, FailureKind.KEPT, error.message)
    merge = Merge(table, len(table), 0)
    if stored is not None:
        # The longer of the two tells the calendar better, unless it was named.
        known = request.calendar or (table if len(table) > len(stored) else stored).calendar
        table = replace(table, calendar=known, currency=table.currency or stored.currency)
        merge = merge_tables(stored, table)
        if request.replace:
            merge = Merge(table, merge.added, merge.replaced + len(merge.table) - len(table))
        elif why := splice(stored, table):
            return Failure(ticker, FailureKind.KEPT, why)
    outcome = Outcome.UNCHANGED
    if merge.added or merge.replaced or (stored is not None and stored.calendar != table.calendar):
        origin, state = source, None
        if info is not None and info.source == YAHOO:
            if 2 * (merge.added + merge.replaced) < len(merge.table):
                origin, state = info.source, info.fetch_state
                log.note(
                    f"{ticker} stays Yahoo's, as most of its rows are; it goes on being refreshed from there"
                )
            else:
                log.note(
                    f"{ticker} came from Yahoo; most of it is {source}'s now: it is no longer refreshed",
                    grave=True,
                )
        store.write(merge.table, source=origin, fetched_at=request.now, fetch_state=state)
        outcome = Outcome.ADDED if stored is None else Outcome.UPDATED
        note_odd_moves(merge.table, log)
    dates: Days = merge.table.dates
    return TickerOutcome(
        *(ticker, outcome, merge.added, merge.replaced, len(dates), str(dates[0]), str(dates[-1])),
        repaired=damaged,
    )


def note_odd_moves(table: PriceTable, log: FetchLog, since: np.datetime64 | None = None) -> None:
    """Say which moves of a table cannot be right; they are kept, and left out of the market's return.

    Args:
        table: a ticker's bars.
        log: gets the note.
        since: moves before this day were told before.
    """
    moves = [move for move in odd_moves(table) if since is None or move.day > since]
    if moves:
        named = name_some((f"{move.day}: {move.reason}" for move in moves), NAMED_MOVES)
        log.note(f"{table.ticker} looks wrong: {named}", grave=True)


def _joined(before: TickerOutcome | None, after: TickerOutcome) -> TickerOutcome:
    """One outcome for a ticker that came in several pieces, as from a folder with a file a year."""
    if before is None:
        return after
    return replace(
        after,
        outcome=after.outcome if before.outcome == Outcome.UNCHANGED else before.outcome,
        rows_added=before.rows_added + after.rows_added,
        rows_replaced=before.rows_replaced + after.rows_replaced,
        repaired=before.repaired or after.repaired,
    )
