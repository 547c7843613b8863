"""The dependence of steps as it is fitted to a network's forecasts of training days."""

from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from factories import panel_of, persistent_table, random_walk_table
from network_factory import random_network

from forecaster.dataset.features import available_features, compute_features
from forecaster.dataset.panel import Panel
from forecaster.evaluation.step_dependence import fit_step_copula
from forecaster.network.linear_training import train_linear
from forecaster.network.network import Network
from forecaster.network.step_copula import random_walk_copula
from forecaster.settings import Recipe

RECIPE = Recipe(lookback=20, horizon=4)
TRAIN = range(1000)


def trained(panel: Panel) -> Network:
    features = compute_features(panel, available_features(panel))
    return train_linear(panel, features, TRAIN, RECIPE).network


@pytest.fixture(scope="module")
def walks() -> Panel:
    return panel_of(*(random_walk_table(f"T{seed}", 1100, seed) for seed in range(8)))


@pytest.fixture(scope="module")
def network(walks: Panel) -> Network:
    return trained(walks)


def test_of_random_walks_it_is_that_of_a_random_walk(walks: Panel, network: Network) -> None:
    found = fit_step_copula(network, walks, TRAIN, 0)
    assert found is not None
    np.testing.assert_allclose(found.correlations, random_walk_copula(4).correlations, atol=0.03)


def test_returns_that_go_on_tie_the_steps_closer() -> None:
    """Steps 1 and 2 of returns r and φr + e, whose location the network does not know."""
    panel = panel_of(*(persistent_table(f"T{seed}", 1100, seed, 0.5) for seed in range(8)))
    found = fit_step_copula(trained(panel), panel, TRAIN, 0)
    assert found is not None
    # Of returns with autocorrelation φ: (1 + φ) / √(2 + 2φ).
    assert found.correlations[0] == pytest.approx(np.sqrt(1.5 / 2), abs=0.03)
    assert found.correlations[0] > random_walk_copula(2).correlations[0] + 0.1


def test_the_same_seed_gives_the_same(walks: Panel, network: Network) -> None:
    first, second = (fit_step_copula(network, walks, TRAIN, 3) for _ in range(2))
    assert first is not None
    assert second is not None
    np.testing.assert_array_equal(first.correlations, second.correlations)


def test_no_day_after_the_training_part_moves_it(walks: Panel, network: Network) -> None:
    later = np.arange(walks.shape[1]) > TRAIN.stop + RECIPE.horizon - 1
    shaken = replace(walks, log_return=np.where(later, np.float32(0.5), walks.log_return))
    first, second = (fit_step_copula(network, panel, TRAIN, 0) for panel in (walks, shaken))
    assert first is not None
    assert second is not None
    np.testing.assert_array_equal(first.correlations, second.correlations)
    at_once = replace(walks, log_return=np.where(~later, np.float32(0.01), walks.log_return))
    third = fit_step_copula(network, at_once, TRAIN, 0)
    assert third is None or not np.array_equal(first.correlations, third.correlations)


def test_only_origins_that_count_are_taken(walks: Panel, network: Network) -> None:
    """Of 8 tickers 15 days are 120 origins, just enough; the days beside them in their windows count not."""
    mask = np.zeros(walks.shape, dtype=bool)
    assert fit_step_copula(network, replace(walks, target_mask=mask), TRAIN, 0) is None
    mask[:, 100:980:63] = True
    mask[:, 990] = True
    assert mask[0].sum() == 15
    assert fit_step_copula(network, replace(walks, target_mask=mask), TRAIN, 0) is not None
    mask[0, 990] = False
    assert fit_step_copula(network, replace(walks, target_mask=mask), TRAIN, 0) is None


def test_targets_that_are_not_known_are_left_out(walks: Panel, network: Network) -> None:
    log_return = walks.log_return.copy()
    log_return[3, 600:] = np.nan  # delisted
    log_return[5, 300] = np.nan  # a gap
    found = fit_step_copula(network, replace(walks, log_return=log_return), TRAIN, 0)
    assert found is not None
    np.testing.assert_allclose(found.correlations, random_walk_copula(4).correlations, atol=0.03)


def test_few_days_tell_nothing() -> None:
    panel = panel_of(random_walk_table("ONE", 120))
    features = available_features(panel)
    small = random_network(lookback=20, horizon=4, features=features)
    assert fit_step_copula(small, panel, range(60), 0) is None


@pytest.mark.parametrize("form", [{"bidirectional": True}, {"cell": "convlstm"}], ids=["both ways", "weeks"])
def test_a_network_that_answers_at_the_last_day_only_has_one_too(walks: Panel, form: dict[str, Any]) -> None:
    network = random_network(**form, lookback=20, horizon=4, features=available_features(walks))
    found = fit_step_copula(network, walks, TRAIN, 0)
    assert found is not None
    assert found.correlations.shape == (3,)
