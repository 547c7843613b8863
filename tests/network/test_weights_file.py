"""Of a file of weights nothing is read that the card does not describe; what is wrong is said, not a bug."""

import io
import zipfile
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from hostile import in_time
from hypothesis import given
from hypothesis import strategies as st
from network_factory import random_network

from forecaster.network.recurrent import network_shapes
from forecaster.network.weights_file import most_bytes, pack_weights, unpack_weights

NETWORK = random_network()
SHAPES = network_shapes(
    NETWORK.cell, NETWORK.units, NETWORK.layers, NETWORK.horizon, len(NETWORK.features), bidirectional=False
)
SOUND = pack_weights(NETWORK.weights)


def packed(compression: int = zipfile.ZIP_STORED, **changes: Any) -> bytes:
    """As `pack_weights`, with other arrays in the place of some."""
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w", compression) as archive:
        for name, array in ({**NETWORK.weights} | changes).items():
            content = io.BytesIO()
            np.lib.format.write_array(content, np.asanyarray(array), allow_pickle=True)
            archive.writestr(f"{name}.npy", content.getvalue())
    return file.getvalue()


def header(shape: tuple[int, ...], kind: str = "<f4") -> bytes:
    """A weight that says it has a shape, and has not."""
    file = io.BytesIO()
    text = {"descr": kind, "fortran_order": False, "shape": shape}
    np.lib.format.write_array_header_1_0(file, text)
    stored = io.BytesIO()
    with zipfile.ZipFile(stored, "w") as archive:
        for name in SHAPES:
            archive.writestr(f"{name}.npy", file.getvalue())
    return stored.getvalue()


def encrypted() -> bytes:
    """The flag that a zip file's member is encrypted, in its local header and in the directory."""
    content = bytearray(SOUND)
    for mark, place in ((b"PK\x03\x04", 6), (b"PK\x01\x02", 8)):
        at = content.find(mark)
        while at >= 0:
            content[at + place] |= 1
            at = content.find(mark, at + 4)
    return bytes(content)


def twice() -> bytes:
    file = io.BytesIO(SOUND)
    with zipfile.ZipFile(file, "a") as archive, pytest.warns(UserWarning, match="Duplicate name"):
        archive.writestr("head/bias.npy", b"")
    return file.getvalue()


BIAS = NETWORK.weights["head/bias"]
ATTACKS: dict[str, Callable[[], bytes]] = {
    "empty": lambda: b"",
    "cut": lambda: SOUND[:-40],
    "noise": lambda: bytes(range(256)) * 40,
    "encrypted": encrypted,
    "twice": twice,
    "a bomb": lambda: packed(zipfile.ZIP_DEFLATED, **{"head/bias": np.zeros(10_000_000, np.float32)}),
    "compressed": lambda: packed(zipfile.ZIP_DEFLATED),
    "objects": lambda: packed(**{"head/bias": BIAS.astype(object)}),
    "complex": lambda: packed(**{"head/bias": BIAS.astype(complex)}),
    "whole numbers": lambda: packed(**{"head/bias": BIAS.astype(int)}),
    "text": lambda: packed(**{"head/bias": BIAS.astype(str)}),
    "records": lambda: packed(**{"head/bias": np.zeros(len(BIAS), "f4,f4")}),
    "another shape": lambda: packed(**{"head/bias": BIAS[:-1]}),
    "one more": lambda: packed(more=BIAS),
    "a shape of terabytes": lambda: header((10**6, 10**6)),
    "a shape below none": lambda: header((-1,)),
    "a header that does not end": lambda: SOUND.replace(b"(6,), }", b"(6,, { "),
    "a header that is a program": lambda: SOUND.replace(b"'shape': (6,), }", b"'shape': (1e9,)}"),
    "other members": lambda: b"PK\x05\x06" + bytes(18),
}


@pytest.mark.parametrize("attack", ATTACKS)
def test_what_is_not_these_weights_is_rejected(attack: str) -> None:
    content = ATTACKS[attack]()
    with in_time(), pytest.raises(ValueError, match=r"\w"):
        unpack_weights(content, SHAPES)


def test_what_was_packed_is_unpacked() -> None:
    assert len(SOUND) < most_bytes(SHAPES)
    for name, array in unpack_weights(SOUND, SHAPES).items():
        np.testing.assert_array_equal(array, NETWORK.weights[name])
    columns = packed(**{"head/kernel": np.asfortranarray(NETWORK.weights["head/kernel"])})
    np.testing.assert_array_equal(
        unpack_weights(columns, SHAPES)["head/kernel"], NETWORK.weights["head/kernel"]
    )


def test_a_name_without_its_ending_is_another_name() -> None:
    """zipfile takes a name to end at a zero."""
    first = next(iter(SHAPES))
    cut = SOUND.replace(f"{first}.npy".encode(), f"{first}\0npy".encode())
    with pytest.raises(ValueError, match=f"the weight {first} is"):
        unpack_weights(cut, SHAPES)


@given(st.integers(0, len(SOUND) - 1), st.binary(min_size=1, max_size=8))
def test_any_bytes_in_any_place_are_taken_or_named(place: int, noise: bytes) -> None:
    content = SOUND[:place] + noise + SOUND[place + len(noise) :]
    try:
        weights = unpack_weights(content, SHAPES)
    except ValueError:
        return
    assert {name: array.shape for name, array in weights.items()} == SHAPES
