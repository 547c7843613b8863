"""Fit the dependence of a network's steps to its forecasts of training days."""

import numpy as np

from forecaster.dataset.features import compute_features
from forecaster.dataset.panel import Panel
from forecaster.dataset.targets import cumulative_return
from forecaster.dataset.windows import grid_windows, supervised_days
from forecaster.evaluation.forecasts import window_forecasts
from forecaster.network.network import Network
from forecaster.network.step_copula import StepCopula, fit_copula

_MOST_TICKERS = 50
_MOST_ORIGINS = 20_000
_MOST_WINDOWS = 4096
"""Of a network that answers at the last day only, a window gives one origin."""


def fit_step_copula(network: Network, panel: Panel, origins: range, seed: int) -> StepCopula | None:
    """The copula of the network's steps, from up to 20,000 origins of 50 tickers; None from too few.

    More of them change no digit that is shown, and would take as long as an epoch.

    Args:
        network: as it was trained.
        panel: the prices that it was trained on.
        origins: of the training part, whose targets end within it.
        seed: of which tickers and windows are taken.
    """
    random = np.random.default_rng(seed)
    rows = random.permutation(panel.shape[0])[:_MOST_TICKERS]
    some = panel.take(np.sort(rows))
    features = compute_features(some, network.features)
    supervised = supervised_days(network.lookback, last_day_only=network.last_day_only)
    windows = grid_windows(
        features.valid_input, origins, network.lookback, supervised, supervised, target_mask=some.target_mask
    )
    most = min(-(-_MOST_ORIGINS // supervised), _MOST_WINDOWS)
    windows = windows.take(np.sort(random.permutation(len(windows))[:most]))
    found, forecast = window_forecasts(network, features, windows, origins, some.target_mask)
    actual = cumulative_return(some.log_return, found.ticker, found.day, network.horizon)
    return fit_copula(forecast.probability_below(actual)[np.isfinite(actual).all(1)])
