"""Alarms: raised when live forecasts go wrong, silent when they do not."""

from collections.abc import Iterable
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

import numpy as np
import pytest
from factories import filled_store, random_walk_table
from ledger_factory import normal, record_daily

from forecaster.evaluation.metrics import QUANTILE_LEVELS, crps_from_quantiles, most_gain
from forecaster.ledger import alarms
from forecaster.ledger.alarms import LEVEL, coverage_p_value, find_alarms, skill_p_value
from forecaster.ledger.ledger import Ledger
from forecaster.ledger.live_scores import DailyScores, LiveScores
from forecaster.ledger.scoring import fill_outcomes
from forecaster.prices.calendar import closing_time


def raised(home: Path, scale: float, location: float = 0.0, days: int = 120) -> list[tuple[str, int]]:
    """Kinds and days of the alarms after `days` one-step forecasts of returns with volatility 0.02."""
    table = random_walk_table("AAA", days + 1, seed=1)
    record_daily(home, table.dates[:-1], scale, location=location)
    ledger, now = Ledger(home), closing_time(table.dates[-1])
    fill_outcomes(ledger, filled_store(home, table), now)
    assert find_alarms(ledger, ["other"], now) == []
    return [(alarm.kind, alarm.days) for alarm in find_alarms(ledger, ["main"], now)]


@pytest.mark.parametrize(
    ("scale", "location", "kinds"),
    [
        pytest.param(0.02, 0.0, [], id="honest"),
        pytest.param(0.004, 0.0, ["coverage", "skill"], id="far too narrow"),
        pytest.param(0.2, 0.0, ["coverage", "skill"], id="far too wide"),
        pytest.param(0.02, 0.05, ["coverage", "skill"], id="beside the point"),
    ],
)
def test_what_went_wrong_is_raised(tmp_path: Path, scale: float, location: float, kinds: list[str]) -> None:
    assert raised(tmp_path, scale, location) == [(kind, 120) for kind in kinds]


def test_only_the_last_twelve_months_count(tmp_path: Path) -> None:
    """From 2015-01-02 the 290th session is in February 2016: March 2015 is the first month that counts."""
    table = random_walk_table("AAA", 291, seed=1)
    counted = int((table.dates[:-1] >= np.datetime64("2015-03-01")).sum())
    assert raised(tmp_path, 0.2, days=290) == [("coverage", counted), ("skill", counted)]


def test_an_alarm_is_one_line(tmp_path: Path) -> None:
    raised(tmp_path, 0.004)
    found = find_alarms(Ledger(tmp_path), ["main"], datetime(2015, 7, 1, tzinfo=UTC))
    assert found[0].level == LEVEL / 2
    assert found[0].text.startswith("main: the 90 % interval covered ")
    assert "1 session ahead, last 120 days" in found[0].text


MONTH = np.arange(252) // 21
NIGHTS = range(7, 253, 7)


def alarmed(p_values: Iterable[float], level: float) -> bool:
    """Whether any night's test is below the level."""
    return min(p_values) < level


@pytest.mark.parametrize("tickers", [1, 20])
def test_a_fair_forecast_raises_a_false_alarm_as_seldom_as_promised(tickers: int) -> None:
    """Two hundred years, looked at every week; the tickers of a day share half of their luck."""
    random = np.random.default_rng(0)
    shape = (200, 252, tickers)
    shared = np.broadcast_to(random.random((200, 252, 1)), shape)
    luck = np.where(random.random(shape) < 0.5, shared, random.random(shape))
    years = (luck < 0.9).mean(axis=2)
    false = [
        alarmed((coverage_p_value(year[:night], MONTH[:night]) for night in NIGHTS), 0.2) for year in years
    ]
    assert sum(false) <= 40


@pytest.mark.parametrize(
    ("step", "kept"),
    [
        pytest.param(1, 0.5, id="AR(.5)-1"),
        *(
            pytest.param(step, kept, id=f"{name}-{step}", marks=pytest.mark.trial)
            for step, kept, name in ((1, 0.0, "independent"), (5, 0.0, "independent"), (5, 0.5, "AR(.5)"))
        ),
    ],
)
def test_an_equal_network_hardly_ever_raises_the_alarm(step: int, kept: float) -> None:
    """Three hundred years of differences of two equal forecasts, as spread as measured, looked at weekly."""
    random = np.random.default_rng(0)
    news = random.standard_normal((300, 252))
    for day in range(1, 252):
        news[:, day] = kept * news[:, day - 1] + np.sqrt(1 - kept**2) * news[:, day]
    excess = np.maximum(0.27 * news, -1.0)
    gain = np.ones(252)
    false = [
        alarmed(
            (skill_p_value(year[:night], gain[:night], MONTH[:night], step) for night in NIGHTS), LEVEL / 3
        )
        for year in excess
    ]
    assert sum(false) <= 6  # 0.8 % of many years where tomorrow is like today, see benchmarks/alarms_bench.py


@pytest.mark.parametrize("scale", [1.58, 0.56], ids=["too wide", "too narrow"])
def test_a_network_five_per_cent_worse_is_found_within_a_year(scale: float) -> None:
    """Twenty tickers, whose returns share half of their variance; scales as cost 5 % of CRPS on the index."""
    random = np.random.default_rng(0)
    right, wrong = normal(1.0).quantile(QUANTILE_LEVELS), normal(scale).quantile(QUANTILE_LEVELS)
    gain = np.full(252, most_gain(wrong, right)[0])
    found = 0
    for _ in range(100):
        shared, own = random.standard_normal((252, 1)), random.standard_normal((252, 20))
        actual = (shared + own) / np.sqrt(2)
        excess = (crps_from_quantiles(actual, wrong[0]) - crps_from_quantiles(actual, right[0])).mean(1)
        found += skill_p_value(excess, gain, MONTH, 1) < LEVEL / 3
    assert found >= 95


@pytest.mark.parametrize(
    ("coverage", "within"),
    [
        pytest.param(0.7, 100, id="too narrow"),
        pytest.param(1.0, 110, id="too wide"),
    ],
)
def test_a_drift_is_found_in_time(coverage: float, within: int) -> None:
    """One ticker alone, which is the hardest."""
    random = np.random.default_rng(1)
    month = MONTH[:within]
    found = [coverage_p_value((random.random(within) < coverage).astype(float), month) for _ in range(100)]
    assert np.mean([value < LEVEL for value in found]) >= 0.8


def test_an_alarm_ends_when_forecasts_are_good_again() -> None:
    bad, good = np.full(30, 0.5), np.full(200, 0.9)
    good[::2], good[1::2] = 1.0, 0.8
    assert coverage_p_value(bad, MONTH[:30]) < LEVEL
    later = coverage_p_value(np.concatenate([bad, good]), MONTH[:230])
    assert later > coverage_p_value(bad, MONTH[:30])


def test_coverage_by_hand() -> None:
    """A day that covered: the largest bet on more gains 11 %, the largest on less keeps 1 %."""
    assert coverage_p_value(np.zeros(0), np.zeros(0, int)) == 1
    assert coverage_p_value(np.ones(1), np.zeros(1, int)) == 1
    stakes = np.linspace(0.05, 0.99, 20)

    def wealth(days: int) -> float:
        return float(np.mean([*((1 + 0.1 / 0.9 * stakes) ** days), *((1 - stakes) ** days)]))

    assert coverage_p_value(np.ones(80), np.zeros(80, int)) == pytest.approx(24 / wealth(80))
    month = np.repeat([3, 4], [60, 20])  # a second bet is begun on the sixty-first day
    assert coverage_p_value(np.ones(80), month) == pytest.approx(24 / (wealth(80) + wealth(20)))


def test_skill_by_hand() -> None:
    """Two days ahead two bets take turns, of which the better one counts, by half."""
    assert skill_p_value(np.zeros(0), np.zeros(0), np.zeros(0, int), 1) == 1
    stakes = np.linspace(0.05, 0.7, 14)
    excess, gain = np.tile([2.0, -1.0], 20), np.full(40, 4.0)
    best = float(((1 + 0.5 * stakes) ** 20).mean())
    assert skill_p_value(excess, gain, np.zeros(40, int), 2) == pytest.approx(24 / (best / 2))
    together = float((((1 + 0.5 * stakes) * (1 - 0.25 * stakes)) ** 20).mean())
    assert skill_p_value(excess, gain, np.zeros(40, int), 1) == pytest.approx(min(24 / together, 1))


def test_two_forecasts_that_are_one_say_nothing() -> None:
    assert skill_p_value(np.zeros(250), np.zeros(250), MONTH[:250], 1) == 1


def test_what_is_bet_and_when_an_alarm_is_raised_changes_only_on_purpose() -> None:
    assert (LEVEL, alarms.MONTHS, alarms.COVERAGE, alarms._BETS_OF_A_YEAR) == (0.01, 12, 0.9, 24)
    np.testing.assert_allclose(alarms._COVERAGE_STAKES, np.linspace(0.05, 0.99, 20))
    np.testing.assert_allclose(alarms._SKILL_STAKES, np.linspace(0.05, 0.7, 14))


def daily(days: int, worse: float = 0.0) -> DailyScores:
    """Full coverage on nine days of ten; CRPS above the reference's by `worse` times its noise."""
    coverage = np.where(np.arange(days) % 10 == 0, 0.0, 1.0)
    excess = np.random.default_rng(0).normal(0, 1e-3, days) + worse * 1e-3
    flat = np.full(days, 0.01)
    return DailyScores(
        np.arange(days) // 21, coverage, 0.01 + excess, flat, flat, excess, np.full(days, 5e-3), "linear-t"
    )


@pytest.mark.parametrize(
    ("step", "days", "kinds"),
    [
        pytest.param(1, 0, [], id="nothing"),
        pytest.param(1, 1, ["coverage", "skill"], id="first-step"),
        pytest.param(5, 1, ["skill"], id="later-step"),
    ],
)
def test_which_tests_are_made(step: int, days: int, kinds: list[str]) -> None:
    assert [test[2] for test in alarms._tests("main", step, daily(days))] == kinds


def test_days_without_a_reference_are_left_out_of_the_skill() -> None:
    """They were recorded by an earlier version."""
    whole = daily(60, 2.0)
    without = np.arange(60) < 20
    missing = {
        name: np.where(without, np.nan, getattr(whole, name))
        for name in ("reference_crps", "excess", "most_gain")
    }
    coverage, skill = alarms._tests("main", 1, replace(whole, **missing))
    assert (coverage[3], skill[3]) == (60, 40)
    later = {name: getattr(whole, name)[20:] for name in ("excess", "most_gain", "month")}
    assert skill[5] == skill_p_value(**later, step=1)


@pytest.mark.parametrize(
    ("models", "p_value", "found"),
    [
        pytest.param(1, 0.0049, 2, id="two-tests-below"),
        pytest.param(1, 0.0051, 0, id="two-tests-above"),
        pytest.param(2, 0.0024, 4, id="four-tests-below"),
        pytest.param(2, 0.0026, 0, id="four-tests-above"),
    ],
)
def test_the_level_of_one_per_cent_is_shared_by_all_tests(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, models: int, p_value: float, found: int
) -> None:
    names = [f"m{number}" for number in range(models)]
    rows = [LiveScores(name, 1, "", 60, 60, 0.9, 0.9, 0.01, 0.01, 0.0) for name in names]
    monkeypatch.setattr(alarms, "live_scores", lambda *_: rows)
    monkeypatch.setattr(alarms, "daily_scores", lambda *_: daily(60))
    monkeypatch.setattr(alarms, "coverage_p_value", lambda *_: p_value)
    monkeypatch.setattr(alarms, "skill_p_value", lambda *_: p_value)
    raised = find_alarms(Ledger(tmp_path), names, datetime(2026, 11, 20, tzinfo=UTC))
    assert len(raised) == found
    assert {alarm.level for alarm in raised} <= {0.01 / (2 * models)}


def test_the_first_and_the_last_step_of_the_last_twelve_months_are_tested(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked: list[tuple[int, str]] = []

    def scores(_ledger: Ledger, _model: str, step: int, _until: np.datetime64, since: str) -> DailyScores:
        asked.append((step, since))
        return daily(60)

    rows = [LiveScores("main", step, "", 60, 60, 0.9, 0.9, 0.01, 0.01, 0.0) for step in (1, 2, 3)]
    monkeypatch.setattr(alarms, "live_scores", lambda *_: rows)
    monkeypatch.setattr(alarms, "daily_scores", scores)
    find_alarms(Ledger(tmp_path), ["main"], datetime(2026, 11, 20, 22, tzinfo=UTC))
    assert asked == [(1, "2025-12-01"), (3, "2025-12-01")]


@pytest.mark.parametrize(
    ("step", "kind", "value", "text"),
    [
        pytest.param(
            1,
            "coverage",
            0.8,
            "main: the 90 % interval covered 80.0% (1 session ahead, last 60 days; p = 0.001 < 0.0025)",
            id="coverage",
        ),
        pytest.param(
            2,
            "skill",
            -0.03,
            "main: the CRPS is worse than that of linear-t, skill -3.0% "
            "(2 sessions ahead, last 60 days; p = 0.001 < 0.0025)",
            id="skill",
        ),
    ],
)
def test_its_line_in_full(step: int, kind: str, value: float, text: str) -> None:
    assert alarms.Alarm("main", step, kind, 60, value, 0.001, 0.0025, "linear-t").text == text
