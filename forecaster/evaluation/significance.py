"""Whether one forecast is better than another by more than chance, and by how much.

Every standard error of a mean of daily values is estimated in one way, from the slowest cosines of the series
(EWC: equal-weighted cosines), so that a reader has to trust one method only.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

Float = NDArray[np.float64]

DIEBOLD_MARIANO = "Diebold–Mariano, EWC"
INTERVAL = "95 % interval, EWC, Student-t"
SEEDED_INTERVAL = "95 % interval of days (EWC) and seeds, Satterthwaite's t"
"""How intervals are made: of a mean over days, and of one over days and seeds."""
LEAST_HORIZONS = 10
"""Fewer days than so many horizons say nothing: their overlapping forecasts are too few independent ones."""
_FREQUENCIES = 0.4
"""Of n^(2/3), as Lazarus and others advise; and of n / h, where overlapping forecasts are still alike."""


@dataclass(frozen=True)
class DieboldMariano:
    """What the test found: negative statistics favour the first forecast.

    Attributes:
        statistic: of the mean difference; NaN where there are too few days to test.
        p_value: two-sided; NaN where there are too few days to test.
        days: how many daily differences it rests on.
        frequencies: of the cosines that its variance is estimated from, and the degrees of freedom of its
            Student-t; 0 where there are too few days to test.
    """

    statistic: float
    p_value: float
    days: int
    frequencies: int

    @property
    def name(self) -> str:
        """What was done, in a line."""
        return f"{DIEBOLD_MARIANO}, {self.frequencies} cosines, {self.days:,} days"

    def described(self) -> dict[str, Any]:
        """The test with its name, as JSON documents hold it."""
        return _described(DIEBOLD_MARIANO, self.statistic, self.frequencies, self.days, self.p_value)


@dataclass(frozen=True)
class Wald:
    """A test of several means at once; its numbers are NaN where there are too few days.

    Attributes:
        statistic: F, with `restrictions` and `frequencies - restrictions + 1` degrees of freedom.
        p_value: of a statistic at least as large.
        restrictions: how many means are tested.
        days, frequencies: as of `DieboldMariano`.
    """

    statistic: float
    p_value: float
    restrictions: int
    days: int
    frequencies: int

    def described(self, name: str) -> dict[str, Any]:
        """The test with its name, as JSON documents hold it."""
        return _described(name, self.statistic, self.frequencies, self.days, self.p_value)


@dataclass(frozen=True)
class Interval:
    """An estimate with its 95 % confidence interval; its ends are infinite where nothing can be told."""

    value: float
    low: float
    high: float

    @property
    def known(self) -> bool:
        """Whether there were days, and seeds, enough for an interval."""
        return math.isfinite(self.low)


def _described(name: str, statistic: float, cosines: int, days: int, p_value: float) -> dict[str, Any]:
    return {
        "name": name,
        "statistic": statistic,
        "cosines": cosines,
        "days": days,
        "p_value": p_value,
    }


def daily_mean(loss: NDArray[np.floating], day: NDArray[np.integer]) -> tuple[NDArray[np.intp], Float]:
    """Days in order, and the mean loss of all tickers on each.

    Tickers of one day share the day's news; counting them as independent would make anything
    significant.
    """
    count = np.bincount(day)
    days = np.flatnonzero(count)
    return days, np.bincount(day, weights=loss)[days] / count[days]


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
        p = 1 where there is no difference at all; NaN for fewer than 10 h days.

    Raises:
        ValueError: a difference is not known.
    """
    from scipy.special import stdtr

    if np.isnan(difference).any():
        raise ValueError("the test was given unknown differences: leave them out first")
    days = len(difference)
    mean = float(np.mean(difference)) if days else 0.0
    if too_few_days(days, horizon):
        return DieboldMariano(math.nan, math.nan, days, 0)
    if mean == 0.0:
        return DieboldMariano(0.0, 1.0, days, _cosines(days, horizon))
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
    if not len(loss) or not float(reference.mean()):
        return Interval(0.0, -math.inf, math.inf)
    return saved(ratio_interval(loss, reference, horizon, level))


def saved(kept: Interval) -> Interval:
    """The share of a loss that is saved, where `kept` is the share that is left."""
    return Interval(1 - kept.value, 1 - kept.high, 1 - kept.low)


def ratio_interval(numerator: Float, denominator: Float, horizon: int, level: float = 0.025) -> Interval:
    """The ratio of two sums over days, like that of hits and moves, and its confidence interval.

    The ratio lies beyond each end with a chance of `level`, by the delta method as in `skill_interval`.

    Args:
        numerator: (days,) in order.
        denominator: (days,) on the same days; of a mean other than zero.
        horizon: h, days ahead.
        level: 0.025 for a 95 % interval.
    """
    from scipy.special import stdtrit

    mean = float(denominator.mean())
    ratio = float(numerator.mean()) / mean
    if too_few_days(len(numerator), horizon):
        return Interval(ratio, -math.inf, math.inf)
    error, frequencies = _standard_error((numerator - ratio * denominator) / mean, horizon)
    reach = float(stdtrit(frequencies, 1 - level)) * error
    return Interval(ratio, ratio - reach, ratio + reach)


@dataclass(frozen=True)
class Lead:
    """By which share a recipe's mean loss is below a rival's; other days and other seeds are counted.

    Attributes:
        interval: the share, with its 95 % confidence interval.
        p_value: two-sided; NaN where nothing can be told.
        degrees_of_freedom: Satterthwaite's, of its Student-t.
        days: how many it rests on.
    """

    interval: Interval
    p_value: float
    degrees_of_freedom: float
    days: int

    def described(self) -> dict[str, Any]:
        """The test with its name, as JSON documents hold it."""
        return {
            "name": "Student-t of days (EWC) and seeds, Satterthwaite",
            "degrees_of_freedom": self.degrees_of_freedom,
            "days": self.days,
            "p_value": self.p_value,
        }


def lead_of(
    loss: Float, rival: Float, seeds: Sequence[float], rival_seeds: Sequence[float] | None, horizon: int
) -> Lead:
    """As `skill_interval`, of two recipes: other days and other seeds are both counted.

    The variances of days and of each recipe's seeds are added, and the degrees of freedom are
    Satterthwaite's. With one seed each nothing is known of what another would do: the ends are infinite.

    Args:
        loss: (days,) mean losses over the seeds, in order.
        rival: (days,) the rival's.
        seeds: mean loss of each run.
        rival_seeds: of each of the rival's; None where it has no seed that could be another.
        horizon: h, days ahead.
    """
    from scipy.special import stdtr, stdtrit

    found = skill_interval(loss, rival, horizon)
    runs = [seeds] if rival_seeds is None else [seeds, rival_seeds]
    if min(map(len, runs)) < 2 or not found.known:
        return Lead(Interval(found.value, -math.inf, math.inf), math.nan, 0.0, len(loss))
    mean, ratio = float(rival.mean()), 1 - found.value
    error, frequencies = _standard_error((loss - ratio * rival) / mean, horizon)
    parts = [(error**2, frequencies)]
    for each, weight in zip(runs, (1 / mean, ratio / mean), strict=False):
        parts.append((float(np.var(each, ddof=1)) / len(each) * weight**2, len(each) - 1))
    variance = sum(part for part, _ in parts)
    degrees = variance**2 / sum(part**2 / freedom for part, freedom in parts) if variance else 1.0
    deviation = math.sqrt(variance)
    reach = float(stdtrit(degrees, 0.975)) * deviation
    p_value = float(2 * stdtr(degrees, -abs(found.value) / deviation)) if variance else float(not found.value)
    return Lead(
        Interval(found.value, found.value - reach, found.value + reach), p_value, float(degrees), len(loss)
    )


def wald(mean: Float, series: Float, horizon: int) -> Wald:
    """Test whether q means over days are all zero.

    The covariance of the means is estimated from the slowest B cosines of the series; of the F form of the
    statistic, (B − q + 1) / (B q) · n · mean′ Ω⁻¹ mean, the degrees of freedom are q and B − q + 1.

    Source: Lazarus, Lewis, Stock & Watson, "HAR inference: recommendations for practice", JBES 36 (2018),
    section 2, equations 5 and 6; Hotelling's T² is the case of independent cosines.

    Args:
        mean: (q,) the means under test.
        series: (days, q) whose covariance is theirs; its own mean does not matter.
        horizon: h, days ahead.

    Returns:
        NaN for fewer than 10 h days, or for fewer cosines than means.
    """
    from scipy.special import fdtrc

    days, count = series.shape
    cosines = _cosines(days, horizon)
    if too_few_days(days, horizon) or cosines < count:
        return Wald(math.nan, math.nan, count, days, 0)
    covariance = long_run_covariance(series, horizon)
    if np.linalg.matrix_rank(covariance, hermitian=True) < count:
        return Wald(math.nan, math.nan, count, days, 0)
    free = cosines - count + 1
    statistic = free / (cosines * count) * days * float(mean @ np.linalg.solve(covariance, mean))
    return Wald(statistic, float(fdtrc(count, free, statistic)), count, days, cosines)


def long_run_covariance(series: Float, horizon: int) -> Float:
    """(q, q) covariance of √n times the means of a series (n, q), from its slowest cosines."""
    weights = _cosine_weights(series, horizon)
    covariance: Float = weights.T @ weights / len(weights)
    return covariance


def standard_quantile(days: int, horizon: int, level: float) -> float:
    """The Student-t quantile that goes with a standard error by cosines."""
    from scipy.special import stdtrit

    return float(stdtrit(_cosines(days, horizon), level))


def too_few_days(days: int, horizon: int) -> bool:
    """Whether so many days say nothing of forecasts `horizon` days ahead."""
    return days < LEAST_HORIZONS * horizon


def holm(p_values: Sequence[float]) -> list[float]:
    """P-values adjusted for their number: the chance that any of them is this small by luck.

    The smallest is multiplied by their number m, the next by m − 1 and so on, and none is smaller than one
    before it. One that is not known (NaN) stays so, and counts as one that was tried.

    Source: Holm, "A simple sequentially rejective multiple test procedure", Scandinavian Journal of
    Statistics 6 (1979).

    Example:
        .01, .04 and .03 become .03, .06 and .06.
    """
    order = sorted(range(len(p_values)), key=lambda place: (math.isnan(p_values[place]), p_values[place]))
    adjusted, least = [math.nan] * len(p_values), 0.0
    for before, place in enumerate(order):
        if not math.isnan(p_values[place]):
            least = max(least, min(1.0, (len(p_values) - before) * p_values[place]))
            adjusted[place] = least
    return adjusted


def _standard_error(series: Float, horizon: int) -> tuple[float, int]:
    """Of the mean of a series, and the number of cosines that it is estimated from."""
    weights = _cosine_weights(series, horizon)
    return math.sqrt(float(np.mean(np.square(weights))) / len(series)), len(weights)


def _cosine_weights(series: Float, horizon: int) -> Float:
    """(B, …) weights of the slowest cosines in a series (n, …): of the variance of √n times its mean."""
    days = len(series)
    turns = np.pi * np.outer(np.arange(1, _cosines(days, horizon) + 1), np.arange(days) + 0.5) / days
    weights: Float = np.sqrt(2 / days) * (np.cos(turns) @ series)
    return weights


def _cosines(days: int, horizon: int) -> int:
    return max(1, int(_FREQUENCIES * min(days ** (2 / 3), days / horizon)))
