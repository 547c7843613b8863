"""Fill in the actuals of recorded forecasts, from the store's adjusted closes as they stand now."""

from dataclasses import dataclass, field
from datetime import datetime

import numpy as np
from numpy.typing import NDArray

from forecaster.errors import ForecastError, NotFoundError
from forecaster.evaluation.metrics import QUANTILE_LEVELS, crps_from_quantiles, most_gain
from forecaster.evaluation.scoring import range_losses
from forecaster.ledger.ledger import Ledger, OpenForecasts
from forecaster.network.student_t import ForecastDistribution
from forecaster.prices.store import FILE_ERRORS, PriceStore
from forecaster.prices.successor import find_successors
from forecaster.prices.table import PriceTable

Float = NDArray[np.float64]


@dataclass(frozen=True)
class Filled:
    """What a scoring found.

    Attributes:
        scored: forecasts whose outcome was filled in.
        still_open: forecasts whose target date has closed but whose outcome is not known.
        reasons: why, by ticker.
        renamed: ticker to the one that continues its prices under another symbol.
    """

    scored: int
    still_open: int
    reasons: dict[str, str]
    renamed: dict[str, str]


@dataclass
class _Returns:
    """(O,) log returns from origin to target, NaN where a price is missing; the rest as in Filled."""

    values: Float
    reasons: dict[str, str] = field(default_factory=dict)
    renamed: dict[str, str] = field(default_factory=dict)


def fill_outcomes(ledger: Ledger, store: PriceStore, now: datetime) -> Filled:
    """Score each forecast whose target date has closed.

    A return between two days of one adjusted series is the same before and after a later split or
    dividend. Where a price is missing the forecast stays open; a ticker that has got another symbol is
    scored by that one's prices.

    Raises:
        ForecastError: as `Ledger`.
    """
    due = ledger.due(now)
    returns = _look_up(due, store)
    known = np.isfinite(returns.values)
    if known.any():
        observed = returns.values[known]
        degrees = due.degrees_of_freedom[known]
        learned = ForecastDistribution(due.location[known], due.scale[known], degrees)
        normal = np.full_like(degrees, np.inf)
        walk = ForecastDistribution(due.naive_location[known], due.naive_scale[known], normal)
        figures = [observed, *_losses(learned, observed), *_losses(walk, observed)]
        columns = [figure.tolist() for figure in figures]
        columns += [
            _none_for_nan(each) for each in _beside_reference(learned, _reference(due, known), observed)
        ]
        columns.append(np.array(due.key)[known].tolist())
        outcomes = list(zip(*columns, strict=True))
        ledger.fill(outcomes, now)
    return Filled(int(known.sum()), int((~known).sum()), returns.reasons, returns.renamed)


def _losses(forecast: ForecastDistribution, observed: Float) -> tuple[Float, NDArray[np.bool_]]:
    crps, lower, upper = range_losses(forecast, observed)
    return crps, (lower <= observed) & (observed <= upper)


def _reference(due: OpenForecasts, known: NDArray[np.bool_]) -> ForecastDistribution:
    return ForecastDistribution(
        due.reference_location[known], due.reference_scale[known], due.reference_degrees[known]
    )


def _beside_reference(
    learned: ForecastDistribution, reference: ForecastDistribution, observed: Float
) -> tuple[Float, Float]:
    """The reference's CRPS, and the most that the model could have saved of it; NaN where there is none."""
    crps, gain = np.full(len(observed), np.nan), np.full(len(observed), np.nan)
    there = np.isfinite(reference.location)
    own, other = (
        ForecastDistribution(
            each.location[there], each.scale[there], each.degrees_of_freedom[there]
        ).quantile(QUANTILE_LEVELS)
        for each in (learned, reference)
    )
    crps[there], gain[there] = crps_from_quantiles(observed[there], other), most_gain(own, other)
    return crps, gain


def _none_for_nan(values: Float) -> list[float | None]:
    """SQL's NULL is Python's None."""
    return [None if np.isnan(value) else value for value in values.tolist()]


def _look_up(due: OpenForecasts, store: PriceStore) -> _Returns:
    found = _Returns(np.full(len(due.key), np.nan))
    rows: dict[str, list[int]] = {}
    for row, ticker in enumerate(due.ticker):
        rows.setdefault(ticker, []).append(row)
    failed: dict[str, str] = {}
    ended: list[PriceTable] = []
    for ticker, read in zip(rows, store.read_each(list(rows), ("close", "adj_close")), strict=True):
        if isinstance(read, (NotFoundError, *FILE_ERRORS)):
            failed[ticker] = read.message
        elif isinstance(read, ForecastError):
            raise read
        elif due.target[rows[ticker]].max() > read.dates[-1]:
            ended.append(read)
        else:
            _fill(found, due, rows[ticker], read, failed)
    successors = find_successors(store, ended)
    for table in ended:
        continued = successors.get(table.ticker, table)
        if continued is not table:
            found.renamed[table.ticker] = continued.ticker
        _fill(found, due, rows[table.ticker], continued, failed)
    found.reasons |= {ticker: failed[ticker] for ticker in rows if ticker in failed}
    return found


def _fill(
    found: _Returns, due: OpenForecasts, rows: list[int], table: PriceTable, failed: dict[str, str]
) -> None:
    """Fill in the returns of one ticker's forecasts, or why they stay open."""
    ends = due.origin[rows], due.target[rows]
    first, last = (_adjusted_close(table, days) for days in ends)
    found.values[rows] = np.log(last / first)
    gone = np.union1d(ends[0][np.isnan(first)], ends[1][np.isnan(last)])
    if len(gone):
        failed[due.ticker[rows[0]]] = _why_open(table, gone)


def _adjusted_close(table: PriceTable, days: NDArray[np.datetime64]) -> Float:
    place = np.minimum(np.searchsorted(table.dates, days), len(table) - 1)
    close = table.columns["adj_close"][place]
    return np.where((table.dates[place] == days) & (close > 0), close, np.nan)


def _why_open(table: PriceTable, gone: NDArray[np.datetime64]) -> str:
    last = table.dates[-1]
    if gone[0] > last:
        return f"the prices end on {last}"
    return f"no price of {gone[0]}" + (f" and {len(gone) - 1} more days" if len(gone) > 1 else "")
