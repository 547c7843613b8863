"""The forecast's distribution: Student-t in cumulative log return, the normal as its limit."""

from dataclasses import dataclass
from functools import cache

import numpy as np
from numpy.typing import NDArray

Float = NDArray[np.floating]

# Quantiles are read off a grid in 1/ν: three times quicker than inversion (scipy 1.17), within 1e-6.
_GRID = 4097
_LEAST_DEGREES = 2.0


@dataclass(frozen=True)
class ForecastDistribution:
    """Student-t distributions of one shape, in units of cumulative log return.

    Attributes:
        location: medians.
        scale: positive; the standard deviation is scale · √(ν / (ν − 2)).
        degrees_of_freedom: ν of at least 2; infinite for the normal.
    """

    location: Float
    scale: Float
    degrees_of_freedom: Float

    def quantile(self, levels: NDArray[np.float64]) -> NDArray[np.float64]:
        """Quantiles at Q levels between 0 and 1, (..., Q).

        Raises:
            ValueError: fewer than two degrees of freedom, where the grid ends.
        """
        degrees = np.asarray(self.degrees_of_freedom, dtype=np.float64)
        if (degrees < _LEAST_DEGREES).any():
            raise ValueError(f"{degrees.min()} degrees of freedom: at least {_LEAST_DEGREES} are needed")
        inverse = 1.0 / degrees
        standard = np.empty((*inverse.shape, len(levels)))
        for place, level in enumerate(levels):
            nodes, values = _standard_quantiles(float(level))
            standard[..., place] = np.interp(inverse, nodes, values)
        standard *= np.asarray(self.scale, dtype=np.float64)[..., None]
        standard += np.asarray(self.location, dtype=np.float64)[..., None]
        return standard


@cache
def _standard_quantiles(level: float) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Nodes 1/ν from 0, the normal, to 1/2, and the standard quantile at each."""
    from scipy.special import ndtri, stdtrit

    nodes = np.linspace(0.0, 1 / _LEAST_DEGREES, _GRID)
    with np.errstate(divide="ignore"):
        values = np.asarray(stdtrit(1.0 / nodes, level))
    values[0] = ndtri(level)
    return nodes, values
