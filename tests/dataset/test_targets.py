"""Targets by hand."""

import numpy as np

from forecaster.dataset.targets import count_known_steps, cumulative_return

NAN = np.nan
RETURNS = np.array([[NAN, 0.1, 0.2, NAN, 0.1]], dtype=np.float32)


def test_steps_known_ahead_end_at_a_gap_and_at_the_end() -> None:
    assert count_known_steps(RETURNS, 2).tolist() == [[2, 1, 0, 1, 0]]
    assert count_known_steps(RETURNS, 1).tolist() == [[1, 1, 0, 1, 0]]


def test_cumulative_returns_add_up_and_are_unknown_past_a_gap() -> None:
    origins = np.array([0, 1, 3])
    targets = cumulative_return(RETURNS, np.zeros(3, dtype=np.intp), origins, 2)
    expected = [[0.1, 0.3], [0.2, NAN], [0.1, NAN]]
    np.testing.assert_allclose(targets, expected, rtol=1e-6)
