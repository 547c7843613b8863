import keras
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray

from forecaster.network.cells import (
    GATES,
    CellWeights,
    parameter_count,
    run_layer,
    trace_layer,
    weight_shapes,
)

KERAS_LAYERS = {"rnn": keras.layers.SimpleRNN, "lstm": keras.layers.LSTM, "gru": keras.layers.GRU}
FORMS = [
    pytest.param("rnn", True, id="rnn"),
    pytest.param("lstm", True, id="lstm"),
    pytest.param("gru", True, id="gru reset after"),
    pytest.param("gru", False, id="gru as published"),
]


def random_weights(
    cell: str, features: int, units: int, *, reset_after: bool = True, seed: int = 0, kind: str = "f4"
) -> CellWeights:
    random = np.random.default_rng(seed)
    shapes = weight_shapes(cell, features, units, reset_after=reset_after).values()
    return CellWeights(*(random.normal(0, 0.5, shape).astype(kind) for shape in shapes))


def random_inputs(
    batch: int = 3, steps: int = 9, features: int = 4, kind: str = "f4"
) -> NDArray[np.floating]:
    return np.random.default_rng(1).normal(size=(batch, steps, features)).astype(kind)


def keras_layer(cell: str, units: int, *, reset_after: bool = True) -> keras.layers.Layer:
    form = {"reset_after": reset_after} if cell == "gru" else {}
    return KERAS_LAYERS[cell](units, return_sequences=True, **form)


def as_list(weights: CellWeights) -> list[NDArray[np.floating]]:
    return [weights.kernel, weights.recurrent, weights.bias]


def sigmoid(x: float) -> float:
    return 1 / (1 + np.exp(-x))


@pytest.mark.parametrize("layers", [1, 2, 3])
@pytest.mark.parametrize(("cell", "reset_after"), FORMS)
def test_stacked_layers_equal_keras(cell: str, reset_after: bool, layers: int) -> None:
    units = 5
    ours = theirs = random_inputs()
    for number in range(layers):
        weights = random_weights(cell, ours.shape[-1], units, reset_after=reset_after, seed=number)
        layer = keras_layer(cell, units, reset_after=reset_after)
        layer.build(theirs.shape)
        layer.set_weights(as_list(weights))
        theirs = layer(theirs)
        ours = run_layer(cell, weights, ours, reset_after=reset_after)
    np.testing.assert_allclose(ours, keras.ops.convert_to_numpy(theirs), atol=1e-5, rtol=0)


@pytest.mark.parametrize(("cell", "reset_after"), FORMS)
def test_both_ways_equal_keras_bidirectional(cell: str, reset_after: bool) -> None:
    inputs = random_inputs()
    forward, backward = (random_weights(cell, 4, 5, reset_after=reset_after, seed=seed) for seed in (1, 2))
    layer = keras.layers.Bidirectional(keras_layer(cell, 5, reset_after=reset_after), merge_mode="concat")
    layer.build(inputs.shape)
    layer.set_weights([*as_list(forward), *as_list(backward)])
    ours = np.concatenate(
        [
            run_layer(cell, forward, inputs, reset_after=reset_after),
            run_layer(cell, backward, inputs, reset_after=reset_after, backwards=True),
        ],
        axis=-1,
    )
    np.testing.assert_allclose(ours, keras.ops.convert_to_numpy(layer(inputs)), atol=1e-5, rtol=0)


@pytest.mark.parametrize(("cell", "reset_after"), FORMS)
@given(features=st.integers(1, 40), units=st.integers(1, 300))
def test_parameter_count_is_the_size_of_the_weights(
    cell: str, reset_after: bool, features: int, units: int
) -> None:
    shapes = weight_shapes(cell, features, units, reset_after=reset_after).values()
    assert parameter_count(cell, features, units, reset_after=reset_after) == sum(map(np.prod, shapes))


@pytest.mark.parametrize(("features", "units"), [(1, 1), (8, 32), (3, 128), (64, 7)])
@pytest.mark.parametrize(("cell", "reset_after"), FORMS)
def test_parameter_count_is_that_of_keras(cell: str, reset_after: bool, features: int, units: int) -> None:
    layer = keras_layer(cell, units, reset_after=reset_after)
    layer.build((None, None, features))
    assert parameter_count(cell, features, units, reset_after=reset_after) == layer.count_params()


@pytest.mark.parametrize(
    ("cell", "reset_after", "count"),
    [("rnn", True, 1312), ("lstm", True, 5248), ("gru", True, 4032), ("gru", False, 3936)],
)
def test_parameter_count_by_hand(cell: str, reset_after: bool, count: int) -> None:
    assert parameter_count(cell, 8, 32, reset_after=reset_after) == count


def test_two_elman_units_by_hand() -> None:
    weights = CellWeights(
        kernel=np.array([[0.5, -1.0]]),
        recurrent=np.array([[0.0, 2.0], [1.0, 0.0]]),
        bias=np.array([0.1, 0.0]),
    )
    hidden = run_layer("rnn", weights, np.array([[[1.0], [2.0]]]))
    first = np.tanh(0.6), np.tanh(-1.0)
    second = np.tanh(1.1 + first[1]), np.tanh(-2.0 + 2 * first[0])
    np.testing.assert_allclose(hidden, [[first, second]], rtol=1e-14)


def test_two_lstm_units_by_hand() -> None:
    random = random_weights("lstm", 1, 2, kind="f8")
    trace = trace_layer("lstm", random, np.array([[[1.0], [-2.0]]]))
    hidden, state = [0.0, 0.0], [0.0, 0.0]
    for step, x in enumerate((1.0, -2.0)):
        total = [
            x * random.kernel[0, j]
            + hidden[0] * random.recurrent[0, j]
            + hidden[1] * random.recurrent[1, j]
            + random.bias[j]
            for j in range(8)
        ]
        for unit in (0, 1):
            i, f, o = (sigmoid(total[place + unit]) for place in (0, 2, 6))
            state[unit] = f * state[unit] + i * np.tanh(total[4 + unit])
            hidden[unit] = o * np.tanh(state[unit])
            assert trace.gates["forget"][0, step, unit] == pytest.approx(f, rel=1e-14)
        np.testing.assert_allclose(trace.cell_state[0, step], state, rtol=1e-14)
        np.testing.assert_allclose(trace.hidden[0, step], hidden, rtol=1e-14)


@pytest.mark.parametrize("backwards", [False, True], ids=["forwards", "backwards"])
@pytest.mark.parametrize(("cell", "reset_after"), FORMS)
def test_trace_holds_the_gates_that_made_the_hidden_state(
    cell: str, reset_after: bool, backwards: bool
) -> None:
    weights = random_weights(cell, 4, 5, reset_after=reset_after, kind="f8")
    inputs = random_inputs(kind="f8")
    trace = trace_layer(cell, weights, inputs, reset_after=reset_after, backwards=backwards)
    hidden = run_layer(cell, weights, inputs, reset_after=reset_after, backwards=backwards)
    np.testing.assert_array_equal(trace.hidden, hidden)
    assert tuple(trace.gates) == GATES[cell]

    def before(values: NDArray[np.floating]) -> NDArray[np.floating]:
        zero = np.zeros_like(values[:, :1])
        return np.concatenate([values[:, 1:], zero] if backwards else [zero, values[:, :-1]], axis=1)

    gate = trace.gates
    if cell == "rnn":
        expected = gate["candidate"]
    elif cell == "lstm":
        state = gate["forget"] * before(trace.cell_state) + gate["input"] * gate["candidate"]
        np.testing.assert_allclose(trace.cell_state, state, rtol=1e-12)
        expected = gate["output"] * np.tanh(state)
    else:
        expected = gate["update"] * before(hidden) + (1 - gate["update"]) * gate["candidate"]
    np.testing.assert_allclose(hidden, expected, atol=1e-14)


@pytest.mark.parametrize(("cell", "reset_after"), FORMS)
def test_enormous_inputs_saturate_without_overflow(cell: str, reset_after: bool) -> None:
    weights = random_weights(cell, 4, 5, reset_after=reset_after)
    with np.errstate(all="raise", under="ignore"):
        hidden = run_layer(cell, weights, 1e6 * random_inputs(), reset_after=reset_after)
    assert hidden.dtype == np.float32
    assert np.abs(hidden).max() <= 1


@pytest.mark.parametrize(("cell", "reset_after"), FORMS)
def test_the_future_does_not_reach_back(cell: str, reset_after: bool) -> None:
    weights = random_weights(cell, 4, 5, reset_after=reset_after)
    inputs = random_inputs()
    changed = inputs.copy()
    changed[:, 5:] = 9.0
    before, after = (run_layer(cell, weights, x, reset_after=reset_after) for x in (inputs, changed))
    np.testing.assert_array_equal(before[:, :5], after[:, :5])
    assert not np.allclose(before[:, 5], after[:, 5])
