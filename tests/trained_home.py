"""A home folder with prices up to the tests' own day, and a tiny network trained on three of its tickers."""

from datetime import UTC, datetime
from pathlib import Path

import numpy as np
from factories import filled_store, random_walk_table

from forecaster.dataset.training_set import choose, load_training_set, split_by
from forecaster.prices.calendar import sessions_between
from forecaster.prices.market import read_market
from forecaster.prices.table import PriceTable
from forecaster.registry.versions import ModelRegistry
from forecaster.service.candidate import Candidate, train_candidate
from forecaster.settings import Recipe

TRAINED_ON = ("AAA", "BBB", "CCC")
RECIPE = Recipe(lookback=12, horizon=3, units=4, epochs=2, device="cpu")
LEARNING = [
    *("--lookback=12", "--horizon=3", "--units=4", "--epochs=12", "--batch-size=16"),
    *("--learning-rate=0.02", "--dropout=0"),
]
"""Flags by which a network soon finds out that each return is like the one before."""
LAST_SESSION = np.datetime64("2026-11-20")


def recent_table(
    ticker: str, days: int = 300, seed: int = 0, *, last: np.datetime64 = LAST_SESSION
) -> PriceTable:
    """A random walk whose last close is that of `last`."""
    sessions = sessions_between(last - 2 * days - 30, last)
    return random_walk_table(ticker, days, seed, after=str(sessions[-days - 1]))


def without(table: PriceTable, *rows: int) -> PriceTable:
    """The table without some of its days."""
    return table.take(np.delete(np.arange(len(table)), rows))


def fill_and_train(home: Path) -> Candidate:
    """Prices, then `main@1` trained on three tickers; the rest of the store is for awkward questions."""
    store = filled_store(home, *(recent_table(name, seed=seed) for seed, name in enumerate(TRAINED_ON)))
    data = load_training_set(store, choose(store, TRAINED_ON), split_by(RECIPE))
    now = datetime(2026, 11, 20, 22, 0, tzinfo=UTC)
    candidate = train_candidate(data, RECIPE, now, lambda _: None)
    trained = candidate.trained
    ModelRegistry(home).register(
        "main", trained.network, candidate.card, trained.keras_file, reference=candidate.reference
    )
    others = [
        recent_table("NEW", seed=3),
        recent_table("OLD", seed=4, last=np.datetime64("2026-11-13")),
        recent_table("SHORT", 25, seed=5),
        without(recent_table("GAPPY", seed=6), *range(-9, -3)),
    ]
    read_market(filled_store(home, *others))  # as a fetch does, so that no command has to compute it
    return candidate
