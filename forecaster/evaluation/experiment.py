"""One network from prices to test forecasts: train it, then forecast the days it has not seen."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass

from forecaster.dataset.features import available_features, features_of
from forecaster.dataset.training_set import TrainingSet
from forecaster.evaluation.forecasts import Origins, network_forecasts
from forecaster.network.engine import start_engine, use_one_thread
from forecaster.network.fitting import Progress
from forecaster.network.linear_training import train_linear
from forecaster.network.network import Network
from forecaster.network.student_t import ForecastDistribution
from forecaster.network.training import TrainedNetwork, train_network, training_partner
from forecaster.processes import peak_memory_mb, run_isolated
from forecaster.settings import LINEAR, Recipe


@dataclass(frozen=True)
class TrainResult:
    """A trained network with its test forecasts, distributions of cumulative log return (O, H)."""

    trained: TrainedNetwork
    origins: Origins
    forecast: ForecastDistribution
    peak_memory_mb: float


def run_experiment(task: tuple[TrainingSet, Recipe], report: Callable[[Progress], None]) -> TrainResult:
    """`train_and_forecast` as a task for a worker process."""
    data, recipe = task
    return train_and_forecast(data, recipe, report)


def run_alone(
    task: tuple[TrainingSet, Recipe], report: Callable[[Progress], None] = lambda _: None
) -> TrainResult:
    """`run_experiment` in a process of its own, on one thread: the same wherever and beside what it runs.

    Raises:
        ForecastError: as `train_and_forecast`, or the process died.
    """
    return run_isolated(_on_one_thread, task, report)


def _on_one_thread(task: tuple[TrainingSet, Recipe], report: Callable[[Progress], None]) -> TrainResult:
    with one_thread():
        return run_experiment(task, report)


@contextmanager
def one_thread() -> Iterator[None]:
    """Compute on one thread, in a process of its own: sums' last bits depend on how many there are.

    Two trainings on a thread each are done sooner than one after the other on two threads.
    """
    from threadpoolctl import threadpool_limits

    use_one_thread()  # before the engine is loaded
    with threadpool_limits(1):
        yield


def train_and_forecast(
    data: TrainingSet,
    recipe: Recipe,
    report: Callable[[Progress], None],
    start: Network | None = None,
) -> TrainResult:
    """Train on the training part, from `start`'s weights if given, and forecast the test part.

    Raises:
        ForecastError: too few prices, or a loss that became NaN.
    """
    panel, split = data.panel, data.split
    names = available_features(panel, recipe)
    if recipe.cell == LINEAR:
        trained = train_linear(panel, features_of(panel, names), split.train, recipe)
    else:
        with training_partner(panel, split.train, recipe) as partner:
            engine = start_engine(recipe.device)
            trained = train_network(panel, names, split, recipe, engine, report, start, partner=partner)
    features = features_of(panel, names)
    origins, forecast = network_forecasts(trained.network, features, split.test, panel.target_mask)
    return TrainResult(trained, origins, forecast, peak_memory_mb())
