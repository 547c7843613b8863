"""Exports that other tools read: the same answers as the runtime without Keras, the card's own figures."""

import json
import sqlite3
import sys
from contextlib import closing
from pathlib import Path

import numpy as np
import pytest
from command import rejection
from network_factory import FEATURES, card_of, random_network, recipe_of

from forecaster.cli.main import run
from forecaster.dataset.report_features import report_features
from forecaster.errors import ExitCode
from forecaster.network.recurrent import RecurrentNetwork
from forecaster.registry.versions import ModelRegistry
from forecaster.settings import CELLS

NO_SERVER = "http://127.0.0.1:9"
TO = "--output"
AHEAD = (*FEATURES, *report_features(2))
INPUTS = np.random.default_rng(0).normal(size=(3, 10, len(FEATURES))).astype("f4")


def registered(
    home: Path, cell: str = "gru", *, bidirectional: bool = False, features: tuple[str, ...] = FEATURES
) -> RecurrentNetwork:
    """A network as `main`, its Keras file a real one."""
    from forecaster.network.keras_network import begin_from, build_network, keras_file

    network = random_network(cell, layers=2, bidirectional=bidirectional, features=features)
    theirs = build_network(len(features), recipe_of(network), network.known_ahead)
    begin_from(theirs, network)
    ModelRegistry(home).register("main", network, card_of(network), keras_file(theirs))
    return network


def export(home: Path, to: str, *arguments: str) -> int:
    return run(["models", "export", "main", TO, "out", "--to", to, "--home", str(home), *arguments])


def test_the_keras_file_is_the_network(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    import keras

    network = registered(tmp_path)
    assert export(tmp_path, "keras", "--json") == ExitCode.DONE
    files = json.loads(capsys.readouterr().out)["files"]
    assert files == ["out/main-1.keras", "out/main-1.json"]
    loaded = keras.saving.load_model(files[0], compile=False, safe_mode=True)
    answers = keras.ops.convert_to_numpy(loaded(INPUTS))
    np.testing.assert_allclose(answers, network.head_output(INPUTS, 10), atol=1e-5)
    assert json.loads(Path(files[1]).read_text())["features"] == list(FEATURES)


@pytest.mark.parametrize(
    ("cell", "bidirectional"),
    [
        *((cell, False) for cell in CELLS),
        ("lstm", True),
        pytest.param("convlstm", False, marks=pytest.mark.trial),
    ],
    ids=[*CELLS, "both ways", "weeks"],
)
def test_the_onnx_file_gives_the_same_distributions(tmp_path: Path, cell: str, bidirectional: bool) -> None:
    import onnxruntime

    network = registered(tmp_path, cell, bidirectional=bidirectional)
    assert export(tmp_path, "onnx") == ExitCode.DONE
    session = onnxruntime.InferenceSession("out/main-1.onnx")
    names = ("location", "scale", "degrees_of_freedom")
    answers = session.run(names, {"features": INPUTS})
    expected = network.distribution(network.head_output(INPUTS, 1 if network.last_day_only else 10))
    for name, answer in zip(names, answers, strict=True):
        np.testing.assert_allclose(answer, getattr(expected, name), rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize(
    "bidirectional",
    [
        pytest.param(False, id="forwards"),
        pytest.param(True, id="both ways", marks=pytest.mark.trial),
    ],
)
def test_a_network_that_reads_dates_is_exported_whole(tmp_path: Path, bidirectional: bool) -> None:
    import keras
    import onnxruntime

    network = registered(tmp_path, bidirectional=bidirectional, features=AHEAD)
    seen = np.random.default_rng(1).normal(size=(3, 9, len(AHEAD))).astype("f4")
    raw = network.head_output(seen, 1 if bidirectional else 9)
    assert export(tmp_path, "onnx") == ExitCode.DONE
    session = onnxruntime.InferenceSession("out/main-1.onnx")
    names = ("location", "scale", "degrees_of_freedom")
    for name, answer in zip(names, session.run(names, {"features": seen}), strict=True):
        np.testing.assert_allclose(answer, getattr(network.distribution(raw), name), rtol=1e-4, atol=1e-5)
    assert json.loads(Path("out/main-1.json").read_text())["features"] == list(AHEAD)
    assert export(tmp_path, "keras") == ExitCode.DONE
    loaded = keras.saving.load_model("out/main-1.keras", compile=False, safe_mode=True)
    np.testing.assert_allclose(keras.ops.convert_to_numpy(loaded(seen)), raw, atol=1e-5)


@pytest.mark.trial
def test_mlflow_has_recipe_scores_and_files_and_a_second_time_changes_nothing(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    from mlflow import MlflowClient

    registered(tmp_path)
    for words in ("Exported: MLflow's run", "which was there already"):
        assert export(tmp_path, "mlflow") == ExitCode.DONE
        captured = capsys.readouterr()
        assert words in captured.out
        assert captured.err == ""
    client = MlflowClient(f"sqlite:///{tmp_path}/out/mlflow.db", f"sqlite:///{tmp_path}/out/mlflow.db")
    version = client.get_model_version("main", "1")
    assert version.tags == {"forecast.version": "1"}
    found = client.get_run(version.run_id)
    assert found.data.params["cell"] == "gru"
    assert found.data.metrics["crps_1"] == 0.008318
    assert {each.path for each in client.list_artifacts(version.run_id)} == {
        *("card.json", "model.keras", "weights.npz")
    }
    with closing(sqlite3.connect("out/mlflow.db")) as store:
        assert store.execute("SELECT COUNT(*) FROM runs").fetchone() == (1,)


@pytest.mark.parametrize(
    ("arguments", "code", "words"),
    [
        pytest.param(["main", TO, "out", "--to", "pmml"], ExitCode.USAGE, "choose from", id="format"),
        pytest.param(
            ["main@9", TO, "out"], ExitCode.NOT_FOUND, "main has no version 9", id="no such version"
        ),
        pytest.param(["main", TO, "file", "--to", "onnx"], ExitCode.DISK, "cannot write", id="a file there"),
        pytest.param(["main", TO, "file", "--to", "mlflow"], ExitCode.DISK, "cannot write", id="for a store"),
        pytest.param(
            ["main", TO, NO_SERVER, "--to", "mlflow"], ExitCode.UNAVAILABLE, "MLflow failed", id="no server"
        ),
    ],
)
def test_rejections(
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    arguments: list[str],
    code: ExitCode,
    words: str,
) -> None:
    network = random_network()
    ModelRegistry(tmp_path).register("main", network, card_of(network), b"keras")
    (tmp_path / "file").touch()
    monkeypatch.setenv("MLFLOW_HTTP_REQUEST_MAX_RETRIES", "0")
    found, line = rejection(capsys, "models", "export", *arguments, "--home", tmp_path)
    assert found == code
    assert words in line


@pytest.mark.parametrize(
    ("to", "library", "extra"), [("onnx", "tf2onnx", "onnx"), ("mlflow", "mlflow.exceptions", "mlflow")]
)
def test_without_its_library_the_rejection_names_the_extra(
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    to: str,
    library: str,
    extra: str,
) -> None:
    registered(tmp_path)
    monkeypatch.setitem(sys.modules, library, None)
    code, line = rejection(capsys, "models", "export", "main", TO, "out", "--to", to, "--home", tmp_path)
    assert code == ExitCode.UNAVAILABLE
    assert f"pip install 'forecaster[{extra}]'" in line
    assert not list(Path("out").glob("*"))
