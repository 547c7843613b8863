"""`forecast compare`: SimpleRNN, LSTM, GRU and ConvLSTM1D on the same windows, beside the naive forecasts."""

from typing import Annotated

import typer

from forecaster.cli.flags import (
    AddressFlag,
    AllDaysFlag,
    BaselinesFlag,
    CellsFlag,
    EngineFlag,
    ForecastsFlag,
    MatchFlag,
    SeedsFlag,
    TrainingTickers,
    TrainingUniverse,
    checked_match,
    chosen_cells,
    chosen_engine,
    extra_baselines,
    last_day_note,
    show_survivorship,
    show_universe,
    training_flags,
    warn_of_damaged,
    warn_of_dates,
)
from forecaster.cli.results import SaveFlag, check_save, keep, save_picture
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
    cells: CellsFlag = "rnn,lstm,gru",
    match: MatchFlag = "units",
    seeds: SeedsFlag = 1,
    baselines: BaselinesFlag = None,
    universe: TrainingUniverse = None,
    all_days: AllDaysFlag = False,
    jobs: Annotated[
        int | None,
        typer.Option(
            "--jobs",
            help="Trainings at once, each on one thread (several seeds: as many as cores; one: one, on all).",
            min=1,
            max=256,
            show_default=False,
        ),
    ] = None,
    engine: EngineFlag = "local",
    address: AddressFlag = None,
    output: ForecastsFlag = None,
    save: SaveFlag = None,
    json: JsonFlag = False,
    quiet: QuietFlag = False,
    *,
    settings: Settings,
    recipe: Recipe,
) -> None:
    """Train the cells on the same windows; one table and a verdict in words."""
    from forecaster.api import compare_on
    from forecaster.cli.comparison_screen import show_comparison
    from forecaster.cli.progress import training_progress
    from forecaster.evaluation.forecast_file import check_output, write_forecasts
    from forecaster.home import Home
    from forecaster.processes import most_jobs
    from forecaster.report.documents import comparison_document, facts_document

    chosen, match = chosen_cells(cells), checked_match(match)
    extra = extra_baselines(baselines)
    check_save(save)
    check_output(output)
    note_replay(settings.home, quiet=quiet)
    data = Home(settings.home).training_set(tickers, universe=universe, all_days=all_days, recipe=recipe)
    facts = stderr_console(quiet=quiet) if json else stdout_console(quiet=quiet)
    show_universe(data.universe, facts)
    warn_of_damaged(data.damaged)
    warn_of_dates(data.dates_fault)
    _announce(chosen, recipe, seeds, quiet=quiet)
    with chosen_engine(engine, address), training_progress(quiet=quiet) as report:
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
            jobs=jobs or (most_jobs() if seeds > 1 or engine != "local" else None),
        )
    comparison, verdict, recipes = result.comparison, result.verdict, result.recipes
    show_survivorship(data.survivorship, facts)
    if output is not None:
        write_forecasts(output, comparison)
        stderr_console(quiet=quiet).print(f"Every test forecast is in {output}.", soft_wrap=True)
    document = comparison_document(comparison, verdict, recipes, match) | facts_document(data)
    keep(settings.home, "forecast.compare/1", document)
    save_picture(save, "forecast.compare/1", document, quiet=quiet)
    if json:
        print_json("forecast.compare/1", document)
    else:
        show_comparison(comparison, verdict, recipes, stdout_console(quiet=quiet))


def _announce(cells: list[str], recipe: Recipe, seeds: int, *, quiet: bool) -> None:
    notes = stderr_console(quiet=quiet)
    if note := last_day_note(cells, recipe):
        notes.print(note)
    if seeds == 1:
        notes.print("One seed: differences between cells may be luck; --seeds 5 shows how much.", style="dim")
