"""The dependence of steps against known values, another library's integrals, and draws."""

from math import comb

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from network_factory import card_of, random_network
from scipy import stats

from forecaster.network.step_copula import StepCopula, copula_of, fit_copula, random_walk_copula


def matrix(correlations: np.ndarray) -> np.ndarray:
    """Of all pairs of steps: products of the neighbours' between them."""
    steps = len(correlations) + 1
    found = np.eye(steps)
    for first in range(steps):
        for last in range(first + 1, steps):
            found[first, last] = found[last, first] = np.prod(correlations[first:last])
    return found


def test_a_random_walk_has_the_correlations_of_sums() -> None:
    steps = np.arange(1, 8)
    expected = np.sqrt(np.minimum.outer(steps, steps) / np.maximum.outer(steps, steps))
    np.testing.assert_allclose(matrix(random_walk_copula(7).correlations), expected)


@pytest.mark.parametrize("horizon", [1, 2, 5, 21, 100])
def test_how_long_a_walk_stays_below_its_start(horizon: int) -> None:
    """Sparre Andersen (1953): all of n sums of symmetric returns are negative with chance C(2n, n) / 4ⁿ."""
    found = random_walk_copula(horizon).chance_touched(np.full(horizon, 0.5))
    expected = [1 - comb(2 * step, step) / 4**step for step in range(1, horizon + 1)]
    np.testing.assert_allclose(found, expected, atol=1e-7)


def test_steps_without_dependence_are_independent_trials() -> None:
    beyond = np.array([0.1, 0.3, 0.02])
    found = StepCopula(np.zeros(2), fitted=True).chance_touched(beyond)
    np.testing.assert_allclose(found, 1 - np.cumprod(1 - beyond), atol=1e-8)


@pytest.mark.parametrize("known", [0.0, 0.5, 0.9, 0.99, 0.999])
@pytest.mark.parametrize("beyond", [(0.3, 0.4), (0.001, 0.2), (0.5, 0.01), (1e-7, 0.999)])
def test_two_steps_are_a_bivariate_normal(known: float, beyond: tuple[float, float]) -> None:
    found = StepCopula(np.array([known]), fitted=True).chance_touched(np.array(beyond))
    ends = stats.norm.isf(beyond)
    expected = 1 - stats.multivariate_normal.cdf(ends, cov=[[1, known], [known, 1]])
    assert found[1] == pytest.approx(expected, abs=1e-7)


@pytest.mark.parametrize("seed", range(4))
def test_five_steps_are_a_multivariate_normal(seed: int) -> None:
    """Genz's integration of the same probability, as SciPy has it."""
    random = np.random.default_rng(seed)
    correlations, beyond = random.uniform(0.2, 0.98, 4), random.uniform(0.01, 0.5, 5)
    found = StepCopula(correlations, fitted=True).chance_touched(beyond)
    law = stats.multivariate_normal(
        cov=matrix(correlations), maxpts=1_000_000, abseps=1e-6, releps=1e-6, seed=1
    )
    assert found[-1] == pytest.approx(1 - law.cdf(stats.norm.isf(beyond)), abs=2e-5)


def test_it_is_the_share_of_drawn_paths() -> None:
    copula, beyond = random_walk_copula(8), np.linspace(0.02, 0.3, 8)
    drawn = copula.probabilities(8, 100_000, np.random.default_rng(3))
    reached = np.maximum.accumulate(drawn > 1 - beyond, axis=1).mean(0)
    np.testing.assert_allclose(copula.chance_touched(beyond), reached, atol=0.006)


@given(
    st.lists(st.tuples(st.floats(0, 1), st.floats(0, 0.999)), min_size=1, max_size=8),
)
def test_the_chance_only_rises_and_stays_within_its_bounds(steps: list[tuple[float, float]]) -> None:
    beyond = np.array([chance for chance, _ in steps])
    copula = StepCopula(np.array([known for _, known in steps[1:]]), fitted=True)
    found = copula.chance_touched(beyond)
    assert found[0] == pytest.approx(beyond[0], abs=1e-8)
    assert (np.diff(found) >= 0).all()
    assert (found >= np.maximum.accumulate(beyond)).all()
    assert (found <= np.minimum(np.cumsum(beyond), 1) + 1e-5).all()


def test_drawn_probabilities_are_uniform_and_tied() -> None:
    correlations = np.array([0.7, 0.4, 0.95])
    drawn = StepCopula(correlations, fitted=True).probabilities(4, 50_000, np.random.default_rng(5))
    for step in range(4):
        assert stats.kstest(drawn[:, step], "uniform").pvalue > 0.001
    np.testing.assert_allclose(np.corrcoef(stats.norm.ppf(drawn).T), matrix(correlations), atol=0.015)


def test_fewer_steps_are_the_first_ones() -> None:
    copula = random_walk_copula(6)
    few = copula.probabilities(3, 10, np.random.default_rng(0))
    assert few.shape == (10, 3)
    beyond = np.linspace(0.1, 0.2, 6)
    np.testing.assert_allclose(
        copula.chance_touched(beyond[:3]), copula.chance_touched(beyond)[:3], atol=1e-8
    )


def test_the_fit_finds_what_the_scores_were_drawn_with() -> None:
    correlations = np.array([0.3, 0.8, 0.0])
    drawn = StepCopula(correlations, fitted=True).probabilities(4, 40_000, np.random.default_rng(2))
    found = fit_copula(drawn)
    assert found is not None
    assert found.fitted
    np.testing.assert_allclose(found.correlations, correlations, atol=0.02)


def test_the_fit_keeps_within_what_can_be_computed() -> None:
    one = np.random.default_rng(0).uniform(size=500)
    found = fit_copula(np.stack([one, one, 1 - one], axis=1))
    assert found is not None
    np.testing.assert_array_equal(found.correlations, [0.999, 0.0])
    edges = fit_copula(np.stack([np.round(one), np.round(one)], axis=1))  # zeros and ones
    assert edges is not None
    assert np.isfinite(edges.correlations).all()


def test_too_few_or_equal_probabilities_tell_nothing() -> None:
    drawn = np.random.default_rng(0).uniform(size=(90, 3))
    assert fit_copula(drawn) is not None
    assert fit_copula(drawn[:89]) is None
    assert fit_copula(np.full((500, 3), 0.5)) is None


def test_a_card_without_correlations_has_those_of_a_random_walk() -> None:
    network = random_network(horizon=4)
    without, null = card_of(network), card_of(network, step_correlations=None)
    for card in (without, null):
        assert not copula_of(card).fitted
        np.testing.assert_array_equal(copula_of(card).correlations, random_walk_copula(4).correlations)
    found = copula_of(card_of(network, step_correlations=[0.5, 0.6, 0.7]))
    assert found.fitted
    np.testing.assert_array_equal(found.correlations, [0.5, 0.6, 0.7])
