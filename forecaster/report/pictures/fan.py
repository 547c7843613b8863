"""A ticker's closes, the forecasts that were made of them, the coming one, and the company's reports."""

from collections.abc import Mapping, Sequence
from typing import Any

import altair as alt

from forecaster.report.pictures.look import MONTHS, finished, tint

Columns = Mapping[str, Mapping[str, Sequence[Any]]]
"""The columns of each data set by name; days are counted from 1970."""

CLOSES, FANS, REPORTS = "closes", "fans", "reports"
_DAY = {"date": "datum.day * 86400000", "on": "utcFormat(datum.day * 86400000, '%Y-%m-%d')"}


def fan_picture(columns: Columns | None = None, title: str = "") -> dict[str, Any]:
    """The specification of a fan chart, with its data if `columns` has them.

    Args:
        columns: `closes` has day and close; `fans` origin, day, median, low_50, high_50, low_90, high_90;
            `reports` day and text. A fan begins at the close of its origin.
        title: over the picture; it tells the data of several pictures from one another too.
    """
    x = alt.X("date:T", title=None, scale=alt.Scale(type="utc"), axis=MONTHS)

    def price(name: str) -> alt.Y:
        return alt.Y(f"{name}:Q", title="closing price", scale=alt.Scale(zero=False))

    def base(name: str) -> alt.Chart:
        return alt.Chart(alt.NamedData(name=title + name)).transform_calculate(**_DAY)

    fans, closes = base(FANS), base(CLOSES)
    told = [
        alt.Tooltip("on:N", title="day"),
        *(alt.Tooltip(f"{name}:Q", format=",.2f", title=title) for name, title in _TOLD.items()),
    ]
    bands = [
        fans.mark_area(color=tint("blue"), opacity=opacity).encode(
            x=x, y=price(f"low_{level}"), y2=f"high_{level}:Q", detail="origin:N"
        )
        for level, opacity in ((90, 0.18), (50, 0.28))
    ]
    layers = [
        *bands,
        fans.mark_line(color=tint("blue"), strokeWidth=1.5).encode(x=x, y=price("median"), detail="origin:N"),
        closes.mark_line(color=tint("ink"), strokeWidth=1.5).encode(x=x, y=price("close")),
        closes.mark_circle(opacity=0, size=80).encode(
            x=x,
            y=price("close"),
            tooltip=[alt.Tooltip("on:N", title="day"), alt.Tooltip("close:Q", format=",.2f")],
        ),
        fans.mark_circle(opacity=0, size=80).encode(x=x, y=price("median"), tooltip=told),
        base(REPORTS)
        .mark_rule(color=tint("orange"), strokeDash=[4, 3], strokeWidth=1.5)
        .encode(x=x, tooltip=[alt.Tooltip("on:N", title="day"), alt.Tooltip("text:N", title="report")]),
    ]
    spec = finished(
        alt.layer(*layers),
        "Closing prices with forecast intervals of 50 and 90 per cent, past and coming; reports are dashed",
        300,
    )
    data = columns or {}
    spec["datasets"] = {title + name: rows_of(data.get(name, {})) for name in (CLOSES, FANS, REPORTS)}
    if title:
        spec["title"] = title
    return spec


_TOLD = {"median": "median", "low_50": "50 % from", "high_50": "to", "low_90": "90 % from", "high_90": "to "}


def rows_of(columns: Mapping[str, Sequence[Any]]) -> list[dict[str, Any]]:
    """Columns as rows: {"a": [1, 2]} gives [{"a": 1}, {"a": 2}]."""
    return [dict(zip(columns, row, strict=True)) for row in zip(*columns.values(), strict=True)]
