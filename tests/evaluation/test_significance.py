import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray
from scipy import stats

from forecaster.evaluation.significance import (
    daily_mean,
    diebold_mariano,
    holm,
    lead_of,
    ratio_interval,
    skill_interval,
    wald,
)


def independent_test(difference: NDArray[np.float64], horizon: int) -> tuple[float, float]:
    """Lazarus, Lewis, Stock & Watson (2018), equations 3 and 4, in plain loops."""
    n = len(difference)
    count = max(1, math.floor(0.4 * min(n ** (2 / 3), n / horizon)))
    mean = sum(difference) / n
    variance = 0.0
    for number in range(1, count + 1):
        weight = sum(
            math.sqrt(2 / n) * math.cos(math.pi * number * (t - 0.5) / n) * (difference[t - 1] - mean)
            for t in range(1, n + 1)
        )
        variance += weight**2 / count
    statistic = math.sqrt(n) * mean / math.sqrt(variance)
    return statistic, 2 * stats.t.sf(abs(statistic), count)


def test_tickers_of_a_day_are_averaged_and_days_put_in_order() -> None:
    days, loss = daily_mean(np.array([5.0, 1.0, 4.0, 7.0]), np.array([9, 2, 2, 9]))
    assert days.tolist() == [2, 9]
    assert loss.tolist() == [2.5, 6.0]


def test_ten_days_by_hand() -> None:
    # ⌊0.4 · 10^(2/3)⌋ = 1 cosine, cos(π (t − ½) / 10). Of the series (1, 0, …, 0) its weight is
    # √(2/10) · cos(π/20), so that the variance is ⅕ cos²(π/20), and the statistic √10 · 0.1 over its root.
    difference = np.zeros(10)
    difference[0] = 1.0
    found = diebold_mariano(difference, 1)
    assert found.statistic == pytest.approx(np.sqrt(10) * 0.1 / np.sqrt(0.2 * np.cos(np.pi / 20) ** 2))
    assert found.p_value == pytest.approx(2 * stats.t.sf(found.statistic, 1))
    assert (found.days, found.frequencies) == (10, 1)
    assert found.name == "Diebold–Mariano, EWC, 1 cosines, 10 days"
    assert found.described() == {
        "name": "Diebold–Mariano, EWC",
        "statistic": found.statistic,
        "cosines": 1,
        "days": 10,
        "p_value": found.p_value,
    }


@pytest.mark.parametrize(
    ("days", "horizon", "frequencies"),
    [(250, 1, 15), (1000, 1, 39), (50, 5, 4), (250, 5, 15), (210, 21, 4), (1000, 21, 19)],
)
def test_cosines_grow_with_the_days_and_fall_with_the_horizon(
    days: int, horizon: int, frequencies: int
) -> None:
    assert diebold_mariano(np.arange(days) + 1.0, horizon).frequencies == frequencies


@pytest.mark.parametrize("horizon", [1, 2, 5, 21])
def test_equal_to_an_independent_implementation(horizon: int) -> None:
    shocks = np.random.default_rng(horizon).normal(size=320)
    difference = np.convolve(shocks, np.ones(horizon), "valid") + 0.3
    found = diebold_mariano(difference, horizon)
    assert (found.statistic, found.p_value) == pytest.approx(independent_test(difference, horizon))


def test_a_negative_statistic_favours_the_first_forecast() -> None:
    difference = np.random.default_rng(0).normal(-0.2, 1, 500)
    found, mirrored = diebold_mariano(difference, 3), diebold_mariano(-difference, 3)
    assert found.statistic < 0
    assert mirrored.statistic == pytest.approx(-found.statistic)
    assert mirrored.p_value == pytest.approx(found.p_value)


def losses(days: int, horizon: int, memory: float, trials: int, seed: int = 7) -> NDArray[np.float64]:
    """(trials, days) sums over `horizon` days of daily news that goes on with this autocorrelation."""
    random = np.random.default_rng(seed)
    news = random.normal(size=(trials, days + horizon - 1 + 50))
    for day in range(1, news.shape[1]):
        news[:, day] += memory * news[:, day - 1]
    sums = np.cumsum(np.pad(news[:, 50:], ((0, 0), (1, 0))), axis=1)
    return (sums[:, horizon:] - sums[:, :-horizon]) / math.sqrt(horizon)


def refused(days: int, horizon: int, memory: float, trials: int, mean: float = 0.0) -> float:
    return float(
        np.mean(
            [
                diebold_mariano(row + mean, horizon).p_value < 0.05
                for row in losses(days, horizon, memory, trials)
            ]
        )
    )


@pytest.mark.parametrize(("days", "horizon"), [(10, 1), (250, 1), (50, 5), (210, 21)])
@pytest.mark.parametrize("memory", [0.0, 0.5])
def test_a_true_null_is_rejected_in_one_of_twenty(days: int, horizon: int, memory: float) -> None:
    # Three standard errors of a share of 5 % in 2,000 trials are 1.5 %.
    assert 0.035 < refused(days, horizon, memory, 2000) < 0.065 + 0.01


@pytest.mark.slow
@pytest.mark.parametrize("horizon", [1, 5, 21])
@pytest.mark.parametrize("memory", [0.0, 0.5])
def test_the_size_is_five_per_cent(horizon: int, memory: float) -> None:
    for days in (10 * horizon, 250, 1000):
        assert refused(days, horizon, memory, 20_000) == pytest.approx(0.05, abs=0.015)


@pytest.mark.slow
def test_a_difference_of_a_quarter_of_the_deviation_is_found_in_a_year() -> None:
    assert refused(250, 1, 0.0, 5_000, mean=0.25) > 0.93
    assert refused(1000, 1, 0.5, 5_000, mean=0.25) > 0.93


@pytest.mark.parametrize("horizon", [1, 5])
def test_a_skill_lies_in_its_interval_nineteen_times_of_twenty(horizon: int) -> None:
    inside = 0
    for common, own in zip(
        losses(300, horizon, 0.5, 1000, seed=1), losses(300, horizon, 0.0, 1000, seed=2), strict=True
    ):
        reference = 1 + 0.1 * common
        found = skill_interval(0.98 * reference + 0.02 * own, reference, horizon)
        inside += found.low <= 0.02 <= found.high
        assert found.low <= found.value <= found.high
    assert 0.93 < inside / 1000 < 0.97


def test_the_interval_excludes_zero_where_the_test_rejects() -> None:
    reference = 1 + 0.1 * losses(300, 1, 0.3, 1)[0]
    better = 0.98 * reference + 0.001 * losses(300, 1, 0.0, 1, seed=9)[0]
    assert diebold_mariano(better - reference, 1).p_value < 0.001
    assert skill_interval(better, reference, 1).low > 0
    assert math.isinf(skill_interval(better[:20], reference[:20], 5).high)


@pytest.mark.parametrize(
    ("difference", "horizon"),
    [
        pytest.param(np.zeros(0), 1, id="no days"),
        pytest.param(np.arange(9.0), 1, id="nine days"),
        pytest.param(np.arange(49.0), 5, id="49 days of overlapping weeks"),
    ],
)
def test_nothing_to_tell(difference: NDArray[np.float64], horizon: int) -> None:
    found = diebold_mariano(difference, horizon)
    assert np.isnan([found.statistic, found.p_value]).all()
    assert found.frequencies == 0


def test_no_difference_on_any_day() -> None:
    found = diebold_mariano(np.zeros(100), 1)
    assert (found.statistic, found.p_value) == (0.0, 1.0)


def test_the_same_difference_every_day_is_beyond_doubt() -> None:
    found = diebold_mariano(np.full(50, -0.5), 5)
    assert (found.statistic, found.p_value) == (-np.inf, 0.0)


def test_unknown_differences_are_rejected() -> None:
    with pytest.raises(ValueError, match="unknown differences"):
        diebold_mariano(np.array([0.1, np.nan, 0.2]), 1)


@pytest.mark.parametrize("seed_spread", [0.0, 0.01])
def test_a_lead_lies_in_its_interval_whatever_seeds_and_days_come(seed_spread: float) -> None:
    """Recipes 2 % apart, whose runs differ by their seeds: at least nineteen intervals of twenty hold 2 %."""
    random = np.random.default_rng(4)
    inside = 0
    for trial in range(1000):
        common = losses(250, 1, 0.3, 1, seed=trial)[0]
        runs = {}
        for recipe, level in (("one", 0.98), ("other", 1.0)):
            own = level * (1 + 0.1 * common) + 0.02 * random.normal(size=(5, 250))
            runs[recipe] = own + level * seed_spread * random.normal(size=(5, 1))
        found = lead_of(
            runs["one"].mean(0),
            runs["other"].mean(0),
            runs["one"].mean(1).tolist(),
            runs["other"].mean(1).tolist(),
            1,
        ).interval
        inside += found.low <= 0.02 <= found.high
    assert inside / 1000 > 0.93


def test_one_seed_gives_a_lead_no_interval() -> None:
    series = 1 + 0.1 * losses(250, 1, 0.0, 2)
    found = lead_of(series[0], series[1], [1.0], [1.0, 1.1], 1)
    assert math.isinf(found.interval.low)
    assert math.isfinite(found.interval.value)
    assert math.isnan(found.p_value)


def test_a_lead_over_what_has_no_seed_by_hand() -> None:
    """Variance of days by the test's own estimate, plus that of four seeds over 4."""
    rival = 1 + 0.1 * losses(250, 1, 0.0, 1)[0]
    own = 0.98 * rival + 0.01 * losses(250, 1, 0.0, 1, seed=3)[0]
    seeds = [0.97, 0.98, 0.985, 0.99]
    days_only = skill_interval(own, rival, 1)
    of_days = (days_only.high - days_only.value) / stats.t.isf(0.025, 15)
    of_seeds = np.std(seeds, ddof=1) / 2 / rival.mean()
    variance = of_days**2 + of_seeds**2
    degrees = variance**2 / (of_days**4 / 15 + of_seeds**4 / 3)
    found = lead_of(own, rival, seeds, None, 1)
    assert found.degrees_of_freedom == pytest.approx(degrees)
    reach = stats.t.isf(0.025, degrees) * math.sqrt(variance)
    assert found.interval.low == pytest.approx(found.interval.value - reach)
    assert found.p_value == pytest.approx(2 * stats.t.sf(found.interval.value / math.sqrt(variance), degrees))
    assert found.interval.low < days_only.low


@pytest.mark.parametrize(
    ("found", "adjusted"),
    [
        pytest.param([0.01, 0.04, 0.03], [0.03, 0.06, 0.06], id="by hand"),
        pytest.param([0.6, 0.5], [1, 1], id="never above one"),
        pytest.param([0.02], [0.02], id="one"),
        pytest.param([], [], id="none"),
        pytest.param([0.01, math.nan], [0.02, math.nan], id="unknown counts as tried"),
    ],
)
def test_holm(found: list[float], adjusted: list[float]) -> None:
    assert holm(found) == pytest.approx(adjusted, nan_ok=True)


@given(st.lists(st.floats(0, 1), min_size=1, max_size=12))
def test_holm_is_between_none_and_bonferroni_and_keeps_the_order(p_values: list[float]) -> None:
    adjusted = holm(p_values)
    for p, found in zip(p_values, adjusted, strict=True):
        assert p <= found <= min(1, len(p_values) * p) + 1e-12
    assert [adjusted[place] for place in np.argsort(p_values, kind="stable")] == sorted(adjusted)


def test_one_of_many_true_nulls_is_rejected_in_one_of_twenty_families() -> None:
    families = np.random.default_rng(0).uniform(size=(4000, 6))
    assert np.mean([min(holm(row.tolist())) < 0.05 for row in families]) == pytest.approx(0.05, abs=0.012)


def test_a_ratio_by_hand() -> None:
    """Hits of moves on ten days; one cosine, as in the test of ten days."""
    hits, moves = np.array([3.0, *[2.0] * 9]), np.full(10, 4.0)
    found = ratio_interval(hits, moves, 1)
    assert found.value == pytest.approx(21 / 40)
    error = np.sqrt(0.2 * np.cos(np.pi / 20) ** 2 / 10) / 4
    assert found.high - found.value == pytest.approx(stats.t.isf(0.025, 1) * error)
    assert math.isinf(ratio_interval(hits, moves, 2).low)


def independent_wald(series: NDArray[np.float64], horizon: int) -> tuple[float, float]:
    n, q = series.shape
    count = max(1, math.floor(0.4 * min(n ** (2 / 3), n / horizon)))
    covariance = np.zeros((q, q))
    for number in range(1, count + 1):
        weight = sum(
            math.sqrt(2 / n) * math.cos(math.pi * number * (t - 0.5) / n) * series[t - 1]
            for t in range(1, n + 1)
        )
        covariance += np.outer(weight, weight) / count
    mean = series.mean(0)
    hotelling = n * mean @ np.linalg.inv(covariance) @ mean
    statistic = (count - q + 1) / (count * q) * hotelling
    return statistic, float(stats.f.sf(statistic, q, count - q + 1))


@pytest.mark.parametrize("horizon", [1, 5])
def test_the_test_of_several_means_equals_an_independent_one(horizon: int) -> None:
    series = np.random.default_rng(horizon).normal(0.05, 1, size=(300, 3)) @ np.array(
        [[1, 0.5, 0], [0, 1, 0.2], [0, 0, 0.1]]
    )
    found = wald(series.mean(0), series, horizon)
    assert (found.statistic, found.p_value) == pytest.approx(independent_wald(series, horizon))
    one = wald(series[:, :1].mean(0), series[:, :1], horizon)
    single = diebold_mariano(series[:, 0], horizon)
    assert one.statistic == pytest.approx(single.statistic**2)
    assert one.p_value == pytest.approx(single.p_value)


def test_several_means_need_as_many_cosines() -> None:
    series = np.random.default_rng(0).normal(size=(30, 4))
    assert math.isnan(wald(series.mean(0), series, 1).p_value)  # three cosines
    assert math.isnan(wald(np.zeros(2), np.zeros((300, 2)), 1).p_value)  # the same on every day
