"""Skill where there can be none: how often chance alone fails the check, and what it finds."""

import numpy as np
import pytest
from audit_factory import subject
from factories import persistent_table

from forecaster.dataset.training_set import split_by
from forecaster.evaluation.audit.chance import (
    CHECKS,
    LEVEL,
    check_random_walk,
    check_shuffled,
    skill_beyond_chance,
)
from forecaster.evaluation.audit.checks import FAILED
from forecaster.evaluation.audit.subject import random_walk_twin, shuffled
from forecaster.evaluation.audit.training import train_small
from forecaster.settings import Recipe

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


@pytest.mark.slow
def test_audits_without_a_leak_fail_as_seldom_as_it_says() -> None:
    """Of 120 audits with linear-t on one to three tickers more than 5 fail with a chance of 0.2 % at 1 %."""
    recipe = Recipe(cell="linear", lookback=20, horizon=5)
    rule = split_by(recipe)
    failed = 0
    for seed in range(120):
        names = ("AAA", "BBB", "CCC")[: 1 + seed % 3]
        before = subject(*(persistent_table(name, 600, 10 * seed + row) for row, name in enumerate(names)))
        dealt, twin = shuffled(before, seed), random_walk_twin(before, seed)
        ways = [
            check_shuffled(*train_small(dealt, recipe, rule, lambda _: None)),
            check_random_walk(*train_small(twin.subject, recipe, rule, lambda _: None), twin.deviations),
        ]
        failed += any(check.state == FAILED for check in ways)
    assert failed <= 5


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
