"""What a fan chart shows of each ticker: the last closes, what was forecast of them, the coming forecast."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from forecaster.dataset.features import compute_features
from forecaster.dataset.panel import Panel
from forecaster.errors import UsageError
from forecaster.evaluation.forecasts import network_forecasts
from forecaster.network.network import Network
from forecaster.report.pictures.fan import CLOSES, FANS, REPORTS, fan_picture
from forecaster.report.pictures.picture import Picture
from forecaster.service.prediction import Prediction

MOST_FANS = 30
"""In one picture."""
SESSIONS = 120
"""That are looked back on: half a year."""
_LEVELS = np.array([0.05, 0.25, 0.5, 0.75, 0.95])
_ENDS = ("low_90", "low_50", "median", "high_50", "high_90")
_DIGITS = 6

Float = NDArray[np.float64]


@dataclass(frozen=True)
class Fan:
    """One ticker's chart.

    Attributes:
        columns: see `fan_picture`.
        closes: how many closes were forecast before they were known.
        covered: how many of these the 90 % interval covered.
    """

    columns: Mapping[str, Mapping[str, Sequence[Any]]]
    closes: int
    covered: int


def prediction_picture(predictions: Sequence[Prediction]) -> Picture:
    """The coming forecasts, a fan chart for each ticker.

    Raises:
        UsageError: there are more than MOST_FANS, or none.
    """
    check_fans(len(predictions))
    captions = [
        f"{each.ticker}: closes to {each.last_date}, adjusted for splits and dividends, and the median with "
        "intervals of 50 and 90 %; dashed: reports."
        for each in predictions
    ]
    return Picture([fan_picture(fan_of(each).columns, each.ticker) for each in predictions], captions)


def check_fans(count: int) -> None:
    """See that so many tickers can be drawn.

    Raises:
        UsageError: there are more than MOST_FANS, or none.
    """
    if not 0 < count <= MOST_FANS:
        raise UsageError(
            f"{count:,} tickers do not make a picture", f"name up to {MOST_FANS}, or see `forecast report`"
        )


def fan_of(prediction: Prediction) -> Fan:
    """The coming forecast alone, after the closes that the prediction holds."""
    return _fan(prediction, prediction.history_dates, prediction.history, {}, ())


def fans_with_past(
    predictions: Sequence[Prediction], panel: Panel, network: Network, unseen_after: np.datetime64
) -> list[Fan]:
    """The coming forecasts, and those that the network would have made while it had seen none of the days.

    Every H sessions a forecast is made, H sessions ahead, so that each day lies in one of them. None is of a
    day up to `unseen_after`, on which the network was trained or stopped.

    Args:
        predictions: of tickers of the panel.
        panel: their prices, beside the network's market.
        network: as it was evaluated.
        unseen_after: the last day that it was trained or stopped on.
    """
    days = len(panel.dates)
    first = int(np.searchsorted(panel.dates, unseen_after, side="right"))
    part = range(max(first, days - SESSIONS), days)
    if not part:
        return [fan_of(prediction) for prediction in predictions]
    origins, forecast = network_forecasts(network, compute_features(panel, network.features), part)
    made = np.stack(
        [np.asarray(forecast.at_step(step).quantile(_LEVELS)) for step in range(1, network.horizon + 1)], 1
    )  # (O, H, Q)
    rows = {ticker: row for row, ticker in enumerate(panel.tickers)}
    found = []
    for prediction in predictions:
        row = rows[prediction.ticker]
        own = np.flatnonzero(origins.ticker == row)
        past = dict(zip(origins.day[own].tolist(), made[own], strict=True))
        closes = _closes(panel, row, prediction.last_close)
        seen = np.flatnonzero(np.isfinite(closes))[-SESSIONS:]
        kept = {
            int(np.searchsorted(seen, day)): quantiles
            for day, quantiles in past.items()
            if day in seen[-1 - network.horizon :: -network.horizon]
        }
        reports = [] if panel.reports is None else panel.reports.of([prediction.ticker]).date.tolist()
        found.append(_fan(prediction, panel.dates[seen], closes[seen], kept, reports))
    return found


def _closes(panel: Panel, row: int, last_close: float) -> Float:
    """Closes up to the last one, adjusted for splits and dividends, (D,); NaN on days without a bar."""
    moves = panel.log_return[row].astype(np.float64)
    level = np.cumsum(np.where(np.isfinite(moves), moves, 0.0))
    closes: Float = last_close * np.exp(level - level[-1])
    return np.where(np.isfinite(panel.close[row]), closes, np.nan)


def _fan(
    prediction: Prediction,
    days: NDArray[np.datetime64],
    closes: Float,
    past: Mapping[int, Float],
    reports: Sequence[Any],
) -> Fan:
    """`past` has the quantiles of log returns (H, Q) by the place of their origin in `days`."""
    number = days.astype("datetime64[D]").astype(int)
    fans: dict[str, list[Any]] = {name: [] for name in ("origin", "day", *_ENDS)}
    counted = covered = 0
    for place in sorted(past):
        ahead = slice(place + 1, place + 1 + len(past[place]))
        actual = closes[ahead]
        prices = closes[place] * np.exp(past[place][: len(actual)])
        counted += len(actual)
        covered += int(((prices[:, 0] <= actual) & (actual <= prices[:, -1])).sum())
        _add(fans, number[place], closes[place], number[ahead], prices)
    ends = prediction.last_close * np.exp(np.asarray(prediction.recalibrated.quantile(_LEVELS)))  # (H, Q)
    coming = prediction.dates.astype("datetime64[D]").astype(int)
    _add(fans, number[-1], prediction.last_close, coming, ends)
    told = {
        int(np.datetime64(day, "D").astype(int)): "reported"
        for day in reports
        if number[0] <= np.datetime64(day, "D").astype(int) <= number[-1]
    }
    told |= {
        int(report.date.astype("datetime64[D]").astype(int)): "only likely" if report.likely else "announced"
        for report in prediction.reports
    }
    return Fan(
        {
            CLOSES: {"day": number.tolist(), "close": _short(closes)},
            FANS: fans,
            REPORTS: {"day": list(told), "text": list(told.values())},
        },
        counted,
        covered,
    )


def _add(
    fans: dict[str, list[Any]], origin: int, close: float, days: NDArray[np.int_], prices: Float
) -> None:
    """A fan opens at the close of its origin."""
    for day, row in zip([origin, *days.tolist()], [np.full(len(_ENDS), close), *prices], strict=True):
        fans["origin"].append(int(origin))
        fans["day"].append(int(day))
        for name, value in zip(_ENDS, _short(row), strict=True):
            fans[name].append(value)


def _short(values: Float) -> list[float]:
    return [float(f"{value:.{_DIGITS}g}") for value in values.tolist()]
