"""How recorded forecasts turned out: coverage, CRPS and skill by model, step, month and ticker."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from forecaster.evaluation.metrics import skill
from forecaster.evaluation.significance import diebold_mariano, ratio_interval
from forecaster.ledger.ledger import Ledger, Spans

Float = NDArray[np.float64]


@dataclass(frozen=True)
class LiveScores:
    """One group of scored forecasts; CRPS in log return, `skill` over the naive forecast.

    `group` is the ticker, the month (of the target date), whether there is a report to react to, or empty for
    all of a model. The reference's figures
    are of the forecasts that were recorded beside one; None where none was.
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
    reference_crps: float | None = None
    reference_skill: float | None = None


@dataclass(frozen=True)
class DailyScores:
    """Means of all tickers on each day of origin, in order, (days,) each.

    Attributes:
        month: of the origin, counted from 1970.
        coverage: share of the 90 % intervals that covered.
        crps, naive_crps: the model's and the naive forecast's.
        reference_crps: the reference's; NaN where none was recorded, as in the next two.
        excess: the model's CRPS less the reference's.
        most_gain: by how much the model's could have been below the reference's.
        reference: the name of the latest; empty where there is none.
    """

    month: NDArray[np.int64]
    coverage: Float
    crps: Float
    naive_crps: Float
    reference_crps: Float
    excess: Float
    most_gain: Float
    reference: str


def live_scores(
    ledger: Ledger, until: np.datetime64, group: str = "''", beside: Spans | None = None
) -> list[LiveScores]:
    """Scores by model and step and within them by `group`, one of GROUPS' expressions.

    Those of targets after `until`, which a replay cannot know, are left out.

    Args:
        ledger: where they are recorded.
        until: the last session that has closed.
        group: an expression of the ledger's columns, and of the tables of `beside`.
        beside: as in `Ledger.select`.

    Raises:
        ForecastError: as `Ledger`.
    """
    rows = ledger.select(
        f"SELECT model, step, {group}, COUNT(*), COUNT(DISTINCT origin), AVG(covered), "  # noqa: S608
        "AVG(naive_covered), AVG(crps), AVG(naive_crps), AVG(reference_crps), AVG(crps - reference_crps) "
        "FROM forecasts WHERE log_return IS NOT NULL AND target <= ? GROUP BY 1, 2, 3 ORDER BY 1, 2, 3",
        str(until),
        beside=beside,
    )
    return [_live(*row) for row in rows]


def _live(*row: Any) -> LiveScores:
    crps, naive_crps, reference_crps, excess = row[-4:]
    saved = None if reference_crps is None else skill(reference_crps + excess, reference_crps)
    return LiveScores(*(*row[:-2], skill(crps, naive_crps), reference_crps, saved))


GROUPS: Mapping[str, str] = {"ticker": "ticker", "month": "substr(target, 1, 7)"}
"""What scores are grouped by, and the ledger's expression for it."""


def daily_scores(ledger: Ledger, model: str, step: int, until: np.datetime64, since: str = "") -> DailyScores:
    """A model's daily means at one step, from the origin `since` on and of targets up to `until`.

    Raises:
        ForecastError: as `Ledger`.
    """
    rows = ledger.select(
        "SELECT AVG(covered), AVG(crps), AVG(naive_crps), AVG(reference_crps), AVG(crps - reference_crps), "
        "AVG(most_gain), origin, MAX(reference) FROM forecasts WHERE log_return IS NOT NULL "
        "AND model = ? AND step = ? AND origin >= ? AND target <= ? GROUP BY origin ORDER BY origin",
        *(model, step, since, str(until)),
    )
    month = np.array([row[6] for row in rows], dtype="datetime64[M]").astype(np.int64)
    figures: Float = np.array([row[:6] for row in rows], dtype=np.float64).reshape(-1, 6)
    coverage, crps, naive_crps, reference_crps, excess, most_gain = figures.T
    reference = next((row[7] for row in reversed(rows) if row[7] is not None), "")
    return DailyScores(month, coverage, crps, naive_crps, reference_crps, excess, most_gain, reference)


def p_value(daily: DailyScores, step: int) -> float:
    """Diebold and Mariano's, of the model's CRPS against the naive forecast's."""
    return diebold_mariano(daily.crps - daily.naive_crps, step).p_value


def reference_p_value(daily: DailyScores, step: int) -> float:
    """The same against the reference's, on the days that have one."""
    return diebold_mariano(daily.excess[np.isfinite(daily.excess)], step).p_value


def coverage_by_month(model: str, daily: DailyScores) -> list[dict[str, Any]]:
    """The coverage of the 90 % interval one session ahead in each month of the origins.

    Returns:
        `kind` (the model), `month`, `value`, and the ends of its 95 % interval, `low` and `high`; None where
        too few days tell nothing.
    """
    return _by_month(model, daily.month, daily.coverage, np.ones_like(daily.coverage))


def gain_by_month(model: str, daily: DailyScores) -> list[dict[str, Any]]:
    """The share of the reference's CRPS that the model saves in each month, as `coverage_by_month`.

    There is none of days without a reference.
    """
    known = np.isfinite(daily.excess)
    return _by_month(model, daily.month[known], -daily.excess[known], daily.reference_crps[known])


def _by_month(
    model: str, months: NDArray[np.int64], numerator: Float, denominator: Float
) -> list[dict[str, Any]]:
    """A ratio of sums over the days of each month, with its interval."""
    found = []
    for month in np.unique(months).tolist():
        own = months == month
        interval = ratio_interval(numerator[own], denominator[own], 1)
        low, high = (interval.low, interval.high) if interval.known else (None, None)
        row = {"kind": model, "month": str(np.datetime64(month, "M"))}
        found.append(row | {"value": interval.value, "low": low, "high": high})
    return found
