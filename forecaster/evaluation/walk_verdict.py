"""What a walk through history says in three sentences, and in which years it says otherwise."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from forecaster.evaluation.backtest import Backtest
from forecaster.evaluation.baselines import LINEAR_T, SAME_INPUTS
from forecaster.evaluation.comparison import Comparison, ModelResult
from forecaster.evaluation.confidence_set import CONFIDENCE, confidence_set
from forecaster.evaluation.metrics import skill
from forecaster.evaluation.scoring import ScoredStep
from forecaster.evaluation.significance import Interval, skill_interval
from forecaster.evaluation.tried import RANGE, Tried
from forecaster.evaluation.verdict import (
    MODEL_TITLES,
    Verdict,
    listed,
    recurrence_found,
    say_p,
    shown_interval,
)


@dataclass(frozen=True)
class YearResult:
    """The best cell in one year, at one step.

    Attributes:
        year: of the origins.
        forecasts: how many.
        crps: the cell's.
        gains: the share of each other model's CRPS that it saves.
        coverage: share of actuals in the 50, 90 and 99 % interval.
        below_05, above_95: shares of actuals beyond each end of the 90 % interval.
        months: coverage of the 90 % interval by month of the origin, NaN where there is none, (12,).
        in_set: whether it is in the year's model confidence set; None where there are too few days.
    """

    year: int
    forecasts: int
    crps: float
    gains: Mapping[str, float]
    coverage: Mapping[int, float]
    below_05: float
    above_95: float
    months: NDArray[np.float64]
    in_set: bool | None

    @property
    def lost_to(self) -> tuple[str, ...]:
        """The models with a lower CRPS in this year."""
        return tuple(name for name, gain in self.gains.items() if gain < 0)

    def described(self) -> dict[str, Any]:
        """As JSON documents hold it."""
        return {
            "year": self.year,
            "forecasts": self.forecasts,
            "crps": self.crps,
            "gains": dict(self.gains),
            "coverage": {str(level): share for level, share in self.coverage.items()},
            "below_05": self.below_05,
            "above_95": self.above_95,
            "coverage_90_by_month": [None if math.isnan(share) else share for share in self.months.tolist()],
            "lost_to": list(self.lost_to),
            "in_confidence_set": self.in_set,
        }


def year_results(
    comparison: Comparison, cell: ModelResult, step: int, scored: ScoredStep | None = None
) -> tuple[YearResult, ...]:
    """The cell's scores by year of the origin, beside every other model.

    Args:
        comparison: all models.
        cell: one of them.
        step: days ahead.
        scored: scores that stand in for the cell's own, on the same days: those after recalibration.
    """
    own_scores = scored or cell.losses[step]
    sums, dates = own_scores.sums.by_day, comparison.panel.dates[own_scores.day]
    years = dates.astype("M8[Y]").astype(int) + 1970
    months = dates.astype("M8[M]").astype(int) % 12
    found = []
    for year in np.unique(years).tolist():
        own = years == year
        count = sums.forecasts[own].sum()
        crps = sums.crps[own].sum()
        others = [row for row in comparison.models if row is not cell]
        losses = {row.model: row.losses[step].crps[own] for row in others}
        p_values = confidence_set({cell.model: own_scores.crps[own], **losses}, step)
        covered, made = (
            np.bincount(months[own], values[own], 12) for values in (sums.within_90, sums.forecasts)
        )
        chance = p_values[cell.model]
        found.append(
            YearResult(
                year=year,
                forecasts=int(count),
                crps=float(crps / count),
                gains={
                    row.model: float(skill(crps, row.losses[step].sums.by_day.crps[own].sum()))
                    for row in others
                },
                coverage={
                    level: float(getattr(sums, f"within_{level}")[own].sum() / count)
                    for level in (50, 90, 99)
                },
                below_05=float(sums.below_05[own].sum() / count),
                above_95=float(sums.above_95[own].sum() / count),
                months=np.where(made > 0, covered / np.maximum(made, 1), np.nan),
                in_set=None if math.isnan(chance) else chance >= 1 - CONFIDENCE,
            )
        )
    return tuple(found)


def coverage_by_year(comparison: Comparison, scored: ScoredStep) -> list[float]:
    """Coverage of the 90 % interval in each year of the origins, in order."""
    years = comparison.panel.dates[scored.day].astype("M8[Y]").astype(int)
    covered, made = (
        np.bincount(years - years.min(), values)
        for values in (scored.sums.by_day.within_90, scored.sums.by_day.forecasts)
    )
    return [float(share) for share in covered[made > 0] / made[made > 0]]


def recalibration_gain(backtest: Backtest, model: ModelResult, step: int) -> Interval:
    """The share of a model's CRPS that recalibration saves (below zero: costs), with its interval."""
    return skill_interval(backtest.calibrated[model.model][step].crps, model.losses[step].crps, step)


def three_sentences(backtest: Backtest, verdict: Verdict, years: Sequence[YearResult]) -> tuple[str, ...]:
    """How good the best cell's range is, what recurrence adds, and what its median says about the price."""
    comparison = backtest.comparison
    best = comparison.model(verdict.best)
    calibrated = backtest.calibrated[best.model][1]
    return (
        _range(comparison, best, verdict, years)
        + f", and recalibrated day by day {_covered(comparison, calibrated)}.",
        recurrence_sentence(comparison, verdict, years),
        _price(best, verdict),
    )


def strongest_simple(comparison: Comparison) -> ModelResult:
    """The baseline with the least CRPS one day ahead of those that do not read the networks' inputs."""
    rows = [row for row in comparison.models if row.kind == "baseline" and row.model not in SAME_INPUTS]
    return min(rows, key=lambda row: row.steps[1].crps)


def _range(comparison: Comparison, best: ModelResult, verdict: Verdict, years: Sequence[YearResult]) -> str:
    rival = strongest_simple(comparison)
    gain = skill(best.steps[1].crps, rival.steps[1].crps)
    interval = skill_interval(best.losses[1].crps, rival.losses[1].crps, 1)
    side = "better" if gain > 0 else "worse"
    test = _range_test(verdict, rival.model, 1)
    return (
        f"{MODEL_TITLES[best.model]}'s range one day ahead is {abs(gain):.2%} {side} than that of "
        f"{MODEL_TITLES[rival.model]}, the strongest simple forecast ({shown_interval(interval)}, "
        f"{say_p(test.adjusted)} after counting all that was tried){_years_won(years, rival.model)}; "
        f"its 90 % interval covered {_covered(comparison, best.losses[1])}"
    )


def _range_test(verdict: Verdict, reference: str, step: int) -> Tried:
    """The test of the best cell's range against a reference's."""
    wanted = (RANGE, verdict.best, reference, step)
    return next(
        test for test in verdict.tests if (test.question, test.cell, test.reference, test.step) == wanted
    )


def _covered(comparison: Comparison, scored: ScoredStep) -> str:
    """The coverage of the 90 % interval, over all and by year."""
    shares = coverage_by_year(comparison, scored)
    by_year = f" ({min(shares):.1%} to {max(shares):.1%} by year)" if len(shares) > 1 else ""
    return f"{scored.scores.coverage_90:.1%}{by_year}"


def recurrence_sentence(comparison: Comparison, verdict: Verdict, years: Sequence[YearResult]) -> str:
    """What recurrence adds over linear-t, and in which years it does."""
    if all(row.model != LINEAR_T for row in comparison.models):
        return "It is a linear-t itself, so nothing is said about recurrence."
    gains = {int(step): gain for step, gain in verdict.recurrence.items()}
    tests = [_range_test(verdict, LINEAR_T, step) for step in gains]
    return f"{recurrence_found(gains, tests)}{_years_won(years, LINEAR_T, '; one day ahead it is better')}."


def _price(best: ModelResult, verdict: Verdict) -> str:
    scores = best.steps[1]
    claim = "beats" if verdict.beats_naive_price else "does not beat"
    meaning = "suspect the data before believing it" if verdict.beats_naive_price else "it tells no direction"
    return (
        f"As a price, its median {claim} the last close, drift and always-up "
        f"({scores.directional_accuracy:.1%} of signs right where {scores.up_share:.1%} of moves are up): "
        f"{meaning}."
    )


def _years_won(years: Sequence[YearResult], rival: str, begin: str = ", better") -> str:
    """In how many years the cell had the lower CRPS, and in which not."""
    if len(years) < 2:
        return ""
    lost = [str(year.year) for year in years if rival in year.lost_to]
    if not lost:
        return f"{begin} in each of the {len(years)} years"
    return f"{begin} in {len(years) - len(lost)} of {len(years)} years (not in {listed(lost)})"
