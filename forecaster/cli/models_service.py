"""`forecast models promote`, `rollback`, `verify`, `remove` and `prune`."""

from typing import TYPE_CHECKING, Annotated

import typer

from forecaster.cli.screen import HomeFlag, JsonFlag, now, open_settings, print_json, results
from forecaster.errors import ExitCode

if TYPE_CHECKING:
    from forecaster.registry.promotion import Change

NameArgument = Annotated[str, typer.Argument(metavar="NAME", help="The model.", show_default=False)]


def promote(
    context: typer.Context,
    model: Annotated[
        str, typer.Argument(metavar="NAME@VERSION", help="The version to serve.", show_default=False)
    ],
    json: JsonFlag = False,
    home: HomeFlag = None,
) -> None:
    """Put a version into service, once it is found to be sound."""
    from forecaster.registry import promotion as service
    from forecaster.registry.versions import ModelRegistry

    registry = ModelRegistry(open_settings(context, home).home)
    _show_change(service.promote(registry, model, now()), json=json)


def rollback(
    context: typer.Context, name: NameArgument, json: JsonFlag = False, home: HomeFlag = None
) -> None:
    """Put into service what was before; a second time goes one further back."""
    from forecaster.registry.promotion import roll_back
    from forecaster.registry.versions import ModelRegistry

    registry = ModelRegistry(open_settings(context, home).home)
    _show_change(roll_back(registry, name, now()), json=json)


def verify(
    context: typer.Context,
    model: Annotated[
        str | None,
        typer.Argument(
            metavar="[NAME[@VERSION]]", help="Only this; all if none is given.", show_default=False
        ),
    ] = None,
    json: JsonFlag = False,
    home: HomeFlag = None,
) -> None:
    """Check every file's digest and what is in service; exit with 1 if any is damaged."""
    from forecaster.registry import maintenance as housekeeping
    from forecaster.registry.versions import ModelRegistry

    found = housekeeping.verify(ModelRegistry(open_settings(context, home).home), model)
    damaged = {name: complaints for name, complaints in found.items() if complaints}
    versions = sum("@" in name for name in found)
    if json:
        listed = [{"model": name, "complaints": complaints} for name, complaints in damaged.items()]
        print_json("forecast.models-verify/1", {"checked": versions, "damaged": listed})
    else:
        screen = results()
        for name, complaints in damaged.items():
            screen.print(f"{name}: {'; '.join(complaints)}", markup=False, soft_wrap=True)
        screen.print(f"Versions checked: {versions:,}; damaged: {len(damaged):,}.")
        if damaged:
            screen.print("`forecast models rollback` or `promote` puts a sound version into service.")
    if damaged:
        raise typer.Exit(ExitCode.FAILED)


def remove(
    context: typer.Context,
    model: Annotated[
        str, typer.Argument(metavar="NAME[@VERSION]", help="What to remove.", show_default=False)
    ],
    yes: Annotated[bool, typer.Option("--yes", help="Remove all of NAME, what is in service too.")] = False,
    json: JsonFlag = False,
    home: HomeFlag = None,
) -> None:
    """Remove a version that is not in service, or with --yes all of a name."""
    from forecaster.registry import maintenance as housekeeping
    from forecaster.registry.versions import ModelRegistry

    registry = ModelRegistry(open_settings(context, home).home)
    gone = housekeeping.remove(registry, model, whole=yes)
    _show_removed(model.partition("@")[0], gone, json=json)


def prune(
    context: typer.Context,
    name: NameArgument,
    keep: Annotated[
        int, typer.Option("--keep", min=1, help="How many of the newest to keep.", show_default=False)
    ],
    json: JsonFlag = False,
    home: HomeFlag = None,
) -> None:
    """Remove old versions; the one in service stays, whatever its age."""
    from forecaster.registry import maintenance as housekeeping
    from forecaster.registry.versions import ModelRegistry

    registry = ModelRegistry(open_settings(context, home).home)
    _show_removed(name, housekeeping.prune(registry, name, keep), json=json)


def _show_change(change: "Change", *, json: bool) -> None:
    if json:
        document = {"name": change.name, "version": change.version, "before": change.before}
        print_json("forecast.models-service/1", document)
        return
    reference = f"{change.name}@{change.version}"
    if change.before == change.version:
        text = f"{reference} was in service already."
    elif change.before is None:
        text = f"{reference} is in service."
    else:
        text = f"{reference} is in service, in place of {change.name}@{change.before}."
    results().print(text, soft_wrap=True)


def _show_removed(name: str, versions: list[int], *, json: bool) -> None:
    if json:
        print_json("forecast.models-removed/1", {"name": name, "versions": versions})
        return
    named = ", ".join(f"{name}@{version}" for version in versions)
    results().print(f"Removed: {named or 'nothing'}.", soft_wrap=True)
