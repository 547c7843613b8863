import math
from collections.abc import Callable

import numpy as np
import pytest
from scipy.stats import t as student_t
from scipy.stats import ttest_ind

from forecaster.laboratory.claims.verdicts import (
    Difference,
    below,
    difference_of_forecasts,
    difference_of_means,
    paired_difference,
    within,
)


def outcome(daily: np.ndarray, first_day: int = 0) -> dict[str, object]:
    return {
        "crps": float(daily.mean()),
        "days": list(range(first_day, first_day + len(daily))),
        "daily_crps": daily.tolist(),
    }


@pytest.mark.parametrize(
    ("mean", "margin", "less", "equal"),
    [
        pytest.param(-2.0, 0.5, "supported", "not supported", id="clearly less"),
        pytest.param(2.0, 0.5, "not supported", "not supported", id="clearly more"),
        pytest.param(-0.2, 0.1, "supported", "supported", id="clearly a little less"),
        pytest.param(0.2, 0.3, "undecided", "supported", id="no telling, but close"),
        pytest.param(0.2, 3.0, "undecided", "undecided", id="no telling at all"),
        pytest.param(-0.75, 0.25, "supported", "supported", id="up to the bound"),
        pytest.param(-0.75, 0.26, "supported", "undecided", id="across the bound"),
        pytest.param(1.5, 0.5, "not supported", "undecided", id="from the bound"),
        pytest.param(1.5, 0.49, "not supported", "not supported", id="beyond the bound"),
    ],
)
def test_verdicts(mean: float, margin: float, less: str, equal: str) -> None:
    assert below(Difference(mean, margin)) == less
    assert within(Difference(mean, margin), 1.0) == equal


def test_a_difference_is_clear_only_outside_its_interval() -> None:
    assert Difference(-0.21, 0.2).clear
    assert not Difference(-0.2, 0.2).clear
    assert str(Difference(-0.206, 0.194)) == "-0.21 ± 0.19 %"


def test_no_interval_supports_nothing() -> None:
    unknown = Difference(-0.5, math.inf)
    assert below(unknown) == within(unknown, 1.0) == "undecided"
    assert str(unknown) == "-0.50 %, no interval from so few values"


@pytest.mark.parametrize(("first_seeds", "second_seeds"), [(1, 1), (1, 2), (2, 1)])
def test_one_seed_says_nothing_of_other_seeds(first_seeds: int, second_seeds: int) -> None:
    random = np.random.default_rng(0)
    first, second = random.normal(1, 0.1, (2, 400))
    found = difference_of_forecasts([outcome(first)] * first_seeds, [outcome(second)] * second_seeds)
    assert found.mean == pytest.approx(100 * (first.mean() / second.mean() - 1))
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
    assert found.mean == pytest.approx(50)
    assert found.margin == pytest.approx(3.661364 * math.sqrt(5 / 12) * 50, rel=1e-5)


def test_days_count_where_their_differences_cancel() -> None:
    """A mean difference of exactly zero is no more certain than another."""
    up, down = np.array([1.0, 2.0, 1.0, 2.0]), np.array([2.0, 1.0, 2.0, 1.0])
    found = difference_of_forecasts([outcome(up)] * 2, [outcome(down)] * 2)
    assert found.mean == 0
    assert found.margin == pytest.approx(3.18245 * math.sqrt(4 / 3 / 4) / 1.5 * 100, rel=1e-5)


def test_seeds_that_disagree_widen_the_interval() -> None:
    random = np.random.default_rng(0)
    first, second = random.normal(1, 0.1, (2, 400))
    calm = difference_of_forecasts([outcome(first)] * 2, [outcome(second)] * 2)
    wild = difference_of_forecasts([outcome(first - 0.1), outcome(first + 0.1)], [outcome(second)] * 2)
    assert wild.mean == pytest.approx(calm.mean)
    assert wild.margin > 5 * calm.margin


def test_only_common_days_are_compared() -> None:
    losses = np.arange(1.0, 11.0)
    found = difference_of_forecasts([outcome(losses)], [outcome(losses[2:] * 2, first_day=2)])
    assert found.mean == pytest.approx(-50)


def test_seeds_are_compared_on_the_common_days() -> None:
    """What one seed lost on a day that the other forecast lacks says nothing of the difference."""
    common = np.array([1.0, 2.0, 3.0])
    first = [outcome(np.append(common, last)) for last in (0.0, 100.0)]
    found = difference_of_forecasts(first, [outcome(2 * common)] * 2)
    assert found.margin == pytest.approx(4.30265 / math.sqrt(3) / 4 * 100, rel=1e-5)


def test_means_by_hand() -> None:
    """Means 3 and 2, variances 2 and 0 of two each: one degree of freedom, t = 12.706, √(2/2) / 2."""
    found = difference_of_means([2, 4], [2, 2])
    assert (found.mean, found.margin) == pytest.approx((50, 635.31), rel=1e-4)
    assert difference_of_means([3, 3], [2, 2]).margin == 0


@pytest.mark.parametrize(("first", "second"), [([3.0], [2.0, 2.1]), ([3.0, 3.1], [2.0])])
def test_means_of_one_value_have_no_interval(first: list[float], second: list[float]) -> None:
    assert difference_of_means(first, second).margin == math.inf


def test_means_equal_scipys_welch_interval() -> None:
    first, second = [1.2, 1.9, 1.4], [2.0, 2.3, 1.1, 1.7]
    found = difference_of_means(first, second)
    theirs = ttest_ind(first, second, equal_var=False).confidence_interval(0.95)
    scale = 100 / np.mean(second)
    assert found.mean + found.margin == pytest.approx(theirs.high * scale)
    assert found.mean - found.margin == pytest.approx(theirs.low * scale)


def test_one_disturbed_timing_moves_nothing() -> None:
    second = np.full(12, 2.0)
    first = np.full(12, 1.0)
    first[3] = 100.0
    found = paired_difference(first, second)
    assert (found.mean, found.margin) == pytest.approx((-50, 0))


def in_per_cent(*percent: float) -> Difference:
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
    assert (found.mean, found.margin) == pytest.approx((mean, margin), rel=1e-5)


@pytest.mark.parametrize("pairs", [4, 12, 20, 40])
def test_paired_interval_is_scipys_of_trimmed_means(pairs: int) -> None:
    """Yuen's test against constants is the trimmed t of one sample."""
    percent = np.random.default_rng(pairs).standard_t(3, pairs)
    theirs = ttest_ind(percent, np.zeros(pairs), equal_var=False, trim=0.25).confidence_interval(0.95)
    found = in_per_cent(*percent)
    assert found.mean + found.margin == pytest.approx(theirs.high)
    assert found.mean - found.margin == pytest.approx(theirs.low)


def coverage(truth: float, repeats: int, draw: Callable[[], Difference]) -> float:
    """The share of intervals that contain the true difference."""
    return float(
        np.mean([abs(found.mean - truth) <= found.margin for found in (draw() for _ in range(repeats))])
    )


@pytest.mark.parametrize("pairs", [5, 8, 10, 20, 30])
@pytest.mark.parametrize("tails", ["normal", "heavy"])
def test_paired_intervals_cover_as_often_as_they_say(pairs: int, tails: str) -> None:
    random = np.random.default_rng(pairs)
    noise = random.standard_normal if tails == "normal" else lambda size: random.standard_t(3, size)
    assert 0.93 <= coverage(4, 5000, lambda: in_per_cent(*(4 + noise(pairs)))) <= 0.97


@pytest.mark.parametrize(
    ("seeds", "of_first", "of_second", "least"),
    [
        pytest.param(2, 0.0, 0.0, 0.93, id="two seeds, the days alone"),
        pytest.param(2, 1.0, 1.0, 0.93, id="two seeds, as uncertain as the days"),
        pytest.param(2, 2.0, 2.0, 0.93, id="two seeds, twice the days"),
        pytest.param(2, 6.0, 6.0, 0.93, id="two seeds, six times the days"),
        pytest.param(2, 4.0, 1.2, 0.88, id="two seeds, the first's far more"),
        pytest.param(3, 4.0, 2.0, 0.93, id="three seeds, the first's more"),
        pytest.param(5, 6.0, 3.0, 0.93, id="five seeds, the first's more"),
    ],
)
def test_intervals_of_forecasts_cover_as_often_as_they_say(
    seeds: int, of_first: float, of_second: float, least: float
) -> None:
    """Seeds shift a forecast's losses on all days, in units of the standard error over days."""
    days, true = 12, 0.2
    random = np.random.default_rng(seeds)

    def runs(losses: np.ndarray, deviation: float) -> list[dict[str, object]]:
        shifts = random.normal(0, deviation / math.sqrt(days), seeds)
        return [outcome(losses + shift) for shift in shifts]

    def draw() -> Difference:
        second = 100 + random.normal(size=days)  # so that a per cent of the second's is one
        first = second + true + random.normal(size=days)
        return difference_of_forecasts(runs(first, of_first), runs(second, of_second))

    assert least <= coverage(true, 1200, draw) <= 0.97
