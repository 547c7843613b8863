"""Predictions as tables for people and as documents for programs."""

from collections.abc import Iterator, Sequence
from dataclasses import asdict
from datetime import datetime
from typing import TYPE_CHECKING, Any

from forecaster.cli.screen import figures_table, headline, plain_table, print_picture
from forecaster.registry.versions import RegisteredModel
from forecaster.report.charts import fan_chart
from forecaster.report.price_text import PriceText
from forecaster.service.prediction import Prediction

if TYPE_CHECKING:
    from rich.console import Console

SHOWN_IN_FULL = 5
"""More tickers than these share one table without charts."""
_GAP = 2
"""Columns are so many characters apart."""

Columns = dict[str, list[str]]


def show_predictions(predictions: Sequence[Prediction], model: str, screen: "Console") -> None:
    """A table and a chart of each ticker, or one table with a line for each of many."""
    if len(predictions) > SHOWN_IN_FULL:
        _show_many(predictions, model, screen)
        return
    for prediction in predictions:
        _show_one(prediction, model, screen)


def _show_many(predictions: Sequence[Prediction], model: str, screen: "Console") -> None:
    """A line for each ticker: the last step of its forecast."""
    last = len(predictions[0].dates)
    screen.print(f"{len(predictions):,} tickers by {model}, {last} session{'s' if last > 1 else ''} ahead")
    rows = [_figures(each, slice(-1, None)) for each in predictions]
    columns = {
        "close": [PriceText(each.last_close).one(each.last_close) for each in predictions],
        "session": [str(each.dates[-1]) for each in predictions],
        **{heading: [cell for row in rows for cell in row[heading]] for heading in rows[0]},
    }
    names = [each.ticker for each in predictions]
    for part in _fitting("ticker", names, columns, screen.width):
        cells = zip(names, *part.values(), strict=True)
        print_picture(screen, plain_table(("ticker", *part), cells))
    screen.print(f"{_legend(predictions[0])} Every step: --json, or name up to five tickers.", style="dim")


def _show_one(prediction: Prediction, model: str, screen: "Console") -> None:
    shown = PriceText(prediction.last_close)
    close = f"close of {prediction.last_date}: {shown.one(prediction.last_close)}"
    if prediction.currency not in ("", "USD"):
        close += f" {prediction.currency}"
    screen.print(headline(prediction.ticker, f"  {close}  model {model}"))
    columns = _figures(prediction, slice(None))
    widest = max(prediction.naive_intervals)
    columns[f"naive {widest:g} %"] = [shown.span(ends) for ends in prediction.naive_intervals[widest].T]
    dates = [str(date) for date in prediction.dates]
    for part in _fitting("session", dates, columns, screen.width):
        table = figures_table(None, "session", *part)
        for date, *cells in zip(dates, *part.values(), strict=True):
            table.add_row(date, *cells)
        screen.print(table)
    naive = f"naive: the close stays at {shown.one(prediction.last_close)}, within its past volatility."
    screen.print(f"{_legend(prediction)} {naive}", style="dim")
    colour = screen.is_terminal and not screen.no_color
    print_picture(screen, fan_chart(prediction, min(screen.width, 100), 14, colour=colour))


def _figures(prediction: Prediction, steps: slice) -> Columns:
    """What is shown of some steps, by heading."""
    shown = PriceText(prediction.last_close)
    intervals = {
        f"{level:g} %": [shown.span(pair) for pair in ends[:, steps].T]
        for level, ends in prediction.intervals.items()
    }
    return {
        "median": [shown.one(price) for price in prediction.median[steps]],
        **intervals,
        "move": [f"±{move:.1f}%" for move in prediction.expected_move[steps]],
    }


def _fitting(first: str, names: Sequence[str], columns: Columns, width: int) -> Iterator[Columns]:
    """The columns in as many tables, each with the names before it, as the width makes necessary."""
    begin = max(map(len, (first, *names))) + 1  # Rich ends a line with a blank
    part: Columns = {}
    used = begin
    for heading, cells in columns.items():
        needed = _GAP + max(map(len, (heading, *cells)))
        if part and used + needed > width:
            yield part
            part, used = {}, begin
        part[heading] = cells
        used += needed
    yield part


def _legend(prediction: Prediction) -> str:
    levels = ", ".join(f"{level:g} %" for level in prediction.intervals)
    what = (
        "intervals that cover the close"
        if len(prediction.intervals) > 1
        else "interval that covers the close"
    )
    return f"{levels}: {what} with that chance; move: half of the 68 % one."


def prediction_document(prediction: Prediction, used: RegisteredModel, moment: datetime) -> dict[str, Any]:
    """One ticker's forecast, every step of it."""
    naive = prediction.naive_intervals[max(prediction.naive_intervals)].tolist()
    ends = {f"{level:g}": values.tolist() for level, values in prediction.intervals.items()}
    median, move = prediction.median.tolist(), prediction.expected_move.tolist()
    return {
        "ticker": prediction.ticker,
        "model": used.reference,
        "trained_on": prediction.ticker in used.card["tickers"],
        "last_date": str(prediction.last_date),
        "last_close": prediction.last_close,
        "currency": prediction.currency,
        "calendar": prediction.calendar,
        "bridged": prediction.bridged,
        "thin_market": [asdict(day) for day in prediction.thin_market],
        "sessions_old": prediction.sessions_old(moment),
        "steps": [
            {
                "step": step + 1,
                "date": str(date),
                "median": median[step],
                "intervals": {
                    width: {"lower": lower[step], "upper": upper[step]}
                    for width, (lower, upper) in ends.items()
                },
                "expected_move_percent": move[step],
                "naive": {
                    "median": prediction.last_close,
                    "lower": naive[0][step],
                    "upper": naive[1][step],
                },
            }
            for step, date in enumerate(prediction.dates)
        ],
    }
