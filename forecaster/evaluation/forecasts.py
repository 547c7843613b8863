"""Forecasts at many origins: a network's, taken window by window through the runtime without Keras."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from forecaster.dataset.features import Features
from forecaster.dataset.windows import Windows, gather, grid_windows, origins_within, supervised_days
from forecaster.network.network import Network
from forecaster.network.student_t import ForecastDistribution

_WINDOWS_AT_ONCE = 2048

Float = NDArray[np.float64]


class StepForecast(Protocol):
    """Distributions of the log return from O origins to one day after each."""

    @property
    def median(self) -> NDArray[np.floating]:
        """Medians, (O,)."""

    def take(self, chosen: NDArray[np.bool_] | NDArray[np.intp] | slice) -> "StepForecast":
        """Those of some of the origins."""

    def quantile(self, levels: Float) -> Float:
        """Quantiles at Q levels between 0 and 1, (O, Q)."""

    def probability_below(self, observed: Float) -> Float:
        """The chance of a value of at most `observed`, (O,)."""

    def crps(self, observed: Float, below: Float | None = None) -> Float:
        """Continuous ranked probability score without the step by 19 quantiles, (O,).

        `below` is what `probability_below` gives, where that is known.
        """

    def log_score(self, observed: Float) -> Float:
        """Minus the log of the density, (O,); NaN where there is no density."""


class Forecast(Protocol):
    """Distributions of cumulative log returns from O origins to some of the H days after each."""

    @property
    def steps(self) -> tuple[int, ...]:
        """The days ahead that are forecast, from 1."""

    def at_step(self, step: int) -> StepForecast:
        """Those of one day ahead."""

    def take(self, chosen: NDArray[np.intp]) -> "Forecast":
        """Those of some of the origins, in that order."""


@dataclass(frozen=True)
class Origins:
    """O places where a forecast is made, at the close of day `day` of ticker row `ticker`, each (O,)."""

    ticker: NDArray[np.intp]
    day: NDArray[np.intp]

    def __len__(self) -> int:
        return len(self.day)


def network_forecasts(
    network: Network,
    features: Features,
    part: range,
    target_mask: NDArray[np.bool_] | None = None,
) -> tuple[Origins, ForecastDistribution]:
    """Forecast every origin of `part` that has a full window, densely, as in training.

    Where `target_mask` (N, D) is given, only the origins that count.

    Each answer has seen between half of the network's lookback and all of it (all of it with a network
    that answers at a window's last day only).

    Returns:
        The origins, and the distributions of cumulative log returns, (O, H).
    """
    windows = dense_windows(
        features, part, network.lookback, target_mask, last_day_only=network.last_day_only
    )
    return window_forecasts(network, features, windows, part, target_mask)


def dense_windows(
    features: Features,
    part: range,
    lookback: int,
    target_mask: NDArray[np.bool_] | None = None,
    *,
    last_day_only: bool = False,
) -> Windows:
    """The windows whose supervised days are all origins of `part`, each once."""
    supervised = supervised_days(lookback, last_day_only=last_day_only)
    return grid_windows(
        features.valid_input, part, lookback, supervised, stride=supervised, target_mask=target_mask
    )


def window_forecasts(
    network: Network,
    features: Features,
    windows: Windows,
    part: range,
    target_mask: NDArray[np.bool_] | None = None,
) -> tuple[Origins, ForecastDistribution]:
    """As `network_forecasts`, for the supervised days of the windows given."""
    origins, raw = read_windows(network.head_output, features, windows, part, target_mask)
    if not len(origins):
        return origins, network.distribution(np.zeros((0, 3 * network.horizon), np.float32))
    return origins, in_returns(network.distribution(raw), features, origins)


def read_windows(
    answer: Callable[[NDArray[np.float32], int], NDArray[np.float32]],
    features: Features,
    windows: Windows,
    part: range,
    target_mask: NDArray[np.bool_] | None = None,
) -> tuple[Origins, NDArray[np.float32]]:
    """What `answer` says of each origin of `part`, asked chunk by chunk of windows.

    Args:
        answer: from windows (batch, lookback, features) and how many of their last days are wanted, gives
            (batch, days, ...).
        features: what the windows hold.
        windows: whose supervised days are origins.
        part: days that are origins.
        target_mask: (N, D), see `network_forecasts`.

    Returns:
        The origins, and the answers, (O, ...); (0,) where there is no window.
    """
    tickers, days, raws = [], [], []
    for first in range(0, len(windows), _WINDOWS_AT_ONCE):
        chunk = windows.take(slice(first, first + _WINDOWS_AT_ONCE))
        ticker, day = chunk.origins()
        inside = origins_within(chunk, part, target_mask)
        raw = answer(gather(features, chunk), windows.supervised)
        tickers.append(ticker[inside])
        days.append(day[inside])
        raws.append(raw[inside])
    if not raws:
        empty = np.zeros(0, dtype=np.intp)
        return Origins(empty, empty), np.zeros(0, dtype=np.float32)
    return Origins(np.concatenate(tickers), np.concatenate(days)), np.concatenate(raws)


def at_origins(found: Origins, forecast: ForecastDistribution, wanted: Origins) -> ForecastDistribution:
    """The forecasts of `wanted`, in that order, out of those of `found`.

    Raises:
        ValueError: an origin is not among those of `found`.
    """
    return forecast.take(places_of(wanted, found))


def places_of(wanted: Origins, found: Origins) -> NDArray[np.intp]:
    """Where each of `wanted` stands in `found`.

    Raises:
        ValueError: an origin is not there.
    """
    days = max(int(each.day.max(initial=0)) for each in (found, wanted)) + 1
    there, asked = (each.ticker * days + each.day for each in (found, wanted))
    order = np.argsort(there)
    place = order[np.minimum(np.searchsorted(there, asked, sorter=order), max(len(order) - 1, 0))]
    if not np.array_equal(there[place], asked):
        raise ValueError("an origin has no forecast")
    return place


def in_returns(scaled: ForecastDistribution, features: Features, origins: Origins) -> ForecastDistribution:
    """From units of σ(t)·√h to cumulative log returns; all (O, H)."""
    steps = np.arange(1, scaled.location.shape[-1] + 1)
    unit = features.volatility[origins.ticker, origins.day][:, None] * np.sqrt(steps)
    return ForecastDistribution(
        location=scaled.location * unit,
        scale=scaled.scale * unit,
        degrees_of_freedom=scaled.degrees_of_freedom,
    )
