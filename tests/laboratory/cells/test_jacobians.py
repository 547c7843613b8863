import math

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from numpy.typing import NDArray

from forecaster.laboratory.cells.jacobians import reach, step_jacobians
from forecaster.laboratory.cells.weights import untrained_weights
from forecaster.network.cells import CellWeights, run_layer, trace_layer

FORMS = [
    pytest.param("rnn", True, id="rnn"),
    pytest.param("lstm", True, id="lstm"),
    pytest.param("gru", True, id="gru reset after"),
    pytest.param("gru", False, id="gru as published"),
]
Float = NDArray[np.float64]


def lively_weights(cell: str, features: int, units: int, *, reset_after: bool) -> CellWeights:
    """Untrained weights with biases that are not zero."""
    weights = untrained_weights(cell, features, units, 1, reset_after=reset_after, recurrent_scale=1.5)
    bias = np.random.default_rng(2).normal(0, 0.5, weights.bias.shape)
    return CellWeights(weights.kernel, weights.recurrent, bias)


def some_inputs(steps: int, features: int) -> Float:
    return np.random.default_rng(0).normal(size=(steps, features))


def jax_step(cell: str, weights: CellWeights, reset_after: bool, state: jax.Array, x: jax.Array) -> jax.Array:
    """The cell's equations once more, for automatic differentiation."""
    units = weights.recurrent.shape[0]
    h = state[:units]
    bias = np.atleast_2d(weights.bias)
    inside, recalled = x @ weights.kernel + bias[0], h @ weights.recurrent
    if cell == "rnn":
        return jnp.tanh(inside + recalled)
    if cell == "lstm":
        i, f, g, o = jnp.split(inside + recalled, 4)
        c = jax.nn.sigmoid(f) * state[units:] + jax.nn.sigmoid(i) * jnp.tanh(g)
        return jnp.concatenate([jax.nn.sigmoid(o) * jnp.tanh(c), c])
    if reset_after:
        recalled = recalled + bias[1]
    z, r = jax.nn.sigmoid((inside + recalled)[: 2 * units]).reshape(2, units)
    again = r * recalled[2 * units :] if reset_after else (r * h) @ weights.recurrent[:, 2 * units :]
    return z * h + (1 - z) * jnp.tanh(inside[2 * units :] + again)


@pytest.mark.parametrize(("cell", "reset_after"), FORMS)
def test_reach_equals_automatic_differentiation(cell: str, reset_after: bool) -> None:
    units, steps = 4, 7
    weights = lively_weights(cell, 3, units, reset_after=reset_after)
    inputs = some_inputs(steps, 3)
    found = reach(step_jacobians(cell, weights, inputs, reset_after=reset_after), units)
    with jax.enable_x64(True):

        def last(start: jax.Array, later: jax.Array) -> jax.Array:
            for x in later:
                start = jax_step(cell, weights, reset_after, start, x)
            return start[:units]

        state = jnp.zeros(2 * units if cell == "lstm" else units)
        for t, x in enumerate(inputs):
            state = jax_step(cell, weights, reset_after, state, jnp.asarray(x))
            by_state = jax.jacobian(last)(state, jnp.asarray(inputs[t + 1 :]))
            np.testing.assert_allclose(found.state[t], by_state, atol=1e-12)
        by_inputs = jax.jacobian(last, 1)(jnp.zeros_like(state), jnp.asarray(inputs))
    np.testing.assert_allclose(found.inputs, np.moveaxis(by_inputs, 1, 0), atol=1e-12)


@pytest.mark.parametrize(("cell", "reset_after"), FORMS)
def test_reach_of_inputs_equals_finite_differences(cell: str, reset_after: bool) -> None:
    units, steps, nudge = 5, 12, 1e-6
    weights = lively_weights(cell, 2, units, reset_after=reset_after)
    inputs = some_inputs(steps, 2)
    found = reach(step_jacobians(cell, weights, inputs, reset_after=reset_after), units).inputs
    for t in range(steps):
        for feature in range(2):
            shift = np.zeros_like(inputs)
            shift[t, feature] = nudge
            up, down = (
                run_layer(cell, weights, (inputs + sign * shift)[None], reset_after=reset_after)[0, -1]
                for sign in (1, -1)
            )
            np.testing.assert_allclose(found[t, :, feature], (up - down) / (2 * nudge), atol=1e-8)


def test_two_elman_units_by_hand() -> None:
    """h = tanh(x + U h⁻) with two units: ∂h₁/∂h₂⁻ is (1 − h₁²) times the weight from 2 to 1."""
    weights = CellWeights(np.array([[1.0, 1.0]]), np.array([[0.5, -1.0], [2.0, 0.25]]), np.zeros(2))
    found = step_jacobians("rnn", weights, np.array([[0.3], [-0.2]]))
    first = math.tanh(0.3)
    one = math.tanh(-0.2 + 0.5 * first + 2.0 * first)
    two = math.tanh(-0.2 - 1.0 * first + 0.25 * first)
    by_hand = [
        [(1 - one**2) * 0.5, (1 - one**2) * 2.0],
        [(1 - two**2) * -1.0, (1 - two**2) * 0.25],
    ]
    np.testing.assert_allclose(found.state[1], by_hand, atol=1e-15)
    np.testing.assert_allclose(found.inputs[1], [[1 - one**2], [1 - two**2]], atol=1e-15)


def test_two_lstm_units_by_hand() -> None:
    """With no weight on h, the cell state is carried by f alone, and shows as o (1 − tanh² c)."""
    kernel = np.zeros((1, 8))
    kernel[0, 4:6] = 1.0  # the candidates
    bias = np.array([0, 0, 2.0, -1.0, 0, 0, 0.5, 0.5])  # i = ½, f = σ(2), σ(−1), o = σ(½)
    found = step_jacobians("lstm", CellWeights(kernel, np.zeros((2, 8)), bias), np.array([[0.4], [0.8]]))
    forget = [1 / (1 + math.exp(-2)), 1 / (1 + math.exp(1))]
    output = 1 / (1 + math.exp(-0.5))
    for unit in range(2):
        state = forget[unit] * 0.5 * math.tanh(0.4) + 0.5 * math.tanh(0.8)
        seen = output * (1 - math.tanh(state) ** 2)
        assert found.state[1, 2 + unit, 2 + unit] == pytest.approx(forget[unit])
        assert found.state[1, unit, 2 + unit] == pytest.approx(seen * forget[unit])
        assert found.inputs[1, 2 + unit, 0] == pytest.approx(0.5 * (1 - math.tanh(0.8) ** 2))
    assert not found.state[1][:, :2].any()


def test_two_gru_units_by_hand() -> None:
    """With no recurrent weight a state is carried by z alone: z₁ = ½ and z₂ = σ(1)."""
    bias = np.zeros((2, 6))
    bias[0, 1] = 1.0
    weights = CellWeights(np.zeros((1, 6)), np.zeros((2, 6)), bias)
    found = reach(step_jacobians("gru", weights, np.zeros((4, 1))), 2)
    kept = 1 / (1 + math.exp(-1))
    np.testing.assert_allclose(found.state[0], np.diag([0.5**3, kept**3]), atol=1e-15)


def test_the_trace_in_use_is_the_cells_own() -> None:
    weights = lively_weights("gru", 3, 4, reset_after=True)
    inputs = some_inputs(5, 3)
    hidden = trace_layer("gru", weights, inputs[None]).hidden[0]
    state = jnp.zeros(4)
    for x in inputs:
        state = jax_step("gru", weights, True, state, jnp.asarray(x))
    np.testing.assert_allclose(hidden[-1], state, atol=1e-6)
