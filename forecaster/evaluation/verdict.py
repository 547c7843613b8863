"""What a comparison means, in words and with the tests behind them."""

import math
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from forecaster.evaluation.baselines import BASELINES, BOOSTING, LINEAR_T, SAME_INPUTS
from forecaster.evaluation.comparison import JOINT_REFERENCES, NAIVE, Comparison, ModelResult, best_cell
from forecaster.evaluation.confidence_set import CONFIDENCE, confidence_set
from forecaster.evaluation.joint_test import JointTest, joint_test
from forecaster.evaluation.significance import (
    INTERVAL,
    SEEDED_INTERVAL,
    Interval,
    lead_of,
    skill_interval,
)
from forecaster.evaluation.step_tests import described_interval
from forecaster.evaluation.tried import ALWAYS_UP, DIRECTION, LEVEL, PRICE, RANGE, Table, Tried, all_tried
from forecaster.settings import CELL_TITLES, LINEAR

SMALLEST_SHOWN = 0.001
MODEL_TITLES = {
    **CELL_TITLES,
    LINEAR: "linear-t",
    "naive": "naive",
    "drift": "drift",
    "riskmetrics-t": "RiskMetrics-t",
    LINEAR_T: "linear-t",
    "garch-t": "GARCH-t",
    "gjr-t": "GJR-t",
    "historical": "historical",
    "auto-arima": "AutoARIMA",
    "auto-ets": "AutoETS",
    "theta": "Theta",
    BOOSTING: "boosting",
}


@dataclass(frozen=True)
class Verdict:
    """The comparison's answer.

    Attributes:
        text: the sentences for a reader, in one paragraph.
        sentences: one for each thing that is said.
        three_sentences: how good the range is, what recurrence adds, what that is of use for.
        best: the cell with the least CRPS at step 1.
        beats_naive: whether its range is significantly better than that of every baseline that does not read
            its inputs, at the first or the last step.
        beats_naive_price: whether its median price is significantly better than the last close and than
            drift, and its signs right more often than always-up's.
        recurrence_helps: whether its range is significantly better than that of every baseline with the same
            inputs without recurrence, linear-t and, where it is asked for, boosting, at the first or the last
            step.
        recurrence: the share of linear-t's CRPS that is saved, by step, with its interval.
        recurrence_method: how that interval is made.
        confidence_set: by step, each model's p-value of being the best, see `confidence_set`.
        joint: the best cell against each reference at several steps at once; empty for one step.
        tests: of every cell, reference, question and step, with adjusted p-values.
    """

    text: str
    sentences: tuple[str, ...]
    three_sentences: tuple[str, ...]
    best: str
    beats_naive: bool
    beats_naive_price: bool
    recurrence_helps: bool
    recurrence: dict[str, Interval]
    recurrence_method: str
    confidence_set: dict[str, dict[str, float]]
    joint: dict[str, JointTest]
    tests: tuple[Tried, ...]

    def described(self) -> dict[str, Any]:
        """All of it as JSON documents hold it."""
        cells = len({test.cell for test in self.tests})
        plain = (
            "text",
            "sentences",
            "three_sentences",
            "best",
            "beats_naive",
            "beats_naive_price",
            "recurrence_helps",
        )
        return {
            **{name: getattr(self, name) for name in plain},
            "recurrence": {
                step: described_interval(found, self.recurrence_method)
                for step, found in self.recurrence.items()
            },
            "confidence_set": self.confidence_set,
            "adjusted": {
                "method": "Holm",
                "family": "all cells and steps, for each question and reference",
                "tried": max((test.tried for test in self.tests), default=0),
                "level": LEVEL,
            },
            "joint": {
                name: test.described() | {"adjusted": joint_p_value(test, cells), "tried": cells}
                for name, test in self.joint.items()
            },
            "tests": [test.described() for test in self.tests],
        }


def judge(comparison: Comparison) -> Verdict:
    """Weigh the cells against each other, against the strongest simple forecast, and against linear-t.

    A win over simple forecasts must hold against each of them. What is called significant is so by p-values
    that are adjusted for all cells and steps tried (Holm): the more is tried, the likelier a lucky winner.
    """
    cells = [row for row in comparison.models if row.kind == "cell"]
    baselines = [row for row in comparison.models if row.kind == "baseline"]
    best = best_cell(cells)
    simple = [row for row in baselines if row.model not in SAME_INPUTS]
    walks = [row for row in baselines if row.model in BASELINES]
    same = [row for row in baselines if row.model in SAME_INPUTS]
    linear = next((row for row in same if row.model == LINEAR_T), None)
    tried = all_tried(cells, baselines)
    found = _Wins.of(tried, best, simple, walks, same)
    sets = {
        step: confidence_set({row.model: row.losses[step].crps for row in comparison.models}, step)
        for step in best.steps
    }
    gains = {} if linear is None else {step: _gain(best, linear, step) for step in best.steps}
    joint = _joint(comparison, best, LEVEL / len(cells))
    ranges = [_range_sentence(simple, best, step, tried) for step in best.steps]
    recurrence = [_recurrence_sentence(gains, tried, best)] if gains else []
    meaning = _meaning(best, found, linear, tried)
    sentences = [
        _ranking(cells, best),
        set_sentence({str(step): p_values for step, p_values in sets.items()}),
        *ranges,
        *_joint_sentence(joint, len(cells)),
        *recurrence,
        *_boosting_sentence(same, tried, best),
        _price_sentence(best, walks, found.prices, tried),
        *_regression_sentence(best),
        *_lag_sentence(best, walks),
        meaning,
    ]
    named = ranges[0].replace("Its", f"{MODEL_TITLES[best.model]}'s", 1)
    return Verdict(
        " ".join(sentences),
        tuple(sentences),
        (named, *recurrence, meaning),
        best.model,
        bool(found.ranges),
        bool(found.prices),
        bool(found.recurrence),
        {str(step): gain for step, gain in gains.items()},
        SEEDED_INTERVAL if _seeds(best) > 1 else INTERVAL,
        {str(step): p_values for step, p_values in sets.items()},
        joint,
        tuple(tried.values()),
    )


@dataclass(frozen=True)
class _Wins:
    """The steps at which each thing was won."""

    ranges: list[int]
    prices: list[int]
    recurrence: list[int]

    @classmethod
    def of(
        cls,
        tried: Table,
        best: ModelResult,
        simple: Sequence[ModelResult],
        walks: Sequence[ModelResult],
        same: Sequence[ModelResult],
    ) -> "_Wins":
        """What the best cell won; a claim about the price needs more than the last close.

        Args:
            tried: all tests.
            best: the best cell.
            simple: baselines that do not read the cell's inputs.
            walks: those of them that a claim about the price has to beat.
            same: baselines with the cell's inputs, without recurrence.
        """

        def won(question: str, reference: str, step: int) -> bool:
            return tried[question, best.model, reference, step].better

        steps = tuple(best.steps)
        return cls(
            ranges=[step for step in steps if all(won(RANGE, row.model, step) for row in simple)],
            prices=[
                step
                for step in steps
                if won(DIRECTION, ALWAYS_UP, step) and all(won(PRICE, row.model, step) for row in walks)
            ],
            recurrence=[step for step in steps if same and all(won(RANGE, row.model, step) for row in same)],
        )


def _joint(comparison: Comparison, best: ModelResult, level: float) -> dict[str, JointTest]:
    losses = comparison.joint_crps
    return {
        name: joint_test(losses[best.model], losses[name], level)
        for name in JOINT_REFERENCES
        if name in losses
    }


def _gain(cell: ModelResult, row: ModelResult, step: int) -> Interval:
    """Over a model without a seed: of days, and of seeds where there are several."""
    own, other = cell.losses[step].crps, row.losses[step].crps
    if _seeds(cell) > 1:
        return lead_of(own, other, cell.seed_crps[step], None, step).interval
    return skill_interval(own, other, step)


def _seeds(cell: ModelResult) -> int:
    return len(cell.seed_crps[1])


def _ranking(cells: list[ModelResult], best: ModelResult) -> str:
    """Which cell leads; a lead of one seed each is no more than that."""
    name = MODEL_TITLES[best.model]
    if len(cells) == 1:
        return f"Only {name} was trained, so there is no cell to compare it with."
    second = min((row for row in cells if row is not best), key=lambda row: row.steps[1].crps)
    lead = lead_of(
        best.losses[1].crps, second.losses[1].crps, best.seed_crps[1], second.seed_crps[1], 1
    ).interval
    said = f"{name} has the lowest CRPS one day ahead{_alike(cells)}, "
    said += f"{lead.value:.2%} below {MODEL_TITLES[second.model]}"
    if not lead.known and min(_seeds(row) for row in (best, second)) > 1:
        return f"{said}; there are too few days to rank them."
    if not lead.known:
        return f"{said}; one seed each cannot rank them, as another may turn it round (--seeds 5 can)."
    words = "more than days and seeds explain" if lead.low > 0 else "no more than days and seeds explain"
    return f"{said} ({shown_interval(lead)}): {words}."


def _alike(cells: Sequence[ModelResult]) -> str:
    """In what the cells are equal, as far as they were trained here."""
    units = {run.network.units for row in cells for run in row.trained}
    if not units:
        return ""
    return " at equal units" if len(units) == 1 else " at about equal parameters"


def set_sentence(sets: Mapping[str, Mapping[str, float]]) -> str:
    """What cannot be told apart from the best."""
    parts = []
    for step, p_values in sets.items():
        named = [MODEL_TITLES[name] for name, p_value in p_values.items() if p_value >= 1 - CONFIDENCE]
        parts.append(f"{_days(int(step))} ahead {', '.join(named) or 'too few days to tell'}")
    return f"With {100 * CONFIDENCE:.0f} % confidence the best of all is among these: {'; '.join(parts)}."


def _range_sentence(simple: Sequence[ModelResult], best: ModelResult, step: int, tried: Table) -> str:
    rival = min(simple, key=lambda row: row.steps[step].crps)
    test = tried[RANGE, best.model, rival.model, step]
    won = all(tried[RANGE, best.model, row.model, step].better for row in simple)
    side = "better" if test.gain > 0 else "worse"
    interval = skill_interval(best.losses[step].crps, rival.losses[step].crps, step)
    found = f"{shown_interval(interval, 1)}, {_significance(test, won)}"
    if math.isnan(test.adjusted):
        found = "too few days for an interval or a test"
    return (
        f"Its range {_days(step)} ahead is {abs(test.gain):.1%} {side} than that of the strongest simple "
        f"forecast, {MODEL_TITLES[rival.model]} ({found}), "
        f"and its 90 % interval covered {best.steps[step].coverage_90:.1%}."
    )


def _significance(test: Tried, won: bool) -> str:
    """The adjusted p-value, and what it decides."""
    words = "significant" if won else "not significant after counting all that was tried"
    return f"{say_p(test.adjusted)}, {words if test.gain > 0 else 'no gain'}"


def _joint_sentence(joint: Mapping[str, JointTest], cells: int) -> list[str]:
    """The steps together."""
    if not joint:
        return []
    steps = listed([str(step) for step in next(iter(joint.values())).steps])
    if all(math.isnan(found.average.p_value) for found in joint.values()):
        return [f"There are too few days to test {steps} days ahead together."]
    parts = []
    for name, found in joint.items():
        p_value = joint_p_value(found, cells)
        side = "better" if found.gain > 0 else "worse"
        everywhere = ", better at every one" if found.better_everywhere else ""
        parts.append(
            f"{abs(found.gain):.2%} {side} than {MODEL_TITLES[name]}'s ({say_p(p_value)}{everywhere})"
        )
    return [f"Over {steps} days ahead taken together, its range is {listed(parts)}."]


def joint_p_value(found: JointTest, cells: int) -> float:
    """Adjusted for the cells out of which the best was chosen beforehand (Bonferroni)."""
    p_value = cells * found.average.p_value
    return p_value if math.isnan(p_value) else min(1.0, p_value)


def _recurrence_sentence(gains: Mapping[int, Interval], tried: Table, best: ModelResult) -> str:
    """What recurrence adds, and what its intervals count."""
    counted = "The intervals count other days and other seeds."
    if _seeds(best) == 1:
        counted = "The intervals count other days, not other seeds (--seeds 5 does)."
    tests = [tried[RANGE, best.model, LINEAR_T, step] for step in gains]
    return f"{recurrence_found(gains, tests)}. {counted}"


def recurrence_found(gains: Mapping[int, Interval], tests: Sequence[Tried]) -> str:
    """What recurrence adds over linear-t by step; an effect that may be zero is called so.

    Args:
        gains: the share of linear-t's CRPS that is saved, by step.
        tests: of the range against linear-t's, at the same steps.
    """
    figures = ", ".join(
        f"{gain.value:+.2%} {_days(step)} ahead ({shown_interval(gain)})" for step, gain in gains.items()
    )
    wins = [test.step for test in tests if test.better]
    worse = [test.step for test in tests if test.worse]
    meaning = "not significant after counting all that was tried"
    if wins or worse:
        meaning = f"significant{'' if wins else 'ly worse'}{_where(wins or worse, gains)}"
    if all(math.isnan(test.adjusted) for test in tests):
        meaning = "too few days for a test"
    return f"Over the same inputs without it (linear-t), recurrence adds {figures}: {meaning}"


def _boosting_sentence(same: Sequence[ModelResult], tried: Table, best: ModelResult) -> list[str]:
    """The best cell against trees, which may find in the same inputs what a line does not."""
    if all(row.model != BOOSTING for row in same):
        return []
    parts = []
    for step in best.steps:
        test = tried[RANGE, best.model, BOOSTING, step]
        side = "better" if test.gain > 0 else "worse"
        parts.append(f"{abs(test.gain):.2%} {side} {_days(step)} ahead ({_significance(test, test.better)})")
    return [f"Its range is, beside boosted trees on the same inputs, {listed(parts)}."]


def _price_sentence(
    best: ModelResult, walks: Sequence[ModelResult], wins: Sequence[int], tried: Table
) -> str:
    """The median against the last close and drift, and its signs against always-up."""
    names = [row.model for row in walks]
    parts = []
    for step, scores in best.steps.items():
        part = f"{_days(step)} ahead"
        for name, words in ((NAIVE, "skill"), ("drift", "over drift")):
            if name in names:
                test = tried[PRICE, best.model, name, step]
                part += f" {words} {test.gain:+.2%} ({say_p(test.adjusted)}),"
        signs = f"{scores.directional_accuracy:.1%} of signs right"
        if step in best.tests and best.tests[step].directional_accuracy.known:
            found = best.tests[step].directional_accuracy
            signs += f" ({found.low:.1%} to {found.high:.1%})"
        parts.append(f"{part} {signs} where {scores.up_share:.1%} of moves are up")
    claim = "beats" if wins else "does not beat"
    return f"As a price, its median {claim} the last close, drift and always-up: {'; '.join(parts)}."


def _regression_sentence(best: ModelResult) -> list[str]:
    """Mincer and Zarnowitz's slope: how much of a forecast move comes."""
    parts = []
    for step, tests in best.tests.items():
        found = tests.mincer_zarnowitz
        if found is not None and found.slope.known:
            slope = found.slope
            parts.append(f"{slope.value:.2f} {_days(step)} ahead ({slope.low:.2f} to {slope.high:.2f})")
    if not parts:
        return []
    text = (
        f"Regressing the actual return on its median gives a slope of {' and '.join(parts)}: a forecast to "
        "rely on has 1, one that tells nothing 0."
    )
    return [text]


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


def _meaning(best: ModelResult, found: _Wins, linear: ModelResult | None, tried: Table) -> str:
    ranges = [test for test in tried.values() if test.question == RANGE and test.cell == best.model]
    if found.prices:
        return (
            "So it says something about where the price goes. Before believing it, suspect the data: "
            "look at the costs of trading, and at whether the effect lasts in every year."
        )
    if found.ranges:
        where = ""
        if linear is not None:
            lost = any(test.worse for test in ranges if test.reference in SAME_INPUTS)
            much = "more" if lost else "as much"
            where = f" No gain from recurrence was found: its inputs tell {much} without it."
        if found.recurrence:
            where = " Part of that only recurrence finds."
        return (
            "So it knows better than a naive forecast how far the price may move, not where: "
            f"useful for risk, of no use for picking a direction.{where}"
        )
    if all(math.isnan(test.adjusted) for test in ranges):
        return "So nothing can be told yet: a test needs at least ten times as many days as it looks ahead."
    if any(test.better for test in ranges if test.reference == NAIVE):
        return (
            "So it has no skill that a formula for the volatility does not have: its range is better than "
            "the naive one, which takes the volatility to be constant, but not surely better than the best."
        )
    return "So no skill was found: on these prices a network tells nothing that the last close does not."


def show_p(p_value: float) -> str:
    """A p-value as a reader wants it; a dash where there were too few days for a test."""
    if math.isnan(p_value):
        return "–"
    return "<0.001" if p_value < SMALLEST_SHOWN else f"{p_value:.3f}"


def say_p(p_value: float) -> str:
    """A p-value within a sentence."""
    if math.isnan(p_value):
        return "too few days for a test"
    return f"p {show_p(p_value)}" if p_value < SMALLEST_SHOWN else f"p = {show_p(p_value)}"


def _days(step: int) -> str:
    return "one day" if step == 1 else f"{step} days"


def shown_interval(found: Interval, digits: int = 2) -> str:
    """A 95 % interval of a share, in words."""
    if not found.known:
        return "too few days for an interval"
    return f"95 % interval {found.low:+.{digits}%} to {found.high:+.{digits}%}"


def _where(found: Sequence[int], steps: Collection[int]) -> str:
    """At which of the steps, where it is not at all of them."""
    return "" if len(found) == len(steps) else f" {listed([_days(step) for step in found])} ahead"


def listed(parts: Sequence[str]) -> str:
    """One, one and two, or one, two and three."""
    return parts[0] if len(parts) == 1 else f"{', '.join(parts[:-1])} and {parts[-1]}"
