"""What clipping the gradient does: an Elman cell whose gradient explodes, trained with and without."""

from dataclasses import dataclass

import numpy as np

from forecaster.laboratory.cells.weights import untrained_weights
from forecaster.laboratory.memory.tasks import adding
from forecaster.network.cells import Array, CellWeights, run_layer

_BATCH = 32
_DIVERGED = 1e6


@dataclass(frozen=True)
class Descent:
    """Plain gradient descent on the adding problem.

    Attributes:
        clip: the longest gradient that was let through, or None.
        norms: length of the whole gradient before clipping, one a step.
        losses: mean squared error on each step's batch; they end where the descent diverged.
    """

    clip: float | None
    norms: Array
    losses: Array

    @property
    def diverged(self) -> bool:
        """Whether the loss left all bounds."""
        return bool(self.losses[-1] > _DIVERGED)


@dataclass(frozen=True)
class _Parameters:
    weights: CellWeights
    head: Array
    head_bias: Array

    def parts(self) -> tuple[Array, ...]:
        return (*vars(self.weights).values(), self.head, self.head_bias)


def descend(
    units: int,
    lag: int,
    recurrent_scale: float,
    clip: float | None,
    steps: int,
    seed: int,
    learning_rate: float = 0.1,
) -> Descent:
    """Train an Elman cell whose recurrent matrix was multiplied, by plain gradient descent.

    Clipping shortens a gradient longer than `clip` and keeps its direction (Pascanu, Mikolov &
    Bengio, "On the difficulty of training recurrent neural networks", 2013).
    """
    random = np.random.default_rng(seed)
    now = _Parameters(
        untrained_weights("rnn", 2, units, seed, recurrent_scale=recurrent_scale),
        random.normal(0, 1 / np.sqrt(units), (units, 1)),
        np.ones(1),
    )
    norms: list[float] = []
    losses: list[float] = []
    while len(losses) < steps and (not losses or losses[-1] <= _DIVERGED):
        examples = adding(random, _BATCH, lag)
        loss, gradient = loss_and_gradient(
            now.weights,
            now.head,
            now.head_bias,
            examples.inputs.astype(float),
            examples.answers.astype(float),
        )
        norm = float(np.sqrt(sum(np.square(part).sum() for part in gradient)))
        norms.append(norm)
        losses.append(loss)
        shorter = min(1.0, clip / norm) if clip is not None and norm > 0 else 1.0
        moved = [
            part - learning_rate * shorter * slope for part, slope in zip(now.parts(), gradient, strict=True)
        ]
        now = _Parameters(CellWeights(*moved[:3]), moved[3], moved[4])
    return Descent(clip, np.array(norms), np.array(losses))


def loss_and_gradient(
    weights: CellWeights, head: Array, head_bias: Array, inputs: Array, answers: Array
) -> tuple[float, tuple[Array, ...]]:
    """Mean squared error of an Elman cell's last answer, and its gradient by every parameter.

    Backpropagation through time (Werbos, 1990).

    Args:
        weights: of the cell.
        head: (u, 1).
        head_bias: (1,).
        inputs: (N, T, f).
        answers: (N, 1).

    Returns:
        The loss, and its slopes by kernel, recurrent, bias, head and head bias.
    """
    hidden = run_layer("rnn", weights, inputs)
    error = hidden[:, -1] @ head + head_bias - answers
    by_answer = 2 * error / len(error)
    back = by_answer @ head.T  # (N, u)
    kernel, recurrent = np.zeros_like(weights.kernel), np.zeros_like(weights.recurrent)
    bias = np.zeros_like(weights.bias)
    for t in reversed(range(inputs.shape[1])):
        inside = back * (1 - np.square(hidden[:, t]))
        kernel += inputs[:, t].T @ inside
        bias += inside.sum(0)
        if t:
            recurrent += hidden[:, t - 1].T @ inside
        back = inside @ weights.recurrent.T
    slopes: tuple[Array, ...] = (kernel, recurrent, bias, hidden[:, -1].T @ by_answer, by_answer.sum(0))
    return float(np.square(error).mean()), slopes
