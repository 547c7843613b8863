"""The recurrent cells as their papers write them, in NumPy, with Keras's weight layout.

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
ConvLSTM1D (Shi et al., 2015; as Keras has it, without their peepholes), whose step w is a week
    i, f, o = σ(W ∗ x(w) + U ∗ h(w−1) + b)              x, h, c and the gates have a row
    g       = tanh(W ∗ x(w) + U ∗ h(w−1) + b)           for each of the five days p
    c(w)    = f ∘ c(w−1) + i ∘ g,   h(w) = o ∘ tanh(c(w))
    (W ∗ x)(p) = W₋₁ x(p−1) + W₀ x(p) + W₁ x(p+1)       with zeros beyond the week's ends

Each gate has its own W, U and b; they stand side by side in the weights, in the order of `GATES`.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import partial

import numpy as np
from numpy.typing import NDArray

from forecaster.settings import CONVLSTM, WEEK

GATES: dict[str, tuple[str, ...]] = {
    "rnn": ("candidate",),
    "lstm": ("input", "forget", "candidate", "output"),
    "gru": ("update", "reset", "candidate"),
    CONVLSTM: ("input", "forget", "candidate", "output"),
}
KERNEL = 3
"""Days that a ConvLSTM1D's gate reads at once: the day, and its neighbours. Each week back a day more to each
side is in reach; a kernel of five would be a matrix for 19 of the 25 pairs of days."""

Array = NDArray[np.floating]
Shape = tuple[int, ...]


@dataclass(frozen=True)
class CellWeights:
    """One layer's weights, G gates side by side: Keras's shapes and order.

    A ConvLSTM1D has K of the first two, one for each day of its kernel: (K, features, G·units) and
    (K, units, G·units).

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
    """Everything a layer computed: hidden state, cell state (where there is one) and gates, (B, T, units)."""

    hidden: Array
    cell_state: Array | None
    gates: Mapping[str, Array]


def weight_shapes(cell: str, features: int, units: int, *, reset_after: bool = True) -> dict[str, Shape]:
    """The shape of each part of `CellWeights`."""
    width = len(GATES[cell]) * units
    bias = (2, width) if cell == "gru" and reset_after else (width,)
    days = (KERNEL,) if cell == CONVLSTM else ()
    return {"kernel": (*days, features, width), "recurrent": (*days, units, width), "bias": bias}


def parameter_count(cell: str, features: int, units: int, *, reset_after: bool = True) -> int:
    """How many numbers one layer learns.

    SimpleRNN u(u + f + 1); LSTM 4·u(u + f + 1); GRU 3·(u(u + f) + u), with `reset_after` 3·(u(u + f) + 2u);
    ConvLSTM1D with a kernel of k days 4·(k·u(u + f) + u).

    Example:
        >>> parameter_count("gru", features=8, units=32)
        4032
    """
    biases = 2 if cell == "gru" and reset_after else 1
    days = KERNEL if cell == CONVLSTM else 1
    return len(GATES[cell]) * (days * units * (units + features) + biases * units)


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
        cell: one of `GATES`.
        weights: of the layer, in the inputs' precision.
        inputs: (B, T, features), float32 or float64; of a ConvLSTM1D T days are T / 5 weeks.
        reset_after: which GRU; the other cells ignore it.
        backwards: go from the last step to the first.

    Returns:
        (B, T, units). Step t stands at position t also if `backwards`; a ConvLSTM1D's week at its five days.
    """
    hidden, _, _ = _run(cell, weights, inputs, reset_after=reset_after, backwards=backwards)
    return _by_day(cell, hidden)


def trace_layer(
    cell: str, weights: CellWeights, inputs: Array, *, reset_after: bool = True, backwards: bool = False
) -> CellTrace:
    """As `run_layer`, with the cell state and every gate."""
    hidden, cell_state, gates = _run(cell, weights, inputs, reset_after=reset_after, backwards=backwards)
    units = hidden.shape[-1]
    return CellTrace(
        hidden=_by_day(cell, hidden),
        cell_state=_by_day(cell, cell_state) if cell in _WITH_CELL_STATE else None,
        gates={
            name: _by_day(cell, gates[..., place * units : (place + 1) * units])
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
    """Hidden state (S, R, u), cell state (S, R, u; only an LSTM's means anything) and gates (S, R, G·u).

    The S steps come first, so that a step's R rows lie together in memory: one for each sequence, and of a
    ConvLSTM1D, whose step is a week, one for each of its days.
    """
    batch, days, features = inputs.shape
    together = _days_of_step(cell)
    steps, rows = days // together, batch * together
    units, width = weights.recurrent.shape[-2:]
    by_step = inputs.reshape(batch, steps, together, features).swapaxes(0, 1)
    read = _neighbours(by_step) if cell == CONVLSTM else by_step
    kernel = weights.kernel.reshape(-1, width)
    # One product for the inputs of all steps; each step then turns its part into its gates in place.
    gates = (read.reshape(steps * rows, len(kernel)) @ kernel).reshape(steps, rows, width)
    gates += weights.bias[0] if weights.bias.ndim > 1 else weights.bias
    hidden = np.empty((steps, rows, units), gates.dtype)
    state = np.empty_like(hidden) if cell in _WITH_CELL_STATE else hidden
    step = _step_of(cell, weights, gates.shape[1:], gates.dtype, reset_after=reset_after)
    last_hidden = last_state = np.zeros((rows, units), gates.dtype)
    for t in reversed(range(steps)) if backwards else range(steps):
        step(gates[t], last_hidden, last_state, hidden[t], state[t])
        last_hidden, last_state = hidden[t], state[t]
    return hidden, state, gates


def _days_of_step(cell: str) -> int:
    return WEEK if cell == CONVLSTM else 1


def _by_day(cell: str, values: Array) -> Array:
    """From steps and rows, (S, R, n), to sequences and days, (B, T, n)."""
    steps, rows, width = values.shape
    together = _days_of_step(cell)
    batch = rows // together
    apart = values.reshape(steps, batch, together, width).swapaxes(0, 1)
    return apart.reshape(batch, steps * together, width)


def _neighbours(weeks: Array, out: Array | None = None) -> Array:
    """What the kernel meets at each day of a week: the days around it side by side, zeros beyond the ends.

    Args:
        weeks: (..., 5, n).
        out: (..., 5, K·n), whose values beyond the ends are zeros already; made where it is None.

    Example:
        weeks of one number, 1 2 3 4 5, give (0, 1, 2), (1, 2, 3) … (4, 5, 0).
    """
    *others, days, width = weeks.shape
    out = np.zeros((*others, days, KERNEL * width), weeks.dtype) if out is None else out
    for place in range(KERNEL):
        shift = place - KERNEL // 2
        to, of = slice(max(-shift, 0), days - max(shift, 0)), slice(max(shift, 0), days + min(shift, 0))
        out[..., to, place * width : (place + 1) * width] = weeks[..., of, :]
    return out


_WITH_CELL_STATE = ("lstm", CONVLSTM)

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
    if cell == CONVLSTM:
        around = np.zeros((shape[0] // WEEK, WEEK, KERNEL * recurrent.shape[1]), kind)
        return partial(_convlstm_step, recurrent.reshape(-1, shape[1]), product, around)
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
    gates += np.matmul(hidden, recurrent, out=product)
    _keep_and_write(product, gates, state, hidden_out, out)


def _convlstm_step(
    recurrent: Array,
    product: Array,
    around: Array,
    gates: Array,
    hidden: Array,
    state: Array,
    hidden_out: Array,
    out: Array,
) -> None:
    """An LSTM's step, of which the hidden state of a day is that of the days around it side by side."""
    _neighbours(hidden.reshape(len(around), WEEK, hidden.shape[1]), around)
    gates += np.matmul(around.reshape(len(gates), len(recurrent)), recurrent, out=product)
    _keep_and_write(product, gates, state, hidden_out, out)


def _keep_and_write(spare: Array, gates: Array, state: Array, hidden_out: Array, out: Array) -> None:
    """c(t) = f ∘ c(t−1) + i ∘ g and h(t) = o ∘ tanh(c(t)), from gates before σ and tanh; `spare` is used."""
    units = state.shape[1]
    candidate, output = gates[:, 2 * units : 3 * units], gates[:, 3 * units :]
    _sigmoid_in_place(gates[:, : 2 * units])
    np.tanh(candidate, out=candidate)
    _sigmoid_in_place(output)
    np.multiply(gates[:, units : 2 * units], state, out=out)
    out += np.multiply(gates[:, :units], candidate, out=spare[:, :units])
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
