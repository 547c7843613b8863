"""`forecast models`: what has been trained, what each is worth, and which is in service."""

from typing import TYPE_CHECKING, Annotated, Any

import typer

from forecaster.cli.models_export import export
from forecaster.cli.models_service import promote, prune, remove, rollback, verify
from forecaster.cli.screen import (
    HomeFlag,
    JsonFlag,
    figures_table,
    open_settings,
    print_json,
    remarks,
    results,
)

if TYPE_CHECKING:
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
        print_json("forecast.models/1", {"models": rows})
    elif not rows:
        remarks().print(
            f"No model has been trained in {registry.home}; run `forecast train`.", soft_wrap=True
        )
    else:
        _show_list(rows)


@models_app.command("show")
def show_model(
    context: typer.Context,
    model: Annotated[str, typer.Argument(help="NAME or NAME@VERSION.", show_default=False)],
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
        print_json("forecast.model/2", {**card, "service": service})
    else:
        _show_card(card, service)


for command in (promote, rollback, verify, remove, prune, export):
    models_app.command()(command)


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
    headings = ("network", "tickers", "trained to", "created", "CRPS ×10⁻⁴", "skill")
    table = figures_table(None, "model", *headings)
    name, _, *figures = table.columns
    name.no_wrap, name.overflow = False, "fold"  # a name of 64 letters may break, figures may not
    for column in figures:
        column.no_wrap = True
    for row in rows:
        label = f"{row['name']}@{row['version']}{' *' if row['champion'] else ''}"
        if row["damage"]:
            table.add_row(label, "unusable", *[""] * 5, style="red")
            continue
        table.add_row(
            label,
            f"{row['cell']} {row['units']}, {row['horizon']} steps",
            str(row["tickers"]),
            row["train_end"],
            row["created"][:10],
            f"{row['crps'] * 1e4:.2f}",
            f"{row['skill']:+.1%}",
        )
    screen = results()
    screen.print(table)
    screen.print(
        "* in service. CRPS and skill over the naive forecast: one day ahead, on the test days.", style="dim"
    )
    if any(row["damage"] for row in rows):
        screen.print("`forecast models verify` says why a version is unusable.", style="dim")


def _show_card(card: dict[str, Any], service: list[dict[str, str]]) -> None:
    from rich.table import Table

    screen = results()
    screen.print(f"[bold]{card['name']}@{card['version']}[/bold], trained {card['created']}")
    table = Table(show_header=False)
    table.add_column("what", style="dim", no_wrap=True)
    table.add_column("value")
    for what, value in _card_lines(card):
        table.add_row(what, value)
    for entry in service:
        table.add_row("into service", f"{entry['when'][:16].replace('T', ' ')}, {entry['why']}")
    screen.print(table)


def _card_lines(card: dict[str, Any]) -> list[tuple[str, str]]:
    training, split, recipe = card["training"], card["split"], card["recipe"]
    tickers = card["tickers"]
    named = ", ".join(tickers[:12]) + (" …" if len(tickers) > 12 else "")
    sizes = f"{recipe['layers']} × {recipe['units']} units"
    epochs = f"epoch {training['best_epoch']} of {training['epochs_run']}"
    machine = f"{training['engine']} on {training['device']}"
    return [
        ("network", f"{recipe['cell']}, {sizes}, {card['parameters']:,} parameters"),
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
        passed = "passed" if gate["promote"] else "refused"
        lines.append(("gate", f"{passed} on {gate['first_day']} to {gate['last_day']}: {gate['reason']}"))
    if card.get("refit"):
        refit = card["refit"]
        told = f"through {refit.get('trained_to')}; these weights forecast"
        lines.append(("refitted", f"no: {refit['refused']}" if refit["refused"] else told))
    return lines


def _score_line(scores: dict[str, Any]) -> str:
    from forecaster.evaluation.verdict import show_p

    skill = f"{scores['skill']:+.1%} (p = {show_p(scores['p_value'])})"
    return (
        f"CRPS {scores['crps'] * 1e4:.2f}×10⁻⁴, skill {skill}, "
        f"90 % interval held {scores['coverage_90']:.1%}, MAE {scores['mae']:.3f}"
    )
