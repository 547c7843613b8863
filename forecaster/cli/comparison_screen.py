"""The comparison as a table for people and as a document for programs."""

from collections.abc import Sequence
from dataclasses import asdict
from typing import Any

from rich.console import Console
from rich.table import Table
from rich.text import Text

from forecaster.cli.screen import figures_table, headline, stacked
from forecaster.dataset.split import split_dates
from forecaster.evaluation.comparison import Comparison, ModelResult, Spread
from forecaster.evaluation.verdict import MODEL_TITLES, Verdict, show_p
from forecaster.network.recurrent import network_parameters
from forecaster.settings import Recipe

_LEGEND = (
    "CRPS: error of the whole forecast, in log return ×10⁻⁴; 90 %: coverage of the 90 % interval; "
    "MAE, RMSE: of the median, in currency; MAPE: in per cent; DA: directional accuracy, per cent; "
    "skill: CRPS saved against the naive forecast, per cent; p: how often a difference this large would "
    "appear if the two were equally good."
)


def comparison_document(
    comparison: Comparison, verdict: Verdict, recipes: Sequence[Recipe], match: str, seeds: int
) -> dict[str, Any]:
    """The whole comparison, with what a reader needs to repeat it."""
    by_cell = {recipe.cell: recipe for recipe in recipes}
    return {
        "models": [_model_document(row, by_cell.get(row.model)) for row in comparison.models],
        "verdict": asdict(verdict),
        "tickers": list(comparison.panel.tickers),
        "split": split_dates(comparison.panel.dates, comparison.split),
        "match": match,
        "seeds": seeds,
    }


def _model_document(row: ModelResult, recipe: Recipe | None) -> dict[str, Any]:
    document: dict[str, Any] = {
        "model": row.model,
        "kind": row.kind,
        "parameters": 0,
        "train_seconds": 0.0,
        "targets_per_second": None,
        "peak_memory_mb": None,
        "scores": {str(step): asdict(scores) for step, scores in row.steps.items()},
    }
    if recipe is None:
        return document
    first = row.trained[0]
    return document | {
        "parameters": _formula(row, recipe),
        "keras_parameters": first.keras_parameters,
        "units": recipe.units,
        "train_seconds": row.seconds().mean,
        "targets_per_second": row.targets_per_second().mean,
        "peak_memory_mb": row.peak_memory_mb,
        "epochs": [len(run.losses) for run in row.trained],
        "best_epochs": [run.best_epoch for run in row.trained],
        "deviations": {str(step): values for step, values in row.deviations.items()},
        "engine": first.engine.backend,
        "device": first.engine.device,
        "kernel": first.kernel,
        "features": list(first.network.features),
        "recipe": asdict(recipe) | {"epochs": first.epochs_planned, "batch_size": first.batch_size},
    }


def show_comparison(
    comparison: Comparison, verdict: Verdict, recipes: Sequence[Recipe], screen: Console
) -> None:
    """Print what was compared, the costs, the errors by step, and the verdict."""
    panel, dates = comparison.panel, split_dates(comparison.panel.dates, comparison.split)
    screen.print(
        f"{len(panel.tickers)} tickers · trained {dates['train_start']} to {dates['train_end']} · "
        f"validated to {dates['validation_end']} · tested to {dates['test_end']} "
        f"({comparison.models[0].steps[1].forecasts:,} forecasts)"
    )
    screen.print()
    screen.print(_cost_table(comparison, recipes))
    for step in comparison.models[0].steps:
        screen.print()
        screen.print(_error_table(comparison, step))
    screen.print()
    screen.print(_LEGEND, style="dim")
    screen.print()
    screen.print(headline("Verdict", ""))
    lines = Table.grid(padding=(0, 1))
    for sentence in verdict.sentences:
        lines.add_row("·", sentence)
    screen.print(lines)


def _cost_table(comparison: Comparison, recipes: Sequence[Recipe]) -> Table:
    first = next(row for row in comparison.models if row.trained).trained[0]
    table = figures_table(
        f"Cost ({first.engine.backend} on {first.engine.device})",
        *("cell", "units", "params", "Keras", "train s", "targets/s", "peak MB", "epochs", "kernel"),
    )
    for recipe in recipes:
        row = comparison.model(recipe.cell)
        table.add_row(
            MODEL_TITLES[recipe.cell],
            str(recipe.units),
            f"{_formula(row, recipe):,}",
            f"{row.trained[0].keras_parameters:,}",
            _figure(row.seconds(), "{:.1f}"),
            _figure(row.targets_per_second(), "{:,.0f}"),
            f"{row.peak_memory_mb:,.0f}",
            ", ".join(str(len(run.losses)) for run in row.trained[:3])
            + ("…" if len(row.trained) > 3 else ""),
            row.trained[0].kernel,
        )
    return table


def _error_table(comparison: Comparison, step: int) -> Table:
    days = "One day ahead" if step == 1 else f"{step} days ahead"
    headings = ("CRPS", "90 %", "MAE", "RMSE", "MAPE", "MASE", "DA", "skill", "p")
    table = figures_table(days, "model", *headings)
    best = min(row.steps[step].crps for row in comparison.models)
    for row in comparison.models:
        if row.model == "naive":
            table.add_section()
        style = "bold green" if row.steps[step].crps == best else ""
        table.add_row(MODEL_TITLES[row.model], *_error_cells(row, step), style=style)
    return table


def _error_cells(row: ModelResult, step: int) -> list[str | Text]:
    scores, deviations = row.steps[step], row.deviations.get(step, {})

    def cell(name: str, form: str, times: float = 1.0) -> str | Text:
        spread = Spread(getattr(scores, name) * times, deviations.get(name, 0.0) * times)
        return _figure(spread, form)

    reference = row.model == "naive"
    return [
        cell("crps", "{:.2f}", 1e4),
        cell("coverage_90", "{:.1f}", 100),
        cell("mae", "{:.3f}"),
        cell("rmse", "{:.3f}"),
        cell("mape", "{:.3f}"),
        cell("mase", "{:.3f}"),
        cell("directional_accuracy", "{:.1f}", 100),
        "–" if reference else cell("skill", "{:+.1f}", 100),
        "–" if reference else show_p(scores.p_value),
    ]


def _figure(spread: Spread, form: str) -> str | Text:
    """The mean, with the seeds' deviation under it; its leading zero would cost the table's last column."""
    mean = form.format(spread.mean)
    deviation = form.replace("+", "").format(spread.deviation).removeprefix("0")
    return stacked(mean, f"±{deviation}") if spread.deviation else mean


def _formula(row: ModelResult, recipe: Recipe) -> int:
    features = len(row.trained[0].network.features)
    return network_parameters(recipe.cell, recipe.units, features, recipe)
