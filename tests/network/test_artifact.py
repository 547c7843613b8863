import json
import os
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import BinaryIO

import numpy as np
import pytest
from network_factory import card_of, make_old, random_network

from forecaster.errors import BadInputError, DiskError, NotFoundError
from forecaster.files import digest_bytes
from forecaster.network.artifact import (
    load_evaluated,
    load_network,
    load_reference,
    network_faults,
    read_card,
    save_network,
)
from forecaster.network.card import sealed_card
from forecaster.network.linear_t import KERNEL, LinearT, linear_shapes
from forecaster.network.recurrent import RecurrentNetwork, ensemble_of
from forecaster.settings import CELLS


def bias(network: RecurrentNetwork) -> list[float]:
    return network.weights["head/bias"].tolist()


def saved(folder: Path) -> Path:
    network = random_network()
    save_network(folder, network, card_of(network), b"a Keras file")
    return folder


@pytest.mark.parametrize(
    ("cell", "bidirectional"),
    [(cell, both_ways) for cell in CELLS for both_ways in (False, True)] + [("convlstm", False)],
)
def test_a_network_and_its_card_come_back_as_written(tmp_path: Path, cell: str, bidirectional: bool) -> None:
    network = random_network(cell, layers=2, bidirectional=bidirectional)
    save_network(tmp_path / "m" / "1", network, card_of(network), b"a Keras file")
    loaded, card = load_network(tmp_path / "m" / "1")
    assert replace(loaded, weights=network.weights) == network
    assert list(loaded.weights) == list(network.weights)
    for name, array in network.weights.items():
        np.testing.assert_array_equal(loaded.weights[name], array)
    assert card_of(network).items() <= card.items()
    assert card["format"] == 4
    assert (tmp_path / "m" / "1" / "model.keras").read_bytes() == b"a Keras file"
    assert card["digests"]["model.keras"] == digest_bytes(b"a Keras file")


def test_the_weights_file_holds_the_weights_and_nothing_else(tmp_path: Path) -> None:
    path = saved(tmp_path / "1") / "weights.npz"
    with np.load(path, allow_pickle=False) as arrays:
        assert list(arrays) == list(random_network().weights)
        assert all(array.dtype == np.float32 for array in arrays.values())


def test_a_card_with_a_value_that_json_has_no_form_for_is_not_written(tmp_path: Path) -> None:
    network = random_network()
    with pytest.raises(TypeError, match="set has no form in JSON"):
        save_network(tmp_path / "m" / "1", network, card_of(network, tickers={"AAA"}), b"a Keras file")
    assert not (tmp_path / "m").exists()


def test_what_would_have_to_be_pickled_is_never_written(tmp_path: Path) -> None:
    network = random_network()
    pickled = {**network.weights, "head/bias": network.weights["head/bias"].astype(object)}
    object.__setattr__(network, "weights", pickled)  # what no caller can build, a broken writer could write
    with pytest.raises(ValueError, match="the weight head/bias is of object, not of floats"):
        save_network(tmp_path / "m" / "1", network, card_of(network), b"a Keras file")
    assert not (tmp_path / "m").exists()


def test_savez_gets_no_option_that_an_older_numpy_takes_for_an_array(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    given: list[str] = []
    savez = np.savez

    def older(file: BinaryIO, **arrays: np.ndarray) -> None:
        given.extend(arrays)
        savez(file, **arrays)

    monkeypatch.setattr(np, "savez", older)
    saved(tmp_path / "1")
    assert given == list(random_network().weights)


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


@pytest.mark.parametrize("card", ["[]", '"text"', "3", "{}", '{"format": 2}'])
def test_json_that_is_no_card_is_rejected(tmp_path: Path, card: str) -> None:
    folder = saved(tmp_path / "1")
    (folder / "card.json").write_text(card)
    with pytest.raises(BadInputError, match=r"card\.json is damaged"):
        load_network(folder)


def test_another_format_is_rejected_before_anything_else_is_read(tmp_path: Path) -> None:
    folder = saved(tmp_path / "1")
    (folder / "card.json").write_text(json.dumps({"format": 5, "new": "things"}))
    with pytest.raises(BadInputError, match="has format 5, this version reads 4"):
        read_card(folder)


@pytest.mark.parametrize("written", [1, 2, 3])
def test_an_older_format_is_read(tmp_path: Path, written: int) -> None:
    folder = saved(tmp_path / "1")
    card = read_card(folder)
    make_old(folder, written)
    old = read_card(folder)
    assert old == card | {"prices": {"last_day": "2019-12-31", "closes_digest": "0" * 64}}
    assert bias(load_network(folder)[0]) == bias(random_network())
    assert bias(load_evaluated(folder)) == bias(random_network())
    assert network_faults(folder) == []


@pytest.mark.parametrize("written", [1, 2])
def test_a_bidirectional_network_of_an_older_format_is_rejected(tmp_path: Path, written: int) -> None:
    folder, network = tmp_path / "1", random_network(bidirectional=True)
    save_network(folder, network, card_of(network, name="both"), b"a Keras file")
    make_old(folder, written)
    for read in (load_network, load_evaluated, read_card):
        with pytest.raises(
            BadInputError, match="read its backward direction at the window's last day"
        ) as caught:
            read(folder)
        assert str(folder / "card.json") in caught.value.message
        sizes = "--cell gru --units 4 --layers 1 --horizon 2 --lookback 120"
        assert f"`forecast train --name both --bidirectional {sizes}`" in caught.value.remedy
    assert "backward direction" in network_faults(folder)[0]


@pytest.mark.parametrize("part", ["cell", "lookback", "features"])
def test_a_network_is_not_written_with_the_card_of_another(tmp_path: Path, part: str) -> None:
    network = random_network()
    others = {"cell": random_network("lstm"), "lookback": random_network(lookback=60)}
    card = card_of(others.get(part, random_network(features=("return", "range", "volume"))))
    with pytest.raises(ValueError, match="the card describes another network"):
        save_network(tmp_path / "m" / "1", network, card, b"a Keras file")
    assert not (tmp_path / "m").exists()


def test_a_card_tells_the_networks_sizes_once(tmp_path: Path) -> None:
    card = read_card(saved(tmp_path / "1"))
    assert not {"network", "cell", "units", "layers", "bidirectional", "horizon", "lookback"} & card.keys()


def test_the_network_that_was_scored_is_kept_beside_the_one_that_forecasts(tmp_path: Path) -> None:
    folder, evaluated = tmp_path / "1", random_network(seed=1)
    save_network(folder, random_network(), card_of(evaluated), b"a Keras file", evaluated)
    assert bias(load_network(folder)[0]) == bias(random_network())
    assert bias(load_evaluated(folder)) == bias(evaluated)
    assert network_faults(folder) == []
    (folder / "evaluated.npz").write_bytes((folder / "weights.npz").read_bytes())
    assert "evaluated.npz is damaged" in network_faults(folder)[0]
    for load in (load_network, load_evaluated):
        with pytest.raises(BadInputError, match=r"evaluated\.npz is damaged"):
            load(folder)


def test_the_linear_t_that_live_forecasts_are_compared_with_is_kept_beside(tmp_path: Path) -> None:
    network, linear = random_network(), random_linear()
    folder = tmp_path / "1"
    save_network(folder, network, card_of(network), b"a Keras file", reference=linear)
    kept = load_reference(folder)
    assert isinstance(kept, LinearT)
    assert (kept.lookback, kept.horizon, kept.features) == (
        network.lookback,
        network.horizon,
        network.features,
    )
    for name, weights in linear.weights.items():
        np.testing.assert_array_equal(kept.weights[name], weights)
    assert network_faults(folder) == []
    (folder / "reference.npz").write_bytes((folder / "weights.npz").read_bytes())
    assert "reference.npz is damaged" in network_faults(folder)[0]
    for load in (load_network, load_reference):
        with pytest.raises(BadInputError, match=r"reference\.npz is damaged"):
            load(folder)


def test_a_reference_of_another_shape_is_damaged(tmp_path: Path) -> None:
    network, linear = random_network(), random_linear()
    object.__setattr__(linear, "weights", {KERNEL: linear.weights[KERNEL]})
    save_network(tmp_path / "1", network, card_of(network), b"a Keras file", reference=linear)
    with pytest.raises(BadInputError, match=r"reference\.npz is damaged"):
        load_reference(tmp_path / "1")
    assert "reference.npz is damaged" in network_faults(tmp_path / "1")[0]


def test_without_one_there_is_no_reference(tmp_path: Path) -> None:
    assert load_reference(saved(tmp_path / "1")) is None


def random_linear() -> LinearT:
    """One that reads what `random_network` reads."""
    like = random_network()
    shapes = linear_shapes(like.horizon, like.features)
    random = np.random.default_rng(2)
    weights = {name: random.normal(0, 0.1, shape).astype(np.float32) for name, shape in shapes.items()}
    sizes = {name: getattr(like, name) for name in ("horizon", "lookback", "features")}
    return LinearT(cell="linear", units=1, layers=1, bidirectional=False, weights=weights, **sizes)


def test_without_a_refit_the_network_that_forecasts_is_the_one_that_was_scored(tmp_path: Path) -> None:
    folder = saved(tmp_path / "1")
    assert not (folder / "evaluated.npz").exists()
    assert bias(load_evaluated(folder)) == bias(load_network(folder)[0])


def test_no_folder_is_not_found(tmp_path: Path) -> None:
    with pytest.raises(NotFoundError):
        load_network(tmp_path / "none")


def test_a_card_that_describes_another_network_is_rejected(tmp_path: Path) -> None:
    network = random_network(units=4)
    weights = {name: array for name, array in network.weights.items() if name.startswith("head")}
    object.__setattr__(network, "weights", weights)  # what no caller can build, a broken writer could write
    save_network(tmp_path / "1", network, card_of(network), b"")
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
    before, network = (folder / "card.json").read_bytes(), random_network(seed=9)
    with pytest.raises(FileExistsError):
        save_network(folder, network, card_of(network), b"")
    assert (folder / "card.json").read_bytes() == before


def test_an_ensemble_comes_back_as_written(tmp_path: Path) -> None:
    ensemble = ensemble_of([random_network(seed=seed) for seed in range(3)])
    save_network(tmp_path / "1", ensemble, card_of(ensemble), b"a Keras file")
    loaded, card = load_network(tmp_path / "1")
    assert loaded.ensemble == card["recipe"]["ensemble"] == 3
    for name, array in ensemble.weights.items():
        np.testing.assert_array_equal(loaded.weights[name], array)


def test_a_recipe_from_before_ensembles_is_of_one_network(tmp_path: Path) -> None:
    network = random_network()
    card = card_of(network)
    del card["recipe"]["ensemble"]
    save_network(tmp_path / "1", network, card, b"a Keras file")
    assert load_network(tmp_path / "1")[0].ensemble == 1


@pytest.mark.parametrize("ensemble", [None, 0, "many", 10**9])
def test_an_ensemble_of_nonsense_is_damaged(tmp_path: Path, ensemble: object) -> None:
    folder = saved(tmp_path / "1")
    path = folder / "card.json"
    card = json.loads(path.read_text())
    card["recipe"]["ensemble"] = ensemble
    del card["digest"]
    path.write_text(json.dumps(sealed_card(card)))
    with pytest.raises(BadInputError, match="is damaged: "):
        load_network(folder)
