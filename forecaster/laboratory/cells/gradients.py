"""How far back a cell's gradient reaches: norms by distance, half-lives, and when they explode."""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from forecaster.laboratory.cells.jacobians import reach, step_jacobians
from forecaster.laboratory.cells.weights import untrained_weights
from forecaster.network.cells import CellWeights, run_layer

Float = NDArray[np.float64]
Slope = Callable[[Float, Float], Float]

LARGEST_RADIUS = 4.0
"""At which explosion is looked for."""
_RADIUS_STEP = 0.01
_TINIEST = 1e-300  # below it a logarithm has nothing left to say


@dataclass(frozen=True)
class Probe:
    """A one-layer network and the sequences it is probed on.

    Attributes:
        label: what it is called on the screen.
        cell: "rnn", "lstm" or "gru".
        weights: of its layer, float64.
        head, head_bias: (u, K) and (K,), from the last hidden state to the answer.
        slope: derivative of the loss by the answer, given the answer and the target.
        inputs: (N, T, f).
        targets: (N, …) what the answers should be.
    """

    label: str
    cell: str
    weights: CellWeights
    head: Float
    head_bias: Float
    slope: Slope
    inputs: Float
    targets: Float


@dataclass(frozen=True)
class GradientProfile:
    """Norms by distance d = T − t, the geometric means over sequences; position d is distance d.

    Attributes:
        label, cell: of the probe.
        state: (T,) spectral norm of ∂h(T)/∂s(t), s being all that the cell carries.
        hidden: (T,) the same of ∂h(T)/∂h(t) alone; an LSTM carries more in c than in h.
        loss: (T,) length of ∂loss/∂x(t).
    """

    label: str
    cell: str
    state: Float
    hidden: Float
    loss: Float

    @property
    def half_life(self) -> float:
        """Steps in which the norm of ∂h(T)/∂s(t) halves."""
        return half_life(self.state)

    @property
    def loss_half_life(self) -> float:
        """Steps in which the length of ∂loss/∂x(t) halves."""
        return half_life(self.loss)


def profile(probe: Probe) -> GradientProfile:
    """Measure how the last hidden state and the loss depend on each earlier step."""
    units = len(probe.weights.recurrent)
    state, hidden, loss = [], [], []
    for inputs, target in zip(probe.inputs, probe.targets, strict=True):
        found = reach(step_jacobians(probe.cell, probe.weights, inputs), units)
        last = run_layer(probe.cell, probe.weights, inputs[None])[0, -1]
        by_hidden = probe.head @ probe.slope(last @ probe.head + probe.head_bias, target)
        state.append(np.linalg.norm(found.state, 2, axis=(1, 2)))
        hidden.append(np.linalg.norm(found.state[:, :, :units], 2, axis=(1, 2)))
        loss.append(np.linalg.norm(by_hidden @ found.inputs, axis=1))
    return GradientProfile(probe.label, probe.cell, _typical(state), _typical(hidden), _typical(loss))


def half_life(norms: Float) -> float:
    """Steps in which a norm halves, from the slope of its logarithm over all distances.

    Infinite where it does not fall.

    Example:
        norms 1, ½, ¼ have a half-life of one step.
    """
    slope = growth(norms)
    if slope >= 0:
        return float("inf")
    return -1 / slope


def growth(norms: Float) -> float:
    """Doublings of a norm a step back, from the slope of its logarithm over all distances.

    Minus infinity where nothing is left after a step.

    Example:
        norms 1, 2, 4 grow by one doubling a step.
    """
    logs = np.log2(np.maximum(norms, _TINIEST))
    known = logs > np.log2(_TINIEST)
    if known.sum() < 2:
        return float("-inf")
    return float(np.polyfit(np.nonzero(known)[0], logs[known], 1)[0])


def explodes_from(cell: str, units: int, seed: int, inputs: Float) -> float:
    """The spectral radius of an untrained recurrent matrix from which ∂h(T)/∂s(t) grows going back.

    Keras draws a SimpleRNN's orthogonal: all eigenvalues are on the unit circle, and multiplied by a number
    it has that spectral radius. Found by halving the span between 0.5 and `LARGEST_RADIUS`; that itself
    where it does not grow there.

    Args:
        cell: "rnn", "lstm" or "gru".
        units: u.
        seed: of the weights.
        inputs: (N, T, f).
    """

    def grows(scale: float) -> bool:
        ((_, norms),) = at_scales(cell, (scale,), units, seed, inputs)
        return growth(norms) > 0

    low, high = 0.5, LARGEST_RADIUS
    if not grows(high):
        return high
    while high - low > _RADIUS_STEP:
        middle = (low + high) / 2
        low, high = (low, middle) if grows(middle) else (middle, high)
    return high


def at_scales(
    cell: str, scales: tuple[float, ...], units: int, seed: int, inputs: Float
) -> list[tuple[float, Float]]:
    """Largest and last norms of ∂h(T)/∂s(t) with the untrained recurrent matrix multiplied.

    Args:
        cell: "rnn", "lstm" or "gru".
        scales: what the recurrent matrix is multiplied by.
        units: u.
        seed: of the weights.
        inputs: (N, T, f).

    Returns:
        For each scale, the norms by distance (T,), geometric means over sequences.
    """
    rows = []
    for scale in scales:
        weights = untrained_weights(cell, inputs.shape[2], units, seed, recurrent_scale=scale)
        norms = [
            np.linalg.norm(reach(step_jacobians(cell, weights, series), units).state, 2, axis=(1, 2))
            for series in inputs
        ]
        rows.append((scale, _typical(norms)))
    return rows


def _typical(norms: list[Float]) -> Float:
    """Geometric mean over sequences, by distance from the last step."""
    logs = np.log(np.maximum(norms, _TINIEST))
    mean: Float = np.exp(logs.mean(0))[::-1]
    return mean
