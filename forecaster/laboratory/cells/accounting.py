"""Parameters by gate, operations and memory a step, by formula; and Keras's own count beside them."""

from dataclasses import dataclass

from forecaster.network.cells import GATES, KERNEL, Shape, parameter_count, weight_shapes
from forecaster.network.engine import start_engine
from forecaster.settings import CONVLSTM, WEEK, Recipe, check_cell

BYTES = 4  # float32


@dataclass(frozen=True)
class GateCount:
    """Trained parameters of one gate: f·u from the input, u·u from the state, and biases.

    A ConvLSTM1D has those weights once for each day of its kernel.
    """

    gate: str
    input_weights: int
    recurrent_weights: int
    biases: int

    @property
    def total(self) -> int:
        """All three."""
        return self.input_weights + self.recurrent_weights + self.biases


@dataclass(frozen=True)
class Operations:
    """Work of one step of one sequence in one direction; a ConvLSTM1D's step is a week.

    Attributes:
        products: multiplications and additions of W x + U h + b.
        elementwise: multiplications and additions between gates and states.
        activations: values put through σ or tanh.
    """

    products: int
    elementwise: int
    activations: int

    @property
    def floating_point(self) -> int:
        """Additions and multiplications; an activation is a function call, counted apart."""
        return self.products + self.elementwise


@dataclass(frozen=True)
class LayerAccount:
    """One layer in one direction.

    Attributes:
        number: from 1.
        inputs: f, numbers that it reads a day.
        directions: 1, or 2 if it also reads backwards; all else here is of one direction.
        gates: trained parameters, gate by gate.
        symbols, numbers: the formula, in letters and with the sizes put in.
        shapes: of kernel, recurrent and bias.
        operations: of one step.
        state_values: numbers carried from step to step.
        kept_values: numbers a step leaves for the way back through time.
    """

    number: int
    inputs: int
    directions: int
    gates: tuple[GateCount, ...]
    symbols: str
    numbers: str
    shapes: dict[str, Shape]
    operations: Operations
    state_values: int
    kept_values: int

    @property
    def parameters(self) -> int:
        """Of all directions."""
        return self.directions * sum(gate.total for gate in self.gates)


@dataclass(frozen=True)
class NetworkAccount:
    """A stack of recurrent layers of one cell, without a head."""

    cell: str
    reset_after: bool
    units: int
    layers: tuple[LayerAccount, ...]

    @property
    def parameters(self) -> int:
        """Trained parameters of all layers."""
        return sum(layer.parameters for layer in self.layers)

    @property
    def floating_point(self) -> int:
        """Additions and multiplications of one step through all layers and directions."""
        return sum(layer.directions * layer.operations.floating_point for layer in self.layers)

    @property
    def activations(self) -> int:
        """Values put through σ or tanh in one step."""
        return sum(layer.directions * layer.operations.activations for layer in self.layers)

    @property
    def weight_bytes(self) -> int:
        """Of the parameters, in float32."""
        return BYTES * self.parameters

    @property
    def state_bytes(self) -> int:
        """Carried from step to step for one sequence, in float32."""
        return BYTES * sum(layer.directions * layer.state_values for layer in self.layers)

    @property
    def training_bytes(self) -> int:
        """What one step of one sequence leaves for the way back through time, in float32."""
        return BYTES * sum(layer.directions * layer.kept_values for layer in self.layers)


def account(
    cell: str,
    features: int,
    units: int,
    layers: int = 1,
    *,
    bidirectional: bool = False,
    reset_after: bool = True,
) -> NetworkAccount:
    """Count what a stack of layers learns and does; `reset_after` chooses the GRU's form.

    Example:
        `account("lstm", features=3, units=2).parameters` is 4·(2·3 + 2·2 + 2) = 48.

    Raises:
        UsageError: a ConvLSTM1D is to read both ways.
    """
    check_cell(Recipe(cell=cell, bidirectional=bidirectional))
    directions = 2 if bidirectional else 1
    widths = [features] + [directions * units] * (layers - 1)
    rows = tuple(
        _layer(number, cell, inputs, units, directions, reset_after=reset_after)
        for number, inputs in enumerate(widths, 1)
    )
    return NetworkAccount(cell, reset_after, units, rows)


def operations(cell: str, inputs: int, units: int, *, reset_after: bool = True) -> Operations:
    """Operations of one step, counted from the equations in `network/cells.py`.

    A row of W x + U h + b takes f + u multiplications and as many additions. `reset_after` adds a
    second bias to every gate, and multiplies the reset gate into U h + b′; as published, the reset
    gate is multiplied into h first. Blending takes an LSTM four operations a unit (f∘c, i∘g, their
    sum, o∘tanh c) and a GRU four (z∘h, 1 − z, its product with g, their sum). A ConvLSTM1D
    does on each day of its week what an LSTM does, but reads K days there; beyond the week's ends is none.
    """
    if cell == CONVLSTM:
        beyond = sum(max(KERNEL // 2 - place, 0) for place in range(WEEK))
        a_day = operations("lstm", inputs, units)
        days_read = WEEK * KERNEL - 2 * beyond
        return Operations(days_read * a_day.products, WEEK * a_day.elementwise, WEEK * a_day.activations)
    gates = len(GATES[cell])
    products = 2 * gates * units * (inputs + units)
    if cell == "rnn":
        return Operations(products, 0, units)
    if cell == "lstm":
        return Operations(products, 4 * units, 5 * units)
    second_bias = 3 * units if reset_after else 0
    return Operations(products + second_bias, 5 * units, 3 * units)


def _layer(
    number: int, cell: str, inputs: int, units: int, directions: int, *, reset_after: bool
) -> LayerAccount:
    biases = 2 if cell == "gru" and reset_after else 1
    names = GATES[cell]
    days, rows, each_day = (KERNEL, WEEK, f"{KERNEL}·") if cell == CONVLSTM else (1, 1, "")
    gates = tuple(
        GateCount(name, days * units * inputs, days * units * units, biases * units) for name in names
    )
    times = f"{len(names)}·" if len(names) > 1 else ""
    both = f"{directions}·" if directions > 1 else ""
    bias, bias_value = ("2u", f"2·{units}") if biases == 2 else ("u", f"{units}")
    total = directions * parameter_count(cell, inputs, units, reset_after=reset_after)
    return LayerAccount(
        number=number,
        inputs=inputs,
        directions=directions,
        gates=gates,
        symbols=f"{both}{times}({each_day}u·f + {each_day}u·u + {bias})",
        numbers=f"{both}{times}({each_day}{units}·{inputs} + {each_day}{units}·{units} + {bias_value}) = "
        f"{total:,}",
        shapes=weight_shapes(cell, inputs, units, reset_after=reset_after),
        operations=operations(cell, inputs, units, reset_after=reset_after),
        state_values=rows * (2 if cell in ("lstm", CONVLSTM) else 1) * units,
        kept_values=rows * _kept(cell, reset_after=reset_after) * units,
    )


def _kept(cell: str, *, reset_after: bool) -> int:
    """Values a unit that the way back needs: gates and states; a GRU with reset after, also U h + b′."""
    # An Elman candidate is its state.
    states = {"rnn": 0, "lstm": 2, CONVLSTM: 2, "gru": 2 if reset_after else 1}
    return len(GATES[cell]) + states[cell]


def keras_parameters(
    cell: str,
    features: int,
    units: int,
    layers: int = 1,
    *,
    bidirectional: bool = False,
    reset_after: bool = True,
) -> int:
    """Build the layers with Keras and ask it how many parameters they have.

    Raises:
        UnavailableError: Keras's engine is not installed.
    """
    start_engine("cpu")
    import keras

    from forecaster.network.keras_network import LAYERS

    form = {"reset_after": reset_after} if cell == "gru" else {}
    days = (WEEK,) if cell == CONVLSTM else ()
    inputs = hidden = keras.Input((None, *days, features))
    for _ in range(layers):
        layer = LAYERS[cell](units, return_sequences=True, **form)
        hidden = (keras.layers.Bidirectional(layer) if bidirectional else layer)(hidden)
    return int(keras.Model(inputs, hidden).count_params())
