"""What a network sees of each ticker and day: causal, and free of the price's scale."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from forecaster.dataset.panel import LatestDays, Panel
from forecaster.dataset.report_features import (
    days_ahead_as_known,
    fill_report_features,
    is_report_feature,
    report_features,
)
from forecaster.dataset.volatility import exponential_mean, volatility
from forecaster.packing import shared
from forecaster.settings import PRICES_ONLY, Recipe

Float32 = NDArray[np.float32]

ALWAYS = ("return", "magnitude", "volatility", "market_return", "market_volatility")
FROM_BARS = {"range": "log_range", "volume": "log_volume"}

_CLIP = 8.0
_USUAL = Recipe()
SMALLEST_MOVE = 0.01
# About minus the log of a stock's and of the market's usual daily volatility, 1.8 % and 1.0 %.
VOLATILITY_SHIFT = 4.0
MARKET_SHIFT = 4.6
_VOLUME_DECAY = 1 - 2 / (60 + 1)


@dataclass(frozen=True)
class Features:
    """The network's inputs and the scale of its targets.

    Attributes:
        names: F feature names, in order.
        values: (N, D, F) float32 within ±8; zero where a value is not known.
        volatility: (N, D) σ(t), the daily volatility known at that day's close.
        valid_input: (N, D) whether that day may be an input: σ is known, and the return is or it is bridged.
    """

    names: tuple[str, ...]
    values: Float32
    volatility: Float32
    valid_input: NDArray[np.bool_]

    def first(self, days: int) -> "Features":
        """Those of the first days; views, not copies."""
        return Features(
            self.names, self.values[:, :days], self.volatility[:, :days], self.valid_input[:, :days]
        )


def available_features(panel: Panel, recipe: Recipe = _USUAL) -> tuple[str, ...]:
    """The features that every ticker's columns allow; a column that one ticker lacks is left out.

    Those of reports are there where at least half of the tickers have dates, and the recipe does not leave
    them out.
    """
    traded = np.isfinite(panel.close)
    names = list(ALWAYS)
    for name, column in FROM_BARS.items():
        values = getattr(panel, column)
        # Half the days will do: a bar without volume now and then is filled with the neutral value.
        if values is not None and np.all(2 * np.isfinite(values).sum(1) >= traded.sum(1)):
            names.append(name)
    dated = 0 if panel.reports is None else len(set(panel.reports.ticker))
    if recipe.features != PRICES_ONLY and dated and 2 * dated >= len(panel.tickers):
        names += report_features(recipe.horizon)
    return tuple(names)


def compute_features(panel: Panel | LatestDays, names: Sequence[str]) -> Features:
    """Compute the named features of every ticker and day from what was known at that day's close.

    A bar's range or volume that is missing counts as its usual value, zero on the feature's scale; so does
    the return of a day without a bar that is bridged. Features of reports are the last of `names`.
    """
    sigma, market_sigma = volatility(panel.log_return), volatility(panel.market_return)
    values = np.empty((*panel.shape, len(names)), dtype=np.float32)
    of_prices = [name for name in names if not is_report_feature(name)]
    for place, name in enumerate(of_prices):
        found = np.nan_to_num(_feature(name, panel, sigma, market_sigma), posinf=_CLIP, neginf=-_CLIP)
        values[..., place] = np.clip(found, -_CLIP, _CLIP)
    if len(of_prices) < len(names):
        fill_report_features(panel, names[len(of_prices) :], sigma, values[..., len(of_prices) :])
    valid_input = np.isfinite(panel.log_return)
    if panel.bridged is not None:
        valid_input |= panel.bridged
    valid_input &= np.isfinite(sigma)
    return Features(tuple(names), values, sigma, valid_input)


def features_of(panel: Panel, names: Sequence[str]) -> Features:
    """As `compute_features`, once for each panel, which keeps them; read-only, as all who have it share them.

    Processes that the panel is sent to have them from then on, in the same memory.
    """
    names = tuple(names)
    if names not in panel.computed:
        found = compute_features(panel, names)
        panel.computed[names] = Features(
            names, shared(found.values), shared(found.volatility), shared(found.valid_input)
        )
    return panel.computed[names]


def recipe_features(panel: Panel, recipe: Recipe) -> Features:
    """`features_of` all that the recipe's network reads."""
    return features_of(panel, available_features(panel, recipe))


def first_days(panel: Panel, days: int) -> Panel:
    """The panel on its first days, with the features that were computed of all its days.

    They are the same, as no feature sees ahead. Those of reports rest on the sessions that the calendar has
    after the last day: where the panel's days have turned out to be others, they are left to be computed.
    """
    part = panel.first(days)
    for names, features in panel.computed.items():
        if days_ahead_as_known(panel, days, names):
            part.computed[names] = features.first(days)
    return part


def _feature(
    name: str, panel: Panel | LatestDays, sigma: Float32, market_sigma: Float32
) -> NDArray[np.floating]:
    """One feature, (N, D) or (D,), NaN where unknown."""
    with np.errstate(invalid="ignore", divide="ignore"):
        return FORMULAS[name](panel, sigma, market_sigma)


def _return(panel: Panel | LatestDays, sigma: Float32, _: Float32) -> NDArray[np.floating]:
    return panel.log_return / sigma


def _magnitude(panel: Panel | LatestDays, sigma: Float32, _: Float32) -> NDArray[np.floating]:
    return np.log(np.abs(panel.log_return) / sigma + SMALLEST_MOVE)


def _volatility(_: Panel | LatestDays, sigma: Float32, __: Float32) -> NDArray[np.floating]:
    return np.log(sigma) + VOLATILITY_SHIFT


def _market_return(panel: Panel | LatestDays, _: Float32, market_sigma: Float32) -> NDArray[np.floating]:
    return panel.market_return / market_sigma


def _market_volatility(_: Panel | LatestDays, __: Float32, market_sigma: Float32) -> NDArray[np.floating]:
    return np.log(market_sigma) + MARKET_SHIFT


def _range(panel: Panel | LatestDays, sigma: Float32, _: Float32) -> NDArray[np.floating]:
    if panel.log_range is None:
        return np.full(panel.shape, np.nan, dtype=np.float32)
    ranged: NDArray[np.floating] = np.log(panel.log_range / sigma + SMALLEST_MOVE)
    return ranged


def _volume(panel: Panel | LatestDays, _: Float32, __: Float32) -> NDArray[np.floating]:
    if panel.log_volume is None:
        return np.full(panel.shape, np.nan, dtype=np.float32)
    return panel.log_volume - exponential_mean(panel.log_volume, _VOLUME_DECAY)


FORMULAS = {
    "return": _return,
    "magnitude": _magnitude,
    "volatility": _volatility,
    "market_return": _market_return,
    "market_volatility": _market_volatility,
    "range": _range,
    "volume": _volume,
}
"""By name: from the panel, each ticker's volatility and the market's to (N, D) or (D,), NaN where unknown."""
