"""Historical simulation: a ticker's own past moves, on the scale of today's volatility.

Source: Hull & White, "Incorporating volatility updating into the historical simulation method for value at
risk", Journal of Risk 1 (1998).
"""

import numpy as np
from numpy.typing import NDArray

from forecaster.dataset.targets import cumulative_return
from forecaster.dataset.volatility import volatility
from forecaster.evaluation.fitted import Fitted, Wanted
from forecaster.evaluation.metrics import FILE_LEVELS
from forecaster.evaluation.quantile_forecast import QuantileForecast

Float = NDArray[np.float64]

PAST_DAYS = 1000
LEAST_MOVES = 250
"""Moves of a ticker before an origin below which there is no 0.5 % quantile to speak of."""


def historical(wanted: Wanted) -> Fitted:
    """Quantiles of the return to each step that is scored, (O, 25).

    They are those of the moves over as many days of the last 1,000, each in units of the volatility at
    its own beginning, times the volatility at the origin. Every move has ended by the origin.
    """
    panel, substituted = wanted.panel, set()
    sigma = volatility(panel.log_return)
    walk = wanted.walk()
    by_step = {step: walk.at_step(step).quantile(FILE_LEVELS).astype(np.float32) for step in wanted.steps}
    for ticker, rows in enumerate(wanted.rows):
        if len(rows):
            days = wanted.origins.day[rows]
            for step, quantiles in by_step.items():
                found = _past_quantiles(panel.log_return[ticker], sigma[ticker], days, step)
                enough = np.isfinite(found).all(1)
                quantiles[rows[enough]] = found[enough]
                if not enough.all():
                    substituted.add(panel.tickers[ticker])
        wanted.report(ticker + 1, len(wanted.rows))
    return Fitted(QuantileForecast(by_step), tuple(sorted(substituted)))


def _past_quantiles(
    returns: NDArray[np.float32], sigma: NDArray[np.float32], days: NDArray[np.intp], step: int
) -> Float:
    """Quantiles from n origins of one ticker, (n, 25); NaN where it has had too few moves."""
    began = np.arange(len(returns) - step)
    moved = cumulative_return(returns[None], np.zeros_like(began), began, step)[:, -1] / sigma[began]
    ended = np.flatnonzero(np.isfinite(moved)) + step
    moves = moved[ended - step]
    seen = np.searchsorted(ended, days, side="right")
    found = np.full((len(days), len(FILE_LEVELS)), np.nan)
    full = seen >= PAST_DAYS
    if full.any():
        past = np.lib.stride_tricks.sliding_window_view(moves, PAST_DAYS)[seen[full] - PAST_DAYS]
        found[full] = np.quantile(past, FILE_LEVELS, axis=1).T
    for place in np.flatnonzero(~full & (seen >= LEAST_MOVES)):
        found[place] = np.quantile(moves[: seen[place]], FILE_LEVELS)
    return found * sigma[days][:, None]
