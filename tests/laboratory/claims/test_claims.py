from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from factories import filled_store

from forecaster.laboratory.cells.accounting import account
from forecaster.laboratory.cells.costs import Cost, measure_costs
from forecaster.laboratory.cells.coupling import Difference
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


def steady_run(level: float) -> dict[str, object]:
    """An outcome with the same CRPS on every day."""
    return price_run(level) | {"crps": level, "daily_crps": [level] * 300}


def evidence(
    levels: dict[str, float] | None = None,
    solved: dict[tuple[str, int], tuple[bool, ...]] | None = None,
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


@pytest.mark.parametrize(
    ("lstm", "expected"),
    [
        pytest.param(1 / 0.9951, "supported", id="just within, lower"),
        pytest.param(1 / 1.0049, "supported", id="just within, higher"),
        pytest.param(1 / 0.9949, "not supported", id="just beyond, lower"),
        pytest.param(1 / 1.0051, "not supported", id="just beyond, higher"),
    ],
)
def test_the_bound_of_alike_is_half_a_per_cent(lstm: float, expected: str) -> None:
    """Runs that do not vary, so that only the bound decides."""
    found = evidence()
    found.prices["large/gru"] = [steady_run(1.0)] * 2
    found.prices["matched/lstm"] = [steady_run(lstm)] * 2
    claim = next(claim for claim in price_claims(found) if claim.name == "GRU or LSTM")
    assert claim.verdict == expected
    assert claim.sentence.endswith("(within 0.5 %).")


def test_one_seed_decides_no_claim_on_prices() -> None:
    levels = {"small/gru": 0.5, "large/lstm": 0.5, "large/rnn": 2.0, "years/both ways": 0.5, "wide/gru": 3.0}
    found = evidence(levels)
    one = replace(found, prices={name: runs[:1] for name, runs in found.prices.items()})
    judged = price_claims(one)
    assert {claim.verdict for claim in judged} == {"undecided"}
    assert all("no interval from so few values" in claim.figure for claim in judged)
    assert claims.memory_claim(one).verdict == "undecided"


@pytest.mark.parametrize(("name", "group"), [("more units", "wide/gru"), ("more layers", "deep/gru")])
def test_overfitting_is_a_better_fit_with_a_worse_test(name: str, group: str) -> None:
    worse, better = evidence({group: 1.1}, losses={group: 0.5}), evidence({group: 0.9}, losses={group: 0.5})
    assert verdict(name, price_claims(worse)) == "supported"
    assert verdict(name, price_claims(better)) == "not supported"
    assert verdict(name, price_claims(evidence({group: 1.1}, losses={group: 2.0}))) == "not supported"
    assert verdict(name, price_claims(evidence({group: 1.1}, losses={group: 1.0}))) == "not supported"
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


def of_hundred(successes: int) -> tuple[bool, ...]:
    return tuple(number < successes for number in range(100))


@pytest.mark.parametrize(
    ("rnn", "gated", "long", "short"),
    [
        pytest.param(20, 80, "supported", "not supported", id="a fifth fails, four fifths succeed"),
        pytest.param(21, 80, "undecided", "undecided", id="the SimpleRNN succeeds too often"),
        pytest.param(20, 79, "undecided", "not supported", id="gated cells succeed too rarely"),
        pytest.param(79, 80, "undecided", "undecided", id="the SimpleRNN nearly as often"),
        pytest.param(80, 80, "not supported", "supported", id="the SimpleRNN as often"),
    ],
)
def test_shares_of_seeds_that_fail_and_succeed(rnn: int, gated: int, long: str, short: str) -> None:
    solved = {
        (cell, lag): of_hundred(rnn if cell == "rnn" else gated)
        for cell in CELLS
        for lag in (QUICK.short_lag, LAG)
    }
    found = evidence(solved=solved)
    assert claims.long_lag_claim(found).verdict == long
    assert claims.short_lag_claim(found).verdict == short


@pytest.mark.parametrize("weaker", ["lstm", "gru"])
def test_both_gated_cells_have_to_bridge_the_long_lag(weaker: str) -> None:
    solved = {(cell, LAG): of_hundred({"rnn": 20, weaker: 79}.get(cell, 100)) for cell in CELLS}
    assert claims.long_lag_claim(evidence(solved=solved)).verdict == "undecided"


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
    ("lstm", "gru", "expected"),
    [
        pytest.param([8.0, 8.1, 7.9], [6.0, 6.1, 5.9], "supported", id="both further"),
        pytest.param([8.0, 8.1, 7.9], [3.0, 3.1, 2.9], "not supported", id="the GRU less far"),
        pytest.param([3.0, 3.1, 2.9], [8.0, 8.1, 7.9], "not supported", id="the LSTM less far"),
        pytest.param([8.0, 8.1, 7.9], [3.9, 4.2, 4.0], "undecided", id="the GRU as far"),
        pytest.param([3.9, 4.2, 4.0], [8.0, 8.1, 7.9], "undecided", id="the LSTM as far"),
    ],
)
def test_gates_alone(lstm: list[float], gru: list[float], expected: str) -> None:
    lives = {"rnn": [4.0, 4.1, 3.9], "lstm": lstm, "gru": gru}
    assert claims.untrained_claim(lives, GROUND).verdict == expected


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


@pytest.mark.parametrize(
    ("lstm", "gru", "published", "expected"),
    [
        pytest.param(4.09, 2.91, 3.09, "supported", id="all near"),
        pytest.param(3.91, 3.09, 2.91, "supported", id="all near, the other way"),
        pytest.param(4.11, 3.0, 3.0, "not supported", id="LSTM too many"),
        pytest.param(3.89, 3.0, 3.0, "not supported", id="LSTM too few"),
        pytest.param(4.0, 3.11, 3.0, "not supported", id="GRU too many"),
        pytest.param(4.0, 2.89, 3.0, "not supported", id="GRU too few"),
        pytest.param(4.0, 3.0, 3.11, "not supported", id="published GRU too many"),
        pytest.param(4.0, 3.0, 2.89, "not supported", id="published GRU too few"),
    ],
)
def test_parameter_ratios_are_near_within_a_tenth(
    monkeypatch: pytest.MonkeyPatch, lstm: float, gru: float, published: float, expected: str
) -> None:
    formula = account("gru", GROUND.features, GROUND.recipe.units, reset_after=False).parameters
    one = formula / published
    counts = {"rnn": one, "lstm": lstm * one, "gru": gru * one}
    monkeypatch.setattr(claims, "keras_parameters", lambda cell, *_: counts[cell])
    assert claims.parameter_ratio(GROUND).verdict == expected


@pytest.mark.parametrize(
    ("largest", "expected"),
    [
        pytest.param(9e-13, "supported", id="rounding"),
        pytest.param(1.1e-12, "not supported", id="more than rounding"),
    ],
)
def test_identical_is_within_rounding(monkeypatch: pytest.MonkeyPatch, largest: float, expected: str) -> None:
    differences = [Difference("all ties", largest), Difference("one", 0.3), Difference("other", 0.08)]
    monkeypatch.setattr(claims, "coupling_differences", lambda *_: differences)
    found = claims.coupling_claim()
    assert found.verdict == expected
    assert found.figure.endswith("with a tie cut 0.08 or more")


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
