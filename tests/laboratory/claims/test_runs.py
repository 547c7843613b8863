from dataclasses import asdict, replace
from functools import partial
from pathlib import Path
from typing import Any

import pytest
from claims_factory import SETUP, made_up_setup

from forecaster.dataset.training_set import TrainingSet
from forecaster.evaluation.baselines import LINEAR_T
from forecaster.laboratory.claims import runs
from forecaster.laboratory.claims.effects import FEWEST_SEEDS
from forecaster.laboratory.claims.runs import (
    FULL,
    MOST_TICKERS,
    QUICK,
    TUNED,
    Size,
    gather_evidence,
    price_groups,
    task_groups,
)
from forecaster.laboratory.memory.training import Trial
from forecaster.laboratory.prices.trials import PriceTrial
from forecaster.laboratory.trials import key_of
from forecaster.network.linear_t import regressor_names
from forecaster.network.recurrent import network_parameters


@pytest.mark.parametrize("size", [QUICK, FULL], ids=["quick", "full"])
def test_the_groups_differ_in_what_they_say_and_share_the_test(size: Size) -> None:
    groups = price_groups(SETUP, size)
    trials = [trial for group in groups.values() for trial in group]
    assert len({key_of(trial.described()) for trial in trials}) == len(trials)
    assert {trial.tested_on for trial in trials} == {SETUP.tickers}
    assert {len(group) for name, group in groups.items() if name != LINEAR_T} == {size.seeds}
    assert size.seeds >= FEWEST_SEEDS
    for name in ("small/gru", "wide/lstm", "deep/gru"):
        assert {len(trial.trained_on) for trial in groups[name]} == {1}
    both, one = groups["years/both ways"][0], groups["years/one target"][0]
    assert replace(both, recipe=replace(both.recipe, bidirectional=False)) == one
    assert replace(one, one_target=False, every=1) == groups["years/many targets"][0]
    weekly = groups["years/convlstm"][0]
    sizes = {"cell": "gru", "units": one.recipe.units}
    assert replace(weekly, recipe=replace(weekly.recipe, **sizes)) == one
    lookback = groups["large/gru"][0].recipe.lookback
    assert lookback in size.lengths


@pytest.mark.parametrize(("lookback", "whole"), [(120, 120), (124, 120), (9, 5), (3, 5)])
def test_a_window_of_weeks_is_as_long_as_whole_weeks_are(lookback: int, whole: int) -> None:
    setup = replace(SETUP, recipe=replace(SETUP.recipe, lookback=lookback))
    groups = price_groups(setup, FULL)
    weekly, daily = (groups[f"years/{name}"][0].recipe for name in ("convlstm", "one target"))
    assert (weekly.cell, weekly.lookback, daily.lookback) == ("convlstm", whole, lookback)
    counts = [network_parameters(each.cell, each.units, setup.features, each) for each in (weekly, daily)]
    assert counts[0] == pytest.approx(counts[1], rel=0.06)


@pytest.mark.parametrize("size", [QUICK, FULL], ids=["quick", "full"])
def test_tasks_are_compared_at_equal_parameters_and_start(size: Size) -> None:
    groups = task_groups(size)
    assert groups["long/lstm"] == groups["open/0.005/lstm"]
    assert {trial.layers for trial in groups["stacked/lstm"]} == {2}
    assert groups["removed/lstm-coupled"][0].units == groups["long/lstm"][0].units
    assert {trial.start for trial in groups["agreement/rnn"]} == {"keras"}
    assert {len(group) for name, group in groups.items()} == {size.seeds, size.short_seeds}


def of_task(trial: Trial) -> dict[str, Any]:
    """An outcome that tells where it came from."""
    return asdict(trial)


def of_prices(data: TrainingSet, trial: PriceTrial) -> dict[str, Any]:
    assert set(trial.trained_on) <= set(data.panel.tickers)
    return {"form": trial.form, "seed": trial.recipe.seed}


def test_what_was_run_is_not_run_again(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(runs, "run_trial", of_task)
    monkeypatch.setattr(runs, "run_price_trial_here", of_prices)
    notes: list[str] = []
    found = gather_evidence(tmp_path, SETUP, QUICK, 1, notes.append)
    assert [run["seed"] for run in found.prices["large/gru"]] == [0, 1, 2]
    assert found.prices[LINEAR_T] == [{"form": LINEAR_T, "seed": 0}] * QUICK.seeds
    assert {run["cell"] for run in found.tasks["removed/gru-no-reset"]} == {"gru-no-reset"}
    assert notes[-1].endswith("; 0 to come")
    notes.clear()
    again = gather_evidence(tmp_path, SETUP, QUICK, 1, notes.append)
    assert notes == []
    assert again.prices == found.prices


def test_of_many_tickers_some_are_used_and_all_where_much_data_is_claimed() -> None:
    many = made_up_setup(tuple(f"T{number:02}" for number in range(MOST_TICKERS + 7)))
    groups = price_groups(many, FULL)
    usual = groups["large/gru"][0]
    assert len(usual.trained_on) == MOST_TICKERS == len(set(usual.trained_on))
    assert (usual.trained_on[0], usual.trained_on[-1]) == ("T00", "T26")
    whole = groups["whole/lstm"][0]
    assert whole.trained_on == whole.tested_on == many.tickers
    assert whole.prices == many.prices != usual.prices
    assert not any(
        name.startswith("whole/") for name in {**price_groups(many, QUICK), **price_groups(SETUP, FULL)}
    )


@pytest.mark.parametrize(
    ("group", "reference"), [("matched/lstm", "large/gru"), ("years/convlstm", "years/one target")]
)
def test_what_is_said_to_have_equal_parameters_has(group: str, reference: str) -> None:
    groups = price_groups(SETUP, FULL)
    one, other = (groups[name][0].recipe for name in (group, reference))
    counts = [network_parameters(each.cell, each.units, SETUP.features, each) for each in (one, other)]
    assert one.cell != other.cell
    assert counts[0] == pytest.approx(counts[1], rel=0.05)


def test_a_small_recurrent_network_has_about_as_many_parameters_as_linear_t() -> None:
    recipe = price_groups(SETUP, FULL)["tiny/gru"][0].recipe
    count = partial(network_parameters, "gru", features=SETUP.features, recipe=recipe)
    linear = (len(regressor_names(SETUP.inputs)) + 3) * recipe.horizon
    assert recipe.units < 8
    assert abs(count(units=recipe.units) - linear) <= abs(count(units=recipe.units + 1) - linear)


def test_without_optuna_the_claim_on_tuning_is_left_out(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(runs, "run_trial", of_task)
    monkeypatch.setattr(runs, "run_price_trial_here", of_prices)
    monkeypatch.setattr(runs, "find_spec", lambda _: None)
    notes: list[str] = []
    found = gather_evidence(tmp_path, SETUP, QUICK, 1, notes.append)
    assert TUNED not in found.prices
    assert "forecaster[tune]" in notes[0]


def test_a_trial_as_usual_is_described_as_before_there_were_others() -> None:
    """So that what was kept is still there."""
    trial = SETUP.trial(SETUP.recipe)
    assert trial.described().keys() == {"prices", "trained_on", "tested_on", "years", "recipe"}
    other = replace(trial, form="convolution", used_at=(20,), shocked=True)
    assert other.described().keys() - trial.described().keys() == {"form", "used_at", "shocked"}
