"""A small chart in the terminal: the last months, and the fan ahead."""

from typing import Any

import numpy as np
from numpy.typing import NDArray

from forecaster.service.prediction import Prediction


def fan_chart(prediction: Prediction, width: int, height: int, *, colour: bool) -> str:
    """Closes of the last months, then the median within its intervals, as text.

    Args:
        prediction: one ticker's.
        width: characters a line.
        height: lines.
        colour: whether terminal colours may be used.
    """
    import plotext

    past = np.arange(1 - len(prediction.history), 1)
    ahead = np.arange(len(prediction.dates) + 1)
    plotext.clear_figure()
    plotext.plotsize(width, height)
    plotext.theme("clear")
    # The days ahead are few beside the months behind: give them a fifth of the width at least.
    stretch = max(1.0, len(past) / 4 / len(prediction.dates))
    wide, narrow = sorted(prediction.intervals.items(), reverse=True)[:2]
    for level, ends in (wide, narrow):
        tint = "blue" if level == wide[0] else "cyan"
        for end in ends:
            _line(ahead * stretch, _from_close(prediction, end), tint, "·" if level == wide[0] else ":")
    _line(past, prediction.history, "default", "braille")
    _line(ahead * stretch, _from_close(prediction, prediction.median), "green", "braille")
    ticks = [float(past[0]), 0.0, float(ahead[-1] * stretch)]
    dates = (prediction.history_dates[0], prediction.last_date, prediction.dates[-1])
    plotext.xticks(ticks, [str(date) for date in dates])
    picture: str = plotext.build()
    return picture if colour else plotext.uncolorize(picture)


def _from_close(prediction: Prediction, ahead: NDArray[np.float64]) -> NDArray[np.float64]:
    """The fan opens at the last close."""
    return np.concatenate([[prediction.last_close], ahead])


def _line(x: NDArray[Any], y: NDArray[np.float64], colour: str, marker: str) -> None:
    import plotext

    plotext.plot(x.tolist(), y.tolist(), color=colour, marker=marker)
