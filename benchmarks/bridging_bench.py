"""Measure what bridging short gaps costs: the same forecasts from whole prices and from prices with holes.

    python benchmarks/bridging_bench.py INDEX

INDEX is a long Parquet or CSV file. A network is trained on whole prices of 60 tickers through 2015. Then,
from 2017 on, about three of every 60 sessions are taken away at random, and the forecasts whose lookback has
such a gap are scored beside those that the same origins get from whole prices.
"""

import subprocess
import sys
import tempfile
from dataclasses import replace
from pathlib import Path

import numpy as np

from forecaster.dataset.features import compute_features
from forecaster.dataset.panel import build_panel
from forecaster.dataset.windows import unbroken_days
from forecaster.evaluation.forecasts import network_forecasts
from forecaster.evaluation.scoring import actuals, score_step
from forecaster.network.student_t import ForecastDistribution
from forecaster.prices.market import mean_log_return
from forecaster.prices.store import PriceStore
from forecaster.prices.table import PriceTable
from forecaster.registry.versions import ModelRegistry

FORECAST = Path(sys.executable).parent / "forecast"
TICKERS = 60
SHARE = 3 / 60
FIRST = np.datetime64("2017-01-01")


def with_holes(table: PriceTable, random: np.random.Generator) -> PriceTable:
    """The table without about one in twenty of its sessions since 2017."""
    lost = (table.dates >= FIRST) & (random.random(len(table)) < SHARE)
    lost[-1] = False
    return table.take(~lost)


def main() -> None:
    """Train, take sessions away, and compare."""
    if len(sys.argv) != 2 or not Path(sys.argv[1]).is_file():
        sys.exit("usage: bridging_bench.py INDEX")
    with tempfile.TemporaryDirectory() as folder:
        home = Path(folder)
        run(home, "fetch", "--source", sys.argv[1])
        store = PriceStore(home)
        chosen = store.tickers()[:: len(store.tickers()) // TICKERS][:TICKERS]
        run(home, "train", *chosen, "--train-end", "2015-12-31", "--validation-end", "2016-12-31")
        network = ModelRegistry(home).load(None).network
        tables = list(store.read_many(chosen))
    random = np.random.default_rng(0)
    holed = [with_holes(table, random) for table in tables]
    market = mean_log_return(tables)
    whole = build_panel(tables, market)
    bridged = build_panel(holed, market)
    part = range(int(np.searchsorted(whole.dates, FIRST)) + network.lookback, len(whole.dates) - 1)
    found = {}
    for name, panel in (("whole", whole), ("bridged", bridged)):
        features = compute_features(panel, network.features)
        origins, forecast = network_forecasts(network, features, part, panel.target_mask)
        places = {place: row for row, place in enumerate(zip(origins.ticker, origins.day, strict=True))}
        found[name] = (places, origins, forecast)
    unbridged = unbroken_days(np.isfinite(bridged.log_return))[:, part.start : part.stop] >= network.lookback
    gaps = bridged.bridged if bridged.bridged is not None else np.zeros(whole.shape, bool)
    recent = np.cumsum(gaps, axis=1)
    shared = [
        place
        for place in found["bridged"][0]
        if place in found["whole"][0]
        and recent[place] - recent[place[0], max(place[1] - network.lookback, 0)] > 0
    ]
    print(f"origins with a bar: {int(np.isfinite(bridged.close)[:, part.start : part.stop].sum()):,}")
    print(f"that can be forecast with bridging: {len(found['bridged'][0]):,}")
    print(f"without it, when a gap closes its ticker for a lookback: {int(unbridged.sum()):,}")
    for name, (places, origins, forecast) in found.items():
        rows = np.array([places[place] for place in shared])
        mine = replace(origins, ticker=origins.ticker[rows], day=origins.day[rows])
        own = ForecastDistribution(
            forecast.location[rows], forecast.scale[rows], forecast.degrees_of_freedom[rows]
        )
        truth = actuals(whole, mine, network.horizon, range(part.start))
        for step in (1, network.horizon):
            scores = score_step(own, truth, step).scores
            print(
                f"{name:8} {step} ahead: {scores.forecasts:,} forecasts, CRPS {1e4 * scores.crps:.2f}e-4, "
                f"90 % interval covers {scores.coverage_90:.1%}"
            )


def run(home: Path, *arguments: str) -> None:
    """Run the command in a home folder of its own."""
    subprocess.run([FORECAST, *arguments, "--home", home, "--quiet"], check=True)


if __name__ == "__main__":
    main()
