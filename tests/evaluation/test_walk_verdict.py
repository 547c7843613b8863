"""The three sentences of a walk, on hand-made scores."""

import numpy as np
import pytest
from verdict_factory import compared, flat, losses, row

from forecaster.evaluation.verdict import judge
from forecaster.evaluation.walk_verdict import YearResult, recurrence_sentence


def year(number: int, gain: float) -> YearResult:
    return YearResult(
        number, 250, 0.01, {"linear-t": gain}, {50: 0.5, 90: 0.9, 99: 0.99}, 0.05, 0.05, np.ones(12), True
    )


@pytest.mark.parametrize(
    ("daily", "gain", "words"),
    [
        pytest.param(losses(1e-4), 0.01, "): significant; one day ahead it is better", id="better"),
        pytest.param(0.02 - losses(1e-4), -0.01, "): significantly worse; one day", id="worse"),
        pytest.param(losses(0.5), 0.001, "): not significant after counting all", id="alike"),
    ],
)
def test_recurrence_that_does_worse_is_called_so(daily: np.ndarray, gain: float, words: str) -> None:
    comparison = compared(
        row("gru", "cell", {1: daily}),
        row("naive", "baseline", {1: np.full(len(daily), 0.03)}),
        row("linear-t", "baseline", flat(1)),
    )
    found = recurrence_sentence(comparison, judge(comparison), [year(2018, gain), year(2019, gain)])
    assert words in found
    assert ("0 of 2 years (not in 2018 and 2019)" in found) == (gain < 0)


def test_a_linear_model_has_nothing_beside_it() -> None:
    comparison = compared(row("linear", "cell", flat(1)), row("naive", "baseline", flat(1)))
    found = recurrence_sentence(comparison, judge(comparison), [])
    assert found == "It is a linear-t itself, so nothing is said about recurrence."
