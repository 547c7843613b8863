"""When live forecasts have gone wrong by more than chance: too narrow or wide, or worse than naive."""

from collections.abc import Collection
from dataclasses import dataclass
from datetime import datetime

import numpy as np
from numpy.typing import NDArray

from forecaster.evaluation.significance import LEAST_HORIZONS
from forecaster.ledger.ledger import Ledger
from forecaster.ledger.live_scores import DailyScores, daily_scores, live_scores, p_value
from forecaster.prices.calendar import last_closed_session, sessions_between

WINDOW_SESSIONS = 250
LEVEL = 0.01
COVERAGE = 0.9
_LEAST_DAYS = 20  # fewer say too little for a test that trusts a variance
_STAKES = np.linspace(0.05, 0.99, 20)


@dataclass(frozen=True)
class Alarm:
    """A test that failed: `kind` is coverage or skill, `p_value` is to be held against `level`."""

    model: str
    step: int
    kind: str
    days: int
    value: float
    p_value: float
    level: float

    @property
    def text(self) -> str:
        """One line for a log."""
        ahead = f"{self.step} session{'s' if self.step > 1 else ''} ahead, last {self.days} days"
        if self.kind == "coverage":
            what = f"the 90 % interval covered {self.value:.1%}"
        else:
            what = f"the CRPS is worse than the naive forecast's, skill {self.value:+.1%}"
        return f"{self.model}: {what} ({ahead}; p = {self.p_value:.2g} < {self.level:.2g})"


def find_alarms(ledger: Ledger, models: Collection[str], now: datetime) -> list[Alarm]:
    """Test each of `models` on the forecasts made in the last 250 sessions.

    Coverage one session ahead by `coverage_p_value`, skill at the first and the last step by Diebold
    and Mariano's test; the level of 1 % is shared by all tests made (Bonferroni).

    Raises:
        ForecastError: as `Ledger`.
    """
    today = last_closed_session(now)
    since = str(sessions_between(today - 2 * WINDOW_SESSIONS, today)[-WINDOW_SESSIONS])
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
    alarms = [Alarm(*test, level=level) for test in found]
    return [alarm for alarm in alarms if alarm.p_value < level and _is_bad(alarm)]


def coverage_p_value(coverage: NDArray[np.float64]) -> float:
    """Chance, at most, of daily coverages this far off 90 % today, if each day's expectation is 90 %.

    A game that is fair under the hypothesis: each day a stake is bet on more or on less than 90 %. By
    Ville's inequality its wealth ever reaches c with a chance of at most 1 / c. So it holds for one ticker
    or many, however those move together within a day, and although somebody looks every night. The
    stakes are shared out beforehand, half on each side. Once forecasts are good again wealth is lost, and
    the alarm ends.

    Source: Waudby-Smith & Ramdas, "Estimating means of bounded random variables by betting", JRSS B 86
    (2024), section 4.

    Args:
        coverage: (days,) share of the day's intervals that held, in order.

    Returns:
        between 0 and 1; 1 where there are no days.
    """
    return float(1 / max(betting_wealth(coverage)[-1:].max(initial=1.0), 1.0))


def betting_wealth(coverage: NDArray[np.float64]) -> NDArray[np.float64]:
    """(days,) what a bettor who began with 1 has after each day."""
    # A stake of 1 loses everything on the worst day: 0 for the bet on more, 1 for the bet on less.
    bets = np.concatenate([_STAKES / COVERAGE, -_STAKES / (1 - COVERAGE)])
    gains = np.log1p(np.multiply.outer(coverage - COVERAGE, bets))
    wealth: NDArray[np.float64] = np.exp(np.cumsum(gains, axis=0)).mean(axis=1)
    return wealth


def _tests(model: str, step: int, daily: DailyScores) -> list[tuple[str, int, str, int, float, float]]:
    days = len(daily.crps)
    tests = []
    if step == 1 and days:
        tests.append(
            (model, step, "coverage", days, float(daily.coverage.mean()), coverage_p_value(daily.coverage))
        )
    if days >= max(_LEAST_DAYS, LEAST_HORIZONS * step):
        value = 1 - float(daily.crps.mean() / daily.naive_crps.mean())
        tests.append((model, step, "skill", days, value, p_value(daily, step)))
    return tests


def _is_bad(alarm: Alarm) -> bool:
    """A skill that is significantly positive is no alarm."""
    return alarm.kind == "coverage" or alarm.value < 0
