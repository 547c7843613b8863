"""`forecast tune`, from the flags to the exit code."""

import json
import os
import re
import shlex
import signal
import time
from dataclasses import replace
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import pytest
from command import ended, rejection, started
from factories import filled_store, persistent_table
from json_documents import assert_described
from quick_training import train_quickly

from forecaster.cli.main import run
from forecaster.cli.tune_screen import as_command, as_toml, changed_settings
from forecaster.errors import ExitCode, ForecastError
from forecaster.evaluation import trial_journal, tuning
from forecaster.evaluation.tuning import ScoreTask, score_fold
from forecaster.settings import Recipe, load_settings

SMALL = ("--lookback", "12", "--horizon", "2", "--epochs", "1", "--device", "cpu")
SEARCH = ("--trials", "8", "--cells", "rnn,gru")


@pytest.fixture
def home(tmp_path: Path) -> Path:
    tables = [persistent_table(name, 900, seed) for seed, name in enumerate(("AAA", "BBB"))]
    filled_store(tmp_path, *tables)
    return tmp_path


def leaning(task: ScoreTask) -> float:
    """The quick trainer's score, and what a wide network of one layer at a small rate would gain."""
    recipe = task.fold.recipe
    gain = 0.0001 * recipe.units + 0.01 * (recipe.learning_rate < 0.003) - 0.1 * (recipe.layers - 1)
    return score_fold(task) - gain


@pytest.fixture
def _quickly(monkeypatch: pytest.MonkeyPatch) -> None:
    train_quickly(monkeypatch)
    monkeypatch.setattr(tuning, "_score_elsewhere", leaning)
    monkeypatch.setattr("forecaster.evaluation.survival.run_fold_elsewhere", tuning.run_fold)


def document(capsys: pytest.CaptureFixture[str], *arguments: str) -> dict[str, Any]:
    assert run(["tune", *arguments, "--quiet", "--json", "--jobs", "1"]) == ExitCode.DONE
    content: dict[str, Any] = json.loads(capsys.readouterr().out)
    return content


@pytest.mark.usefixtures("_quickly")
def test_the_screen_has_every_part_and_fits(home: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["tune", *SMALL, *SEARCH, "--jobs", "1", "--home", str(home)]) == ExitCode.DONE
    out, err = capsys.readouterr()
    text = out.partition("The best recipe all the same, as flags")[0]
    assert max(map(len, text.splitlines())) <= 80
    assert "…" not in text
    flat = " ".join(out.split())
    for part in (
        "2 tickers · chosen on 3 folds, forecasts made 2016-",
        "not looked at",
        r"8 trials: \d done, \d pruned, 0 failed; 0 kept from before\.",
        "Best recipe setting default best",
        r"lookback 12 \d+|lookback 12 same",
        "The best 5 of those that are done",
        r"1 \(default\) ",
        "on a fold it has not seen: ",
        "forecast train .*--horizon 2",
        r"The best recipe all the same, as flags.* \[train\] ",
    ):
        assert re.search(part, flat), part
    assert len(re.findall(r"^trial \d+ (?:done|pruned) at \d\.\d{4}: \d of 8 trials", err, re.MULTILINE)) == 8


@pytest.mark.usefixtures("_quickly")
def test_the_document_has_the_fields_that_are_described(
    home: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    found = document(capsys, *SMALL, *SEARCH, "--home", str(home))
    assert_described(found)
    assert [trial["trial"] for trial in found["trials"]] == list(range(1, 9))
    assert found["counts"]["kept"] == 0
    assert sum(found["counts"].values()) == 8
    done = [trial["value"] for trial in found["trials"] if trial["state"] == "done"]
    assert found["best"]["value"] == min(done)
    assert found["default"]["trial"] == 1
    assert found["default"]["recipe"]["lookback"] == 12
    gain = 1 - found["best"]["value"] / found["default"]["value"]
    assert found["survival"]["gain_chosen"] == pytest.approx(gain)
    assert [fold["use"] for fold in found["folds"]] == ["choosing"] * 3 + ["unseen"]
    assert found["folds"][-1]["test_last"] < found["split"]["validation_end"]
    assert found["searched"]["cell"] == ["rnn", "gru"]
    for trial in found["trials"]:
        assert all(trial["recipe"][name] in values for name, values in found["searched"].items())


@pytest.mark.usefixtures("_quickly")
def test_flags_and_toml_train_the_best_recipe(home: Path, capsys: pytest.CaptureFixture[str]) -> None:
    place = ("--home", str(home))
    found = document(capsys, *SMALL, *SEARCH, *place)
    assert found["flags"].startswith("forecast train ")
    assert "--seed" not in found["flags"]
    (home / "forecast.toml").write_text(found["toml"])
    written = load_settings(home, {}).train
    assert written == Recipe(**found["best"]["recipe"])
    (home / "forecast.toml").unlink()
    assert run([*shlex.split(found["flags"])[1:], "--name", "tuned", *place]) == ExitCode.DONE
    card = json.loads((home / "models" / "tuned" / "1" / "card.json").read_text())
    assert card["recipe"]["units"] == found["best"]["recipe"]["units"]
    assert card["recipe"]["learning_rate"] == found["best"]["recipe"]["learning_rate"]


def test_only_what_differs_from_the_settings_is_written() -> None:
    usual = replace(Recipe(), units=16)
    assert changed_settings(usual, usual) == {}
    assert as_toml(usual, usual) == ""
    best = replace(usual, cell="lstm", dropout=0.0, bidirectional=True, train_end="2015-12-31")
    assert as_command(best, usual) == (
        "forecast train --cell lstm --bidirectional --dropout 0.0 --train-end 2015-12-31"
    )
    assert as_toml(best, usual).splitlines() == [
        *("[train]", 'cell = "lstm"', "bidirectional = true", "dropout = 0.0", 'train_end = "2015-12-31"')
    ]


@pytest.mark.usefixtures("_quickly")
def test_a_second_search_goes_on(home: Path, capsys: pytest.CaptureFixture[str]) -> None:
    arguments = [*SMALL, "--cells", "gru", "--home", str(home)]
    first = document(capsys, *arguments, "--trials", "4")
    assert run(["tune", *arguments, "--trials", "6", "--jobs", "1"]) == ExitCode.DONE
    out, err = capsys.readouterr()
    assert "; 4 kept from before." in out
    assert err.splitlines()[0].startswith("4 of 6 trials, 4 kept from before, best ")
    again = document(capsys, *arguments, "--trials", "6")
    assert again["counts"]["kept"] == 6
    assert [trial["kept"] for trial in again["trials"]] == [True] * 6
    for before, after in zip(first["trials"], again["trials"], strict=False):
        assert before | {"kept": True} == after
    (journal,) = (home / "results" / "tune").glob("*.jsonl")
    assert all(isinstance(json.loads(line), dict) for line in journal.read_text().splitlines())


@pytest.mark.usefixtures("_quickly")
def test_where_the_default_is_best_nothing_is_to_be_written(
    home: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (home / "forecast.toml").write_text("[train]\nepochs = 1\nlookback = 12\nhorizon = 2\n")
    assert run(["tune", "--trials", "1", "--jobs", "1", "--home", str(home)]) == ExitCode.DONE
    out = " ".join(capsys.readouterr().out.split())
    assert "1 trial: 1 done, 0 pruned, 0 failed" in out
    assert "No recipe was better than the default on the folds: keep the default." in out
    assert "[train]" not in out
    found = document(capsys, "--trials", "1", "--home", str(home))
    assert (found["flags"], found["toml"]) == ("forecast train", "")
    assert found["survival"]["gain_unseen"] is None


@pytest.mark.usefixtures("_quickly")
def test_failures_and_the_time_limit_are_told(
    home: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    def fragile(task: ScoreTask) -> float:
        time.sleep(0.05)
        if task.fold.recipe != Recipe(lookback=12, horizon=2, epochs=1, device="cpu"):
            raise ForecastError("the loss became nan in epoch 1", "lower --learning-rate")
        return leaning(task)

    monkeypatch.setattr(tuning, "_score_elsewhere", fragile)
    arguments = [*SMALL, "--trials", "500", "--minutes", "0.01", "--jobs", "1", "--home", str(home)]
    assert run(["tune", *arguments]) == ExitCode.DONE
    out, err = capsys.readouterr()
    assert re.search(r"1 done, 0 pruned, \d failed; 0 kept", out)
    assert out.count("failed: the loss became nan in epoch 1") == 1
    assert "The time limit ended the search: the same command goes on." in " ".join(out.split())
    assert re.search(r"trial 2 failed \(the loss became nan in epoch 1\): 2 of 500", err)
    assert re.search(r"500 trials, best .*, [01] s left", err)  # not what 500 trials would take


@pytest.mark.usefixtures("_quickly")
def test_quiet_is_quiet(home: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert (
        run(["tune", *SMALL, "--trials", "2", "--jobs", "1", "--quiet", "--home", str(home)]) == ExitCode.DONE
    )
    assert capsys.readouterr() == ("", "")


@pytest.mark.parametrize(
    ("arguments", "code", "said"),
    [
        (["--trials", "0"], ExitCode.USAGE, "'--trials'"),
        (["--minutes", "0"], ExitCode.USAGE, "'--minutes'"),
        (["--folds", "0"], ExitCode.USAGE, "'--folds'"),
        (["--folds", "30"], ExitCode.BAD_INPUT, "choose fewer --folds"),
        (
            ["--lookback", "700"],
            ExitCode.BAD_INPUT,
            "no ticker has 700 days in a row in the fold from 2016-07-11",
        ),
        (["--cells", "none"], ExitCode.USAGE, "names no known cell"),
        (["--units", "0"], ExitCode.USAGE, "--units 0 is out of range"),
        (["NONE"], ExitCode.NOT_FOUND, "NONE"),
        (["--universe", "sp500", "AAA"], ExitCode.USAGE, "exclude each other"),
        (["--train-end", "1990-01-01"], ExitCode.USAGE, "--train-end 1990-01-01"),
    ],
)
@pytest.mark.usefixtures("_quickly")
def test_what_is_wrong_is_one_line(
    home: Path, capsys: pytest.CaptureFixture[str], arguments: list[str], code: ExitCode, said: str
) -> None:
    short = ("--epochs", "1", "--trials", "2", "--quiet")
    found, line = rejection(capsys, "tune", *short, *arguments, "--home", home)
    assert found == code
    assert said in line


@pytest.mark.usefixtures("_quickly")
def test_a_damaged_journal_and_a_folder_in_the_way_are_one_line(
    home: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    arguments = ["tune", *SMALL, "--trials", "2", "--jobs", "1", "--home", str(home)]
    assert run([*arguments, "--quiet"]) == ExitCode.DONE
    (journal,) = (home / "results" / "tune").glob("*.jsonl")
    journal.write_text("nonsense\n" + journal.read_text())
    code, line = rejection(capsys, *arguments)
    assert code == ExitCode.BAD_INPUT
    assert "remove it: the search then begins anew" in line
    journal.unlink()
    journal.mkdir()
    code, line = rejection(capsys, *arguments)
    assert code == ExitCode.BAD_INPUT
    assert "is a folder, where a file should be" in line


@pytest.mark.usefixtures("_quickly")
def test_results_that_cannot_be_kept_are_said_before_the_work(
    home: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (home / "results").write_text("")
    code, line = rejection(capsys, "tune", *SMALL, "--home", home)
    assert code == ExitCode.DISK
    assert "cannot write" in line


def test_without_optuna_the_extra_is_named(
    home: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(
        trial_journal, "find_spec", lambda name: None if name == "optuna" else find_spec(name)
    )
    code, line = rejection(capsys, "tune", "--home", home)
    assert code == ExitCode.USAGE
    assert line == "forecast: tune needs Optuna; pip install 'forecaster[tune]'"


@pytest.mark.usefixtures("_quickly")
def test_an_interruption_keeps_what_is_finished(
    home: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    calls: list[ScoreTask] = []

    def stop(task: ScoreTask) -> float:
        calls.append(task)
        if len(calls) == 5:
            os.kill(os.getpid(), signal.SIGINT)
            time.sleep(0.2)
        return leaning(task)

    arguments = [*SMALL, "--trials", "4", "--cells", "gru", "--home", str(home)]
    monkeypatch.setattr(tuning, "_score_elsewhere", stop)
    code, line = rejection(capsys, "tune", *arguments, "--quiet", "--jobs", "1")
    assert code == ExitCode.INTERRUPTED
    assert line.startswith("forecast: interrupted")
    resumed = document(capsys, *arguments)
    assert resumed["counts"]["kept"] == 1
    assert len(resumed["trials"]) == 4


@pytest.mark.slow
def test_killed_on_two_workers_and_resumed_every_value_is_that_of_one_worker(home: Path) -> None:
    """Real training: what was finished is kept, and a recipe's value depends on nothing but the recipe."""
    few = ("--trials", "3", "--folds", "2", "--cells", "rnn")
    arguments = ["tune", *SMALL, *few, "--home", home, "--quiet", "--json"]
    folder = home / "results" / "tune"
    process = started([*arguments, "--jobs", "2"])
    deadline = time.monotonic() + 240
    while not any('"scores"' in path.read_text() for path in folder.glob("*.jsonl")):
        assert process.poll() is None
        assert time.monotonic() < deadline
        time.sleep(0.05)
    process.kill()
    process.communicate()
    assert ended(process.pid)
    resumed = started([*arguments, "--jobs", "2"])
    out, err = resumed.communicate(timeout=400)
    assert (resumed.returncode, err) == (ExitCode.DONE, "")
    found = json.loads(out)
    assert len(found["trials"]) == 3
    for path in folder.iterdir():
        path.unlink()
    alone = started([*arguments, "--jobs", "1"])
    whole = json.loads(alone.communicate(timeout=400)[0])
    # The default recipe and two at random: which they are depends on the seed alone.
    values = [{json.dumps(each["recipe"]): each["folds"] for each in one["trials"]} for one in (found, whole)]
    assert len(values[0]) == 3
    assert values[0] == values[1]


@pytest.mark.trial
def test_an_interruption_ends_the_workers_too(home: Path) -> None:
    process = started(["tune", *SMALL, "--epochs", "10000", "--jobs", "2", "--home", home])
    time.sleep(8)
    os.killpg(process.pid, signal.SIGINT)
    _, err = process.communicate(timeout=60)
    assert process.returncode == ExitCode.INTERRUPTED
    assert err.splitlines()[-1].startswith("forecast: interrupted")
    assert "Traceback" not in err
    assert ended(process.pid)
