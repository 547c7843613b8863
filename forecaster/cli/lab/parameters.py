"""`forecast lab parameters`: what the cells learn, do and hold, counted."""

from typing import TYPE_CHECKING, Annotated, Any

import typer

from forecaster.cli.flags import chosen_cells
from forecaster.cli.lab.flags import AllCellsFlag
from forecaster.cli.results import SaveFlag, check_save, save_picture
from forecaster.cli.screen import JsonFlag, figures_table, headline, print_json, stacked, stdout_console
from forecaster.settings import CELL_TITLES

if TYPE_CHECKING:
    from rich.console import Console

    from forecaster.laboratory.cells.accounting import LayerAccount, NetworkAccount

_LEGEND = """
u: units, f: inputs of the layer. FLOP: additions and multiplications of a step
of one sequence; σ, tanh: values put through them. weights, state (carried from
step to step) and kept (left by each step for the way back through time): bytes
in float32. A step is a day; of a ConvLSTM1D a week of five."""


def parameters(
    cells: AllCellsFlag = "rnn,lstm,gru",
    features: Annotated[int, typer.Option("--features", help="Inputs a step.", min=1, max=100_000)] = 5,
    units: Annotated[int, typer.Option("--units", help="Units in a layer.", min=1, max=100_000)] = 32,
    layers: Annotated[int, typer.Option("--layers", help="Recurrent layers.", min=1, max=64)] = 1,
    bidirectional: Annotated[bool, typer.Option("--bidirectional", help="Read both ways.")] = False,
    keras: Annotated[bool, typer.Option("--keras/--no-keras", help="Keras's count beside ours.")] = True,
    save: SaveFlag = None,
    json: JsonFlag = False,
) -> None:
    """Parameters by gate, by formula and by Keras; operations and memory a step; shapes."""
    from forecaster.laboratory.cells.accounting import account

    check_save(save)
    rows = []
    for name in chosen_cells(cells):
        for reset_after in (True, False) if name == "gru" else (True,):
            form = {"bidirectional": bidirectional, "reset_after": reset_after}
            counted = _keras(name, features, units, layers, form) if keras else None
            rows.append((account(name, features, units, layers, **form), counted))
    content = {"networks": [_document(*row) for row in rows]}
    save_picture(save, "forecast.lab-parameters/1", content, quiet=False)
    if json:
        print_json("forecast.lab-parameters/1", content)
        return
    screen = stdout_console()
    for network, counted in rows:
        _show_network(network, counted, screen)
    screen.print(_cost_table(rows))
    screen.print(stacked(*_LEGEND.splitlines()), style="dim")


def _keras(cell: str, features: int, units: int, layers: int, form: dict[str, bool]) -> int:
    from forecaster.laboratory.cells.accounting import keras_parameters

    return keras_parameters(cell, features, units, layers, **form)


def _title(network: "NetworkAccount") -> str:
    if network.cell != "gru":
        return CELL_TITLES[network.cell]
    return "GRU, reset after" if network.reset_after else "GRU, as published"


def _show_network(network: "NetworkAccount", counted: int | None, screen: "Console") -> None:
    screen.print(headline(_title(network), f", {network.units} units"))
    for layer in network.layers[:2]:
        if len(network.layers) > 1:
            last = len(network.layers)
            rest = layer.number == 2 and last > 2
            screen.print(f"layers 2 to {last}, each" if rest else f"layer {layer.number}")
        screen.print(_gate_table(layer))
        shapes = "  ".join(f"{name} {_shape(shape)}" for name, shape in layer.shapes.items())
        screen.print(f"  {shapes}" + (", once in each direction" if layer.directions > 1 else ""))
        screen.print(f"  {layer.symbols}", soft_wrap=True)
        screen.print(f"  = {layer.numbers}", soft_wrap=True)
    keras = "" if counted is None else f"; Keras counts {counted:,}"
    screen.print(f"  in all {network.parameters:,}{keras}")
    screen.print()


def _gate_table(layer: "LayerAccount") -> Any:
    table = figures_table(None, "  gate", "input weights", "recurrent weights", "biases", "sum")
    for gate in layer.gates:
        figures = (gate.input_weights, gate.recurrent_weights, gate.biases, gate.total)
        table.add_row(f"  {gate.gate}", *(f"{figure:,}" for figure in figures))
    return table


def _cost_table(rows: "list[tuple[NetworkAccount, int | None]]") -> Any:
    headings = ("params", "Keras", "FLOP", "σ, tanh", "weights", "state", "kept")
    table = figures_table("A step", "cell", *headings)
    for network, counted in rows:
        figures = (
            network.floating_point,
            network.activations,
            network.weight_bytes,
            network.state_bytes,
            network.training_bytes,
        )
        keras = "–" if counted is None else f"{counted:,}"
        shown = (f"{figure:,}" for figure in figures)
        table.add_row(_title(network), f"{network.parameters:,}", keras, *shown)
    return table


def _shape(shape: tuple[int, ...]) -> str:
    return "×".join(map(str, shape))


def _document(network: "NetworkAccount", counted: int | None) -> dict[str, Any]:
    return {
        "cell": network.cell,
        "reset_after": network.reset_after if network.cell == "gru" else None,
        "units": network.units,
        "parameters": network.parameters,
        "keras_parameters": counted,
        "floating_point_operations": network.floating_point,
        "activations": network.activations,
        "weight_bytes": network.weight_bytes,
        "state_bytes": network.state_bytes,
        "training_bytes": network.training_bytes,
        "layers": [
            {
                "layer": layer.number,
                "inputs": layer.inputs,
                "directions": layer.directions,
                "formula": layer.symbols,
                "with_numbers": layer.numbers,
                "parameters": layer.parameters,
                "shapes": layer.shapes,
                "gates": [
                    {
                        "gate": gate.gate,
                        "input_weights": gate.input_weights,
                        "recurrent_weights": gate.recurrent_weights,
                        "biases": gate.biases,
                    }
                    for gate in layer.gates
                ],
            }
            for layer in network.layers
        ],
    }
