"""Earnings dates in a home folder, and a network that reads them in a way that can be followed by hand."""

from dataclasses import replace
from pathlib import Path

import numpy as np
from earnings_factory import after, said
from network_factory import random_network

from forecaster.dataset.features import ALWAYS
from forecaster.dataset.report_features import WITHIN, report_features
from forecaster.network.recurrent import AHEAD, RecurrentNetwork
from forecaster.prices.earnings.store import EarningsStore, StoredEarnings
from forecaster.prices.earnings.table import joined
from forecaster.registry.versions import ModelRegistry

HORIZON = 3
WIDER = 2.0
"""By so much is the dated network's scale wider at a step by which a report is announced."""


def dated_network(horizon: int = HORIZON) -> RecurrentNetwork:
    """A random walk of volatility σ(t), WIDER times as wide from the reaction to an announced report on."""
    names = (*ALWAYS, "range", "volume", *report_features(horizon))
    network = random_network(units=2, horizon=horizon, lookback=12, features=names)
    weights = {name: np.zeros_like(array) for name, array in network.weights.items()}
    reports = report_features(horizon)
    for step in range(1, horizon + 1):
        # 4 stands for one report; the head has locations, then log-scales, then degrees of freedom.
        weights[AHEAD][reports.index(f"{WITHIN}{step}"), horizon + step - 1] = np.log(WIDER) / 4
    return replace(network, weights=weights)


def register_dated(home: Path) -> str:
    """Register the dated network beside main@1, whose card it takes; its name."""
    registry, network = ModelRegistry(home), dated_network()
    card = dict(registry.load("main@1").card) | {"features": list(network.features)}
    card["recipe"] = card["recipe"] | {"units": network.units}
    registry.register("dated", network, card, b"keras")
    return "dated"


def store_dates(home: Path, *rows: str, on: str = "2026-11-20", source: str = "dates.csv") -> None:
    """Store announcements, rows as of `said`, as fetched on a day."""
    store = EarningsStore(home)
    known = store.read().table
    store.write(StoredEarnings(joined(known, after((on, said(source, *rows))))))
