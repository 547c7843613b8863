"""Untrained weights as Keras draws them, without Keras: for looking at a cell before it is trained."""

from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from forecaster.network.cells import CellWeights, weight_shapes


def untrained_weights(
    cell: str, features: int, units: int, seed: int, *, reset_after: bool = True, recurrent_scale: float = 1.0
) -> CellWeights:
    """Keras's initial weights: Glorot-uniform kernel, orthogonal recurrent rows, an LSTM's forget bias 1.

    Sources: Glorot & Bengio, "Understanding the difficulty of training deep feedforward neural
    networks", 2010; Saxe, McClelland & Ganguli, "Exact solutions to the nonlinear dynamics of
    learning in deep linear neural networks", 2014; Jozefowicz, Zaremba & Sutskever, "An empirical
    exploration of recurrent network architectures", 2015 (the forget bias).

    Args:
        cell: "rnn", "lstm" or "gru".
        features: f.
        units: u.
        seed: of the draw.
        reset_after: which GRU.
        recurrent_scale: what the recurrent matrix is multiplied by; 1 is Keras's.

    Returns:
        float64 weights.
    """
    random = np.random.default_rng(seed)
    shapes = weight_shapes(cell, features, units, reset_after=reset_after)
    width = shapes["kernel"][1]
    limit = np.sqrt(6 / (features + width))
    bias = np.zeros(shapes["bias"])
    if cell == "lstm":
        bias[units : 2 * units] = 1.0
    return CellWeights(
        kernel=random.uniform(-limit, limit, shapes["kernel"]),
        recurrent=recurrent_scale * _orthogonal(random, units, width),
        bias=bias,
    )


def open_gates(cell: str, weights: CellWeights, longest: int, seed: int) -> CellWeights:
    """The same weights with gates that start out holding for up to `longest` steps; a SimpleRNN has none.

    The bias of the gate that keeps (an LSTM's forget gate, a GRU's update gate) is log of a uniform
    draw from 1 to `longest` − 1, so that a unit forgets in about that many steps; an LSTM's input
    gate gets the opposite. The LSTM of 1997 had no forget gate and held for ever.

    Source: Tallec & Ollivier, "Can recurrent neural networks warp time?", 2018.
    """
    if cell == "rnn":
        return weights
    units = len(weights.recurrent)
    held = np.log(np.random.default_rng(seed).uniform(1, max(longest - 1, 2), units))
    bias = weights.bias.copy()
    if cell == "lstm":
        bias[:units], bias[units : 2 * units] = -held, held
    else:
        np.atleast_2d(bias)[0, :units] = held
    return replace(weights, bias=bias)


def _orthogonal(random: np.random.Generator, rows: int, columns: int) -> NDArray[np.float64]:
    """(rows, columns) with orthonormal rows, columns ≥ rows."""
    basis, triangle = np.linalg.qr(random.normal(size=(columns, rows)))
    # The sign of the triangle's diagonal makes the draw uniform over all such matrices.
    uniform: NDArray[np.float64] = (basis * np.sign(np.diag(triangle))).T
    return uniform
