from dataclasses import fields, replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from forecaster.laboratory.cells.coupling import Coupling, coupling_differences, run_coupled
from forecaster.laboratory.cells.weights import untrained_weights
from forecaster.network.cells import CellWeights, run_layer

INPUTS = np.random.default_rng(3).normal(size=(40, 3))


@settings(max_examples=25)
@given(seed=st.integers(0, 10_000), units=st.integers(1, 6), scale=st.floats(0.1, 5))
def test_with_every_tie_the_lstm_is_the_gru(seed: int, units: int, scale: float) -> None:
    weights = untrained_weights("gru", 3, units, seed, reset_after=False, recurrent_scale=scale)
    gru = run_layer("gru", weights, INPUTS[None], reset_after=False)[0]
    np.testing.assert_allclose(run_coupled(weights, INPUTS, Coupling()), gru, atol=1e-12)


@pytest.mark.parametrize("tie", [part.name for part in fields(Coupling)])
def test_without_any_one_tie_it_is_not(tie: str) -> None:
    weights = untrained_weights("gru", 3, 4, 0, reset_after=False)
    gru = run_layer("gru", weights, INPUTS[None], reset_after=False)[0]
    cut = run_coupled(weights, INPUTS, replace(Coupling(), **{tie: False}))
    assert np.abs(cut - gru).max() > 0.01


def test_the_report_measures_the_identity_and_every_cut() -> None:
    whole, *cuts = coupling_differences(untrained_weights("gru", 3, 4, 0, reset_after=False), INPUTS)
    assert whole.largest < 1e-14
    assert len(cuts) == len(fields(Coupling))
    assert min(cut.largest for cut in cuts) > 0.01


@pytest.mark.parametrize("size", [1e-2, 1e-3])
def test_the_two_textbook_cells_agree_but_for_the_tanh_on_the_way_out(size: float) -> None:
    """σ(−a) = 1 − σ(a): an LSTM with W_i = −W_f and o = 1 against a GRU with r = 1, both as they stand.

    What is left is tanh(c) against c, which is c³/3: for small states it must vanish as the cube.
    """
    gru = untrained_weights("gru", 3, 4, 0, reset_after=False)
    update, _, candidate = np.split(gru.kernel, 3, axis=1)
    back, _, inward = np.split(gru.recurrent, 3, axis=1)
    open_gate = np.full(4, 40.0)
    zeros = np.zeros(4)
    ours = CellWeights(
        np.hstack([update, 0 * update, size * candidate]),
        np.hstack([back, 0 * back, inward]),
        np.concatenate([zeros, open_gate, zeros]),
    )
    lstm = CellWeights(
        np.hstack([-update, update, size * candidate, 0 * update]),
        np.hstack([-back, back, inward, 0 * back]),
        np.concatenate([zeros, zeros, zeros, open_gate]),
    )
    difference = run_layer("lstm", lstm, INPUTS[None]) - run_layer(
        "gru", ours, INPUTS[None], reset_after=False
    )
    assert 1e-3 * size**3 < np.abs(difference).max() < 10 * size**3
