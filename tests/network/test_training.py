"""Training on tiny panels: repeatable, counted, equal to the runtime without Keras, and stopped in time."""

import contextlib
import gc
import os
import re
import signal
import time
import weakref
from dataclasses import replace

import keras
import numpy as np
import pytest
import scipy.stats
import tensorflow as tf
from factories import panel_of, persistent_table, random_walk_table

from forecaster.dataset.features import available_features, compute_features
from forecaster.dataset.panel import Panel
from forecaster.dataset.split import Split, split_days
from forecaster.dataset.targets import cumulative_return
from forecaster.errors import BadInputError, ForecastError
from forecaster.evaluation.forecasts import network_forecasts
from forecaster.network.engine import start_engine
from forecaster.network.fitting import Progress
from forecaster.network.keras_network import WindowTrainer, _on_device
from forecaster.network.recurrent import RecurrentNetwork
from forecaster.network.training import (
    TrainedNetwork,
    _means,
    _seed_within,
    onward_recipe,
    refit_network,
    train_network,
)
from forecaster.settings import Recipe

NAMES = ("AAA", "BBB")
RECIPE = Recipe(cell="gru", lookback=12, horizon=2, units=4, epochs=2, batch_size=16, device="cpu")


@pytest.fixture(scope="module")
def panel() -> Panel:
    return panel_of(*(random_walk_table(name, 260, seed) for seed, name in enumerate(NAMES)))


def train(panel: Panel, recipe: Recipe = RECIPE, split: Split | None = None) -> TrainedNetwork:
    split = split or split_days(panel.dates, recipe.horizon)
    return train_network(panel, available_features(panel), split, recipe, start_engine("cpu"))


@pytest.fixture(scope="module")
def watched(panel: Panel) -> tuple[TrainedNetwork, list[Progress]]:
    """A network, and what was reported while it was trained."""
    seen: list[Progress] = []
    split, engine = split_days(panel.dates, RECIPE.horizon), start_engine("cpu")
    return train_network(panel, available_features(panel), split, RECIPE, engine, seen.append), seen


@pytest.fixture(scope="module")
def evaluated(watched: tuple[TrainedNetwork, list[Progress]]) -> TrainedNetwork:
    return watched[0]


@pytest.mark.parametrize(
    "cell", ["gru", *(pytest.param(cell, marks=pytest.mark.trial) for cell in ("rnn", "lstm"))]
)
def test_the_same_seed_gives_the_same_weights_bit_for_bit(
    panel: Panel, evaluated: TrainedNetwork, cell: str
) -> None:
    recipe = replace(RECIPE, cell=cell)
    assert recipe.dropout > 0
    first = evaluated if recipe == RECIPE else train(panel, recipe)
    second = train(panel, recipe)
    for name, weight in first.network.weights.items():
        np.testing.assert_array_equal(weight, second.network.weights[name])
    assert first.losses == second.losses
    assert first.validation_losses == second.validation_losses


def test_another_seed_gives_other_weights(panel: Panel, evaluated: TrainedNetwork) -> None:
    first, second = evaluated, train(panel, replace(RECIPE, seed=1))
    for name, weight in first.network.weights.items():
        assert not np.array_equal(weight, second.network.weights[name])


def test_the_recorded_validation_loss_is_that_of_the_weights_kept(panel: Panel) -> None:
    """A learning rate that overshoots: the last epoch is not the best, and the best is what we get.

    The loss is computed anew, without Keras and by scipy's density.
    """
    recipe = replace(RECIPE, epochs=8, learning_rate=0.3)
    trained = train(panel, recipe)
    best = int(np.argmin(trained.validation_losses))
    assert trained.best_epoch == best + 1 < len(trained.losses)
    features = compute_features(panel, trained.network.features)
    split = split_days(panel.dates, 2)
    origins, predicted = network_forecasts(trained.network, features, split.validation)
    actual = cumulative_return(panel.log_return, origins.ticker, origins.day, 2)
    density = scipy.stats.t(predicted.degrees_of_freedom, predicted.location, predicted.scale).logpdf(actual)
    unit = features.volatility[origins.ticker, origins.day][:, None] * np.sqrt([1, 2])
    assert -(density + np.log(unit)).mean() == pytest.approx(trained.validation_losses[best], rel=1e-4)


def test_the_loss_falls_where_there_is_structure() -> None:
    panel = panel_of(*(persistent_table(name, 700, seed, 0.6) for seed, name in enumerate(("AAA", "BBB"))))
    trained = train(panel, replace(RECIPE, epochs=6, learning_rate=0.02))
    assert trained.losses[-1] < trained.losses[0] - 0.05
    assert min(trained.validation_losses) < trained.validation_losses[0]


def test_a_refit_goes_on_from_the_evaluated_weights(panel: Panel, evaluated: TrainedNetwork) -> None:
    """With steps too small to see it stays there; with the recipe's own it moves, for one epoch."""
    still = refit_network(panel, evaluated, replace(RECIPE, learning_rate=1e-9))
    moved = refit_network(panel, evaluated, RECIPE)
    for name, weight in evaluated.network.weights.items():
        np.testing.assert_allclose(still.network.weights[name], weight, atol=1e-6)
    assert not np.allclose(moved.network.weights["head/bias"], evaluated.network.weights["head/bias"])
    assert (len(moved.losses), moved.validation_losses) == (1, ())


def test_a_refit_trains_on_the_last_days_that_the_evaluated_network_never_saw(
    panel: Panel, evaluated: TrainedNetwork
) -> None:
    log_return = panel.log_return.copy()
    log_return[:, -10:] *= 3
    other = replace(panel, log_return=log_return)
    days, trained = (panel, other), (evaluated, train(other))
    np.testing.assert_array_equal(*(each.network.weights["head/bias"] for each in trained))
    refitted = [
        refit_network(*each, RECIPE).network.weights["head/bias"] for each in zip(days, trained, strict=True)
    ]
    assert not np.array_equal(*refitted)


@pytest.mark.parametrize(
    ("sessions", "rate"),
    [(250, 0.001), (1000, 0.001), (125, 0.0005), (21, 0.000084), (1, 0.000004), (0, 0.000004)],
)
def test_what_goes_on_takes_a_year_s_steps_in_a_year(sessions: int, rate: float) -> None:
    onward = onward_recipe(replace(RECIPE, learning_rate=0.003, epochs=9), sessions)
    assert onward == replace(RECIPE, learning_rate=onward.learning_rate, epochs=1)
    assert onward.learning_rate == pytest.approx(rate, rel=1e-12)
    assert onward_recipe(RECIPE) == onward_recipe(RECIPE, 250)


def test_patience_ends_a_hopeless_fit_early(panel: Panel, monkeypatch: pytest.MonkeyPatch) -> None:
    from forecaster.network.keras_network import WindowTrainer

    losses = iter(range(100))
    monkeypatch.setattr(WindowTrainer, "evaluate", lambda *_, **__: float(next(losses)))
    trained = train(panel, replace(RECIPE, epochs=12))
    assert trained.validation_losses == (0, 1, 2, 3, 4)  # a third of the epochs without a better one
    assert (trained.best_epoch, trained.epochs_planned) == (1, 12)


def test_an_interruption_that_the_engine_swallows_is_handled_all_the_same(
    panel: Panel, monkeypatch: pytest.MonkeyPatch
) -> None:
    from forecaster.network.keras_network import WindowTrainer

    evaluated = []

    def evaluate(*_: object, **__: object) -> float:
        """What TensorFlow does while it traces."""
        evaluated.append(1)
        with contextlib.suppress(KeyboardInterrupt):
            os.kill(os.getpid(), signal.SIGINT)
            time.sleep(0.01)
        return 1.0

    monkeypatch.setattr(WindowTrainer, "evaluate", evaluate)
    usual = signal.getsignal(signal.SIGINT)
    with pytest.raises(KeyboardInterrupt):
        train(panel, replace(RECIPE, epochs=9))
    assert len(evaluated) == 1
    assert signal.getsignal(signal.SIGINT) is usual


def test_progress_is_reported_after_every_batch(watched: tuple[TrainedNetwork, list[Progress]]) -> None:
    trained, seen = watched
    assert [(row.epoch, row.step) for row in seen] == [
        (epoch, step) for epoch in (1, 2) for step in range(1, seen[0].steps + 1)
    ]
    assert seen[0].validation_loss is None
    assert seen[-1].validation_loss == trained.validation_losses[0]
    assert seen[-1].seconds_left == 0
    assert trained.targets_per_second > 0


@pytest.mark.parametrize("day", [100, 210], ids=["training", "validation"])
def test_a_loss_that_is_no_number_ends_with_advice(panel: Panel, day: int) -> None:
    log_return = panel.log_return.copy()
    log_return[0, day] = 1e18  # measured by a usual variance, its square is more than float32 holds
    with pytest.raises(ForecastError, match=r"loss became .*lower --learning-rate"):
        train(replace(panel, log_return=log_return))


def test_too_little_data_says_how_many_days_would_do() -> None:
    recipe = replace(RECIPE, lookback=150, epochs=1)
    with pytest.raises(BadInputError, match="no ticker has 150 days in a row") as refused:
        train(panel_of(random_walk_table(days=200)), recipe)
    needed = int(re.search(r"at least (\d+) days", refused.value.remedy)[1])
    with pytest.raises(BadInputError):
        train(panel_of(random_walk_table(days=needed - 2)), recipe)
    assert train(panel_of(random_walk_table(days=needed)), recipe).losses


def test_gaps_everywhere_are_too_little_data(panel: Panel) -> None:
    log_return = panel.log_return.copy()
    log_return[:, ::10] = np.nan
    with pytest.raises(BadInputError, match="no ticker has 12 days in a row"):
        train(replace(panel, log_return=log_return))


def test_a_bidirectional_network_trains_on_last_days_only(panel: Panel) -> None:
    trained = train(panel, replace(RECIPE, bidirectional=True, epochs=1))
    assert trained.network.bidirectional
    assert trained.keras_parameters == trained.network.parameter_count()
    assert np.isfinite(trained.losses).all()


def test_an_ensemble_is_its_networks_each_of_another_seed(panel: Panel, evaluated: TrainedNetwork) -> None:
    seen: list[Progress] = []
    split, engine = split_days(panel.dates, RECIPE.horizon), start_engine("cpu")
    recipe = replace(RECIPE, ensemble=2)
    names = available_features(panel)
    together = train_network(panel, names, split, recipe, engine, seen.append)
    assert isinstance(together.network, RecurrentNetwork)
    first, second = together.network.networks
    for name, array in evaluated.network.weights.items():  # the first is that of the recipe's seed
        np.testing.assert_array_equal(first.weights[name], array)
        assert (second.weights[name] != array).any()
    alone = train(panel, replace(RECIPE, seed=_seed_within(RECIPE.seed, 1)))
    for name, array in alone.network.weights.items():
        np.testing.assert_array_equal(second.weights[name], array)
    assert together.losses == pytest.approx(np.mean([evaluated.losses, alone.losses], axis=0))
    assert together.targets == evaluated.targets + alone.targets
    assert together.best_epoch == max(evaluated.best_epoch, alone.best_epoch)
    assert [(each.epoch, each.epochs) for each in seen if each.step == each.steps] == [
        (epoch, 4) for epoch in (1, 2, 3, 4)
    ]
    assert seen[-1].seconds_left == 0
    refitted = refit_network(panel, together, recipe)
    alike = refit_network(panel, alone, replace(RECIPE, seed=_seed_within(RECIPE.seed, 1)))
    for name, array in alike.network.weights.items():
        np.testing.assert_array_equal(refitted.network.networks[1].weights[name], array)


def test_seeds_within_ensembles_are_not_those_of_other_ensembles() -> None:
    seeds = [_seed_within(seed, number) for seed in range(50) for number in range(8)]
    assert len(set(seeds)) == len(seeds)


def test_an_ensemble_s_losses_are_of_those_networks_that_ran_the_epoch() -> None:
    assert _means([(3.0, 2.0, 1.0), (5.0,)]) == (4.0, 2.0, 1.0)


def test_training_gives_the_panel_s_memory_back(panel: Panel, monkeypatch: pytest.MonkeyPatch) -> None:
    """TensorFlow keeps the graph, and would keep what it reads."""
    released: list[WindowTrainer] = []
    release = WindowTrainer.release
    monkeypatch.setattr(WindowTrainer, "release", lambda own: (release(own), released.append(own)))
    train(panel, replace(RECIPE, epochs=1))
    assert len(released) == 1
    for variable in (released[0].panel_features, released[0].panel_volatility, released[0].panel_return):
        content = tf.raw_ops.ReadVariableOp(resource=variable.value.handle, dtype=tf.float32)
        assert tuple(content.shape) == (0,)


@pytest.mark.parametrize("writeable", [True, False])
def test_tensorflow_reads_the_panel_where_it_lies(writeable: bool) -> None:
    """The features of a large store are not there twice, and stay as long as TensorFlow reads them."""
    whole = np.zeros(1_000_016, np.float32)
    array = whole[-whole.ctypes.data % 64 // 4 :][:1_000_000].reshape(1000, 1000)
    array.flags.writeable = writeable
    variable = _on_device(array, "features")
    whole[5000] = 7000.0  # a copy would not know
    kept = weakref.ref(whole)
    del whole, array
    gc.collect()
    assert kept() is not None
    assert float(keras.ops.sum(variable)) == 7000.0
    del variable
    gc.collect()
    assert kept() is None


def test_tensorflow_copies_what_it_could_not_compute_on() -> None:
    whole = np.ones(1_000_017, np.float32)
    array = whole[-whole.ctypes.data % 64 // 4 + 1 :][:1_000_000]
    variable = _on_device(array, "features")
    whole[5000] = 7000.0
    assert float(keras.ops.sum(variable)) == 1_000_000.0
