"""Paths of closes that are drawn from one forecast, whose steps belong together."""

import numpy as np
from numpy.typing import NDArray

from forecaster.errors import UsageError
from forecaster.network.step_copula import StepCopula
from forecaster.service.prediction import Prediction

MOST_PATHS = 1_000_000


def check_paths(count: int, seed: int) -> None:
    """See that so many paths can be drawn.

    Raises:
        UsageError: `count` or `seed` is out of range.
    """
    if not 1 <= count <= MOST_PATHS:
        raise UsageError(f"count {count} is out of range", f"draw 1 to {MOST_PATHS:,} paths")
    if seed < 0:
        raise UsageError(f"seed {seed} is negative", "give 0 or more")


def draw_paths(prediction: Prediction, copula: StepCopula, count: int, seed: int) -> NDArray[np.float64]:
    """Closes of `count` paths, (count, H); each step by itself is distributed as the forecast says.

    They depend on the ticker and the seed, not on what else is drawn.
    """
    random = np.random.default_rng([seed, *prediction.ticker.encode()])
    chosen = copula.probabilities(len(prediction.dates), count, random)
    return np.asarray(prediction.last_close * np.exp(prediction.recalibrated.value_at(chosen)))
