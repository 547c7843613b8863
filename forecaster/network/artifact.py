"""A trained network without Keras: the matrices, what runs them, and the folder they are kept in."""

import io
import json
import os
import shutil
import tempfile
import zipfile
from collections.abc import Mapping
from dataclasses import dataclass, fields
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from forecaster.errors import BadInputError, NotFoundError
from forecaster.files import digest_bytes, digest_file, disk_error, sync_folder
from forecaster.network.cells import CellWeights, Shape, run_layer, weight_shapes
from forecaster.network.student_t import ForecastDistribution

FORMAT = 1
LEAST_DEGREES = 2.1
_WINDOWS_AT_ONCE = 512  # a step's gates then fit the cache: 2 to 4 times quicker than 6,000 windows at once
_WEIGHTS, _KERAS, _CARD = "weights.npz", "model.keras", "card.json"

Float32 = NDArray[np.float32]


@dataclass(frozen=True)
class RecurrentNetwork:
    """Recurrent layers under a Student-t head, as matrices.

    Attributes:
        cell: rnn, lstm or gru.
        units: of each layer, in each direction.
        layers: how many.
        bidirectional: whether each layer also reads backwards, its answers side by side.
        horizon: H steps of the head.
        features: names of the inputs, in order.
        weights: `layer0/forward/kernel`, `…/recurrent`, `…/bias`, `layer0/backward/…`, `head/kernel`
            and `head/bias`, laid out as in Keras.

    Raises:
        ValueError: a weight is missing, too many, of another shape, or not finite.
    """

    cell: str
    units: int
    layers: int
    bidirectional: bool
    horizon: int
    features: tuple[str, ...]
    weights: Mapping[str, Float32]

    def __post_init__(self) -> None:
        expected = self._shapes()
        for name in expected.keys() | self.weights.keys():
            found = self.weights[name].shape if name in self.weights else None
            if found != expected.get(name):
                raise ValueError(f"the weight {name} has shape {found}, not {expected.get(name)}")
            if not np.isfinite(self.weights[name]).all():
                raise ValueError(f"the weight {name} is not finite")

    def head_output(self, inputs: Float32, last: int) -> Float32:
        """The head's raw answers at the last days of each window.

        Args:
            inputs: (batch, timesteps, features).
            last: how many of the last days are answered.

        Returns:
            (batch, last, 3H): location, log-scale and raw degrees of freedom for each step.
        """
        answers = [
            self._head(inputs[first : first + _WINDOWS_AT_ONCE], last)
            for first in range(0, len(inputs), _WINDOWS_AT_ONCE)
        ]
        return np.concatenate(answers)

    def distribution(self, raw: Float32) -> ForecastDistribution:
        """The distributions that raw answers (..., 3H) stand for, (..., H) in units of σ(t)·√h."""
        location, log_scale, raw_degrees = np.split(raw, 3, axis=-1)
        return ForecastDistribution(
            location=location,
            scale=np.exp(log_scale),
            degrees_of_freedom=LEAST_DEGREES + np.logaddexp(np.float32(0), raw_degrees),
        )

    def parameter_count(self) -> int:
        """How many numbers were learnt."""
        return sum(array.size for array in self.weights.values())

    def layer_weights(self, layer: int, direction: str = "forward") -> CellWeights:
        """One layer's matrices in one direction."""
        kernel, recurrent, bias = (
            self.weights[f"layer{layer}/{direction}/{part}"] for part in ("kernel", "recurrent", "bias")
        )
        return CellWeights(kernel, recurrent, bias)

    def _shapes(self) -> dict[str, Shape]:
        directions = ("forward", "backward") if self.bidirectional else ("forward",)
        shapes: dict[str, Shape] = {}
        width = len(self.features)
        for layer in range(self.layers):
            parts = weight_shapes(self.cell, width, self.units)
            for direction in directions:
                shapes |= {f"layer{layer}/{direction}/{part}": shape for part, shape in parts.items()}
            width = len(directions) * self.units
        return shapes | {"head/kernel": (width, 3 * self.horizon), "head/bias": (3 * self.horizon,)}

    def _head(self, inputs: Float32, last: int) -> Float32:
        hidden: NDArray[Any] = inputs
        for layer in range(self.layers):
            forward = run_layer(self.cell, self.layer_weights(layer), hidden)
            if self.bidirectional:
                backward = run_layer(self.cell, self.layer_weights(layer, "backward"), hidden, backwards=True)
                forward = np.concatenate([forward, backward], axis=-1)
            hidden = forward
        answer: Float32 = hidden[:, -last:] @ self.weights["head/kernel"] + self.weights["head/bias"]
        return answer


def save_network(folder: Path, network: RecurrentNetwork, card: Mapping[str, Any], keras_file: bytes) -> None:
    """Write a network as a new folder with weights.npz, model.keras and card.json, or not at all.

    The card gains the format version, the network's shape, the digests of the other files and its own.

    Raises:
        DiskError: the disk refuses.
        FileExistsError: the folder is there already; a version is never overwritten.
    """
    if folder.exists():
        raise FileExistsError(f"{folder} exists")
    packed = io.BytesIO()
    np.savez(packed, allow_pickle=False, **network.weights)
    content = {_WEIGHTS: packed.getvalue(), _KERAS: keras_file}
    shape = {part.name: getattr(network, part.name) for part in fields(network) if part.name != "weights"}
    digests = {name: digest_bytes(blob) for name, blob in content.items()}
    text = json.dumps({"format": FORMAT, **card, "network": shape, "digests": digests}, default=str)
    whole = json.loads(text)
    content[_CARD] = json.dumps({**whole, "digest": _card_digest(whole)}, indent=2).encode()
    _write_folder(folder, content)


def load_network(folder: Path) -> tuple[RecurrentNetwork, dict[str, Any]]:
    """Read a network and its card back, refusing what is not as it was written.

    Raises:
        NotFoundError: there is no such folder.
        BadInputError: a file is missing or damaged, or of another format.
    """
    card = read_card(folder)
    for name in (_WEIGHTS, _KERAS):
        _check_digest(folder / name, card)
    return _read_network(folder, card), card


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
    for name in (_WEIGHTS, _KERAS):
        try:
            _check_digest(folder / name, card)
            if name == _WEIGHTS:
                _read_network(folder, card)
        except BadInputError as error:
            faults.append(error.message)
    return faults


def read_card(folder: Path) -> dict[str, Any]:
    """A version's card alone.

    Raises:
        NotFoundError: there is no such folder.
        BadInputError: the card is missing, damaged, or of another format.
    """
    path = folder / _CARD
    if not folder.is_dir():
        raise NotFoundError(f"there is no model in {folder}", "`forecast models list` shows what there is")
    try:
        card: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
        written, digest = card["format"], card.pop("digest", None)
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise _damaged(path, str(error)) from error
    if written != FORMAT:
        raise BadInputError(
            f"{path} has format {written}, this version reads {FORMAT}", "train the model anew"
        )
    if digest != _card_digest(card):
        raise _damaged(path, "its content is not what was written")
    return card


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


def _read_network(folder: Path, card: Mapping[str, Any]) -> RecurrentNetwork:
    path = folder / _WEIGHTS
    try:
        shape = {**card["network"], "features": tuple(card["network"]["features"])}
        with np.load(path, allow_pickle=False) as arrays:
            return RecurrentNetwork(**shape, weights=dict(arrays))
    except (ValueError, KeyError, TypeError, zipfile.BadZipFile) as error:
        raise _damaged(path, str(error)) from error


def _damaged(path: Path, reason: str) -> BadInputError:
    return BadInputError(
        f"{path} is damaged: {reason}",
        "choose another version with --model NAME@VERSION (`forecast models list`), or train anew",
    )


def _write_folder(folder: Path, content: Mapping[str, bytes]) -> None:
    """Write files into a hidden sibling, then give it its name: the folder appears whole."""
    temporary: Path | None = None
    try:
        folder.parent.mkdir(parents=True, exist_ok=True)
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
