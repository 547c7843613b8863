"""Where a setting comes from, and what is said of a wrong one."""

from datetime import UTC, datetime
from pathlib import Path

import pytest

from forecaster.errors import UsageError
from forecaster.settings import TrainSettings, current_time, find_home, load_settings, override


def test_the_environment_goes_before_the_file_and_the_file_before_the_default(tmp_path: Path) -> None:
    (tmp_path / "forecast.toml").write_text("[train]\nunits = 64\nlookback = 90\ntrain-end = 2015-12-31\n")
    settings = load_settings(tmp_path, {"FORECAST_TRAIN_LOOKBACK": "60", "FORECAST_YAHOO_RATE": "0"})
    assert settings.train.units == 64
    assert settings.train.lookback == 60
    assert settings.train.train_end == "2015-12-31"
    assert settings.train.layers == TrainSettings().layers
    assert settings.yahoo.rate == 0


@pytest.mark.parametrize(
    ("text", "words"),
    [
        pytest.param("[train", "is not valid TOML", id="no toml"),
        pytest.param("[trian]\n", r"unknown section \[trian\]", id="unknown section"),
        pytest.param("train = 3\n", "is not a table", id="no section"),
        pytest.param("[train]\nunit = 3\n", "has no setting unit", id="unknown key"),
        pytest.param("[train]\nunits = 0\n", "at least 1", id="too small"),
        pytest.param("[train]\nunits = 'many'\n", "is not of type int", id="wrong type"),
        pytest.param("[train]\nunits = true\n", "is not of type int", id="a truth is no number"),
        pytest.param("[train]\ncell = 'rnm'\n", "choose from rnn, lstm, gru", id="no such cell"),
        pytest.param("[train]\nlearning_rate = 0\n", "above 0", id="learning rate of zero"),
        pytest.param("[train]\ndropout = 1.0\n", "below 1", id="dropout of all"),
    ],
)
def test_a_wrong_file_is_refused(tmp_path: Path, text: str, words: str) -> None:
    (tmp_path / "forecast.toml").write_text(text)
    with pytest.raises(UsageError, match=words):
        load_settings(tmp_path, {})


@pytest.mark.parametrize(
    "variable", ["FORECAST_TRAIN_UNITS", "FORECAST_TRAIN_BIDIRECTIONAL", "FORECAST_TRAIN_LEARNING_RATE"]
)
def test_a_wrong_variable_is_named(tmp_path: Path, variable: str) -> None:
    with pytest.raises(UsageError, match=variable):
        load_settings(tmp_path, {variable: "x"})


def test_a_flag_that_is_not_given_changes_nothing() -> None:
    recipe = TrainSettings(units=7)
    assert override(recipe, {"units": None, "layers": 2}) == TrainSettings(units=7, layers=2)


def test_whole_numbers_do_for_a_learning_rate() -> None:
    assert override(TrainSettings(), {"learning_rate": 1}).learning_rate == 1.0


def test_the_home_is_the_flag_the_variable_the_nearest_toml_or_here(tmp_path: Path) -> None:
    below = tmp_path / "a" / "b"
    below.mkdir(parents=True)
    assert find_home(None, {}, below) == below
    (tmp_path / "forecast.toml").touch()
    assert find_home(None, {}, below) == tmp_path
    assert find_home(None, {"FORECAST_HOME": "/elsewhere"}, below) == Path("/elsewhere")
    assert find_home(Path("/flag"), {"FORECAST_HOME": "/elsewhere"}, below) == Path("/flag")


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        pytest.param("2026-11-21T22:30:00", datetime(2026, 11, 21, 22, 30, tzinfo=UTC), id="utc"),
        pytest.param("2026-11-21T17:30:00-05:00", datetime(2026, 11, 21, 22, 30, tzinfo=UTC), id="new york"),
    ],
)
def test_the_clock_can_be_set(text: str, expected: datetime) -> None:
    assert current_time({"FORECAST_NOW": text}) == expected


def test_a_clock_that_is_none_is_refused() -> None:
    with pytest.raises(UsageError, match="FORECAST_NOW=noon"):
        current_time({"FORECAST_NOW": "noon"})
