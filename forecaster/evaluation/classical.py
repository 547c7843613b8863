"""AutoARIMA, AutoETS and Theta: each ticker's log price by the classical models, with normal errors.

Orders and parameters are chosen once, on the last training days; the model is then carried on from day to day
with the closes that come, and forecasts from each origin.

Sources: Hyndman & Athanasopoulos, "Forecasting: principles and practice", 3rd ed., chapters 8 and 9; Hyndman
& Billah, "Unmasking the Theta method", 2003: it is simple exponential smoothing with half the slope as drift.
"""

from dataclasses import dataclass
from functools import partial
from typing import Any

import numpy as np
from numpy.typing import NDArray

from forecaster.evaluation.fitted import LEAST_DAYS, Fitted, Wanted, fit_tickers
from forecaster.network.student_t import ForecastDistribution

Float = NDArray[np.float64]

AUTO_ARIMA, AUTO_ETS, THETA = "auto-arima", "auto-ets", "theta"
FITTED_DAYS = 1000
"""The latest training days are fitted: more change little and cost time."""
_MOST_LAGS = 3
_LARGEST_ROOT = 0.999


@dataclass(frozen=True)
class Series:
    """One ticker's log price on its known days, and what is asked of it.

    Attributes:
        level: (T,) log of the adjusted close, from any base.
        trained: how many of the days are training days.
        origins: (n,) places in `level` from which to forecast, not before the last training day.
    """

    level: Float
    trained: int
    origins: NDArray[np.intp]


Moves = tuple[Float, Float]
"""Expected moves from n origins, (n, H), and the standard deviation of each step, (H,)."""


def classical(wanted: Wanted, *, method: str) -> Fitted:
    """Normal distributions of the return to each step, (O, H), by `auto-arima`, `auto-ets` or `theta`."""

    def forecast(_: int, moves: Moves) -> ForecastDistribution:
        expected, deviations = moves
        scale = np.broadcast_to(deviations, expected.shape)
        return ForecastDistribution(expected, scale, np.full(expected.shape, np.inf))

    fit = partial(moves_of, method=method, horizon=wanted.horizon)
    return fit_tickers(wanted, fit, partial(_series, wanted), forecast)


def _series(wanted: Wanted, ticker: int) -> Series:
    returns = wanted.panel.log_return[ticker].astype(np.float64)
    known = np.isfinite(returns)
    seen = np.cumsum(known)
    trained = int(seen[wanted.data.split.train.stop - 1])
    days = wanted.origins.day[wanted.rows[ticker]]
    return Series(np.cumsum(returns[known]), trained, seen[days] - 1)


def moves_of(series: Series, method: str, horizon: int) -> Moves | None:
    """Fit one ticker and forecast; None where there are too few days, or the fit fails."""
    training = series.level[max(series.trained - FITTED_DAYS, 0) : series.trained]
    if len(training) < LEAST_DAYS or not np.diff(training).std():
        return None
    work = {AUTO_ARIMA: _arima, AUTO_ETS: _exponential_smoothing, THETA: _theta}[method]
    try:
        moves, deviations = work(series, training, horizon)
    except (ValueError, ArithmeticError, IndexError, np.linalg.LinAlgError):  # what a search comes upon
        return None
    sound = np.isfinite(moves).all() and np.isfinite(deviations).all() and (deviations > 0).all()
    return (moves, deviations) if sound else None


def _arima(series: Series, training: Float, horizon: int) -> Moves:
    from scipy.signal import lfilter
    from statsforecast.models import AutoARIMA

    model: Any = AutoARIMA(season_length=1, max_p=_MOST_LAGS, max_q=_MOST_LAGS, max_d=1)
    fitted = model.fit(training).model_
    coefficients, order = fitted["coef"], fitted["arma"]
    ar = np.array([coefficients[f"ar{lag}"] for lag in range(1, order[0] + 1)])
    ma = np.array([coefficients[f"ma{lag}"] for lag in range(1, order[1] + 1)])
    if not _decays(-ar) or not _decays(ma):
        raise ArithmeticError("its past would count for ever")
    differences = order[5]
    mean = coefficients.get("drift", coefficients.get("intercept", 0.0))
    followed = series.level[max(series.trained - FITTED_DAYS, 0) :]
    origins = series.origins - (len(series.level) - len(followed))
    centred = (np.diff(followed, prepend=followed[0]) if differences else followed) - mean
    ar_part, ma_part = np.r_[1.0, -ar], np.r_[1.0, ma]
    shocks = lfilter(ar_part, ma_part, centred)
    # Columns of the past, and one for each step that is forecast, whose shocks are expected to be zero.
    lags = max(len(ar), len(ma))
    past = origins[:, None] - np.arange(lags)[::-1]
    values = np.concatenate([centred[past], np.zeros((len(origins), horizon))], axis=1)
    errors = np.concatenate([shocks[past], np.zeros((len(origins), horizon))], axis=1)
    for step in range(lags, lags + horizon):
        values[:, step] = values[:, step - len(ar) : step] @ ar[::-1]
        values[:, step] += errors[:, step - len(ma) : step] @ ma[::-1]
    expected = values[:, lags:] + mean
    moves = np.cumsum(expected, axis=1) if differences else expected - followed[origins][:, None]
    # The weights of past shocks: the response of the level to one shock.
    level_part = np.convolve(ar_part, [1.0, -1.0]) if differences else ar_part
    weights = lfilter(ma_part, level_part, np.r_[1.0, np.zeros(horizon - 1)])
    return moves, np.sqrt(fitted["sigma2"] * np.cumsum(np.square(weights)))


def _decays(coefficients: Float) -> bool:
    """Whether 1 + c₁B + c₂B² + … is stationary or invertible: its effect fades, that of 1 does not."""
    return bool((np.abs(np.roots(np.r_[1.0, coefficients])) < _LARGEST_ROOT).all())


def _exponential_smoothing(series: Series, training: Float, horizon: int) -> Moves:
    from statsforecast.models import AutoETS

    fitted = AutoETS(season_length=1, model="AZN").fit(training).model_
    has_trend, damped = fitted["components"][1] != "N", fitted["components"][3] == "D"
    alpha, beta, _, phi = fitted["par"][:4]
    beta, phi = (beta if has_trend else 0.0), (phi if damped else 1.0)
    level, trend = fitted["states"][-1][0], fitted["states"][-1][1] if has_trend else 0.0
    levels, trends = _smoothed(series, alpha, beta, phi, (level, trend))
    grown = np.cumsum(phi ** np.arange(1, horizon + 1))
    moves = (levels - series.level[series.origins])[:, None] + np.multiply.outer(trends, grown)
    weights = np.r_[1.0, alpha + beta * grown[:-1]]
    return moves, np.sqrt(fitted["sigma2"] * np.cumsum(np.square(weights)))


def _theta(series: Series, training: Float, horizon: int) -> Moves:
    from statsforecast.models import Theta

    fitted: Any = Theta(season_length=1).fit(training)
    alpha = float(fitted.model_["par"]["alpha"])
    drift = float(np.polyfit(np.arange(len(training)), training, 1)[0]) / 2
    # The level of plain smoothing lags behind a drift by its sum of weights.
    level, _ = _smoothed(
        Series(training, 0, np.arange(len(training))), alpha, 0.0, 1.0, (float(training[0]), 0.0)
    )
    levels, _ = _smoothed(series, alpha, 0.0, 1.0, (float(level[-1]), 0.0))
    ahead = drift * (np.arange(horizon) + 1 / alpha)
    moves = (levels - series.level[series.origins])[:, None] + ahead
    errors = training[1:] - level[:-1] - drift / alpha
    weights = np.r_[1.0, np.full(horizon - 1, alpha)]
    return moves, np.sqrt(np.square(errors).mean() * np.cumsum(np.square(weights)))


def _smoothed(
    series: Series, alpha: float, beta: float, phi: float, start: tuple[float, float]
) -> tuple[Float, Float]:
    """Level and trend at each origin, (n,), carried on from `start`, that of the last training day."""
    level, trend = start
    first = max(series.trained, 0)
    levels, trends = np.empty((2, len(series.level) - first + 1))
    levels[0], trends[0] = start
    for place, value in enumerate(series.level[first:], 1):
        error = value - (level + phi * trend)
        level, trend = level + phi * trend + alpha * error, phi * trend + beta * error
        levels[place], trends[place] = level, trend
    places = series.origins - first + 1
    return levels[places], trends[places]
