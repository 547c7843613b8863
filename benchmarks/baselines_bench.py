"""What the extra baselines are worth on an index, and what they cost.

    python benchmarks/baselines_bench.py INDEX [NAMES] [validation]

INDEX is a long Parquet or CSV file; NAMES are baselines with commas, or all. All that is fitted is fitted
through 2015. They are scored on the years from 2017 on, beside RiskMetrics-t and linear-t; with `validation`
on 2016, on which settings may be chosen.
"""

import sys
import tempfile
import time
from dataclasses import replace

import numpy as np

from forecaster.dataset.features import available_features, compute_features
from forecaster.evaluation.baselines import riskmetrics_t
from forecaster.evaluation.extra_baselines import ALL, EXTRA_BASELINES, chosen_baselines
from forecaster.evaluation.fitted import Wanted
from forecaster.evaluation.forecasts import Forecast, network_forecasts
from forecaster.evaluation.scoring import actuals, score_step
from forecaster.home import Home
from forecaster.network.linear_training import train_linear
from forecaster.settings import Recipe

RECIPE = Recipe(train_end="2015-12-31", validation_end="2016-12-31")
STEPS = (1, RECIPE.horizon)


def main() -> None:
    """Print a line for each baseline."""
    names = chosen_baselines(sys.argv[2].split(",") if len(sys.argv) > 2 else [ALL])
    with tempfile.TemporaryDirectory() as folder:
        home = Home(folder)
        home.fetch(source=sys.argv[1])
        data = home.training_set(recipe=RECIPE)
    if "validation" in sys.argv:
        data = replace(data, split=replace(data.split, test=data.split.validation))
    panel, split = data.panel, data.split
    features = compute_features(panel, available_features(panel))
    began = time.perf_counter()
    network = train_linear(panel, features, split.train, RECIPE).network
    origins, linear = network_forecasts(network, features, split.test, panel.target_mask)
    seconds = time.perf_counter() - began
    truth = actuals(panel, origins, RECIPE.horizon, split.train)
    walk = riskmetrics_t(panel, origins, RECIPE.horizon)
    reference = {step: score_step(walk, truth, step).scores.crps for step in STEPS}

    def show(name: str, forecast: Forecast, seconds: float, substituted: int = 0) -> None:
        line = f"{name:14} {seconds:6.1f} s  substituted {substituted:3}"
        for step in STEPS:
            scores = score_step(forecast, truth, step).scores
            line += f"   step {step}: CRPS {scores.crps / reference[step]:.4f} of RiskMetrics-t's"
            line += f" {1e4 * scores.crps:.2f}, 90 % {scores.coverage_90:.1%}, 99 % {scores.coverage_99:.1%}"
            still = np.nanmean(np.abs(truth.log_return[:, step - 1]))
            line += f", median's error {scores.mae_return / still:.4f}"
        print(line, flush=True)

    show("riskmetrics-t", walk, 0.0)
    show("linear-t", linear, seconds)
    for name in names:
        began = time.perf_counter()
        found = EXTRA_BASELINES[name](Wanted(data, RECIPE, origins, STEPS))
        show(name, found.forecast, time.perf_counter() - began, len(found.substituted))


if __name__ == "__main__":
    main()
