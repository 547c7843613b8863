"""`forecast backtest`: walk through history, refit on the way, and score every forecast."""

from typing import Annotated

import typer

from forecaster.cli.completion import complete_models
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
    show_facts,
    training_flags,
)
from forecaster.cli.results import SaveFlag, check_save, save_picture
from forecaster.cli.screen import (
    JsonFlag,
    QuietFlag,
    note_replay,
    print_json,
    stderr_console,
    stdout_console,
)
from forecaster.errors import UsageError
from forecaster.settings import Recipe, Settings


@training_flags("cell", "train_end", "validation_end")
def backtest(
    tickers: TrainingTickers = None,
    cells: CellsFlag = "rnn,lstm,gru",
    start: Annotated[
        str | None,
        typer.Option(
            "--from", metavar="DATE", help="Day of the first forecast (the later half).", show_default=False
        ),
    ] = None,
    end: Annotated[
        str | None,
        typer.Option("--to", metavar="DATE", help="Day of the last forecast (the last).", show_default=False),
    ] = None,
    refit_every: Annotated[
        str, typer.Option("--refit-every", metavar="PERIOD", help="1Y, 6M, or 63 for 63 sessions.")
    ] = "1Y",
    train_years: Annotated[
        float | None,
        typer.Option(
            "--train-years",
            help="Years that each refit learns from (all before it).",
            min=0.1,
            max=200,
            show_default=False,
        ),
    ] = None,
    warm: Annotated[
        bool, typer.Option("--warm", help="Go on from the weights of the refit before, for one epoch.")
    ] = False,
    model: Annotated[
        str | None,
        typer.Option(
            "--model",
            metavar="NAME[@V]",
            help="Test this network as it is, on days after its training; flags that train are ignored.",
            show_default=False,
            autocompletion=complete_models,
        ),
    ] = None,
    match: MatchFlag = "units",
    seeds: SeedsFlag = 1,
    baselines: BaselinesFlag = None,
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
    output: ForecastsFlag = None,
    save: SaveFlag = None,
    json: JsonFlag = False,
    quiet: QuietFlag = False,
    *,
    settings: Settings,
    recipe: Recipe,
) -> None:
    """Walk forward through history, refitting on the way; finished folds are kept, so that it can go on."""
    from forecaster.cli.backtest_screen import show_backtest
    from forecaster.cli.progress import folds_progress
    from forecaster.evaluation.forecast_file import check_output, write_forecasts
    from forecaster.home import Home
    from forecaster.processes import most_jobs
    from forecaster.report.documents import backtest_document

    chosen, match = chosen_cells(cells), checked_match(match)
    if model is not None and warm:
        raise UsageError("--model and --warm exclude each other", "a model as it is is not trained")
    extra = extra_baselines(baselines)
    check_save(save)
    check_output(output)
    note_replay(settings.home, quiet=quiet)
    with chosen_engine(engine, address), folds_progress(quiet=quiet) as watch:
        result = Home(settings.home).backtest(
            tickers,
            chosen,
            recipe,
            start=start,
            end=end,
            refit=refit_every,
            train_years=train_years,
            warm=warm,
            model=model,
            universe=universe,
            all_days=all_days,
            match=match,
            seeds=seeds,
            baselines=extra,
            jobs=jobs or most_jobs(),
            watch=watch,
        )
    show_facts(result.data, stderr_console(quiet=quiet) if json else stdout_console(quiet=quiet))
    if output is not None:
        write_forecasts(output, result.comparison)
        stderr_console(quiet=quiet).print(f"Every test forecast is in {output}.", soft_wrap=True)
    document = backtest_document(result, model)
    save_picture(save, "forecast.backtest/1", document, quiet=quiet)
    if json:
        print_json("forecast.backtest/1", document)
    else:
        show_backtest(result, stdout_console(quiet=quiet))
