"""How recorded forecasts turned out: fill in what came true, then coverage, CRPS and skill."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime

import numpy as np
from numpy.typing import NDArray

from forecaster.errors import BadInputError, NotFoundError, UsageError
from forecaster.evaluation.metrics import skill
from forecaster.evaluation.scoring import range_losses
from forecaster.evaluation.significance import diebold_mariano
from forecaster.network.student_t import ForecastDistribution
from forecaster.operations.ledger import Ledger, OpenForecasts
from forecaster.prices.store import PriceStore
from forecaster.prices.table import PriceTable

Float = NDArray[np.float64]


@dataclass(frozen=True)
class Filled:
    """What a scoring found.

    Attributes:
        scored: forecasts whose outcome was filled in.
        still_open: forecasts whose day is over but whose outcome is not known.
        reasons: why, by ticker.
    """

    scored: int
    still_open: int
    reasons: dict[str, str]


@dataclass(frozen=True)
class LiveScores:
    """One group of scored forecasts; CRPS in log return, `skill` over the naive forecast.

    `group` is the ticker, the month (of the day foretold) or empty for all of a model.
    """

    model: str
    step: int
    group: str
    forecasts: int
    days: int
    coverage_90: float
    naive_coverage_90: float
    crps: float
    naive_crps: float
    skill: float


@dataclass(frozen=True)
class DailyScores:
    """Means of all tickers on each day of origin, in order, (days,) each."""

    coverage: Float
    crps: Float
    naive_crps: Float


def fill_outcomes(ledger: Ledger, store: PriceStore, now: datetime) -> Filled:
    """Score each forecast whose day is over from the store's adjusted closes as they stand now.

    A return between two days of one adjusted series is the same before and after a later split or
    dividend. Where a price is missing the forecast stays open.

    Raises:
        ForecastError: as `Ledger`.
    """
    due = ledger.due(now)
    returns, reasons = _returns(due, store)
    known = np.isfinite(returns)
    if known.any():
        observed = returns[known]
        degrees = due.degrees_of_freedom[known]
        learnt = ForecastDistribution(due.location[known], due.scale[known], degrees)
        normal = np.full_like(degrees, np.inf)
        walk = ForecastDistribution(due.naive_location[known], due.naive_scale[known], normal)
        columns = [observed, *_losses(learnt, observed), *_losses(walk, observed), np.array(due.key)[known]]
        outcomes = list(zip(*(column.tolist() for column in columns), strict=True))
        ledger.fill(outcomes, now)
    return Filled(int(known.sum()), int((~known).sum()), reasons)


def live_scores(ledger: Ledger, group: str = "''") -> list[LiveScores]:
    """Scores by model and step and within them by `group`, one of GROUPS' expressions.

    Raises:
        ForecastError: as `Ledger`.
    """
    rows = ledger.select(
        f"SELECT model, step, {group}, COUNT(*), COUNT(DISTINCT origin), AVG(covered), "  # noqa: S608
        "AVG(naive_covered), AVG(crps), AVG(naive_crps) FROM forecasts WHERE log_return IS NOT NULL "
        "GROUP BY 1, 2, 3 ORDER BY 1, 2, 3"
    )
    return [LiveScores(*(*row, skill(row[-2], row[-1]))) for row in rows]


GROUPS: Mapping[str, str] = {"ticker": "ticker", "month": "substr(target, 1, 7)"}
"""What scores are grouped by, and the ledger's expression for it."""


def daily_scores(ledger: Ledger, model: str, step: int, since: str = "") -> DailyScores:
    """A model's daily means at one step, from the origin `since` on.

    Raises:
        ForecastError: as `Ledger`.
    """
    rows = ledger.select(
        "SELECT AVG(covered), AVG(crps), AVG(naive_crps) FROM forecasts WHERE log_return IS NOT NULL "
        "AND model = ? AND step = ? AND origin >= ? GROUP BY origin ORDER BY origin",
        *(model, step, since),
    )
    return DailyScores(*np.array(rows, dtype=np.float64).reshape(-1, 3).T)


def p_value(daily: DailyScores, step: int) -> float:
    """Diebold and Mariano's, of the model's CRPS against the naive forecast's."""
    return diebold_mariano(daily.crps - daily.naive_crps, step).p_value


def _losses(forecast: ForecastDistribution, observed: Float) -> tuple[Float, NDArray[np.bool_]]:
    crps, lower, upper = range_losses(forecast, observed)
    return crps, (lower <= observed) & (observed <= upper)


def _returns(due: OpenForecasts, store: PriceStore) -> tuple[Float, dict[str, str]]:
    """(O,) log returns from origin to target, NaN where a price is missing, and why, by ticker."""
    returns = np.full(len(due.key), np.nan)
    reasons: dict[str, str] = {}
    tickers = np.array(due.ticker, dtype=object)
    for ticker in dict.fromkeys(due.ticker):
        rows = np.flatnonzero(tickers == ticker)
        try:
            table = store.read(ticker)
        except (NotFoundError, BadInputError, UsageError) as error:
            reasons[ticker] = error.message
            continue
        ends = [_adjusted_close(table, days[rows]) for days in (due.origin, due.target)]
        returns[rows] = np.log(ends[1] / ends[0])
        missing = [
            days[rows][np.isnan(end)] for days, end in zip((due.origin, due.target), ends, strict=True)
        ]
        gone = np.unique(np.concatenate(missing))
        if len(gone):
            reasons[ticker] = _why_open(table, gone)
    return returns, reasons


def _adjusted_close(table: PriceTable, days: NDArray[np.datetime64]) -> Float:
    place = np.minimum(np.searchsorted(table.dates, days), len(table) - 1)
    close = table.columns["adj_close"][place]
    return np.where((table.dates[place] == days) & (close > 0), close, np.nan)


def _why_open(table: PriceTable, gone: NDArray[np.datetime64]) -> str:
    last = table.dates[-1]
    if gone[0] > last:
        return f"the prices end on {last}"
    return f"no price of {gone[0]}" + (f" and {len(gone) - 1} more days" if len(gone) > 1 else "")
