"""Exponentially weighted volatility: the scale on which features and targets are measured."""

from itertools import accumulate

import numpy as np
from numpy.typing import NDArray

DECAY = 0.94
WARM_UP = 20
# A halted or merged stock hardly moves; dividing by its true volatility would make noise look huge.
LEAST = 5e-4
_BLOCK = 128
"""So many tickers at once: one takes a quarter of the time of a loop without blocks, 5,000 no longer."""
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
    values = np.asarray(values)
    rows = values.reshape(-1, values.shape[-1])  # (N, D)
    means = np.empty(rows.shape, dtype=np.float32)
    weights = _weights(rows.shape[1], decay)
    for first in range(0, len(rows), _BLOCK):
        block = rows[first : first + _BLOCK].T  # (D, n)
        known = np.isfinite(block)
        kept = np.where(known, decay, 1.0)
        totals = np.where(known, (1 - decay) * block, 0.0).astype(np.float64)
        before = np.zeros(block.shape[1])
        for share, total in zip(kept, totals, strict=True):
            total += share * before  # noqa: PLW2901  (in place: a row of `totals`)
            before = total
        with np.errstate(invalid="ignore"):
            totals /= weights[np.cumsum(known, axis=0)]
        means[first : first + _BLOCK] = totals.T
    return means.reshape(values.shape)


def _weights(days: int, decay: float) -> NDArray[np.float64]:
    """The sum of the weights of 0 … `days` days."""
    sums = accumulate(range(days), lambda total, _: decay * total + (1 - decay), initial=0.0)
    return np.array(list(sums))


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
