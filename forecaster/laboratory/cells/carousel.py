"""An LSTM's cell state: the product of forget gates along it, and how long a pulse lasts in c and in h.

With what the gates have read held fixed, c(T) = f(T) ∘ c(T−1) + i(T) ∘ g(T) gives

    ∂c(T)/∂c(t) = f(T) ∘ f(T−1) ∘ … ∘ f(t+1),

Hochreiter & Schmidhuber's "constant error carousel" (1997, section 3.2), where f was 1. The gates read
h(t−1), which depends on c(t−1), so that in a whole LSTM paths through them are added.
"""

from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from forecaster.laboratory.cells.jacobians import step_jacobians
from forecaster.network.cells import Array, CellWeights, trace_layer

Float = NDArray[np.float64]


@dataclass(frozen=True)
class Carousel:
    """What moves c(T), by distance d = T − t; position d is distance d, each (T,).

    Attributes:
        alone: the largest difference between ∂c(T)/∂c(t) and the product of forget gates where the
            gates do not read h.
        kept: geometric mean over units of the product of forget gates.
        whole: spectral norm of ∂c(T)/∂c(t) with all paths.
        product: largest product of forget gates of any unit: the norm of the direct path alone.
    """

    alone: Float
    kept: Float
    whole: Float
    product: Float


def carousel(weights: CellWeights, inputs: Float) -> Carousel:
    """Multiply an LSTM's Jacobians along one series, (T, f), and set the forget gates' product beside them.

    Args:
        weights: of an LSTM, float64.
        inputs: (T, f).
    """
    deaf = replace(weights, recurrent=np.zeros_like(weights.recurrent))
    alone = np.abs(_by_state(deaf, inputs) - _diagonals(_products(deaf, inputs))).max(axis=(1, 2))
    products = _products(weights, inputs)
    return Carousel(
        alone=alone,
        kept=np.exp(np.log(products).mean(axis=1)),
        whole=np.linalg.norm(_by_state(weights, inputs), 2, axis=(1, 2)),
        product=products.max(axis=1),
    )


def pulse_lives(cell: str, weights: CellWeights, inputs: Array, at: int) -> dict[str, float]:
    """Steps for which at least half of what a pulse in x did at its most is left in h, and in an LSTM's c.

    Args:
        cell: "rnn", "lstm" or "gru".
        weights: of it.
        inputs: (N, T, f).
        at: the step, from 0, at which 1 is added to every feature.

    Returns:
        Means over the sequences by state, "hidden" and for an LSTM "cell"; at most T − 1 − `at`.
    """
    pulsed = inputs.copy()
    pulsed[:, at] += 1
    traces = [trace_layer(cell, weights, each) for each in (inputs, pulsed)]
    lives = {"hidden": _life(traces[1].hidden - traces[0].hidden, at)}
    before, after = (trace.cell_state for trace in traces)
    if before is not None and after is not None:
        lives["cell"] = _life(after - before, at)
    return lives


def _life(change: Array, at: int) -> float:
    """The last step, counted from `at`, on which the change (N, T, u) is half of its most or longer."""
    length = np.linalg.norm(change[:, at:], axis=2)  # (N, T − at)
    left = length >= length.max(axis=1, keepdims=True) / 2
    last = left.shape[1] - 1 - np.argmax(left[:, ::-1], axis=1)
    return float(last.mean())


def _products(weights: CellWeights, inputs: Float) -> Float:
    """Those of forget gates by distance from the last step: 1, f(T), f(T) f(T−1) and so on, (T, u)."""
    forget = trace_layer("lstm", weights, inputs[None]).gates["forget"][0]
    backwards = np.concatenate([np.ones_like(forget[:1]), forget[:0:-1]])
    products: Float = np.cumprod(backwards, axis=0)
    return products


def _by_state(weights: CellWeights, inputs: Float) -> Float:
    """∂c(T)/∂c(t) by distance, (T, u, u), through all paths."""
    jacobians = step_jacobians("lstm", weights, inputs).state
    units = jacobians.shape[1] // 2
    onward = np.eye(2 * units)[units:]
    found = []
    for t in reversed(range(len(jacobians))):
        found.append(onward[:, units:])
        onward = onward @ jacobians[t]
    return np.array(found)


def _diagonals(values: Float) -> Float:
    return values[..., None] * np.eye(values.shape[-1])
