"""A Parquet file as blocks of columns with the row each stands in; a file of any size."""

from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from forecaster.errors import BadInputError
from forecaster.prices.fetching import FetchLog
from forecaster.prices.importing.headings import find_columns

if TYPE_CHECKING:
    import pyarrow as pa

    from forecaster.prices.importing.rows import Rows

BLOCK_ROWS = 2**17
MAGIC = b"PAR1"


def read_parquet_blocks(
    path: Path, log: FetchLog, *, needs_ticker: bool
) -> Iterator[tuple[dict[str, "pa.Array"], "Rows"]]:
    """The file's columns that matter, block by block, with each row's number, from 1.

    Raises:
        BadInputError: the file is damaged, is empty, or lacks a needed column.
        OSError: it cannot be read.
    """
    import pyarrow as pa
    import pyarrow.parquet as pq

    try:
        file = pq.ParquetFile(path, memory_map=True)
    except (pa.ArrowException, OSError) as error:
        reason = str(error).splitlines()[0]
        raise BadInputError(f"{path.name} is a damaged Parquet file: {reason}", "get it again") from error
    with file:
        headings = file.schema_arrow.names
        columns = find_columns(headings, path.name, needs_ticker=needs_ticker)
        if file.metadata.num_rows == 0:
            raise BadInputError(f"{path.name} is empty", "give a file with a row for each price")
        names = [headings[place] for place in columns.values()]
        row = 1
        try:
            for batch in file.iter_batches(BLOCK_ROWS, columns=names):
                block = {role: batch.column(headings[place]) for role, place in columns.items()}
                yield block, np.arange(row, row + batch.num_rows)
                row += batch.num_rows
        except (pa.ArrowException, OSError) as error:
            reason = str(error).splitlines()[0]
            log.reject(path.name, row, f"from here on it cannot be read: {reason}")
