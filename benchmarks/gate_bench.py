"""How often the promotion gate passes what it should not, and refuses what it should pass.

    python benchmarks/gate_bench.py INDEX.parquet

Two GRUs that differ in their seed only are trained on the years to 2005. Their forecasts of 2007 to 2019,
and those of spoilt copies, are put to the gate on every 250 sessions, 21 sessions further each time: its
decisions over all of history. Neighbouring gates share 92 % of their sessions, so the shares are of some
twelve independent ones.
"""

import sys
import tempfile
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import numpy as np

from forecaster.evaluation.baselines import all_baselines
from forecaster.evaluation.experiment import train_and_forecast
from forecaster.evaluation.scoring import Actuals, ScoredStep, actuals, score_step
from forecaster.home import Home
from forecaster.network.student_t import ForecastDistribution
from forecaster.service.gate import decision
from forecaster.service.retraining import GATE_SESSIONS
from forecaster.settings import Recipe

RECIPE = Recipe(train_end="2005-12-31", validation_end="2006-12-31")
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
    twins = [train_and_forecast(data, replace(RECIPE, seed=seed), lambda _: None) for seed in (0, 1)]
    origins = twins[0].origins
    truth = actuals(data.panel, origins, RECIPE.horizon, data.split.train)
    references = all_baselines(data, RECIPE, origins)
    first, second = (each.forecast for each in twins)
    challengers = {
        "an equal twin": second,
        "its scales cost 0.3 % of CRPS": spoilt(second, scale_that_costs(0.003, second, truth)),
        "its scales cost 0.6 % of CRPS": spoilt(second, scale_that_costs(0.006, second, truth)),
        "its median is off by a tenth of the scale": spoilt(second, shift=0.1),
        "linear-t": references["linear-t"],
        "RiskMetrics-t": references["riskmetrics-t"],
        "the naive forecast": references["naive"],
    }
    simple = {name: scored(references[name], truth) for name in ("linear-t", "riskmetrics-t")}
    pairs = [("the twins' other order", first, second)]
    pairs += [(name, forecast, first) for name, forecast in challengers.items()]
    for name, challenger, champion in pairs:
        scores = simple | {"champion": scored(champion, truth), "challenger": scored(challenger, truth)}
        promoted = [decision(each, "", "").promote for each in windows(scores)]
        print(f"{name:45} promoted in {np.mean(promoted):6.1%} of {len(promoted)} gates", flush=True)


if __name__ == "__main__":
    main()
