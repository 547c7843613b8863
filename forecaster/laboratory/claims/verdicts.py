"""From measurements to verdicts: differences with their uncertainty, and what they support."""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from forecaster.evaluation.significance import diebold_mariano

Float = NDArray[np.float64]

SUPPORTED, NOT_SUPPORTED, UNDECIDED = "supported", "not supported", "undecided"
_WIDTH = 1.96  # standard errors each way, 95 %


@dataclass(frozen=True)
class Claim:
    """One claim, judged.

    Attributes:
        name: a word or two.
        sentence: what is said.
        measured: what was measured, and on what.
        figure: what came out, with its uncertainty.
        verdict: supported, not supported or undecided.
        command: what shows more.
        values: the figures as numbers.
    """

    name: str
    sentence: str
    measured: str
    figure: str
    verdict: str
    command: str
    values: dict[str, Any]


@dataclass(frozen=True)
class Difference:
    """A mean difference and half its 95 % interval; in per cent of the second where it is relative."""

    mean: float
    margin: float

    @property
    def clear(self) -> bool:
        """Whether zero lies outside the interval."""
        return abs(self.mean) > self.margin

    def __str__(self) -> str:
        return f"{self.mean:+.2f} ± {self.margin:.2f} %"


def below(difference: Difference) -> str:
    """The verdict on 'the first is less than the second'."""
    if not difference.clear:
        return UNDECIDED
    return SUPPORTED if difference.mean < 0 else NOT_SUPPORTED


def within(difference: Difference, bound: float) -> str:
    """The verdict on 'the two are equal but for `bound`': the whole interval has to lie inside or out."""
    if abs(difference.mean) + difference.margin <= bound:
        return SUPPORTED
    return NOT_SUPPORTED if abs(difference.mean) - difference.margin > bound else UNDECIDED


def difference_of_forecasts(first: Sequence[dict[str, Any]], second: Sequence[dict[str, Any]]) -> Difference:
    """First's CRPS less second's, in per cent of the second's, from outcomes over seeds.

    Two sources of luck are counted: the test days (the variance of the mean daily difference, as in
    the Diebold–Mariano test) and the seeds (their variance over their number).
    """
    days = np.intersect1d(np.array(first[0]["days"]), np.array(second[0]["days"]))
    mean_first, mean_second = (_daily(runs, days) for runs in (first, second))
    daily = mean_first - mean_second
    mean = float(daily.mean())
    test = diebold_mariano(daily, 1)
    of_days = abs(mean / test.statistic) if test.statistic else 0.0
    of_seeds = sum(_seed_variance(runs) for runs in (first, second))
    scale = 100 / float(mean_second.mean())
    return Difference(mean * scale, _WIDTH * math.sqrt(of_days**2 + of_seeds) * scale)


def difference_of_means(first: Sequence[float], second: Sequence[float]) -> Difference:
    """First's mean less second's, in per cent of the second's, from two values or more of each.

    The interval is Welch's (1947), whose few degrees of freedom make it wide when seeds are few.
    """
    from scipy.special import stdtrit

    one, other = (np.asarray(values, float) for values in (first, second))
    parts = [values.var(ddof=1) / len(values) for values in (one, other)]
    error = sum(parts)
    if not error:
        width = 0.0
    else:
        weights = [part**2 / (len(each) - 1) for part, each in zip(parts, (one, other), strict=True)]
        width = float(stdtrit(error**2 / sum(weights), 0.975)) * math.sqrt(error)
    scale = 100 / float(other.mean())
    return Difference(float(one.mean() - other.mean()) * scale, width * abs(scale))


def paired_difference(first: Float, second: Float) -> Difference:
    """First less second by repeat, in per cent of the second: mean of the middle half of the ratios.

    A busy machine throws single timings far off; the middle half is not moved by them.
    """
    ratios = np.sort(100 * (first / second - 1))
    middle = ratios[len(ratios) // 4 : len(ratios) - len(ratios) // 4]
    spread = float(middle.std(ddof=1)) if len(middle) > 1 else math.inf
    return Difference(float(middle.mean()), _WIDTH * spread / math.sqrt(len(middle)))


def spread(values: Sequence[float]) -> str:
    """Mean ± standard deviation, for the screen."""
    numbers = np.asarray(values, float)
    deviation = numbers.std(ddof=1) if len(numbers) > 1 else 0.0
    return f"{numbers.mean():.3g} ± {deviation:.1g}"


def _daily(runs: Sequence[dict[str, Any]], days: NDArray[np.integer]) -> Float:
    """Mean over seeds of the daily losses on the days given."""
    kept = [np.array(run["daily_crps"])[np.isin(run["days"], days)] for run in runs]
    mean: Float = np.mean(kept, axis=0)
    return mean


def _seed_variance(runs: Sequence[dict[str, Any]]) -> float:
    """Variance of the seeds' mean CRPS; none is known from one seed."""
    if len(runs) < 2:
        return 0.0
    return float(np.var([run["crps"] for run in runs], ddof=1)) / len(runs)
