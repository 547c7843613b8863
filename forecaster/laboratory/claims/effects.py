"""How large an effect is: differences, ratios and shares, each with a 95 % interval that covers as it says.

Every interval of means is Student's, with the degrees of freedom that the estimated variance has. Where the
variance is a sum of several, these are Satterthwaite's ("An approximate distribution of estimates of
variance components", Biometrics 2, 1946), as in Welch's test ("The generalization of 'Student's'
problem when several different population variances are involved", Biometrika 34, 1947). Shares have
Wilson's, and their differences Newcombe's.
"""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

Float = NDArray[np.float64]

PER_CENT, TIMES, POINTS = "%", "×", "points"
"""Of a reference; a ratio to it; a difference of shares in per cent of the runs."""
FEWEST_SEEDS = 3
"""With two a side, and one side's varying far more than the other's, the intervals cover too seldom."""
_COVERAGE = 0.95  # of every interval
_NORMAL = 1.959964  # the normal distribution's quantile for it
_LARGEST_LOG = 700.0  # where float64 ends
_TRIMMED = 4  # one in so many is cut from either end of paired differences: the middle half stays


@dataclass(frozen=True)
class Effect:
    """An effect with its 95 % interval.

    Attributes:
        value: as estimated.
        low, high: ends of the interval; infinite where there are too few values for one.
        unit: of all three.
        repeats: runs a side whose number narrows the interval; 0 where nothing is estimated.
        of: what these are.
        floor: half of the interval that endless repeats would leave, as the test days are so many.
    """

    value: float
    low: float
    high: float
    unit: str = PER_CENT
    repeats: int = 0
    of: str = "seeds"
    floor: float = 0.0

    @classmethod
    def about(cls, value: float, margin: float, unit: str = PER_CENT, **others: Any) -> "Effect":
        """With an interval of the same length to either side."""
        return cls(value, value - margin, value + margin, unit, **others)

    @classmethod
    def exact(cls, value: float, unit: str) -> "Effect":
        """One that is computed and not estimated."""
        return cls(value, value, value, unit)

    @property
    def margin(self) -> float:
        """Half of the interval."""
        return (self.high - self.low) / 2

    @property
    def exactly_known(self) -> bool:
        """Whether nothing was estimated."""
        return self.repeats == 0 and self.low == self.high

    def __str__(self) -> str:
        unit = f" {self.unit}" if self.unit else ""
        if math.isinf(self.high - self.low):
            return f"{self._shown(self.value)}{unit}, no interval from so few runs"
        if self.exactly_known:
            return f"{self._shown(self.value)}{unit}"
        return f"{self._shown(self.value)}{unit} ({self._shown(self.low)} to {self._shown(self.high)})"

    def _shown(self, value: float) -> str:
        if self.unit not in (PER_CENT, POINTS):
            return f"{value:.3g}"
        return f"{value:+,.0f}" if self.unit == POINTS or abs(value) >= 100 else f"{value:+.2f}"


def difference_of_forecasts(
    first: Sequence[Mapping[str, Any]], second: Sequence[Mapping[str, Any]], *, same_networks: bool = False
) -> Effect:
    """First's CRPS less second's, in per cent of the second's, from outcomes over seeds.

    Three variances are added: that of the mean daily difference over the common test days, and that
    of each side's mean over its seeds. How the seeds' differences vary from day to day is in the
    first as well as in the others; where that is most of what varies, the interval is too wide rather
    than too narrow. One seed says nothing of how others would do, so it gives no interval.

    Args:
        first: outcomes, one a seed, each with "days" and "daily_crps".
        second: those that it is compared with.
        same_networks: whether a seed's outcomes on both sides are of one network: the seeds' differences
            then have one variance in place of two.
    """
    days = np.intersect1d(np.array(first[0]["days"]), np.array(second[0]["days"]))
    one, other = (_losses(runs, days) for runs in (first, second))
    daily = one.mean(axis=0) - other.mean(axis=0)
    over_days = _mean_variance(daily)
    sides = [one - other] if same_networks else [one, other]
    margin = _margin([over_days, *(_mean_variance(side.mean(axis=1)) for side in sides)])
    scale = 100 / float(other.mean())
    return Effect.about(
        float(daily.mean()) * scale,
        margin * scale,
        repeats=min(len(first), len(second)),
        floor=_NORMAL * math.sqrt(over_days[0]) * scale,
    )


def difference_of_means(first: Sequence[float], second: Sequence[float], unit: str) -> Effect:
    """First's mean less second's by Welch's interval.

    Its few degrees of freedom make it wide when seeds are few; from one value there is none.
    """
    one, other = (np.asarray(values, float) for values in (first, second))
    margin = _margin([_mean_variance(one), _mean_variance(other)])
    return Effect.about(float(one.mean() - other.mean()), margin, unit, repeats=min(len(one), len(other)))


def ratio_of_means(first: Sequence[float], second: Sequence[float], grain: float = 0.0) -> Effect:
    """First's geometric mean over the second's: Welch's interval of the logarithms.

    Args:
        first: positive values.
        second: those that they are compared with.
        grain: to which the values are rounded: a rounding has the variance grain²/12, and many alike
            are then no more certain than that.
    """
    one, other = (np.log(np.asarray(values, float)) for values in (first, second))
    variances = [_mean_variance(one), _mean_variance(other)]
    rounding = sum(float(np.mean(np.square(grain / np.exp(part))) / 12 / len(part)) for part in (one, other))
    margin = math.hypot(_margin(variances), _NORMAL * math.sqrt(rounding))
    ratio = float(one.mean() - other.mean())
    low, value, high = (_exponential(ratio + way * margin) for way in (-1, 0, 1))
    return Effect(value, low, high, TIMES, repeats=min(len(one), len(other)))


def mean_of(values: Sequence[float], unit: str, of: str = "seeds") -> Effect:
    """A mean with Student's interval."""
    numbers = np.asarray(values, float)
    margin = _margin([_mean_variance(numbers)])
    return Effect.about(float(numbers.mean()), margin, unit, repeats=len(numbers), of=of)


def paired_difference(first: Float, second: Float) -> Effect:
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
    margin = _margin([(variance, kept - 1)])
    return Effect.about(float(middle.mean()), margin, repeats=len(ratios), of="timings")


def wilson(hits: int, runs: int) -> tuple[float, float]:
    """Wilson's 95 % interval of a share.

    Source: Wilson, "Probable inference, the law of succession, and statistical inference", JASA 22, 1927.

    Example:
        3 of 3 gives (0.44, 1).
    """
    share, more = hits / runs, _NORMAL**2 / runs
    middle = (share + more / 2) / (1 + more)
    reach = _NORMAL / (1 + more) * math.sqrt(share * (1 - share) / runs + more / (4 * runs))
    # The ends are exact where all or none hit, which rounding would spoil.
    return (0.0 if hits == 0 else middle - reach), (1.0 if hits == runs else middle + reach)


def share_of(solved: Sequence[bool]) -> Effect:
    """The share of runs that did it, in per cent of them."""
    low, high = wilson(sum(solved), len(solved))
    return Effect(100 * float(np.mean(solved)), 100 * low, 100 * high, "% of seeds", repeats=len(solved))


def difference_of_shares(first: Sequence[bool], second: Sequence[bool]) -> Effect:
    """The first's share less the second's, in points: Wilson's intervals, combined by Newcombe.

    Source: Newcombe, "Interval estimation for the difference between independent proportions", Statistics
    in Medicine 17, 1998, method 10.
    """
    (one, (low, high)), (other, (less, more)) = (
        (float(np.mean(runs)), wilson(sum(runs), len(runs))) for runs in (first, second)
    )
    found = one - other
    return Effect(
        100 * found,
        100 * (found - math.hypot(one - low, more - other)),
        100 * (found + math.hypot(high - one, other - less)),
        POINTS,
        repeats=min(len(first), len(second)),
    )


def spread(values: Sequence[float]) -> str:
    """Mean ± standard deviation, for the screen."""
    numbers = np.asarray(values, float)
    deviation = numbers.std(ddof=1) if len(numbers) > 1 else 0.0
    return f"{numbers.mean():.3g} ± {deviation:.1g}"


def _losses(runs: Sequence[Mapping[str, Any]], days: NDArray[np.integer]) -> Float:
    """The daily losses on the days given, (seeds, days)."""
    return np.array([np.array(run["daily_crps"])[np.isin(run["days"], days)] for run in runs])


def _exponential(log: float) -> float:
    """Of what may be infinite, or too large for a number."""
    return math.exp(log) if log < _LARGEST_LOG else math.inf


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
