"""How much an early step still moves the last state: Jacobians of the three cells, in NumPy.

The state s that a cell carries is h, and for an LSTM (h, c). One step has the Jacobians
∂s(t)/∂s(t−1) and ∂s(t)/∂x(t), which follow from the equations in `network/cells.py`; the chain
rule multiplies them:

    ∂h(T)/∂s(t) = ∂h(T)/∂s(T−1) · … · ∂s(t+1)/∂s(t)

(Hochreiter, 1991; Bengio, Simard & Frasconi, "Learning long-term dependencies with gradient
descent is difficult", 1994). With a the pre-activations, σ′ = σ(1 − σ) and tanh′ = 1 − tanh²:

SimpleRNN   ∂h/∂h⁻ = (1 − h²) U
LSTM        ∂c/∂c⁻ = f,  ∂c/∂a_i = g i′,  ∂c/∂a_f = c⁻ f′,  ∂c/∂a_g = i g′,
            ∂h/∂c = o (1 − tanh²c),  ∂h/∂a_o = tanh(c) o′
GRU         ∂h/∂h⁻ = z directly,  ∂h/∂a_z = (h⁻ − g) z′,  ∂h/∂a_g = (1 − z) g′, and through r
            ∂a_g/∂r = U h⁻ + b′ (reset after), or U ∘ h⁻ (as published)
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from forecaster.network.cells import GATES, Array, CellTrace, CellWeights, trace_layer
from forecaster.network.network import LEAST_DEGREES

Float = NDArray[np.float64]


@dataclass(frozen=True)
class StepJacobians:
    """Of T steps: `state` (T, S, S) is ∂s(t)/∂s(t−1), `inputs` (T, S, f) is ∂s(t)/∂x(t).

    S is u, or 2u for an LSTM: h first, then c.
    """

    state: Float
    inputs: Float


@dataclass(frozen=True)
class Reach:
    """What reaches the last hidden state from each step, (T, …) with step t at position t − 1.

    Attributes:
        state: (T, u, S), ∂h(T)/∂s(t); at the last step ∂h/∂h is the identity.
        inputs: (T, u, f), ∂h(T)/∂x(t).
    """

    state: Float
    inputs: Float


def step_jacobians(
    cell: str, weights: CellWeights, inputs: Float, *, reset_after: bool = True
) -> StepJacobians:
    """Jacobians of every step of one series, (T, f), from a zero state; all in float64."""
    trace = trace_layer(cell, weights, inputs[None], reset_after=reset_after)
    if cell == "rnn":
        return _elman(weights, trace)
    if cell == "lstm":
        return _lstm(weights, trace)
    return _gru(weights, trace, reset_after=reset_after)


def reach(jacobians: StepJacobians, units: int) -> Reach:
    """Multiply the steps' Jacobians from the last step back to the first."""
    steps, size, _ = jacobians.state.shape
    from_state = np.empty((steps, units, size))
    onward = np.eye(units, size)  # ∂h(T)/∂s(T)
    for t in reversed(range(steps)):
        from_state[t] = onward
        onward = onward @ jacobians.state[t]
    return Reach(from_state, from_state @ jacobians.inputs)


def _elman(weights: CellWeights, trace: CellTrace) -> StepJacobians:
    slope = 1 - np.square(trace.hidden[0])[..., None]  # (T, u, 1)
    return StepJacobians(slope * weights.recurrent.T, slope * weights.kernel.T)


def _lstm(weights: CellWeights, trace: CellTrace) -> StepJacobians:
    i, f, g, o = (trace.gates[name][0] for name in GATES["lstm"])  # (T, u)
    assert trace.cell_state is not None  # noqa: S101  (an LSTM's trace has one)
    c = trace.cell_state[0]
    before, shown = _shifted(c), np.tanh(c)
    to_cell = np.stack([g * i * (1 - i), before * f * (1 - f), i * (1 - g * g)])  # by i, f, g
    onward, by_output = o * (1 - shown * shown), shown * o * (1 - o)

    def through_gates(matrix: Array) -> tuple[Array, Array]:
        """∂h and ∂c by what `matrix` (n, 4u) multiplies: (T, u, n) each."""
        by_input, by_forget, by_candidate, out = np.split(matrix.T, 4)  # (u, n)
        cell = sum(
            slope[..., None] * part
            for slope, part in zip(to_cell, (by_input, by_forget, by_candidate), strict=True)
        )
        return onward[..., None] * cell + by_output[..., None] * out, cell

    hidden_by_hidden, cell_by_hidden = through_gates(weights.recurrent)
    hidden_by_input, cell_by_input = through_gates(weights.kernel)
    state = np.block([[hidden_by_hidden, _diagonal(onward * f)], [cell_by_hidden, _diagonal(f)]])
    return StepJacobians(state, np.concatenate([hidden_by_input, cell_by_input], axis=1))


def _gru(weights: CellWeights, trace: CellTrace, *, reset_after: bool) -> StepJacobians:
    z, r, g = (trace.gates[name][0] for name in GATES["gru"])
    before = _shifted(trace.hidden[0])
    units = z.shape[1]
    by_update = ((before - g) * z * (1 - z))[..., None]  # ∂h/∂a_z
    by_candidate = ((1 - z) * (1 - g * g))[..., None]  # ∂h/∂a_g
    reset_slope = r * (1 - r)
    to_update, to_reset, to_candidate = np.split(weights.recurrent.T, 3)  # (u, u)
    from_update, from_reset, from_candidate = np.split(weights.kernel.T, 3)  # (u, f)
    if reset_after:
        recalled = before @ to_candidate.T + weights.bias[1, 2 * units :]  # U h⁻ + b′
        by_reset = (recalled * reset_slope)[..., None]  # ∂a_g/∂a_r, a diagonal
        candidate = r[..., None] * to_candidate + by_reset * to_reset
        candidate_by_input = from_candidate + by_reset * from_reset
    else:
        by_reset = (before * reset_slope)[..., None]  # ∂(r ∘ h⁻)/∂a_r
        candidate = to_candidate @ (_diagonal(r) + by_reset * to_reset)
        candidate_by_input = from_candidate + to_candidate @ (by_reset * from_reset)
    state = _diagonal(z) + by_update * to_update + by_candidate * candidate
    return StepJacobians(state, by_update * from_update + by_candidate * candidate_by_input)


def _shifted(states: Float) -> Float:
    """The state before each step, (T, u): zeros first."""
    return np.concatenate([np.zeros_like(states[:1]), states[:-1]])


def _diagonal(values: Float) -> Float:
    """(T, u) as diagonal matrices (T, u, u)."""
    return values[..., None] * np.eye(values.shape[-1])


def student_t_slope(raw: Float, target: Float) -> Float:
    """Derivative of the mean negative log likelihood of a Student-t by the head's raw output.

    With z = (y − μ)/s, ν = 2.1 + softplus(raw), ψ the digamma function:
    ∂/∂μ = −(ν+1) z / (ν + z²) / s,  ∂/∂log s = 1 − (ν+1) z²/(ν + z²), and
    ∂/∂ν = ½ [ψ(ν/2) − ψ((ν+1)/2) + 1/ν + log(1 + z²/ν) − (ν+1) z² / (ν (ν + z²))].

    Args:
        raw: (3H,) location, log-scale and raw degrees of freedom.
        target: (H,) cumulative log returns in units of σ·√h.

    Returns:
        (3H,), of the mean over the H steps.
    """
    from scipy.special import digamma, expit

    location, log_scale, raw_degrees = np.split(raw, 3)
    degrees = LEAST_DEGREES + np.logaddexp(0, raw_degrees)
    z = (target - location) * np.exp(-log_scale)
    pull = (degrees + 1) * z / (degrees + z * z)
    by_degrees = 0.5 * (
        digamma(degrees / 2)
        - digamma((degrees + 1) / 2)
        + 1 / degrees
        + np.log1p(z * z / degrees)
        - pull * z / degrees
    )
    slopes: Float = np.concatenate(
        [-pull * np.exp(-log_scale), 1 - pull * z, by_degrees * expit(raw_degrees)]
    )
    return slopes / len(target)


def squared_slope(answer: Float, target: Float) -> Float:
    """Derivative of the mean squared error by the answer, (K,)."""
    slope: Float = 2 * (answer - target) / len(target)
    return slope


def cross_entropy_slope(logits: Float, target: Float) -> Float:
    """Derivative of the cross-entropy of a softmax by its logits, (K,): share less truth."""
    shares = np.exp(logits - logits.max())
    slope: Float = shares / shares.sum() - target
    return slope
