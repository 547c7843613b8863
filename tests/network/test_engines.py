"""Engines: chosen, missing, and agreeing with each other."""

import importlib.util
import json
import os
import subprocess
import sys
from dataclasses import asdict
from pathlib import Path
from typing import Any

import keras
import numpy as np
import pytest
from factories import panel_of, persistent_table

from forecaster.dataset.features import ALWAYS
from forecaster.dataset.split import split_days
from forecaster.errors import UnavailableError, UsageError
from forecaster.network import engine
from forecaster.network.engine import Engine, start_engine
from forecaster.network.training import train_network
from forecaster.settings import Recipe

RECIPE = Recipe(cell="lstm", lookback=12, horizon=2, units=6, epochs=3, learning_rate=0.02, batch_size=16)


def fit(folder: Path) -> dict[str, Any]:
    """Train, and leave how Keras and the runtime without it answer the same inputs."""
    panel = panel_of(*(persistent_table(name, 400, seed, 0.7) for seed, name in enumerate(("AAA", "BBB"))))
    trained = train_network(panel, ALWAYS, split_days(panel.dates, 2), RECIPE, start_engine("cpu"))
    (folder / "model.keras").write_bytes(trained.keras_file)
    inputs = np.random.default_rng(0).normal(size=(3, 12, len(ALWAYS))).astype("f4")
    answer = keras.ops.convert_to_numpy(keras.saving.load_model(folder / "model.keras")(inputs))
    return {
        "engine": asdict(trained.engine),
        "losses": trained.losses,
        "validation_loss": min(trained.validation_losses),
        "apart": float(np.abs(answer - trained.network.head_output(inputs, 12)).max()),
    }


def fit_on(backend: str, folder: Path) -> dict[str, Any]:
    """`fit` in a process of its own, as a process has one engine."""
    script = (
        "import sys, json, pathlib, test_engines as t; print(json.dumps(t.fit(pathlib.Path(sys.argv[1]))))"
    )
    here = Path(__file__).parent
    search = os.pathsep.join([str(here), str(here.parent), str(here.parents[1])])
    ran = subprocess.run(
        [sys.executable, "-c", script, str(folder)],
        env=os.environ | {"KERAS_BACKEND": backend, "PYTHONPATH": search},
        capture_output=True,
        text=True,
        check=False,
    )
    assert ran.returncode == 0, ran.stderr
    found: dict[str, Any] = json.loads(ran.stdout)
    assert found["engine"] == {"backend": backend, "device": "cpu"}
    return found


@pytest.mark.skipif(not importlib.util.find_spec("jax"), reason="jax is not installed")
@pytest.mark.trial
def test_jax_learns_what_tensorflow_learns(tmp_path: Path) -> None:
    jax, tensorflow = fit_on("jax", tmp_path), fit(tmp_path)
    for found in (jax, tensorflow):
        assert found["apart"] < 1e-5
        assert found["losses"][-1] < found["losses"][0]
    # Other random numbers, the same windows and the same method.
    assert jax["losses"][-1] == pytest.approx(tensorflow["losses"][-1], abs=0.02)
    assert jax["validation_loss"] == pytest.approx(tensorflow["validation_loss"], abs=0.02)


def test_a_gpu_that_is_not_there_says_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(engine, "_gpus", lambda _: [])
    with pytest.raises(UsageError, match=r"tensorflow sees no GPU; pip install 'forecaster\[gpu\]'"):
        start_engine("gpu")
    assert start_engine("auto") == start_engine("cpu") == Engine("tensorflow", "cpu")


def test_a_gpu_is_taken_unless_the_cpu_is_asked_for(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(engine, "_gpus", lambda _: ["one"])
    assert [start_engine(device).device for device in ("auto", "gpu", "cpu")] == ["gpu", "gpu", "cpu"]


def test_an_unknown_engine_is_rejected(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("KERAS_BACKEND", "abacus")
    with pytest.raises(UsageError, match="choose from tensorflow, torch, jax"):
        start_engine("cpu")


def test_an_engine_that_is_not_installed_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("KERAS_BACKEND", "torch")
    monkeypatch.setitem(sys.modules, "torch", None)
    with pytest.raises(UnavailableError, match="pip install torch"):
        start_engine("cpu")


@pytest.mark.parametrize(
    ("chosen", "cell", "kernel"),
    [
        pytest.param(Engine("tensorflow", "gpu"), "lstm", "cuDNN", id="lstm-on-a-gpu"),
        pytest.param(Engine("tensorflow", "gpu"), "rnn", "loop", id="no-cudnn-for-simple-rnn"),
        pytest.param(Engine("jax", "gpu"), "gru", "loop", id="no-cudnn-for-jax-gru"),
        pytest.param(Engine("tensorflow", "cpu"), "lstm", "loop", id="cpu"),
    ],
)
def test_the_kernel_is_named(chosen: Engine, cell: str, kernel: str) -> None:
    assert chosen.kernel(cell) == kernel
