"""Skill where there can be none: how often chance alone fails the check, and what it finds."""

import numpy as np
import pytest

from forecaster.evaluation.audit.chance import CHECKS, LEVEL, skill_beyond_chance

SERIES = 4000


def found(step: int, days: int, gain: float, persistence: float = 0.0) -> float:
    """The share of simulated pairs of loss series in which skill is found; the loss is lower by `gain`."""
    random = np.random.default_rng(step)
    count = 0
    for _ in range(SERIES):
        reference = random.gamma(2, 0.5, days)
        news = random.normal(0, 0.3, days + step)
        for day in range(1, days if persistence else 0):
            news[day] += persistence * news[day - 1]
        overlapping = np.convolve(news, np.ones(step) / np.sqrt(step), "valid")[:days]
        count += skill_beyond_chance(reference + overlapping - gain, reference, step, 1).found
    return count / SERIES


@pytest.mark.parametrize(("step", "days"), [(1, 60), (1, 250), (5, 250)])
def test_an_audit_without_a_leak_fails_as_seldom_as_it_says(step: int, days: int) -> None:
    """At 1 % of 4,000 series the standard error is 0.16 %."""
    assert LEVEL == 0.01
    assert 0.004 < found(step, days, 0.0) < 0.016


def test_dependent_losses_are_no_skill() -> None:
    assert found(1, 250, 0.0, persistence=0.5) < 0.02


def test_a_tenth_of_the_loss_is_found() -> None:
    assert found(1, 250, 0.1) > 0.95


def test_the_level_is_shared_by_the_tests_of_an_audit() -> None:
    random = np.random.default_rng(0)
    reference = random.gamma(2, 0.5, 400)
    loss = reference - random.normal(0.05, 0.3, 400)
    alone, shared = (skill_beyond_chance(loss, reference, 1, tests) for tests in (1, 2 * CHECKS))
    assert (alone.level, shared.level) == (0.01, 0.0025)
    assert shared.interval.low < alone.interval.low < alone.interval.value == shared.interval.value
    assert shared.described == {
        "step": 1,
        "days": 400,
        "skill": shared.interval.value,
        "at_least": shared.interval.low,
        "level": 0.0025,
    }


def test_a_worse_forecast_has_no_skill() -> None:
    reference = np.random.default_rng(0).gamma(2, 0.5, 400)
    skill = skill_beyond_chance(1.1 * reference, reference, 1, 4)
    assert not skill.found
    assert skill.interval.value == pytest.approx(-0.1)
