"""The Keras network against the formulas, the NumPy runtime and scipy."""

from dataclasses import replace

import keras
import numpy as np
import pytest
import scipy.special
import scipy.stats
from factories import panel_of, random_walk_table

from forecaster.dataset.features import available_features, compute_features
from forecaster.dataset.panel import Panel
from forecaster.dataset.targets import cumulative_return
from forecaster.network.keras_network import (
    WindowTrainer,
    build_network,
    log_normaliser,
    negative_log_likelihood,
    without_keras,
)
from forecaster.network.recurrent import matched_units, network_parameters
from forecaster.settings import Recipe

NAMES = ("return", "magnitude", "volatility")
LOOKBACK, SUPERVISED, HORIZON = 8, 4, 3
RANDOM = np.random.default_rng(0)
SIZES = ((1, False, 1), (1, True, 4), (5, False, 4), (5, True, 1))
"""Units, whether bidirectional, horizon: every pair of values is there."""


def randomised(network: keras.Model) -> keras.Model:
    """Biases start at zero and the head near it: only random weights show where each belongs."""
    network.set_weights([RANDOM.normal(0, 0.4, weight.shape) for weight in network.get_weights()])
    return network


@pytest.mark.parametrize("layers", [1, 2, 3])
@pytest.mark.parametrize("cell", ["rnn", "lstm", "gru"])
def test_keras_agrees_on_parameters_and_answers(cell: str, layers: int) -> None:
    inputs = RANDOM.normal(size=(2, 6, len(NAMES))).astype("f4")
    for units, bidirectional, horizon in SIZES:
        recipe = Recipe(cell=cell, layers=layers, units=units, bidirectional=bidirectional, horizon=horizon)
        network = randomised(build_network(len(NAMES), recipe))
        ours = without_keras(network, recipe, NAMES)
        by_formula = network_parameters(cell, units, len(NAMES), recipe)
        assert network.count_params() == ours.parameter_count() == by_formula
        expected = keras.ops.convert_to_numpy(network(inputs))
        last = 1 if bidirectional else 6
        np.testing.assert_allclose(ours.head_output(inputs, last), expected, atol=1e-5)


@pytest.mark.parametrize("cell", ["rnn", "lstm", "gru"])
def test_matched_units_are_the_nearest(cell: str) -> None:
    reference = Recipe(units=32, horizon=5)
    wanted = network_parameters("gru", 32, 5, reference)

    def distance(units: int) -> int:
        return abs(network_parameters(cell, units, 5, reference) - wanted)

    matched = matched_units(cell, reference, 5)
    assert matched == min(range(1, 200), key=distance)
    assert matched == 32 or cell != "gru"


def test_the_network_starts_at_the_scaled_random_walk() -> None:
    network = build_network(len(NAMES), Recipe(units=8, horizon=2))
    raw = keras.ops.convert_to_numpy(network(RANDOM.normal(size=(4, 6, 3)).astype("f4")))
    assert np.abs(raw).max() < 0.1


def test_the_normaliser_is_that_of_scipy() -> None:
    degrees = np.concatenate([2.1 + np.geomspace(1e-6, 1e6, 300), [np.inf]])
    inverse = (1 / degrees).astype("f4")
    found = keras.ops.convert_to_numpy(log_normaliser(keras.ops.convert_to_tensor(inverse)))
    np.testing.assert_allclose(found, scipy.stats.t(degrees).logpdf(0), rtol=0, atol=3e-7)


def test_the_likelihood_is_that_of_scipy() -> None:
    raw = RANDOM.normal(0, 2, (50, 3 * HORIZON)).astype("f4")
    target = RANDOM.normal(0, 3, (50, HORIZON)).astype("f4")
    found = keras.ops.convert_to_numpy(negative_log_likelihood(raw, target))
    location, log_scale, raw_degrees = np.split(raw.astype(float), 3, axis=-1)
    degrees = 2.1 + np.log1p(np.exp(raw_degrees))
    expected = -scipy.stats.t(degrees, location, np.exp(log_scale)).logpdf(target)
    np.testing.assert_allclose(found, expected, rtol=1e-4, atol=1e-5)


@pytest.fixture(scope="module")
def panel() -> Panel:
    return panel_of(*(random_walk_table(name, 60, seed) for seed, name in enumerate(("AAA", "BBB"))))


def trainer_of(panel: Panel) -> WindowTrainer:
    names = available_features(panel)
    recipe = Recipe(lookback=LOOKBACK, units=3, horizon=HORIZON)
    features = compute_features(panel, names)
    return WindowTrainer(
        build_network(len(names), recipe), features, panel.log_return, recipe, supervised=SUPERVISED
    )


def test_windows_are_gathered_and_targets_scaled_inside_the_step(panel: Panel) -> None:
    trainer, features = trainer_of(panel), compute_features(panel, available_features(panel))
    ticker, start = np.array([0, 1, 1]), np.array([25, 30, 40])
    rows = (ticker * 60 + start).astype("i4")
    inputs = features.values[ticker[:, None], start[:, None] + np.arange(LOOKBACK)]
    expected = keras.ops.convert_to_numpy(trainer.network(inputs))[:, -SUPERVISED:]
    np.testing.assert_allclose(keras.ops.convert_to_numpy(trainer(rows)), expected, atol=1e-6)

    day = (start[:, None] + np.arange(LOOKBACK - SUPERVISED, LOOKBACK)).ravel()
    origins = np.repeat(ticker, SUPERVISED)
    ahead = cumulative_return(panel.log_return, origins, day, HORIZON)
    unit = features.volatility[origins, day][:, None] * np.sqrt(np.arange(1, HORIZON + 1))
    found = keras.ops.convert_to_numpy(trainer.scaled_targets(rows))
    np.testing.assert_allclose(found.reshape(-1, HORIZON), ahead / unit, rtol=1e-4, atol=1e-5)


def test_dropout_is_on_in_training_and_off_after_it(panel: Panel) -> None:
    recipe = Recipe(lookback=LOOKBACK, units=8, horizon=HORIZON, dropout=0.5)
    features = compute_features(panel, available_features(panel))
    network = build_network(len(features.names), recipe)
    trainer = WindowTrainer(network, features, panel.log_return, recipe, supervised=SUPERVISED)
    rows = np.array([25, 30], "i4")
    once, again = (keras.ops.convert_to_numpy(trainer(rows, training=True)) for _ in range(2))
    assert not np.array_equal(once, again)
    once, again = (keras.ops.convert_to_numpy(trainer(rows)) for _ in range(2))
    np.testing.assert_array_equal(once, again)


def loss(panel: Panel, rows: list[int], steps: list[list[int]]) -> float:
    raw = np.zeros((len(rows), SUPERVISED, 3 * HORIZON), "f4")
    return float(trainer_of(panel).compute_loss(x=np.array(rows, "i4"), y=np.array(steps, "f4"), y_pred=raw))


@pytest.mark.parametrize(
    ("steps", "counts"),
    [
        pytest.param([3, 3, 3, 2], False, id="the-last-step-masked"),
        pytest.param([3, 3, 3, 0], False, id="the-day-masked"),
        pytest.param([3, 3, 3, 3], True, id="nothing-masked"),
    ],
)
def test_only_what_counts_changes_the_loss(panel: Panel, steps: list[int], counts: bool) -> None:
    """A window from day 25 answers on days 29 to 32; day 35 is three days ahead of the last only."""
    log_return = panel.log_return.copy()
    log_return[0, 35:] = 0.5
    changed = replace(panel, log_return=log_return)
    assert (loss(panel, [25], [steps]) != loss(changed, [25], [steps])) == counts


def test_the_loss_is_a_mean_over_what_counts(panel: Panel) -> None:
    alone = loss(panel, [25], [[3, 3, 3, 3]])
    beside_a_masked_window = loss(panel, [25, 40], [[3, 3, 3, 3], [0, 0, 0, 0]])
    assert beside_a_masked_window == pytest.approx(alone, rel=1e-6)
    assert loss(panel, [25], [[0, 0, 0, 0]]) == 0
