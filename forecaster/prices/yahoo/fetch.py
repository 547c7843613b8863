"""Fetch many tickers from Yahoo: a few workers ask, this thread writes each ticker as it comes."""

import threading
from collections.abc import Callable
from dataclasses import dataclass, field
from enum import StrEnum
from functools import partial
from typing import TYPE_CHECKING

import numpy as np

from forecaster.errors import BadInputError, NotFoundError, TryLaterError, UnavailableError, UsageError
from forecaster.prices.fetching import ADDED, UNCHANGED, UPDATED, FetchLog, Request, TickerOutcome, name_some
from forecaster.prices.health import missing_sessions
from forecaster.prices.market import read_market
from forecaster.prices.store import PriceStore
from forecaster.prices.table import PriceTable
from forecaster.prices.yahoo.answers import NoPricesError
from forecaster.prices.yahoo.bars import CheckedBars, check_bars
from forecaster.prices.yahoo.incremental import SOURCE, KeptError, Stored, Update, update_ticker
from forecaster.prices.yahoo.pacing import Pacer, StoppedError
from forecaster.prices.yahoo.workers import running_workers
from forecaster.settings import Settings

if TYPE_CHECKING:
    from forecaster.prices.yahoo.client import YahooClient

REPLACED, NO_DATA = "replaced", "no data"
ENDED = "the run ended before its turn"
UNREACHABLE_AFTER = 20
"""So many tickers without an answer, one after the other, and the rest need not be tried."""


class FailureKind(StrEnum):
    """Why there is nothing new of a ticker."""

    NOT_FOUND = "not found"
    RATE_LIMITED = "rate limited"
    UNAVAILABLE = "unavailable"
    UNUSABLE = "unusable"
    KEPT = "kept"
    NOT_ASKED = "not asked"


@dataclass(frozen=True)
class Failure:
    """A ticker that could not be brought up to date; what was stored of it is as it was."""

    ticker: str
    kind: FailureKind
    reason: str


@dataclass
class YahooReport:
    """What became of every ticker."""

    outcomes: list[TickerOutcome] = field(default_factory=list)
    failures: list[Failure] = field(default_factory=list)
    replaced: dict[str, str] = field(default_factory=dict)
    missing: dict[str, list[str]] = field(default_factory=dict)
    log: FetchLog = field(default_factory=FetchLog)

    def count(self, outcome: str) -> int:
        """How many tickers ended so, well or not."""
        return sum(each.outcome == outcome for each in self.outcomes) + sum(
            each.kind == outcome for each in self.failures
        )


Watch = Callable[[str, Failure | None], None]


def fetch_from_yahoo(
    settings: Settings,
    store: PriceStore,
    request: Request,
    watch: Watch,
    *,
    anew: frozenset[str] = frozenset(),
) -> YahooReport:
    """Bring the tickers of `request` up to date; the caller holds `files.home_lock`.

    Tickers to which no session is missing are not asked for. Each other one costs one request, or two
    where its past was restated. It is written as soon as it has come, in one step, so that whatever
    ends the run leaves every ticker either as it was or as it should be.

    Args:
        settings: with how Yahoo is asked.
        store: where the prices go.
        request: which tickers, and from when on.
        watch: called with each ticker that is done, and with its failure if it failed.
        anew: tickers whose files are not to be trusted.

    Raises:
        DiskError: the disk refuses.
        UsageError: `yahoo.url` is not an address.
    """
    store.clear_leftovers()
    report = YahooReport()
    desk = _Desk(settings, store, request, anew)
    silent = 0
    with running_workers(request.tickers, desk.prepare, settings.yahoo.workers, desk.pacer.stop) as workers:
        for ticker, result in workers.results():
            failure = _settle(ticker, result, desk, report)
            unanswered = failure is not None and failure.kind is FailureKind.UNAVAILABLE
            silent = silent + 1 if unanswered else 0
            if silent >= UNREACHABLE_AFTER or (failure and failure.kind is FailureKind.RATE_LIMITED):
                workers.stop()
            watch(ticker, failure)
    report.failures += [Failure(ticker, FailureKind.NOT_ASKED, ENDED) for ticker in workers.waiting]
    report.outcomes.sort(key=lambda each: each.ticker)
    report.failures.sort(key=lambda each: each.ticker)
    _refresh_market(store, report)
    return report


class _Desk:
    """What is needed to prepare a ticker's update; yfinance is loaded when the first one is asked for."""

    def __init__(self, settings: Settings, store: PriceStore, request: Request, anew: frozenset[str]) -> None:
        self.store, self.request, self.anew = store, request, anew
        self.pacer = Pacer(settings.yahoo.rate, settings.yahoo.backoff)
        self._settings = settings
        self._client: YahooClient | None = None
        self._lock = threading.Lock()

    def prepare(self, ticker: str) -> tuple[Stored | None, Update, str]:
        """What is stored, what is to be stored, and what is wrong with the file if it is damaged.

        Raises:
            NotFoundError, TryLaterError, UnavailableError, BadInputError: nothing is to be stored.
        """
        stored, damage = self._stored(ticker)
        ask = partial(self._ask, ticker)
        return stored, update_ticker(stored, self.request.start, self.request.now, ask), damage

    def _ask(self, ticker: str, first: np.datetime64, last: np.datetime64) -> CheckedBars:
        return check_bars(ticker, self._opened().bars(ticker, first, last), self.request.now)

    def _opened(self) -> "YahooClient":
        from forecaster.prices.yahoo.client import YahooClient

        with self._lock:
            if self._client is None:
                cache = self._settings.home / "data" / "cache" / "yfinance"
                self._client = YahooClient(self._settings.yahoo, self.pacer, cache)
            return self._client

    def _stored(self, ticker: str) -> tuple[Stored | None, str]:
        if ticker in self.anew or not self.store.path(ticker).exists():
            return None, ""
        try:
            return Stored(self.store.read(ticker), self.store.info(ticker)), ""
        except BadInputError as error:
            return None, error.message
        except UsageError as error:  # written by a newer version of this tool
            raise KeptError(error.message, error.remedy) from error


def _settle(
    ticker: str, result: tuple[Stored | None, Update, str] | Exception, desk: _Desk, report: YahooReport
) -> Failure | None:
    """Write what came, and note down what became of the ticker."""
    if isinstance(result, NoPricesError):
        report.log.note(f"{ticker}: Yahoo has no prices: {result.message}")
        report.outcomes.append(TickerOutcome(ticker, NO_DATA, 0, 0, 0, "", ""))
        return None
    if isinstance(result, Exception):
        failure = Failure(ticker, _kind(result), str(result.args[0]))
        report.failures.append(failure)
        return failure
    stored, update, damage = result
    table = update.table
    if table is not None:
        desk.store.write(table, source=SOURCE, fetched_at=desk.request.now, fetch_state=update.fetch_state)
        _note(ticker, update, damage, table, report, desk)
    if update.problem:
        failure = Failure(ticker, FailureKind.KEPT, update.problem)
        report.failures.append(failure)
        return failure
    table = table if table is not None or stored is None else stored.table
    if table is None:
        raise ValueError(f"{ticker}: neither stored nor fetched")
    span = str(table.dates[0]), str(table.dates[-1])
    added, replaced = update.rows_added, update.rows_replaced
    report.outcomes.append(
        TickerOutcome(ticker, _outcome(stored, update), added, replaced, len(table), *span)
    )
    return None


def _outcome(stored: Stored | None, update: Update) -> str:
    if stored is None:
        return ADDED
    if update.whole:
        return REPLACED
    return UPDATED if update.rows_added or update.rows_replaced else UNCHANGED


def _note(
    ticker: str, update: Update, damage: str, table: PriceTable, report: YahooReport, desk: _Desk
) -> None:
    """Tell the report all that the user should know of a ticker that was asked for."""
    log = report.log
    if damage:
        log.note(f"{damage}; it was replaced by what was fetched")
    if update.whole:
        report.replaced[ticker] = update.whole
        log.note(f"{ticker}: the whole history was fetched anew: {update.whole}")
    for note in update.notes:
        log.note(f"{ticker}: {note}")
    for reason in update.rejections:
        log.refuse("Yahoo", None, reason, ticker)
    missing = missing_sessions(table, desk.request.now)
    if len(missing) == 0:
        return
    report.missing[ticker] = [str(day) for day in missing]
    holes = [str(day) for day in missing[missing < table.dates[-1]]]
    if holes:
        log.note(f"{ticker}: no price of {name_some(holes)}; asked for again at a later run")
    if len(holes) < len(missing):
        log.note(f"{ticker}: nothing after {table.dates[-1]} yet; asked for again at a later run")


def _kind(error: Exception) -> FailureKind:
    """How a ticker failed.

    Raises:
        Exception: it is an error that no ticker accounts for.
    """
    kinds: tuple[tuple[type[Exception], FailureKind], ...] = (
        (NotFoundError, FailureKind.NOT_FOUND),
        (StoppedError, FailureKind.NOT_ASKED),
        (TryLaterError, FailureKind.RATE_LIMITED),
        (UnavailableError, FailureKind.UNAVAILABLE),
        (KeptError, FailureKind.KEPT),
        (BadInputError, FailureKind.UNUSABLE),
    )
    for kind, name in kinds:
        if isinstance(error, kind):
            return name
    raise error


def _refresh_market(store: PriceStore, report: YahooReport) -> None:
    if not store.tickers():
        return
    try:
        read_market(store)
    except BadInputError as error:
        report.log.note(f"the market's return could not be refreshed: {error}")
