import numpy as np

from forecaster.report.charts import bars, line_chart, marks_of, sparkline


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


def test_bars_from_nothing_to_all() -> None:
    assert bars([0.0, 0.5, 1.0, 7.0, np.nan]) == "▁▄██ "


def test_a_sparkline_begins_and_ends_where_the_line_does() -> None:
    assert sparkline(np.arange(1.0, 6.0), 3) == "▁▄█"
    assert sparkline(np.arange(63.0)[::-1], 8) == "█▇▆▅▃▂▁▁"
    assert sparkline(np.array([3.0, 1.0]), 13) == "█▁"
    assert sparkline(np.full(63, 7.0), 5) == "▄▄▄▄▄"
