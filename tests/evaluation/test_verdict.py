"""The verdict on hand-made scores: what it takes to win, and what is said of it."""

import math
from dataclasses import replace

import numpy as np
import pytest
from verdict_factory import DAYS, compared, flat, losses, row

from forecaster.evaluation.significance import skill_interval
from forecaster.evaluation.tried import Tried
from forecaster.evaluation.verdict import Verdict, judge, show_p


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
    ("naive", "drift", "direction", "cells", "wins"),
    [
        pytest.param(0.049, 0.049, 0.049, 1, True, id="won"),
        pytest.param(0.051, 0.001, 0.001, 1, False, id="the last close by luck"),
        pytest.param(0.001, 0.051, 0.001, 1, False, id="drift by luck"),
        pytest.param(0.001, 0.001, 0.051, 1, False, id="always-up by luck"),
        pytest.param(0.026, 0.026, 0.026, 2, False, id="shared"),
    ],
)
def test_a_claim_about_the_price_must_beat_the_last_close_drift_and_always_up(
    naive: float, drift: float, direction: float, cells: int, wins: bool
) -> None:
    """Each rival's loss is where the median's has just this p-value against it."""
    best = row("gru", "cell", {1: losses(0.5)}, losses(0.5), -losses(direction, 0.0))
    others = [row("rnn", "cell", flat(1))] if cells == 2 else []
    rivals = [
        row(name, "baseline", flat(1), losses(0.5) - losses(p_value, 0.0))
        for name, p_value in (("naive", naive), ("drift", drift))
    ]
    found = judge(compared(best, *others, *rivals))
    assert found.beats_naive_price == wins
    assert ("something about where the price goes" in found.text) == wins
    assert (" beats the last close" in found.text) == wins


def test_a_median_that_is_worse_wins_nothing() -> None:
    best = row("gru", "cell", {1: losses(0.5)}, -losses(1e-6, 0.0) + 0.01, -losses(1e-6, 0.0))
    assert not judge(compared(best, row("naive", "baseline", flat(1)))).beats_naive_price


@pytest.mark.parametrize(
    ("side", "p_value", "words"),
    [
        pytest.param(1, 0.049, "no skill that a formula for the volatility does not have", id="formula"),
        pytest.param(1, 0.051, "no skill was found", id="luck"),
        pytest.param(-1, 0.001, "no skill was found", id="worse"),
    ],
)
def test_what_is_said_where_nothing_is_won(side: int, p_value: float, words: str) -> None:
    best = row("gru", "cell", {1: losses(0.3)})
    naive = row("naive", "baseline", {1: losses(0.3) - side * losses(p_value, 0.0)})
    assert words in judge(compared(best, naive, row("riskmetrics-t", "baseline", flat(1)))).text


@pytest.mark.parametrize(
    ("seeds", "words"),
    [
        pytest.param((0.0099,), "one seed each cannot rank them", id="one seed"),
        pytest.param((0.0099, 0.0099, 0.00990001), "): more than days and seeds explain", id="sure seeds"),
        pytest.param((0.0079, 0.0119, 0.0099), "): no more than days and seeds explain", id="other seeds"),
    ],
)
def test_a_lead_is_of_days_and_of_seeds(seeds: tuple[float, ...], words: str) -> None:
    gru = row("gru", "cell", {1: losses(1e-5)}, seeds=seeds)
    lstm = row("lstm", "cell", flat(1), seeds=(0.01,) * len(seeds))
    text = judge(compared(gru, lstm, row("naive", "baseline", flat(1)))).text
    assert words in text
    assert text.startswith("GRU has the lowest CRPS one day ahead, ")
    assert "below LSTM" in text


@pytest.mark.parametrize(
    ("p_value", "helps"),
    [pytest.param(0.049, True, id="won"), pytest.param(0.051, False, id="by luck")],
)
def test_what_recurrence_adds_is_said_with_its_interval(p_value: float, helps: bool) -> None:
    best = row("gru", "cell", {1: losses(p_value)})
    naive = row("naive", "baseline", {1: np.full(DAYS, 0.02)})
    found = judge(compared(best, naive, row("linear-t", "baseline", flat(1))))
    assert found.recurrence_helps == helps
    gain = found.recurrence["1"]
    assert (gain.low > 0) == helps
    assert gain.value == pytest.approx(1 - best.steps[1].crps / 0.01)
    assert f"recurrence adds {gain.value:+.2%} one day ahead (95 % interval" in found.text
    said = "significant" if helps else "not significant after counting all that was tried"
    assert f"{gain.high:+.2%}): {said}. The intervals count other days, not other seeds" in found.text
    assert ("No gain from recurrence was found: its inputs tell as much without it." in found.text) != helps
    assert ("Part of that only recurrence finds." in found.text) == helps


def test_linear_t_is_no_naive_forecast() -> None:
    """It decides what recurrence adds, not whether the range is better than a formula's."""
    best = row("gru", "cell", {1: losses(1e-6)})
    linear = row("linear-t", "baseline", {1: losses(1e-6)})
    found = judge(compared(best, row("naive", "baseline", flat(1)), linear))
    assert (found.beats_naive, found.recurrence_helps) == (True, False)


@pytest.mark.parametrize(
    ("boosting", "helps"), [pytest.param(0.01, True, id="beaten"), pytest.param(1e-9, False, id="not-beaten")]
)
def test_recurrence_helps_only_if_trees_on_the_same_inputs_are_beaten_too(
    boosting: float, helps: bool
) -> None:
    best = row("gru", "cell", {1: losses(1e-6)})
    trees = row("boosting", "baseline", {1: flat(1)[1] if helps else losses(boosting)})
    naive, linear = (row(name, "baseline", flat(1)) for name in ("naive", "linear-t"))
    found = judge(compared(best, naive, linear, trees))
    assert found.recurrence_helps == helps
    assert found.beats_naive
    assert "Its range is, beside boosted trees on the same inputs, " in found.text
    assert "boosted trees" not in judge(compared(best, naive, linear)).text


def test_trees_that_are_better_tell_more_without_recurrence() -> None:
    best, naive = row("gru", "cell", {1: losses(1e-6)}), row("naive", "baseline", flat(1))
    linear = row("linear-t", "baseline", {1: losses(1e-6)})
    trees = row("boosting", "baseline", {1: losses(1e-6) - 0.001})
    assert "its inputs tell as much without it" in judge(compared(best, naive, linear)).text
    assert "its inputs tell more without it" in judge(compared(best, naive, linear, trees)).text


def test_a_fitted_baseline_has_to_be_beaten_in_the_range_and_not_in_the_price() -> None:
    best = row("gru", "cell", {1: losses(1e-6)}, losses(1e-6, 0.0) + 0.01, -losses(1e-6, 0.0))
    walks = [row(name, "baseline", flat(1), np.full(DAYS, 0.02)) for name in ("naive", "drift")]
    strong = row("garch-t", "baseline", {1: losses(1e-9)}, np.full(DAYS, 0.0001))
    alone, beside = judge(compared(best, *walks)), judge(compared(best, *walks, strong))
    assert (alone.beats_naive, beside.beats_naive) == (True, False)
    assert (alone.beats_naive_price, beside.beats_naive_price) == (True, True)
    assert "the strongest simple forecast, GARCH-t" in beside.text
    assert {test.question for test in beside.tests if test.reference == "garch-t"} == {"range"}


def test_the_sentences_of_a_clear_win() -> None:
    gru = row("gru", "cell", {1: losses(1e-5) - 0.002, 5: np.full(DAYS, 0.0125)})
    lstm = row("lstm", "cell", flat(1, 5))
    naive = row("naive", "baseline", {1: np.full(DAYS, 0.011), 5: np.full(DAYS, 0.012)})
    drift = row("drift", "baseline", {1: np.full(DAYS, 0.012), **flat(5)})
    found = judge(compared(gru, lstm, naive, drift))
    lead, gain = (1 - gru.steps[1].crps / level for level in (0.01, 0.011))
    over = skill_interval(gru.losses[1].crps, naive.losses[1].crps, 1)
    assert found.text == (
        f"GRU has the lowest CRPS one day ahead, {lead:.2%} below LSTM; one seed each cannot rank them, as "
        f"another may turn it round (--seeds 5 can). With 90 % confidence the best of all is among these: "
        f"one day ahead GRU; 5 days ahead LSTM, drift. Its range one day ahead is {gain:.1%} better than "
        f"that of the strongest simple forecast, naive (95 % interval {over.low:+.1%} to {over.high:+.1%}, p "
        "<0.001, significant), and its 90 % interval covered 90.0%. Its range 5 days ahead is 25.0% worse "
        "than that of the strongest simple forecast, drift (95 % interval -25.0% to -25.0%, p <0.001, no "
        "gain), and its 90 % interval covered 90.0%. As a price, its median does not beat the last close, "
        "drift and always-up: one day ahead skill +0.00% (p = 1.000), over drift +0.00% (p = 1.000), 50.0% "
        "of signs right where 52.0% of moves are up; 5 days ahead skill +0.00% (p = 1.000), over drift "
        "+0.00% (p = 1.000), 50.0% of signs right where 52.0% of moves are up. R² of the price one day "
        "ahead is 0.9900; that of the last close is 0.9900, so such an R² says nothing. The median lies "
        "nearer to the last close than to the actual in 75% of cases. So it knows better than a naive "
        "forecast how far the price may move, not where: useful for risk, of no use for picking a direction."
    )


def test_cells_alike_have_no_lead() -> None:
    rows = row("rnn", "cell", flat(1)), row("gru", "cell", flat(1))
    text = judge(compared(*rows, row("naive", "baseline", flat(1)))).text
    assert "SimpleRNN has the lowest CRPS one day ahead, 0.00% below GRU" in text
    words = (
        "0.0% worse than that of the strongest simple forecast, naive "
        "(95 % interval +0.0% to +0.0%, p = 1.000"
    )
    assert words in text


def test_one_cell_has_no_rival() -> None:
    text = judge(compared(row("rnn", "cell", flat(1)), row("naive", "baseline", flat(1)))).text
    assert text.startswith("Only SimpleRNN was trained")
    assert "no gain" in text


@pytest.mark.parametrize(("p_value", "shown"), [(0.00099, "<0.001"), (0.001, "0.001"), (0.0496, "0.050")])
def test_p_values_are_shown_with_three_digits(p_value: float, shown: str) -> None:
    assert show_p(p_value) == shown


def test_what_cannot_be_told_from_the_best_is_named() -> None:
    gru, lstm = row("gru", "cell", {1: losses(0.5)}), row("lstm", "cell", {1: losses(0.5)[::-1]})
    found = judge(compared(gru, lstm, row("naive", "baseline", {1: losses(0.5) + 0.01})))
    assert "With 90 % confidence the best of all is among these: one day ahead GRU, LSTM." in found.text
    assert found.confidence_set["1"]["naive"] == 0
    assert max(found.confidence_set["1"].values()) == 1


def at_step(found: Verdict, question: str, reference: str, step: int = 1, cell: str = "gru") -> Tried:
    return next(
        test
        for test in found.tests
        if (test.question, test.reference, test.step, test.cell) == (question, reference, step, cell)
    )


def test_p_values_are_adjusted_within_one_question_and_reference() -> None:
    """Two cells and two steps: four tests a family; Holm multiplies the smallest by 4, the next by 3."""
    gru = row("gru", "cell", {1: losses(0.01), 5: np.full(DAYS, 0.01)})
    lstm = row("lstm", "cell", {1: losses(0.02), 5: np.full(DAYS, 0.01)})
    found = judge(
        compared(gru, lstm, row("naive", "baseline", flat(1, 5)), row("drift", "baseline", flat(1, 5)))
    )
    for reference in ("naive", "drift"):
        assert at_step(found, "range", reference).adjusted == pytest.approx(0.04)
        assert at_step(found, "range", reference, cell="lstm").adjusted == pytest.approx(0.06)
        assert at_step(found, "range", reference, 5).adjusted == 1
    assert {test.tried for test in found.tests} == {4}
    assert {(test.question, test.reference) for test in found.tests} == {
        *(("range", "naive"), ("range", "drift"), ("price", "naive"), ("price", "drift")),
        ("direction", "always-up"),
    }
    document = found.described()
    assert document["adjusted"]["method"] == "Holm"
    assert (document["adjusted"]["tried"], document["adjusted"]["level"]) == (4, 0.05)
    assert document["tests"][0].keys() >= {
        "name",
        "statistic",
        "cosines",
        "days",
        "p_value",
        "adjusted",
        "tried",
    }
    assert "(95 % interval" in found.text
    assert "p = 0.040, significant" in found.text


def test_recurrence_that_costs_is_called_so() -> None:
    worse = row("gru", "cell", {1: 0.02 - losses(0.001)})
    naive = row("naive", "baseline", {1: np.full(DAYS, 0.03)})
    text = judge(compared(worse, naive, row("linear-t", "baseline", flat(1)))).text
    assert "): significantly worse. The intervals" in text
    assert "its inputs tell more without it" in text


def test_what_recurrence_adds_at_one_step_only_is_said_of_that_step() -> None:
    naive = row("naive", "baseline", {step: np.full(DAYS, 0.03) for step in (1, 5)})
    linear = row("linear-t", "baseline", flat(1, 5))
    for daily, words in ((losses(1e-4), "significant"), (0.02 - losses(1e-4), "significantly worse")):
        best = row("gru", "cell", {1: daily, 5: np.full(DAYS, 0.01)})
        assert f"): {words} one day ahead. The" in judge(compared(best, naive, linear)).text


@pytest.mark.parametrize(("spread", "helps"), [(1e-9, True), (1e-3, False)])
def test_several_seeds_are_counted_in_what_recurrence_adds(spread: float, helps: bool) -> None:
    """Days alone say p = .0001; five runs that differ by as much as the gain take that back."""
    daily = losses(1e-4)
    seeds = tuple(daily.mean() + spread * np.array([-2, -1, 0, 1, 2]))
    best = row("gru", "cell", {1: daily}, seeds=seeds)
    naive = row("naive", "baseline", {1: np.full(DAYS, 0.02)})
    found = judge(compared(best, naive, row("linear-t", "baseline", flat(1))))
    assert found.recurrence_helps == helps
    assert (found.recurrence["1"].low > 0) == helps
    assert "The intervals count other days and other seeds." in found.text
    assert found.described()["recurrence"]["1"]["method"].startswith("95 % interval of days (EWC) and seeds")
    assert at_step(found, "range", "linear-t").described()["name"].startswith("Student-t of days")


def test_too_few_days_are_said_and_nothing_is_claimed() -> None:
    """49 days of forecasts five days ahead; one day ahead there are enough."""
    short = [
        row(name, kind, {step: losses(p)[:49] for step in (1, 5)}, days=49)
        for name, kind, p in (
            ("gru", "cell", 1e-6),
            ("naive", "baseline", 0.9),
            ("linear-t", "baseline", 0.9),
        )
    ]
    found = judge(compared(*short))
    assert math.isnan(at_step(found, "range", "naive", 5).adjusted)
    assert "5 days ahead too few days to tell" in found.text
    assert "(too few days for an interval or a test)" in found.text
    assert "5 days ahead (too few days for an interval)" in found.text
    assert "nan" not in found.text
    assert "inf" not in found.text
    assert math.isnan(found.confidence_set["5"]["gru"])


def test_nothing_at_all_to_tell() -> None:
    nine = {
        "gru": {1: losses(0.5)[:9], 2: losses(0.5)[:9]},
        "naive": {1: losses(0.9)[:9], 2: losses(0.9)[:9]},
    }
    few = [
        row(name, kind, {1: losses(0.5)[:9]}, days=9)
        for name, kind in (("gru", "cell"), ("naive", "baseline"))
    ]
    found = judge(replace(compared(*few), joint_crps=nine))
    assert "So nothing can be told yet" in found.text
    assert "There are too few days to test 1 and 2 days ahead together." in found.text
    assert not found.beats_naive


def test_better_at_every_step_counts_the_cells_that_were_tried() -> None:
    """A lead with a one-sided p of 0.02 is enough for one cell, and may be luck for the best of three."""
    naive = row("naive", "baseline", flat(1, 2))
    gru, *others = (row(name, "cell", flat(1, 2)) for name in ("gru", "lstm", "rnn"))
    joint = {"gru": {1: losses(0.04), 2: losses(0.04)}, "naive": flat(1, 2)}
    alone = judge(replace(compared(gru, naive), joint_crps=joint))
    best_of_three = judge(replace(compared(gru, *others, naive), joint_crps=joint))
    assert alone.joint["naive"].better_everywhere
    assert "better at every one" in alone.text
    assert not best_of_three.joint["naive"].better_everywhere
    assert "better at every one" not in best_of_three.text


def test_all_steps_together_are_said() -> None:
    gru, naive = row("gru", "cell", flat(1, 2)), row("naive", "baseline", flat(1, 2))
    lstm = row("lstm", "cell", flat(1, 2))
    joint = {"gru": {1: losses(0.01), 2: losses(0.01)}, "naive": flat(1, 2)}
    found = judge(replace(compared(gru, lstm, naive), joint_crps=joint))
    test = found.joint["naive"]
    assert (
        f"Over 1 and 2 days ahead taken together, its range is {test.gain:.2%} better than naive's"
        in found.text
    )
    described = found.described()["joint"]["naive"]
    assert (described["tried"], described["adjusted"]) == (2, pytest.approx(2 * test.average.p_value))
    assert described["steps"] == [1, 2]
