"""What later tests and tables need of a model's forecasts at one step, summed over each day and each ticker.

Sums are small, and the mean over seeds of what they give is that of the mean sums.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, fields, is_dataclass
from functools import partial
from typing import Any, TypeVar

import numpy as np
from numpy.typing import NDArray

from forecaster.evaluation.metrics import sign_hits

Float = NDArray[np.float64]
Part = TypeVar("Part")

PIT_BINS = 10
PIT_MOMENTS = ("location", "spread", "skew")


@dataclass(frozen=True)
class Totals:
    """Sums over the forecasts of each of G days or tickers, (G,): how many, and of what their scores are."""

    forecasts: Float = field(default_factory=partial(np.zeros, 0))
    crps: Float = field(default_factory=partial(np.zeros, 0))
    absolute_error: Float = field(default_factory=partial(np.zeros, 0))
    within_50: Float = field(default_factory=partial(np.zeros, 0))
    within_90: Float = field(default_factory=partial(np.zeros, 0))
    within_99: Float = field(default_factory=partial(np.zeros, 0))
    below_05: Float = field(default_factory=partial(np.zeros, 0))
    above_95: Float = field(default_factory=partial(np.zeros, 0))


@dataclass(frozen=True)
class StepSums:
    """Sums of one model at one step.

    Attributes:
        by_day: of each day that has a forecast, in order.
        by_ticker: of each of the panel's tickers, in its order, up to the last that has a forecast.
        by_reaction: without and with a report to react to up to the step, (2,); (0,) without any dates.
        reaction_forecasts, reaction_covered: (days, 2) how many forecasts without and with a report to react
            to, and how many actuals their 90 % intervals covered; (0, 2) without any dates.
        hits, moves: (days,) signs that were right, of moves that were not zero.
        regression: (days, 5) of 1, x, y, x² and x·y, where x is the median and y the actual.
        pit: (days, 3) of the PIT's `legendre`, whose means are 0 if it is uniform.
        pit_counts: (days, 10) how many PITs lie in each tenth.
    """

    by_day: Totals = field(default_factory=Totals)
    by_ticker: Totals = field(default_factory=Totals)
    by_reaction: Totals = field(default_factory=Totals)
    reaction_forecasts: Float = field(default_factory=partial(np.zeros, (0, 2)))
    reaction_covered: Float = field(default_factory=partial(np.zeros, (0, 2)))
    hits: Float = field(default_factory=partial(np.zeros, 0))
    moves: Float = field(default_factory=partial(np.zeros, 0))
    regression: Float = field(default_factory=partial(np.zeros, (0, 5)))
    pit: Float = field(default_factory=partial(np.zeros, (0, len(PIT_MOMENTS))))
    pit_counts: Float = field(default_factory=partial(np.zeros, (0, PIT_BINS)))


def step_sums(
    day: NDArray[np.intp],
    ticker: NDArray[np.intp],
    observed: Float,
    median: Float,
    crps: Float,
    within_90: NDArray[np.bool_],
    below: Float,
    reaction: NDArray[np.bool_] | None = None,
) -> StepSums:
    """Sum what is known of O forecasts, (O,) each.

    Args:
        day: of the origin.
        ticker: row of the panel.
        observed: the actuals.
        median: the forecasts' medians.
        crps: of each.
        within_90: whether the 90 % interval covered the actual.
        below: each forecast's probability of at most the actual, its PIT.
        reaction: whether the price has reacted to a report by then; None where no dates are known.
    """
    days = np.flatnonzero(np.bincount(day))
    place = np.searchsorted(days, day)

    def of_days(values: Float | None = None) -> Float:
        return np.bincount(place, values, len(days)).astype(np.float64)

    moved = observed != 0
    values = {
        "forecasts": np.ones_like(crps),
        "crps": crps,
        "absolute_error": np.abs(observed - median),
        "within_50": (np.abs(below - 0.5) <= 0.25).astype(np.float64),
        "within_90": within_90.astype(np.float64),
        "within_99": (np.abs(below - 0.5) <= 0.495).astype(np.float64),
        "below_05": (below < 0.05).astype(np.float64),
        "above_95": (below > 0.95).astype(np.float64),
    }
    return StepSums(
        by_day=_totals(place, values),
        by_ticker=_totals(ticker, values),
        by_reaction=Totals() if reaction is None else _totals(reaction.astype(np.intp), values, 2),
        **_by_day_and_reaction(place, reaction, within_90),
        hits=of_days(np.where(moved, sign_hits(observed, median), 0.0)),
        moves=of_days(moved.astype(np.float64)),
        regression=np.column_stack(
            [of_days(each) for each in (None, median, observed, np.square(median), median * observed)]
        ),
        pit=np.column_stack([of_days(each) for each in legendre(below)]),
        pit_counts=_counts(place, np.minimum((PIT_BINS * below).astype(np.intp), PIT_BINS - 1), PIT_BINS),
    )


def _by_day_and_reaction(
    place: NDArray[np.intp], reaction: NDArray[np.bool_] | None, within_90: NDArray[np.bool_]
) -> dict[str, Float]:
    if reaction is None:
        return {}
    kind = reaction.astype(np.intp)
    return {
        "reaction_forecasts": _counts(place, kind, 2),
        "reaction_covered": _counts(place, kind, 2, within_90.astype(np.float64)),
    }


def _counts(
    row: NDArray[np.intp], column: NDArray[np.intp], width: int, values: Float | None = None
) -> Float:
    """How often, or with what sum of `values`, each row has each of so many columns."""
    height = int(row.max(initial=-1)) + 1
    flat = np.bincount(width * row + column, values, width * height)
    return flat.reshape(height, width).astype(np.float64)


def mean_sums(parts: Sequence[Part]) -> Part:
    """The mean of several runs' sums, array by array."""
    first: Any = parts[0]
    means = {}
    for each in fields(first):
        values = [getattr(part, each.name) for part in parts]
        means[each.name] = mean_sums(values) if is_dataclass(values[0]) else np.mean(values, axis=0)
    mean: Part = type(first)(**means)
    return mean


def legendre(share: Float) -> tuple[Float, ...]:
    """The first three Legendre polynomials on [0, 1], orthonormal, as PIT_MOMENTS names them."""
    x = 2 * share - 1
    square = np.square(x)
    return (
        np.sqrt(3) * x,
        np.sqrt(5) * (3 * square - 1) / 2,
        np.sqrt(7) * (5 * square - 3) * x / 2,
    )


def _totals(place: NDArray[np.intp], values: Mapping[str, Float], groups: int = 0) -> Totals:
    sums = {name: np.bincount(place, each, groups).astype(np.float64) for name, each in values.items()}
    return Totals(**sums)
