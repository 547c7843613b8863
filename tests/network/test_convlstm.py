"""The cell that reads weeks: its equations by hand, Keras's layer, whole networks, and what it may see."""

from dataclasses import replace
from pathlib import Path
from typing import Any

import keras
import numpy as np
import pytest
from factories import panel_of, random_walk_table
from hypothesis import given, settings
from hypothesis import strategies as st
from network_factory import FEATURES, card_of, random_network, recipe_of
from numpy.typing import NDArray

from forecaster.dataset.features import available_features, compute_features
from forecaster.dataset.report_features import report_features
from forecaster.dataset.split import split_days
from forecaster.dataset.windows import grid_windows, supervised_days
from forecaster.errors import BadInputError, UsageError
from forecaster.evaluation.forecasts import network_forecasts
from forecaster.network.artifact import load_network, save_network
from forecaster.network.cells import (
    GATES,
    KERNEL,
    CellWeights,
    parameter_count,
    run_layer,
    trace_layer,
    weight_shapes,
)
from forecaster.network.engine import start_engine
from forecaster.network.keras_network import LAYERS, begin_from, build_network, without_keras
from forecaster.network.recurrent import matched_units, network_parameters
from forecaster.network.training import refit_network, train_network
from forecaster.settings import WEEK, Recipe

AHEAD_FEATURES = (*FEATURES, *report_features(2))


def random_weights(features: int, units: int, seed: int = 0, kind: str = "f4") -> CellWeights:
    random = np.random.default_rng(seed)
    shapes = weight_shapes("convlstm", features, units).values()
    return CellWeights(*(random.normal(0, 0.5, shape).astype(kind) for shape in shapes))


def random_inputs(batch: int, weeks: int, features: int, kind: str = "f4") -> NDArray[np.floating]:
    return np.random.default_rng(1).normal(size=(batch, WEEK * weeks, features)).astype(kind)


def by_keras(weights: CellWeights, inputs: NDArray[np.floating]) -> NDArray[np.floating]:
    """Keras's own layer over the weeks, its states laid out by day again."""
    batch, days, features = inputs.shape
    weeks = inputs.reshape(batch, days // WEEK, WEEK, features)
    units = weights.recurrent.shape[1]
    layer = keras.layers.ConvLSTM1D(units, 3, padding="same", return_sequences=True)
    layer.build(weeks.shape)
    layer.set_weights([weights.kernel, weights.recurrent, weights.bias])
    return keras.ops.convert_to_numpy(layer(weeks)).reshape(batch, days, units)


def sigmoid(x: float) -> float:
    return 1 / (1 + np.exp(-x))


@settings(max_examples=8)
@given(
    batch=st.integers(1, 4),
    weeks=st.integers(1, 5),
    features=st.integers(1, 6),
    units=st.integers(1, 6),
    seed=st.integers(0, 99),
)
def test_the_states_are_those_of_keras(batch: int, weeks: int, features: int, units: int, seed: int) -> None:
    weights, inputs = random_weights(features, units, seed), random_inputs(batch, weeks, features)
    ours = run_layer("convlstm", weights, inputs)
    np.testing.assert_allclose(ours, by_keras(weights, inputs), atol=1e-5, rtol=0)


def test_two_weeks_by_hand() -> None:
    """A number at a time, as the paper writes it; what is beyond the ends of a week is left out."""
    weights, inputs = random_weights(2, 1, kind="f8"), random_inputs(1, 2, 2, kind="f8")
    trace = trace_layer("convlstm", weights, inputs)
    hidden, state = [0.0] * WEEK, [0.0] * WEEK
    for week in range(2):
        days, before = inputs[0, WEEK * week : WEEK * (week + 1)], list(hidden)
        for day in range(WEEK):
            total = list(weights.bias)
            for gate in range(4):
                for place, other in enumerate((day - 1, day, day + 1)):
                    if 0 <= other < WEEK:
                        total[gate] += days[other] @ weights.kernel[place, :, gate]
                        total[gate] += before[other] * weights.recurrent[place, 0, gate]
            i, f, o = (sigmoid(total[gate]) for gate in (0, 1, 3))
            state[day] = f * state[day] + i * np.tanh(total[2])
            hidden[day] = o * np.tanh(state[day])
            at = 0, WEEK * week + day, 0
            assert trace.gates["forget"][at] == pytest.approx(f, rel=1e-12)
            assert trace.cell_state is not None
            assert trace.cell_state[at] == pytest.approx(state[day], rel=1e-12)
            assert trace.hidden[at] == pytest.approx(hidden[day], rel=1e-12)
    assert tuple(trace.gates) == GATES["convlstm"]


def test_without_its_neighbours_a_day_of_the_week_is_an_lstm() -> None:
    """The same at each day, which reads that day of week after week."""
    weights = random_weights(3, 4)
    weights.kernel[[0, 2]] = 0
    weights.recurrent[[0, 2]] = 0
    inputs = random_inputs(2, 3, 3)
    lstm = CellWeights(weights.kernel[1], weights.recurrent[1], weights.bias)
    ours = run_layer("convlstm", weights, inputs)
    for day in range(WEEK):
        alone = run_layer("lstm", lstm, inputs[:, day::WEEK])
        np.testing.assert_allclose(ours[:, day::WEEK], alone, atol=1e-6)


@given(features=st.integers(1, 40), units=st.integers(1, 300))
def test_the_formula_counts_the_weights(features: int, units: int) -> None:
    count = 4 * (KERNEL * features * units + KERNEL * units * units + units)
    shapes = weight_shapes("convlstm", features, units).values()
    assert parameter_count("convlstm", features, units) == count == sum(map(np.prod, shapes))


@pytest.mark.parametrize(("features", "units"), [(1, 1), (8, 32), (3, 20)])
def test_the_formula_is_keras_count(features: int, units: int) -> None:
    layer = LAYERS["convlstm"](units)
    layer.build((None, None, WEEK, features))
    assert parameter_count("convlstm", features, units) == layer.count_params()


def test_the_parameters_of_32_units_by_hand() -> None:
    """A gate has 3·8·32 = 768 weights of the input, 3·32·32 = 3,072 of the state, and 32 biases."""
    assert parameter_count("convlstm", 8, 32) == 4 * (768 + 3072 + 32) == 15_488


@pytest.mark.parametrize("known_ahead", [False, True], ids=["prices", "reports ahead"])
@pytest.mark.parametrize("layers", [1, 2, 3])
def test_a_whole_network_is_that_of_keras(layers: int, known_ahead: bool) -> None:
    features = AHEAD_FEATURES if known_ahead else FEATURES
    ours = random_network("convlstm", 4, layers, lookback=20, features=features)
    recipe = recipe_of(ours)
    theirs = build_network(len(features), recipe, ours.known_ahead)
    begin_from(theirs, ours)
    seen = random_inputs(3, 4, len(features))
    expected = keras.ops.convert_to_numpy(theirs(seen))
    assert expected.shape == (3, 1, 6)
    np.testing.assert_allclose(ours.head_output(seen, 1), expected, atol=1e-5, rtol=0)
    by_formula = network_parameters("convlstm", 4, len(features), recipe, ours.known_ahead)
    assert ours.parameter_count() == theirs.count_params() == by_formula
    back = without_keras(theirs, recipe, features)
    assert list(back.weights) == list(ours.weights)
    for name, array in ours.weights.items():
        np.testing.assert_array_equal(back.weights[name], array)


def test_training_begins_as_that_of_the_other_cells() -> None:
    """Near the scaled random walk, with a forget gate that is open by a bias of one."""
    recipe = Recipe(cell="convlstm", units=8, horizon=2, lookback=20)
    network = build_network(len(FEATURES), recipe)
    assert np.abs(keras.ops.convert_to_numpy(network(random_inputs(4, 4, len(FEATURES))))).max() < 0.1
    ours = without_keras(network, recipe, FEATURES)
    bias = ours.layer_weights(0).bias.reshape(4, 8)
    np.testing.assert_array_equal(bias, np.eye(4)[1][:, None] * np.ones(8))


def test_the_head_reads_all_days_of_the_last_week() -> None:
    """A kernel of three would leave its first three days unseen by the last day's state."""
    network = random_network("convlstm", lookback=20)
    seen = random_inputs(1, 4, len(FEATURES))
    usual = network.head_output(seen, 1)
    for day in range(1, WEEK + 1):
        other = seen.copy()
        other[:, -day] += 1
        assert np.abs(network.head_output(other, 1) - usual).max() > 1e-3
    states = run_layer("convlstm", network.layer_weights(0), seen)
    other = seen.copy()
    other[:, -WEEK:-2] += 1
    moved = run_layer("convlstm", network.layer_weights(0), other)
    np.testing.assert_array_equal(moved[:, -1], states[:, -1])


@pytest.mark.parametrize("last", [0, 2, 20])
def test_it_answers_once_a_window(last: int) -> None:
    with pytest.raises(ValueError, match="a convlstm network answers only at the last day"):
        random_network("convlstm").head_output(random_inputs(2, 4, len(FEATURES)), last)


def test_units_of_equal_parameters_are_the_nearest() -> None:
    """A GRU of 32 units has 4,623 with nine inputs and five steps; 13 and 14 units have 4,474 and 4,985."""
    reference = Recipe(units=32, horizon=5)
    assert [network_parameters("convlstm", units, 9, reference) for units in (13, 14)] == [4474, 4985]
    assert matched_units("convlstm", reference, 9) == 13


@pytest.mark.parametrize(
    ("changes", "message", "remedy"),
    [
        pytest.param(
            {"lookback": 121}, "121 is no multiple of 5", "--lookback 120 or 125", id="between weeks"
        ),
        pytest.param({"lookback": 3}, "3 is no multiple of 5", "--lookback 5, or", id="less than a week"),
        pytest.param({"bidirectional": True}, "forwards only", "leave out --bidirectional", id="both ways"),
    ],
)
def test_what_it_cannot_read_is_refused_before_training(
    changes: dict[str, Any], message: str, remedy: str
) -> None:
    recipe = replace(Recipe(cell="convlstm"), **changes)
    panel = panel_of(random_walk_table("AAA", 260))
    names, engine = available_features(panel), start_engine("cpu")
    with pytest.raises(UsageError, match=message) as caught:
        train_network(panel, names, split_days(panel.dates, 2), recipe, engine)
    assert remedy in caught.value.remedy


def test_a_card_of_windows_that_are_no_weeks_is_damaged(tmp_path: Path) -> None:
    network = random_network("convlstm", lookback=21)
    save_network(tmp_path / "1", network, card_of(network), b"a Keras file")
    with pytest.raises(BadInputError, match=r"is damaged: a ConvLSTM1D reads weeks"):
        load_network(tmp_path / "1")


def test_only_a_windows_last_day_is_supervised() -> None:
    """So each target comes after every day of its window."""
    recipe = Recipe(cell="convlstm", lookback=20)
    supervised = supervised_days(recipe.lookback, last_day_only=recipe.last_day_only)
    assert supervised == 1
    windows = grid_windows(np.ones((2, 60), bool), range(30, 60), recipe.lookback, supervised, 1)
    _, origins = windows.origins()
    np.testing.assert_array_equal(origins[:, 0], windows.start + recipe.lookback - 1)


@pytest.mark.trial
def test_it_trains_refits_and_forecasts_by_the_last_days_alone() -> None:
    """What follows a window's last day moves no forecast of a network that was trained beside it."""
    panel = panel_of(*(random_walk_table(name, 260, seed) for seed, name in enumerate(("AAA", "BBB"))))
    recipe = Recipe(cell="convlstm", lookback=15, horizon=2, units=3, epochs=1, batch_size=64, device="cpu")
    split, names = split_days(panel.dates, recipe.horizon), available_features(panel)
    trained = train_network(panel, names, split, recipe, start_engine("cpu"))
    network = trained.network
    assert trained.keras_parameters == network.parameter_count()
    assert trained.kernel == "loop"
    assert np.isfinite([*trained.losses, *trained.validation_losses]).all()
    assert refit_network(panel, trained, recipe).network.weights.keys() == network.weights.keys()

    cut = split.test.start + 5
    log_return = panel.log_return.copy()
    log_return[:, cut + 1 :] *= -3
    other = replace(panel, log_return=log_return)
    (origins, before), (_, after) = (
        network_forecasts(network, compute_features(each, names), split.test) for each in (panel, other)
    )
    known = origins.day <= cut
    np.testing.assert_array_equal(before.location[known], after.location[known])
    np.testing.assert_array_equal(before.scale[known], after.scale[known])
    assert not np.array_equal(before.scale[~known], after.scale[~known])
