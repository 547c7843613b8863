import numpy as np
import pytest

from forecaster.laboratory.cells.weights import untrained_weights
from forecaster.laboratory.memory.training import Trial, stack_parameters, train_on_task
from forecaster.laboratory.memory.variants import VARIANTS, base_of, keras_layer, used_parameters

RANDOM = np.random.default_rng(5)
INPUTS = RANDOM.normal(size=(3, 7, 2)).astype(np.float32)


def by_hand(cell: str, units: int) -> np.ndarray:
    """The last state of a variant, step by step from its equations."""
    variant, weights = VARIANTS[cell], untrained_weights(base_of(cell), 2, units, 0)
    hidden, state = np.zeros((3, units)), np.zeros((3, units))
    for x in INPUTS.swapaxes(0, 1):
        if variant.base == "lstm":
            inside = x @ weights.kernel + hidden @ weights.recurrent + weights.bias
            i, f, g, o = np.split(inside, 4, axis=-1)
            gates = {"input": sigmoid(i), "forget": sigmoid(f), "output": sigmoid(o)}
            if variant.without:
                gates[variant.without] = 1 - gates["forget"] if variant.coupled else np.ones_like(f)
            squash = sigmoid if variant.sigmoid else np.tanh
            state = gates["forget"] * state + gates["input"] * squash(g)
            hidden = gates["output"] * squash(state)
        elif variant.base == "gru":
            z, r, _ = np.split(x @ weights.kernel + hidden @ weights.recurrent + weights.bias.sum(0), 3, -1)
            to_candidate = (hidden @ weights.recurrent + weights.bias[1])[:, 2 * units :]
            reset = 1.0 if variant.without else sigmoid(r)
            inside = (x @ weights.kernel + weights.bias[0])[:, 2 * units :] + reset * to_candidate
            squash = sigmoid if variant.sigmoid else np.tanh
            hidden = sigmoid(z) * hidden + (1 - sigmoid(z)) * squash(inside)
        else:
            hidden = sigmoid(x @ weights.kernel + hidden @ weights.recurrent + weights.bias)
    return hidden


def sigmoid(values: np.ndarray) -> np.ndarray:
    return 1 / (1 + np.exp(-values))


@pytest.mark.parametrize("cell", VARIANTS)
def test_a_variant_is_its_equations(cell: str) -> None:
    layer = keras_layer(cell, 4, return_sequences=False)
    layer.build(INPUTS.shape)
    layer.set_weights(list(vars(untrained_weights(base_of(cell), 2, 4, 0)).values()))
    np.testing.assert_allclose(np.asarray(layer(INPUTS)), by_hand(cell, 4), atol=1e-5)


def test_the_gate_that_is_taken_out_has_no_parameters() -> None:
    """An LSTM of 4 units and 2 features has 4·4·7 = 112, a GRU 3·(4·6 + 8) = 96."""
    assert used_parameters("lstm", 2, 4) == used_parameters("lstm-sigmoid", 2, 4) == 112
    assert used_parameters("lstm-no-forget", 2, 4) == used_parameters("lstm-coupled", 2, 4) == 84
    assert used_parameters("gru-no-reset", 2, 4) == 64
    assert stack_parameters("lstm", 2, 4, 2) == 112 + 4 * 4 * 9


@pytest.mark.parametrize(
    "trial",
    [
        pytest.param(Trial("adding", "gru-no-reset", 3, 8, 0, 10), id="a variant"),
        pytest.param(Trial("adding", "lstm", 3, 8, 0, 10, layers=2), id="two layers"),
    ],
)
def test_what_runs_in_keras_alone_is_trained_too(trial: Trial) -> None:
    found = train_on_task(trial)
    assert found.network is None
    assert found.steps == 10
    assert np.isfinite(found.error)


def test_a_fixed_set_is_trained_on_again_and_again() -> None:
    """A few sequences are soon known by heart, which does not help with new ones."""
    few = train_on_task(Trial("adding", "gru", 8, 8, 0, 150, examples=4))
    many = train_on_task(Trial("adding", "gru", 8, 8, 0, 150))
    assert few.error > 1.3 * many.error
