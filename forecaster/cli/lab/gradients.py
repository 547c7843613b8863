"""`forecast lab gradients`: how far back the cells' gradients reach, exploding, and clipping."""

import math
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from forecaster.cli.completion import complete_models, complete_tickers
from forecaster.cli.flags import chosen_cells
from forecaster.cli.lab.flags import CellsFlag, with_colour
from forecaster.cli.results import SaveFlag, check_save, keep, save_picture
from forecaster.cli.screen import (
    HomeFlag,
    JsonFlag,
    QuietFlag,
    figures_table,
    open_settings,
    print_json,
    print_picture,
    stacked,
    stderr_console,
    stdout_console,
)
from forecaster.settings import CELL_TITLES, CELLS

if TYPE_CHECKING:
    from forecaster.laboratory.cells.clipping import Descent
    from forecaster.laboratory.cells.gradients import GradientProfile, Probe

_DISTANCES = (1, 10, 50, 100)
_SCALES = (0.5, 1.0, 1.5, 2.0, 4.0)
_CLIP, _CLIP_SEEDS, _CLIP_STEPS, _CLIP_UNITS, _CLIP_LAG, _CLIP_SCALE = 1.0, 5, 200, 16, 50, 1.5
_FLOOR = 1e-12  # where the picture ends
_LEGEND = """
state: norm of ∂h(T)/∂s(t), s all that the cell carries (LSTM: h and c), against
its value at t = T. loss: length of ∂loss/∂x(t), likewise. half-life: steps in
which each halves, by the slope of its logarithm over all distances."""


def gradients(
    context: typer.Context,
    tickers: Annotated[
        list[str] | None,
        typer.Argument(
            help="Tickers to take windows from (all).", show_default=False, autocompletion=complete_tickers
        ),
    ] = None,
    on: Annotated[str, typer.Option("--on", help="prices, adding, order or agreement.")] = "prices",
    cells: CellsFlag = "all",
    model: Annotated[
        str | None,
        typer.Option(
            "--model", help="A trained model beside the untrained cells.", autocompletion=complete_models
        ),
    ] = None,
    train_steps: Annotated[
        int, typer.Option("--train-steps", help="Train on the synthetic task first.", min=0, max=100_000)
    ] = 0,
    units: Annotated[
        int | None, typer.Option("--units", help="Units.", min=1, max=512, show_default="32, or the model's")
    ] = None,
    length: Annotated[int, typer.Option("--length", help="Steps of a sequence.", min=8, max=2000)] = 120,
    sequences: Annotated[int, typer.Option("--sequences", help="How many.", min=1, max=1000)] = 16,
    seed: Annotated[int, typer.Option("--seed", help="Of untrained weights.", min=0)] = 0,
    save: SaveFlag = None,
    json: JsonFlag = False,
    quiet: QuietFlag = False,
    home: HomeFlag = None,
) -> None:
    """How far back the gradient reaches in each cell; exploding; clipping."""
    from forecaster.laboratory.cells.gradients import profile

    chosen = chosen_cells(cells, CELLS)
    check_save(save)
    _check(on, model, train_steps)
    if on == "prices":
        probes = _on_prices(context, home, tickers, chosen, model, units or 0, length, sequences, seed)
    else:
        probes = _on_task(on, chosen, units or 32, length, sequences, seed, train_steps, quiet=quiet)
    profiles = [profile(probe) for probe in probes]
    scaled = _scaled(chosen, len(probes[0].weights.recurrent), seed, probes[0])
    descents = _descents()
    document = _document(on, length, profiles, scaled, descents)
    keep(open_settings(context, home).home, "forecast.lab-gradients/1", document)
    save_picture(save, "forecast.lab-gradients/1", document, quiet=quiet)
    if json:
        print_json("forecast.lab-gradients/1", document)
        return
    screen = stdout_console(quiet=quiet)
    where = "prices" if on == "prices" else f"the task `{on}`"
    screen.print(f"On {where}: {len(probes[0].inputs)} sequences of {length} steps")
    screen.print()
    screen.print(_reach_table(profiles))
    screen.print(stacked(*_LEGEND.splitlines()), style="dim")
    picture = _picture(profiles, min(screen.width, 100), colour=with_colour(screen))
    print_picture(screen, "\n" + picture + "\n")
    screen.print(_scale_table(scaled, length))
    screen.print()
    screen.print(_clipping_table(descents))


def _check(on: str, model: str | None, train_steps: int) -> None:
    from forecaster.errors import UsageError
    from forecaster.laboratory.memory.tasks import TASKS

    if on not in ("prices", *TASKS):
        raise UsageError(f"--on {on} is not known", f"choose from prices, {', '.join(TASKS)}")
    if model and on != "prices":
        raise UsageError(f"--model is of prices, not of {on}", "use --train-steps to train on the task")
    if train_steps and on == "prices":
        raise UsageError(
            "--train-steps is for synthetic tasks", "use --model for a network trained on prices"
        )


def _on_prices(
    context: typer.Context,
    home: Path | None,
    tickers: list[str] | None,
    cells: list[str],
    model: str | None,
    units: int,
    length: int,
    sequences: int,
    seed: int,
) -> "list[Probe]":
    from forecaster.dataset.panel import choose_tickers, load_panel
    from forecaster.laboratory.cells.probes import trained_price_probe, untrained_price_probes
    from forecaster.prices.store import PriceStore
    from forecaster.registry.versions import ModelRegistry

    settings = open_settings(context, home)
    store = PriceStore(settings.home)
    trained = ModelRegistry(settings.home).load(model) if model else None
    panel = load_panel(store, choose_tickers(store, tickers))
    units = units or (trained.network.units if trained else 32)
    probes = untrained_price_probes(panel, cells, units, length, sequences, seed)
    if trained:
        probes.append(trained_price_probe(panel, trained.daily(), trained.reference, length, sequences))
    return probes


def _on_task(
    task: str,
    cells: list[str],
    units: int,
    length: int,
    sequences: int,
    seed: int,
    train_steps: int,
    *,
    quiet: bool,
) -> "list[Probe]":
    import numpy as np

    from forecaster.laboratory.cells.probes import task_probe
    from forecaster.laboratory.memory.tasks import draw
    from forecaster.laboratory.memory.training import Trial, train_on_task, untrained_network

    examples = draw(task, np.random.default_rng(seed), sequences, length)
    probes = []
    for cell in cells:
        trial = Trial(task, cell, units, length, seed, train_steps, start="keras")
        probes.append(task_probe(task, untrained_network(trial), f"{cell} untrained", examples))
    for cell in cells if train_steps else ():
        trial = Trial(task, cell, units, length, seed, train_steps)
        stderr_console(quiet=quiet).print(f"Training {CELL_TITLES[cell]} on {task} …")
        result = train_on_task(trial)
        assert result.network is not None  # noqa: S101  (one layer of a usual cell)
        state = "solved" if result.solved else "unsolved"
        probes.append(task_probe(task, result.network, f"{cell} trained, {state}", examples))
    return probes


def _scaled(cells: list[str], units: int, seed: int, probe: "Probe") -> dict[str, Any]:
    from forecaster.laboratory.cells.gradients import at_scales

    few = probe.inputs[:4]
    return {cell: at_scales(cell, _SCALES, units, seed, few) for cell in cells}


def _descents() -> "dict[str, list[Descent]]":
    from forecaster.laboratory.cells.clipping import descend

    return {
        name: [
            descend(_CLIP_UNITS, _CLIP_LAG, _CLIP_SCALE, clip, _CLIP_STEPS, seed)
            for seed in range(_CLIP_SEEDS)
        ]
        for name, clip in (("not clipped", None), (f"clipped at {_CLIP:g}", _CLIP))
    }


def _reach_table(profiles: "list[GradientProfile]") -> Any:
    steps = len(profiles[0].state)
    distances = [distance for distance in _DISTANCES if distance < steps]
    headings = [f"after {distance}" for distance in distances]
    table = figures_table("What is left of the gradient", "cell", "", "half-life", *headings)
    for row in profiles:
        for name, norms, half in (
            ("state", row.state, row.half_life),
            ("loss", row.loss, row.loss_half_life),
        ):
            shares = (_magnitude(norms[distance] / norms[0]) for distance in distances)
            table.add_row(row.label if name == "state" else "", name, _steps(half), *shares)
    return table


def _scale_table(scaled: dict[str, Any], length: int) -> Any:
    short = {"rnn": "RNN", "lstm": "LSTM", "gru": "GRU"}
    table = figures_table(
        stacked(
            "Untrained, recurrent matrix multiplied: largest norm of ∂h(T)/∂s(t),",
            f"and that of the first of {length} steps",
        ),
        "times",
        *(f"{short[cell]} {kind}" for cell in scaled for kind in ("most", "first")),
    )
    for place, scale in enumerate(_SCALES):
        norms = [rows[place][1] for rows in scaled.values()]
        figures = (_magnitude(value) for each in norms for value in (each.max(), each[-1]))
        table.add_row(f"{scale:g}", *figures)
    return table


def _clipping_table(descents: "dict[str, list[Descent]]") -> Any:
    import numpy as np

    table = figures_table(
        stacked(
            f"Clipping: SimpleRNN {_CLIP_UNITS}, recurrent matrix times {_CLIP_SCALE:g},",
            f"adding problem of {_CLIP_LAG} steps, {_CLIP_STEPS} plain steps, {_CLIP_SEEDS} seeds",
        ),
        *("gradient", "longest (median)", "diverged", "last loss (median)"),
    )
    for name, runs in descents.items():
        diverged = sum(run.diverged for run in runs)
        last = float(np.median([run.losses[-1] for run in runs]))
        longest = float(np.median([run.norms.max() for run in runs]))
        table.add_row(name, _magnitude(longest), f"{diverged} of {len(runs)}", _magnitude(last))
    return table


def _picture(profiles: "list[GradientProfile]", width: int, *, colour: bool) -> str:
    import numpy as np

    from forecaster.report.charts import line_chart

    lines = {
        row.label: (
            np.arange(len(row.state), dtype=float),
            np.log10(np.where(row.state > _FLOOR * row.state[0], row.state / row.state[0], np.nan)),
        )
        for row in profiles
    }
    return line_chart(
        lines,
        x_label="steps back",
        y_label="log₁₀ of the norm of ∂h(T)/∂s(t)",
        width=width,
        height=16,
        colour=colour,
    )


def _magnitude(value: float) -> str:
    if 0.001 <= abs(value) < 1000:
        return f"{value:.3g}"
    return f"{value:.0e}"


def _steps(half: float) -> str:
    return f"{half:.1f}" if math.isfinite(half) else "never"


def _document(
    on: str,
    length: int,
    profiles: "list[GradientProfile]",
    scaled: dict[str, Any],
    descents: "dict[str, list[Descent]]",
) -> dict[str, Any]:
    return {
        "on": on,
        "length": length,
        "profiles": [
            {
                "label": row.label,
                "cell": row.cell,
                "half_life": row.half_life,
                "loss_half_life": row.loss_half_life,
                "state_norm": row.state.tolist(),
                "hidden_norm": row.hidden.tolist(),
                "loss_norm": row.loss.tolist(),
            }
            for row in profiles
        ],
        "scaled": [
            {"cell": cell, "scale": scale, "largest": norms.max(), "first": norms[-1]}
            for cell, rows in scaled.items()
            for scale, norms in rows
        ],
        "clipping": [
            {
                "gradient": name,
                "diverged": [run.diverged for run in runs],
                "longest": [run.norms.max() for run in runs],
                "last_loss": [run.losses[-1] for run in runs],
            }
            for name, runs in descents.items()
        ],
    }
