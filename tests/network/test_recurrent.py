"""The runtime without Keras: its answers and size are those of the Keras network with the same weights."""

from dataclasses import replace
from pathlib import Path

import keras
import numpy as np
import pytest
from network_factory import FEATURES, random_network

from forecaster.dataset.report_features import report_features
from forecaster.network import network as base
from forecaster.network.cells import run_layer
from forecaster.network.keras_network import averaged, begin_from, build_network, keras_file, without_keras
from forecaster.network.network import LEAST_DEGREES
from forecaster.network.recurrent import RecurrentNetwork, ensemble_of, network_parameters
from forecaster.settings import CELLS, Recipe


def inputs(batch: int = 3, steps: int = 7) -> np.ndarray:
    return np.random.default_rng(3).normal(size=(batch, steps, len(FEATURES))).astype("f4")


def both_runtimes(
    cell: str, layers: int, *, bidirectional: bool
) -> tuple[RecurrentNetwork, keras.Model, Recipe]:
    """The same weights for NumPy and for Keras."""
    recipe = Recipe(cell=cell, layers=layers, bidirectional=bidirectional, units=4, horizon=2)
    ours = random_network(cell, 4, layers, bidirectional=bidirectional, horizon=2)
    theirs = build_network(len(FEATURES), recipe)
    theirs.set_weights(list(ours.weights.values()))
    return ours, theirs, recipe


@pytest.mark.parametrize("bidirectional", [False, True], ids=["forwards", "both ways"])
@pytest.mark.parametrize("layers", [1, 2, 3])
@pytest.mark.parametrize("cell", CELLS)
def test_answers_and_size_are_those_of_the_keras_network(cell: str, layers: int, bidirectional: bool) -> None:
    ours, theirs, recipe = both_runtimes(cell, layers, bidirectional=bidirectional)
    last = 1 if bidirectional else 5
    expected = keras.ops.convert_to_numpy(theirs(inputs()))
    assert expected.shape == (3, 1 if bidirectional else 7, 6)
    np.testing.assert_allclose(ours.head_output(inputs(), last), expected[:, -last:], atol=1e-5, rtol=0)
    assert ours.parameter_count() == theirs.count_params()
    assert ours.parameter_count() == network_parameters(cell, 4, len(FEATURES), recipe)


AHEAD_FEATURES = (*FEATURES, *report_features(2))


@pytest.mark.parametrize("bidirectional", [False, True], ids=["forwards", "both ways"])
@pytest.mark.parametrize("layers", [1, 2])
@pytest.mark.parametrize("cell", CELLS)
def test_what_is_known_ahead_goes_to_the_head_as_in_keras(
    cell: str, layers: int, bidirectional: bool
) -> None:
    known_ahead, count = len(report_features(2)), len(AHEAD_FEATURES)
    recipe = Recipe(cell=cell, layers=layers, bidirectional=bidirectional, units=4, horizon=2)
    ours = random_network(cell, 4, layers, bidirectional=bidirectional, horizon=2, features=AHEAD_FEATURES)
    theirs = build_network(count, recipe, known_ahead)
    begin_from(theirs, ours)
    seen = np.random.default_rng(3).normal(size=(3, 7, count)).astype("f4")
    expected = keras.ops.convert_to_numpy(theirs(seen))
    last = 1 if bidirectional else 5
    np.testing.assert_allclose(ours.head_output(seen, last), expected[:, -last:], atol=1e-5, rtol=0)
    assert ours.known_ahead == known_ahead
    assert ours.parameter_count() == theirs.count_params()
    assert ours.parameter_count() == network_parameters(cell, 4, count, recipe, known_ahead)
    back = without_keras(theirs, recipe, AHEAD_FEATURES)
    assert back.weights.keys() == ours.weights.keys()
    np.testing.assert_array_equal(back.weights["ahead/kernel"], ours.weights["ahead/kernel"])


def test_what_is_known_ahead_moves_the_answer_of_its_own_day_by_the_matrix_alone() -> None:
    """With a blind recurrent part; of the other inputs, and of the days before, the matrix sees nothing."""
    network = random_network("gru", 4, horizon=2, features=AHEAD_FEATURES)
    weights = {name: np.zeros_like(array) for name, array in network.weights.items()}
    weights["ahead/kernel"] = network.weights["ahead/kernel"]
    network = replace(network, weights=weights)
    seen = np.random.default_rng(3).normal(size=(2, 7, len(AHEAD_FEATURES))).astype("f4")
    expected = seen[:, -3:, len(FEATURES) :] @ weights["ahead/kernel"]
    np.testing.assert_allclose(network.head_output(seen, 3), expected, atol=1e-6)


@pytest.mark.parametrize("layers", [1, 2])
@pytest.mark.parametrize("cell", CELLS)
def test_the_backward_direction_has_seen_the_whole_window(cell: str, layers: int) -> None:
    """The head reads the backward state alone; other early days must still change the answer."""
    ours, _, _ = both_runtimes(cell, layers, bidirectional=True)
    kernel = ours.weights["head/kernel"].copy()
    kernel[: ours.units] = 0  # the rows of the forward state
    ours = replace(ours, weights={**ours.weights, "head/kernel": kernel})
    theirs = build_network(
        len(FEATURES), Recipe(cell=cell, layers=layers, bidirectional=True, units=4, horizon=2)
    )
    theirs.set_weights(list(ours.weights.values()))
    one, other = inputs(), inputs()
    other[:, :-1] += 1
    for answer in (lambda window: ours.head_output(window, 1), lambda window: np.asarray(theirs(window))):
        assert np.abs(answer(one) - answer(other)).max() > 0.01


@pytest.mark.parametrize("cell", CELLS)
def test_a_bidirectional_head_reads_each_direction_after_its_last_step(cell: str) -> None:
    """As Keras's own Bidirectional layer gives them: forwards at the last day, backwards at the first."""
    network = random_network(cell, 4, bidirectional=True)
    forward = run_layer(cell, network.layer_weights(0), inputs())[:, -1]
    backward = run_layer(cell, network.layer_weights(0, "backward"), inputs(), backwards=True)[:, 0]
    read = np.concatenate([forward, backward], axis=-1)
    expected = read @ network.weights["head/kernel"] + network.weights["head/bias"]
    np.testing.assert_allclose(network.head_output(inputs(), 1)[:, 0], expected, atol=1e-6)


@pytest.mark.parametrize("last", [0, 2, 7])
def test_a_bidirectional_network_answers_once_a_window(last: int) -> None:
    with pytest.raises(ValueError, match="only at the last day"):
        random_network(bidirectional=True).head_output(inputs(), last)


def test_windows_beyond_one_chunk_keep_their_order(monkeypatch: pytest.MonkeyPatch) -> None:
    network = random_network()
    at_once = network.head_output(inputs(batch=11), 2)
    monkeypatch.setattr(base, "_WINDOWS_AT_ONCE", 4)
    np.testing.assert_allclose(network.head_output(inputs(batch=11), 2), at_once, rtol=1e-5, atol=1e-6)


def test_raw_answers_become_location_scale_and_degrees() -> None:
    raw = np.array([[0.1, -0.2, 0.0, np.log(2.0), 0.0, 50.0]], np.float32)
    distribution = random_network(horizon=2).distribution(raw)
    np.testing.assert_allclose(distribution.location, [[0.1, -0.2]], rtol=1e-6)
    np.testing.assert_allclose(distribution.scale, [[1.0, 2.0]], rtol=1e-6)
    expected = [[LEAST_DEGREES + np.log(2), LEAST_DEGREES + 50.0]]
    np.testing.assert_allclose(distribution.degrees_of_freedom, expected, rtol=1e-6)


def test_degrees_stay_above_two_however_low_the_raw_answer() -> None:
    raw = np.array([[0.0, 0.0, -1e4], [0.0, 0.0, 1e4]], np.float32)
    degrees = random_network(horizon=1).distribution(raw).degrees_of_freedom
    assert degrees[:, 0].tolist() == pytest.approx([LEAST_DEGREES, LEAST_DEGREES + 1e4])


@pytest.mark.parametrize(
    ("name", "array", "message"),
    [
        pytest.param("head/bias", np.zeros(5, "f4"), r"\(5,\), not \(6,\)", id="wrong shape"),
        pytest.param("head/bias", np.full(6, np.nan, "f4"), "not finite", id="not finite"),
        pytest.param("layer7/forward/bias", np.zeros(1, "f4"), r"layer7.*, not None", id="unknown name"),
    ],
)
def test_weights_that_do_not_fit_are_rejected(name: str, array: np.ndarray, message: str) -> None:
    network = random_network(horizon=2)
    with pytest.raises(ValueError, match=message):
        replace(network, weights={**network.weights, name: array})


def test_a_missing_weight_is_rejected() -> None:
    network = random_network()
    weights = {name: array for name, array in network.weights.items() if name != "head/kernel"}
    with pytest.raises(ValueError, match=r"head/kernel has shape None"):
        replace(network, weights=weights)


@pytest.mark.parametrize(("cell", "bidirectional"), [("gru", False), ("lstm", True), ("convlstm", False)])
def test_an_ensemble_averages_raw_answers(cell: str, bidirectional: bool) -> None:
    parts = [random_network(cell, 4, 2, bidirectional=bidirectional, seed=seed) for seed in range(3)]
    windows = inputs(steps=10)
    mean = np.mean([part.head_output(windows, 1) for part in parts], axis=0)
    ensemble = ensemble_of(parts)
    assert ensemble.ensemble == 3
    np.testing.assert_array_equal(ensemble.head_output(windows, 1), mean)
    assert ensemble.parameter_count() == 3 * parts[0].parameter_count()
    recipe = Recipe(cell=cell, layers=2, bidirectional=bidirectional, units=4, horizon=2, ensemble=3)
    assert ensemble.parameter_count() == network_parameters(cell, 4, len(FEATURES), recipe)
    for part, again in zip(parts, ensemble.networks, strict=True):
        np.testing.assert_array_equal(again.head_output(windows, 1), part.head_output(windows, 1))


def test_an_ensemble_of_one_is_the_network() -> None:
    network = random_network()
    assert ensemble_of([network]) is network
    assert network.networks == (network,)


def test_the_keras_file_of_an_ensemble_answers_as_it_does(tmp_path: Path) -> None:
    names = (*FEATURES, *report_features(2))
    ensemble = ensemble_of([random_network(features=names, seed=seed) for seed in range(2)])
    path = tmp_path / "model.keras"
    path.write_bytes(keras_file(averaged(ensemble)))
    theirs = keras.saving.load_model(path, compile=False, safe_mode=True)
    windows = np.random.default_rng(3).normal(size=(3, 7, len(names))).astype("f4")
    np.testing.assert_allclose(theirs(windows), ensemble.head_output(windows, 7), atol=1e-5)
    assert theirs.count_params() == ensemble.parameter_count()


def test_an_ensemble_without_one_of_its_networks_is_rejected() -> None:
    ensemble = ensemble_of([random_network(seed=seed) for seed in range(2)])
    weights = {name: array for name, array in ensemble.weights.items() if "network1" not in name}
    with pytest.raises(ValueError, match=r"the weight network1/.* has shape None"):
        replace(ensemble, weights=weights)
