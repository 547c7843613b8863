"""What is left of a search's gain: by hand, and in plain words where nothing is."""

import math
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from factories import panel_of, random_walk_table

from forecaster.dataset.split import split_days
from forecaster.dataset.training_set import TrainingSet
from forecaster.errors import ForecastError
from forecaster.evaluation import survival as module
from forecaster.evaluation.backtest import FoldTask
from forecaster.evaluation.baselines import riskmetrics_t
from forecaster.evaluation.fold_store import FoldResult, FoldStore
from forecaster.evaluation.forecasts import Origins
from forecaster.evaluation.scoring import actuals, daily_crps
from forecaster.evaluation.search_space import space_around
from forecaster.evaluation.significance import Interval
from forecaster.evaluation.survival import Survival, survival
from forecaster.evaluation.tuning import DONE, FAILED, Search, Trial, tune_folds
from forecaster.settings import Recipe

BASE = Recipe(lookback=20, horizon=2, units=32)
BEST = replace(BASE, units=64)


@pytest.fixture(scope="module")
def found() -> Search:
    panel = panel_of(*(random_walk_table(f"T{seed}", 900, seed) for seed in range(3)))
    folds = tune_folds(TrainingSet(panel, split_days(panel.dates, 2)), 2, 3)
    trials = (
        Trial(1, BASE, DONE, 1.25, (1.2, 1.25, 1.3)),
        Trial(2, BEST, DONE, 1.0, (1.0, 1.0, 1.0)),
    )
    return Search(folds, space_around(BASE, ("gru",), reports=False), trials)


def scaled(task: FoldTask) -> FoldResult:
    """RiskMetrics-t, too wide by the recipe's units; another seed wider still."""
    panel, test = task.data.panel, task.fold.split.test
    ticker, day = np.divmod(np.arange(3 * len(test)), len(test))
    origins = Origins(ticker, day + test.start)
    walk = riskmetrics_t(panel, origins, 2)
    factor = {64: 1.0, 32: 3.0}[task.recipe.units] + 0.4 * task.recipe.seed
    return FoldResult(origins, replace(walk, scale=walk.scale * factor))


def crps_by_hand(found: Search, units: int, seed: int = 0) -> float:
    """Mean of both steps over RiskMetrics-t's, on days on which both are known."""
    task = FoldTask(found.folds.data, found.folds.unseen, replace(BASE, units=units, seed=seed))
    made, reference = scaled(task), scaled(replace(task, recipe=BEST))
    actual = actuals(task.data.panel, made.origins, 2, range(100))
    ratios = []
    for step in (1, 2):
        days = len(daily_crps(made.forecast, actual, 2)[0])
        losses = [daily_crps(each.forecast, actual, step)[1][:days] for each in (made, reference)]
        ratios.append(losses[0].mean() / losses[1].mean())
    return float(np.mean(ratios))


def test_gains_are_those_by_hand(found: Search, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "run_fold", scaled)
    left = survival(found, FoldStore(tmp_path))
    assert left.chosen == pytest.approx(0.2)
    assert left.unseen.value == pytest.approx(1 - 1 / crps_by_hand(found, 32), rel=1e-6)
    assert left.share == pytest.approx(left.unseen.value / 0.2)
    assert left.days == len(found.folds.unseen.split.test) - 1
    assert left.unseen.low < left.unseen.value < left.unseen.high
    assert left.surely_better


@pytest.mark.parametrize(
    ("days_before_the_end", "same"), [(0, True), (1, False)], ids=["test days", "unseen fold"]
)
def test_only_days_before_the_test_part_move_the_gain(
    found: Search, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, days_before_the_end: int, same: bool
) -> None:
    monkeypatch.setattr(module, "run_fold", scaled)
    whole = panel_of(*(random_walk_table(f"T{seed}", 900, seed) for seed in range(3)))
    later = np.arange(whole.shape[1]) >= found.folds.data.panel.shape[1] - days_before_the_end
    changed = replace(whole, log_return=np.where(later, whole.log_return * 3, whole.log_return))
    folds = tune_folds(TrainingSet(changed, split_days(changed.dates, 2)), 2, 3)
    before = survival(found, FoldStore(tmp_path / "one"))
    after = survival(replace(found, folds=folds), FoldStore(tmp_path / "other"))
    assert (before == after) == same


def test_with_several_seeds_the_interval_counts_them(
    found: Search, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "run_fold", scaled)
    one = survival(found, FoldStore(tmp_path))
    three = survival(found, FoldStore(tmp_path), seeds=3)
    own, rival = (np.mean([crps_by_hand(found, units, seed) for seed in range(3)]) for units in (64, 32))
    assert three.unseen.value == pytest.approx(1 - own / rival, rel=1e-6)
    assert three.seeds == 3
    assert three.unseen.high - three.unseen.low > one.unseen.high - one.unseen.low
    assert "over 3 seeds of each" in three.sentence() or not three.surely_better


def test_a_second_look_trains_nothing(found: Search, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    trained: list[Recipe] = []
    monkeypatch.setattr(module, "run_fold", lambda task: trained.append(task.recipe) or scaled(task))  # type: ignore[func-returns-value]
    first = survival(found, FoldStore(tmp_path))
    assert trained == [BEST, BASE]
    assert survival(found, FoldStore(tmp_path)) == first
    assert len(trained) == 2
    survival(found, FoldStore(tmp_path), seeds=2)
    assert [recipe.seed for recipe in trained] == [0, 0, 1, 1]


def test_where_the_default_is_the_best_nothing_is_trained(found: Search, tmp_path: Path) -> None:
    best = replace(found, trials=(replace(found.trials[0], value=0.9), found.trials[1]))
    left = survival(best, FoldStore(tmp_path))
    assert left.same
    assert not left.surely_better
    assert left.sentence() == "No recipe was better than the default on the folds: keep the default."


def test_a_default_that_cannot_be_trained_is_said(found: Search, tmp_path: Path) -> None:
    failed = replace(found.trials[0], state=FAILED, value=None, folds=(), reason="the loss became nan")
    left = survival(replace(found, trials=(failed, found.trials[1])), FoldStore(tmp_path))
    assert math.isnan(left.chosen)
    assert "(the default recipe: the loss became nan): keep the default" in left.sentence()


def test_a_training_that_fails_on_the_unseen_fold_is_said(
    found: Search, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(_: FoldTask) -> FoldResult:
        raise ForecastError("the loss became nan in epoch 1", "lower --learning-rate")

    monkeypatch.setattr(module, "run_fold", fail)
    left = survival(found, FoldStore(tmp_path))
    assert "survives is not known (the loss became nan in epoch 1): keep the default." in left.sentence()
    assert left.chosen == pytest.approx(0.2)
    assert math.isnan(left.described()["gain_unseen"])
    assert not left.surely_better


CHOSEN = "2.00 % better than the default on the folds it was chosen on, "


@pytest.mark.parametrize(
    ("unseen", "seeds", "found", "advice", "surely"),
    [
        pytest.param(
            Interval(0.006, 0.002, 0.010),
            1,
            "0.60 % better (95 % interval +0.20 % to +1.00 %)",
            "30 % of the gain survives. It is one seed of each: another may decide otherwise (--seeds).",
            True,
            id="survives",
        ),
        pytest.param(
            Interval(0.006, 0.002, 0.010),
            5,
            "0.60 % better (95 % interval of days and seeds +0.20 % to +1.00 %)",
            "30 % of the gain survives, over 5 seeds of each.",
            True,
            id="survives over seeds",
        ),
        pytest.param(
            Interval(0.006, -0.002, 0.014),
            1,
            "0.60 % better (95 % interval -0.20 % to +1.40 %)",
            "30 % of the gain survives, which may be chance; keep the default unless more history confirms "
            "it.",
            False,
            id="may be chance",
        ),
        pytest.param(
            Interval(-0.004, -0.010, 0.002),
            1,
            "0.40 % worse (95 % interval -1.00 % to +0.20 %)",
            "nothing of the gain survives; keep the default.",
            False,
            id="nothing",
        ),
        pytest.param(
            Interval(0.006, -math.inf, math.inf),
            1,
            "0.60 % better (no interval, too few days)",
            "30 % of the gain survives, on too few days to tell it from chance; keep the default until there "
            "are more.",
            False,
            id="too few days",
        ),
    ],
)
def test_the_sentence_is_honest(unseen: Interval, seeds: int, found: str, advice: str, surely: bool) -> None:
    left = Survival(0.02, unseen, 500, seeds)
    assert left.sentence() == f"{CHOSEN}{found} on a fold it has not seen: {advice}"
    assert left.surely_better == surely
