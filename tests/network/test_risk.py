"""Value at risk and expected shortfall against integration by another method, closed forms and draws."""

from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import integrate, stats

from forecaster.network.risk import expected_shortfall, value_at_risk
from forecaster.network.student_t import ForecastDistribution

LEVELS = np.array([0.95, 0.99])
locations = st.floats(-0.5, 0.5)
scales = st.floats(1e-4, 2)
degrees = st.one_of(st.floats(2.0, 1e6), st.just(np.inf))


def one(location: float, scale: float, freedom: float) -> ForecastDistribution:
    return ForecastDistribution(np.array([location]), np.array([scale]), np.array([freedom]))


def law_of(location: float, scale: float, freedom: float) -> stats.rv_continuous:
    return stats.norm(location, scale) if np.isinf(freedom) else stats.t(freedom, location, scale)


@pytest.mark.parametrize("freedom", [2.0, 2.1, 3.0, 4.7, 30.0, 1e4, np.inf])
@pytest.mark.parametrize("scale", [0.001, 0.02, 0.3, 2.0])
@pytest.mark.parametrize("location", [-0.1, 0.0, 0.02])
def test_shortfall_is_the_integral_over_the_quantiles(location: float, scale: float, freedom: float) -> None:
    """Of the loss at each quantile, by adaptive quadrature: the definition."""
    law = law_of(location, scale, freedom)
    for place, share in enumerate((0.05, 0.01)):

        def loss(part: float, share: float = share) -> float:
            return -np.expm1(law.ppf(share * part**4)) * 4 * part**3  # the power makes the end at 0 smooth

        expected, _ = integrate.quad(loss, 0, 1, epsabs=1e-13, epsrel=1e-11, limit=400)
        made = one(location, scale, freedom)
        assert expected_shortfall(made, LEVELS)[0, place] == pytest.approx(expected, rel=1e-6)
        assert value_at_risk(made, LEVELS)[0, place] == pytest.approx(
            1 - np.exp(law.ppf(share)), rel=1e-6, abs=1e-9
        )


@pytest.mark.parametrize("freedom", [2.0, 2.5, 6.0, 1e5])
def test_the_quadrature_itself_is_exact(freedom: float) -> None:
    """Below the quantile that the grid gives, the loss times the density over the density alone."""
    made, law = one(0.01, 0.05, freedom), stats.t(freedom, 0.01, 0.05)
    end = float(made.quantile(np.array([0.05]))[0, 0])
    parts = [-np.inf, *(end - 0.05 * np.array([10_000.0, 100.0, 10.0, 1.0])), end]
    pieces = [
        integrate.quad(lambda x: -np.expm1(x) * law.pdf(x), *ends, epsabs=1e-15, epsrel=1e-12)[0]
        for ends in pairwise(parts)
    ]
    found = expected_shortfall(made, LEVELS)[0, 0]
    assert found == pytest.approx(sum(pieces) / law.cdf(end), rel=1e-9)


@given(locations, scales)
def test_of_a_normal_it_has_a_closed_form(location: float, scale: float) -> None:
    """The mean of exp(x) below a quantile q: exp(μ + σ²/2) · Φ((q − μ)/σ − σ) over its chance."""
    found = expected_shortfall(one(location, scale, np.inf), LEVELS)[0]
    below = stats.norm.cdf(stats.norm.ppf(1 - LEVELS) - scale)
    expected = 1 - np.exp(location + scale**2 / 2) * below / (1 - LEVELS)
    np.testing.assert_allclose(found, expected, rtol=1e-9, atol=1e-9)


def test_of_small_returns_it_is_that_of_a_student_t() -> None:
    """McNeil, Frey & Embrechts, section 2.3: f(t)/(1 − α) · (ν + t²)/(ν − 1), in scales."""
    freedom, scale = 4.0, 1e-7
    t = stats.t.ppf(LEVELS, freedom)
    expected = stats.t.pdf(t, freedom) / (1 - LEVELS) * (freedom + t**2) / (freedom - 1)
    np.testing.assert_allclose(
        expected_shortfall(one(0, scale, freedom), LEVELS)[0] / scale, expected, rtol=2e-6
    )


def test_of_draws_it_is_the_mean_of_the_worst() -> None:
    drawn = np.sort(1 - np.exp(stats.t(4, 0.001, 0.02).rvs(1_000_000, random_state=1)))
    worst = drawn[-50_000:]
    made = one(0.001, 0.02, 4)
    assert value_at_risk(made, LEVELS)[0, 0] == pytest.approx(worst[0], rel=0.01)
    assert expected_shortfall(made, LEVELS)[0, 0] == pytest.approx(worst.mean(), rel=0.01)


@given(locations, scales, degrees)
def test_shortfall_is_worse_than_value_at_risk_and_no_loss_is_above_all(
    location: float, scale: float, freedom: float
) -> None:
    made = one(location, scale, freedom)
    at_risk, shortfall = value_at_risk(made, LEVELS)[0], expected_shortfall(made, LEVELS)[0]
    assert (shortfall > at_risk).all()
    assert at_risk[1] > at_risk[0]
    assert shortfall[1] > shortfall[0]
    assert shortfall[1] <= 1


def test_levels_come_last_and_each_element_keeps_its_own_parameters() -> None:
    shape = (2, 3)
    scale = np.linspace(0.01, 0.06, 6, dtype=np.float32).reshape(shape)
    many = ForecastDistribution(np.zeros(shape, np.float32), scale, np.full(shape, 4.0, np.float32))
    found = expected_shortfall(many, LEVELS)
    assert found.shape == value_at_risk(many, LEVELS).shape == (2, 3, 2)
    assert found.dtype == np.float64
    np.testing.assert_allclose(found[1, 2], expected_shortfall(one(0, scale[1, 2], 4), LEVELS)[0], rtol=1e-12)
