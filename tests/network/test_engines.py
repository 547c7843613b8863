"""Engines: chosen, missing, and what each is told before it starts; `tests/engines` has them train."""

import os
import sys
from importlib.metadata import version

import pytest
import tensorflow as tf

from forecaster.errors import UnavailableError, UsageError
from forecaster.evaluation.experiment import one_thread
from forecaster.network import engine
from forecaster.network.engine import Engine, start_engine
from forecaster.service.candidate import library_versions


def test_a_gpu_that_is_not_there_says_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(engine, "_gpus", lambda _: [])
    with pytest.raises(UsageError, match=r"tensorflow sees no GPU; pip install 'forecaster\[gpu\]'"):
        start_engine("gpu")
    assert start_engine("auto") == start_engine("cpu") == Engine("tensorflow", "cpu")


def test_a_gpu_is_taken_unless_the_cpu_is_asked_for(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(engine, "_gpus", lambda _: ["one"])
    assert [start_engine(device).device for device in ("auto", "gpu", "cpu")] == ["gpu", "gpu", "cpu"]


def test_the_cpu_is_chosen_by_hiding_the_gpus(monkeypatch: pytest.MonkeyPatch) -> None:
    """Keras calls cuDNN where TensorFlow or JAX sees a GPU, wherever it computes."""
    hidden: list[tuple[object, str]] = []
    monkeypatch.setattr(tf.config, "set_visible_devices", lambda *given: hidden.append(given))
    start_engine("auto")
    assert not hidden
    start_engine("cpu")
    assert hidden == [([], "GPU")]


def test_the_cpu_cannot_be_chosen_once_the_gpu_computes(monkeypatch: pytest.MonkeyPatch) -> None:
    def too_late(*_: object) -> None:
        raise RuntimeError("Visible devices cannot be modified after being initialized")

    monkeypatch.setattr(tf.config, "set_visible_devices", too_late)
    with pytest.raises(UsageError, match="tensorflow computes on the GPU in this process already"):
        start_engine("cpu")


def test_several_devices_need_jax() -> None:
    with pytest.raises(UsageError, match="runs on tensorflow; set KERAS_BACKEND=jax"):
        start_engine("gpus")


def test_an_empty_variable_chooses_tensorflow(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("KERAS_BACKEND", "")
    assert start_engine("auto").backend == "tensorflow"
    assert os.environ["KERAS_BACKEND"] == "tensorflow"


def test_what_the_user_tells_xla_stands(monkeypatch: pytest.MonkeyPatch) -> None:
    for given, told in (
        ("", "--xla_gpu_deterministic_ops=true"),
        ("--xla_dump_to=x", "--xla_dump_to=x --xla_gpu_deterministic_ops=true"),
        ("--xla_gpu_deterministic_ops=false", "--xla_gpu_deterministic_ops=false"),
    ):
        monkeypatch.setenv("XLA_FLAGS", given)
        engine._set_before_import("jax")
        assert os.environ["XLA_FLAGS"] == told


def test_one_thread_is_asked_of_every_engine(monkeypatch: pytest.MonkeyPatch) -> None:
    """`tests/engines` has the engines obey."""
    variables = ("TF_NUM_INTRAOP_THREADS", "OMP_NUM_THREADS", "NPROC")
    for variable in variables:
        monkeypatch.setenv(variable, "7")
    with one_thread():
        assert [os.environ[variable] for variable in variables] == ["1", "1", "1"]


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
    ("chosen", "cell", "precision", "kernel"),
    [
        pytest.param(Engine("tensorflow", "gpu"), "lstm", "float32", "cuDNN", id="lstm-on-a-gpu"),
        pytest.param(Engine("tensorflow", "gpu"), "rnn", "float32", "loop", id="no-cudnn-for-simple-rnn"),
        pytest.param(Engine("jax", "gpu"), "gru", "float32", "loop", id="no-cudnn-for-jax-gru"),
        pytest.param(Engine("jax", "4 gpus", ("gpu:0",) * 4), "lstm", "float32", "cuDNN", id="several"),
        pytest.param(Engine("torch", "gpu"), "gru", "mixed", "cuDNN", id="mixed"),
        pytest.param(Engine("jax", "gpu"), "lstm", "mixed", "loop", id="cudnn-of-jax-is-float32"),
        pytest.param(Engine("tensorflow", "cpu"), "lstm", "float32", "loop", id="cpu"),
    ],
)
def test_the_kernel_is_named(chosen: Engine, cell: str, precision: str, kernel: str) -> None:
    assert chosen.kernel(cell, precision) == kernel


def test_versions_are_those_of_the_engine(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("KERAS_BACKEND", "jax")
    versions = library_versions()
    assert versions["jax"] == version("jax")
    assert "tensorflow" not in versions
    monkeypatch.delenv("KERAS_BACKEND")
    assert library_versions()["tensorflow"] == version("tensorflow")
