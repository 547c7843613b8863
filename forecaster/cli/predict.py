"""`forecast predict`: dated median and intervals from the model in service, without TensorFlow."""

from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from forecaster.cli.screen import (
    HomeFlag,
    JsonFlag,
    QuietFlag,
    figures_table,
    now,
    open_settings,
    print_json,
    stderr_console,
    stdout_console,
)

if TYPE_CHECKING:
    from rich.console import Console

    from forecaster.service.prediction import Prediction


def predict(
    context: typer.Context,
    tickers: Annotated[list[str], typer.Argument(help="Tickers in the store.", show_default=False)],
    horizon: Annotated[
        int | None,
        typer.Option("--horizon", help="Sessions ahead.", show_default="all the model was trained for"),
    ] = None,
    model: Annotated[
        str | None, typer.Option("--model", help="NAME or NAME@VERSION.", show_default="main's champion")
    ] = None,
    level: Annotated[int, typer.Option("--level", help="The wider interval, per cent.")] = 90,
    fallback: Annotated[
        bool, typer.Option("--fallback", help="If the model in service is damaged, ask the last good one.")
    ] = False,
    record: Annotated[
        bool, typer.Option("--record", help="Keep the forecasts in the ledger, for `forecast score`.")
    ] = False,
    json: JsonFlag = False,
    quiet: QuietFlag = False,
    home: HomeFlag = None,
) -> None:
    """Predict tickers on the coming New York sessions, beside the naive forecast."""
    from forecaster.dataset.panel import choose_tickers
    from forecaster.prices.store import PriceStore
    from forecaster.registry.promotion import load_or_fall_back
    from forecaster.registry.versions import ModelRegistry
    from forecaster.service.prediction import predict as predict_ticker

    settings = open_settings(context, home)
    store, registry = PriceStore(settings.home), ModelRegistry(settings.home)
    chosen = choose_tickers(store, tickers)
    registered, refused = load_or_fall_back(registry, model) if fallback else (registry.load(model), None)
    if refused:
        stderr_console(quiet=quiet).print(
            f"warning: {refused}; {registered.reference} answers in its place", style="yellow", soft_wrap=True
        )
    moment = now()
    predictions = [predict_ticker(store, registered, ticker, moment, horizon, level) for ticker in chosen]
    for prediction in predictions:
        _warn(prediction, stderr_console(quiet=quiet))
    recorded = _record(settings.home, predictions, moment, stderr_console(quiet=quiet)) if record else None
    if json:
        documents = [_document(item) for item in predictions]
        content = {"predictions": documents, "fallback": refused, "recorded": recorded}
        print_json("forecast.predict/1", content)
        return
    screen = stdout_console(quiet=quiet)
    for prediction in predictions:
        _show(prediction, screen)


def _warn(prediction: "Prediction", notes: "Console") -> None:
    if prediction.sessions_old:
        notes.print(
            f"warning: {prediction.ticker}'s last price is of {prediction.last_date}, "
            f"{prediction.sessions_old:,} sessions ago; `forecast fetch` brings newer ones",
            style="yellow",
            soft_wrap=True,
        )
    if not prediction.trained_on:
        notes.print(
            f"note: {prediction.model} was not trained on {prediction.ticker}, but on other tickers",
            style="yellow",
            soft_wrap=True,
        )


def _record(
    home: Path, predictions: list["Prediction"], moment: datetime, notes: "Console"
) -> dict[str, int]:
    from dataclasses import asdict

    from forecaster.ledger.ledger import Ledger

    recorded = Ledger(home).record(predictions, moment)
    parts = [f"Recorded: {recorded.new:,} forecasts"]
    if recorded.known:
        parts.append(f"{recorded.known:,} were recorded before")
    if recorded.over:
        parts.append(f"{recorded.over:,} are left out, as their day is over")
    notes.print("; ".join(parts) + ".", soft_wrap=True)
    return asdict(recorded)


def _show(prediction: "Prediction", screen: "Console") -> None:
    from forecaster.report.charts import fan_chart

    narrow, wide = sorted(prediction.intervals)
    close = f"close of {prediction.last_date}: {_price(prediction.last_close)}"
    screen.print(f"[bold]{prediction.ticker}[/bold]  {close}  model {prediction.model}")
    table = figures_table(None, "session", "median", f"{narrow} %", f"{wide} %", "move", f"naive {wide} %")
    for step, date in enumerate(prediction.dates):
        table.add_row(
            str(date),
            _price(prediction.median[step]),
            _between(prediction.intervals[narrow][:, step]),
            _between(prediction.intervals[wide][:, step]),
            f"±{prediction.expected_move[step]:.1f}%",
            _between(prediction.naive_interval[:, step]),
        )
    screen.print(table)
    screen.print(
        f"{narrow} %, {wide} %: intervals that hold the close with that chance; move: half of the 68 % one; "
        f"naive: the close stays at {_price(prediction.last_close)}, within its past volatility.",
        style="dim",
    )
    colour = screen.is_terminal and not screen.no_color
    screen.out(fan_chart(prediction, min(screen.width, 100), 14, colour=colour), highlight=False)


def _document(prediction: "Prediction") -> dict[str, Any]:
    return {
        "ticker": prediction.ticker,
        "model": prediction.model,
        "trained_on": prediction.trained_on,
        "last_date": str(prediction.last_date),
        "last_close": prediction.last_close,
        "sessions_old": prediction.sessions_old,
        "steps": [
            {
                "step": step + 1,
                "date": str(date),
                "median": prediction.median[step],
                "intervals": {
                    str(level): {"lower": ends[0, step], "upper": ends[1, step]}
                    for level, ends in prediction.intervals.items()
                },
                "expected_move_percent": prediction.expected_move[step],
                "naive": {
                    "median": prediction.naive_median[step],
                    "lower": prediction.naive_interval[0, step],
                    "upper": prediction.naive_interval[1, step],
                },
            }
            for step, date in enumerate(prediction.dates)
        ],
    }


def _price(value: float) -> str:
    """Cents where they count: an index's interval has to fit into a line."""
    decimals = 2 if value < 1_000 else 1 if value < 10_000 else 0
    return f"{value:,.{decimals}f}"


def _between(ends: Any) -> str:
    return f"{_price(ends[0])}–{_price(ends[1])}"
