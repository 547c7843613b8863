from pathlib import Path

import numpy as np
import pytest
from factories import filled_store, random_walk_table

from forecaster.dataset.training_set import TrainingSet
from forecaster.errors import UsageError
from forecaster.laboratory.prices import sweep
from forecaster.laboratory.prices.sweep import ALL, plan_sweep, run_sweep
from forecaster.laboratory.prices.trials import PriceTrial, TrialSetup, _training_panel, trial_setup
from forecaster.laboratory.trials import ResultsFile, key_of
from forecaster.network.recurrent import network_parameters
from forecaster.settings import Recipe

RECIPE = Recipe(horizon=2, lookback=20)


@pytest.fixture
def setup(tmp_path: Path) -> TrialSetup:
    filled_store(tmp_path, *(random_walk_table(name, 1500, seed) for seed, name in enumerate("ABC")))
    return trial_setup(tmp_path, None, RECIPE)


def test_every_trial_has_the_same_split_and_the_same_test_tickers(setup: TrialSetup) -> None:
    plans = plan_sweep(setup, "tickers", [1, 2, ALL], ["rnn", "gru"], "units", 2)
    trials = [trial for plan in plans for trial in plan.trials]
    assert len({key_of(trial.described()) for trial in trials}) == 3 * 2 * 2
    assert {(trial.recipe.train_end, trial.recipe.validation_end) for trial in trials} == {
        (setup.recipe.train_end, setup.recipe.validation_end)
    }
    assert {trial.tested_on for trial in trials} == {("A", "B", "C")}
    assert [plan.trials[0].trained_on for plan in plans[::2]] == [("A",), ("A", "B"), ("A", "B", "C")]


def test_equal_parameters(setup: TrialSetup) -> None:
    plans = plan_sweep(setup, "units", [16], ["rnn", "lstm", "gru"], "parameters", 1)
    counts = [
        network_parameters(recipe.cell, recipe.units, setup.features, recipe)
        for recipe in (plan.trials[0].recipe for plan in plans)
    ]
    assert counts == pytest.approx([counts[2]] * 3, rel=0.05)


def test_years_are_the_last_before_the_end_of_training(setup: TrialSetup) -> None:
    (plan,) = plan_sweep(setup, "years", [2], ["gru"], "units", 1)
    panel = _training_panel(setup.panel, plan.trials[0])
    end = np.datetime64(str(setup.recipe.train_end))
    assert (panel.dates[0] - (end - np.timedelta64(730, "D"))).astype(int) in range(6)
    assert panel.dates[-1] == setup.panel.dates[-1]


def test_a_value_out_of_bounds_is_rejected(setup: TrialSetup) -> None:
    with pytest.raises(UsageError, match="lookback"):
        plan_sweep(setup, "lookback", [1], ["gru"], "units", 1)


def test_other_prices_are_other_trials(setup: TrialSetup, tmp_path: Path) -> None:
    filled_store(tmp_path, random_walk_table("A", 1500, seed=9))
    again = trial_setup(tmp_path, None, RECIPE)
    assert key_of(again.trial(RECIPE).described()) != key_of(setup.trial(RECIPE).described())


def test_some_tickers_of_many_are_the_trials_that_a_store_of_these_alone_has(tmp_path: Path) -> None:
    tables = [random_walk_table(name, 1500, seed) for seed, name in enumerate("ABCDE")]
    filled_store(tmp_path, *tables)
    many = trial_setup(tmp_path, None, RECIPE)
    some, named = many.spread(3), trial_setup(tmp_path, ["A", "C", "E"], RECIPE)
    assert some.tickers == named.tickers
    assert some.trial(some.recipe) == named.trial(named.recipe)
    assert many.spread(5) is many


def fake_run(_: TrainingSet, trial: PriceTrial) -> dict[str, object]:
    """An outcome that tells where it came from."""
    return {
        "crps": 0.01 + trial.recipe.seed / 1000,
        "reference_crps": 0.02,
        "parameters": 5,
        "seconds": 1.0 + trial.recipe.seed,
        "peak_memory_mb": 100.0 * (1 + trial.recipe.seed),
    }


def test_a_point_sums_its_seeds_up(
    setup: TrialSetup, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sweep, "run_price_trial", fake_run)
    plans = plan_sweep(setup, "lookback", [20, 30], ["gru"], "units", 3)
    points = run_sweep(setup.data, plans, ResultsFile(tmp_path, "prices"), jobs=2)
    assert [point.value for point in points] == [20, 30]
    for point in points:
        assert (point.crps, point.crps_deviation) == pytest.approx((0.011, 0.001))
        assert (point.seconds, point.peak_memory_mb, point.seeds) == (2.0, 300.0, 3)
