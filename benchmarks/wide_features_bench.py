"""What further features of prices are worth to a GRU, on years before the test years.

    python benchmarks/wide_features_bench.py INDEX DATES [GROUP...]

INDEX and DATES are prices and earnings dates in long form. A GRU is trained on the years before 2012, 2014
and 2016, as `forecast backtest` would, with the tool's features, and with each further group beside them: the
volatilities of returns, ranges and the market at several decays; the overnight gap; the dispersion of returns
across tickers; the days until the next session; the returns of five and of twenty days; and the volatility
without the moves of reaction days, also as the scale of returns and targets. GROUP names some of them. Its
CRPS over RiskMetrics-t's is shown, the mean of the years.
"""

import sys
import tempfile
import time
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from forecaster.dataset import features
from forecaster.dataset.panel import LatestDays, Panel
from forecaster.dataset.report_features import reacted_days
from forecaster.dataset.training_set import TrainingSet
from forecaster.dataset.volatility import exponential_mean, volatility
from forecaster.dataset.walk import WalkRule
from forecaster.evaluation import experiment
from forecaster.evaluation.backtest import cut_after
from forecaster.evaluation.baselines import riskmetrics_t
from forecaster.evaluation.experiment import train_and_forecast
from forecaster.evaluation.scoring import actuals, score_step
from forecaster.home import Home
from forecaster.settings import Recipe

RECIPE = Recipe(cell="gru")
WALK = WalkRule("2011-01-01", "2016-12-31")
YEARS = ("2012", "2014", "2016")
DECAYS = (0.8, 0.98)
SCALE = "scale without reactions"

Float32 = NDArray[np.float32]
Formula = Callable[[Panel | LatestDays, Float32, Float32], NDArray[np.floating]]


@dataclass(frozen=True)
class Further:
    """What the panel does not hold: opens' returns over the last close, (N, D), by the panel's days."""

    overnight: Float32


def main() -> None:
    """A line for each group."""
    with tempfile.TemporaryDirectory() as folder:
        home = Home(folder)
        home.fetch(source=sys.argv[1], earnings=sys.argv[2])
        data = home.training_set(recipe=RECIPE)
        further = Further(_overnight(home, data.panel))
    usual = features.available_features(data.panel, RECIPE)
    groups = _groups(further)
    for title in sys.argv[3:] or ("as it is", *groups, SCALE):
        features.volatility = _calm_scale(data.panel) if title == SCALE else volatility
        formulas = groups.get(title, {})
        features.FORMULAS.update(formulas)
        place = next(at for at, name in enumerate(usual) if name == "volume") + 1
        names = (*usual[:place], *formulas, *usual[place:])
        experiment.available_features = lambda *_, names=names: names
        _show(title, data, names)


def _overnight(home: Home, panel: Panel) -> Float32:
    frame = home.prices()
    frame["inside"] = np.log(frame["close"] / frame["open"])
    wide = frame.pivot_table(index="ticker", columns="date", values="inside").reindex(
        index=list(panel.tickers), columns=panel.dates.astype("M8[ns]")
    )
    return (panel.log_return - wide.to_numpy(np.float32)).astype(np.float32)


def _groups(further: Further) -> dict[str, dict[str, Formula]]:
    return {
        "several decays": {
            **{f"returns {decay}": _at(decay, "log_return") for decay in DECAYS},
            **{f"ranges {decay}": _at(decay, "log_range") for decay in (0.5, *DECAYS)},
            **{f"market {decay}": _at(decay, "market_return") for decay in DECAYS},
        },
        "overnight gap": {
            "overnight": lambda panel, sigma, _: further.overnight[:, : panel.shape[1]] / sigma,
            "overnight size": lambda panel, sigma, _: np.log(
                np.abs(further.overnight[:, : panel.shape[1]]) / sigma + features.SMALLEST_MOVE
            ),
        },
        "dispersion": {
            "dispersion": lambda panel, _, market: np.log(np.nanstd(panel.log_return, axis=0) / market)
        },
        "days to the next session": {
            "gap": lambda panel, _, __: np.log(np.append(np.diff(panel.dates).astype(int), 1))
        },
        "returns of 5 and 20 days": {"five": _mean_of(5), "twenty": _mean_of(20)},
        "volatility without reactions": {"calm": _calm},
    }


def _at(decay: float, column: str) -> Formula:
    def formula(panel: Panel | LatestDays, sigma: Float32, market: Float32) -> NDArray[np.floating]:
        own = np.sqrt(exponential_mean(np.square(getattr(panel, column)), decay))
        found: NDArray[np.floating] = np.log(
            own / (market if column == "market_return" else sigma) + features.SMALLEST_MOVE
        )
        return found

    return formula


def _mean_of(days: int) -> Formula:
    def formula(panel: Panel | LatestDays, sigma: Float32, _: Float32) -> NDArray[np.floating]:
        total = np.cumsum(np.nan_to_num(panel.log_return), axis=1)
        moved = total.copy()
        moved[:, days:] -= total[:, :-days]
        found: NDArray[np.floating] = moved / (sigma * np.sqrt(days))
        return found

    return formula


def _calm(panel: Panel | LatestDays, sigma: Float32, _: Float32) -> NDArray[np.floating]:
    reacted = reacted_days(panel)
    if reacted is None:
        raise ValueError("no dates")
    own = volatility(np.where(reacted, np.nan, panel.log_return).astype(np.float32))
    found: NDArray[np.floating] = np.log(own / sigma)
    return found


def _calm_scale(panel: Panel) -> Callable[[Float32], Float32]:
    """The volatility of a panel's returns without those of reaction days, as the scale of all else."""
    reacted = reacted_days(panel)
    if reacted is None:
        raise ValueError("no dates")

    def scale(log_return: Float32) -> Float32:
        if log_return.ndim == 1:  # the market's
            return volatility(log_return)
        left_out = reacted[:, : log_return.shape[1]]
        return volatility(np.where(left_out, np.nan, log_return).astype(np.float32))

    return scale


def _show(title: str, data: TrainingSet, names: tuple[str, ...]) -> None:
    began, ratios = time.monotonic(), []
    for fold in WALK.folds(data.panel.dates, RECIPE.horizon).folds:
        if not fold.name.startswith(YEARS):
            continue
        part = cut_after(data, fold)
        found = train_and_forecast(part, RECIPE, lambda _: None)
        assert found.trained.network.features == names  # noqa: S101  (else nothing was measured)
        truth = actuals(data.panel, found.origins, RECIPE.horizon, fold.split.train)
        walk = riskmetrics_t(data.panel, found.origins, RECIPE.horizon)
        ratios.append(
            [
                score_step(found.forecast, truth, step).scores.crps
                / score_step(walk, truth, step).scores.crps
                for step in (1, RECIPE.horizon)
            ]
        )
    mean, every = np.mean(ratios, axis=0), " ".join(f"{first:.4f}" for first, _ in ratios)
    seconds = time.monotonic() - began
    print(
        f"{title:30} step 1: {mean[0]:.4f} ({every})  step {RECIPE.horizon}: {mean[1]:.4f}  {seconds:.0f} s",
        flush=True,
    )


if __name__ == "__main__":
    main()
