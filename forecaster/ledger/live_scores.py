"""How recorded forecasts turned out: coverage, CRPS and skill by model, step, month and ticker."""

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from forecaster.evaluation.metrics import skill
from forecaster.evaluation.significance import diebold_mariano
from forecaster.ledger.ledger import Ledger

Float = NDArray[np.float64]


@dataclass(frozen=True)
class LiveScores:
    """One group of scored forecasts; CRPS in log return, `skill` over the naive forecast.

    `group` is the ticker, the month (of the target date) or empty for all of a model.
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


def live_scores(ledger: Ledger, until: np.datetime64, group: str = "''") -> list[LiveScores]:
    """Scores by model and step and within them by `group`, one of GROUPS' expressions.

    Those of targets after `until`, which a replay cannot know, are left out.

    Raises:
        ForecastError: as `Ledger`.
    """
    rows = ledger.select(
        f"SELECT model, step, {group}, COUNT(*), COUNT(DISTINCT origin), AVG(covered), "  # noqa: S608
        "AVG(naive_covered), AVG(crps), AVG(naive_crps) FROM forecasts WHERE log_return IS NOT NULL "
        "AND target <= ? GROUP BY 1, 2, 3 ORDER BY 1, 2, 3",
        str(until),
    )
    return [LiveScores(*(*row, skill(row[-2], row[-1]))) for row in rows]


GROUPS: Mapping[str, str] = {"ticker": "ticker", "month": "substr(target, 1, 7)"}
"""What scores are grouped by, and the ledger's expression for it."""


def daily_scores(ledger: Ledger, model: str, step: int, until: np.datetime64, since: str = "") -> DailyScores:
    """A model's daily means at one step, from the origin `since` on and of targets up to `until`.

    Raises:
        ForecastError: as `Ledger`.
    """
    rows = ledger.select(
        "SELECT AVG(covered), AVG(crps), AVG(naive_crps) FROM forecasts WHERE log_return IS NOT NULL "
        "AND model = ? AND step = ? AND origin >= ? AND target <= ? GROUP BY origin ORDER BY origin",
        *(model, step, since, str(until)),
    )
    return DailyScores(*np.array(rows, dtype=np.float64).reshape(-1, 3).T)


def p_value(daily: DailyScores, step: int) -> float:
    """Diebold and Mariano's, of the model's CRPS against the naive forecast's."""
    return diebold_mariano(daily.crps - daily.naive_crps, step).p_value
