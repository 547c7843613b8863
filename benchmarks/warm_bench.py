"""What becomes of a network that goes on from its own weights, month after month, beside one trained anew.

    python benchmarks/warm_bench.py INDEX [--seed 0] [--quick]

INDEX is a long Parquet or CSV file from 2000 on. Every network is trained to the end of September before a
year, validated on the three months to December, and forecasts the year. In the first year all are the same
one; then each goes its own way. CRPS one and five days ahead over that of the network trained anew, and the
means. `--quick` takes one year, and shows that the benchmark works.
"""

import argparse
import tempfile
from collections.abc import Callable
from functools import partial

import numpy as np

from forecaster.dataset.features import available_features, features_of
from forecaster.dataset.panel import Panel
from forecaster.dataset.split import split_days
from forecaster.evaluation.forecasts import network_forecasts
from forecaster.evaluation.scoring import actuals, score_step
from forecaster.home import Home
from forecaster.network.engine import start_engine
from forecaster.network.network import Network
from forecaster.network.training import onward_recipe, train_network
from forecaster.settings import Recipe

YEARS = range(2008, 2015)
MONTH, YEAR = 21, 250
Way = Callable[[Network, int], Network]
"""From the network of a year, and the next year, to that year's network."""


def main() -> None:
    """Every way, year by year."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("index")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--quick", action="store_true", help="one year, to see that it works")
    given = parser.parse_args()
    recipe = Recipe(seed=given.seed, device="cpu")
    with tempfile.TemporaryDirectory() as folder:
        home = Home(folder)
        home.fetch(source=given.index)
        panel = home.training_set(recipe=recipe).panel
    train = partial(network_of, panel)
    first = train(recipe, f"{YEARS[0] - 1}-12", None)
    ways: dict[str, Way] = {
        "anew": lambda _, year: train(recipe, f"{year - 1}-12", None),
        "each month, by the month's share of a year": monthly(train, onward_recipe(recipe, MONTH)),
        "each month, as if a year were new": monthly(train, onward_recipe(recipe, YEAR)),
        "each year, as a year is new": lambda old, year: train(onward_recipe(recipe), f"{year - 1}-12", old),
        "each year, all epochs of full steps": lambda old, year: train(recipe, f"{year - 1}-12", old),
        "left as it was": lambda old, _: old,
    }
    networks = dict.fromkeys(ways, first)
    ratios: dict[str, list[np.ndarray]] = {name: [] for name in ways}
    for year in YEARS[1:2] if given.quick else YEARS[1:]:
        losses = {}
        for name, way in ways.items():
            networks[name] = way(networks[name], year)
            losses[name] = crps(networks[name], panel, year)
            ratios[name].append(losses[name] / losses["anew"])
            print(f"{year} {name:44} {show(ratios[name][-1])}", flush=True)
    for name, each in ratios.items():
        print(f"mean {name:44} {show(np.mean(each, axis=0))}")


def monthly(train: Callable[[Recipe, str, Network], Network], recipe: Recipe) -> Way:
    """Twelve trainings, each on a month more."""

    def way(network: Network, year: int) -> Network:
        for month in range(1, 13):
            network = train(recipe, f"{year - 1}-{month:02}", network)
        return network

    return way


def network_of(panel: Panel, recipe: Recipe, month: str, start: Network | None) -> Network:
    """Trained to three months before the end of `month`, and validated on those."""
    last = np.datetime64(month, "M")
    ends = [str((each + 1).astype("datetime64[D]") - 1) for each in (last - 3, last)]
    split = split_days(panel.dates, recipe.horizon, *ends)
    names = available_features(panel, recipe)
    return train_network(panel, names, split, recipe, start_engine("cpu"), start=start).network


def crps(network: Network, panel: Panel, year: int) -> np.ndarray:
    """Of the year's forecasts, at the first and the last step."""
    first, last = np.searchsorted(panel.dates, [np.datetime64(f"{each}-01-01") for each in (year, year + 1)])
    features = features_of(panel, network.features)
    origins, forecast = network_forecasts(network, features, range(first, last), panel.target_mask)
    truth = actuals(panel, origins, network.horizon, range(first))
    return np.array([score_step(forecast, truth, step).scores.crps for step in (1, network.horizon)])


def show(ratios: np.ndarray) -> str:
    """First and last step."""
    return ", ".join(f"{each:.4f}" for each in ratios)


if __name__ == "__main__":
    main()
