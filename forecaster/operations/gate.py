"""Whether a challenger may take the champion's place: both scored on sessions that neither has seen."""

from dataclasses import asdict, dataclass
from typing import Any

import numpy as np

from forecaster.dataset.features import compute_features
from forecaster.dataset.panel import Panel
from forecaster.dataset.split import SHORTEST_PART
from forecaster.errors import BadInputError
from forecaster.evaluation.baselines import naive
from forecaster.evaluation.forecasts import network_forecasts
from forecaster.evaluation.scoring import ScoredStep, actuals, score_step
from forecaster.evaluation.significance import diebold_mariano
from forecaster.network.artifact import RecurrentNetwork

LEVEL = 0.05


@dataclass(frozen=True)
class Duel:
    """Daily mean CRPS of two forecasts at one step; `p_worse` is the one-sided chance of the first's excess.

    It is the p-value, by Diebold and Mariano's test, of "the first is no worse than the second".
    """

    first: str
    second: str
    step: int
    days: int
    crps: float
    other_crps: float
    p_worse: float

    @property
    def worse(self) -> bool:
        """Whether the first is worse by more than chance."""
        return self.p_worse < LEVEL

    @property
    def text(self) -> str:
        """The figures in a few words."""
        return (
            f"CRPS ×10⁻⁴ of the {self.first} {self.crps * 1e4:.2f}, of the {self.second} "
            f"{self.other_crps * 1e4:.2f}, {self.step} ahead, p = {self.p_worse:.2g}"
        )


@dataclass(frozen=True)
class Decision:
    """What the gate found, on origins `first_day` to `last_day`."""

    promote: bool
    reason: str
    champion_worse_than_naive: bool
    first_day: str
    last_day: str
    duels: tuple[Duel, ...]

    def as_card(self) -> dict[str, Any]:
        """For the card and the log."""
        return {"level": LEVEL, "weights": "evaluation weights, trained with the split", **asdict(self)}


def decide(
    panel: Panel,
    unseen_after: np.datetime64,
    champion: RecurrentNetwork,
    challenger: RecurrentNetwork,
    lookback: int,
) -> Decision:
    """Compare two networks of one shape, first and last step, on the origins after `unseen_after`.

    The challenger is promoted unless it is significantly worse than the champion or than the naive
    forecast at one of the steps: Diebold and Mariano's test on daily mean CRPS, one-sided at 5 %.

    Raises:
        BadInputError: too few sessions are left that neither network has seen.
    """
    part, horizon = unseen_part(panel, unseen_after, champion.horizon), champion.horizon
    features = compute_features(panel, champion.features)
    scored: dict[str, dict[int, ScoredStep]] = {}
    steps = sorted({1, horizon})
    origins, forecast = network_forecasts(champion, features, part, lookback, panel.counted)
    if not len(origins):
        raise BadInputError(
            f"no ticker has {lookback} days in a row after {unseen_after}",
            "fetch the missing days (`forecast data status` names them)",
        )
    _, other = network_forecasts(challenger, features, part, lookback, panel.counted)
    truth = actuals(panel, origins, horizon, range(part.start))
    forecasts = {"champion": forecast, "challenger": other, "naive": naive(panel, origins, horizon)}
    for name, each in forecasts.items():
        scored[name] = {step: score_step(each, truth, step) for step in steps}
    pairs = (("challenger", "champion"), ("challenger", "naive"), ("champion", "naive"))
    duels = tuple(
        duel(*pair, scored[pair[0]][step], scored[pair[1]][step], step) for pair in pairs for step in steps
    )
    return _decision(duels, str(panel.dates[part.start]), str(panel.dates[part.stop - 1]))


def unseen_part(panel: Panel, unseen_after: np.datetime64, horizon: int) -> range:
    """The origins after a day.

    Raises:
        BadInputError: they are too few to compare forecasts on.
    """
    part = range(int(np.searchsorted(panel.dates, unseen_after, "right")), len(panel.dates) - 1)
    needed = max(SHORTEST_PART, 4 * horizon)
    if len(part) < needed:
        raise BadInputError(
            f"{len(part)} sessions are left after {unseen_after}, the last day that champion or challenger "
            f"has seen; comparing them needs {needed}",
            "try again when more have passed, or train with an earlier --validation-end",
        )
    return part


def duel(first: str, second: str, one: ScoredStep, other: ScoredStep, step: int) -> Duel:
    """Test whether the first forecast's daily mean CRPS is the larger one."""
    test = diebold_mariano(one.crps - other.crps, step)
    p_worse = test.p_value / 2 if test.statistic > 0 else 1 - test.p_value / 2
    if test.statistic == 0:
        p_worse = 1.0
    return Duel(first, second, step, test.days, one.scores.crps, other.scores.crps, p_worse)


def _decision(duels: tuple[Duel, ...], first_day: str, last_day: str) -> Decision:
    lost = [each for each in duels if each.first == "challenger" and each.worse]
    reason = (
        f"the challenger is significantly worse than the {lost[0].second}: {lost[0].text}"
        if lost
        else f"the challenger is not significantly worse than the champion: {duels[0].text}"
    )
    weak = any(each.worse for each in duels if each.first == "champion")
    return Decision(not lost, reason, weak, first_day, last_day, duels)
