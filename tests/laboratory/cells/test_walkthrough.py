import math
import re

import numpy as np
import pytest

from forecaster.laboratory.cells.walkthrough import equations, walk
from forecaster.laboratory.cells.weights import untrained_weights
from forecaster.network.cells import CellWeights

FORMS = [
    pytest.param("rnn", True, id="rnn"),
    pytest.param("lstm", True, id="lstm"),
    pytest.param("gru", True, id="gru reset after"),
    pytest.param("gru", False, id="gru as published"),
]
SERIES = np.array([[0.5, -1.0], [0.3, 0.25], [-0.75, 2.0]])


def evaluated(expression: str) -> float:
    """The value of what stands between the equals signs."""
    python = expression.replace("−", "-").replace("·", "*")
    names = {"σ": lambda x: 1 / (1 + math.exp(-x)), "tanh": math.tanh}
    return float(eval(python, {"__builtins__": {}}, names))  # noqa: S307


@pytest.mark.parametrize("step", [1, 3])
@pytest.mark.parametrize("unit", [1, 2])
@pytest.mark.parametrize(("cell", "reset_after"), FORMS)
def test_the_numbers_of_every_equation_give_its_result(
    cell: str, reset_after: bool, step: int, unit: int
) -> None:
    weights = untrained_weights(cell, 2, 2, 5, reset_after=reset_after)
    random = np.random.default_rng(1)
    weights = CellWeights(weights.kernel, weights.recurrent, random.normal(size=weights.bias.shape))
    walked = walk(cell, weights, SERIES, ["", "", ""], reset_after=reset_after)
    lines = equations(walked, step, unit)
    for line in lines:
        *_, numbers, result = line.split(" = ")
        if re.search(r"\d", numbers):
            assert evaluated(numbers) == pytest.approx(evaluated(result), abs=4e-4)
    shown = evaluated(lines[-1].split(" = ")[-1])
    assert shown == pytest.approx(walked.trace.hidden[0, step - 1, unit - 1], abs=5e-5)


def test_two_units_of_an_elman_cell_by_hand() -> None:
    weights = CellWeights(
        kernel=np.array([[1.0, -2.0]]), recurrent=np.array([[0.5, 0.0], [0.0, 0.25]]), bias=np.array([0, 0.1])
    )
    walked = walk("rnn", weights, np.array([[0.5], [0.0]]), ["", ""])
    first = math.tanh(-2 * 0.5 + 0.1)
    numbers = "(−2.0000)·0.0000 + 0.0000·0.4621 + 0.2500·(−0.7163) + 0.1000"
    assert equations(walked, 2, 2) == [
        f"g = tanh(Wx + Uh + b) = tanh({numbers}) = −0.0789",
        "h = g = −0.0789",
    ]
    assert math.tanh(0.25 * first + 0.1) == pytest.approx(-0.0789, abs=5e-5)


def test_many_products_are_shown_as_their_sum() -> None:
    walked = walk("rnn", untrained_weights("rnn", 7, 2, 0), np.ones((1, 7)), [""])
    line = equations(walked, 1, 1)[0]
    assert line.count("·") == 2  # the two units'; the seven inputs' products are one number
