"""Forecasts at many origins: a network's, taken window by window through the runtime without Keras."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from forecaster.dataset.features import Features
from forecaster.dataset.windows import Windows, gather, grid_windows, origins_within, supervised_days
from forecaster.network.network import Network
from forecaster.network.student_t import ForecastDistribution

_WINDOWS_AT_ONCE = 2048


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

    Each answer has seen between half of the network's lookback and all of it (all of it with a bidirectional
    network, which answers at a window's last day only).

    Returns:
        The origins, and the distributions of cumulative log returns, (O, H).
    """
    lookback = network.lookback
    supervised = supervised_days(lookback, bidirectional=network.bidirectional)
    windows = grid_windows(
        features.valid_input, part, lookback, supervised, stride=supervised, target_mask=target_mask
    )
    return window_forecasts(network, features, windows, part, target_mask)


def window_forecasts(
    network: Network,
    features: Features,
    windows: Windows,
    part: range,
    target_mask: NDArray[np.bool_] | None = None,
) -> tuple[Origins, ForecastDistribution]:
    """As `network_forecasts`, for the supervised days of the windows given."""
    tickers, days, raws = [], [], []
    for first in range(0, len(windows), _WINDOWS_AT_ONCE):
        chunk = windows.take(slice(first, first + _WINDOWS_AT_ONCE))
        ticker, day = chunk.origins()
        inside = origins_within(chunk, part, target_mask)
        raw = network.head_output(gather(features, chunk), windows.supervised)
        tickers.append(ticker[inside])
        days.append(day[inside])
        raws.append(raw[inside])
    if not raws:
        empty = np.zeros(0, dtype=np.intp)
        return Origins(empty, empty), network.distribution(np.zeros((0, 3 * network.horizon), np.float32))
    origins = Origins(np.concatenate(tickers), np.concatenate(days))
    return origins, in_returns(network.distribution(np.concatenate(raws)), features, origins)


def at_origins(found: Origins, forecast: ForecastDistribution, wanted: Origins) -> ForecastDistribution:
    """The forecasts of `wanted`, in that order, out of those of `found`.

    Raises:
        ValueError: an origin is not among those of `found`.
    """
    days = max(int(each.day.max(initial=0)) for each in (found, wanted)) + 1
    there, asked = (each.ticker * days + each.day for each in (found, wanted))
    order = np.argsort(there)
    place = order[np.minimum(np.searchsorted(there, asked, sorter=order), max(len(order) - 1, 0))]
    if not np.array_equal(there[place], asked):
        raise ValueError("an origin has no forecast")
    return ForecastDistribution(
        forecast.location[place], forecast.scale[place], forecast.degrees_of_freedom[place]
    )


def in_returns(scaled: ForecastDistribution, features: Features, origins: Origins) -> ForecastDistribution:
    """From units of σ(t)·√h to cumulative log returns; all (O, H)."""
    steps = np.arange(1, scaled.location.shape[-1] + 1)
    unit = features.volatility[origins.ticker, origins.day][:, None] * np.sqrt(steps)
    return ForecastDistribution(
        location=scaled.location * unit,
        scale=scaled.scale * unit,
        degrees_of_freedom=scaled.degrees_of_freedom,
    )
