import math

import numpy as np
import pytest
from numpy.typing import NDArray

from forecaster.laboratory.cells.accounting import account, keras_parameters, operations
from forecaster.network.cells import CellWeights, run_layer, weight_shapes

FORMS = [
    pytest.param("rnn", True, id="rnn"),
    pytest.param("lstm", True, id="lstm"),
    pytest.param("gru", True, id="gru reset after"),
    pytest.param("gru", False, id="gru as published"),
]


class Counted:
    """A number that counts what is done with it."""

    work = 0
    calls = 0

    def __init__(self, value: float) -> None:
        self.value = float(value)

    def __add__(self, other: "Counted") -> "Counted":
        Counted.work += 1
        return Counted(self.value + other.value)

    def __sub__(self, other: "Counted") -> "Counted":
        Counted.work += 1
        return Counted(self.value - other.value)

    def __mul__(self, other: "Counted") -> "Counted":
        Counted.work += 1
        return Counted(self.value * other.value)

    def tanh(self) -> "Counted":
        Counted.calls += 1
        return Counted(math.tanh(self.value))

    def sigmoid(self) -> "Counted":
        Counted.calls += 1
        return Counted(1 / (1 + math.exp(-self.value)))


def counted(array: NDArray[np.floating]) -> NDArray[np.object_]:
    return np.vectorize(Counted, otypes=[object])(array)


def textbook_step(
    cell: str, weights: CellWeights, x: NDArray[np.floating], h: NDArray[np.floating], *, reset_after: bool
) -> list[float]:
    """One step of one sequence, a scalar at a time, as the papers write it; c starts as h."""
    units = len(h)
    one = Counted(1)
    kernel, recurrent, bias = counted(weights.kernel), counted(weights.recurrent), counted(weights.bias)
    inputs, hidden = list(counted(x)), list(counted(h))
    state = list(hidden)

    def total(terms: list[Counted]) -> Counted:
        result = terms[0]
        for term in terms[1:]:
            result = result + term
        return result

    def from_input(column: int) -> Counted:
        return total([value * kernel[row, column] for row, value in enumerate(inputs)])

    def from_state(column: int, values: list[Counted]) -> Counted:
        return total([value * recurrent[row, column] for row, value in enumerate(values)])

    def gate(number: int, values: list[Counted]) -> list[Counted]:
        columns = range(number * units, (number + 1) * units)
        both = [from_input(column) + from_state(column, values) for column in columns]
        for row in np.atleast_2d(bias):
            both = [value + row[column] for value, column in zip(both, columns, strict=True)]
        return both

    if cell == "rnn":
        return [value.tanh().value for value in gate(0, hidden)]
    if cell == "lstm":
        i, f, o = ([v.sigmoid() for v in gate(number, hidden)] for number in (0, 1, 3))
        g = [v.tanh() for v in gate(2, hidden)]
        c = [f[k] * state[k] + i[k] * g[k] for k in range(units)]
        return [(o[k] * c[k].tanh()).value for k in range(units)]
    z, r = ([v.sigmoid() for v in gate(number, hidden)] for number in (0, 1))
    if reset_after:
        columns = range(2 * units, 3 * units)
        inside = [from_input(column) + bias[0, column] for column in columns]
        recalled = [from_state(column, hidden) + bias[1, column] for column in columns]
        g = [(inside[k] + r[k] * recalled[k]).tanh() for k in range(units)]
    else:
        g = [v.tanh() for v in gate(2, [r[k] * hidden[k] for k in range(units)])]
    return [(z[k] * hidden[k] + (one - z[k]) * g[k]).value for k in range(units)]


def textbook_week(weights: CellWeights, x: NDArray[np.floating]) -> list[list[float]]:
    """As `textbook_step`, of a ConvLSTM1D: the five days of a week, h and c zero before it."""
    kernel, recurrent, bias = counted(weights.kernel), counted(weights.recurrent), counted(weights.bias)
    units = recurrent.shape[1]
    inputs, before = counted(x), counted(np.zeros((5, units)))

    def inside(day: int, column: int) -> Counted:
        result = bias[column]
        for place, other in enumerate((day - 1, day, day + 1)):
            if 0 <= other < 5:
                for matrix, values in ((kernel, inputs), (recurrent, before)):
                    for row, value in enumerate(values[other]):
                        result = result + value * matrix[place, row, column]
        return result

    week = []
    for day in range(5):
        i, f, g, o = ([inside(day, gate * units + unit) for unit in range(units)] for gate in range(4))
        c = [f[k].sigmoid() * before[day, k] + i[k].sigmoid() * g[k].tanh() for k in range(units)]
        week.append([(o[k].sigmoid() * c[k].tanh()).value for k in range(units)])
    return week


@pytest.mark.parametrize(("inputs", "units"), [(1, 2), (4, 3)])
def test_operations_of_a_week_are_what_the_equations_do(inputs: int, units: int) -> None:
    random = np.random.default_rng(0)
    shapes = weight_shapes("convlstm", inputs, units).values()
    weights = CellWeights(*(random.normal(size=shape) for shape in shapes))
    x = random.normal(size=(5, inputs))
    Counted.work = Counted.calls = 0
    week = textbook_week(weights, x)
    expected = operations("convlstm", inputs, units)
    assert (Counted.work, Counted.calls) == (expected.floating_point, expected.activations)
    np.testing.assert_allclose(week, run_layer("convlstm", weights, x[None])[0], atol=1e-12)


def test_a_week_carries_and_keeps_what_an_lstm_does_on_five_days() -> None:
    (week,), (day,) = (account(cell, 4, 3).layers for cell in ("convlstm", "lstm"))
    assert (week.state_values, week.kept_values) == (5 * day.state_values, 5 * day.kept_values)


@pytest.mark.parametrize(("inputs", "units"), [(1, 2), (3, 2), (4, 5)])
@pytest.mark.parametrize(("cell", "reset_after"), FORMS)
def test_operations_are_what_the_equations_do(cell: str, reset_after: bool, inputs: int, units: int) -> None:
    random = np.random.default_rng(0)
    shapes = weight_shapes(cell, inputs, units, reset_after=reset_after).values()
    weights = CellWeights(*(random.normal(size=shape) for shape in shapes))
    x = random.normal(size=inputs)
    Counted.work = Counted.calls = 0
    hidden = textbook_step(cell, weights, x, np.zeros(units), reset_after=reset_after)
    expected = operations(cell, inputs, units, reset_after=reset_after)
    assert (Counted.work, Counted.calls) == (expected.floating_point, expected.activations)
    ours = run_layer(cell, weights, x[None, None], reset_after=reset_after)[0, 0]
    np.testing.assert_allclose(hidden, ours, atol=1e-12)


@pytest.mark.parametrize(
    ("cell", "reset_after", "by_hand"),
    [
        # Two units, three inputs: a gate has 2·3 input weights, 2·2 recurrent weights and 2 biases.
        pytest.param("rnn", True, 12, id="rnn"),
        pytest.param("lstm", True, 48, id="lstm"),
        pytest.param("gru", True, 42, id="gru reset after: 4 biases a gate"),
        pytest.param("gru", False, 36, id="gru as published"),
        pytest.param("convlstm", True, 128, id="convlstm: three of each matrix"),
    ],
)
def test_two_units_counted_by_hand(cell: str, reset_after: bool, by_hand: int) -> None:
    assert account(cell, 3, 2, reset_after=reset_after).parameters == by_hand


@pytest.mark.parametrize("bidirectional", [False, True], ids=["one way", "both ways"])
@pytest.mark.parametrize("layers", [1, 3])
@pytest.mark.parametrize(("cell", "reset_after"), FORMS)
def test_keras_counts_the_same(cell: str, reset_after: bool, layers: int, bidirectional: bool) -> None:
    form = {"bidirectional": bidirectional, "reset_after": reset_after}
    assert account(cell, 4, 6, layers, **form).parameters == keras_parameters(cell, 4, 6, layers, **form)


@pytest.mark.parametrize("layers", [1, 3])
def test_keras_counts_the_same_of_weeks(layers: int) -> None:
    assert account("convlstm", 4, 6, layers).parameters == keras_parameters("convlstm", 4, 6, layers)


@pytest.mark.parametrize(("cell", "bidirectional"), [("gru", True), ("convlstm", False)])
def test_the_formula_with_numbers_is_an_equation_that_holds(cell: str, bidirectional: bool) -> None:
    layer = account(cell, 5, 32, 2, bidirectional=bidirectional).layers[1]
    left, right = layer.numbers.split(" = ")
    assert eval(left.replace("·", "*")) == int(right.replace(",", "")) == layer.parameters  # noqa: S307
