"""From Arrow columns to NumPy arrays without a detour."""

from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

if TYPE_CHECKING:
    import pyarrow as pa


def as_numpy(column: "pa.ChunkedArray") -> NDArray[Any]:
    """A column of numbers or dates (as datetime64[D]) without nulls, not copied.

    PyArrow's own conversion imports pandas, which takes longer than a whole forecast.

    Raises:
        ValueError: the column has nulls.
    """
    import pyarrow as pa

    if column.null_count:
        raise ValueError(f"the column has {column.null_count} empty cells")
    array = column.combine_chunks() if column.num_chunks != 1 else column.chunk(0)
    if pa.types.is_date32(array.type):
        return np.from_dlpack(array.view(pa.int32())).astype("datetime64[D]")
    return np.from_dlpack(array)
