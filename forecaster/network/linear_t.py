"""Linear-t: what a network's own inputs tell without recurrence that is learned.

A Student-t whose log scale is linear in exponentially weighted volatilities, ranges and moves of the same
windows that a recurrent network reads. Location and degrees of freedom are constants of each step. It has
some twenty parameters a step, so whatever a network does better than it is what recurrence has added.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from forecaster.dataset.features import MARKET_SHIFT, SMALLEST_MOVE, VOLATILITY_SHIFT
from forecaster.dataset.report_features import is_report_feature
from forecaster.network.cells import Shape
from forecaster.network.network import LEAST_DEGREES, Float32, Network

KERNEL, CONSTANTS = "head/kernel", "head/constants"
RETURN_DECAYS = (0.8, 0.98, 0.995)
RANGE_DECAYS = (0.5, 0.8, 0.94, 0.98)
MARKET_DECAYS = (0.8, 0.98)
MOVE_DECAYS = (0.0, 0.8, 0.94)
VOLUME_DECAYS = (0.0, 0.8)
_LEAST_VARIANCE = 1e-6
LEAST_SQUARE = 1e-6
"""A mean square below it, in units of today's variance, says no more."""

Float = NDArray[np.float64]


@dataclass(frozen=True)
class LinearT(Network):
    """The regression as a network whose only layer is its head.

    Its weights are `head/kernel` (R, H), of R regressors on the log scale, and `head/constants` (3, H):
    location, log scale and raw degrees of freedom.
    """

    def shapes(self) -> dict[str, Shape]:
        """As `linear_shapes`."""
        return linear_shapes(self.horizon, self.features)

    def answer(self, inputs: Float32, last: int) -> Float32:
        """As `head_output`, for no more windows than fit the cache."""
        found = regressors(inputs, self.features, last)
        location, constant, degrees = self.weights[CONSTANTS]
        log_scale = found @ self.weights[KERNEL] + constant
        parts = (np.broadcast_to(location, log_scale.shape), log_scale)
        return np.concatenate([*parts, np.broadcast_to(degrees, log_scale.shape)], axis=-1)


def linear_shapes(horizon: int, features: Sequence[str]) -> dict[str, Shape]:
    """The names and shapes of all weights of a linear-t."""
    return {KERNEL: (len(regressor_names(features)), horizon), CONSTANTS: (3, horizon)}


def regressor_names(features: Sequence[str]) -> tuple[str, ...]:
    """What the log scale is linear in, for a network that reads these features."""
    names = ["volatility", "market volatility", "last move"]
    names += [f"returns, decay {decay:g}" for decay in RETURN_DECAYS]
    names += [f"market, decay {decay:g}" for decay in MARKET_DECAYS]
    names += [f"fall, decay {decay:g}" for decay in MOVE_DECAYS]
    names += [f"market's fall, decay {decay:g}" for decay in MOVE_DECAYS]
    if "range" in features:
        names += ["last range", *(f"ranges, decay {decay:g}" for decay in RANGE_DECAYS)]
    if "volume" in features:
        names += [f"volume, decay {decay:g}" for decay in VOLUME_DECAYS]
    return (*names, *(name for name in features if is_report_feature(name)))


def regressors(inputs: Float32, features: Sequence[str], last: int) -> Float32:
    """The regressors at the last days of each window, from that window alone.

    Volatilities of the last days are in logs and in units of today's, which is one of them; a mean over a
    window weighs what it has, so that it needs no days before.

    Args:
        inputs: (batch, timesteps, features), as `compute_features` gives them.
        features: their names.
        last: how many of the last days are wanted.

    Returns:
        (batch, last, R), in the order of `regressor_names`.
    """
    column = {name: inputs[..., place] for place, name in enumerate(features)}
    log_sigma = column["volatility"] - np.float32(VOLATILITY_SHIFT)
    log_market = column["market_volatility"] - np.float32(MARKET_SHIFT)
    sigma, market_sigma = np.exp(log_sigma), np.exp(log_market)
    moves, market_moves = column["return"], column["market_return"]
    columns = [log_sigma[:, -last:], log_market[:, -last:], column["magnitude"][:, -last:]]
    columns += _log_means(np.square(moves * sigma), np.square(sigma), RETURN_DECAYS, last)
    columns += _log_means(
        np.square(market_moves * market_sigma), np.square(market_sigma), MARKET_DECAYS, last
    )
    columns += _means(np.minimum(moves, 0), MOVE_DECAYS, last)
    columns += _means(np.minimum(market_moves, 0), MOVE_DECAYS, last)
    if "range" in column:
        ranges = np.maximum(np.exp(column["range"]) - np.float32(SMALLEST_MOVE), 0)
        columns.append(column["range"][:, -last:])
        columns += _log_means(np.square(ranges * sigma), np.square(sigma), RANGE_DECAYS, last)
    if "volume" in column:
        columns += _means(column["volume"], VOLUME_DECAYS, last)
    columns += [values[:, -last:] for name, values in column.items() if is_report_feature(name)]
    return np.stack(columns, axis=-1).astype(np.float32)


def _log_means(squares: Float32, unit: Float32, decays: Sequence[float], last: int) -> list[Float32]:
    """Half the log of each exponentially weighted mean square over today's unit."""
    return [
        np.log(np.maximum(mean / unit[:, -last:], LEAST_SQUARE)) / np.float32(2)
        for mean in _means(squares, decays, last)
    ]


def _means(values: Float32, decays: Sequence[float], last: int) -> list[Float32]:
    """Exponentially weighted means of each window's days so far, (batch, last) for each decay.

    The weights of those days sum to one.
    """
    decay = np.array(decays, dtype=np.float32)
    total = np.zeros((len(values), len(decays)), dtype=np.float32)
    weight = np.zeros(len(decays), dtype=np.float32)
    days = values.shape[1]
    found = np.empty((last, len(values), len(decays)), dtype=np.float32)
    for day in range(days):
        total = decay * total + (1 - decay) * values[:, day, None]
        weight = decay * weight + (1 - decay)
        if day >= days - last:
            found[day - (days - last)] = total / weight
    return [found[..., place].T for place in range(len(decays))]


@dataclass(frozen=True)
class LinearFit:
    """Weights by maximum likelihood, and the mean negative log likelihood over all steps."""

    weights: dict[str, Float32]
    loss: float


def fit_linear(rows: Float32, targets: Float32) -> LinearFit:
    """Fit the regression to R regressors at O origins, each step by itself, by maximum likelihood.

    Args:
        rows: (O, R).
        targets: (O, H) cumulative log returns in units of σ(t)·√h; NaN where not known.

    Raises:
        ValueError: a step has no target.
    """
    mean, spread = _whitened(rows)
    white = ((rows - mean.astype(np.float32)) @ spread.astype(np.float32)).astype(np.float32)
    steps = targets.shape[1]
    kernel, constants = np.zeros((rows.shape[1], steps)), np.zeros((3, steps))
    start = np.zeros(white.shape[1] + 3)
    start[-1] = 2.0  # about four degrees of freedom
    losses = []
    for step in range(steps):
        known = np.isfinite(targets[:, step])
        if not known.any():
            raise ValueError(f"step {step + 1} has no target to be fitted to")
        start, loss = _fit_step(white[known], targets[known, step].astype(np.float64), start)
        losses.append(loss)
        kernel[:, step] = spread @ start[:-3]
        constants[:, step] = start[-3], start[-2] - float(kernel[:, step] @ mean), start[-1]
    weights = {KERNEL: kernel.astype(np.float32), CONSTANTS: constants.astype(np.float32)}
    return LinearFit(weights, float(np.mean(losses)))


def _whitened(rows: Float32) -> tuple[Float, Float]:
    """Mean (R,) and matrix (R, K) that make K uncorrelated regressors of variance 1, which are soon fitted.

    What is a sum of the others, or never changes, is left out.
    """
    mean = rows.mean(0, dtype=np.float64)
    variances, directions = np.linalg.eigh(np.atleast_2d(np.cov(rows, rowvar=False, dtype=np.float64)))
    kept = variances > _LEAST_VARIANCE
    return mean, directions[:, kept] / np.sqrt(variances[kept])


def _fit_step(rows: Float32, target: Float, start: Float) -> tuple[Float, float]:
    """The parameters (kernel, location, log scale, raw degrees of freedom) and the mean loss."""
    from scipy.optimize import minimize

    found = minimize(_loss, start, args=(rows, target), jac=True, method="L-BFGS-B")
    return np.asarray(found.x), float(found.fun)


def _loss(parameters: Float, rows: Float32, target: Float) -> tuple[float, Float]:
    """Mean negative log likelihood of Student-t targets, and its gradient."""
    from scipy.special import digamma, expit, gammaln

    kernel, location, constant, raw = parameters[:-3], *parameters[-3:]
    degrees = LEAST_DEGREES + float(np.logaddexp(0.0, raw))
    log_scale = (rows @ kernel.astype(np.float32)).astype(np.float64) + constant
    error = (target - location) * np.exp(-log_scale)
    square = np.square(error)
    log_tail = np.log1p(square / degrees)
    pull = (degrees + 1) / (degrees + square)  # what an error counts: little far out
    halves = (degrees + 1) / 2, degrees / 2
    constant_term = gammaln(halves[1]) - gammaln(halves[0]) + 0.5 * np.log(degrees * np.pi)
    loss = float(log_scale.mean() + constant_term + halves[0] * log_tail.mean())
    by_scale = 1 - pull * square
    by_degrees = 0.5 * (digamma(halves[1]) - digamma(halves[0]) + 1 / degrees + log_tail.mean())
    by_degrees -= halves[0] * float((square / (degrees + square)).mean()) / degrees
    count = len(target)
    gradient = np.empty_like(parameters)
    gradient[:-3] = (by_scale.astype(np.float32) @ rows) / count
    gradient[-3] = -float((pull * error * np.exp(-log_scale)).mean())
    gradient[-2] = float(by_scale.mean())
    gradient[-1] = by_degrees * expit(raw)
    return loss, gradient
