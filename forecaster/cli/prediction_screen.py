"""Predictions as tables for people and as documents for programs."""

import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from datetime import datetime
from itertools import product
from typing import TYPE_CHECKING, Any

from forecaster.cli.fan_chart import REPORT_MARKS, fan_chart
from forecaster.cli.screen import figures_table, headline, plain_table, print_picture
from forecaster.dataset.reports_ahead import ReportAhead
from forecaster.errors import UsageError, name_some
from forecaster.evaluation.calibration import Calibration
from forecaster.network.risk import tail_losses
from forecaster.network.step_copula import StepCopula
from forecaster.prices.earnings.projection import SOURCE
from forecaster.prices.earnings.table import AFTER, BEFORE, DURING, REPORTED, UNKNOWN
from forecaster.registry.versions import RegisteredModel
from forecaster.report.charts import sparkline
from forecaster.report.price_text import PriceText
from forecaster.service.prediction import Prediction
from forecaster.service.thresholds import QUESTIONS, Threshold, chances

if TYPE_CHECKING:
    import numpy as np
    from rich.console import Console

SHOWN_IN_FULL = 5
"""More tickers than these share one table without charts."""
ORDERS = {
    "move": "largest expected move first",
    "ticker": "by ticker",
    "report": "nearest report first",
}
"""What `--sort` knows, in words."""
_GAP = 2
"""Columns are so many characters apart."""
_MOMENTS = {
    BEFORE: " before the open on",
    DURING: " during the session of",
    AFTER: " after the close on",
    UNKNOWN: " on",
}
_HOURS = {BEFORE: " am", AFTER: " pm"}
_QUARTER = (13, 7)
"""Marks of a sparkline of a quarter's closes: one a week, or, where there is little room, one in two."""

Columns = dict[str, list[str]]


@dataclass(frozen=True)
class Asked:
    """What is wanted beside medians and intervals.

    Attributes:
        prices: those that are asked about, by the question's name.
        copula: the dependence of the model's steps.
        risk: whether the table has value at risk and expected shortfall.
        dates: whether earnings dates are in use, so that it is worth a word where a ticker has none.
        calibration: what the forecasts were recalibrated by; None where nothing is known for it.
        every_level: whether no interval may be left out of a table that is too wide.
    """

    prices: Mapping[str, Threshold]
    copula: StepCopula
    risk: bool = False
    dates: bool = False
    calibration: Calibration | None = None
    every_level: bool = False


def check_order(order: str | None) -> None:
    """See that an order of tickers is known, or none is asked for.

    Raises:
        UsageError: it is not.
    """
    if order is not None and order not in ORDERS:
        raise UsageError(f"--sort {order[:40]} is not an order", f"it is one of {', '.join(ORDERS)}")


def in_order(predictions: Sequence[Prediction], order: str | None) -> tuple[Prediction, ...]:
    """Predictions in one of ORDERS, as they are without; those of equal rank stay as they are.

    The move is that of the last step. Tickers without a report come after those with one.
    """
    match order:
        case "move":
            return tuple(sorted(predictions, key=lambda each: -each.expected_move[-1]))
        case "ticker":
            return tuple(sorted(predictions, key=lambda each: each.ticker))
        case "report":
            return tuple(
                sorted(
                    predictions, key=lambda each: min((one.step for one in each.reports), default=math.inf)
                )
            )
        case _:
            return tuple(predictions)


def show_predictions(
    predictions: Sequence[Prediction], asked: Asked, model: str, screen: "Console", order: str | None = None
) -> None:
    """A table and a chart of each ticker, or one table with a line for each of many.

    They come as given, `order` being what is said of it.
    """
    if len(predictions) > SHOWN_IN_FULL:
        _show_many(predictions, asked, model, screen, order)
        return
    for prediction in predictions:
        _show_one(prediction, asked, model, screen)


def _show_many(
    predictions: Sequence[Prediction], asked: Asked, model: str, screen: "Console", order: str | None
) -> None:
    """A line for each ticker: its last quarter and the last step of its forecast."""
    last = len(predictions[0].dates)
    title = f"{len(predictions):,} tickers by {model}, {last} session{'s' if last > 1 else ''} ahead"
    targets = {str(each.dates[-1]) for each in predictions}
    if len(targets) == 1:
        title += f" ({targets.pop()})"
    screen.print(title if order is None else f"{title}, {ORDERS[order]}")
    columns = _columns_of_many(predictions, asked, screen.width)
    names = [each.ticker for each in predictions]
    for part in _fitting("ticker", names, columns, screen.width):
        cells = zip(names, *part.values(), strict=True)
        print_picture(screen, plain_table(("ticker", *part), cells))
    legend = [
        f"quarter: its last {len(predictions[0].history)} closes, from the lowest to the highest of them.",
        _legend(predictions[0], asked),
    ]
    if hidden := [heading for heading in _interval_headings(predictions[0]) if heading not in columns]:
        legend.append(f"{', '.join(hidden)}: on a wider screen, or with --levels.")
    screen.print(f"{' '.join(legend)} Every step: --json, or name up to five tickers.", style="dim")
    if any(each.reports for each in predictions):
        text = (
            "report: the first ahead; am: before the open, pm: after the close; ? if its date is only likely."
        )
        if not predictions[0].reports_read:
            text += f" {model} does not read earnings dates, and its intervals know of none of them."
        screen.print(text)
    _tell_of_unknown_dates(predictions, asked, screen)


def _columns_of_many(predictions: Sequence[Prediction], asked: Asked, width: int) -> Columns:
    """All columns of the table of many, or those that fit.

    First the sparkline becomes shorter; then the narrower intervals go, unless they were asked for.
    """
    step = slice(-1, None)
    rows = [_figures(each, step) | _answers(each, asked, step, in_prices=False) for each in predictions]
    figures = {heading: [cell for row in rows for cell in row[heading]] for heading in rows[0]}
    names = [each.ticker for each in predictions]
    targets = [str(each.dates[-1]) for each in predictions]
    narrower = [] if asked.every_level else _interval_headings(predictions[0])[:-1]
    columns: Columns = {}
    for hidden, marks in product(([], narrower), _QUARTER):
        columns = {
            "close": [PriceText(each.last_close).one(each.last_close) for each in predictions],
            "quarter": [sparkline(each.history, marks) for each in predictions],
            **({"session": targets} if len(set(targets)) > 1 else {}),
            **_first_reports(predictions),
            **{heading: cells for heading, cells in figures.items() if heading not in hidden},
        }
        if len(list(_fitting("ticker", names, columns, width))) == 1:
            break
    return columns


def _show_one(prediction: Prediction, asked: Asked, model: str, screen: "Console") -> None:
    shown = PriceText(prediction.last_close)
    close = f"close of {prediction.last_date}: {shown.one(prediction.last_close)}"
    if prediction.currency not in ("", "USD"):
        close += f" {prediction.currency}"
    screen.print(headline(prediction.ticker, f"  {close}  model {model}"))
    widest = max(prediction.naive_intervals)
    columns = {
        **_figures(prediction, slice(None)),
        f"naive {widest:g} %": [shown.span(ends) for ends in prediction.naive_intervals[widest].T],
        **_answers(prediction, asked, slice(None), in_prices=True),
    }
    marks = {report.step: f" {REPORT_MARKS[report.likely]}" for report in reversed(prediction.reports)}
    dates = [f"{date}{marks.get(place + 1, '')}" for place, date in enumerate(prediction.dates)]
    for part in _fitting("session", dates, columns, screen.width):
        table = figures_table(None, "session", *part)
        for date, *cells in zip(dates, *part.values(), strict=True):
            table.add_row(date, *cells)
        screen.print(table)
    naive = f"naive: the close stays at {shown.one(prediction.last_close)}, within its past volatility."
    screen.print(f"{_legend(prediction, asked)} {naive}", style="dim")
    for report in prediction.reports:
        screen.print(_report_text(prediction, report, model))
    _tell_of_unknown_dates([prediction], asked, screen)
    colour = screen.color_system is not None and not screen.no_color
    blocks = not screen.options.ascii_only
    print_picture(screen, fan_chart(prediction, min(screen.width, 100), 14, colour=colour, blocks=blocks))


def _report_text(prediction: Prediction, report: ReportAhead, model: str) -> str:
    """When the company reports, how sure that is, which close comes first after it, and the expected move."""
    reacts, name = _day(report.reaction_date), prediction.ticker
    moment = f"{_MOMENTS[report.when]} {_day(report.date)}"
    if report.likely:
        moment = f" about {_day(report.date)}"
        basis = (
            "projected from last year" if report.source == SOURCE else f"an estimate of {report.source[:20]}"
        )
        parts = [f"{name} likely reports{moment} ({basis}): the close of {reacts} may be the first after it"]
    elif report.status == REPORTED:
        parts = [f"{name} reported{moment}: the close of {reacts} is the first after it"]
    else:
        habit = ", the time by its habit" if report.when == UNKNOWN else ""
        parts = [f"{name} reports{moment} (announced{habit}): the close of {reacts} is the first after it"]
    move = prediction.report_move(report)
    if move is not None:
        parts.append(f"Expected move over it ±{move:.1f} %")
    elif not prediction.reports_read:
        parts.append(f"{model} does not read earnings dates, and its intervals do not know of it")
    return f"{REPORT_MARKS[report.likely]} {'. '.join(parts)}."


def _day(date: "np.datetime64") -> str:
    """Like 30 Jul."""
    return f"{date.astype(object):%d %b}".lstrip("0")


def _first_reports(predictions: Sequence[Prediction]) -> Columns:
    """The column of each ticker's first report, by heading, if one has any."""
    if not any(each.reports for each in predictions):
        return {}
    firsts = [next(iter(each.reports), None) for each in predictions]
    return {"report": ["" if each is None else _report_cell(each) for each in firsts]}


def _report_cell(report: ReportAhead) -> str:
    """Like 23 Oct pm, or 24 Oct? where the date is only likely."""
    return f"{_day(report.date)}{'?' if report.likely else _HOURS.get(report.when, '')}"


def _tell_of_unknown_dates(predictions: Sequence[Prediction], asked: Asked, screen: "Console") -> None:
    """Of which companies no earnings date is known, where such dates are in use."""
    if not asked.dates:
        return
    from forecaster.prices.earnings.fetching import stock_tickers

    names = stock_tickers([each.ticker for each in predictions if not each.reports_known])
    if names:
        screen.print(
            f"No earnings date is known of {name_some(names)}; bring them with `forecast fetch --earnings`.",
            style="yellow",
        )


def _figures(prediction: Prediction, steps: slice) -> Columns:
    """What is always shown of some steps, by heading."""
    shown = PriceText(prediction.last_close)
    ends = zip(_interval_headings(prediction), prediction.intervals.values(), strict=True)
    intervals = {heading: [shown.span(pair) for pair in pairs[:, steps].T] for heading, pairs in ends}
    return {
        "median": [shown.one(price) for price in prediction.median[steps]],
        **intervals,
        "move": [f"±{move:.1f}%" for move in prediction.expected_move[steps]],
    }


def _interval_headings(prediction: Prediction) -> list[str]:
    return [f"{level:g} %" for level in prediction.intervals]


def _answers(prediction: Prediction, asked: Asked, steps: slice, *, in_prices: bool) -> Columns:
    """What was asked for, of some steps, by heading: a price is named as such, or as it was given."""
    columns = {}
    for name, found in chances(prediction, asked.prices, asked.copula).items():
        threshold = asked.prices[name]
        price = PriceText(prediction.last_close).one(threshold.price(prediction.last_close))
        columns[f"{name} {price if in_prices else threshold}"] = [_chance_text(each) for each in found[steps]]
    for level, loss in tail_losses(prediction.recalibrated).items() if asked.risk else ():
        columns[f"VaR {level} %"] = [f"{share:.1%}" for share in loss.value_at_risk[steps]]
        columns[f"ES {level} %"] = [f"{share:.1%}" for share in loss.expected_shortfall[steps]]
    return columns


def _chance_text(chance: float) -> str:
    """In per cent; what is next to impossible or certain is not said to be it."""
    return "<0.1%" if chance < 0.0005 else ">99.9%" if chance > 0.9995 else f"{chance:.1%}"


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


def _legend(prediction: Prediction, asked: Asked) -> str:
    levels = ", ".join(_interval_headings(prediction))
    what = "intervals that cover" if len(prediction.intervals) > 1 else "interval that covers"
    parts = [f"{levels}: {what} the close with that chance", "move: expected move, half of the 68 % one"]
    if beyond := [name for name in asked.prices if name != "touch"]:
        parts.append(f"{', '.join(beyond)}: chance that the close is there")
    if "touch" in asked.prices:
        parts.append("touch: chance that a close has reached it by then (closes only)")
    if asked.risk:
        parts.append(
            "VaR: loss, of the last close, exceeded with a chance of 5 % or 1 %; ES: mean of those losses"
        )
    if asked.calibration is not None:
        days = int(asked.calibration.days.max(initial=0))
        parts.append(f"recalibrated by {days:,} days' outcomes through {asked.calibration.through}")
    return f"{'; '.join(parts)}."


def prediction_document(
    prediction: Prediction, asked: Asked, used: RegisteredModel, moment: datetime
) -> dict[str, Any]:
    """One ticker's forecast, every step of it."""
    prices = {name: each.price(prediction.last_close) for name, each in asked.prices.items()}
    beyond = {
        name: values.tolist() for name, values in chances(prediction, asked.prices, asked.copula).items()
    }
    losses = {
        str(level): {name: values.tolist() for name, values in vars(loss).items()}
        for level, loss in tail_losses(prediction.recalibrated).items()
    }
    naive = prediction.naive_intervals[max(prediction.naive_intervals)].tolist()
    ends = {f"{level:g}": values.tolist() for level, values in prediction.intervals.items()}
    median, move = prediction.median.tolist(), prediction.expected_move.tolist()
    return {
        "ticker": prediction.ticker,
        "model": used.reference,
        "trained_on": prediction.ticker in used.trained_on,
        "last_date": str(prediction.last_date),
        "last_close": prediction.last_close,
        "currency": prediction.currency,
        "calendar": prediction.calendar,
        "bridged": prediction.bridged,
        "thin_market": [asdict(day) for day in prediction.thin_market],
        "sessions_old": prediction.sessions_old(moment),
        "reports": [
            {
                "date": str(report.date),
                "when": report.when,
                "status": report.status,
                "source": report.source,
                "reaction_date": str(report.reaction_date),
                "step": report.step,
                "expected_move_percent": prediction.report_move(report),
            }
            for report in prediction.reports
        ],
        "reports_known": prediction.reports_known,
        "reports_read": prediction.reports_read,
        **{name: prices.get(name) for name in QUESTIONS},
        "calibration": None if asked.calibration is None else asked.calibration.described(),
        "step_dependence": "fitted" if asked.copula.fitted else "random walk",
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
                **{f"chance_{name}": beyond[name][step] if name in beyond else None for name in QUESTIONS},
                "risk": {
                    level: {name: values[step] for name, values in loss.items()}
                    for level, loss in losses.items()
                },
                "naive": {
                    "median": prediction.last_close,
                    "lower": naive[0][step],
                    "upper": naive[1][step],
                },
            }
            for step, date in enumerate(prediction.dates)
        ],
    }
