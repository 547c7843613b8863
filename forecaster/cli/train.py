"""`forecast train`: train one network and register it."""

from typing import TYPE_CHECKING, Annotated

import typer

from forecaster.cli.flags import (
    AllDaysFlag,
    TrainingTickers,
    TrainingUniverse,
    read_training_set,
    show_universe,
    training_flags,
)
from forecaster.cli.screen import (
    JsonFlag,
    QuietFlag,
    figures_table,
    now,
    print_json,
    stderr_console,
    stdout_console,
)
from forecaster.settings import Recipe, Settings

if TYPE_CHECKING:
    from forecaster.service.candidate import Candidate


@training_flags()
def train(
    tickers: TrainingTickers = None,
    name: Annotated[str, typer.Option("--name", help="Model to add a version to.")] = "main",
    universe: TrainingUniverse = None,
    all_days: AllDaysFlag = False,
    json: JsonFlag = False,
    quiet: QuietFlag = False,
    *,
    settings: Settings,
    recipe: Recipe,
) -> None:
    """Train one network on all tickers, test it beside the naive forecast, register it."""
    from forecaster.cli.progress import training_progress
    from forecaster.files import check_writable
    from forecaster.registry.versions import ModelRegistry, check_model_name
    from forecaster.service.candidate import train_candidate

    check_model_name(name)
    registry = ModelRegistry(settings.home)
    data = read_training_set(settings, recipe, tickers, universe, all_days=all_days)
    check_writable(registry.folder)
    notes = stderr_console(quiet=quiet)
    show_universe(data.universe, notes if json else stdout_console(quiet=quiet))
    if recipe.bidirectional:
        notes.print("A bidirectional layer sees later days: only the last day of each window is supervised.")
    with training_progress(quiet=quiet) as report:
        candidate = train_candidate(data, recipe, now(), lambda progress: report(recipe.cell, progress))
    version = registry.register(name, candidate.trained.network, candidate.card, candidate.trained.keras_file)
    if json:
        print_json("forecast.train/2", {"name": name, "version": version, **candidate.card})
    else:
        _show(candidate, name, version, quiet=quiet)


def _show(candidate: "Candidate", name: str, version: int, *, quiet: bool) -> None:
    from forecaster.evaluation.verdict import MODEL_TITLES, show_p

    screen = stdout_console(quiet=quiet)
    card, network = candidate.card, candidate.trained.network
    training, split = card["training"], card["split"]
    title = f"{MODEL_TITLES[network.cell]} {network.units}"
    screen.print(
        f"[bold]{title}[/bold]: {card['parameters']:,} parameters, {len(card['tickers'])} tickers, "
        f"trained {split['train_start']} to {split['train_end']} in {training['seconds']:.1f} s "
        f"({training['targets_per_second']:,.0f} targets/s, epoch {training['best_epoch']} of "
        f"{training['epochs_run']}, {training['peak_memory_mb']:,.0f} MB, {training['engine']} on "
        f"{training['device']}, {training['kernel']})"
    )
    table = figures_table(
        f"Test, after {split['validation_end']}, to {split['test_end']}",
        *("forecast", "step", "CRPS ×10⁻⁴", "90 % held", "MAE $", "skill", "p"),
    )
    for step in candidate.scores["network"]:
        for model, scores in candidate.scores.items():
            row = scores[step]
            table.add_row(
                title if model == "network" else MODEL_TITLES[model],
                str(step),
                f"{row.crps * 1e4:.2f}",
                f"{row.coverage_90:.1%}",
                f"{row.mae:.3f}",
                "–" if model == "naive" else f"{row.skill:+.1%}",
                "–" if model == "naive" else show_p(row.p_value),
            )
        table.add_section()
    screen.print()
    screen.print(table)
    screen.print(
        f"Registered as [bold]{name}@{version}[/bold], now in service. Next: forecast predict TICKER"
    )
