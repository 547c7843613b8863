"""Hand a version to other tools as a file: Keras's own or ONNX, with its card beside it."""

import json
from pathlib import Path

from forecaster.files import check_writable, write_atomically
from forecaster.registry.versions import ModelRegistry

_KERAS = "model.keras"


def export_files(registry: ModelRegistry, reference: str, folder: Path, to: str) -> list[Path]:
    """Write NAME-VERSION.keras or NAME-VERSION.onnx, and the card as NAME-VERSION.json beside it.

    Args:
        registry: of the home folder.
        reference: NAME or NAME@VERSION.
        folder: where to; made if it is not there.
        to: keras or onnx.

    Raises:
        NotFoundError, BadInputError, UsageError: as `ModelRegistry.load`.
        UnavailableError: a library that writes the format is missing.
        DiskError: the disk fails.
    """
    model = registry.load(reference)
    model.recurrent()  # a linear-t has no file of Keras
    source = registry.version_folder(model.card["name"], model.card["version"]) / _KERAS
    check_writable(folder)
    if to == "onnx":
        from forecaster.network.onnx import onnx_file

        content = onnx_file(source)
    else:
        content = source.read_bytes()  # as `load` has just found it to be what was written
    stem = model.reference.replace("@", "-")
    card = json.dumps(model.card, indent=2).encode() + b"\n"
    written = {folder / f"{stem}.{to}": content, folder / f"{stem}.json": card}
    for path, blob in written.items():
        write_atomically(path, blob)
    return list(written)
