"""Predict one ticker from a registered network, without Keras."""

from dataclasses import dataclass
from datetime import datetime

import numpy as np
from numpy.typing import NDArray

from forecaster.dataset.features import compute_features
from forecaster.dataset.panel import Panel, load_panel
from forecaster.dataset.volatility import WARM_UP
from forecaster.errors import BadInputError, UsageError
from forecaster.evaluation.baselines import naive
from forecaster.evaluation.forecasts import Origins, in_returns
from forecaster.network.recurrent import RecurrentNetwork
from forecaster.network.student_t import ForecastDistribution
from forecaster.prices.calendar import last_closed_session, next_sessions, session_count
from forecaster.prices.store import PriceStore
from forecaster.registry.versions import RegisteredModel

# By then the slowest of the features' exponential means has forgotten all but 1e-13 of its start.
_WARM_UP_DAYS = 1000

Prices = NDArray[np.float64]


@dataclass(frozen=True)
class Prediction:
    """A dated forecast of one ticker for H sessions ahead, in dollars.

    Attributes:
        ticker: the symbol.
        model: NAME@VERSION.
        trained_on: whether the network was trained on this ticker.
        last_date, last_close: the close it was made at.
        sessions_old: sessions that have closed since then.
        dates: (H,) the New York sessions foretold.
        median: (H,).
        intervals: by level in per cent, lower and upper ends (2, H).
        naive_median: (H,) the last close.
        naive_interval: (2, H) of the naive forecast at the widest level.
        expected_move: (H,) half the width of the central 68 % of the log return, in per cent.
        distribution: (H,) of the cumulative log return from the last close.
        naive_distribution: (H,) of the naive forecast, a normal.
        history_dates, history: the closes of the last months, for a chart.
    """

    ticker: str
    model: str
    trained_on: bool
    last_date: np.datetime64
    last_close: float
    sessions_old: int
    dates: NDArray[np.datetime64]
    median: Prices
    intervals: dict[int, Prices]
    naive_median: Prices
    naive_interval: Prices
    expected_move: Prices
    distribution: ForecastDistribution
    naive_distribution: ForecastDistribution
    history_dates: NDArray[np.datetime64]
    history: Prices


def predict(
    store: PriceStore, model: RegisteredModel, ticker: str, now: datetime, horizon: int | None, level: int
) -> Prediction:
    """Forecast `ticker` from its last close in the store.

    Args:
        store: prices.
        model: network and card, as the registry loaded them.
        ticker: any ticker in the store.
        now: decides how old the prices are, nothing else.
        horizon: steps to show, at most those trained for (None: all of them).
        level: the wider interval, in per cent; the narrower is 50 %.

    Raises:
        UsageError: more steps than the network was trained for, or a level that is none.
        NotFoundError: the ticker is not in the store.
        BadInputError: the last days have a hole, or are too few.
    """
    network = model.network
    steps = _checked_steps(horizon, network.horizon)
    if not 50 < level < 100:
        raise UsageError(f"--level {level} is out of range", "it must be above 50 and below 100")
    panel = load_panel(store, [ticker])
    forecast = forecast_last_day(network, panel)
    walk = naive(panel, _last_origin(panel), network.horizon)
    last_close = float(panel.close[0, -1])
    last_date = panel.dates[-1]
    return Prediction(
        ticker=ticker,
        model=model.reference,
        trained_on=ticker in model.card["tickers"],
        last_date=last_date,
        last_close=last_close,
        sessions_old=session_count(last_date, last_closed_session(now)),
        dates=next_sessions(last_date, steps),
        median=last_close * np.exp(forecast.location[0, :steps].astype(np.float64)),
        intervals={width: _interval(forecast, last_close, width)[:, :steps] for width in (50, level)},
        naive_median=np.full(steps, last_close),
        naive_interval=_interval(walk, last_close, level)[:, :steps],
        expected_move=100 * np.diff(_return_interval(forecast, 68), axis=0)[0, :steps] / 2,
        distribution=_first_ticker(forecast, steps),
        naive_distribution=_first_ticker(walk, steps),
        history_dates=panel.dates[-63:],
        history=panel.close[0, -63:],
    )


def forecast_last_day(network: RecurrentNetwork, panel: Panel) -> ForecastDistribution:
    """The network's distribution of cumulative log returns from the panel's last day, (N, H).

    Raises:
        BadInputError: the days that the network looks back on have a hole, or there are not so many.
    """
    lookback = network.lookback
    features = compute_features(panel.last(lookback + _WARM_UP_DAYS), network.features)
    usable = features.valid_input[:, -lookback:]
    if usable.shape[1] < lookback or not usable.all():
        raise BadInputError(
            f"{', '.join(panel.tickers)}: the network looks back {lookback} trading days without a hole, "
            f"after {WARM_UP} more, and only {int(usable.sum(1).min())} of the last {lookback} can be used",
            "fetch the missing days (`forecast data status` names them)",
        )
    raw = network.head_output(features.values[:, -lookback:], 1)[:, -1]
    last = features.valid_input.shape[1] - 1
    origins = Origins(np.arange(len(panel.tickers)), np.full(len(panel.tickers), last))
    return in_returns(network.distribution(raw), features, origins)


def _checked_steps(horizon: int | None, trained: int) -> int:
    if horizon is not None and not 1 <= horizon <= trained:
        raise UsageError(
            f"--horizon {horizon}: this network foretells 1 to {trained} sessions ahead",
            f"train one that goes further with `forecast train --horizon {max(horizon, 1)}`",
        )
    return horizon or trained


def _last_origin(panel: Panel) -> Origins:
    return Origins(np.array([0]), np.array([panel.shape[1] - 1]))


def _first_ticker(forecast: ForecastDistribution, steps: int) -> ForecastDistribution:
    return ForecastDistribution(
        forecast.location[0, :steps], forecast.scale[0, :steps], forecast.degrees_of_freedom[0, :steps]
    )


def _return_interval(forecast: ForecastDistribution, level: int) -> Prices:
    """(2, H) lower and upper ends of the central interval of the first ticker's log return."""
    tail = (1 - level / 100) / 2
    ends: Prices = forecast.quantile(np.array([tail, 1 - tail]))[0].T
    return ends


def _interval(forecast: ForecastDistribution, last_close: float, level: int) -> Prices:
    return last_close * np.exp(_return_interval(forecast, level))
