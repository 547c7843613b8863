"""Which stretches of which tickers are windows, and which of their days are supervised.

A window is `lookback` days of one ticker. The network answers at every day of it, and the loss is
taken on the last `supervised` of them: the days before only warm the state up. Windows end every
`supervised` days, so each origin is supervised once an epoch at a fraction of the work of one
window per origin. Windows are (ticker, start) pairs; their content is gathered when it is needed.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from forecaster.dataset.features import Features

Index = NDArray[np.int32]


@dataclass(frozen=True)
class Windows:
    """W windows by position.

    Attributes:
        ticker: (W,) row of the panel.
        start: (W,) day number of the first day; the last is start + lookback − 1.
        lookback: days in a window.
        supervised: how many of its last days are origins.
    """

    ticker: Index
    start: Index
    lookback: int
    supervised: int

    def __len__(self) -> int:
        return len(self.ticker)

    def origins(self) -> tuple[NDArray[np.intp], NDArray[np.intp]]:
        """(W, supervised) ticker rows and day numbers of the origins."""
        first = self.start + self.lookback - self.supervised
        day = first[:, None].astype(np.intp) + np.arange(self.supervised)
        ticker = np.broadcast_to(self.ticker[:, None].astype(np.intp), day.shape)
        return ticker, day

    def take(self, chosen: NDArray[np.intp] | slice) -> "Windows":
        """The chosen windows, in that order."""
        return Windows(self.ticker[chosen], self.start[chosen], self.lookback, self.supervised)


def supervised_days(lookback: int, *, last_day_only: bool) -> int:
    """How many last days of a window are supervised: half, or one if later days are seen.

    A bidirectional layer reads the window backwards too, and a ConvLSTM1D whole weeks, so all but the
    last day have seen their own future.
    """
    return 1 if last_day_only else max(lookback // 2, 1)


def training_stride(lookback: int, supervised: int) -> int:
    """Days between an epoch's windows: each origin once, or a part of them where that costs too much.

    With one supervised day a window, all origins would be `lookback` times the work of the dense
    way; an epoch then takes a random part of them, another one each time.
    """
    return supervised if supervised > 1 else max(lookback // 24, 1)


def unbroken_days(valid_input: NDArray[np.bool_]) -> NDArray[np.int32]:
    """(N, D) length of the run of usable days that ends on each day.

    Example:
        [T, T, F, T] gives [1, 2, 0, 1].
    """
    number = np.arange(1, valid_input.shape[1] + 1, dtype=np.int32)
    broken_at = np.where(valid_input, np.int32(0), number)
    run: NDArray[np.int32] = number - np.maximum.accumulate(broken_at, axis=1)
    return run


def grid_windows(
    valid_input: NDArray[np.bool_],
    origins: range,
    lookback: int,
    supervised: int,
    stride: int,
    offset: int = 0,
    target_mask: NDArray[np.bool_] | None = None,
) -> Windows:
    """Windows without a gap that end every `stride` days, counted back from the end of each run.

    The grid hangs on the last day of each unbroken run within `origins`, so that with an offset of
    zero no origin before a delisting, a gap or the part's end is lost. Days before the part may be
    context; origins there are not supervised (see `supervision`).

    Args:
        valid_input: (N, D) days that may be inputs.
        origins: the part's day numbers; every window ends on one of them.
        lookback: days in a window.
        supervised: how many of its last days are origins.
        stride: days between the ends of neighbouring windows.
        offset: days from a run's last day to its last window's last.
        target_mask: (N, D) days that may be origins, None for all; a window without one is left out.
    """
    part = slice(origins.start, origins.stop)
    long_enough = unbroken_days(valid_input)[:, part] >= lookback
    remaining = unbroken_days(valid_input[:, part][:, ::-1])[:, ::-1] - 1
    on_grid = (remaining >= offset) & ((remaining - offset) % stride == 0)
    ticker, end = np.nonzero(long_enough & on_grid)
    start = end + origins.start - lookback + 1
    windows = Windows(ticker.astype(np.int32), start.astype(np.int32), lookback, supervised)
    if target_mask is None:
        return windows
    return windows.take(np.flatnonzero(origins_within(windows, origins, target_mask).any(axis=1)))


def origins_within(
    windows: Windows, origins: range, target_mask: NDArray[np.bool_] | None
) -> NDArray[np.bool_]:
    """(W, supervised) whether a supervised day is an origin of the part, and one that counts."""
    ticker, day = windows.origins()
    inside: NDArray[np.bool_] = (day >= origins.start) & (day < origins.stop)
    return inside if target_mask is None else inside & target_mask[ticker, day]


def supervision(
    windows: Windows,
    known_steps: NDArray[np.int16],
    origins: range,
    target_mask: NDArray[np.bool_] | None = None,
) -> NDArray[np.float32]:
    """How many steps ahead count in the loss at each supervised day.

    Returns:
        (W, supervised) from 0 (not an origin of this part, one that does not count, or nothing known
        known_steps) to the horizon.
    """
    ticker, day = windows.origins()
    return np.where(origins_within(windows, origins, target_mask), known_steps[ticker, day], 0).astype(
        np.float32
    )


def gather(features: Features, windows: Windows) -> NDArray[np.float32]:
    """The windows' inputs, (W, lookback, F)."""
    days = windows.start[:, None] + np.arange(windows.lookback)
    inputs: NDArray[np.float32] = features.values[windows.ticker[:, None], days]
    return inputs
