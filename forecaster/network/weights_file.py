"""A network's weights as the content of an .npz file, of which nothing is believed that was not expected."""

import io
import math
import re
import zipfile
from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from forecaster.network.cells import Shape

_ENDING = ".npy"
_ENCRYPTED = 0x1
_LARGEST_ITEM = 8
_HEADER = re.compile(
    rb"\x93NUMPY\x01\x00..\{'descr': '(?P<kind>[<>]f[48])', 'fortran_order': (?P<by_columns>True|False), "
    rb"'shape': (?P<shape>\([0-9, ]{0,80}\)), \} *\n",
    re.DOTALL,
)
"""Of an array, as NumPy writes it. NumPy would evaluate the header, and meet a bad one with any error."""
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
            members = {f"{name}{_ENDING}": name for name in shapes}
            found = archive.namelist()
            for member in sorted(members.keys() ^ set(found)):
                fault = "is missing" if member in members else "is not one of this network's"
                raise ValueError(f"the weight {member.removesuffix(_ENDING)[:80]} {fault}")
            if len(found) != len(shapes):
                raise ValueError("it holds a weight twice")
            return {name: _weight(archive, name, shape) for name, shape in shapes.items()}
    except (zipfile.BadZipFile, EOFError, NotImplementedError, RuntimeError, OverflowError) as error:
        raise ValueError(str(error) or type(error).__name__) from error


def _weight(archive: zipfile.ZipFile, name: str, shape: Shape) -> NDArray[Any]:
    member = archive.getinfo(f"{name}{_ENDING}")
    if member.compress_type != zipfile.ZIP_STORED or member.flag_bits & _ENCRYPTED:
        raise ValueError(f"the weight {name} is compressed or encrypted")
    data = archive.read(member)
    header = _HEADER.match(data)
    if header is None:
        raise ValueError(f"the weight {name} is no array of floats as this tool writes them")
    kind, by_columns = np.dtype(header["kind"].decode()), header["by_columns"] == b"True"
    found = header["shape"].decode("latin-1")
    if found != str(shape):
        raise ValueError(f"the weight {name} has shape {found}, not {shape}")
    values = data[header.end() :]
    if len(values) != kind.itemsize * math.prod(shape):
        raise ValueError(f"the weight {name} is cut")
    return np.frombuffer(values, dtype=kind).reshape(shape, order="F" if by_columns else "C")
