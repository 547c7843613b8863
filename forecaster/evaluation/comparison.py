"""Train the cells on the same windows, test them on the same days, beside the same baselines."""

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property, partial, reduce

import numpy as np
from numpy.typing import NDArray

from forecaster.cluster import is_connected
from forecaster.dataset.features import recipe_features
from forecaster.dataset.panel import Panel
from forecaster.dataset.split import Split
from forecaster.dataset.training_set import TrainingSet
from forecaster.dataset.volatility import market_regimes
from forecaster.errors import ForecastError
from forecaster.evaluation.baselines import LINEAR_T, RISKMETRICS_T, all_baselines
from forecaster.evaluation.experiment import TrainResult, run_alone, run_experiment
from forecaster.evaluation.extra_baselines import EXTRA_BASELINES
from forecaster.evaluation.fitted import Fitted, Wanted
from forecaster.evaluation.forecasts import Forecast, Origins
from forecaster.evaluation.joint_test import joint_steps
from forecaster.evaluation.scoring import (
    Actuals,
    ScoredStep,
    StepScores,
    actuals,
    against,
    daily_crps,
    mean_of_seeds,
    score_step,
)
from forecaster.evaluation.step_tests import StepTests, step_tests
from forecaster.network.fitting import Progress
from forecaster.network.recurrent import matched_units
from forecaster.network.training import TrainedNetwork
from forecaster.processes import results_of, run_isolated
from forecaster.settings import Recipe, check_cell

NAIVE = "naive"
REFERENCE_CELL = "gru"
JOINT_REFERENCES = (LINEAR_T, RISKMETRICS_T, NAIVE)
"""Over which the best cell is tested at several steps at once."""
Runner = Callable[..., TrainResult]
FitReport = Callable[[str, int, int], None]
"""Called with a baseline's name, how many of its fits are done, and of how many."""


@dataclass(frozen=True)
class Spread:
    """Mean and standard deviation over seeds; the deviation is zero with one seed."""

    mean: float
    deviation: float


@dataclass(frozen=True)
class ModelResult:
    """One row of the comparison: a cell with all its seeds, or a baseline.

    Attributes:
        steps: scores by step, the seeds' means, with skill and p-values against the naive forecast.
        losses: daily losses by step, for further tests.
        deviations: standard deviation over seeds of each score, by step.
        seed_crps: mean CRPS of each seed's run, by step; empty for a baseline.
        tests: what the tests of its own found, by step.
        substituted: tickers of an extra baseline for which RiskMetrics-t stands in, see `Fitted`.
        trained: one a seed; empty for a baseline.
        peak_memory_mb: the most that one seed's process held.
    """

    model: str
    kind: str
    steps: dict[int, StepScores]
    losses: dict[int, ScoredStep]
    deviations: dict[int, dict[str, float]]
    trained: tuple[TrainedNetwork, ...] = ()
    peak_memory_mb: float = 0.0
    seed_crps: dict[int, tuple[float, ...]] = field(default_factory=dict)
    tests: dict[int, StepTests] = field(default_factory=dict)
    substituted: tuple[str, ...] = ()

    def seconds(self) -> Spread:
        """Training time over seeds."""
        return _spread([run.seconds for run in self.trained])

    def targets_per_second(self) -> Spread:
        """Supervised origins a second over seeds."""
        return _spread([run.targets_per_second for run in self.trained])


@dataclass(frozen=True)
class CellRuns:
    """What a cell's seeds forecast, and how each was trained, where that is known."""

    forecasts: tuple[Forecast, ...]
    trained: tuple[TrainedNetwork, ...] = ()
    peak_memory_mb: float = 0.0


@dataclass(frozen=True)
class Comparison:
    """All rows, and the forecasts they were scored on.

    `joint_crps` has the daily mean CRPS of the best cell and its references at the steps that are tested
    together, (days,) by model and step, on the days on which all steps are known; empty for one step.
    """

    panel: Panel
    split: Split
    horizon: int
    models: tuple[ModelResult, ...]
    actual: Actuals
    forecasts: dict[str, Forecast]
    joint_crps: dict[str, dict[int, NDArray[np.float64]]] = field(default_factory=dict)

    @cached_property
    def regimes(self) -> NDArray[np.intp]:
        """Each day's place in `REGIMES`, (D,); see `market_regimes`."""
        return market_regimes(self.panel.market_return, self.split.train)

    def model(self, name: str) -> ModelResult:
        """The row of that name."""
        return next(row for row in self.models if row.model == name)


def best_cell(models: Sequence[ModelResult]) -> ModelResult:
    """The cell with the least CRPS one day ahead."""
    return min((row for row in models if row.kind == "cell"), key=lambda row: row.steps[1].crps)


def shown_steps(horizon: int) -> tuple[int, ...]:
    """The steps that are scored: the first and the last."""
    return (1, horizon) if horizon > 1 else (1,)


def cell_recipes(recipe: Recipe, cells: Sequence[str], features: int, match: str) -> list[Recipe]:
    """The recipe for each cell: equal units, or units that give about the reference's parameters.

    The reference is the GRU, or the first cell where the GRU is not compared.

    Raises:
        UsageError: one of the cells cannot read such windows.
    """
    equal = [replace(recipe, cell=cell) for cell in cells]
    for each in equal:
        check_cell(each)
    if match == "units":
        return equal
    reference = replace(recipe, cell=REFERENCE_CELL if REFERENCE_CELL in cells else cells[0])
    return [replace(recipe, cell=cell, units=matched_units(cell, reference, features)) for cell in cells]


def compare_cells(
    data: TrainingSet,
    recipes: Sequence[Recipe],
    seeds: int,
    report: Callable[[str, int, Progress], None],
    run: Runner = run_isolated,
    baselines: Sequence[str] = (),
    report_fits: FitReport = lambda *_: None,
    jobs: int | None = None,
) -> Comparison:
    """Train every recipe with every seed, and score all of them beside the baselines.

    Args:
        data: prices and split, the same for all.
        recipes: one a cell.
        seeds: runs a cell, from the recipe's seed upward.
        report: called with cell, number of the seed's run, and progress; with `jobs` from several threads,
            and on a cluster not at all.
        run: calls `work(task, report)`; by default in a process of its own for each training, so that time
            and memory are that training's alone.
        baselines: of EXTRA_BASELINES, beside those that are always there.
        report_fits: told how far an extra baseline is, and with `jobs` how many `trainings` are done.
        jobs: trainings at once, each in a process of its own and on one thread, so that the result is the
            same however many there are, or on a cluster; None: one after the other by `run`.

    Raises:
        ForecastError: no ticker has a window in the test part, or a run failed.
    """
    seeded = [replace(recipe, seed=recipe.seed + number) for recipe in recipes for number in range(seeds)]
    recipe_features(data.panel, recipes[0])  # here, once for all trainings and baselines
    found: Iterable[TrainResult]
    reports = [partial(report, each.cell, place % seeds + 1) for place, each in enumerate(seeded)]
    if jobs is None:
        pairs = zip(seeded, reports, strict=True)
        found = (run(run_experiment, (data, each), its_report) for each, its_report in pairs)
    elif is_connected():
        found = results_of(run_alone, [(data, each) for each in seeded], jobs)
    else:
        found = results_of(
            lambda place: run_alone((data, seeded[place]), reports[place]),
            range(len(seeded)),
            jobs,
            threads=True,
        )
    outcomes: dict[str, list[TrainResult]] = {}
    for done, (recipe, outcome) in enumerate(zip(seeded, found, strict=True), 1):
        outcomes.setdefault(recipe.cell, []).append(outcome)
        if jobs is not None:
            report_fits("trainings", done, len(seeded))
    origins = shared_origins([run.origins for runs in outcomes.values() for run in runs])
    cells = {
        cell: CellRuns(
            tuple(run.forecast for run in runs),
            tuple(run.trained for run in runs),
            max(run.peak_memory_mb for run in runs),
        )
        for cell, runs in outcomes.items()
    }
    fitted = {name: Fitted(made) for name, made in all_baselines(data, recipes[0], origins).items()}
    steps = shown_steps(recipes[0].horizon)
    for name in baselines:
        wanted = Wanted(data, recipes[0], origins, steps, partial(report_fits, name))
        fitted[name] = EXTRA_BASELINES[name](wanted)
    return score_models(data, origins, recipes[0], cells, fitted)


def score_models(
    data: TrainingSet,
    origins: Origins,
    recipe: Recipe,
    cells: Mapping[str, CellRuns],
    baselines: Mapping[str, Fitted],
) -> Comparison:
    """Score cells and baselines, which forecast the same origins, beside one another.

    Args:
        data: prices and split; the scale of MASE and the regimes are those of its training part.
        origins: where all of them forecast from.
        recipe: of the horizon, and of the first seed.
        cells: by name; the best of them is tested at several steps at once.
        baselines: by name; the naive one among them.
    """
    panel, split, horizon = data.panel, data.split, recipe.horizon
    truth = actuals(panel, origins, horizon, split.train)
    forecasts: dict[str, Forecast] = {name: fitted.forecast for name, fitted in baselines.items()}
    references = {step: score_step(forecasts[NAIVE], truth, step) for step in shown_steps(horizon)}
    rows = [_cell_result(cell, runs, truth, references) for cell, runs in cells.items()]
    rows += [_baseline_result(name, fitted, truth, references) for name, fitted in baselines.items()]
    best = best_cell(rows)
    compared: dict[str, Sequence[Forecast]] = {best.model: cells[best.model].forecasts}
    compared |= {name: [forecasts[name]] for name in JOINT_REFERENCES if name in forecasts}
    joint = {} if horizon == 1 else _joint_crps(compared, truth, {row.model: row.losses for row in rows})
    for cell, runs in cells.items():
        for number, forecast in enumerate(runs.forecasts):
            one = len(runs.forecasts) == 1
            forecasts[cell if one else f"{cell}-seed{recipe.seed + number}"] = forecast
    return Comparison(panel, split, horizon, tuple(rows), truth, forecasts, joint)


def _joint_crps(
    compared: Mapping[str, Sequence[Forecast]],
    truth: Actuals,
    scored: Mapping[str, Mapping[int, ScoredStep]],
) -> dict[str, dict[int, NDArray[np.float64]]]:
    """See `Comparison`; steps that are scored already are not scored again."""
    series: dict[str, dict[int, tuple[NDArray[np.intp], NDArray[np.float64]]]] = {}
    for name, runs in compared.items():
        known = scored[name]
        series[name] = {
            step: (known[step].day, known[step].crps) if step in known else _mean_crps(runs, truth, step)
            for step in joint_steps(truth.log_return.shape[1])
        }
    days = [day for by_step in series.values() for day, _ in by_step.values()]
    shared = reduce(np.intersect1d, days)
    return {
        name: {step: crps[np.isin(day, shared)] for step, (day, crps) in by_step.items()}
        for name, by_step in series.items()
    }


def _mean_crps(
    runs: Sequence[Forecast], truth: Actuals, step: int
) -> tuple[NDArray[np.intp], NDArray[np.float64]]:
    """Days, and the mean CRPS of each over seeds."""
    found = [daily_crps(run, truth, step) for run in runs]
    return found[0][0], np.mean([crps for _, crps in found], axis=0)


def shared_origins(found: Sequence[Origins]) -> Origins:
    """The origins of all of them, which are the same.

    Raises:
        ForecastError: there are none, or they differ.
    """
    first, *others = found
    if not len(first):
        raise ForecastError(
            "no ticker has a full window in the test part",
            "fetch more history, lower --lookback, or move --validation-end",
        )
    for other in others:
        if not (np.array_equal(first.ticker, other.ticker) and np.array_equal(first.day, other.day)):
            raise ForecastError("the models were tested on different days", "report this as a bug")
    return first


def _cell_result(cell: str, runs: CellRuns, truth: Actuals, references: dict[int, ScoredStep]) -> ModelResult:
    scored = {step: [score_step(made, truth, step) for made in runs.forecasts] for step in references}
    means = {step: mean_of_seeds(seeds) for step, seeds in scored.items()}
    return ModelResult(
        model=cell,
        kind="cell",
        steps={step: against(means[step], references[step], step) for step in references},
        losses=means,
        deviations={step: _deviations(seeds, references[step], step) for step, seeds in scored.items()},
        trained=runs.trained,
        peak_memory_mb=runs.peak_memory_mb,
        seed_crps={step: tuple(seed.scores.crps for seed in seeds) for step, seeds in scored.items()},
        tests={step: step_tests(means[step], references[step], step) for step in references},
    )


def _baseline_result(
    name: str, fitted: Fitted, truth: Actuals, references: dict[int, ScoredStep]
) -> ModelResult:
    scored = {step: score_step(fitted.forecast, truth, step) for step in references}
    return ModelResult(
        model=name,
        kind="baseline",
        steps={step: against(scored[step], references[step], step) for step in references},
        losses=scored,
        deviations={},
        tests={step: step_tests(scored[step], references[step], step) for step in references},
        substituted=fitted.substituted,
    )


def _deviations(seeds: Sequence[ScoredStep], reference: ScoredStep, step: int) -> dict[str, float]:
    if len(seeds) == 1:
        return {}
    scores = [against(seed, reference, step) for seed in seeds]
    names = [name for name in StepScores.__dataclass_fields__ if name != "forecasts"]
    return {name: _spread([getattr(score, name) for score in scores]).deviation for name in names}


def _spread(values: Sequence[float]) -> Spread:
    numbers: NDArray[np.float64] = np.asarray(values)
    return Spread(float(numbers.mean()), float(numbers.std(ddof=1)) if len(numbers) > 1 else 0.0)
