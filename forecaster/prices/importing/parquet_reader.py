"""A Parquet file as blocks of columns with the row each stands in; a file of any size.

A few bytes of Parquet can stand for gigabytes: one long text that a million rows point to, or a page that
unpacks to a thousand times its length. Texts are therefore read as the file has them, each once, and long
ones are cut before any row is filled with them; a column that unpacks to more than any of prices is left.
"""

from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from forecaster.errors import BadInputError
from forecaster.prices.fetching import FetchLog
from forecaster.prices.importing.headings import ReadHeadings, Table, read_headings

if TYPE_CHECKING:
    import pyarrow as pa
    import pyarrow.parquet as pq

    from forecaster.prices.importing.held_rows import Rows

BLOCK_ROWS = 2**17
SAMPLE_ROWS = 50
MOST_TEXT_BYTES = 200
"""Of a date, number or ticker written as text; of a longer one no more is kept than that it was too long."""
MOST_CHUNK_BYTES = 1_000_000_000
"""Of one column of a row group, unpacked: a hundred million numbers."""
TEXT_COLUMNS_PER_BLOCK = 8
"""More of them make the blocks shorter, so that a block takes as much whatever the file has side by side."""
_TOO_LONG = "(a text too long to be one)"
_PIECE_BY_PIECE: dict[str, Any] = {"buffer_size": 2**20, "pre_buffer": False}
"""Else PyArrow has read the whole file by its end, mapped or not, and holds it."""
MAGIC = b"PAR1"


class ParquetTable:
    """The table in a Parquet file: what its columns hold, then its rows.

    Args:
        path: the file.
        read: tells what its columns hold.

    Raises:
        BadInputError: the file is damaged, is empty, or lacks a needed column.
        OSError: it cannot be read.
    """

    def __init__(self, path: Path, read: ReadHeadings = read_headings) -> None:
        import pyarrow as pa
        import pyarrow.parquet as pq

        self._path = path
        try:
            with pq.ParquetFile(path, **_PIECE_BY_PIECE) as file:
                schema = file.schema_arrow
                self._texts = [field.name for field in schema if _is_text(field.type)]
                _check_chunks(file.metadata, path.name)
                empty = file.metadata.num_rows == 0
            with self._opened() as file:
                batch = None if empty else next(file.iter_batches(SAMPLE_ROWS), None)
                first = [] if batch is None else [_with_short_texts(column) for column in batch.columns]
        except (pa.ArrowException, OSError, UnicodeDecodeError) as error:  # also of the name of a column
            reason = str(error).splitlines()[0]
            raise BadInputError(f"{path.name} is a damaged Parquet file: {reason}", "get it again") from error
        if not first:
            raise BadInputError(f"{path.name} is empty", "give a file with rows of values")
        headings = schema.names
        columns = [[_as_text(value) for value in column] for column in first]
        self.sample = tuple(zip(*columns, strict=True))
        self.table: Table = read([headings, *self.sample], path.name)
        places = {place for group in self.table.groups for place in group.columns.values()}
        self._names = {place: headings[place] for place in sorted(places)}

    def read_blocks(self, log: FetchLog) -> Iterator[tuple[dict[int, "pa.Array"], "Rows"]]:
        """The columns that matter, by place, block by block, with each row's number, from 1."""
        import pyarrow as pa

        row = 1
        texts = sum(name in self._texts for name in self._names.values())
        rows = BLOCK_ROWS // max(1, texts // TEXT_COLUMNS_PER_BLOCK)
        with self._opened() as file:
            try:
                for batch in file.iter_batches(max(1, rows), columns=list(self._names.values())):
                    block = {
                        place: _with_short_texts(batch.column(name)) for place, name in self._names.items()
                    }
                    yield block, np.arange(row, row + batch.num_rows)
                    row += batch.num_rows
            except (pa.ArrowException, OSError) as error:
                reason = str(error).splitlines()[0]
                log.reject(self._path.name, row, f"from here on it cannot be read: {reason}")

    def _opened(self) -> "pq.ParquetFile":
        import pyarrow.parquet as pq

        return pq.ParquetFile(self._path, read_dictionary=self._texts, **_PIECE_BY_PIECE)


def _is_text(kind: "pa.DataType") -> bool:
    import pyarrow as pa

    return bool(pa.types.is_string(kind) or pa.types.is_binary(kind))


def _check_chunks(metadata: "pq.FileMetaData", name: str) -> None:
    for group in range(metadata.num_row_groups):
        for place in range(metadata.num_columns):
            column = metadata.row_group(group).column(place)
            if column.total_uncompressed_size > MOST_CHUNK_BYTES:
                raise BadInputError(
                    f"{name} has a column that unpacks to {column.total_uncompressed_size:,} bytes at once: "
                    f"{column.path_in_schema}",
                    "write the file in smaller row groups, or without that column",
                )


def _with_short_texts(column: "pa.Array") -> "pa.Array":
    """The column with every long text in it replaced, and all of them valid.

    Raises:
        pyarrow.ArrowInvalid: a text is not UTF-8.
    """
    import pyarrow as pa
    import pyarrow.compute as pc

    if not pa.types.is_dictionary(column.type) or not _is_text(column.type.value_type):
        return column
    texts = column.dictionary
    long = pc.greater(pc.binary_length(texts), MOST_TEXT_BYTES)
    if pc.any(long).as_py():
        texts = pc.if_else(long, pa.scalar(_TOO_LONG, pa.string()).cast(texts.type), texts)
    texts = texts.cast(pa.string())
    texts.validate(full=True)
    return pa.DictionaryArray.from_arrays(column.indices, texts)


def _as_text(value: "pa.Scalar") -> str:
    """A value of the sample; empty where Python has no such date."""
    try:
        found = value.as_py()
    except (ValueError, OverflowError):
        return ""
    return "" if found is None else str(found)
