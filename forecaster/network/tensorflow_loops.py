"""Keras's recurrent layers for training on TensorFlow's CPU, with the loops of `loops` for their own."""

from typing import Any

import keras
import tensorflow as tf

from forecaster.network.loops import LOOPS, Loop
from forecaster.settings import Recipe


def loop_layer(recipe: Recipe, number: int, last: int) -> keras.layers.Layer:
    """Layer `number` of the recipe's network, from (batch, lookback, features) to (batch, days, units).

    The weights are those of Keras's layer, in the same order. The topmost answers at the `last` days, all
    others at every day.
    """
    top = number == recipe.layers - 1
    loop = LOOPS[recipe.cell](recipe.units, last if top else recipe.lookback, passes_on=number > 0)
    layer = _LAYERS[recipe.cell](recipe.units, return_sequences=True, name=f"{recipe.cell}_{number}")
    layer.loop = loop
    return layer


class _Looped:
    """What Keras's layers are given in place of their own way through the days."""

    loop: Loop
    cell: Any

    def inner_loop(
        self, sequences: Any, initial_state: Any, mask: Any, training: bool = False
    ) -> tuple[Any, Any, list[Any]]:
        """The last state, the states after all days answered for, and the states to go on from."""
        del initial_state, mask, training  # zeros, none, and dropout is a layer of its own
        weights = [self.cell.kernel, self.cell.recurrent_kernel, self.cell.bias]
        hidden = _operation(self.loop, sequences, [weight.value for weight in weights])
        return hidden[:, -1], hidden, [hidden[:, -1]]


class _Elman(_Looped, keras.layers.SimpleRNN):  # type: ignore[misc]
    pass


class _Lstm(_Looped, keras.layers.LSTM):  # type: ignore[misc]
    pass


class _Gru(_Looped, keras.layers.GRU):  # type: ignore[misc]
    pass


_LAYERS = {"rnn": _Elman, "lstm": _Lstm, "gru": _Gru}


def _operation(loop: Loop, sequences: Any, weights: list[Any]) -> Any:
    """The loop with its gradient as an operation of TensorFlow's."""

    @tf.custom_gradient  # type: ignore[untyped-decorator]
    def operation(sequences: Any, *weights: Any) -> tuple[Any, Any]:
        def gradient(of_hidden: Any) -> tuple[Any, ...]:
            of_sequences, *of_weights = tf.numpy_function(
                loop.backward, [of_hidden], [tf.float32] * (1 + len(weights))
            )
            return of_sequences, *map(_shaped_as, of_weights, weights)

        return tf.numpy_function(loop.forward, [sequences, *weights], tf.float32), gradient

    hidden = operation(sequences, *weights)
    hidden.set_shape((sequences.shape[0], None, weights[1].shape[0]))
    return hidden


def _shaped_as(found: Any, like: Any) -> Any:
    found.set_shape(like.shape)
    return found
