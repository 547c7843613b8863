from dataclasses import replace

import numpy as np
import pytest

from forecaster.laboratory.cells.carousel import carousel, pulse_lives
from forecaster.laboratory.cells.weights import untrained_weights
from forecaster.network.cells import CellWeights, trace_layer

RANDOM = np.random.default_rng(3)
INPUTS = RANDOM.normal(size=(12, 2))


def held(bias: float, units: int = 2) -> CellWeights:
    """An LSTM with a forget gate of σ(bias) throughout, and an input gate that x opens."""
    kernel = np.zeros((1, 4 * units))
    kernel[0, :units] = kernel[0, 2 * units : 3 * units] = 1.0
    biases = np.zeros(4 * units)
    biases[units : 2 * units] = bias
    return CellWeights(kernel, np.zeros((units, 4 * units)), biases)


def test_a_constant_forget_gate_is_a_power() -> None:
    found = carousel(held(1.0), np.zeros((8, 1)))
    kept = 1 / (1 + np.exp(-1.0))
    np.testing.assert_allclose(found.kept, kept ** np.arange(8), rtol=1e-12)
    np.testing.assert_allclose(found.whole, found.product, rtol=1e-12)
    assert found.alone.max() < 1e-15


def test_the_whole_equals_differences_of_the_last_cell_state() -> None:
    """∂c(T)/∂c(t) by running on from a nudged state, for the distance of five steps."""
    weights = untrained_weights("lstm", 2, 3, 0)
    back, nudge, size = 5, 1e-6, 3
    place = len(INPUTS) - back
    trace = trace_layer("lstm", weights, INPUTS[None])
    assert trace.cell_state is not None

    def onward(state: np.ndarray) -> np.ndarray:
        hidden = trace.hidden[0, place - 1]
        for x in INPUTS[place:]:
            inside = x @ weights.kernel + hidden @ weights.recurrent + weights.bias
            i, f, g, o = np.split(inside, 4)
            i, f, o = (1 / (1 + np.exp(-each)) for each in (i, f, o))
            state = f * state + i * np.tanh(g)
            hidden = o * np.tanh(state)
        return state

    # c moves alone here, as h(t) is what the trace had: so that ∂c(T)/∂c(t) has h(t) held fixed.
    state = trace.cell_state[0, place - 1]
    differences = np.stack(
        [(onward(state + nudge * unit) - onward(state - nudge * unit)) / (2 * nudge) for unit in np.eye(size)]
    ).T
    expected = np.linalg.norm(differences, 2)
    assert carousel(weights, INPUTS).whole[back] == pytest.approx(expected, rel=1e-6)


def test_gates_that_do_not_read_h_leave_the_product_alone() -> None:
    weights = untrained_weights("lstm", 2, 3, 0)
    assert carousel(weights, INPUTS).alone.max() < 1e-14
    deaf = replace(weights, recurrent=np.zeros_like(weights.recurrent))
    np.testing.assert_allclose(carousel(deaf, INPUTS).whole, carousel(deaf, INPUTS).product, rtol=1e-12)
    assert carousel(weights, INPUTS).whole[8] > carousel(weights, INPUTS).product[8]


@pytest.mark.parametrize(
    ("bias", "steps"),
    [
        # What is left halves in log 2 / −log σ(bias) steps: 2.2 and 14.2.
        pytest.param(1.0, 2, id="a forget bias of 1"),
        pytest.param(3.0, 14, id="a forget bias of 3"),
    ],
)
def test_half_of_a_pulse_is_left_for_a_half_life(bias: float, steps: int) -> None:
    lives = pulse_lives("lstm", held(bias), np.zeros((2, 30, 1)), 1)
    assert lives["cell"] == steps
    assert lives["hidden"] == pytest.approx(steps, abs=1)


def test_a_simple_rnn_without_recurrence_forgets_at_once() -> None:
    weights = CellWeights(np.ones((1, 2)), np.zeros((2, 2)), np.zeros(2))
    assert pulse_lives("rnn", weights, np.zeros((1, 10, 1)), 3) == {"hidden": 0.0}
