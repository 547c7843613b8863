"""Train a network for service: its weights, and a card that says what it is and what it is worth."""

import platform
from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass, replace
from datetime import datetime
from importlib.metadata import PackageNotFoundError, version
from typing import Any

from forecaster.dataset.fingerprint import price_fingerprints
from forecaster.dataset.split import split_dates
from forecaster.dataset.training_set import TrainingSet
from forecaster.errors import BadInputError
from forecaster.evaluation.baselines import BASELINES, LINEAR_T, RISKMETRICS_T, fitted_linear_t
from forecaster.evaluation.calibration import calibration_of_test
from forecaster.evaluation.experiment import TrainResult, train_and_forecast
from forecaster.evaluation.scoring import Actuals, ScoredStep, StepScores, actuals, against, score_step
from forecaster.evaluation.step_dependence import fit_step_copula
from forecaster.evaluation.step_tests import StepTests, step_tests
from forecaster.network.engine import chosen_backend
from forecaster.network.fitting import Progress
from forecaster.network.linear_training import linear_recipe
from forecaster.network.network import Network
from forecaster.network.student_t import ForecastDistribution
from forecaster.network.training import TrainedNetwork, onward_recipe
from forecaster.settings import LINEAR, Recipe, iso_utc


@dataclass(frozen=True)
class Start:
    """Where a training begins that goes on from another network.

    Attributes:
        network: its weights.
        new_sessions: in the training part that it has not been trained on.
    """

    network: Network
    new_sessions: int


@dataclass(frozen=True)
class Candidate:
    """A trained network, its test scores beside the baselines', and its card.

    Attributes:
        trained: the network.
        scores: by model (`network` and the baselines), then by step.
        card: what is written beside the weights.
        peak_memory_mb: the most that this process has held.
        reference: the linear-t that its live forecasts are to be compared with; None if RiskMetrics-t is
            the better one, or the network is a linear-t itself.
    """

    trained: TrainedNetwork
    scores: dict[str, dict[int, StepScores]]
    card: dict[str, Any]
    peak_memory_mb: float
    reference: Network | None


def train_candidate(
    data: TrainingSet,
    recipe: Recipe,
    now: datetime,
    report: Callable[[Progress], None],
    start: Start | None = None,
) -> Candidate:
    """Train, score the first and the last step on the test part, write the card.

    Args:
        data: prices through the last session, and their split.
        recipe: what to train.
        now: the clock of the command.
        report: called with the training's progress.
        start: where training begins, to go on for an epoch of small steps; random weights without it.

    Raises:
        ForecastError: too little data, or a loss that became NaN.
    """
    if recipe.cell == LINEAR:
        recipe = linear_recipe(recipe)
    if start is None:
        outcome = train_and_forecast(data, recipe, report)
        recipe = replace(recipe, epochs=outcome.trained.epochs_planned)
    else:
        onward = onward_recipe(recipe, start.new_sessions)
        outcome = train_and_forecast(data, onward, report, start.network)
    recipe = replace(recipe, batch_size=outcome.trained.batch_size)
    if not len(outcome.origins):
        raise BadInputError(
            f"no ticker has {recipe.lookback} days in a row in the test part",
            "fetch more history, lower --lookback, or move --validation-end",
        )
    truth = actuals(data.panel, outcome.origins, recipe.horizon, data.split.train)
    # Each forecast is scored before the next is made: together they would be larger than the prices.
    scored = {"network": _score(outcome.forecast, truth, recipe)}
    for name, baseline in BASELINES.items():
        scored[name] = _score(baseline(data.panel, outcome.origins, recipe.horizon), truth, recipe)
    linear: Network | None = None
    if recipe.cell != LINEAR:  # it would be compared with itself
        linear, forecast = fitted_linear_t(data, recipe, outcome.origins)
        scored[LINEAR_T] = _score(forecast, truth, recipe)
    scores, tests = _compare(scored)
    reference = better_reference(scores)
    calibration = calibration_of_test(outcome.forecast, truth, data.panel.dates, recipe.horizon)
    copula = fit_step_copula(outcome.trained.network, data.panel, data.split.train, recipe.seed)
    card = _card(data, recipe, outcome, scores, tests, now) | {
        "reference": reference,
        "step_correlations": None if copula is None else copula.correlations.tolist(),
        "calibration": calibration.described(),
    }
    kept = linear if reference == LINEAR_T else None
    return Candidate(outcome.trained, scores, card, outcome.peak_memory_mb, kept)


def better_reference(scores: Mapping[str, Mapping[int, StepScores]]) -> str:
    """The simple forecast with the lower CRPS one session ahead: RiskMetrics-t or, where scored, linear-t.

    It is chosen before the first live forecast and kept as long as the version.
    """
    there = [name for name in (LINEAR_T, RISKMETRICS_T) if name in scores]
    return min(there, key=lambda name: scores[name][1].crps)


def _score(forecast: ForecastDistribution, truth: Actuals, recipe: Recipe) -> dict[int, ScoredStep]:
    """The first and the last step, scored."""
    return {step: score_step(forecast, truth, step) for step in sorted({1, recipe.horizon})}


def _compare(
    scored: Mapping[str, Mapping[int, ScoredStep]],
) -> tuple[dict[str, dict[int, StepScores]], dict[int, StepTests]]:
    """Scores by model and step beside the naive forecast's, and the network's tests by step."""
    naive = scored["naive"]
    scores = {
        name: {step: against(one, naive[step], step) for step, one in by_step.items()}
        for name, by_step in scored.items()
    }
    tests = {step: step_tests(one, naive[step], step) for step, one in scored["network"].items()}
    return scores, tests


def _card(
    data: TrainingSet,
    recipe: Recipe,
    outcome: TrainResult,
    scores: dict[str, dict[int, StepScores]],
    tests: dict[int, StepTests],
    now: datetime,
) -> dict[str, Any]:
    trained, panel = outcome.trained, data.panel
    return {
        "created": iso_utc(now),
        "parameters": trained.network.parameter_count(),
        "features": list(trained.network.features),
        "recipe": asdict(recipe),
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
        "prices": {
            "last_day": str(panel.dates[-1]),
            "digest": panel.digest(),
            "tickers": price_fingerprints(panel),
        },
        "scores": {str(step): asdict(score) for step, score in scores["network"].items()},
        "baselines": {
            name: {str(step): asdict(score) for step, score in by_step.items()}
            for name, by_step in scores.items()
            if name != "network"
        },
        "tests": {str(step): each.described() for step, each in tests.items()},
        "versions": library_versions(),
    }


def library_versions() -> dict[str, str]:
    """Versions of Python and of the libraries that a result rests on."""
    found = {"python": platform.python_version()}
    for library in ("forecaster", "keras", chosen_backend(), "numpy"):
        try:
            found[library] = version(library)
        except PackageNotFoundError:
            continue
    return found
