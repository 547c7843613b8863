"""The model confidence set: beside another implementation, and as often right as it promises."""

import numpy as np
import pytest

from forecaster.evaluation.confidence_set import CONFIDENCE, confidence_set


def losses(days: int, excess: tuple[float, ...], seed: int, own: float = 0.2) -> dict[str, np.ndarray]:
    """Models that share each day's news, with noise of their own and a mean that exceeds the first's."""
    random = np.random.default_rng(seed)
    common = random.normal(1, 0.3, days)
    return {
        f"model {place}": common + each + random.normal(0, own, days) for place, each in enumerate(excess)
    }


@pytest.mark.parametrize("seed", range(4))
@pytest.mark.parametrize("excess", [(0, 0, 0), (0, 0.01, 0.02, 0.05), (0, 0.1, 0.1)])
def test_as_another_implementation_finds(excess: tuple[float, ...], seed: int) -> None:
    from arch.bootstrap import MCS

    given = losses(500, excess, seed)
    other = MCS(np.column_stack([*given.values()]), size=0.1, reps=4000, block_size=8, method="max", seed=1)
    other.compute()
    expected = other.pvalues["Pvalue"].sort_index()
    assert [*confidence_set(given, 1).values()] == pytest.approx(expected.tolist(), abs=0.03)


def test_what_is_worse_on_every_day_is_out_and_the_best_stays() -> None:
    found = confidence_set(losses(250, (0, 0.5, 0.001), 0), 1)
    assert found["model 1"] == 0
    assert max(found.values()) == 1
    assert found["model 2"] > 1 - CONFIDENCE


def test_one_model_or_equal_models_leave_all_in() -> None:
    one = losses(100, (0,), 0)
    assert confidence_set(one, 1) == {"model 0": 1}
    same = dict.fromkeys(("a", "b"), one["model 0"])
    assert confidence_set(same, 1) == {"a": 1, "b": 1}


def test_too_few_days_are_no_result() -> None:
    assert np.isnan([*confidence_set(losses(49, (0, 9), 0), 5).values()]).all()


def test_it_is_the_same_each_time_and_in_any_order() -> None:
    given = losses(250, (0, 0.02, 0.03), 3)
    turned = dict(reversed(given.items()))
    assert confidence_set(given, 1) == confidence_set(given, 1) == confidence_set(turned, 1)


def test_the_best_is_in_the_set_nine_times_of_ten() -> None:
    """With equal models any may be the best: the first is out in at most a tenth of all cases."""
    found = [confidence_set(losses(250, (0, 0, 0), seed), 1)["model 0"] for seed in range(200)]
    assert np.mean(np.array(found) >= 1 - CONFIDENCE) > 0.85
