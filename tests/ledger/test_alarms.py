"""Alarms: raised when live forecasts go wrong, silent when they do not."""

from datetime import UTC, datetime
from pathlib import Path

import numpy as np
import pytest
from factories import filled_store, random_walk_table
from ledger_factory import record_daily

from forecaster.ledger import alarms
from forecaster.ledger.alarms import LEVEL, betting_wealth, coverage_p_value, find_alarms
from forecaster.ledger.ledger import Ledger
from forecaster.ledger.live_scores import DailyScores, LiveScores
from forecaster.ledger.scoring import fill_outcomes
from forecaster.prices.calendar import closing_time, sessions_between


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


def test_only_the_last_250_sessions_count(tmp_path: Path) -> None:
    assert raised(tmp_path, 0.2, days=270) == [("coverage", 249), ("skill", 249)]


def test_an_alarm_is_one_line(tmp_path: Path) -> None:
    raised(tmp_path, 0.004)
    found = find_alarms(Ledger(tmp_path), ["main"], datetime(2015, 7, 1, tzinfo=UTC))
    assert found[0].level == LEVEL / 2
    assert found[0].text.startswith("main: the 90 % interval covered ")
    assert "1 session ahead, last 120 days" in found[0].text


@pytest.mark.parametrize("tickers", [1, 20])
def test_a_fair_forecast_raises_a_false_alarm_as_seldom_as_promised(tickers: int) -> None:
    """A thousand years, looked at every night; the tickers of a day share half of their luck."""
    random = np.random.default_rng(0)
    shape = (1000, 250, tickers)
    shared = np.broadcast_to(random.random((1000, 250, 1)), shape)
    luck = np.where(random.random(shape) < 0.5, shared, random.random(shape))
    years = (luck < 0.9).mean(axis=2)
    assert sum(betting_wealth(year).max() > 1 / 0.05 for year in years) <= 50


@pytest.mark.parametrize(
    ("coverage", "within"),
    [
        pytest.param(0.7, 80, id="too narrow"),
        pytest.param(1.0, 90, id="too wide"),
    ],
)
def test_a_drift_is_found_in_time(coverage: float, within: int) -> None:
    """One ticker alone, which is the hardest."""
    random = np.random.default_rng(1)
    found = [coverage_p_value((random.random(within) < coverage).astype(float)) for _ in range(100)]
    assert np.mean([value < LEVEL for value in found]) >= 0.8


def test_an_alarm_ends_when_forecasts_are_good_again() -> None:
    bad, good = np.full(30, 0.5), np.full(200, 0.9)
    good[::2], good[1::2] = 1.0, 0.8
    assert coverage_p_value(bad) < LEVEL
    assert coverage_p_value(np.concatenate([bad, good])) > coverage_p_value(bad)


def test_by_hand() -> None:
    """After one day that held: the largest bet on more gains 11 %, the largest on less keeps 1 %."""
    assert coverage_p_value(np.zeros(0)) == 1
    assert coverage_p_value(np.ones(1)) == 1
    stakes = np.linspace(0.05, 0.99, 20)
    wealth = np.mean([*((1 + 0.1 / 0.9 * stakes) ** 60), *((1 - stakes) ** 60)])
    assert coverage_p_value(np.ones(60)) == pytest.approx(1 / wealth)


def daily(days: int, worse: float = 0.0) -> DailyScores:
    """Full coverage on nine days of ten; CRPS above the naive forecast's by `worse` times its noise."""
    coverage = np.where(np.arange(days) % 10 == 0, 0.0, 1.0)
    noise = np.random.default_rng(0).normal(0, 1e-3, days)
    return DailyScores(coverage, 0.01 + noise + worse * 1e-3, np.full(days, 0.01))


@pytest.mark.parametrize(
    ("step", "days", "kinds"),
    [
        pytest.param(1, 0, [], id="nothing"),
        pytest.param(1, 19, ["coverage"], id="too-few-for-skill"),
        pytest.param(1, 20, ["coverage", "skill"], id="enough"),
        pytest.param(2, 20, ["skill"], id="later-step"),
        pytest.param(5, 49, [], id="ten-times-the-step-less-one"),
        pytest.param(5, 50, ["skill"], id="ten-times-the-step"),
    ],
)
def test_which_tests_are_made(step: int, days: int, kinds: list[str]) -> None:
    assert [test[2] for test in alarms._tests("main", step, daily(days))] == kinds


@pytest.mark.parametrize(
    ("models", "p_value", "worse", "found"),
    [
        pytest.param(1, 0.0049, True, 2, id="two-tests-below"),
        pytest.param(1, 0.0051, True, 0, id="two-tests-above"),
        pytest.param(2, 0.0024, True, 4, id="four-tests-below"),
        pytest.param(2, 0.0026, True, 0, id="four-tests-above"),
        pytest.param(1, 0.0049, False, 1, id="better-than-naive-is-no-alarm"),
    ],
)
def test_the_level_of_one_per_cent_is_shared_by_all_tests(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, models: int, p_value: float, worse: bool, found: int
) -> None:
    names = [f"m{number}" for number in range(models)]
    rows = [LiveScores(name, 1, "", 60, 60, 0.9, 0.9, 0.01, 0.01, 0.0) for name in names]
    monkeypatch.setattr(alarms, "live_scores", lambda *_: rows)
    monkeypatch.setattr(alarms, "daily_scores", lambda *_: daily(60, 2.0 if worse else -2.0))
    monkeypatch.setattr(alarms, "coverage_p_value", lambda _: p_value)
    monkeypatch.setattr(alarms, "p_value", lambda *_: p_value)
    raised = find_alarms(Ledger(tmp_path), names, datetime(2026, 11, 20, tzinfo=UTC))
    assert len(raised) == found
    assert {alarm.level for alarm in raised} <= {0.01 / (2 * models)}


def test_the_first_and_the_last_step_of_the_last_250_sessions_are_tested(
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
    sessions = sessions_between(np.datetime64("2025-01-01"), np.datetime64("2026-11-20"))
    assert asked == [(1, str(sessions[-250])), (3, str(sessions[-250]))]


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
            "main: the CRPS is worse than the naive forecast's, skill -3.0% "
            "(2 sessions ahead, last 60 days; p = 0.001 < 0.0025)",
            id="skill",
        ),
    ],
)
def test_its_line_in_full(step: int, kind: str, value: float, text: str) -> None:
    assert alarms.Alarm("main", step, kind, 60, value, 0.001, 0.0025).text == text
