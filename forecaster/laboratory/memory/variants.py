"""Cells with a gate taken out, two gates tied, or another state: to see what each part is for.

Source of the list: Greff, Srivastava, Koutník, Steunebrink & Schmidhuber, "LSTM: a search space odyssey",
IEEE Transactions on Neural Networks and Learning Systems 28, 2017, who take one part out at a time.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from forecaster.network.cells import GATES, parameter_count

if TYPE_CHECKING:
    import keras


@dataclass(frozen=True)
class Variant:
    """A cell that differs from the usual one in one part.

    Attributes:
        base: the cell that it is made from, whose weights it starts with.
        title: for the screen.
        without: the gate that is 1 throughout, or that is 1 less another's.
        coupled: whether that gate is 1 − f.
        sigmoid: whether σ stands in place of tanh.
    """

    base: str
    title: str
    without: str = ""
    coupled: bool = False
    sigmoid: bool = False


VARIANTS: Mapping[str, Variant] = {
    "lstm-coupled": Variant("lstm", "LSTM with i = 1 − f", "input", coupled=True),
    "lstm-no-input": Variant("lstm", "LSTM without input gate", "input"),
    "lstm-no-forget": Variant("lstm", "LSTM without forget gate", "forget"),
    "lstm-no-output": Variant("lstm", "LSTM without output gate", "output"),
    "gru-no-reset": Variant("gru", "GRU without reset gate", "reset"),
    "rnn-sigmoid": Variant("rnn", "SimpleRNN with σ", sigmoid=True),
    "lstm-sigmoid": Variant("lstm", "LSTM with σ", sigmoid=True),
    "gru-sigmoid": Variant("gru", "GRU with σ", sigmoid=True),
}


def base_of(cell: str) -> str:
    """The usual cell that a variant is made from; a usual cell is its own."""
    return VARIANTS[cell].base if cell in VARIANTS else cell


def used_parameters(cell: str, features: int, units: int) -> int:
    """Parameters that the layer uses: those of the gate that is taken out are not counted."""
    base = base_of(cell)
    every = parameter_count(base, features, units)
    taken = cell in VARIANTS and bool(VARIANTS[cell].without)
    return every - every // len(GATES[base]) if taken else every


def keras_layer(cell: str, units: int, *, return_sequences: bool) -> "keras.layers.Layer":
    """The layer of Keras, with the weights' usual shapes; a gate that is taken out leaves its own unused."""
    import keras

    from forecaster.network.keras_network import LAYERS

    if cell not in VARIANTS:
        return LAYERS[cell](units, return_sequences=return_sequences)
    variant = VARIANTS[cell]
    if variant.sigmoid:
        return LAYERS[variant.base](units, activation="sigmoid", return_sequences=return_sequences)
    made = (_lstm_without if variant.base == "lstm" else _gru_without)(units, variant)
    return keras.layers.RNN(made, return_sequences=return_sequences)


def _lstm_without(units: int, variant: Variant) -> "keras.layers.Layer":
    import keras
    from keras import ops

    class WithoutGate(keras.layers.LSTMCell):  # type: ignore[misc]
        """The LSTM of `network/cells.py` with one gate replaced."""

        def call(self, inputs: Any, states: Any, training: bool = False) -> Any:
            """One step: the new h, and (h, c)."""
            del training
            hidden, state = states
            inside = ops.matmul(inputs, self.kernel) + ops.matmul(hidden, self.recurrent_kernel) + self.bias
            parts = dict(zip(GATES["lstm"], ops.split(inside, 4, axis=-1), strict=True))
            candidate = ops.tanh(parts.pop("candidate"))
            gates = {name: ops.sigmoid(part) for name, part in parts.items()}
            gates[variant.without] = 1.0 - gates["forget"] if variant.coupled else 1.0
            state = gates["forget"] * state + gates["input"] * candidate
            hidden = gates["output"] * ops.tanh(state)
            return hidden, [hidden, state]

    return WithoutGate(units)


def _gru_without(units: int, variant: Variant) -> "keras.layers.Layer":
    import keras
    from keras import ops

    assert variant.without == "reset"  # noqa: S101  (without the other a GRU is a SimpleRNN)

    class WithoutReset(keras.layers.GRUCell):  # type: ignore[misc]
        """The GRU of `network/cells.py` whose candidate reads all of h."""

        def call(self, inputs: Any, states: Any, training: bool = False) -> Any:
            """One step: the new h, and (h,)."""
            del training
            (hidden,) = states
            by_input = ops.matmul(inputs, self.kernel) + self.bias[0]
            by_state = ops.matmul(hidden, self.recurrent_kernel) + self.bias[1]
            inside = ops.split(by_input + by_state, 3, axis=-1)
            kept = ops.sigmoid(inside[0])
            hidden = kept * hidden + (1.0 - kept) * ops.tanh(inside[2])
            return hidden, [hidden]

    return WithoutReset(units)
