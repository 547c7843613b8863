"""The forecasts that any network has to beat: random walks, each with an honest range, and linear-t.

Every function gives, at each origin and for h = 1 … H, the distribution of the log return from the
origin's close to the close h days later, (O, H), from returns up to and including the origin.
"""

from collections.abc import Callable
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from forecaster.dataset.features import recipe_features
from forecaster.dataset.panel import Panel
from forecaster.dataset.volatility import volatility
from forecaster.evaluation.forecasts import Origins, at_origins, network_forecasts
from forecaster.network.network import Network
from forecaster.network.student_t import ForecastDistribution
from forecaster.settings import Recipe

if TYPE_CHECKING:
    from forecaster.dataset.training_set import TrainingSet

Baseline = Callable[[Panel, Origins, int], ForecastDistribution]

RISKMETRICS_T, LINEAR_T = "riskmetrics-t", "linear-t"
BOOSTING = "boosting"
SAME_INPUTS = (LINEAR_T, BOOSTING)
"""Baselines that read what the networks read, without recurrence that is learned."""
_TAIL_DEGREES = 6.0


def naive(panel: Panel, origins: Origins, horizon: int) -> ForecastDistribution:
    """Last close; a normal range with the ticker's volatility over all its past."""
    _, spread = _past_mean_and_spread(panel.log_return)
    return random_walk(0.0, spread[origins.ticker, origins.day], np.inf, horizon)


def drift(panel: Panel, origins: Origins, horizon: int) -> ForecastDistribution:
    """Last close, carried on at the ticker's mean past return; the range as in `naive`."""
    mean, spread = _past_mean_and_spread(panel.log_return)
    place = origins.ticker, origins.day
    return random_walk(mean[place], spread[place], np.inf, horizon)


def riskmetrics_t(panel: Panel, origins: Origins, horizon: int) -> ForecastDistribution:
    """Last close; the range of RiskMetrics' volatility (decay 0.94) with Student-t tails of 6 degrees.

    Source: RiskMetrics Technical Document, 4th ed., 1996; the variance of a Student-t is ν / (ν − 2).
    """
    return riskmetrics_walk(volatility(panel.log_return)[origins.ticker, origins.day], horizon)


def riskmetrics_walk(sigma: NDArray[np.floating], horizon: int) -> ForecastDistribution:
    """As `riskmetrics_t`, from the volatilities of O origins."""
    scale = sigma * np.sqrt((_TAIL_DEGREES - 2) / _TAIL_DEGREES)
    return random_walk(0.0, scale, _TAIL_DEGREES, horizon)


BASELINES: dict[str, Baseline] = {"naive": naive, "drift": drift, RISKMETRICS_T: riskmetrics_t}
"""Those that nothing is fitted for."""


def walks(panel: Panel, origins: Origins, horizon: int) -> dict[str, ForecastDistribution]:
    """The forecasts of those baselines that nothing is fitted for, by name."""
    return {name: baseline(panel, origins, horizon) for name, baseline in BASELINES.items()}


def all_baselines(data: "TrainingSet", recipe: Recipe, origins: Origins) -> dict[str, ForecastDistribution]:
    """Every baseline's forecasts, by name: the random walks, and linear-t on the inputs of `recipe`.

    Args:
        data: prices and split; linear-t is fitted to the training part.
        recipe: of the networks that are to be compared with them.
        origins: in the test part, each with a full window.

    Raises:
        BadInputError: there is no window in the training part.
    """
    return walks(data.panel, origins, recipe.horizon) | {LINEAR_T: linear_t(data, recipe, origins)}


def linear_t(data: "TrainingSet", recipe: Recipe, origins: Origins) -> ForecastDistribution:
    """What the network's own inputs tell without recurrence; arguments as of `all_baselines`.

    See `network.linear_t`.

    Raises:
        BadInputError: there is no window in the training part.
    """
    return fitted_linear_t(data, recipe, origins)[1]


def fitted_linear_t(
    data: "TrainingSet", recipe: Recipe, origins: Origins
) -> tuple[Network, ForecastDistribution]:
    """As `linear_t`, with the network itself.

    Raises:
        BadInputError: there is no window in the training part.
    """
    from forecaster.network.linear_training import train_linear  # `predict` has no use for it

    panel = data.panel
    features = recipe_features(panel, recipe)
    network = train_linear(panel, features, data.split.train, recipe).network
    found, forecast = network_forecasts(network, features, data.split.test, panel.target_mask)
    return network, at_origins(found, forecast, origins)


def _past_mean_and_spread(log_return: NDArray[np.float32]) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Mean and root mean square about zero of all returns up to each day, (N, D)."""
    known = np.isfinite(log_return)
    daily = np.where(known, log_return, 0.0).astype(np.float64)
    count = np.maximum(np.cumsum(known, axis=1), 1)
    mean = np.cumsum(daily, axis=1) / count
    spread = np.sqrt(np.cumsum(np.square(daily), axis=1) / count)
    return mean, spread


def random_walk(
    daily_drift: NDArray[np.float64] | float, daily_scale: NDArray[np.floating], degrees: float, horizon: int
) -> ForecastDistribution:
    """Independent daily returns of one mean and scale, (O, H): the scale grows as √h, the mean as h."""
    steps = np.arange(1, horizon + 1)
    scale = daily_scale[:, None] * np.sqrt(steps)
    location = np.multiply.outer(np.broadcast_to(daily_drift, daily_scale.shape), steps)
    return ForecastDistribution(
        location=location, scale=scale, degrees_of_freedom=np.full(scale.shape, degrees)
    )
