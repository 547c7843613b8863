"""`fc.tune` and `Home.tune`, from prices to a recipe."""

from pathlib import Path

import pandas as pd
import pytest
from factories import filled_store, persistent_table
from quick_training import train_quickly

import forecaster as fc
from forecaster.errors import BadInputError, UsageError
from forecaster.evaluation import tuning
from forecaster.evaluation.tuning import ScoreTask, score_fold

RECIPE = fc.Recipe(lookback=12, horizon=2, units=4, epochs=1)
SPACE = {"units": (4, 8, 16), "layers": (1,), "lookback": (12, 30)}


@pytest.fixture(autouse=True)
def _quickly(monkeypatch: pytest.MonkeyPatch) -> None:
    train_quickly(monkeypatch)


@pytest.fixture
def prices(tmp_path: Path) -> pd.DataFrame:
    filled_store(tmp_path, *(persistent_table(name, 900, seed) for seed, name in enumerate(("AAA", "BBB"))))
    return fc.Home(tmp_path).prices()


def found(prices: pd.DataFrame, **options: object) -> fc.TuneResult:
    return fc.tune(prices, ("gru", "rnn"), RECIPE, **({"trials": 5, "space": SPACE} | options))  # type: ignore[arg-type]


def test_a_frame_gives_trials_and_a_recipe(prices: pd.DataFrame) -> None:
    result = found(prices)
    trials = result.trials
    assert trials["trial"].tolist() == [1, 2, 3, 4, 5]
    assert trials["units"].isin([4, 8, 16]).all()
    assert trials.loc[0, ["cell", "units", "lookback"]].tolist() == ["gru", 4, 12]
    done = trials[trials["state"] == "done"]
    best = done.loc[done["value"].idxmin()]
    assert (result.best.cell, result.best.units, result.best.lookback) == (
        best.cell,
        best.units,
        best.lookback,
    )
    assert result.default == RECIPE
    assert result.recipe == (result.best if result.survival.surely_better else RECIPE)
    assert repr(result).startswith("TuneResult(5 trials: ")
    trained = fc.train(prices, result.recipe)
    assert trained.recipe.units == result.recipe.units


def test_the_store_gives_what_the_frame_gives_and_keeps_it(prices: pd.DataFrame, tmp_path: Path) -> None:
    own = found(prices, keep=tmp_path / "own")
    options = {"trials": 5, "space": SPACE}
    stored = fc.Home(tmp_path).tune(None, ("gru", "rnn"), RECIPE, **options)  # type: ignore[arg-type]
    pd.testing.assert_frame_equal(own.trials, stored.trials)
    again = fc.Home(tmp_path).tune(None, ("gru", "rnn"), RECIPE, **options)  # type: ignore[arg-type]
    assert again.trials["kept"].all()
    assert again.survival == stored.survival
    assert found(prices, keep=tmp_path / "own").search.kept == 5
    assert [path.suffix for path in (tmp_path / "results" / "tune").glob("[!.]*")] == [".jsonl"]


@pytest.mark.parametrize("share", [0.86, 0.60])
def test_no_price_of_the_test_days_reaches_a_trial_or_the_gain(prices: pd.DataFrame, share: float) -> None:
    """The test part begins after 85 % of the days; that a fold for choosing has other prices does show."""
    days = prices["date"].drop_duplicates().sort_values()
    later = prices["date"] > days.iloc[round(share * len(days))]
    other = prices.copy()
    wave = 1 + 0.3 * (other.loc[later, "date"].dt.day % 7) / 7
    for column in ("close", "adj_close"):
        other.loc[later, column] *= wave
    before, after = found(prices), found(other)
    assert before.trials.equals(after.trials) == (share > 0.85)
    if share > 0.85:
        assert before.survival == after.survival


def test_the_recipe_is_the_default_where_nothing_surely_survives(
    prices: pd.DataFrame, monkeypatch: pytest.MonkeyPatch
) -> None:
    def flattering(task: ScoreTask) -> float:
        return score_fold(task) - 0.01 * task.fold.recipe.units

    monkeypatch.setattr(tuning, "score_fold", flattering)
    result = found(prices, trials=8)
    assert result.best.units > RECIPE.units
    assert result.survival.chosen > 0.01
    assert not result.survival.surely_better  # the gain was made up
    assert result.recipe == RECIPE
    assert "keep the default" in result.survival.sentence()


@pytest.mark.parametrize(
    ("options", "error", "said"),
    [
        ({"trials": 0}, UsageError, "trials is 0"),
        ({"folds": 0}, UsageError, "folds is 0"),
        ({"seeds": 0}, UsageError, "seeds is 0"),
        ({"jobs": 0}, UsageError, "jobs is 0"),
        ({"minutes": 0.0}, UsageError, r"minutes is 0\.0"),
        ({"minutes": float("nan")}, UsageError, "minutes is nan"),
        ({"folds": 40}, BadInputError, "fewer --folds"),
        ({"space": {"horizon": (1,)}}, UsageError, "horizon is no setting that is searched"),
    ],
)
def test_what_is_wrong_is_said(
    prices: pd.DataFrame, options: dict[str, object], error: type[Exception], said: str
) -> None:
    with pytest.raises(error, match=said):
        found(prices, **options)
