"""`forecast lab sweep`: the cells over lookback, tickers, years, units or layers."""

from dataclasses import asdict
from typing import TYPE_CHECKING, Annotated, Any

import typer

from forecaster.cli.completion import complete_tickers
from forecaster.cli.flags import (
    AddressFlag,
    EngineFlag,
    checked_match,
    chosen_cells,
    chosen_engine,
    training_flags,
)
from forecaster.cli.lab.flags import AllCellsFlag, JobsFlag, with_colour
from forecaster.cli.results import SaveFlag, check_save, keep, save_picture
from forecaster.cli.screen import (
    JsonFlag,
    QuietFlag,
    figures_table,
    print_json,
    print_picture,
    stderr_console,
    stdout_console,
)
from forecaster.settings import CELL_TITLES, Recipe, Settings

if TYPE_CHECKING:
    from forecaster.laboratory.prices.sweep import SweepPoint
    from forecaster.laboratory.prices.trials import PriceTrial


@training_flags("cell")
def sweep(
    tickers: Annotated[
        list[str] | None,
        typer.Argument(
            help="Tickers to work on (all in the store).", show_default=False, autocompletion=complete_tickers
        ),
    ] = None,
    over: Annotated[
        str, typer.Option("--over", help="lookback, tickers, years, units or layers.")
    ] = "lookback",
    values: Annotated[
        str | None,
        typer.Option(
            "--values", help="With commas; `all` for tickers and years.", show_default="by the axis"
        ),
    ] = None,
    cells: AllCellsFlag = "rnn,lstm,gru",
    match: Annotated[
        str, typer.Option("--match", help="units: equal units; parameters: about equal parameters.")
    ] = "units",
    seeds: Annotated[int, typer.Option("--seeds", help="Runs of each.", min=1, max=100)] = 3,
    jobs: JobsFlag = 2,
    engine: EngineFlag = "local",
    address: AddressFlag = None,
    save: SaveFlag = None,
    json: JsonFlag = False,
    quiet: QuietFlag = False,
    *,
    settings: Settings,
    recipe: Recipe,
) -> None:
    """The cells over one quantity: CRPS, time and memory, tested on the same days.

    With fewer tickers to train on, the test is still on all of them. Finished trials are kept
    under reports/lab/ and not run again; stop it and go on at any time.
    """
    from forecaster.laboratory.prices.sweep import RESULTS, plan_sweep, run_sweep
    from forecaster.laboratory.prices.trials import trial_setup
    from forecaster.laboratory.trials import ResultsFile

    check_save(save)
    chosen = _values(over, values)
    checked_match(match)
    setup = trial_setup(settings.home, tickers, recipe)
    if over == "tickers":
        _check_tickers(chosen, len(setup.tickers))
    plans = plan_sweep(setup, over, chosen, chosen_cells(cells), match, seeds)
    notes = stderr_console(quiet=quiet)

    def report(trial: "PriceTrial", outcome: dict[str, Any], left: int) -> None:
        recipe = trial.recipe
        notes.print(
            f"{recipe.cell} {recipe.units} seed {recipe.seed}: CRPS {outcome['crps'] * 1e4:.2f}, "
            f"{outcome['seconds']:.0f} s; {left} to come",
            soft_wrap=True,
        )

    with chosen_engine(engine, address):
        points = run_sweep(setup.data, plans, ResultsFile(settings.home, RESULTS), jobs, report)
    content = {"over": over, "match": match, "tickers": list(setup.tickers)} | {
        "points": [asdict(point) for point in points]
    }
    keep(settings.home, "forecast.lab-sweep/1", content)
    save_picture(save, "forecast.lab-sweep/1", content, quiet=quiet)
    if json:
        print_json("forecast.lab-sweep/1", content)
        return
    screen = stdout_console(quiet=quiet)
    screen.print(_table(over, match, points))
    screen.print()
    screen.print(
        f"CRPS one day ahead, log return ×10⁻⁴, ± between seeds; RiskMetrics-t has "
        f"{points[0].reference_crps * 1e4:.2f}.",
        style="dim",
    )
    if len(chosen) > 1:
        picture = _picture(over, chosen, points, min(screen.width, 100), colour=with_colour(screen))
        print_picture(screen, "\n" + picture)


def _values(over: str, text: str | None) -> list[int]:
    from forecaster.errors import UsageError
    from forecaster.laboratory.prices.sweep import ALL, AXES

    if over not in AXES:
        raise UsageError(f"--over {over} is not known", f"choose from {', '.join(AXES)}")
    if text is None:
        return list(AXES[over])
    words = [word.strip().lower() for word in text.split(",")]
    numbers = [word for word in words if word != "all"]
    allowed = over in ("tickers", "years")
    if not all(word.isdecimal() and int(word) > 0 for word in numbers) or ("all" in words and not allowed):
        raise UsageError(f"--values {text!r} is not a list of whole numbers", "write it like 5,20,60")
    return list(dict.fromkeys(ALL if word == "all" else int(word) for word in words))


def _check_tickers(values: list[int], available: int) -> None:
    from forecaster.errors import UsageError

    if max(values) > available:
        raise UsageError(f"--values {max(values)}: there are {available} tickers", "ask for fewer, or all")


def _name(value: int) -> str:
    return str(value) if value else "all"


def _table(over: str, match: str, points: "list[SweepPoint]") -> Any:
    headings = ("cell", "units", "params", "CRPS", "±", "seconds", "peak MB")
    table = figures_table(f"Equal {match}, seeds: {points[0].seeds}", over, *headings)
    best = min(point.crps for point in points)
    last = points[0].value
    for point in points:
        if point.value != last:
            table.add_section()
            last = point.value
        table.add_row(
            _name(point.value),
            CELL_TITLES[point.cell],
            str(point.units),
            f"{point.parameters:,}",
            f"{point.crps * 1e4:.2f}",
            f"{point.crps_deviation * 1e4:.2f}",
            f"{point.seconds:.1f}",
            f"{point.peak_memory_mb:,.0f}",
            style="bold green" if point.crps == best else "",
        )
    return table


def _picture(over: str, values: list[int], points: "list[SweepPoint]", width: int, *, colour: bool) -> str:
    import numpy as np

    from forecaster.report.charts import line_chart

    lines = {
        CELL_TITLES[cell]: (
            np.arange(len(values), dtype=float),
            np.array([point.crps * 1e4 for point in points if point.cell == cell]),
        )
        for cell in dict.fromkeys(point.cell for point in points)
    }
    return line_chart(
        lines,
        x_label=over,
        y_label="CRPS ×10⁻⁴, lower is better",
        width=width,
        height=14,
        colour=colour,
        ticks={float(place): _name(value) for place, value in enumerate(values)},
    )
