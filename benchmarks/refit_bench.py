"""What a refit through the last session is worth: the year after it, by the network before it and after it.

    python benchmarks/refit_bench.py INDEX

INDEX is a long Parquet or CSV file from 2000 on. Each fold trains to three years before its test year,
validates on the next, and refits through the year before the test year. CRPS over RiskMetrics-t.
"""

import subprocess
import sys
import tempfile
from pathlib import Path

import numpy as np

from forecaster.dataset.features import available_features, compute_features
from forecaster.dataset.panel import Panel, build_panel, choose_tickers
from forecaster.dataset.split import split_days
from forecaster.evaluation.baselines import riskmetrics_t
from forecaster.evaluation.forecasts import network_forecasts
from forecaster.evaluation.scoring import actuals, score_step
from forecaster.network.engine import start_engine
from forecaster.network.recurrent import RecurrentNetwork
from forecaster.network.training import refit_network, train_network
from forecaster.prices.market import read_market
from forecaster.prices.store import PriceStore
from forecaster.settings import Recipe

FORECAST = Path(sys.executable).parent / "forecast"
TEST_YEARS = (2009, 2011, 2013, 2015)
RECIPE = Recipe(device="cpu")


def main() -> None:
    """Every fold in turn."""
    if len(sys.argv) != 2 or not Path(sys.argv[1]).is_file():
        sys.exit("usage: refit_bench.py INDEX   (a long Parquet or CSV file)")
    with tempfile.TemporaryDirectory() as home:
        subprocess.run([FORECAST, "fetch", "--home", home, "--source", sys.argv[1], "--quiet"], check=True)
        for year in TEST_YEARS:
            measure(PriceStore(Path(home)), year)


def measure(store: PriceStore, year: int) -> None:
    """One fold: one and five days ahead, as evaluated and refitted."""
    known, whole = panel_to(store, year - 1), panel_to(store, year)
    split = split_days(known.dates, RECIPE.horizon, f"{year - 3}-12-31", f"{year - 2}-12-31")
    names = available_features(known)
    evaluated = train_network(known, names, split, RECIPE, start_engine("cpu"))
    refitted = refit_network(known, evaluated, RECIPE)
    for name, trained in (("as evaluated", evaluated), ("refitted", refitted)):
        first, last = ratios(trained.network, whole, year)
        print(f"{year} {name:12} {first:.4f}, {last:.4f}")


def panel_to(store: PriceStore, year: int) -> Panel:
    """All tickers with prices by the end of a year, and nothing after it."""
    end = np.datetime64(f"{year}-12-31")
    tables = list(store.read_many(choose_tickers(store, None)))
    known = [table.take(table.dates <= end) for table in tables if table.dates[0] <= end]
    market = read_market(store)
    return build_panel(known, market)


def ratios(network: RecurrentNetwork, panel: Panel, year: int) -> list[float]:
    """CRPS of the year's forecasts over that of RiskMetrics-t, first and last step."""
    first_day = int(np.searchsorted(panel.dates, np.datetime64(f"{year}-01-01")))
    part = range(first_day, len(panel.dates) - 1)
    features = compute_features(panel, network.features)
    origins, forecast = network_forecasts(network, features, part)
    truth = actuals(panel, origins, RECIPE.horizon, range(first_day))
    walk = riskmetrics_t(panel, origins, RECIPE.horizon)
    return [
        score_step(forecast, truth, step).scores.crps / score_step(walk, truth, step).scores.crps
        for step in (1, RECIPE.horizon)
    ]


if __name__ == "__main__":
    main()
