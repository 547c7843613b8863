"""Whether one forecast is better than another by more than chance."""

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Float = NDArray[np.float64]


@dataclass(frozen=True)
class DieboldMariano:
    """What the test found: negative statistics favour the first forecast.

    Attributes:
        statistic: with the small-sample correction.
        p_value: two-sided.
        days: how many daily differences it rests on.
    """

    statistic: float
    p_value: float
    days: int


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

    Forecasts `horizon` days ahead overlap, so the variance of the mean counts autocovariances up to
    horizon − 1. Where their plain sum is not positive, Bartlett's weights make it so.

    Source: Diebold & Mariano, "Comparing predictive accuracy", 1995, with the correction and the
    Student-t reference of Harvey, Leybourne & Newbold, "Testing the equality of prediction mean
    squared errors", 1997.

    Args:
        difference: (days,) mean loss differences, in order.
        horizon: h, days ahead.

    Returns:
        p = 1 where nothing can be told: no difference, or no more days than `horizon`.

    Raises:
        ValueError: a difference is not known.
    """
    from scipy.special import stdtr

    if np.isnan(difference).any():
        raise ValueError("the test was given unknown differences: leave them out first")
    days = len(difference)
    mean = float(np.mean(difference)) if days else 0.0
    if days <= horizon or mean == 0.0:
        return DieboldMariano(0.0, 1.0, days)
    variance = _variance_of_mean(difference - mean, horizon)
    if variance <= 0:
        # The same difference on every single day.
        return DieboldMariano(math.copysign(math.inf, mean), 0.0, days)
    correction = (days + 1 - 2 * horizon + horizon * (horizon - 1) / days) / days
    statistic = mean / math.sqrt(variance) * math.sqrt(max(correction, 0.0))
    return DieboldMariano(statistic, float(2 * stdtr(days - 1, -abs(statistic))), days)


def _variance_of_mean(centred: Float, horizon: int) -> float:
    days = len(centred)
    covariance = [float(centred[lag:] @ centred[: days - lag]) / days for lag in range(horizon)]
    plain = covariance[0] + 2 * sum(covariance[1:])
    if plain > 0:
        return plain / days
    weighted = sum((1 - lag / horizon) * covariance[lag] for lag in range(1, horizon))
    return (covariance[0] + 2 * weighted) / days
