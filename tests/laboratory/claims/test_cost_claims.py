import numpy as np
import pytest
from claims_factory import SETUP, verdict

from forecaster.laboratory.cells.costs import Cost, measure_costs
from forecaster.laboratory.claims.cost import cost_claims
from forecaster.settings import CELLS, Recipe


def costs(gru: float) -> dict[str, Cost]:
    noise = 1 + np.random.default_rng(0).normal(0, 0.01, 12)
    return {cell: Cost(noise * (gru if cell == "gru" else 1), noise) for cell in CELLS}


@pytest.mark.parametrize(
    ("gru", "expected"), [(0.5, "supported"), (2.0, "not supported")], ids=["faster", "slower"]
)
def test_times(gru: float, expected: str) -> None:
    judged = cost_claims(costs(gru), SETUP, 60)
    assert verdict("training time", judged) == expected
    assert verdict("inference time", judged) == "undecided"


def test_memory_and_operations_are_counted() -> None:
    """By hand, 32 units, 5 features, 60 days.

    Weights LSTM 4·32·(32 + 5 + 1) = 4,864, GRU 3·32·(32 + 5 + 2) = 3,744, each held four times in four
    bytes; a day leaves 6 and 5 numbers a unit. Operations of a day: LSTM 2·4·32·37 + 4·32 = 9,600; GRU
    2·3·32·37 + 3·32 + 5·32 = 7,360.
    """
    judged = {claim.name: claim for claim in cost_claims(costs(1.0), SETUP, 60)}
    held = {"lstm": 16 * 4864 + 64 * 60 * 4 * 6 * 32, "gru": 16 * 3744 + 64 * 60 * 4 * 5 * 32}
    memory, operations = judged["memory"], judged["operations"]
    assert (memory.values["lstm"], memory.values["gru"]) == (held["lstm"], held["gru"])
    assert memory.effect == memory.low == memory.high == pytest.approx(100 * (held["gru"] / held["lstm"] - 1))
    assert (operations.values["lstm"], operations.values["gru"]) == (60 * 9600, 60 * 7360)
    assert memory.verdict == operations.verdict == "supported"


def test_costs_are_measured_for_every_cell_and_repeat() -> None:
    measured = measure_costs(["rnn", "gru"], 2, Recipe(units=2, lookback=5), batch=2, repeats=3)
    assert list(measured) == ["rnn", "gru"]
    for cost in measured.values():
        assert cost.training_step.shape == cost.forecast.shape == (3,)
        assert (cost.training_step > 0).all()
        assert (cost.forecast > 0).all()
