"""Every test forecast in a file, one row a model, ticker, origin and step."""

from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from forecaster.dataset.volatility import REGIMES
from forecaster.errors import UsageError
from forecaster.evaluation.comparison import Comparison
from forecaster.evaluation.forecasts import Forecast
from forecaster.evaluation.metrics import FILE_LEVELS
from forecaster.files import atomic_path, check_writable

if TYPE_CHECKING:
    import pyarrow as pa

_ENDINGS = (".parquet", ".csv")


def check_output(path: Path | None) -> None:
    """Reject a forecasts file that could not be written, before hours of work go into it.

    Raises:
        UsageError: its ending is neither .parquet nor .csv, or it is a folder.
        DiskError: its folder cannot be written.
    """
    if path is None:
        return
    if path.suffix.lower() not in _ENDINGS:
        raise UsageError(f"--output {path} is neither .parquet nor .csv", "choose one by the file's ending")
    if path.is_dir():
        raise UsageError(f"--output {path} is a folder", "name a file in it")
    check_writable(path.absolute().parent)


def write_forecasts(path: Path, comparison: Comparison) -> None:
    """Write all forecasts of a comparison; `close` is the actual.

    Prices are the origin's quoted close times the growth since then, so that a split or a dividend in
    between, which is given back, is no error.

    Columns: model, ticker, origin, step, date, last_close, close, median, q005, q01, q025, q05 … q95,
    q975, q99, q995, regime (see `market_regimes`), and where earnings dates are known report: whether the
    price has one to react to by then. The median and the quantiles are those of the price;
    there is no mean, which is infinite under Student-t tails in log return. Forecasts without an actual are
    left out. Forecasts that are quantiles only are there at the steps that are scored.

    Raises:
        DiskError: the file cannot be written.
    """
    import pyarrow.csv
    import pyarrow.parquet

    tables = forecast_tables(comparison)
    first = next(tables)
    with atomic_path(path) as temporary:
        if path.suffix.lower() == ".csv":
            writer: Any = pyarrow.csv.CSVWriter(temporary, first.schema)
        else:
            writer = pyarrow.parquet.ParquetWriter(temporary, first.schema, compression="zstd")
        with writer:
            writer.write_table(first)
            for table in tables:
                writer.write_table(table)


def forecast_tables(comparison: Comparison) -> "Iterator[pa.Table]":
    """One table a model and step: all of them at once would not fit in memory."""
    for model, forecast in comparison.forecasts.items():
        for step in forecast.steps:
            yield _table(comparison, model, forecast, step)


def _table(comparison: Comparison, model: str, forecast: Forecast, step: int) -> "pa.Table":
    import pyarrow as pa

    actual, panel = comparison.actual, comparison.panel
    known = np.isfinite(actual.log_return[:, step - 1])
    ticker, day = actual.origins.ticker[known], actual.origins.day[known]
    last = actual.last_close[known]
    made = forecast.at_step(step).take(known)
    # Seven digits are more than any quantile is worth, and half of the file.
    prices = (last[:, None] * np.exp(made.quantile(FILE_LEVELS))).astype(np.float32)
    quoted = panel.close[ticker, day + step]
    grown = last * np.exp(actual.log_return[known, step - 1].astype(np.float64))
    names = pa.array(list(panel.tickers))
    rows = len(last)
    columns = {
        "model": pa.DictionaryArray.from_arrays(np.zeros(rows, np.int32), [model]).cast(pa.string()),
        "ticker": pa.DictionaryArray.from_arrays(ticker.astype(np.int32), names).cast(pa.string()),
        "origin": panel.dates[day],
        "step": np.full(rows, step, np.int32),
        "date": panel.dates[day + step],
        "last_close": last,
        # The quoted close, or what it would be if a split or a dividend since the origin were given back.
        "close": np.where(np.isclose(quoted, grown, rtol=1e-5, atol=0), quoted, grown),
        "median": (last * np.exp(made.median)).astype(np.float32),
    }
    columns |= {_heading(level): prices[:, place] for place, level in enumerate(FILE_LEVELS)}
    regime = comparison.regimes[day].astype(np.int32)
    columns["regime"] = pa.DictionaryArray.from_arrays(regime, pa.array(REGIMES)).cast(pa.string())
    if actual.reaction is not None:
        columns["report"] = actual.reaction[known, step - 1]
    return pa.table(columns)


def _heading(level: float) -> str:
    """q05 for 0.05, q005 for 0.005, q975 for 0.975."""
    digits = f"{1000 * level:03.0f}"
    return f"q{digits.removesuffix('0')}"
