"""`forecast lab gates`: a trained network's gates along a real price series."""

from dataclasses import asdict
from typing import TYPE_CHECKING, Annotated, Any

import typer

from forecaster.cli.completion import ModelFlag, complete_tickers
from forecaster.cli.lab.flags import with_colour
from forecaster.cli.results import SaveFlag, check_save, keep, save_picture
from forecaster.cli.screen import (
    HomeFlag,
    JsonFlag,
    QuietFlag,
    figures_table,
    headline,
    open_settings,
    print_json,
    print_picture,
    stdout_console,
)
from forecaster.settings import CELL_TITLES

if TYPE_CHECKING:
    from rich.console import Console

    from forecaster.laboratory.cells.gates import GateStudy


def gates(
    context: typer.Context,
    ticker: Annotated[
        str,
        typer.Argument(help="A ticker in the store.", show_default=False, autocompletion=complete_tickers),
    ],
    model: ModelFlag = None,
    days: Annotated[int, typer.Option("--days", help="Last days to look at.", min=10, max=20_000)] = 500,
    layer: Annotated[int, typer.Option("--layer", help="Which recurrent layer, from 1.", min=1)] = 1,
    moves: Annotated[int, typer.Option("--moves", help="Largest moves to mark.", min=0, max=100)] = 5,
    save: SaveFlag = None,
    json: JsonFlag = False,
    quiet: QuietFlag = False,
    home: HomeFlag = None,
) -> None:
    """Gates along a price series: the largest moves marked, saturation, length of memory."""
    from forecaster.dataset.panel import choose_tickers, load_panel
    from forecaster.laboratory.cells.gates import study_gates
    from forecaster.prices.store import PriceStore
    from forecaster.registry.versions import ModelRegistry

    check_save(save)
    settings = open_settings(context, home)
    store = PriceStore(settings.home)
    panel = load_panel(store, choose_tickers(store, [ticker]))
    trained = ModelRegistry(settings.home).load(model)
    network = trained.daily()
    study = study_gates(panel, network, trained.reference, days, network.lookback, layer, moves)
    document = _document(study, layer)
    keep(settings.home, "forecast.lab-gates/1", document)
    save_picture(save, "forecast.lab-gates/1", document, quiet=quiet)
    if json:
        print_json("forecast.lab-gates/1", document)
        return
    _show(study, stdout_console(quiet=quiet))


def _show(study: "GateStudy", screen: "Console") -> None:
    from forecaster.laboratory.cells.gates import memory_sentence

    screen.print(
        headline(
            study.ticker,
            f"  {study.dates[0]} to {study.dates[-1]}  {CELL_TITLES[study.cell]}, model {study.model}",
        )
    )
    screen.print()
    for picture in _pictures(study, min(screen.width, 100), colour=with_colour(screen)):
        print_picture(screen, picture + "\n")
    table = figures_table("All units and days", "gate", "mean", "below 0.1", "above 0.9")
    for each in study.summaries:
        table.add_row(each.gate, f"{each.mean:.3f}", f"{each.closed:.1%}", f"{each.open:.1%}")
    screen.print(table)
    screen.print(memory_sentence(study))
    screen.print()
    if study.events:
        screen.print(_event_table(study))


def _pictures(study: "GateStudy", width: int, *, colour: bool) -> list[str]:
    import numpy as np

    from forecaster.report.charts import line_chart

    days = np.arange(len(study.dates), dtype=float)
    ticks = {float(place): str(study.dates[int(place)]) for place in (0, days[-1] // 2, days[-1])}
    places = np.array([event.place for event in study.events], dtype=int)
    form: dict[str, Any] = {"x_label": "", "width": width, "colour": colour, "ticks": ticks}
    close = line_chart(
        {"close": (days, study.close)},
        y_label="close, X at the largest moves",
        height=11,
        points=(days[places], study.close[places]) if len(places) else None,
        **form,
    )
    means = {name: (days, values.mean(1)) for name, values in study.gates.items()}
    return [close, line_chart(means, y_label="gates, mean of the units", height=14, **form)]


def _event_table(study: "GateStudy") -> Any:
    names = list(study.gates)
    table = figures_table("Largest moves: gates the day before → on the day", "day", "move", *names)
    for event in study.events:
        around = (f"{event.before[name]:.3f} → {event.on[name]:.3f}" for name in names)
        table.add_row(str(study.dates[event.place]), f"{event.log_return:+.1%}", *around)
    return table


def _document(study: "GateStudy", layer: int) -> dict[str, Any]:
    import numpy as np

    return {
        "ticker": study.ticker,
        "model": study.model,
        "cell": study.cell,
        "layer": layer,
        "summaries": [asdict(each) for each in study.summaries],
        "half_lives": study.half_lives.tolist(),
        "events": [asdict(each) | {"day": str(study.dates[each.place])} for each in study.events],
        "days": [
            {"day": str(date), "close": study.close[place]}
            | {name: values[place].mean() for name, values in study.gates.items()}
            | {
                f"{name}_{end}": np.quantile(values[place], level)
                for name, values in study.gates.items()
                for end, level in (("low", 0.1), ("high", 0.9))
            }
            for place, date in enumerate(study.dates)
        ],
    }
