"""One network from prices to scored test forecasts: load, train, forecast the days it has not seen."""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from forecaster.dataset.features import available_features, compute_features
from forecaster.dataset.membership import restrict_targets
from forecaster.dataset.panel import Panel, load_panel
from forecaster.dataset.split import Split, split_days
from forecaster.evaluation.forecasts import Origins, network_forecasts
from forecaster.network.engine import start_engine
from forecaster.network.fitting import Progress
from forecaster.network.recurrent import RecurrentNetwork
from forecaster.network.student_t import ForecastDistribution
from forecaster.network.training import TrainedNetwork, train_network
from forecaster.prices.store import PriceStore
from forecaster.prices.universe import Universe
from forecaster.processes import peak_memory_mb
from forecaster.settings import Recipe


@dataclass(frozen=True)
class Experiment:
    """What to train on and how: all that a worker process needs to be told.

    Targets count on days of membership in `universe`; without one, on all days.
    """

    home: Path
    tickers: tuple[str, ...]
    recipe: Recipe
    universe: Universe | None = None


@dataclass(frozen=True)
class TrainResult:
    """A trained network with its test forecasts, distributions of cumulative log return (O, H)."""

    trained: TrainedNetwork
    origins: Origins
    forecast: ForecastDistribution
    peak_memory_mb: float


def run_experiment(experiment: Experiment, report: Callable[[Progress], None]) -> TrainResult:
    """Load the prices, train, and forecast the test part.

    Raises:
        ForecastError: no prices, too few of them, or a loss that became NaN.
    """
    recipe = experiment.recipe
    panel = load_panel(PriceStore(experiment.home), experiment.tickers)
    panel = restrict_targets(panel, experiment.universe)
    split = split_days(panel.dates, recipe.horizon, recipe.train_end, recipe.validation_end)
    return train_and_forecast(panel, split, recipe, report)


def train_and_forecast(
    panel: Panel,
    split: Split,
    recipe: Recipe,
    report: Callable[[Progress], None],
    start: RecurrentNetwork | None = None,
) -> TrainResult:
    """Train on the panel's training part, from `start`'s weights if given, and forecast its test part.

    Raises:
        ForecastError: as `run_experiment`.
    """
    names = available_features(panel)
    engine = start_engine(recipe.device)
    trained = train_network(panel, names, split, recipe, engine, report, start)
    # Computed again: while the network trained, the engine's device held the only copy.
    features = compute_features(panel, names)
    origins, forecast = network_forecasts(trained.network, features, split.test, panel.target_mask)
    return TrainResult(trained, origins, forecast, peak_memory_mb())
