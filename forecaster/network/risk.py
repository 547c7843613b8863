"""Value at risk and expected shortfall of a forecast: losses of the simple return, exp(log return) − 1.

Definitions: McNeil, Frey & Embrechts, "Quantitative Risk Management" (2015), section 2.3.
"""

from dataclasses import dataclass
from functools import cache

import numpy as np
from numpy.typing import NDArray

from forecaster.network.calibrated import CalibratedDistribution
from forecaster.network.student_t import ForecastDistribution

RISK_LEVELS = (95, 99)
"""In per cent: value at risk is exceeded with a chance of 5 % and of 1 %."""
_SPACING = 0.1
_NODES = np.arange(-3.6, 3.25, _SPACING)
_BELOW = np.exp(np.pi / 2 * np.sinh(_NODES))
_WEIGHTS = _BELOW * np.cosh(_NODES)  # but for a constant factor, which cancels
"""Of the double exponential quadrature on a half-line: distances below its end, and what each counts."""

_GAUSS_NODES, _CLOSER = 48, 4


@dataclass(frozen=True)
class TailLoss:
    """Losses of a forecast at one level, as shares of the last close, (H,) each."""

    value_at_risk: NDArray[np.float64]
    expected_shortfall: NDArray[np.float64]


def tail_losses(forecast: ForecastDistribution | CalibratedDistribution) -> dict[int, TailLoss]:
    """The losses of H steps at 95 and 99 per cent."""
    levels = np.array(RISK_LEVELS) / 100
    parts = zip(value_at_risk(forecast, levels).T, expected_shortfall(forecast, levels).T, strict=True)
    return {level: TailLoss(*part) for level, part in zip(RISK_LEVELS, parts, strict=True)}


def value_at_risk(
    forecast: ForecastDistribution | CalibratedDistribution, levels: NDArray[np.float64]
) -> NDArray[np.float64]:
    """The loss, as a share of the last close, that is exceeded with a chance of 1 − level, (..., L).

    A negative one is a gain.
    """
    return -np.expm1(forecast.quantile(1 - levels))


def expected_shortfall(
    forecast: ForecastDistribution | CalibratedDistribution, levels: NDArray[np.float64]
) -> NDArray[np.float64]:
    """The mean of the losses that are not below the value at risk, as a share of the last close, (..., L).

    The mean of exp(x) − 1 under a Student-t below its quantile has no closed form. It is integrated over the
    distance from the quantile by the double exponential formula, of the loss times the density over the
    density alone: within 1e-9 from 2 degrees of freedom to the normal. (Above a quantile the mean of exp(x)
    is infinite.) A quantile is read off a grid, which costs some 1e-6 of it. Of a recalibrated forecast it is
    the mean over the levels beyond, by Gauss's formula on 48 nodes that lie closer towards the last of them.

    Source: Takahasi & Mori, "Double exponential formulas for numerical integration", Publications of the
    Research Institute for Mathematical Sciences 9 (1974), the formula for the half-line.
    """
    if isinstance(forecast, CalibratedDistribution):
        return _mean_beyond(forecast, 1 - levels)
    location, scale, degrees = (
        np.asarray(each, dtype=np.float64)[..., None, None]
        for each in (forecast.location, forecast.scale, forecast.degrees_of_freedom)
    )
    ends = (forecast.quantile(1 - levels)[..., None] - location) / scale  # (..., L, 1)
    standard = ends - _BELOW  # (..., L, nodes)
    normal = np.isinf(degrees)
    finite = np.where(normal, 1.0, degrees)
    student = (finite + 1) / 2 * (np.log1p(ends**2 / finite) - np.log1p(standard**2 / finite))
    density = np.exp(np.where(normal, (ends**2 - standard**2) / 2, student)) * _WEIGHTS
    losses = -np.expm1(location + scale * standard)
    return np.asarray((losses * density).sum(-1) / density.sum(-1))


def _mean_beyond(forecast: CalibratedDistribution, levels: NDArray[np.float64]) -> NDArray[np.float64]:
    """The mean loss below each of the levels, (H, L)."""
    nodes, weights = _gauss()
    share = (nodes + 1) / 2
    chances = np.multiply.outer(share**_CLOSER, levels).ravel()  # (nodes · L,)
    losses = -np.expm1(forecast.quantile(chances)).reshape(-1, len(share), len(levels))
    counted = weights / 2 * _CLOSER * share ** (_CLOSER - 1)
    return np.asarray(np.einsum("hnl,n->hl", losses, counted))


@cache
def _gauss() -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Nodes and weights of Gauss's formula, on −1 to 1: they are an eigenvalue problem."""
    nodes, weights = np.polynomial.legendre.leggauss(_GAUSS_NODES)
    return nodes, weights
