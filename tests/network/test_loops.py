"""The loops in NumPy: answers and gradients are those of Keras's layers, and a batch goes back once."""

import keras
import numpy as np
import pytest
import tensorflow as tf

from forecaster.network.cells import weight_shapes
from forecaster.network.keras_network import build_network
from forecaster.network.loops import LOOPS
from forecaster.settings import Recipe

BATCH, LOOKBACK, FEATURES, LAST, KNOWN_AHEAD = 6, 7, 4, 3, 2
RANDOM = np.random.default_rng(0)


def answer_and_gradients(network: keras.Model, inputs: np.ndarray, weight: np.ndarray) -> list[np.ndarray]:
    """What a network answers at the last days, and the gradients of a weighted sum of that."""
    with tf.GradientTape() as tape:
        answered = network(inputs)[:, -LAST:]
        total = tf.reduce_sum(answered * weight)
    gradients = tape.gradient(total, [variable.value for variable in network.trainable_variables])
    return [each.numpy() for each in (answered, *gradients)]


@pytest.mark.parametrize("layers", [1, 2])
@pytest.mark.parametrize("cell", list(LOOPS))
def test_answers_and_gradients_are_those_of_keras(cell: str, layers: int) -> None:
    recipe = Recipe(cell=cell, layers=layers, units=5, lookback=LOOKBACK, horizon=2, dropout=0.0)
    ours = build_network(FEATURES, recipe, KNOWN_AHEAD, last=LAST, numpy_loops=True)
    theirs = build_network(FEATURES, recipe, KNOWN_AHEAD)
    weights = [RANDOM.normal(0, 0.5, each.shape) for each in theirs.get_weights()]
    for network in (ours, theirs):
        network.set_weights(weights)
    for batch in (BATCH, BATCH - 1):  # the memory is that of another batch
        inputs = RANDOM.normal(size=(batch, LOOKBACK, FEATURES)).astype("f4")
        weight = RANDOM.normal(size=(batch, LAST, 3 * recipe.horizon)).astype("f4")
        expected = answer_and_gradients(theirs, inputs, weight)
        for found, wanted in zip(answer_and_gradients(ours, inputs, weight), expected, strict=True):
            np.testing.assert_allclose(found, wanted, rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize("cell", list(LOOPS))
def test_keras_answers_at_the_last_days_what_it_answers_at_all(cell: str) -> None:
    recipe = Recipe(cell=cell, units=3, lookback=LOOKBACK, horizon=2)
    some, every = build_network(FEATURES, recipe, 1, last=LAST), build_network(FEATURES, recipe, 1)
    some.set_weights(every.get_weights())
    inputs = RANDOM.normal(size=(2, LOOKBACK, FEATURES)).astype("f4")
    np.testing.assert_allclose(some(inputs).numpy(), every(inputs).numpy()[:, -LAST:], atol=1e-6)


@pytest.mark.parametrize("cell", list(LOOPS))
def test_a_batch_goes_back_once_after_it_has_gone_forward(cell: str) -> None:
    loop = LOOPS[cell](2, LAST, passes_on=False)
    shapes = weight_shapes(cell, FEATURES, 2)
    weights = [RANDOM.normal(size=shapes[part]).astype("f4") for part in ("kernel", "recurrent", "bias")]
    hidden = loop.forward(RANDOM.normal(size=(BATCH, LOOKBACK, FEATURES)).astype("f4"), *weights)
    inputs, *gradients = loop.backward(hidden)
    assert inputs.size == 0
    assert [each.shape for each in gradients] == [each.shape for each in weights]
    with pytest.raises(RuntimeError, match="goes back once"):
        loop.backward(hidden)
