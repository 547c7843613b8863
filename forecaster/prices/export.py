"""A copy of the store in long form, which `fetch --source` takes back as it is."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from forecaster.errors import ForecastError, UsageError
from forecaster.files import atomic_path
from forecaster.prices.store import PriceStore, to_arrow

if TYPE_CHECKING:
    import pyarrow as pa


@dataclass(frozen=True)
class Exported:
    """What was written, and why other tickers are not in the file."""

    rows: int
    tickers: tuple[str, ...]
    failures: dict[str, ForecastError]


def export_prices(store: PriceStore, tickers: Sequence[str], target: Path) -> Exported:
    """Write ticker, date and all columns of `tickers` as CSV or Parquet, by the file's ending.

    Unknown values are empty. The file appears whole or not at all. A ticker whose file is damaged costs
    only itself.

    Raises:
        UsageError: the ending is neither .csv nor .parquet.
        NotFoundError, BadInputError, DiskError, UsageError: no ticker can be read, see `PriceStore.read`.
        DiskError: the disk fails.
    """
    if target.suffix.lower() not in {".csv", ".parquet"}:
        raise UsageError(f"cannot tell the format of {target.name}", "end its name with .csv or .parquet")
    rows, written = 0, list[str]()
    failures: dict[str, ForecastError] = {}
    writer = None
    with atomic_path(target) as temporary:
        try:
            for ticker, table in zip(tickers, store.read_each(tickers), strict=True):
                if isinstance(table, ForecastError):
                    failures[ticker] = table
                    continue
                long = _long_form(table.ticker, to_arrow(table))
                writer = writer or _open_writer(temporary, long.schema)
                writer.write_table(long)
                rows += long.num_rows
                written.append(ticker)
            if not written:
                raise next(iter(failures.values()))
        finally:
            if writer is not None:
                writer.close()
    return Exported(rows, tuple(written), failures)


def _long_form(ticker: str, table: "pa.Table") -> "pa.Table":
    import pyarrow as pa
    import pyarrow.compute as pc

    arrays = [pa.repeat(ticker, table.num_rows), table.column("date")]
    for name in table.column_names[1:]:
        column = table.column(name)
        arrays.append(pc.if_else(pc.is_nan(column), None, column))
    return pa.Table.from_arrays(arrays, names=["ticker", *table.column_names])


def _open_writer(path: Path, schema: "pa.Schema") -> Any:
    import pyarrow.csv as arrow_csv
    import pyarrow.parquet as pq

    if path.suffix.lower() == ".csv":
        return arrow_csv.CSVWriter(path, schema)
    return pq.ParquetWriter(path, schema, compression="zstd")
