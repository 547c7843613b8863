"""Bring earnings dates into the store: what a source gives, what it changed, and what it failed to give."""

from collections.abc import Callable, Collection, Iterator, Sequence
from dataclasses import dataclass, field, replace
from typing import Protocol

from forecaster.errors import BadInputError, ForecastError, NotFoundError, TryLaterError, UnavailableError
from forecaster.prices.calendar import local_date
from forecaster.prices.earnings.store import FIRST_DAY, EarningsStore, StoredEarnings, last_possible
from forecaster.prices.earnings.table import EarningsTable, Moved, earnings_table, merge_earnings
from forecaster.prices.exchanges import EVERY_DAY, WEEKDAYS, calendar_of_symbol
from forecaster.prices.fetching import Failure, FailureKind, FetchLog, Request

UNREACHABLE_AFTER = 3
"""So many tickers without an answer, one after the other, and the rest need not be tried now."""
WRITE_AFTER = 25
"""Answers of a service that an interruption may cost."""


@dataclass(frozen=True)
class Answer:
    """What a service says of one ticker; a table without a row if it has no dates of it."""

    ticker: str
    table: EarningsTable


WatchDates = Callable[[Answer | Failure], object]


class EarningsService(Protocol):
    """Anything that is asked for one ticker after the other."""

    @property
    def name(self) -> str:
        """What the store remembers as the origin of the dates."""

    def fetch(self, request: Request, known: Collection[str], log: FetchLog) -> Iterator[Answer | Failure]:
        """Each ticker's answer, or why there is none; of those that are `known` the newest dates will do."""


@dataclass
class EarningsReport:
    """What became of a fetch of earnings dates.

    Attributes:
        source: where they came from.
        tickers: how many it has dates of.
        added: reports that are new.
        changed: reports of which something is different now.
        moved: scheduled dates that moved.
        without: tickers of which it has none.
        failures: tickers that it gave no answer for.
        log: rows that were rejected, and notes.
        error: why the source as a whole was of no use; None if it was.
    """

    source: str
    tickers: int = 0
    added: int = 0
    changed: int = 0
    moved: tuple[Moved, ...] = ()
    without: tuple[str, ...] = ()
    failures: tuple[Failure, ...] = ()
    log: FetchLog = field(default_factory=FetchLog)
    error: ForecastError | None = None


class EarningsTables(Protocol):
    """Anything that has all its dates at once, as a file has."""

    @property
    def name(self) -> str:
        """What the store remembers as the origin of the dates."""

    def read(self, request: Request, log: FetchLog) -> EarningsTable:
        """What is wanted of them.

        Raises:
            NotFoundError, BadInputError: it is of no use.
        """


def import_earnings(file: EarningsTables, store: EarningsStore, request: Request) -> EarningsReport:
    """Merge a file's announcements into the store; the caller holds `files.home_lock`.

    Raises:
        NotFoundError, BadInputError: the file is of no use.
        UsageError: what is stored is of another version of this tool.
        DiskError: the disk fails.
    """
    report = EarningsReport(file.name)
    table = file.read(request, report.log)
    if len(table):
        stored = _merged(_stored(store, report.log), table, request, report)
        if report.added or report.changed:
            store.write(stored)
    names = set(table.ticker.tolist())
    report.tickers = len(names)
    report.without = tuple(sorted(set(stock_tickers(request.tickers)) - names))
    return report


def fetch_earnings(
    service: EarningsService, store: EarningsStore, request: Request, watch: WatchDates = lambda _: None
) -> EarningsReport:
    """Merge what a service says of the tickers into the store; the caller holds `files.home_lock`.

    What has come is kept whatever ends the run. Of a ticker that fails all stays as it was.

    Args:
        service: where the dates come from.
        store: where they go.
        request: of which tickers they are wanted.
        watch: called with what became of each ticker.

    Raises:
        UsageError: the service is not to be used as it is set, or what is stored is of another version.
        DiskError: the disk fails.
    """
    report = EarningsReport(service.name)
    stored = _stored(store, report.log)
    asked = dict(stored.asked.get(service.name, {}))
    today, waiting = str(local_date(request.now)), 0
    try:
        for result in service.fetch(request, frozenset(asked), report.log):
            watch(result)
            if isinstance(result, Failure):
                report.failures = (*report.failures, result)
                continue
            asked[result.ticker] = today
            table = _possible(result, service.name, request, report.log)
            if len(table):
                report.tickers += 1
                stored = _merged(stored, table, request, report)
            else:
                report.without = (*report.without, result.ticker)
            stored = replace(stored, asked={**stored.asked, service.name: asked})
            waiting += 1
            if waiting == WRITE_AFTER:
                store.write(stored)
                waiting = 0
    finally:
        if waiting:
            store.write(stored)
    return report


def ask_each(tickers: Sequence[str], ask: Callable[[str], Answer]) -> Iterator[Answer | Failure]:
    """Ask a service for one ticker after the other, until it shows that asking on is of no use.

    A ticker that it does not know has no dates; that is no failure, for a fund has none.

    Args:
        tickers: to be asked for.
        ask: gives the answer, or raises what is wrong.
    """
    silent = 0
    for place, ticker in enumerate(tickers):
        try:
            yield ask(ticker)
        except NotFoundError:
            yield Answer(ticker, earnings_table([], ""))
        except (TryLaterError, UnavailableError, BadInputError) as error:
            kind = FailureKind.UNUSABLE
            if not isinstance(error, BadInputError):
                limited = isinstance(error, TryLaterError)
                kind = FailureKind.RATE_LIMITED if limited else FailureKind.UNAVAILABLE
            yield Failure(ticker, kind, error.message)
            silent = silent + 1 if kind is FailureKind.UNAVAILABLE else 0
            if kind is FailureKind.RATE_LIMITED or silent >= UNREACHABLE_AFTER:
                for rest in tickers[place + 1 :]:
                    yield Failure(rest, FailureKind.NOT_REQUESTED, "the run ended before its turn")
                return
        else:
            silent = 0


def _stored(store: EarningsStore, log: FetchLog) -> StoredEarnings:
    try:
        return store.read()
    except BadInputError as error:
        log.note(f"{error.message}; it was replaced by what was fetched", grave=True)
        return StoredEarnings()


def _possible(answer: Answer, service: str, request: Request, log: FetchLog) -> EarningsTable:
    """The rows of an answer whose days can be believed; the others are told to `log`."""
    table = answer.table
    odd = (table.date < FIRST_DAY) | (table.date > last_possible(request.now))
    for day in table.date[odd]:
        log.reject(service, None, f"the date {day} is not possible", answer.ticker)
    return table.take(~odd)


def _merged(
    stored: StoredEarnings, table: EarningsTable, request: Request, report: EarningsReport
) -> StoredEarnings:
    merged = merge_earnings(stored.table, table, local_date(request.now))
    report.added += merged.added
    report.changed += merged.changed
    report.moved += merged.moved
    return replace(stored, table=merged.table)


def failed(source: str, error: ForecastError) -> EarningsReport:
    """The report on a source that is of no use."""
    return EarningsReport(source, error=error)


def stock_tickers(tickers: Sequence[str]) -> tuple[str, ...]:
    """Those of which there may be reports: indices, currencies, futures and coins have none."""
    rest = (EVERY_DAY, WEEKDAYS)
    return tuple(
        name
        for name in tickers
        if not name.startswith("^") and "=" not in name and calendar_of_symbol(name) not in rest
    )
