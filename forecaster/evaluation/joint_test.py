"""Whether one model is better than another over all steps ahead taken together, and at every one of them."""

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from forecaster.evaluation.significance import DieboldMariano, diebold_mariano

Float = NDArray[np.float64]

AVERAGE = "average SPA (Quaedvlieg 2021), EWC"
UNIFORM = "uniform SPA (Quaedvlieg 2021), moving blocks"
MOST_STEPS = 5
LEAST_UNIFORM_HORIZONS = 30
"""Fewer days than so many of the longest horizons do not tell how alike the steps are."""
_BLOCK_HORIZONS = 4  # shorter blocks do not see that one step's news is in another's for days
_DRAWS = 2000
_SEED = 0


@dataclass(frozen=True)
class JointTest:
    """One model against another at several steps on the same days.

    Attributes:
        steps: which.
        gain: the mean over the steps of the share of the other's loss that is saved.
        average: test of that mean; negative statistics favour the first model.
        least: the smallest of the steps' statistics in favour of the first model, as a standard normal one;
            NaN where there are fewer than 30 H days, as is `uniform_p_value`.
        uniform_p_value: one-sided, of so large a `least` where the two are equal at all steps.
        better_everywhere: whether it is significant, and so is each step's one-sided test by itself.
        days: on which all steps are scored.
        block: how many days in a row are drawn together.
        draws: of the bootstrap.
    """

    steps: tuple[int, ...]
    gain: float
    average: DieboldMariano
    least: float
    uniform_p_value: float
    better_everywhere: bool
    days: int
    block: int
    draws: int

    def described(self) -> dict[str, Any]:
        """Both tests with their names, as JSON documents hold them."""
        return {
            "steps": list(self.steps),
            "gain": self.gain,
            "average": self.average.described() | {"name": AVERAGE},
            "uniform": {
                "name": UNIFORM,
                "statistic": self.least,
                "days": self.days,
                "block": self.block,
                "draws": self.draws,
                "p_value": self.uniform_p_value,
            },
            "better_everywhere": self.better_everywhere,
        }


def joint_steps(horizon: int) -> tuple[int, ...]:
    """The steps that are tested together: all up to five, else five that grow by about the same factor.

    Example:
        1, 2, 5, 10 and 21 of 21.
    """
    if horizon <= MOST_STEPS:
        return tuple(range(1, horizon + 1))
    return tuple(sorted({round(step) for step in np.geomspace(1, horizon, MOST_STEPS)}))


def joint_test(losses: Mapping[int, Float], rival: Mapping[int, Float], level: float = 0.05) -> JointTest:
    """Test a model against a rival at several steps at once.

    The *average* test asks whether the mean of the steps' loss differences is zero, each in shares of the
    rival's mean loss, so that no step counts more for being farther ahead. It is `diebold_mariano` of the
    weighted differences.

    The *uniform* test asks whether the model is better at every step: its statistic is the smallest of the
    steps' statistics. How the smallest of equal models' is distributed depends on how alike the steps are,
    and is found by drawing days in blocks (circular bootstrap). Each step's statistic is that of
    `diebold_mariano`, put on the scale of a standard normal, as the drawn means are on theirs: so the size
    at each step is that of the test with cosines.

    Source: Quaedvlieg, "Multi-horizon forecast comparison", JBES 39 (2021), sections 2 and 3. As there, the
    hypothesis is equality at all steps. Where the model is much better at some steps and only equal at one,
    the uniform test alone rejects too often: `better_everywhere` needs each step's own test as well
    (intersection-union, Berger 1982).

    Args:
        losses: (days,) mean losses by step, on the same days at each step, in order.
        rival: the same of the rival.
        level: of `better_everywhere`.
    """
    from scipy.special import ndtri, stdtr

    steps = tuple(losses)
    last = steps[-1]
    differences = np.column_stack([(losses[step] - rival[step]) / rival[step].mean() for step in steps])
    days = len(differences)
    block = max(_BLOCK_HORIZONS * last, round(days ** (1 / 3)))
    average = diebold_mariano(differences.mean(1), last)
    gain = -float(differences.mean())
    if days < LEAST_UNIFORM_HORIZONS * last or not differences.any(0).all():
        return JointTest(steps, gain, average, math.nan, math.nan, False, days, block, 0)
    tests = [diebold_mariano(column, step) for step, column in zip(steps, differences.T, strict=True)]
    p_values = np.array([stdtr(test.frequencies, test.statistic) for test in tests])
    least = float(-ndtri(p_values).max())
    drawn = drawn_means(differences, block, _DRAWS, _SEED) - differences.mean(0)
    uniform = float(((-drawn / drawn.std(0)).min(1) >= least).mean())
    everywhere = bool(max(uniform, p_values.max()) < level)
    return JointTest(steps, gain, average, least, uniform, everywhere, days, block, _DRAWS)


def drawn_means(values: Float, block: int, draws: int, seed: int) -> Float:
    """(draws, columns) means of as many days, drawn in blocks that go on at the beginning.

    Args:
        values: (days, columns) in order.
        block: days in a row.
        draws: how many means of each column.
        seed: of the draws.
    """
    days = len(values)
    whole = np.cumsum(np.concatenate([np.zeros((1, values.shape[1])), values, values[:block]]), axis=0)
    sums = whole[block : block + days] - whole[:days]
    starts = np.random.default_rng(seed).integers(days, size=(draws, -(-days // block)))
    means: Float = sums[starts].sum(1) / (starts.shape[1] * block)
    return means
