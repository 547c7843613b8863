"""One model's scores, by hand and by scikit-learn."""

from dataclasses import asdict, replace

import numpy as np
import pytest
import scipy.stats
from factories import panel_of, random_walk_table
from sklearn.metrics import (
    mean_absolute_error,
    mean_absolute_percentage_error,
    mean_pinball_loss,
    root_mean_squared_error,
)

from forecaster.evaluation import metrics
from forecaster.evaluation.baselines import naive, riskmetrics_t
from forecaster.evaluation.forecasts import Origins
from forecaster.evaluation.scoring import Actuals, actuals, against, mean_of_seeds, score_step
from forecaster.evaluation.significance import diebold_mariano
from forecaster.network.student_t import ForecastDistribution


def actual(log_return: list[list[float]], day: list[int] | None = None) -> Actuals:
    """Closes of 100 and a usual daily error of 0.01."""
    count = len(log_return)
    origins = Origins(np.zeros(count, dtype=np.intp), np.array(day or range(count)))
    known = np.array(log_return, dtype=np.float32)
    return Actuals(origins, known, np.full(count, 100.0), np.full(count, 0.01))


def normal(location: list[list[float]], scale: float = 0.01) -> ForecastDistribution:
    centre = np.array(location)
    return ForecastDistribution(centre, np.full_like(centre, scale), np.full_like(centre, np.inf))


def test_point_errors_are_those_of_scikit_learn() -> None:
    truth = actual([[0.01], [-0.02], [0.03]])
    predicted = normal([[0.02], [-0.01], [-0.01]])
    scores = score_step(predicted, truth, 1).scores
    price, expected = 100 * np.exp([0.01, -0.02, 0.03]), 100 * np.exp([0.02, -0.01, -0.01])
    assert scores.mae == pytest.approx(mean_absolute_error(price, expected), rel=1e-6)
    assert scores.rmse == pytest.approx(root_mean_squared_error(price, expected), rel=1e-6)
    assert scores.mape == pytest.approx(100 * mean_absolute_percentage_error(price, expected), rel=1e-6)
    assert scores.mase == pytest.approx((1 + 1 + 4) / 3, rel=1e-5)
    assert scores.mae_return == pytest.approx(0.02, rel=1e-5)
    assert scores.directional_accuracy == pytest.approx(2 / 3)
    assert scores.forecasts == 3


def test_the_range_is_scored_by_its_quantiles() -> None:
    observed = np.linspace(-0.03, 0.03, 61)
    scores = score_step(normal([[0.0]] * 61), actual([[value] for value in observed]), 1).scores
    levels = np.arange(1, 20) / 20
    losses = [
        mean_pinball_loss(observed, np.full(61, quantile), alpha=level)
        for level, quantile in zip(levels, 0.01 * scipy.stats.norm.ppf(levels), strict=True)
    ]
    assert scores.crps == pytest.approx(2 * np.mean(losses), rel=1e-5)
    assert scores.coverage_90 == pytest.approx((np.abs(observed / 0.01) <= 1.6448536).mean())


def test_each_step_is_scored_on_its_own_where_it_is_known() -> None:
    truth = actual([[0.0, 0.01], [0.02, np.nan]])
    predicted = normal([[0.01, 0.01], [0.01, 0.01]])
    first, second = (score_step(predicted, truth, step) for step in (1, 2))
    assert (first.scores.forecasts, second.scores.forecasts) == (2, 1)
    assert first.scores.mae_return == pytest.approx(0.01, rel=1e-5)
    assert second.scores.mae_return == pytest.approx(0.0, abs=1e-8)
    assert (first.day.tolist(), second.day.tolist()) == ([0, 1], [0])


@pytest.mark.parametrize("step", [1, 2, 3, 4])
def test_a_step_has_its_own_location_scale_and_tails(step: int) -> None:
    location = np.array([[0.0, 0.01, -0.02, 0.03], [0.02, -0.01, 0.04, 0.01]])
    scale = np.array([[0.01, 0.02, 0.03, 0.04], [0.05, 0.01, 0.02, 0.03]])
    degrees = np.array([[3.0, 5.0, 8.0, np.inf], [4.0, 6.0, 9.0, 30.0]])
    log_return = np.array([[0.01, 0.03, 0.0, -0.05], [0.04, 0.02, 0.01, 0.09]])
    column = slice(step - 1, step)
    alone = ForecastDistribution(location[:, column], scale[:, column], degrees[:, column])
    scored = score_step(ForecastDistribution(location, scale, degrees), actual(log_return.tolist()), step)
    expected = score_step(alone, actual(log_return[:, column].tolist()), 1)
    assert scored.scores == expected.scores
    assert (scored.scores.skill, scored.scores.p_value) == (0, 1)
    assert (scored.scores.point_skill, scored.scores.point_p_value) == (0, 1)


def test_daily_losses_are_means_over_tickers() -> None:
    truth = actual([[0.01], [0.03], [0.05]], day=[4, 4, 7])
    scored = score_step(normal([[0.0]] * 3), truth, 1)
    assert scored.day.tolist() == [4, 7]
    np.testing.assert_allclose(scored.absolute_error, [0.02, 0.05], rtol=1e-6)


def test_skill_is_against_the_reference() -> None:
    truth = actual([[0.01], [-0.02], [0.03], [0.01]] * 5)
    mixed = [[0.01], [-0.05], [0.01], [0.02]] * 5  # now better, now worse
    good, bad = score_step(normal([[0.01]] * 20), truth, 1), score_step(normal(mixed), truth, 1)
    scores = against(good, bad, 1)
    assert scores.skill == pytest.approx(1 - good.scores.crps / bad.scores.crps)
    assert scores.point_skill == pytest.approx(1 - good.scores.mae_return / bad.scores.mae_return)
    assert scores.p_value == diebold_mariano(good.crps - bad.crps, 1).p_value < 0.05
    assert scores.point_p_value == diebold_mariano(good.absolute_error - bad.absolute_error, 1).p_value
    itself = against(bad, bad, 1)
    assert (itself.skill, itself.p_value, itself.point_p_value) == (0, 1, 1)


def test_seeds_are_averaged() -> None:
    truth = actual([[0.01], [0.02]], day=[3, 5])
    runs = [score_step(normal([[0.0], [value]]), truth, 1) for value in (0.0, 0.02)]
    mean = mean_of_seeds(runs)
    assert mean.scores.forecasts == 2
    for name, value in asdict(mean.scores).items():
        assert value == pytest.approx(np.mean([getattr(run.scores, name) for run in runs]))
    np.testing.assert_allclose(mean.absolute_error, [0.01, 0.01], rtol=1e-6)
    np.testing.assert_allclose(mean.crps, (runs[0].crps + runs[1].crps) / 2)
    assert mean.day.tolist() == [3, 5]


def test_the_actual_is_looked_up_in_the_panel() -> None:
    panel = panel_of(random_walk_table("AAA", 100), random_walk_table("BBB", 100, seed=1))
    origins = Origins(np.array([0, 1]), np.array([80, 98]))
    truth = actuals(panel, origins, 2, range(60))
    np.testing.assert_array_equal(truth.last_close, [panel.close[0, 80], panel.close[1, 98]])
    expected = np.log(panel.close[[0, 1], [82, 99]] / panel.close[[0, 1], [80, 98]])
    np.testing.assert_allclose([truth.log_return[0, 1], truth.log_return[1, 0]], expected, rtol=1e-4)
    assert np.isnan(truth.log_return[1, 1])
    np.testing.assert_allclose(truth.mase_scale, np.abs(panel.log_return[:, 1:60]).mean(1), rtol=1e-5)


def test_a_ticker_listed_after_training_takes_the_panel_s_mase_scale() -> None:
    young = random_walk_table("BBB", 30, seed=1, after="2015-04-01")
    panel = panel_of(random_walk_table("AAA", 92), young)
    truth = actuals(panel, Origins(np.array([0, 1]), np.array([80, 80])), 1, range(60))
    assert truth.mase_scale[1] == truth.mase_scale[0]


def test_a_price_that_never_moved_has_a_mase_scale_above_zero() -> None:
    panel = panel_of(random_walk_table("AAA", 100, volatility=0.0))
    truth = actuals(panel, Origins(np.array([0]), np.array([80])), 1, range(60))
    assert 0 < truth.mase_scale[0] < 1e-9


def test_the_right_range_beats_a_wrong_one() -> None:
    """Volatility that changes by the year: RiskMetrics follows it, the naive range does not."""
    calm, wild = random_walk_table(days=400, volatility=0.005), random_walk_table(days=400, volatility=0.05)
    panel = panel_of(calm)
    log_return = np.concatenate([panel.log_return[:, :200], panel_of(wild).log_return[:, 200:]], axis=1)
    panel = replace(panel, log_return=log_return)
    origins = Origins(np.zeros(150, dtype=np.intp), np.arange(230, 380))
    truth = actuals(panel, origins, 1, range(200))
    risk, walk = (score_step(model(panel, origins, 1), truth, 1) for model in (riskmetrics_t, naive))
    scores = against(risk, walk, 1)
    assert scores.skill > 0.02


def test_coverages_tails_and_exact_scores_are_those_of_the_distribution() -> None:
    random = np.random.default_rng(5)
    moves = random.normal(0, 0.02, size=(4000, 1)).astype(np.float32)
    scores = score_step(normal([[0.0]] * 4000, scale=0.02), actual(moves.tolist()), 1).scores
    for level, found in {50: scores.coverage_50, 80: scores.coverage_80, 95: scores.coverage_95}.items():
        assert found == pytest.approx(level / 100, abs=0.025)
    assert scores.coverage_99 == pytest.approx(0.99, abs=0.006)
    assert scores.below_05 + scores.coverage_90 + scores.above_95 == pytest.approx(1, abs=1e-3)
    assert scores.crps_exact == pytest.approx(0.02 / np.sqrt(np.pi), rel=0.03)
    assert scores.crps / scores.crps_exact == pytest.approx(1.046, abs=0.01)  # what 19 quantiles leave out
    assert scores.log_score == pytest.approx(np.log(0.02 * np.sqrt(2 * np.pi)) + 0.5, abs=0.05)
    width = 2 * 1.645 * 0.02
    beyond = 2 * 20 * 0.02 * (scipy.stats.norm.pdf(1.645) - 1.645 * 0.05)  # twice the mean excess over an end
    assert scores.interval_score_90 == pytest.approx(width + beyond, rel=0.03)


def test_an_interval_score_by_hand() -> None:
    # Widths 2 and 2; the second actual lies 0.5 above, which costs 20 · 0.5.
    found = metrics.interval_score(np.array([0.0, 1.5]), np.full(2, -1.0), np.full(2, 1.0), 0.9)
    assert found == pytest.approx((2 + 2 + 10) / 2)


def test_the_last_close_explains_nearly_all_of_the_price() -> None:
    """And is nearer to itself than to anything: what a chart of prices and forecasts does not show."""
    moves = np.random.default_rng(6).normal(0, 0.02, size=(500, 1))
    truth = replace(actual(moves.tolist()), last_close=np.linspace(50, 200, 500))
    scores = score_step(normal([[0.0]] * 500), truth, 1).scores
    price = truth.last_close * np.exp(truth.log_return[:, 0])
    expected = 1 - np.square(price - truth.last_close).sum() / np.square(price - price.mean()).sum()
    assert scores.r2_price == pytest.approx(expected)
    assert expected > 0.99
    assert scores.nearer_last == 1
    oracle = score_step(normal(truth.log_return.tolist()), truth, 1).scores
    assert (oracle.r2_price, oracle.nearer_last) == (pytest.approx(1), 0)
