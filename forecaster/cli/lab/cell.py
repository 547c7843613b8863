"""`forecast lab cell`: one cell step by step, each equation with its numbers put in."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from forecaster.cli.completion import complete_choices, complete_models, complete_tickers
from forecaster.cli.results import SaveFlag, check_save, save_picture
from forecaster.cli.screen import (
    HomeFlag,
    JsonFlag,
    figures_table,
    headline,
    open_settings,
    print_json,
    print_picture,
    stdout_console,
)
from forecaster.settings import CELL_TITLES, CELLS

if TYPE_CHECKING:
    from rich.console import Console

    from forecaster.laboratory.cells.coupling import Difference
    from forecaster.laboratory.cells.walkthrough import Walk

_WIDEST = 78
_ROUNDING = 1e-12


def cell(
    context: typer.Context,
    ticker: Annotated[
        str | None,
        typer.Argument(
            help="A ticker; its return over its volatility is the input.", autocompletion=complete_tickers
        ),
    ] = None,
    series: Annotated[str | None, typer.Option("--series", help="Numbers instead, like 0.5,-1,0.25.")] = None,
    kind: Annotated[
        str, typer.Option("--cell", help="rnn, lstm or gru.", autocompletion=complete_choices(*CELLS))
    ] = "lstm",
    model: Annotated[
        str | None,
        typer.Option(
            "--model",
            help="A trained model's first layer: NAME or NAME@VERSION.",
            autocompletion=complete_models,
        ),
    ] = None,
    units: Annotated[int, typer.Option("--units", help="Units, if untrained.", min=1, max=64)] = 2,
    days: Annotated[int, typer.Option("--days", help="Last days to run through.", min=1, max=5000)] = 8,
    step: Annotated[
        int | None, typer.Option("--step", help="The step written out.", show_default="the last")
    ] = None,
    unit: Annotated[
        int | None, typer.Option("--unit", help="Only this unit.", show_default="1 and 2")
    ] = None,
    seed: Annotated[int, typer.Option("--seed", help="Of the untrained weights.", min=0)] = 0,
    published: Annotated[
        bool, typer.Option("--published", help="The GRU of the paper, not Keras's default.")
    ] = False,
    coupling: Annotated[
        bool, typer.Option("--coupling", help="Where a GRU is an LSTM with coupled gates, and where not.")
    ] = False,
    save: SaveFlag = None,
    json: JsonFlag = False,
    home: HomeFlag = None,
) -> None:
    """One cell step by step: inputs, gates, candidate, states, as equations with numbers."""
    check_save(save)
    walked = _walk(context, home, ticker, series, kind, model, units, days, seed, published=published)
    chosen_step = _within("--step", step, len(walked.inputs))
    chosen_units = list(range(1, walked.units + 1))[:2]
    if unit is not None:
        chosen_units = [_within("--unit", unit, walked.units)]
    differences = _coupling(walked, seed) if coupling else []
    document = _document(walked, chosen_step, chosen_units, differences)
    save_picture(save, "forecast.lab-cell/1", document, quiet=False)
    if json:
        print_json("forecast.lab-cell/1", document)
        return
    screen = stdout_console()
    for number in chosen_units:
        screen.print(_table(walked, number))
        screen.print()
    _show_step(walked, chosen_step, chosen_units, screen)
    if differences:
        screen.print()
        screen.print(_coupling_table(differences))


def _walk(
    context: typer.Context,
    home: Path | None,
    ticker: str | None,
    series: str | None,
    kind: str,
    model: str | None,
    units: int,
    days: int,
    seed: int,
    *,
    published: bool,
) -> "Walk":
    from forecaster.dataset.panel import choose_tickers, load_panel
    from forecaster.errors import UsageError
    from forecaster.laboratory.cells.series import given_inputs, last_inputs
    from forecaster.laboratory.cells.walkthrough import walk
    from forecaster.laboratory.cells.weights import untrained_weights
    from forecaster.prices.store import PriceStore
    from forecaster.registry.versions import ModelRegistry

    if (ticker is None) == (series is None):
        raise UsageError("give either a ticker or --series", "like `forecast lab cell AAPL`")
    chosen = kind.strip().lower()
    if chosen not in CELLS:
        raise UsageError(f"--cell {kind} is not known", f"choose {', '.join(CELLS[:-1])} or {CELLS[-1]}")
    names: tuple[str, ...] = ("return",)
    reset_after = not published
    settings = open_settings(context, home)
    trained = ModelRegistry(settings.home).load(model).daily() if model else None
    if trained is not None:
        chosen, names, reset_after = trained.cell, trained.features, True
    if series is not None:
        inputs = given_inputs(series)
        labels = [""] * len(inputs)
    else:
        store = PriceStore(settings.home)
        panel = load_panel(store, choose_tickers(store, [str(ticker)]))
        inputs, dates = last_inputs(panel, names, days)
        labels = [str(date) for date in dates]
    if trained is not None and inputs.shape[1] != len(names):
        raise UsageError(f"{model} reads {len(names)} features a day", "give a ticker instead of --series")
    weights = (
        trained.layer_weights(0)
        if trained is not None
        else untrained_weights(chosen, inputs.shape[1], units, seed, reset_after=reset_after)
    )
    return walk(chosen, weights, inputs, labels, reset_after=reset_after)


def _within(flag: str, value: int | None, most: int) -> int:
    from forecaster.errors import UsageError

    if value is not None and not 1 <= value <= most:
        raise UsageError(f"{flag} {value} is out of range", f"choose from 1 to {most}")
    return value or most


def _coupling(walked: "Walk", seed: int) -> "list[Difference]":
    from forecaster.laboratory.cells.coupling import coupling_differences
    from forecaster.laboratory.cells.weights import untrained_weights

    features, units = walked.inputs.shape[1], walked.units
    return coupling_differences(
        untrained_weights("gru", features, units, seed, reset_after=False), walked.inputs
    )


def _table(walked: "Walk", unit: int) -> Any:
    from forecaster.laboratory.cells.walkthrough import SYMBOLS

    trace = walked.trace
    columns = {SYMBOLS[gate]: values for gate, values in trace.gates.items()}
    if trace.cell_state is not None:
        columns["c"] = trace.cell_state
    columns["h"] = trace.hidden
    one = walked.inputs.shape[1] == 1
    title = f"{CELL_TITLES[walked.cell]}, unit {unit} of {walked.units}"
    dated = any(walked.labels)
    table = figures_table(title, "step", *(["day"] if dated else []), *(["x"] if one else []), *columns)
    for number, label in enumerate(walked.labels):
        inputs = [f"{walked.inputs[number, 0]:.3f}"] if one else []
        states = (f"{values[0, number, unit - 1]:.3f}" for values in columns.values())
        table.add_row(str(number + 1), *([label] if dated else []), *inputs, *states)
    return table


def _show_step(walked: "Walk", step: int, units: list[int], screen: "Console") -> None:
    from forecaster.laboratory.cells.walkthrough import equations

    label = walked.labels[step - 1]
    screen.print(headline(f"Step {step}", f", {label}" if label else ""))
    screen.print(f"  x = {_vector(walked.inputs[step - 1])}", soft_wrap=True)
    screen.print(f"  h(t−1) = {_vector(walked.before(walked.trace.hidden, step))}", soft_wrap=True)
    if walked.trace.cell_state is not None:
        screen.print(f"  c(t−1) = {_vector(walked.before(walked.trace.cell_state, step))}", soft_wrap=True)
    for unit in units:
        screen.print(f"unit {unit}")
        for line in equations(walked, step, unit):
            print_picture(screen, _folded(line))


def _folded(line: str) -> str:
    """An equation on one line, or broken before its equals signs, and long sums before their pluses."""
    if len(line) + 2 <= _WIDEST:
        return "  " + line
    name, *parts = line.split(" = ")
    lines = [f"  {name} = {parts[0]}"]
    for part in parts[1:]:
        text = f"    = {part}"
        while len(text) > _WIDEST:
            place = text.rindex(" + ", 0, _WIDEST)
            lines.append(text[:place])
            text = "       " + text[place:]
        lines.append(text)
    return "\n".join(lines)


def _vector(values: Any) -> str:
    shown = ", ".join(f"{value:.4f}" for value in values[:6])
    return f"({shown}{', and so on' if len(values) > 6 else ''})"


def _coupling_table(differences: "list[Difference]") -> Any:
    table = figures_table("The same input through an LSTM with a GRU's gates", "the tie", "off the GRU by")
    for place, difference in enumerate(differences):
        name = difference.what if place == 0 else f"cut: {difference.what}"
        # Below that it is the rounding of the last bit, which is another on every machine.
        rounding = difference.largest < _ROUNDING
        table.add_row(name, f"less than {_ROUNDING:.0e}" if rounding else f"{difference.largest:.1e}")
    return table


def _document(walked: "Walk", step: int, units: list[int], differences: "list[Difference]") -> dict[str, Any]:
    from forecaster.laboratory.cells.walkthrough import equations

    trace = walked.trace
    states = dict(trace.gates) | {"hidden": trace.hidden}
    if trace.cell_state is not None:
        states["cell_state"] = trace.cell_state
    return {
        "cell": walked.cell,
        "reset_after": walked.reset_after if walked.cell == "gru" else None,
        "weights": {name: part.tolist() for name, part in vars(walked.weights).items()},
        "steps": [
            {"step": number + 1, "day": label or None, "inputs": walked.inputs[number].tolist()}
            | {name: values[0, number].tolist() for name, values in states.items()}
            for number, label in enumerate(walked.labels)
        ],
        "step": step,
        "equations": {str(unit): equations(walked, step, unit) for unit in units},
        "coupling": [{"tie": each.what, "largest_difference": each.largest} for each in differences],
    }
