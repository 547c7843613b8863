"""Two comparisons, each made once: one where nothing can be predicted, one where something can."""

import pytest
from comparison_factory import Compared, compared
from factories import persistent_table, random_walk_table
from quick_training import train_quickly

from forecaster.settings import Recipe


@pytest.fixture(scope="session")
def walk(tmp_path_factory: pytest.TempPathFactory) -> Compared:
    """Random walks; about equal parameters, two steps ahead. One ticker ends a year before the others."""
    names = ("AAA", "BBB", "CCC")
    tables = [random_walk_table(name, 1500, seed) for seed, name in enumerate(names)]
    tables[2] = tables[2].take(slice(1400))
    recipe = Recipe(lookback=20, horizon=2, units=8, epochs=3)
    with pytest.MonkeyPatch.context() as patch:
        train_quickly(patch)
        cells, extra = ("rnn", "gru"), ("historical",)
        return compared(tmp_path_factory.mktemp("walk"), tables, recipe, cells, "parameters", 1, extra)


@pytest.fixture(scope="session")
def planted(tmp_path_factory: pytest.TempPathFactory) -> Compared:
    """Each return is 0.3 of the last one, plus noise; two seeds of one cell.

    That Keras finds such structure too is a trial of its own (`test_planted`).
    """
    tables = [persistent_table(f"T{seed}", 1500, seed) for seed in range(5)]
    recipe = Recipe(lookback=20, horizon=1, units=8, epochs=4, learning_rate=0.01, seed=3)
    with pytest.MonkeyPatch.context() as patch:
        train_quickly(patch)
        return compared(tmp_path_factory.mktemp("planted"), tables, recipe, ("gru",), "units", 2)
