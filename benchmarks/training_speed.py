"""Targets trained a second: dense supervision against the plain way, in turn in one process.

The plain way lays windows out in memory, one target each, and calls `model.fit` on them. The cell,
units, lookback, features, loss and batch size are the same; both have been compiled before they are
timed. The home folder is FORECAST_HOME; the rates are printed as JSON, medians of three.
"""

import json
import os
import statistics
import time
from collections.abc import Callable
from pathlib import Path

import keras
import numpy as np

from forecaster.dataset.features import Features, available_features, compute_features
from forecaster.dataset.panel import Panel, choose_tickers, load_panel
from forecaster.dataset.targets import count_known_steps, cumulative_return
from forecaster.dataset.windows import grid_windows, supervision
from forecaster.evaluation.forecasts import gather
from forecaster.network.engine import make_repeatable, start_engine
from forecaster.network.keras_network import WindowTrainer, build_network, negative_log_likelihood
from forecaster.prices.store import PriceStore
from forecaster.settings import Recipe

RECIPE = Recipe()
BATCH = 256
PLAIN_WINDOWS = 256 * 60
TICKERS = 200
ROUNDS = 3


def main() -> None:
    """Time both ways in turn and print their rates."""
    make_repeatable(0, start_engine("cpu").backend)
    store = PriceStore(Path(os.environ["FORECAST_HOME"]))
    panel = load_panel(store, choose_tickers(store, None)[:TICKERS])
    features = compute_features(panel, available_features(panel))
    ways = {"dense": dense_way(panel, features), "plain": plain_way(panel, features)}
    for train in ways.values():
        train()
    rates: dict[str, list[float]] = {name: [] for name in ways}
    for _ in range(ROUNDS):
        for name, train in ways.items():
            started = time.perf_counter()
            targets = train()
            rates[name].append(targets / (time.perf_counter() - started))
    print(json.dumps({name: statistics.median(found) for name, found in rates.items()}))


def dense_way(panel: Panel, features: Features) -> Callable[[], int]:
    """One epoch as `forecast train` runs it; gives the targets it went through."""
    supervised = RECIPE.lookback // 2
    days = range(panel.shape[1])
    windows = grid_windows(features.valid_input, days, RECIPE.lookback, supervised, stride=supervised)
    windows = windows.take(slice(len(windows) // BATCH * BATCH))
    steps = supervision(windows, count_known_steps(panel.log_return, RECIPE.horizon), days)
    rows = windows.ticker * np.int32(panel.shape[1]) + windows.start
    network = build_network(len(features.names), RECIPE, last=supervised, numpy_loops=True)
    trainer = WindowTrainer(network, features, panel.log_return, RECIPE, supervised)
    trainer.compile(optimizer=keras.optimizers.Adam(RECIPE.learning_rate, global_clipnorm=1.0))

    def train() -> int:
        for first in range(0, len(rows), BATCH):
            trainer.train_on_batch(rows[first : first + BATCH], steps[first : first + BATCH])
        return int(np.count_nonzero(steps))

    return train


def plain_way(panel: Panel, features: Features) -> Callable[[], int]:
    """A part of the plain epoch; gives the targets it went through."""
    every = grid_windows(features.valid_input, range(panel.shape[1]), RECIPE.lookback, supervised=1, stride=1)
    order = np.random.default_rng(0).permutation(len(every))[:PLAIN_WINDOWS]
    chosen = every.take(order)
    ticker, day = (place.ravel() for place in chosen.origins())
    returns = cumulative_return(panel.log_return, ticker, day, RECIPE.horizon)
    scale = features.volatility[ticker, day][:, None] * np.sqrt(np.arange(1, RECIPE.horizon + 1))
    inputs, targets = gather(features, chosen), np.nan_to_num(returns / scale).astype(np.float32)
    entrance = keras.Input(inputs.shape[1:])
    hidden = keras.layers.GRU(RECIPE.units)(entrance)
    model = keras.Model(entrance, keras.layers.Dense(3 * RECIPE.horizon)(hidden))
    adam = keras.optimizers.Adam(RECIPE.learning_rate, global_clipnorm=1.0)
    model.compile(adam, loss=lambda actual, raw: negative_log_likelihood(raw, actual))

    def train() -> int:
        model.fit(inputs, targets, batch_size=BATCH, verbose=0)
        return len(inputs)

    return train


if __name__ == "__main__":
    main()
