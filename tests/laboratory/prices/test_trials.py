from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from factories import filled_store, random_walk_table

from forecaster.dataset.features import available_features, compute_features
from forecaster.laboratory.prices.forms import CONVOLUTION, FEED_FORWARD, build_form
from forecaster.laboratory.prices.trials import (
    AFTERWARDS,
    TrialSetup,
    run_price_trial_here,
    shock_response,
    trial_setup,
)
from forecaster.network.recurrent import RecurrentNetwork, network_parameters, network_shapes
from forecaster.settings import Recipe

RECIPE = Recipe(horizon=2, lookback=20, epochs=1, units=4)


@pytest.fixture
def setup(tmp_path: Path) -> TrialSetup:
    filled_store(tmp_path, *(random_walk_table(name, 1500, seed) for seed, name in enumerate("AB")))
    return trial_setup(tmp_path, None, RECIPE)


@pytest.mark.parametrize("form", [FEED_FORWARD, CONVOLUTION])
def test_a_form_has_about_as_many_parameters_and_sees_no_day_ahead(form: str) -> None:
    recipe = Recipe(units=32, lookback=40, dropout=0.0)
    network = build_form(form, 5, recipe)
    wanted = network_parameters("gru", 32, 5, recipe)
    assert network.count_params() == pytest.approx(wanted, rel=0.1)
    inputs = np.random.default_rng(0).normal(size=(2, 40, 5)).astype(np.float32)
    before = np.asarray(network(inputs))
    assert before.shape == (2, 40, 3 * recipe.horizon)
    changed = inputs.copy()
    changed[:, 25] += 1
    moved = np.abs(np.asarray(network(changed)) - before).max(axis=(0, 2)) > 0
    assert not moved[:25].any()
    assert moved[25]
    early = inputs.copy()
    early[:, 0] += 1
    assert np.abs(np.asarray(network(early)) - before)[:, 19].max() > 0  # the last half sees 20 days or more


@pytest.mark.parametrize(
    "changes",
    [
        pytest.param({"form": FEED_FORWARD}, id="feed-forward"),
        pytest.param({"form": "linear-t"}, id="linear"),
        pytest.param({"form": "gru-no-reset"}, id="a gate taken out"),
        pytest.param({"features": ("return",)}, id="returns alone"),
        pytest.param({"one_target": True, "every": 3}, id="one target"),
        pytest.param({"tune_trials": 2}, id="tuned", marks=pytest.mark.trial),
        pytest.param({"used_at": (10, 40), "every": 2, "shocked": True}, id="other lengths, a shock"),
    ],
)
def test_every_kind_of_trial_is_scored_on_the_same_days(setup: TrialSetup, changes: dict) -> None:
    usual = run_price_trial_here(setup.data, setup.trial(setup.recipe))
    found = run_price_trial_here(setup.data, replace(setup.trial(setup.recipe), **changes))
    assert set(found["days"]) <= set(usual["days"])
    assert len(found["days"]) == len(found["daily_crps"]) > 0
    assert "peak_memory_mb" not in found
    if "one_target" in changes:
        assert set(np.diff(found["days"])) == {3}
    if changes.get("used_at"):
        assert found["used_at"].keys() == {"10", "40"}
        assert found["used_at"]["10"]["days"] == found["used_at"]["40"]["days"]
        assert len(found["shock"]) == AFTERWARDS + 1
    else:
        assert found.keys() - {"tuned"} <= usual.keys()
    if "tune_trials" in changes:
        assert found["tuned"]["trials"] == 2
        assert found["tuned"]["recipe"]["cell"] == setup.recipe.cell
    if changes.get("features"):
        assert found["parameters"] < usual["parameters"]


def test_a_shock_moves_only_what_reads_the_return(setup: TrialSetup) -> None:
    """A SimpleRNN without recurrence, whose scale is moved by tanh(return) alone: it forgets in a day."""
    panel = setup.panel
    names = available_features(panel, setup.recipe)
    features = compute_features(panel, names)
    shapes = network_shapes("rnn", 1, 1, 2, len(names), bidirectional=False)
    weights = {name: np.zeros(shape, np.float32) for name, shape in shapes.items()}
    weights["layer0/forward/kernel"][names.index("return")] = 1.0
    weights["head/kernel"][0, 2] = 1.0  # the log scale one day ahead
    network = RecurrentNetwork("rnn", 1, 1, False, 2, 20, names, weights)
    part = range(panel.shape[1] - 300, panel.shape[1])
    on_the_day, *after = shock_response(network, features, part)
    assert on_the_day == pytest.approx(1, abs=0.5)
    assert after == [0.0] * AFTERWARDS
