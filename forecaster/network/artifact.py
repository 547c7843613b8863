"""A trained network on disk: a folder with weights, Keras file and card, each held against its digest."""

import io
import json
import os
import shutil
import tempfile
import zipfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np

from forecaster.errors import BadInputError, NotFoundError
from forecaster.files import digest_bytes, digest_file, disk_error, json_value, make_folder, sync_folder
from forecaster.network.recurrent import RecurrentNetwork

FORMAT = 3
_READABLE = (1, 2, 3)  # from 2 on, weights may have seen the days that the card's scores are of
_SIZES = ("cell", "units", "layers", "bidirectional", "horizon", "lookback")  # of a network, in its recipe
_WEIGHTS, _EVALUATED, _KERAS, _CARD = "weights.npz", "evaluated.npz", "model.keras", "card.json"


def save_network(
    folder: Path,
    network: RecurrentNetwork,
    card: Mapping[str, Any],
    keras_file: bytes,
    evaluated: RecurrentNetwork | None = None,
) -> None:
    """Write a network as a new folder with weights.npz, model.keras and card.json, or not at all.

    The card, whose `recipe` and `features` describe the network, gains the format version, the digests of
    the other files and its own. `evaluated` is the network that the card's scores are of, where it is
    another one (evaluated.npz).

    Raises:
        DiskError: the disk fails.
        FileExistsError: the folder is there already; a version is never overwritten.
        TypeError: the card holds a value that JSON has no form for.
        ValueError: a weight is not an array of floats, or the card describes another network.
    """
    if _described(card) != {name: getattr(network, name) for name in (*_SIZES, "features")}:
        raise ValueError(f"the card describes another network: {_described(card)}")
    if folder.exists():
        raise FileExistsError(f"{folder} exists")
    content = {_WEIGHTS: _packed(network), _KERAS: keras_file}
    if evaluated is not None:
        content[_EVALUATED] = _packed(evaluated)
    digests = {name: digest_bytes(blob) for name, blob in content.items()}
    text = json.dumps({"format": FORMAT, **card, "digests": digests}, default=json_value)
    whole = json.loads(text)
    content[_CARD] = json.dumps({**whole, "digest": _card_digest(whole)}, indent=2).encode()
    _write_folder(folder, content)


def load_network(folder: Path) -> tuple[RecurrentNetwork, dict[str, Any]]:
    """Read the network that forecasts, and its card, rejecting what is not as it was written.

    Raises:
        NotFoundError: there is no such folder.
        BadInputError: a file is missing or damaged, or of another format.
    """
    card = read_card(folder)
    for name in _files(card):
        _check_digest(folder / name, card)
    return _read_network(folder / _WEIGHTS, card), card


def load_evaluated(folder: Path) -> RecurrentNetwork:
    """Read the network that the card's scores are of; it has seen nothing after its `validation_end`.

    Raises:
        NotFoundError, BadInputError: as `load_network`.
    """
    card = read_card(folder)
    name = _EVALUATED if _EVALUATED in _files(card) else _WEIGHTS
    _check_digest(folder / name, card)
    return _read_network(folder / name, card)


def network_faults(folder: Path) -> list[str]:
    """What is wrong with each of a network's files, in sentences; empty when `load_network` takes it.

    Raises:
        NotFoundError: there is no such folder.
    """
    try:
        card = read_card(folder)
    except BadInputError as error:
        return [error.message]
    faults = []
    for name in _files(card):
        try:
            _check_digest(folder / name, card)
            if name != _KERAS:
                _read_network(folder / name, card)
        except BadInputError as error:
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
    try:
        card: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
        written, digest = card["format"], card.pop("digest", None)
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise _damaged(path, str(error)) from error
    if written not in _READABLE:
        raise BadInputError(
            f"{path} has format {written}, this version reads {FORMAT} and older ones",
            "update forecast, or train the model anew",
        )
    if digest != _card_digest(card):
        raise _damaged(path, "its content is not what was written")
    return card if written == FORMAT else _brought_up_to_date(path, card)


def _brought_up_to_date(path: Path, card: Mapping[str, Any]) -> dict[str, Any]:
    """A card of format 1 or 2, which told a network's sizes up to three times, in the present format."""
    try:
        shape = {**card["network"], "lookback": card["lookback"]}
        recipe = {**card["recipe"], **{name: shape[name] for name in _SIZES}}
        kept = {name: part for name, part in card.items() if name not in (*_SIZES, "network")}
        present = {**kept, "format": FORMAT, "recipe": recipe, "features": shape["features"]}
        if recipe["bidirectional"]:
            raise _read_at_the_wrong_day(path, present)
    except (KeyError, TypeError) as error:
        raise _damaged(path, f"it does not describe a network: {error}") from error
    return present


def _read_at_the_wrong_day(path: Path, card: Mapping[str, Any]) -> BadInputError:
    """The weights were fitted to an answer that is no longer given; none can be made of them."""
    sizes = " ".join(f"--{name} {card['recipe'][name]}" for name in _SIZES if name != "bidirectional")
    return BadInputError(
        f"{path}: an earlier forecast trained this bidirectional network, and read its backward direction at "
        "the window's last day, where it had seen one day only",
        f"train it anew with `forecast train --name {card['name']} --bidirectional {sizes}`, or choose "
        "another version with --model NAME@VERSION",
    )


def _card_digest(card: Mapping[str, Any]) -> str:
    return digest_bytes(json.dumps(card, sort_keys=True).encode())


def _check_digest(path: Path, card: Mapping[str, Any]) -> None:
    try:
        sound = digest_file(path) == card["digests"][path.name]
    except OSError as error:
        raise _damaged(path, error.strerror or str(error)) from error
    except (KeyError, TypeError) as error:
        raise _damaged(path, "the card has no digest of it") from error
    if not sound:
        raise _damaged(path, "its content is not what was written")


def _files(card: Mapping[str, Any]) -> tuple[str, ...]:
    """The files beside the card; what else it may name is not looked for."""
    digests = card.get("digests")
    has_evaluated = isinstance(digests, dict) and _EVALUATED in digests
    return (_WEIGHTS, _EVALUATED, _KERAS) if has_evaluated else (_WEIGHTS, _KERAS)


def _packed(network: RecurrentNetwork) -> bytes:
    """The weights as the content of an .npz file; savez would pickle an array of objects.

    Its option `allow_pickle` is of no use here: a NumPy that has none stores it as one more array.
    """
    arrays: dict[str, Any] = dict(network.weights)
    for name, array in arrays.items():
        if array.dtype.kind != "f":
            raise ValueError(f"the weight {name} is of {array.dtype}, not of floats")
    packed = io.BytesIO()
    np.savez(packed, **arrays)
    return packed.getvalue()


def _read_network(path: Path, card: Mapping[str, Any]) -> RecurrentNetwork:
    try:
        with np.load(path, allow_pickle=False) as arrays:
            return RecurrentNetwork(**_described(card), weights=dict(arrays))
    except (ValueError, KeyError, TypeError, zipfile.BadZipFile) as error:
        raise _damaged(path, str(error)) from error


def _described(card: Mapping[str, Any]) -> dict[str, Any]:
    """The network that a card describes, but for its weights."""
    return {name: card["recipe"][name] for name in _SIZES} | {"features": tuple(card["features"])}


def _damaged(path: Path, reason: str) -> BadInputError:
    return BadInputError(
        f"{path} is damaged: {reason}",
        "choose another version with --model NAME@VERSION (`forecast models list`), or train anew",
    )


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
