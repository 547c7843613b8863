"""Charts in the terminal: lines with legends, and a ticker's last months with its forecast intervals."""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from forecaster.report.price_text import PriceText
from forecaster.service.prediction import Prediction

REPORT_MARKS = ("*", "?")
"""Of a session that reacts to a report: one whose date is announced, and one that is only likely."""
_COLOURS = ("green", "red", "blue", "magenta", "cyan", "yellow")


def line_chart(
    lines: Mapping[str, tuple[NDArray[np.floating], NDArray[np.floating]]],
    *,
    x_label: str,
    y_label: str,
    width: int,
    height: int,
    colour: bool,
    ticks: Mapping[float, str] | None = None,
    points: tuple[NDArray[np.floating], NDArray[np.floating]] | None = None,
) -> str:
    """Lines over one axis, as text, with a legend of marks under it.

    Args:
        lines: x and y by name; each is drawn with the first free letter of its name.
        x_label: what x is.
        y_label: what y is, written over the picture.
        width: characters a line.
        height: lines.
        colour: whether terminal colours may be used.
        ticks: names of places on the x axis, instead of numbers.
        points: x and y of places that are marked with an X.
    """
    import plotext

    plotext.clear_figure()
    plotext.plotsize(width, height)
    plotext.theme("clear")
    marks = marks_of(list(lines))
    for (name, (x, y)), tint in zip(lines.items(), _COLOURS * len(lines), strict=False):
        known = np.isfinite(y)
        plotext.plot(x[known].tolist(), y[known].tolist(), color=tint, marker=marks[name])
    if points is not None:
        plotext.scatter(points[0].tolist(), points[1].tolist(), marker="X", color="red")
    if ticks:
        plotext.xticks(list(ticks), list(ticks.values()))
    plotext.xlabel(x_label)
    picture: str = plotext.build()
    legend = "   ".join(f"{mark} {name}" for name, mark in marks.items())
    text = f"{y_label}\n{picture}\n{legend}"
    return text if colour else plotext.uncolorize(text)


def marks_of(names: Sequence[str]) -> dict[str, str]:
    """A letter for each name: the first of its own that is still free, small or capital.

    Example:
        "gru", "gru trained", "lstm" get g, G and l.
    """
    marks: dict[str, str] = {}
    for name in names:
        letters = [each for letter in name if letter.isalnum() for each in (letter, letter.upper())]
        free = (letter for letter in [*letters, *"0123456789"] if letter not in marks.values())
        marks[name] = next(free, "*")
    return marks


def fan_chart(prediction: Prediction, width: int, height: int, *, colour: bool) -> str:
    """Closes of the last months, then the median within its widest and its narrowest interval, as text.

    A line with one of REPORT_MARKS at its top stands at a session that reacts to a report.

    Args:
        prediction: one ticker's.
        width: characters a line.
        height: lines.
        colour: whether terminal colours may be used.
    """
    import plotext

    past = np.arange(1 - len(prediction.history), 1)
    future = np.arange(len(prediction.dates) + 1)
    plotext.clear_figure()
    plotext.plotsize(width, height)
    plotext.theme("clear")
    # The days ahead are few beside the months behind: give them a fifth of the width at least.
    stretch = max(1.0, len(past) / 4 / len(prediction.dates))
    widest = max(prediction.intervals)
    for level in sorted({widest, min(prediction.intervals)}, reverse=True):
        tint, marker = ("blue", "·") if level == widest else ("cyan", ":")
        for end in prediction.intervals[level]:
            _line(future * stretch, _from_close(prediction, end), tint, marker)
    _line(past, prediction.history, "default", "braille")
    _line(future * stretch, _from_close(prediction, prediction.median), "green", "braille")
    ticks = [float(past[0]), 0.0, float(future[-1] * stretch)]
    dates = (prediction.history_dates[0], prediction.last_date, prediction.dates[-1])
    plotext.xticks(ticks, [str(date) for date in dates])
    text = PriceText(prediction.last_close)
    shown = np.concatenate([prediction.history, *prediction.intervals[widest]])
    levels = np.linspace(shown.min(), shown.max(), 5)
    plotext.yticks(levels.tolist(), [text.one(level) for level in levels])
    for report in prediction.reports:
        place = report.step * stretch
        plotext.vline(place, "magenta")
        plotext.text(REPORT_MARKS[report.likely], place, float(shown.max()), "magenta")
    picture: str = plotext.build()
    return picture if colour else plotext.uncolorize(picture)


def _from_close(prediction: Prediction, closes: NDArray[np.float64]) -> NDArray[np.float64]:
    """The fan opens at the last close."""
    return np.concatenate([[prediction.last_close], closes])


def _line(x: NDArray[Any], y: NDArray[np.float64], colour: str, marker: str) -> None:
    import plotext

    plotext.plot(x.tolist(), y.tolist(), color=colour, marker=marker)
