"""The slope of a network's answer by every input of a window: the chain rule backwards, in NumPy.

With δx the slope of the answer by x, a the pre-activations, σ′ = σ(1 − σ) and tanh′ = 1 − tanh², from the
last step to the first (Werbos, "Backpropagation through time: what it does and how to do it", 1990):

SimpleRNN   δa = δh (1 − h²)
LSTM        δc = δh o (1 − tanh²c) + f(t+1) δc(t+1),  δa_o = δh tanh(c) o′,
            δa_i = δc g i′,  δa_f = δc c⁻ f′,  δa_g = δc i g′
GRU         δa_z = δh (h⁻ − g) z′,  δa_g = δh (1 − z) g′,  δa_r = δa_g (U h⁻ + b′) r′
            (reset after, as in all networks that are trained here)

Then δx = δa Wᵀ, and δa Uᵀ is added to δh of the step before; a GRU adds δh z to it as well, and its
candidate's part is r δa_g. A ConvLSTM1D is an LSTM on each day of its week, whose products give slopes of the
days around it.
"""

from collections.abc import Callable

import numpy as np

from forecaster.network.cells import GATES, KERNEL, Array, CellTrace, CellWeights, trace_layer
from forecaster.network.recurrent import AHEAD, RecurrentNetwork
from forecaster.settings import CONVLSTM, WEEK

_Step = Callable[[int, Array], tuple[Array, Array]]
"""From a step and δh to δa (B, G·u) and what δh of the step before gains (B, u)."""


def input_slopes(network: RecurrentNetwork, inputs: Array, by_raw: Array) -> Array:
    """Derivatives of weighted sums of a network's raw answers at the last day, by every input.

    Args:
        network: with weights in float64.
        inputs: (B, T, F).
        by_raw: (B, 3H) the weight of each raw answer.

    Returns:
        (B, T, F).
    """
    if network.ensemble > 1:
        mean: Array = np.mean([input_slopes(each, inputs, by_raw) for each in network.networks], axis=0)
        return mean
    directions = ("forward", "backward") if network.bidirectional else ("forward",)
    traces: list[list[CellTrace]] = []
    hidden: Array = inputs
    for layer in range(network.layers):
        found = [
            trace_layer(
                network.cell, network.layer_weights(layer, each), hidden, backwards=each == "backward"
            )
            for each in directions
        ]
        traces.append(found)
        hidden = np.concatenate([trace.hidden for trace in found], axis=-1)
    slopes = np.zeros_like(hidden)
    by_state = by_raw @ network.weights["head/kernel"].T
    units = network.units
    # The head reads each direction after its last step: at the window's last day, and at its first.
    if network.cell == CONVLSTM:  # the last step is a week
        slopes[:, -WEEK:] = by_state.reshape(-1, WEEK, units)
    else:
        slopes[:, -1, :units] = by_state[:, :units]
        slopes[:, 0, units:] = by_state[:, units:]
    for layer in reversed(range(network.layers)):
        parts = np.split(slopes, len(directions), axis=-1)
        through = [
            _through_layer(network, network.layer_weights(layer, each), trace, part, backwards=bool(place))
            for place, (each, trace, part) in enumerate(zip(directions, traces[layer], parts, strict=True))
        ]
        slopes = np.sum(through, axis=0)
    if network.known_ahead:
        slopes[:, -1, -network.known_ahead :] += by_raw @ network.weights[AHEAD].T
    return slopes


def _through_layer(
    network: RecurrentNetwork, weights: CellWeights, trace: CellTrace, by_hidden: Array, *, backwards: bool
) -> Array:
    """Slopes by a layer's inputs (B, T, f) from those by its states (B, T, u)."""
    if network.cell == CONVLSTM:
        return _through_weeks(weights, trace, by_hidden)
    order = slice(None, None, -1 if backwards else 1)
    hidden = trace.hidden[:, order]
    gates = {name: trace.gates[name][:, order] for name in GATES[network.cell]}
    by_hidden = by_hidden[:, order]
    step: _Step
    if network.cell == "rnn":
        step = _elman(weights, hidden)
    elif network.cell == "lstm":
        assert trace.cell_state is not None  # noqa: S101  (an LSTM's trace has one)
        step = _lstm(weights, trace.cell_state[:, order], gates)
    else:
        step = _gru(weights, hidden, gates)
    slopes = np.empty((*by_hidden.shape[:2], len(weights.kernel)))
    carried = np.zeros_like(by_hidden[:, 0])
    for t in reversed(range(by_hidden.shape[1])):
        by_gates, carried = step(t, by_hidden[:, t] + carried)
        slopes[:, t] = by_gates @ weights.kernel.T
    return slopes[:, order]


def _through_weeks(weights: CellWeights, trace: CellTrace, by_hidden: Array) -> Array:
    """As `_through_layer`: an LSTM with a row for each day of the week, which reads K days side by side."""
    batch, days, _ = by_hidden.shape

    def rows(values: Array) -> Array:
        """From (B, T, n) to (B · 5, T / 5, n)."""
        weeks = values.reshape(batch, days // WEEK, WEEK, -1).swapaxes(1, 2)
        return weeks.reshape(batch * WEEK, days // WEEK, -1)

    assert trace.cell_state is not None  # noqa: S101  (a ConvLSTM1D's trace has one)
    width = len(weights.bias)
    flat = CellWeights(weights.kernel.reshape(-1, width), weights.recurrent.reshape(-1, width), weights.bias)
    step = _lstm(flat, rows(trace.cell_state), {name: rows(gate) for name, gate in trace.gates.items()})
    by_rows = rows(by_hidden)
    slopes = np.empty((*by_rows.shape[:2], weights.kernel.shape[1]))
    carried = np.zeros_like(by_rows[:, 0])
    for t in reversed(range(by_rows.shape[1])):
        by_gates, by_around = step(t, by_rows[:, t] + carried)
        carried = _onto_days(by_around)
        slopes[:, t] = _onto_days(by_gates @ flat.kernel.T)
    return slopes.reshape(batch, WEEK, days // WEEK, -1).swapaxes(1, 2).reshape(batch, days, -1)


def _onto_days(by_around: Array) -> Array:
    """What each day of a week gains from the rows that read it, (B · 5, n) from (B · 5, K · n)."""
    parts = by_around.reshape(-1, WEEK, KERNEL, by_around.shape[1] // KERNEL)
    # Of day p the kernel's place k reads day p + k − 1; nothing beyond the ends.
    reads = np.stack([np.eye(WEEK, k=place - KERNEL // 2) for place in range(KERNEL)])
    gained: Array = np.einsum("kpq,bpkn->bqn", reads, parts)
    return gained.reshape(len(by_around), -1)


def _elman(weights: CellWeights, hidden: Array) -> _Step:
    def step(t: int, by_hidden: Array) -> tuple[Array, Array]:
        by_gates = by_hidden * (1 - np.square(hidden[:, t]))
        return by_gates, by_gates @ weights.recurrent.T

    return step


def _lstm(weights: CellWeights, state: Array, gates: dict[str, Array]) -> _Step:
    by_state = np.zeros_like(state[:, 0])  # of the step after, what its forget gate lets through

    def step(t: int, by_hidden: Array) -> tuple[Array, Array]:
        nonlocal by_state
        i, f, g, o = (gates[name][:, t] for name in GATES["lstm"])
        shown = np.tanh(state[:, t])
        before = state[:, t - 1] if t else np.zeros_like(shown)
        here = by_state + by_hidden * o * (1 - np.square(shown))
        by_gates = np.concatenate(
            [
                here * g * i * (1 - i),
                here * before * f * (1 - f),
                here * i * (1 - np.square(g)),
                by_hidden * shown * o * (1 - o),
            ],
            axis=-1,
        )
        by_state = here * f
        return by_gates, by_gates @ weights.recurrent.T

    return step


def _gru(weights: CellWeights, hidden: Array, gates: dict[str, Array]) -> _Step:
    units = hidden.shape[-1]
    to_gates, to_candidate = weights.recurrent[:, : 2 * units], weights.recurrent[:, 2 * units :]
    bias = weights.bias[1, 2 * units :]

    def step(t: int, by_hidden: Array) -> tuple[Array, Array]:
        z, r, g = (gates[name][:, t] for name in GATES["gru"])
        before = hidden[:, t - 1] if t else np.zeros_like(by_hidden)
        by_candidate = by_hidden * (1 - z) * (1 - np.square(g))
        by_update = by_hidden * (before - g) * z * (1 - z)
        by_reset = by_candidate * (before @ to_candidate + bias) * r * (1 - r)
        both = np.concatenate([by_update, by_reset], axis=-1)
        carried = by_hidden * z + both @ to_gates.T + (by_candidate * r) @ to_candidate.T
        return np.concatenate([both, by_candidate], axis=-1), carried

    return step
