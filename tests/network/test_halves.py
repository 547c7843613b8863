"""A batch of which another process computes one half: the same bits, whoever computes it."""

import os
import signal
import time
from collections.abc import Iterator
from dataclasses import replace

import keras
import numpy as np
import pytest
from factories import panel_of, random_walk_table

from forecaster import packing
from forecaster.dataset.features import available_features, compute_features
from forecaster.dataset.split import split_days
from forecaster.network import training
from forecaster.network.engine import start_engine, use_one_thread
from forecaster.network.halves import (
    Floats,
    Half,
    Material,
    _prepare,
    answer_for_halves,
    is_worth_halving,
    partner_expected,
)
from forecaster.network.halving_trainer import HalvingTrainer
from forecaster.network.keras_network import WindowTrainer, build_network
from forecaster.processes import Partner
from forecaster.settings import Recipe

BATCH, STEPS, SUPERVISED = 7, 4, 6
RECIPE = Recipe(cell="gru", lookback=12, horizon=2, units=4, device="cpu")
MANY = 1e6


@pytest.fixture(scope="module")
def material() -> Material:
    start_engine("cpu")
    panel = panel_of(*(random_walk_table(name, 260, seed) for seed, name in enumerate(("AAA", "BBB"))))
    features = compute_features(panel, available_features(panel))
    return Material(features, panel.log_return, RECIPE, 0, SUPERVISED, True, BATCH)


@pytest.fixture(scope="module")
def prepared() -> Iterator[Partner[Half, Floats]]:
    """One that has started its engine, which takes seconds."""
    with Partner[Half, Floats](_prepare) as found:
        yield found


@pytest.fixture
def partner(prepared: Partner[Half, Floats], material: Material) -> Partner[Half, Floats]:
    """One that is ready."""
    prepared.begin(answer_for_halves, material)
    wait_until_free(prepared)
    return prepared


def wait_until_free(partner: Partner[Half, Floats]) -> None:
    deadline = time.monotonic() + 60
    while not partner.is_free():
        assert time.monotonic() < deadline
        time.sleep(0.05)


def batches() -> Iterator[tuple[np.ndarray, np.ndarray]]:
    random = np.random.default_rng(0)
    for _ in range(STEPS):
        rows = random.integers(120, 200, BATCH).astype("i4")
        yield rows, random.integers(0, RECIPE.horizon + 1, (BATCH, SUPERVISED)).astype("f4")


def compiled(trainer: WindowTrainer) -> WindowTrainer:
    trainer.compile(optimizer=keras.optimizers.Adam(0.01, global_clipnorm=1.0))
    trainer.optimizer.build(trainer.trainable_variables)
    return trainer


def weights(trainer: WindowTrainer) -> np.ndarray:
    return np.concatenate([variable.numpy().ravel() for variable in trainer.trainable_variables])


def trained(trainer: HalvingTrainer) -> tuple[list[float], np.ndarray]:
    compiled(trainer)
    return [trainer.train_on_batch(*batch) for batch in batches()], weights(trainer)


def test_a_partner_s_help_moves_no_bit(material: Material, partner: Partner[Half, Floats]) -> None:
    assert RECIPE.dropout > 0
    losses, alone = trained(material.trainer())
    with_help, helped = trained(material.trainer(partner))
    assert partner.is_free()  # it has answered, and to the end
    assert with_help == losses
    np.testing.assert_array_equal(helped, alone)


def test_a_partner_that_dies_in_the_middle_costs_no_bit(material: Material) -> None:
    alone = trained(material.trainer())[1]
    with Partner[Half, Floats](_prepare) as partner:
        partner.begin(answer_for_halves, material)
        wait_until_free(partner)
        trainer = compiled(material.trainer(partner))
        for number, batch in enumerate(batches()):
            if number == STEPS // 2:
                assert partner._process.pid is not None
                os.kill(partner._process.pid, signal.SIGKILL)
            trainer.train_on_batch(*batch)
        assert not partner.is_free()
    np.testing.assert_array_equal(weights(trainer), alone)


def test_training_is_the_same_with_a_partner(
    partner: Partner[Half, Floats], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(training, "is_worth_halving", lambda windows: windows > 1)
    monkeypatch.setattr(packing, "SHARED_BYTES", 1)  # the features are those of a large panel, read-only
    panel = panel_of(*(random_walk_table(name, 260, seed) for seed, name in enumerate(("AAA", "BBB"))))
    names, split = available_features(panel), split_days(panel.dates, RECIPE.horizon)
    recipe = replace(RECIPE, epochs=1, batch_size=16)
    begin = partner.begin
    monkeypatch.setattr(partner, "begin", lambda *given: (begin(*given), wait_until_free(partner)))
    alone, helped = (
        training.train_network(panel, names, split, recipe, start_engine("cpu"), partner=each)
        for each in (None, partner)
    )
    assert partner.is_free()
    assert alone.losses == helped.losses
    for name, values in alone.network.weights.items():
        np.testing.assert_array_equal(helped.network.weights[name], values)


@pytest.mark.parametrize(("epochs", "works"), [(2, False), (20_000, True)])
def test_training_has_a_partner_where_there_is_enough_to_do(
    epochs: int, works: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("joblib.cpu_count", lambda: 2)
    panel = panel_of(random_walk_table("AAA", 260, 1))
    split = split_days(panel.dates, RECIPE.horizon)
    with training.training_partner(panel, split.train, replace(RECIPE, epochs=epochs)) as found:
        assert (found is not None) == works


def test_there_is_no_partner_on_one_core(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("joblib.cpu_count", lambda: 1)
    with partner_expected(MANY, "cpu") as found:
        assert found is None


def test_halves_add_up_to_the_batch() -> None:
    """Against Keras's own step, without the dropout that both draw in ways of their own."""
    start_engine("cpu")
    panel = panel_of(random_walk_table("AAA", 260, 1))
    names = available_features(panel)
    recipe = Recipe(cell="gru", lookback=12, horizon=2, units=4, dropout=0.0, device="cpu")
    material = Material(compute_features(panel, names), panel.log_return, recipe, 0, SUPERVISED, False, BATCH)
    ours = material.trainer()
    network = build_network(len(names), recipe, last=SUPERVISED)
    theirs = WindowTrainer(network, material.features, panel.log_return, recipe, SUPERVISED)
    network.set_weights(ours.network.get_weights())
    compiled(ours), compiled(theirs)
    for batch in batches():
        assert ours.train_on_batch(*batch) == pytest.approx(float(theirs.train_on_batch(*batch)), rel=1e-5)
    np.testing.assert_allclose(weights(ours), weights(theirs), atol=1e-5)


def test_halves_of_a_batch_draw_another_dropout(material: Material) -> None:
    trainer = material.trainer()
    rows, known = next(batches())
    start = weights(trainer)
    found = [trainer.loss_and_gradient(Half(number, start, rows, known, 1.0)) for number in (0, 1, 0)]
    assert (found[0] != found[1]).any()
    np.testing.assert_array_equal(found[0], found[2])


@pytest.mark.parametrize("device", ["gpu", "gpus"])
def test_there_is_no_partner_for_a_gpu(device: str) -> None:
    with partner_expected(MANY, device) as found:
        assert found is None


def test_there_is_no_partner_for_little_work() -> None:
    assert is_worth_halving(50_000)
    assert not is_worth_halving(49_999)
    with partner_expected(49_999, "cpu") as found:
        assert found is None


def test_there_is_no_partner_where_one_thread_is_wanted(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("TF_NUM_INTRAOP_THREADS", "OMP_NUM_THREADS", "NPROC"):
        monkeypatch.setenv(name, "2")
    use_one_thread()
    with partner_expected(MANY, "cpu") as found:
        assert found is None


@pytest.mark.parametrize("backend", ["jax", "torch"])
def test_there_is_no_partner_for_another_engine(backend: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("KERAS_BACKEND", backend)
    with partner_expected(MANY, "cpu") as found:
        assert found is None
