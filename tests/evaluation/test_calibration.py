"""Recalibration that is right by hand, never looks ahead, and corrects what is mis-scaled."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray
from scipy import stats

from forecaster.evaluation.calibration import (
    LEAST_LEVEL,
    LEVELS,
    RATE,
    CalibratedForecast,
    moved,
    quantiles_at,
    recalibrated,
)
from forecaster.evaluation.forecasts import Origins
from forecaster.evaluation.scoring import Actuals, score_step
from forecaster.network.student_t import ForecastDistribution


def level_is(level: float) -> NDArray[np.bool_]:
    return np.isclose(LEVELS, level)


FIFTH, NINETY_FIFTH = (int(np.flatnonzero(level == LEVELS)[0]) for level in (0.05, 0.95))


def test_a_day_moves_each_level_by_what_it_missed() -> None:
    """Three of four actuals below the 5 % quantile: it falls by 0.005 · 0.9 · (0.75 − 0.05)."""
    found = moved(LEVELS, np.array([0.01, 0.02, 0.03, 0.5]))
    assert found[FIFTH] == pytest.approx(0.05 - 0.0045 * 0.70)
    # all four are below the 95 % quantile, five hundredths more than there should be
    assert found[NINETY_FIFTH] == pytest.approx(0.95 - 0.0045 * 0.05)
    assert RATE == 0.005


def test_the_median_stays_and_no_level_crosses_it() -> None:
    levels = LEVELS
    for _ in range(5000):
        levels = moved(levels, np.array([0.01, 0.02]))
    middle = int(np.flatnonzero(level_is(0.5))[0])
    assert levels[middle] == 0.5
    assert (levels[middle:] >= 0.5).all()
    assert levels[middle + 1] == 0.5
    assert levels[0] == pytest.approx(0.01, abs=0.001)  # it rises until it lies above its share


def test_an_actual_at_a_quantile_is_below_it() -> None:
    assert moved(LEVELS, np.array([0.05]))[FIFTH] == pytest.approx(0.05 - 0.0045 * 0.95)
    assert moved(LEVELS, np.array([0.0501]))[FIFTH] == pytest.approx(0.05 + 0.0045 * 0.05)


@settings(max_examples=50, deadline=None)
@given(st.lists(st.lists(st.floats(0, 1), min_size=1, max_size=5), max_size=200))
def test_levels_rise_and_stay_between_0_and_1(days: list[list[float]]) -> None:
    levels = LEVELS
    for day in days * 20:
        levels = moved(levels, np.array(day))
    assert (np.diff(levels) >= 0).all()
    assert levels[0] >= LEAST_LEVEL == 1e-5
    assert levels[-1] <= 1 - LEAST_LEVEL


def test_quantiles_at_levels_of_one_s_own_are_the_distribution_s() -> None:
    random = np.random.default_rng(0)
    made = ForecastDistribution(
        random.normal(0, 0.01, 50), random.uniform(0.01, 0.03, 50), random.choice([2.5, 4.0, 8.0, np.inf], 50)
    )
    levels = np.sort(random.uniform(0.0005, 0.9995, (50, 7)))
    t = stats.t.ppf(
        levels, np.where(np.isinf(made.degrees_of_freedom), 1e9, made.degrees_of_freedom)[:, None]
    )
    expected = made.location[:, None] + made.scale[:, None] * t
    off = np.abs(quantiles_at(made, levels) / expected - 1)
    assert off[np.abs(expected) > 0.01].max() < 0.006


def problem(
    days: int = 900, tickers: int = 20, horizon: int = 3, seed: int = 0, scale: float = 1.0
) -> tuple[ForecastDistribution, Actuals]:
    """Normal returns of volatility 0.01, and forecasts that take it to be `scale` times that."""
    random = np.random.default_rng(seed)
    returns = random.normal(0, 0.01, (tickers, days + horizon))
    ticker, day = (each.ravel() for each in np.meshgrid(np.arange(tickers), np.arange(days), indexing="ij"))
    ahead = np.stack(
        [
            returns[ticker[:, None], day[:, None] + np.arange(1, step + 1)].sum(1)
            for step in range(1, horizon + 1)
        ],
        1,
    )
    ahead[np.add.outer(day, np.arange(1, horizon + 1)) >= days] = np.nan
    count = len(day)
    root = np.sqrt(np.arange(1, horizon + 1))
    forecast = ForecastDistribution(
        np.zeros((count, horizon)),
        np.tile(scale * 0.01 * root, (count, 1)),
        np.full((count, horizon), np.inf),
    )
    actual = Actuals(
        Origins(ticker, day), ahead.astype(np.float32), np.full(count, 100.0), np.full(count, 0.01)
    )
    return forecast, actual


@pytest.mark.parametrize(("scale", "before"), [(0.85, 0.838), (1.15, 0.942)])
def test_a_mis_scaled_forecast_is_corrected(scale: float, before: float) -> None:
    forecast, actual = problem(days=1500, scale=scale)
    found = recalibrated(forecast, actual, (1,))
    raw, corrected = (score_step(each, actual, 1) for each in (forecast, found))
    assert raw.scores.coverage_90 == pytest.approx(before, abs=0.005)
    last = slice(-300, None)
    sums = corrected.sums.by_day
    assert sums.within_90[last].sum() / sums.forecasts[last].sum() == pytest.approx(0.9, abs=0.012)
    assert sums.within_50[last].sum() / sums.forecasts[last].sum() == pytest.approx(0.5, abs=0.02)
    assert corrected.scores.crps < raw.scores.crps


def test_a_right_forecast_hardly_changes() -> None:
    forecast, actual = problem()
    raw, corrected = (
        score_step(each, actual, 1).scores for each in (forecast, recalibrated(forecast, actual, (1,)))
    )
    assert corrected.crps == pytest.approx(raw.crps, rel=0.0005)
    assert corrected.coverage_90 == pytest.approx(0.9, abs=0.005)


@pytest.mark.parametrize("step", [1, 3])
def test_what_is_not_yet_known_moves_nothing(step: int) -> None:
    """A changed actual moves the levels from the day on at whose close it is known, and none before."""
    forecast, actual = problem(days=60, tickers=5)
    changed = actual.log_return.copy()
    day = 30
    changed[actual.origins.day == day] -= 1.0
    other = Actuals(actual.origins, changed, actual.last_close, actual.mase_scale)
    before, after = (recalibrated(forecast, each, (step,)).raw_levels[step] for each in (actual, other))
    same = (before == after).all(1)
    assert same[: day + step].all()
    assert not same[day + step :].any()


def test_the_first_days_are_as_the_forecast_has_them() -> None:
    forecast, actual = problem(days=30, tickers=3)
    found = recalibrated(forecast, actual, (3,))
    assert (found.raw_levels[3][:3] == LEVELS).all()
    assert not (found.raw_levels[3][3] == LEVELS).all()
    first = actual.origins.day < 3
    assert np.allclose(
        found.at_step(3).take(first).values, forecast.at_step(3).take(first).quantile(LEVELS), atol=1e-4
    )


def test_the_levels_after_the_last_actual_follow_from_all_of_them() -> None:
    forecast, actual = problem(days=40, tickers=3)
    found = recalibrated(forecast, actual, (1,))
    levels = LEVELS
    for day in range(39):  # the last day has no actual
        rows = actual.origins.day == day
        levels = moved(levels, forecast.at_step(1).take(rows).probability_below(actual.log_return[rows, 0]))
    assert np.allclose(found.after[1], levels, atol=1e-12)


def test_some_of_the_origins_are_those_of_all() -> None:
    forecast, actual = problem(days=30, tickers=3)
    found = recalibrated(forecast, actual, (1, 3))
    chosen = np.array([70, 3, 8])
    part = found.take(chosen)
    assert isinstance(part, CalibratedForecast)
    assert part.steps == (1, 3)
    assert np.array_equal(part.at_step(3).values, found.at_step(3).values[chosen])
