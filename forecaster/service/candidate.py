"""Train a network for service: its weights, and a card that says what it is and what it is worth."""

import platform
from collections.abc import Callable
from dataclasses import asdict, dataclass
from datetime import datetime
from importlib.metadata import PackageNotFoundError, version
from typing import Any

from forecaster.dataset.split import split_dates
from forecaster.dataset.training_set import TrainingSet
from forecaster.errors import BadInputError
from forecaster.evaluation.baselines import all_baselines, walks
from forecaster.evaluation.experiment import TrainResult, train_and_forecast
from forecaster.evaluation.scoring import StepScores, actuals, against, score_step
from forecaster.network.fitting import Progress
from forecaster.network.linear_training import linear_recipe
from forecaster.network.network import Network
from forecaster.network.training import TrainedNetwork
from forecaster.settings import LINEAR, Recipe, iso_utc

_LIBRARIES = ("forecaster", "keras", "tensorflow", "numpy")


@dataclass(frozen=True)
class Candidate:
    """A trained network, its test scores beside the baselines', and its card.

    Attributes:
        trained: the network.
        scores: by model (`network` and the baselines), then by step.
        card: what is written beside the weights.
        peak_memory_mb: the most that this process has held.
    """

    trained: TrainedNetwork
    scores: dict[str, dict[int, StepScores]]
    card: dict[str, Any]
    peak_memory_mb: float


def train_candidate(
    data: TrainingSet,
    recipe: Recipe,
    now: datetime,
    report: Callable[[Progress], None],
    start: Network | None = None,
) -> Candidate:
    """Train, score the first and the last step on the test part, write the card.

    Args:
        data: prices through the last session, and their split.
        recipe: what to train.
        now: the clock of the command.
        report: called with the training's progress.
        start: the network whose weights training begins from; random ones without it.

    Raises:
        ForecastError: too little data, or a loss that became NaN.
    """
    if recipe.cell == LINEAR:
        recipe = linear_recipe(recipe)
    outcome = train_and_forecast(data, recipe, report, start)
    if not len(outcome.origins):
        raise BadInputError(
            f"no ticker has {recipe.lookback} days in a row in the test part",
            "fetch more history, lower --lookback, or move --validation-end",
        )
    scores = _score(data, recipe, outcome)
    card = _card(data, recipe, outcome, scores, now)
    return Candidate(outcome.trained, scores, card, outcome.peak_memory_mb)


def _score(data: TrainingSet, recipe: Recipe, outcome: TrainResult) -> dict[str, dict[int, StepScores]]:
    panel, horizon = data.panel, recipe.horizon
    truth = actuals(panel, outcome.origins, horizon, data.split.train)
    forecasts = {"network": outcome.forecast}
    if recipe.cell == LINEAR:  # it would be compared with itself
        forecasts |= walks(panel, outcome.origins, horizon)
    else:
        forecasts |= all_baselines(data, recipe, outcome.origins)
    steps = sorted({1, horizon})
    scored = {
        name: {step: score_step(forecast, truth, step) for step in steps}
        for name, forecast in forecasts.items()
    }
    return {
        name: {step: against(by_step[step], scored["naive"][step], step) for step in steps}
        for name, by_step in scored.items()
    }


def _card(
    data: TrainingSet,
    recipe: Recipe,
    outcome: TrainResult,
    scores: dict[str, dict[int, StepScores]],
    now: datetime,
) -> dict[str, Any]:
    trained, panel = outcome.trained, data.panel
    return {
        "created": iso_utc(now),
        "parameters": trained.network.parameter_count(),
        "features": list(trained.network.features),
        "recipe": asdict(recipe) | {"epochs": trained.epochs_planned, "batch_size": trained.batch_size},
        "training": {
            "epochs_run": len(trained.losses),
            "best_epoch": trained.best_epoch,
            "losses": list(trained.losses),
            "validation_losses": list(trained.validation_losses),
            "seconds": trained.seconds,
            "targets_per_second": trained.targets_per_second,
            "peak_memory_mb": outcome.peak_memory_mb,
            "engine": trained.engine.backend,
            "device": trained.engine.device,
            "kernel": trained.kernel,
        },
        "tickers": list(panel.tickers),
        "universe": data.universe,
        "whole_store": data.whole_store,
        "damaged": list(data.damaged),
        "survivorship": data.survivorship,
        "market": list(panel.market_members),
        "split": split_dates(panel.dates, data.split),
        "prices": {"last_day": str(panel.dates[-1]), "digest": panel.digest()},
        "scores": {str(step): asdict(score) for step, score in scores["network"].items()},
        "baselines": {
            name: {str(step): asdict(score) for step, score in by_step.items()}
            for name, by_step in scores.items()
            if name != "network"
        },
        "versions": _versions(),
    }


def _versions() -> dict[str, str]:
    found = {"python": platform.python_version()}
    for library in _LIBRARIES:
        try:
            found[library] = version(library)
        except PackageNotFoundError:
            continue
    return found
