"""The tests over several steps at once: by hand, their size, and their power."""

import math

import numpy as np
import pytest
from comparison_factory import Compared
from numpy.typing import NDArray
from scipy import stats
from scipy.signal import lfilter

from forecaster.evaluation.joint_test import JointTest, drawn_means, joint_steps, joint_test
from forecaster.evaluation.scoring import score_step
from forecaster.evaluation.significance import diebold_mariano

Float = NDArray[np.float64]
FIVE, MONTH = (1, 2, 3, 4, 5), (1, 2, 5, 10, 21)


def losses(
    steps: tuple[int, ...], days: int, memory: float, seed: int, better: dict[int, float] | None = None
) -> tuple[dict[int, Float], dict[int, Float]]:
    """A model's and its rival's: differences share most of each day's news, and overlap.

    `better` is by how much of a day's deviation the model is better at a step.
    """
    random = np.random.default_rng(seed)
    count = days + max(steps) + 49
    common = lfilter([1], [1, -memory], random.normal(size=count))
    own, rival = {}, {}
    for step in steps:
        news = common + 0.5 * lfilter([1], [1, -memory], random.normal(size=count))
        whole = np.cumsum(np.concatenate([[0.0], news]))
        difference = ((whole[step:] - whole[:-step]) / math.sqrt(step))[50 : 50 + days]
        rival[step] = np.full(days, 10.0 * step)
        own[step] = rival[step] + 0.1 * step * (difference - (better or {}).get(step, 0.0))
    return own, rival


def share(
    steps: tuple[int, ...], days: int, memory: float, trials: int, better: dict[int, float] | None = None
) -> tuple[float, float, float]:
    """How often the average, the uniform test and both conditions of `better_everywhere` say better."""
    found = [joint_test(*losses(steps, days, memory, seed, better)) for seed in range(trials)]
    return (
        float(np.mean([each.average.p_value < 0.05 for each in found])),
        float(np.mean([each.uniform_p_value < 0.05 for each in found])),
        float(np.mean([each.better_everywhere for each in found])),
    )


@pytest.mark.parametrize(
    ("horizon", "steps"),
    [(1, (1,)), (2, (1, 2)), (5, FIVE), (6, (1, 2, 4, 6)), (21, MONTH), (60, (1, 3, 8, 22, 60))],
)
def test_which_steps_are_tested_together(horizon: int, steps: tuple[int, ...]) -> None:
    assert joint_steps(horizon) == steps


def independent(own: dict[int, Float], rival: dict[int, Float], draws: int) -> tuple[float, float]:
    """Average test's p and uniform test's p, with blocks drawn one by one."""
    steps = list(own)
    relative = {step: (own[step] - rival[step]) / np.mean(rival[step]) for step in steps}
    days, block = len(relative[steps[0]]), max(4 * steps[-1], round(len(relative[steps[0]]) ** (1 / 3)))
    average = diebold_mariano(sum(relative.values()) / len(steps), steps[-1]).p_value
    smallest = math.inf
    for step in steps:
        test = diebold_mariano(relative[step], step)
        smallest = min(smallest, stats.norm.isf(stats.t.cdf(test.statistic, test.frequencies)))
    random, means = np.random.default_rng(99), []
    for _ in range(draws):
        chosen: list[int] = []
        while len(chosen) < days:
            start = int(random.integers(days))
            chosen += [(start + place) % days for place in range(block)]
        means.append([relative[step][chosen].mean() - relative[step].mean() for step in steps])
    standard = -np.array(means) / np.std(means, axis=0)
    return average, float((standard.min(1) >= smallest).mean())


@pytest.mark.parametrize("seed", [1, 2, 3])
def test_equal_to_an_independent_implementation(seed: int) -> None:
    own, rival = losses((1, 2, 3), 200, 0.3, seed, {1: 0.1, 2: 0.1, 3: 0.1})
    found = joint_test(own, rival)
    average, uniform = independent(own, rival, 3000)
    assert found.average.p_value == pytest.approx(average)
    assert found.uniform_p_value == pytest.approx(uniform, abs=0.035)
    assert found.gain == pytest.approx(np.mean([1 - own[step].mean() / rival[step].mean() for step in own]))


def test_one_step_is_the_test_of_that_step() -> None:
    own, rival = losses((1,), 300, 0.0, 4, {1: 0.15})
    found, single = joint_test(own, rival), diebold_mariano(own[1] - rival[1], 1)
    assert found.average.p_value == pytest.approx(single.p_value)
    assert found.uniform_p_value == pytest.approx(single.p_value / 2, abs=0.02)


def test_drawn_blocks_by_hand() -> None:
    """Of six days in blocks of three, each mean is that of two runs of three days."""
    values = np.arange(6.0)[:, None]
    runs = [np.mean([(start + place) % 6 for place in range(3)]) for start in range(6)]
    possible = {round((one + other) / 2, 9) for one in runs for other in runs}
    drawn = drawn_means(values, 3, 500, 0)[:, 0]
    assert {round(mean, 9) for mean in drawn} == possible


def test_equal_models_are_told_apart_in_one_of_twenty() -> None:
    average, uniform, everywhere = share(FIVE, 250, 0.5, 500)
    assert average == pytest.approx(0.05, abs=0.03)
    assert uniform == pytest.approx(0.06, abs=0.03)
    assert everywhere < 0.04


def test_a_model_that_is_better_at_all_steps_but_one_is_not_called_better_everywhere() -> None:
    """The uniform test by itself is: its hypothesis is equality at all steps."""
    better = {2: 3.0, 3: 3.0, 4: 3.0, 5: 3.0}
    average, uniform, everywhere = share(FIVE, 250, 0.0, 300, better)
    assert average == 1
    assert uniform > 0.08
    assert everywhere < 0.09


def test_a_model_that_is_better_everywhere_is_found() -> None:
    average, uniform, everywhere = share(FIVE, 750, 0.0, 100, dict.fromkeys(FIVE, 0.4))
    assert min(average, uniform, everywhere) > 0.9


@pytest.mark.slow
@pytest.mark.parametrize("memory", [0.0, 0.5])
@pytest.mark.parametrize(("steps", "days"), [(FIVE, 250), (FIVE, 750), (MONTH, 750), (MONTH, 2000)])
def test_the_sizes(steps: tuple[int, ...], days: int, memory: float) -> None:
    average, uniform, everywhere = share(steps, days, memory, 4000)
    assert average == pytest.approx(0.05, abs=0.015)
    assert uniform == pytest.approx(0.05, abs=0.015)
    assert everywhere < 0.03


def test_too_few_days_or_no_difference() -> None:
    short = joint_test(*losses(MONTH, 200, 0.0, 0))
    assert math.isnan(short.average.p_value)
    assert math.isnan(short.uniform_p_value)
    between = joint_test(*losses(MONTH, 400, 0.0, 0))
    assert math.isfinite(between.average.p_value)
    assert math.isnan(between.uniform_p_value)
    same = {1: np.ones(100), 2: np.ones(100)}
    equal = joint_test(same, same)
    assert (equal.gain, equal.average.p_value, equal.better_everywhere) == (0, 1, False)


def test_it_names_itself() -> None:
    found: JointTest = joint_test(*losses(FIVE, 250, 0.0, 0))
    document = found.described()
    assert document["average"]["name"] == "average SPA (Quaedvlieg 2021), EWC"
    assert document["uniform"]["name"] == "uniform SPA (Quaedvlieg 2021), moving blocks"
    assert (document["uniform"]["block"], document["uniform"]["draws"], document["uniform"]["days"]) == (
        20,
        2000,
        250,
    )


@pytest.mark.slow
def test_the_power_that_the_method_tells() -> None:
    """docs/method.md: 750 days, five steps."""
    somewhat, much_but_one = dict.fromkeys(FIVE, 0.2), dict.fromkeys(FIVE[1:], 3.0)
    assert share(FIVE, 750, 0.0, 2000, somewhat) == pytest.approx((0.88, 0.85, 0.65), abs=0.02)
    assert share(FIVE, 750, 0.0, 2000, much_but_one)[1:] == pytest.approx((0.17, 0.04), abs=0.02)
    assert share(FIVE, 750, 0.0, 2000)[2] < 0.02


def test_a_comparison_scores_the_steps_between(walk: Compared) -> None:
    """The joint losses are the ones that the tables are of, on the days that all steps know."""
    comparison = walk.comparison
    assert set(comparison.joint_crps) == {comparison_best(walk), "linear-t", "riskmetrics-t", "naive"}
    for name, by_step in comparison.joint_crps.items():
        assert list(by_step) == [1, 2]
        for step, crps in by_step.items():
            scored = score_step(comparison.forecasts[name], comparison.actual, step)
            days = comparison.model("naive").losses[2].day
            np.testing.assert_allclose(crps, scored.crps[np.isin(scored.day, days)])


def comparison_best(walk: Compared) -> str:
    cells = [row for row in walk.comparison.models if row.kind == "cell"]
    return min(cells, key=lambda row: row.steps[1].crps).model
