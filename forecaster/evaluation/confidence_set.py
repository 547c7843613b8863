"""The model confidence set: which models may be the best, as far as so many days can tell."""

import math
from collections.abc import Mapping

import numpy as np
from numpy.typing import NDArray

from forecaster.evaluation.joint_test import drawn_means
from forecaster.evaluation.significance import too_few_days

Float = NDArray[np.float64]

CONFIDENCE = 0.90
NAME = "model confidence set (Hansen, Lunde & Nason 2011), T_max, moving blocks"
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
        1 for the model that is left; NaN for all where fewer than 10 h days tell nothing.
    """
    names = list(losses)
    values = np.column_stack([losses[name] for name in names])
    days = len(values)
    if too_few_days(days, horizon):
        return dict.fromkeys(names, math.nan)
    means, drawn = values.mean(0), drawn_means(values, max(horizon, round(days ** (1 / 3))), _DRAWS, _SEED)
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
