from dataclasses import replace
from pathlib import Path

import numpy as np

from forecaster.dataset.reports_ahead import ReportAhead
from forecaster.prices.store import PriceStore
from forecaster.registry.versions import ModelRegistry
from forecaster.report.charts import fan_chart, line_chart, marks_of
from forecaster.service.prediction import predict_stored


def test_every_line_has_a_mark_of_its_own() -> None:
    assert marks_of(["gru", "gru trained", "lstm", "g"]) == {
        "gru": "g",
        "gru trained": "G",
        "lstm": "l",
        "g": "0",
    }


def test_a_chart_fits_its_width_and_shows_its_lines_where_they_are() -> None:
    days = np.arange(20.0)
    chart = line_chart(
        {"up": (days, days), "down": (days, np.where(days > 3, -days, np.nan))},
        x_label="day",
        y_label="level",
        width=60,
        height=10,
        colour=False,
        ticks={0.0: "first", 19.0: "last"},
        points=(np.array([0.0]), np.array([0.0])),
    )
    lines = chart.splitlines()
    assert lines[0] == "level"
    assert lines[-1] == "u up   d down"
    assert max(map(len, lines)) <= 60
    assert "first" in chart
    assert "X" in chart
    rows = [number for number, line in enumerate(lines[1:-1]) if "u" in line and "│" in line]
    below = [number for number, line in enumerate(lines[1:-1]) if "d" in line and "│" in line]
    assert max(rows) < max(below)
    assert "\x1b" not in chart


def test_a_report_is_a_line_with_its_mark_at_the_session_that_reacts(trained_home: Path) -> None:
    network = ModelRegistry(trained_home).load("main").network
    plain = predict_stored(PriceStore(trained_home), network, ["AAA"]).predictions[0]
    day = np.datetime64("2026-11-24")
    columns = []
    for step in (1, 2, 3):
        for status, mark in (("scheduled", "*"), ("projected", "?")):
            report = ReportAhead(day, "before", status, "sec", day, step)
            lines = fan_chart(replace(plain, reports=(report,)), 80, 14, colour=False).splitlines()
            marked = [line.index(mark) for line in lines if mark in line]
            assert len(marked) == 1
            assert sum(line[marked[0]] == "│" for line in lines if len(line) > marked[0]) > 3
            assert max(map(len, lines)) <= 80
            columns += marked
    assert columns == sorted(columns)
    assert len(set(columns)) == 3
    chart = fan_chart(plain, 80, 14, colour=False)
    assert "*" not in chart
    assert "?" not in chart
