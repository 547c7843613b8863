"""A forecast whose quantiles stand at other levels than they did: what recalibration makes of a Student-t."""

from dataclasses import dataclass
from functools import lru_cache

import numpy as np
from numpy.typing import NDArray

from forecaster.network.student_t import ForecastDistribution
from forecaster.special import special_functions

Float = NDArray[np.float64]


@dataclass(frozen=True, eq=False)
class LevelMap:
    """For each step, which level of the raw forecast stands in for a level.

    Between the levels that are given, and beyond the outermost, a line is drawn on the normal's scale; beyond
    them it goes on with a slope of 1.

    Attributes:
        levels: L of them, rising, between 0 and 1.
        raw_levels: (H, L) those of the raw forecast, rising.
    """

    levels: Float
    raw_levels: Float

    def first(self, steps: int) -> "LevelMap":
        """That of the first steps alone."""
        return LevelMap(self.levels, self.raw_levels[:steps])

    def to_raw(self, probability: Float) -> Float:
        """The raw forecast's level for each probability, (..., H), elementwise."""
        return self._mapped(probability, forwards=True)

    def from_raw(self, probability: Float) -> Float:
        """What `to_raw` makes it from, (..., H), elementwise."""
        return self._mapped(probability, forwards=False)

    def _mapped(self, probability: Float, *, forwards: bool) -> Float:
        special = special_functions()
        place = special.ndtri(probability)
        found = np.empty(np.shape(place))
        own = special.ndtri(self.levels)
        for step, raw in enumerate(special.ndtri(self.raw_levels)):
            known, wanted = (own, raw) if forwards else (raw, own)
            asked = place[..., step]
            inside = np.interp(asked, known, wanted)
            beyond = np.minimum(asked - known[0], 0.0) + np.maximum(asked - known[-1], 0.0)
            found[..., step] = inside + np.where(np.isfinite(asked), beyond, asked)
        return np.asarray(special.ndtr(found))


@dataclass(frozen=True)
class CalibratedDistribution:
    """Distributions of cumulative log return at H steps, recalibrated.

    Attributes:
        raw: (H,) as the network has them.
        level_map: for the same steps.
    """

    raw: ForecastDistribution
    level_map: LevelMap

    def quantile(self, levels: Float) -> Float:
        """Quantiles at Q levels between 0 and 1, (H, Q)."""
        return self.raw.value_at(_raw_levels(self.level_map, tuple(np.asarray(levels, np.float64)))).T

    def value_at(self, probability: Float) -> Float:
        """The value that is not exceeded with a chance of `probability`, (..., H), elementwise."""
        return self.raw.value_at(self.level_map.to_raw(probability))

    def probability_below(self, observed: Float) -> Float:
        """The chance of a value of at most `observed`, (H,)."""
        return self.level_map.from_raw(self.raw.probability_below(observed))


@lru_cache(16)
def _raw_levels(level_map: LevelMap, levels: tuple[float, ...]) -> Float:
    """The raw forecast's levels for Q levels at each step, (Q, H): thousands of tickers have one map."""
    found = level_map.to_raw(np.repeat(np.array(levels)[:, None], len(level_map.raw_levels), 1))
    found.flags.writeable = False
    return found
