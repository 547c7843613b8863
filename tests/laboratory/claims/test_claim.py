import math

import pytest

from forecaster.laboratory.claims.claim import Claim, Rule, Said, tally, weakest
from forecaster.laboratory.claims.effects import Effect

UNKNOWN = Effect.about(-0.5, math.inf, repeats=1)


@pytest.mark.parametrize(
    ("mean", "margin", "less", "more", "equal"),
    [
        pytest.param(-2.0, 0.5, "supported", "not supported", "not supported", id="clearly less"),
        pytest.param(2.0, 0.5, "not supported", "supported", "not supported", id="clearly more"),
        pytest.param(-0.2, 0.1, "supported", "not supported", "supported", id="clearly a little less"),
        pytest.param(0.2, 0.3, "undecided", "undecided", "supported", id="no telling, but close"),
        pytest.param(0.2, 3.0, "undecided", "undecided", "undecided", id="no telling at all"),
        pytest.param(-0.75, 0.25, "supported", "not supported", "supported", id="up to the bound"),
        pytest.param(-0.75, 0.26, "supported", "not supported", "undecided", id="across the bound"),
        pytest.param(1.5, 0.5, "not supported", "supported", "undecided", id="from the bound"),
        pytest.param(1.5, 0.49, "not supported", "supported", "not supported", id="beyond the bound"),
        pytest.param(-0.2, 0.2, "undecided", "undecided", "supported", id="up to zero"),
    ],
)
def test_verdicts(mean: float, margin: float, less: str, more: str, equal: str) -> None:
    effect = Effect.about(mean, margin, repeats=5)
    found = [Rule(says, bound).verdict(effect) for says, bound in (("below", 0), ("above", 0), ("within", 1))]
    assert found == [less, more, equal]


@pytest.mark.parametrize("says", ["above", "below", "within"])
def test_no_interval_supports_nothing(says: str) -> None:
    rule = Rule(says, 1.0)
    assert rule.verdict(UNKNOWN) == "undecided"
    assert rule.needed(UNKNOWN) == "at least 3 seeds"


def test_what_decides_otherwise_is_said() -> None:
    assert Rule("below", 0.0).otherwise("%") == "an interval wholly above 0 %"
    assert Rule("above", 1.5).otherwise("×") == "an interval wholly below 1.5 ×"
    assert Rule("within", 0.5).otherwise("%") == "an interval wholly beyond ± 0.5 %"


@pytest.mark.parametrize(
    ("effect", "needed"),
    [
        pytest.param(Effect.about(-2, 1, repeats=3), "", id="decided"),
        # Half the interval has to fall from 2 to 1: four times as many.
        pytest.param(Effect.about(-1, 2, repeats=3), "about 12 seeds (now 3)", id="four times as many"),
        # Without the days' part, 2² − 0.6² has to fall to 1² − 0.6².
        pytest.param(
            Effect.about(-1, 2, repeats=3, floor=0.6), "about 18 seeds (now 3)", id="the days leave a part"
        ),
        # Half the interval that the days alone leave is twice the effect.
        pytest.param(
            Effect.about(-0.5, 2, repeats=3, floor=1.0),
            "about 4 times as many test days, whatever the seeds",
            id="the days alone hide it",
        ),
        pytest.param(Effect.about(-0.01, 2, repeats=3), "more than 1,000 seeds (now 3)", id="too alike"),
        pytest.param(Effect.about(0, 2, repeats=3), "more than 1,000 seeds (now 3)", id="no effect"),
        pytest.param(Effect.about(0, 0, repeats=3), "seeds that differ: all came out alike", id="all alike"),
        pytest.param(
            Effect.about(-1, 2, repeats=10, of="timings"), "about 40 timings (now 10)", id="other repeats"
        ),
        pytest.param(Effect.about(0, 1, repeats=3, floor=0.5),
                     "more than 1,000 times as many test days, whatever the seeds", id="no effect at all"),
    ],
)  # fmt: skip
def test_what_it_would_take_to_decide(effect: Effect, needed: str) -> None:
    assert Rule("below", 0.0).needed(effect) == needed


def test_what_it_would_take_to_find_two_alike() -> None:
    """0.25 from the bound of 0.5, with half an interval of 0.5: four times as many."""
    assert Rule("within", 0.5).needed(Effect.about(0.25, 0.5, repeats=5)) == "about 20 seeds (now 5)"


@pytest.mark.parametrize(
    ("rule", "effect", "scaled"),
    [
        pytest.param(Rule("below", 0), Effect(-3, -4, -2), (0.5, 0.75, 1), id="below, as said"),
        pytest.param(Rule("above", 0), Effect(-3, -4, -2), (-1, -0.75, -0.5), id="above, refuted"),
        pytest.param(Rule("above", 1), Effect(2, 0, 5), (-0.25, 0.25, 1), id="above one"),
        pytest.param(Rule("within", 1), Effect(0.5, -0.5, 0.75), (0.25, 0.5, 1), id="within"),
        pytest.param(Rule("within", 1), Effect(-3, -5, -2), (-1, -0.5, -0.25), id="beyond"),
        pytest.param(Rule("below", 0), UNKNOWN, (-1, 0, 1), id="no interval"),
        pytest.param(Rule("below", 2), Effect.exact(2, ""), (0, 0, 0), id="on the bound"),
    ],
)
def test_intervals_of_all_units_on_one_scale(
    rule: Rule, effect: Effect, scaled: tuple[float, float, float]
) -> None:
    assert rule.scaled(effect) == pytest.approx(scaled)


def test_the_weakest_of_several_decides() -> None:
    rule = Rule("above", 0)
    well, less, open_, against = Effect(3, 2, 4), Effect(3, 1, 5), Effect(1, -5, 7), Effect(-1, -2, -0.5)
    assert weakest(rule, {"a": well, "b": less}) == "b"
    assert weakest(rule, {"a": well, "b": open_}) == "b"
    assert weakest(rule, {"a": open_, "b": against}) == "b"
    assert weakest(rule, {"a": against, "b": Effect(-9, -9, -9)}) == "b"


def claim(effect: Effect) -> Claim:
    said = Said("one", "cost", "A cell is a cell.", Rule("below", 0.0), "forecast lab cell", "GRU − LSTM")
    return said.judged(effect, "three seeds", "and more", {"x": 1})


def test_a_claim_has_its_effect_and_says_what_else_would_be() -> None:
    found = claim(Effect.about(-1, 2, repeats=3))
    assert found.figure == "GRU − LSTM -1.00 % (-3.00 to +1.00); and more"
    assert (found.verdict, found.effect, found.low, found.high, found.unit) == ("undecided", -1, -3, 1, "%")
    assert (found.says, found.bound, found.otherwise) == ("below", 0, "an interval wholly above 0 %")
    assert found.needed == "about 12 seeds (now 3)"
    assert tally([found, claim(Effect(-2, -3, -1))]) == "1 supported, 0 not supported, 1 undecided"
