"""Bring prices and earnings dates up to date, repair damaged files, and check prices before training."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from forecaster.errors import BadInputError, ForecastError, TryLaterError, UsageError, name_some
from forecaster.files import home_lock
from forecaster.prices.calendar import last_closed_session, local_date
from forecaster.prices.earnings.fetching import fetch_earnings, stock_tickers
from forecaster.prices.earnings.services import SERVICES, earnings_service
from forecaster.prices.earnings.store import EarningsStore
from forecaster.prices.fetching import FailureKind, Request, fetch_prices
from forecaster.prices.health import RECENT_SESSIONS, TickerHealth, check_health, recent_sessions
from forecaster.prices.store import FILE_ERRORS, PriceStore
from forecaster.prices.yahoo.fetch import YahooSource
from forecaster.prices.yahoo.incremental import SOURCE
from forecaster.settings import Settings

ASK_AFTER_DAYS, STALE_DAYS = 7, 28
"""After how many days a ticker's earnings dates are asked for again, and after how many they are stale."""
OLDEST_SESSIONS = 5
MOST_GAPS = 3
FAULTY_SHARE = 0.05
_LOCK_WAIT_SECONDS = 60.0


@dataclass(frozen=True)
class Refreshed:
    """What a fetch brought.

    Attributes:
        tickers: how many were fetched.
        other_sources: how many were left alone, as they came from elsewhere.
        unknown: tickers that Yahoo does not know any more.
        failures: why others failed, one sentence each; damaged files that were not repaired among them.
        damaged: tickers whose files could not be read.
        repaired: those of the damaged whose whole history was fetched anew.
    """

    tickers: int
    other_sources: int
    unknown: tuple[str, ...] = ()
    failures: tuple[str, ...] = ()
    damaged: tuple[str, ...] = ()
    repaired: tuple[str, ...] = ()


def refresh_prices(settings: Settings, now: datetime) -> Refreshed:
    """Fetch the missing sessions of every stored ticker that came from Yahoo, and repair damaged files.

    A damaged file often does not say where its prices came from. It is taken for Yahoo's unless most of
    the files that can be read came from elsewhere.

    Raises:
        TryLaterError: another process writes to the home folder.
        DiskError: the disk fails.
    """
    store = PriceStore(settings.home)
    sources, unreadable = _sources(store)
    tickers = [ticker for ticker, source in sources.items() if source == SOURCE]
    others = len(sources) - len(tickers)
    if len(tickers) >= others:
        tickers = sorted([*tickers, *unreadable])
    if not tickers and not unreadable:
        return Refreshed(0, others)
    with home_lock(settings.home, _LOCK_WAIT_SECONDS):
        request = Request(tuple(tickers), now)
        report = fetch_prices(YahooSource(settings), store, request, lambda _: None)
    repaired = {each.ticker for each in report.outcomes if each.repaired}
    unknown = [
        each.ticker
        for each in report.failures
        if each.kind is FailureKind.NOT_FOUND and each.ticker not in unreadable
    ]
    failures = {each.ticker: str(each) for each in report.failures if each.ticker not in unknown}
    for ticker in unreadable.keys() - repaired - failures.keys():
        why = "no data" if ticker in tickers else "not requested, as most prices are not from Yahoo"
        failures[ticker] = f"{ticker}: {why}: {unreadable[ticker].message}"
    damaged = {ticker for ticker, error in unreadable.items() if isinstance(error, BadInputError)}
    return Refreshed(
        len(tickers),
        others,
        tuple(unknown),
        tuple(failures[ticker] for ticker in sorted(failures)),
        tuple(sorted(damaged | repaired)),
        tuple(sorted(repaired)),
    )


def refresh_earnings(settings: Settings, now: datetime) -> str:
    """Ask once a week for the earnings dates of every stored ticker, by the services that were ever used.

    A service that fails is no failure: what is stored holds, and the next night asks again. It is one once
    dates that were known have not been confirmed for four weeks.

    Returns:
        What was done, in a sentence.

    Raises:
        TryLaterError: dates have grown stale, or another process writes to the home folder.
        BadInputError, UsageError: the file of dates is damaged, or of another version of this tool.
        DiskError: the disk fails.
    """
    store, today = EarningsStore(settings.home), local_date(now)
    tickers = stock_tickers(PriceStore(settings.home).tickers())
    told, stale = list[str](), list[str]()
    for source in SERVICES:
        stored = store.read()
        due = stored.due(source, tickers, today, ASK_AFTER_DAYS) if source in stored.asked else []
        if not due:
            continue
        fault = ""
        try:
            service = earnings_service(source, settings)
            with home_lock(settings.home, _LOCK_WAIT_SECONDS):
                report = fetch_earnings(service, store, Request(tuple(due), now))
            moved = f", moved: {'; '.join(map(str, report.moved))}" if report.moved else ""
            told.append(f"{source}: tickers with dates: {report.tickers}, new: {report.added}{moved}")
            fault = report.failures[0].reason if report.failures else ""
        except UsageError as error:
            fault = error.message
        if fault:
            told.append(f"{source}: not all answered: {fault}")
            old = set(store.read().due(source, due, today, STALE_DAYS)) & stored.asked[source].keys()
            stale += [f"{source} has not confirmed {name_some(sorted(old))}: {fault}"] if old else []
    if stale:
        raise TryLaterError(
            f"earnings dates are older than {STALE_DAYS} days: {'; '.join(stale)}",
            "see `forecast fetch --earnings`; prices and forecasts go on without",
        )
    return ", ".join(told) or "no earnings dates are due"


def _sources(store: PriceStore) -> tuple[dict[str, str], dict[str, ForecastError]]:
    """Where each ticker's prices came from, and why that cannot be read of the others."""
    sources: dict[str, str] = {}
    unreadable: dict[str, ForecastError] = {}
    for ticker in store.tickers():
        try:
            sources[ticker] = store.info(ticker).source
        except FILE_ERRORS as error:
            unreadable[ticker] = error
    return sources, unreadable


def reject_unfit_prices(store: PriceStore, tickers: Sequence[str], now: datetime) -> None:
    """Reject prices that are too old, or too incomplete, to train on.

    A ticker without a bar in the last 60 sessions is taken for one that is traded no more. Of the
    others at most 5 % may lack more than 3 of the last 60, or be damaged. At most 5 %, or one of several,
    which may just have been delisted, may lack more than the last 5.

    Raises:
        BadInputError: the prices are unfit, or damaged.
    """
    health = [check_health(store, ticker, now) for ticker in tickers]
    traded = [each for each in health if each.damage or each.age < RECENT_SESSIONS]
    broken = [each for each in traded if each.damage or _recent_gaps(each, now) > MOST_GAPS]
    stale = [each for each in traded if not each.damage and each.age > OLDEST_SESSIONS]
    tolerated = FAULTY_SHARE * len(traded)
    remedy = "run `forecast fetch`, and look at `forecast data status`"
    newest = f"the newest bar is of {max((each.last for each in health), default='no day')}"
    if not traded:
        raise BadInputError(f"no ticker has traded in the last {RECENT_SESSIONS} sessions; {newest}", remedy)
    for faulty, how, most in (
        (broken, "incomplete or damaged", tolerated),
        (stale, "stale", max(tolerated, min(1, len(traded) - 1))),
    ):
        if len(faulty) > most:
            raise BadInputError(
                f"the prices are unfit to train on: {len(faulty)} of {len(traded)} tickers are {how}: "
                f"{name_some(each.ticker for each in faulty)}; {newest}",
                remedy,
            )


def _recent_gaps(health: TickerHealth, now: datetime) -> int:
    """How many of the last 60 sessions of its exchange a ticker has no bar of."""
    recent = recent_sessions(last_closed_session(now, health.calendar), health.calendar)
    return int((health.gaps >= recent[0]).sum())
