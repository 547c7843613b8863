"""A trained model without Keras: its sizes, its weights, and what they answer for windows of inputs."""

from abc import ABC, abstractmethod
from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from forecaster.network.cells import Shape
from forecaster.network.student_t import ForecastDistribution
from forecaster.settings import answers_last_day_only

LEAST_DEGREES = 2.1
_WINDOWS_AT_ONCE = 512  # a step's gates then fit the cache: 2 to 4 times quicker than 6,000 windows at once

Float32 = NDArray[np.float32]


@dataclass(frozen=True)
class Network(ABC):
    """Whatever reads windows of features and answers with a Student-t distribution for each step.

    Attributes:
        cell: rnn, lstm, gru, convlstm or linear.
        units: of each layer, in each direction.
        layers: how many.
        bidirectional: whether each layer also reads backwards.
        horizon: H steps of the head.
        lookback: days of the windows that it was trained on, and that its forecasts are made from.
        features: names of the inputs, in order.
        weights: by name.
        ensemble: how many networks of these sizes it is, whose raw answers are averaged.

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
    ensemble: int = 1

    def __post_init__(self) -> None:
        expected = self.shapes()
        for name in expected.keys() | self.weights.keys():
            found = self.weights[name].shape if name in self.weights else None
            if found != expected.get(name):
                raise ValueError(f"the weight {name} has shape {found}, not {expected.get(name)}")
            if not np.isfinite(self.weights[name]).all():
                raise ValueError(f"the weight {name} is not finite")

    @property
    def last_day_only(self) -> bool:
        """Whether it answers at the last day of a window only, see `answers_last_day_only`."""
        return answers_last_day_only(self.cell, bidirectional=self.bidirectional)

    @abstractmethod
    def shapes(self) -> dict[str, Shape]:
        """The name and shape of every weight."""

    @abstractmethod
    def answer(self, inputs: Float32, last: int) -> Float32:
        """As `head_output`, for no more windows than fit the cache."""

    def head_output(self, inputs: Float32, last: int) -> Float32:
        """The head's raw answers at the last days of each window.

        Args:
            inputs: (batch, timesteps, features).
            last: how many of the last days are answered; 1 for a network that reads the whole window before
                it answers.

        Returns:
            (batch, last, 3H): location, log-scale and raw degrees of freedom for each step.

        Raises:
            ValueError: the network answers at the last day only and `last` is not 1.
        """
        if self.last_day_only and last != 1:
            kind = "bidirectional" if self.bidirectional else self.cell
            raise ValueError(f"a {kind} network answers only at the last day, not at {last} days")
        answers = [
            self.answer(inputs[first : first + _WINDOWS_AT_ONCE], last)
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
