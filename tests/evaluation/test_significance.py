import numpy as np
import pytest
from numpy.typing import NDArray
from scipy import stats

from forecaster.evaluation.significance import daily_mean, diebold_mariano


def independent_test(difference: NDArray[np.float64], horizon: int) -> tuple[float, float]:
    """Harvey, Leybourne & Newbold (1997), equations 8 and 9, in plain loops."""
    n = len(difference)
    mean = sum(difference) / n
    variance = 0.0
    for lag in range(horizon):
        gamma = sum((difference[t] - mean) * (difference[t - lag] - mean) for t in range(lag, n)) / n
        variance += gamma if lag == 0 else 2 * gamma
    statistic = mean / (variance / n) ** 0.5
    statistic *= ((n + 1 - 2 * horizon + horizon * (horizon - 1) / n) / n) ** 0.5
    return statistic, 2 * stats.t.sf(abs(statistic), n - 1)


def test_tickers_of_a_day_are_averaged_and_days_put_in_order() -> None:
    days, loss = daily_mean(np.array([5.0, 1.0, 4.0, 7.0]), np.array([9, 2, 2, 9]))
    assert days.tolist() == [2, 9]
    assert loss.tolist() == [2.5, 6.0]


def test_one_step_is_students_one_sample_test() -> None:
    # With h = 1 the correction turns the variance with 1/n into the one with 1/(n − 1).
    difference = np.array([1.0, 2.0, -1.0, 3.0, 0.5])
    expected = stats.ttest_1samp(difference, 0.0)
    found = diebold_mariano(difference, 1)
    assert found.statistic == pytest.approx(expected.statistic)
    assert found.p_value == pytest.approx(expected.pvalue)
    assert found.days == 5


def test_two_steps_by_hand() -> None:
    # Mean 2; γ0 = (1 + 0 + 1 + 0) / 4 = ½; γ1 = 0, so the variance of the mean is ⅛. The correction is
    # (4 + 1 − 4 + 2/4) / 4 = 3/8, and the statistic 2 / √⅛ · √⅜ = √12.
    found = diebold_mariano(np.array([1.0, 2.0, 3.0, 2.0]), 2)
    assert found.statistic == pytest.approx(np.sqrt(12))
    assert found.p_value == pytest.approx(2 * stats.t.sf(np.sqrt(12), 3))


@pytest.mark.parametrize("horizon", [1, 2, 5, 21])
def test_equal_to_an_independent_implementation(horizon: int) -> None:
    shocks = np.random.default_rng(horizon).normal(size=320)
    difference = np.convolve(shocks, np.ones(horizon), "valid") + 0.3
    found = diebold_mariano(difference, horizon)
    assert (found.statistic, found.p_value) == pytest.approx(independent_test(difference, horizon))


def test_bartlett_weights_where_the_plain_variance_is_not_positive() -> None:
    # Deviations +1, −1, …: γ0 = 1, γ1 = −3/4, so γ0 + 2γ1 < 0; with weight ½ it is 1 − ¾ = ¼.
    found = diebold_mariano(np.array([2.0, 0.0, 2.0, 0.0]), 2)
    assert found.statistic == pytest.approx(1 / np.sqrt(0.25 / 4) * np.sqrt(3 / 8))


def test_bartlett_weights_of_three_steps_by_hand() -> None:
    # Deviations 1, 1, −2, …: γ0 = 2, γ1 = −4/6, γ2 = −5/6; weighted by 2/3 and 1/3 it is 2 − 26/18 = 5/9.
    found = diebold_mariano(np.array([2.0, 2.0, -1.0, 2.0, 2.0, -1.0]), 3)
    assert found.statistic == pytest.approx(1 / np.sqrt(5 / 9 / 6) * np.sqrt(1 / 3))


def test_bartlett_weights_where_the_plain_variance_is_zero() -> None:
    # Deviations 1, −1, 0: γ0 = 2/3, γ1 = −1/3; weighted by ½ it is 1/3, and the correction 2/9.
    assert diebold_mariano(np.array([2.0, 0.0, 1.0]), 2).statistic == pytest.approx(np.sqrt(2))


def test_a_negative_statistic_favours_the_first_forecast() -> None:
    difference = np.random.default_rng(0).normal(-0.2, 1, 500)
    found, mirrored = diebold_mariano(difference, 3), diebold_mariano(-difference, 3)
    assert found.statistic < 0
    assert mirrored.statistic == pytest.approx(-found.statistic)
    assert mirrored.p_value == pytest.approx(found.p_value)


@pytest.mark.parametrize("horizon", [1, 5])
def test_a_true_null_is_rejected_in_one_of_twenty(horizon: int) -> None:
    random = np.random.default_rng(7)
    trials = 2000
    shocks = random.normal(size=(trials, 300 + horizon - 1))
    overlapping = [np.convolve(row, np.ones(horizon), "valid") for row in shocks]
    refused = np.mean([diebold_mariano(row, horizon).p_value < 0.05 for row in overlapping])
    # Three standard errors of a share of 5 % are 1.5 %; overlapping steps keep a little excess.
    assert 0.035 < refused < (0.065 if horizon == 1 else 0.075)


@pytest.mark.parametrize(
    ("difference", "horizon"),
    [
        pytest.param(np.zeros(100), 1, id="no difference"),
        pytest.param(np.zeros(0), 1, id="no days"),
        pytest.param(np.array([1.0, 2.0, 4.0]), 3, id="no more days than the horizon"),
        pytest.param(np.array([1.0, 2.0]), 5, id="fewer days than the horizon"),
    ],
)
def test_nothing_to_tell(difference: NDArray[np.float64], horizon: int) -> None:
    found = diebold_mariano(difference, horizon)
    assert (found.statistic, found.p_value) == (0.0, 1.0)


def test_the_same_difference_every_day_is_beyond_doubt() -> None:
    found = diebold_mariano(np.full(50, -0.5), 5)
    assert (found.statistic, found.p_value) == (-np.inf, 0.0)


def test_unknown_differences_are_rejected() -> None:
    with pytest.raises(ValueError, match="unknown differences"):
        diebold_mariano(np.array([0.1, np.nan, 0.2]), 1)
