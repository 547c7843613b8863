"""Bring the prices that came from Yahoo up to date, and say whether prices are fit to train on."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from forecaster.errors import BadInputError
from forecaster.files import home_lock
from forecaster.prices.calendar import last_closed_session, sessions_between
from forecaster.prices.fetching import Request, name_some
from forecaster.prices.health import check_health
from forecaster.prices.store import PriceStore
from forecaster.prices.yahoo.fetch import FailureKind, fetch_from_yahoo
from forecaster.prices.yahoo.incremental import SOURCE
from forecaster.settings import Settings

RECENT_SESSIONS = 60
OLDEST_SESSIONS = 5
MOST_HOLES = 3
FAULTY_SHARE = 0.05
_LOCK_WAIT_SECONDS = 60.0


@dataclass(frozen=True)
class Refreshed:
    """What a fetch brought.

    Attributes:
        tickers: asked for.
        other_sources: tickers left alone, as they came from elsewhere.
        unknown: tickers that Yahoo does not know any more.
        failures: why others failed, one sentence each.
    """

    tickers: int
    other_sources: int
    unknown: tuple[str, ...] = ()
    failures: tuple[str, ...] = ()


def refresh_prices(settings: Settings, now: datetime) -> Refreshed:
    """Fetch the missing sessions of every stored ticker that came from Yahoo.

    Raises:
        TryLaterError: another process writes to the home folder.
        DiskError, BadInputError: the disk refuses, or a file is damaged.
    """
    store = PriceStore(settings.home)
    everything = store.tickers()
    tickers = tuple(ticker for ticker in everything if store.info(ticker).source == SOURCE)
    if not tickers:
        return Refreshed(0, len(everything))
    with home_lock(settings.home, _LOCK_WAIT_SECONDS):
        report = fetch_from_yahoo(settings, store, Request(tickers, now), lambda _ticker, _failure: None)
    gone = tuple(each.ticker for each in report.failures if each.kind is FailureKind.NOT_FOUND)
    failures = tuple(
        f"{each.ticker}: {each.kind}: {each.reason}"
        for each in report.failures
        if each.kind is not FailureKind.NOT_FOUND
    )
    return Refreshed(len(tickers), len(everything) - len(tickers), gone, failures)


def refuse_unfit_prices(store: PriceStore, tickers: Sequence[str], now: datetime) -> None:
    """Refuse to train on prices that are stale or full of holes.

    A ticker without a bar in the last 60 sessions is taken for one that is traded no more. Of the
    others at most 5 % may lack more than 3 of the last 60, or be damaged. At most 5 %, or one of several,
    which may just have been delisted, may lack more than the last 5.

    Raises:
        BadInputError: the prices are unfit, or damaged.
    """
    today = last_closed_session(now)
    recent = sessions_between(today - 2 * RECENT_SESSIONS, today)[-RECENT_SESSIONS:]
    health = [check_health(store, ticker, now) for ticker in tickers]
    traded = [each for each in health if each.damage or each.age < RECENT_SESSIONS]
    broken = [each for each in traded if each.damage or (each.holes >= recent[0]).sum() > MOST_HOLES]
    stale = [each for each in traded if not each.damage and each.age > OLDEST_SESSIONS]
    tolerated = FAULTY_SHARE * len(traded)
    remedy = "run `forecast fetch`, and look at `forecast data status`"
    newest = f"the newest bar is of {max((each.last for each in health), default='no day')}"
    if not traded:
        raise BadInputError(f"no ticker has traded in the last {RECENT_SESSIONS} sessions; {newest}", remedy)
    for faulty, how, most in (
        (broken, "holed or damaged", tolerated),
        (stale, "stale", max(tolerated, min(1, len(traded) - 1))),
    ):
        if len(faulty) > most:
            raise BadInputError(
                f"the prices are unfit to train on: {len(faulty)} of {len(traded)} tickers are {how}: "
                f"{name_some(each.ticker for each in faulty)}; {newest}",
                remedy,
            )
