"""Whether a challenger may take the champion's place: both scored on sessions that neither has seen."""

import math
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np

from forecaster.dataset.features import compute_features, features_of, recipe_features
from forecaster.dataset.panel import Panel
from forecaster.dataset.report_features import is_report_feature
from forecaster.dataset.split import SHORTEST_PART
from forecaster.dataset.volatility import volatility
from forecaster.errors import BadInputError
from forecaster.evaluation.baselines import LINEAR_T, RISKMETRICS_T, riskmetrics_t
from forecaster.evaluation.forecasts import Origins, at_origins, network_forecasts
from forecaster.evaluation.scoring import ScoredStep, actuals, score_step
from forecaster.evaluation.significance import LEAST_HORIZONS, Float, daily_mean, one_sided_skill
from forecaster.network.linear_training import train_linear
from forecaster.network.network import Network
from forecaster.network.student_t import ForecastDistribution
from forecaster.settings import ALL_FEATURES, PRICES_ONLY, Recipe

LEVEL = 0.05
"""Chance that a challenger just worse than the margin allows passes one comparison with the champion."""
MARGIN = 0.0025
"""By what share of the champion's loss a challenger may be worse one session ahead; √h times that at h."""
REFERENCE_LEVEL = 0.01
"""Chance that one comparison with the reference refuses a challenger that is just as good."""
CRPS, MEDIAN = "CRPS", "median's error"


@dataclass(frozen=True)
class Duel:
    """Daily mean losses of two forecasts at one step, in units of each session's volatility σ.

    Attributes:
        first, second: whose.
        loss: the CRPS, or the absolute error of the median's log return.
        step: sessions ahead.
        days: how many.
        value, other: the mean losses.
        excess: by what share of the second's loss the first's is larger.
        least, most: ends of one-sided intervals of the excess: it is larger than `least`, and smaller than
            `most`, each but for a chance of `level`.
        level: of the two.
    """

    first: str
    second: str
    loss: str
    step: int
    days: int
    value: float
    other: float
    excess: float
    least: float
    most: float
    level: float

    @property
    def worse(self) -> bool:
        """Whether the first is worse by more than chance."""
        return self.least > 0

    @property
    def no_worse(self) -> bool:
        """Whether it is shown that the first is not worse by more than the margin."""
        return self.most < MARGIN * math.sqrt(self.step)

    @property
    def text(self) -> str:
        """The figures in a few words."""
        return (
            f"{self.loss} / σ of {_named(self.first)} {self.value:.4f}, of {_named(self.second)} "
            f"{self.other:.4f}, {self.step} ahead: {self.excess:+.2%}, surely between {self.least:+.2%} and "
            f"{self.most:+.2%}"
        )


def _named(forecast: str) -> str:
    """With its article; the simple forecasts have none."""
    return forecast if forecast in (LINEAR_T, RISKMETRICS_T) else f"the {forecast}"


@dataclass(frozen=True)
class Decision:
    """What the gate found, on origins `first_day` to `last_day`."""

    promote: bool
    reason: str
    champion_worse_than_reference: bool
    first_day: str
    last_day: str
    duels: tuple[Duel, ...]

    @property
    def text(self) -> str:
        """The reason, with the days and the weights that it rests on."""
        return f"{self.reason} (both as evaluated, {self.first_day} to {self.last_day})"

    def as_card(self) -> dict[str, Any]:
        """For the card and the log."""
        return {
            "level": LEVEL,
            "margin": MARGIN,
            "losses": "in units of each session's volatility",
            "weights": "evaluated, not refitted",
            **asdict(self),
        }


def decide(
    panel: Panel,
    unseen_after: np.datetime64,
    champion: Network,
    challenger: Network,
    champions_panel: Panel | None = None,
) -> Decision:
    """Compare two networks of one shape, first and last step, on the origins after `unseen_after`.

    The challenger is promoted if two things hold at both steps. It is shown to be no worse than the champion
    by more than a margin, 0.25 % of the loss times √h, in CRPS and in its median's error: the end of a
    one-sided 95 % interval lies within. And its CRPS is not significantly larger than that of the reference:
    the better one of linear-t, fitted to the days up to `unseen_after`, and RiskMetrics-t. Losses are in
    units of each session's volatility, see `daily_volatility`.

    Args:
        panel: prices through the last session.
        unseen_after: the last day that either network was trained on or stopped on.
        champion: as it was evaluated; a refit has seen the sessions.
        challenger: the same.
        champions_panel: the same prices beside the market that the champion was trained with; `panel`
            without it.

    Raises:
        BadInputError: too few sessions are left that neither network has seen.
    """
    part = unseen_part(panel, unseen_after, champion.horizon)
    networks = {"champion": champion, "challenger": challenger}
    panels = {} if champions_panel is None else {"champion": champions_panel}
    scored, volatilities = _score(panel, part, networks, panels, references=True)
    return decision(scored, volatilities, str(panel.dates[part.start]), str(panel.dates[part.stop - 1]))


def refit_fault(panel: Panel, part: range, evaluated: Network, refitted: Network) -> str | None:
    """Why a refitted network is not to be trusted; None if it is.

    On the days of `part`, which it was trained on, it must not be significantly worse than the network
    that never saw them.
    """
    names = "refitted network", "evaluated one"
    networks = dict(zip(names, (refitted, evaluated), strict=True))
    scored, volatilities = _score(panel, part, networks, {}, references=False)
    lost = [each for each in _duels(scored, volatilities, *names, CRPS, LEVEL) if each.worse]
    return f"on days that it was trained on it is significantly worse: {lost[0].text}" if lost else None


def _score(
    panel: Panel,
    part: range,
    networks: Mapping[str, Network],
    panels: Mapping[str, Panel],
    *,
    references: bool,
) -> tuple[dict[str, dict[int, ScoredStep]], Float]:
    """Networks of one shape and the references, at the first and the last step of the same origins.

    Beside them the volatility of each day, (D,).

    `panels` are those of the networks that read another one than `panel`.
    """
    shape = next(iter(networks.values()))
    features, horizon = features_of(panel, shape.features), shape.horizon
    made = {}
    for name, network in networks.items():
        own = compute_features(panels[name], shape.features) if name in panels else features
        made[name] = network_forecasts(network, own, part, panel.target_mask)
    origins = next(iter(made.values()))[0]
    if not len(origins):
        raise BadInputError(
            f"no ticker has {shape.lookback} days in a row from {panel.dates[part.start]} on",
            "fetch the missing days (`forecast data status` names them)",
        )
    forecasts = {name: forecast for name, (_, forecast) in made.items()}
    if references:
        forecasts[RISKMETRICS_T] = riskmetrics_t(panel, origins, horizon)
        forecasts[LINEAR_T] = _linear_t(panel, part, shape, origins)
    truth = actuals(panel, origins, horizon, range(part.start))
    steps = sorted({1, horizon})
    scored = {
        name: {step: score_step(each, truth, step) for step in steps} for name, each in forecasts.items()
    }
    return scored, daily_volatility(panel, origins)


def daily_volatility(panel: Panel, origins: Origins) -> Float:
    """What a session's losses are measured in: the mean σ(t) of the tickers forecast at its close, (D,).

    Losses grow with volatility: without this the wildest weeks would decide about 250 sessions, and scales
    that are a little too large would pass in a year that turned wild. It is known at the origin, so that a
    forecast gains nothing by saying other than it believes. NaN on days without an origin.
    """
    means = np.full(panel.shape[1], np.nan)
    days, found = daily_mean(volatility(panel.log_return)[origins.ticker, origins.day], origins.day)
    means[days] = found
    return means


def _linear_t(panel: Panel, part: range, shape: Network, origins: Origins) -> ForecastDistribution:
    """Linear-t as it was known before `part`: fitted to origins whose targets end before it."""
    reads_reports = any(map(is_report_feature, shape.features))
    recipe = Recipe(
        lookback=shape.lookback,
        horizon=shape.horizon,
        features=ALL_FEATURES if reads_reports else PRICES_ONLY,
    )
    features = recipe_features(panel, recipe)
    linear = train_linear(panel, features, range(part.start - shape.horizon), recipe).network
    return at_origins(*network_forecasts(linear, features, part, panel.target_mask), origins)


def _duels(
    scored: Mapping[str, Mapping[int, ScoredStep]],
    volatilities: Float,
    first: str,
    second: str,
    loss: str,
    level: float,
) -> tuple[Duel, ...]:
    return tuple(
        duel(first, second, loss, scored[first][step], scored[second][step], volatilities, step, level)
        for step in scored[first]
    )


def unseen_part(panel: Panel, unseen_after: np.datetime64, horizon: int) -> range:
    """The origins after a day.

    Raises:
        BadInputError: they are too few to compare forecasts on.
    """
    part = range(int(np.searchsorted(panel.dates, unseen_after, "right")), len(panel.dates) - 1)
    needed = max(SHORTEST_PART, LEAST_HORIZONS * horizon)
    if len(part) < needed:
        raise BadInputError(
            f"{len(part)} sessions are left after {unseen_after}, the last day that champion or challenger "
            f"has seen; comparing them needs {needed}",
            "try again when more have passed, or train with an earlier --validation-end",
        )
    return part


def duel(
    first: str,
    second: str,
    loss: str,
    one: ScoredStep,
    other: ScoredStep,
    volatilities: Float,
    step: int,
    level: float,
) -> Duel:
    """How much larger the first forecast's daily mean loss is, with one-sided intervals at `level`.

    `volatilities` are those of each day of the panel, (D,); `one` and `other` have losses on the same days.
    """
    raw = (one.crps, other.crps) if loss == CRPS else (one.absolute_error, other.absolute_error)
    ours, theirs = (each / volatilities[one.day] for each in raw)
    found = one_sided_skill(ours, theirs, step, level)
    return Duel(
        first=first,
        second=second,
        loss=loss,
        step=step,
        days=len(one.day),
        value=float(ours.mean()),
        other=float(theirs.mean()),
        excess=-found.value,
        least=-found.high,
        most=-found.low,
        level=level,
    )


def decision(
    scored: Mapping[str, Mapping[int, ScoredStep]], volatilities: Float, first_day: str, last_day: str
) -> Decision:
    """The gate's decision on scores by name (champion, challenger, linear-t, riskmetrics-t) and step.

    `volatilities` are those of each day of the panel, (D,).
    """
    names = "challenger", "champion"
    rivals = [each for loss in (CRPS, MEDIAN) for each in _duels(scored, volatilities, *names, loss, LEVEL)]
    held = {name: _against_reference(scored, volatilities, name) for name in names}
    duels = (*rivals, *held["challenger"], *held["champion"])
    weak = any(each.worse for each in held["champion"])
    for each in rivals:
        if not each.no_worse:
            reason = f"it is not shown that the challenger is no worse than the champion: {each.text}"
            return Decision(False, reason, weak, first_day, last_day, duels)
    for each in held["challenger"]:
        if each.worse:
            reason = f"the challenger is significantly worse than {each.second}: {each.text}"
            return Decision(False, reason, weak, first_day, last_day, duels)
    reason = f"the challenger is no worse than the champion: {rivals[0].text}"
    return Decision(True, reason, weak, first_day, last_day, duels)


def _against_reference(
    scored: Mapping[str, Mapping[int, ScoredStep]], volatilities: Float, name: str
) -> list[Duel]:
    """A network against the better one of the simple forecasts at each step."""
    found = []
    for step, own in scored[name].items():
        rivals = [
            duel(name, each, CRPS, own, scored[each][step], volatilities, step, REFERENCE_LEVEL)
            for each in (LINEAR_T, RISKMETRICS_T)
        ]
        found.append(min(rivals, key=lambda each: each.other))
    return found
