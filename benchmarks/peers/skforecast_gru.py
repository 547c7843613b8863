"""skforecast's ForecasterRnn as a GRU: the tickers are the inputs and the outputs of one network."""

import contextlib
import sys
from pathlib import Path

import keras
import numpy as np
import pandas as pd
from contest import LEVELS, LOOKBACK, SEED, UNITS, Float, Panel, compete
from keras_budget import WithinBudget
from skforecast.deep_learning import ForecasterRnn, create_and_compile_model
from sklearn.preprocessing import StandardScaler

SAID = (
    "`ForecasterRnn` on `create_and_compile_model`'s GRU: the returns of all tickers go in and come out "
    "together, so that no weight is shared between tickers; market, range, volume and reports are left out,"
    " as its inputs from outside are common to all; its default conformal intervals, of training residuals "
    "by bins; a `StandardScaler` for each series; the epoch that was best on the validation year."
)
MOST_EPOCHS, PATIENCE = 200, 10
NOMINAL = np.abs(2 * LEVELS - 1)
"""Coverage of the central interval that each level is an end of."""


class SkforecastGRU:
    """Its defaults but for the contest's cell and lookback."""

    def __init__(self, panel: Panel, _: Path, seconds: float, __: list[str]) -> None:
        keras.utils.set_random_seed(SEED)
        self.panel = panel
        self.budget = WithinBudget(seconds)
        self.tickers = panel.tickers.tolist()
        days = pd.RangeIndex(1, len(panel.dates))  # numbers, as holidays are no gaps
        self.series = pd.DataFrame(panel.log_return[:, 1:].T.astype(float), days, self.tickers)
        with contextlib.redirect_stdout(sys.stderr):
            network = create_and_compile_model(
                self.series,
                lags=LOOKBACK,
                steps=1,
                levels=self.tickers,
                recurrent_layer="GRU",
                recurrent_units=UNITS,
            )
        best = keras.callbacks.EarlyStopping(patience=PATIENCE, restore_best_weights=True)
        validation = self.series.loc[panel.first_validation - LOOKBACK : panel.first_test - 1]
        self.forecaster = ForecasterRnn(
            network,
            lags=LOOKBACK,
            levels=self.tickers,
            transformer_series=StandardScaler(),
            fit_kwargs={
                "epochs": MOST_EPOCHS,
                "callbacks": [best, self.budget],
                "verbose": 0,
                "series_val": validation,
            },
        )

    def train(self) -> str:
        """Fit, and keep the residuals that intervals are made of."""
        past = self.series.loc[: self.panel.first_validation - 1]
        self.forecaster.fit(past, store_in_sample_residuals=True)
        return self.budget.told()

    def test(self) -> Float:
        """What `predict_interval` gives, all days at once: a call for each day and level would take hours."""
        forecaster, first = self.forecaster, self.panel.first_test
        windows = forecaster.create_train_X_y(self.series.loc[first - LOOKBACK :])[0]
        expected = forecaster.estimator.predict(windows, verbose=0)[:, 0, :]  # (T, N)
        found = np.empty((len(self.tickers), len(expected), len(LEVELS)))
        for place, ticker in enumerate(self.tickers):
            residuals = forecaster.in_sample_residuals_by_bin_[ticker]
            reach = np.stack(
                [np.quantile(np.abs(residuals[number]), NOMINAL) for number in sorted(residuals)]
            )
            bins = forecaster.binner[ticker].transform(expected[:, place]).astype(int)
            scaled = expected[:, place, None] + np.sign(LEVELS - 0.5) * reach[bins]
            scaler = forecaster.transformer_series_[ticker]
            found[place] = scaled * scaler.scale_[0] + scaler.mean_[0]
        self.hold_against_its_own(found[:, 0])
        return found

    def hold_against_its_own(self, quantiles: Float) -> None:
        """See that the first day's are those of `predict_interval`."""
        first = self.panel.first_test
        own = self.forecaster.predict_interval(
            last_window=self.series.loc[first - LOOKBACK : first - 1], interval=[0.05, 0.95]
        ).set_index("level")
        ends = quantiles[:, [int(np.argmin(np.abs(LEVELS - level))) for level in (0.05, 0.95)]]
        np.testing.assert_allclose(ends, own.loc[self.tickers, ["lower_bound", "upper_bound"]], atol=1e-5)

    def next_day(self) -> object:
        """From the frame in memory."""
        return self.forecaster.predict_interval(
            last_window=self.series.iloc[-LOOKBACK:], interval=[0.05, 0.95]
        )

    @property
    def parameters(self) -> int:
        """Those that are trained."""
        return int(self.forecaster.estimator.count_params())


if __name__ == "__main__":
    compete(("skforecast", "keras", "tensorflow"), SAID, SkforecastGRU)
