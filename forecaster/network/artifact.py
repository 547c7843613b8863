"""A trained network on disk: a folder with weights, Keras file and card, each held against its digest."""

import json
import os
import shutil
import tempfile
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from forecaster.dataset.report_features import is_report_feature
from forecaster.errors import BadInputError, DiskError, NotFoundError
from forecaster.files import (
    MOST_BYTES,
    digest_bytes,
    disk_error,
    json_value,
    make_folder,
    read_regular,
    sync_folder,
)
from forecaster.network.card import (
    DAMAGE_REMEDY,
    ENSEMBLE,
    FORMAT,
    SIZES,
    damaged_file,
    described,
    parse_card,
    sealed_card,
)
from forecaster.network.cells import Shape
from forecaster.network.linear_t import LinearT, linear_shapes
from forecaster.network.network import Network
from forecaster.network.recurrent import RecurrentNetwork, network_shapes
from forecaster.network.weights_file import most_bytes as most_weight_bytes
from forecaster.network.weights_file import pack_weights, unpack_weights
from forecaster.settings import LINEAR

_WEIGHTS, _EVALUATED, _KERAS, _CARD = "weights.npz", "evaluated.npz", "model.keras", "card.json"
_REFERENCE = "reference.npz"
_KERAS_SHARE = 5


def save_network(
    folder: Path,
    network: Network,
    card: Mapping[str, Any],
    keras_file: bytes,
    evaluated: Network | None = None,
    reference: Network | None = None,
) -> None:
    """Write a network as a new folder with weights.npz, model.keras and card.json, or not at all.

    The card, whose `recipe` and `features` describe the network, gains the format version, the digests of
    the other files and its own. `evaluated` is the network that the card's scores are of, where it is
    another one (evaluated.npz); `reference` the linear-t of the same inputs that its live forecasts are
    compared with, where that is the reference (reference.npz). A linear-t has no Keras file.

    Raises:
        DiskError: the disk fails.
        FileExistsError: the folder is there already; a version is never overwritten.
        TypeError: the card holds a value that JSON has no form for.
        ValueError: a weight is not an array of floats, or the card describes another network.
    """
    if described(card) != {name: getattr(network, name) for name in (*SIZES, ENSEMBLE, "features")}:
        raise ValueError(f"the card describes another network: {described(card)}")
    if folder.exists():
        raise FileExistsError(f"{folder} exists")
    content = {_WEIGHTS: pack_weights(network.weights)}
    if network.cell != LINEAR:
        content[_KERAS] = keras_file
    if evaluated is not None:
        content[_EVALUATED] = pack_weights(evaluated.weights)
    if reference is not None:
        content[_REFERENCE] = pack_weights(reference.weights)
    digests = {name: digest_bytes(blob) for name, blob in content.items()}
    text = json.dumps({"format": FORMAT, **card, "digests": digests}, default=json_value)
    whole = json.loads(text)
    content[_CARD] = json.dumps(sealed_card(whole), indent=2).encode()
    _write_folder(folder, content)


def load_network(folder: Path) -> tuple[Network, dict[str, Any]]:
    """Read the network that forecasts, and its card, rejecting what is not as it was written.

    Raises:
        NotFoundError: there is no such folder.
        BadInputError: a file is missing or damaged, or of another format.
    """
    card = read_card(folder)
    for name in _files(card):
        if name != _WEIGHTS:
            _checked(folder / name, card)
    return _unpacked(folder / _WEIGHTS, card), card


def load_evaluated(folder: Path) -> Network:
    """Read the network that the card's scores are of; it has seen nothing after its `validation_end`.

    Raises:
        NotFoundError, BadInputError: as `load_network`.
    """
    card = read_card(folder)
    return _unpacked(folder / (_EVALUATED if _EVALUATED in _files(card) else _WEIGHTS), card)


def load_reference(folder: Path) -> Network | None:
    """Read the linear-t that a network's live forecasts are compared with; None where it has none.

    Raises:
        NotFoundError, BadInputError: as `load_network`.
    """
    card = read_card(folder)
    return _unpacked_linear(folder / _REFERENCE, card) if _REFERENCE in _files(card) else None


def network_faults(folder: Path) -> list[str]:
    """What is wrong with each of a network's files, in sentences; empty when `load_network` takes it.

    Raises:
        NotFoundError: there is no such folder.
    """
    try:
        card = read_card(folder)
    except (BadInputError, DiskError) as error:
        return [error.message]
    faults = []
    for name in _files(card):
        try:
            _CHECKS.get(name, _unpacked)(folder / name, card)
        except (BadInputError, DiskError) as error:
            faults.append(error.message)
    return faults


def read_card(folder: Path) -> dict[str, Any]:
    """A version's card alone, in the present format whatever format it was written in.

    Raises:
        NotFoundError: there is no such folder.
        BadInputError: the card is missing, damaged, or of another format, or it is of a bidirectional
            network from before format 3.
    """
    path = folder / _CARD
    if not folder.is_dir():
        raise NotFoundError(f"there is no model in {folder}", "`forecast models list` shows what there is")
    return parse_card(path, _content(path))


def _content(path: Path, most_bytes: int = MOST_BYTES) -> bytes:
    try:
        return read_regular(path, DAMAGE_REMEDY, most_bytes=most_bytes)
    except FileNotFoundError as error:
        raise damaged_file(path, "it is not there") from error


def _checked(path: Path, card: Mapping[str, Any]) -> bytes:
    """The content of a file beside the card, held against its digest.

    No file of a network is larger than a few times its weights: Keras keeps what its optimizer remembers too.
    """
    shapes = _linear_shapes(card) if path.name == _REFERENCE else _shapes(card)
    content = _content(path, _KERAS_SHARE * most_weight_bytes(shapes))
    if digest_bytes(content) != card["digests"].get(path.name):
        raise damaged_file(path, "its content is not what was written")
    return content


def _files(card: Mapping[str, Any]) -> tuple[str, ...]:
    """The files beside the card; what else it may name is not looked for."""
    kept = tuple(name for name in (_EVALUATED, _REFERENCE) if name in card["digests"])
    return (_WEIGHTS, *kept) if card["recipe"]["cell"] == LINEAR else (_WEIGHTS, *kept, _KERAS)


def _linear_shapes(card: Mapping[str, Any]) -> dict[str, Shape]:
    return linear_shapes(card["recipe"]["horizon"], card["features"])


def _shapes(card: Mapping[str, Any]) -> dict[str, Shape]:
    if card["recipe"]["cell"] == LINEAR:
        return _linear_shapes(card)
    sizes = described(card)
    features = sizes.pop("features")
    del sizes["lookback"]
    return network_shapes(**sizes, features=len(features), known_ahead=sum(map(is_report_feature, features)))


def _unpacked(path: Path, card: Mapping[str, Any]) -> Network:
    content = _checked(path, card)
    try:
        kind = LinearT if card["recipe"]["cell"] == LINEAR else RecurrentNetwork
        return kind(**described(card), weights=unpack_weights(content, _shapes(card)))
    except ValueError as error:
        raise damaged_file(path, str(error)) from error


def _unpacked_linear(path: Path, card: Mapping[str, Any]) -> LinearT:
    """The linear-t that reads what the card's network reads."""
    content = _checked(path, card)
    sizes = {**described(card), "cell": LINEAR, "units": 1, "layers": 1, "bidirectional": False, ENSEMBLE: 1}
    try:
        return LinearT(**sizes, weights=unpack_weights(content, _linear_shapes(card)))
    except ValueError as error:
        raise damaged_file(path, str(error)) from error


_CHECKS: Mapping[str, Callable[[Path, Mapping[str, Any]], object]] = {
    _KERAS: _checked,
    _REFERENCE: _unpacked_linear,
}
"""What is looked at in a file that holds no weights of the card's network."""


def _write_folder(folder: Path, content: Mapping[str, bytes]) -> None:
    """Write files into a hidden sibling, then give it its name: the folder appears whole."""
    temporary: Path | None = None
    try:
        make_folder(folder.parent)
        temporary = Path(tempfile.mkdtemp(dir=folder.parent, prefix=".tmp-"))
        temporary.chmod(0o755)
        for name, blob in content.items():
            with (temporary / name).open("wb") as handle:
                handle.write(blob)
                handle.flush()
                os.fsync(handle.fileno())
        sync_folder(temporary)
        temporary.rename(folder)
        sync_folder(folder.parent)
    except OSError as error:
        raise disk_error(error, folder) from error
    finally:
        if temporary is not None:
            shutil.rmtree(temporary, ignore_errors=True)
