"""Many tickers on one calendar: the arrays that features, targets and baselines are made of."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from forecaster.prices.calendar import is_session, sessions_between
from forecaster.prices.market import MarketSeries, read_market
from forecaster.prices.store import PriceStore, empty_store
from forecaster.prices.table import PriceTable, checked_ticker

Days = NDArray[np.datetime64]
Float32 = NDArray[np.float32]


@dataclass(frozen=True)
class Panel:
    """Daily prices of N tickers on D trading days, NaN where a ticker has no bar.

    Attributes:
        tickers: N symbols.
        dates: (D,) trading days, increasing.
        close: (N, D) adjusted close; float64, as forecasts are multiplied onto it.
        log_return: (N, D) log of close over the previous trading day's; NaN after a hole.
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


def trading_days(calendars: Sequence[Days]) -> Days:
    """The days that all tickers share: New York's sessions, and any other day on which most traded.

    A stray bar of one ticker on a holiday must not become a hole in all the others; a source with
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
