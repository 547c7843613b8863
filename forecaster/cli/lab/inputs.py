"""`forecast lab inputs`: which inputs and which days moved a ticker's forecast."""

import math
import os
from typing import TYPE_CHECKING, Annotated, Any

import typer

from forecaster.cli.completion import ModelFlag, complete_tickers
from forecaster.cli.results import SaveFlag, check_save, keep, save_picture
from forecaster.cli.screen import (
    HomeFlag,
    JsonFlag,
    figures_table,
    headline,
    note_replay,
    now,
    open_settings,
    print_json,
    stdout_console,
)
from forecaster.settings import CELL_TITLES

if TYPE_CHECKING:
    from rich.console import Console

    from forecaster.laboratory.cells.inputs import Attribution, InputStudy

_MOST_BARS = 60


def inputs(
    context: typer.Context,
    ticker: Annotated[
        str,
        typer.Argument(help="A ticker in the store.", show_default=False, autocompletion=complete_tickers),
    ],
    model: ModelFlag = None,
    step: Annotated[
        int | None,
        typer.Option("--step", help="Sessions ahead.", show_default="the first and the last"),
    ] = None,
    save: SaveFlag = None,
    json: JsonFlag = False,
    home: HomeFlag = None,
) -> None:
    """Which inputs and days moved a forecast: occlusion and integrated gradients, side by side.

    What is explained is the forecast that `forecast predict` makes of the ticker, before recalibration:
    its median, and its width, the log of the Student-t's scale. The baseline is a usual window: every input
    at 0, which is a stock of 1.8 % daily volatility on days without direction, and no report ahead.
    """
    from forecaster.laboratory.cells.inputs import study_inputs
    from forecaster.prices.known import known_prices
    from forecaster.prices.table import checked_ticker
    from forecaster.registry.versions import ModelRegistry

    check_save(save)
    settings = open_settings(context, home)
    note_replay(settings.home, quiet=json)
    store = known_prices(settings.home, now(), os.environ)
    used = ModelRegistry(settings.home).load(model)
    study = study_inputs(store, used, checked_ticker(ticker), None if step is None else [step])
    document = _document(study)
    keep(settings.home, "forecast.lab-inputs/1", document)
    save_picture(save, "forecast.lab-inputs/1", document, quiet=json)
    if json:
        print_json("forecast.lab-inputs/1", document)
        return
    _show(study, stdout_console())


def _show(study: "InputStudy", screen: "Console") -> None:
    title = CELL_TITLES.get(study.cell, "linear-t")
    span = f"{len(study.dates)} days to {study.dates[-1]}"
    screen.print(headline(study.ticker, f"  {span}  {title}, model {study.model}"))
    for place in range(0, len(study.attributions), 2):
        screen.print()
        _show_step(study, study.attributions[place : place + 2], screen)
    screen.print()
    screen.print(
        "occluded: what is lost where the input has its usual value, 0, on all days; path: integrated "
        "gradients on the way from there, which sum to the forecast less that of a usual window. "
        "Hundredths of a log return, and of the log of the scale: +10 is a tenth wider. unit: the last day's "
        "volatility, in units of which the model answers. Bars: what each day does, by the path.",
        style="dim",
    )


def _show_step(study: "InputStudy", pair: "tuple[Attribution, ...]", screen: "Console") -> None:
    from forecaster.laboratory.cells.inputs import disagreement, verdict

    median, width = pair
    screen.print(
        headline(
            f"{median.step} session{'s' if median.step > 1 else ''} ahead",
            f"  median {_percent(median.forecast)} (usual window {_percent(median.baseline)}), "
            f"scale {100 * math.exp(width.forecast):.2f} % ({100 * math.exp(width.baseline):.2f} %)",
        )
    )
    headings = [f"{each.output} {method}" for each in pair for method in ("occluded", "path")]
    table = figures_table(None, "input", *headings)
    for name in sorted(study.inputs, key=lambda name: -abs(width.gradients[name])):
        numbers = (part[name] for each in pair for part in (each.occlusion, each.gradients))
        table.add_row(name, *map(_hundredths, numbers))
    table.add_section()
    sums = (sum(part.values()) for each in pair for part in (each.occlusion, each.gradients))
    table.add_row("sum", *map(_hundredths, sums))
    table.add_row("must be", *(text for each in pair for text in ("", _hundredths(each.moved))))
    screen.print(table)
    for each in pair:
        screen.print(f"{each.output:<7}{_day_bars(each)}")
    first, last = str(study.dates[0]), str(study.dates[-1])
    drawn = min(len(study.dates), _MOST_BARS)
    screen.print(f"{'days':<7}{first}{last:>{max(drawn - len(first), len(last) + 1)}}")
    for each in pair:
        screen.print(f"{each.output.capitalize()}: {verdict(each)} {_agreement_text(each)}".rstrip())
        if said := disagreement(each):
            screen.print(said, style="yellow")


def _percent(value: float) -> str:
    return f"{100 * value:+.2f} %"


def _hundredths(value: float) -> str:
    return f"{100 * value:+.2f}"


def _agreement_text(attribution: "Attribution") -> str:
    if math.isnan(attribution.agreement):
        return ""
    return f"Rank correlation of the methods {attribution.agreement:.2f}, {attribution.difference:.0%} apart."


def _day_bars(attribution: "Attribution") -> str:
    """How much each day moved the output, that of the most as the highest bar."""
    import numpy as np

    from forecaster.report.charts import bars

    size = attribution.days_size
    sums = np.array([part.sum() for part in np.array_split(size, min(len(size), _MOST_BARS))])
    return bars((sums / sums.max()).tolist()) if sums.max() else "no day moves it"


def _document(study: "InputStudy") -> dict[str, Any]:
    return {
        "ticker": study.ticker,
        "model": study.model,
        "cell": study.cell,
        "dates": study.dates.astype(str).tolist(),
        "attributions": [
            {
                "step": each.step,
                "output": each.output,
                "forecast": each.forecast,
                "baseline": each.baseline,
                "gap": each.gap,
                "agreement": each.agreement,
                "difference": each.difference,
                "inputs": [
                    {"input": name, "occlusion": each.occlusion[name], "gradients": each.gradients[name]}
                    for name in study.inputs
                ],
                "days_occlusion": each.days_occlusion.tolist(),
                "days_gradients": each.days_gradients.tolist(),
                "days_size": each.days_size.tolist(),
                "last_days": each.last_days,
            }
            for each in study.attributions
        ],
    }
