from dataclasses import replace

import pytest
from claims_factory import evidence, price_run, verdict

from forecaster.laboratory.claims.prices import price_claims


@pytest.mark.parametrize(
    ("name", "group", "other"),
    [
        ("small data", "small/gru", "small/lstm"),
        ("large data", "large/lstm", "large/gru"),
        ("more units", "small/gru", "wide/gru"),
        ("more layers", "small/gru", "deep/gru"),
    ],
)
def test_a_claim_of_lower_crps_follows_the_runs(name: str, group: str, other: str) -> None:
    assert verdict(name, price_claims(evidence({group: 0.9, other: 1.0}))) == "supported"
    assert verdict(name, price_claims(evidence({group: 1.0, other: 0.9}))) == "not supported"
    assert verdict(name, price_claims(evidence())) == "undecided"


@pytest.mark.parametrize(
    ("lstm", "gru", "expected"),
    [
        pytest.param(0.9, 0.9, "supported", id="both better"),
        pytest.param(0.9, 1.0, "undecided", id="one no better"),
        pytest.param(0.9, 1.1, "not supported", id="one worse"),
    ],
)
def test_both_gated_cells_have_to_be_better(lstm: float, gru: float, expected: str) -> None:
    found = price_claims(evidence({"large/lstm": lstm, "large/gru": gru}))
    assert verdict("gates on prices", found) == expected


@pytest.mark.parametrize(
    ("name", "group"), [("GRU or LSTM", "matched/lstm"), ("few features", "returns/gru")]
)
@pytest.mark.parametrize(
    ("level", "expected"),
    [
        pytest.param(1.0049, "supported", id="just within, higher"),
        pytest.param(1 / 1.0049, "supported", id="just within, lower"),
        pytest.param(1.0051, "not supported", id="just beyond, higher"),
        pytest.param(1 / 1.0051, "not supported", id="just beyond, lower"),
    ],
)
def test_the_bound_of_alike_is_half_a_per_cent(name: str, group: str, level: float, expected: str) -> None:
    """Runs that do not vary, so that only the bound decides."""
    found = evidence()
    steady = price_run(1.0) | {"daily_crps": [1.0] * 300}
    runs = dict(found.prices) | {
        "large/gru": [steady] * 3,
        group: [steady | {"daily_crps": [level] * 300}] * 3,
    }
    judged = price_claims(replace(found, prices=runs))
    assert verdict(name, judged) == expected


def test_one_seed_decides_no_claim_on_prices() -> None:
    found = evidence({"small/gru": 0.5, "large/lstm": 0.5, "large/rnn": 2.0, "wide/gru": 3.0})
    one = replace(found, prices={name: runs[:1] for name, runs in found.prices.items()})
    judged = price_claims(one)
    assert {claim.verdict for claim in judged} == {"undecided"}
    assert {claim.needed for claim in judged} == {"at least 3 seeds"}


@pytest.mark.parametrize(("gap", "expected"), [(1.3, "supported"), (0.7, "not supported")])
def test_overfitting_is_a_wider_gap_of_losses(gap: float, expected: str) -> None:
    found = evidence(prices={"wide/lstm": {"validation_losses": [gap]}})
    assert verdict("LSTM overfits", price_claims(found)) == expected
    assert verdict("LSTM overfits", price_claims(evidence())) == "undecided"


@pytest.mark.parametrize(
    ("lstm", "gru", "expected"),
    [(0.05, 0.06, "supported"), (0.05, 0.2, "not supported"), (0.05, 0.1, "undecided")],
)
def test_a_shock_moves_both_gated_cells_less(lstm: float, gru: float, expected: str) -> None:
    moved = {cell: {"shock": [9.0] + [each] * 5} for cell, each in (("lstm", lstm), ("gru", gru))}
    found = evidence(prices={f"large/{cell}": each for cell, each in moved.items()})
    if gru == 0.1:
        found = evidence(prices={"large/lstm": moved["lstm"]})
    assert verdict("outliers", price_claims(found)) == expected
