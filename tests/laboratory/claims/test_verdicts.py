import numpy as np
import pytest
from scipy.stats import ttest_1samp, ttest_ind

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
    ],
)
def test_verdicts(mean: float, margin: float, less: str, equal: str) -> None:
    assert below(Difference(mean, margin)) == less
    assert within(Difference(mean, margin), 1.0) == equal


def test_one_seed_has_the_uncertainty_of_the_days() -> None:
    random = np.random.default_rng(0)
    first, second = random.normal(1, 0.1, (2, 400))
    found = difference_of_forecasts([outcome(first)], [outcome(second)])
    scale = 100 / second.mean()
    assert found.mean == pytest.approx(scale * (first - second).mean())
    t = ttest_1samp(first - second, 0).statistic
    assert found.margin == pytest.approx(1.96 * abs(found.mean / t), rel=1e-3)


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


def test_means_by_hand() -> None:
    """Means 3 and 2, variances 2 and 0 of two each: one degree of freedom, t = 12.706, √(2/2) / 2."""
    found = difference_of_means([2, 4], [2, 2])
    assert (found.mean, found.margin) == pytest.approx((50, 635.31), rel=1e-4)
    assert difference_of_means([3, 3], [2, 2]).margin == 0


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
