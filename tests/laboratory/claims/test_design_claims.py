from dataclasses import replace

import pytest
from claims_factory import SETUP, evidence, price_run, verdict

from forecaster.laboratory.cells.accounting import account
from forecaster.laboratory.cells.coupling import Difference
from forecaster.laboratory.claims import design
from forecaster.laboratory.claims.design import coupling_claim, design_claims, gate_claim, parameter_claim
from forecaster.laboratory.claims.runs import FULL, QUICK, price_groups


@pytest.mark.parametrize(
    ("name", "group", "other"),
    [
        ("feed-forward", "large/gru", "feed-forward"),
        ("convolution", "large/gru", "convolution"),
        ("linear", "large/gru", "linear-t"),
        ("both ways", "years/both ways", "years/one target"),
        ("weeks of days", "years/convlstm", "years/one target"),
    ],
)
def test_a_claim_of_lower_crps_follows_the_runs(name: str, group: str, other: str) -> None:
    assert verdict(name, design_claims(evidence({group: 0.9, other: 1.0}))) == "supported"
    assert verdict(name, design_claims(evidence({group: 1.0, other: 0.9}))) == "not supported"
    assert verdict(name, design_claims(evidence())) == "undecided"


def test_targets_at_every_step_are_as_good_within_half_a_per_cent() -> None:
    assert verdict("dense supervision", design_claims(evidence())) == "supported"
    assert (
        verdict("dense supervision", design_claims(evidence({"years/one target": 1.01}))) == "not supported"
    )


@pytest.mark.parametrize(
    ("level", "expected"), [(1.0, "supported"), (0.9, "supported"), (1.01, "not supported")]
)
def test_the_worst_length_decides(level: float, expected: str) -> None:
    usual = price_run(1.0)["used_at"]
    assert isinstance(usual, dict)
    used = usual | {"250": price_run(level)}
    judged = design_claims(evidence(prices={"used at/gru": {"used_at": used}}))
    assert verdict("variable lengths", judged) == expected


@pytest.mark.parametrize(
    ("name", "group"),
    [
        ("forget gate", "removed/lstm-no-forget"),
        ("output gate", "removed/lstm-no-output"),
        ("reset gate", "removed/gru-no-reset"),
    ],
)
def test_a_gate_is_needed_where_a_cell_is_slower_without_it(name: str, group: str) -> None:
    assert verdict(name, design_claims(evidence(steps={group: QUICK.steps}))) == "supported"
    faster = {group: 50, "long/lstm": 350, "long/gru": 350}
    assert verdict(name, design_claims(evidence(steps=faster))) == "not supported"
    assert verdict(name, design_claims(evidence())) == "undecided"


def test_a_gate_is_taken_out_on_prices_too_in_a_full_run() -> None:
    found = evidence()
    assert not any(name.startswith("removed") for name in found.prices)
    assert "removed/gru-no-reset" in price_groups(SETUP, FULL)
    runs = dict(found.prices) | {"removed/gru-no-reset": [price_run(1.1, seed) for seed in range(3)]}
    claim = gate_claim(replace(found, prices=runs), "gru-no-reset")
    assert "; CRPS on prices, without − whole +10.1" in claim.figure


@pytest.mark.parametrize(("steps", "expected"), [(50, "supported"), (250, "not supported")])
def test_coupled_gates_may_take_a_quarter_more(steps: int, expected: str) -> None:
    judged = design_claims(evidence(steps={"removed/lstm-coupled": steps}))
    assert verdict("input and forget gate", judged) == expected


def test_every_cell_has_to_lose_by_a_sigmoid() -> None:
    slow = {f"sigmoid/{cell}": QUICK.steps for cell in ("rnn", "lstm", "gru")}
    assert verdict("tanh as state", design_claims(evidence(steps=slow))) == "supported"
    one = slow | {"sigmoid/gru": 50, "short/gru": 350}
    assert verdict("tanh as state", design_claims(evidence(steps=one))) == "not supported"


def test_parameters_are_one_to_three_to_four() -> None:
    ratio = parameter_claim(SETUP)
    assert ratio.verdict == "supported"
    assert ratio.figure.endswith("1 : 3.08 : 4.00; the published GRU 3.00")


@pytest.mark.parametrize(
    ("lstm", "gru", "published", "expected"),
    [
        pytest.param(4.09, 2.91, 3.09, "supported", id="all near"),
        pytest.param(3.91, 3.09, 2.91, "supported", id="all near, the other way"),
        pytest.param(4.11, 3.0, 3.0, "not supported", id="LSTM too many"),
        pytest.param(3.89, 3.0, 3.0, "not supported", id="LSTM too few"),
        pytest.param(4.0, 3.11, 3.0, "not supported", id="GRU too many"),
        pytest.param(4.0, 2.89, 3.0, "not supported", id="GRU too few"),
        pytest.param(4.0, 3.0, 3.11, "not supported", id="published GRU too many"),
        pytest.param(4.0, 3.0, 2.89, "not supported", id="published GRU too few"),
    ],
)
def test_parameter_ratios_are_near_within_a_tenth(
    monkeypatch: pytest.MonkeyPatch, lstm: float, gru: float, published: float, expected: str
) -> None:
    formula = account("gru", SETUP.features, SETUP.recipe.units, reset_after=False).parameters
    one = formula / published
    counts = {"rnn": one, "lstm": lstm * one, "gru": gru * one}
    monkeypatch.setattr(design, "keras_parameters", lambda cell, *_: counts[cell])
    assert parameter_claim(SETUP).verdict == expected


@pytest.mark.parametrize(
    ("largest", "expected"),
    [
        pytest.param(9e-13, "supported", id="rounding"),
        pytest.param(1.1e-12, "not supported", id="more than rounding"),
    ],
)
def test_identical_is_within_rounding(monkeypatch: pytest.MonkeyPatch, largest: float, expected: str) -> None:
    differences = [Difference("all ties", largest), Difference("one", 0.3), Difference("other", 0.08)]
    monkeypatch.setattr(design, "coupling_differences", lambda *_: differences)
    found = coupling_claim()
    assert found.verdict == expected
    assert found.figure.endswith("with a tie cut 0.08 or more")


def test_the_coupling_is_an_identity() -> None:
    assert coupling_claim().verdict == "supported"
