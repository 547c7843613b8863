"""What recalibration comes to on a version's own forecasts, from the ledger alone.

It is worked out from the first forecast on each time, so that no day counts twice, whatever was run when.
"""

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from forecaster.evaluation.calibration import LEVELS, Calibration, levels_after_days
from forecaster.ledger.ledger import Ledger
from forecaster.network.student_t import ForecastDistribution

Float = NDArray[np.float64]

_LOWER, _UPPER = (int(np.flatnonzero(level == LEVELS)[0]) for level in (0.05, 0.95))


@dataclass(frozen=True)
class Counts:
    """How many forecasts there are, and how many 90 % intervals covered: as they were, and recalibrated."""

    forecasts: int
    covered: int
    recalibrated: int


@dataclass(frozen=True)
class LiveCalibration:
    """Where a version stands.

    Attributes:
        calibration: after the last outcome.
        counts: by step.
    """

    calibration: Calibration
    counts: Mapping[int, Counts]


def live_calibration(
    ledger: Ledger, name: str, version: int, start: Calibration, until: np.datetime64
) -> LiveCalibration:
    """Walk through a version's scored forecasts in the order in which their outcomes came.

    A forecast's intervals are recalibrated by the outcomes of targets up to its origin.

    Args:
        ledger: the forecasts.
        name: of the model.
        version: of the model.
        start: what the test days of its training came to.
        until: the last session whose outcome counts.

    Raises:
        ForecastError: as `Ledger`.
    """
    raw_levels, days, through = start.raw_levels.copy(), start.days.copy(), start.through
    counts: dict[int, Counts] = {}
    for step in range(1, len(raw_levels) + 1):
        rows = ledger.select(
            "SELECT origin, target, location, scale, degrees_of_freedom, log_return FROM forecasts "
            "WHERE log_return IS NOT NULL AND model = ? AND version = ? AND step = ? AND target <= ?",
            *(name, version, step, str(until)),
        )
        if not rows:
            continue
        origin, target = (np.array([row[place] for row in rows], "M8[D]") for place in (0, 1))
        figures: Float = np.array([row[2:] for row in rows], np.float64)
        probabilities = ForecastDistribution(*figures[:, :3].T).probability_below(figures[:, 3])
        sessions, place = np.unique(target, return_inverse=True)
        levels = levels_after_days(raw_levels[step - 1], probabilities, place, len(sessions))
        issued = levels[np.searchsorted(sessions, origin, "right")]
        covered, recalibrated = (
            int(((lower <= probabilities) & (probabilities <= upper)).sum())
            for lower, upper in ((0.05, 0.95), issued[:, [_LOWER, _UPPER]].T)
        )
        counts[step] = Counts(len(rows), covered, recalibrated)
        raw_levels[step - 1] = levels[-1]
        days[step - 1] += len(sessions)
        through = max(through, str(sessions[-1]))
    return LiveCalibration(Calibration(raw_levels, days, through), counts)
