"""A forecast as a function of its window: its median and its width, with their slopes, around the usual.

The two outputs at step h, of location μ and log scale s as the network has them in units of σ√h:

    median  m = μ · exp(v − v₀) · √h               a log return
    width   w = s + (v − v₀) + ½ log h             the log of the Student-t's scale

v is the *unit*, log σ(T) of the last day + v₀, so that a usual stock (σ of 1.8 % a day) has 0. It is an input
of its own beside the days', because the network answers in units of it.
"""

from abc import ABC, abstractmethod
from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from forecaster.dataset.features import MARKET_SHIFT, SMALLEST_MOVE, VOLATILITY_SHIFT
from forecaster.dataset.report_features import is_report_feature
from forecaster.laboratory.cells.backpropagation import input_slopes
from forecaster.network.linear_t import (
    CONSTANTS,
    KERNEL,
    LEAST_SQUARE,
    MARKET_DECAYS,
    MOVE_DECAYS,
    RANGE_DECAYS,
    RETURN_DECAYS,
    VOLUME_DECAYS,
    LinearT,
    regressor_names,
)
from forecaster.network.network import Network
from forecaster.network.recurrent import RecurrentNetwork

Float = NDArray[np.float64]

UNIT, REPORTS = "unit", "reports"
OUTPUTS = ("median", "width")


class Explained(ABC):
    """A network's forecast from one window, as a function of numbers that are zero where all is usual.

    Attributes:
        columns: P names; columns of one name are one input. The last is the unit.
        values: (T, P) of the window; what only the last day has, like the unit, is zero before it.
        steps: K days ahead.
    """

    columns: tuple[str, ...]
    values: Float
    steps: tuple[int, ...]

    @abstractmethod
    def heads(self, points: Float) -> tuple[Float, Float]:
        """Location and log scale, (M, K) each, in units of σ√h, at M points (M, T, P)."""

    @abstractmethod
    def head_slopes(self, points: Float) -> tuple[Float, Float]:
        """The slopes of `heads`, (M, K, T, P) each, with none by the unit."""

    def outputs(self, points: Float) -> Float:
        """(M, K, 2) median and width, see OUTPUTS."""
        location, log_scale = self.heads(points)
        log_unit = self._log_unit(points)
        return np.stack([location * np.exp(log_unit), log_scale + log_unit], axis=-1)

    def slopes(self, points: Float) -> Float:
        """(M, K, 2, T, P), the derivatives of `outputs`."""
        location, _ = self.heads(points)
        by_location, by_scale = self.head_slopes(points)
        unit = np.exp(self._log_unit(points))
        found = np.stack([by_location * unit[..., None, None], by_scale], axis=2)
        found[:, :, 0, -1, -1] = location * unit
        found[:, :, 1, -1, -1] = 1
        return found

    def _log_unit(self, points: Float) -> Float:
        """(M, K) log of σ√h."""
        log_unit: Float = points[:, -1, -1:] - VOLATILITY_SHIFT + np.log(self.steps) / 2
        return log_unit


def explained(network: Network, window: Float, sigma: float, steps: Sequence[int]) -> Explained:
    """What a network says of a window.

    Args:
        network: recurrent or linear-t.
        window: (T, F) its features.
        sigma: σ(T), the daily volatility known at the last day's close.
        steps: days ahead, from 1.
    """
    unit = float(np.log(sigma)) + VOLATILITY_SHIFT
    if isinstance(network, LinearT):
        return _LinearInputs(network, window, unit, steps)
    if isinstance(network, RecurrentNetwork):
        return _RecurrentInputs(network, window, unit, steps)
    raise TypeError(f"no inputs are known of a {type(network).__name__}")


def input_of(feature: str) -> str:
    """The input that a feature belongs to: all that is told of reports is one."""
    return REPORTS if is_report_feature(feature) else feature


class _RecurrentInputs(Explained):
    """A recurrent network reads its features themselves, in float64 here."""

    def __init__(self, network: RecurrentNetwork, window: Float, unit: float, steps: Sequence[int]) -> None:
        # It runs in whatever precision it is given.
        weights: Any = {name: values.astype(np.float64) for name, values in network.weights.items()}
        self._network = replace(network, weights=weights)
        self.columns = (*map(input_of, network.features), UNIT)
        self.values = np.zeros((len(window), len(self.columns)))
        self.values[:, :-1] = window
        self.values[-1, -1] = unit
        self.steps = tuple(steps)
        self._places = np.array(steps) - 1

    def heads(self, points: Float) -> tuple[Float, Float]:
        """See `Explained`."""
        read: Any = points[..., :-1]
        raw = self._network.head_output(read, 1)[:, 0].astype(np.float64)
        return raw[:, self._places], raw[:, self._network.horizon + self._places]

    def head_slopes(self, points: Float) -> tuple[Float, Float]:
        """See `Explained`."""
        horizon = self._network.horizon
        return self._slopes(points, self._places), self._slopes(points, horizon + self._places)

    def _slopes(self, points: Float, answers: NDArray[np.intp]) -> Float:
        found = np.zeros((len(points), len(answers), *points.shape[1:]))
        for number, answer in enumerate(answers):
            by_raw = np.zeros((len(points), 3 * self._network.horizon))
            by_raw[:, answer] = 1
            found[:, number, :, :-1] = input_slopes(self._network, points[..., :-1], by_raw)
        return found


class _LinearInputs(Explained):
    """Linear-t reads means over days, of which each day is a part.

    Its columns are squared moves, falls and volumes of each day, and of the last day alone what is no mean.
    A squared move is in units of the last day's variance, less 1, so that a day of that size has 0; half
    the log of 1 + their mean is linear-t's regressor. All else is linear.
    """

    def __init__(self, network: LinearT, window: Float, unit: float, steps: Sequence[int]) -> None:
        self.steps = tuple(steps)
        self._days = len(window)
        places = np.array(steps) - 1
        kernel = network.weights[KERNEL][:, places].astype(np.float64)
        self._slope = dict(zip(regressor_names(network.features), kernel, strict=True))
        self._location, self._constant, _ = network.weights[CONSTANTS][:, places].astype(np.float64)
        # What the log scale is where everything is usual.
        self._constant = self._constant - VOLATILITY_SHIFT * self._slope["volatility"]
        self._constant -= MARKET_SHIFT * self._slope["market volatility"]
        self._squares: list[tuple[int, Float, Float]] = []  # column, weights of days (T,), slope (K,)
        self._linear: list[tuple[int, Float, Float]] = []
        columns: list[tuple[str, Float]] = []
        column: dict[str, Float] = {name: window[:, place] for place, name in enumerate(network.features)}
        variance = np.exp(2 * (column["volatility"] - VOLATILITY_SHIFT))
        market_variance = np.exp(2 * (column["market_volatility"] - MARKET_SHIFT))

        def add(name: str, values: Float, regressor: str, decays: Sequence[float], *, square: bool) -> None:
            columns.append((input_of(name), values))
            for decay in decays:
                part = (len(columns) - 1, self._weights(decay), self._slope[f"{regressor}, decay {decay:g}"])
                (self._squares if square else self._linear).append(part)

        def add_last(name: str, regressor: str) -> None:
            columns.append((input_of(name), column[name] * self._weights(0.0)))
            self._linear.append((len(columns) - 1, self._weights(0.0), self._slope[regressor]))

        add_last("volatility", "volatility")
        add_last("market_volatility", "market volatility")
        add_last("magnitude", "last move")
        for name, of, regressor, fall, decays in (
            ("return", variance, "returns", "fall", RETURN_DECAYS),
            ("market_return", market_variance, "market", "market's fall", MARKET_DECAYS),
        ):
            squares = np.square(column[name]) * of / of[-1] - 1
            add(name, squares, regressor, decays, square=True)
            add(name, np.minimum(column[name], 0), fall, MOVE_DECAYS, square=False)
        if "range" in column:
            add_last("range", "last range")
            ranges = np.maximum(np.exp(column["range"]) - SMALLEST_MOVE, 0)
            squares = np.square(ranges) * variance / variance[-1] - 1
            add("range", squares, "ranges", RANGE_DECAYS, square=True)
        if "volume" in column:
            add("volume", column["volume"], "volume", VOLUME_DECAYS, square=False)
        for name in filter(is_report_feature, network.features):
            add_last(name, name)
        columns.append((UNIT, unit * self._weights(0.0)))
        self.columns = tuple(name for name, _ in columns)
        self.values = np.stack([values for _, values in columns], axis=-1)

    def _weights(self, decay: float) -> Float:
        """What each day counts in a mean, the last one most; with no memory it alone."""
        powers = decay ** np.arange(self._days - 1.0, -1, -1)
        weights: Float = powers / powers.sum()
        return weights

    def heads(self, points: Float) -> tuple[Float, Float]:
        """See `Explained`."""
        log_scale = np.tile(self._constant, (len(points), 1))
        for column, weights, slope in self._linear:
            log_scale += (points[..., column] @ weights)[:, None] * slope
        for column, weights, slope in self._squares:
            mean = np.maximum(1 + points[..., column] @ weights, LEAST_SQUARE)
            log_scale += np.log(mean)[:, None] / 2 * slope
        return np.tile(self._location, (len(points), 1)), log_scale

    def head_slopes(self, points: Float) -> tuple[Float, Float]:
        """See `Explained`."""
        by_scale = np.zeros((len(points), len(self.steps), *points.shape[1:]))
        for column, weights, slope in self._linear:
            by_scale[..., column] += slope[:, None] * weights
        for column, weights, slope in self._squares:
            mean = 1 + points[..., column] @ weights
            inner = np.where(mean > LEAST_SQUARE, 0.5 / np.maximum(mean, LEAST_SQUARE), 0.0)
            by_scale[..., column] += inner[:, None, None] * slope[:, None] * weights
        return np.zeros_like(by_scale), by_scale
