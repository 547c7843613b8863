"""The recipe of many notebooks: windows of scaled values, one target each, a Keras GRU, squared errors.

Tutorials scale each ticker's price, or its return, and give no interval: here it is that of a normal
distribution whose width is the standard deviation of the ticker's errors in the validation year.
"""

import sys
from pathlib import Path
from statistics import NormalDist

import keras
import numpy as np
from contest import LEVELS, LOOKBACK, SEED, UNITS, Float, Float32, Panel, compete
from keras_budget import WithinBudget

SAID = (
    "one window and one target at a time, squared errors, Adam, batches of 256; each ticker's {of}, scaled "
    "by its training years, is the only input; its interval is a normal distribution's of the ticker's "
    "errors in the validation year; the epoch that was best on the validation year."
)
MOST_EPOCHS, BATCH, PATIENCE = 100, 256, 5
NORMAL = np.array([NormalDist().inv_cdf(level) for level in LEVELS])


class KerasNotebook:
    """One network for all tickers, of their returns or of their prices."""

    def __init__(self, panel: Panel, _: Path, seconds: float, of: str) -> None:
        keras.utils.set_random_seed(SEED)
        self.panel = panel
        self.budget = WithinBudget(seconds)
        train = slice(1, panel.first_validation)
        returns = np.nan_to_num(panel.log_return).astype(np.float64)
        self.price = np.exp(np.cumsum(returns, axis=1)) if of == "prices" else None
        values = returns if self.price is None else self.price
        past = values[:, train]
        low, high = (
            (past.mean(1), past.mean(1) + past.std(1)) if self.price is None else (past.min(1), past.max(1))
        )
        self.low, self.span = low[:, None], (high - low)[:, None]
        self.values = ((values - self.low) / self.span).astype(np.float32)
        self.model = keras.Sequential(
            [keras.Input((LOOKBACK, 1)), keras.layers.GRU(UNITS), keras.layers.Dense(1)]
        )
        self.model.compile(optimizer="adam", loss="mean_squared_error")

    def windows(self, days: range) -> Float32:
        """The LOOKBACK values before each of the days, ticker by ticker, (N · days, LOOKBACK, 1)."""
        rows = np.lib.stride_tricks.sliding_window_view(self.values, LOOKBACK, axis=1)
        return rows[:, days.start - LOOKBACK : days.stop - LOOKBACK].reshape(-1, LOOKBACK, 1)

    def train(self) -> str:
        """Fit, and measure the errors in the validation year."""
        panel = self.panel
        train = range(LOOKBACK + 1, panel.first_validation)
        validation = range(panel.first_validation, panel.first_test)
        best = keras.callbacks.EarlyStopping(patience=PATIENCE, restore_best_weights=True)
        self.model.fit(
            self.windows(train),
            self.values[:, train.start : train.stop].ravel(),
            validation_data=(
                self.windows(validation),
                self.values[:, validation.start : validation.stop].ravel(),
            ),
            epochs=MOST_EPOCHS,
            batch_size=BATCH,
            callbacks=[best, self.budget],
            verbose=0,
        )
        errors = panel.log_return[:, validation.start : validation.stop] - self.expected(validation)
        self.sigma = errors.std(axis=1, keepdims=True)
        return self.budget.told()

    def expected(self, days: range) -> Float:
        """The log return of each day that the network expects, (N, days)."""
        found = self.model.predict(self.windows(days), batch_size=1024, verbose=0)
        values = found.reshape(len(self.values), -1) * self.span + self.low
        if self.price is None:
            return values
        # A price of nothing or less has no log return: it counts as a fall of 99 %.
        last = self.price[:, days.start - 1 : days.stop - 1]
        return np.log(np.maximum(values / last, 0.01))

    def test(self) -> Float:
        """Every test day's windows at once."""
        days = range(self.panel.first_test, len(self.panel.dates))
        return self.expected(days)[..., None] + self.sigma[..., None] * NORMAL

    def next_day(self) -> object:
        """From the values in memory."""
        days = range(len(self.panel.dates), len(self.panel.dates) + 1)
        return self.expected(days)[..., None] + self.sigma[..., None] * NORMAL

    @property
    def parameters(self) -> int:
        """Those of the cell and of its head."""
        return int(self.model.count_params())


def enter(panel: Panel, folder: Path, seconds: float, words: list[str]) -> KerasNotebook:
    """With the word that follows on the command line."""
    return KerasNotebook(panel, folder, seconds, words[0])


if __name__ == "__main__":
    compete(("keras", "tensorflow"), SAID.format(of=sys.argv[-1].removesuffix("s")), enter)
