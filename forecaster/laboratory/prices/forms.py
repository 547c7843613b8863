"""Networks of another kind over the same windows: what a cell is compared with on prices.

Those without recurrence, and cells with a part taken out. Each reads a window of days, answers at every day
of it from the days up to that one, and is trained by the same step on the same windows as a recurrent
network.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from forecaster.laboratory.memory.variants import VARIANTS, keras_layer
from forecaster.network.cells import Shape, nearest_units
from forecaster.network.network import Float32, Network
from forecaster.network.recurrent import network_parameters
from forecaster.settings import Recipe

if TYPE_CHECKING:
    import keras

FEED_FORWARD, CONVOLUTION = "feed-forward", "convolution"
_KERNEL = 3
_HEAD_START = 0.01  # the spread of a price network's first head, as `network/keras_network.py` draws it


def reach_of(lookback: int) -> int:
    """Days that an answer sees at the least, as training supervises the last half of a window."""
    return max(lookback // 2, 1)


def build_form(form: str, features: int, recipe: Recipe) -> "keras.Model":
    """A network of the form, with about as many parameters as the recipe's recurrent one.

    `feed-forward` is one hidden layer over the last days side by side: a convolution whose kernel is as
    long as they are, so that it answers at every day of a window. `convolution` is a stack of causal
    convolutions of three days, each twice as far apart as those below (van den Oord et al., "WaveNet: a
    generative model for raw audio", 2016), until it sees as many days. A variant of a cell has the
    recipe's units.

    Args:
        form: "feed-forward", "convolution", or one of `VARIANTS`.
        features: F.
        recipe: of the recurrent network that it is compared with.
    """
    import keras

    inputs = hidden = keras.Input((None, features))
    layers = (
        [keras_layer(form, recipe.units, return_sequences=True)]
        if form in VARIANTS
        else _convolutions(form, features, recipe)
    )
    for layer in layers:
        hidden = layer(hidden)
        if recipe.dropout:
            hidden = keras.layers.Dropout(recipe.dropout)(hidden)
    start = keras.initializers.RandomNormal(stddev=_HEAD_START)
    return keras.Model(inputs, keras.layers.Dense(3 * recipe.horizon, kernel_initializer=start)(hidden))


@dataclass(frozen=True)
class KerasNetwork(Network):
    """A network that answers through Keras, as there is no other runtime for it."""

    model: Any = None

    def shapes(self) -> dict[str, Shape]:
        """As the model has them."""
        return {name: array.shape for name, array in self.weights.items()}

    def answer(self, inputs: Float32, last: int) -> Float32:
        """As `head_output`, for no more windows than fit the cache."""
        answers: Float32 = self.model.predict_on_batch(inputs)[:, -last:]
        return answers


def kept_in_keras(model: "keras.Model", recipe: Recipe, features: tuple[str, ...]) -> KerasNetwork:
    """The trained model as a `Network`."""
    weights: Mapping[str, Float32] = {
        str(number): np.asarray(array, np.float32) for number, array in enumerate(model.get_weights())
    }
    return KerasNetwork(
        cell=model.name,
        units=0,
        layers=1,
        bidirectional=False,
        horizon=recipe.horizon,
        lookback=recipe.lookback,
        features=features,
        weights=weights,
        model=model,
    )


def _convolutions(form: str, features: int, recipe: Recipe) -> "list[keras.layers.Layer]":
    import keras

    spreads = _spreads(form, recipe.lookback)
    kernel = reach_of(recipe.lookback) if form == FEED_FORWARD else _KERNEL
    units = _units(features, recipe, kernel, len(spreads))
    return [
        keras.layers.Conv1D(units, kernel, padding="causal", dilation_rate=spread, activation="tanh")
        for spread in spreads
    ]


def _spreads(form: str, lookback: int) -> list[int]:
    if form == FEED_FORWARD:
        return [1]
    spreads = [1]
    while 1 + (_KERNEL - 1) * sum(spreads) < reach_of(lookback):
        spreads.append(2 * spreads[-1])
    return spreads


def _units(features: int, recipe: Recipe, kernel: int, layers: int) -> int:
    wanted = network_parameters(recipe.cell, recipe.units, features, recipe)

    def count(units: int) -> int:
        first, others = kernel * features * units + units, (layers - 1) * (kernel * units * units + units)
        return first + others + (units + 1) * 3 * recipe.horizon

    return nearest_units(count, wanted)
