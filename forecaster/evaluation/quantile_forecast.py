"""Forecasts that are quantiles and no formula: of historical simulation and of boosted trees."""

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from forecaster.evaluation.metrics import FILE_LEVELS

Float = NDArray[np.float64]

_MIDDLE = int(np.flatnonzero(FILE_LEVELS == 0.5)[0])


@dataclass(frozen=True)
class StepQuantiles:
    """Distributions whose quantiles are known at FILE_LEVELS, straight lines between them, (O, 25).

    Beyond the outermost levels nothing is known: the quantile stays where it is.
    """

    values: NDArray[np.floating]

    @property
    def median(self) -> NDArray[np.floating]:
        """Medians, (O,)."""
        return self.values[:, _MIDDLE]

    def take(self, chosen: NDArray[np.bool_] | NDArray[np.intp] | slice) -> "StepQuantiles":
        """Those of some of the origins."""
        return StepQuantiles(self.values[chosen])

    def quantile(self, levels: Float) -> Float:
        """Quantiles at Q levels between 0 and 1, (O, Q)."""
        place = np.interp(levels, FILE_LEVELS, np.arange(len(FILE_LEVELS)))
        lower = np.minimum(place.astype(np.intp), len(FILE_LEVELS) - 2)
        share = place - lower
        values = self.values.astype(np.float64)
        found: Float = values[:, lower] * (1 - share) + values[:, lower + 1] * share
        return found

    def probability_below(self, observed: Float) -> Float:
        """The chance of a value of at most `observed`, (O,).

        Beyond the outermost quantiles it is half of what is left there.
        """
        values, seen = self.values.astype(np.float64), np.asarray(observed, np.float64)
        count = (values < seen[:, None]).sum(1)
        upper = np.clip(count, 1, len(FILE_LEVELS) - 1)
        row = np.arange(len(seen))
        low, high = values[row, upper - 1], values[row, upper]
        width = np.where(high > low, high - low, 1.0)
        share = np.clip((seen - low) / width, 0.0, 1.0)
        found = FILE_LEVELS[upper - 1] + share * (FILE_LEVELS[upper] - FILE_LEVELS[upper - 1])
        found = np.where(seen < values[:, 0], FILE_LEVELS[0] / 2, found)
        return np.asarray(np.where(seen > values[:, -1], (1 + FILE_LEVELS[-1]) / 2, found))

    def crps(self, observed: Float, below: Float | None = None) -> Float:  # noqa: ARG002
        """Continuous ranked probability score, (O,): twice the pinball loss, integrated over the levels.

        By the trapezoid rule over the 25 levels; the loss is 0 at the levels 0 and 1.

        Source: Gneiting & Raftery, "Strictly proper scoring rules", 2007, section 4.2.
        """
        from scipy.integrate import trapezoid

        error = np.asarray(observed, np.float64)[:, None] - self.values
        loss = np.zeros((len(error), len(FILE_LEVELS) + 2))
        loss[:, 1:-1] = 2 * np.maximum(FILE_LEVELS * error, (FILE_LEVELS - 1) * error)
        levels = np.concatenate([[0.0], FILE_LEVELS, [1.0]])
        return np.asarray(trapezoid(loss, levels, axis=1))

    def log_score(self, observed: Float) -> Float:
        """NaN: quantiles have no density."""
        return np.full(len(observed), np.nan)


@dataclass(frozen=True)
class QuantileForecast:
    """Quantiles at FILE_LEVELS from O origins, (O, 25) by step."""

    by_step: Mapping[int, NDArray[np.floating]]

    @property
    def steps(self) -> tuple[int, ...]:
        """The days ahead that are forecast, from 1."""
        return tuple(self.by_step)

    def at_step(self, step: int) -> StepQuantiles:
        """Those of one day ahead."""
        return StepQuantiles(self.by_step[step])

    def take(self, chosen: NDArray[np.intp]) -> "QuantileForecast":
        """Those of some of the origins, in that order."""
        return QuantileForecast({step: values[chosen] for step, values in self.by_step.items()})
