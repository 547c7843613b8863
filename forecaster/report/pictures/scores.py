"""Pictures of comparisons, walks through history and live scores, from their documents."""

from collections.abc import Mapping, Sequence
from typing import Any

import altair as alt

from forecaster.evaluation.verdict import MODEL_TITLES
from forecaster.report.pictures.look import finished, model_scale, tint

Spec = dict[str, Any]
Document = Mapping[str, Any]

_AHEAD = "sessions ahead"
_ROW = 34
_COLOURS = ("blue", "orange", "green", "purple", "sky", "red")
_FLAT = alt.Axis(labelAngle=0)


def skill_picture(document: Document) -> Spec:
    """The share of the naive forecast's CRPS that each model saves, with its interval, by step."""
    models = [row["model"] for row in document["models"] if row["model"] != "naive"]
    rows = [
        {"model": MODEL_TITLES[row["model"]], "ahead": step, **_interval(tests["skill"])}
        for row in document["models"]
        if row["model"] != "naive"
        for step, tests in row["tests"].items()
    ]
    order = [MODEL_TITLES[model] for model in models]
    steps = list(document["models"][0]["tests"])
    offset = alt.YOffset("ahead:N", sort=steps)
    base = alt.Chart(alt.InlineData(rows)).encode(
        y=alt.Y("model:N", sort=order, title=None),
        yOffset=offset,
        color=_steps(steps),
    )
    layers = _whiskers(
        base, "x", "share of the naive forecast's CRPS saved (95 % interval)", "model", "ahead"
    )
    chart = alt.layer(_zero("x"), *layers)
    return finished(chart, "Skill of each model against the naive forecast", _ROW * len(order) + 60)


def recurrence_picture(document: Document) -> Spec:
    """What recurrence adds over the same inputs without it, by step, with its interval."""
    rows = [
        {"ahead": int(step), **_interval(found)} for step, found in document["verdict"]["recurrence"].items()
    ]
    base = alt.Chart(alt.InlineData(rows)).encode(
        y=alt.Y("ahead:O", title=_AHEAD), color=alt.value(tint("purple"))
    )
    layers = _whiskers(base, "x", "share of linear-t's CRPS saved (95 % interval)", "ahead")
    return finished(
        alt.layer(_zero("x"), *layers), "What recurrence adds over linear-t", _ROW * len(rows) + 60
    )


def pit_picture(document: Document, model: str) -> Spec:
    """How often the actual fell into each tenth of a model's distribution, by step; a tenth each is right."""
    rows = [
        {"tenth": f"{10 * place}–{10 * place + 10}", "ahead": step, **_interval(share)}
        for step, tests in _model(document, model)["tests"].items()
        for place, share in enumerate(tests["pit_shares"])
    ]
    steps = list(_model(document, model)["tests"])
    base = alt.Chart(alt.InlineData(rows)).encode(
        x=alt.X("tenth:N", sort=None, title="tenth of the forecast distribution, %", axis=_FLAT),
        xOffset=alt.XOffset("ahead:N", sort=steps),
        color=_steps(steps),
    )
    layers = _whiskers(base, "y", "share of actuals, with 95 % interval", "tenth", "ahead")
    even = alt.Chart(alt.InlineData([{"even": 0.1}])).mark_rule(strokeDash=[4, 3]).encode(y="even:Q")
    return finished(alt.layer(even, *layers), f"Actuals by tenth of {MODEL_TITLES[model]}'s distribution")


def coverage_picture(document: Document, step: str) -> Spec:
    """Coverage of the 90 % interval by year, as trained and, where a walk has it, recalibrated."""
    rows = _coverage_rows(document, "year", step)
    kinds = list(dict.fromkeys(row["kind"] for row in rows))
    base = alt.Chart(alt.InlineData(rows)).encode(
        x=alt.X("group:O", title="year of the forecast's origin", axis=_FLAT),
        xOffset=alt.XOffset("kind:N", sort=kinds),
        color=_kinds(kinds),
    )
    layers = _whiskers(base, "y", "coverage, with 95 % interval", "group", "kind")
    level = alt.Chart(alt.InlineData([{"level": 0.9}])).mark_rule(strokeDash=[4, 3]).encode(y="level:Q")
    return finished(
        alt.layer(level, *layers), "Coverage of the 90 % interval by year; 90 per cent is promised"
    )


def _coverage_rows(document: Document, grouping: str, step: str) -> list[dict[str, Any]]:
    """The best cell's coverage by group, as trained and, where a walk has it, recalibrated."""
    best = document["verdict"]["best"]
    return [
        {
            "group": str(row[grouping]),
            "kind": kind,
            "value": row["coverage_90"],
            "low": row["coverage_90_low"],
            "high": row["coverage_90_high"],
        }
        for kind, by in (("as trained", "by"), ("recalibrated", "calibrated_by"))
        for row in document.get(by, {}).get(grouping, ())
        if row["model"] == best and row["step"] == int(step)
    ]


def rows_by(document: Document, grouping: str, model: str, step: str) -> list[Document]:
    """The rows of a breakdown that are of one model at one step."""
    return [row for row in document["by"][grouping] if row["model"] == model and row["step"] == int(step)]


def gain_picture(document: Document, grouping: str, step: str) -> Spec:
    """The share of RiskMetrics-t's CRPS that the best cell saves, by year or by regime, with its interval."""
    best = document["verdict"]["best"]
    rows = [
        {
            "group": str(row[grouping]),
            "value": row["over_riskmetrics_t"],
            "low": row["over_riskmetrics_t_low"],
            "high": row["over_riskmetrics_t_high"],
        }
        for row in rows_by(document, grouping, best, step)
    ]
    title = {"year": "year of the forecast's origin", "regime": "volatility of the market at the origin"}
    base = alt.Chart(alt.InlineData(rows)).encode(
        x=alt.X("group:O", sort=None, title=title[grouping], axis=_FLAT),
        color=alt.value(tint("blue")),
    )
    layers = _whiskers(base, "y", "CRPS saved, with 95 % interval", "group")
    return finished(
        alt.layer(_zero("y"), *layers), f"Gain of {MODEL_TITLES[best]} over RiskMetrics-t by {grouping}"
    )


def ticker_picture(document: Document, step: str) -> Spec:
    """The share of RiskMetrics-t's CRPS that the best cell saves, a dot a ticker, with their quartiles."""
    best = document["verdict"]["best"]
    rows = [
        {
            "ticker": row["ticker"],
            "value": row["over_riskmetrics_t"],
            "coverage": row["coverage_90"],
            "forecasts": row["forecasts"],
        }
        for row in rows_by(document, "ticker", best, step)
    ]
    data = alt.InlineData(rows)
    x = alt.X("value:Q", title="share of RiskMetrics-t's CRPS saved", axis=alt.Axis(format="+.1%"))
    y = alt.Y(
        "coverage:Q",
        title="coverage of the 90 % interval",
        axis=alt.Axis(format="%"),
        scale=alt.Scale(zero=False),
    )
    dots = (
        alt.Chart(data)
        .mark_circle(size=50, color=tint("blue"), opacity=0.7)
        .encode(
            x=x,
            y=y,
            tooltip=[
                "ticker:N",
                alt.Tooltip("value:Q", title="CRPS saved", format="+.2%"),
                alt.Tooltip("coverage:Q", format=".1%"),
                alt.Tooltip("forecasts:Q", format=",d"),
            ],
        )
    )
    spread = (
        alt.Chart(data)
        .transform_aggregate(low="q1(value)", middle="median(value)", high="q3(value)")
        .mark_rect(color=tint("blue"), opacity=0.12)
        .encode(x=alt.X("low:Q"), x2="high:Q")
    )
    level = alt.Chart(alt.InlineData([{"level": 0.9}])).mark_rule(strokeDash=[4, 3]).encode(y="level:Q")
    description = f"Gain of {MODEL_TITLES[best]} over RiskMetrics-t and coverage, a dot a ticker"
    return finished(alt.layer(spread, _zero("x"), level, dots), description)


def reaction_picture(document: Document, step: str) -> Spec | None:
    """Coverage with and without a report to react to, as trained and recalibrated; None without dates."""
    rows = _coverage_rows(document, "reaction", step)
    if not rows:
        return None
    present = list(dict.fromkeys(row["kind"] for row in rows))
    base = alt.Chart(alt.InlineData(rows)).encode(
        x=alt.X("group:N", sort=None, title="reaction to a report up to the day", axis=_FLAT),
        xOffset=alt.XOffset("kind:N", sort=present),
        color=_kinds(present),
    )
    layers = _whiskers(base, "y", "coverage, with 95 % interval", "group", "kind")
    level = alt.Chart(alt.InlineData([{"level": 0.9}])).mark_rule(strokeDash=[4, 3]).encode(y="level:Q")
    return finished(alt.layer(level, *layers), "Coverage on days with and without a report to react to")


def training_picture(document: Document) -> Spec | None:
    """The loss on validation days by epoch, a line a cell and seed; None where nothing was trained."""
    cells = [row for row in document["models"] if row.get("validation_losses")]
    rows = [
        {"cell": MODEL_TITLES[row["model"]], "seed": seed, "epoch": epoch, "loss": loss, "part": part}
        for row in cells
        for part, runs in (("training", row["losses"]), ("validation", row["validation_losses"]))
        for seed, losses in enumerate(runs, 1)
        for epoch, loss in enumerate(losses, 1)
        if loss is not None
    ]
    if not rows:
        return None
    lines = (
        alt.Chart(alt.InlineData(rows))
        .mark_line(point={"size": 20, "filled": True})
        .encode(
            x=alt.X("epoch:Q", title="epoch", axis=alt.Axis(tickMinStep=1)),
            y=alt.Y("loss:Q", title="loss (−log likelihood a step)", scale=alt.Scale(zero=False)),
            color=alt.Color(
                "cell:N", title=None, scale=model_scale([row["model"] for row in cells], MODEL_TITLES)
            ),
            strokeDash=alt.StrokeDash("part:N", title=None, sort=["validation", "training"]),
            detail="seed:N",
            tooltip=["cell:N", "part:N", "seed:N", "epoch:Q", alt.Tooltip("loss:Q", format=".4f")],
        )
    )
    return finished(lines, "Training and validation loss by epoch")


def live_coverage_picture(months: Sequence[Mapping[str, Any]]) -> Spec:
    """Coverage of recorded forecasts by month, with intervals.

    Args:
        months: as `coverage_by_month` gives them.
    """
    title = "coverage, with 95 % interval"
    level = alt.Chart(alt.InlineData([{"level": 0.9}])).mark_rule(strokeDash=[4, 3]).encode(y="level:Q")
    return finished(
        alt.layer(level, *_monthly(months, title)),
        "Coverage of recorded forecasts by month, one session ahead",
    )


def live_gain_picture(months: Sequence[Mapping[str, Any]]) -> Spec:
    """The share of the reference's CRPS that recorded forecasts save, by month, with intervals.

    Args:
        months: as `gain_by_month` gives them.
    """
    title = "CRPS saved, with 95 % interval"
    return finished(
        alt.layer(_zero("y"), *_monthly(months, title)),
        "Gain of recorded forecasts over the reference by month, one session ahead",
    )


def _monthly(months: Sequence[Mapping[str, Any]], title: str) -> list[alt.Chart]:
    models = list(dict.fromkeys(row["kind"] for row in months))
    base = alt.Chart(alt.InlineData([dict(row) for row in months])).encode(
        x=alt.X("month:O", title="month of the forecast's origin"),
        xOffset=alt.XOffset("kind:N", sort=models),
        color=_kinds(models),
    )
    return _whiskers(base, "y", title, "month", "kind")


def _whiskers(base: alt.Chart, along: str, title: str, *told: str) -> list[alt.Chart]:
    """A dot for each value, and a rule from low to high, clipped to what the values span several times."""
    channel = alt.X if along == "x" else alt.Y
    axis = alt.Axis(format="+.1%" if "saved" in title else "%")
    value = channel("value:Q", title=title, axis=axis, scale=alt.Scale(zero=False))
    low = channel("low:Q", title=title, axis=axis)
    tooltip = [
        *(f"{name}:N" for name in told),
        *(alt.Tooltip(f"{name}:Q", format=".2%") for name in ("value", "low", "high")),
    ]
    known = base.transform_filter("isValid(datum.low) && isValid(datum.high)")
    ends = {along: low, f"{along}2": "high:Q"}
    rule: alt.Chart = known.mark_rule(strokeWidth=2).encode(**ends, tooltip=tooltip)
    dot: alt.Chart = base.mark_circle(size=70, opacity=1).encode(**{along: value}, tooltip=tooltip)
    return [rule, dot]


def _zero(along: str) -> alt.Chart:
    rule = alt.Chart(alt.InlineData([{"zero": 0}])).mark_rule(strokeDash=[4, 3])
    placed: alt.Chart = rule.encode(**{along: "zero:Q"})
    return placed


def _steps(steps: list[str]) -> alt.Color:
    return alt.Color(
        "ahead:N",
        sort=steps,
        title=_AHEAD,
        scale=alt.Scale(domain=steps, range=[tint(_COLOURS[place % 6]) for place in range(len(steps))]),
    )


def _kinds(kinds: list[str]) -> alt.Color:
    return alt.Color(
        "kind:N",
        title=None,
        sort=kinds,
        scale=alt.Scale(domain=kinds, range=[tint(_COLOURS[place % 6]) for place in range(len(kinds))]),
    )


def _interval(found: Document) -> dict[str, Any]:
    return {name: found[name] for name in ("value", "low", "high")}


def _model(document: Document, model: str) -> Document:
    found: Document = next(row for row in document["models"] if row["model"] == model)
    return found
