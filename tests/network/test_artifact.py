import json
import os

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import keras
import numpy as np
import pytest
from network_factory import FEATURES, card_of, random_network

from forecaster.errors import BadInputError, DiskError, NotFoundError
from forecaster.files import digest_bytes
from forecaster.network import artifact
from forecaster.network.artifact import LEAST_DEGREES, load_network, read_card, save_network
from forecaster.network.model import build_network
from forecaster.network.sizing import network_parameters
from forecaster.settings import CELLS, TrainSettings


def inputs(batch: int = 3, steps: int = 7) -> np.ndarray:
    return np.random.default_rng(3).normal(size=(batch, steps, len(FEATURES))).astype("f4")


def saved(folder: Path) -> Path:
    network = random_network()
    save_network(folder, network, card_of(network), b"a Keras file")
    return folder


@pytest.mark.parametrize("bidirectional", [False, True], ids=["forwards", "both ways"])
@pytest.mark.parametrize("layers", [1, 2, 3])
@pytest.mark.parametrize("cell", CELLS)
def test_answers_and_size_are_those_of_the_keras_network(cell: str, layers: int, bidirectional: bool) -> None:
    recipe = TrainSettings(cell=cell, layers=layers, bidirectional=bidirectional, units=4, horizon=2)
    ours = random_network(cell, 4, layers, bidirectional=bidirectional, horizon=2)
    theirs = build_network(len(FEATURES), recipe)
    theirs.set_weights(list(ours.weights.values()))
    expected = keras.ops.convert_to_numpy(theirs(inputs()))
    np.testing.assert_allclose(ours.head_output(inputs(), 5), expected[:, -5:], atol=1e-5, rtol=0)
    assert ours.parameter_count() == theirs.count_params()
    assert ours.parameter_count() == network_parameters(cell, 4, len(FEATURES), recipe)


def test_windows_beyond_one_chunk_keep_their_order(monkeypatch: pytest.MonkeyPatch) -> None:
    network = random_network()
    at_once = network.head_output(inputs(batch=11), 2)
    monkeypatch.setattr(artifact, "_WINDOWS_AT_ONCE", 4)
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


@pytest.mark.parametrize("bidirectional", [False, True], ids=["forwards", "both ways"])
@pytest.mark.parametrize("cell", CELLS)
def test_a_network_and_its_card_come_back_as_written(tmp_path: Path, cell: str, bidirectional: bool) -> None:
    network = random_network(cell, layers=2, bidirectional=bidirectional)
    save_network(tmp_path / "m" / "1", network, card_of(network), b"a Keras file")
    loaded, card = load_network(tmp_path / "m" / "1")
    assert replace(loaded, weights=network.weights) == network
    assert list(loaded.weights) == list(network.weights)
    for name, array in network.weights.items():
        np.testing.assert_array_equal(loaded.weights[name], array)
    assert card_of(network).items() <= card.items()
    assert card["format"] == 1
    assert (tmp_path / "m" / "1" / "model.keras").read_bytes() == b"a Keras file"
    assert card["digests"]["model.keras"] == digest_bytes(b"a Keras file")


def test_nothing_is_pickled(tmp_path: Path) -> None:
    with np.load(saved(tmp_path / "1") / "weights.npz", allow_pickle=False) as arrays:
        assert all(array.dtype == np.float32 for array in arrays.values())


@pytest.mark.parametrize("file", ["weights.npz", "model.keras", "card.json"])
@pytest.mark.parametrize(
    "harm",
    [
        pytest.param(lambda path: path.unlink(), id="missing"),
        pytest.param(lambda path: path.write_bytes(b""), id="empty"),
        pytest.param(lambda path: path.write_bytes(path.read_bytes()[:-7]), id="cut short"),
        pytest.param(lambda path: path.write_bytes(path.read_bytes().replace(b"a", b"e", 1)), id="altered"),
        pytest.param(lambda path: path.write_bytes(b"\xff" + path.read_bytes()), id="not text"),
    ],
)
def test_a_damaged_file_is_named_with_the_way_out(
    tmp_path: Path, file: str, harm: Callable[[Path], None]
) -> None:
    folder = saved(tmp_path / "1")
    harm(folder / file)
    with pytest.raises(BadInputError, match="is damaged") as caught:
        load_network(folder)
    assert str(folder / file) in caught.value.message
    assert "another version" in caught.value.remedy


def test_a_score_changed_in_the_card_is_noticed(tmp_path: Path) -> None:
    path = saved(tmp_path / "1") / "card.json"
    path.write_text(path.read_text().replace("0.008318", "0.004318"))
    with pytest.raises(BadInputError, match="not what was written"):
        read_card(path.parent)


@pytest.mark.parametrize("card", ["[]", '"text"', "3", "{}", '{"format": 1}'])
def test_json_that_is_no_card_is_refused(tmp_path: Path, card: str) -> None:
    folder = saved(tmp_path / "1")
    (folder / "card.json").write_text(card)
    with pytest.raises(BadInputError, match=r"card\.json is damaged"):
        load_network(folder)


def test_another_format_is_refused_before_anything_else_is_read(tmp_path: Path) -> None:
    folder = saved(tmp_path / "1")
    (folder / "card.json").write_text(json.dumps({"format": 2, "new": "things"}))
    with pytest.raises(BadInputError, match="has format 2, this version reads 1"):
        read_card(folder)


def test_no_folder_is_not_found(tmp_path: Path) -> None:
    with pytest.raises(NotFoundError):
        load_network(tmp_path / "none")


@pytest.mark.parametrize(
    ("name", "array", "message"),
    [
        pytest.param("head/bias", np.zeros(5, "f4"), r"\(5,\), not \(6,\)", id="wrong shape"),
        pytest.param("head/bias", np.full(6, np.nan, "f4"), "not finite", id="not finite"),
        pytest.param("layer7/forward/bias", np.zeros(1, "f4"), r"layer7.*, not None", id="unknown name"),
    ],
)
def test_weights_that_do_not_fit_are_refused(name: str, array: np.ndarray, message: str) -> None:
    network = random_network(horizon=2)
    with pytest.raises(ValueError, match=message):
        replace(network, weights={**network.weights, name: array})


def test_a_missing_weight_is_refused() -> None:
    network = random_network()
    weights = {name: array for name, array in network.weights.items() if name != "head/kernel"}
    with pytest.raises(ValueError, match=r"head/kernel has shape None"):
        replace(network, weights=weights)


def test_a_card_that_describes_another_network_is_refused(tmp_path: Path) -> None:
    network = random_network(units=4)
    weights = {name: array for name, array in network.weights.items() if name.startswith("head")}
    object.__setattr__(network, "weights", weights)  # what no caller can build, a broken writer could write
    save_network(tmp_path / "1", network, {}, b"")
    with pytest.raises(BadInputError, match=r"weights\.npz is damaged: the weight layer0"):
        load_network(tmp_path / "1")


@pytest.mark.parametrize("step", ["fsync", "rename"])
def test_a_full_disk_leaves_no_folder_and_no_litter(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, step: str
) -> None:
    def refuse(*_: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(*((os, "fsync") if step == "fsync" else (Path, "rename")), refuse)
    with pytest.raises(DiskError, match="No space left"):
        saved(tmp_path / "m" / "1")
    assert list((tmp_path / "m").iterdir()) == []


def test_a_version_is_never_overwritten(tmp_path: Path) -> None:
    folder = saved(tmp_path / "1")
    before = (folder / "card.json").read_bytes()
    with pytest.raises(FileExistsError):
        save_network(folder, random_network(seed=9), {}, b"")
    assert (folder / "card.json").read_bytes() == before
