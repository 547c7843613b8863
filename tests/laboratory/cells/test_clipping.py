import numpy as np
import pytest
from numpy.typing import NDArray

from forecaster.laboratory.cells.clipping import descend, loss_and_gradient
from forecaster.laboratory.cells.weights import untrained_weights
from forecaster.laboratory.memory.tasks import adding
from forecaster.network.cells import CellWeights


def test_backpropagation_through_time_equals_finite_differences() -> None:
    random = np.random.default_rng(0)
    examples = adding(random, 5, 8)
    inputs, answers = examples.inputs.astype(float), examples.answers.astype(float)
    weights = untrained_weights("rnn", 2, 3, 0, recurrent_scale=1.5)
    parts = [*vars(weights).values(), random.normal(size=(3, 1)), np.ones(1)]

    def loss(changed: list[NDArray[np.float64]]) -> float:
        return loss_and_gradient(CellWeights(*changed[:3]), changed[3], changed[4], inputs, answers)[0]

    _, slopes = loss_and_gradient(weights, parts[3], parts[4], inputs, answers)
    for number, part in enumerate(parts):
        for place in np.ndindex(part.shape):
            nudged = []
            for sign in (1, -1):
                changed = [each.copy() for each in parts]
                changed[number][place] += sign * 1e-6
                nudged.append(loss(changed))
            assert slopes[number][place] == pytest.approx((nudged[0] - nudged[1]) / 2e-6, abs=1e-7)


def test_without_clipping_it_diverges_and_with_it_does_not() -> None:
    # At a scale of 1.5 it is the rounding of a processor or a NumPy that decides whether it does so in time.
    free, clipped = (descend(16, 50, 2.0, clip, 200, 0) for clip in (None, 1.0))
    assert free.diverged
    assert len(free.losses) < 200
    assert not clipped.diverged
    assert clipped.norms.max() > 1
