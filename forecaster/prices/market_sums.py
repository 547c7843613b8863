"""Sums of daily returns over blocks of tickers, kept beside the prices: one that changes changes its block.

A ticker's block follows from its name. A block's sums are those over its tickers in the order of their names,
and the market's those over the blocks in their order, so that they are the same to the last bit however they
came about: there is nothing that is taken away again, and nothing that could drift.
"""

import json
import zlib
from collections.abc import Iterable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from forecaster.errors import DiskError, ForecastError
from forecaster.files import atomic_path, read_regular
from forecaster.prices.store import MOST_DAYS, as_numpy
from forecaster.prices.table import Floats

if TYPE_CHECKING:
    import pyarrow as pa

Counts = NDArray[np.int64]

BLOCKS = 64
"""Of 5,000 tickers some 80 are read where one has changed, and the file has 6 MB for 30 years."""
LISTED_DAYS = 365
"""So many days after its last return a member counts as delisted, no longer as missing."""
_FORMAT = 1
"""Another one also where other returns are summed, as when other moves count as odd."""
_FORMAT_KEY, _BLOCKS_KEY = b"forecast.market-sums.format", b"forecast.market-sums.blocks"
_MOST_ROWS = 4_000_000
_MOST_BYTES = 64_000_000
"""Twice what is needed for 90 years of two markets that have no block in common."""
_END = MOST_DAYS + LISTED_DAYS + 1


def block_of(ticker: str) -> int:
    """The block of a ticker, from 0."""
    return zlib.crc32(ticker.encode()) % BLOCKS


@dataclass
class DaySums:
    """Sums over the tickers of one calendar, of each day from a first one on.

    Attributes:
        first: the day, as a number.
        returns: (D,) the sum of the returns.
        counts: (D,) how many there are.
        joining: (D,) how many tickers become listed on the day, less those that cease to be.
    """

    first: int = 0
    returns: Floats = field(default_factory=lambda: np.empty(0))
    counts: Counts = field(default_factory=lambda: np.empty(0, np.int64))
    joining: Counts = field(default_factory=lambda: np.empty(0, np.int64))

    @property
    def end(self) -> int:
        """The day after the last."""
        return self.first + len(self.counts)

    def add(self, days: Counts, returns: Floats) -> None:
        """Add one ticker's returns, and the days on which it is listed: a year from each return on."""
        if not len(days):
            return
        self.reach(int(days[0]), int(days[-1]) + LISTED_DAYS + 2)
        place = days - self.first
        self.returns[place] += returns
        self.counts[place] += 1
        breaks = np.flatnonzero(np.diff(place) > LISTED_DAYS)
        self.joining[place[np.r_[0, breaks + 1]]] += 1
        self.joining[place[np.r_[breaks, len(place) - 1]] + LISTED_DAYS + 1] -= 1

    def add_sums(self, other: "DaySums") -> None:
        """Add the sums over other tickers."""
        if not len(other.counts):
            return
        self.reach(other.first, other.end)
        place = slice(other.first - self.first, other.end - self.first)
        self.returns[place] += other.returns
        self.counts[place] += other.counts
        self.joining[place] += other.joining

    def reach(self, first: int, end: int) -> None:
        """Make room for the days from `first` on, before `end`."""
        if not len(self.counts):
            self.first = first
        before, after = max(self.first - first, 0), max(end - self.end, 0)
        if before or after:
            self.first -= before
            self.returns = np.pad(self.returns, (before, after))
            self.counts = np.pad(self.counts, (before, after))
            self.joining = np.pad(self.joining, (before, after))


@dataclass
class Block:
    """The sums over the tickers of one block.

    Attributes:
        members: those whose returns they are of.
        odd: of these, the ones with moves that cannot be right.
        calendars: the sums of each calendar's members.
    """

    members: list[str] = field(default_factory=list)
    odd: list[str] = field(default_factory=list)
    calendars: dict[str, DaySums] = field(default_factory=dict)

    def add(self, ticker: str, calendar: str, days: Counts, returns: Floats, *, odd: bool) -> None:
        """Add one ticker."""
        self.members.append(ticker)
        if odd:
            self.odd.append(ticker)
        self.calendars.setdefault(calendar, DaySums()).add(days, returns)


@dataclass(frozen=True)
class KeptBlock:
    """A block, and the tickers that it is of: its members, and those whose files could not be read."""

    tickers: tuple[str, ...]
    block: Block


def read_blocks(path: Path) -> dict[str, KeptBlock]:
    """The blocks that a file holds, by fingerprint; none where it is absent, damaged or of another format."""
    import pyarrow as pa
    import pyarrow.parquet as pq

    try:
        content = pa.BufferReader(read_regular(path, most_bytes=_MOST_BYTES))
        with pq.ParquetFile(content, page_checksum_verification=True) as file:
            about = file.metadata.metadata or {}
            if about.get(_FORMAT_KEY) != str(_FORMAT).encode() or file.metadata.num_rows > _MOST_ROWS:
                return {}
            text = about[_BLOCKS_KEY]
            checksum, text = text[:8], text[8:]
            if checksum != _checksum(text):
                return {}
            table = file.read(use_threads=False)
        columns = [as_numpy(table.column(name)) for name in ("day", "return", "count", "joining")]
        return _parse(json.loads(text), columns)
    except (
        OSError,
        ForecastError,
        AttributeError,
        KeyError,
        TypeError,
        ValueError,
        RecursionError,
        pa.ArrowException,
    ):  # absent or damaged: it can be made again
        return {}


def write_blocks(path: Path, blocks: Mapping[str, KeptBlock]) -> None:
    """Keep blocks by fingerprint, where the folder allows; of too many the first."""
    import pyarrow as pa
    import pyarrow.parquet as pq

    listed: dict[str, Any] = {}
    parts: list[tuple[NDArray[Any], ...]] = []
    rows = 0
    for fingerprint, kept in blocks.items():
        own = {calendar: _rows(sums) for calendar, sums in kept.block.calendars.items()}
        rows += sum(len(days) for days, *_ in own.values())
        if rows > _MOST_ROWS:
            break
        listed[fingerprint] = {
            "tickers": kept.tickers,
            "members": kept.block.members,
            "odd": kept.block.odd,
            "rows": {calendar: len(days) for calendar, (days, *_) in own.items()},
        }
        parts += own.values()
    if not parts:
        return
    kinds = (pa.int32(), pa.float64(), pa.int32(), pa.int32())
    arrays = [
        arrow_array(np.concatenate(column), kind)
        for column, kind in zip(zip(*parts, strict=True), kinds, strict=True)
    ]
    text = json.dumps(listed).encode()
    about = {_FORMAT_KEY: str(_FORMAT), _BLOCKS_KEY: _checksum(text) + text}
    table = pa.Table.from_arrays(arrays, names=["day", "return", "count", "joining"])
    with suppress(DiskError), atomic_path(path) as temporary:
        pq.write_table(
            table.replace_schema_metadata(about),
            temporary,
            compression="lz4",
            write_page_checksum=True,
            use_dictionary=["count", "joining"],
            column_encoding={"day": "DELTA_BINARY_PACKED", "return": "BYTE_STREAM_SPLIT"},
        )


def _checksum(text: bytes) -> bytes:
    return f"{zlib.crc32(text):08x}".encode()


def _rows(sums: DaySums) -> tuple[NDArray[np.int32], Floats, NDArray[np.int32], NDArray[np.int32]]:
    """The days on which there is something, and the sums of them."""
    place = np.flatnonzero((sums.counts > 0) | (sums.joining != 0))
    return (
        (sums.first + place).astype(np.int32),
        sums.returns[place],
        sums.counts[place].astype(np.int32),
        sums.joining[place].astype(np.int32),
    )


def _parse(listed: Mapping[str, Any], columns: Sequence[NDArray[Any]]) -> dict[str, KeptBlock]:
    """The blocks whose rows follow one another.

    Raises:
        KeyError, TypeError, ValueError: they are not what `write_blocks` writes.
    """
    found, begin = {}, 0
    for fingerprint, each in listed.items():
        block = Block(list(map(str, each["members"])), list(map(str, each["odd"])))
        for calendar, count in each["rows"].items():
            rows = slice(begin, begin + int(count))
            block.calendars[calendar] = _dense(*(column[rows] for column in columns))
            begin += int(count)
        found[fingerprint] = KeptBlock(tuple(map(str, each["tickers"])), block)
    if begin != len(columns[0]):
        raise ValueError(f"{len(columns[0])} rows, where {begin} are told of")
    return found


def _dense(
    days: NDArray[np.int32], returns: Floats, counts: NDArray[np.int32], joining: NDArray[np.int32]
) -> DaySums:
    """The reverse of `_rows`.

    Raises:
        ValueError: the days do not increase, or are not possible.
    """
    if not len(days):
        return DaySums()
    if days[0] < 0 or days[-1] >= _END or not bool(np.all(days[1:] > days[:-1])):
        raise ValueError("the days are not in order")
    sums = DaySums()
    sums.reach(int(days[0]), int(days[-1]) + 1)
    place = days - sums.first
    sums.returns[place], sums.counts[place], sums.joining[place] = returns, counts, joining
    return sums


def merged(blocks: Iterable[Block]) -> dict[str, DaySums]:
    """The sums over several blocks in their order, by calendar."""
    found: dict[str, DaySums] = {}
    for block in blocks:
        for calendar, sums in block.calendars.items():
            found.setdefault(calendar, DaySums()).add_sums(sums)
    return found


def arrow_array(values: NDArray[Any], kind: "pa.DataType") -> "pa.Array":
    """As PyArrow's own conversion, which imports pandas: that takes longer than a whole forecast."""
    import pyarrow as pa

    return pa.Array.from_buffers(kind, len(values), [None, pa.py_buffer(np.ascontiguousarray(values))])
