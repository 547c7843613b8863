import pytest
from claims_factory import evidence, verdict

from forecaster.laboratory.claims.claim import Claim
from forecaster.laboratory.claims.memory import memory_claims
from forecaster.laboratory.claims.runs import QUICK

NEVER = QUICK.steps


def judged(**steps: int) -> list[Claim]:
    return memory_claims(evidence(steps={name.replace("_", "/"): each for name, each in steps.items()}))


@pytest.mark.parametrize(
    ("rnn", "lstm", "gru", "expected"),
    [
        pytest.param(NEVER, 100, 100, "supported", id="as said"),
        pytest.param(
            100, NEVER, 100, "not supported", id="one gated cell fails where the plain one does not"
        ),
        pytest.param(100, 100, 100, "undecided", id="all succeed"),
        pytest.param(NEVER, NEVER, 100, "undecided", id="one gated cell fails too"),
    ],
)
def test_long_lags(rnn: int, lstm: int, gru: int, expected: str) -> None:
    found = judged(long_rnn=rnn, long_lstm=lstm, long_gru=gru)
    assert verdict("long lags", found) == expected
    figure = next(claim.figure for claim in found if claim.name == "long lags")
    assert f"SimpleRNN {3 if rnn < NEVER else 0} of 3" in figure


@pytest.mark.parametrize(("steps", "expected"), [(100, "supported"), (NEVER, "not supported")])
def test_short_lags(steps: int, expected: str) -> None:
    assert verdict("short lags", judged(short_rnn=steps)) == expected


def test_lags_are_reached_sooner_at_both_rates_or_not() -> None:
    sooner = {f"keras/{rate:g}/lstm": 50 for rate in (0.002, 0.005)}
    slower = {f"keras/{rate:g}/gru": 400 for rate in (0.002, 0.005)}
    both = memory_claims(evidence(steps=sooner | slower))
    assert verdict("LSTM or GRU, Keras's start", both) == "supported"
    assert verdict("LSTM or GRU, open gates", both) == "undecided"
    one = memory_claims(evidence(steps={"keras/0.005/lstm": 400}))
    assert verdict("LSTM or GRU, Keras's start", one) == "not supported"


@pytest.mark.parametrize(
    ("name", "first", "second"),
    [
        ("stacked LSTM", "stacked_lstm", "long_lstm"),
        ("training to equal loss", "short_lstm", "short_rnn"),
        ("few examples", "few_gru", "few_lstm"),
    ],
)
def test_fewer_steps(name: str, first: str, second: str) -> None:
    others = {"short_gru": 50} if first == "short_lstm" else {}
    assert verdict(name, judged(**{first: 50, second: 350}, **others)) == "supported"
    assert verdict(name, judged(**{first: 350, second: 50})) == "not supported"
    assert verdict(name, judged(**{first: 100, second: 100})) == "undecided"


@pytest.mark.parametrize(
    ("rnn", "lstm", "expected"),
    [
        pytest.param(0.5, 0.0, "supported", id="as said"),
        pytest.param(0.0, 0.0, "not supported", id="the plain cell keeps it"),
        pytest.param(0.5, 0.48, "not supported", id="a gated cell loses it too"),
    ],
)
@pytest.mark.parametrize(("name", "kind"), [("number agreement", "agreement"), ("temporal order", "order")])
def test_wrong_answers(name: str, kind: str, rnn: float, lstm: float, expected: str) -> None:
    wrong = {f"{kind}/rnn": {"error": rnn}, f"{kind}/lstm": {"error": lstm}}
    assert verdict(name, memory_claims(evidence(tasks=wrong))) == expected
