"""A GRU is an LSTM whose gates are coupled: where the identity holds, and where it stops.

Take the LSTM's cell state c and write

    f = z, i = 1 − z,  c(t) = f ∘ c(t−1) + i ∘ g,  h(t) = c(t)  (no tanh on the way out),

let the gates read h, and let the output gate stand not on the way out but on the way into the
candidate, o = r:  g = tanh(W x + U (r ∘ h) + b). That is the GRU as Cho et al. (2014) published
it, with z the share that is kept, as in `network/cells.py` and in Keras. Chung et al. (2014) call
the other share z, and the identity then reads f = 1 − z, i = z; nothing else changes. Each
difference between the two cells can be put back alone, to see what it does.
"""

from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from forecaster.network.cells import CellWeights, run_layer

Float = NDArray[np.float64]


@dataclass(frozen=True)
class Coupling:
    """Which of the four ties to the GRU hold; with all of them the cell is the GRU.

    Attributes:
        coupled: i = 1 − f; else i is a gate of its own, with f's weights and the sign turned only
            for the input (so that it is free to differ).
        identity_output: h = c; else h = tanh(c).
        gates_see_state: f reads c itself; else it reads o ∘ h like an LSTM, whose gates all see
            what the output gate lets through.
        shown_whole: the layer's answer is h; else o ∘ h, as an LSTM's.
    """

    coupled: bool = True
    identity_output: bool = True
    gates_see_state: bool = True
    shown_whole: bool = True


@dataclass(frozen=True)
class Difference:
    """The largest difference from the GRU over all steps and units with one tie cut."""

    what: str
    largest: float


def run_coupled(weights: CellWeights, inputs: Float, ties: Coupling) -> Float:
    """Run the LSTM with the GRU's weights (as published: one bias) over (T, f); hidden (T, u)."""
    units = len(weights.recurrent)
    kernel, recurrent, bias = (np.split(part, 3, axis=-1) for part in vars(weights).values())
    state = np.zeros(units)
    shown = []
    for x in inputs:
        h = state if ties.identity_output else np.tanh(state)
        output = _sigmoid(x @ kernel[1] + h @ recurrent[1] + bias[1])
        seen = h if ties.gates_see_state else output * h
        forget = _sigmoid(x @ kernel[0] + seen @ recurrent[0] + bias[0])
        free = _sigmoid(-(x @ kernel[0]) + seen @ recurrent[0] - bias[0])
        candidate = np.tanh(x @ kernel[2] + (output * h) @ recurrent[2] + bias[2])
        state = forget * state + (1 - forget if ties.coupled else free) * candidate
        answer = state if ties.identity_output else np.tanh(state)
        shown.append(answer if ties.shown_whole else output * answer)
    return np.array(shown)


def coupling_differences(weights: CellWeights, inputs: Float) -> list[Difference]:
    """How far the coupled LSTM is from the GRU with all ties, and with each one cut.

    Args:
        weights: of a GRU as published, float64.
        inputs: (T, f).
    """
    gru = run_layer("gru", weights, inputs[None], reset_after=False)[0]
    whole = Coupling()
    cases = {
        "f = z, i = 1 − z, o = r before the candidate, h = c": whole,
        "input gate of its own": replace(whole, coupled=False),
        "h = tanh(c) on the way out": replace(whole, identity_output=False),
        "forget gate reads o∘h": replace(whole, gates_see_state=False),
        "output gate on the way out": replace(whole, shown_whole=False),
    }
    return [
        Difference(what, float(np.abs(run_coupled(weights, inputs, ties) - gru).max()))
        for what, ties in cases.items()
    ]


def _sigmoid(values: Float) -> Float:
    share: Float = 0.5 * (1 + np.tanh(0.5 * values))
    return share
