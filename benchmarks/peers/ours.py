"""`forecast` itself, by its Python API."""

from pathlib import Path

import numpy as np
import pandas as pd
from contest import LEVELS, LOOKBACK, SEED, UNITS, Float, Panel, compete

import forecaster as fc
from forecaster.api import inputs_of
from forecaster.dataset.features import available_features, compute_features
from forecaster.dataset.training_set import split_by
from forecaster.evaluation.forecasts import network_forecasts

SAID = (
    "`fc.train`, whose time includes loading TensorFlow and tests beside its baselines, then "
    "`Model.predict`, which reads all prices anew; prices and earnings dates as they are, from which it "
    "works out inputs of its own; its import loads nothing heavy; forecasts as trained, not recalibrated; "
    "the epoch that was best on the validation year."
)


class Ours:
    """The defaults, with the contest's horizon and days."""

    def __init__(self, panel: Panel, folder: Path, *_: object) -> None:
        self.panel = panel
        self.prices = pd.read_parquet(folder / "prices.parquet")
        path = folder / "earnings.csv"
        self.earnings = pd.read_csv(path) if path.exists() else None
        self.recipe = fc.Recipe(
            cell="gru",
            units=UNITS,
            lookback=LOOKBACK,
            horizon=1,
            seed=SEED,
            train_end=str(panel.dates[panel.first_validation - 1]),
            validation_end=str(panel.dates[panel.first_test - 2]),
            device="cpu",
        )

    def train(self) -> str:
        """As a user does."""
        self.model = fc.train(self.prices, self.recipe, earnings=self.earnings)
        training = self.model.card["training"]
        return f"all of its {training['epochs_run']} epochs"

    def test(self) -> Float:
        """As the tests of `fc.train` are made; the API has no quantiles of past days."""
        data = inputs_of(self.prices, None, self.earnings).build(split_by(self.recipe))
        features = compute_features(data.panel, available_features(data.panel, self.recipe))
        origins, found = network_forecasts(self.model.network, features, data.split.test)
        target = origins.day + 1 - self.panel.first_test
        quantiles = np.full(
            (len(self.panel.tickers), len(self.panel.dates) - self.panel.first_test, 99), np.nan
        )
        quantiles[origins.ticker, target] = found.at_step(1).quantile(LEVELS)
        return quantiles

    def next_day(self) -> object:
        """From the DataFrames in memory."""
        return self.model.predict(prices=self.prices, earnings=self.earnings)

    @property
    def parameters(self) -> int:
        """Those that are trained."""
        return self.model.network.parameter_count()


if __name__ == "__main__":
    compete(("tensorflow", "keras", "numpy"), SAID, Ours)
