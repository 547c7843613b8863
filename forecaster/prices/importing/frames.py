"""Prices in a pandas DataFrame of long form, as in a notebook, to checked price tables."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING, Any

import numpy as np

from forecaster.errors import BadInputError, UsageError
from forecaster.prices.fetching import FetchLog, Request
from forecaster.prices.importing.headings import find_columns, is_field
from forecaster.prices.importing.rows import RowCollector
from forecaster.prices.table import PriceTable

if TYPE_CHECKING:
    import pandas as pd

_PLACE = "the DataFrame"
_REMEDY = (
    "give one row for each ticker and day, with the columns ticker, date and close; open, high, low, "
    "adj_close and volume are welcome"
)


@dataclass(frozen=True)
class FrameTables:
    """The tables of a DataFrame, one a ticker and sorted by it, and what was said of its rows."""

    tables: tuple[PriceTable, ...]
    log: FetchLog


def tables_from_frame(frame: "pd.DataFrame", now: datetime) -> FrameTables:
    """Check a long DataFrame row by row, as a file is, and group it by ticker.

    Args:
        frame: columns ticker, date and close at least, under any of the spellings that files may have;
            ticker and date may stand in the index.
        now: rows after it are rejected.

    Raises:
        UsageError: it is not a DataFrame of long form.
        BadInputError: a needed column is missing, or no row can be used.
    """
    check_frame(frame, "prices", _REMEDY)
    flat = without_index(frame if frame.columns.nlevels == 1 else _stacked(frame))
    headings = [str(name) for name in flat.columns]
    try:
        places = find_columns(headings, _PLACE)
    except BadInputError as error:
        raise BadInputError(error.message, _REMEDY) from error
    if "ticker" not in places and "name" in places:
        places["ticker"] = places["name"]
    places.pop("name", None)
    if missing := [role for role in ("ticker", "date", "close") if role not in places]:
        raise BadInputError(f"{_PLACE} has no column {' and no column '.join(missing)}", _REMEDY)
    log = FetchLog()
    collector = RowCollector(_PLACE, Request((), now), log)
    collector.add(arrow_columns(flat, places, _REMEDY), np.arange(len(flat)), None)
    tables = tuple(collector.tables())
    if not tables:
        reason = f": {log.rejections[0].reason}" if log.rejections else ""
        raise BadInputError(f"no row of the DataFrame can be used{reason}", _REMEDY)
    return FrameTables(tables, log)


def check_frame(frame: object, name: str, remedy: str) -> None:
    """See that an argument is a DataFrame.

    Raises:
        UsageError: it is something else.
    """
    import pandas as pd

    if not isinstance(frame, pd.DataFrame):
        raise UsageError(f"{name} is a {type(frame).__name__}, not a DataFrame", remedy)


def arrow_columns(flat: "pd.DataFrame", places: Mapping[str, int], remedy: str) -> dict[str, Any]:
    """Some of a frame's columns by role, as the readers of files take them.

    Raises:
        BadInputError: a column's values are of several types.
    """
    import pyarrow as pa

    block: dict[str, Any] = {}
    for role, place in places.items():
        try:
            column = pa.Array.from_pandas(flat.iloc[:, place])
            block[role] = column.combine_chunks() if isinstance(column, pa.ChunkedArray) else column
        except (pa.ArrowException, TypeError, ValueError) as error:
            raise BadInputError(
                f"the column {str(flat.columns[place])!r} has values of several types", remedy
            ) from error
    return block


def _stacked(frame: "pd.DataFrame") -> "pd.DataFrame":
    """A frame whose columns are fields and tickers, as yfinance.download gives it, in long form.

    Raises:
        UsageError: its columns are something else.
    """
    levels = [frame.columns.get_level_values(level) for level in range(frame.columns.nlevels)]
    fields = [all(is_field(str(name)) for name in names) for names in levels]
    if len(levels) != 2 or sum(fields) != 1:
        raise UsageError(
            "prices has columns of several levels that are not fields and tickers",
            "bring it to long form with DataFrame.stack",
        )
    import pandas as pd

    long = pd.DataFrame(frame.stack(fields.index(False), future_stack=True))  # noqa: PD013  (melt knows no levels)
    long.index.names = [frame.index.names[0] or "date", "ticker"]
    return long.dropna(how="all")


def without_index(frame: "pd.DataFrame") -> "pd.DataFrame":
    """The frame with its index as columns, unless the index only numbers the rows."""
    import pandas as pd

    index = frame.index
    if isinstance(index, pd.MultiIndex):
        levels = [index.get_level_values(number) for number in range(index.nlevels)]
    elif isinstance(index, pd.DatetimeIndex) or index.name is not None:
        levels = [index]
    else:
        return frame
    flat = frame.reset_index(drop=True)
    for level in reversed(levels):
        name = level.name or ("date" if isinstance(level, pd.DatetimeIndex) else "ticker")
        if name not in flat.columns:
            flat.insert(0, name, level)
    return flat
