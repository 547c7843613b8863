"""The plain way to train on windows: materialised, one target each, `model.fit`; prints targets a second.

The cell, units, lookback, features, loss and batch size are those of `forecast train`; the home
folder is FORECAST_HOME. A part of an epoch is enough to know the rate.
"""

import json
import os
import time
from pathlib import Path

import keras
import numpy as np

from forecaster.dataset.features import available_features, compute_features
from forecaster.dataset.panel import choose_tickers, load_panel
from forecaster.dataset.targets import cumulative_return
from forecaster.dataset.windows import grid_windows
from forecaster.evaluation.forecasts import gather
from forecaster.network.model import negative_log_likelihood
from forecaster.prices.store import PriceStore
from forecaster.settings import TrainSettings

WINDOWS = 256 * 120
WARM_UP = 256 * 8


def main() -> None:
    """Fit on some thousands of windows and print the rate."""
    recipe = TrainSettings()
    windows, targets = materialised(recipe)
    inputs = keras.Input(windows.shape[1:])
    hidden = keras.layers.GRU(recipe.units)(inputs)
    model = keras.Model(inputs, keras.layers.Dense(3 * recipe.horizon)(hidden))
    model.compile("adam", loss=lambda actual, raw: negative_log_likelihood(raw, actual))
    model.fit(windows[:WARM_UP], targets[:WARM_UP], batch_size=256, verbose=0)
    started = time.perf_counter()
    model.fit(windows, targets, batch_size=256, verbose=0)
    print(json.dumps({"targets_per_second": len(windows) / (time.perf_counter() - started)}))


def materialised(recipe: TrainSettings) -> tuple[np.ndarray, np.ndarray]:
    """Windows (W, lookback, F), and targets of their last days (W, H) over σ(t)·√h."""
    store = PriceStore(Path(os.environ["FORECAST_HOME"]))
    panel = load_panel(store, choose_tickers(store, None)[:20])
    features = compute_features(panel, available_features(panel))
    every = grid_windows(features.usable, range(panel.shape[1]), recipe.lookback, supervised=1, stride=1)
    order = np.random.default_rng(0).permutation(len(every))[:WINDOWS]
    chosen = every.take(order)
    ticker, day = (place.ravel() for place in chosen.origins())
    returns = cumulative_return(panel.log_return, ticker, day, recipe.horizon)
    scale = features.volatility[ticker, day][:, None] * np.sqrt(np.arange(1, recipe.horizon + 1))
    return gather(features, chosen), np.nan_to_num(returns / scale).astype(np.float32)


if __name__ == "__main__":
    main()
