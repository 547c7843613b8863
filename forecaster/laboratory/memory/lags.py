"""How long a lag each cell can bridge: trials over lags, cells and seeds at equal parameters."""

from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np

from forecaster.laboratory.cells.carousel import pulse_lives
from forecaster.laboratory.cells.gradients import growth, profile
from forecaster.laboratory.cells.probes import task_probe
from forecaster.laboratory.memory.tasks import draw, features_of
from forecaster.laboratory.memory.training import TaskNetwork, Trial, stack_parameters, train_on_task
from forecaster.laboratory.trials import ResultsFile, key_of, run_trials, stay_on_one_core
from forecaster.network.cells import nearest_units, parameter_count

REFERENCE_CELL = "gru"
RESULTS = "memory"
_PROBED = 8  # sequences on which a trained network's gradient is measured
_PULSED = 1  # step of a pulse, from 0


@dataclass(frozen=True)
class LagResult:
    """One cell at one lag, over its seeds.

    Attributes:
        cell, units, parameters, lag: what was trained.
        solved: how many seeds solved the task.
        seeds: how many were run.
        error: median over seeds, of what the task counts.
        seconds: mean training time.
        steps: median optimiser steps until solved, or the whole budget.
    """

    cell: str
    units: int
    parameters: int
    lag: int
    solved: int
    seeds: int
    error: float
    seconds: float
    steps: float

    @property
    def share(self) -> float:
        """Share of seeds that solved the task."""
        return self.solved / self.seeds


def plan_trials(
    task: str, cells: Sequence[str], lags: Sequence[int], seeds: int, units: int, steps: int, start: str
) -> list[Trial]:
    """Every lag, cell and seed; short lags first, as they are done soonest."""
    matched = {cell: equal_units(cell, features_of(task), units) for cell in cells}
    return [
        Trial(task, cell, matched[cell], lag, seed, steps, start)
        for lag in lags
        for cell in cells
        for seed in range(seeds)
    ]


def equal_units(cell: str, features: int, units: int, layers: int = 1) -> int:
    """The units that give a stack the parameters nearest to those of one GRU layer with `units`."""
    wanted = parameter_count(REFERENCE_CELL, features, units)
    return nearest_units(lambda number: stack_parameters(cell, features, number, layers), wanted)


def run_memory(
    trials: Sequence[Trial],
    results: ResultsFile,
    jobs: int,
    report: Callable[[Trial, dict[str, Any], int], None] = lambda *_: None,
) -> list[LagResult]:
    """Run the trials that are not in `results` yet, and sum all of them up by cell and lag."""
    outcomes = run_trials(run_trial, trials, results, jobs, report)
    groups: dict[tuple[str, int], list[Trial]] = {}
    for trial in trials:
        groups.setdefault((trial.cell, trial.lag), []).append(trial)
    return [_summary(runs, [outcomes[key_of(asdict(trial))] for trial in runs]) for runs in groups.values()]


def run_trial(trial: Trial) -> dict[str, Any]:
    """One training; on one thread, so that several at once do not slow each other and all repeat."""
    stay_on_one_core()
    result = train_on_task(trial)
    return {
        "error": result.error if np.isfinite(result.error) else None,
        "solved": result.solved,
        "steps": result.steps,
        "seconds": result.seconds,
        "parameters": result.parameters,
        **({} if result.network is None else _looked_into(trial, result.network)),
    }


def _looked_into(trial: Trial, network: TaskNetwork) -> dict[str, Any]:
    """Of a trained network: by how much its gradient grows a step back, and how long a pulse in x lasts."""
    examples = draw(trial.task, np.random.default_rng(trial.seed), _PROBED, trial.lag)
    found = profile(task_probe(trial.task, network, trial.cell, examples))
    return {
        "growth": growth(found.state),
        "pulse": pulse_lives(network.cell, network.weights, examples.inputs.astype(np.float64), _PULSED),
    }


def _summary(runs: Sequence[Trial], outcomes: Sequence[dict[str, Any]]) -> LagResult:
    errors = [np.inf if outcome["error"] is None else outcome["error"] for outcome in outcomes]
    return LagResult(
        cell=runs[0].cell,
        units=runs[0].units,
        parameters=outcomes[0]["parameters"],
        lag=runs[0].lag,
        solved=sum(outcome["solved"] for outcome in outcomes),
        seeds=len(runs),
        error=float(np.median(errors)),
        seconds=float(np.mean([outcome["seconds"] for outcome in outcomes])),
        steps=float(np.median([outcome["steps"] for outcome in outcomes])),
    )
