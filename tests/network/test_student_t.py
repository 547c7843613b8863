import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import integrate, stats

from forecaster.network.student_t import ForecastDistribution

LEVELS = np.array([1e-6, 0.001, 0.05, 0.25, 0.5, 0.75, 0.95, 0.999])
locations = st.floats(-10, 10)
scales = st.floats(1e-4, 10)
degrees = st.one_of(st.floats(2.0, 1e9), st.just(np.inf))


def one(location: float, scale: float, freedom: float) -> ForecastDistribution:
    return ForecastDistribution(np.array([location]), np.array([scale]), np.array([freedom]))


@pytest.mark.parametrize("freedom", [2.0, 2.1, 2.5, 3.0, 4.7, 10.0, 100.0, 1e6])
def test_quantiles_equal_scipy(freedom: float) -> None:
    ours = one(0.01, 0.02, freedom).quantile(LEVELS)[0]
    theirs = stats.t.ppf(LEVELS, freedom, loc=0.01, scale=0.02)
    np.testing.assert_allclose(ours, theirs, rtol=1e-6, atol=1e-9)


def test_infinite_degrees_are_the_normal() -> None:
    ours = one(1.0, 2.0, np.inf).quantile(LEVELS)[0]
    np.testing.assert_allclose(ours, stats.norm.ppf(LEVELS, 1.0, 2.0), rtol=1e-12)


def test_published_table_values() -> None:
    # Two-sided 90 % points of Student's table: 2, 5, 30 degrees and infinity.
    table = ForecastDistribution(np.zeros(4), np.ones(4), np.array([2.0, 5.0, 30.0, np.inf]))
    upper = table.quantile(np.array([0.95]))[:, 0]
    np.testing.assert_allclose(upper, [2.920, 2.015, 1.697, 1.645], atol=5e-4)


def test_levels_come_last_and_each_element_keeps_its_own_parameters() -> None:
    shape = (2, 3)
    location = np.arange(6, dtype=np.float32).reshape(shape)
    distribution = ForecastDistribution(location, np.full(shape, 0.5, np.float32), np.full(shape, 4.0))
    quantiles = distribution.quantile(np.array([0.05, 0.5, 0.95]))
    assert quantiles.shape == (2, 3, 3)
    np.testing.assert_allclose(quantiles[..., 1], location, atol=1e-12)
    np.testing.assert_allclose(quantiles[1, 2, 2], stats.t.ppf(0.95, 4, loc=5, scale=0.5), rtol=1e-6)


@given(locations, scales, degrees, st.lists(st.floats(1e-4, 1 - 1e-4), min_size=2, max_size=6, unique=True))
def test_quantiles_rise_with_the_level(
    location: float, scale: float, freedom: float, levels: list[float]
) -> None:
    quantiles = one(location, scale, freedom).quantile(np.sort(levels))[0]
    assert (np.diff(quantiles) >= 0).all()


@given(locations, scales, degrees, st.floats(1e-4, 1 - 1e-4))
def test_the_quantile_of_a_probability_has_that_probability(
    location: float, scale: float, freedom: float, level: float
) -> None:
    value = one(location, scale, freedom).quantile(np.array([level]))[0, 0]
    z = (value - location) / scale
    probability = stats.norm.cdf(z) if np.isinf(freedom) else stats.t.cdf(z, freedom)
    assert probability == pytest.approx(level, abs=1e-7)


@given(degrees, st.floats(0.01, 100), locations)
def test_quantiles_move_and_stretch_with_location_and_scale(
    freedom: float, stretch: float, shift: float
) -> None:
    standard = one(0.0, 1.0, freedom).quantile(LEVELS)
    moved = one(shift, stretch, freedom).quantile(LEVELS)
    np.testing.assert_allclose(moved, shift + stretch * standard, rtol=1e-12, atol=1e-12)


@given(locations, scales, degrees, st.floats(1e-9, 1 - 1e-9))
def test_the_value_at_a_probability_is_scipys(
    location: float, scale: float, freedom: float, probability: float
) -> None:
    law = stats.norm(location, scale) if np.isinf(freedom) else stats.t(freedom, location, scale)
    found = one(location, scale, freedom).value_at(np.array([[probability], [0.5]]))
    assert found.shape == (2, 1)
    np.testing.assert_allclose(found[:, 0], [law.ppf(probability), location], rtol=1e-7, atol=1e-9)


def test_less_than_two_degrees_are_rejected() -> None:
    with pytest.raises(ValueError, match=r"1\.5 degrees"):
        one(0.0, 1.0, 1.5).quantile(LEVELS)


@given(locations, scales, st.one_of(st.floats(2.1, 1e4), st.just(np.inf)), st.floats(-30, 30))
def test_scores_equal_another_library(location: float, scale: float, freedom: float, observed: float) -> None:
    import scoringrules  # compiles itself for seconds, which each process that collects tests would wait for

    made, value = one(location, scale, freedom), np.array([observed])
    if np.isinf(freedom):
        expected = scoringrules.crps_normal(observed, location, scale)
        law = stats.norm(location, scale)
    else:
        expected = scoringrules.crps_t(observed, freedom, location, scale)
        law = stats.t(freedom, location, scale)
    np.testing.assert_allclose(made.crps(value)[0], expected, rtol=1e-9, atol=1e-9)
    np.testing.assert_allclose(made.log_score(value)[0], -law.logpdf(observed), rtol=1e-9, atol=1e-9)
    np.testing.assert_allclose(made.probability_below(value)[0], law.cdf(observed), rtol=1e-9, atol=1e-12)


def test_crps_by_its_definition() -> None:
    """The integral of the squared distance between two distribution functions, by sums."""
    made = one(0.2, 0.5, 3.0)
    grid = np.linspace(-200, 200, 4_000_001)
    square = np.square(stats.t(3, 0.2, 0.5).cdf(grid) - (grid >= 1.1))
    assert made.crps(np.array([1.1]))[0] == pytest.approx(integrate.trapezoid(square, grid), abs=1e-4)


def test_a_score_of_single_precision_is_computed_in_double() -> None:
    single = ForecastDistribution(*(np.array([each], np.float32) for each in (0.0, 0.02, 4.0)))
    assert single.crps(np.array([0.01], np.float32)).dtype == np.float64
