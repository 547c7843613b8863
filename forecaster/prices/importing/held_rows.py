"""The rows of a file until their ticker's turn comes: in memory, or on the disk where they are many."""

import os
import tempfile
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from forecaster.prices.table import Columns, Days

Rows = NDArray[np.int64]


@dataclass
class HeldRows:
    """The rows of one ticker so far, in pieces."""

    numbers: list[Rows] = field(default_factory=list)
    dates: list[Days] = field(default_factory=list)
    clock: list[NDArray[np.int32]] = field(default_factory=list)
    columns: list[Columns] = field(default_factory=list)
    tidy: int = 0
    waiting: int = 0
    spilled: list[int] = field(default_factory=list)

    @property
    def rows(self) -> int:
        """How many of them are in memory."""
        return sum(map(len, self.dates))


class Spill:
    """Rows that have no room in memory, in a file without a name that ends with this process."""

    def __init__(self) -> None:
        self._file = tempfile.TemporaryFile(prefix="forecast-")  # noqa: SIM115  (closed with the spill)

    def put(self, bars: HeldRows) -> None:
        """Write the rows of a ticker out of memory, one sorted piece."""
        bars.spilled.append(self._file.seek(0, os.SEEK_END))
        arrays: list[NDArray[Any]] = [bars.numbers[0], bars.dates[0].astype(np.int64), *bars.clock]
        for values in (*arrays, *bars.columns[0].values()):
            np.save(self._file, values, allow_pickle=False)
        bars.numbers, bars.dates, bars.clock = [], [], []
        bars.columns = [{name: np.empty(0) for name in bars.columns[0]}]  # a view would keep them all

    def take(self, bars: HeldRows, *, clock: bool) -> None:
        """Bring the rows of a ticker back, before those that are in memory."""
        names = list(bars.columns[0])
        pieces: list[tuple[Rows, Days, list[NDArray[np.int32]], Columns]] = []
        for place in bars.spilled:
            self._file.seek(place)
            numbers, dates = self._load(), self._load().astype("datetime64[D]")
            times = [self._load()] if clock else []
            pieces.append((numbers, dates, times, {name: self._load() for name in names}))
        bars.numbers = [piece[0] for piece in pieces] + bars.numbers
        bars.dates = [piece[1] for piece in pieces] + bars.dates
        bars.clock = [times for piece in pieces for times in piece[2]] + bars.clock
        bars.columns = [piece[3] for piece in pieces] + [each for each in bars.columns if len(each["close"])]
        bars.spilled = []

    def close(self) -> None:
        """Give the disk's room back."""
        self._file.close()

    def _load(self) -> NDArray[Any]:
        values: NDArray[Any] = np.load(self._file, allow_pickle=False)
        return values
