import math
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from claims_factory import SETUP, evidence
from factories import filled_store

from forecaster.laboratory.claims import gradients
from forecaster.laboratory.claims.gradients import (
    carousel_claims,
    clipping_claim,
    explosion_claims,
    terms_claim,
    trained_claim,
    untrained_claim,
    untrained_half_lives,
)
from forecaster.settings import CELLS


def test_untrained_half_lives_are_of_every_cell_and_seed(tmp_path: Path) -> None:
    filled_store(tmp_path)
    setup = replace(SETUP, home=tmp_path, tickers=("AAA", "BBB"))
    lives = untrained_half_lives(setup, 60)
    assert {cell: len(values) for cell, values in lives.items()} == dict.fromkeys(CELLS, 5)
    found = untrained_claim(lives, 60)
    assert found.verdict == "not supported"  # a GRU's update gate starts at one half
    assert np.mean(lives["gru"]) < np.mean(lives["rnn"])


@pytest.mark.parametrize(
    ("lstm", "gru", "expected"),
    [
        pytest.param([8.0, 8.1, 7.9], [6.0, 6.1, 5.9], "supported", id="both further"),
        pytest.param([8.0, 8.1, math.inf], [8.0, 8.1, 8.2], "undecided", id="one does not fall in a seed"),
        pytest.param([8.0, 8.1, 7.9], [3.0, 3.1, 2.9], "not supported", id="the GRU less far"),
        pytest.param([3.0, 3.1, 2.9], [8.0, 8.1, 7.9], "not supported", id="the LSTM less far"),
        pytest.param([8.0, 8.1, 7.9], [3.9, 4.2, 4.0], "undecided", id="the GRU as far"),
    ],
)
def test_gates_alone(lstm: list[float], gru: list[float], expected: str) -> None:
    lives = {"rnn": [4.0, 4.1, 3.9], "lstm": lstm, "gru": gru}
    assert untrained_claim(lives, 60).verdict == expected


@pytest.mark.parametrize(
    ("rnn", "expected"), [(2.0, "supported"), (None, "not supported"), (50.0, "not supported")]
)
def test_trained_networks_are_compared_where_all_have_solved_the_task(
    rnn: float | None, expected: str
) -> None:
    found = trained_claim(evidence(tasks={"short/rnn": {"half_life": rnn}}))
    assert found.verdict == expected
    assert ("does not fall" in found.figure) == (rnn is None)
    unsolved = trained_claim(evidence(steps={"short/rnn": 400}))
    assert unsolved.verdict == "undecided"
    assert "SimpleRNN no seed solved it" in unsolved.figure


def test_a_simple_rnn_explodes_from_a_radius_above_one() -> None:
    inputs = np.random.default_rng(0).normal(size=(2, 40, 5))
    explodes, radius, _ = explosion_claims(inputs)
    assert explodes.verdict == "supported"
    assert radius.verdict == "not supported"
    assert 1.1 < radius.low < radius.high < 2
    at_rest, at_one, _ = explosion_claims(np.zeros((1, 40, 5)))
    assert at_one.verdict == "supported"  # without inputs no unit is where tanh is flat
    assert at_one.effect == pytest.approx(1, abs=0.02)
    assert at_rest.effect == pytest.approx(40 * math.log10(2.5), rel=0.05)


@pytest.mark.parametrize(
    ("lstm", "expected"), [(-1.0, "supported"), (1.0, "not supported"), (0.0, "undecided")]
)
def test_both_gated_cells_have_to_hold(monkeypatch: pytest.MonkeyPatch, lstm: float, expected: str) -> None:
    grown = {"rnn": 3.0, "lstm": lstm, "gru": -2.0}
    monkeypatch.setattr(gradients, "_powers", lambda cell, seed, _: grown[cell] + 0.1 * (seed - 2))
    *_, gated = explosion_claims(np.zeros((1, 10, 2)))
    assert gated.verdict == expected
    assert "of the LSTM, which decides" in gated.figure


def test_clipping_holds_what_diverges() -> None:
    found = clipping_claim()
    assert found.verdict == "supported"
    assert "0 clipped at 1" in found.figure


def test_the_cell_state_is_an_identity_and_not_all_of_the_gradient() -> None:
    identity, alone, constant = carousel_claims(np.random.default_rng(0).normal(size=(2, 40, 5)))
    assert (identity.verdict, identity.high) == ("supported", pytest.approx(0, abs=1e-15))
    assert alone.verdict == constant.verdict == "not supported"
    assert constant.high < 1e-3  # σ(1) to the power of 39 is 5e-6


@pytest.mark.parametrize(
    ("cell", "expected"), [(25.0, "supported"), (5.0, "undecided"), (1.0, "not supported")]
)
def test_terms_are_told_by_a_pulse(cell: float, expected: str) -> None:
    runs = evidence(tasks={"long/lstm": {"pulse": {"hidden": 5.0, "cell": cell}}})
    assert terms_claim(runs).verdict == expected


def test_no_growth_is_said_to_be_none(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(gradients, "explodes_from", lambda *_: gradients.LARGEST_RADIUS)
    _, radius, _ = explosion_claims(np.zeros((1, 10, 2)))
    assert "never in 5 of 5" in radius.figure
    assert radius.verdict == "not supported"
