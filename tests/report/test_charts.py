import numpy as np

from forecaster.report.charts import line_chart, marks_of


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
