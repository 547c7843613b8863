"""Pictures of what the laboratory measured, from its documents."""

import math
from collections.abc import Mapping
from typing import Any

import altair as alt

from forecaster.laboratory.claims.claim import GROUPS, VERDICTS, Rule
from forecaster.laboratory.claims.effects import Effect, wilson
from forecaster.report.pictures.look import MONTHS, finished, model_scale, tint
from forecaster.settings import CELL_TITLES

Spec = dict[str, Any]
Document = Mapping[str, Any]

MOST_INPUTS = 12
"""In a picture; the table has them all."""
_GATE_COLOURS = ("blue", "orange", "green", "purple")
_CLAIM_HEIGHT, _CLAIM_TEXT, _CLAIM_EDGE = 20, 1.1, 3.6  # effects are written beside the intervals
_CLAIM_AXIS = alt.Axis(labels=False, ticks=False, grid=False, domain=False, titleAnchor="start")
_CLAIM_TIPS = ["claim:N", "group:N", "verdict:N", "effect:N", "said:N"]


def memory_picture(document: Document) -> Spec:
    """The share of seeds that solved the task by lag, a line a cell, with Wilson's 95 % interval."""
    rows = [
        {
            "cell": CELL_TITLES[row["cell"]],
            "lag": row["lag"],
            "share": row["share"],
            "seeds": f"{row['solved']} of {row['seeds']}",
            **dict(zip(("low", "high"), wilson(row["solved"], row["seeds"]), strict=True)),
        }
        for row in document["rows"]
    ]
    cells = list(dict.fromkeys(row["cell"] for row in document["rows"]))
    base = alt.Chart(alt.InlineData(rows)).encode(
        x=alt.X("lag:O", title="lag to bridge, steps", axis=alt.Axis(labelAngle=0)),
        xOffset=alt.XOffset("cell:N", sort=[CELL_TITLES[cell] for cell in cells]),
        color=alt.Color("cell:N", title=None, scale=model_scale(cells)),
        tooltip=["cell:N", "lag:O", "seeds:N"],
    )
    title = "share of seeds, with 95 % interval"
    layers = [
        base.mark_rule(strokeWidth=2).encode(y=alt.Y("low:Q", title=title), y2="high:Q"),
        base.mark_circle(size=70, opacity=1).encode(
            y=alt.Y("share:Q", title=title, axis=alt.Axis(format="%"))
        ),
    ]
    return finished(
        alt.layer(*layers), f"The longest lag that each cell bridges in the task {document['task']}"
    )


def gradients_picture(document: Document) -> Spec:
    """The length of the gradient by days back, a line a network, on a log scale."""
    rows = [
        {"network": profile["label"], "back": back, "norm": norm}
        for profile in document["profiles"]
        for back, norm in enumerate(profile["state_norm"])
        if norm and norm > 0
    ]
    labels = [profile["label"] for profile in document["profiles"]]
    colours = model_scale([profile["cell"] for profile in document["profiles"]]).to_dict()["range"]
    lines = (
        alt.Chart(alt.InlineData(rows))
        .mark_line()
        .encode(
            x=alt.X("back:Q", title="steps back"),
            y=alt.Y(
                "norm:Q",
                title="norm of ∂h(T) / ∂s(t)",
                scale=alt.Scale(type="log"),
                axis=alt.Axis(format=".0e", tickCount=6),
            ),
            color=alt.Color("network:N", title=None, scale=alt.Scale(domain=labels, range=colours)),
            tooltip=["network:N", "back:Q", alt.Tooltip("norm:Q", format=".3e")],
        )
    )
    return finished(lines, "How far back the gradient reaches in each cell")


def sweep_picture(document: Document) -> Spec:
    """CRPS one day ahead over the swept quantity, a line a cell, ± a standard deviation over seeds."""
    rows = [
        {
            "value": point["value"],
            "cell": CELL_TITLES[point["cell"]],
            "gain": 1 - point["crps"] / point["reference_crps"],
            "low": 1 - (point["crps"] + (point["crps_deviation"] or 0.0)) / point["reference_crps"],
            "high": 1 - (point["crps"] - (point["crps_deviation"] or 0.0)) / point["reference_crps"],
        }
        for point in document["points"]
    ]
    cells = list(dict.fromkeys(point["cell"] for point in document["points"]))
    base = alt.Chart(alt.InlineData(rows)).encode(
        x=alt.X("value:O", title=document["over"], axis=alt.Axis(labelAngle=0)),
        xOffset=alt.XOffset("cell:N", sort=[CELL_TITLES[cell] for cell in cells]),
        color=alt.Color("cell:N", title=None, scale=model_scale(cells)),
        tooltip=["cell:N", "value:O", alt.Tooltip("gain:Q", format="+.2%")],
    )
    title = "share of RiskMetrics-t's CRPS saved (± deviation of seeds)"
    axis = alt.Axis(format="+.1%")
    layers = [
        base.mark_rule(strokeWidth=2).encode(y=alt.Y("low:Q", title=title, axis=axis), y2="high:Q"),
        base.mark_circle(size=70, opacity=1).encode(
            y=alt.Y("gain:Q", title=title, axis=axis, scale=alt.Scale(zero=False))
        ),
    ]
    return finished(alt.layer(*layers), f"Gain over RiskMetrics-t by {document['over']}")


def gates_picture(document: Document) -> Spec:
    """The mean of each gate's units along the days, and the largest moves as dashed lines."""
    names = [row["gate"] for row in document["summaries"]]
    rows = [
        {
            "day": day["day"],
            "gate": name,
            "mean": day[name],
            "low": day[f"{name}_low"],
            "high": day[f"{name}_high"],
        }
        for day in document["days"]
        for name in names
        if day.get(name) is not None
    ]
    x = alt.X("date:T", title=None, scale=alt.Scale(type="utc"), axis=MONTHS)
    when = {"date": "utcParse(datum.day, '%Y-%m-%d')"}
    colour = alt.Color(
        "gate:N",
        title=None,
        scale=alt.Scale(domain=names, range=[tint(name) for name in _GATE_COLOURS[: len(names)]]),
    )
    base = alt.Chart(alt.InlineData(rows)).transform_calculate(**when).encode(x=x, color=colour)
    y_title = "gate: mean and middle 80 % of units"
    band = base.mark_area(opacity=0.15).encode(
        y=alt.Y("low:Q", title=y_title, scale=alt.Scale(domain=[0, 1])), y2="high:Q"
    )
    lines = base.mark_line(strokeWidth=1.5).encode(
        y=alt.Y("mean:Q", title=y_title), tooltip=["day:N", "gate:N", alt.Tooltip("mean:Q", format=".3f")]
    )
    events = [
        {"day": event["day"], "move": f"{math.expm1(event['log_return']):+.1%}"}
        for event in document["events"]
    ]
    marks = (
        alt.Chart(alt.InlineData(events))
        .transform_calculate(**when)
        .mark_rule(strokeDash=[4, 3])
        .encode(x=x, tooltip=["day:N", "move:N"])
    )
    title = f"Gates of {document['model']} along {document['ticker']}; dashed: the largest moves"
    return finished(alt.layer(band, marks, lines), title)


def close_picture(document: Document) -> Spec:
    """The closes under a gates picture."""
    rows = [
        {"day": day["day"], "close": day["close"]} for day in document["days"] if day["close"] is not None
    ]
    line = (
        alt.Chart(alt.InlineData(rows))
        .transform_calculate(date="utcParse(datum.day, '%Y-%m-%d')")
        .mark_line(color=tint("ink"), strokeWidth=1.5)
        .encode(
            x=alt.X("date:T", title=None, scale=alt.Scale(type="utc"), axis=MONTHS),
            y=alt.Y("close:Q", title="closing price", scale=alt.Scale(zero=False)),
            tooltip=["day:N", alt.Tooltip("close:Q", format=",.2f")],
        )
    )
    return finished(line, f"Closing prices of {document['ticker']}", 160)


def inputs_picture(attribution: Document) -> Spec:
    """The inputs that moved one output most, by both methods; the gap between these is how sure they are."""
    ranked = sorted(attribution["inputs"], key=lambda row: -abs(row["gradients"]))[:MOST_INPUTS]
    methods = {"gradients": "integrated gradients", "occlusion": "occlusion"}
    rows = [
        {"input": row["input"], "method": title, "moved": row[name]}
        for row in ranked
        for name, title in methods.items()
    ]
    spans = [{"input": row["input"], "low": row["gradients"], "high": row["occlusion"]} for row in ranked]
    named = {"median": ("log return of the median", "+.3~%"), "width": ("log of the scale", "+.2f")}
    x_title, form = named[attribution["output"]]
    y = alt.Y("input:N", sort=[row["input"] for row in ranked], title=None)
    dots = (
        alt.Chart(alt.InlineData(rows))
        .mark_circle(size=70, opacity=1)
        .encode(
            y=y,
            x=alt.X("moved:Q", title=f"moved the {x_title} by", axis=alt.Axis(format=form)),
            color=alt.Color(
                "method:N",
                title=None,
                scale=alt.Scale(domain=list(methods.values()), range=[tint("blue"), tint("orange")]),
            ),
            tooltip=["input:N", "method:N", alt.Tooltip("moved:Q", format="+.4f")],
        )
    )
    between = alt.Chart(alt.InlineData(spans)).mark_rule().encode(y=y, x="low:Q", x2="high:Q")
    zero = alt.Chart(alt.InlineData([{"zero": 0}])).mark_rule(strokeDash=[4, 3]).encode(x="zero:Q")
    ahead = attribution["step"]
    return finished(
        alt.layer(zero, between, dots),
        f"Inputs that moved the {attribution['output']} {ahead} ahead",
        24 * len(ranked) + 60,
    )


def parameters_picture(document: Document) -> Spec:
    """Trained numbers of each cell, split by layer."""
    rows = [
        {
            "cell": _network_title(network),
            "parameters": network["parameters"],
            "operations": network["floating_point_operations"],
        }
        for network in document["networks"]
    ]
    bars = (
        alt.Chart(alt.InlineData(rows))
        .mark_bar(color=tint("blue"))
        .encode(
            y=alt.Y("cell:N", sort=None, title=None),
            x=alt.X("parameters:Q", title="trained numbers", axis=alt.Axis(format=",d")),
            tooltip=[
                "cell:N",
                alt.Tooltip("parameters:Q", format=",d"),
                alt.Tooltip("operations:Q", title="operations of a window", format=",d"),
            ],
        )
    )
    return finished(bars, "Trained numbers of each cell", 34 * len(rows) + 60)


def _network_title(network: Document) -> str:
    form = {True: ", reset after", False: ", reset before", None: ""}[network["reset_after"]]
    return f"{CELL_TITLES[network['cell']]}{form}, {network['units']} units"


def claims_picture(document: Document) -> Spec:
    """Each claim's effect with its interval, on one scale for all units: right of zero speaks for it.

    An effect's distance from the value that decides is divided by that of its interval's farther end, so
    that every interval reaches one side of the picture.
    """
    rows = [_claim_row(claim) for claim in document["claims"]]
    rows.sort(key=lambda row: list(GROUPS.values()).index(row["group"]))
    verdicts = list(VERDICTS)
    colour = alt.Color(
        "verdict:N",
        title=None,
        scale=alt.Scale(domain=verdicts, range=[tint(name) for name in ("green", "red", "faint")]),
    )
    shape = alt.Shape(
        "verdict:N", title=None, scale=alt.Scale(domain=verdicts, range=["circle", "cross", "diamond"])
    )
    y = alt.Y("claim:N", sort=[row["claim"] for row in rows], title=None)
    x_title = "against  ←  each scaled to its interval  →  for the claim;  effect (95 % interval)"
    scale = alt.Scale(domain=[-1, _CLAIM_EDGE])
    x = alt.X("low:Q", title=x_title, scale=scale, axis=_CLAIM_AXIS)
    base = alt.Chart(alt.InlineData(rows)).encode(y=y, color=colour)
    zero = alt.Chart(alt.InlineData([{"zero": 0}])).mark_rule(strokeDash=[4, 3]).encode(x="zero:Q")
    points = base.mark_point(size=60, filled=True, opacity=1).encode(
        x=alt.X("value:Q", title=x_title), shape=shape, tooltip=_CLAIM_TIPS
    )
    texts = base.mark_text(align="left", fontSize=11, limit=0).encode(
        x=alt.datum(_CLAIM_TEXT), text="effect:N"
    )
    layers = [zero, base.mark_rule(strokeWidth=2).encode(x=x, x2="high:Q"), points, texts]
    return finished(alt.layer(*layers), "What became of each claim", _CLAIM_HEIGHT * len(rows) + 60)


def _claim_row(claim: Document) -> dict[str, Any]:
    """A claim as the picture has it; an interval's infinite end is null in a document."""
    effect = Effect(
        _number(claim["effect"], math.nan),
        _number(claim["low"], -math.inf),
        _number(claim["high"], math.inf),
        claim["unit"],
    )
    low, value, high = Rule(claim["says"], claim["bound"]).scaled(effect)
    return {
        "claim": claim["name"],
        "group": GROUPS[claim["group"]],
        "verdict": claim["verdict"],
        "low": low,
        "value": value,
        "high": high,
        "effect": str(effect),
        "said": claim["sentence"],
    }


def _number(value: float | None, missing: float) -> float:
    return missing if value is None else value


def cell_picture(document: Document) -> Spec:
    """The state of each unit and the first input, step by step."""
    rows = [
        {"step": step["step"], "what": f"unit {unit}", "value": value}
        for step in document["steps"]
        for unit, value in enumerate(step["hidden"], 1)
    ] + [
        {"step": step["step"], "what": "first input", "value": step["inputs"][0]}
        for step in document["steps"]
    ]
    lines = (
        alt.Chart(alt.InlineData(rows))
        .mark_line(point={"size": 30, "filled": True})
        .encode(
            x=alt.X("step:Q", title="step", axis=alt.Axis(tickMinStep=1)),
            y=alt.Y("value:Q", title="state h, input"),
            color=alt.Color("what:N", title=None, sort=None, scale=alt.Scale(range=_ranked())),
            tooltip=["step:Q", "what:N", alt.Tooltip("value:Q", format=".3f")],
        )
    )
    return finished(lines, f"{CELL_TITLES[document['cell']]}: the state step by step")


def _ranked() -> list[str]:
    return [tint(name) for name in ("blue", "orange", "green", "purple", "sky", "red", "faint")]
