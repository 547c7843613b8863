"""A ticker's last months and its forecast intervals as a chart in the terminal."""

from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray
from rich.style import Style
from rich.text import Text

from forecaster.report.charts import BLOCKS
from forecaster.report.price_text import PriceText
from forecaster.service.prediction import Prediction

REPORT_MARKS = ("*", "?")
"""Of a session that reacts to a report: one whose date is announced, and one that is only likely."""
_SHADES = ("", "color(24)", "color(38)")
"""Of nothing, the widest and the narrowest interval; with 16 colours they become grey and cyan."""
_ON_SHADES = "color(16)"
"""Black is read on both shades, whatever the terminal's own colours are."""


def fan_chart(prediction: Prediction, width: int, height: int, *, colour: bool, blocks: bool) -> Text:
    """Closes of the last months, then the median within its widest and its narrowest interval.

    The intervals are filled bands with a legend under them where the terminal has both colours and block
    characters, else outlines. A line with one of REPORT_MARKS at its top stands at a session that reacts to
    a report.

    Args:
        prediction: one ticker's.
        width: characters a line.
        height: lines, without the legend's.
        colour: whether terminal colours may be used.
        blocks: whether block characters may be used.
    """
    import plotext

    past = np.arange(1 - len(prediction.history), 1)
    future = np.arange(len(prediction.dates) + 1)
    plotext.clear_figure()
    plotext.plotsize(width, height)
    plotext.theme("clear")
    # The days ahead are few beside the months behind: give them a fifth of the width at least.
    stretch = max(1.0, len(past) / 4 / len(prediction.dates))
    widest, narrowest = max(prediction.intervals), min(prediction.intervals)
    levels = sorted({widest, narrowest}, reverse=True)
    filled = colour and blocks
    for level in () if filled else levels:
        tint, marker = ("blue", "·") if level == widest else ("cyan", ":")
        for end in prediction.intervals[level]:
            _line(future * stretch, _from_close(prediction, end), tint, marker)
    _line(past, prediction.history, "default", "braille")
    _line(future * stretch, _from_close(prediction, prediction.median), "green", "braille")
    begin, end = float(past[0]), float(future[-1] * stretch)
    # In which order plotext writes labels, and so which of them find room, changes from run to run.
    plotext.xticks([begin, 0.0, end], [" "] * 3)
    plotext.xlim(begin, end)
    text = PriceText(prediction.last_close)
    shown = np.concatenate([prediction.history, *prediction.intervals[widest]])
    lowest, highest = float(shown.min()), float(shown.max())
    plotext.ylim(lowest, highest)
    marked = np.linspace(lowest, highest, 5)
    plotext.yticks(marked.tolist(), [text.one(price) for price in marked])
    for report in prediction.reports:
        place = report.step * stretch
        plotext.vline(place, "magenta")
        plotext.text(REPORT_MARKS[report.likely], place, highest, "magenta")
    picture: str = plotext.build()
    canvas = _Canvas.of(Text.from_ansi(picture if colour else plotext.uncolorize(picture)))
    today = round((canvas.width - 1) * -begin / (end - begin))
    canvas.lines[-1] = Text(_dates_line(prediction, canvas.left, today, canvas.width))
    if filled:
        x = begin + (np.arange(canvas.width) + 0.5) / canvas.width * (end - begin)
        sides = [_from_close(prediction, side) for each in levels for side in prediction.intervals[each]]
        shares = (np.array(sides) - lowest) / (highest - lowest)
        at = np.array([np.interp(x, future * stretch, share, left=np.nan) for share in shares])
        canvas.fill(at.reshape(len(levels), 2, -1))
        canvas.lines.append(_shades_legend([f"{level:g} %" for level in levels], canvas.left))
    return Text("\n").join(canvas.lines)


def _dates_line(prediction: Prediction, left: int, today: int, width: int) -> str:
    """The first, the last known and the last predicted day, under their places on the canvas.

    The last known is moved aside, or left out, where it would run into another.
    """
    first, last, target = (
        str(date) for date in (prediction.history_dates[0], prediction.last_date, prediction.dates[-1])
    )
    end = left + width + 1  # the frame's corner
    line = " " * max(left - 5, 0) + first
    place = min(left + today - len(last) // 2, end - len(target) - 2 - len(last))
    if place >= len(line) + 2:
        line = line.ljust(place) + last
    return line.ljust(end - len(target)) + target


class _Canvas(NamedTuple):
    """A chart's lines, and where in them, within the frame, its curves are."""

    lines: list[Text]
    left: int
    top: int
    width: int
    height: int

    @classmethod
    def of(cls, chart: Text) -> "_Canvas":
        """The canvas of a chart that plotext drew."""
        lines = list(chart.split())
        plain = [line.plain for line in lines]
        (top,) = (row for row, line in enumerate(plain) if "┌" in line)
        (foot,) = (row for row, line in enumerate(plain) if "└" in line)
        left = plain[top].index("┌") + 1
        return cls(lines, left, top + 1, plain[top].index("┐") - left, foot - top - 1)

    def fill(self, bands: NDArray[np.float64]) -> None:
        """Shade (B, 2, width) lower and upper ends as shares of the height, NaN where nothing is to shade.

        A later band lies over an earlier one. What is drawn already stays, on the band's colour.
        """
        eighths = len(BLOCKS)
        centres = (np.arange(self.height * eighths) + 0.5) / (self.height * eighths)
        shade = np.zeros((self.width, len(centres)), np.int64)
        for number, (lower, upper) in enumerate(bands, start=1):
            shade[(lower[:, None] <= centres) & (centres <= upper[:, None])] = number
        for column, row in np.argwhere(shade.reshape(self.width, self.height, eighths).any(2)).tolist():
            cell = shade[column, row * eighths : (row + 1) * eighths]
            number, place = self.top + self.height - 1 - row, self.left + column
            line = self.lines[number]
            drawn = line.plain[place]
            block, style = _two_shades(cell) if drawn in " \N{BRAILLE PATTERN BLANK}" else _under(drawn, cell)
            line.stylize(style, place, place + 1)
            line.plain = f"{line.plain[:place]}{block}{line.plain[place + 1 :]}"


def _two_shades(cell: NDArray[np.int64]) -> tuple[str, Style]:
    """The character and its style that come closest to the shades of a cell's eighths, the lowest first."""

    def fit(lower: int) -> int:
        return sum(int(np.bincount(part).max()) for part in (cell[:lower], cell[lower:]) if len(part))

    # Of equal fits the one without a block.
    lower = max(range(len(cell)), key=fit)
    upper_shade = _SHADES[int(np.bincount(cell[lower:]).argmax())]
    if not lower:
        return " ", Style(bgcolor=upper_shade or None)
    lower_shade = _SHADES[int(np.bincount(cell[:lower]).argmax())]
    if lower_shade:
        return BLOCKS[lower - 1], Style(color=lower_shade, bgcolor=upper_shade or None)
    # The terminal's own background can only be had in front by exchanging both.
    return BLOCKS[lower - 1], Style(color=upper_shade, reverse=True)


def _under(drawn: str, cell: NDArray[np.int64]) -> tuple[str, Style]:
    """What is drawn in a cell already, on the shade of most of it."""
    shade = _SHADES[int(np.bincount(cell).argmax())]
    return drawn, Style(color=_ON_SHADES, bgcolor=shade) if shade else Style()


def _shades_legend(names: Sequence[str], indent: int) -> Text:
    legend = Text(" " * indent)
    for name, shade in zip(names, _SHADES[1:], strict=False):
        legend.append("  ", f"on {shade}").append(f" {name}   ")
    return legend


def _from_close(prediction: Prediction, closes: NDArray[np.float64]) -> NDArray[np.float64]:
    """The fan opens at the last close."""
    return np.concatenate([[prediction.last_close], closes])


def _line(x: NDArray[Any], y: NDArray[np.float64], colour: str, marker: str) -> None:
    import plotext

    plotext.plot(x.tolist(), y.tolist(), color=colour, marker=marker)
