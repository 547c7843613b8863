"""When live forecasts have gone wrong by more than chance: too narrow or wide, or worse than the reference.

Each alarm is a bet against a model. Every month one begins with a wealth of 1 and lasts twelve months; while
the forecasts are as they should be no bet is expected to gain, so that the wealth of all of them together
hardly ever becomes large, however often somebody looks and whatever the days have in common.
"""

from collections.abc import Collection
from dataclasses import dataclass
from datetime import datetime

import numpy as np
from numpy.typing import NDArray

from forecaster.ledger.ledger import Ledger
from forecaster.ledger.live_scores import DailyScores, daily_scores, live_scores
from forecaster.prices.calendar import last_closed_session

MONTHS = 12
LEVEL = 0.01
COVERAGE = 0.9
_BETS_OF_A_YEAR = 2 * MONTHS
"""A year touches thirteen months; their bets, and the eleven that were begun before, are alive in it."""
_COVERAGE_STAKES = np.linspace(0.05, 0.99, 20)
_SKILL_STAKES = np.linspace(0.05, 0.70, 14)
"""More of all wealth finds a bad network sooner, and takes runs of bad days for one where days are alike."""

Float = NDArray[np.float64]


@dataclass(frozen=True)
class Alarm:
    """A test that failed: `kind` is coverage or skill, `p_value` is to be held against `level`.

    `value` is the coverage, or the skill against `reference`, on the days of the last twelve months.
    """

    model: str
    step: int
    kind: str
    days: int
    value: float
    p_value: float
    level: float
    reference: str = ""

    @property
    def text(self) -> str:
        """One line for a log."""
        ahead = f"{self.step} session{'s' if self.step > 1 else ''} ahead, last {self.days} days"
        if self.kind == "coverage":
            what = f"the 90 % interval covered {self.value:.1%}"
        else:
            what = f"the CRPS is worse than that of {self.reference}, skill {self.value:+.1%}"
        return f"{self.model}: {what} ({ahead}; p = {self.p_value:.2g} < {self.level:.2g})"


def find_alarms(ledger: Ledger, models: Collection[str], now: datetime) -> list[Alarm]:
    """Test each of `models` on the forecasts made in this month and the eleven before.

    Coverage one session ahead (`coverage_p_value`), and the CRPS beside the reference's at the first and the
    last step (`skill_p_value`). The level of 1 % a year is shared by all tests made (Bonferroni).

    Raises:
        ForecastError: as `Ledger`.
    """
    today = last_closed_session(now)
    since = str((today.astype("datetime64[M]") - np.timedelta64(MONTHS - 1, "M")).astype("datetime64[D]"))
    steps: dict[str, list[int]] = {}
    for row in live_scores(ledger, today):
        if row.model in models:
            steps.setdefault(row.model, []).append(row.step)
    found = [
        test
        for model, known in steps.items()
        for step in sorted({known[0], known[-1]})
        for test in _tests(model, step, daily_scores(ledger, model, step, today, since))
    ]
    level = LEVEL / max(len(found), 1)
    return [
        Alarm(model, step, kind, days, value, p_value, level, reference)
        for model, step, kind, days, value, p_value, reference in found
        if p_value < level
    ]


def coverage_p_value(coverage: Float, month: NDArray[np.integer]) -> float:
    """Chance, at most, of such evidence in a year, if each day 90 % of the intervals are expected to cover.

    The bets are on more and on less than 90 %, with half of their wealth each.

    Args:
        coverage: (days,) share of the day's intervals that covered, in order.
        month: (days,) which month each day is of.

    Returns:
        between 0 and 1; 1 where there are no days.
    """
    # A stake of 1 loses everything on the worst day: 0 for the bet on more, 1 for the bet on less.
    stakes = np.concatenate([_COVERAGE_STAKES / COVERAGE, -_COVERAGE_STAKES / (1 - COVERAGE)])
    return _p_value(np.multiply.outer(coverage - COVERAGE, stakes), month, 1)


def skill_p_value(excess: Float, most_gain: Float, month: NDArray[np.integer], step: int) -> float:
    """Chance, at most, of such evidence in a year, if each day the CRPS is expected to be no worse.

    What a day's difference of two scores can be at least is known when the forecasts are made. In units of
    it a difference is never below −1, so that no bet on the model's being worse loses all its wealth.

    Source: Henzi & Ziegel, "Valid sequential inference on probability forecast performance", Biometrika 109
    (2022); for more steps than one Arnold, Henzi & Ziegel, "Sequentially valid tests for forecast
    calibration", Annals of Applied Statistics 17 (2023): only every h-th day tells something new, so that h
    bets take turns.

    Args:
        excess: (days,) mean CRPS of the model less the reference's, in order.
        most_gain: (days,) by how much the model's could have been below the reference's.
        month: (days,) which month each day is of.
        step: h, sessions ahead.

    Returns:
        between 0 and 1; 1 where there are no days.
    """
    relative = np.maximum(excess / np.where(most_gain > 0, most_gain, np.inf), -1.0)
    return _p_value(np.multiply.outer(relative, _SKILL_STAKES), month, step)


def _p_value(gains: Float, month: NDArray[np.integer], step: int) -> float:
    """What the bets of all months have won, as a chance.

    A bet's expected wealth is at most 1, at any time at which somebody stops. That of the twenty-four bets
    that are alive in the course of a year is at most 24 together, so it reaches c with a chance of at most
    24 / c: the sum of delayed bets is the e-detector of Shin, Ramdas & Rinaldo, "E-detectors: a
    nonparametric framework for sequential change detection", New England Journal of Statistics in Data
    Science 2 (2024).

    Args:
        gains: (days, stakes) what a wealth of 1 gains on each day.
        month: (days,).
        step: h: so many bets take turns; the best of them counts, and pays for the others.
    """
    begins = np.flatnonzero(np.diff(month, prepend=-1))
    growth = np.log1p(gains)
    wealth = sum(
        max(_mean_wealth(growth[first + turn :: step]) for turn in range(step)) / step for first in begins
    )
    return float(min(_BETS_OF_A_YEAR / max(wealth, _BETS_OF_A_YEAR), 1.0))


def _mean_wealth(growth: Float) -> float:
    """Of a bettor who shared 1 out among the stakes."""
    return float(np.exp(growth.sum(axis=0)).mean())


def _tests(model: str, step: int, daily: DailyScores) -> list[tuple[str, int, str, int, float, float, str]]:
    tests = []
    if step == 1 and len(daily.coverage):
        value, p_value = float(daily.coverage.mean()), coverage_p_value(daily.coverage, daily.month)
        tests.append((model, step, "coverage", len(daily.coverage), value, p_value, ""))
    beside = np.isfinite(daily.excess)
    if beside.any():
        excess, most_gain, month = daily.excess[beside], daily.most_gain[beside], daily.month[beside]
        value = -float(excess.mean() / daily.reference_crps[beside].mean())
        p_value = skill_p_value(excess, most_gain, month, step)
        tests.append((model, step, "skill", int(beside.sum()), value, p_value, daily.reference))
    return tests
