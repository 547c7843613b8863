"""Distributions whose levels were moved, by hand and by properties."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import stats

from forecaster.network.calibrated import CalibratedDistribution, LevelMap
from forecaster.network.risk import expected_shortfall, tail_losses
from forecaster.network.student_t import ForecastDistribution

LEVELS = np.array([0.05, 0.5, 0.95])
RAW = ForecastDistribution(np.array([0.0, 0.01]), np.array([0.02, 0.03]), np.array([np.inf, 5.0]))


def mapped(*raw_levels: list[float]) -> CalibratedDistribution:
    return CalibratedDistribution(RAW, LevelMap(LEVELS, np.array(raw_levels)))


def test_a_level_is_the_raw_forecast_s_other_level() -> None:
    made = mapped([0.02, 0.5, 0.98], [0.10, 0.45, 0.90])
    found = made.quantile(np.array([0.05, 0.5, 0.95]))
    assert found[0] == pytest.approx(0.02 * stats.norm.ppf([0.02, 0.5, 0.98]))
    assert found[1] == pytest.approx(0.01 + 0.03 * stats.t.ppf([0.10, 0.45, 0.90], 5))


def test_between_two_levels_lies_a_line_on_the_normal_s_scale() -> None:
    made = mapped([0.02, 0.5, 0.98], [0.05, 0.5, 0.95])
    z, low = stats.norm.ppf(0.2) / stats.norm.ppf(0.05), stats.norm.ppf(0.02)
    assert made.quantile(np.array([0.2]))[0, 0] == pytest.approx(0.02 * z * low)


def test_beyond_the_outermost_level_the_distance_stays() -> None:
    made = mapped([0.02, 0.5, 0.98], [0.05, 0.5, 0.95])
    z = stats.norm.ppf(0.01) + stats.norm.ppf(0.02) - stats.norm.ppf(0.05)
    assert made.quantile(np.array([0.01]))[0, 0] == pytest.approx(0.02 * z)


@settings(max_examples=60, deadline=None)
@given(
    st.lists(st.floats(0.001, 0.999), min_size=3, max_size=3, unique_by=lambda level: round(level, 3)),
    st.floats(0.0005, 0.9995),
)
def test_chance_and_quantile_are_each_other_s_inverse(raw: list[float], level: float) -> None:
    made = mapped(sorted(raw), sorted(raw))
    value = made.value_at(np.array([level, level]))
    assert made.probability_below(value) == pytest.approx(level, abs=1e-6)


def test_levels_that_were_not_moved_change_nothing() -> None:
    made = mapped(LEVELS.tolist(), LEVELS.tolist())
    levels = np.array([0.001, 0.05, 0.3, 0.9, 0.999])
    assert made.quantile(levels) == pytest.approx(RAW.quantile(levels), abs=1e-6)
    ours, theirs = tail_losses(made), tail_losses(RAW)
    for level in (95, 99):
        assert ours[level].value_at_risk == pytest.approx(theirs[level].value_at_risk, abs=1e-6)
        assert ours[level].expected_shortfall == pytest.approx(theirs[level].expected_shortfall, abs=1e-6)


def test_the_shortfall_is_the_mean_of_the_losses_beyond() -> None:
    made = mapped([0.02, 0.5, 0.98], [0.08, 0.5, 0.9])
    chances = (np.arange(200_000) + 0.5) / 200_000 * 0.05
    losses = -np.expm1(made.value_at(np.repeat(chances[:, None], 2, 1)))
    assert expected_shortfall(made, np.array([0.95]))[:, 0] == pytest.approx(losses.mean(0), rel=1e-4)
    assert tail_losses(made)[95].value_at_risk == pytest.approx(
        -np.expm1(made.quantile(np.array([0.05]))[:, 0])
    )


def test_the_first_steps_alone() -> None:
    made = mapped([0.02, 0.5, 0.98], [0.10, 0.45, 0.90]).level_map
    assert made.first(1).raw_levels.tolist() == [[0.02, 0.5, 0.98]]
