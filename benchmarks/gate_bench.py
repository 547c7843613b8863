"""How often the promotion gate passes what it should not, and refuses what it should pass.

    python benchmarks/gate_bench.py INDEX.parquet

GRUs that differ in their seed only, and ensembles of four of them, are trained on the years to 2005. Their
forecasts of 2007 to 2019, and those of spoilt copies, are put to the gate on every 250 sessions, 21 sessions
further each time: its decisions over all of history. Beside it stands what the gate would decide by losses
in log return, in which wild sessions count most. Neighbouring gates share 92 % of their sessions, so the
shares are of some twelve independent ones a pair. Each seed is challenger of each other one, as no two of
them are quite equal; and each has one more challenger, which goes on from its weights as `retrain` has it.
"""

import sys
import tempfile
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from itertools import permutations
from pathlib import Path
from typing import cast

import numpy as np

from forecaster.dataset.features import features_of
from forecaster.dataset.training_set import TrainingSet
from forecaster.evaluation.baselines import all_baselines
from forecaster.evaluation.experiment import TrainResult, train_and_forecast
from forecaster.evaluation.forecasts import network_forecasts
from forecaster.evaluation.scoring import Actuals, ScoredStep, actuals, score_step
from forecaster.home import Home
from forecaster.network.recurrent import RecurrentNetwork
from forecaster.network.student_t import ForecastDistribution
from forecaster.network.training import onward_recipe
from forecaster.service.gate import daily_volatility, decision
from forecaster.service.retraining import GATE_SESSIONS
from forecaster.settings import Recipe

ENSEMBLE = 4
RECIPE = Recipe(train_end="2005-12-31", validation_end="2006-12-31")
SEEDS = range(20, 24)
"""None of those by which the gate was chosen."""
STEPS = (1, RECIPE.horizon)
EVERY = 21
Scored = dict[int, ScoredStep]


def spoilt(forecast: ForecastDistribution, scale: float = 1.0, shift: float = 0.0) -> ForecastDistribution:
    """Other scales, and medians moved by a share of the scale."""
    return ForecastDistribution(
        forecast.location + shift * forecast.scale, forecast.scale * scale, forecast.degrees_of_freedom
    )


def scale_that_costs(share: float, forecast: ForecastDistribution, truth: Actuals, most: float) -> float:
    """The scale between 1 and `most` where the CRPS one day ahead is larger by `share`; by bisection."""
    sound = score_step(forecast, truth, 1).scores.crps
    near, far = 1.0, most
    for _ in range(10):
        middle = (near + far) / 2
        if score_step(spoilt(forecast, middle), truth, 1).scores.crps < sound * (1 + share):
            near = middle
        else:
            far = middle
    return near


def windows(scores: dict[str, Scored]) -> Iterator[dict[str, Scored]]:
    """The scores of 250 sessions, 21 further each time."""
    sessions = min(len(each.day) for steps in scores.values() for each in steps.values())
    for first in range(0, sessions - GATE_SESSIONS, EVERY):
        part = slice(first, first + GATE_SESSIONS)
        yield {
            name: {step: _window(each, part) for step, each in steps.items()}
            for name, steps in scores.items()
        }


def _window(whole: ScoredStep, part: slice) -> ScoredStep:
    crps, error = whole.crps[part], whole.absolute_error[part]
    scores = replace(whole.scores, crps=float(crps.mean()), mae_return=float(error.mean()))
    return ScoredStep(scores, whole.day[part], crps, error, whole.direction[part])


@dataclass(frozen=True)
class Bench:
    """What every challenger meets: actuals, the simple forecasts, and the volatility of each day."""

    truth: Actuals
    references: dict[str, ForecastDistribution]
    volatilities: np.ndarray

    def judge(
        self,
        kind: str,
        forecasts: Sequence[ForecastDistribution],
        onward: Sequence[ForecastDistribution],
    ) -> None:
        """Put to the gate the forecasts of each seed, of what goes on from its weights, and spoilt ones."""
        seeds = [self.scored(each) for each in forecasts]
        for number, each in zip(SEEDS, seeds, strict=True):
            figures = ", ".join(f"CRPS {each[step].scores.crps:.6f} at {step}" for step in STEPS)
            print(f"{kind}, seed {number}: {figures}", flush=True)
        self.print_promoted("an equal twin", list(permutations(seeds, 2)))
        followers = [self.scored(each) for each in onward]
        self.print_promoted("what goes on from its weights", list(zip(followers, seeds, strict=True)))
        for name, spoil in self.spoilt().items():
            challengers = [self.scored(spoil(each)) for each in forecasts]
            self.print_promoted(name, list(zip(challengers, seeds, strict=True)))

    def scored(self, forecast: ForecastDistribution) -> Scored:
        """First and last step."""
        return {step: score_step(forecast, self.truth, step) for step in STEPS}

    def spoilt(self) -> dict[str, Callable[[ForecastDistribution], ForecastDistribution]]:
        """By name: what makes a worse challenger of a champion's forecast."""

        def costing(share: float) -> Callable[[ForecastDistribution], ForecastDistribution]:
            return lambda own: spoilt(own, scale_that_costs(share, own, self.truth, 1.5))

        return {
            "its scales cost 0.3 % of CRPS": costing(0.003),
            "its scales cost 0.6 % of CRPS": costing(0.006),
            "its median is off by a tenth of the scale": lambda own: spoilt(own, shift=0.1),
            "linear-t": lambda _: self.references["linear-t"],
            "RiskMetrics-t": lambda _: self.references["riskmetrics-t"],
            "the naive forecast": lambda _: self.references["naive"],
        }

    def print_promoted(self, name: str, pairs: list[tuple[Scored, Scored]]) -> None:
        """In which share of the gates the challengers of the pairs, first the challenger, take over."""
        ways = {"": self.volatilities, ", losses in log return": np.ones_like(self.volatilities)}
        for way, volatilities in ways.items():
            shares = []
            for challenger, champion in pairs:
                scores = self.simple | {"champion": champion, "challenger": challenger}
                found = [decision(each, volatilities, "", "").promote for each in windows(scores)]
                shares.append(float(np.mean(found)))
            print(
                f"{name + way:65} promoted in {np.mean(shares):6.1%} of {len(found)} gates, "
                f"{len(pairs)} pairs: {min(shares):.1%} to {max(shares):.1%}",
                flush=True,
            )

    @cached_property
    def simple(self) -> dict[str, Scored]:
        """The gate's references."""
        return {name: self.scored(self.references[name]) for name in ("linear-t", "riskmetrics-t")}


def main() -> None:
    """Each challenger in turn."""
    with tempfile.TemporaryDirectory() as folder:
        home = Home(Path(folder))
        home.fetch(source=sys.argv[1])
        data = home.training_set(recipe=RECIPE)
    found = [trained(data, replace(RECIPE, ensemble=ENSEMBLE, seed=seed)) for seed in SEEDS]
    origins = found[0].origins
    bench = Bench(
        actuals(data.panel, origins, RECIPE.horizon, data.split.train),
        all_baselines(data, RECIPE, origins),
        daily_volatility(data.panel, origins),
    )
    ensembles = [cast("RecurrentNetwork", each.trained.network) for each in found]
    firsts = [each.networks[0] for each in ensembles]  # of the ensemble's own seed
    forecasts = [each.forecast for each in found]
    bench.judge(f"an ensemble of {ENSEMBLE}", forecasts, followers(data, ensembles))
    bench.judge("one network", [forecast_by(each, data) for each in firsts], followers(data, firsts))


def trained(data: TrainingSet, recipe: Recipe, start: RecurrentNetwork | None = None) -> TrainResult:
    """By the recipe, and its forecasts of the test days."""
    return train_and_forecast(data, recipe, lambda _: None, start)


def followers(data: TrainingSet, networks: Sequence[RecurrentNetwork]) -> list[ForecastDistribution]:
    """What the next challenger of each network forecasts, which knows as much as it does."""
    recipe = onward_recipe(RECIPE, EVERY)
    recipes = [
        replace(recipe, ensemble=each.ensemble, seed=seed) for seed, each in zip(SEEDS, networks, strict=True)
    ]
    return [trained(data, *each).forecast for each in zip(recipes, networks, strict=True)]


def forecast_by(network: RecurrentNetwork, data: TrainingSet) -> ForecastDistribution:
    """What it forecasts on the test days."""
    features = features_of(data.panel, network.features)
    return network_forecasts(network, features, data.split.test, data.panel.target_mask)[1]


if __name__ == "__main__":
    main()
