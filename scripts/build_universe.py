"""Rebuild the list of who was in the S&P 500 when: `python scripts/build_universe.py WHEEL`.

WHEEL is a wheel of the Python package index-constitution; `pip download --no-deps index-constitution`
fetches one from the package index that pip is set up for. The package keeps its table in a pickle,
which is read here, once, by an unpickler that builds a data frame and nothing else. It becomes a CSV
file with one row for each span of membership, beside a copy of the package's licence; sp500-SOURCE.md
says the same in words and is kept by hand.
"""

import csv
import io
import pickle
import sys
import zipfile
from datetime import timedelta
from pathlib import Path
from typing import Any

import pandas as pd

from forecaster.prices.table import checked_ticker

RESOURCES = Path(__file__).parent.parent / "forecaster" / "prices" / "resources"
HISTORY = "index_constitution/_data/history/sp500.pkl"
LICENCE = "/licenses/LICENSE"
ALLOWED = {
    ("builtins", "slice"),
    ("numpy", "dtype"),
    ("numpy", "ndarray"),
    ("numpy._core.multiarray", "_reconstruct"),
    ("pandas", "DataFrame"),
    ("pandas", "Index"),
    ("pandas", "RangeIndex"),
    ("pandas", "StringDtype"),
    ("pandas._libs.arrays", "__pyx_unpickle_NDArrayBacked"),
    ("pandas._libs.internals", "_unpickle_block"),
    ("pandas.arrays", "DatetimeArray"),
    ("pandas.arrays", "StringArray"),
    ("pandas.core.indexes.base", "_new_Index"),
    ("pandas.core.internals.managers", "BlockManager"),
}
"""All that a data frame of texts and dates is made of."""


class FrameUnpickler(pickle.Unpickler):
    """Reads data frames and rejects everything else that a pickle might name."""

    def find_class(self, module: str, name: str) -> Any:
        """The class or function, if it is one of ALLOWED."""
        if (module, name) not in ALLOWED:
            raise pickle.UnpicklingError(f"the pickle names {module}.{name}, which is not allowed")
        return super().find_class(module, name)


def main(wheel: Path) -> None:
    """Read the history in the wheel, and write its spans sorted by symbol and first day."""
    with zipfile.ZipFile(wheel) as archive:
        history = FrameUnpickler(io.BytesIO(archive.read(HISTORY))).load()
        licence = next(name for name in archive.namelist() if name.endswith(LICENCE))
        (RESOURCES / "sp500-LICENSE.txt").write_bytes(archive.read(licence))
    rows = spans(history)
    with (RESOURCES / "sp500.csv").open("w", encoding="utf-8", newline="") as file:
        writer = csv.writer(file, lineterminator="\n")
        writer.writerow(["symbol", "name", "first", "last"])
        writer.writerows(rows)
    print(f"{len(rows)} spans of {len({row[0] for row in rows})} symbols, of {len(history)} rows")


def spans(history: pd.DataFrame) -> list[tuple[str, str, str, str]]:
    """Symbol, name, first and last day of membership; no last day where it goes on.

    The package's `opt-out` is the first day without. Rows that end on the day they begin are left out.
    """
    rows = []
    for symbol, name, joined, left in history.itertuples(index=False):
        if pd.isna(left):
            last = ""
        elif left <= joined:
            continue
        else:
            last = str((left - timedelta(days=1)).date())
        rows.append((checked_ticker(symbol), name, str(joined.date()), last))
    return sorted(rows)


if __name__ == "__main__":
    main(Path(sys.argv[1]))
