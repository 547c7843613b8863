"""Where earnings dates are kept: one Parquet file, with what each ticker's sources were last asked."""

import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from forecaster.errors import BadInputError, UsageError
from forecaster.files import atomic_path, read_regular, set_folder_aside
from forecaster.prices.calendar import local_date
from forecaster.prices.earnings.table import (
    COLUMNS,
    STATUSES,
    WHEN,
    EarningsTable,
    earnings_table,
    in_order,
    reports,
)
from forecaster.prices.store import FILE_ERRORS
from forecaster.prices.table import checked_ticker

if TYPE_CHECKING:
    import pyarrow as pa
    import pyarrow.parquet as pq

FORMAT_VERSION = 1
METADATA_KEY = b"forecast.earnings"
MOST_BYTES = 32_000_000
MOST_ROWS = 1_000_000
"""Of five sources, a hundred years of five hundred companies."""
MOST_NAME = 255
"""Letters in the name of a source, which may be a file's."""
FIRST_DAY, LAST_DAY = np.datetime64("1900-01-01"), np.datetime64("2100-12-31")
MOST_AHEAD = np.timedelta64(2 * 366, "D")
"""Days; no company says so long before when it will report."""
_TEXT_COLUMNS = ("ticker", "when", "status", "source")
_MAY_BE_EMPTY = ("announced", "withdrawn")
_REPAIR = (
    "`forecast fetch --earnings yahoo` replaces it, as does --earnings sec or FILE: run it for each source "
    "that you use, or put back a copy of the file, which also has the days on which dates became known"
)


@dataclass(frozen=True)
class StoredEarnings:
    """What the file holds.

    Attributes:
        table: all announcements, of all sources.
        asked: source to ticker to the day (ISO) on which it last answered.
    """

    table: EarningsTable = field(default_factory=lambda: earnings_table([], ""))
    asked: Mapping[str, Mapping[str, str]] = field(default_factory=dict)

    def due(self, source: str, tickers: Iterable[str], today: np.datetime64, days: int) -> list[str]:
        """Those of `tickers` whose answer from a source is at least so many days old, or that have none."""
        asked = self.asked.get(source, {})
        latest = today - np.timedelta64(days, "D")
        return [name for name in tickers if name not in asked or np.datetime64(asked[name]) <= latest]


def last_possible(now: datetime) -> np.datetime64:
    """The last day for which a date can be believed."""
    day: np.datetime64 = min(local_date(now) + MOST_AHEAD, LAST_DAY)
    return day


class EarningsStore:
    """The earnings dates of one home folder."""

    def __init__(self, home: Path) -> None:
        self.path = home / "data" / "earnings.parquet"

    def read(self) -> StoredEarnings:
        """All that is kept; nothing where there is no file.

        Raises:
            BadInputError: the file is damaged.
            UsageError: it is from another version of this tool.
            DiskError: the system does not let us read it.
        """
        import pyarrow as pa
        import pyarrow.parquet as pq

        try:
            content = read_regular(self.path, _REPAIR, most_bytes=MOST_BYTES)
        except FileNotFoundError:
            return StoredEarnings()
        try:
            if pq.read_schema(pa.BufferReader(content)).names != list(COLUMNS):
                raise self._damaged("its columns are not those of a file of earnings dates")
            with pq.ParquetFile(
                pa.BufferReader(content), read_dictionary=_TEXT_COLUMNS, page_checksum_verification=True
            ) as file:
                asked = self._asked(file.metadata)
                if file.metadata.num_rows > MOST_ROWS:
                    raise self._damaged(f"it has {file.metadata.num_rows:,} rows")
                return StoredEarnings(in_order(_from_arrow(file.read(use_threads=False))), asked)
        except (
            OSError,
            ValueError,
            KeyError,
            TypeError,
            MemoryError,
            UsageError,
            pa.ArrowException,
        ) as error:
            if isinstance(error, UsageError) and str(self.path) in error.message:
                raise
            reason = str(error).splitlines()[0] if str(error) else type(error).__name__
            raise self._damaged(reason) from error

    def write(self, earnings: StoredEarnings) -> None:
        """Replace the file in one step; the caller holds `files.home_lock`.

        Raises:
            DiskError: the disk fails.
        """
        import pyarrow.parquet as pq

        about = {
            "format": FORMAT_VERSION,
            "asked": {name: dict(each) for name, each in earnings.asked.items()},
        }
        table = _to_arrow(earnings.table).replace_schema_metadata({METADATA_KEY: json.dumps(about).encode()})
        set_folder_aside(self.path)
        with atomic_path(self.path) as temporary:
            pq.write_table(table, temporary, compression="zstd", write_page_checksum=True)

    def _asked(self, footer: "pq.FileMetaData") -> dict[str, dict[str, str]]:
        try:
            about: dict[str, Any] = json.loads((footer.metadata or {})[METADATA_KEY])
            if about["format"] != FORMAT_VERSION:
                raise UsageError(
                    f"{self.path} has format {str(about['format'])[:20]}, "
                    f"this version reads {FORMAT_VERSION}",
                    "update forecast, or remove the file and fetch again",
                )
            return {
                str(source)[:MOST_NAME]: {
                    _stored_ticker(ticker): str(np.datetime64(day, "D")) for ticker, day in answered.items()
                }
                for source, answered in about["asked"].items()
            }
        except (AttributeError, KeyError, TypeError, ValueError, RecursionError) as error:
            raise self._damaged("it does not say what it holds") from error

    def _damaged(self, why: str) -> BadInputError:
        return BadInputError(f"{self.path} is damaged: {why}", _REPAIR)


class KnownReports(NamedTuple):
    """The reports of some tickers.

    Attributes:
        table: them; None where none are kept.
        fault: why they could not be read; empty if they could.
        any_kept: whether there are some, of these tickers or others.
    """

    table: EarningsTable | None = None
    fault: str = ""
    any_kept: bool = False


def read_reports(home: Path, tickers: Sequence[str]) -> KnownReports:
    """What is kept of the reports of `tickers`, as `table.reports` has it; no table where nothing is.

    A file that cannot be read costs the dates, and no forecast.
    """
    try:
        everything = EarningsStore(home).read().table
    except FILE_ERRORS as error:
        return KnownReports(fault=str(error))
    if not len(everything):
        return KnownReports()
    stored = everything.of(tickers)
    return KnownReports(reports(stored) if len(stored) else None, any_kept=True)


def _schema() -> "pa.Schema":
    import pyarrow as pa

    return pa.schema([(name, pa.string() if name in _TEXT_COLUMNS else pa.date32()) for name in COLUMNS])


def _to_arrow(table: EarningsTable) -> "pa.Table":
    import pyarrow as pa

    kinds = _schema()
    arrays = [pa.array(getattr(table, name).tolist(), kinds.field(name).type) for name in COLUMNS]
    return pa.Table.from_arrays(arrays, schema=kinds)


def _from_arrow(table: "pa.Table") -> EarningsTable:
    """The checked columns.

    Raises:
        ValueError: a value is none that the column may have.
    """
    columns = {name: (_texts if name in _TEXT_COLUMNS else _days)(table, name) for name in COLUMNS}
    for name, known in (("when", WHEN), ("status", STATUSES)):
        if not np.isin(columns[name], known).all():
            raise ValueError(f"its column {name} has values that are not known")
    for ticker in np.unique(columns["ticker"]).tolist():
        _stored_ticker(ticker)
    return EarningsTable(**columns)


def _stored_ticker(text: str) -> str:
    """The ticker, if it is written as they are stored.

    Raises:
        ValueError: it is not.
    """
    try:
        if checked_ticker(text) == text:
            return text
    except UsageError:
        pass
    raise ValueError(f"{text[:20]!r} is not a ticker")


def _texts(table: "pa.Table", name: str) -> NDArray[Any]:
    """A column of texts, each of which the file has once: one long text may stand in a million rows.

    PyArrow's own conversion would import pandas.
    """
    import pyarrow as pa

    column = table.column(name).combine_chunks()
    if not pa.types.is_dictionary(column.type) or not pa.types.is_string(column.type.value_type):
        raise ValueError(f"its column {name} is of type {column.type}")
    if column.null_count:
        raise ValueError(f"its column {name} has empty cells")
    if isinstance(column, pa.ChunkedArray):
        column = column.unify_dictionaries().combine_chunks()
    texts = column.dictionary.to_pylist()
    longest = max(map(len, texts), default=0)
    if longest > MOST_NAME:
        raise ValueError(f"its column {name} has a text of {longest:,} letters")
    return np.array(texts, str)[np.from_dlpack(column.indices)] if texts else np.empty(0, "U1")


def _days(table: "pa.Table", name: str) -> NDArray[Any]:
    import pyarrow as pa

    column = table.column(name).combine_chunks()
    if not pa.types.is_date32(column.type):
        raise ValueError(f"its column {name} is of type {column.type}")
    empty = _empty_cells(column)
    if empty.any() and name not in _MAY_BE_EMPTY:
        raise ValueError(f"its column {name} has empty cells")
    # Where a cell is empty anything may stand; PyArrow's `fill_null` would import pandas.
    whole = pa.Array.from_buffers(pa.int32(), len(column), [None, column.buffers()[1]], offset=column.offset)
    days = np.from_dlpack(whole).astype("datetime64[D]")
    if bool(((days < FIRST_DAY) | (days > LAST_DAY))[~empty].any()):
        raise ValueError(f"its column {name} has days that are not possible")
    days[empty] = np.datetime64("NaT", "D")
    return days


def _empty_cells(column: "pa.Array") -> NDArray[np.bool_]:
    """Which cells are empty, (N,), by Arrow's bits: its own function takes `predict` 20 ms to import."""
    bits = column.buffers()[0]
    if bits is None:
        return np.zeros(len(column), bool)
    filled = np.unpackbits(np.frombuffer(bits, np.uint8), bitorder="little").astype(bool)
    return ~filled[column.offset : column.offset + len(column)]
