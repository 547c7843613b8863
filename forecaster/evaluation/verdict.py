"""What a comparison means, in words and with the tests behind them."""

from dataclasses import dataclass

from forecaster.evaluation.comparison import Comparison, ModelResult
from forecaster.evaluation.significance import diebold_mariano
from forecaster.settings import CELL_TITLES

LEVEL = 0.05
SMALLEST_SHOWN = 0.001
MODEL_TITLES = {**CELL_TITLES, "naive": "naive", "drift": "drift", "riskmetrics-t": "RiskMetrics-t"}


@dataclass(frozen=True)
class Verdict:
    """The comparison's answer.

    Attributes:
        text: some sentences for a reader.
        best: the cell with the least CRPS at step 1.
        beats_naive: whether its range is significantly better than every naive forecast's, at the
            first or the last step.
        beats_naive_price: whether its median price is significantly better than the last close.
    """

    text: str
    best: str
    beats_naive: bool
    beats_naive_price: bool


def judge(comparison: Comparison) -> Verdict:
    """Weigh the cells against each other and against the strongest naive forecast.

    A win must hold against each baseline, at a level of 5 % shared by all cells and steps tried
    (Bonferroni): the more is tried, the likelier a lucky winner.
    """
    cells = [row for row in comparison.models if row.kind == "cell"]
    best = min(cells, key=lambda row: row.steps[1].crps)
    steps = tuple(best.steps)
    level = LEVEL / (len(cells) * len(steps))
    range_wins = [step for step in steps if _beats_every_baseline(comparison, best, step, level)]
    price_wins = [step for step in steps if _better_price(best, step, level)]
    sentences = [
        _ranking(cells, best),
        *(_range_sentence(comparison, best, step, step in range_wins) for step in steps),
        _price_sentence(best, price_wins),
        _meaning(best, level, range_wins=bool(range_wins), price_wins=bool(price_wins)),
    ]
    return Verdict(" ".join(sentences), best.model, bool(range_wins), bool(price_wins))


def _strongest_baseline(comparison: Comparison, step: int) -> ModelResult:
    baselines = [row for row in comparison.models if row.kind == "baseline"]
    return min(baselines, key=lambda row: row.steps[step].crps)


def _beats_every_baseline(comparison: Comparison, cell: ModelResult, step: int, level: float) -> bool:
    return all(
        cell.steps[step].crps < row.steps[step].crps and _p_value(cell, row, step) < level
        for row in comparison.models
        if row.kind == "baseline"
    )


def _better_price(cell: ModelResult, step: int, level: float) -> bool:
    scores = cell.steps[step]
    return scores.point_skill > 0 and scores.point_p_value < level


def _p_value(one: ModelResult, other: ModelResult, step: int) -> float:
    return diebold_mariano(one.losses[step].crps - other.losses[step].crps, step).p_value


def _ranking(cells: list[ModelResult], best: ModelResult) -> str:
    if len(cells) == 1:
        return f"Only {MODEL_TITLES[best.model]} was trained, so there is no cell to compare it with."
    second = min((row for row in cells if row is not best), key=lambda row: row.steps[1].crps)
    lead = 1 - best.steps[1].crps / second.steps[1].crps
    p_value = _p_value(best, second, 1)
    words = "a lead that chance does not explain" if p_value < LEVEL else "a lead that chance explains"
    return (
        f"{MODEL_TITLES[best.model]} has the lowest CRPS one day ahead, {lead:.2%} below "
        f"{MODEL_TITLES[second.model]}: "
        f"{words} ({_test(p_value)})."
    )


def _range_sentence(comparison: Comparison, best: ModelResult, step: int, won: bool) -> str:
    rival = _strongest_baseline(comparison, step)
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


def _price_sentence(best: ModelResult, wins: list[int]) -> str:
    figures = ", ".join(
        f"{scores.point_skill:+.2%} {_days(step)} ahead ({_test(scores.point_p_value)})"
        for step, scores in best.steps.items()
    )
    claim = "beats" if wins else "does not beat"
    return f"As a price, its median {claim} the last close: skill {figures}."


def _meaning(best: ModelResult, level: float, *, range_wins: bool, price_wins: bool) -> str:
    if price_wins:
        return (
            "So it says something about where the price goes. Before believing it, suspect the data: "
            "look at the costs of trading, and at whether the effect lasts in every year."
        )
    if range_wins:
        return (
            "So it knows better than a naive forecast how far the price may move, not where: "
            "useful for risk, of no use for picking a direction."
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
