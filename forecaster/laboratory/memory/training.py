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
from forecaster.laboratory.memory.variants import base_of, used_parameters
from forecaster.network.cells import CellWeights
from forecaster.network.engine import make_repeatable, start_engine
from forecaster.settings import CELLS

if TYPE_CHECKING:
    import keras

STARTS = ("open", "keras")
_BATCH = 64
BATCHES_A_LOOK = 50
"""Optimiser steps from one look at whether the task is solved to the next."""
_TEST = 1000
# What counts as solved: a root mean squared error of 0.1 (guessing: 0.41), 1 in 100 answers wrong.
SOLVED = {"adding": 0.01, "order": 0.01, "agreement": 0.01}
GUESSING = {"adding": 1 / 6, "order": 3 / 4, "agreement": 1 / 2}


@dataclass(frozen=True)
class Trial:
    """One training: what tells it apart from every other.

    Attributes:
        task: one of `TASKS`.
        cell: "rnn", "lstm" or "gru", or one of `VARIANTS`.
        units: u.
        lag: steps of a sequence.
        seed: of weights and data.
        steps: the most optimiser steps, of 64 new sequences each.
        start: "open" (gates begin open, see `open_gates`) or "keras" (its defaults).
        learning_rate: Adam's.
        layers: of the cell, one upon the other.
        examples: of a fixed set that it is trained on again and again; 0: all are new.
    """

    task: str
    cell: str
    units: int
    lag: int
    seed: int
    steps: int
    start: str = "open"
    learning_rate: float = 0.005
    layers: int = 1
    examples: int = 0


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
        parameters: of the recurrent layers.
        network: as trained; None for a cell or a stack that runs in Keras alone.
    """

    error: float
    solved: bool
    steps: int
    seconds: float
    parameters: int
    network: TaskNetwork | None


def untrained_network(trial: Trial) -> TaskNetwork:
    """The trial's network of one layer before its first step; its head is Glorot-uniform."""
    features, answers = features_of(trial.task), answers_of(trial.task)
    limit = math.sqrt(6 / (trial.units + answers))
    head = np.random.default_rng(trial.seed + 1).uniform(-limit, limit, (trial.units, answers))
    return TaskNetwork(trial.cell, _start_of(trial, features, trial.seed), head, np.zeros(answers))


def _start_of(trial: Trial, features: int, seed: int) -> CellWeights:
    cell = base_of(trial.cell)
    weights = untrained_weights(cell, features, trial.units, seed)
    return open_gates(cell, weights, trial.lag, seed) if trial.start == "open" else weights


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
    next_examples = _source(trial, random)
    started, taken, error = time.perf_counter(), 0, math.inf
    while taken < trial.steps and error > SOLVED[trial.task]:
        batches = min(BATCHES_A_LOOK, trial.steps - taken)
        examples = next_examples(batches * _BATCH)
        model.fit(examples.inputs, examples.answers, batch_size=_BATCH, shuffle=False, verbose=0)
        taken += batches
        error = _error(model, trial.task, test)
        report(f"step {taken}/{trial.steps}  error {error:.4f}")
    return TaskResult(
        error=error,
        solved=error <= SOLVED[trial.task],
        steps=taken,
        seconds=time.perf_counter() - started,
        parameters=stack_parameters(trial.cell, features_of(trial.task), trial.units, trial.layers),
        network=_without_keras(model, trial) if trial.cell in CELLS and trial.layers == 1 else None,
    )


def stack_parameters(cell: str, features: int, units: int, layers: int) -> int:
    """Parameters of the recurrent layers of one stack."""
    widths = [features] + [units] * (layers - 1)
    return sum(used_parameters(cell, width, units) for width in widths)


def _source(trial: Trial, random: np.random.Generator) -> Callable[[int], Examples]:
    """What gives the next sequences: new ones, or the fixed set's in another order each time round."""
    if not trial.examples:
        return lambda count: draw(trial.task, random, count, trial.lag)
    pool = draw(trial.task, random, trial.examples, trial.lag)

    def from_pool(count: int) -> Examples:
        rounds = -(-count // trial.examples)
        chosen = np.concatenate([random.permutation(trial.examples) for _ in range(rounds)])[:count]
        return Examples(pool.inputs[chosen], pool.answers[chosen])

    return from_pool


def _build(trial: Trial) -> "keras.Model":
    import keras

    from forecaster.laboratory.memory.variants import keras_layer

    start = untrained_network(trial)
    features = features_of(trial.task)
    inputs = hidden = keras.Input((trial.lag, features))
    for number in range(trial.layers):
        layer = keras_layer(trial.cell, trial.units, return_sequences=number < trial.layers - 1)
        hidden = layer(hidden)
        # Layers above the first are drawn with seeds of their own.
        width = trial.units if number else features
        weights = _start_of(trial, width, trial.seed + 1000 * number) if number else start.weights
        layer.set_weights([weights.kernel, weights.recurrent, weights.bias])
    classes = trial.task != "adding"
    head = keras.layers.Dense(answers_of(trial.task), activation="softmax" if classes else None)
    model = keras.Model(inputs, head(hidden))
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
    if task != "adding":
        return float((answers.argmax(1) != test.answers.argmax(1)).mean())
    return float(np.square(answers - test.answers).mean())


def _without_keras(model: "keras.Model", trial: Trial) -> TaskNetwork:
    kernel, recurrent, bias, head, head_bias = (part.astype(np.float64) for part in model.get_weights())
    return TaskNetwork(trial.cell, CellWeights(kernel, recurrent, bias), head, head_bias)
