"""The chart of `forecast predict`: bands where the terminal can fill them, else outlines."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from rich.text import Text

from forecaster.cli.fan_chart import fan_chart
from forecaster.dataset.reports_ahead import ReportAhead
from forecaster.prices.store import PriceStore
from forecaster.registry.versions import ModelRegistry
from forecaster.service.prediction import Prediction, predict_stored

OUTER, INNER = "color(24)", "color(38)"


def prediction(home: Path) -> Prediction:
    network = ModelRegistry(home).load("main").network
    return predict_stored(PriceStore(home), network, ["AAA"]).predictions[0]


def planted(plain: Prediction) -> Prediction:
    """Closes from 90 to 110, then a 90 % interval from 90 to 110 and a 50 % one from 95 to 105."""
    flat = np.ones(len(plain.dates))
    return replace(
        plain,
        last_close=100.0,
        history=np.linspace(90.0, 110.0, len(plain.history)),
        median=100 * flat,
        intervals={50: np.array([95 * flat, 105 * flat]), 90: np.array([90 * flat, 110 * flat])},
    )


def shades(chart: Text, column: int) -> list[tuple[str, str]]:
    """Character and style of the canvas's cells in a column, from the top."""
    lines = chart.split()
    (top,) = (row for row, line in enumerate(lines) if "┌" in line.plain)
    (foot,) = (row for row, line in enumerate(lines) if "└" in line.plain)
    return [
        (line.plain[column], " ".join(str(span.style) for span in line.spans if span.start == column))
        for line in lines[top + 1 : foot]
    ]


def test_a_report_is_a_line_with_its_mark_at_the_session_that_reacts(trained_home: Path) -> None:
    plain = prediction(trained_home)
    day = np.datetime64("2026-11-24")
    columns = []
    for step in (1, 2, 3):
        for status, mark in (("scheduled", "*"), ("projected", "?")):
            report = ReportAhead(day, "before", status, "sec", day, step)
            chart = fan_chart(replace(plain, reports=(report,)), 80, 14, colour=False, blocks=True)
            lines = chart.plain.splitlines()
            marked = [line.index(mark) for line in lines if mark in line]
            assert len(marked) == 1
            assert sum(line[marked[0]] == "│" for line in lines if len(line) > marked[0]) > 3
            assert max(map(len, lines)) <= 80
            columns += marked
    assert columns == sorted(columns)
    assert len(set(columns)) == 3
    chart = fan_chart(plain, 80, 14, colour=False, blocks=True).plain
    assert "*" not in chart
    assert "?" not in chart


def test_intervals_are_filled_where_the_terminal_can(trained_home: Path) -> None:
    chart = fan_chart(planted(prediction(trained_home)), 80, 16, colour=True, blocks=True)
    column = chart.split()[1].plain.rindex("│") - 1
    cells = shades(chart, column)
    assert len(cells) == 13
    background = [style.rsplit("on ", 1)[-1] for _, style in cells]
    assert background[:3] == [f"{OUTER}"] * 3 == background[-3:]
    assert background[4:9] == [INNER] * 5
    # A quarter and three quarters of 13 rows are 3¼ and 9¾.
    assert cells[3] == ("▆", f"{INNER} on {OUTER}")
    assert cells[9] == ("▂", f"{OUTER} on {INNER}")
    median = cells[6]
    assert median[0] not in " ▁▂▃▄▅▆▇█"
    assert median[1].endswith(f"color(16) on {INNER}")
    assert chart.split()[-1].plain.split() == ["90", "%", "50", "%"]
    assert max(len(line.plain) for line in chart.split()) <= 80


def test_a_band_ends_within_a_row_on_the_terminals_own_background(trained_home: Path) -> None:
    plain = planted(prediction(trained_home))
    narrow = {90: np.array([95 * np.ones(3), 105 * np.ones(3)])}
    chart = fan_chart(replace(plain, intervals=narrow), 80, 16, colour=True, blocks=True)
    cells = shades(chart, chart.split()[1].plain.rindex("│") - 1)
    assert cells[2] == (" ", "")
    assert cells[3] == ("▆", OUTER)
    assert cells[9] == ("▂", f"reverse {OUTER}")
    assert cells[10] == (" ", "")


@pytest.mark.parametrize(
    ("colour", "blocks"), [pytest.param(False, True, id="pipe"), pytest.param(True, False, id="ascii")]
)
def test_intervals_have_outlines_where_they_cannot_be_filled(
    trained_home: Path, colour: bool, blocks: bool
) -> None:
    chart = fan_chart(planted(prediction(trained_home)), 80, 16, colour=colour, blocks=blocks)
    assert "·" in chart.plain
    assert ":" in chart.plain
    assert not set(chart.plain) & set("▁▂▃▄▅▆▇█")
    assert bool(chart.spans) == colour
    assert "90 %" not in chart.plain


@pytest.mark.parametrize("width", [40, 60, 80, 100])
def test_the_days_stand_under_the_chart(trained_home: Path, width: int) -> None:
    plain = prediction(trained_home)
    line = fan_chart(plain, width, 14, colour=False, blocks=False).plain.splitlines()[-1]
    days = [str(plain.history_dates[0]), str(plain.last_date), str(plain.dates[-1])]
    assert line.split() == days
    assert len(line) <= width
