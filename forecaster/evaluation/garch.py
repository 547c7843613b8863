"""GARCH-t and GJR-t: a volatility of its own for each ticker, by maximum likelihood on the training days.

Sources: Bollerslev, "A conditionally heteroskedastic time series model for speculative prices and rates of
return", 1987; Glosten, Jagannathan & Runkle, "On the relation between the expected value and the volatility
of the nominal excess return on stocks", 1993.
"""

from dataclasses import dataclass
from functools import partial

import numpy as np
from numpy.typing import NDArray

from forecaster.evaluation.fitted import LEAST_DAYS, Fitted, Wanted, fit_tickers
from forecaster.network.student_t import ForecastDistribution

Float = NDArray[np.float64]

_PER_CENT = 100.0  # the scale on which arch's solver is at home
_LEAST_DEGREES, _MOST_DEGREES = 2.1, 500.0


@dataclass(frozen=True)
class GarchFit:
    """Parameters of one ticker, of returns in per cent.

    σ²(t + 1) = omega + (alpha + gamma·[ε(t) < 0])·ε(t)² + beta·σ²(t) with ε = return − mean.
    `variance` is that of the training days, with which the recursion begins.
    """

    mean: float
    omega: float
    alpha: float
    gamma: float
    beta: float
    degrees: float
    variance: float

    @property
    def persistence(self) -> float:
        """How much of a day's variance above the usual is expected on the next."""
        return self.alpha + self.gamma / 2 + self.beta


def garch(wanted: Wanted, *, asymmetric: bool) -> Fitted:
    """Student-t distributions of the return to each step, (O, H).

    The variance of the sum of h days is exact; its shape is taken to be a day's.

    Args:
        wanted: what is to be forecast.
        asymmetric: GJR, where a fall raises the volatility by more than a rise.
    """
    steps = np.arange(1, wanted.horizon + 1)

    def forecast(ticker: int, fit: GarchFit) -> ForecastDistribution:
        days = wanted.origins.day[wanted.rows[ticker]]
        following = next_variances(fit, wanted.panel.log_return[ticker])[days]
        spread = np.sqrt(summed_variance(fit, following, wanted.horizon)) / _PER_CENT
        return ForecastDistribution(
            location=np.broadcast_to(fit.mean / _PER_CENT * steps, spread.shape),
            scale=spread * np.sqrt((fit.degrees - 2) / fit.degrees),
            degrees_of_freedom=np.full(spread.shape, fit.degrees),
        )

    return fit_tickers(wanted, partial(fit_garch, asymmetric=asymmetric), wanted.training_returns, forecast)


def next_variances(fit: GarchFit, returns: NDArray[np.floating]) -> Float:
    """The variance of the day after each of D days, in per cent squared; a day without a return passes by."""
    shocks = (np.square(_PER_CENT * returns - fit.mean)).astype(np.float64)
    weight = fit.alpha + fit.gamma * (_PER_CENT * returns < fit.mean)
    variance, found = fit.variance, np.empty(len(returns))
    for day, known in enumerate(np.isfinite(returns)):
        if known:
            variance = fit.omega + weight[day] * shocks[day] + fit.beta * variance
        found[day] = variance
    return found


def summed_variance(fit: GarchFit, following: Float, horizon: int) -> Float:
    """The variance of the return over 1 … H days, (O, H), from that of the first of them, (O,).

    Each day's expected variance lies nearer to the usual one than the day's before, by the persistence.
    """
    usual = fit.omega / (1 - fit.persistence)
    steps = np.arange(1, horizon + 1)
    weight = (1 - fit.persistence**steps) / (1 - fit.persistence)
    summed: Float = usual * steps + np.multiply.outer(following - usual, weight)
    return summed


def fit_garch(returns: Float, *, asymmetric: bool) -> GarchFit | None:
    """Fit one ticker's daily log returns; None where there are too few, or no stationary fit is found."""
    if len(returns) < LEAST_DAYS or not returns.std():
        return None
    from arch import arch_model

    model = arch_model(
        _PER_CENT * returns, mean="Constant", vol="GARCH", p=1, o=int(asymmetric), q=1, dist="t"
    )
    try:
        result = model.fit(disp="off", show_warning=False)
    except (ValueError, np.linalg.LinAlgError):
        return None
    values = result.params
    fit = GarchFit(
        mean=float(values["mu"]),
        omega=float(values["omega"]),
        alpha=float(values["alpha[1]"]),
        gamma=float(values.get("gamma[1]", 0.0)),
        beta=float(values["beta[1]"]),
        degrees=min(float(values["nu"]), _MOST_DEGREES),
        variance=float(np.square(_PER_CENT * (returns - returns.mean())).mean()),
    )
    # The solver may call converged what lies far from any return.
    near = abs(fit.mean) < np.sqrt(fit.variance)
    stationary = fit.persistence < 1 and fit.omega > 0 and fit.degrees > _LEAST_DEGREES
    return fit if result.convergence_flag == 0 and near and stationary else None
