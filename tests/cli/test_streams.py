"""Output into any encoding, closed streams, full disks and readers that leave, as a shell sees them."""

import io
import json
import os
import subprocess
import sys
from pathlib import Path

import pytest
from command import FORECAST
from factories import filled_store
from trained_home import recent_table

from forecaster.cli.main import run
from forecaster.cli.streams import finish_stdout, prepare_streams
from forecaster.errors import ExitCode
from forecaster.prices.store import PriceStore

COMMANDS = {
    "predict": ["predict", "AAA"],
    "predict many": ["predict", "AAA", "BBB", "CCC", "NEW", "OLD", "SHORT", "GAPPY"],
    "data status": ["data", "status"],
    "data universe": ["data", "universe"],
    "models list": ["models", "list"],
    "models show": ["models", "show", "main"],
    "score": ["score"],
    "doctor": ["doctor"],
    "lab parameters": ["lab", "parameters"],
    "lab inputs": ["lab", "inputs", "AAA"],
    "help": ["--help"],
}


def forecast(home: Path, *arguments: str, **environment: str) -> "subprocess.CompletedProcess[bytes]":
    words = [*FORECAST, *arguments]
    if arguments[-1] != "--help":
        words += ["--home", str(home)]
    return subprocess.run(words, capture_output=True, env=os.environ | environment, check=False)


class Stream(io.TextIOWrapper):
    """One of a program's own, which `prepare_streams` leaves in its place."""

    def content(self) -> bytes:
        self.flush()
        written: bytes = self.buffer.getvalue()
        return written


@pytest.mark.parametrize("arguments", COMMANDS.values(), ids=COMMANDS)
@pytest.mark.parametrize("encoding", ["ascii", "cp1252"])
def test_every_screen_is_shown_in_any_encoding(
    trained_home: Path,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
    arguments: list[str],
    encoding: str,
) -> None:
    """In this process; the next test is of a process that is told its encoding."""
    words = [*arguments, *(() if arguments[-1] == "--help" else ("--home", str(trained_home)))]
    code = run(words)
    plain = capsys.readouterr().out
    out, err = (Stream(io.BytesIO(), encoding=encoding) for _ in range(2))
    with monkeypatch.context() as patch:
        patch.setattr(sys, "stdout", out)
        patch.setattr(sys, "stderr", err)
        prepare_streams()
        assert run(words) == code
        assert finish_stdout() is None
    assert b"this is a bug" not in err.content()
    assert b"Traceback" not in err.content()
    shown = out.content().decode(encoding)
    assert len(shown.splitlines()) == len(plain.splitlines())


def test_what_an_encoding_lacks_has_a_stand_in(trained_home: Path) -> None:
    ran = forecast(trained_home, "predict", "AAA", PYTHONIOENCODING="ascii")
    text = ran.stdout.decode("ascii")
    assert "+-" in text  # ±
    assert "?" not in text


def test_a_sparkline_has_a_stand_in(own_home: Path) -> None:
    names = [f"T{number}" for number in range(6)]
    filled_store(own_home, *(recent_table(name, seed=seed) for seed, name in enumerate(names)))
    ran = forecast(own_home, "predict", *names, PYTHONIOENCODING="ascii")
    rows = [line.split() for line in ran.stdout.decode("ascii").splitlines() if line.startswith("T")]
    assert [row[0] for row in rows] == names
    assert all(len(row[2]) == 13 and set(row[2]) <= set("_.:-=+*#") for row in rows)


@pytest.mark.trial
def test_a_new_model_is_told_in_any_encoding(own_home: Path) -> None:
    ran = forecast(own_home, "train", "AAA", "--epochs", "1", "--units", "2", PYTHONIOENCODING="ascii")
    assert (ran.returncode, b"main@2" in ran.stdout + ran.stderr) == (0, True), ran.stderr


def test_a_home_with_a_cyrillic_name_under_the_posix_locale(tmp_path: Path) -> None:
    home = tmp_path / "цены"
    home.mkdir()
    posix = {"LC_ALL": "POSIX", "PYTHONCOERCECLOCALE": "0", "PYTHONUTF8": "0"}
    assert forecast(home, "fetch", "--source", "sample", "--quiet", **posix).returncode == 0
    assert "AAPL" in PriceStore(home).tickers()
    ran = forecast(home, "data", "status", "AAPL", "--json", **posix)
    assert json.loads(ran.stdout)["store"] == str(PriceStore(home).folder)


def shell(command: str, home: Path) -> "subprocess.CompletedProcess[str]":
    line = command.replace("forecast", f"{FORECAST[0]} -m {FORECAST[2]}").replace("HOME", f"'{home}'")
    return subprocess.run(
        ["bash", "-c", f"set -o pipefail; {line}"], capture_output=True, text=True, check=False
    )


@pytest.mark.parametrize("arguments", ["predict AAA", "predict AAA --json", "data status", "models list"])
def test_a_reader_that_leaves_is_no_failure(trained_home: Path, arguments: str) -> None:
    ran = shell(f"forecast {arguments} --home HOME | true", trained_home)
    assert "Traceback" not in ran.stderr
    assert "Broken" not in ran.stderr
    assert ran.returncode == 0


@pytest.mark.parametrize("arguments", ["predict AAA", "predict AAA --json", "data status", "--version"])
def test_a_full_disk_behind_stdout_is_told(trained_home: Path, arguments: str) -> None:
    home = "" if arguments == "--version" else "--home HOME"
    ran = shell(f"forecast {arguments} {home} > /dev/full", trained_home)
    assert ran.returncode == ExitCode.DISK
    lines = [line for line in ran.stderr.splitlines() if not line.startswith(("warning", "note", "failed"))]
    assert len(lines) == 1
    assert lines[0].startswith("forecast: the system failed: No space left on device")


def test_notes_that_cannot_be_written_change_nothing(trained_home: Path) -> None:
    for stderr in ("2> /dev/full", "2>&1 | true"):
        ran = shell(f"forecast predict NONE --home HOME {stderr}", trained_home)
        assert ran.returncode == ExitCode.NOT_FOUND, stderr
    assert (
        shell("forecast predict AAA NONE --home HOME > /dev/full 2> /dev/full", trained_home).returncode == 74
    )


@pytest.mark.trial
@pytest.mark.parametrize("left", ["2> /dev/full", "2>&1 | head -1"])
def test_a_training_ends_though_nobody_sees_its_progress(own_home: Path, left: str) -> None:
    ran = shell(f"forecast train AAA --epochs 1 --units 2 --home HOME {left}", own_home)
    assert ran.returncode == 0, ran.stderr
    listed = json.loads(shell("forecast models list --home HOME --json", own_home).stdout)
    assert [model["version"] for model in listed["models"]] == [1, 2]


@pytest.mark.parametrize("closed", [">&-", "2>&-", ">&- 2>&-", "<&- >&- 2>&-"])
def test_closed_streams_do_no_harm(trained_home: Path, closed: str) -> None:
    ran = shell(f"forecast predict AAA --home HOME {closed}", trained_home)
    assert ran.returncode == 0
    assert "Traceback" not in ran.stderr


@pytest.mark.trial
def test_the_users_keras_settings_do_not_matter(own_home: Path, tmp_path: Path) -> None:
    arguments = ("train", "AAA", "--epochs", "1", "--units", "2", "--quiet")
    assert forecast(own_home, *arguments).returncode == 0
    for floatx in ("float16", "float64"):
        settings = tmp_path / floatx
        settings.mkdir()
        content = {"floatx": floatx, "epsilon": 1e-7, "backend": "jax"}
        (settings / "keras.json").write_text(json.dumps(content))
        ran = forecast(own_home, *arguments, KERAS_HOME=str(settings))
        assert ran.returncode == 0, ran.stderr
    listed = json.loads(forecast(own_home, "models", "list", "--json").stdout)["models"]
    assert [model["version"] for model in listed] == [1, 2, 3, 4]
    assert listed[3]["crps"] == listed[2]["crps"] == listed[1]["crps"]
    for version in (3, 4):
        ran = forecast(own_home, "predict", "AAA", "--model", f"main@{version}", "--json")
        assert json.loads(ran.stdout)["predictions"][0]["model"] == f"main@{version}"


@pytest.mark.parametrize(
    "text",
    [
        '{"floatx": "float99"}',
        '{"epsilon": "x"}',
        "[1]",
        pytest.param("{broken", marks=pytest.mark.trial),
        pytest.param('{"backend": "none"}', marks=pytest.mark.trial),
    ],
)
def test_a_damaged_keras_json_is_named_or_does_not_matter(own_home: Path, tmp_path: Path, text: str) -> None:
    settings = tmp_path / "keras.json"
    settings.write_text(text)
    arguments = ("train", "AAA", "--epochs", "1", "--units", "2", "--quiet")
    ran = forecast(own_home, *arguments, KERAS_HOME=str(tmp_path))
    if ran.returncode:
        assert ran.returncode == ExitCode.BAD_INPUT, ran.stderr
        assert ran.stderr.startswith(f"forecast: Keras cannot read {settings}: ".encode())
        assert ran.stderr.count(b"\n") == 1
