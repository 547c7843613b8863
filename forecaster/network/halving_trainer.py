"""The training step whose gradient is added up from the halves of a batch, on TensorFlow."""

from typing import Any

import keras
import numpy as np
import tensorflow as tf

from forecaster.network.halves import Floats, Half
from forecaster.network.keras_network import WindowTrainer
from forecaster.processes import Partner


class HalvingTrainer(WindowTrainer):
    """A `WindowTrainer` that computes the halves of a batch one by one, or the second in a partner."""

    def __init__(self, partner: Partner[Half, Floats] | None, *parts: Any) -> None:
        super().__init__(*parts)
        self._partner = partner
        self._steps = 0
        self._shapes = [tuple(each.shape) for each in self.trainable_variables]
        self._sizes = [int(np.prod(shape)) for shape in self._shapes]
        self._weights: Floats | None = None
        self._dropout = [
            layer.seed_generator.state
            for layer in self.network.layers
            if isinstance(layer, keras.layers.Dropout)
        ]
        self._seeds = [int(state.numpy()[0]) for state in self._dropout]
        self._gradient = tf.function(self._gradient_of_half)
        self._step = tf.function(self._optimizer_step)

    def train_on_batch(self, x: Any = None, y: Any = None, *_: Any, **__: Any) -> float:
        """One step of the optimiser; the mean loss of the targets that are known."""
        if self._weights is None:
            self._weights = np.concatenate([each.numpy().ravel() for each in self.trainable_variables])
        targets, middle = max(float(y.sum()), 1.0), len(x) // 2
        first = Half(2 * self._steps, self._weights, x[:middle], y[:middle], targets)
        second = Half(2 * self._steps + 1, self._weights, x[middle:], y[middle:], targets)
        total = self._both(first, second)
        self._weights = self._step(tf.constant(total[1:])).numpy()
        self._steps += 1
        return float(total[0])

    def _both(self, first: Half, second: Half) -> Floats:
        partner = self._partner
        if partner is None or not partner.is_free():
            return self.loss_and_gradient(first) + self.loss_and_gradient(second)
        partner.ask(second)
        here = self.loss_and_gradient(first)
        there = partner.answer()
        return here + (self.loss_and_gradient(second) if there is None else there)

    def trace(self, batch: int) -> None:
        """Have TensorFlow trace the step now, and not while another process waits."""
        rows = np.zeros(batch - batch // 2, np.int32)
        known = np.zeros((len(rows), self.supervised), np.float32)
        self.loss_and_gradient(Half(0, np.zeros(sum(self._sizes), np.float32), rows, known, 1.0))

    def loss_and_gradient(self, half: Half) -> Floats:
        """Its part of the batch's mean loss, and behind it the gradient of that part, (1 + weights,)."""
        for state, seed in zip(self._dropout, self._seeds, strict=True):
            state.assign([seed, half.number])
        given = half.weights, half.rows, half.known, np.float32(half.targets)
        found: Floats = self._gradient(*map(tf.constant, given)).numpy()
        return found

    def _gradient_of_half(self, weights: Any, rows: Any, known: Any, targets: Any) -> Any:
        for variable, value in zip(self.trainable_variables, self._divided(weights), strict=True):
            variable.assign(value)
        with tf.GradientTape() as tape:
            losses, counted = self.target_losses(rows, known, self(rows, training=True))
            loss = tf.reduce_sum(losses * counted) / targets
        return _flat([loss, *tape.gradient(loss, self.trainable_variables)])

    def _optimizer_step(self, gradient: Any) -> Any:
        self.optimizer.apply(self._divided(gradient), self.trainable_variables)
        return _flat([each.value for each in self.trainable_variables])

    def _divided(self, flat: Any) -> list[Any]:
        parts = tf.split(flat, self._sizes)
        return [tf.reshape(part, shape) for part, shape in zip(parts, self._shapes, strict=True)]


def _flat(parts: list[Any]) -> Any:
    return tf.concat([tf.reshape(part, [-1]) for part in parts], 0)
