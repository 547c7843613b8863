"""Recalibrate forecasts day by day: each quantile moves, slowly, until it covers what it promises.

A forecast's quantile at the level 0.05 should lie above 5 % of the actuals. Where more fall below it, it is
lowered a little after each such day: in its place stands the forecast's own quantile at a smaller level. So
every tail is corrected by itself, from days alone that had closed when a forecast was made. The median stays:
moved after days on which prices rose, it would claim to know a direction.

Source: Gibbs & Candès, "Adaptive conformal inference under distribution shift", NeurIPS 2021, equation 2, at
each of 25 levels, with the mean over tickers in place of one outcome, and a smaller rate near the median.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from forecaster.evaluation.forecasts import Forecast, StepForecast
from forecaster.evaluation.metrics import FILE_LEVELS
from forecaster.evaluation.quantile_forecast import StepQuantiles
from forecaster.network.calibrated import LevelMap

if TYPE_CHECKING:
    from forecaster.evaluation.scoring import Actuals

LEVELS = FILE_LEVELS
RATE = 0.005
"""How fast the outermost levels move; the share of it at another is its distance from the median.

Chosen on years before 2010, see docs/method.md.
"""
_RATES = RATE * np.abs(2 * LEVELS - 1)
LEAST_LEVEL = 1e-5
"""What no level falls below, or rises above 1 less that."""
_SPREAD = np.linspace(-4.5, 4.5, 73)  # of the normal, at which a forecast's quantiles are read
_AT_ONCE = 50_000

Float = NDArray[np.float64]


_LOWEST = np.where(LEVELS < 0.5, LEAST_LEVEL, 0.5)  # no level crosses the median
_HIGHEST = np.where(LEVELS > 0.5, 1 - LEAST_LEVEL, 0.5)


def moved(raw_levels: Float, probabilities: Float) -> Float:
    """The levels of the raw forecast that stand in for LEVELS after one more day's actuals, (25,).

    Args:
        raw_levels: those before, (25,), rising.
        probabilities: of each actual of the day, the raw forecast's chance of at most that, (n,).
    """
    below = np.searchsorted(np.sort(probabilities), raw_levels, side="right") / len(probabilities)
    stepped = raw_levels - _RATES * (below - LEVELS)
    risen: Float = np.maximum.accumulate(np.clip(stepped, _LOWEST, _HIGHEST))
    return risen


def levels_after_days(start: Float, probabilities: Float, day: NDArray[np.intp], days: int) -> Float:
    """The levels at the start and after the actuals of each day, in order, (days + 1, 25).

    Args:
        start: (25,).
        probabilities: as of `moved`, of all days, (n,).
        day: which of the days each is of, from 0, (n,).
        days: how many; one without any actual changes nothing.
    """
    order = np.argsort(day, kind="stable")
    parts = np.split(probabilities[order], np.searchsorted(day[order], np.arange(1, days)))
    found = [start]
    for part in parts if days else []:
        found.append(moved(found[-1], part) if len(part) else found[-1])
    return np.array(found)


@dataclass(frozen=True)
class CalibratedForecast:
    """A forecast whose quantiles were recalibrated from what had been seen at each origin.

    Attributes:
        raw: from O origins.
        row: (O,) the origin's row in `raw_levels`.
        raw_levels: by step, the levels of `raw` that stand in for LEVELS on each day of origins, (days, 25).
        after: by step, those after the last actual.
    """

    raw: Forecast
    row: NDArray[np.intp]
    raw_levels: Mapping[int, Float]
    after: Mapping[int, Float]

    @property
    def steps(self) -> tuple[int, ...]:
        """The days ahead that are forecast, from 1."""
        return tuple(self.raw_levels)

    def at_step(self, step: int) -> StepQuantiles:
        """Those of one day ahead; they are computed anew each time."""
        made, levels = self.raw.at_step(step), self.raw_levels[step]
        values = np.empty((len(self.row), len(LEVELS)), np.float32)
        for first in range(0, len(self.row), _AT_ONCE):
            part = slice(first, first + _AT_ONCE)
            values[part] = quantiles_at(made.take(part), levels[self.row[part]])
        return StepQuantiles(values)

    def take(self, chosen: NDArray[np.intp]) -> "CalibratedForecast":
        """Those of some of the origins, in that order."""
        return CalibratedForecast(self.raw.take(chosen), self.row[chosen], self.raw_levels, self.after)


def recalibrated(forecast: Forecast, actual: "Actuals", steps: Sequence[int]) -> CalibratedForecast:
    """Walk through the days of the origins, and recalibrate each by the actuals known at its close.

    The first days are as the forecast has them: nothing has been seen yet.

    Args:
        forecast: from O origins.
        actual: what came of it.
        steps: the days ahead that are wanted.
    """
    days, row = np.unique(actual.origins.day, return_inverse=True)
    found = {step: _levels_by_day(forecast.at_step(step), actual, step, days, row) for step in steps}
    return CalibratedForecast(
        forecast,
        row,
        {step: by_day for step, (by_day, _) in found.items()},
        {step: after for step, (_, after) in found.items()},
    )


def _levels_by_day(
    made: StepForecast, actual: "Actuals", step: int, days: NDArray[np.intp], row: NDArray[np.intp]
) -> tuple[Float, Float]:
    """See `CalibratedForecast`: the levels on each day, and after the last."""
    realised = actual.log_return[:, step - 1]
    known = np.flatnonzero(np.isfinite(realised))
    probabilities = made.take(known).probability_below(realised[known].astype(np.float64))
    found = levels_after_days(LEVELS, probabilities, row[known], len(days))
    # At the close of a day the actuals are known of the origins so many steps before it.
    return found[np.searchsorted(days + step, days, "right")], found[-1]


def quantiles_at(made: StepForecast, levels: Float) -> Float:
    """Quantiles of O forecasts, each at levels of its own, (O, L), both.

    They are read off a line between 73 quantiles of the forecast, evenly spaced on the normal's scale.
    """
    from scipy.special import ndtr, ndtri

    known = made.quantile(ndtr(_SPREAD))
    place = np.interp(ndtri(levels), _SPREAD, np.arange(len(_SPREAD)))
    lower = np.minimum(place.astype(np.intp), len(_SPREAD) - 2)
    share = place - lower
    ends = (np.take_along_axis(known, lower + each, 1) for each in (0, 1))
    low, high = ends
    found: Float = low * (1 - share) + high * share
    return found


@dataclass(frozen=True)
class Calibration:
    """What recalibration has come to, for a model's H steps.

    Attributes:
        raw_levels: (H, 25) the levels of the raw forecast that stand in for LEVELS.
        days: (H,) days whose actuals were counted.
        through: the last session that was a target; empty without any.
    """

    raw_levels: Float
    days: NDArray[np.int64]
    through: str

    @property
    def level_map(self) -> LevelMap:
        """For forecasts of the same steps."""
        return LevelMap(LEVELS, self.raw_levels)

    def described(self) -> dict[str, Any]:
        """As cards and files hold it."""
        return {
            "raw_levels": self.raw_levels.tolist(),
            "days": self.days.tolist(),
            "through": self.through,
        }


def parse_calibration(content: Mapping[str, Any], horizon: int) -> Calibration:
    """What `Calibration.described` made.

    Raises:
        ValueError: it is none of a model of that horizon.
    """
    try:
        raw_levels = np.array(content["raw_levels"], np.float64)
        days, through = np.array(content["days"]), content["through"]
    except (KeyError, TypeError, ValueError) as error:
        raise ValueError(f"it lacks its parts: {error}") from error
    if raw_levels.shape != (horizon, len(LEVELS)) or days.shape != (horizon,):
        raise ValueError(f"it is of {raw_levels.shape} levels, not of {(horizon, len(LEVELS))}")
    inside = (raw_levels >= LEAST_LEVEL) & (raw_levels <= 1 - LEAST_LEVEL)
    if not inside.all() or (np.diff(raw_levels) < 0).any():
        raise ValueError("its levels do not rise between 0 and 1")
    if days.dtype.kind != "i" or (days < 0).any() or not isinstance(through, str):
        raise ValueError("its days are no counts")
    return Calibration(raw_levels, days.astype(np.int64), through)


def calibration_of_test(
    forecast: Forecast, actual: "Actuals", dates: NDArray[np.datetime64], horizon: int
) -> Calibration:
    """What recalibration comes to on the test days of a training, all of which the network has not seen.

    Args:
        forecast: of the test days.
        actual: what came of it.
        dates: the panel's trading days.
        horizon: H.
    """
    found = recalibrated(forecast, actual, range(1, horizon + 1))
    known = np.isfinite(actual.log_return)
    days = [len(np.unique(actual.origins.day[known[:, step]])) for step in range(horizon)]
    last = [actual.origins.day[known[:, step]].max(initial=-step - 1) + step + 1 for step in range(horizon)]
    through = str(dates[max(last)]) if any(days) else ""
    return Calibration(np.array([found.after[step + 1] for step in range(horizon)]), np.array(days), through)
