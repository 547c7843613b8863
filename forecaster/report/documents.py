"""Results as documents: what `--json` prints, what is kept under results/, what the report is made from."""

from collections.abc import Sequence
from dataclasses import asdict, replace
from typing import TYPE_CHECKING, Any

from forecaster.dataset.report_features import is_report_feature
from forecaster.dataset.split import split_dates
from forecaster.dataset.training_set import TrainingSet
from forecaster.evaluation.backtest import described_folds
from forecaster.evaluation.breakdown import GROUPINGS, scores_by
from forecaster.evaluation.comparison import Comparison, ModelResult
from forecaster.evaluation.step_tests import described_interval
from forecaster.evaluation.verdict import Verdict
from forecaster.evaluation.walk_verdict import (
    YearResult,
    recalibration_gain,
    three_sentences,
    year_results,
)
from forecaster.network.recurrent import network_parameters
from forecaster.settings import Recipe

if TYPE_CHECKING:
    from forecaster.backtesting import BacktestResult


def comparison_document(
    comparison: Comparison, verdict: Verdict, recipes: Sequence[Recipe], match: str
) -> dict[str, Any]:
    """The whole comparison, with what a reader needs to repeat it."""
    by_cell = {recipe.cell: recipe for recipe in recipes}
    return {
        "models": [_compared(row, by_cell.get(row.model)) for row in comparison.models],
        "verdict": verdict.described(),
        "by": {grouping: scores_by(comparison, grouping) for grouping in GROUPINGS},
        "tickers": list(comparison.panel.tickers),
        "split": split_dates(comparison.panel.dates, comparison.split),
        "match": match,
        "seeds": max(len(row.trained) for row in comparison.models),
        "prices": _prices(comparison),
    }


def _compared(row: ModelResult, recipe: Recipe | None) -> dict[str, Any]:
    document: dict[str, Any] = {
        "model": row.model,
        "kind": row.kind,
        "parameters": 0,
        "train_seconds": 0.0,
        "targets_per_second": None,
        "peak_memory_mb": None,
        "scores": {str(step): asdict(scores) for step, scores in row.steps.items()},
        "tests": {str(step): tests.described() for step, tests in row.tests.items()},
        "substituted": list(row.substituted),
    }
    if recipe is None:
        return document
    first = row.trained[0]
    return document | {
        "parameters": formula_parameters(row, recipe),
        "keras_parameters": first.keras_parameters,
        "units": recipe.units,
        "train_seconds": row.seconds().mean,
        "targets_per_second": row.targets_per_second().mean,
        "peak_memory_mb": row.peak_memory_mb,
        "epochs": [len(run.losses) for run in row.trained],
        "best_epochs": [run.best_epoch for run in row.trained],
        "losses": [list(run.losses) for run in row.trained],
        "validation_losses": [list(run.validation_losses) for run in row.trained],
        "deviations": {str(step): values for step, values in row.deviations.items()},
        "engine": first.engine.backend,
        "device": first.engine.device,
        "kernel": first.kernel,
        "features": list(first.network.features),
        "recipe": asdict(recipe) | {"epochs": first.epochs_planned, "batch_size": first.batch_size},
    }


def formula_parameters(row: ModelResult, recipe: Recipe) -> int:
    """A cell's trained numbers by formula."""
    features = row.trained[0].network.features
    known_ahead = sum(map(is_report_feature, features))
    return network_parameters(recipe.cell, recipe.units, len(features), recipe, known_ahead)


def backtest_document(result: "BacktestResult", model: str | None = None) -> dict[str, Any]:
    """The whole walk, with what a reader needs to repeat it; `model` is the one that was tested as it is."""
    comparison, verdict, backtest = result.comparison, result.verdict, result.backtest
    best = comparison.model(verdict.best)
    years = {str(step): year_results(comparison, best, step) for step in best.steps}
    calibrated = {str(step): calibrated_years(result, best, step) for step in best.steps}
    by_cell = {recipe.cell: recipe for recipe in result.recipes}
    return {
        "models": [_walked(result, row, by_cell) for row in comparison.models],
        "verdict": verdict.described()
        | {"three_sentences": list(three_sentences(backtest, verdict, years["1"]))},
        "years": {step: [year.described() for year in found] for step, found in years.items()},
        "calibrated_years": {
            step: [year.described() for year in found] for step, found in calibrated.items()
        },
        "by": {grouping: scores_by(comparison, grouping) for grouping in GROUPINGS},
        "calibrated_by": {
            grouping: scores_by(_calibrated(result), grouping) for grouping in ("year", "regime", "reaction")
        },
        "folds": described_folds(backtest),
        "warm": backtest.warm,
        "tickers": list(comparison.panel.tickers),
        "split": split_dates(comparison.panel.dates, comparison.split),
        "match": result.match,
        "seeds": max(len(costs) for costs in backtest.costs.values()) // len(backtest.walk.folds),
        "prices": _prices(comparison),
        **facts_document(result.data),
        "model": model,
    }


def _walked(result: "BacktestResult", row: ModelResult, by_cell: dict[str, Any]) -> dict[str, Any]:
    document: dict[str, Any] = {
        "model": row.model,
        "kind": row.kind,
        "scores": {str(step): asdict(scores) for step, scores in row.steps.items()},
        "tests": {str(step): tests.described() for step, tests in row.tests.items()},
        "substituted": list(row.substituted),
    }
    if row.model in result.backtest.calibrated:
        scored = result.backtest.calibrated[row.model]
        document["calibrated"] = {str(step): asdict(each.scores) for step, each in scored.items()}
        document["calibrated_gain"] = {
            str(step): described_interval(recalibration_gain(result.backtest, row, step)) for step in scored
        }
    if row.model not in result.backtest.costs:
        return document
    costs = result.backtest.costs[row.model]
    return document | {
        "deviations": {str(step): values for step, values in row.deviations.items()},
        "recipe": asdict(by_cell[row.model]),
        "trainings": [asdict(cost) for cost in costs],
    }


def calibrated_years(result: "BacktestResult", best: ModelResult, step: int) -> tuple[YearResult, ...]:
    """The best cell's years after recalibration day by day."""
    return year_results(result.comparison, best, step, result.backtest.calibrated[best.model][step])


def _calibrated(result: "BacktestResult") -> Comparison:
    """The models that learn, with the scores of their recalibrated forecasts."""
    comparison = result.comparison
    models = tuple(
        replace(comparison.model(name), losses=dict(scored))
        for name, scored in result.backtest.calibrated.items()
    )
    return replace(comparison, models=models)


def facts_document(data: TrainingSet) -> dict[str, Any]:
    """What was trained and tested on."""
    return {"universe": data.universe, "survivorship": data.survivorship, "damaged": data.damaged}


def _prices(comparison: Comparison) -> dict[str, str]:
    """Which prices were compared on: the last day, and a digest of all inputs."""
    panel = comparison.panel
    return {"last_day": str(panel.dates[-1]), "digest": panel.digest()}
