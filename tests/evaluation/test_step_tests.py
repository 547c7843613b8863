"""Mincer and Zarnowitz's regression and the test of the PIT: by hand, and as often right as promised."""

import math

import numpy as np
import pytest
from comparison_factory import Compared
from numpy.typing import NDArray
from scipy import stats
from scipy.signal import lfilter

from forecaster.evaluation.scoring import mean_of_seeds, score_step
from forecaster.evaluation.significance import DIEBOLD_MARIANO, diebold_mariano, holm
from forecaster.evaluation.step_tests import (
    CALIBRATION,
    MINCER_ZARNOWITZ,
    calibration_test,
    mincer_zarnowitz,
    step_tests,
)
from forecaster.evaluation.sums import StepSums, legendre, mean_sums, step_sums

Float = NDArray[np.float64]


def sums_of(day: Float, observed: Float, median: Float, below: Float | None = None) -> StepSums:
    """Sums of forecasts of which only these things matter."""
    count = len(observed)
    zero = np.zeros(count)
    return step_sums(
        day.astype(np.intp),
        np.arange(count),
        observed,
        median,
        zero,
        zero > 0,
        zero if below is None else below,
    )


def clustered_regression(day: Float, y: Float, x: Float, horizon: int) -> tuple[Float, Float, float]:
    """Coefficients, their covariance and F's p-value: least squares, with scores summed over days."""
    design = np.column_stack([np.ones_like(x), x])
    beta = np.linalg.lstsq(design, y, rcond=None)[0]
    residual = y - design @ beta
    days = np.unique(day)
    scores = np.array([(design[day == each] * residual[day == each, None]).sum(0) for each in days])
    n = len(days)
    count = max(1, math.floor(0.4 * min(n ** (2 / 3), n / horizon)))
    meat = np.zeros((2, 2))
    for number in range(1, count + 1):
        cosine = np.cos(math.pi * number * (np.arange(1, n + 1) - 0.5) / n)
        weight = math.sqrt(2 / n) * (cosine[:, None] * scores).sum(0)
        meat += np.outer(weight, weight) / count
    bread = np.linalg.inv(design.T @ design)
    covariance = bread @ (n * meat) @ bread
    off = beta - [0, 1]
    statistic = (count - 1) / (2 * count) * off @ np.linalg.inv(covariance) @ off
    return beta, covariance, float(stats.f.sf(statistic, 2, count - 1))


@pytest.mark.parametrize("horizon", [1, 5])
def test_the_regression_equals_least_squares_with_clustered_errors(horizon: int) -> None:
    random = np.random.default_rng(horizon)
    day = np.repeat(np.arange(300), 4).astype(float)[random.uniform(size=1200) > 0.2]
    x = random.normal(0, 0.001, len(day))
    y = 0.0005 + 0.6 * x + random.normal(0, 0.02, len(day)) + random.normal(0, 0.01, 300)[day.astype(int)]
    beta, covariance, p_value = clustered_regression(day, y, x, horizon)
    found = mincer_zarnowitz(sums_of(day, y, x).regression, horizon)
    assert found is not None
    assert (found.intercept.value, found.slope.value) == pytest.approx(beta)
    reach = stats.t.isf(0.025, found.test.frequencies) * np.sqrt(np.diag(covariance))
    assert found.intercept.high - found.intercept.value == pytest.approx(reach[0])
    assert found.slope.value - found.slope.low == pytest.approx(reach[1])
    assert found.test.p_value == pytest.approx(p_value)


def test_forecasts_that_are_all_alike_have_no_slope() -> None:
    day, moves = np.arange(100.0), np.random.default_rng(0).normal(size=100)
    assert mincer_zarnowitz(sums_of(day, moves, np.zeros(100)).regression, 1) is None
    assert mincer_zarnowitz(sums_of(day, moves, np.full(100, 0.001)).regression, 1) is None
    assert mincer_zarnowitz(StepSums().regression, 1) is None


def test_too_few_days_give_a_slope_without_an_interval() -> None:
    random = np.random.default_rng(0)
    found = mincer_zarnowitz(
        sums_of(np.arange(49.0), random.normal(size=49), random.normal(size=49)).regression, 5
    )
    assert found is not None
    assert math.isfinite(found.slope.value)
    assert not found.slope.known
    assert math.isnan(found.test.p_value)


def persistent(random: np.random.Generator, days: int, memory: float) -> Float:
    series: Float = lfilter([1], [1, -memory], random.normal(size=days + 100))[100:]
    return series * math.sqrt(1 - memory**2)


def overlapping(news: Float, horizon: int) -> Float:
    """Sums of `horizon` days' news, on the scale of one."""
    whole = np.cumsum(np.concatenate([[0.0], news]))
    return (whole[horizon:] - whole[:-horizon]) / math.sqrt(horizon)


def regression_size(days: int, horizon: int, memory: float, trials: int) -> float:
    """How often true forecasts of five tickers, whose errors share the market's, are called wrong."""
    rejected = 0
    day = np.repeat(np.arange(days), 5).astype(float)
    for seed in range(trials):
        random = np.random.default_rng(seed)
        market = overlapping(persistent(random, days + horizon - 1, memory), horizon)
        forecast = np.column_stack([persistent(random, days, 0.5) for _ in range(5)]) * 0.2
        actual = forecast + 0.7 * market[:, None] + 0.7 * random.normal(size=(days, 5))
        found = mincer_zarnowitz(sums_of(day, actual.ravel(), forecast.ravel()).regression, horizon)
        rejected += found is not None and found.test.p_value < 0.05
    return rejected / trials


def calibration_size(days: int, horizon: int, memory: float, trials: int, scale: float = 1.0) -> float:
    """How often the PITs of ten tickers, whose moves are mostly the market's, are called uneven."""
    rejected = 0
    day = np.repeat(np.arange(days), 10).astype(float)
    for seed in range(trials):
        random = np.random.default_rng(seed)
        market = overlapping(persistent(random, days + horizon - 1, memory), horizon)
        market /= math.sqrt(overlapping_variance(horizon, memory))
        moves = math.sqrt(0.75) * market[:, None] + math.sqrt(0.25) * random.normal(size=(days, 10))
        below = stats.norm.cdf(scale * moves.ravel())
        found = calibration_test(sums_of(day, moves.ravel(), moves.ravel(), below), horizon)
        rejected += found.p_value < 0.05
    return rejected / trials


def overlapping_variance(horizon: int, memory: float) -> float:
    lags = np.arange(1, horizon)
    return float(1 + 2 * np.sum((1 - lags / horizon) * memory**lags))


def test_true_forecasts_are_called_wrong_in_one_of_twenty() -> None:
    assert regression_size(250, 5, 0.5, 800) == pytest.approx(0.05, abs=0.025)
    assert calibration_size(250, 5, 0.5, 800) == pytest.approx(0.05, abs=0.025)


def test_a_range_that_is_a_quarter_too_wide_is_found_in_three_years() -> None:
    assert calibration_size(750, 1, 0.0, 100, scale=0.8) > 0.9


@pytest.mark.slow
@pytest.mark.parametrize("horizon", [1, 5, 21])
@pytest.mark.parametrize("memory", [0.0, 0.5])
def test_the_size_of_both_is_five_per_cent(horizon: int, memory: float) -> None:
    for days in (max(250, 10 * horizon), 1000):
        assert regression_size(days, horizon, memory, 4000) == pytest.approx(0.05, abs=0.015)
        assert calibration_size(days, horizon, memory, 4000) == pytest.approx(0.05, abs=0.015)


@pytest.mark.slow
@pytest.mark.parametrize(("horizon", "found"), [(1, 0.99), (5, 0.63)])
def test_the_power_that_the_method_tells(horizon: int, found: float) -> None:
    """docs/method.md: 750 days, actuals that spread nine tenths as far as forecast."""
    assert calibration_size(750, horizon, 0.0, 1000, scale=0.9) == pytest.approx(found, abs=0.02)


def test_legendre_moments_are_orthonormal() -> None:
    nodes, weights = np.polynomial.legendre.leggauss(20)
    values = np.array([np.ones(20), *legendre((nodes + 1) / 2)])
    np.testing.assert_allclose((values * weights / 2) @ values.T, np.eye(4), atol=1e-12)


def test_the_moments_are_tested_one_by_one() -> None:
    random = np.random.default_rng(3)
    day = np.repeat(np.arange(200), 3).astype(float)
    below = random.beta(1.2, 0.9, 600)
    found = calibration_test(sums_of(day, below, below, below), 1)
    shifted = math.sqrt(12) * (below - 0.5)
    expected = {"location": shifted, "spread": math.sqrt(5) / 2 * (np.square(shifted) - 1)}
    for name, values in expected.items():
        assert found.means[name] == pytest.approx(values.mean())
        single = diebold_mariano(values.reshape(200, 3).mean(1), 1)
        assert found.tests[name].statistic == pytest.approx(single.statistic)
    assert found.p_value == min(holm([test.p_value for test in found.tests.values()]))
    assert found.means["location"] > 0  # more actuals high up


def test_skew_tells_the_tail_that_is_too_light() -> None:
    """Forecasts are normal, and what comes falls farther than it rises, about the same median and spread."""
    moves = stats.skewnorm.rvs(-6, size=3000, random_state=1)
    moves = (moves - np.median(moves)) / moves.std()
    found = calibration_test(sums_of(np.arange(3000.0), moves, moves, stats.norm.cdf(moves)), 1)
    assert found.means["skew"] < 0
    assert found.adjusted["skew"] < 0.01


def test_the_histogram_counts_tenths() -> None:
    below = np.array([0.0, 0.05, 0.1, 0.55, 0.999, 1.0])
    sums = sums_of(np.zeros(6), np.ones(6), np.ones(6), below)
    assert sums.pit_counts.tolist() == [[2, 1, 0, 0, 0, 1, 0, 0, 0, 2]]


def test_sums_are_of_days_and_of_tickers() -> None:
    sums = step_sums(
        day=np.array([9, 4, 9]),
        ticker=np.array([0, 2, 2]),
        observed=np.array([0.02, 0.0, -0.01]),
        median=np.array([0.01, 0.01, 0.01]),
        crps=np.array([1.0, 2.0, 4.0]),
        within_90=np.array([True, False, True]),
        below=np.array([0.2, 0.5, 0.9]),
    )
    assert sums.by_day.forecasts.tolist() == [1, 2]
    assert sums.by_day.crps.tolist() == [2, 5]
    assert sums.by_day.within_90.tolist() == [0, 2]
    assert sums.by_ticker.forecasts.tolist() == [1, 0, 2]
    assert sums.by_ticker.absolute_error == pytest.approx([0.01, 0, 0.03])
    assert (sums.hits.tolist(), sums.moves.tolist()) == ([0, 1], [0, 2])
    assert sums.regression[1] == pytest.approx([2, 0.02, 0.01, 0.0002, 0.0001])
    doubled = mean_sums([sums, sums])
    np.testing.assert_array_equal(doubled.regression, sums.regression)
    np.testing.assert_array_equal(doubled.by_ticker.crps, sums.by_ticker.crps)


def test_every_result_carries_its_name_and_days(walk: Compared) -> None:
    tests = walk.comparison.model("gru").tests[2].described()
    assert tests["range"]["name"] == tests["price"]["name"] == tests["direction"]["name"] == DIEBOLD_MARIANO
    assert tests["calibration"]["name"] == CALIBRATION
    assert tests["mincer_zarnowitz"]["name"] == MINCER_ZARNOWITZ
    for name in ("range", "price", "direction", "calibration", "mincer_zarnowitz"):
        assert tests[name].keys() >= {"cosines", "days", "p_value"}
        assert tests[name]["days"] == len(walk.comparison.model("gru").losses[2].day)
    for name in ("skill", "directional_accuracy"):
        assert tests[name]["low"] < tests[name]["value"] < tests[name]["high"]
        assert tests[name]["method"]
    scores = walk.comparison.model("gru").steps[2]
    assert tests["directional_accuracy"]["value"] == pytest.approx(scores.directional_accuracy)
    assert tests["range"]["p_value"] == scores.p_value
    assert tests["price"]["p_value"] == scores.point_p_value
    assert sum(tests["pit_counts"]) == scores.forecasts
    assert walk.comparison.model("naive").tests[1].mincer_zarnowitz is None


def test_the_tests_of_seeds_are_those_of_their_mean_sums(planted: Compared) -> None:
    comparison = planted.comparison
    runs = [score_step(comparison.forecasts[f"gru-seed{seed}"], comparison.actual, 1) for seed in (3, 4)]
    reference = comparison.model("naive").losses[1]
    expected = step_tests(mean_of_seeds(runs), reference, 1)
    assert comparison.model("gru").tests[1] == expected
    slope = expected.mincer_zarnowitz
    assert slope is not None
    assert slope.slope.low > 0  # what was planted
