"""The model confidence set: which models may be the best, as far as so many days can tell."""

from collections.abc import Mapping

import numpy as np
from numpy.typing import NDArray

from forecaster.evaluation.significance import LEAST_HORIZONS

Float = NDArray[np.float64]

CONFIDENCE = 0.90
_DRAWS = 2000
_SEED = 0


def confidence_set(losses: Mapping[str, Float], horizon: int) -> dict[str, float]:
    """Each model's p-value: the best one is among those of at least 10 % with a confidence of 90 %.

    One after the other the model whose mean loss exceeds the mean of those that are left by most, in standard
    errors, is taken out. Its p-value is the chance of so large an excess among equals, or that of a model
    taken out before it, if that is larger. Days are drawn in blocks (circular bootstrap), as long as
    forecasts overlap and as the cube root of their number.

    Source: Hansen, Lunde & Nason, "The model confidence set", Econometrica 79 (2011), statistic T_max.

    Args:
        losses: (days,) mean losses of each model on the same days, in order.
        horizon: h, days ahead.

    Returns:
        1 for the model that is left; 1 for all where fewer than 10 h days tell nothing.
    """
    names = list(losses)
    values = np.column_stack([losses[name] for name in names])
    days = len(values)
    if days < LEAST_HORIZONS * horizon:
        return dict.fromkeys(names, 1.0)
    means, drawn = values.mean(0), _drawn_means(values, max(horizon, round(days ** (1 / 3))))
    left, p_values, least = list(range(len(names))), dict.fromkeys(names, 1.0), 0.0
    while len(left) > 1:
        excess = means[left] - means[left].mean()
        noise = drawn[:, left] - drawn[:, left].mean(1, keepdims=True) - excess
        error = np.sqrt(np.square(noise).mean(0))
        if not error.any():  # they are the same model
            return p_values
        error[error == 0] = np.inf
        statistic = excess / error
        worst = int(statistic.argmax())
        least = max(least, float(((noise / error).max(1) >= statistic[worst]).mean()))
        p_values[names[left.pop(worst)]] = least
    return p_values


def _drawn_means(values: Float, block: int) -> Float:
    """(draws, models) mean losses of as many days, drawn in blocks that go on at the beginning."""
    days = len(values)
    whole = np.cumsum(np.concatenate([np.zeros((1, values.shape[1])), values, values[:block]]), axis=0)
    sums = whole[block : block + days] - whole[:days]
    starts = np.random.default_rng(_SEED).integers(days, size=(_DRAWS, -(-days // block)))
    means: Float = sums[starts].sum(1) / (starts.shape[1] * block)
    return means
