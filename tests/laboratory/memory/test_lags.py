from pathlib import Path

import pytest

from forecaster.laboratory.memory.lags import LagResult, plan_trials, run_memory, run_trial
from forecaster.laboratory.memory.training import Trial, untrained_network
from forecaster.laboratory.trials import ResultsFile
from forecaster.network.cells import parameter_count, run_layer


def at_lag(task: str, lag: int, seeds: int, steps: int, home: Path) -> dict[str, LagResult]:
    trials = plan_trials(task, ["rnn", "lstm", "gru"], [lag], seeds, 32, steps, "open")
    return {row.cell: row for row in run_memory(trials, ResultsFile(home, "memory"), jobs=2)}


@pytest.mark.parametrize(("cell", "by_hand"), [("rnn", 57), ("lstm", 28), ("gru", 32)])
def test_equal_parameters_by_hand(cell: str, by_hand: int) -> None:
    """A GRU of 32 units with 2 features has 3·(32·34 + 64) = 3,456: 57·60 = 3,420, 4·28·31 = 3,472."""
    (trial,) = plan_trials("adding", [cell], [10], 1, 32, 100, "open")
    units = trial.units
    assert units == by_hand
    assert parameter_count(cell, 2, units) == pytest.approx(3456, rel=0.02)


def test_trials_differ_in_cell_lag_and_seed_only() -> None:
    trials = plan_trials("order", ["lstm", "gru"], [10, 20], 3, 16, 100, "keras")
    assert len(set(trials)) == 12
    assert [trial.lag for trial in trials] == [10] * 6 + [20] * 6


def test_a_trial_repeats_exactly() -> None:
    trial = Trial("adding", "gru", 4, 8, 3, 20)
    first, second = run_trial(trial), run_trial(trial)
    assert first | {"seconds": 0} == second | {"seconds": 0}
    assert first["steps"] == 20
    assert first["pulse"].keys() == {"hidden"}
    assert not first["solved"]


def test_gates_that_begin_open_hold_for_longer() -> None:
    """At zero input a unit keeps the share σ(b) a step: the open start's is nearer to one."""
    import numpy as np

    for cell in ("lstm", "gru"):
        kept = []
        for start in ("keras", "open"):
            weights = untrained_network(Trial("adding", cell, 16, 200, 0, 0, start)).weights
            bias = np.atleast_2d(weights.bias)[0]
            gate = bias[16:32] if cell == "lstm" else bias[:16]
            kept.append(float((1 / (1 + np.exp(-gate))).mean()))
            assert np.isfinite(run_layer(cell, weights, np.ones((1, 200, 2)))).all()
        assert kept[1] > 0.9 > kept[0]


@pytest.mark.slow
def test_at_lag_100_the_simple_rnn_fails_and_the_gated_cells_succeed(tmp_path: Path) -> None:
    found = at_lag("adding", 100, 5, 2000, tmp_path)
    assert found["rnn"].solved == 0
    assert found["lstm"].solved >= 4
    assert found["gru"].solved >= 4


@pytest.mark.slow
def test_at_lag_10_every_cell_succeeds(tmp_path: Path) -> None:
    found = at_lag("adding", 10, 5, 2000, tmp_path)
    assert min(row.solved for row in found.values()) >= 4
