"""Rebuild the sample prices that ship with the tool: `python scripts/build_sample.py WHEEL`.

WHEEL is a wheel of the Python package skfolio; `pip download --no-deps skfolio` fetches one from the
package index that pip is set up for. Two of its data files hold the daily closes of twenty stocks and
of the S&P 500 index. They become one Parquet file in long form (ticker, date, close) beside a copy of
skfolio's licence; sample-SOURCE.md says the same in words and is kept by hand.
"""

import gzip
import sys
import zipfile
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.csv as pcsv
import pyarrow.parquet as pq

RESOURCES = Path(__file__).parent.parent / "forecaster" / "prices" / "resources"
STOCKS = "skfolio/datasets/data/sp500_dataset.csv.gz"
INDEX = "skfolio/datasets/data/sp500_index.csv.gz"
INDEX_TICKER = "^GSPC"
CLOSE = pa.decimal128(9, 3)  # skfolio's closes have three decimals at most


def main(wheel: Path) -> None:
    """Read the two wide tables in the wheel, and write them as one long one."""
    with zipfile.ZipFile(wheel) as archive:
        stocks = long_form(read_wide(archive, STOCKS))
        index = long_form(read_wide(archive, INDEX).rename_columns(["Date", INDEX_TICKER]))
        licences = [name for name in archive.namelist() if name.endswith("/licenses/LICENSE")]
        (RESOURCES / "sample-LICENSE.txt").write_bytes(archive.read(licences[0]))
    table = pa.concat_tables([index, stocks]).combine_chunks()
    target = RESOURCES / "sample.parquet"
    # As decimals kept in whole numbers the closes pack four times better than as floating point.
    pq.write_table(
        table,
        target,
        compression="zstd",
        compression_level=19,
        use_dictionary=["ticker"],
        column_encoding={"date": "DELTA_BINARY_PACKED", "close": "DELTA_BINARY_PACKED"},
        store_decimal_as_integer=True,
    )
    print(f"{table.num_rows} closes, {target.stat().st_size} bytes")


def read_wide(archive: zipfile.ZipFile, name: str) -> pa.Table:
    """One column `Date` and one a ticker."""
    content = gzip.decompress(archive.read(name))
    names = content.split(b"\n", 1)[0].decode().strip().split(",")
    types = {column: CLOSE for column in names if column != "Date"}
    return pcsv.read_csv(pa.BufferReader(content), convert_options=pcsv.ConvertOptions(column_types=types))


def long_form(wide: pa.Table) -> pa.Table:
    """One row a ticker and day, without the days on which a ticker has no close."""
    tickers = wide.column_names[1:]
    days = wide.num_rows
    table = pa.table(
        {
            "ticker": pa.array(np.repeat(tickers, days)).dictionary_encode(),
            "date": pa.chunked_array([wide["Date"].combine_chunks()] * len(tickers)),
            "close": pa.concat_arrays([wide[name].combine_chunks() for name in tickers]),
        }
    )
    return table.filter(pc.is_valid(table["close"]))


if __name__ == "__main__":
    main(Path(sys.argv[1]))
