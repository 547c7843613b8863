"""Fit linear-t to the windows that a recurrent network is trained on."""

from dataclasses import replace
from time import perf_counter

import numpy as np
from numpy.typing import NDArray

from forecaster.dataset.features import Features, features_of
from forecaster.dataset.panel import Panel
from forecaster.dataset.targets import count_known_steps, cumulative_return
from forecaster.dataset.windows import Windows, gather, grid_windows, supervised_days, supervision
from forecaster.errors import BadInputError
from forecaster.network.engine import Engine
from forecaster.network.linear_t import LinearT, fit_linear, regressors
from forecaster.network.training import TrainedNetwork
from forecaster.settings import LINEAR, Recipe

MOST_ORIGINS = 200_000
"""More change the third digit of a coefficient and no digit of a score that is shown."""
_WINDOWS_AT_ONCE = 1024
_SOLVER = Engine("scipy", "cpu")


def linear_recipe(recipe: Recipe) -> Recipe:
    """The recipe of a linear-t that reads what a network of this recipe reads; it has no sizes to choose."""
    return replace(recipe, cell=LINEAR, units=1, layers=1, bidirectional=False, dropout=0.0, ensemble=1)


def train_linear(panel: Panel, features: Features, origins: range, recipe: Recipe) -> TrainedNetwork:
    """Fit linear-t to the known targets of `origins`, or to 200,000 of them chosen by the recipe's seed.

    Args:
        panel: prices of N tickers on D days.
        features: what is read of them.
        origins: of the training part; their targets end within it.
        recipe: lookback, horizon and seed.

    Raises:
        BadInputError: there is no window.
    """
    began = perf_counter()
    rows, targets = training_rows(panel, features, origins, recipe)
    fit = fit_linear(rows, targets)
    network = LinearT(
        cell=LINEAR,
        units=1,
        layers=1,
        bidirectional=False,
        horizon=recipe.horizon,
        lookback=recipe.lookback,
        features=features.names,
        weights=fit.weights,
    )
    return TrainedNetwork(
        network=network,
        keras_file=b"",
        keras_parameters=network.parameter_count(),
        losses=(fit.loss,),
        validation_losses=(),
        best_epoch=1,
        epochs_planned=1,
        batch_size=len(rows),
        seconds=perf_counter() - began,
        targets=len(rows),
        engine=_SOLVER,
        kernel="L-BFGS",
    )


def training_rows(
    panel: Panel, features: Features, origins: range, recipe: Recipe
) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
    """Regressors and scaled targets of `origins`, or of 200,000 of them; arguments as of `train_linear`.

    Returns:
        (O, R), and (O, H) cumulative log returns in units of σ(t)·√h, NaN where not known.

    Raises:
        BadInputError: there is no window.
    """
    supervised = supervised_days(recipe.lookback, last_day_only=False)
    windows = grid_windows(
        features.valid_input, origins, recipe.lookback, supervised, supervised, target_mask=panel.target_mask
    )
    if not len(windows):
        raise BadInputError(
            f"no ticker has {recipe.lookback} days in a row in the training part",
            "fetch more history, or lower --lookback",
        )
    return _rows(panel, features, _chosen(windows, recipe.seed), origins, recipe.horizon)


def refit_linear(panel: Panel, evaluated: TrainedNetwork, recipe: Recipe) -> TrainedNetwork:
    """Fit it again to every day of the panel: nothing is held out any more.

    Raises:
        BadInputError: there is no window.
    """
    features = features_of(panel, evaluated.network.features)
    return train_linear(panel, features, range(panel.shape[1] - recipe.horizon), recipe)


def _chosen(windows: Windows, seed: int) -> Windows:
    most = max(MOST_ORIGINS // windows.supervised, 1)
    if len(windows) <= most:
        return windows
    return windows.take(np.sort(np.random.default_rng(seed).permutation(len(windows))[:most]))


def _rows(
    panel: Panel, features: Features, windows: Windows, origins: range, horizon: int
) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
    """Regressors and scaled targets of the windows' origins that count, (O, R) and (O, H)."""
    known_steps = count_known_steps(panel.log_return, horizon)
    counted = supervision(windows, known_steps, origins, panel.target_mask)
    root = np.sqrt(np.arange(1, horizon + 1))
    rows, targets = [], []
    for first in range(0, len(windows), _WINDOWS_AT_ONCE):
        part = slice(first, first + _WINDOWS_AT_ONCE)
        chunk, steps = windows.take(part), counted[part]
        inside = steps > 0
        found = regressors(gather(features, chunk), features.names, windows.supervised)
        ticker, day = (places[inside] for places in chunk.origins())
        unit = features.volatility[ticker, day][:, None] * root
        moved = cumulative_return(panel.log_return, ticker, day, horizon) / unit
        moved[np.arange(horizon) >= steps[inside][:, None]] = np.nan
        rows.append(found[inside])
        targets.append(moved.astype(np.float32))
    return np.concatenate(rows), np.concatenate(targets)
