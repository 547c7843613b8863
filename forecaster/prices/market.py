"""The market's daily return, kept beside the prices so that one ticker's forecast does not read them all.

Each calendar has a market of its own: on one day London closes hours before New York, whose return of that
day cannot be known in London's evening. A trained network is given the market that it was trained with: the
mean over the tickers that its card names, its composition.
"""

import json
import os
import re
import time
from collections.abc import Collection, Iterable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field, replace
from datetime import datetime
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from forecaster.errors import DiskError, ForecastError
from forecaster.files import atomic_path, digest_bytes, read_regular
from forecaster.prices.calendar import last_closed_session, sessions_between
from forecaster.prices.exchanges import XNYS, calendar_of_symbol
from forecaster.prices.market_sums import (
    BLOCKS,
    Block,
    Counts,
    KeptBlock,
    arrow_array,
    block_of,
    merged,
    read_blocks,
    write_blocks,
)
from forecaster.prices.soundness import odd_moves
from forecaster.prices.store import MOST_BYTES, MOST_DAYS, PriceStore, as_numpy
from forecaster.prices.table import Days, Floats, PriceTable

FINGERPRINT_KEY = b"forecast.market"
MEMBERS_KEY = b"forecast.market.members"
CALENDARS_KEY = b"forecast.market.calendars"
ODD_KEY = b"forecast.market.odd"
INDEX_MARK = "^"
COLUMNS_READ = ("close", "adj_close")
ENOUGH = 0.5
"""A day is thin if a smaller share of the listed members has a return. With so many of 491, 90 % widths move
by less than 2 % (root mean square, `benchmarks/market_bench.py`)."""
OWN_VARIANCE = 2.2
"""A stock's own daily variance over the market's: usual volatilities are 1.8 % and 1.0 % a day."""
LEAST_LISTED = 0.5
"""Of the most that were ever listed so large a share stays so: a store of which one ticker is refreshed for
years is no market of one."""
MOST_COMPOSITIONS = 8
"""Markets of compositions that are kept; the one that was used longest ago goes first."""
_FIRST_DAY = np.datetime64("1700-01-01", "D")
"""Days are counted from it on; there are MOST_DAYS of them."""
_KEPT = re.compile(r"market-[0-9a-f]{16}\.parquet")


@dataclass(frozen=True)
class MarketSeries:
    """The equal-weighted mean of tickers' daily log returns; indices are left out.

    Attributes:
        dates: (D,) every day on which a ticker has a return; increasing within a calendar.
        mean: (D,) mean over tickers of log(adj_close / the previous session's adj_close).
        tickers: (D,) how many tickers the mean is of.
        members: the symbols whose returns it is the mean of.
        calendars: which rows are the market of which calendar; empty where all are that of every calendar.
        odd: members with moves that cannot be right, which are left out.
        listed: (D,) how many members are listed: had a return within the year up to the day, or have no
            prices here at all; at least half of the most up to then; empty where that is not known.
        composition: how many members the composition has; 0 for the market of whatever is there.
    """

    dates: Days
    mean: Floats
    tickers: Counts
    members: tuple[str, ...] = ()
    calendars: Mapping[str, slice] = field(default_factory=dict)
    odd: tuple[str, ...] = ()
    listed: Counts = field(default_factory=lambda: np.empty(0, np.int64))
    composition: int = 0

    @property
    def thin(self) -> NDArray[np.bool_]:
        """(D,) whether fewer than half of the listed members have a return."""
        if not len(self.listed):
            return np.zeros(len(self.dates), dtype=bool)
        return self.tickers < ENOUGH * self.listed

    @property
    def log_return(self) -> Floats:
        """(D,) the market's return: the mean, and on thin days the mean on the scale of all members.

        The mean of k stocks has the variance m (1 + c / k), where m is the market's and c how many times
        as large a stock's own is: the fewer there are, the less their own moves cancel. On a thin day, k of
        n, it is therefore multiplied by √((1 + c / n) / (1 + c / k)); c is OWN_VARIANCE.
        """
        thin = self.thin
        if not thin.any():
            return self.mean
        variance = (1 + OWN_VARIANCE / self.listed[thin]) / (1 + OWN_VARIANCE / self.tickers[thin])
        scaled = self.mean.copy()
        scaled[thin] *= np.sqrt(variance)
        return scaled

    def of(self, calendar: str) -> "MarketSeries":
        """The market of the tickers of one calendar; without a day where there is none."""
        if not self.calendars:
            return self
        return self._rows(self.calendars.get(calendar, slice(0, 0)))

    def _rows(self, rows: slice) -> "MarketSeries":
        return replace(
            self,
            dates=self.dates[rows],
            mean=self.mean[rows],
            tickers=self.tickers[rows],
            listed=self.listed[rows],
            calendars={},
        )


@dataclass(frozen=True)
class ThinDay:
    """A day on which fewer than half of the market's listed members have a return.

    Attributes:
        date: the day.
        tickers: how many have one; where none has, the market's return is not known.
        listed: how many are listed.
    """

    date: str
    tickers: int
    listed: int


def thin_days(market: MarketSeries, dates: Days) -> tuple[ThinDay, ...]:
    """The thin days among `dates`, of one calendar's market; none where it is not known who is listed."""
    if not len(market.listed):
        return tuple(ThinDay(str(day), 0, market.composition) for day in dates if market.composition)
    place = np.maximum(np.searchsorted(market.dates, dates, "right") - 1, 0)
    there = market.dates[place] == dates
    tickers, listed = np.where(there, market.tickers[place], 0), market.listed[place]
    thin = np.flatnonzero(tickers < ENOUGH * listed)
    return tuple(ThinDay(str(dates[row]), int(tickers[row]), int(listed[row])) for row in thin)


def read_market(store: PriceStore, composition: Collection[str] = ()) -> MarketSeries:
    """The market of the tickers of `composition`, or of all that is stored, from its file if that is as new.

    Otherwise it is computed, and kept where the folder allows. Of a store with `as_of` it is the market that
    was known then. A damaged price file is left out, so that it costs only its own ticker; `members` says
    which tickers are in.

    Args:
        store: the prices.
        composition: whose mean the market is. Those of them that are not stored count as members without a
            return; on a calendar where none of them trades it is the mean of all that is stored.
    """
    files = store.look()
    (whole,) = _kept(store, files, [None])
    chosen, composition = whole, frozenset(composition)
    if composition:
        inside = tuple(name for name in whole.members if name in composition)
        if len(inside) < len(whole.members):
            chosen = _kept(store, files, [inside])[0] if inside else _Sums().series()
    if store.as_of is not None and later_markets(whole, store.as_of):
        return mean_log_return(stored_stocks(store), composition)
    return _composed(chosen, whole, composition)


def refresh_markets(store: PriceStore) -> MarketSeries:
    """Compute the market of all that is stored, and those of the compositions that are kept, in one pass.

    A fetch does so, so that no forecast has to. Returns that of all.
    """
    kept = [_read(path, None) for path in _kept_files(store)]
    compositions = [market.members for market in kept if market is not None]
    return _kept(store, store.look(), [None, *compositions])[0]


def sound_stocks(store: PriceStore) -> frozenset[str]:
    """The stocks whose files are as they were when they were read for the market: without fault or odd move.

    Of those that have changed since, or were never read for it, nothing is said.
    """
    files = store.look()
    whole = [
        each.block
        for fingerprint, each in read_blocks(_sums_path(store)).items()
        if fingerprint == _fingerprint(files, each.tickers)
    ]
    return frozenset(ticker for block in whole for ticker in set(block.members).difference(block.odd))


def later_markets(market: MarketSeries, now: datetime) -> dict[str, np.datetime64]:
    """The calendars whose market has sessions that have not closed by `now`, and the last of them."""
    last_days = {name: market.of(name).dates[-1] for name in market.calendars if len(market.of(name).dates)}
    return {name: day for name, day in last_days.items() if day > last_closed_session(now, name)}


def mean_log_return(tables: Iterable[PriceTable], composition: Collection[str] = ()) -> MarketSeries:
    """Average the daily log returns of each calendar's tables, of those in `composition` where one is given.

    Returns across a missing session are left out, and moves that cannot be right (see `soundness`). On a
    calendar where no table is of `composition`, all of its tables count, beside as many members as that has.
    """
    chosen, others = _Sums(), _Sums()
    composition = frozenset(composition)
    for table in tables:
        if not composition or table.ticker in composition:
            chosen.add(table)
        elif table.calendar not in chosen.calendars:
            others.add(table)
    return _composed(chosen.series(), others.series(), composition)


class _Sums:
    """Sums over tables as they come, block by block."""

    def __init__(self) -> None:
        self.members: list[str] = []
        self.calendars: set[str] = set()
        self._blocks: dict[int, Block] = {}

    def add(self, table: PriceTable) -> None:
        """Add one ticker's returns."""
        self.members.append(table.ticker)
        self.calendars.add(table.calendar)
        _add(self._blocks.setdefault(block_of(table.ticker), Block()), table)

    def series(self) -> MarketSeries:
        """The means, calendar by calendar."""
        return _series([self._blocks[number] for number in sorted(self._blocks)], self.members)


def _add(block: Block, table: PriceTable) -> None:
    days, returns, odd = _sound_returns(table)
    block.add(table.ticker, table.calendar, days, returns, odd=odd)


def _series(blocks: Sequence[Block], members: Sequence[str]) -> MarketSeries:
    """The means over the members of blocks, calendar by calendar."""
    parts = {}
    sums = merged(blocks)
    for calendar in sorted(sums):
        each = sums[calendar]
        traded = np.flatnonzero(each.counts)
        count = each.counts[traded]
        listed = np.cumsum(each.joining)[traded]
        least = np.ceil(LEAST_LISTED * np.maximum.accumulate(listed)).astype(np.int64)
        parts[calendar] = MarketSeries(
            _FIRST_DAY + each.first + traded,
            each.returns[traded] / count,
            count,
            listed=np.maximum(listed, least),
        )
    odd = {ticker for block in blocks for ticker in block.odd}
    return _joined(parts, members, [ticker for ticker in members if ticker in odd])


def _joined(
    parts: Mapping[str, MarketSeries], members: Iterable[str], odd: Iterable[str], composition: int = 0
) -> MarketSeries:
    """The markets of several calendars in one."""
    calendars, first = {}, 0
    for calendar, part in parts.items():
        calendars[calendar] = slice(first, first + len(part.dates))
        first += len(part.dates)
    each = list(parts.values())
    return MarketSeries(
        np.concatenate([np.empty(0, "datetime64[D]"), *(part.dates for part in each)]),
        np.concatenate([np.empty(0), *(part.mean for part in each)]),
        np.concatenate([np.empty(0, np.int64), *(part.tickers for part in each)]),
        tuple(members),
        calendars,
        tuple(odd),
        np.concatenate([np.empty(0, np.int64), *(part.listed for part in each)]),
        composition,
    )


def _composed(chosen: MarketSeries, others: MarketSeries, composition: Collection[str]) -> MarketSeries:
    """The market of a composition, from that of its members and that of whatever else is there.

    Members that are not there count as listed, on the calendar that their symbol tells of.
    """
    if not composition:
        return chosen
    absent = [calendar_of_symbol(name) or XNYS for name in set(composition).difference(chosen.members)]
    parts = {}
    for name in sorted({*chosen.calendars, *others.calendars}):
        if name in chosen.calendars:
            part = chosen.of(name)
            parts[name] = replace(part, listed=part.listed + absent.count(name))
        else:
            part = others.of(name)
            parts[name] = replace(part, listed=np.maximum(part.listed, len(composition)))
    return _joined(parts, chosen.members, chosen.odd, len(composition))


def stored_stocks(store: PriceStore) -> Iterable[PriceTable]:
    """The sound tables of the stored stocks, whose mean the market is, with COLUMNS_READ alone."""
    tables = store.read_each(_stocks(store), COLUMNS_READ)
    return (table for table in tables if isinstance(table, PriceTable))


def _stocks(store: PriceStore) -> list[str]:
    return [name for name in store.tickers() if not name.startswith(INDEX_MARK)]


def _sound_returns(table: PriceTable) -> tuple[NDArray[np.int64], Floats, bool]:
    """Places of days from the first possible one on, their returns, and whether some were odd."""
    days, returns = daily_returns(table)
    odd = odd_moves(table)
    if odd:
        sound = ~np.isin(days, [move.day for move in odd])
        days, returns = days[sound], returns[sound]
    place = (days - _FIRST_DAY).astype(np.int64)
    possible = (place >= 0) & (place < MOST_DAYS)
    return place[possible], returns[possible], bool(odd)


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


def _kept(
    store: PriceStore, files: Mapping[str, str], wanted: Sequence[tuple[str, ...] | None]
) -> list[MarketSeries]:
    """The markets of these members (None: of all that is stored), read, or computed in one pass and kept."""
    prints = {members: _fingerprint(files, members) for members in wanted}
    found = {members: _read(_path(store, members), prints[members]) for members in wanted}
    missing = [members for members, market in found.items() if market is None]
    computed = dict(zip(missing, _computed(store.whole(), files, missing), strict=True)) if missing else {}
    for members, market in computed.items():
        if market.members:
            with suppress(DiskError):  # a folder that cannot be written still answers, only slower
                _write(_path(store, members), market, prints[members])
    _mark_as_used(store, [members for members in wanted if members is not None])
    return [found[members] or computed[members] for members in wanted]


def _computed(
    store: PriceStore, files: Mapping[str, str], wanted: Sequence[tuple[str, ...] | None]
) -> list[MarketSeries]:
    """The markets of these members: of the blocks whose price files are as they were, the sums are kept."""
    path = _sums_path(store)
    kept = read_blocks(path)
    stored: list[list[str]] = [[] for _ in range(BLOCKS)]
    for ticker in _stocks(store):
        stored[block_of(ticker)].append(ticker)
    chosen = [None if members is None else frozenset(members) for members in wanted]
    used: dict[str, KeptBlock] = {}
    blocks: list[list[Block]] = [[] for _ in wanted]
    for tickers in stored:
        parts = [tuple(name for name in tickers if each is None or name in each) for each in chosen]
        prints = {part: _fingerprint(files, part) for part in parts if part}
        missing = [part for part, fingerprint in prints.items() if fingerprint not in kept]
        summed = dict(zip(missing, _summed(store, missing), strict=True))
        for part, fingerprint in prints.items():
            used[fingerprint] = kept[fingerprint] if part not in summed else KeptBlock(part, summed[part])
        for market, part in zip(blocks, parts, strict=True):
            if part:
                market.append(used[prints[part]].block)
    if used.keys() - kept.keys():
        others = {
            fingerprint: each
            for fingerprint, each in kept.items()
            if fingerprint not in used and fingerprint == _fingerprint(files, each.tickers)
        }
        write_blocks(path, used | others)
    return [_series(each, sorted(ticker for block in each for ticker in block.members)) for each in blocks]


def _summed(store: PriceStore, wanted: Sequence[tuple[str, ...]]) -> list[Block]:
    """The sums over these tickers of one block, each read once; a damaged file is left out."""
    blocks = [Block() for _ in wanted]
    tickers = sorted(set().union(*wanted))
    for ticker, table in zip(tickers, store.read_each(tickers, COLUMNS_READ), strict=True):
        if isinstance(table, PriceTable):
            for block, names in zip(blocks, wanted, strict=True):
                if ticker in names:
                    _add(block, table)
    return blocks


def _path(store: PriceStore, members: tuple[str, ...] | None) -> Path:
    data = store.folder.parent
    if members is None:
        return data / "market.parquet"
    return data / f"market-{digest_bytes(' '.join(sorted(members)).encode())[:16]}.parquet"


def _sums_path(store: PriceStore) -> Path:
    return store.folder.parent / "market_sums.parquet"


def _kept_files(store: PriceStore) -> list[Path]:
    """Markets of compositions, the one that was used longest ago first."""
    try:
        paths = [path for path in store.folder.parent.iterdir() if _KEPT.fullmatch(path.name)]
        return sorted(paths, key=lambda path: path.lstat().st_mtime_ns)
    except OSError:
        return []


def _mark_as_used(store: PriceStore, compositions: Iterable[tuple[str, ...]]) -> None:
    """Let their files be the newest, and drop the oldest beyond MOST_COMPOSITIONS."""
    for members in compositions:
        with suppress(OSError):
            os.utime(_path(store, members), ns=(time.time_ns(),) * 2)  # finer than the system's own stamp
    for path in _kept_files(store)[:-MOST_COMPOSITIONS]:
        with suppress(OSError):
            path.unlink()


def _fingerprint(files: Mapping[str, str], members: Collection[str] | None) -> str:
    """Digest of name, size and time of the members' price files: it changes when one is rewritten."""
    names = files if members is None else [f"{name}.parquet" for name in members]
    lines = sorted(f"{name} {files.get(name)}" for name in names)
    return digest_bytes("\n".join(lines).encode(errors="surrogateescape"))


def _read(path: Path, fingerprint: str | None) -> MarketSeries | None:
    """The market that a file holds; None if it is damaged, or has another fingerprint than the one given."""
    import pyarrow as pa
    import pyarrow.parquet as pq

    try:
        with pq.ParquetFile(pa.BufferReader(read_regular(path, most_bytes=MOST_BYTES))) as file:
            about = file.metadata.metadata or {}
            if fingerprint is not None and about.get(FINGERPRINT_KEY) != fingerprint.encode():
                return None
            members = tuple(about[MEMBERS_KEY].decode().split())
            odd = tuple(about[ODD_KEY].decode().split())
            spans = json.loads(about[CALENDARS_KEY])
            calendars = {str(name): slice(int(first), int(end)) for name, (first, end) in spans.items()}
            table = file.read(use_threads=False)
        dates, mean, count, listed = (
            as_numpy(table.column(name)) for name in ("date", "mean", "tickers", "listed")
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
    return MarketSeries(dates, mean, count, members, calendars, odd, listed)


def _write(path: Path, market: MarketSeries, fingerprint: str) -> None:
    import pyarrow as pa
    import pyarrow.parquet as pq

    columns = {
        "date": arrow_array(market.dates.astype("datetime64[D]").astype("i4"), pa.date32()),
        "mean": arrow_array(market.mean, pa.float64()),
        "tickers": arrow_array(market.tickers, pa.int64()),
        "listed": arrow_array(market.listed, pa.int64()),
    }
    spans = {name: (rows.start, rows.stop) for name, rows in market.calendars.items()}
    about = {
        FINGERPRINT_KEY: fingerprint,
        MEMBERS_KEY: " ".join(market.members),
        CALENDARS_KEY: json.dumps(spans),
        ODD_KEY: " ".join(market.odd),
    }
    table = pa.Table.from_arrays(list(columns.values()), names=list(columns))
    table = table.replace_schema_metadata(about)
    with atomic_path(path) as temporary:
        pq.write_table(table, temporary, compression="lz4")
