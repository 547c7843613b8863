"""Whether a network that is trained where nothing can be known finds something: then the way leaks.

The references know more than any honest forecast: of the random walks their true distribution, of shuffled
days the distribution of the very moves that are tested. Nothing that does not see ahead is better than they
are but by chance.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from forecaster.dataset.training_set import TrainingSet
from forecaster.evaluation.audit.checks import FAILED, PASSED, Check, not_checked, sessions_in_words
from forecaster.evaluation.baselines import random_walk
from forecaster.evaluation.comparison import shown_steps
from forecaster.evaluation.experiment import TrainResult
from forecaster.evaluation.forecasts import Forecast, Origins
from forecaster.evaluation.metrics import FILE_LEVELS
from forecaster.evaluation.quantile_forecast import QuantileForecast
from forecaster.evaluation.scoring import Actuals, actuals, daily_crps
from forecaster.evaluation.significance import LEAST_HORIZONS, Interval, one_sided_skill, too_few_days

LEVEL = 0.01
"""The chance that an audit in which nothing leaks fails for one of these checks."""
CHECKS = 2
"""That share the level: shuffled targets and the random-walk twin."""

Float = NDArray[np.float64]


@dataclass(frozen=True)
class Skill:
    """What a network saves of a reference's CRPS at one step, over `days` test days.

    `interval` has the true share above its lower end but for a chance of `level`.
    """

    step: int
    days: int
    interval: Interval
    level: float

    @property
    def found(self) -> bool:
        """Whether that is more than chance."""
        return self.interval.low > 0

    @property
    def described(self) -> dict[str, Any]:
        """As JSON documents hold it."""
        return {
            "step": self.step,
            "days": self.days,
            "skill": self.interval.value,
            "at_least": self.interval.low,
            "level": self.level,
        }


def skill_beyond_chance(loss: Float, reference: Float, step: int, tests: int) -> Skill:
    """Test one-sided whether a forecast is better than a reference, at LEVEL shared by so many tests.

    Args:
        loss: (days,) mean losses, in order.
        reference: (days,) the reference's on the same days.
        step: days ahead.
        tests: among how many the level is divided (Bonferroni).
    """
    level = LEVEL / tests
    return Skill(step, len(loss), one_sided_skill(loss, reference, step, level), level)


def check_random_walk(data: TrainingSet, outcome: TrainResult, deviations: Mapping[str, float]) -> Check:
    """Whether a network forecasts random walks better than their own distribution does.

    Args:
        data: the twin's.
        outcome: of a network that was trained on it.
        deviations: of each ticker's daily log return.
    """
    scale = np.array([deviations[ticker] for ticker in data.panel.tickers])
    horizon = outcome.trained.network.horizon
    truth = random_walk(0.0, scale[outcome.origins.ticker], np.inf, horizon)
    of = "independent normal returns in place of the prices:"
    return _checked("random-walk", data, outcome, truth, of, "their true distribution")


def check_shuffled(data: TrainingSet, outcome: TrainResult) -> Check:
    """Whether a network forecasts moves in random order better than their own quantiles do.

    Args:
        data: of the shuffled prices.
        outcome: of a network that was trained on it.
    """
    horizon = outcome.trained.network.horizon
    truth = actuals(data.panel, outcome.origins, horizon, data.split.train)
    reference = _own_quantiles(truth, outcome.origins, shown_steps(horizon))
    of = "the days' moves in random order:"
    return _checked("shuffled", data, outcome, reference, of, "the quantiles of each ticker's tested moves")


def _own_quantiles(truth: Actuals, origins: Origins, steps: tuple[int, ...]) -> QuantileForecast:
    """Of each ticker the quantiles of the very moves that are tested: no other constant has a lower CRPS."""
    by_step = {}
    for step in steps:
        values = np.zeros((len(origins), len(FILE_LEVELS)))
        moves = truth.log_return[:, step - 1]
        for ticker in np.unique(origins.ticker):
            mine = origins.ticker == ticker
            known = moves[mine & np.isfinite(moves)]
            if len(known):
                values[mine] = np.quantile(known.astype(np.float64), FILE_LEVELS)
        by_step[step] = values
    return QuantileForecast(by_step)


def _checked(
    check: str, data: TrainingSet, outcome: TrainResult, reference: Forecast, of: str, whose: str
) -> Check:
    """Test the first and the last step that have days enough."""
    horizon = outcome.trained.network.horizon
    truth = actuals(data.panel, outcome.origins, horizon, data.split.train)
    steps = shown_steps(horizon)
    skills = []
    for step in steps:
        _, loss = daily_crps(outcome.forecast, truth, step)
        _, best = daily_crps(reference, truth, step)
        if not too_few_days(len(loss), step):
            skills.append(skill_beyond_chance(loss, best, step, CHECKS * len(steps)))
    if not skills:
        return not_checked(check, f"there are fewer than {LEAST_HORIZONS} test days a step")
    figures = {"skills": [skill.described for skill in skills], "level": LEVEL}
    leaking = [skill for skill in skills if skill.found]
    if leaking:
        worst = max(leaking, key=lambda skill: skill.interval.low)
        first = data.panel.dates[data.split.test.start]
        found = (
            f"{of} skill {worst.interval.value:+.1%}, surely {worst.interval.low:+.1%}, {_ahead(worst.step)} "
            f"over {whose}, on test days from {first} on: nothing can be known there, so something sees ahead"
        )
        return Check(check, FAILED, found, figures)
    shown = ", ".join(f"{skill.interval.value:+.1%} {_ahead(skill.step)}" for skill in skills)
    least = ", ".join(f"{skill.interval.value - skill.interval.low:+.1%}" for skill in skills)
    found = f"{of} skill {shown} over {whose}; from {least} on it would be more than chance"
    if len(skills) < len(steps):
        found += f"; too few test days to tell {_ahead(steps[-1])}"
    return Check(check, PASSED, found, figures)


def _ahead(step: int) -> str:
    return f"{sessions_in_words(step)} ahead"


def _steps(horizon: int) -> tuple[int, ...]:
    """The first and the last."""
    return (1, horizon) if horizon > 1 else (1,)
