"""Comparisons of hand-made daily losses, whose p-values are known."""

from dataclasses import replace
from typing import Any

import numpy as np
import scipy.stats

from forecaster.evaluation.comparison import Comparison, ModelResult
from forecaster.evaluation.scoring import ScoredStep, StepScores
from forecaster.evaluation.significance import diebold_mariano

DAYS = 80
NOISE = np.random.default_rng(5).normal(0, 1e-3, DAYS)
SCORES = StepScores(DAYS, 0.01, 0.9, 1.0, 1.0, 1.0, 1.0, 0.5, 0.01, 0.52, *[0.0] * 9, 0.99, 0.75)


def standard(noise: np.ndarray) -> np.ndarray:
    """The noise with mean 0 and, by the test's own estimate, a standard error of 1 at step 1."""
    noise = noise - noise.mean()
    return noise / abs(1 / diebold_mariano(noise + 1, 1).statistic)


def losses(p_value: float, level: float = 0.01, size: float = 1e-4) -> np.ndarray:
    """Daily losses below `level`, whose difference from it has this two-sided p-value at step 1."""
    count = diebold_mariano(NOISE, 1).frequencies
    t = scipy.stats.t.isf(p_value / 2, count)
    return level + size * (standard(NOISE) - t)


def row(
    name: str,
    kind: str,
    crps: dict[int, np.ndarray],
    error: np.ndarray | None = None,
    direction: np.ndarray | None = None,
    seeds: tuple[float, ...] = (),
    days: int = DAYS,
    **scores: Any,
) -> ModelResult:
    """A model with these daily losses; its price errors and signs are those of `error` and `direction`."""
    errors = np.full(days, 0.01) if error is None else error
    signs = np.zeros(days) if direction is None else direction
    steps = {
        step: replace(SCORES, crps=float(daily.mean()), mae_return=float(errors.mean()), **scores)
        for step, daily in crps.items()
    }
    scored = {
        step: ScoredStep(steps[step], np.arange(days), daily, errors, signs) for step, daily in crps.items()
    }
    runs = {step: seeds or (float(daily.mean()),) for step, daily in crps.items()}
    return ModelResult(name, kind, steps, scored, {}, seed_crps=runs)


def compared(*rows: ModelResult) -> Comparison:
    nothing: Any = None
    return Comparison(nothing, nothing, max(rows[0].steps), rows, nothing, {})


def flat(*steps: int) -> dict[int, np.ndarray]:
    return {step: np.full(DAYS, 0.01) for step in steps}
