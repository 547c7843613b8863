"""Scores by ticker, by year and by how turbulent the market was."""

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from forecaster.dataset.volatility import REGIMES
from forecaster.evaluation.baselines import LINEAR_T, RISKMETRICS_T
from forecaster.evaluation.comparison import NAIVE, Comparison, ModelResult
from forecaster.evaluation.metrics import skill
from forecaster.evaluation.scoring import ScoredStep
from forecaster.evaluation.significance import Interval, ratio_interval, saved
from forecaster.evaluation.sums import Totals

GROUPINGS = ("year", "regime", "ticker", "reaction")
REACTIONS = ("no report", "report")
_OVER = {"skill": NAIVE, "over_riskmetrics_t": RISKMETRICS_T, "over_linear_t": LINEAR_T}
_DIGITS = 6


def scores_by(comparison: Comparison, grouping: str) -> list[dict[str, Any]]:
    """A row for each model, step and group: how many forecasts, and their scores.

    Args:
        comparison: what was scored.
        grouping: `year` or `regime` of the origin, `ticker`, or `reaction`: whether up to the step the price
            has a report to react to. No rows of the last where no earnings dates are known.

    Returns:
        model, step, the grouping's own name, forecasts, crps, coverage_50, coverage_90, coverage_99,
        below_05, above_95, mae_return; `skill` over the naive forecast, `over_riskmetrics_t` and
        `over_linear_t` as far as these are there. But for tickers also the ends of 95 % intervals:
        `coverage_90_low`, `coverage_90_high` and, of years and regimes, the same of each gain; they are
        infinite where too few days tell nothing.
    """
    references = {name: comparison.model(model) for name, model in _OVER.items() if _has(comparison, model)}
    return [
        row
        for model in comparison.models
        for step in model.losses
        for row in _rows(comparison, model, step, grouping, references)
    ]


def _has(comparison: Comparison, model: str) -> bool:
    return any(row.model == model for row in comparison.models)


def _rows(
    comparison: Comparison,
    model: ModelResult,
    step: int,
    grouping: str,
    references: Mapping[str, ModelResult],
) -> Iterator[dict[str, Any]]:
    own = _grouped(comparison, model, step, grouping)
    others = {name: _grouped(comparison, row, step, grouping) for name, row in references.items()}
    for group, totals in own.items():
        count = totals["forecasts"]
        yield {
            "model": model.model,
            "step": step,
            grouping: group,
            "forecasts": int(count),
            "crps": _short(totals["crps"] / count),
            **{f"coverage_{level}": _short(totals[f"within_{level}"] / count) for level in (50, 90, 99)},
            "below_05": _short(totals["below_05"] / count),
            "above_95": _short(totals["above_95"] / count),
            "mae_return": _short(totals["absolute_error"] / count),
            **{name: _short(skill(totals["crps"], other[group]["crps"])) for name, other in others.items()},
            **_intervals(comparison, model, step, grouping, group, references),
        }


def _intervals(
    comparison: Comparison,
    model: ModelResult,
    step: int,
    grouping: str,
    group: str | int,
    references: Mapping[str, ModelResult],
) -> dict[str, float]:
    """The ends of 95 % intervals over the group's days, by name; none of a ticker."""
    own = model.losses[step]
    if grouping == "ticker":
        return {}
    if grouping == "reaction":
        kind = REACTIONS.index(str(group))
        made = own.sums.reaction_forecasts[:, kind]
        covered = ratio_interval(own.sums.reaction_covered[made > 0, kind], made[made > 0], step)
        return _ends({"coverage_90": covered})
    chosen = _day_groups(comparison, own, grouping) == group
    days = own.sums.by_day

    found = {"coverage_90": ratio_interval(days.within_90[chosen], days.forecasts[chosen], step)}
    for name, reference in references.items():
        if reference is not model:
            crps = reference.losses[step].sums.by_day.crps
            found[name] = saved(ratio_interval(days.crps[chosen], crps[chosen], step))
    return _ends(found)


def _ends(found: Mapping[str, Interval]) -> dict[str, float]:
    return {
        f"{name}_{end}": _short(getattr(each, end)) for name, each in found.items() for end in ("low", "high")
    }


def _grouped(
    comparison: Comparison, model: ModelResult, step: int, grouping: str
) -> dict[str | int, dict[str, float]]:
    """The sums of every group that has a forecast, by their names in `Totals`."""
    scored, panel = model.losses[step], comparison.panel
    if grouping == "ticker":
        count = len(scored.sums.by_ticker.forecasts)
        return _totals(scored.sums.by_ticker, np.arange(count), panel.tickers[:count])
    if grouping == "reaction":
        count = len(scored.sums.by_reaction.forecasts)
        return _totals(scored.sums.by_reaction, np.arange(count), REACTIONS[:count])
    names, places = np.unique(_day_groups(comparison, scored, grouping), return_inverse=True)
    found = _totals(scored.sums.by_day, places, names.tolist())
    return {name: found[name] for name in REGIMES if name in found} if grouping == "regime" else found


def _day_groups(comparison: Comparison, scored: ScoredStep, grouping: str) -> NDArray[Any]:
    """The year or the regime of each day that has a forecast."""
    if grouping == "regime":
        return np.array(REGIMES)[comparison.regimes[scored.day]]
    return comparison.panel.dates[scored.day].astype("M8[Y]").astype(np.int64) + 1970


def _totals(
    parts: Totals, places: NDArray[np.intp], names: Sequence[str | int]
) -> dict[str | int, dict[str, float]]:
    sums = {name: np.bincount(places, values, len(names)) for name, values in vars(parts).items()}
    return {
        group: {name: float(values[place]) for name, values in sums.items()}
        for place, group in enumerate(names)
        if sums["forecasts"][place]
    }


def _short(value: float) -> float:
    """Six digits are enough, and a third of the document."""
    return float(f"{value:.{_DIGITS}g}")
