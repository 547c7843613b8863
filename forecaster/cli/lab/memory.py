"""`forecast lab memory`: the longest lag that each cell can bridge."""

from dataclasses import asdict
from typing import TYPE_CHECKING, Annotated, Any

import typer

from forecaster.cli.flags import AddressFlag, EngineFlag, chosen_cells, chosen_engine
from forecaster.cli.lab.flags import CellsFlag, JobsFlag, whole_numbers
from forecaster.cli.results import SaveFlag, check_save, keep, save_picture
from forecaster.cli.screen import (
    HomeFlag,
    JsonFlag,
    QuietFlag,
    figures_table,
    open_settings,
    print_json,
    print_picture,
    stderr_console,
    stdout_console,
)
from forecaster.settings import CELL_TITLES, CELLS

if TYPE_CHECKING:
    from forecaster.laboratory.memory.lags import LagResult
    from forecaster.laboratory.memory.training import Trial

_ERRORS = {
    "adding": "mean squared error",
    "order": "share of wrong orders",
    "agreement": "share of wrong verbs",
}


def memory(
    context: typer.Context,
    task: Annotated[str, typer.Option("--task", help="adding, order or agreement.")] = "adding",
    lags: Annotated[str, typer.Option("--lags", help="Steps of a sequence.")] = "10,50,100,200,400",
    cells: CellsFlag = "all",
    seeds: Annotated[int, typer.Option("--seeds", help="Runs of each.", min=1, max=100)] = 3,
    units: Annotated[
        int, typer.Option("--units", help="Of the GRU; the others get as many parameters.", min=1, max=256)
    ] = 32,
    steps: Annotated[
        int, typer.Option("--steps", help="Most optimiser steps of 64 sequences.", min=1, max=1_000_000)
    ] = 2000,
    start: Annotated[
        str, typer.Option("--start", help="open: gates begin open for the lag; keras: its defaults.")
    ] = "open",
    jobs: JobsFlag = 2,
    engine: EngineFlag = "local",
    address: AddressFlag = None,
    save: SaveFlag = None,
    json: JsonFlag = False,
    quiet: QuietFlag = False,
    home: HomeFlag = None,
) -> None:
    """Success by lag on the adding problem, temporal order or number agreement, at equal parameters.

    Finished trials are kept under reports/lab/ and not run again; stop it and go on at any time.
    """
    from forecaster.laboratory.memory.lags import RESULTS, plan_trials, run_memory
    from forecaster.laboratory.memory.tasks import LONGEST, SHORTEST
    from forecaster.laboratory.trials import ResultsFile

    check_save(save)
    _check(task, start)
    chosen = chosen_cells(cells, CELLS)
    trials = plan_trials(
        task, chosen, whole_numbers("--lags", lags, SHORTEST, LONGEST), seeds, units, steps, start
    )
    kept = ResultsFile(open_settings(context, home).home, RESULTS)
    notes = stderr_console(quiet=quiet)

    def report(trial: "Trial", outcome: dict[str, Any], left: int) -> None:
        state = "solved" if outcome["solved"] else "not solved"
        notes.print(
            f"{trial.cell} lag {trial.lag} seed {trial.seed}: {state} after {outcome['steps']:,} steps, "
            f"{outcome['seconds']:.0f} s; {left} to come",
            soft_wrap=True,
        )

    with chosen_engine(engine, address):
        rows = run_memory(trials, kept, jobs, report)
    content = {"task": task, "start": start, "steps": steps, "rows": [_row(row) for row in rows]}
    keep(kept.home, "forecast.lab-memory/1", content)
    save_picture(save, "forecast.lab-memory/1", content, quiet=quiet)
    if json:
        print_json("forecast.lab-memory/1", content)
        return
    screen = stdout_console(quiet=quiet)
    screen.print(_table(task, rows, start))
    _legend(task, steps, screen)
    print_picture(screen, _picture(rows))


def _check(task: str, start: str) -> None:
    from forecaster.errors import UsageError
    from forecaster.laboratory.memory.tasks import TASKS
    from forecaster.laboratory.memory.training import STARTS

    if task not in TASKS:
        raise UsageError(f"--task {task} is not known", f"choose from {', '.join(TASKS)}")
    if start not in STARTS:
        raise UsageError(f"--start {start} is not known", f"choose from {', '.join(STARTS)}")


def _table(task: str, rows: "list[LagResult]", start: str) -> Any:
    begun = "gates begin open" if start == "open" else "Keras's initial weights"
    headings = ("units", "params", "lag", "solved", "error", "steps", "seconds")
    table = figures_table(f"{task.capitalize()}, equal parameters, {begun}", "cell", *headings)
    last = rows[0].lag
    for row in rows:
        if row.lag != last:
            table.add_section()
            last = row.lag
        table.add_row(
            CELL_TITLES[row.cell],
            str(row.units),
            f"{row.parameters:,}",
            str(row.lag),
            f"{row.solved} of {row.seeds}",
            f"{row.error:.4f}",
            f"{row.steps:,.0f}",
            f"{row.seconds:.0f}",
        )
    return table


def _legend(task: str, steps: int, screen: Any) -> None:
    from forecaster.laboratory.memory.training import GUESSING, SOLVED

    screen.print()
    screen.print(f"error: {_ERRORS[task]} on 1,000 new sequences, median of seeds.", style="dim")
    screen.print(
        f"Guessing has {GUESSING[task]:.3f}; solved is {SOLVED[task]:g} or less within {steps:,} steps of 64 "
        "sequences.",
        style="dim",
    )


def _picture(rows: "list[LagResult]") -> str:
    """A line a cell, a column a lag, a dot a seed."""
    lags = sorted({row.lag for row in rows})
    wide = max(*(row.seeds for row in rows), 4) + 2
    lines = ["\nlag".ljust(13) + "".join(str(lag).ljust(wide) for lag in lags)]
    for cell in dict.fromkeys(row.cell for row in rows):
        dots = {
            row.lag: "●" * row.solved + "○" * (row.seeds - row.solved) for row in rows if row.cell == cell
        }
        lines.append(CELL_TITLES[cell].ljust(12) + "".join(dots[lag].ljust(wide) for lag in lags))
    return "\n".join([*(line.rstrip() for line in lines), "● a seed that solved it  ○ one that did not"])


def _row(row: "LagResult") -> dict[str, Any]:
    return asdict(row) | {"share": row.share}
