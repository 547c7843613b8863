"""How a loss at the last step changes with the last hidden state."""

import numpy as np
from numpy.typing import NDArray

from forecaster.network.recurrent import LEAST_DEGREES

Float = NDArray[np.float64]


def student_t_slope(raw: Float, target: Float) -> Float:
    """Derivative of the mean negative log likelihood of a Student-t by the head's raw output.

    With z = (y − μ)/s, ν = 2.1 + softplus(raw), ψ the digamma function:
    ∂/∂μ = −(ν+1) z / (ν + z²) / s,  ∂/∂log s = 1 − (ν+1) z²/(ν + z²), and
    ∂/∂ν = ½ [ψ(ν/2) − ψ((ν+1)/2) + 1/ν + log(1 + z²/ν) − (ν+1) z² / (ν (ν + z²))].

    Args:
        raw: (3H,) location, log-scale and raw degrees of freedom.
        target: (H,) cumulative log returns in units of σ·√h.

    Returns:
        (3H,), of the mean over the H steps.
    """
    from scipy.special import digamma, expit

    location, log_scale, raw_degrees = np.split(raw, 3)
    degrees = LEAST_DEGREES + np.logaddexp(0, raw_degrees)
    z = (target - location) * np.exp(-log_scale)
    pull = (degrees + 1) * z / (degrees + z * z)
    by_degrees = 0.5 * (
        digamma(degrees / 2)
        - digamma((degrees + 1) / 2)
        + 1 / degrees
        + np.log1p(z * z / degrees)
        - pull * z / degrees
    )
    slopes: Float = np.concatenate(
        [-pull * np.exp(-log_scale), 1 - pull * z, by_degrees * expit(raw_degrees)]
    )
    return slopes / len(target)


def squared_slope(answer: Float, target: Float) -> Float:
    """Derivative of the mean squared error by the answer, (K,)."""
    slope: Float = 2 * (answer - target) / len(target)
    return slope


def cross_entropy_slope(logits: Float, target: Float) -> Float:
    """Derivative of the cross-entropy of a softmax by its logits, (K,): share less truth."""
    shares = np.exp(logits - logits.max())
    slope: Float = shares / shares.sum() - target
    return slope
