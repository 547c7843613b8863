"""Tasks for other processes: pickled, but for their large arrays, which lie once where all can read them.

For processes of this machine that is a file without a name, mapped into the memory of each, so that however
many work on the same prices, the machine holds these once. It ends with the last process that has it open,
even if that is killed. Who got an array so and sends it on sends the same file.
"""

import os
import tempfile
import threading
import weakref
from collections.abc import Callable, Sequence
from contextlib import suppress
from io import BytesIO
from multiprocessing.reduction import DupFd, ForkingPickler
from typing import IO, TYPE_CHECKING, Any

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
    """An array in a file without a name, which is open as long as this object; the array itself once sent."""

    def __init__(self, file: IO[bytes], dtype: Any, shape: tuple[int, ...], order: Any) -> None:
        self._file, self._form = file, (dtype, shape, order)
        weakref.finalize(self, file.close)

    def __reduce__(self) -> Any:
        return _opened, (DupFd(self._file.fileno()), *self._form)

    def array(self) -> "NDArray[Any]":
        """The array in the file's memory, read-only."""
        import numpy as np

        dtype, shape, order = self._form
        array = np.asarray(np.memmap(self._file, dtype, "r", 0, shape, order))
        _keep(array, self)
        return array


def _written(array: "NDArray[Any]") -> MappedArray:
    import numpy as np

    order = "F" if array.flags.fnc else "C"  # another order would sum to other last bits
    file = tempfile.TemporaryFile()  # noqa: SIM115  (open as long as what is given back)
    written = MappedArray(file, array.dtype, array.shape, order)
    np.ascontiguousarray(array.T if order == "F" else array).tofile(file)
    file.flush()
    return written


def _opened(file: Any, dtype: Any, shape: tuple[int, ...], order: Any) -> "NDArray[Any]":
    return MappedArray(os.fdopen(file.detach(), "rb"), dtype, shape, order).array()


_lock = threading.Lock()
_files: dict[int, MappedArray] = {}
"""By the id of the array, as long as that lives."""


def mapped(array: "NDArray[Any]") -> "MappedArray | NDArray[Any]":
    """The array's file; it is written when first asked for, and dropped with the array.

    Where there is no room for a file it is the array itself, which each process gets a copy of.
    """
    with _lock:
        if id(array) not in _files:
            try:
                _keep(array, _written(array))
            except OSError:
                return array
        return _files[id(array)]


def shared(array: "NDArray[Any]") -> "NDArray[Any]":
    """The array, read-only, in memory that is shared with each process that it is sent to.

    A small one, and one for which there is no room among the temporary files, is made read-only as it is.
    """
    if array.nbytes >= SHARED_BYTES:
        with suppress(OSError):
            return _written(array).array()
    array.flags.writeable = False
    return array


def _keep(array: "NDArray[Any]", file: MappedArray) -> None:
    _files[id(array)] = file
    weakref.finalize(array, _files.pop, id(array), None)
