"""How the steps of one forecast belong together: a Gaussian copula whose normal scores are a Markov chain.

A forecast gives the distribution of each step by itself. Paths and the chance of touching a price need their
dependence too: a return that is high after three days is likely to be high after four. The normal score of a
step is the standard normal quantile of its probability; scores are tied from step to step by the correlation
of neighbours, and all others follow as products. A random walk is such a chain: steps i < j have √(i/j).
"""

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from typing import Any

import numpy as np
from numpy.typing import NDArray

from forecaster.special import special_functions

Float = NDArray[np.float64]

MOST_CORRELATION = 0.999
"""More than the last two steps of 252 have in a random walk, and little enough to be integrated."""
_LEAST_ORIGINS = 30
"""Times the horizon: targets of fewer origins than that overlap too much to tell a correlation."""
_FARTHEST = 6.0
"""Scores beyond it have a chance of 1e-9."""
_LEAST_PROBABILITY = 1e-9
_SPACING = 1.5
"""Of the nodes, at most, in standard deviations of a step's score given the one before."""
_FEWEST_NODES = 40


@dataclass(frozen=True)
class StepCopula:
    """The dependence of H steps.

    Attributes:
        correlations: (H − 1,) of the normal scores of each step and the next, from 0 to 0.999.
        fitted: whether to forecasts of training days; else they are a random walk's.
    """

    correlations: Float
    fitted: bool

    def probabilities(self, steps: int, count: int, random: "np.random.Generator") -> Float:
        """Paths as probabilities of each step's distribution, (count, steps): each uniform by itself."""
        scores = random.standard_normal((count, steps))
        for step in range(1, steps):
            known = self.correlations[step - 1]
            scores[:, step] = known * scores[:, step - 1] + np.sqrt(1 - known**2) * scores[:, step]
        return np.asarray(special_functions().ndtr(scores))

    def chance_touched(self, beyond: Float) -> Float:
        """The chance that a price has been reached at the end of one of the steps so far, (steps,).

        The density of the score, given that no step has been beyond, is carried from step to step by
        Gauss–Legendre quadrature: of a Markov chain that is one integral a step. The error is below 1e-5.

        Args:
            beyond: (steps,) the chance of being beyond it at each step, by itself; all on the same side.
        """
        ends = np.clip(-special_functions().ndtri(beyond), -_FARTHEST, _FARTHEST)
        correlations = self.correlations[: len(beyond) - 1]
        spreads = np.sqrt(1 - np.square(correlations))
        nodes, weights = _quadrature(float(spreads.min(initial=1)))
        place, mass = _scaled(nodes, weights, ends[0])
        mass = mass * _density(place)
        left = [mass.sum()]
        for end, known, spread in zip(ends[1:], correlations, spreads, strict=True):
            following, weight = _scaled(nodes, weights, end)
            moved = _density((following[:, None] - known * place) / spread) / spread
            place, mass = following, weight * (moved @ mass)
            left.append(mass.sum())
        # Once touched is touched for ever, and no less often than at a step by itself, to the last digit.
        return np.asarray(np.maximum.accumulate(np.maximum(1 - np.array(left), beyond)).clip(0, 1))


def random_walk_copula(horizon: int) -> StepCopula:
    """That of sums of independent returns: the correlation of steps i < j is √(i/j)."""
    steps = np.arange(1, horizon, dtype=np.float64)
    return StepCopula(np.sqrt(steps / (steps + 1)), fitted=False)


def fit_copula(probabilities: Float) -> StepCopula | None:
    """Fit to the probabilities of actuals under their forecasts; None where they are too few or all alike.

    Args:
        probabilities: (O, H) of O origins, all steps of which are known.
    """
    origins, horizon = probabilities.shape
    if origins < _LEAST_ORIGINS * horizon:
        return None
    scores = special_functions().ndtri(probabilities.clip(_LEAST_PROBABILITY, 1 - _LEAST_PROBABILITY))
    scores -= scores.mean(0)
    squares = np.square(scores).mean(0)
    if not (squares > 0).all():
        return None
    correlations = (scores[:, 1:] * scores[:, :-1]).mean(0) / np.sqrt(squares[1:] * squares[:-1])
    return StepCopula(correlations.clip(0, MOST_CORRELATION), fitted=True)


def copula_of(card: Mapping[str, Any]) -> StepCopula:
    """That of a model, as its card has it; a random walk's where it has none."""
    found = card.get("step_correlations")
    if found is None:
        return random_walk_copula(card["recipe"]["horizon"])
    return StepCopula(np.array(found, dtype=np.float64), fitted=True)


@cache
def _quadrature(narrowest: float) -> tuple[Float, Float]:
    """Nodes and weights on −1 to 1, close enough for scores of this deviation given the step before."""
    widest_gap = np.pi / 2 * 2 * _FARTHEST  # in the middle, times one over how many there are
    count = max(int(np.ceil(widest_gap / (_SPACING * narrowest))), _FEWEST_NODES)
    nodes, weights = np.polynomial.legendre.leggauss(count)
    return nodes, weights


def _scaled(nodes: Float, weights: Float, end: float) -> tuple[Float, Float]:
    """The quadrature from the farthest score below to `end`."""
    half = (end + _FARTHEST) / 2
    return half * nodes + end - half, half * weights


def _density(score: Float) -> Float:
    return np.asarray(np.exp(-0.5 * np.square(score)) / np.sqrt(2 * np.pi))
