"""Train one cell on a synthetic task with Keras, until it is solved or the budget is spent."""

import logging
import math
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from forecaster.laboratory.cells.weights import open_gates, untrained_weights
from forecaster.laboratory.memory.tasks import Examples, answers_of, draw, features_of
from forecaster.network.cells import CellWeights, parameter_count
from forecaster.network.engine import make_repeatable, start_engine

if TYPE_CHECKING:
    import keras

STARTS = ("open", "keras")
_BATCH = 64
_BATCHES_A_LOOK = 50
_TEST = 1000
# What counts as solved: a root mean squared error of 0.1 (guessing: 0.41), 1 in 100 orders wrong.
SOLVED = {"adding": 0.01, "order": 0.01}
GUESSING = {"adding": 1 / 6, "order": 3 / 4}


@dataclass(frozen=True)
class Trial:
    """One training: what tells it apart from every other.

    Attributes:
        task: "adding" or "order".
        cell: "rnn", "lstm" or "gru".
        units: u.
        lag: steps of a sequence.
        seed: of weights and data.
        steps: the most optimiser steps, of 64 new sequences each.
        start: "open" (gates begin open, see `open_gates`) or "keras" (its defaults).
        learning_rate: Adam's.
    """

    task: str
    cell: str
    units: int
    lag: int
    seed: int
    steps: int
    start: str = "open"
    learning_rate: float = 0.005


@dataclass(frozen=True)
class TaskNetwork:
    """A recurrent layer and a dense one over its last state: kernel (u, K), bias (K,)."""

    cell: str
    weights: CellWeights
    head: NDArray[np.float64]
    head_bias: NDArray[np.float64]


@dataclass(frozen=True)
class TaskResult:
    """How a trial ended.

    Attributes:
        error: on 1,000 sequences never trained on: mean squared (adding), or share wrong (order).
        solved: whether it fell to what counts as solved.
        steps: optimiser steps taken.
        seconds: of training, engine's start left out.
        parameters: of the recurrent layer.
        network: as trained.
    """

    error: float
    solved: bool
    steps: int
    seconds: float
    parameters: int
    network: TaskNetwork


def untrained_network(trial: Trial) -> TaskNetwork:
    """The trial's network before its first step; its head is Glorot-uniform."""
    features, answers = features_of(trial.task), answers_of(trial.task)
    weights = untrained_weights(trial.cell, features, trial.units, trial.seed)
    if trial.start == "open":
        weights = open_gates(trial.cell, weights, trial.lag, trial.seed)
    limit = math.sqrt(6 / (trial.units + answers))
    head = np.random.default_rng(trial.seed + 1).uniform(-limit, limit, (trial.units, answers))
    return TaskNetwork(trial.cell, weights, head, np.zeros(answers))


def train_on_task(trial: Trial, report: Callable[[str], None] = lambda _: None) -> TaskResult:
    """Train with Adam, gradient norm clipped at 1, on sequences that are new at every step.

    Raises:
        UnavailableError: Keras's engine is not installed.
    """
    # Every trial has a graph of its own; the engine would warn of each as a mistake.
    logging.getLogger("tensorflow").setLevel(logging.ERROR)
    engine = start_engine("cpu")
    make_repeatable(trial.seed, engine.backend)
    model = _build(trial)
    random = np.random.default_rng(trial.seed)
    test = draw(trial.task, np.random.default_rng(2**32 - 1), _TEST, trial.lag)
    started, taken, error = time.perf_counter(), 0, math.inf
    while taken < trial.steps and error > SOLVED[trial.task]:
        batches = min(_BATCHES_A_LOOK, trial.steps - taken)
        examples = draw(trial.task, random, batches * _BATCH, trial.lag)
        model.fit(examples.inputs, examples.answers, batch_size=_BATCH, shuffle=False, verbose=0)
        taken += batches
        error = _error(model, trial.task, test)
        report(f"step {taken}/{trial.steps}  error {error:.4f}")
    return TaskResult(
        error=error,
        solved=error <= SOLVED[trial.task],
        steps=taken,
        seconds=time.perf_counter() - started,
        parameters=parameter_count(trial.cell, features_of(trial.task), trial.units),
        network=_without_keras(model, trial.cell),
    )


def _build(trial: Trial) -> "keras.Model":
    import keras

    from forecaster.network.keras_network import LAYERS

    start = untrained_network(trial)
    inputs = keras.Input((trial.lag, features_of(trial.task)))
    layer = LAYERS[trial.cell](trial.units)
    classes = trial.task == "order"
    head = keras.layers.Dense(answers_of(trial.task), activation="softmax" if classes else None)
    model = keras.Model(inputs, head(layer(inputs)))
    layer.set_weights([start.weights.kernel, start.weights.recurrent, start.weights.bias])
    head.set_weights([start.head, start.head_bias])
    model.compile(
        optimizer=keras.optimizers.Adam(trial.learning_rate, global_clipnorm=1.0),
        loss="categorical_crossentropy" if classes else "mse",
        steps_per_execution=10,
        jit_compile=False,  # XLA does not pay for a loop over time on this engine's CPU
    )
    return model


def _error(model: "keras.Model", task: str, test: Examples) -> float:
    answers = model.predict(test.inputs, batch_size=_TEST, verbose=0)
    if not np.isfinite(answers).all():
        return math.inf
    if task == "order":
        return float((answers.argmax(1) != test.answers.argmax(1)).mean())
    return float(np.square(answers - test.answers).mean())


def _without_keras(model: "keras.Model", cell: str) -> TaskNetwork:
    kernel, recurrent, bias, head, head_bias = (part.astype(np.float64) for part in model.get_weights())
    return TaskNetwork(cell, CellWeights(kernel, recurrent, bias), head, head_bias)
