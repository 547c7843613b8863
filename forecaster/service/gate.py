"""Whether a challenger may take the champion's place: both scored on sessions that neither has seen."""

from collections.abc import Mapping
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
from forecaster.network.recurrent import RecurrentNetwork

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

    @property
    def text(self) -> str:
        """The reason, with the days and the weights that it rests on."""
        return f"{self.reason} (both as evaluated, {self.first_day} to {self.last_day})"

    def as_card(self) -> dict[str, Any]:
        """For the card and the log."""
        return {"level": LEVEL, "weights": "evaluated, not refitted", **asdict(self)}


def decide(
    panel: Panel,
    unseen_after: np.datetime64,
    champion: RecurrentNetwork,
    challenger: RecurrentNetwork,
) -> Decision:
    """Compare two networks of one shape, first and last step, on the origins after `unseen_after`.

    The challenger is promoted if at both steps it is not significantly worse than the champion
    (Diebold and Mariano's test on daily mean CRPS, one-sided at 5 %), and its CRPS no larger than the
    naive forecast's.

    Args:
        panel: prices through the last session.
        unseen_after: the last day that either network was trained on or stopped on.
        champion: as it was evaluated; a refit has seen the sessions.
        challenger: the same.

    Raises:
        BadInputError: too few sessions are left that neither network has seen.
    """
    part = unseen_part(panel, unseen_after, champion.horizon)
    scored = _score(panel, part, {"champion": champion, "challenger": challenger})
    pairs = (("challenger", "champion"), ("challenger", "naive"), ("champion", "naive"))
    duels = tuple(each for pair in pairs for each in _duels(scored, *pair))
    return _decision(duels, str(panel.dates[part.start]), str(panel.dates[part.stop - 1]))


def refit_fault(
    panel: Panel, part: range, evaluated: RecurrentNetwork, refitted: RecurrentNetwork
) -> str | None:
    """Why a refitted network is not to be trusted; None if it is.

    On the days of `part`, which it was trained on, it must not be significantly worse than the network
    that never saw them.
    """
    names = "refitted network", "evaluated one"
    scored = _score(panel, part, dict(zip(names, (refitted, evaluated), strict=True)))
    lost = [each for each in _duels(scored, *names) if each.worse]
    return f"on days that it was trained on it is significantly worse: {lost[0].text}" if lost else None


def _score(
    panel: Panel, part: range, networks: Mapping[str, RecurrentNetwork]
) -> dict[str, dict[int, ScoredStep]]:
    """Networks of one shape and the naive forecast, at the first and the last step of the same origins."""
    shape = next(iter(networks.values()))
    features, horizon = compute_features(panel, shape.features), shape.horizon
    made = {
        name: network_forecasts(network, features, part, panel.target_mask)
        for name, network in networks.items()
    }
    origins = next(iter(made.values()))[0]
    if not len(origins):
        raise BadInputError(
            f"no ticker has {shape.lookback} days in a row from {panel.dates[part.start]} on",
            "fetch the missing days (`forecast data status` names them)",
        )
    forecasts = {name: forecast for name, (_, forecast) in made.items()}
    forecasts["naive"] = naive(panel, origins, horizon)
    truth = actuals(panel, origins, horizon, range(part.start))
    steps = sorted({1, horizon})
    return {name: {step: score_step(each, truth, step) for step in steps} for name, each in forecasts.items()}


def _duels(scored: Mapping[str, Mapping[int, ScoredStep]], first: str, second: str) -> tuple[Duel, ...]:
    return tuple(
        duel(first, second, scored[first][step], scored[second][step], step) for step in scored[first]
    )


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
    weak = any(each.worse for each in duels if each.first == "champion")
    for each in duels:
        if each.first == "challenger" and each.second == "champion" and each.worse:
            reason = f"the challenger is significantly worse than the champion: {each.text}"
            return Decision(False, reason, weak, first_day, last_day, duels)
        if each.first == "challenger" and each.second == "naive" and each.crps > each.other_crps:
            reason = f"the challenger is worse than the naive forecast: {each.text}"
            return Decision(False, reason, weak, first_day, last_day, duels)
    reason = f"the challenger is not significantly worse than the champion: {duels[0].text}"
    return Decision(True, reason, weak, first_day, last_day, duels)
