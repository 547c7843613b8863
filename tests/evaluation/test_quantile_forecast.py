"""Distributions that are quantiles only, beside ones with a formula."""

import numpy as np
import pytest
import scipy.stats
from hypothesis import given
from hypothesis import strategies as st
from scipy.integrate import trapezoid

from forecaster.evaluation.metrics import FILE_LEVELS, QUANTILE_LEVELS, crps_from_quantiles
from forecaster.evaluation.quantile_forecast import QuantileForecast, StepQuantiles
from forecaster.network.student_t import ForecastDistribution

SCALES = np.array([0.5, 1.0, 2.0])
NORMAL = StepQuantiles(np.outer(SCALES, scipy.stats.norm.ppf(FILE_LEVELS)))


def test_the_levels_hold_all_that_scores_need() -> None:
    assert len(FILE_LEVELS) == 25
    assert (np.diff(FILE_LEVELS) > 0).all()
    assert set(QUANTILE_LEVELS) | {0.005, 0.01, 0.025, 0.975, 0.99, 0.995} == set(FILE_LEVELS)


def test_known_quantiles_come_back_and_others_lie_on_a_line_between() -> None:
    np.testing.assert_allclose(NORMAL.quantile(FILE_LEVELS), NORMAL.values)
    between = NORMAL.quantile(np.array([0.075]))[:, 0]
    np.testing.assert_allclose(between, NORMAL.quantile(np.array([0.05, 0.1])).mean(1))
    np.testing.assert_allclose(NORMAL.quantile(np.array([1e-4, 0.9999])), NORMAL.values[:, [0, -1]])
    np.testing.assert_array_equal(NORMAL.median, np.zeros(3))


def test_the_pit_is_the_normals_within_the_quantiles_and_half_of_the_rest_beyond() -> None:
    for z in (-2.0, -0.7, 0.0, 0.3, 1.9):
        expected = scipy.stats.norm.cdf(z)
        np.testing.assert_allclose(NORMAL.probability_below(SCALES * z), expected, atol=0.003)
    np.testing.assert_allclose(NORMAL.probability_below(SCALES * -9), 0.0025)
    np.testing.assert_allclose(NORMAL.probability_below(SCALES * 9), 0.9975)


@given(st.lists(st.floats(-5, 5), min_size=25, max_size=25), st.integers(0, 24))
def test_the_chance_of_less_than_a_quantile_is_its_level_where_it_is_the_only_one(
    values: list[float], place: int
) -> None:
    ordered = StepQuantiles(np.sort(np.array([values])))
    quantile = ordered.values[:, place]
    found = ordered.probability_below(quantile)
    alike = np.flatnonzero(ordered.values[0] == quantile)
    assert FILE_LEVELS[alike[0]] - 1e-12 <= found[0] <= FILE_LEVELS[alike[-1]] + 1e-12


@pytest.mark.parametrize("z", [-3.5, -1.0, 0.0, 0.2, 2.5])
def test_the_crps_is_nearly_that_of_the_formula(z: float) -> None:
    formula = ForecastDistribution(np.zeros(3), SCALES, np.full(3, np.inf)).crps(SCALES * z)
    np.testing.assert_allclose(NORMAL.crps(SCALES * z), formula, rtol=0.02)
    by_hand = [
        2 * trapezoid([0, *loss, 0], [0, *FILE_LEVELS, 1])
        for loss in np.maximum(
            FILE_LEVELS * (SCALES[:, None] * z - NORMAL.values),
            (FILE_LEVELS - 1) * (SCALES[:, None] * z - NORMAL.values),
        )
    ]
    np.testing.assert_allclose(NORMAL.crps(SCALES * z), by_hand)


def test_there_is_no_density() -> None:
    assert np.isnan(NORMAL.log_score(SCALES)).all()


def test_steps_are_kept_apart_and_origins_can_be_taken() -> None:
    forecast = QuantileForecast({1: NORMAL.values, 5: 2 * NORMAL.values})
    assert forecast.steps == (1, 5)
    taken = forecast.at_step(5).take(np.array([True, False, True]))
    np.testing.assert_array_equal(taken.values, 2 * NORMAL.values[[0, 2]])
    observed = np.array([0.1, -0.2, 0.3])
    scores = crps_from_quantiles(observed, NORMAL.quantile(QUANTILE_LEVELS))
    assert scores.shape == (3,)
