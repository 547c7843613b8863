from collections.abc import Callable

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from numpy.typing import NDArray
from scipy import integrate, stats
from sklearn.metrics import mean_pinball_loss

from forecaster.evaluation import metrics
from forecaster.network.student_t import ForecastDistribution

ACTUAL = np.array([2.0, -1.0, 4.0, 0.5])
PREDICTED = np.array([3.0, -1.0, 1.0, 1.0])
values = arrays(np.float64, 8, elements=st.floats(0.1, 100))


@pytest.mark.parametrize(
    ("metric", "expected"),
    [
        pytest.param(metrics.mae, (1 + 0 + 3 + 0.5) / 4, id="mae"),
        pytest.param(metrics.rmse, np.sqrt((1 + 0 + 9 + 0.25) / 4), id="rmse"),
        pytest.param(metrics.mape, 100 * (1 / 2 + 0 + 3 / 4 + 1) / 4, id="mape in per cent"),
        pytest.param(metrics.directional_accuracy, 1.0, id="all signs right"),
    ],
)
def test_by_hand(metric: Callable[..., float], expected: float) -> None:
    assert metric(ACTUAL, PREDICTED) == pytest.approx(expected)


@given(values, values)
def test_equal_to_the_textbook_formulas(actual: NDArray[np.float64], predicted: NDArray[np.float64]) -> None:
    error = actual - predicted
    assert metrics.mae(actual, predicted) == pytest.approx(np.mean(np.abs(error)))
    assert metrics.rmse(actual, predicted) == pytest.approx(np.sqrt(np.mean(error**2)))
    assert metrics.mape(actual, predicted) == pytest.approx(100 * np.mean(np.abs(error / actual)))


def test_mase_weighs_each_error_by_its_own_series() -> None:
    naive_error = np.array([2.0, 1.0, 6.0, 0.25])
    assert metrics.mase(ACTUAL, PREDICTED, naive_error) == pytest.approx((0.5 + 0 + 0.5 + 2) / 4)


def test_a_forecast_of_zero_counts_half_and_a_move_of_zero_not_at_all() -> None:
    actual, predicted = np.array([1.0, -1.0, 1.0, 0.0]), np.array([2.0, 1.0, 0.0, 5.0])
    assert metrics.directional_accuracy(actual, predicted) == pytest.approx((1 + 0 + 0.5) / 3)


def test_direction_is_unknown_where_nothing_moved() -> None:
    assert np.isnan(metrics.directional_accuracy(np.zeros(3), np.ones(3)))


def test_pinball_costs_more_on_the_dear_side() -> None:
    # The 0.9 quantile predicted as 2: an outcome of 3 is missed by 1 at 0.9, one of 1 at 0.1; twice that.
    scores = metrics.crps_from_quantiles(np.array([3.0, 1.0]), np.array([[2.0], [2.0]]), np.array([0.9]))
    np.testing.assert_allclose(scores, [1.8, 0.2])


def test_crps_is_twice_scikit_learns_mean_pinball_loss() -> None:
    random = np.random.default_rng(0)
    actual, quantiles = random.normal(size=50), np.sort(random.normal(size=(50, 19)), axis=1)
    levels = metrics.QUANTILE_LEVELS
    pinball = [mean_pinball_loss(actual, quantiles[:, place], alpha=a) for place, a in enumerate(levels)]
    scores = metrics.crps_from_quantiles(actual, quantiles)
    assert scores.shape == (50,)
    assert scores.mean() == pytest.approx(2 * np.mean(pinball))


@pytest.mark.parametrize("freedom", [2.1, 4.0, 30.0])
@pytest.mark.parametrize("observed", [-2.0, 0.0, 0.7])
def test_crps_of_fine_quantiles_is_its_definition_integrated(freedom: float, observed: float) -> None:
    def squared_distance(x: float) -> float:
        return float((stats.t.cdf(x, freedom) - (x >= observed)) ** 2)

    below, _ = integrate.quad(squared_distance, -np.inf, observed)
    above, _ = integrate.quad(squared_distance, observed, np.inf)
    levels = (np.arange(1000) + 0.5) / 1000
    distribution = ForecastDistribution(np.zeros(1), np.ones(1), np.full(1, freedom))
    ours = metrics.crps_from_quantiles(
        np.array([observed]), distribution.quantile(levels[::20]), levels[::20]
    )
    assert ours[0] == pytest.approx(below + above, rel=5e-3)


@given(
    arrays(float, (2, 19), elements=st.floats(-5, 5)),
    st.floats(-20, 20),
)
def test_no_actual_saves_more_than_the_most(quantiles: NDArray[np.float64], actual: float) -> None:
    own, other = np.sort(quantiles, axis=1)
    saved = metrics.crps_from_quantiles(np.array(actual), other) - metrics.crps_from_quantiles(
        np.array(actual), own
    )
    assert saved <= metrics.most_gain(own, other) + 1e-12


def test_the_most_that_can_be_saved_by_hand() -> None:
    """Quantiles all at 0 against all at 1: an actual of at most 0 costs 0 and 1 (by the mean level, 1/2)."""
    zeros, ones = np.zeros((1, 19)), np.ones((1, 19))
    assert metrics.most_gain(zeros, ones) == pytest.approx([1.0])
    assert metrics.most_gain(ones, ones) == pytest.approx([0.0])


def test_the_true_distribution_has_the_least_crps() -> None:
    outcomes = np.random.default_rng(0).standard_t(5, 20_000)

    def score(location: float, scale: float) -> float:
        one = ForecastDistribution(np.array([location]), np.array([scale]), np.array([5.0]))
        quantiles = np.broadcast_to(one.quantile(metrics.QUANTILE_LEVELS), (len(outcomes), 19))
        return float(metrics.crps_from_quantiles(outcomes, quantiles).mean())

    assert score(0, 1) < min(score(0, 0.8), score(0, 1.25), score(0.2, 1), score(-0.2, 1))


def test_quantile_levels_are_exact_decimals() -> None:
    assert metrics.QUANTILE_LEVELS.tolist() == [
        *(0.05, 0.1, 0.15, 0.2, 0.25, 0.3, 0.35, 0.4, 0.45, 0.5),
        *(0.55, 0.6, 0.65, 0.7, 0.75, 0.8, 0.85, 0.9, 0.95),
    ]


def test_coverage_counts_the_ends_of_the_interval() -> None:
    actual = np.array([1.0, 2.0, 3.0, 4.0, 5.0, 6.0, 0.0, -1.0])
    assert metrics.coverage(actual, np.full(8, 1.0), np.full(8, 3.0)) == pytest.approx(3 / 8)


@pytest.mark.parametrize(("loss", "expected"), [(3.0, 0.25), (4.0, 0.0), (6.0, -0.5), (0.0, 1.0)])
def test_skill_against_a_loss_of_four(loss: float, expected: float) -> None:
    assert metrics.skill(loss, 4.0) == pytest.approx(expected)


def test_nothing_is_saved_of_a_loss_of_zero() -> None:
    assert metrics.skill(3.0, 0.0) == 0


@pytest.mark.parametrize(
    "score",
    [
        pytest.param(metrics.mae, id="mae"),
        pytest.param(metrics.rmse, id="rmse"),
        pytest.param(metrics.mape, id="mape"),
        pytest.param(metrics.directional_accuracy, id="directional accuracy"),
        pytest.param(lambda a, b: metrics.mase(a, b, np.ones(2)), id="mase"),
        pytest.param(lambda a, b: metrics.coverage(a, b, np.full(2, 9.0)), id="coverage, lower"),
        pytest.param(lambda a, b: metrics.coverage(a, np.zeros(2), b), id="coverage, upper"),
        pytest.param(
            lambda a, b: metrics.crps_from_quantiles(a, b[:, None], np.array([0.5])), id="crps from quantiles"
        ),
    ],
)
@pytest.mark.parametrize("unknown", ["actual", "predicted"])
def test_unknown_values_are_rejected(score: Callable[..., object], unknown: str) -> None:
    whole, incomplete = np.array([1.0, 2.0]), np.array([1.0, np.nan])
    with pytest.raises(ValueError, match=r"unknown values|contains NaN"):
        score(*((incomplete, whole) if unknown == "actual" else (whole, incomplete)))
