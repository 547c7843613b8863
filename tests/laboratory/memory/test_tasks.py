import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from forecaster.laboratory.memory.tasks import LONGEST, SHORTEST, adding, agreement, order

LAGS = st.integers(SHORTEST, min(LONGEST, 300))


@given(lag=LAGS, seed=st.integers(0, 1000))
def test_adding_asks_for_the_sum_of_two_marked_numbers_of_the_first_half(lag: int, seed: int) -> None:
    found = adding(np.random.default_rng(seed), 20, lag)
    values, marks = found.inputs[..., 0], found.inputs[..., 1]
    assert found.inputs.shape == (20, lag, 2)
    assert (marks.sum(1) == 2).all()
    assert not marks[:, lag // 2 :].any()
    assert marks[:, :10].any(axis=1).all()
    np.testing.assert_allclose((values * marks).sum(1), found.answers[:, 0], atol=1e-6)


@given(lag=LAGS, seed=st.integers(0, 1000))
def test_order_asks_which_signal_came_first(lag: int, seed: int) -> None:
    found = order(np.random.default_rng(seed), 20, lag)
    symbols, classes = found.inputs.argmax(-1), found.answers.argmax(-1)
    assert (found.inputs.sum(-1) == 1).all()
    for sequence, answer in zip(symbols, classes, strict=True):
        signals = [symbol - 4 for symbol in sequence if symbol in (4, 5)]
        assert 2 * signals[0] + signals[1] == answer
        assert len(signals) == 2
    assert (symbols[:, 0] == 6).all()
    assert (symbols[:, -1] == 7).all()


def test_guessing_the_mean_of_the_adding_problem_costs_a_sixth() -> None:
    answers = adding(np.random.default_rng(0), 50_000, 20).answers
    assert np.square(answers - 1).mean() == pytest.approx(1 / 6, rel=0.02)


@given(lag=LAGS, seed=st.integers(0, 1000))
def test_agreement_asks_for_the_number_of_the_first_noun(lag: int, seed: int) -> None:
    found = agreement(np.random.default_rng(seed), 20, lag)
    words, numbers = found.inputs.argmax(-1), found.answers.argmax(-1)
    assert (found.inputs.sum(-1) == 1).all()
    assert (words[:, 0] == 6).all()
    assert (words[:, 1] == numbers).all()
    assert (words[:, -1] == 7).all()
    nouns = words[:, 2:-1] < 2
    assert set(np.flatnonzero(nouns.any(axis=0)) + 2) == set(range(5, lag - 1, 4))


def test_nouns_between_tell_nothing_of_the_subject() -> None:
    found = agreement(np.random.default_rng(0), 20_000, 12)
    words = found.inputs.argmax(-1)
    assert np.mean(words[:, 5] == words[:, 1]) == pytest.approx(0.5, abs=0.02)
