"""Scores of the contestants' quantiles, the table in docs/performance.md, and its picture."""

import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

import altair as alt
import numpy as np
from contest import LEVELS, Float, Measured
from numpy.typing import NDArray

from forecaster.evaluation.metrics import coverage, crps_from_quantiles
from forecaster.evaluation.significance import diebold_mariano, skill_interval
from forecaster.files import write_atomically
from forecaster.report.pictures.look import finished, tint
from forecaster.report.pictures.picture import Picture

BEGIN, END = "<!-- peers: written by make bench-peers; do not edit -->", "<!-- end of peers -->"
PROMISED = 0.9
_LOW, _MIDDLE, _HIGH = (int(np.argmin(np.abs(LEVELS - level))) for level in (0.05, 0.5, 0.95))
_ROW = 34


@dataclass(frozen=True)
class Scores:
    """What forecasts of one day ahead are worth; in log return what is no share.

    Attributes:
        crps: by 99 quantiles.
        coverage: share of actuals in the 90 % interval.
        reaction: the same on the days that react to an earnings report; None without dates.
        mae: absolute error of the median.
        daily: (T,) mean CRPS over the tickers, by day.
    """

    crps: float
    coverage: float
    reaction: float | None
    mae: float
    daily: Float


@dataclass(frozen=True)
class Row:
    """One contestant.

    Attributes:
        title: its name.
        scores: of its test forecasts.
        measured: what it took; None of what is not trained.
        importing: seconds of user CPU of its imports in a fresh process; None of what is not measured.
    """

    title: str
    scores: Scores
    measured: Measured | None = None
    importing: float | None = None


@dataclass(frozen=True)
class Column:
    """A number of each row, how it is written, and what it falls short of: less is better.

    Wall clocks are not `judged`: they depend on what else the machine does.
    """

    heading: str
    value: Callable[[Row], float | None]
    text: Callable[[float], str]
    loss: Callable[[float], float] = float
    judged: bool = True


def _measured(name: str) -> Callable[[Row], float | None]:
    return lambda row: None if row.measured is None else float(getattr(row.measured, name))


def _per_cent(share: float) -> str:
    return f"{100 * share:.1f} %"


def _off(share: float) -> float:
    return round(abs(share - PROMISED), 3)


COLUMNS = (
    Column("training, user CPU", _measured("train_cpu"), "{:.0f} s".format),
    Column("training, wall", _measured("train"), "{:.0f} s".format, judged=False),
    Column("next day, user CPU", _measured("forecast_cpu"), "{:.2f} s".format),
    Column("next day, wall", _measured("forecast"), "{:.2f} s".format, judged=False),
    Column("import, user CPU", lambda row: row.importing, "{:.2f} s".format),
    Column("memory", _measured("memory"), "{:,.0f} MB".format),
    Column("CRPS", lambda row: 1e4 * row.scores.crps, "{:.2f}".format),
    Column("coverage", lambda row: row.scores.coverage, _per_cent, _off),
    Column("coverage on reaction days", lambda row: row.scores.reaction, _per_cent, _off),
    Column("MAE", lambda row: 1e4 * row.scores.mae, "{:.2f}".format),
)


def score(quantiles: Float, actual: Float, reaction: NDArray[np.bool_] | None) -> Scores:
    """Score quantiles at LEVELS; those that cross are put in order.

    Args:
        quantiles: (N, T, 99).
        actual: (N, T).
        reaction: (N, T) whether the day reacts to an earnings report; None without dates.

    Raises:
        ValueError: a quantile is not known.
    """
    if not np.isfinite(quantiles).all():
        raise ValueError("a forecast is missing")
    ordered = np.sort(quantiles, axis=-1)
    lower, upper = ordered[..., _LOW], ordered[..., _HIGH]
    crps = crps_from_quantiles(actual, ordered, LEVELS)
    return Scores(
        crps=float(crps.mean()),
        coverage=coverage(actual, lower, upper),
        reaction=None if reaction is None else coverage(actual[reaction], lower[reaction], upper[reaction]),
        mae=float(np.abs(actual - ordered[..., _MIDDLE]).mean()),
        daily=crps.mean(axis=0),
    )


def ahead(row: Row, ours: Row) -> list[str]:
    """The headings of the columns in which a row is better than ours, in the digits that are shown."""
    found = []
    for column in COLUMNS:
        mine, theirs = column.value(ours), column.value(row)
        if not column.judged or mine is None or theirs is None or column.text(mine) == column.text(theirs):
            continue
        if column.loss(theirs) < column.loss(mine):
            found.append(column.heading)
    return found


def table(rows: Sequence[Row]) -> str:
    """A table in Markdown; the first row is ours, and where another is ahead, the number is bold."""
    ours = rows[0]
    headings = ["", *(column.heading for column in COLUMNS), "CRPS beside ours", "ahead of ours in"]
    lines = ["| " + " | ".join(headings) + " |", "|---" + "|---:" * len(COLUMNS) + "|---|---|"]
    for row in rows:
        better = ahead(row, ours)
        cells = [row.title]
        for column in COLUMNS:
            value = column.value(row)
            text = "–" if value is None else column.text(value)
            cells.append(f"**{text}**" if column.heading in better else text)
        cells += ["", ""] if row is ours else [_beside(row, ours), ", ".join(better) or "nothing"]
        lines.append("| " + " | ".join(cells) + " |")
    return "\n".join(lines) + "\n"


def _beside(row: Row, ours: Row) -> str:
    """Like "+1.3 %, p = 0.004"; above 0 where ours is better."""
    more = row.scores.crps / ours.scores.crps - 1
    p_value = diebold_mariano(row.scores.daily - ours.scores.daily, 1).p_value
    return f"{100 * more:+.1f} %, " + ("p < 0.001" if p_value < 0.001 else f"p = {p_value:.3f}")


def write_between(path: Path, content: str) -> None:
    """Replace what stands between the two marks of a document.

    Raises:
        ValueError: it has not each of them once, in order.
    """
    text = path.read_text(encoding="utf-8")
    pattern = re.compile(f"(?<={re.escape(BEGIN)}\n).*?(?={re.escape(END)})", re.DOTALL)
    if len(pattern.findall(text)) != 1:
        raise ValueError(f"{path} needs a line {BEGIN} and then a line {END}")
    write_atomically(path, pattern.sub(lambda _: f"\n{content}\n", text))


def picture(rows: Sequence[Row]) -> Picture:
    """What others' CRPS has more than ours, everyone's coverage, and what training takes."""
    specs = [_crps(rows), _coverage(rows), _training(rows)]
    return Picture(specs, [str(spec["description"]) for spec in specs])


def _crps(rows: Sequence[Row]) -> dict[str, object]:
    ours = rows[0]
    found = []
    for row in rows[1:]:
        more = skill_interval(
            row.scores.daily, ours.scores.daily, 1
        )  # the share that is saved: mostly below 0
        found.append({"who": row.title, "value": -more.value, "low": -more.high, "high": -more.low})
    base = alt.Chart(alt.InlineData(found)).encode(y=_names(rows[1:]), color=alt.value(tint("blue")))
    axis = alt.Axis(format="+.0%", values=[0, 0.01, 0.05, 0.2, 1, 3])
    scale = alt.Scale(type="symlog", constant=0.01)  # some are hardly worse, others several times
    dots = base.mark_circle(size=70, opacity=1).encode(
        x=alt.X("value:Q", title="CRPS beside forecast's (95 % interval)", axis=axis, scale=scale)
    )
    reach = base.mark_rule(strokeWidth=2).encode(x=alt.X("low:Q"), x2="high:Q")
    even = alt.Chart(alt.InlineData([{"even": 0}])).mark_rule(strokeDash=[4, 3]).encode(x="even:Q")
    chart = alt.layer(even, reach, dots)
    return finished(
        chart, "CRPS beside forecast's: right of the dashed line is worse", _ROW * len(found) + 30
    )


def _coverage(rows: Sequence[Row]) -> dict[str, object]:
    kinds = ["all days", "reaction days"]
    found = [
        {"who": row.title, "kind": kind, "value": value}
        for row in rows
        for kind, value in zip(kinds, (row.scores.coverage, row.scores.reaction), strict=True)
        if value is not None
    ]
    scale = alt.Scale(domain=kinds, range=[tint("blue"), tint("orange")])
    dots = (
        alt.Chart(alt.InlineData(found))
        .mark_circle(size=70, opacity=1)
        .encode(
            x=alt.X("value:Q", title="share of actuals in the 90 % interval", axis=alt.Axis(format="%"),
                    scale=alt.Scale(zero=False)),
            y=_names(rows),
            color=alt.Color("kind:N", title=None, sort=kinds, scale=scale),
        )
    )  # fmt: skip
    promised = alt.Chart(alt.InlineData([{"promised": PROMISED}])).mark_rule(strokeDash=[4, 3])
    chart = alt.layer(promised.encode(x="promised:Q"), dots)
    return finished(
        chart, "Coverage of the 90 % interval: on the dashed line is right", _ROW * len(rows) + 30
    )


def _training(rows: Sequence[Row]) -> dict[str, object]:
    trained = [row for row in rows if row.measured is not None]
    found = [{"who": row.title, "seconds": row.measured.train_cpu} for row in trained if row.measured]
    bars = (
        alt.Chart(alt.InlineData(found))
        .mark_bar(height=14)
        .encode(
            x=alt.X("seconds:Q", title="user CPU, seconds"), y=_names(trained), color=alt.value(tint("green"))
        )
    )
    return finished(bars, "What training takes", _ROW * len(found) + 30)


def _names(rows: Sequence[Row]) -> alt.Y:
    return alt.Y("who:N", sort=[row.title for row in rows], title=None)
