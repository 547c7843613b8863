"""Many tickers as arrays: on one calendar to train and test on, or right-aligned to forecast from."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from forecaster.files import digest_bytes
from forecaster.prices.calendar import is_session, sessions_between
from forecaster.prices.earnings.store import read_reports
from forecaster.prices.earnings.table import COLUMNS, EarningsTable
from forecaster.prices.market import MarketSeries, read_market
from forecaster.prices.store import PriceStore, empty_store
from forecaster.prices.table import PriceTable, checked_ticker

if TYPE_CHECKING:
    from forecaster.dataset.features import Features

Days = NDArray[np.datetime64]
Float32 = NDArray[np.float32]
PANEL_COLUMNS = ("close", "adj_close", "high", "low", "volume")
"""What a panel, and `latest_days`, need of a price table."""
_DIGESTED = (
    *("dates", "close", "log_return", "log_range", "log_volume", "market_return"),
    *("bridged", "target_mask"),
)
MOST_BRIDGED, BRIDGE_SPAN = 5, 60
"""How many sessions without a bar are bridged, of how many in a row."""


@dataclass(frozen=True)
class Panel:
    """Daily prices of N tickers on D trading days, NaN where a ticker has no bar.

    Attributes:
        tickers: N symbols.
        dates: (D,) trading days, increasing.
        close: (N, D) close as it was quoted; float64, as forecasts are multiplied onto it.
        log_return: (N, D) log of the adjusted close over the previous bar's, see `daily_log_returns`.
        log_range: (N, D) log of high over low; None when no ticker has highs and lows.
        log_volume: (N, D) log of 1 + shares traded; None when no ticker has volumes.
        market_return: (D,) log return of the market, NaN where it is not known; (N, D) where the tickers
            trade on several calendars, each of which has a market of its own.
        bridged: (N, D) days without a bar that may be inputs all the same; None where there are none.
        target_mask: (N, D) days that may be origins of targets; None for all. All days may be inputs.
        market_members: the symbols that the market is the equal-weighted mean of.
        reports: the tickers' announcements, as `prices.earnings.table.reports` gives them; None where none
            are kept.
        computed: by their names, the features that `features_of` has computed; another process gets them too.
    """

    tickers: tuple[str, ...]
    dates: Days
    close: NDArray[np.float64]
    log_return: Float32
    log_range: Float32 | None
    log_volume: Float32 | None
    market_return: Float32
    bridged: NDArray[np.bool_] | None = None
    target_mask: NDArray[np.bool_] | None = None
    market_members: tuple[str, ...] = ()
    reports: EarningsTable | None = None
    computed: dict[tuple[str, ...], "Features"] = field(
        default_factory=dict, init=False, repr=False, compare=False
    )

    @property
    def shape(self) -> tuple[int, int]:
        """(tickers, days)."""
        return self.close.shape[0], self.close.shape[1]

    def digest(self) -> str:
        """SHA-256 of all that a network sees or is scored on: one changed value gives another.

        That is tickers, days, closes, returns (of adjusted closes), ranges, volumes, the market, bridged
        days, the days that may be origins, and the dates of reports.
        """
        parts: list[bytes | memoryview] = ["\n".join(self.tickers).encode()]
        for name in _DIGESTED:
            values = getattr(self, name)
            parts.append(f"\n{name} {None if values is None else values.shape}\n".encode())
            if values is not None:  # read where it lies: copies of all would be a second panel
                parts.append(np.ascontiguousarray(values).reshape(-1).view(np.uint8).data)
        if self.reports is not None:
            for name in COLUMNS:
                text = "\t".join(getattr(self.reports, name).astype(str))
                parts.append(f"\nreports {name} {text}".encode())
        return digest_bytes(*parts)

    def take(self, rows: NDArray[np.intp]) -> "Panel":
        """Some of its tickers, by row, beside the same market."""
        return Panel(
            tuple(self.tickers[row] for row in rows),
            self.dates,
            self.close[rows],
            self.log_return[rows],
            None if self.log_range is None else self.log_range[rows],
            None if self.log_volume is None else self.log_volume[rows],
            self.market_return if self.market_return.ndim == 1 else self.market_return[rows],
            None if self.bridged is None else self.bridged[rows],
            None if self.target_mask is None else self.target_mask[rows],
            self.market_members,
            None if self.reports is None else self.reports.of([self.tickers[row] for row in rows]),
        )

    def last(self, days: int) -> "Panel":
        """The same tickers on the last `days` trading days; views, not copies."""
        return self._on(slice(-days, None))

    def first(self, days: int) -> "Panel":
        """The same tickers on the first `days` trading days; views, not copies."""
        return self._on(slice(days))

    def _on(self, days: slice) -> "Panel":
        return Panel(
            self.tickers,
            self.dates[days],
            self.close[:, days],
            self.log_return[:, days],
            None if self.log_range is None else self.log_range[:, days],
            None if self.log_volume is None else self.log_volume[:, days],
            self.market_return[..., days],
            None if self.bridged is None else self.bridged[:, days],
            None if self.target_mask is None else self.target_mask[:, days],
            self.market_members,
            self.reports,
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
    """Read `tickers` from the store, with their reports; the market is the whole store's if none is given.

    Raises:
        NotFoundError: a ticker is not in the store.
        BadInputError: a file of the store is damaged.
    """
    tables = list(store.read_many(tickers))
    known = read_reports(store.home, tickers).table
    return build_panel(tables, read_market(store) if market is None else market, known)


def build_panel(
    tables: Sequence[PriceTable], market: MarketSeries, reports: EarningsTable | None = None
) -> Panel:
    """Lay price tables on their common trading days; the market is NaN where it is not known.

    A day on which a ticker has no bar is no target, and ends the targets that reach it. It may be an input
    if its exchange was closed while others were open, or if the gap is short, see `daily_log_returns`.
    """
    dates = trading_days(tables)
    places = [np.searchsorted(dates, table.dates) for table in tables]
    adjusted = _matrix(tables, places, dates, "adj_close")
    with np.errstate(invalid="ignore", divide="ignore"):
        log_return = np.diff(np.log(adjusted), axis=1, prepend=np.nan).astype(np.float32)
    traded = np.isfinite(adjusted)
    bridged = np.zeros(traded.shape, dtype=bool)
    calendars = [table.calendar for table in tables]
    open_days = {name: is_session(dates, name) for name in set(calendars)}
    for row in np.flatnonzero(_has_gap(traded)):
        log_return[row], bridged[row] = daily_log_returns(adjusted[row], open_days[calendars[row]])
    any_bridged = bool(bridged.any())
    return Panel(
        tickers=tuple(table.ticker for table in tables),
        dates=dates,
        close=_matrix(tables, places, dates, "close"),
        log_return=log_return,
        log_range=_log_range(tables, places, dates),
        log_volume=_log_volume(tables, places, dates),
        market_return=_market_return(dates, calendars, market),
        bridged=bridged if any_bridged else None,
        target_mask=traded if any_bridged else None,
        market_members=market.members,
        reports=reports,
    )


def _has_gap(traded: NDArray[np.bool_]) -> NDArray[np.bool_]:
    """(N,) whether a ticker lacks a day between its first and its last bar."""
    days = traded.shape[1]
    first, last = traded.argmax(1), days - 1 - traded[:, ::-1].argmax(1)
    gap: NDArray[np.bool_] = traded.sum(1) < last - first + 1
    return gap


def daily_log_returns(
    close: NDArray[np.float64], open_days: NDArray[np.bool_]
) -> tuple[Float32, NDArray[np.bool_]]:
    """One ticker's daily log returns, short gaps bridged; causal: a bar moves no day before it.

    A gap is bridged as long as at most 5 of the last 60 sessions have no bar. The bar after it has the
    return since the bar before it, divided by the root of the number of sessions that it spans, so that it
    is as large as a day's. The days of the gap have no return and may be inputs; so may the days on which
    the exchange is closed.

    Args:
        close: (D,) adjusted close, NaN where there is no bar; at least one bar.
        open_days: (D,) on which of the days the exchange holds a session.

    Returns:
        (D,) log returns, NaN where unknown, and (D,) whether a day without a bar may be an input.

    Example:
        closes [1, nan, 4] on three sessions give [nan, nan, log(4) / sqrt(2)] and [False, True, False].
    """
    traded = np.isfinite(close)
    log_return = np.full(len(close), np.nan, dtype=np.float32)
    inside = np.zeros(len(close), dtype=bool)
    if traded.all():
        log_return[1:] = np.diff(np.log(close))
        return log_return, inside
    bars = np.flatnonzero(traded)
    inside[bars[0] : bars[-1] + 1] = True
    own = np.flatnonzero(inside & (open_days | traded))
    missed = ~traded[own]
    so_far = np.cumsum(missed)
    before = np.concatenate([np.zeros(BRIDGE_SPAN, so_far.dtype), so_far])[: len(so_far)]
    too_many = missed & (so_far - before > MOST_BRIDGED)
    bridged = inside & ~traded
    bridged[own[too_many]] = False
    place = np.flatnonzero(~missed)
    passed = np.diff(place)
    whole = np.diff(np.cumsum(too_many)[place]) == 0
    moves = np.diff(np.log(close[bars])) / np.sqrt(passed)
    log_return[bars[1:]] = np.where(whole, moves, np.nan)
    return log_return, bridged


@dataclass(frozen=True)
class LatestDays:
    """The last D trading days of each of N tickers, right-aligned: their last columns are their last days.

    Tickers may end on different days; where one has fewer than D days, the columns before them are NaN.

    Attributes:
        tickers: N symbols.
        calendars: N names of their exchanges' calendars.
        dates: (N, D) each ticker's trading days; NaT before the first.
        close: (N, D) close as it was quoted.
        adjusted: (N, D) close adjusted for splits and dividends, scaled to end at the last close.
        log_return, log_range, log_volume, bridged: (N, D) as in `Panel`.
        market_return: (N, D) of each ticker's days.
        past_spread: (N,) root mean square of all past daily returns, those before the D days too.
        reports: as in `Panel`.
        as_of: the day on which the forecast is made, if that is not the last day: what was announced since
            is known.
    """

    tickers: tuple[str, ...]
    calendars: tuple[str, ...]
    dates: Days
    close: NDArray[np.float64]
    adjusted: NDArray[np.float64]
    log_return: Float32
    log_range: Float32
    log_volume: Float32
    market_return: Float32
    bridged: NDArray[np.bool_]
    past_spread: NDArray[np.float64]
    reports: EarningsTable | None = None
    as_of: np.datetime64 | None = None

    @property
    def shape(self) -> tuple[int, int]:
        """(tickers, days)."""
        return self.close.shape[0], self.close.shape[1]


def last_bars(table: PriceTable, days: int) -> tuple[PriceTable, float]:
    """The bars that `latest_days` lays out, a copy of them that the rest can go, and the spread of all."""
    tail = table.take(_last_rows(table, days))
    columns = {name: values.copy() for name, values in tail.columns.items()}
    return replace(tail, dates=tail.dates.copy(), columns=columns), _past_spread(table)


def _last_rows(table: PriceTable, days: int) -> slice:
    """One bar more than there are days: the first day's return is from the day before."""
    return slice(max(len(table) - days - 1, 0), None)


def latest_days(
    tables: Sequence[PriceTable],
    market: MarketSeries,
    days: int,
    reports: EarningsTable | None = None,
    as_of: np.datetime64 | None = None,
    spreads: Sequence[float] | None = None,
) -> LatestDays:
    """Lay the last `days` trading days of each table side by side.

    Args:
        tables: N tickers' bars, each with one bar at least.
        market: the market's daily return.
        days: D.
        reports: see `LatestDays`.
        as_of: see `LatestDays`.
        spreads: N, where the tables are what `last_bars` has left of the tickers' bars, which it gives.
    """
    shape = (len(tables), days)
    dates = np.full(shape, np.datetime64("NaT", "D"), dtype="datetime64[D]")
    columns = {name: np.full(shape, np.nan) for name in PANEL_COLUMNS}
    log_return, market_return = (np.full(shape, np.nan, dtype=np.float32) for _ in range(2))
    bridged = np.zeros(shape, dtype=bool)
    spread = np.empty(len(tables))
    markets = {name: market.of(name) for name in {table.calendar for table in tables}}
    for row, table in enumerate(tables):
        tail = table.take(_last_rows(table, days))
        own = _own_days(tail)
        whole = len(own) == len(tail)
        place = np.searchsorted(own, tail.dates)
        kept = min(days, len(own))
        dates[row, -kept:] = own[-kept:]
        for name, matrix in columns.items():
            values = tail.columns[name]
            if not whole:
                values = np.full(len(own), np.nan)
                values[place] = tail.columns[name]
            matrix[row, -kept:] = values[-kept:]
            if name == "adj_close":
                returns, gaps = daily_log_returns(values, np.ones(len(own), dtype=bool))
                log_return[row, -kept:], bridged[row, -kept:] = returns[-kept:], gaps[-kept:]
        if row and table.calendar == tables[row - 1].calendar and (dates[row] == dates[row - 1]).all():
            market_return[row] = market_return[row - 1]
        else:
            market_return[row] = _align(dates[row], markets[table.calendar])
        spread[row] = _past_spread(table) if spreads is None else spreads[row]
    close, adjusted = columns["close"], columns["adj_close"]
    adjusted *= (close[:, -1] / adjusted[:, -1])[:, None]
    with np.errstate(invalid="ignore", divide="ignore"):
        log_range = np.log(columns["high"] / columns["low"]).astype(np.float32)
        log_volume = np.log1p(columns["volume"]).astype(np.float32)
    return LatestDays(
        tickers=tuple(table.ticker for table in tables),
        calendars=tuple(table.calendar for table in tables),
        dates=dates,
        close=close,
        adjusted=adjusted,
        log_return=log_return,
        log_range=log_range,
        log_volume=log_volume,
        market_return=market_return,
        bridged=bridged,
        past_spread=spread,
        reports=reports,
        as_of=as_of,
    )


def _own_days(table: PriceTable) -> Days:
    """As `trading_days`, of one ticker: the sessions that it spans, and its bars on other days."""
    dates = table.dates
    sessions = sessions_between(dates[0], dates[-1], table.calendar)
    if len(sessions) == len(dates) and bool((sessions == dates).all()):
        return dates
    return np.union1d(sessions, dates)


def _past_spread(table: PriceTable) -> float:
    """Root mean square about zero of all daily returns, gaps bridged as in a panel."""
    own = _own_days(table)
    close = table.columns["adj_close"]
    if len(own) == len(table):
        returns = np.diff(np.log(close)).astype(np.float32)
    else:
        values = np.full(len(own), np.nan)
        values[np.searchsorted(own, table.dates)] = close
        returns, _ = daily_log_returns(values, np.ones(len(own), dtype=bool))
        returns = returns[np.isfinite(returns)]
    squared = np.square(returns.astype(np.float64))
    return float(np.sqrt(squared.mean())) if len(squared) else 0.0


def trading_days(tables: Sequence[PriceTable]) -> Days:
    """The days that the tickers share: their exchange's sessions, and any other day on which most traded.

    A stray bar of one ticker on a holiday must not become a gap in all the others; a source with
    days of its own keeps them. Of several exchanges the days count on which half of the tickers' exchanges
    are open: beside stocks a coin has its weekends' moves on Mondays, as they have, for otherwise no week of
    theirs would be without a closed day.
    """
    groups: dict[str, list[Days]] = {}
    for table in tables:
        groups.setdefault(table.calendar, []).append(table.dates)
    shared = {calendar: _shared_days(spans, calendar) for calendar, spans in groups.items()}
    if len(shared) == 1:
        return next(iter(shared.values()))
    days: Days = np.unique(np.concatenate(list(shared.values())))
    listed, open_ = np.zeros(len(days), np.int64), np.zeros(len(days), np.int64)
    for calendar, spans in groups.items():
        active = np.zeros(len(days) + 1, np.int64)
        for dates in spans:
            active[np.searchsorted(days, dates[0])] += 1
            active[np.searchsorted(days, dates[-1], "right")] -= 1
        active = np.cumsum(active)[:-1]
        listed += active
        open_ += active * np.isin(days, shared[calendar])
    return days[2 * open_ >= listed]


def _shared_days(spans: Sequence[Days], calendar: str) -> Days:
    """The trading days of the tickers of one calendar."""
    first = min(days[0] for days in spans)
    last = max(days[-1] for days in spans)
    seen, traded = np.unique(np.concatenate(spans), return_counts=True)
    others = ~is_session(seen, calendar)
    seen, traded = seen[others], traded[others]
    # Most of those with a bar in the week before: who will be delisted later must not matter.
    active = sum(
        (np.searchsorted(days, seen) > np.searchsorted(days, seen - np.timedelta64(7, "D"))).astype(int)
        for days in spans
    )
    days: Days = np.union1d(sessions_between(first, last, calendar), seen[2 * traded > active])
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


def _market_return(dates: Days, calendars: Sequence[str], market: MarketSeries) -> Float32:
    """(D,) of the one calendar that there is, else (N, D)."""
    aligned = {name: _align(dates, market.of(name)) for name in set(calendars)}
    if len(aligned) == 1:
        return aligned[calendars[0]]
    return np.stack([aligned[name] for name in calendars])


def _align(dates: Days, market: MarketSeries) -> Float32:
    """The market's return on each of `dates`, NaN where it is not known."""
    aligned = np.full(len(dates), np.nan, dtype=np.float32)
    if len(market.dates):
        place = np.minimum(np.searchsorted(market.dates, dates), len(market.dates) - 1)
        shared = market.dates[place] == dates
        aligned[shared] = market.log_return[place[shared]]
    return aligned
