"""What a comparison means, in words and with the tests behind them."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from forecaster.evaluation.baselines import LINEAR_T
from forecaster.evaluation.comparison import Comparison, ModelResult
from forecaster.evaluation.confidence_set import CONFIDENCE, confidence_set
from forecaster.evaluation.metrics import skill
from forecaster.evaluation.significance import Interval, diebold_mariano, lead_interval, skill_interval
from forecaster.settings import CELL_TITLES, LINEAR

LEVEL = 0.05
SMALLEST_SHOWN = 0.001
MODEL_TITLES = {
    **CELL_TITLES,
    LINEAR: "linear-t",
    "naive": "naive",
    "drift": "drift",
    "riskmetrics-t": "RiskMetrics-t",
    LINEAR_T: "linear-t",
}


@dataclass(frozen=True)
class Verdict:
    """The comparison's answer.

    Attributes:
        text: the sentences for a reader, in one paragraph.
        sentences: one for each thing that is said.
        best: the cell with the least CRPS at step 1.
        beats_naive: whether its range is significantly better than every naive forecast's, at the
            first or the last step.
        beats_naive_price: whether its median price is significantly better than the last close and than
            drift, and its signs right more often than always-up's.
        recurrence_helps: whether its range is significantly better than linear-t's, which has the same
            inputs without recurrence, at the first or the last step.
        recurrence: the share of linear-t's CRPS that is saved, by step, with its interval.
        confidence_set: by step, each model's p-value of being the best, see `confidence_set`.
    """

    text: str
    sentences: tuple[str, ...]
    best: str
    beats_naive: bool
    beats_naive_price: bool
    recurrence_helps: bool
    recurrence: dict[str, Interval]
    confidence_set: dict[str, dict[str, float]]


def judge(comparison: Comparison) -> Verdict:
    """Weigh the cells against each other, against the strongest naive forecast, and against linear-t.

    A win over naive forecasts must hold against each of them, at a level of 5 % shared by all cells and
    steps tried (Bonferroni): the more is tried, the likelier a lucky winner.
    """
    cells = [row for row in comparison.models if row.kind == "cell"]
    best = min(cells, key=lambda row: row.steps[1].crps)
    steps = tuple(best.steps)
    level = LEVEL / (len(cells) * len(steps))
    walks = [row for row in comparison.models if row.kind == "baseline" and row.model != LINEAR_T]
    linear = next((row for row in comparison.models if row.model == LINEAR_T), None)
    found = _Wins(
        ranges=[step for step in steps if all(_better_range(best, row, step, level) for row in walks)],
        prices=[step for step in steps if _better_price(best, walks, step, level)],
        recurrence=[
            step for step in steps if linear is not None and _better_range(best, linear, step, level)
        ],
    )
    sets = {
        step: confidence_set({row.model: row.losses[step].crps for row in comparison.models}, step)
        for step in steps
    }
    gains = {} if linear is None else {step: _gain(best, linear, step) for step in steps}
    sentences = [
        _ranking(cells, best),
        _set_sentence(sets),
        *(_range_sentence(walks, best, step, step in found.ranges) for step in steps),
        *([_recurrence_sentence(gains, found.recurrence)] if gains else []),
        _price_sentence(best, walks, found.prices),
        *_lag_sentence(best, walks),
        _meaning(best, level, found, linear),
    ]
    return Verdict(
        " ".join(sentences),
        tuple(sentences),
        best.model,
        bool(found.ranges),
        bool(found.prices),
        bool(found.recurrence),
        {str(step): gain for step, gain in gains.items()},
        {str(step): p_values for step, p_values in sets.items()},
    )


@dataclass(frozen=True)
class _Wins:
    """The steps at which each thing was won."""

    ranges: list[int]
    prices: list[int]
    recurrence: list[int]


def _better_range(cell: ModelResult, row: ModelResult, step: int, level: float) -> bool:
    return cell.steps[step].crps < row.steps[step].crps and _p_value(cell, row, step) < level


def _better_price(cell: ModelResult, walks: Sequence[ModelResult], step: int, level: float) -> bool:
    """Whether the median is better than each walk's, and its signs than always-up's."""
    scores = cell.steps[step]
    beaten = all(
        scores.mae_return < row.steps[step].mae_return and _price_p_value(cell, row, step) < level
        for row in walks
    )
    direction = diebold_mariano(cell.losses[step].direction, step)
    return beaten and direction.statistic > 0 and direction.p_value < level


def _p_value(one: ModelResult, other: ModelResult, step: int) -> float:
    return diebold_mariano(one.losses[step].crps - other.losses[step].crps, step).p_value


def _price_p_value(one: ModelResult, other: ModelResult, step: int) -> float:
    return diebold_mariano(one.losses[step].absolute_error - other.losses[step].absolute_error, step).p_value


def _gain(cell: ModelResult, row: ModelResult, step: int) -> Interval:
    return skill_interval(cell.losses[step].crps, row.losses[step].crps, step)


def _ranking(cells: list[ModelResult], best: ModelResult) -> str:
    """Which cell leads; a lead of one seed each is no more than that."""
    name = MODEL_TITLES[best.model]
    if len(cells) == 1:
        return f"Only {name} was trained, so there is no cell to compare it with."
    second = min((row for row in cells if row is not best), key=lambda row: row.steps[1].crps)
    lead = lead_interval(
        best.losses[1].crps, second.losses[1].crps, best.seed_crps[1], second.seed_crps[1], 1
    )
    said = f"{name} has the lowest CRPS one day ahead{_alike(cells)}, "
    said += f"{lead.value:.2%} below {MODEL_TITLES[second.model]}"
    if math.isinf(lead.low):
        return f"{said}; one seed each cannot rank them, as another may turn it round (--seeds 5 can)."
    words = "more than days and seeds explain" if lead.low > 0 else "no more than days and seeds explain"
    return f"{said} ({_interval(lead)}): {words}."


def _alike(cells: Sequence[ModelResult]) -> str:
    """In what the cells are equal, as far as they were trained here."""
    units = {run.network.units for row in cells for run in row.trained}
    if not units:
        return ""
    return " at equal units" if len(units) == 1 else " at about equal parameters"


def _set_sentence(sets: Mapping[int, Mapping[str, float]]) -> str:
    """What cannot be told apart from the best."""
    parts = []
    for step, p_values in sets.items():
        named = [MODEL_TITLES[name] for name, p_value in p_values.items() if p_value >= 1 - CONFIDENCE]
        parts.append(f"{_days(step)} ahead {', '.join(named)}")
    return f"With {100 * CONFIDENCE:.0f} % confidence the best of all is among these: {'; '.join(parts)}."


def _range_sentence(walks: Sequence[ModelResult], best: ModelResult, step: int, won: bool) -> str:
    rival = min(walks, key=lambda row: row.steps[step].crps)
    gain = 1 - best.steps[step].crps / rival.steps[step].crps
    side = "better" if gain > 0 else "worse"
    significance = "significant" if won else "not significant after counting all that was tried"
    if gain <= 0:
        significance = "no gain"
    return (
        f"Its range {_days(step)} ahead is {abs(gain):.1%} {side} than that of the strongest naive forecast, "
        f"{MODEL_TITLES[rival.model]} ({_test(_p_value(best, rival, step))}, {significance}), "
        f"and its 90 % interval covered {best.steps[step].coverage_90:.1%}."
    )


def _recurrence_sentence(gains: Mapping[int, Interval], wins: Sequence[int]) -> str:
    """What recurrence adds; an effect that may be zero is called so."""
    figures = ", ".join(
        f"{gain.value:+.2%} {_days(step)} ahead ({_interval(gain)})" for step, gain in gains.items()
    )
    meaning = "significant" if wins else "not significant after counting all that was tried"
    return f"Over the same inputs without it (linear-t), recurrence adds {figures}: {meaning}."


def _price_sentence(best: ModelResult, walks: Sequence[ModelResult], wins: Sequence[int]) -> str:
    """The median against the last close and drift, and its signs against always-up."""
    drift = next((row for row in walks if row.model == "drift"), None)
    parts = []
    for step, scores in best.steps.items():
        part = f"{_days(step)} ahead skill {scores.point_skill:+.2%} ({_test(scores.point_p_value)})"
        if drift is not None:
            over = skill(scores.mae_return, drift.steps[step].mae_return)
            part += f", over drift {over:+.2%} ({_test(_price_p_value(best, drift, step))})"
        part += (
            f", {scores.directional_accuracy:.1%} of signs right where {scores.up_share:.1%} of moves are up"
        )
        parts.append(part)
    claim = "beats" if wins else "does not beat"
    return f"As a price, its median {claim} the last close, drift and always-up: {'; '.join(parts)}."


def _lag_sentence(best: ModelResult, walks: Sequence[ModelResult]) -> list[str]:
    """Why a line close to the price means nothing."""
    naive = next((row for row in walks if row.model == "naive"), None)
    if naive is None:
        return []
    own, other = best.steps[1], naive.steps[1]
    text = (
        f"R² of the price one day ahead is {own.r2_price:.4f}; that of the last close is {other.r2_price:.4f}"
        ", so such an R² says nothing. The median lies nearer to the last close than to the actual in "
        f"{own.nearer_last:.0%} of cases."
    )
    return [text]


def _meaning(best: ModelResult, level: float, found: _Wins, linear: ModelResult | None) -> str:
    if found.prices:
        return (
            "So it says something about where the price goes. Before believing it, suspect the data: "
            "look at the costs of trading, and at whether the effect lasts in every year."
        )
    if found.ranges:
        where = (
            ""
            if linear is None
            else " No gain from recurrence was found: its inputs tell as much without it."
        )
        if found.recurrence:
            where = " Part of that only recurrence finds."
        return (
            "So it knows better than a naive forecast how far the price may move, not where: "
            f"useful for risk, of no use for picking a direction.{where}"
        )
    if any(scores.skill > 0 and scores.p_value < level for scores in best.steps.values()):
        return (
            "So it has no skill that a formula for the volatility does not have: its range is better than "
            "the naive one, which takes the volatility to be constant, but not surely better than the best."
        )
    return "So no skill was found: on these prices a network tells nothing that the last close does not."


def show_p(p_value: float) -> str:
    """A p-value as a reader wants it."""
    return "<0.001" if p_value < SMALLEST_SHOWN else f"{p_value:.3f}"


def _test(p_value: float) -> str:
    return f"p {show_p(p_value)}" if p_value < SMALLEST_SHOWN else f"p = {show_p(p_value)}"


def _days(step: int) -> str:
    return "one day" if step == 1 else f"{step} days"


def _interval(found: Interval) -> str:
    if math.isinf(found.low):
        return "too few days for an interval"
    return f"95 % interval {found.low:+.2%} to {found.high:+.2%}"
