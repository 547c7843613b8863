"""The market's daily return, kept beside the prices so that one ticker's forecast does not read them all.

Each calendar has a market of its own: on one day London closes hours before New York, whose return of that
day cannot be known in London's evening.
"""

import json
import os
from collections.abc import Iterable, Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from forecaster.errors import DiskError, ForecastError
from forecaster.files import atomic_path, digest_bytes, read_regular
from forecaster.prices.calendar import last_closed_session, sessions_between
from forecaster.prices.soundness import odd_moves
from forecaster.prices.store import MOST_BYTES, MOST_DAYS, PriceStore, as_numpy
from forecaster.prices.table import Days, Floats, PriceTable

FINGERPRINT_KEY = b"forecast.market"
MEMBERS_KEY = b"forecast.market.members"
CALENDARS_KEY = b"forecast.market.calendars"
ODD_KEY = b"forecast.market.odd"
INDEX_MARK = "^"
_FIRST_DAY = np.datetime64("1700-01-01", "D")
"""MOST_DAYS from it on: sums by day need one pass over the tickers."""


@dataclass(frozen=True)
class MarketSeries:
    """The equal-weighted mean of the stored tickers' daily log returns; indices are left out.

    Attributes:
        dates: (D,) every day on which a ticker has a return; increasing within a calendar.
        log_return: (D,) mean over tickers of log(adj_close / the previous session's adj_close).
        tickers: (D,) how many tickers the mean is of.
        members: the symbols whose returns it is the mean of.
        calendars: which rows are the market of which calendar; empty where all are that of every calendar.
        odd: members with moves that cannot be right, which are left out.
    """

    dates: Days
    log_return: Floats
    tickers: NDArray[np.int64]
    members: tuple[str, ...] = ()
    calendars: Mapping[str, slice] = field(default_factory=dict)
    odd: tuple[str, ...] = ()

    def of(self, calendar: str) -> "MarketSeries":
        """The market of the tickers of one calendar; without a day where there is none."""
        if not self.calendars:
            return self
        rows = self.calendars.get(calendar, slice(0, 0))
        return MarketSeries(self.dates[rows], self.log_return[rows], self.tickers[rows], self.members)


def read_market(store: PriceStore) -> MarketSeries:
    """The market of all that is stored, from its own file if that is as new as the prices.

    Otherwise it is computed, and kept where the folder allows. Of a store with `as_of` it is the market that
    was known then. A damaged price file is left out, so that
    it costs only its own ticker; `members` says which tickers are in.
    """
    path = store.folder.parent / "market.parquet"
    fingerprint = _fingerprint(store.folder)
    market = _read(path, fingerprint)
    if market is None:
        market = _computed(store.whole())
        if market.members:
            with suppress(DiskError):  # a folder that cannot be written still answers, only slower
                _write(path, market, fingerprint)
    if store.as_of is not None and later_markets(market, store.as_of):
        return _computed(store)
    return market


def _computed(store: PriceStore) -> MarketSeries:
    stocks = [ticker for ticker in store.tickers() if not ticker.startswith(INDEX_MARK)]
    return mean_log_return(table for table in store.read_each(stocks) if isinstance(table, PriceTable))


def later_markets(market: MarketSeries, now: datetime) -> dict[str, np.datetime64]:
    """The calendars whose market has sessions that have not closed by `now`, and the last of them."""
    last_days = {name: market.of(name).dates[-1] for name in market.calendars if len(market.of(name).dates)}
    return {name: day for name, day in last_days.items() if day > last_closed_session(now, name)}


def mean_log_return(tables: Iterable[PriceTable]) -> MarketSeries:
    """Average the daily log returns of each calendar's tables.

    Returns across a missing session are left out, and moves that cannot be right (see `soundness`).
    """
    members: list[str] = []
    odd_tickers: list[str] = []
    sums: dict[str, Floats] = {}
    counts: dict[str, NDArray[np.int64]] = {}
    for table in tables:
        members.append(table.ticker)
        days, returns = daily_returns(table)
        if odd := odd_moves(table):
            odd_tickers.append(table.ticker)
            sound = ~np.isin(days, [move.day for move in odd])
            days, returns = days[sound], returns[sound]
        place = (days - _FIRST_DAY).astype(np.int64)
        possible = (place >= 0) & (place < MOST_DAYS)
        place, returns = place[possible], returns[possible]
        sums.setdefault(table.calendar, np.zeros(MOST_DAYS))[place] += returns
        counts.setdefault(table.calendar, np.zeros(MOST_DAYS, np.int64))[place] += 1
    dates, means, numbers = [np.empty(0, "datetime64[D]")], [np.empty(0)], [np.empty(0, np.int64)]
    calendars: dict[str, slice] = {}
    first = 0
    for calendar in sorted(sums):
        traded = np.flatnonzero(counts[calendar])
        dates.append(_FIRST_DAY + traded)
        means.append(sums[calendar][traded] / counts[calendar][traded])
        numbers.append(counts[calendar][traded])
        calendars[calendar] = slice(first, first + len(traded))
        first += len(traded)
    return MarketSeries(
        np.concatenate(dates),
        np.concatenate(means),
        np.concatenate(numbers),
        tuple(members),
        calendars,
        tuple(odd_tickers),
    )


def daily_returns(table: PriceTable) -> tuple[Days, Floats]:
    """A table's daily log returns and their days; one across a missing session is left out."""
    if len(table) < 2:
        return table.dates[:0], np.empty(0)
    sessions = sessions_between(table.dates[0], table.dates[-1], table.calendar)
    if len(sessions) == len(table) and bool((sessions == table.dates).all()):
        return table.dates[1:], np.diff(np.log(table.columns["adj_close"]))
    passed = np.searchsorted(sessions, table.dates, side="right")
    daily = np.diff(passed) <= 1
    returns = np.diff(np.log(table.columns["adj_close"]))
    return table.dates[1:][daily], returns[daily]


def _fingerprint(folder: Path) -> str:
    """Digest of name, size and time of every price file: it changes when any of them is rewritten."""
    files = []
    with suppress(OSError), os.scandir(folder) as entries:
        for entry in entries:
            if entry.name.endswith(".parquet") and not entry.name.startswith("."):
                size, changed = 0, 0
                with suppress(OSError):  # a link that leads nowhere
                    size, changed = entry.stat().st_size, entry.stat().st_mtime_ns
                files.append(f"{entry.name} {size} {changed}")
    return digest_bytes("\n".join(sorted(files)).encode(errors="surrogateescape"))


def _read(path: Path, fingerprint: str) -> MarketSeries | None:
    import pyarrow as pa
    import pyarrow.parquet as pq

    try:
        with pq.ParquetFile(pa.BufferReader(read_regular(path, most_bytes=MOST_BYTES))) as file:
            about = file.metadata.metadata or {}
            if about.get(FINGERPRINT_KEY) != fingerprint.encode():
                return None
            members = tuple(about[MEMBERS_KEY].decode().split())
            odd = tuple(about[ODD_KEY].decode().split())
            spans = json.loads(about[CALENDARS_KEY])
            calendars = {str(name): slice(int(first), int(end)) for name, (first, end) in spans.items()}
            table = file.read(use_threads=False)
        dates, log_return, count = (
            as_numpy(table.column(name)) for name in ("date", "log_return", "tickers")
        )
    except (
        OSError,
        ForecastError,
        AttributeError,
        KeyError,
        TypeError,
        ValueError,
        pa.ArrowException,
    ):  # absent or damaged: it can be made again
        return None
    return MarketSeries(dates, log_return, count, members, calendars, odd)


def _write(path: Path, market: MarketSeries, fingerprint: str) -> None:
    import pyarrow as pa
    import pyarrow.parquet as pq

    columns = {"date": market.dates, "log_return": market.log_return, "tickers": market.tickers}
    spans = {name: (rows.start, rows.stop) for name, rows in market.calendars.items()}
    about = {
        FINGERPRINT_KEY: fingerprint,
        MEMBERS_KEY: " ".join(market.members),
        CALENDARS_KEY: json.dumps(spans),
        ODD_KEY: " ".join(market.odd),
    }
    table = pa.table(columns).replace_schema_metadata(about)
    with atomic_path(path) as temporary:
        pq.write_table(table, temporary, compression="lz4")
