"""A trained network without Keras: its weights, what runs them, and how many parameters it has."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Any, TypeVar

import numpy as np
from numpy.typing import NDArray

from forecaster.dataset.report_features import is_report_feature
from forecaster.network.cells import (
    CellWeights,
    Shape,
    nearest_units,
    parameter_count,
    run_layer,
    weight_shapes,
)
from forecaster.network.network import Float32, Network
from forecaster.settings import CONVLSTM, WEEK, Recipe

AHEAD = "ahead/kernel"

T = TypeVar("T")


@dataclass(frozen=True)
class RecurrentNetwork(Network):
    """Recurrent layers under a Student-t head, as matrices.

    A bidirectional layer's two states stand side by side. The head reads each direction after its last
    step, as Keras's `Bidirectional(return_sequences=False)` gives them: forwards at the window's last day,
    backwards at its first. Of a ConvLSTM1D it reads the states of all five days of the last week side by
    side: that of the last day alone knows of two days of its week only, as a kernel of three reaches one day
    to each side. Its weights are `layer0/forward/kernel`, `…/recurrent`, `…/bias`,
    `layer0/backward/…`, `head/kernel`, `head/bias` and, with inputs known ahead, `ahead/kernel`, laid out
    as in Keras. Those of an ensemble begin with the number of the network: `network0/layer0/…`.
    """

    def shapes(self) -> dict[str, Shape]:
        """As `network_shapes`."""
        return network_shapes(
            self.cell,
            self.units,
            self.layers,
            self.horizon,
            len(self.features),
            self.known_ahead,
            bidirectional=self.bidirectional,
            ensemble=self.ensemble,
        )

    @cached_property
    def networks(self) -> tuple["RecurrentNetwork", ...]:
        """Those of an ensemble; else the network itself."""
        if self.ensemble == 1:
            return (self,)
        return tuple(
            replace(self, ensemble=1, weights=_weights_of(self.weights, number))
            for number in range(self.ensemble)
        )

    @property
    def known_ahead(self) -> int:
        """How many inputs, the last ones, go to the head as well: those of reports, see `build_network`."""
        return sum(map(is_report_feature, self.features))

    def layer_weights(self, layer: int, direction: str = "forward") -> CellWeights:
        """One layer's matrices in one direction."""
        kernel, recurrent, bias = (
            self.weights[f"layer{layer}/{direction}/{part}"] for part in ("kernel", "recurrent", "bias")
        )
        return CellWeights(kernel, recurrent, bias)

    def answer(self, inputs: Float32, last: int) -> Float32:
        """As `head_output`, for no more windows than fit the cache."""
        if self.ensemble > 1:
            mean: Float32 = np.mean([each.answer(inputs, last) for each in self.networks], axis=0)
            return mean
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
        if self.cell == CONVLSTM:
            read = hidden[:, -WEEK:].reshape(len(hidden), 1, WEEK * self.units)
        raw: Float32 = read @ self.weights["head/kernel"] + self.weights["head/bias"]
        if self.known_ahead:
            raw = raw + inputs[:, -raw.shape[1] :, -self.known_ahead :] @ self.weights[AHEAD]
        return raw


def network_shapes(
    cell: str,
    units: int,
    layers: int,
    horizon: int,
    features: int,
    known_ahead: int = 0,
    *,
    bidirectional: bool,
    ensemble: int = 1,
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
    shapes |= {"head/kernel": (_days_read(cell) * width, 3 * horizon), "head/bias": (3 * horizon,)}
    if known_ahead:
        shapes[AHEAD] = (known_ahead, 3 * horizon)
    return shapes if ensemble == 1 else ensemble_weights([shapes] * ensemble)


def ensemble_of(networks: Sequence[RecurrentNetwork]) -> RecurrentNetwork:
    """Networks of one shape as one that averages their answers; of one network, itself."""
    if len(networks) == 1:
        return networks[0]
    weights = ensemble_weights([network.weights for network in networks])
    return replace(networks[0], ensemble=len(networks), weights=weights)


def ensemble_weights(parts: Sequence[Mapping[str, T]]) -> dict[str, T]:
    """What belongs to each weight, under the weight's name in the ensemble of these networks."""
    return {
        f"network{number}/{name}": value for number, part in enumerate(parts) for name, value in part.items()
    }


def _weights_of(weights: Mapping[str, T], number: int) -> dict[str, T]:
    """Those of one network of an ensemble, as `ensemble_weights` was given them."""
    own = f"network{number}/"
    return {name.removeprefix(own): value for name, value in weights.items() if name.startswith(own)}


def network_parameters(cell: str, units: int, features: int, recipe: Recipe, known_ahead: int = 0) -> int:
    """Parameters of the recurrent layers and the head, (u + a + 1) · 3H, for the recipe's other sizes.

    The head reads `known_ahead` inputs, a, beside the states; those of a ConvLSTM1D are 5u. An ensemble has
    those of all its networks.
    """
    directions = 2 if recipe.bidirectional else 1
    total, inputs = 0, features
    for _ in range(recipe.layers):
        total += directions * parameter_count(cell, inputs, units)
        inputs = directions * units
    total += (_days_read(cell) * inputs + known_ahead + 1) * 3 * recipe.horizon
    return recipe.ensemble * total


def _days_read(cell: str) -> int:
    """Of how many days the head reads the states, see `RecurrentNetwork`."""
    return WEEK if cell == CONVLSTM else 1


def matched_units(cell: str, reference: Recipe, features: int) -> int:
    """The number of units that gives `cell` the parameters nearest to the reference recipe's."""
    wanted = network_parameters(reference.cell, reference.units, features, reference)
    return nearest_units(lambda units: network_parameters(cell, units, features, reference), wanted)
