"""Small networks with random weights, and cards as training writes them."""

import json
from dataclasses import asdict
from pathlib import Path
from typing import Any

import numpy as np

from forecaster.dataset.report_features import is_report_feature
from forecaster.files import digest_bytes
from forecaster.network.cells import weight_shapes
from forecaster.network.recurrent import AHEAD, RecurrentNetwork
from forecaster.settings import Recipe

FEATURES = ("return", "range", "market_return")


def random_network(
    cell: str = "gru",
    units: int = 4,
    layers: int = 1,
    *,
    bidirectional: bool = False,
    horizon: int = 2,
    lookback: int = 120,
    seed: int = 0,
    features: tuple[str, ...] = FEATURES,
) -> RecurrentNetwork:
    """A network whose weights nobody trained."""
    random = np.random.default_rng(seed)
    directions = ("forward", "backward") if bidirectional else ("forward",)
    weights, width = {}, len(features)
    for layer in range(layers):
        for direction in directions:
            for part, shape in weight_shapes(cell, width, units).items():
                weights[f"layer{layer}/{direction}/{part}"] = random.normal(0, 0.5, shape).astype("f4")
        width = units * len(directions)
    width *= 5 if cell == "convlstm" else 1
    weights["head/kernel"] = random.normal(0, 0.5, (width, 3 * horizon)).astype("f4")
    weights["head/bias"] = random.normal(0, 0.5, 3 * horizon).astype("f4")
    if known_ahead := sum(map(is_report_feature, features)):
        weights[AHEAD] = random.normal(0, 0.5, (known_ahead, 3 * horizon)).astype("f4")
    return RecurrentNetwork(
        cell=cell,
        units=units,
        layers=layers,
        bidirectional=bidirectional,
        horizon=horizon,
        lookback=lookback,
        features=features,
        weights=weights,
    )


def recipe_of(network: RecurrentNetwork) -> Recipe:
    """A recipe that training would make a network of this shape by."""
    return Recipe(
        cell=network.cell,
        units=network.units,
        layers=network.layers,
        bidirectional=network.bidirectional,
        horizon=network.horizon,
        lookback=network.lookback,
        ensemble=network.ensemble,
    )


def card_of(network: RecurrentNetwork, **changes: Any) -> dict[str, Any]:
    """The card that training would write for `network`."""
    score = {"crps": 0.008318, "skill": 0.021, "p_value": 0.0004, "coverage_90": 0.912, "mae": 1.234}
    card = {
        "created": "2026-11-21T22:30:00+00:00",
        "parameters": network.parameter_count(),
        "features": list(network.features),
        "recipe": asdict(recipe_of(network)) | {"epochs": 4, "batch_size": 256},
        "training": {
            "epochs_run": 4,
            "best_epoch": 3,
            "losses": [1.5, 1.4, 1.35, 1.34],
            "validation_losses": [1.6, 1.5, 1.45, 1.46],
            "seconds": 17.25,
            "targets_per_second": 123_456.7,
            "peak_memory_mb": 812.0,
            "engine": "tensorflow",
            "device": "cpu",
            "kernel": "generic",
        },
        "tickers": ["AAA", "BBB", "CCC"],
        "split": {
            "train_start": "1990-01-02",
            "train_end": "2015-12-31",
            "validation_end": "2016-12-30",
            "test_end": "2019-12-31",
        },
        "prices": {"last_day": "2019-12-31", "digest": "0" * 64},
        "scores": {"1": score, "2": score},
        "baselines": {"naive": {"1": score, "2": score}},
        "versions": {"python": "3.11.9", "numpy": "2.4.6"},
    }
    return card | changes


def make_old(folder: Path, written: int) -> None:
    """Rewrite a version's card as an older format had it; 1 and 2 told the sizes at three places."""
    path = folder / "card.json"
    card = json.loads(path.read_text())
    del card["digest"]
    sizes = {name: card["recipe"][name] for name in ("cell", "units", "layers", "bidirectional", "horizon")}
    network = sizes | {"features": card["features"]}
    card["format"] = written
    if written < 3:
        card |= sizes | {"lookback": card["recipe"]["lookback"], "network": network}
    digest = digest_bytes(json.dumps(card, sort_keys=True).encode())
    path.write_text(json.dumps(card | {"digest": digest}))
