"""One cell taken step by step through a short series: each equation with its numbers put in."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from forecaster.network.cells import GATES, CellTrace, CellWeights, trace_layer

Float = NDArray[np.float64]

SYMBOLS = {"input": "i", "forget": "f", "output": "o", "update": "z", "reset": "r", "candidate": "g"}
_MOST_TERMS = 4  # a line with more products than these does not fit a screen


@dataclass(frozen=True)
class Walk:
    """A cell's run over one series.

    Attributes:
        cell: "rnn", "lstm" or "gru".
        reset_after: which GRU.
        weights: of the layer, float64.
        inputs: (T, f).
        labels: (T,) what each step is called.
        trace: gates and states, batch of one.
    """

    cell: str
    reset_after: bool
    weights: CellWeights
    inputs: Float
    labels: tuple[str, ...]
    trace: CellTrace

    @property
    def units(self) -> int:
        """Units of the cell."""
        return len(self.weights.recurrent)

    def before(self, states: NDArray[np.floating], step: int) -> Float:
        """The state (u,) that step `step`, from 1, starts from: zeros at the first."""
        if step == 1:
            return np.zeros(self.units)
        return np.asarray(states[0, step - 2], dtype=np.float64)


def walk(
    cell: str, weights: CellWeights, inputs: Float, labels: Sequence[str], *, reset_after: bool = True
) -> Walk:
    """Run the cell over (T, f) inputs from a zero state, keeping every gate."""
    exact = CellWeights(*(np.asarray(part, np.float64) for part in vars(weights).values()))
    values = np.asarray(inputs, np.float64)
    trace = trace_layer(cell, exact, values[None], reset_after=reset_after)
    return Walk(cell, reset_after, exact, values, tuple(labels), trace)


def equations(walked: Walk, step: int, unit: int) -> list[str]:
    """Every equation of one unit at one step, both counted from 1, with numbers in it, as lines of text.

    The last number of each line is what the cell computed.
    """
    unit -= 1
    lines = [_gate(walked, gate, step, unit) for gate in GATES[walked.cell]]
    gate = {name: float(values[0, step - 1, unit]) for name, values in walked.trace.gates.items()}
    hidden = float(walked.trace.hidden[0, step - 1, unit])
    before = float(walked.before(walked.trace.hidden, step)[unit])
    if walked.cell == "rnn":
        return [*lines, f"h = g = {_number(hidden)}"]
    if walked.cell == "gru":
        z, g = gate["update"], gate["candidate"]
        blend = f"{_number(z)}·{_factor(before)} + {_number(1 - z)}·{_factor(g)}"
        return [*lines, f"h = z·h(t−1) + (1 − z)·g = {blend} = {_number(hidden)}"]
    cells = walked.trace.cell_state
    assert cells is not None  # noqa: S101  (an LSTM's trace has one)
    state, last = float(cells[0, step - 1, unit]), float(walked.before(cells, step)[unit])
    kept = f"{_number(gate['forget'])}·{_factor(last)}"
    written = f"{_number(gate['input'])}·{_factor(gate['candidate'])}"
    shown = f"{_number(gate['output'])}·tanh({_number(state)})"
    return [
        *lines,
        f"c = f·c(t−1) + i·g = {kept} + {written} = {_number(state)}",
        f"h = o·tanh(c) = {shown} = {_number(hidden)}",
    ]


def _gate(walked: Walk, gate: str, step: int, unit: int) -> str:
    """`i = σ(W·x + U·h + b) = σ(0.1 + 0.2 + 0.3) = 0.6457`, products written out where they fit."""
    column = GATES[walked.cell].index(gate) * walked.units + unit
    weights, x = walked.weights, walked.inputs[step - 1]
    hidden = walked.before(walked.trace.hidden, step)
    value = float(walked.trace.gates[gate][0, step - 1, unit])
    name = "tanh" if gate == "candidate" else "σ"
    from_input = _product(weights.kernel[:, column], x)
    if walked.cell == "gru" and gate == "candidate":
        return _gru_candidate(walked, column, from_input, hidden, step, unit)
    bias = float(np.atleast_2d(weights.bias)[:, column].sum())
    inside = f"{from_input} + {_product(weights.recurrent[:, column], hidden)} + {_factor(bias)}"
    return f"{SYMBOLS[gate]} = {name}(Wx + Uh + b) = {name}({inside}) = {_number(value)}"


def _gru_candidate(walked: Walk, column: int, from_input: str, hidden: Float, step: int, unit: int) -> str:
    weights, gates = walked.weights, walked.trace.gates
    reset = np.asarray(gates["reset"][0, step - 1], np.float64)
    recurrent = weights.recurrent[:, column]
    value = _number(float(gates["candidate"][0, step - 1, unit]))
    if walked.reset_after:
        own, inner = weights.bias[0, column], weights.bias[1, column]
        recalled = f"{_number(float(reset[unit]))}·({_product(recurrent, hidden)} + {_factor(inner)})"
        inside = f"{from_input} + {_factor(own)} + {recalled}"
        return f"g = tanh(Wx + b + r·(Uh + b′)) = tanh({inside}) = {value}"
    inside = f"{from_input} + {_product(recurrent, reset * hidden)} + {_factor(weights.bias[column])}"
    return f"g = tanh(Wx + U(r∘h) + b) = tanh({inside}) = {value}"


def _product(row: NDArray[np.floating], values: Float) -> str:
    """The products of a row with a column vector, or only their sum where they are many."""
    if len(values) > _MOST_TERMS:
        return _factor(float(row @ values))
    return " + ".join(f"{_factor(a)}·{_factor(b)}" for a, b in zip(row, values, strict=True))


def _number(value: float) -> str:
    """Four decimals with a true minus sign; no minus zero."""
    return f"{value:.4f}".replace("-", "−") if round(value, 4) else "0.0000"


def _factor(value: float) -> str:
    """A number inside a sum or product: negative ones in brackets."""
    text = _number(float(value))
    return f"({text})" if text.startswith("−") else text
