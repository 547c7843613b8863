"""Which pictures show a result, from its document."""

from collections.abc import Callable, Mapping, Sequence
from typing import Any

from forecaster.evaluation.verdict import MODEL_TITLES
from forecaster.report.pictures import laboratory, scores
from forecaster.report.pictures.picture import Picture

Document = Mapping[str, Any]
Months = Sequence[Mapping[str, Any]]
Captioned = list[tuple[Mapping[str, Any], str]]


def picture_of(document: Document) -> Picture:
    """What a result looks like.

    Args:
        document: as `--json` prints it, with its `schema`.

    Raises:
        KeyError: there is no picture of its kind.
    """
    kind = document["schema"].removeprefix("forecast.").partition("/")[0]
    specs, captions = zip(*_GALLERY[kind](document), strict=True)
    return Picture(specs, captions)


def skill(document: Document) -> Captioned:
    """Of a comparison or a walk: each model against the naive forecast."""
    where = "over all folds" if "folds" in document else "by step"
    return [(scores.skill_picture(document), f"Skill of each model against the naive forecast, {where}.")]


def coverage(document: Document) -> Captioned:
    """Coverage by year, for each step that is scored."""
    return [
        (
            scores.coverage_picture(document, step),
            f"Coverage of the 90 % interval {ahead(step)} by year; dashed: what is promised.",
        )
        for step in document["models"][0]["scores"]
    ]


def ahead(step: str) -> str:
    """Like "one session ahead"."""
    return "one session ahead" if step == "1" else f"{step} sessions ahead"


def pit(document: Document) -> Captioned:
    """How often the actual fell into each tenth of the best cell's distribution."""
    best = document["verdict"]["best"]
    caption = f"Actuals by tenth of {MODEL_TITLES[best]}'s distribution; a right one has 10 % in each."
    return [(scores.pit_picture(document, best), caption)]


def recurrence(document: Document) -> Captioned:
    """What recurrence adds, if there is a linear-t to tell it."""
    if not document["verdict"]["recurrence"]:
        return []
    caption = (
        "What recurrence adds over linear-t, a regression on the same inputs without it; where the interval "
        "holds zero, none was found."
    )
    return [(scores.recurrence_picture(document), caption)]


def gain(document: Document) -> Captioned:
    """What the best cell gains over RiskMetrics-t by year."""
    best = MODEL_TITLES[document["verdict"]["best"]]
    caption = f"What {best} gains over RiskMetrics-t one session ahead, by year."
    return [(scores.gain_picture(document, "year", "1"), caption)]


def _gates(document: Document) -> Captioned:
    caption = (
        f"The gates of {document['model']}, layer {document['layer']}, on the same days; dashed: the largest "
        "moves."
    )
    return [
        (laboratory.close_picture(document), f"Closes of {document['ticker']}."),
        (laboratory.gates_picture(document), caption),
    ]


def _inputs(document: Document) -> Captioned:
    found: Captioned = []
    for each in document["attributions"]:
        what = f"the {each['output']} of {document['ticker']} {ahead(str(each['step']))}"
        caption = (
            f"What moved {what}, on {document['dates'][-1]}, by {document['model']}: each input by both "
            "methods; where they lie far apart, neither is sure."
        )
        found.append((laboratory.inputs_picture(each), caption))
    return found


def live(coverages: Months, gains: Months) -> Captioned:
    """Of recorded forecasts: coverage and gain by month."""
    caption = "Coverage of recorded forecasts one session ahead by month; dashed: what is promised."
    found: Captioned = [(scores.live_coverage_picture(coverages), caption)]
    if gains:
        what = "What they gain over the reference by month; a drift shows here."
        found.append((scores.live_gain_picture(gains), what))
    return found


_GALLERY: Mapping[str, Callable[[Document], Captioned]] = {
    "compare": lambda found: [*skill(found), *recurrence(found), *pit(found)],
    "backtest": lambda found: [*skill(found), *recurrence(found), *coverage(found), *gain(found)],
    "score": lambda found: live(found["coverage_by_month"], found["gain_by_month"]),
    "lab-gates": _gates,
    "lab-inputs": _inputs,
    "lab-gradients": lambda found: [
        (laboratory.gradients_picture(found), "How far back the gradient reaches.")
    ],
    "lab-memory": lambda found: [
        (
            laboratory.memory_picture(found),
            f"The share of seeds that bridged each lag in the task {found['task']}.",
        )
    ],
    "lab-sweep": lambda found: [
        (
            laboratory.sweep_picture(found),
            f"The gain over RiskMetrics-t by {found['over']}, ± the seeds' deviation.",
        )
    ],
    "lab-parameters": lambda found: [(laboratory.parameters_picture(found), "Trained numbers of each cell.")],
    "lab-cell": lambda found: [(laboratory.cell_picture(found), "The state of each unit, step by step.")],
    "lab-claims": lambda found: [(laboratory.claims_picture(found), "What became of each claim.")],
}
