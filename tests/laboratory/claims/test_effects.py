import math
from collections.abc import Callable

import numpy as np
import pytest
from scipy.stats import t as student_t
from scipy.stats import ttest_ind

from forecaster.laboratory.claims.effects import (
    POINTS,
    Effect,
    difference_of_forecasts,
    difference_of_means,
    difference_of_shares,
    mean_of,
    paired_difference,
    ratio_of_means,
    share_of,
    wilson,
)


def outcome(daily: np.ndarray, first_day: int = 0) -> dict[str, object]:
    return {
        "crps": float(daily.mean()),
        "days": list(range(first_day, first_day + len(daily))),
        "daily_crps": daily.tolist(),
    }


@pytest.mark.parametrize(
    ("effect", "shown"),
    [
        pytest.param(Effect.about(-0.206, 0.194), "-0.21 % (-0.40 to -0.01)", id="per cent"),
        pytest.param(Effect.about(250, 1000), "+250 % (-750 to +1,250)", id="hundreds"),
        pytest.param(Effect.about(33.3, 41.2, POINTS), "+33 points (-8 to +74)", id="points"),
        pytest.param(Effect.about(3.1416, 1, "steps"), "3.14 steps (2.14 to 4.14)", id="another unit"),
        pytest.param(Effect.about(3.1416, 1, ""), "3.14 (2.14 to 4.14)", id="no unit"),
        pytest.param(Effect.exact(4, "×"), "4 ×", id="computed"),
        pytest.param(Effect.about(-0.5, math.inf), "-0.50 %, no interval from so few runs", id="one run"),
    ],
)
def test_an_effect_is_shown_with_its_interval(effect: Effect, shown: str) -> None:
    assert str(effect) == shown


@pytest.mark.parametrize(("first_seeds", "second_seeds"), [(1, 1), (1, 2), (2, 1)])
def test_one_seed_says_nothing_of_other_seeds(first_seeds: int, second_seeds: int) -> None:
    random = np.random.default_rng(0)
    first, second = random.normal(1, 0.1, (2, 400))
    found = difference_of_forecasts([outcome(first)] * first_seeds, [outcome(second)] * second_seeds)
    assert found.value == pytest.approx(100 * (first.mean() / second.mean() - 1))
    assert found.margin == math.inf


def test_forecasts_by_hand() -> None:
    """Four days, two seeds each.

    Means over seeds 3, 3, 3, 3 and 2, 2, 1, 3: differences 1, 1, 2, 0 with mean 1, variance 2/3, over
    four days 1/6, 3 degrees of freedom. Seeds 2.5 and 3.5: variance 1/2, over two seeds 1/4, 1 degree;
    the second's seeds agree. Together 5/12 on (5/12)² / ((1/6)² / 3 + (1/4)²) = 2.41935 degrees, so
    that t = 3.661364.
    """
    flat, falling = np.full(4, 3.0), np.array([2.0, 2.0, 1.0, 3.0])
    found = difference_of_forecasts(
        [outcome(flat - 0.5), outcome(flat + 0.5)], [outcome(falling), outcome(falling)]
    )
    assert student_t.ppf(0.975, 75 / 31) == pytest.approx(3.661364, rel=1e-5)
    assert found.value == pytest.approx(50)
    assert found.margin == pytest.approx(3.661364 * math.sqrt(5 / 12) * 50, rel=1e-5)


def test_days_count_where_their_differences_cancel() -> None:
    """A mean difference of exactly zero is no more certain than another."""
    up, down = np.array([1.0, 2.0, 1.0, 2.0]), np.array([2.0, 1.0, 2.0, 1.0])
    found = difference_of_forecasts([outcome(up)] * 2, [outcome(down)] * 2)
    assert found.value == 0
    assert found.margin == pytest.approx(3.18245 * math.sqrt(4 / 3 / 4) / 1.5 * 100, rel=1e-5)


def test_seeds_that_disagree_widen_the_interval() -> None:
    random = np.random.default_rng(0)
    first, second = random.normal(1, 0.1, (2, 400))
    calm = difference_of_forecasts([outcome(first)] * 2, [outcome(second)] * 2)
    wild = difference_of_forecasts([outcome(first - 0.1), outcome(first + 0.1)], [outcome(second)] * 2)
    assert wild.value == pytest.approx(calm.value)
    assert wild.margin > 5 * calm.margin


def test_the_same_networks_are_compared_seed_by_seed() -> None:
    """Seeds that are far apart, each with the same difference day by day: only the days count."""
    rises = np.array([1.0, 2.0, 1.0, 2.0])
    levels = [np.full(4, level) for level in (1.0, 5.0, 9.0)]
    first, second = [outcome(level + rises) for level in levels], [outcome(level) for level in levels]
    found = difference_of_forecasts(first, second, same_networks=True)
    assert found.value == pytest.approx(30)
    assert found.margin == pytest.approx(3.18245 * math.sqrt(1 / 3 / 4) / 5 * 100, rel=1e-5)
    assert difference_of_forecasts(first, second).margin > 3 * found.margin


def test_only_common_days_are_compared() -> None:
    losses = np.arange(1.0, 11.0)
    found = difference_of_forecasts([outcome(losses)], [outcome(losses[2:] * 2, first_day=2)])
    assert found.value == pytest.approx(-50)


def test_seeds_are_compared_on_the_common_days() -> None:
    """What one seed lost on a day that the other forecast lacks says nothing of the difference."""
    common = np.array([1.0, 2.0, 3.0])
    first = [outcome(np.append(common, last)) for last in (0.0, 100.0)]
    found = difference_of_forecasts(first, [outcome(2 * common)] * 2)
    assert found.margin == pytest.approx(4.30265 / math.sqrt(3) / 4 * 100, rel=1e-5)


def test_means_by_hand() -> None:
    """Means 3 and 2, variances 2 and 0 of two each: one degree of freedom, t = 12.706, √(2/2)."""
    found = difference_of_means([2, 4], [2, 2], "steps")
    assert (found.value, found.margin, found.unit) == (1, pytest.approx(12.706, rel=1e-4), "steps")
    assert difference_of_means([3, 3], [2, 2], "").margin == 0


@pytest.mark.parametrize(("first", "second"), [([3.0], [2.0, 2.1]), ([3.0, 3.1], [2.0])])
def test_means_of_one_value_have_no_interval(first: list[float], second: list[float]) -> None:
    assert difference_of_means(first, second, "").margin == math.inf
    assert ratio_of_means(first, second).high == math.inf
    assert ratio_of_means(first, second).low == 0


def test_means_equal_scipys_welch_interval() -> None:
    first, second = [1.2, 1.9, 1.4], [2.0, 2.3, 1.1, 1.7]
    found = difference_of_means(first, second, "")
    theirs = ttest_ind(first, second, equal_var=False).confidence_interval(0.95)
    assert (found.low, found.high) == pytest.approx((theirs.low, theirs.high))
    logs = ttest_ind(np.log(first), np.log(second), equal_var=False).confidence_interval(0.95)
    ratio = ratio_of_means(first, second)
    assert (ratio.low, ratio.high) == pytest.approx((math.exp(logs.low), math.exp(logs.high)))
    assert ratio.value == pytest.approx(np.exp(np.log(first).mean() - np.log(second).mean()))


def test_values_alike_are_no_more_certain_than_their_rounding() -> None:
    """Two of 100 each to the next 50: twice 0.5² / 12 / 2."""
    found = ratio_of_means([100, 100], [100, 100], grain=50)
    assert found.value == 1
    assert math.log(found.high) == pytest.approx(1.959964 * math.sqrt(0.25 / 12))
    clear = ratio_of_means([100, 100], [50, 50])
    assert (clear.low, clear.high) == pytest.approx((2, 2))


def test_mean_of_seeds_by_hand() -> None:
    found = mean_of([1.0, 2.0, 3.0], "steps")
    assert (found.value, found.margin, found.repeats) == (2, pytest.approx(4.30265 / math.sqrt(3)), 3)


@pytest.mark.parametrize(
    ("hits", "runs", "low", "high"),
    [
        pytest.param(0, 3, 0, 0.5615, id="none of three"),
        pytest.param(3, 3, 0.4385, 1, id="three of three"),
        pytest.param(81, 263, 0.2553, 0.3662, id="Newcombe's example"),
    ],
)
def test_shares_by_hand(hits: int, runs: int, low: float, high: float) -> None:
    assert wilson(hits, runs) == pytest.approx((low, high), abs=1e-4)
    found = share_of([number < hits for number in range(runs)])
    assert (found.low, found.high) == pytest.approx((100 * low, 100 * high), abs=0.01)


@pytest.mark.parametrize(
    ("first", "second", "low", "high"),
    [
        pytest.param((56, 70), (48, 80), 0.0524, 0.3339, id="56 of 70 less 48 of 80"),
        pytest.param((9, 10), (3, 10), 0.1705, 0.8090, id="9 of 10 less 3 of 10"),
        pytest.param((10, 10), (0, 10), 0.6075, 1.0, id="10 of 10 less none of 10"),
        pytest.param((0, 10), (0, 20), -0.1611, 0.2775, id="none less none"),
    ],
)
def test_differences_of_shares_are_newcombes(
    first: tuple[int, int], second: tuple[int, int], low: float, high: float
) -> None:
    """The examples of his table II, method 10."""
    one, other = ([number < hits for number in range(runs)] for hits, runs in (first, second))
    found = difference_of_shares(one, other)
    assert (found.low / 100, found.high / 100) == pytest.approx((low, high), abs=1e-4)


def test_one_disturbed_timing_moves_nothing() -> None:
    second = np.full(12, 2.0)
    first = np.full(12, 1.0)
    first[3] = 100.0
    found = paired_difference(first, second)
    assert (found.value, found.margin) == pytest.approx((-50, 0))


def in_per_cent(*percent: float) -> Effect:
    """The paired difference of values that exceed their seconds by so many per cent."""
    return paired_difference(1 + np.array(percent) / 100, np.ones(len(percent)))


@pytest.mark.parametrize(
    ("percent", "mean", "margin"),
    [
        # Kept 3 … 6; winsorised 3, 3, 3, 4, 5, 6, 6, 6: squares 14; √(14 / (4 · 3)), t(3) = 3.18245.
        pytest.param((40, 7, 6, 5, 4, 3, 2, 1), 4.5, 3.43744, id="eight, two cut each side"),
        # Kept 2, 3, 4; winsorised 2, 2, 3, 4, 4: squares 4; √(4 / (3 · 2)), t(2) = 4.30265.
        pytest.param((-90, 2, 3, 4, 90), 3, 3.51310, id="five, one cut each side"),
        # Kept whole: squares 2; √(2 / (3 · 2)), t(2) = 4.30265.
        pytest.param((1, 2, 3), 2, 2.48414, id="three, none cut"),
        # Kept 2, 3; winsorised 2, 2, 3, 3: squares 1; √(1 / (2 · 1)), t(1) = 12.7062.
        pytest.param((0, 2, 3, 9), 2.5, 8.98464, id="four, one cut each side"),
        pytest.param((5,), 5, math.inf, id="one has no interval"),
    ],
)
def test_paired_differences_by_hand(percent: tuple[float, ...], mean: float, margin: float) -> None:
    found = in_per_cent(*percent)
    assert (found.value, found.margin) == pytest.approx((mean, margin), rel=1e-5)


@pytest.mark.parametrize("pairs", [4, 12, 20, 40])
def test_paired_interval_is_scipys_of_trimmed_means(pairs: int) -> None:
    """Yuen's test against constants is the trimmed t of one sample."""
    percent = np.random.default_rng(pairs).standard_t(3, pairs)
    theirs = ttest_ind(percent, np.zeros(pairs), equal_var=False, trim=0.25).confidence_interval(0.95)
    found = in_per_cent(*percent)
    assert found.value + found.margin == pytest.approx(theirs.high)
    assert found.value - found.margin == pytest.approx(theirs.low)


def coverage(truth: float, repeats: int, draw: Callable[[], Effect]) -> float:
    """The share of intervals that contain the true difference."""
    return float(np.mean([found.low <= truth <= found.high for found in (draw() for _ in range(repeats))]))


@pytest.mark.parametrize("pairs", [5, 8, 10, 20, 30])
@pytest.mark.parametrize("tails", ["normal", "heavy"])
def test_paired_intervals_cover_as_often_as_they_say(pairs: int, tails: str) -> None:
    random = np.random.default_rng(pairs)
    noise = random.standard_normal if tails == "normal" else lambda size: random.standard_t(3, size)
    assert 0.93 <= coverage(4, 5000, lambda: in_per_cent(*(4 + noise(pairs)))) <= 0.97


@pytest.mark.parametrize(
    ("seeds", "of_first", "of_second"),
    [
        pytest.param(3, 0.0, 0.0, id="three seeds, the days alone"),
        pytest.param(3, 1.0, 1.0, id="three seeds, as uncertain as the days"),
        pytest.param(3, 2.0, 2.0, id="three seeds, twice the days"),
        pytest.param(3, 6.0, 6.0, id="three seeds, six times the days"),
        pytest.param(3, 4.0, 2.0, id="three seeds, the first's more"),
        pytest.param(5, 6.0, 3.0, id="five seeds, the first's more"),
        pytest.param(5, 6.0, 0.0, id="five seeds, the second's agree"),
    ],
)
def test_intervals_of_forecasts_cover_as_often_as_they_say(
    seeds: int, of_first: float, of_second: float
) -> None:
    """Seeds shift a forecast's losses on all days, in units of the standard error over days."""
    days, true = 12, 0.2
    random = np.random.default_rng(seeds)

    def runs(losses: np.ndarray, deviation: float) -> list[dict[str, object]]:
        shifts = random.normal(0, deviation / math.sqrt(days), seeds)
        return [outcome(losses + shift) for shift in shifts]

    def draw() -> Effect:
        second = 100 + random.normal(size=days)  # so that a per cent of the second's is one
        first = second + true + random.normal(size=days)
        return difference_of_forecasts(runs(first, of_first), runs(second, of_second))

    assert 0.93 <= coverage(true, 3000, draw) <= 0.97


@pytest.mark.parametrize("seeds", [3, 5])
@pytest.mark.parametrize("wider", [1.0, 2.0])
def test_intervals_over_seeds_cover_as_often_as_they_say(seeds: int, wider: float) -> None:
    random = np.random.default_rng(seeds)

    def ratio() -> Effect:
        return ratio_of_means(*np.exp([random.normal(1, wider, seeds), random.normal(0, 1, seeds)]))

    def difference() -> Effect:
        return difference_of_means(random.normal(3, wider, seeds), random.normal(1, 1, seeds), "")

    assert 0.93 <= coverage(math.e, 4000, ratio) <= 0.97
    assert 0.93 <= coverage(2, 4000, difference) <= 0.97
    assert 0.93 <= coverage(2, 4000, lambda: mean_of(random.normal(2, wider, seeds), "")) <= 0.97


@pytest.mark.parametrize("seeds", [3, 5, 10])
def test_intervals_of_shares_cover_as_often_as_they_say_on_average(seeds: int) -> None:
    """A share of few runs takes few values, so that the coverage at one true share jumps about 95 %."""
    random = np.random.default_rng(seeds)

    def covers() -> bool:
        share = random.uniform()
        found = share_of(random.uniform(size=seeds) < share)
        return bool(found.low <= 100 * share <= found.high)

    def covers_difference() -> bool:
        one, other = random.uniform(size=2)
        found = difference_of_shares(random.uniform(size=seeds) < one, random.uniform(size=seeds) < other)
        return bool(found.low <= 100 * (one - other) <= found.high)

    assert 0.93 <= np.mean([covers() for _ in range(4000)]) <= 0.97
    assert 0.93 <= np.mean([covers_difference() for _ in range(4000)]) <= 0.97
