"""The targets: cumulative log returns one to H days ahead, and which of them are known."""

import numpy as np
from numpy.typing import NDArray


def count_known_steps(log_return: NDArray[np.float32], horizon: int) -> NDArray[np.int16]:
    """How many days after each origin have returns without a gap, at most `horizon`.

    A target at step h is known where this is at least h: a delisting or a gap ends it.

    Args:
        log_return: (N, D) daily log returns, NaN where unknown.
        horizon: the largest step.

    Returns:
        (N, D) from 0 to horizon.

    Example:
        returns [nan, 0.1, 0.2, nan, 0.1] and horizon 2 give [2, 1, 0, 1, 0].
    """
    known = np.isfinite(log_return)
    ahead = np.zeros(log_return.shape, dtype=np.int16)
    for _ in range(horizon):
        # One pass lengthens every unbroken run by a day.
        ahead[:, :-1] = np.where(known[:, 1:], np.minimum(ahead[:, 1:] + 1, horizon), 0)
    return ahead


def cumulative_return(
    log_return: NDArray[np.float32], ticker: NDArray[np.intp], day: NDArray[np.intp], horizon: int
) -> NDArray[np.float32]:
    """Log return from each origin's close to the close h days later, for h = 1 … H.

    Args:
        log_return: (N, D) daily log returns.
        ticker: (O,) row of each origin.
        day: (O,) day number of each origin.
        horizon: H.

    Returns:
        (O, H); NaN where a day on the way is missing or past the end.
    """
    days = log_return.shape[1]
    total = np.zeros(len(day), dtype=np.float32)
    targets = np.empty((len(day), horizon), dtype=np.float32)
    for step in range(1, horizon + 1):
        ahead = day + step
        within = ahead < days
        daily = np.where(within, log_return[ticker, np.minimum(ahead, days - 1)], np.nan)
        total = total + daily.astype(np.float32)
        targets[:, step - 1] = total
    return targets
