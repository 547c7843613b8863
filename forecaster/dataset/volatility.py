"""Exponentially weighted volatility: the scale on which features and targets are measured."""

import numpy as np
from numpy.typing import NDArray

DECAY = 0.94
WARM_UP = 20
# A halted or merged stock hardly moves; dividing by its true volatility would make noise look huge.
LEAST = 5e-4
REGIMES = ("calm", "normal", "turbulent", "unknown")


def exponential_mean(values: NDArray[np.float32], decay: float) -> NDArray[np.float32]:
    """Causal exponentially weighted mean along the last axis, missing days passed over.

    The weights of the days seen so far sum to one, so that the first days are not drawn to zero.

    Args:
        values: (..., D), NaN where unknown.
        decay: weight of a day relative to the day after it.

    Returns:
        (..., D) float32; NaN before the first known day, carried forward over missing days.
    """
    days = np.moveaxis(np.asarray(values), -1, 0)
    total = np.zeros(days.shape[1:])
    weight = np.zeros(days.shape[1:])
    means = np.empty(days.shape, dtype=np.float32)
    with np.errstate(invalid="ignore", divide="ignore"):
        for day, value in enumerate(days):
            known = np.isfinite(value)
            total = np.where(known, decay * total + (1 - decay) * value, total)
            weight = np.where(known, decay * weight + (1 - decay), weight)
            means[day] = total / weight
    return np.moveaxis(means, 0, -1)


def volatility(log_return: NDArray[np.float32]) -> NDArray[np.float32]:
    """Daily volatility from squared returns up to and including each day, decay 0.94.

    Source: J.P. Morgan/Reuters, RiskMetrics Technical Document, 4th ed., 1996, ch. 5.

    Args:
        log_return: (..., D) daily log returns, NaN where unknown.

    Returns:
        (..., D) standard deviation a day; NaN until 20 returns have been seen.
    """
    squared = np.square(log_return)
    sigma = np.sqrt(exponential_mean(squared, DECAY))
    seen = np.cumsum(np.isfinite(log_return), axis=-1)
    known: NDArray[np.float32] = np.where(
        seen >= WARM_UP, np.maximum(sigma, np.float32(LEAST)), np.float32(np.nan)
    )
    return known


def market_regimes(market_return: NDArray[np.float32], train: range) -> NDArray[np.intp]:
    """Each day's place in REGIMES by the market's volatility at its close.

    The thresholds are the terciles of the training days, so that nothing later than an origin decides on its
    regime. Where tickers trade on several calendars, it is the mean volatility of their markets.

    Args:
        market_return: (D,) daily log returns of the market, or (N, D) of each ticker's own.
        train: the training days.

    Returns:
        (D,); unknown where the volatility is not known yet.
    """
    sigma = np.atleast_2d(volatility(market_return))
    known = np.isfinite(sigma)
    total = np.where(known, sigma, 0.0).sum(0, dtype=np.float64)
    mean = np.where(known.any(0), total / np.maximum(known.sum(0), 1), np.nan)
    past = mean[train.start : train.stop]
    past = past[np.isfinite(past)]
    unknown = REGIMES.index("unknown")
    if not len(past):
        return np.full(len(mean), unknown, dtype=np.intp)
    place = np.searchsorted(np.quantile(past, [1 / 3, 2 / 3]), mean, side="right")
    return np.where(np.isfinite(mean), place, unknown).astype(np.intp)
