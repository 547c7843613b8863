"""`forecast train`: train one network and register it."""

from typing import TYPE_CHECKING, Annotated

import typer

from forecaster.cli.completion import complete_names
from forecaster.cli.flags import (
    AllDaysFlag,
    TrainingTickers,
    TrainingUniverse,
    last_day_note,
    show_survivorship,
    show_universe,
    training_flags,
    warn_of_damaged,
    warn_of_dates,
)
from forecaster.cli.screen import (
    JsonFlag,
    QuietFlag,
    figures_table,
    headline,
    note_replay,
    print_json,
    stderr_console,
    stdout_console,
)
from forecaster.settings import LINEAR, Recipe, Settings

if TYPE_CHECKING:
    from forecaster.api import Model


@training_flags()
def train(
    tickers: TrainingTickers = None,
    name: Annotated[
        str, typer.Option("--name", help="Model to add a version to.", autocompletion=complete_names)
    ] = "main",
    universe: TrainingUniverse = None,
    all_days: AllDaysFlag = False,
    json: JsonFlag = False,
    quiet: QuietFlag = False,
    *,
    settings: Settings,
    recipe: Recipe,
) -> None:
    """Train one network on all tickers, test it beside the naive forecast, register it."""
    from forecaster.api import train_on
    from forecaster.cli.progress import training_progress
    from forecaster.files import check_writable
    from forecaster.home import Home
    from forecaster.registry.versions import ModelRegistry, check_model_name

    check_model_name(name)
    note_replay(settings.home, quiet=quiet)
    registry = ModelRegistry(settings.home)
    home = Home(settings.home)
    data = home.training_set(tickers, universe=universe, all_days=all_days, recipe=recipe)
    check_writable(registry.folder)
    notes = stderr_console(quiet=quiet)
    facts = notes if json else stdout_console(quiet=quiet)
    show_universe(data.universe, facts)
    warn_of_damaged(data.damaged)
    warn_of_dates(data.dates_fault)
    if note := last_day_note([recipe.cell], recipe):
        notes.print(note)
    with training_progress(quiet=quiet) as report:
        model = train_on(data, recipe, lambda progress: report(recipe.cell, progress)).save(home.path, name)
    show_survivorship(data.survivorship, facts)
    if json:
        print_json("forecast.train/2", model.card)
    else:
        _show(model, quiet=quiet)


def _show(model: "Model", *, quiet: bool) -> None:
    from forecaster.evaluation.significance import DIEBOLD_MARIANO
    from forecaster.evaluation.verdict import MODEL_TITLES, show_p

    screen = stdout_console(quiet=quiet)
    card, network = model.card, model.network
    training, split = card["training"], card["split"]
    title = MODEL_TITLES[network.cell]
    if network.cell != LINEAR:
        title += f" {network.units}"
    if network.ensemble > 1:
        title = f"{network.ensemble} × {title}"
    screen.print(
        headline(
            title,
            f": {card['parameters']:,} parameters, {len(card['tickers'])} tickers, "
            f"trained {split['train_start']} to {split['train_end']} in {training['seconds']:.1f} s "
            f"({training['targets_per_second']:,.0f} targets/s, epoch {training['best_epoch']} of "
            f"{training['epochs_run']}, {training['peak_memory_mb']:,.0f} MB, {training['engine']} on "
            f"{training['device']}, {training['kernel']})",
        )
    )
    table = figures_table(
        f"Test, after {split['validation_end']}, to {split['test_end']}",
        *("forecast", "step", "CRPS ×10⁻⁴", "90 % cov.", "MAE $", "skill", "p"),
    )
    for step in card["scores"]:
        for name, scores in {"network": card["scores"], **card["baselines"]}.items():
            row = scores[step]
            table.add_row(
                title if name == "network" else MODEL_TITLES[name],
                step,
                f"{row['crps'] * 1e4:.2f}",
                f"{row['coverage_90']:.1%}",
                f"{row['mae']:.3f}",
                "–" if name == "naive" else f"{row['skill']:+.1%}",
                "–" if name == "naive" else show_p(row["p_value"]),
            )
        table.add_section()
    screen.print()
    screen.print(table)
    tests = {step: each["range"] for step, each in card["tests"].items()}
    days = ", ".join(f"step {step}: {test['days']:,} days" for step, test in tests.items())
    screen.print(f"p: {DIEBOLD_MARIANO}, against the naive forecast; {days}", style="dim")
    screen.print(f"Registered as {model.reference}, now in service. Next: forecast predict TICKER")
