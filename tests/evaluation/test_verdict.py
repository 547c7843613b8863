"""The verdict on hand-made scores: what it takes to win, and what is said of it."""

from dataclasses import replace
from typing import Any

import numpy as np
import pytest
import scipy.stats

from forecaster.evaluation.comparison import Comparison, ModelResult
from forecaster.evaluation.scoring import ScoredStep, StepScores
from forecaster.evaluation.verdict import judge, show_p

DAYS = 80
NOISE = np.random.default_rng(5).normal(0, 1e-3, DAYS)
SCORES = StepScores(DAYS, 0.01, 0.9, 1.0, 1.0, 1.0, 1.0, 0.5, 0.01)


def losses(p_value: float) -> np.ndarray:
    """Daily CRPS below 0.01, whose difference from it has this two-sided p-value at step 1."""
    noise = NOISE - NOISE.mean()
    t = scipy.stats.t.isf(p_value / 2, DAYS - 1)
    return 0.01 + noise - t * noise.std(ddof=1) / np.sqrt(DAYS)


def row(name: str, kind: str, crps: dict[int, np.ndarray], **scores: Any) -> ModelResult:
    steps = {step: replace(SCORES, crps=float(daily.mean()), **scores) for step, daily in crps.items()}
    scored = {step: ScoredStep(steps[step], np.arange(DAYS), daily, daily) for step, daily in crps.items()}
    return ModelResult(name, kind, steps, scored, {})


def compared(*rows: ModelResult) -> Comparison:
    nothing: Any = None
    return Comparison(nothing, nothing, max(rows[0].steps), rows, nothing, {})


def flat(*steps: int) -> dict[int, np.ndarray]:
    return {step: np.full(DAYS, 0.01) for step in steps}


@pytest.mark.parametrize(
    ("cells", "steps", "p_value", "wins"),
    [
        pytest.param(1, (1,), 0.049, True, id="one-test"),
        pytest.param(1, (1,), 0.051, False, id="one-test-missed"),
        pytest.param(2, (1,), 0.024, True, id="two-cells"),
        pytest.param(2, (1,), 0.026, False, id="two-cells-missed"),
        pytest.param(1, (1, 5), 0.024, True, id="two-steps"),
        pytest.param(1, (1, 5), 0.026, False, id="two-steps-missed"),
        pytest.param(3, (1, 5), 0.0082, True, id="three-cells-two-steps"),
        pytest.param(3, (1, 5), 0.0085, False, id="three-cells-two-steps-missed"),
    ],
)
def test_the_level_is_shared_by_all_cells_and_steps(
    cells: int, steps: tuple[int, ...], p_value: float, wins: bool
) -> None:
    names = ("gru", "lstm", "rnn")[:cells]
    best = row("gru", "cell", flat(*steps) | {1: losses(p_value)})
    others = [row(name, "cell", flat(*steps)) for name in names[1:]]
    found = judge(compared(best, *others, row("naive", "baseline", flat(*steps))))
    assert found.best == "gru"
    assert found.beats_naive == wins
    assert ("knows better than a naive forecast how far" in found.text) == wins
    assert ("not significant after counting all that was tried" in found.text) != wins


def test_every_baseline_has_to_be_beaten() -> None:
    best = row("gru", "cell", {1: losses(1e-6)})
    beaten = row("naive", "baseline", flat(1))
    for strong in (losses(1e-6), losses(1e-9)):
        assert not judge(compared(best, beaten, row("riskmetrics-t", "baseline", {1: strong}))).beats_naive
    assert judge(compared(best, beaten, row("drift", "baseline", flat(1)))).beats_naive


@pytest.mark.parametrize(
    ("skill", "p_value", "cells", "wins"),
    [
        pytest.param(0.01, 0.049, 1, True, id="won"),
        pytest.param(0.01, 0.051, 1, False, id="by-luck"),
        pytest.param(-0.01, 0.001, 1, False, id="worse"),
        pytest.param(0.0, 0.001, 1, False, id="no-gain"),
        pytest.param(0.01, 0.026, 2, False, id="shared"),
    ],
)
def test_the_price_is_judged_at_the_shared_level(
    skill: float, p_value: float, cells: int, wins: bool
) -> None:
    best = row("gru", "cell", {1: losses(0.5)}, point_skill=skill, point_p_value=p_value)
    others = [row("rnn", "cell", flat(1))] if cells == 2 else []
    found = judge(compared(best, *others, row("naive", "baseline", flat(1))))
    assert found.beats_naive_price == wins
    assert ("something about where the price goes" in found.text) == wins
    assert (" beats the last close" in found.text) == wins


@pytest.mark.parametrize(
    ("skill", "p_value", "words"),
    [
        pytest.param(0.02, 0.049, "no skill that a formula for the volatility does not have", id="formula"),
        pytest.param(0.02, 0.051, "no skill was found", id="luck"),
        pytest.param(-0.02, 0.001, "no skill was found", id="worse"),
    ],
)
def test_what_is_said_where_nothing_is_won(skill: float, p_value: float, words: str) -> None:
    best = row("gru", "cell", {1: losses(0.3)}, skill=skill, p_value=p_value)
    assert words in judge(compared(best, row("riskmetrics-t", "baseline", flat(1)))).text


@pytest.mark.parametrize(
    ("p_value", "words"), [(0.049, "chance does not explain"), (0.051, "chance explains")]
)
def test_the_lead_over_the_second_cell_is_tested(p_value: float, words: str) -> None:
    rows = row("gru", "cell", {1: losses(p_value)}), row("lstm", "cell", flat(1))
    text = judge(compared(*rows, row("naive", "baseline", flat(1)))).text
    assert f"a lead that {words}" in text
    assert "GRU has the lowest CRPS one day ahead" in text
    assert "below LSTM" in text


def shifted(share: float, p_value: float) -> np.ndarray:
    """Daily CRPS with a mean of 0.01 · (1 − share), whose difference from 0.01 has this p-value at step 1."""
    noise = NOISE - NOISE.mean()
    t = scipy.stats.t.isf(p_value / 2, DAYS - 1)
    return 0.01 * (1 - share) + noise / noise.std(ddof=1) * np.sqrt(DAYS) * 0.01 * share / t


def test_the_sentences_of_a_clear_win() -> None:
    gru = row("gru", "cell", {1: shifted(0.2, 1e-5), 5: np.full(DAYS, 0.0125)}, point_skill=-0.031)
    lstm = row("lstm", "cell", flat(1, 5))
    naive = row("naive", "baseline", {1: np.full(DAYS, 0.011), 5: np.full(DAYS, 0.012)})
    found = judge(compared(gru, lstm, naive, row("drift", "baseline", {1: np.full(DAYS, 0.012), **flat(5)})))
    assert found.text == (
        "GRU has the lowest CRPS one day ahead, 20.00% below LSTM: a lead that chance does not explain (p "
        "<0.001). Its range one day ahead is 27.3% better than that of the strongest naive forecast, naive "
        "(p <0.001, significant), and its 90 % interval covered 90.0%. Its range 5 days ahead is 25.0% "
        "worse than that of the strongest naive forecast, drift (p <0.001, no gain), and its 90 % interval "
        "covered 90.0%. As a price, its median does not beat the last close: skill -3.10% one day ahead (p "
        "= 1.000), -3.10% 5 days ahead (p = 1.000). So it knows better than a naive forecast how far the "
        "price may move, not where: useful for risk, of no use for picking a direction."
    )


def test_the_sentences_of_a_lead_by_luck() -> None:
    rows = row("rnn", "cell", {1: shifted(0.04, 0.2)}), row("gru", "cell", flat(1))
    text = judge(compared(*rows, row("riskmetrics-t", "baseline", {1: np.full(DAYS, 0.0098)}))).text
    assert text.startswith(
        "SimpleRNN has the lowest CRPS one day ahead, 4.00% below GRU: a lead that chance explains (p = "
        "0.200). Its range one day ahead is 2.0% better than that of the strongest naive forecast, "
        "RiskMetrics-t "
    )


def test_cells_alike_have_no_lead() -> None:
    rows = row("rnn", "cell", flat(1)), row("gru", "cell", flat(1))
    text = judge(compared(*rows, row("naive", "baseline", flat(1)))).text
    assert "SimpleRNN has the lowest CRPS one day ahead, 0.00% below GRU: a lead that chance explains" in text
    assert "0.0% worse than that of the strongest naive forecast, naive (p = 1.000, no gain)" in text


def test_one_cell_has_no_rival() -> None:
    text = judge(compared(row("rnn", "cell", flat(1)), row("naive", "baseline", flat(1)))).text
    assert text.startswith("Only SimpleRNN was trained")
    assert "no gain" in text


@pytest.mark.parametrize(("p_value", "shown"), [(0.00099, "<0.001"), (0.001, "0.001"), (0.0496, "0.050")])
def test_p_values_are_shown_with_three_digits(p_value: float, shown: str) -> None:
    assert show_p(p_value) == shown
