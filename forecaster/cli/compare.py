"""`forecast compare`: SimpleRNN, LSTM and GRU on the same windows, beside the naive forecasts."""

from pathlib import Path
from typing import Annotated

import typer

from forecaster.cli.flags import (
    AllDaysFlag,
    TrainingTickers,
    TrainingUniverse,
    checked_match,
    chosen_cells,
    show_survivorship,
    show_universe,
    training_flags,
    warn_of_damaged,
    warn_of_dates,
)
from forecaster.cli.screen import (
    JsonFlag,
    QuietFlag,
    note_replay,
    print_json,
    stderr_console,
    stdout_console,
)
from forecaster.settings import Recipe, Settings


@training_flags("cell")
def compare(
    tickers: TrainingTickers = None,
    cells: Annotated[str, typer.Option("--cells", help="Cells to compare, with commas.")] = "rnn,lstm,gru",
    match: Annotated[
        str, typer.Option("--match", help="units: equal units; parameters: about equal parameters.")
    ] = "units",
    seeds: Annotated[int, typer.Option("--seeds", help="Runs of each cell.", min=1, max=1000)] = 1,
    baselines: Annotated[
        str | None,
        typer.Option(
            "--baselines",
            metavar="NAMES",
            help="Further baselines, with commas: garch-t, gjr-t, historical, auto-arima, auto-ets, theta, "
            "boosting; or all.",
            show_default=False,
        ),
    ] = None,
    universe: TrainingUniverse = None,
    all_days: AllDaysFlag = False,
    output: Annotated[
        Path | None,
        typer.Option(
            "--output",
            metavar="FILE",
            help="Every test forecast, to a .parquet or .csv file.",
            show_default=False,
        ),
    ] = None,
    json: JsonFlag = False,
    quiet: QuietFlag = False,
    *,
    settings: Settings,
    recipe: Recipe,
) -> None:
    """Train the cells on the same windows; one table and a verdict in words."""
    from forecaster.api import compare_on
    from forecaster.cli.comparison_screen import comparison_document, show_comparison
    from forecaster.cli.progress import training_progress
    from forecaster.evaluation.extra_baselines import chosen_baselines
    from forecaster.evaluation.forecast_file import check_output, write_forecasts
    from forecaster.home import Home

    chosen, match = chosen_cells(cells), checked_match(match)
    extra = () if baselines is None else chosen_baselines(baselines.lower().replace(" ", "").split(","))
    check_output(output)
    note_replay(settings.home, quiet=quiet)
    data = Home(settings.home).training_set(tickers, universe=universe, all_days=all_days, recipe=recipe)
    facts = stderr_console(quiet=quiet) if json else stdout_console(quiet=quiet)
    show_universe(data.universe, facts)
    warn_of_damaged(data.damaged)
    warn_of_dates(data.dates_fault)
    _announce(recipe, seeds, quiet=quiet)
    with training_progress(quiet=quiet) as report:
        result = compare_on(
            data,
            chosen,
            recipe,
            match=match,
            seeds=seeds,
            baselines=extra,
            report=lambda cell, run, progress: report(
                cell if seeds == 1 else f"{cell} {run}/{seeds}", progress
            ),
            report_fits=report.fits,
            isolated=True,
        )
    comparison, verdict, recipes = result.comparison, result.verdict, result.recipes
    show_survivorship(data.survivorship, facts)
    if output is not None:
        write_forecasts(output, comparison)
        stderr_console(quiet=quiet).print(f"Every test forecast is in {output}.", soft_wrap=True)
    if json:
        document = comparison_document(comparison, verdict, recipes, match, seeds)
        document |= {
            "universe": data.universe,
            "survivorship": data.survivorship,
            "damaged": data.damaged,
        }
        print_json("forecast.compare/1", document)
    else:
        show_comparison(comparison, verdict, recipes, stdout_console(quiet=quiet))


def _announce(recipe: Recipe, seeds: int, *, quiet: bool) -> None:
    notes = stderr_console(quiet=quiet)
    if recipe.bidirectional:
        notes.print("A bidirectional layer sees later days: only the last day of each window is supervised.")
    if seeds == 1:
        notes.print("One seed: differences between cells may be luck; --seeds 5 shows how much.", style="dim")
