import math

import numpy as np
import pytest
from claims_factory import SETUP, evidence

from forecaster.laboratory.claims import gradients
from forecaster.laboratory.claims.gradients import (
    carousel_claims,
    clipping_claim,
    explosion_claims,
    terms_claim,
    trained_claim,
    untrained_claim,
    untrained_growth,
)
from forecaster.settings import CELLS


def test_untrained_growth_is_of_every_cell_and_seed() -> None:
    grown = untrained_growth(SETUP, 60)
    assert {cell: len(values) for cell, values in grown.items()} == dict.fromkeys(CELLS, 5)
    found = untrained_claim(grown, 60)
    assert found.verdict == "not supported"  # a GRU's update gate starts at one half
    assert np.mean(grown["gru"]) < np.mean(grown["rnn"])


@pytest.mark.parametrize(
    ("lstm", "gru", "expected"),
    [
        pytest.param([-0.10, -0.11, -0.09], [-0.20, -0.21, -0.19], "supported", id="both further"),
        pytest.param([-0.10, -0.11, -0.09], [-0.50, -0.51, -0.49], "not supported", id="the GRU less far"),
        pytest.param([-0.50, -0.51, -0.49], [-0.10, -0.11, -0.09], "not supported", id="the LSTM less far"),
        pytest.param([-0.10, -0.11, -0.09], [-0.40, -0.39, -0.41], "undecided", id="the GRU as far"),
    ],
)
def test_gates_alone(lstm: list[float], gru: list[float], expected: str) -> None:
    grown = {"rnn": [-0.40, -0.41, -0.39], "lstm": lstm, "gru": gru}
    found = untrained_claim(grown, 60)
    assert found.verdict == expected
    assert "SimpleRNN halves in 2.5 steps" in found.figure


@pytest.mark.parametrize(("rnn", "expected"), [(-0.5, "supported"), (0.5, "not supported")])
def test_trained_networks_are_compared_where_all_have_solved_the_task(rnn: float, expected: str) -> None:
    found = trained_claim(evidence(tasks={"short/rnn": {"growth": rnn}}))
    assert found.verdict == expected
    assert f"SimpleRNN {'halves' if rnn < 0 else 'doubles'} in 2 steps" in found.figure
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
def test_terms_are_told_by_a_pulse(monkeypatch: pytest.MonkeyPatch, cell: float, expected: str) -> None:
    lives = iter(range(100))
    monkeypatch.setattr(
        gradients,
        "pulse_lives",
        lambda *_: {"hidden": 5.0 + 0.01 * next(lives), "cell": cell + 0.01 * next(lives)},
    )
    found = terms_claim(evidence(), np.zeros((1, 10, 2)))
    assert found.verdict == expected
    assert "trained on the adding problem, lag 30: c 6 ± 1, h 6 ± 1" in found.figure


def test_no_growth_is_said_to_be_none(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(gradients, "explodes_from", lambda *_: gradients.LARGEST_RADIUS)
    _, radius, _ = explosion_claims(np.zeros((1, 10, 2)))
    assert "never in 5 of 5" in radius.figure
    assert radius.verdict == "not supported"
