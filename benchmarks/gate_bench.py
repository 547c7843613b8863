"""How often the promotion gate passes what it should not, and refuses what it should pass.

    python benchmarks/gate_bench.py INDEX.parquet

GRUs that differ in their seed only, and ensembles of four of them, are trained on the years to 2005. Their
forecasts of 2007 to 2019, and those of spoilt copies, are put to the gate on every 250 sessions, 21 sessions
further each time: its decisions over all of history. Neighbouring gates share 92 % of their sessions, so the
shares are of some twelve independent ones a pair. Each seed is challenger of each other one, as no two of
them are quite equal.
"""

import sys
import tempfile
from collections.abc import Iterator, Sequence
from dataclasses import replace
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
from forecaster.service.gate import decision
from forecaster.service.retraining import GATE_SESSIONS
from forecaster.settings import Recipe

ENSEMBLE = 4
RECIPE = Recipe(train_end="2005-12-31", validation_end="2006-12-31", ensemble=ENSEMBLE)
SEEDS = range(10, 14)
"""None of those by which ensembles of four were chosen, 0 to 7."""
STEPS = (1, RECIPE.horizon)
EVERY = 21
Scored = dict[int, ScoredStep]


def spoilt(forecast: ForecastDistribution, scale: float = 1.0, shift: float = 0.0) -> ForecastDistribution:
    """Other scales, and medians moved by a share of the scale."""
    return ForecastDistribution(
        forecast.location + shift * forecast.scale, forecast.scale * scale, forecast.degrees_of_freedom
    )


def scored(forecast: ForecastDistribution, truth: Actuals) -> Scored:
    """First and last step."""
    return {step: score_step(forecast, truth, step) for step in STEPS}


def scale_that_costs(share: float, forecast: ForecastDistribution, truth: Actuals) -> float:
    """By how much scales are too large where the CRPS one day ahead is larger by `share`; by bisection."""
    sound = score_step(forecast, truth, 1).scores.crps
    low, high = 1.0, 1.5
    for _ in range(10):
        middle = (low + high) / 2
        if score_step(spoilt(forecast, middle), truth, 1).scores.crps < sound * (1 + share):
            low = middle
        else:
            high = middle
    return low


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


def main() -> None:
    """Each challenger in turn."""
    with tempfile.TemporaryDirectory() as folder:
        home = Home(Path(folder))
        home.fetch(source=sys.argv[1])
        data = home.training_set(recipe=RECIPE)
    found = [train_and_forecast(data, replace(RECIPE, seed=seed), lambda _: None) for seed in SEEDS]
    origins = found[0].origins
    truth = actuals(data.panel, origins, RECIPE.horizon, data.split.train)
    references = all_baselines(data, RECIPE, origins)
    first = [first_alone(each, data) for each in found]
    judge("one network", first, truth, references)
    judge(f"an ensemble of {ENSEMBLE}", [each.forecast for each in found], truth, references)


def first_alone(result: TrainResult, data: TrainingSet) -> ForecastDistribution:
    """What the first network of an ensemble forecasts by itself: that of the ensemble's own seed."""
    network = cast("RecurrentNetwork", result.trained.network).networks[0]
    features = features_of(data.panel, network.features)
    return network_forecasts(network, features, data.split.test, data.panel.target_mask)[1]


def judge(
    kind: str,
    forecasts: Sequence[ForecastDistribution],
    truth: Actuals,
    references: dict[str, ForecastDistribution],
) -> None:
    """Put those of each seed to the gate, and spoilt ones."""
    simple = {name: scored(references[name], truth) for name in ("linear-t", "riskmetrics-t")}
    seeds = [scored(each, truth) for each in forecasts]
    for number, each in zip(SEEDS, seeds, strict=True):
        figures = ", ".join(f"CRPS {each[step].scores.crps:.6f} at {step}" for step in STEPS)
        print(f"{kind}, seed {number}: {figures}", flush=True)
    twins = permutations(range(len(seeds)), 2)
    print_promoted("an equal twin", [(seeds[first], seeds[second]) for first, second in twins], simple)
    spoil = {
        "its scales cost 0.3 % of CRPS": lambda own: spoilt(own, scale_that_costs(0.003, own, truth)),
        "its scales cost 0.6 % of CRPS": lambda own: spoilt(own, scale_that_costs(0.006, own, truth)),
        "its median is off by a tenth of the scale": lambda own: spoilt(own, shift=0.1),
        "linear-t": lambda _: references["linear-t"],
        "RiskMetrics-t": lambda _: references["riskmetrics-t"],
        "the naive forecast": lambda _: references["naive"],
    }
    for name, spoilt_like in spoil.items():
        challengers = [scored(spoilt_like(each), truth) for each in forecasts]
        print_promoted(name, list(zip(challengers, seeds, strict=True)), simple)


def print_promoted(name: str, pairs: list[tuple[Scored, Scored]], simple: dict[str, Scored]) -> None:
    """In which share of the gates the challengers of the pairs, first the challenger, take over."""
    shares = []
    for challenger, champion in pairs:
        scores = simple | {"champion": champion, "challenger": challenger}
        promoted = [decision(each, "", "").promote for each in windows(scores)]
        shares.append(float(np.mean(promoted)))
    print(
        f"{name:45} promoted in {np.mean(shares):6.1%} of {len(promoted)} gates, {len(pairs)} pairs: "
        f"{min(shares):.1%} to {max(shares):.1%}",
        flush=True,
    )


if __name__ == "__main__":
    main()
