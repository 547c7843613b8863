"""The frame of the command line: help, version, and one line for each failure."""

import subprocess
import sys
from importlib.metadata import version
from pathlib import Path
from platform import python_version
from typing import Any

import pytest
from typer.main import get_command

from forecaster import __version__
from forecaster.cli import main
from forecaster.cli.main import command_line, run
from forecaster.errors import ExitCode, TryLaterError

ROOT = Path(__file__).parents[2]


def commands(command: Any = None, words: tuple[str, ...] = ()) -> list[tuple[str, ...]]:
    children = getattr(command or get_command(command_line()), "commands", {})
    return [words, *(path for name, child in children.items() for path in commands(child, (*words, name)))]


@pytest.mark.parametrize("words", commands(), ids=" ".join)
def test_every_command_has_help(words: tuple[str, ...], capsys: pytest.CaptureFixture[str]) -> None:
    assert run([*words, "--help"]) == 0
    assert "Usage: forecast" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("backend", "engine"),
    [
        pytest.param(None, f"TensorFlow {version('tensorflow')}", id="default"),
        pytest.param("", f"TensorFlow {version('tensorflow')}", id="an empty variable counts as unset"),
        pytest.param("jax", f"JAX {version('jax')}", id="chosen"),
        pytest.param("no-engine", "no-engine (not installed)", id="not installed"),
    ],
)
def test_the_version_is_printed_with_the_engine(
    backend: str | None,
    engine: str,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    if backend is None:
        monkeypatch.delenv("KERAS_BACKEND", raising=False)
    else:
        monkeypatch.setenv("KERAS_BACKEND", backend)
    assert run(["--version"]) == 0
    first, second = capsys.readouterr().out.splitlines()
    assert first == f"forecast {__version__}"
    assert second == f"Python {python_version()}, Keras {version('keras')} with {engine}"


def test_the_version_imports_no_engine() -> None:
    code = (
        "import sys; from forecaster.cli.main import run; run(['--version'])\n"
        "print(sorted({'keras', 'tensorflow', 'pandas', 'numpy'} & set(sys.modules)))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.splitlines()[-1] == "[]"


@pytest.mark.parametrize(
    ("error", "code", "line"),
    [
        pytest.param(TryLaterError("the lock is held", "wait"), 75, "the lock is held; wait", id="our own"),
        pytest.param(KeyboardInterrupt(), 130, "interrupted; nothing was left half-written", id="ctrl-c"),
        pytest.param(OSError(28, "No space left", "f"), 74, "the system failed f: No space left", id="disk"),
        pytest.param(ZeroDivisionError("by zero"), 1, "this is a bug: ZeroDivisionError: by zero", id="bug"),
    ],
)
def test_each_failure_is_one_line_and_a_code(
    error: BaseException,
    code: int,
    line: str,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    def fail(*_: object, **__: object) -> None:
        raise error

    monkeypatch.setattr(main, "_commands", lambda _: fail)
    assert run(["train"]) == code
    message = capsys.readouterr().err
    assert message.startswith(f"forecast: {line}")
    assert message.count("\n") == 1


@pytest.mark.parametrize(
    ("words", "line"),
    [
        pytest.param(["nonsense"], "No such command 'nonsense'; see `forecast --help`", id="command"),
        pytest.param(["train", "--unit", "3"], "No such option", id="option"),
        pytest.param(["train", "--units", "three"], "Invalid value for '--units'", id="value"),
        pytest.param(["models", "show"], "Missing argument", id="argument"),
    ],
)
def test_wrong_usage_is_one_line(words: list[str], line: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(words) == ExitCode.USAGE
    message = capsys.readouterr().err
    assert line in message
    assert message.count("\n") == 1


def test_the_references_are_current() -> None:
    done = subprocess.run(
        [sys.executable, ROOT / "scripts" / "build_reference.py", "--check"],
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr


def test_the_home_folder_may_be_named_before_or_after_the_command(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    for words in (
        ["--home", str(tmp_path / "x"), "models", "list"],
        ["models", "list", "--home", str(tmp_path / "x")],
    ):
        assert run(words) == 0
        assert str(tmp_path / "x") in "".join(capsys.readouterr().err.split())
