"""Charts as text: bars, and lines over one axis with their legend."""

import math
from collections.abc import Mapping, Sequence

import numpy as np
from numpy.typing import NDArray

_COLOURS = ("green", "red", "blue", "magenta", "cyan", "yellow")
BLOCKS = "▁▂▃▄▅▆▇█"
"""From one to eight eighths of a line's height."""


def bars(heights: Sequence[float]) -> str:
    """A bar for each height from 0 to 1, at least the lowest block; a blank for NaN."""
    found = []
    for height in heights:
        blocks = 0 if math.isnan(height) else min(max(round(len(BLOCKS) * height), 1), len(BLOCKS))
        found.append(BLOCKS[blocks - 1] if blocks else " ")
    return "".join(found)


def sparkline(values: NDArray[np.float64], width: int) -> str:
    """A line as bars from its own lowest to its own highest value, the first and the last among them.

    Example:
        Of 1, 2, 3, 4, 5 in three bars: ▁▄█.
    """
    places = np.linspace(0, len(values) - 1, min(width, len(values))).round().astype(int)
    low, high = values.min(), values.max()
    return bars(((values[places] - low) / (high - low) if high > low else np.full(len(places), 0.5)).tolist())


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
