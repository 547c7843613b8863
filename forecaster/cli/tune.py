"""`forecast tune`: search for a better recipe on days before the test part."""

from typing import Annotated

import typer

from forecaster.cli.completion import complete_cells
from forecaster.cli.flags import (
    AddressFlag,
    AllDaysFlag,
    EngineFlag,
    TrainingTickers,
    TrainingUniverse,
    chosen_cells,
    chosen_engine,
    show_facts,
    training_flags,
)
from forecaster.cli.screen import (
    JsonFlag,
    QuietFlag,
    note_replay,
    print_json,
    stderr_console,
    stdout_console,
)
from forecaster.settings import ALL_CELLS, Recipe, Settings


@training_flags("cell")
def tune(
    tickers: TrainingTickers = None,
    cells: Annotated[
        str,
        typer.Option(
            "--cells",
            help=f"Cells to search among, with commas: {', '.join(ALL_CELLS)}; or all.",
            autocompletion=complete_cells,
        ),
    ] = ("rnn,lstm,gru"),
    trials: Annotated[
        int, typer.Option("--trials", help="Recipes to try, with those kept from before.", min=1, max=100_000)
    ] = 30,
    minutes: Annotated[
        float | None,
        typer.Option(
            "--minutes", help="No trial begins after so many.", min=0.01, max=100_000, show_default=False
        ),
    ] = None,
    folds: Annotated[int, typer.Option("--folds", help="Folds to choose on.", min=1, max=50)] = 3,
    seeds: Annotated[
        int, typer.Option("--seeds", help="Runs of each recipe on the unseen fold.", min=1, max=1000)
    ] = 1,
    universe: TrainingUniverse = None,
    all_days: AllDaysFlag = False,
    jobs: Annotated[
        int | None,
        typer.Option(
            "--jobs", help="Trainings at once (as many as cores).", min=1, max=256, show_default=False
        ),
    ] = None,
    engine: EngineFlag = "local",
    address: AddressFlag = None,
    json: JsonFlag = False,
    quiet: QuietFlag = False,
    *,
    settings: Settings,
    recipe: Recipe,
) -> None:
    """Search the recipe on validation folds, never on test days; trials are kept, so that it can go on."""
    from forecaster.cli.progress import trials_progress
    from forecaster.cli.tune_screen import show_search, tune_document
    from forecaster.home import Home
    from forecaster.processes import most_jobs
    from forecaster.report.documents import facts_document

    chosen = chosen_cells(cells)
    note_replay(settings.home, quiet=quiet)
    with chosen_engine(engine, address), trials_progress(minutes, quiet=quiet) as watch:
        result = Home(settings.home).tune(
            tickers,
            chosen,
            recipe,
            trials=trials,
            minutes=minutes,
            folds=folds,
            seeds=seeds,
            universe=universe,
            all_days=all_days,
            jobs=jobs or most_jobs(),
            watch=watch,
        )
    show_facts(result.data, stderr_console(quiet=quiet) if json else stdout_console(quiet=quiet))
    if json:
        print_json("forecast.tune/1", tune_document(result, settings.train) | facts_document(result.data))
    else:
        show_search(result, settings.train, stdout_console(quiet=quiet))
