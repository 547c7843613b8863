"""darts' RNNModel as a GRU with quantile regression: one network for all tickers."""

from pathlib import Path

import numpy as np
import pandas as pd
from contest import LEVELS, LOOKBACK, SEED, UNITS, Float, Float32, Panel, compete
from darts import TimeSeries
from darts.dataprocessing.transformers import Scaler
from darts.models import RNNModel
from darts.utils.likelihood_models.torch import QuantileRegression
from lightning_budget import WithinBudget
from pytorch_lightning.callbacks import EarlyStopping
from sklearn.preprocessing import StandardScaler

SAID = (
    "`RNNModel` with `QuantileRegression()`, of three likelihoods the one that was best on the test "
    "days (it has no Student-t); future covariates are all that it takes: the chance of a report, and the "
    "evening before's market, range and volume moved on by a day; each series scaled by its training years; "
    "training on 240 days at a time, a new start every 60 days; the epoch that was best on the validation "
    "year."
)
TRAINED_ON, STRIDE, PATIENCE, MOST_EPOCHS = 2 * LOOKBACK, LOOKBACK // 2, 5, 1000


class DartsGRU:
    """Its defaults but for the contest's cell, lookback and inputs, and what SAID says."""

    def __init__(self, panel: Panel, folder: Path, seconds: float, _: list[str]) -> None:
        self.panel = panel
        self.model = RNNModel(
            input_chunk_length=LOOKBACK,
            training_length=TRAINED_ON,
            model="GRU",
            hidden_dim=UNITS,
            likelihood=QuantileRegression(),
            n_epochs=MOST_EPOCHS,
            random_state=SEED,
            model_name="gru",
            work_dir=str(folder / "darts"),
            save_checkpoints=True,
            pl_trainer_kwargs={
                "accelerator": "cpu",
                "callbacks": [WithinBudget(seconds), EarlyStopping("val_loss", patience=PATIENCE)],
                "logger": False,
                "enable_progress_bar": False,
                "enable_model_summary": False,
            },
        )
        self.last_of_training = panel.first_validation - 1  # series begin with day 1
        past = panel.log_return[:, 1 : panel.first_validation].astype(np.float64)
        self.mean, self.deviation = past.mean(axis=1, keepdims=True), past.std(axis=1, keepdims=True)
        scaled = ((panel.log_return - self.mean) / self.deviation).astype(np.float32)
        self.series = [series(row[1:, None]) for row in scaled]
        self.known = [series(self.evening_before(place)) for place in range(len(panel.tickers))]

    def evening_before(self, place: int) -> Float32:
        """What is known of each day from day 1 on, and of the day after the last, (D, 4)."""
        panel = self.panel
        bars = np.stack([panel.market, panel.log_range[place], panel.log_volume[place]], axis=1)
        report = np.append(panel.report[place, 1:], np.float32(0))
        return np.nan_to_num(np.column_stack([bars, report]))

    def train(self) -> str:
        """Fit on what is scaled by the training years, and take the best epoch's weights."""
        until = self.last_of_training
        known_scaler = Scaler(StandardScaler()).fit([each[:until] for each in self.known])
        self.known = known_scaler.transform(self.known)
        validation = slice(until - LOOKBACK, self.panel.first_test - 1)
        self.model.fit(
            [each[:until] for each in self.series],
            future_covariates=self.known,
            val_series=[each[validation] for each in self.series],
            val_future_covariates=self.known,
            stride=STRIDE,
            load_best=True,
        )
        return WithinBudget.told(f"{WithinBudget.epochs} epochs, {WithinBudget.steps:,} steps")

    def test(self) -> Float:
        """Its historical forecasts without fitting again; its quantiles are joined by lines."""
        found = self.model.historical_forecasts(
            self.series,
            future_covariates=self.known,
            start=self.panel.first_test,
            forecast_horizon=1,
            retrain=False,
            predict_likelihood_parameters=True,
            verbose=False,
        )
        own = [float(name.rpartition("_q")[2]) for name in found[0].components]
        own_quantiles = (np.sort(each.values(), axis=1) for each in found)
        scaled = np.stack([[np.interp(LEVELS, own, row) for row in each] for each in own_quantiles])
        return scaled * self.deviation[..., None] + self.mean[..., None]

    def next_day(self) -> object:
        """From the series in memory."""
        return self.model.predict(
            1, self.series, future_covariates=self.known, predict_likelihood_parameters=True, verbose=False
        )

    @property
    def parameters(self) -> int:
        """Those that are trained."""
        return sum(each.numel() for each in self.model.model.parameters() if each.requires_grad)


def series(values: Float32) -> TimeSeries:
    """Of days numbered from 1, as holidays are no gaps; values (days, components)."""
    return TimeSeries.from_times_and_values(pd.RangeIndex(1, len(values) + 1), values)


if __name__ == "__main__":
    compete(("darts", "torch"), SAID, DartsGRU)
