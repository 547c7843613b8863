"""The flags that choose what a network is trained on and how, the same wherever one is trained."""

import functools
import inspect
from collections.abc import Callable, Mapping, Sequence
from dataclasses import fields, replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from forecaster.cli.completion import complete_cells, complete_choices, complete_tickers, complete_universes
from forecaster.cli.screen import HomeFlag, open_settings, stderr_console
from forecaster.errors import UsageError, name_some
from forecaster.settings import ALL_CELLS, CELL_TITLES, CONVLSTM, Recipe, check_cell, override

if TYPE_CHECKING:
    from contextlib import AbstractContextManager

    from rich.console import Console

    from forecaster.dataset.training_set import TrainingSet


TrainingTickers = Annotated[
    list[str] | None,
    typer.Argument(
        help="Tickers to train on (all that are stored).", show_default=False, autocompletion=complete_tickers
    ),
]
TrainingUniverse = Annotated[
    str | None,
    typer.Option(
        "--universe",
        metavar="sp500|sample|FILE",
        help="Train on its stored members, each while it was one.",
        show_default=False,
        autocompletion=complete_universes,
    ),
]
AllDaysFlag = Annotated[
    bool, typer.Option("--all-days", help="With --universe: count days before and after membership too.")
]
CellsFlag = Annotated[
    str,
    typer.Option(
        "--cells",
        help=f"Cells to compare, with commas: {', '.join(ALL_CELLS)}; or all.",
        autocompletion=complete_cells,
    ),
]
MatchFlag = Annotated[
    str, typer.Option("--match", help="units: equal units; parameters: about equal parameters.")
]
ENGINES = ("local", "ray")
EngineFlag = Annotated[
    str, typer.Option("--engine", metavar="local|ray", help="This machine, or a Ray cluster.")
]
AddressFlag = Annotated[
    str | None,
    typer.Option(
        "--address",
        metavar="HOST:PORT|auto",
        help="The cluster's head node (--engine ray; without it one of this machine's cores).",
        show_default=False,
    ),
]
SeedsFlag = Annotated[int, typer.Option("--seeds", help="Runs of each cell.", min=1, max=1000)]
BaselinesFlag = Annotated[
    str | None,
    typer.Option(
        "--baselines",
        metavar="NAMES",
        help="Further baselines, with commas: garch-t, gjr-t, historical, auto-arima, auto-ets, theta, "
        "boosting; or all.",
        show_default=False,
    ),
]
ForecastsFlag = Annotated[
    Path | None,
    typer.Option(
        "--output",
        metavar="FILE",
        help="Every test forecast, to a .parquet or .csv file.",
        show_default=False,
    ),
]

_DEFAULT = Recipe()
_CHOICES: Mapping[str, tuple[str, ...]] = {
    part.name: part.metadata["bounds"].choices for part in fields(Recipe)
}


def _flag(kind: Any, name: str, help_text: str, default: str | None = None) -> inspect.Parameter:
    """One flag that is None unless given, so that the settings decide; the help shows their default."""
    flag, choices = "--" + name.replace("_", "-"), _CHOICES[name]
    option = typer.Option(
        flag,
        help=help_text,
        show_default=default or str(getattr(_DEFAULT, name)),
        autocompletion=complete_choices(*choices) if choices else None,
    )
    return inspect.Parameter(
        name, inspect.Parameter.KEYWORD_ONLY, default=None, annotation=Annotated[kind | None, option]
    )


_FLAGS = (
    _flag(str, "cell", f"Recurrent cell: {', '.join(ALL_CELLS)}."),
    _flag(int, "lookback", "Days that the network sees; of convlstm whole weeks, a multiple of 5."),
    _flag(int, "horizon", "Days ahead, each a step."),
    _flag(int, "units", "Units in a layer."),
    _flag(int, "layers", "Recurrent layers."),
    _flag(bool, "bidirectional", "Read the window both ways; then only its last day is supervised.", "off"),
    _flag(float, "dropout", "Share of a layer's outputs dropped in training."),
    _flag(int, "epochs", "Most epochs.", "from the data: 4 for the index"),
    _flag(int, "batch_size", "Windows a step.", "from the data: 256 for the index"),
    _flag(float, "learning_rate", "Adam's first step size; it decays to zero."),
    _flag(int, "seed", "Seed of all randomness."),
    _flag(int, "ensemble", "Networks of other seeds, whose answers are averaged."),
    _flag(str, "features", "all: also of earnings dates, where they are stored; or prices."),
    _flag(str, "train_end", "Last day of training targets.", "75 % of the days"),
    _flag(str, "validation_end", "Last day of validation targets.", "85 % of the days"),
    _flag(str, "precision", "float32; or mixed: recurrent layers train in bfloat16, for GPUs."),
    _flag(str, "device", "Where to compute: auto, cpu, gpu; or gpus, which share each batch (JAX)."),
)


def training_flags(*left_out: str) -> Callable[[Callable[..., None]], Callable[..., None]]:
    """Give a command --home and the training flags.

    The command takes the keywords `settings`, those of the home folder, and `recipe`: the settings'
    recipe with the flags over it.
    """
    chosen = [flag for flag in _FLAGS if flag.name not in left_out]
    keyword = inspect.Parameter.KEYWORD_ONLY
    context = inspect.Parameter("context", keyword, annotation=typer.Context)
    home = inspect.Parameter("home", keyword, default=None, annotation=HomeFlag)

    def decorate(command: Callable[..., None]) -> Callable[..., None]:
        own = inspect.signature(command, eval_str=True)

        @functools.wraps(command)
        def run(**values: Any) -> None:
            flags = {flag.name: values.pop(flag.name) for flag in chosen}
            settings = open_settings(values.pop("context"), values.pop("home"))
            recipe = override(settings.train, flags)
            if "cell" not in left_out:
                check_cell(recipe)
            command(**values, settings=settings, recipe=recipe)

        kept = [
            parameter.replace(kind=keyword)
            for parameter in own.parameters.values()
            if parameter.name not in ("settings", "recipe")
        ]
        every = [context, *kept, home, *chosen]
        run.__signature__ = own.replace(parameters=every)  # type: ignore[attr-defined]
        run.__annotations__ = {flag.name: flag.annotation for flag in every}
        return run

    return decorate


def chosen_cells(text: str, known: Sequence[str] = ALL_CELLS) -> list[str]:
    """The cells that `--cells` names, with commas between them, or `all`.

    Args:
        text: as it was written.
        known: the cells that the command takes.

    Raises:
        UsageError: one of them is none.
    """
    if text.strip().lower() == "all":
        return list(known)
    chosen = list(dict.fromkeys(part.strip().lower() for part in text.split(",") if part.strip()))
    unknown = [cell for cell in chosen if cell not in known]
    if unknown or not chosen:
        weekly = CONVLSTM in unknown
        fault = "has a cell that reads weeks, and a step is a day here" if weekly else "names no known cell"
        raise UsageError(f"--cells {text!r} {fault}", f"choose from {', '.join(known)} or all")
    return chosen


def last_day_note(cells: Sequence[str], recipe: Recipe) -> str:
    """Why only the last day of each window is supervised, and of which cells; empty if of none.

    Raises:
        UsageError: one of the cells cannot read such windows.
    """
    for cell in cells:
        check_cell(replace(recipe, cell=cell))
    only = "only the last day of each window is supervised."
    if recipe.bidirectional:
        return f"A bidirectional layer sees later days: {only}"
    return f"A {CELL_TITLES[CONVLSTM]} reads whole weeks: with it {only}" if CONVLSTM in cells else ""


def extra_baselines(text: str | None) -> tuple[str, ...]:
    """The baselines that `--baselines` names.

    Raises:
        UsageError: one of them is none, or needs what is not installed.
    """
    from forecaster.evaluation.extra_baselines import chosen_baselines

    return () if text is None else chosen_baselines(text.lower().replace(" ", "").split(","))


def checked_match(match: str) -> str:
    """How the cells' sizes are matched, as `--match` says.

    Raises:
        UsageError: it is neither units nor parameters.
    """
    if match not in ("units", "parameters"):
        raise UsageError(f"--match {match} is not known", "choose units or parameters")
    return match


def show_universe(universe: Mapping[str, Any] | None, console: "Console") -> None:
    """How many of the members are there, and how many rows count as targets."""
    if universe is None:
        return
    known = f" (changes known to {universe['known_to']})" if universe["known_to"] else ""
    total, missing = universe["tickers"] + len(universe["missing"]), len(universe["missing"])
    lean = ", so the results lean towards those that are there" if missing else ""
    rows = universe["rows"]
    counted = ", ".join(f"{count['counted']:,} {part}" for part, count in rows.items())
    left_out = sum(count["left_out"] for count in rows.values())
    console.print(
        f"{universe['name']}{known}: members between {universe['first']} and {universe['last']}: {total:,}; "
        f"in the store: {universe['tickers']:,}; missing: {missing:,}{lean}. "
        f"Targets count on {_counting_days(universe)}; rows that count: {counted}; left out: {left_out:,}."
    )


def show_survivorship(found: Mapping[str, Any] | None, console: "Console") -> None:
    """How far the prices are those of survivors, and what that means for the results."""
    if found is None:
        return
    from forecaster.dataset.survivorship import survivorship_text

    console.print(survivorship_text(found))


def show_facts(data: "TrainingSet", facts: "Console") -> None:
    """What a result rests on: the universe, what was left out, and how far prices are those of survivors."""
    show_universe(data.universe, facts)
    warn_of_damaged(data.damaged)
    warn_of_dates(data.dates_fault)
    show_survivorship(data.survivorship, facts)


def warn_of_damaged(damaged: Sequence[str]) -> None:
    """Which tickers are left out, as their price files cannot be read; also where notes are quiet."""
    if damaged:
        stderr_console().print(
            f"warning: left out, as their price files are damaged: {name_some(damaged)}; "
            "run `forecast data verify --repair`, or remove the files and fetch again",
            style="yellow",
            soft_wrap=True,
        )


def warn_of_dates(fault: str) -> None:
    """Why earnings dates are left out, if they could not be read; also where notes are quiet."""
    if fault:
        stderr_console().print(
            f"warning: earnings dates are left out: {fault}", style="yellow", soft_wrap=True
        )


def _counting_days(universe: Mapping[str, Any]) -> str:
    start = universe["complete_from"]
    if universe["targets"] == "days of membership" and start is not None and universe["first"] < start:
        return f"days of membership from {start[:4]} on, on all days before"
    return str(universe["targets"])


def chosen_engine(engine: str, address: str | None) -> "AbstractContextManager[None]":
    """Where what fans out is done meanwhile.

    Raises:
        UsageError: the engine is not known, or has no address.
        UnavailableError: no cluster answers.
    """
    from contextlib import nullcontext

    from forecaster.cluster import cluster

    if engine not in ENGINES:
        raise UsageError(f"--engine {engine} is not known", f"choose from {', '.join(ENGINES)}")
    if engine == "ray":
        return cluster(address)
    if address is not None:
        raise UsageError("--address goes with --engine ray", "add it, or leave the address out")
    return nullcontext()
