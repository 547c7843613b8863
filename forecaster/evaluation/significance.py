"""Whether one forecast is better than another by more than chance, and by how much."""

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Float = NDArray[np.float64]

LEAST_HORIZONS = 10
"""Fewer days than so many horizons say nothing: their overlapping forecasts are too few independent ones."""
_FREQUENCIES = 0.4
"""Of n^(2/3), as Lazarus and others advise; and of n / h, where overlapping forecasts are still alike."""


@dataclass(frozen=True)
class DieboldMariano:
    """What the test found: negative statistics favour the first forecast.

    Attributes:
        statistic: of the mean difference.
        p_value: two-sided.
        days: how many daily differences it rests on.
        frequencies: of the cosines that its variance is estimated from, and the degrees of freedom of its
            Student-t; 0 where nothing can be told.
    """

    statistic: float
    p_value: float
    days: int
    frequencies: int

    @property
    def name(self) -> str:
        """What was done, in a line."""
        return f"Diebold–Mariano, EWC, {self.frequencies} cosines, {self.days:,} days"


@dataclass(frozen=True)
class Interval:
    """An estimate with its 95 % confidence interval; its ends are infinite where nothing can be told."""

    value: float
    low: float
    high: float


def daily_mean(loss: NDArray[np.floating], day: NDArray[np.integer]) -> tuple[NDArray[np.intp], Float]:
    """Days in order, and the mean loss of all tickers on each.

    Tickers of one day share the day's news; counting them as independent would make anything
    significant.
    """
    days, place = np.unique(day, return_inverse=True)
    total = np.bincount(place, weights=loss)
    return days.astype(np.intp), total / np.bincount(place)


def diebold_mariano(difference: Float, horizon: int) -> DieboldMariano:
    """Test whether a series of loss differences, first less second, has mean zero.

    Losses of neighbouring days are alike, and forecasts `horizon` days ahead overlap. The variance of the
    mean is estimated from the slowest B cosines of the series, as the mean of their squared weights, and the
    statistic is Student-t with B degrees of freedom: so the size holds in short samples too.

    Source: Diebold & Mariano, "Comparing predictive accuracy", 1995; with the variance of Lazarus, Lewis,
    Stock & Watson, "HAR inference: recommendations for practice", JBES 36 (2018), section 2, applied as in
    Coroneo & Iacone, "Comparing predictive accuracy in small samples using fixed-smoothing asymptotics",
    2020.

    Args:
        difference: (days,) mean loss differences, in order.
        horizon: h, days ahead.

    Returns:
        p = 1 where nothing can be told: no difference, or fewer than 10 h days.

    Raises:
        ValueError: a difference is not known.
    """
    from scipy.special import stdtr

    if np.isnan(difference).any():
        raise ValueError("the test was given unknown differences: leave them out first")
    days = len(difference)
    mean = float(np.mean(difference)) if days else 0.0
    if days < LEAST_HORIZONS * horizon or mean == 0.0:
        return DieboldMariano(0.0, 1.0, days, 0)
    error, frequencies = _standard_error(difference, horizon)
    if error <= 1e-12 * abs(mean):
        # The same difference on every single day.
        return DieboldMariano(math.copysign(math.inf, mean), 0.0, days, frequencies)
    statistic = mean / error
    return DieboldMariano(statistic, float(2 * stdtr(frequencies, -abs(statistic))), days, frequencies)


def skill_interval(loss: Float, reference: Float, horizon: int) -> Interval:
    """The share of the reference's mean loss that is saved, with its 95 % confidence interval.

    The ratio of two means is linear in both near its value (the delta method); the standard error is that of
    `diebold_mariano`.

    Args:
        loss: (days,) mean losses, in order.
        reference: (days,) the reference's on the same days.
        horizon: h, days ahead.
    """
    return one_sided_skill(loss, reference, horizon, 0.025)


def one_sided_skill(loss: Float, reference: Float, horizon: int, level: float) -> Interval:
    """As `skill_interval`, where the skill lies beyond each end with a chance of `level`."""
    from scipy.special import stdtrit

    if not len(loss) or not float(reference.mean()):
        return Interval(0.0, -math.inf, math.inf)
    ratio = float(loss.mean() / reference.mean())
    if len(loss) < LEAST_HORIZONS * horizon:
        return Interval(1 - ratio, -math.inf, math.inf)
    error, frequencies = _standard_error((loss - ratio * reference) / float(reference.mean()), horizon)
    reach = float(stdtrit(frequencies, 1 - level)) * error
    return Interval(1 - ratio, 1 - ratio - reach, 1 - ratio + reach)


def lead_interval(
    loss: Float, rival: Float, seeds: Sequence[float], rival_seeds: Sequence[float], horizon: int
) -> Interval:
    """As `skill_interval`, of two recipes: other days and other seeds are both counted.

    The variances of days and of each recipe's seeds are added, and the degrees of freedom are
    Satterthwaite's. With one seed each nothing is known of what another would do: the ends are infinite.

    Args:
        loss: (days,) mean losses over the seeds, in order.
        rival: (days,) the rival's.
        seeds: mean loss of each run.
        rival_seeds: of each of the rival's.
        horizon: h, days ahead.
    """
    from scipy.special import stdtrit

    found = skill_interval(loss, rival, horizon)
    if min(len(seeds), len(rival_seeds)) < 2 or math.isinf(found.low):
        return Interval(found.value, -math.inf, math.inf)
    mean, ratio = float(rival.mean()), 1 - found.value
    error, frequencies = _standard_error((loss - ratio * rival) / mean, horizon)
    parts = [(error**2, frequencies)]
    for runs, weight in ((seeds, 1 / mean), (rival_seeds, ratio / mean)):
        parts.append((float(np.var(runs, ddof=1)) / len(runs) * weight**2, len(runs) - 1))
    variance = sum(part for part, _ in parts)
    degrees = variance**2 / sum(part**2 / freedom for part, freedom in parts) if variance else 1.0
    reach = float(stdtrit(degrees, 0.975)) * math.sqrt(variance)
    return Interval(found.value, found.value - reach, found.value + reach)


def _standard_error(series: Float, horizon: int) -> tuple[float, int]:
    """Of the mean of a series, and the number of cosines that it is estimated from."""
    days = len(series)
    frequencies = max(1, int(_FREQUENCIES * min(days ** (2 / 3), days / horizon)))
    turns = np.pi * np.outer(np.arange(1, frequencies + 1), np.arange(days) + 0.5) / days
    weights = np.sqrt(2 / days) * (np.cos(turns) @ series)
    return math.sqrt(float(np.mean(np.square(weights))) / days), frequencies
