"""From measurements to verdicts: differences with their uncertainty, and what they support.

Every interval is Student's, with the degrees of freedom that the estimated variance has. Where the
variance is a sum of several, these are Satterthwaite's ("An approximate distribution of estimates of
variance components", Biometrics 2, 1946), as in Welch's test ("The generalization of 'Student's'
problem when several different population variances are involved", Biometrika 34, 1947).
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

Float = NDArray[np.float64]

SUPPORTED, NOT_SUPPORTED, UNDECIDED = "supported", "not supported", "undecided"
_COVERAGE = 0.95  # of every interval
_TRIMMED = 4  # one in so many is cut from either end of paired differences: the middle half stays


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
    """A mean difference and half its 95 % interval; in per cent of the second where it is relative.

    The margin is infinite where there are too few values for an interval.
    """

    mean: float
    margin: float

    @property
    def clear(self) -> bool:
        """Whether zero lies outside the interval."""
        return abs(self.mean) > self.margin

    def __str__(self) -> str:
        if math.isinf(self.margin):
            return f"{self.mean:+.2f} %, no interval from so few values"
        return f"{self.mean:+.2f} ± {self.margin:.2f} %"


def below(difference: Difference) -> str:
    """The verdict on 'the first is less than the second'."""
    if not difference.clear:
        return UNDECIDED
    return SUPPORTED if difference.mean < 0 else NOT_SUPPORTED


def within(difference: Difference, bound: float) -> str:
    """The verdict on 'the two differ by `bound` at most': the whole interval has to lie inside or out."""
    if abs(difference.mean) + difference.margin <= bound:
        return SUPPORTED
    return NOT_SUPPORTED if abs(difference.mean) - difference.margin > bound else UNDECIDED


def difference_of_forecasts(first: Sequence[dict[str, Any]], second: Sequence[dict[str, Any]]) -> Difference:
    """First's CRPS less second's, in per cent of the second's, from outcomes over seeds.

    Three variances are added: that of the mean daily difference over the common test days, and that
    of each side's mean over its seeds. How the seeds' differences vary from day to day is in the
    first as well as in the others; where that is most of what varies, the interval is too wide rather
    than too narrow. With two seeds each, and one side's varying several times as much as the other's,
    it is too narrow: it covers about 90 %. One seed says nothing of how others would do, so it gives
    no interval.

    Args:
        first: outcomes, one a seed, each with "days" and "daily_crps".
        second: those that it is compared with.
    """
    days = np.intersect1d(np.array(first[0]["days"]), np.array(second[0]["days"]))
    one, other = (_losses(runs, days) for runs in (first, second))
    daily = one.mean(axis=0) - other.mean(axis=0)
    margin = _margin([_mean_variance(values) for values in (daily, one.mean(axis=1), other.mean(axis=1))])
    scale = 100 / float(other.mean())
    return Difference(float(daily.mean()) * scale, margin * scale)


def difference_of_means(first: Sequence[float], second: Sequence[float]) -> Difference:
    """First's mean less second's, in per cent of the second's, by Welch's interval.

    Its few degrees of freedom make it wide when seeds are few; from one value there is none.
    """
    one, other = (np.asarray(values, float) for values in (first, second))
    margin = _margin([_mean_variance(one), _mean_variance(other)])
    scale = 100 / float(other.mean())
    return Difference(float(one.mean() - other.mean()) * scale, margin * abs(scale))


def paired_difference(first: Float, second: Float) -> Difference:
    """First less second by repeat, in per cent of the second: mean of the middle half of the ratios.

    A busy machine throws single timings far off; the middle half is not moved by them. Its variance
    is that of the winsorised sample, SS_w / (h (h − 1)), where SS_w are the squares about their mean
    of all n ratios, those cut replaced by the nearest of the h kept; with h − 1 degrees of freedom.

    Source: Tukey & McLaughlin, "Less vulnerable confidence and significance procedures for location
    based on a single sample: trimming/winsorization 1", Sankhyā A 25, 1963.

    Args:
        first: (n,) positive measurements.
        second: (n,) those that they were taken in pairs with.
    """
    ratios = np.sort(100 * (first / second - 1))
    cut = len(ratios) // _TRIMMED
    middle = ratios[cut : len(ratios) - cut]
    kept = len(middle)
    squares = len(ratios) * float(np.clip(ratios, middle[0], middle[-1]).var())
    variance = squares / (kept * (kept - 1)) if kept > 1 else 0.0
    return Difference(float(middle.mean()), _margin([(variance, kept - 1)]))


def spread(values: Sequence[float]) -> str:
    """Mean ± standard deviation, for the screen."""
    numbers = np.asarray(values, float)
    deviation = numbers.std(ddof=1) if len(numbers) > 1 else 0.0
    return f"{numbers.mean():.3g} ± {deviation:.1g}"


def _losses(runs: Sequence[dict[str, Any]], days: NDArray[np.integer]) -> Float:
    """The daily losses on the days given, (seeds, days)."""
    return np.array([np.array(run["daily_crps"])[np.isin(run["days"], days)] for run in runs])


def _mean_variance(values: Float) -> tuple[float, int]:
    """The estimated variance of the values' mean, and its degrees of freedom: none from one value."""
    freedom = len(values) - 1
    return (float(values.var(ddof=1)) / len(values) if freedom else 0.0), freedom


def _margin(variances: Sequence[tuple[float, int]]) -> float:
    """Half the interval about an estimate with the variances given, each with its degrees of freedom.

    Infinite where one of them cannot be estimated; 0 where nothing varied.
    """
    from scipy.special import stdtrit

    if min(freedom for _, freedom in variances) < 1:
        return math.inf
    variance = sum(part for part, _ in variances)
    if variance == 0:
        return 0.0
    freedom = variance**2 / sum(part**2 / own for part, own in variances)
    return float(stdtrit(freedom, (1 + _COVERAGE) / 2)) * math.sqrt(variance)
