"""What one model's forecasts at one step are worth by tests of their own, each with its name and its days."""

import math
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from forecaster.evaluation.scoring import ScoredStep
from forecaster.evaluation.significance import (
    INTERVAL,
    DieboldMariano,
    Interval,
    Wald,
    diebold_mariano,
    holm,
    long_run_covariance,
    ratio_interval,
    skill_interval,
    standard_quantile,
    too_few_days,
    wald,
)
from forecaster.evaluation.sums import PIT_MOMENTS, StepSums

Float = NDArray[np.float64]

MINCER_ZARNOWITZ = "Mincer–Zarnowitz, intercept 0 and slope 1, pooled over tickers, EWC, F"
CALIBRATION = "first three moments of the PIT (Knüppel 2015), EWC, Holm"
UNKNOWN = Interval(math.nan, -math.inf, math.inf)


@dataclass(frozen=True)
class MincerZarnowitz:
    """The regression of the actual log return on the forecast's median, over all tickers and days.

    Attributes:
        intercept: 0 for an unbiased forecast, with its interval; in log return.
        slope: 1 for a forecast that is neither too bold nor too timid, 0 for one that tells nothing.
        test: of both at once.
    """

    intercept: Interval
    slope: Interval
    test: Wald


@dataclass(frozen=True)
class Calibration:
    """Whether actuals lie evenly over the forecasts' distributions.

    Attributes:
        means: of the PIT's orthonormal moments, by name, 0 if they do. `location` is above 0 where actuals
            are higher than forecast, `spread` where the ranges are too narrow, `skew` where the
            upper tail is too light beside the lower one.
    """

    means: dict[str, float]
    tests: dict[str, DieboldMariano]

    @property
    def adjusted(self) -> dict[str, float]:
        """P-values adjusted for the three moments."""
        p_values = holm([test.p_value for test in self.tests.values()])
        return dict(zip(self.tests, p_values, strict=True))

    @property
    def p_value(self) -> float:
        """The smallest of `adjusted`."""
        return min(self.adjusted.values())

    def described(self) -> dict[str, Any]:
        """The test with its name, as JSON documents hold it."""
        first = next(iter(self.tests.values()))
        return {
            "name": CALIBRATION,
            "cosines": first.frequencies,
            "days": first.days,
            "p_value": self.p_value,
            "moments": {
                name: {"mean": self.means[name], "statistic": test.statistic, "adjusted": self.adjusted[name]}
                for name, test in self.tests.items()
            },
        }


@dataclass(frozen=True)
class StepTests:
    """The tests of one model at one step.

    Attributes:
        skill: the share of the naive forecast's CRPS that is saved, with its interval.
        range: test of the CRPS against the naive forecast's.
        price: test of the median's absolute error against the naive forecast's.
        directional_accuracy: with its interval.
        direction: test of the share of signs that were right against always-up's.
        mincer_zarnowitz: None where the medians do not differ, as the last close's.
        calibration: test of the PIT.
        pit_counts: of the actuals, in each tenth of the forecasts' distributions: alike if those are right.
        pit_shares: of all actuals, in each tenth, with intervals.
    """

    skill: Interval
    range: DieboldMariano
    price: DieboldMariano
    directional_accuracy: Interval
    direction: DieboldMariano
    mincer_zarnowitz: MincerZarnowitz | None
    calibration: Calibration
    pit_counts: tuple[float, ...]
    pit_shares: tuple[Interval, ...]

    def described(self) -> dict[str, Any]:
        """All of it as JSON documents hold it, each test and interval with its name."""
        regression = self.mincer_zarnowitz
        return {
            "skill": described_interval(self.skill),
            "range": self.range.described(),
            "price": self.price.described(),
            "directional_accuracy": described_interval(self.directional_accuracy),
            "direction": self.direction.described(),
            "mincer_zarnowitz": None
            if regression is None
            else {
                "intercept": described_interval(regression.intercept),
                "slope": described_interval(regression.slope),
                **regression.test.described(MINCER_ZARNOWITZ),
            },
            "calibration": self.calibration.described(),
            "pit_counts": list(self.pit_counts),
            "pit_shares": [described_interval(share) for share in self.pit_shares],
        }


def described_interval(found: Interval, method: str = INTERVAL) -> dict[str, Any]:
    """An interval with its name, as JSON documents hold it; ends that are not known are NaN."""
    ends = (found.low, found.high) if found.known else (math.nan, math.nan)
    return {"value": found.value, "low": ends[0], "high": ends[1], "method": method}


def step_tests(model: ScoredStep, reference: ScoredStep, step: int) -> StepTests:
    """Test one model's forecasts `step` days ahead, some of it against the naive forecast's."""
    sums = model.sums
    return StepTests(
        skill=skill_interval(model.crps, reference.crps, step),
        range=diebold_mariano(model.crps - reference.crps, step),
        price=diebold_mariano(model.absolute_error - reference.absolute_error, step),
        directional_accuracy=ratio_interval(sums.hits, sums.moves, step) if sums.moves.any() else UNKNOWN,
        direction=diebold_mariano(model.direction, step),
        mincer_zarnowitz=mincer_zarnowitz(sums.regression, step),
        calibration=calibration_test(sums, step),
        pit_counts=tuple(sums.pit_counts.sum(0).tolist()),
        pit_shares=tuple(ratio_interval(counts, sums.by_day.forecasts, step) for counts in sums.pit_counts.T),
    )


def mincer_zarnowitz(sums: Float, step: int) -> MincerZarnowitz | None:
    """Regress the actual on the forecast, by sums over the tickers of each day.

    The errors of one day's tickers are alike, and so are those of neighbouring days, whose forecasts
    overlap. So the regression's scores are summed over each day, and their covariance is that of `wald`:
    robust to both.

    Source: Mincer & Zarnowitz, "The evaluation of economic forecasts", 1969; covariance as Driscoll & Kraay,
    "Consistent covariance matrix estimation with spatially dependent panel data", REStat 80 (1998), with
    cosines in place of Bartlett's kernel.

    Args:
        sums: (days, 5) as `StepSums.regression`, in order.
        step: days ahead.

    Returns:
        None where all forecasts are the same, or there are none.
    """
    days = len(sums)
    one, x, y, xx, xy = sums.mean(0) if days else np.zeros(5)
    if not one or xx / one - (x / one) ** 2 <= 1e-9 * xx / one:
        return None
    design = np.array([[one, x], [x, xx]])
    intercept, slope = np.linalg.solve(design, [y, xy])
    errors = np.column_stack(
        [
            sums[:, 2] - intercept * sums[:, 0] - slope * sums[:, 1],
            sums[:, 4] - intercept * sums[:, 1] - slope * sums[:, 3],
        ]
    )
    test = wald(design @ [intercept, slope - 1], errors, step)
    inverse = np.linalg.inv(design)
    deviations = np.sqrt(np.diag(inverse @ long_run_covariance(errors, step) @ inverse) / days)
    reach = (math.inf if too_few_days(days, step) else standard_quantile(days, step, 0.975)) * deviations
    intercept_interval, slope_interval = (
        Interval(float(value), float(value - wide), float(value + wide))
        for value, wide in zip((intercept, slope), reach, strict=True)
    )
    return MincerZarnowitz(intercept_interval, slope_interval, test)


def calibration_test(sums: StepSums, step: int) -> Calibration:
    """Test whether the PITs are uniform: whether their first three Legendre moments are zero.

    A day's tickers miss together, and so do overlapping forecasts: each moment is summed over each day and
    tested as a mean over days. One statistic of all three, and the fourth moment, reject too often when
    forecasts overlap, as simulated in the tests.

    Source: Knüppel, "Evaluating the calibration of multi-step-ahead density forecasts using raw moments",
    JBES 33 (2015), of whose moments these are linear combinations (Neyman's smooth test, 1937).
    """
    count = max(float(sums.by_day.forecasts.sum()), 1.0)
    return Calibration(
        {name: float(each.sum()) / count for name, each in zip(PIT_MOMENTS, sums.pit.T, strict=True)},
        {name: diebold_mariano(each, step) for name, each in zip(PIT_MOMENTS, sums.pit.T, strict=True)},
    )
