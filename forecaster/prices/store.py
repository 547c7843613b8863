"""The store: a Parquet file for each ticker."""

import difflib
import json
import os
import zlib
from collections import deque
from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from datetime import datetime
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from forecaster.errors import BadInputError, DiskError, ForecastError, NotFoundError, UsageError
from forecaster.files import (
    atomic_path,
    clear_leftovers,
    digest_bytes,
    open_regular,
    read_regular,
    set_folder_aside,
    unreadable,
)
from forecaster.prices.calendar import calendar_names, last_closed_session, local_date
from forecaster.prices.exchanges import XNYS, calendar_of_symbol
from forecaster.prices.fetch_state import FetchState, fetch_state_from_json
from forecaster.prices.table import (
    COLUMNS,
    PriceTable,
    checked_ticker,
    clear_bad_fields,
    complete,
    day_faults,
    row_faults,
)
from forecaster.settings import iso_utc

if TYPE_CHECKING:
    import pyarrow as pa
    import pyarrow.parquet as pq


FORMAT_VERSION = 1
METADATA_KEY = b"forecast.prices"
CHECKSUM_KEY = b"forecast.prices.crc32"
"""Of the text under METADATA_KEY."""
MOST_DAYS = 220_000
"""As many as there are from 1700 to 2302: a file that says it has more cannot be right."""
MOST_BYTES = 32_000_000
"""Twice what so many bars take uncompressed."""
READERS = 4
READ_AHEAD = 64
NAMED_ROWS = 3
FILE_ERRORS = (BadInputError, DiskError, UsageError)
"""What one ticker's file can be: damaged, not ours to read, of a newer version. It costs only that ticker."""


class NotYetListedError(BadInputError):
    """None of a ticker's prices was known at the moment that is replayed."""


@dataclass(frozen=True)
class StoredInfo:
    """What a file says of itself, read without its prices."""

    ticker: str
    source: str
    fetched_at: str
    rows: int
    first: np.datetime64
    last: np.datetime64
    digest: str
    calendar: str = XNYS
    currency: str = ""
    fetch_state: FetchState = field(default_factory=FetchState)
    checksums: Mapping[str, int] = field(default_factory=dict)


class PriceStore:
    """The prices of one home folder; with `as_of`, those alone that were known at that moment.

    Bars of sessions that had not closed by then are not read. What a file says of itself (`info`), and what
    `verify` finds, is of all of it. With `files`, which an earlier look at the folder has found, `look` gives
    them: one look at thousands of files will do for a command.
    """

    def __init__(
        self, home: Path, as_of: datetime | None = None, files: Mapping[str, str] | None = None
    ) -> None:
        self.home = home
        self.folder = home / "data" / "prices"
        self.as_of = as_of
        self.files = files

    def whole(self) -> "PriceStore":
        """The same store with all its bars."""
        return PriceStore(self.home, files=self.files)

    def look(self) -> Mapping[str, str]:
        """By name, the size and the time of every file of prices: another text once one is rewritten."""
        if self.files is not None:
            return self.files
        files = {}
        with suppress(OSError), os.scandir(self.folder) as entries:
            for entry in entries:
                if entry.name.endswith(".parquet") and not entry.name.startswith("."):
                    size, changed = 0, 0
                    with suppress(OSError):  # a link that leads nowhere
                        found = entry.stat()
                        size, changed = found.st_size, found.st_mtime_ns
                    files[entry.name] = f"{size} {changed}"
        return files

    def is_empty(self) -> bool:
        """Whether no ticker has a file; quicker than to list them all.

        Raises:
            DiskError: the system does not let us look.
        """
        return next(self._names(), None) is None

    def path(self, ticker: str) -> Path:
        """Where the ticker's file is or would be.

        Raises:
            UsageError: it is not a ticker.
        """
        return self.folder / f"{checked_ticker(ticker)}.parquet"

    def tickers(self) -> list[str]:
        """All tickers that have a file, sorted."""
        return sorted(self._names())

    def _names(self) -> Iterator[str]:
        try:
            with os.scandir(self.folder) as entries:
                for entry in entries:
                    if entry.name.endswith(".parquet") and _names_ticker(entry.name):
                        yield entry.name.removesuffix(".parquet")
        except (FileNotFoundError, NotADirectoryError):
            return
        except OSError as error:
            raise unreadable(error, self.folder) from error

    def require(self, ticker: str) -> None:
        """See that a ticker has a file, be it damaged.

        Raises:
            NotFoundError: it has none; close matches are named.
            UsageError: it is not a ticker.
        """
        if not self.has(ticker):
            raise self._not_found(checked_ticker(ticker))

    def has(self, ticker: str) -> bool:
        """Whether a ticker has a file, be it damaged or none that can be opened.

        Raises:
            UsageError: it is not a ticker.
        """
        return os.path.lexists(self.path(ticker))

    def read(self, ticker: str, columns: Sequence[str] = COLUMNS) -> PriceTable:
        """All bars of a ticker; of the columns only those named, the others as where nothing is known.

        Raises:
            NotFoundError: there is no such ticker; close matches are named.
            BadInputError: its file is damaged, its prices are not those that were written, or none of them
                was known at `as_of`.
            DiskError: the system does not let us read it.
            UsageError: it is not a ticker, or its file is from another version of this tool.
        """
        return self._read(checked_ticker(ticker), columns)[0]

    def read_with_info(self, ticker: str, columns: Sequence[str] = COLUMNS) -> tuple[PriceTable, StoredInfo]:
        """All bars of a ticker, as `read` gives them, and what its file says of itself.

        Raises:
            NotFoundError, BadInputError, DiskError, UsageError: as `read`.
        """
        return self._read(checked_ticker(ticker), columns)

    def read_many(self, tickers: Sequence[str]) -> Iterator[PriceTable]:
        """The tables of `tickers`, in that order, read ahead by several threads.

        Raises:
            NotFoundError, BadInputError, DiskError, UsageError: as `read`, when the ticker's turn comes.
        """
        for table in self.read_each(tickers):
            if isinstance(table, ForecastError):
                raise table
            yield table

    def read_each(
        self, tickers: Sequence[str], columns: Sequence[str] = COLUMNS
    ) -> Iterator[PriceTable | ForecastError]:
        """As `read_many`, with the error in its place where a ticker cannot be read.

        Of the columns only `columns` are read; the others hold what they hold where nothing is known.
        """
        if len(tickers) == 1:
            yield self._attempt(tickers[0], columns)
            return
        with ThreadPoolExecutor(READERS) as pool:
            waiting: deque[Future[PriceTable | ForecastError]] = deque()
            try:
                for ticker in tickers:
                    waiting.append(pool.submit(self._attempt, ticker, columns))
                    if len(waiting) >= READ_AHEAD:
                        yield waiting.popleft().result()
                while waiting:
                    yield waiting.popleft().result()
            finally:
                for future in waiting:
                    future.cancel()

    def _attempt(self, ticker: str, columns: Sequence[str]) -> PriceTable | ForecastError:
        try:
            return self.read(ticker, columns)
        except ForecastError as error:
            return error

    def info(self, ticker: str) -> StoredInfo:
        """Source, age and span of a ticker without reading its prices.

        Raises:
            NotFoundError, BadInputError, DiskError, UsageError: as `read`.
        """
        with self._opened(checked_ticker(ticker), in_parts=True) as (_, info):
            return info

    def write(
        self, table: PriceTable, *, source: str, fetched_at: datetime, fetch_state: FetchState | None = None
    ) -> None:
        """Replace a ticker's file in one step; the caller holds `files.home_lock`.

        `fetch_state` is what a source that is asked time and again has to remember.

        Raises:
            DiskError: the disk fails.
            ValueError: the table is empty.
        """
        import pyarrow.parquet as pq

        if len(table) == 0:
            raise ValueError(f"{table.ticker}: an empty table is not stored")
        columns = {"date": table.dates.astype("datetime64[D]"), **table.columns}
        about = {
            "format": FORMAT_VERSION,
            "ticker": table.ticker,
            "source": source,
            "fetched_at": iso_utc(fetched_at),
            "first": str(table.dates[0]),
            "last": str(table.dates[-1]),
            "digest": content_digest(table),
            "checksums": {name: _checksum(values) for name, values in columns.items()},
            "calendar": table.calendar,
            "currency": table.currency,
        }
        if fetch_state is not None:
            about["fetch_state"] = fetch_state.as_json()
        text = json.dumps(about).encode()
        metadata = {METADATA_KEY: text, CHECKSUM_KEY: str(zlib.crc32(text))}
        arrow = to_arrow(table).replace_schema_metadata(metadata)
        flat = ("dividend", "split")
        encodings = {name: "BYTE_STREAM_SPLIT" for name in COLUMNS if name not in flat}
        path = self.path(table.ticker)
        set_folder_aside(path)
        with atomic_path(path) as temporary:
            # LZ4 on split byte streams was the quickest to read of five ways that were measured.
            pq.write_table(
                arrow, temporary, compression="lz4", use_dictionary=flat, column_encoding=encodings
            )

    def clear_leftovers(self) -> None:
        """Remove what writers left that were killed half-way; the caller holds `files.home_lock`."""
        clear_leftovers(self.folder)

    def verify(self, ticker: str, now: datetime) -> list[str]:
        """What is wrong with a ticker's file, in sentences; empty when it is sound.

        Raises:
            NotFoundError, DiskError: as `read`.
            UsageError: it is not a ticker.
        """
        ticker = checked_ticker(ticker)
        try:
            table, info = self._load(ticker, COLUMNS)
        except (BadInputError, UsageError) as error:
            return [error.message]
        complaints = _changes(table, COLUMNS, info)
        if not complaints and content_digest(table) != info.digest:
            complaints.append("the digest is not that of the prices")
        today, newest = local_date(now, table.calendar), last_closed_session(now, table.calendar)
        faults = day_faults(table.dates, table.calendar, today, newest)
        faults |= row_faults(table.dates, table.columns)
        for found in clear_bad_fields(table.columns)[1].values():
            faults = found | faults
        complaints += [f"{table.dates[row]}: {faults[row]}" for row in sorted(faults)[:NAMED_ROWS]]
        more = len(faults) - NAMED_ROWS
        return [*complaints, f"and {more} more bad rows"] if more > 0 else complaints

    def _read(self, ticker: str, columns: Sequence[str]) -> tuple[PriceTable, StoredInfo]:
        prices, info = self._load(ticker, columns)
        if changes := _changes(prices, columns, info):
            raise _damaged(self.path(ticker), "; ".join(changes))
        return self._known(prices), info

    def _known(self, prices: PriceTable) -> PriceTable:
        """The bars of sessions that had closed by `as_of`.

        Raises:
            BadInputError: there is none.
        """
        if self.as_of is None:
            return prices
        last = last_closed_session(self.as_of, prices.calendar)
        if prices.dates[-1] <= last:
            return prices
        if prices.dates[0] > last:
            raise NotYetListedError(
                f"{prices.ticker} has no price of {last} or before, the last session that the clock knows",
                "let the clock (FORECAST_NOW in a replay) stand at a later day",
            )
        return prices.take(slice(0, int(np.searchsorted(prices.dates, last, "right"))))

    def _load(self, ticker: str, columns: Sequence[str]) -> tuple[PriceTable, StoredInfo]:
        """As they stand in the file; whether they are what was written, `_changes` tells."""
        with self._opened(ticker, in_parts=not columns) as (file, info):
            # Without checksums, as earlier releases wrote, the digest is all there is: it is of every column.
            wanted = columns if info.checksums else COLUMNS
            table = file.read(columns=["date", *wanted], use_threads=False)
            dates = as_numpy(table.column("date"))
            found = {name: as_numpy(table.column(name)) for name in wanted}
            values = complete(found, table.num_rows)
            return PriceTable(ticker, dates, values, info.calendar, info.currency), info

    @contextmanager
    def _opened(self, ticker: str, *, in_parts: bool) -> Iterator[tuple["pq.ParquetFile", StoredInfo]]:
        """A ticker's file, found to be a price file; PyArrow's complaints in our words.

        Read whole or, where little of it is wanted, in parts. Mapped into memory it would take twice as long,
        and end the process if it were cut meanwhile.
        """
        import pyarrow as pa
        import pyarrow.parquet as pq

        path = self.path(ticker)
        try:
            if in_parts:
                content = pa.PythonFile(open_regular(path, _REPAIR, most_bytes=MOST_BYTES))
            else:
                content = pa.BufferReader(read_regular(path, _REPAIR, most_bytes=MOST_BYTES))
        except FileNotFoundError:
            if path.is_symlink():
                raise _damaged(path, "it is a link that leads nowhere") from None
            raise self._not_found(ticker) from None
        try:
            with content, pq.ParquetFile(content) as file:
                info = _parse_info(path, file.metadata)
                if file.schema_arrow.remove_metadata() != _schema():
                    raise _damaged(path, "its columns are not those of a price file")
                yield file, info
        except (OSError, ValueError, KeyError, MemoryError, pa.ArrowException) as error:
            raise _damaged(path, _first_line(error)) from error

    def _not_found(self, ticker: str) -> NotFoundError:
        stored = self.tickers()
        if not stored:
            return empty_store(self)
        close = difflib.get_close_matches(ticker, stored, n=3, cutoff=0.5)
        hint = f"did you mean {' or '.join(close)}? " if close else ""
        return NotFoundError(
            f"there are no prices of {ticker} in {self.folder}",
            f"{hint}`forecast data status` lists what is there, `forecast fetch {ticker}` brings more",
        )


def empty_store(store: PriceStore) -> NotFoundError:
    """The error of a command that needs prices where there are none."""
    return NotFoundError(f"the store under {store.folder} is empty", "run `forecast fetch --source sample`")


def release_unused_memory() -> None:
    """Give back to the system what reading has taken, which Arrow keeps for the next file."""
    import pyarrow as pa

    pa.default_memory_pool().release_unused()


def to_arrow(table: PriceTable) -> "pa.Table":
    """The table with a column `date` and those of COLUMNS, as Arrow."""
    import pyarrow as pa

    arrays = [pa.array(table.dates), *(pa.array(table.columns[name]) for name in COLUMNS)]
    return pa.Table.from_arrays(arrays, schema=_schema())


def content_digest(table: PriceTable) -> str:
    """SHA-256 of dates (days since 1970 as int64) and columns (float64), little-endian, one NaN for all."""
    parts = [table.dates.astype("datetime64[D]").astype("<i8").tobytes()]
    for name in COLUMNS:
        values = table.columns[name]
        parts.append(np.where(np.isnan(values), np.nan, values).astype("<f8").tobytes())
    return digest_bytes(*parts)


@cache
def _schema() -> "pa.Schema":
    import pyarrow as pa

    return pa.schema([("date", pa.date32()), *((name, pa.float64()) for name in COLUMNS)])


@cache
def _calendars() -> frozenset[str]:
    return frozenset(calendar_names())


def _names_ticker(name: str) -> bool:
    stem = name.removesuffix(".parquet")
    try:
        return checked_ticker(stem) == stem
    except UsageError:
        return False


def _checksum(values: NDArray[Any]) -> int:
    """CRC-32 of a column: days since 1970 as int64, or float64; little-endian."""
    return zlib.crc32(np.ascontiguousarray(values).view("u8").astype("<u8", copy=False).data)


def _changes(prices: PriceTable, columns: Sequence[str], info: StoredInfo) -> list[str]:
    """In what a table, of which these columns were read, is not what was written; empty if in nothing."""
    if (len(prices), prices.dates[0], prices.dates[-1]) != (info.rows, info.first, info.last):
        return ["its days are not those that were written"]
    if not info.checksums:
        same = content_digest(prices) == info.digest
        return [] if same else ["its prices are not those that were written"]
    read = {"date": prices.dates, **{name: prices.columns[name] for name in columns}}
    changed = [name for name, values in read.items() if info.checksums.get(name) != _checksum(values)]
    return [f"not as it was written: {', '.join(changed)}"] if changed else []


def _parse_info(path: Path, footer: "pq.FileMetaData") -> StoredInfo:
    metadata = footer.metadata or {}
    try:
        text = metadata[METADATA_KEY]
        if str(zlib.crc32(text)).encode() != metadata.get(CHECKSUM_KEY, str(zlib.crc32(text)).encode()):
            raise _damaged(path, "what it says of itself is not what was written")
        about: dict[str, Any] = json.loads(text)
        if about["format"] != FORMAT_VERSION:
            raise UsageError(
                f"{path} has format {str(about['format'])[:20]}, this version reads {FORMAT_VERSION}",
                "update forecast, or remove the file and fetch again",
            )
        if not 0 < footer.num_rows <= MOST_DAYS:
            raise _damaged(path, f"it has {footer.num_rows:,} rows")
        span = np.datetime64(about["first"], "D"), np.datetime64(about["last"], "D")
        kept = about.get("fetch_state", about.get("upkeep"))  # its name in files of earlier releases
        fetch_state = FetchState() if kept is None else fetch_state_from_json(kept)
        source, fetched_at, digest = (str(about[name]) for name in ("source", "fetched_at", "digest"))
        # Files of earlier releases name no calendar; the symbol tells it, as it did when they were written.
        calendar = str(about.get("calendar") or calendar_of_symbol(path.stem) or XNYS)
        if calendar not in _calendars():
            raise UsageError(
                f"{path} names the calendar {calendar[:20]!r}, which is not known", "update forecast"
            )
        return StoredInfo(
            ticker=path.stem,
            source=source,
            fetched_at=fetched_at,
            rows=footer.num_rows,
            first=span[0],
            last=span[1],
            digest=digest,
            calendar=calendar,
            currency=str(about.get("currency", "")),
            fetch_state=fetch_state,
            checksums=dict(about.get("checksums", {})),
        )
    except (AttributeError, KeyError, TypeError, ValueError, RecursionError) as error:
        raise _damaged(path, "it does not say what it holds") from error


_REPAIR = "run `forecast data verify --repair`, or remove the file and fetch again"


def _damaged(path: Path, why: str) -> ForecastError:
    return BadInputError(f"{path} is damaged: {why}", _REPAIR)


def _first_line(error: Exception) -> str:
    return str(error).splitlines()[0] if str(error) else type(error).__name__


def as_numpy(column: "pa.ChunkedArray") -> NDArray[Any]:
    """A column of numbers or dates (as datetime64[D]) without nulls, not copied.

    PyArrow's own conversion imports pandas, which takes longer than a whole forecast.

    Raises:
        ValueError: the column has nulls.
    """
    import pyarrow as pa

    if column.null_count:
        raise ValueError(f"the column has {column.null_count} empty cells")
    array = column.combine_chunks() if column.num_chunks != 1 else column.chunk(0)
    if pa.types.is_date32(array.type):
        return np.from_dlpack(array.view(pa.int32())).astype("datetime64[D]")
    return np.from_dlpack(array)
