"""A trained network without Keras: its weights, what runs them, and how many parameters it has."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from forecaster.network.cells import (
    CellWeights,
    Shape,
    nearest_units,
    parameter_count,
    run_layer,
    weight_shapes,
)
from forecaster.network.student_t import ForecastDistribution
from forecaster.settings import Recipe

LEAST_DEGREES = 2.1
_WINDOWS_AT_ONCE = 512  # a step's gates then fit the cache: 2 to 4 times quicker than 6,000 windows at once

Float32 = NDArray[np.float32]


@dataclass(frozen=True)
class RecurrentNetwork:
    """Recurrent layers under a Student-t head, as matrices.

    Attributes:
        cell: rnn, lstm or gru.
        units: of each layer, in each direction.
        layers: how many.
        bidirectional: whether each layer also reads backwards, both states side by side. The head then reads
            each direction after its last step, as Keras's `Bidirectional(return_sequences=False)` gives
            them: forwards at the window's last day, backwards at its first.
        horizon: H steps of the head.
        lookback: days of the windows that it was trained on, and that its forecasts are made from.
        features: names of the inputs, in order.
        weights: `layer0/forward/kernel`, `…/recurrent`, `…/bias`, `layer0/backward/…`, `head/kernel`
            and `head/bias`, laid out as in Keras.

    Raises:
        ValueError: a weight is missing, too many, of another shape, or not finite.
    """

    cell: str
    units: int
    layers: int
    bidirectional: bool
    horizon: int
    lookback: int
    features: tuple[str, ...]
    weights: Mapping[str, Float32]

    def __post_init__(self) -> None:
        expected = network_shapes(
            self.cell,
            self.units,
            self.layers,
            self.horizon,
            len(self.features),
            bidirectional=self.bidirectional,
        )
        for name in expected.keys() | self.weights.keys():
            found = self.weights[name].shape if name in self.weights else None
            if found != expected.get(name):
                raise ValueError(f"the weight {name} has shape {found}, not {expected.get(name)}")
            if not np.isfinite(self.weights[name]).all():
                raise ValueError(f"the weight {name} is not finite")

    def head_output(self, inputs: Float32, last: int) -> Float32:
        """The head's raw answers at the last days of each window.

        Args:
            inputs: (batch, timesteps, features).
            last: how many of the last days are answered; 1 for a bidirectional network, which reads the
                whole window before it answers.

        Returns:
            (batch, last, 3H): location, log-scale and raw degrees of freedom for each step.

        Raises:
            ValueError: the network is bidirectional and `last` is not 1.
        """
        if self.bidirectional and last != 1:
            raise ValueError(f"a bidirectional network answers only at the last day, not at {last} days")
        answers = [
            self._head(inputs[first : first + _WINDOWS_AT_ONCE], last)
            for first in range(0, len(inputs), _WINDOWS_AT_ONCE)
        ]
        return np.concatenate(answers)

    def distribution(self, raw: Float32) -> ForecastDistribution:
        """The distributions that raw answers (..., 3H) stand for, (..., H) in units of σ(t)·√h."""
        location, log_scale, raw_degrees = np.split(raw, 3, axis=-1)
        return ForecastDistribution(
            location=location,
            scale=np.exp(log_scale),
            degrees_of_freedom=LEAST_DEGREES + np.logaddexp(np.float32(0), raw_degrees),
        )

    def parameter_count(self) -> int:
        """How many parameters were trained."""
        return sum(array.size for array in self.weights.values())

    def layer_weights(self, layer: int, direction: str = "forward") -> CellWeights:
        """One layer's matrices in one direction."""
        kernel, recurrent, bias = (
            self.weights[f"layer{layer}/{direction}/{part}"] for part in ("kernel", "recurrent", "bias")
        )
        return CellWeights(kernel, recurrent, bias)

    def _head(self, inputs: Float32, last: int) -> Float32:
        hidden: NDArray[Any] = inputs
        read = hidden
        for layer in range(self.layers):
            forward = run_layer(self.cell, self.layer_weights(layer), hidden)
            if self.bidirectional:
                backward = run_layer(self.cell, self.layer_weights(layer, "backward"), hidden, backwards=True)
                hidden = np.concatenate([forward, backward], axis=-1)
                read = np.concatenate([forward[:, -1:], backward[:, :1]], axis=-1)
            else:
                hidden, read = forward, forward[:, -last:]
        answer: Float32 = read @ self.weights["head/kernel"] + self.weights["head/bias"]
        return answer


def network_shapes(
    cell: str, units: int, layers: int, horizon: int, features: int, *, bidirectional: bool
) -> dict[str, Shape]:
    """The names and shapes of all weights of a network of these sizes, see `RecurrentNetwork`."""
    directions = ("forward", "backward") if bidirectional else ("forward",)
    shapes: dict[str, Shape] = {}
    width = features
    for layer in range(layers):
        parts = weight_shapes(cell, width, units)
        for direction in directions:
            shapes |= {f"layer{layer}/{direction}/{part}": shape for part, shape in parts.items()}
        width = len(directions) * units
    return shapes | {"head/kernel": (width, 3 * horizon), "head/bias": (3 * horizon,)}


def network_parameters(cell: str, units: int, features: int, recipe: Recipe) -> int:
    """Parameters of the recurrent layers and the head, (u + 1) · 3H, for the recipe's other sizes."""
    directions = 2 if recipe.bidirectional else 1
    total, inputs = 0, features
    for _ in range(recipe.layers):
        total += directions * parameter_count(cell, inputs, units)
        inputs = directions * units
    return total + (inputs + 1) * 3 * recipe.horizon


def matched_units(cell: str, reference: Recipe, features: int) -> int:
    """The number of units that gives `cell` the parameters nearest to the reference recipe's."""
    wanted = network_parameters(reference.cell, reference.units, features, reference)
    return nearest_units(lambda units: network_parameters(cell, units, features, reference), wanted)
