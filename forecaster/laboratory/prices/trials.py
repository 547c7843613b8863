"""One training on prices, in a process of its own: what it cost and what its forecasts were worth."""

from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np

from forecaster.dataset.features import available_features, compute_features
from forecaster.dataset.panel import Panel, load_panel
from forecaster.dataset.split import split_dates
from forecaster.dataset.training_set import Chosen, choose, load_training_set, split_by
from forecaster.evaluation.baselines import BASELINES
from forecaster.evaluation.forecasts import network_forecasts
from forecaster.evaluation.scoring import actuals, score_step
from forecaster.network.engine import start_engine
from forecaster.network.training import train_network
from forecaster.prices.store import PriceStore
from forecaster.processes import peak_memory_mb, run_isolated
from forecaster.settings import Recipe

REFERENCE = "riskmetrics-t"  # needs only the last months, so that it is the same however long the past


@dataclass(frozen=True)
class PriceTrial:
    """One network on prices.

    Attributes:
        home: where the prices are.
        prices: their digest, so that other prices are other trials.
        trained_on: tickers that it is trained on.
        tested_on: tickers whose test days it forecasts, the same for all trials that are compared.
        years: how many of the last training years it is trained on; None: all.
        recipe: cell, sizes, seed, and both split dates.
    """

    home: Path
    prices: str
    trained_on: tuple[str, ...]
    tested_on: tuple[str, ...]
    years: int | None
    recipe: Recipe

    def described(self) -> dict[str, Any]:
        """What tells it apart from other trials; not where the prices lie."""
        return {name: value for name, value in asdict(self).items() if name != "home"}


@dataclass(frozen=True)
class TrialSetup:
    """What all trials on one store share: its tickers, features and split dates."""

    home: Path
    prices: str
    tickers: tuple[str, ...]
    features: int
    recipe: Recipe

    def trial(self, recipe: Recipe, tickers: int | None = None, years: int | None = None) -> PriceTrial:
        """A trial that is trained on the first `tickers` of them, and is tested on all."""
        return PriceTrial(self.home, self.prices, self.tickers[:tickers], self.tickers, years, recipe)


def trial_setup(home: Path, wanted: Sequence[str] | None, recipe: Recipe) -> TrialSetup:
    """Read the prices once, and write the split's dates into the recipe, the same for every trial.

    Raises:
        NotFoundError: there are no prices.
        BadInputError, UsageError: they cannot be split.
    """
    store = PriceStore(home)
    data = load_training_set(store, choose(store, wanted), split_by(recipe))
    panel, tickers = data.panel, data.panel.tickers
    dates = split_dates(panel.dates, data.split)
    given = Recipe(**asdict(recipe) | {name: dates[name] for name in ("train_end", "validation_end")})
    return TrialSetup(home, panel.digest()[:16], tickers, len(available_features(panel, recipe)), given)


def run_price_trial(trial: PriceTrial) -> dict[str, Any]:
    """Train and test in a fresh process, so that the memory is the trial's own.

    Raises:
        ForecastError: too little data, or the process died.
    """
    return run_isolated(_run, trial)


def _run(trial: PriceTrial, report: Callable[[Any], None]) -> dict[str, Any]:
    del report  # nothing is worth showing before the end
    recipe, store = trial.recipe, PriceStore(trial.home)
    tested = load_training_set(store, Chosen(trial.tested_on), split_by(recipe))
    whole, names = tested.panel, available_features(tested.panel, recipe)
    panel = _training_panel(trial)
    split = split_by(recipe)(panel.dates)
    trained = train_network(panel, names, split, recipe, start_engine(recipe.device))
    peak = peak_memory_mb()
    origins, forecast = network_forecasts(trained.network, compute_features(whole, names), tested.split.test)
    truth = actuals(whole, origins, recipe.horizon, tested.split.train)
    scored = score_step(forecast, truth, 1)
    reference = score_step(BASELINES[REFERENCE](whole, origins, recipe.horizon), truth, 1)
    return {
        "crps": scored.scores.crps,
        "reference_crps": reference.scores.crps,
        "forecasts": scored.scores.forecasts,
        "parameters": trained.network.parameter_count(),
        "seconds": trained.seconds,
        "epochs": len(trained.losses),
        "targets_per_second": trained.targets_per_second,
        "peak_memory_mb": peak,
        "losses": list(trained.losses),
        "validation_losses": list(trained.validation_losses),
        "best_epoch": trained.best_epoch,
        "days": scored.day.tolist(),
        "daily_crps": [float(f"{loss:.6g}") for loss in scored.crps],
    }


def _training_panel(trial: PriceTrial) -> Panel:
    panel = load_panel(PriceStore(trial.home), trial.trained_on)
    if trial.years is None or trial.recipe.train_end is None:
        return panel
    end = np.datetime64(trial.recipe.train_end, "D")
    first = np.searchsorted(panel.dates, end - np.timedelta64(round(365.25 * trial.years), "D"))
    return panel.last(panel.shape[1] - int(first))
