"""neuralforecast's GRU with its Student-t loss: one network for all tickers."""

from pathlib import Path

import numpy as np
import pandas as pd
from contest import LEVELS, LOOKBACK, SEED, UNITS, Float, Panel, compete
from lightning_budget import WithinBudget
from neuralforecast import NeuralForecast
from neuralforecast.losses.pytorch import DistributionLoss
from neuralforecast.models import GRU

SAID = (
    '`GRU` with `DistributionLoss("StudentT")`; market, range and volume as historic inputs, the chance of a '
    "report as a future one; its default scaling of each window, decoder, learning rate and batches; early "
    "stopping on the validation year, looked at every 100 steps."
)
PAST, KNOWN_AHEAD = ["market", "log_range", "log_volume"], ["report"]
MOST_STEPS, CHECK_EVERY, PATIENCE = 20_000, 100, 5


class NeuralForecastGRU:
    """Its defaults but for the contest's cell, lookback and inputs."""

    def __init__(self, panel: Panel, _: Path, seconds: float, __: list[str]) -> None:
        self.panel = panel
        model = GRU(
            h=1,
            input_size=LOOKBACK,
            encoder_n_layers=1,
            encoder_hidden_size=UNITS,
            loss=DistributionLoss("StudentT", quantiles=LEVELS.tolist(), num_samples=1000),
            hist_exog_list=PAST,
            futr_exog_list=KNOWN_AHEAD,
            max_steps=MOST_STEPS,
            val_check_steps=CHECK_EVERY,
            early_stop_patience_steps=PATIENCE,
            random_seed=SEED,
            alias="GRU",
            accelerator="cpu",
            callbacks=[WithinBudget(seconds)],
            logger=False,
            enable_progress_bar=False,
            enable_model_summary=False,
        )
        self.forecaster = NeuralForecast([model], freq=1)
        self.frame = self.long()
        self.following = pd.DataFrame(
            {"unique_id": panel.tickers, "ds": len(panel.dates), "report": np.float32(0)}
        )

    def long(self) -> pd.DataFrame:
        """Every ticker and day but the first, which has no return; days are numbers, without gaps."""
        panel = self.panel
        own = {name: getattr(panel, name)[:, 1:].ravel() for name in (*PAST[1:], *KNOWN_AHEAD)}
        days = len(panel.dates) - 1
        return pd.DataFrame(
            {
                "unique_id": np.repeat(panel.tickers, days),
                "ds": np.tile(np.arange(1, days + 1), len(panel.tickers)),
                "y": panel.log_return[:, 1:].ravel(),
                "market": np.tile(panel.market[1:], len(panel.tickers)),
                **own,
            }
        )

    def train(self) -> str:
        """Fit, with the validation year at the end."""
        panel = self.panel
        history = self.frame[self.frame["ds"] < panel.first_test]
        self.forecaster.fit(history, val_size=panel.first_test - panel.first_validation)
        return WithinBudget.told(f"{WithinBudget.steps:,} steps")

    def test(self) -> Float:
        """Its cross-validation with what is fitted."""
        days = len(self.panel.dates) - self.panel.first_test
        found = self.forecaster.cross_validation(
            self.frame, n_windows=None, test_size=days, step_size=1, use_fitted=True
        )
        quantiles = [name for name in found.columns if name.startswith("GRU-")]
        by_day = found.set_index(["unique_id", "ds"])[quantiles].sort_index()
        return np.stack([by_day.loc[ticker].to_numpy() for ticker in self.panel.tickers])

    def next_day(self) -> object:
        """From the frame in memory."""
        return self.forecaster.predict(self.frame, futr_df=self.following)

    @property
    def parameters(self) -> int:
        """Those that are trained."""
        return sum(each.numel() for each in self.forecaster.models[0].parameters() if each.requires_grad)


if __name__ == "__main__":
    compete(("neuralforecast", "torch"), SAID, NeuralForecastGRU)
