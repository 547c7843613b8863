"""`forecast models`: list, show, promote, roll back, verify, remove, prune and export trained models."""

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from forecaster.cli.completion import complete_models, complete_names
from forecaster.cli.screen import (
    HomeFlag,
    JsonFlag,
    figures_table,
    headline,
    now,
    open_settings,
    print_json,
    stderr_console,
    stdout_console,
)
from forecaster.errors import ExitCode, UsageError
from forecaster.settings import LINEAR, cell_text

if TYPE_CHECKING:
    from forecaster.registry.promotion import Change
    from forecaster.registry.versions import ModelRegistry


models_app = typer.Typer(
    no_args_is_help=True, help="The trained models: what each is worth, and which is in service."
)


@models_app.command("list")
def list_models(context: typer.Context, json: JsonFlag = False, home: HomeFlag = None) -> None:
    """List every version of every model; the one in service has a star."""
    from forecaster.registry.versions import ModelRegistry

    registry = ModelRegistry(open_settings(context, home).home)
    rows = _rows(registry)
    if json:
        print_json("forecast.models-list/1", {"models": rows})
    elif not rows:
        stderr_console().print(
            f"No model has been trained in {registry.home}; run `forecast train`.", soft_wrap=True
        )
    else:
        _show_list(rows)


@models_app.command("show")
def show_model(
    context: typer.Context,
    model: Annotated[
        str, typer.Argument(help="NAME or NAME@VERSION.", show_default=False, autocompletion=complete_models)
    ],
    json: JsonFlag = False,
    home: HomeFlag = None,
) -> None:
    """Show one version's card: recipe, data, cost and test scores."""
    from forecaster.registry.versions import ModelRegistry

    registry = ModelRegistry(open_settings(context, home).home)
    name, version = registry.resolve(model)
    card = registry.card(name, version)
    service = _service(registry, name, version)
    if json:
        print_json("forecast.models-show/2", {**card, "service": service})
    else:
        _show_card(card, service)


def _rows(registry: "ModelRegistry") -> list[dict[str, Any]]:
    return [_row(registry, name, version) for name in registry.names() for version in registry.versions(name)]


def _row(registry: "ModelRegistry", name: str, version: int) -> dict[str, Any]:
    """What the list says of a version; a damaged one is listed as such."""
    from forecaster.errors import ForecastError

    row: dict[str, Any] = {
        "name": name,
        "version": version,
        "champion": _is_champion(registry, name, version),
    }
    try:
        card = registry.card(name, version)
        recipe, first = card["recipe"], card["scores"]["1"]
        return row | {
            "cell": recipe["cell"],
            "units": recipe["units"],
            "ensemble": recipe.get("ensemble", 1),
            "parameters": card["parameters"],
            "horizon": recipe["horizon"],
            "tickers": len(card["tickers"]),
            "train_end": card["split"]["train_end"],
            "created": card["created"],
            "crps": first["crps"],
            "skill": first["skill"],
            "damage": None,
        }
    except (ForecastError, KeyError) as error:
        return row | {"damage": str(error)}


def _is_champion(registry: "ModelRegistry", name: str, version: int) -> bool:
    from forecaster.errors import ForecastError

    try:
        return registry.champion(name) == version
    except ForecastError:
        return False


def _service(registry: "ModelRegistry", name: str, version: int) -> list[dict[str, str]]:
    """When and why the version was put into service; nothing where the history cannot be read."""
    from forecaster.errors import BadInputError
    from forecaster.registry.history import read_history

    try:
        history = read_history(registry.folder / name)
    except BadInputError:
        return []
    return [{"when": entry.when, "why": entry.why} for entry in history if entry.version == version]


def _show_list(rows: list[dict[str, Any]]) -> None:
    headings = ("network", "steps", "tickers", "trained to", "created", "CRPS", "skill")
    table = figures_table(None, "model", *headings)
    name, _, *figures = table.columns
    name.no_wrap, name.overflow = False, "fold"  # a name of 64 letters may break, figures may not
    for column in figures:
        column.no_wrap = True
    for row in rows:
        label = f"{row['name']}@{row['version']}{' *' if row['champion'] else ''}"
        if row["damage"]:
            table.add_row(label, "unusable", *[""] * 6, style="red")
            continue
        table.add_row(
            label,
            _sized(row, f" {row['units']}"),
            str(row["horizon"]),
            str(row["tickers"]),
            row["train_end"],
            row["created"][:10],
            f"{row['crps'] * 1e4:.2f}",
            f"{row['skill']:+.1%}",
        )
    screen = stdout_console()
    screen.print(table)
    screen.print(
        "* in service. CRPS ×10⁻⁴, and skill over the naive forecast: one day ahead, on the test days.",
        style="dim",
    )
    if any(row["damage"] for row in rows):
        screen.print("`forecast models verify` says why a version is unusable.", style="dim")


def _show_card(card: dict[str, Any], service: list[dict[str, str]]) -> None:
    from rich.table import Table

    screen = stdout_console()
    screen.print(headline(f"{card['name']}@{card['version']}", f", trained {card['created']}"))
    table = Table(show_header=False)
    table.add_column("what", style="dim", no_wrap=True)
    table.add_column("value")
    for what, value in _card_lines(card):
        table.add_row(what, value)
    for entry in service:
        table.add_row("into service", f"{entry['when'][:16].replace('T', ' ')}, {entry['why']}")
    screen.print(table)


def _sized(recipe: Mapping[str, Any], sizes: str) -> str:
    """A cell with its sizes, of an ensemble how often; a linear-t has none."""
    if recipe["cell"] == LINEAR:
        return "linear-t"
    return f"{cell_text(recipe)}{sizes}"


def _card_lines(card: dict[str, Any]) -> list[tuple[str, str]]:
    training, split, recipe = card["training"], card["split"], card["recipe"]
    tickers = card["tickers"]
    named = ", ".join(tickers[:12]) + (" …" if len(tickers) > 12 else "")
    sized = _sized(recipe, f", {recipe['layers']} × {recipe['units']} units")
    epochs = f"epoch {training['best_epoch']} of {training['epochs_run']}"
    machine = f"{training['engine']} on {training['device']}"
    return [
        ("network", f"{sized}, {card['parameters']:,} parameters"),
        ("bidirectional", "yes" if recipe["bidirectional"] else "no"),
        ("lookback, horizon", f"{recipe['lookback']} days, {recipe['horizon']} steps"),
        ("features", ", ".join(card["features"])),
        ("tickers", f"{len(tickers)}: {named}{_chosen_by(card)}"),
        ("trained on", f"{split['train_start']} to {split['train_end']}"),
        ("validated, tested to", f"{split['validation_end']}, {split['test_end']}"),
        *_descent_lines(card),
        ("training", f"{training['seconds']:.1f} s, {epochs}, seed {recipe['seed']}, {machine}"),
        ("prices to", card["prices"]["last_day"]),
        ("versions", ", ".join(f"{name} {number}" for name, number in card["versions"].items())),
        *((f"test, step {step}", _score_line(scores)) for step, scores in card["scores"].items()),
    ]


def _chosen_by(card: dict[str, Any]) -> str:
    if card.get("universe"):
        return f" (members of {card['universe']['name']})"
    return " (all that the store had)" if card.get("whole_store") else ""


def _descent_lines(card: dict[str, Any]) -> list[tuple[str, str]]:
    """Where the version comes from, what the gate said, and how it was refitted."""
    lines = []
    if card.get("parent"):
        lines.append(("parent", f"{card['name']}@{card['parent']}"))
    if card.get("gate"):
        gate = card["gate"]
        passed = "passed" if gate["promote"] else "rejected"
        lines.append(("gate", f"{passed} on {gate['first_day']} to {gate['last_day']}: {gate['reason']}"))
    if card.get("refit"):
        refit = card["refit"]
        told = f"through {refit.get('trained_to')}; these weights forecast"
        lines.append(("refitted", f"no: {refit['refused']}" if refit["refused"] else told))
    return lines


def _score_line(scores: dict[str, Any]) -> str:
    from forecaster.evaluation.verdict import say_p

    skill = f"{scores['skill']:+.1%} ({say_p(scores['p_value'])})"
    return (
        f"CRPS {scores['crps'] * 1e4:.2f}×10⁻⁴, skill {skill}, "
        f"90 % coverage {scores['coverage_90']:.1%}, MAE {scores['mae']:.3f}"
    )


FORMATS = ("keras", "onnx", "mlflow")


def export(
    context: typer.Context,
    model: Annotated[
        str,
        typer.Argument(
            metavar="NAME[@VERSION]",
            help="What to export.",
            show_default=False,
            autocompletion=complete_models,
        ),
    ],
    folder: Annotated[
        str | None,
        typer.Argument(metavar="[DIR]", help="Where to, in place of --output.", show_default=False),
    ] = None,
    output: Annotated[
        str | None,
        typer.Option(
            "--output", metavar="DIR", help="Folder; for mlflow also a server's address.", show_default=False
        ),
    ] = None,
    to: Annotated[str, typer.Option("--to", help="keras, onnx or mlflow.")] = "keras",
    json: JsonFlag = False,
    home: HomeFlag = None,
) -> None:
    """Export a version: its Keras file, the network as ONNX, or all of it to MLflow.

    keras and onnx write NAME-VERSION.keras or .onnx, and the card beside it as NAME-VERSION.json: inputs are
    the features that it names, in that order. The outputs of the ONNX network are location, scale and
    degrees_of_freedom at each day, in units of σ(t)·√h. mlflow makes a run with recipe, scores and files in
    DIR/mlflow.db or on the server, and registers it; a version that is there already is left as it is.
    """
    from forecaster.registry.versions import ModelRegistry

    if to not in FORMATS:
        raise UsageError(f"--to {to} is not known", f"choose from {', '.join(FORMATS)}")
    if (folder is None) == (output is None):
        raise UsageError("where to export is not clear", "name one folder: --output out")
    target = folder or output or ""
    registry = ModelRegistry(open_settings(context, home).home)
    content: dict[str, str | list[str]]
    if to == "mlflow":
        from forecaster.registry.mlflow_export import export_to_mlflow

        run, new = export_to_mlflow(registry, model, target)
        told, content = f"MLflow's run {run}" + ("" if new else ", which was there already"), {"run": run}
    else:
        from forecaster.registry.export import export_files

        files = [str(path) for path in export_files(registry, model, Path(target).expanduser(), to)]
        told, content = " and ".join(files), {"files": files}
    if json:
        print_json("forecast.models-export/1", {"model": model, "to": to, **content})
    else:
        stdout_console().print(f"Exported: {told}", soft_wrap=True)


NameArgument = Annotated[
    str, typer.Argument(metavar="NAME", help="The model.", show_default=False, autocompletion=complete_names)
]


def promote(
    context: typer.Context,
    model: Annotated[
        str,
        typer.Argument(
            metavar="NAME@VERSION",
            help="The version to serve.",
            show_default=False,
            autocompletion=complete_models,
        ),
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
            metavar="[NAME[@VERSION]]",
            help="Only this; all if none is given.",
            show_default=False,
            autocompletion=complete_models,
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
        screen = stdout_console()
        for name, complaints in damaged.items():
            screen.print(f"{name}: {'; '.join(complaints)}", soft_wrap=True)
        screen.print(f"Versions checked: {versions:,}; damaged: {len(damaged):,}.")
        if damaged:
            screen.print("`forecast models rollback` or `promote` puts a sound version into service.")
    if damaged:
        raise typer.Exit(ExitCode.FAILED)


def remove(
    context: typer.Context,
    model: Annotated[
        str,
        typer.Argument(
            metavar="NAME[@VERSION]",
            help="What to remove.",
            show_default=False,
            autocompletion=complete_models,
        ),
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
        print_json("forecast.models-promote/1", document)  # a rollback is a promotion too
        return
    reference = f"{change.name}@{change.version}"
    if change.before == change.version:
        text = f"{reference} was in service already."
    elif change.before is None:
        text = f"{reference} is in service."
    else:
        text = f"{reference} is in service, in place of {change.name}@{change.before}."
    stdout_console().print(text, soft_wrap=True)


def _show_removed(name: str, versions: list[int], *, json: bool) -> None:
    if json:
        print_json("forecast.models-remove/1", {"name": name, "versions": versions})
        return
    named = ", ".join(f"{name}@{version}" for version in versions)
    stdout_console().print(f"Removed: {named or 'nothing'}.", soft_wrap=True)


for command in (promote, rollback, verify, remove, prune, export):
    models_app.command()(command)
