"""Ways of recalibrating forecasts day by day, on a walk through years before those that are reported.

    python benchmarks/calibration_bench.py HOME --from 2004-01-01 --to 2009-12-31

Trains a GRU every year of the walk, as `forecast backtest` does (folds that HOME keeps are not trained
again), and recalibrates its forecasts by: the trailing quantiles of the PIT (quantile recalibration, by
half-life in days), adaptive conformal inference (by rate; all tickers and days together, or by the market's
regime), and the proportional and integral part of conformal PID (Angelopoulos, Candès & Tibshirani 2023) on
the normal's scale. For each it prints the change of the CRPS, the coverage over all days and by year, and
each tail.
"""

import argparse
from collections.abc import Callable, Hashable
from pathlib import Path
from typing import Protocol

import numpy as np
from numpy.typing import NDArray
from scipy.special import ndtr, ndtri

from forecaster.backtesting import whole_split
from forecaster.dataset.training_set import choose, load_training_set
from forecaster.dataset.walk import WalkRule
from forecaster.evaluation.backtest import Backtest, walk_forward
from forecaster.evaluation.calibration import LEAST_LEVEL, LEVELS, quantiles_at
from forecaster.evaluation.fold_store import FoldStore
from forecaster.evaluation.forecasts import StepForecast
from forecaster.evaluation.metrics import QUANTILE_LEVELS, crps_from_quantiles
from forecaster.prices.store import PriceStore
from forecaster.settings import Recipe

Float = NDArray[np.float64]
_OF_CRPS = np.isin(LEVELS, QUANTILE_LEVELS)
_AT_ONCE = 50_000


class Method(Protocol):
    """What stands in for LEVELS, and how a day changes it."""

    levels: Float

    def update(self, probabilities: Float) -> None:
        """One more day's actuals, as the forecast's chance of at most each."""


class Trailing:
    """Quantiles of the PIT, of which a day weighs half as much as one `half_life` days later."""

    def __init__(self, half_life: float, bins: int = 2000, prior: float = 20.0) -> None:
        self.levels, self._keep = LEVELS, 0.5 ** (1 / half_life)
        self._weight, self._edges = np.full(bins, prior / bins), np.linspace(0, 1, bins + 1)

    def update(self, probabilities: Float) -> None:
        """See `Method`."""
        share = np.histogram(probabilities, self._edges)[0] / len(probabilities)
        self._weight = self._keep * self._weight + share
        below = np.concatenate([[0.0], np.cumsum(self._weight)])
        self.levels = np.interp(LEVELS, below / below[-1], self._edges)


class Adaptive:
    """Adaptive conformal inference at each level."""

    def __init__(self, rate: float) -> None:
        self.levels, self._rate = LEVELS, rate

    def update(self, probabilities: Float) -> None:
        """See `Method`."""
        stepped = self.levels - self._rate * missed(self.levels, probabilities)
        self.levels = np.maximum.accumulate(np.clip(stepped, LEAST_LEVEL, 1 - LEAST_LEVEL))


class AroundTheMedian:
    """Adaptive conformal inference that leaves the median: the nearer to it, the less a level moves."""

    def __init__(self, rate: float) -> None:
        self.levels, self._rate = LEVELS, rate * np.abs(2 * LEVELS - 1)

    def update(self, probabilities: Float) -> None:
        """See `Method`."""
        stepped = self.levels - self._rate * missed(self.levels, probabilities)
        self.levels = np.maximum.accumulate(np.clip(stepped, LEAST_LEVEL, 1 - LEAST_LEVEL))


class Controller:
    """The proportional and, with `integral`, the integral part of conformal PID."""

    def __init__(self, rate: float, integral: float = 0.0, saturation: float = 5.0) -> None:
        self.levels, self._place = LEVELS, ndtri(LEVELS)
        self._unit = np.sqrt(2 * np.pi) * np.exp(np.square(self._place) / 2)  # of the score, for one of level
        self._rate, self._integral, self._saturation = rate, integral, saturation
        self._sum, self._days = np.zeros(len(LEVELS)), 0

    def update(self, probabilities: Float) -> None:
        """See `Method`."""
        miss = missed(self.levels, probabilities)
        self._days, self._sum = self._days + 1, self._sum + miss
        self._place = self._place - self._rate * miss * self._unit
        angle = self._sum * np.log(self._days + 1) / (self._saturation * (self._days + 1))
        place = self._place - self._integral * np.tan(np.clip(angle, -1.5, 1.5)) * self._unit
        self.levels = np.maximum.accumulate(np.clip(ndtr(place), LEAST_LEVEL, 1 - LEAST_LEVEL))


METHODS: dict[str, Callable[[], Method]] = {
    **{f"trailing {days} days": lambda days=days: Trailing(days) for days in (60, 125, 250, 500)},  # type: ignore[misc]
    **{
        f"adaptive {rate}": lambda rate=rate: Adaptive(rate)  # type: ignore[misc]
        for rate in (0.0005, 0.001, 0.002, 0.003, 0.005, 0.01)
    },
    **{
        f"median kept {rate}": lambda rate=rate: AroundTheMedian(rate)  # type: ignore[misc]
        for rate in (0.002, 0.003, 0.005, 0.007, 0.01)
    },
    **{f"PID {rate}": lambda rate=rate: Controller(rate) for rate in (0.002, 0.005, 0.01)},  # type: ignore[misc]
    "PID 0.005, integral": lambda: Controller(0.005, 0.05),
}


def missed(levels: Float, probabilities: Float) -> Float:
    """How many more than promised fell below each level, as a share."""
    below = np.searchsorted(np.sort(probabilities), levels, side="right") / len(probabilities)
    return np.asarray(below - LEVELS)


def main() -> None:
    """Print a line for each method and step."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("home", type=Path)
    parser.add_argument("--from", dest="start", required=True)
    parser.add_argument("--to", dest="end", required=True)
    asked = parser.parse_args()
    found = trained(asked.home, asked.start, asked.end)
    for step in found.comparison.model("gru").steps:
        report(found, step)


def trained(home: Path, start: str, end: str) -> Backtest:
    """The GRU's walk."""
    store, recipe, rule = PriceStore(home), Recipe(cell="gru"), WalkRule(start, end)
    data = load_training_set(store, choose(store), whole_split(rule, recipe.horizon))
    walk = rule.folds(data.panel.dates, recipe.horizon)
    return walk_forward(data, walk, [recipe], FoldStore(home / "results" / "folds"), jobs=2)


def report(found: Backtest, step: int) -> None:
    """The raw forecast's line, and each method's."""
    comparison = found.comparison
    actual, made = comparison.actual, comparison.forecasts["gru"].at_step(step)
    known = np.flatnonzero(np.isfinite(actual.log_return[:, step - 1]))
    known = known[np.argsort(actual.origins.day[known], kind="stable")]
    observed, day = actual.log_return[known, step - 1].astype(np.float64), actual.origins.day[known]
    made = made.take(known)
    probabilities = made.probability_below(observed)
    days, first = np.unique(day, return_index=True)
    ends = np.append(first, len(day))
    years = comparison.panel.dates[day].astype("M8[Y]").astype(int) + 1970
    together: dict[int, Hashable] = dict.fromkeys(days.tolist(), 0)
    regimes: dict[int, Hashable] = {place: int(comparison.regimes[place]) for place in days.tolist()}
    base = 0.0
    print(f"\n{step} ahead: CRPS; 50, 90, 99 %; below 5, above 95 %; 90 % by year")
    runs: list[tuple[str, Callable[[], Method] | None, dict[int, Hashable]]] = [("raw", None, together)]
    runs += [(name, make, together) for name, make in METHODS.items()]
    runs += [("adaptive 0.003 by regime", lambda: Adaptive(0.003), regimes)]
    for name, make, group in runs:
        by_day = np.tile(LEVELS, (len(days), 1))
        if make is not None:
            by_day = walk(make, probabilities, days, ends, step, group)
        levels = np.repeat(by_day, np.diff(ends), axis=0)
        crps = mean_crps(made, observed, levels[:, _OF_CRPS])
        base = base or crps
        below = probabilities[:, None] <= levels
        within = {share: _between(below, share) for share in (50, 90, 99)}
        coverage = " ".join(f"{within[share].mean():.1%}" for share in within)
        tails = f"{below[:, 4 - 1].mean():.1%} {1 - below[:, -4].mean():.1%}"
        by_year = " ".join(f"{100 * within[90][years == year].mean():.1f}" for year in np.unique(years))
        print(f"{name:26s} {crps / base - 1:+.3%}  {coverage}  {tails}  {by_year}", flush=True)


def mean_crps(made: StepForecast, observed: Float, levels: Float) -> float:
    """By 19 quantiles, each forecast's at levels of its own."""
    total = 0.0
    for first in range(0, len(observed), _AT_ONCE):
        part = slice(first, first + _AT_ONCE)
        quantiles = quantiles_at(made.take(part), levels[part])
        total += crps_from_quantiles(observed[part], quantiles).sum()
    return total / len(observed)


def _between(below: NDArray[np.bool_], share: int) -> NDArray[np.bool_]:
    """Which actuals fell into the central interval of so many per cent."""
    low, high = (int(np.argmin(np.abs(LEVELS - level))) for level in (0.5 - share / 200, 0.5 + share / 200))
    return below[:, high] & ~below[:, low]


def walk(
    make: Callable[[], Method],
    probabilities: Float,
    days: NDArray[np.intp],
    ends: NDArray[np.intp],
    step: int,
    group: dict[int, Hashable],
) -> Float:
    """The levels on each day, from actuals known by then; each group of days has its own."""
    methods = {name: make() for name in set(group.values())}
    found, seen = np.empty((len(days), len(LEVELS))), 0
    for place, day in enumerate(days.tolist()):
        while days[seen] + step <= day:
            methods[group[int(days[seen])]].update(probabilities[ends[seen] : ends[seen + 1]])
            seen += 1
        found[place] = methods[group[day]].levels
    return found


if __name__ == "__main__":
    main()
