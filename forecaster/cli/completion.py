"""What a shell offers after TAB: stored tickers, models, universes, and the choices of a setting.

All of it is read from the names of files, and an error offers nothing: a shell has no place for its message.
"""

import os
from collections.abc import Callable, Sequence
from contextlib import suppress
from functools import wraps
from pathlib import Path
from typing import Annotated

import typer

from forecaster.settings import ALL_CELLS, CELLS, find_home

Completer = Callable[[typer.Context, str], list[str]]


def _silent(find: Completer) -> Completer:
    @wraps(find)
    def complete(context: typer.Context, incomplete: str) -> list[str]:
        with suppress(Exception):
            return find(context, incomplete)
        return []

    return complete


@_silent
def complete_tickers(context: typer.Context, incomplete: str) -> list[str]:
    """The stored tickers, in small letters to whoever begins with one."""
    from forecaster.prices.store import PriceStore

    tickers = PriceStore(_home(context)).tickers()
    return [ticker.lower() for ticker in tickers] if incomplete.islower() else tickers


@_silent
def complete_names(context: typer.Context, incomplete: str) -> list[str]:  # noqa: ARG001  (the shell's word)
    """The names of the trained models."""
    from forecaster.registry.versions import ModelRegistry

    return ModelRegistry(_home(context)).names()


@_silent
def complete_models(context: typer.Context, incomplete: str) -> list[str]:  # noqa: ARG001
    """Each name, and each of its versions as NAME@VERSION."""
    from forecaster.registry.versions import ModelRegistry

    registry = ModelRegistry(_home(context))
    versions = {name: registry.versions(name) for name in registry.names()}
    return [each for name in versions for each in (name, *(f"{name}@{number}" for number in versions[name]))]


@_silent
def complete_universes(context: typer.Context, incomplete: str) -> list[str]:  # noqa: ARG001
    """The universes that ship with the tool, and those under data/universe/; a shell adds files itself."""
    own = sorted(path.stem for path in (_home(context) / "data" / "universe").glob("*.csv"))
    return list(dict.fromkeys(["sp500", "sample", *own]))


def _cells_completer(cells: Sequence[str]) -> Completer:
    """Of some of the cells with commas between them, or all."""

    def complete(context: typer.Context, incomplete: str) -> list[str]:  # noqa: ARG001
        before, comma, _ = incomplete.rpartition(",")
        given = before.split(",")
        left = [f"{before}{comma}{cell}" for cell in cells if cell not in given]
        return left if comma else [*left, "all"]

    return complete


complete_cells, complete_daily_cells = _cells_completer(ALL_CELLS), _cells_completer(CELLS)


def complete_choices(*choices: str) -> Completer:
    """A completer of fixed words."""

    def complete(context: typer.Context, incomplete: str) -> list[str]:  # noqa: ARG001
        return list(choices)

    return complete


def _home(context: typer.Context) -> Path:
    """The home folder, as the words before the cursor, the environment or the current folder choose it."""
    chosen = context.params.get("home") or context.find_root().params.get("home")
    return find_home(chosen and Path(chosen), os.environ, Path.cwd())


ModelFlag = Annotated[
    str | None,
    typer.Option(
        "--model",
        help="NAME or NAME@VERSION.",
        show_default="main's champion",
        autocompletion=complete_models,
    ),
]
