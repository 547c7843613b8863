"""Where a setting comes from, what it may be, and what is said of a wrong one."""

import copy
import json
import math
import pickle
import re
import tempfile
from collections.abc import Callable
from dataclasses import asdict, fields
from datetime import UTC, date, datetime
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import typer
from hypothesis import given
from hypothesis import strategies as st

from forecaster.cli.flags import training_flags
from forecaster.cli.main import run
from forecaster.dataset.split import split_days
from forecaster.errors import ExitCode, UsageError
from forecaster.settings import Recipe, Settings, current_time, find_home, load_settings, override

Setting = tuple[str, str]
Value = str | float | date

WHOLE: dict[Setting, str] = {
    ("train", "lookback"): "[2, 5000]",
    ("train", "horizon"): "[1, 252]",
    ("train", "units"): "[1, 4096]",
    ("train", "layers"): "[1, 16]",
    ("train", "epochs"): "[1, 100000]",
    ("train", "batch_size"): "[1, 1000000]",
    ("train", "seed"): "[0, 4294967295]",
    ("train", "ensemble"): "[1, 100]",
    ("yahoo", "workers"): "[1, 64]",
    ("yahoo", "retries"): "[0, 20]",
    ("sec", "retries"): "[0, 20]",
    ("run", "retrain_after"): "[1, 10000]",
}
REAL: dict[Setting, str] = {
    ("train", "dropout"): "[0, 1)",
    ("train", "learning_rate"): "(0, 10]",
    ("yahoo", "rate"): "[0, 1000]",
    ("yahoo", "timeout"): "(0, 3600]",
    ("yahoo", "backoff"): "[0, 60]",
    ("sec", "rate"): "(0, 10]",
    ("sec", "timeout"): "(0, 3600]",
    ("sec", "backoff"): "[0, 60]",
    ("run", "fetch_minutes"): "(0, 10080]",
    ("run", "earnings_minutes"): "(0, 10080]",
    ("run", "retrain_minutes"): "(0, 10080]",
    ("run", "predict_minutes"): "(0, 10080]",
    ("run", "score_minutes"): "(0, 10080]",
}
CHOICES: dict[Setting, tuple[str, ...]] = {
    ("train", "cell"): ("rnn", "lstm", "gru", "convlstm", "linear"),
    ("train", "device"): ("auto", "cpu", "gpu", "gpus"),
    ("train", "precision"): ("float32", "mixed"),
    ("train", "features"): ("all", "prices"),
}
DATES: tuple[Setting, ...] = (("train", "train_end"), ("train", "validation_end"))
TRUTHS: tuple[Setting, ...] = (("train", "bidirectional"),)
TEXTS: tuple[Setting, ...] = (("yahoo", "url"), ("sec", "user_agent"), ("sec", "url"))

Reader = Callable[[Setting, Value, Path], Any]
Quote = Callable[[Setting, Value, Path], str]


def from_file(setting: Setting, value: Value, home: Path) -> Any:
    section, key = setting
    (home / "forecast.toml").write_text(f"[{section}]\n{key} = {in_toml(value)}\n")
    return getattr(getattr(load_settings(home, {}), section), key)


def from_variable(setting: Setting, value: Value, home: Path) -> Any:
    section, key = setting
    settings = load_settings(home / "nowhere", {variable_of(setting): str(value)})
    return getattr(getattr(settings, section), key)


def from_flag(setting: Setting, value: Value, home: Path) -> Any:
    """The way of a real flag: Typer reads it, and the command is handed a checked recipe."""
    flag = "--" + setting[1].replace("_", "-")
    given: list[Recipe] = []

    @training_flags()
    def command(*, settings: Settings, recipe: Recipe) -> None:
        assert settings.home == home
        given.append(recipe)

    app = typer.Typer()
    app.command()(command)
    words = [flag] if value is True else [flag, str(value)]
    app([*words, "--home", str(home)], standalone_mode=False)
    return getattr(given[0], setting[1])


def in_toml(value: Value) -> str:
    return json.dumps(value) if isinstance(value, str | bool) else str(value)


def variable_of(setting: Setting) -> str:
    return "FORECAST_{}_{}".format(*setting).upper()


PLACES: dict[str, tuple[Reader, Quote]] = {
    "file": (from_file, lambda it, value, home: f"{home}/forecast.toml [{it[0]}] {it[1]} = {in_toml(value)}"),
    "variable": (from_variable, lambda it, value, _home: f"{variable_of(it)}={value}"),
    "flag": (from_flag, lambda it, value, _home: f"--{it[1].replace('_', '-')} {value}"),
}


def ends(interval: str) -> tuple[float, float, bool, bool]:
    """Low, high, and whether each belongs to it: `[0, 1)`."""
    low, high = (float(end) for end in interval[1:-1].split(","))
    return low, high, interval[0] == "[", interval[-1] == "]"


def edges(setting: Setting) -> tuple[list[Value], list[Value]]:
    """The outermost valid numbers, and the invalid ones next to them."""
    if setting in WHOLE:
        low, high, _, _ = ends(WHOLE[setting])
        return [int(low), int(high)], [int(low) - 1, int(high) + 1]
    low, high, has_low, has_high = ends(REAL[setting])
    above, below = math.nextafter(low, math.inf), math.nextafter(high, -math.inf)
    under, over = math.nextafter(low, -math.inf), math.nextafter(high, math.inf)
    valid = [low if has_low else above, high if has_high else below]
    return [*valid], [under if has_low else low, over if has_high else high, math.nan, math.inf, -math.inf]


def wanted(setting: Setting) -> str:
    interval = WHOLE.get(setting) or REAL[setting]
    low, high = interval[1:-1].split(", ")
    words = f"{'at least' if interval[0] == '[' else 'above'} {low}"
    words += f" and {'at most' if interval[-1] == ']' else 'below'} {high}"
    return f"choose {'a whole number' if setting in WHOLE else 'a number'}, {words}"


def places_of(*settings: Setting) -> list[Any]:
    """Each setting in each place where it can be written; only training has flags."""
    return [
        pytest.param(setting, place, id=f"{place}-{setting[1]}")
        for setting in settings
        for place in PLACES
        if place != "flag" or setting[0] == "train"
    ]


def rejected(setting: Setting, value: Value, place: str, home: Path) -> str:
    """What the place says of the value, after its quote."""
    read, quote = PLACES[place]
    with pytest.raises(UsageError) as raised:
        read(setting, value, home)
    assert raised.value.exit_code == ExitCode.USAGE
    written = quote(setting, value, home)
    assert str(raised.value).startswith(written)
    return str(raised.value).removeprefix(written)


def test_the_tables_below_name_every_setting() -> None:
    settings = Settings(Path())
    sections = [part.name for part in fields(settings) if part.name != "home"]
    every = [(name, part.name) for name in sections for part in fields(getattr(settings, name))]
    assert sorted([*WHOLE, *REAL, *CHOICES, *DATES, *TRUTHS, *TEXTS]) == sorted(every)


def test_every_default_is_valid() -> None:
    settings = Settings(Path())
    assert override(settings.train, asdict(settings.train)) == settings.train
    assert override(settings.yahoo, asdict(settings.yahoo)) == settings.yahoo
    assert override(settings.run, asdict(settings.run)) == settings.run


@pytest.mark.parametrize(("setting", "place"), places_of(*WHOLE, *REAL))
def test_numbers_are_held_to_their_bounds(setting: Setting, place: str, tmp_path: Path) -> None:
    valid, invalid = edges(setting)
    for value in valid:
        assert PLACES[place][0](setting, value, tmp_path) == value
    for value in invalid:
        assert rejected(setting, value, place, tmp_path) == f" is out of range; {wanted(setting)}"


@pytest.mark.parametrize(("setting", "place"), places_of(*CHOICES))
def test_choices_are_held_to_their_list(setting: Setting, place: str, tmp_path: Path) -> None:
    for choice in CHOICES[setting]:
        assert PLACES[place][0](setting, choice, tmp_path) == choice
    for other in ("tpu", "GRU", "gru "):
        told = rejected(setting, other, place, tmp_path)
        assert told == f" is not known; choose from {', '.join(CHOICES[setting])}"


@pytest.mark.parametrize(("setting", "place"), places_of(*DATES))
def test_dates_are_iso_dates(setting: Setting, place: str, tmp_path: Path) -> None:
    for value in ("2015-12-31", date(2015, 12, 31), "20151231"):
        assert PLACES[place][0](setting, value, tmp_path) == "2015-12-31"
    for wrong in ("soon", "2015-13-01", "2015", "2015-12", "NaT", "2015-12-31T10:00:00"):
        told = rejected(setting, wrong, place, tmp_path)
        assert told == " is not a date; write it like 2015-12-31"


@pytest.mark.parametrize(
    ("setting", "value", "words"),
    [
        pytest.param(("train", "units"), "many", wanted(("train", "units")), id="text for a whole number"),
        pytest.param(("train", "units"), True, wanted(("train", "units")), id="a truth for a whole number"),
        pytest.param(("train", "units"), 1.0, wanted(("train", "units")), id="a float for a whole number"),
        pytest.param(("train", "dropout"), "0.5", wanted(("train", "dropout")), id="text for a number"),
        pytest.param(("train", "dropout"), True, wanted(("train", "dropout")), id="a truth for a number"),
        pytest.param(("yahoo", "timeout"), 10**400, wanted(("yahoo", "timeout")), id="no float is so large"),
        pytest.param(("train", "bidirectional"), 1, "choose true or false", id="a number for a truth"),
        pytest.param(("train", "cell"), 3, "choose text", id="a number for a choice"),
        pytest.param(("yahoo", "url"), date(2015, 12, 31), "choose text", id="a date for text"),
    ],
)
def test_a_wrong_type_in_the_file_is_rejected(
    tmp_path: Path, setting: Setting, value: Value, words: str
) -> None:
    told = rejected(setting, value, "file", tmp_path)
    assert re.fullmatch(rf" is not (a whole number|a number|true or false|text); {re.escape(words)}", told)


@pytest.mark.parametrize("setting", [*WHOLE, *REAL, *TRUTHS])
def test_a_variable_that_is_no_value_of_its_type_is_rejected(tmp_path: Path, setting: Setting) -> None:
    words = "choose true or false" if setting in TRUTHS else wanted(setting)
    assert rejected(setting, "many", "variable", tmp_path).endswith(f"; {words}")


@pytest.mark.parametrize(
    ("text", "value"),
    [
        pytest.param(text, value, id=text)
        for text, value in {"1": True, "TRUE": True, "yes": True, "0": False, "no": False}.items()
    ],
)
def test_variables_say_true_and_false_in_words_or_digits(tmp_path: Path, text: str, value: bool) -> None:
    assert from_variable(("train", "bidirectional"), text, tmp_path) is value


def valid_values(setting: Setting) -> st.SearchStrategy[Value]:
    if setting in WHOLE:
        low, high, _, _ = ends(WHOLE[setting])
        return st.integers(int(low), int(high))
    if setting in REAL:
        low, high, has_low, has_high = ends(REAL[setting])
        return st.floats(low, high, exclude_min=not has_low, exclude_max=not has_high)
    if setting in CHOICES:
        return st.sampled_from(CHOICES[setting])
    if setting in DATES:
        return st.dates().map(date.isoformat)
    if setting in TRUTHS:
        return st.just(True)
    return st.text(st.characters(min_codepoint=32, max_codepoint=126), min_size=1)


ALL_VALUES = st.sampled_from([*WHOLE, *REAL, *CHOICES, *DATES, *TRUTHS, *TEXTS]).flatmap(
    lambda setting: st.tuples(st.just(setting), valid_values(setting))
)


@given(ALL_VALUES)
def test_a_value_within_the_bounds_is_the_same_from_every_place(written: tuple[Setting, Value]) -> None:
    setting, value = written
    with tempfile.TemporaryDirectory() as folder:
        readers = [read for name, (read, _) in PLACES.items() if name != "flag" or setting[0] == "train"]
        found = [read(setting, value, Path(folder)) for read in readers]
    assert found == [value] * len(readers)


def test_the_environment_goes_before_the_file_and_the_file_before_the_default(tmp_path: Path) -> None:
    (tmp_path / "forecast.toml").write_text("[train]\nunits = 64\nlookback = 90\ntrain-end = 2015-12-31\n")
    settings = load_settings(tmp_path, {"FORECAST_TRAIN_LOOKBACK": "60", "FORECAST_YAHOO_RATE": "0"})
    assert settings.train.units == 64
    assert settings.train.lookback == 60
    assert settings.train.train_end == "2015-12-31"
    assert settings.train.layers == Recipe().layers
    assert settings.yahoo.rate == 0


@pytest.mark.parametrize(
    ("text", "words"),
    [
        pytest.param("[train", " is not valid TOML: .*; fix or remove it", id="no toml"),
        pytest.param(
            "a" + ".a" * 100_000 + " = 1", " is larger than the 20,000 bytes", id="a key of 100,000 dots"
        ),
        pytest.param("[train]\nseed = " + "9" * 5000, " is not valid TOML", id="a number of 5,000 digits"),
        pytest.param(
            "[trian]\n",
            r" has an unknown section \[trian\]; rename it \(the nearest is train\), or remove it",
            id="unknown section",
        ),
        pytest.param(
            "units = 3\n", r" units = 3 is in no section; write it under one of \[train\]", id="no section"
        ),
        pytest.param(
            "[train]\nlook-bakc = 3\n",
            r" \[train\] has no setting look-bakc; rename it \(the nearest is lookback\), or remove it",
            id="unknown key",
        ),
        pytest.param("[train]\nbatch-size = 0\n", r" \[train\] batch-size = 0 is out", id="key with a dash"),
    ],
)
def test_a_wrong_file_is_rejected(tmp_path: Path, text: str, words: str) -> None:
    (tmp_path / "forecast.toml").write_text(text)
    with pytest.raises(UsageError, match=f"^{re.escape(str(tmp_path))}/forecast.toml{words}"):
        load_settings(tmp_path, {})


def test_a_file_that_cannot_be_read_is_rejected(tmp_path: Path) -> None:
    (tmp_path / "forecast.toml").mkdir()
    with pytest.raises(UsageError, match=r"forecast\.toml is a folder, where a file should be"):
        load_settings(tmp_path, {})


def test_a_wrong_value_in_the_file_is_reported_though_a_variable_overrides_it(tmp_path: Path) -> None:
    (tmp_path / "forecast.toml").write_text("[yahoo]\nworkers = 0\n")
    with pytest.raises(UsageError, match=r"forecast\.toml \[yahoo\] workers = 0 is out of range"):
        load_settings(tmp_path, {"FORECAST_YAHOO_WORKERS": "3"})


@pytest.mark.parametrize(
    ("variable", "nearest"),
    [
        pytest.param("FORECAST_TRAIN_LOOKBAKC", "FORECAST_TRAIN_LOOKBACK", id="key"),
        pytest.param("FORECAST_YAHO_WORKERS", "FORECAST_YAHOO_WORKERS", id="section"),
        pytest.param("FORECAST_LOOKBACK", "FORECAST_TRAIN_LOOKBACK", id="no section"),
        pytest.param("FORECAST_HOMES", "FORECAST_HOME", id="home"),
        pytest.param("FORECAST_TSET_SCHEDULERS", "FORECAST_SEC_URL", id="far from all"),
    ],
)
def test_an_unknown_variable_is_rejected_with_the_nearest_name(
    tmp_path: Path, variable: str, nearest: str
) -> None:
    words = f"{variable} is not known; rename it (the nearest is {nearest}), or unset it"
    with pytest.raises(UsageError, match=re.escape(words)):
        load_settings(tmp_path, {variable: "1"})


@pytest.mark.parametrize(
    "environ",
    [
        pytest.param({"FORECAST_TRAIN_UNITS": "", "FORECAST_NO_SUCH": ""}, id="empty is unset"),
        pytest.param({"FORECAST_HOME": "/a", "FORECAST_NOW": "b", "FORECAST_DEBUG": "1"}, id="no settings"),
        pytest.param({"FORECAST_TEST_SCHEDULERS": "1"}, id="reserved for tests"),
        pytest.param({"FORECASTER": "1", "MY_FORECAST_UNITS": "1"}, id="not ours"),
    ],
)
def test_these_variables_change_no_setting(tmp_path: Path, environ: dict[str, str]) -> None:
    assert load_settings(tmp_path, environ) == Settings(tmp_path)


def test_a_flag_that_is_not_given_changes_nothing() -> None:
    recipe = Recipe(units=7)
    assert override(recipe, {"units": None, "layers": 2}) == Recipe(units=7, layers=2)


def test_whole_numbers_do_for_a_learning_rate() -> None:
    rate = override(Recipe(), {"learning_rate": 1}).learning_rate
    assert (rate, type(rate)) == (1.0, float)


def test_a_value_from_elsewhere_is_quoted_as_it_stands_there() -> None:
    with pytest.raises(UsageError, match=r"^units is 0 in card\.json is out of range"):
        override(Recipe(), {"units": 0}, lambda key, value: f"{key} is {value} in card.json")


@pytest.mark.parametrize(("setting", "place"), places_of(*DATES))
def test_a_date_outside_the_prices_is_reported_where_it_was_written(
    setting: Setting, place: str, tmp_path: Path
) -> None:
    prices = np.arange("2010-01-01", "2020-01-01", dtype="datetime64[D]")
    read, quote = PLACES[place]
    written = read(setting, "1999-01-01", tmp_path)
    with pytest.raises(UsageError) as raised:
        split_days(prices, 5, **{setting[1]: written})
    text = f"{quote(setting, '1999-01-01', tmp_path)} is outside the prices, 2010-01-01 to 2019-12-31"
    assert raised.value.message == text


def test_dates_in_the_wrong_order_are_reported_where_they_were_written(tmp_path: Path) -> None:
    (tmp_path / "forecast.toml").write_text("[train]\ntrain-end = 2015-12-31\n")
    train = load_settings(tmp_path, {"FORECAST_TRAIN_VALIDATION_END": "2012-12-31"}).train
    prices = np.arange("2010-01-01", "2020-01-01", dtype="datetime64[D]")
    with pytest.raises(UsageError) as raised:
        split_days(prices, 5, train.train_end, train.validation_end)
    file = f"{tmp_path}/forecast.toml [train] train-end = 2015-12-31"
    assert raised.value.message == f"{file} is not before FORECAST_TRAIN_VALIDATION_END=2012-12-31"


def test_a_written_date_keeps_its_quote_through_copies_and_processes() -> None:
    recipe = override(Recipe(), {"train_end": "2015-12-31"})
    copies = [copy.deepcopy(recipe), pickle.loads(pickle.dumps(recipe)), Recipe(**asdict(recipe))]  # noqa: S301
    assert [each.train_end for each in copies] == ["2015-12-31"] * 3
    assert {getattr(each.train_end, "quote", "") for each in copies} == {"--train-end 2015-12-31"}


def test_the_home_is_the_flag_the_variable_the_nearest_toml_or_here(tmp_path: Path) -> None:
    below = tmp_path / "a" / "b"
    below.mkdir(parents=True)
    assert find_home(None, {}, below) == below
    (tmp_path / "forecast.toml").touch()
    assert find_home(None, {}, below) == tmp_path
    assert find_home(None, {"FORECAST_HOME": ""}, below) == tmp_path
    assert find_home(None, {"FORECAST_HOME": "/elsewhere"}, below) == Path("/elsewhere")
    assert find_home(Path("/flag"), {"FORECAST_HOME": "/elsewhere"}, below) == Path("/flag")


@pytest.mark.parametrize(
    ("chosen", "environ", "quote"),
    [
        pytest.param(Path("~no-such-user/x"), {}, "--home ~no-such-user/x", id="flag"),
        pytest.param(None, {"FORECAST_HOME": "~no-such-user"}, "FORECAST_HOME=~no-such-user", id="variable"),
    ],
)
def test_the_home_of_an_unknown_user_is_rejected(
    tmp_path: Path, chosen: Path | None, environ: dict[str, str], quote: str
) -> None:
    with pytest.raises(UsageError, match=f"^{quote} begins with the home of an unknown user"):
        find_home(chosen, environ, tmp_path)


@pytest.mark.parametrize("year", [1900, 2100])
def test_every_command_knows_the_outermost_years(
    own_home: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], year: int
) -> None:
    for day in ("01-01", "12-31T23:59"):
        monkeypatch.setenv("FORECAST_NOW", f"{year}-{day}")
        for words in (["predict", "AAA"], ["score"], ["doctor"], ["data", "status"], ["schedule", "status"]):
            run([*words, "--home", str(own_home)])
            assert "this is a bug" not in capsys.readouterr().err


@pytest.mark.parametrize("chosen", [True, False])
def test_a_home_whose_name_is_not_utf_8_is_rejected(tmp_path: Path, *, chosen: bool) -> None:
    home = tmp_path / "\udcff"
    for flag, environ, here in (
        (home, {}, tmp_path) if chosen else (None, {}, home),
        (None, {"FORECAST_HOME": str(home)}, tmp_path),
    ):
        with pytest.raises(UsageError, match="is not UTF-8; rename it"):
            find_home(flag, environ, here)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        pytest.param("2026-11-21T22:30:00", datetime(2026, 11, 21, 22, 30, tzinfo=UTC), id="utc"),
        pytest.param("2026-11-21T17:30:00-05:00", datetime(2026, 11, 21, 22, 30, tzinfo=UTC), id="new york"),
    ],
)
def test_the_clock_can_be_set(text: str, expected: datetime) -> None:
    assert current_time({"FORECAST_NOW": text}) == expected


@pytest.mark.parametrize(
    "text",
    [
        *("noon", "0001-01-01T00:00:00+23:00", "0001-01-01", "1899-12-31", "2101-01-01", "9999-12-31T23:59"),
        *("99999-01-01", "-1", "1e9", "2026-02-30"),
    ],
)
def test_an_invalid_clock_is_rejected(text: str) -> None:
    with pytest.raises(UsageError, match=re.escape(f"FORECAST_NOW={text}")):
        current_time({"FORECAST_NOW": text})
