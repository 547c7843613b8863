"""The three recurrent cells as their papers write them, in NumPy, with Keras's weight layout.

With x the input, h the hidden state, c the cell state, σ the logistic function, ∘ the product of
elements, and t the step:

SimpleRNN (Elman, 1990)
    h(t) = tanh(W x(t) + U h(t−1) + b)
LSTM (Hochreiter & Schmidhuber, 1997; forget gate f: Gers, Schmidhuber & Cummins, 2000)
    i, f, o = σ(W x(t) + U h(t−1) + b)                  input, forget and output gates
    g       = tanh(W x(t) + U h(t−1) + b)               candidate
    c(t)    = f ∘ c(t−1) + i ∘ g,   h(t) = o ∘ tanh(c(t))
GRU (Cho et al., 2014)
    z, r    = σ(W x(t) + U h(t−1) + b)                  update and reset gates
    g       = tanh(W x(t) + U (r ∘ h(t−1)) + b)         candidate, as published
    g       = tanh(W x(t) + b + r ∘ (U h(t−1) + b′))    candidate with `reset_after`, Keras's default
    h(t)    = z ∘ h(t−1) + (1 − z) ∘ g

Each gate has its own W, U and b; they stand side by side in the weights, in the order of `GATES`.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import partial

import numpy as np
from numpy.typing import NDArray

GATES: dict[str, tuple[str, ...]] = {
    "rnn": ("candidate",),
    "lstm": ("input", "forget", "candidate", "output"),
    "gru": ("update", "reset", "candidate"),
}

Array = NDArray[np.floating]
Shape = tuple[int, ...]


@dataclass(frozen=True)
class CellWeights:
    """One layer's weights, G gates side by side: Keras's shapes and order.

    Attributes:
        kernel: (features, G·units), applied to the input.
        recurrent: (units, G·units), applied to the hidden state.
        bias: (G·units,); a GRU with `reset_after` has two rows, for the input and for the state.
    """

    kernel: Array
    recurrent: Array
    bias: Array


@dataclass(frozen=True)
class CellTrace:
    """Everything a layer computed: hidden state, cell state (LSTM only) and each gate, (B, T, units)."""

    hidden: Array
    cell_state: Array | None
    gates: Mapping[str, Array]


def weight_shapes(cell: str, features: int, units: int, *, reset_after: bool = True) -> dict[str, Shape]:
    """The shape of each part of `CellWeights`."""
    width = len(GATES[cell]) * units
    bias = (2, width) if cell == "gru" and reset_after else (width,)
    return {"kernel": (features, width), "recurrent": (units, width), "bias": bias}


def parameter_count(cell: str, features: int, units: int, *, reset_after: bool = True) -> int:
    """How many numbers one layer learns.

    SimpleRNN u(u + f + 1); LSTM 4·u(u + f + 1); GRU 3·(u(u + f) + u), with `reset_after` 3·(u(u + f) + 2u).

    Example:
        >>> parameter_count("gru", features=8, units=32)
        4032
    """
    biases = 2 if cell == "gru" and reset_after else 1
    return len(GATES[cell]) * (units * (units + features) + biases * units)


def nearest_units(count: Callable[[int], int], wanted: int) -> int:
    """The units with which a network has the number of parameters nearest to `wanted`.

    Args:
        count: parameters by units, strictly growing.
        wanted: the number to come near.

    Example:
        >>> nearest_units(lambda units: parameter_count("lstm", 2, units), parameter_count("gru", 2, 32))
        28
    """
    units = 1
    while count(units + 1) <= wanted:
        units += 1
    return min(units, units + 1, key=lambda units: abs(count(units) - wanted))


def run_layer(
    cell: str, weights: CellWeights, inputs: Array, *, reset_after: bool = True, backwards: bool = False
) -> Array:
    """The hidden state after every step, from a zero state.

    Args:
        cell: "rnn", "lstm" or "gru".
        weights: of the layer, in the inputs' precision.
        inputs: (B, T, features), float32 or float64.
        reset_after: which GRU; the other cells ignore it.
        backwards: go from the last step to the first.

    Returns:
        (B, T, units). Step t stands at position t also if `backwards`.
    """
    hidden, _, _ = _run(cell, weights, inputs, reset_after=reset_after, backwards=backwards)
    return hidden.swapaxes(0, 1)


def trace_layer(
    cell: str, weights: CellWeights, inputs: Array, *, reset_after: bool = True, backwards: bool = False
) -> CellTrace:
    """As `run_layer`, with the cell state and every gate."""
    hidden, cell_state, gates = _run(cell, weights, inputs, reset_after=reset_after, backwards=backwards)
    units = hidden.shape[-1]
    return CellTrace(
        hidden=hidden.swapaxes(0, 1),
        cell_state=cell_state.swapaxes(0, 1) if cell == "lstm" else None,
        gates={
            name: gates[..., place * units : (place + 1) * units].swapaxes(0, 1)
            for place, name in enumerate(GATES[cell])
        },
    )


def _sigmoid_in_place(values: Array) -> None:
    """Replace each x by σ(x) = (1 + tanh(x / 2)) / 2, which overflows nowhere."""
    np.multiply(values, 0.5, out=values)
    np.tanh(values, out=values)
    np.add(values, 1.0, out=values)
    np.multiply(values, 0.5, out=values)


def _run(
    cell: str, weights: CellWeights, inputs: Array, *, reset_after: bool, backwards: bool
) -> tuple[Array, Array, Array]:
    """Hidden state (T, B, u), cell state (T, B, u; only an LSTM's means anything) and gates (T, B, G·u).

    Steps come first, so that a step's batch lies together in memory.
    """
    batch, steps, features = inputs.shape
    units = weights.recurrent.shape[0]
    input_bias = weights.bias[0] if weights.bias.ndim > 1 else weights.bias
    by_step = inputs.swapaxes(0, 1).reshape(steps * batch, features)
    # One product for the inputs of all steps; each step then turns its part into its gates in place.
    gates = (by_step @ weights.kernel).reshape(steps, batch, weights.kernel.shape[1])
    gates += input_bias
    hidden = np.empty((steps, batch, units), gates.dtype)
    state = np.empty_like(hidden) if cell == "lstm" else hidden
    step = _step_of(cell, weights, gates.shape[1:], gates.dtype, reset_after=reset_after)
    last_hidden = last_state = np.zeros((batch, units), gates.dtype)
    for t in reversed(range(steps)) if backwards else range(steps):
        step(gates[t], last_hidden, last_state, hidden[t], state[t])
        last_hidden, last_state = hidden[t], state[t]
    return hidden, state, gates


# What one step does: it turns W x + b into the gates' values in place, and fills the two outputs.
_Step = Callable[[Array, Array, Array, Array, Array], None]


def _step_of(
    cell: str, weights: CellWeights, shape: Shape, kind: "np.dtype[np.floating]", *, reset_after: bool
) -> _Step:
    """The cell's step for gates of `shape` (B, G·u), with the memory it works in."""
    recurrent = weights.recurrent
    product = np.empty(shape, kind)
    if cell == "rnn":
        return partial(_elman_step, recurrent, product)
    if cell == "lstm":
        return partial(_lstm_step, recurrent, product)
    if reset_after:
        return partial(_gru_step, recurrent, weights.bias[1], product)
    units = len(recurrent)
    part = np.empty((shape[0], units), kind)
    return partial(_published_gru_step, recurrent[:, : 2 * units], recurrent[:, 2 * units :], product, part)


def _elman_step(
    recurrent: Array,
    product: Array,
    gates: Array,
    hidden: Array,
    _state: Array,
    hidden_out: Array,
    _out: Array,
) -> None:
    gates += np.matmul(hidden, recurrent, out=product)
    np.tanh(gates, out=gates)
    hidden_out[:] = gates


def _lstm_step(
    recurrent: Array, product: Array, gates: Array, hidden: Array, state: Array, hidden_out: Array, out: Array
) -> None:
    units = len(recurrent)
    gates += np.matmul(hidden, recurrent, out=product)
    candidate, output = gates[:, 2 * units : 3 * units], gates[:, 3 * units :]
    _sigmoid_in_place(gates[:, : 2 * units])
    np.tanh(candidate, out=candidate)
    _sigmoid_in_place(output)
    np.multiply(gates[:, units : 2 * units], state, out=out)
    out += np.multiply(gates[:, :units], candidate, out=product[:, :units])
    np.tanh(out, out=hidden_out)
    hidden_out *= output


def _gru_step(
    recurrent: Array,
    bias: Array,
    product: Array,
    gates: Array,
    hidden: Array,
    _state: Array,
    hidden_out: Array,
    _out: Array,
) -> None:
    units = len(recurrent)
    np.matmul(hidden, recurrent, out=product)
    product += bias
    update, both, candidate = gates[:, :units], gates[:, : 2 * units], gates[:, 2 * units :]
    both += product[:, : 2 * units]
    _sigmoid_in_place(both)
    candidate += np.multiply(gates[:, units : 2 * units], product[:, 2 * units :], out=hidden_out)
    np.tanh(candidate, out=candidate)
    _blend(update, hidden, candidate, hidden_out)


def _published_gru_step(
    recurrent_gates: Array,
    recurrent_candidate: Array,
    product: Array,
    part: Array,
    gates: Array,
    hidden: Array,
    _state: Array,
    hidden_out: Array,
    _out: Array,
) -> None:
    units = len(recurrent_gates)
    update, both, candidate = gates[:, :units], gates[:, : 2 * units], gates[:, 2 * units :]
    both += np.matmul(hidden, recurrent_gates, out=product[:, : 2 * units])
    _sigmoid_in_place(both)
    np.multiply(gates[:, units : 2 * units], hidden, out=hidden_out)
    candidate += np.matmul(hidden_out, recurrent_candidate, out=part)
    np.tanh(candidate, out=candidate)
    _blend(update, hidden, candidate, hidden_out)


def _blend(update: Array, hidden: Array, candidate: Array, out: Array) -> None:
    """Write z ∘ h + (1 − z) ∘ g as g + z ∘ (h − g)."""
    np.subtract(hidden, candidate, out=out)
    out *= update
    out += candidate
