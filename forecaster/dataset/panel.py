"""Many tickers as arrays: on one calendar to train and test on, or right-aligned to forecast from."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from forecaster.files import digest_bytes
from forecaster.prices.calendar import is_session, sessions_between
from forecaster.prices.market import MarketSeries, daily_returns, read_market
from forecaster.prices.store import PriceStore, empty_store
from forecaster.prices.table import PriceTable, checked_ticker

Days = NDArray[np.datetime64]
Float32 = NDArray[np.float32]
LATEST_COLUMNS = ("adj_close", "high", "low", "volume")
"""What `latest_days` needs of a price table."""


@dataclass(frozen=True)
class Panel:
    """Daily prices of N tickers on D trading days, NaN where a ticker has no bar.

    Attributes:
        tickers: N symbols.
        dates: (D,) trading days, increasing.
        close: (N, D) adjusted close; float64, as forecasts are multiplied onto it.
        log_return: (N, D) log of close over the previous trading day's; NaN after a gap.
        log_range: (N, D) log of high over low; None when no ticker has highs and lows.
        log_volume: (N, D) log of 1 + shares traded; None when no ticker has volumes.
        market_return: (D,) log return of the market, NaN where it is not known.
        target_mask: (N, D) days that may be origins of targets; None for all. All days may be inputs.
        market_members: the symbols that the market is the equal-weighted mean of.
    """

    tickers: tuple[str, ...]
    dates: Days
    close: NDArray[np.float64]
    log_return: Float32
    log_range: Float32 | None
    log_volume: Float32 | None
    market_return: Float32
    target_mask: NDArray[np.bool_] | None = None
    market_members: tuple[str, ...] = ()

    @property
    def shape(self) -> tuple[int, int]:
        """(tickers, days)."""
        return self.close.shape[0], self.close.shape[1]

    def digest(self) -> str:
        """SHA-256 of tickers and closes: other prices have another."""
        return digest_bytes("\n".join(self.tickers).encode(), np.ascontiguousarray(self.close).tobytes())

    def last(self, days: int) -> "Panel":
        """The same tickers on the last `days` trading days; views, not copies."""
        return Panel(
            self.tickers,
            self.dates[-days:],
            self.close[:, -days:],
            self.log_return[:, -days:],
            None if self.log_range is None else self.log_range[:, -days:],
            None if self.log_volume is None else self.log_volume[:, -days:],
            self.market_return[-days:],
            None if self.target_mask is None else self.target_mask[:, -days:],
            self.market_members,
        )


def choose_tickers(store: PriceStore, wanted: Sequence[str] | None) -> list[str]:
    """The tickers asked for, in capitals and once each; all stocks of the store if none was.

    Indices (`^GSPC`) are no stocks: they are taken only when they are named.

    Raises:
        NotFoundError: a ticker is not in the store, or the store is empty.
        UsageError: a name is not a ticker.
    """
    if not wanted:
        stocks = [ticker for ticker in store.tickers() if not ticker.startswith("^")]
        if not stocks:
            raise empty_store(store)
        return stocks
    chosen = list(dict.fromkeys(checked_ticker(ticker) for ticker in wanted))
    for ticker in chosen:
        store.info(ticker)
    return chosen


def load_panel(store: PriceStore, tickers: Sequence[str], market: MarketSeries | None = None) -> Panel:
    """Read `tickers` from the store; the market is that of the whole store where none is given.

    Raises:
        NotFoundError: a ticker is not in the store.
        BadInputError: a file of the store is damaged.
    """
    tables = list(store.read_many(tickers))
    return build_panel(tables, read_market(store) if market is None else market)


def build_panel(tables: Sequence[PriceTable], market: MarketSeries) -> Panel:
    """Lay price tables on their common trading days; the market is NaN where it is not known."""
    dates = trading_days([table.dates for table in tables])
    places = [np.searchsorted(dates, table.dates) for table in tables]
    close = _matrix(tables, places, dates, "adj_close")
    with np.errstate(invalid="ignore", divide="ignore"):
        log_return = np.diff(np.log(close), axis=1, prepend=np.nan).astype(np.float32)
    return Panel(
        tickers=tuple(table.ticker for table in tables),
        dates=dates,
        close=close,
        log_return=log_return,
        log_range=_log_range(tables, places, dates),
        log_volume=_log_volume(tables, places, dates),
        market_return=_align(dates, market.dates, market.log_return),
        market_members=market.members,
    )


@dataclass(frozen=True)
class LatestDays:
    """The last D trading days of each of N tickers, right-aligned: their last columns are their last days.

    Tickers may end on different days; where one has fewer than D days, the columns before them are NaN.

    Attributes:
        tickers: N symbols.
        dates: (N, D) each ticker's trading days; NaT before the first.
        close: (N, D) adjusted close.
        log_return, log_range, log_volume: (N, D) as in `Panel`.
        market_return: (N, D) of each ticker's days.
        past_spread: (N,) root mean square of all past daily returns, those before the D days too.
    """

    tickers: tuple[str, ...]
    dates: Days
    close: NDArray[np.float64]
    log_return: Float32
    log_range: Float32
    log_volume: Float32
    market_return: Float32
    past_spread: NDArray[np.float64]

    @property
    def shape(self) -> tuple[int, int]:
        """(tickers, days)."""
        return self.close.shape[0], self.close.shape[1]


def latest_days(tables: Sequence[PriceTable], market: MarketSeries, days: int) -> LatestDays:
    """Lay the last `days` trading days of each table side by side.

    Args:
        tables: N tickers' bars, each with one bar at least.
        market: the market's daily return.
        days: D.
    """
    shape = (len(tables), days)
    dates = np.full(shape, np.datetime64("NaT"), dtype="datetime64[D]")
    close, high, low, volume = (np.full(shape, np.nan) for _ in range(4))
    log_return = np.full(shape, np.nan, dtype=np.float32)
    spread = np.empty(len(tables))
    for row, table in enumerate(tables):
        # One bar more than there are days: the first day's return is from the day before.
        tail = table.take(slice(max(len(table) - days - 1, 0), None))
        own = _own_days(tail.dates)
        place = np.searchsorted(own, tail.dates)
        kept = min(days, len(own))
        dates[row, -kept:] = own[-kept:]
        for matrix, name in ((close, "adj_close"), (high, "high"), (low, "low"), (volume, "volume")):
            values = np.full(len(own), np.nan)
            values[place] = tail.columns[name]
            matrix[row, -kept:] = values[-kept:]
            if name == "adj_close":
                with np.errstate(invalid="ignore", divide="ignore"):
                    log_return[row, -kept:] = np.diff(np.log(values), prepend=np.nan)[-kept:]
        spread[row] = _past_spread(table)
    high /= low
    market_return = np.full(shape, np.nan, dtype=np.float32)
    found = np.searchsorted(market.dates, dates)
    known = np.minimum(found, max(len(market.dates) - 1, 0))
    if len(market.dates):
        shared = market.dates[known] == dates
        market_return[shared] = market.log_return[known[shared]]
    with np.errstate(invalid="ignore", divide="ignore"):
        log_range, log_volume = np.log(high).astype(np.float32), np.log1p(volume).astype(np.float32)
    names = tuple(table.ticker for table in tables)
    return LatestDays(names, dates, close, log_return, log_range, log_volume, market_return, spread)


def _own_days(dates: Days) -> Days:
    """As `trading_days`, of one ticker: the sessions that it spans, and its bars on other days."""
    sessions = sessions_between(dates[0], dates[-1])
    if len(sessions) == len(dates) and bool((sessions == dates).all()):
        return dates
    return np.union1d(sessions, dates)


def _past_spread(table: PriceTable) -> float:
    """Root mean square about zero of all daily returns; one across a missing session does not count."""
    _, returns = daily_returns(table)
    squared = np.square(returns.astype(np.float32).astype(np.float64))
    return float(np.sqrt(squared.mean())) if len(squared) else 0.0


def trading_days(calendars: Sequence[Days]) -> Days:
    """The days that all tickers share: New York's sessions, and any other day on which most traded.

    A stray bar of one ticker on a holiday must not become a gap in all the others; a source with
    a calendar of its own keeps it.
    """
    first = min(days[0] for days in calendars)
    last = max(days[-1] for days in calendars)
    seen, traded = np.unique(np.concatenate(calendars), return_counts=True)
    others = ~is_session(seen)
    seen, traded = seen[others], traded[others]
    # Most of those with a bar in the week before: who will be delisted later must not matter.
    active = sum(
        (np.searchsorted(days, seen) > np.searchsorted(days, seen - np.timedelta64(7))).astype(int)
        for days in calendars
    )
    days: Days = np.union1d(sessions_between(first, last), seen[2 * traded > active])
    return days


def _matrix(
    tables: Sequence[PriceTable], places: Sequence[NDArray[np.intp]], dates: Days, column: str
) -> NDArray[np.float64]:
    """(N, D) of one column; bars on days that are not trading days are left out."""
    values = np.full((len(tables), len(dates)), np.nan)
    for row, (table, place) in enumerate(zip(tables, places, strict=True)):
        known = np.minimum(place, len(dates) - 1)
        kept = dates[known] == table.dates
        values[row, known[kept]] = table.columns[column][kept]
    return values


def _log_range(
    tables: Sequence[PriceTable], places: Sequence[NDArray[np.intp]], dates: Days
) -> Float32 | None:
    if not _any_known(tables, "high") or not _any_known(tables, "low"):
        return None
    high = _matrix(tables, places, dates, "high")
    high /= _matrix(tables, places, dates, "low")
    return np.log(high, out=high).astype(np.float32)


def _log_volume(
    tables: Sequence[PriceTable], places: Sequence[NDArray[np.intp]], dates: Days
) -> Float32 | None:
    if not _any_known(tables, "volume"):
        return None
    volume = _matrix(tables, places, dates, "volume")
    return np.log1p(volume, out=volume).astype(np.float32)


def _any_known(tables: Iterable[PriceTable], column: str) -> bool:
    return any(table.known(column) for table in tables)


def _align(dates: Days, other_dates: Days, values: NDArray[np.float64]) -> Float32:
    aligned = np.full(len(dates), np.nan, dtype=np.float32)
    shared, here, there = np.intersect1d(dates, other_dates, assume_unique=True, return_indices=True)
    if len(shared):
        aligned[here] = values[there]
    return aligned
