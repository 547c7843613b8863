"""A Parquet file as blocks of columns with the row each stands in; a file of any size."""

from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from forecaster.errors import BadInputError
from forecaster.prices.fetching import FetchLog
from forecaster.prices.importing.headings import Table, read_headings

if TYPE_CHECKING:
    import pyarrow as pa

    from forecaster.prices.importing.rows import Rows

BLOCK_ROWS = 2**17
SAMPLE_ROWS = 50
MAGIC = b"PAR1"


class ParquetTable:
    """The table in a Parquet file: what its columns hold, then its rows.

    Raises:
        BadInputError: the file is damaged, is empty, or lacks a needed column.
        OSError: it cannot be read.
    """

    def __init__(self, path: Path) -> None:
        import pyarrow as pa
        import pyarrow.parquet as pq

        self._path = path
        try:
            with pq.ParquetFile(path, memory_map=True) as file:
                headings = file.schema_arrow.names
                empty = file.metadata.num_rows == 0
                first = None if empty else next(file.iter_batches(SAMPLE_ROWS), None)
        except (pa.ArrowException, OSError) as error:
            reason = str(error).splitlines()[0]
            raise BadInputError(f"{path.name} is a damaged Parquet file: {reason}", "get it again") from error
        if first is None:
            raise BadInputError(f"{path.name} is empty", "give a file with a row for each price")
        columns = [
            ["" if value is None else str(value) for value in column.to_pylist()] for column in first.columns
        ]
        self.sample = tuple(zip(*columns, strict=True))
        self.table: Table = read_headings([headings, *self.sample], path.name)
        places = {place for group in self.table.groups for place in group.columns.values()}
        self._names = {place: headings[place] for place in sorted(places)}

    def read_blocks(self, log: FetchLog) -> Iterator[tuple[dict[int, "pa.Array"], "Rows"]]:
        """The columns that matter, by place, block by block, with each row's number, from 1."""
        import pyarrow as pa
        import pyarrow.parquet as pq

        row = 1
        with pq.ParquetFile(self._path, memory_map=True) as file:
            try:
                for batch in file.iter_batches(BLOCK_ROWS, columns=list(self._names.values())):
                    block = {place: batch.column(name) for place, name in self._names.items()}
                    yield block, np.arange(row, row + batch.num_rows)
                    row += batch.num_rows
            except (pa.ArrowException, OSError) as error:
                reason = str(error).splitlines()[0]
                log.reject(self._path.name, row, f"from here on it cannot be read: {reason}")
