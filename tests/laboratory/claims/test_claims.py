from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from factories import filled_store

from forecaster.laboratory.cells.costs import Cost, measure_costs
from forecaster.laboratory.claims import claims
from forecaster.laboratory.claims.evidence import FULL, QUICK, Evidence, price_groups
from forecaster.laboratory.claims.price_claims import price_claims
from forecaster.laboratory.claims.verdicts import Claim
from forecaster.laboratory.prices.trials import TrialSetup
from forecaster.laboratory.trials import key_of
from forecaster.settings import CELLS, Recipe

GROUND = TrialSetup(Path("home"), "0" * 16, ("A", "B", "C"), 5, Recipe())
LAG = QUICK.long_lag


def price_run(level: float, seed: int = 0, loss: float = 1.0) -> dict[str, object]:
    """An outcome whose daily CRPS is `level` with a little noise that all trials share in part."""
    shared = np.random.default_rng(1).normal(0, 0.1, 300)
    daily = level + shared + np.random.default_rng(seed).normal(0, 0.001, 300)
    return {
        "crps": float(daily.mean()),
        "days": list(range(300)),
        "daily_crps": daily.tolist(),
        "losses": [loss],
        "peak_memory_mb": 900.0 + 5 * level + seed,
    }


def evidence(
    levels: dict[str, float] | None = None,
    solved: dict[tuple[str, int], tuple[bool, bool]] | None = None,
    lives: dict[str, float | None] | None = None,
    losses: dict[str, float] | None = None,
) -> Evidence:
    """Runs in which every group is alike, but for those named."""
    levels, losses = levels or {}, losses or {}
    prices = {
        name: [price_run(levels.get(name, 1.0), seed, losses.get(name, 1.0)) for seed in (0, 1)]
        for name in price_groups(GROUND, QUICK)
    }
    lags = {
        (cell, lag): [
            {"solved": each, "half_life": (lives or {}).get(cell, 5.0)}
            for each in (solved or {}).get((cell, lag), (True, True))
        ]
        for cell in CELLS
        for lag in (QUICK.short_lag, LAG)
    }
    return Evidence(GROUND, QUICK, prices, lags)


def verdict(name: str, judged: list[Claim]) -> str:
    return next(claim.verdict for claim in judged if claim.name == name)


@pytest.mark.parametrize(
    ("name", "group", "other"),
    [
        ("small data", "small/gru", "small/lstm"),
        ("large data", "large/lstm", "large/gru"),
        ("gates on prices", "large/gru", "large/rnn"),
        ("both ways", "years/both ways", "years/gru"),
    ],
)
def test_a_claim_of_lower_crps_follows_the_runs(name: str, group: str, other: str) -> None:
    assert verdict(name, price_claims(evidence({group: 0.9, other: 1.0}))) == "supported"
    assert verdict(name, price_claims(evidence({group: 1.0, other: 0.9}))) == "not supported"
    assert verdict(name, price_claims(evidence())) == "undecided"


def test_gru_and_lstm_are_alike_only_within_half_a_per_cent() -> None:
    assert verdict("GRU or LSTM", price_claims(evidence())) == "supported"
    assert verdict("GRU or LSTM", price_claims(evidence({"matched/lstm": 1.02}))) == "not supported"


@pytest.mark.parametrize(("name", "group"), [("more units", "wide/gru"), ("more layers", "deep/gru")])
def test_overfitting_is_a_better_fit_with_a_worse_test(name: str, group: str) -> None:
    worse, better = evidence({group: 1.1}, losses={group: 0.5}), evidence({group: 0.9}, losses={group: 0.5})
    assert verdict(name, price_claims(worse)) == "supported"
    assert verdict(name, price_claims(better)) == "not supported"
    assert verdict(name, price_claims(evidence({group: 1.1}, losses={group: 2.0}))) == "not supported"
    assert verdict(name, price_claims(evidence())) == "undecided"


@pytest.mark.parametrize(
    ("rnn", "gru", "expected"),
    [
        pytest.param((False, False), (True, True), "supported", id="as said"),
        pytest.param((True, True), (True, True), "not supported", id="all succeed"),
        pytest.param((False, False), (False, False), "not supported", id="all fail"),
        pytest.param((True, False), (True, True), "undecided", id="one seed each way"),
    ],
)
def test_long_lags(rnn: tuple[bool, bool], gru: tuple[bool, bool], expected: str) -> None:
    runs = {("rnn", LAG): rnn, ("gru", LAG): gru, ("lstm", LAG): gru}
    found = claims.long_lag_claim(evidence(solved=runs))
    assert found.verdict == expected
    assert f"SimpleRNN {sum(rnn)} of 2" in found.figure


@pytest.mark.parametrize(
    ("rnn", "expected"),
    [((True, True), "supported"), ((False, False), "not supported"), ((True, False), "undecided")],
    ids=["succeeds", "fails", "half"],
)
def test_short_lags(rnn: tuple[bool, bool], expected: str) -> None:
    runs = {("rnn", QUICK.short_lag): rnn}
    assert claims.short_lag_claim(evidence(solved=runs)).verdict == expected


@pytest.mark.parametrize(
    ("lives", "expected"),
    [
        pytest.param({"rnn": 2.0, "lstm": 50.0, "gru": None}, "supported", id="as said"),
        pytest.param({"rnn": None, "lstm": 5.0, "gru": 5.0}, "not supported", id="the other way"),
        pytest.param({"rnn": 5.0, "lstm": 4.0, "gru": 6.0}, "not supported", id="one gated cell is shorter"),
        pytest.param({"rnn": 5.0, "lstm": 5.0, "gru": 6.0}, "undecided", id="between"),
    ],
)
def test_vanishing(lives: dict[str, float | None], expected: str) -> None:
    found = claims.vanishing_claim(evidence(lives=lives))
    assert found.verdict == expected
    assert ("does not fall" in found.figure) == (None in lives.values())


def test_untrained_half_lives_are_of_every_cell_and_seed(tmp_path: Path) -> None:
    filled_store(tmp_path)
    small = replace(GROUND.recipe, units=32, lookback=60)
    setup = replace(GROUND, home=tmp_path, tickers=("AAA", "BBB"), recipe=small)
    lives = claims.untrained_half_lives(setup)
    assert {cell: len(values) for cell, values in lives.items()} == dict.fromkeys(CELLS, 5)
    found = claims.untrained_claim(lives, setup)
    assert found.verdict == "not supported"  # a GRU's update gate starts at one half
    assert np.mean(lives["gru"]) < np.mean(lives["rnn"])


@pytest.mark.parametrize(
    ("gru", "expected"), [(0.5, "supported"), (2.0, "not supported")], ids=["faster", "slower"]
)
def test_times(gru: float, expected: str) -> None:
    noise = 1 + np.random.default_rng(0).normal(0, 0.01, 12)
    costs = {cell: Cost(noise * (gru if cell == "gru" else 1), noise) for cell in CELLS}
    training, inference = claims.time_claims(costs, GROUND)
    assert training.verdict == expected
    assert inference.verdict == "undecided"


def test_memory_and_what_needs_no_training() -> None:
    assert claims.memory_claim(evidence({"large/lstm": 500.0})).verdict == "supported"
    assert claims.memory_claim(evidence()).verdict == "undecided"
    assert claims.coupling_claim().verdict == "supported"
    ratio = claims.parameter_ratio(GROUND)
    assert ratio.verdict == "supported"
    assert ratio.figure == "1 : 3.08 : 4.00; the published GRU 3.00"


@pytest.mark.parametrize("size", [QUICK, FULL], ids=["quick", "full"])
def test_the_groups_differ_in_what_they_say_and_share_the_test(size: claims.Size) -> None:
    groups = price_groups(GROUND, size)
    trials = [trial for group in groups.values() for trial in group]
    assert len({key_of(trial.described()) for trial in trials}) == len(groups) * size.seeds
    assert {trial.tested_on for trial in trials} == {GROUND.tickers}
    assert {len(trial.trained_on) for trial in groups["small/gru"]} == {1}
    both = replace(groups["years/both ways"][0].recipe, bidirectional=False)
    assert both == groups["years/gru"][0].recipe


def test_costs_are_measured_for_every_cell_and_repeat() -> None:
    costs = measure_costs(["rnn", "gru"], 2, Recipe(units=2, lookback=5), batch=2, repeats=3)
    assert list(costs) == ["rnn", "gru"]
    for cost in costs.values():
        assert cost.training_step.shape == cost.forecast.shape == (3,)
        assert (cost.training_step > 0).all()
        assert (cost.forecast > 0).all()
