"""What errors cost: every metric takes the actual first, the predicted second.

Arrays are of one shape; the answer is a mean over all of it unless it says otherwise. Unknown
values are the caller's to leave out: a NaN is rejected.
"""

import numpy as np
from numpy.typing import NDArray

Float = NDArray[np.floating]

QUANTILE_LEVELS = np.round(np.arange(1, 20) * 0.05, 2)
_TAILS = np.array([0.005, 0.01, 0.025])
FILE_LEVELS = np.concatenate([_TAILS, QUANTILE_LEVELS, 1 - _TAILS[::-1]])
"""Of a forecasts file, and of forecasts that are quantiles only: those that scores need."""


def mae(actual: Float, predicted: Float) -> float:
    """Mean absolute error, in the units of the data."""
    from sklearn.metrics import mean_absolute_error

    return float(mean_absolute_error(actual, predicted))


def rmse(actual: Float, predicted: Float) -> float:
    """Root of the mean squared error, in the units of the data."""
    from sklearn.metrics import root_mean_squared_error

    return float(root_mean_squared_error(actual, predicted))


def mape(actual: Float, predicted: Float) -> float:
    """Mean absolute error in per cent of the actual."""
    from sklearn.metrics import mean_absolute_percentage_error

    return float(100 * mean_absolute_percentage_error(actual, predicted))


def r2(actual: Float, predicted: Float) -> float:
    """Share of the variance of the actuals that is explained; 0 with fewer than two of them."""
    from sklearn.metrics import r2_score

    return float(r2_score(actual, predicted)) if len(np.atleast_1d(actual)) > 1 else 0.0


def mase(actual: Float, predicted: Float, naive_error: Float) -> float:
    """Mean absolute error over the naive forecast's usual error in the training years.

    Source: Hyndman & Koehler, "Another look at measures of forecast accuracy", 2006.

    Args:
        actual: the realised values.
        predicted: the predicted values.
        naive_error: positive mean absolute one-step change of each element's series.
    """
    return float((np.abs(_error(actual, predicted)) / naive_error).mean())


def directional_accuracy(actual: Float, predicted: Float) -> float:
    """Share of moves whose sign was predicted; both are moves, from the origin.

    A move of zero has no sign and is left out; a forecast of zero takes no side and counts half.
    NaN where nothing moved.

    Example:
        moves [1, −1, 1, 0] predicted as [2, 1, 0, 5] give (1 + 0 + ½) / 3.
    """
    moved = actual != 0
    hits = sign_hits(actual, predicted)
    return float(hits[moved].mean()) if moved.any() else float("nan")


def sign_hits(actual: Float, predicted: Float) -> NDArray[np.float64]:
    """1 where the sign of a move was predicted, 0 where the other one was, ½ where either has none."""
    _error(actual, predicted)
    hits: NDArray[np.float64] = 0.5 + 0.5 * np.sign(actual).astype(np.float64) * np.sign(predicted)
    return hits


def crps_from_quantiles(
    actual: Float, quantiles: Float, levels: NDArray[np.float64] = QUANTILE_LEVELS
) -> NDArray[np.float64]:
    """Continuous ranked probability score by quantiles: twice the mean pinball loss over the levels.

    Source: Gneiting & Raftery, "Strictly proper scoring rules", 2007, section 4.2 and 6.

    Args:
        actual: (...).
        quantiles: (..., Q).
        levels: (Q,) between 0 and 1.

    Returns:
        (...) one score a forecast, in the units of the data.
    """
    error = _error(np.asarray(actual)[..., None], quantiles)
    loss: NDArray[np.float64] = 2 * np.maximum(levels * error, (levels - 1) * error).mean(axis=-1)
    return loss


def most_gain(quantiles: Float, reference: Float) -> NDArray[np.float64]:
    """By how much the CRPS of a forecast can at most be below a reference's, whatever the actual will be.

    The difference of two scores by quantiles is linear between the quantiles and constant beyond them, so
    that its extremes lie at quantiles.

    Args:
        quantiles: (..., 19), at QUANTILE_LEVELS.
        reference: the same of the reference.

    Returns:
        (...) at least 0, in the units of the data.
    """
    gain = np.zeros(np.broadcast_shapes(quantiles.shape, reference.shape)[:-1])
    for knots in (quantiles, reference):
        for place in range(knots.shape[-1]):
            actual = knots[..., place]
            saved = crps_from_quantiles(actual, reference) - crps_from_quantiles(actual, quantiles)
            np.maximum(gain, saved, out=gain)
    return gain


def coverage(actual: Float, lower: Float, upper: Float) -> float:
    """Share of actuals within the interval, its ends included."""
    _error(actual, lower)
    _error(actual, upper)
    return float(((lower <= actual) & (actual <= upper)).mean())


def interval_score(actual: Float, lower: Float, upper: Float, level: float) -> float:
    """Mean width of central intervals, and 2 / (1 − level) times what an actual lies beyond them.

    Source: Gneiting & Raftery, "Strictly proper scoring rules", 2007, section 6.2.
    """
    beyond = np.maximum(_error(lower, actual), 0) + np.maximum(_error(actual, upper), 0)
    return float((np.asarray(upper) - np.asarray(lower) + 2 / (1 - level) * beyond).mean())


def skill(loss: float, reference_loss: float) -> float:
    """Share of the reference's loss that is saved: 0 is no better, 1 is perfect, below 0 is worse.

    Example:
        a loss of 3 against a reference of 4 is a skill of 0.25.
    """
    return 1 - loss / reference_loss if reference_loss else 0.0


def _error(actual: Float, predicted: Float) -> Float:
    """Actual less predicted; rejects what is not known."""
    error: Float = np.asarray(actual) - np.asarray(predicted)
    if np.isnan(error).any():
        raise ValueError("a metric was given unknown values: leave them out first")
    return error
