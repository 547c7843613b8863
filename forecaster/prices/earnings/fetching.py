"""Bring earnings dates into the store: what a source gives, what it changed, and what it failed to give."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field, replace
from typing import Protocol

from forecaster.errors import BadInputError, ForecastError
from forecaster.prices.calendar import local_date
from forecaster.prices.earnings.store import EarningsStore, StoredEarnings
from forecaster.prices.earnings.table import EarningsTable, Moved, merge_earnings
from forecaster.prices.exchanges import EVERY_DAY, WEEKDAYS, calendar_of_symbol
from forecaster.prices.fetching import Failure, FetchLog, Request

WRITE_AFTER = 25
"""Answers of a service that an interruption may cost."""


@dataclass(frozen=True)
class Answer:
    """What a service says of one ticker; a table without a row if it has no dates of it."""

    ticker: str
    table: EarningsTable


class EarningsService(Protocol):
    """Anything that is asked for one ticker after the other."""

    @property
    def name(self) -> str:
        """What the store remembers as the origin of the dates."""

    def fetch(self, request: Request, log: FetchLog) -> Iterator[Answer | Failure]:
        """Each ticker's answer, or why there is none."""


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


def fetch_earnings(service: EarningsService, store: EarningsStore, request: Request) -> EarningsReport:
    """Merge what a service says of the tickers into the store; the caller holds `files.home_lock`.

    What has come is kept whatever ends the run. Of a ticker that fails all stays as it was.

    Raises:
        UsageError: the service is not to be used as it is set, or what is stored is of another version.
        DiskError: the disk fails.
    """
    report = EarningsReport(service.name)
    stored = _stored(store, report.log)
    asked = dict(stored.asked.get(service.name, {}))
    today, waiting = str(local_date(request.now)), 0
    try:
        for result in service.fetch(request, report.log):
            if isinstance(result, Failure):
                report.failures = (*report.failures, result)
                continue
            asked[result.ticker] = today
            if len(result.table):
                report.tickers += 1
                stored = _merged(stored, result.table, request, report)
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


def _stored(store: EarningsStore, log: FetchLog) -> StoredEarnings:
    try:
        return store.read()
    except BadInputError as error:
        log.note(f"{error.message}; it was replaced by what was fetched", grave=True)
        return StoredEarnings()


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
