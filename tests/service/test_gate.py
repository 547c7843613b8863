"""The gate's decisions on hand-made scores: what promotes a challenger, and by which numbers."""

from dataclasses import replace

import numpy as np
import pytest
import scipy.stats
from factories import panel_of, random_walk_table
from network_factory import random_network

from forecaster.errors import BadInputError
from forecaster.evaluation.scoring import ScoredStep, StepScores
from forecaster.service import gate
from forecaster.service.gate import Duel, duel, unseen_part

NOISE = np.random.default_rng(3).normal(0, 1e-3, 60)
SCORES = StepScores(60, 0.01, 0.9, 1.0, 1.0, 1.0, 1.0, 0.5, 0.01)


def scored(crps: np.ndarray) -> ScoredStep:
    return ScoredStep(replace(SCORES, crps=float(crps.mean())), np.arange(len(crps)), crps, crps)


def shifted(p_value: float) -> np.ndarray:
    """Daily losses above 0.01 whose mean excess has this one-sided p-value, by the textbook's t-test."""
    noise = NOISE - NOISE.mean()
    t = scipy.stats.t.isf(p_value, len(noise) - 1)
    return 0.01 + noise + t * noise.std(ddof=1) / np.sqrt(len(noise))


def made(first: str, second: str, p_worse: float, *, crps: float = 1.0, other: float = 1.0) -> Duel:
    return Duel(first, second, 1, 60, crps, other, p_worse)


@pytest.mark.parametrize("p_value", [0.004, 0.03, 0.049, 0.051, 0.08, 0.19, 0.5, 0.9])
def test_a_duel_is_a_one_sided_test_at_five_per_cent(p_value: float) -> None:
    found = duel("challenger", "champion", scored(shifted(p_value)), scored(np.full(60, 0.01)), 1)
    expected = scipy.stats.ttest_1samp(shifted(p_value) - 0.01, 0, alternative="greater").pvalue
    assert found.p_worse == pytest.approx(expected)
    assert found.p_worse == pytest.approx(p_value)
    assert found.worse == (p_value < 0.05)


def test_equal_scores_are_not_worse() -> None:
    same = scored(np.full(60, 0.01))
    assert duel("challenger", "champion", same, same, 1).p_worse == 1.0


@pytest.mark.parametrize(
    ("p_champion", "crps", "p_champion_naive", "promote", "reason", "weak"),
    [
        pytest.param(0.051, 0.99, 0.5, True, "is not significantly worse than", False, id="equal"),
        pytest.param(0.049, 0.99, 0.5, False, "significantly worse than the champion", False, id="worse"),
        pytest.param(0.9, 1.0, 0.5, True, "is not significantly worse", False, id="as-good-as-naive"),
        pytest.param(0.9, 1.001, 0.5, False, "worse than the naive forecast", False, id="worse-than-naive"),
        pytest.param(0.9, 0.99, 0.049, True, "is not significantly worse", True, id="champion-below-naive"),
        pytest.param(0.9, 0.99, 0.051, True, "is not significantly worse", False, id="champion-near-naive"),
    ],
)
def test_the_decision_by_table(
    p_champion: float, crps: float, p_champion_naive: float, promote: bool, reason: str, weak: bool
) -> None:
    duels = (
        made("challenger", "champion", p_champion, crps=crps),
        made("challenger", "naive", 0.5, crps=crps),
        made("champion", "naive", p_champion_naive),
    )
    found = gate._decision(duels, "2026-01-02", "2026-11-20")
    assert (found.promote, found.champion_worse_than_naive) == (promote, weak)
    assert reason in found.text
    assert found.as_card()["level"] == 0.05


@pytest.mark.parametrize("place", [0, 1])
def test_every_step_counts(place: int) -> None:
    good, bad = made("challenger", "champion", 0.5), made("challenger", "champion", 0.01)
    duels = [good, good]
    duels[place] = bad
    assert not gate._decision(tuple(duels), "", "").promote


@pytest.mark.parametrize(("horizon", "needed"), [(1, 20), (5, 20), (6, 24), (10, 40), (50, 200)], ids=str)
def test_the_fewest_sessions_to_compare_on(horizon: int, needed: int) -> None:
    panel = panel_of(random_walk_table("AAA", 300))
    last_origin = len(panel.dates) - 2
    enough = unseen_part(panel, panel.dates[last_origin - needed], horizon)
    assert len(enough) == needed
    with pytest.raises(BadInputError, match=f"{needed - 1} sessions are left.*needs {needed}"):
        unseen_part(panel, panel.dates[last_origin - needed + 1], horizon)


def test_a_refit_is_rejected_where_it_is_significantly_worse(monkeypatch: pytest.MonkeyPatch) -> None:
    def score(p_value: float) -> None:
        steps = {
            "refitted network": {1: scored(shifted(p_value))},
            "evaluated one": {1: scored(np.full(60, 0.01))},
        }
        monkeypatch.setattr(gate, "_score", lambda *_: steps)

    score(0.049)
    assert "significantly worse" in str(gate.refit_fault(None, range(1), None, None))  # type: ignore[arg-type]
    score(0.051)
    assert gate.refit_fault(None, range(1), None, None) is None  # type: ignore[arg-type]


def test_a_duel_in_words() -> None:
    found = replace(made("challenger", "champion", 0.0314, crps=0.0083217, other=0.0083254), step=5)
    assert found.text == "CRPS ×10⁻⁴ of the challenger 83.22, of the champion 83.25, 5 ahead, p = 0.031"
    assert not replace(found, p_worse=0.05).worse  # below the level, not at it


@pytest.mark.parametrize("horizon", [1, 3])
def test_both_networks_are_compared_on_the_origins_after_the_last_day_seen(horizon: int) -> None:
    panel = panel_of(*(random_walk_table(name, 200, seed) for seed, name in enumerate("AB")))
    champion, challenger = (
        random_network(features=("return", "volatility"), lookback=10, horizon=horizon, seed=seed)
        for seed in (0, 1)
    )
    found = gate.decide(panel, panel.dates[120], champion, challenger)
    assert (found.first_day, found.last_day) == (str(panel.dates[121]), str(panel.dates[-2]))
    steps = sorted({1, horizon})
    pairs = [("challenger", "champion"), ("challenger", "naive"), ("champion", "naive")]
    assert [(each.first, each.second, each.step) for each in found.duels] == [
        (*pair, step) for pair in pairs for step in steps
    ]
    assert {each.days for each in found.duels if each.step == 1} == {len(panel.dates) - 122}
    again = gate.decide(panel, panel.dates[120], champion, champion)
    assert {each.p_worse for each in again.duels if each.second == "champion"} == {1.0}
    assert gate.refit_fault(panel, range(121, 199), champion, champion) is None


def test_no_window_after_the_last_day_seen_is_an_error() -> None:
    panel = panel_of(random_walk_table("AAA", 60))
    network = random_network(features=("return",), lookback=55, horizon=1)
    with pytest.raises(BadInputError, match=r"no ticker has 55 days in a row from \d{4}-"):
        gate.decide(panel, panel.dates[30], network, network)


def test_the_first_duel_gives_the_reason() -> None:
    first, second = made("challenger", "champion", 0.5), made("challenger", "champion", 0.6)
    found = gate._decision((first, second), "", "")
    assert found.reason.endswith(first.text)
    assert first.text != second.text
