"""Searches whose right answer is known: no later day is seen, and one that was stopped ends like a whole."""

import math
import re
import time
from collections.abc import Callable
from dataclasses import replace
from itertools import pairwise
from pathlib import Path
from statistics import fmean

import numpy as np
import pytest
from factories import panel_of, persistent_table, random_walk_table
from quick_training import train_quickly

from forecaster.dataset.panel import Panel
from forecaster.dataset.split import split_days
from forecaster.dataset.targets import cumulative_return
from forecaster.dataset.training_set import TrainingSet
from forecaster.errors import BadInputError, DiskError, ForecastError
from forecaster.evaluation import tuning as module
from forecaster.evaluation.backtest import FoldTask
from forecaster.evaluation.fold_store import FoldResult
from forecaster.evaluation.forecasts import Origins
from forecaster.evaluation.search_space import Space, space_around
from forecaster.evaluation.tuning import (
    DONE,
    FAILED,
    PRUNED,
    ScoreTask,
    Search,
    TuneFolds,
    TuneProgress,
    relative_losses,
    score_fold,
    search,
    study_name,
    tune_folds,
    usable_space,
)
from forecaster.network.student_t import ForecastDistribution
from forecaster.settings import CELLS, Recipe

SCORES, UNITS = r'"scores":\[[^]]+\]', '"param_name":"units","param_value_internal":'
RECIPE = Recipe(lookback=20, horizon=2, units=32, epochs=2)


@pytest.fixture(scope="module")
def panel() -> Panel:
    tables = [persistent_table(f"T{seed}", 900, seed) for seed in range(3)]
    return panel_of(*tables, random_walk_table("LATE", 300, 9, after="2016-07-01"))


def folds_of(panel: Panel, count: int = 3) -> TuneFolds:
    return tune_folds(TrainingSet(panel, split_days(panel.dates, 2)), 2, count)


def small_space(**wanted: tuple[object, ...]) -> Space:
    choices = {"layers": (1,), "lookback": (10, 20, 40)} | wanted
    return space_around(RECIPE, CELLS, reports=False, wanted=choices)


def planted(task: ScoreTask) -> float:
    """Best with 64 units at a rate of .001, a little worse in each later fold."""
    recipe = task.fold.recipe
    distance = abs(math.log2(recipe.units / 64)) + abs(math.log10(recipe.learning_rate / 0.001))
    return 0.9 + 0.02 * distance + 1e-6 * task.fold.fold.split.test.start


def scored_by(patch: pytest.MonkeyPatch, score: Callable[[ScoreTask], float]) -> list[ScoreTask]:
    """Let trials be scored so; the tasks as they come."""
    tasks: list[ScoreTask] = []

    def remember(task: ScoreTask) -> float:
        tasks.append(task)
        return score(task)

    patch.setattr(module, "score_fold", remember)
    return tasks


def outcome(found: Search) -> list[tuple[object, ...]]:
    return [
        (each.number, each.recipe, each.state, each.value, each.folds, each.reason) for each in found.trials
    ]


def test_the_folds_lie_before_the_test_part_and_the_unseen_one_is_the_last(panel: Panel) -> None:
    folds = folds_of(panel)
    begins = split_days(panel.dates, 2).test.start
    every = [*folds.chosen, folds.unseen]
    assert len(folds.chosen) == 3
    assert folds.data.panel.shape[1] == begins
    assert every[0].split.test.start == round(begins / 2)
    assert folds.unseen.split.test.stop == begins - 1  # the last day has no actual
    lengths = [len(fold.split.test) for fold in every]
    assert max(lengths) - min(lengths) <= 4
    for fold, later in pairwise(every):
        assert fold.split.test.stop == later.split.test.start
    for fold in every:
        assert fold.split.train.stop + 2 == fold.split.validation.start
        assert fold.split.validation.stop + 2 == fold.split.test.start
    assert folds.searched.panel.shape[1] == folds.unseen.split.test.start


@pytest.mark.parametrize("count", [20, 300])
def test_too_many_folds_for_the_days_are_said(panel: Panel, count: int) -> None:
    with pytest.raises(BadInputError, match="fetch more history, or choose fewer --folds"):
        folds_of(panel, count)


def test_the_planted_recipe_is_found(panel: Panel, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    scored_by(monkeypatch, planted)
    found = search(folds_of(panel), small_space(), tmp_path, trials=60)
    assert len(found.trials) == 60
    assert found.trials[0].recipe == RECIPE
    assert found.default is found.trials[0] or found.default == found.trials[0]
    best = found.ranking[0]
    assert (best.recipe.units, best.recipe.learning_rate) == (64, 0.001)
    assert best.value == pytest.approx(fmean(best.folds))
    assert [trial.value for trial in found.ranking] == sorted(trial.value for trial in found.ranking)  # type: ignore[type-var]


def test_what_is_worse_than_the_median_so_far_is_given_up(
    panel: Panel, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    scored_by(monkeypatch, planted)
    found = search(folds_of(panel), small_space(), tmp_path, trials=40)
    assert found.count(DONE) + found.count(PRUNED) == 40
    assert found.count(PRUNED) >= 5
    assert [trial.state for trial in found.trials[: module.UNPRUNED]] == [DONE] * module.UNPRUNED
    for place, trial in enumerate(found.trials):
        done = [each for each in found.trials[:place] if each.state == DONE]
        poor = [
            len(done) >= module.UNPRUNED
            and fmean(trial.folds[:step]) > np.median([fmean(each.folds[:step]) for each in done])
            for step in range(1, len(trial.folds) + 1)
        ]
        if trial.recipe == RECIPE:
            assert trial.state == DONE
        elif trial.state == PRUNED:
            assert len(trial.folds) < 3
            assert poor[-1]
            assert not any(poor[:-1])
        else:
            assert len(trial.folds) == 3
            assert not any(poor[:-1])


def test_the_first_trials_are_not_pruned_however_poor(
    panel: Panel, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    recipes: list[Recipe] = []

    def ever_worse(task: ScoreTask) -> float:
        if task.fold.recipe not in recipes:
            recipes.append(task.fold.recipe)
        return 0.9 + 0.01 * recipes.index(task.fold.recipe)

    scored_by(monkeypatch, ever_worse)
    found = search(folds_of(panel), small_space(), tmp_path, trials=10)
    assert [len(trial.folds) for trial in found.trials] == [3] * module.UNPRUNED + [1] * 6
    assert found.ranking[0] == found.trials[0]


def test_workers_that_train_the_same_recipe_at_once_do_not_count_its_folds_twice(
    panel: Panel, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def slow(task: ScoreTask) -> float:
        time.sleep(0.05)
        return planted(task)

    monkeypatch.setattr(module, "_score_elsewhere", slow)
    values = {"units": (32,), "lookback": (20,), "dropout": (0.1,), "learning_rate": (0.003,)}
    space = space_around(RECIPE, ("gru",), reports=False, wanted=values)
    found = search(folds_of(panel), space, tmp_path, trials=6, jobs=4)  # of one layer, or of two
    assert [len(trial.folds) for trial in found.trials] == [3] * 6
    for trial in found.trials:
        tasks = [ScoreTask(FoldTask(found.folds.data, fold, trial.recipe), 20) for fold in found.folds.chosen]
        assert trial.folds == tuple(map(planted, tasks))


def test_a_recipe_is_trained_once(panel: Panel, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    tasks = scored_by(monkeypatch, planted)
    space = space_around(
        RECIPE,
        ("gru",),
        reports=False,
        wanted={
            "units": (32, 64),
            "layers": (1,),
            "lookback": (20,),
            "dropout": (0.1,),
            "learning_rate": (0.003,),
        },
    )
    found = search(folds_of(panel), space, tmp_path, trials=12)
    assert len(found.trials) == 12
    trained = [(task.fold.recipe, task.fold.fold.name) for task in tasks]
    assert len(trained) == len(set(trained)) <= 6


def test_what_fails_is_a_trial_with_its_reason(
    panel: Panel, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fragile(task: ScoreTask) -> float:
        if task.fold.recipe.cell == "lstm":
            raise ForecastError("the loss became nan in epoch 1", "lower --learning-rate")
        return planted(task)

    scored_by(monkeypatch, fragile)
    found = search(folds_of(panel), small_space(), tmp_path, trials=30)
    failed = [trial for trial in found.trials if trial.recipe.cell == "lstm"]
    assert len(failed) == found.count(FAILED) >= 1
    for trial in failed:
        assert (trial.state, trial.reason, trial.folds) == (FAILED, "the loss became nan in epoch 1", ())
    assert all(trial.reason == "" for trial in found.trials if trial.recipe.cell != "lstm")
    assert found.ranking[0].recipe.cell != "lstm"


def test_where_nothing_can_be_trained_that_is_said(
    panel: Panel, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def useless(_: ScoreTask) -> float:
        raise BadInputError("no window", "fetch")

    scored_by(monkeypatch, useless)
    with pytest.raises(BadInputError, match="no recipe could be trained in every fold: no window"):
        search(folds_of(panel), small_space(), tmp_path, trials=3)


def test_a_full_disk_ends_the_search(panel: Panel, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(_: ScoreTask) -> float:
        raise DiskError("cannot write", "free some space")

    scored_by(monkeypatch, full)
    with pytest.raises(DiskError):
        search(folds_of(panel), small_space(), tmp_path, trials=3)


@pytest.mark.parametrize("stops", [(0.03,), (0.1, 0.3), (0.06, 0.08, 0.8), (0.9, 0.94, 0.97)])
def test_a_search_that_was_stopped_ends_like_one_that_was_not(
    panel: Panel, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, stops: tuple[float, ...]
) -> None:
    folds, space = folds_of(panel), small_space()
    whole_tasks = scored_by(monkeypatch, planted)
    whole = search(folds, space, tmp_path / "whole", trials=20)
    done: list[ScoreTask] = []

    def stop_after(count: int) -> Callable[[ScoreTask], float]:
        def score(task: ScoreTask) -> float:
            if len(done) >= count:
                raise KeyboardInterrupt
            done.append(task)
            return planted(task)

        return score

    for share in stops:  # of the trainings: how many there are depends on Optuna's version
        scored_by(monkeypatch, stop_after(int(share * len(whole_tasks))))
        with pytest.raises(KeyboardInterrupt):
            search(folds, space, tmp_path / "stopped", trials=20)
    scored_by(monkeypatch, stop_after(10_000))
    told: list[TuneProgress] = []
    resumed = search(folds, space, tmp_path / "stopped", trials=20, watch=told.append)
    assert outcome(resumed) == outcome(whole)
    assert len(done) == len(whole_tasks), "a fold that was done was trained again"
    assert resumed.kept == told[0].kept == told[0].ended == sum(trial.kept for trial in resumed.trials)
    assert told[-1].ended == told[-1].of == 20
    assert whole.kept == 0


def test_a_second_search_goes_on_and_a_finished_one_does_nothing(
    panel: Panel, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    tasks = scored_by(monkeypatch, planted)
    folds, space = folds_of(panel), small_space()
    search(folds, space, tmp_path, trials=5)
    longer = search(folds, space, tmp_path, trials=9)
    assert (len(longer.trials), longer.kept) == (9, 5)
    before = len(tasks)
    again = search(folds, space, tmp_path, trials=9)
    assert len(tasks) == before
    assert (len(again.trials), again.kept) == (9, 9)
    fewer = search(folds, space, tmp_path, trials=2)
    assert (len(fewer.trials), fewer.kept) == (9, 9)


@pytest.mark.parametrize(
    ("was", "becomes"),
    [
        pytest.param(SCORES, '"scores":["a"]', id="a score is text"),
        pytest.param(SCORES, '"scores":[NaN]', id="a score is NaN"),
        pytest.param(SCORES, '"scores":[]', id="a trial that is done has no scores"),
        pytest.param(SCORES, '"scores":[1.0,1.0,1.0,1.0]', id="too many scores"),
        pytest.param(SCORES, '"scores":7', id="scores are no list"),
        pytest.param('"scores":', '"failed":', id="a reason is no text"),
        pytest.param(f"{UNITS}[0-9.]+", f"{UNITS}-1", id="a value is none"),
        pytest.param('"param_name":"units"', '"param_name":"horizon"', id="another parameter"),
    ],
)
def test_a_journal_that_cannot_be_of_this_search_is_said(
    panel: Panel, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, was: str, becomes: str
) -> None:
    scored_by(monkeypatch, planted)
    search(folds_of(panel), small_space(), tmp_path, trials=3)
    (path,) = tmp_path.glob("*.jsonl")
    text, count = re.subn(was, becomes, path.read_text())
    assert count
    path.write_text(text)
    with pytest.raises(BadInputError, match=r"jsonl is damaged .*remove it: the search then begins anew"):
        search(folds_of(panel), small_space(), tmp_path, trials=4)


def test_no_trial_begins_after_the_time_limit_but_the_default(
    panel: Panel, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def slow(task: ScoreTask) -> float:
        time.sleep(0.02)
        return planted(task)

    tasks = scored_by(monkeypatch, slow)
    found = search(folds_of(panel), small_space(), tmp_path, trials=500, minutes=0.05 / 60)
    assert found.out_of_time
    assert 1 <= len(found.trials) < 10
    assert all(trial.state in (DONE, PRUNED) for trial in found.trials)
    assert len(tasks) >= 3
    rest = search(folds_of(panel), small_space(), tmp_path, trials=len(found.trials) + 1)
    assert not rest.out_of_time
    assert rest.kept == len(found.trials)


def changed_from(panel: Panel, day: int) -> Panel:
    """The panel with other prices from that day on."""
    random = np.random.default_rng(1)
    days = np.arange(panel.shape[1])
    noise = np.where(days >= day, random.normal(0, 0.1, panel.shape[1]), 0.0)
    return replace(
        panel,
        log_return=(panel.log_return + noise).astype(np.float32),
        market_return=(panel.market_return + noise).astype(np.float32),
        close=panel.close * np.exp(np.cumsum(noise)),
    )


@pytest.mark.parametrize(
    ("part", "same"),
    [
        pytest.param("test", True, id="test days"),
        pytest.param("unseen", True, id="unseen fold"),
        pytest.param("last", False, id="last day of the last fold"),
    ],
)
def test_later_prices_change_no_trial_and_no_choice(
    panel: Panel, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, part: str, same: bool
) -> None:
    train_quickly(monkeypatch)
    folds = folds_of(panel)
    day = {
        "test": folds.data.panel.shape[1],
        "unseen": folds.unseen.split.test.start,
        "last": folds.unseen.split.test.start - 1,
    }[part]
    others = folds_of(changed_from(panel, day))
    space = small_space()
    one = search(folds, space, tmp_path / "one", trials=6)
    other = search(others, space, tmp_path / "other", trials=6)
    assert (study_name(folds, space) == study_name(others, space)) == same
    assert (outcome(one) == outcome(other)) == same
    if same:
        assert one.ranking[0].recipe == other.ranking[0].recipe


def test_another_question_is_another_study(panel: Panel) -> None:
    folds, space = folds_of(panel), small_space()
    names = {
        study_name(folds, space),
        study_name(folds_of(panel, 2), space),
        study_name(folds, small_space(units=(8, 16))),
        study_name(folds, replace(space, base=replace(RECIPE, epochs=3))),
        study_name(folds, replace(space, base=replace(RECIPE, seed=1))),
        study_name(folds_of(changed_from(panel, 100)), space),
    }
    assert len(names) == 6
    same = replace(space, base=replace(RECIPE, device="cpu"))
    assert study_name(folds, same) == study_name(folds, space)


def test_a_lookback_that_leaves_few_origins_is_not_tried(panel: Panel) -> None:
    space = small_space(lookback=(10, 40, 200, 300, 460))
    assert usable_space(folds_of(panel), space).choices["lookback"] == (10, 20, 40, 200, 300)
    wished = replace(space, base=replace(RECIPE, lookback=460))
    assert 460 in usable_space(folds_of(panel), wished).choices["lookback"]


def walk_at(task: FoldTask, widths: tuple[float, float] = (1.0, 1.0)) -> FoldResult:
    """RiskMetrics-t by hand, its scale times a factor at each of two steps, at all origins of a fold."""
    panel, (start, stop) = task.data.panel, (task.fold.split.test.start, task.fold.split.test.stop)
    rows, days = [], []
    for row in range(panel.shape[0]):
        for day in range(start, stop):
            if np.isfinite(panel.log_return[row, day - 30 : day + 1]).all():
                rows.append(row)
                days.append(day)
    origins = Origins(np.array(rows), np.array(days))
    weights = 0.94 ** np.arange(400)
    scale = np.empty((len(rows), 2))
    for place, (row, day) in enumerate(zip(rows, days, strict=True)):
        past = panel.log_return[row, max(day - 399, 0) : day + 1][::-1].astype(float)
        known = np.isfinite(past)
        mean = (weights[: len(past)][known] * past[known] ** 2).sum() / weights[: len(past)][known].sum()
        scale[place] = np.sqrt(mean * 4 / 6) * np.array([1.0, math.sqrt(2)]) * widths
    made = ForecastDistribution(np.zeros_like(scale), scale, np.full_like(scale, 6.0))
    return FoldResult(origins, made)


def test_riskmetrics_t_itself_has_the_value_one(panel: Panel, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "run_fold", walk_at)
    folds = folds_of(panel)
    task = ScoreTask(FoldTask(folds.searched, folds.chosen[1], RECIPE), 20)
    assert score_fold(task) == pytest.approx(1, abs=1e-4)


def test_a_value_is_the_mean_of_the_steps_over_riskmetrics_t(
    panel: Panel, monkeypatch: pytest.MonkeyPatch
) -> None:
    """By hand: CRPS from 19 quantiles, a day's mean over tickers, and the mean over days."""
    folds = folds_of(panel)
    task = FoldTask(folds.searched, folds.chosen[2], RECIPE)
    monkeypatch.setattr(module, "run_fold", lambda own: walk_at(own, (1.5, 0.7)))
    found = score_fold(ScoreTask(task, 20))
    levels = np.arange(1, 20) / 20
    parts = {}
    for name, widths in (("own", (1.5, 0.7)), ("riskmetrics", (1.0, 1.0))):
        made = walk_at(task, widths)
        origins, by_step = made.origins, []
        actual = cumulative_return(task.data.panel.log_return, origins.ticker, origins.day, 2)
        both = np.isfinite(actual).all(1)
        for step in (1, 2):
            quantiles = made.forecast.at_step(step).quantile(levels)
            error = actual[:, step - 1 : step] - quantiles
            crps = 2 * np.maximum(levels * error, (levels - 1) * error).mean(1)
            known = [both & (origins.day == day) for day in np.unique(origins.day[both])]
            by_step.append(np.mean([crps[place].mean() for place in known]))
        parts[name] = np.array(by_step)
    assert found == pytest.approx((parts["own"] / parts["riskmetrics"]).mean(), rel=1e-3)
    assert found > 1.02


def test_all_recipes_are_scored_on_the_origins_that_the_longest_lookback_has(
    panel: Panel, monkeypatch: pytest.MonkeyPatch
) -> None:
    folds = folds_of(panel)
    task = FoldTask(folds.searched, folds.chosen[0], RECIPE)
    late = panel.tickers.index("LATE")
    seen: list[Origins] = []

    def watch(own: FoldTask, origins: Origins, forecasts: list[ForecastDistribution]) -> object:
        seen.append(origins)
        return relative_losses(own, origins, forecasts)  # type: ignore[arg-type]

    monkeypatch.setattr(module, "run_fold", walk_at)
    monkeypatch.setattr(module, "relative_losses", watch)
    for unbroken in (20, 60):
        score_fold(ScoreTask(task, unbroken))
    first = [int(each.day[each.ticker == late].min()) for each in seen]
    assert first[1] > first[0]
    listed = int(np.flatnonzero(np.isfinite(panel.log_return[late]))[0])
    assert first[1] == listed + 19 + 59  # 20 returns until the volatility is known, then 60 usable days
    with pytest.raises(BadInputError, match="no ticker has 5000 days in a row"):
        score_fold(ScoreTask(task, 5000))


def test_on_workers_the_values_are_the_same(
    panel: Panel, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    scored_by(monkeypatch, planted)
    here = search(folds_of(panel), small_space(), tmp_path / "here", trials=1)
    monkeypatch.setattr(module, "_score_elsewhere", planted)
    several = search(folds_of(panel), small_space(), tmp_path / "several", trials=12, jobs=3)
    assert len(several.trials) == 12
    assert several.trials[0].value == here.trials[0].value
    for trial in several.ranking:
        task = [
            ScoreTask(FoldTask(several.folds.data, fold, trial.recipe), 20) for fold in several.folds.chosen
        ]
        assert trial.folds == tuple(map(planted, task))


def test_a_bug_in_a_worker_is_no_trial(panel: Panel, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def stumble(_: ScoreTask) -> float:
        raise ZeroDivisionError

    monkeypatch.setattr(module, "_score_elsewhere", stumble)
    with pytest.raises(ZeroDivisionError):
        search(folds_of(panel), small_space(), tmp_path, trials=3, jobs=2)
