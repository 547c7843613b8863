"""Yahoo as a source of prices: a few workers send requests, this thread writes each ticker as it comes."""

import threading
from collections.abc import Generator, Mapping, Sequence
from functools import partial
from typing import TYPE_CHECKING

import numpy as np

from forecaster.errors import (
    BadInputError,
    DiskError,
    NotFoundError,
    TryLaterError,
    UnavailableError,
    UsageError,
    name_some,
)
from forecaster.prices.exchanges import XNYS, calendar_of_symbol
from forecaster.prices.fetching import (
    Failure,
    FailureKind,
    FetchLog,
    Outcome,
    Request,
    TickerOutcome,
    note_odd_moves,
)
from forecaster.prices.health import missing_sessions
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

ENDED = "the run ended before its turn"
UNREACHABLE_AFTER = 20
"""So many tickers without an answer, one after the other, and the rest need not be tried."""

Prepared = tuple[Stored | None, Update, str]


class YahooSource:
    """Yahoo Finance; only what is missing is requested.

    Args:
        settings: with how Yahoo is requested.
        damaged: what is wrong with files that can be read and are not to be trusted, by ticker.
    """

    name = SOURCE

    def __init__(self, settings: Settings, damaged: Mapping[str, Sequence[str]] | None = None) -> None:
        self._settings = settings
        self._damaged = damaged or {}

    def fetch(
        self, request: Request, store: PriceStore, log: FetchLog
    ) -> Generator[TickerOutcome | Failure, None, None]:
        """As `PriceSource.fetch`, in the order in which the answers come.

        Tickers to which no session is missing cost no request. Each other one costs one, or two where
        its past was restated.

        Raises:
            DiskError: the disk fails.
            UsageError: `yahoo.url` is not an address.
        """
        desk = _Desk(self._settings, store, request, self._damaged, log)
        silent, workers_wanted = 0, self._settings.yahoo.workers
        with running_workers(request.tickers, desk.prepare, workers_wanted, desk.pacer.stop) as workers:
            for ticker, prepared in workers.results():
                result = desk.settle(ticker, prepared)
                kind = result.kind if isinstance(result, Failure) else None
                silent = silent + 1 if kind is FailureKind.UNAVAILABLE else 0
                if silent >= UNREACHABLE_AFTER or kind is FailureKind.RATE_LIMITED:
                    workers.stop()
                yield result
        for ticker in workers.waiting:
            yield Failure(ticker, FailureKind.NOT_REQUESTED, ENDED)


class _Desk:
    """Prepares updates in the workers' threads and settles them in the main one.

    yfinance is loaded when the first ticker is requested.
    """

    def __init__(
        self,
        settings: Settings,
        store: PriceStore,
        request: Request,
        damaged: Mapping[str, Sequence[str]],
        log: FetchLog,
    ) -> None:
        self.pacer = Pacer(settings.yahoo.rate, settings.yahoo.backoff)
        self._store, self._request, self._damaged, self._log = store, request, damaged, log
        self._settings = settings
        self._client: YahooClient | None = None
        self._lock = threading.Lock()

    def prepare(self, ticker: str) -> Prepared:
        """What is stored, what is to be stored, and what is wrong with the file if it is damaged.

        Raises:
            NotFoundError, TryLaterError, UnavailableError, BadInputError: nothing is to be stored.
        """
        stored, damage = self._stored(ticker)
        ask = partial(self._ask, ticker)
        calendar = calendar_of_symbol(ticker) or XNYS
        return stored, update_ticker(stored, self._request.start, self._request.now, ask, calendar), damage

    def settle(self, ticker: str, prepared: Prepared | Exception) -> TickerOutcome | Failure:
        """Write what came, and say what became of the ticker.

        Raises:
            DiskError: the disk fails.
            Exception: an error that no ticker accounts for.
        """
        if isinstance(prepared, NoPricesError):
            self._log.note(f"{ticker}: Yahoo has no prices: {prepared.message}")
            return TickerOutcome(ticker, Outcome.NO_DATA)
        if isinstance(prepared, Exception):
            return Failure(ticker, _kind(prepared), str(prepared.args[0]))
        stored, update, damage = prepared
        missing: tuple[str, ...] = ()
        if update.table is not None:
            self._store.write(
                update.table, source=SOURCE, fetched_at=self._request.now, fetch_state=update.fetch_state
            )
            missing = self._note(update.table, update, damage)
            told = stored.table.dates[-1] if stored is not None and not update.whole else None
            note_odd_moves(update.table, self._log, told)
        if update.problem:
            return Failure(ticker, FailureKind.KEPT, update.problem)
        table = update.table if update.table is not None or stored is None else stored.table
        if table is None:
            raise ValueError(f"{ticker}: neither stored nor fetched")
        return TickerOutcome(
            *(ticker, _outcome(stored, update), update.rows_added, update.rows_replaced, len(table)),
            *(str(table.dates[0]), str(table.dates[-1])),
            why_replaced=update.whole,
            missing_sessions=missing,
            repaired=bool(damage),
        )

    def _ask(self, ticker: str, first: np.datetime64, last: np.datetime64) -> CheckedBars:
        return check_bars(ticker, self._opened().bars(ticker, first, last), self._request.now)

    def _opened(self) -> "YahooClient":
        from forecaster.prices.yahoo.client import YahooClient

        with self._lock:
            if self._client is None:
                cache = self._settings.home / "data" / "cache" / "yfinance"
                self._client = YahooClient(self._settings.yahoo, self.pacer, cache)
            return self._client

    def _stored(self, ticker: str) -> tuple[Stored | None, str]:
        if ticker in self._damaged:
            return None, f"{ticker}: {'; '.join(self._damaged[ticker])}"
        if not self._store.has(ticker):
            return None, ""
        try:
            return Stored(*self._store.read_with_info(ticker)), ""
        except BadInputError as error:
            return None, error.message
        except (DiskError, UsageError) as error:  # not ours to read, or of a newer version of this tool
            raise KeptError(error.message, error.remedy) from error

    def _note(self, table: PriceTable, update: Update, damage: str) -> tuple[str, ...]:
        """Log all that the user should know of a ticker that was requested; the sessions still missing."""
        log, ticker = self._log, table.ticker
        if damage:
            log.note(f"{damage}; it was replaced by what was fetched")
        if update.whole:
            log.note(f"{ticker}: the whole history was fetched anew: {update.whole}")
        for note in update.notes:
            log.note(f"{ticker}: {note}")
        for reason in update.rejections:
            log.reject("Yahoo", None, reason, ticker)
        missing = missing_sessions(table, self._request.now)
        gaps = missing[missing < table.dates[-1]]
        if len(gaps):
            log.note(f"{ticker}: no price of {name_some(gaps)}; a later run requests it again")
        if len(gaps) < len(missing):
            log.note(f"{ticker}: nothing after {table.dates[-1]} yet; a later run requests it again")
        return tuple(str(day) for day in missing)


def _outcome(stored: Stored | None, update: Update) -> Outcome:
    if stored is None:
        return Outcome.ADDED
    if update.whole:
        return Outcome.REPLACED
    return Outcome.UPDATED if update.rows_added or update.rows_replaced else Outcome.UNCHANGED


def _kind(error: Exception) -> FailureKind:
    """How a ticker failed.

    Raises:
        Exception: it is an error that no ticker accounts for.
    """
    kinds: tuple[tuple[type[Exception], FailureKind], ...] = (
        (NotFoundError, FailureKind.NOT_FOUND),
        (StoppedError, FailureKind.NOT_REQUESTED),
        (TryLaterError, FailureKind.RATE_LIMITED),
        (UnavailableError, FailureKind.UNAVAILABLE),
        (KeptError, FailureKind.KEPT),
        (BadInputError, FailureKind.UNUSABLE),
    )
    for kind, name in kinds:
        if isinstance(error, kind):
            return name
    raise error
