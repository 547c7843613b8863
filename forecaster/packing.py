"""Tasks for other processes: pickled, but for their large arrays, which lie once where all can read them.

For processes of this machine that is a file without a name, mapped into the memory of each, so that however
many work on the same prices, the machine holds these once. It ends with the last process that has it open,
even if that is killed.
"""

import os
import tempfile
import threading
import weakref
from collections.abc import Callable, Sequence
from io import BytesIO
from multiprocessing.reduction import DupFd, ForkingPickler
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from numpy.typing import NDArray

SHARED_BYTES = 1_000_000
"""Of an array that is placed once, not sent with each task."""


def packed(value: Any, place: Callable[[Any], Any]) -> tuple[bytes, list[Any]]:
    """A pickle of `value` without its large arrays, and what `place` makes of each of these."""
    content = BytesIO()
    packer = _Packer(content, place)
    packer.dump(value)
    return content.getvalue(), packer.placed


def unpacked(content: bytes, arrays: Sequence[Any]) -> Any:
    """What was packed, with the arrays in the places where they were left out."""
    _arrays[:] = arrays
    try:
        return ForkingPickler.loads(content)
    finally:
        _arrays.clear()


class _Packer(ForkingPickler):
    """Leaves out large arrays, and collects them."""

    def __init__(self, file: Any, place: Callable[[Any], Any]) -> None:
        super().__init__(file)
        self.placed: list[Any] = []
        self._place = place

    def reducer_override(self, value: Any) -> Any:
        if type(value).__name__ == "ndarray" and value.nbytes >= SHARED_BYTES and not value.dtype.hasobject:
            self.placed.append(self._place(value))
            return _array, (len(self.placed) - 1,)
        return NotImplemented


_arrays: list[Any] = []
"""The arrays of what is being unpacked."""


def _array(place: int) -> Any:
    return _arrays[place]


class MappedArray:
    """An array in a file without a name, for a process that is being started: there it is read-only."""

    def __init__(self, array: "NDArray[Any]") -> None:
        import numpy as np

        self._order = "F" if array.flags.fnc else "C"  # another order would sum to other last bits
        self._dtype, self._shape = array.dtype, array.shape
        self._file = tempfile.TemporaryFile()  # noqa: SIM115  (open as long as this object)
        weakref.finalize(self, self._file.close)
        np.ascontiguousarray(array.T if self._order == "F" else array).tofile(self._file)
        self._file.flush()

    def __reduce__(self) -> Any:
        return _mapped, (DupFd(self._file.fileno()), self._dtype, self._shape, self._order)


def _mapped(file: Any, dtype: Any, shape: tuple[int, ...], order: Any) -> "NDArray[Any]":
    import numpy as np

    with os.fdopen(file.detach(), "rb") as opened:
        return np.asarray(np.memmap(opened, dtype, "r", 0, shape, order))


_lock = threading.Lock()
_files: dict[int, MappedArray] = {}
"""By the id of the array, as long as that lives."""


def mapped(array: "NDArray[Any]") -> MappedArray:
    """The array's file; it is written when first asked for, and dropped with the array."""
    with _lock:
        if id(array) not in _files:
            _files[id(array)] = MappedArray(array)
            weakref.finalize(array, _files.pop, id(array), None)
        return _files[id(array)]
