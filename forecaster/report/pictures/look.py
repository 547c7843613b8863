"""The one look of all pictures: colours, fonts, axes.

A chart names its colours as variables of the page it stands in, so that the same chart is light, dark or
printed; a picture that stands alone has them filled in.
"""

import json
from collections.abc import Mapping
from typing import Any

import altair as alt

from forecaster.settings import CELL_TITLES

LIGHT: Mapping[str, str] = {
    "paper": "#ffffff",
    "ink": "#1b1f24",
    "faint": "#57606a",
    "grid": "#dfe3e8",
    "blue": "#0060a8",
    "orange": "#b85a00",
    "green": "#007a58",
    "purple": "#9a4584",
    "sky": "#3d93cf",
    "red": "#b3261e",
}
"""Told apart with any of the usual kinds of colour blindness: Okabe and Ito's, darker for thin lines."""
DARK: Mapping[str, str] = {
    "paper": "#14181d",
    "ink": "#e6e8eb",
    "faint": "#a3adb8",
    "grid": "#303842",
    "blue": "#5cb3ff",
    "orange": "#f0a23c",
    "green": "#3fcf9f",
    "purple": "#dd8fc4",
    "sky": "#8fd0ff",
    "red": "#ff8a80",
}
WIDTH, HEIGHT = 640, 260
_MODEL_COLOURS = {
    "rnn": "orange",
    "lstm": "blue",
    "gru": "green",
    "convlstm": "red",
    "linear-t": "purple",
    "riskmetrics-t": "faint",
}
FONT = "system-ui, -apple-system, 'Segoe UI', Roboto, 'Liberation Sans', Arial, sans-serif"


MONTHS = alt.Axis(
    format="%b %Y", tickCount={"interval": "month", "step": 1}, labelOverlap="greedy", labelSeparation=12
)
"""Of days over months."""


def tint(name: str) -> str:
    """A colour of the page, like var(--blue)."""
    return f"var(--{name})"


def model_scale(models: list[str], titles: Mapping[str, str] = CELL_TITLES) -> alt.Scale:
    """The colour of each model, the same in every picture."""
    return alt.Scale(
        domain=[titles.get(model, model) for model in models],
        range=[tint(_MODEL_COLOURS.get(model, "sky")) for model in models],
    )


def finished(chart: Any, description: str, height: int = HEIGHT) -> dict[str, Any]:
    """The chart as a Vega-Lite specification as wide as its place, with the look of all pictures.

    Args:
        chart: of Altair, one view, with layers or without.
        description: what it shows, for those who do not see it.
        height: in pixels.
    """
    spec: dict[str, Any] = chart.properties(
        width="container", height=height, description=description
    ).to_dict()
    spec["config"] = CONFIG
    spec["autosize"] = {"type": "fit-x", "contains": "padding"}
    return spec


def standing_alone(spec: Mapping[str, Any]) -> dict[str, Any]:
    """The specification with its colours filled in and a width of its own."""
    text = json.dumps({**spec, "width": WIDTH} if "vconcat" not in spec else spec)
    for name, colour in LIGHT.items():
        text = text.replace(tint(name), colour)
    found: dict[str, Any] = json.loads(text)
    return found


CONFIG: dict[str, Any] = {
    "background": tint("paper"),
    "font": FONT,
    "padding": 6,
    # A picture is read out by its description; hundreds of points one by one help nobody.
    "mark": {"aria": False},
    "view": {"stroke": None},
    "axis": {
        "labelColor": tint("ink"),
        "titleColor": tint("faint"),
        "gridColor": tint("grid"),
        "domainColor": tint("faint"),
        "tickColor": tint("faint"),
        "labelFontSize": 12,
        "titleFontSize": 12,
        "titleFontWeight": "normal",
        "labelLimit": 220,
        "aria": False,
    },
    "axisX": {"grid": False, "labelOverlap": True, "labelSeparation": 8},
    "legend": {
        "orient": "top",
        "direction": "horizontal",
        "columns": 3,
        "aria": False,
        "labelColor": tint("ink"),
        "titleColor": tint("faint"),
        "labelFontSize": 12,
        "titleFontSize": 12,
        "titleFontWeight": "normal",
        "labelLimit": 220,
    },
    "title": {"color": tint("ink"), "anchor": "start", "fontSize": 13, "limit": WIDTH},
    "text": {"color": tint("ink"), "fontSize": 12},
    "line": {"strokeWidth": 2},
    "rule": {"color": tint("faint")},
}
