import math
from collections.abc import Callable

import numpy as np
import pytest
from numpy.typing import NDArray
from scipy.stats import t as student_t

from forecaster.laboratory.cells.gradients import (
    LARGEST_RADIUS,
    Probe,
    at_scales,
    explodes_from,
    growth,
    half_life,
    profile,
)
from forecaster.laboratory.cells.jacobians import cross_entropy_slope, squared_slope, student_t_slope
from forecaster.laboratory.cells.weights import untrained_weights
from forecaster.network.cells import CellWeights, run_layer

Float = NDArray[np.float64]
RANDOM = np.random.default_rng(7)


def slope_by_differences(loss: Callable[[Float], float], at: Float, nudge: float = 1e-6) -> Float:
    """Central differences of a scalar function of a vector."""
    unit = np.eye(len(at)) * nudge
    return np.array([(loss(at + each) - loss(at - each)) / (2 * nudge) for each in unit])


def test_student_t_slope_equals_differences_of_scipys_density() -> None:
    raw, target = RANDOM.normal(size=9), RANDOM.normal(size=3)

    def loss(values: Float) -> float:
        location, log_scale, raw_degrees = np.split(values, 3)
        degrees = 2.1 + np.logaddexp(0, raw_degrees)
        return -student_t.logpdf(target, degrees, location, np.exp(log_scale)).mean()

    np.testing.assert_allclose(student_t_slope(raw, target), slope_by_differences(loss, raw), atol=1e-8)


def test_task_slopes_equal_differences() -> None:
    answer = RANDOM.normal(size=4)
    truth = np.eye(4)[2]
    squared = slope_by_differences(lambda at: np.square(at - truth).mean(), answer)
    np.testing.assert_allclose(squared_slope(answer, truth), squared, atol=1e-8)
    entropy = slope_by_differences(lambda at: np.log(np.exp(at).sum()) - at @ truth, answer)
    np.testing.assert_allclose(cross_entropy_slope(answer, truth), entropy, atol=1e-8)


def make_probe(cell: str, steps: int = 9) -> Probe:
    return Probe(
        label=cell,
        cell=cell,
        weights=untrained_weights(cell, 2, 3, 0),
        head=RANDOM.normal(size=(3, 1)),
        head_bias=np.zeros(1),
        slope=squared_slope,
        inputs=RANDOM.normal(size=(1, steps, 2)),
        targets=np.ones((1, 1)),
    )


@pytest.mark.parametrize("cell", ["rnn", "lstm", "gru"])
def test_loss_by_input_equals_differences_of_the_loss(cell: str) -> None:
    probe = make_probe(cell)

    def loss(flat: Float) -> float:
        hidden = run_layer(cell, probe.weights, flat.reshape(1, 9, 2))[0, -1]
        return np.square(hidden @ probe.head + probe.head_bias - 1).mean()

    slopes = slope_by_differences(loss, probe.inputs[0].ravel()).reshape(9, 2)
    expected = np.linalg.norm(slopes, axis=1)[::-1]  # by distance from the last step
    np.testing.assert_allclose(profile(probe).loss, expected, rtol=1e-5, atol=1e-10)


@pytest.mark.parametrize("cell", ["rnn", "lstm", "gru"])
def test_distance_zero_is_the_state_itself(cell: str) -> None:
    assert profile(make_probe(cell)).state[0] == pytest.approx(1)


def test_a_lstm_that_forgets_at_one_rate_has_its_half_life() -> None:
    """With no other weights ∂h/∂s falls by f a step: σ(2) has a half-life of log 2 / −log σ(2)."""
    bias = np.array([0, 0, 2.0, 2.0, 0, 0, 0, 0])
    weights = CellWeights(np.zeros((1, 8)), np.zeros((2, 8)), bias)
    probe = Probe(
        "", "lstm", weights, np.ones((2, 1)), np.zeros(1), squared_slope, np.ones((1, 40, 1)), np.ones((1, 1))
    )
    forget = 1 / (1 + math.exp(-2))
    assert half_life(profile(probe).state[1:]) == pytest.approx(-math.log(2) / math.log(forget))


@pytest.mark.parametrize(
    ("norms", "steps"),
    [
        pytest.param([1, 0.5, 0.25], 1.0, id="halves"),
        pytest.param([1, 0.25, 0.0625], 0.5, id="quarters"),
        pytest.param([1, 2, 4], math.inf, id="grows"),
        pytest.param([1, 0, 0], 0.0, id="gone at once"),
    ],
)
def test_half_life(norms: list[float], steps: float) -> None:
    assert half_life(np.array(norms, float)) == pytest.approx(steps)


def test_an_orthogonal_matrix_times_two_doubles_the_gradient_at_every_step() -> None:
    """With inputs of zero an Elman cell is linear: its Jacobian is the recurrent matrix itself."""
    ((_, norms),) = at_scales("rnn", (2.0,), 6, 0, np.zeros((2, 11, 3)))
    np.testing.assert_allclose(norms, 2.0 ** np.arange(11))


@pytest.mark.parametrize(
    ("norms", "doublings"),
    [([1, 2, 4], 1), ([8, 4, 2, 1], -1), ([3, 3, 3], 0), ([1, 0, 0], -math.inf)],
    ids=["doubling", "halving", "constant", "gone at once"],
)
def test_growth_by_hand(norms: list[float], doublings: float) -> None:
    assert growth(np.array(norms, float)) == pytest.approx(doublings, abs=1e-12)


def test_without_inputs_a_simple_rnn_explodes_from_a_spectral_radius_of_one() -> None:
    """Its state is zero, where tanh has the slope 1: the norm goes as the radius to the power of steps."""
    silent = np.zeros((1, 20, 2))
    assert explodes_from("rnn", 8, 0, silent) == pytest.approx(1, abs=0.02)
    loud = 5 * np.ones((1, 20, 2))
    assert explodes_from("rnn", 8, 0, loud) > 1.5
    assert explodes_from("gru", 8, 0, loud) == LARGEST_RADIUS
