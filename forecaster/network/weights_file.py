"""A network's weights as the content of an .npz file, of which nothing is believed that was not expected."""

import io
import math
import zipfile
from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.lib import format as npy
from numpy.typing import NDArray

from forecaster.network.cells import Shape

_ENCRYPTED = 0x1
_LARGEST_ITEM = 8
_HEADERS = 100_000
"""More than zip and .npy headers take, a kilobyte a weight at sixteen layers of twelve weights."""


def pack_weights(weights: Mapping[str, NDArray[Any]]) -> bytes:
    """The weights, uncompressed.

    savez would pickle an array of objects, and its option `allow_pickle` is of no use here: a NumPy that has
    none stores it as one more array.

    Raises:
        ValueError: one is not an array of floats.
    """
    arrays: dict[str, Any] = dict(weights)
    for name, array in arrays.items():
        if array.dtype.kind != "f":
            raise ValueError(f"the weight {name} is of {array.dtype}, not of floats")
    packed = io.BytesIO()
    np.savez(packed, **arrays)
    return packed.getvalue()


def most_bytes(shapes: Mapping[str, Shape]) -> int:
    """As many as a file of weights of these shapes can have."""
    return _HEADERS + _LARGEST_ITEM * sum(math.prod(shape) for shape in shapes.values())


def unpack_weights(content: bytes, shapes: Mapping[str, Shape]) -> dict[str, NDArray[Any]]:
    """The weights of these names and shapes; headers are held against them before any weight is read.

    Raises:
        ValueError: the content is not that of a file with just these weights, stored plainly.
    """
    try:
        with zipfile.ZipFile(io.BytesIO(content)) as archive:
            names = [member.filename.removesuffix(".npy") for member in archive.infolist()]
            for name in sorted(shapes.keys() ^ set(names)):
                fault = "is missing" if name in shapes else "is not one of this network's"
                raise ValueError(f"the weight {name[:80]} {fault}")
            if len(names) != len(shapes):
                raise ValueError("it holds a weight twice")
            return {name: _weight(archive, name, shape) for name, shape in shapes.items()}
    except (zipfile.BadZipFile, EOFError, NotImplementedError, RuntimeError, OverflowError) as error:
        raise ValueError(str(error) or type(error).__name__) from error


def _weight(archive: zipfile.ZipFile, name: str, shape: Shape) -> NDArray[Any]:
    member = archive.getinfo(f"{name}.npy")
    if member.compress_type != zipfile.ZIP_STORED or member.flag_bits & _ENCRYPTED:
        raise ValueError(f"the weight {name} is compressed or encrypted")
    data = archive.read(member)
    stream = io.BytesIO(data)
    if npy.read_magic(stream) != (1, 0):
        raise ValueError(f"the weight {name} is in another format")
    found, by_columns, kind = npy.read_array_header_1_0(stream)
    if found != shape or kind.kind != "f" or kind.itemsize > _LARGEST_ITEM:
        raise ValueError(f"the weight {name} has shape {found} of {kind}, not {shape} of floats")
    values = data[stream.tell() :]
    if len(values) != kind.itemsize * math.prod(shape):
        raise ValueError(f"the weight {name} is cut")
    return np.frombuffer(values, dtype=kind).reshape(shape, order="F" if by_columns else "C")
