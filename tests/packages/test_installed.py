"""The wheel in an empty environment: each Python that is promised, newest and lowest allowed dependencies."""

import json
import os
import shutil
import subprocess
import sys
import tarfile
from collections.abc import Iterator
from pathlib import Path

import pytest

pytestmark = pytest.mark.slow

REQUIRED = os.environ.get("FORECAST_TEST_PYTHONS", "").split()
"""Versions whose absence is a failure, not a skip; read before a test's environment is cleaned."""
UV = Path(sys.executable).with_name("uv")
NUMPY_WARNS = "The 'generic' unit for NumPy timedelta"
SMALL = ("--epochs", "1", "--units", "4", "--lookback", "20", "--quiet")


def interpreter(version: str) -> str:
    """A Python of that version on this machine; skips where there is none, unless it is required."""
    # pyenv's commands run only the versions that are chosen; this chooses the one that is looked for.
    environment = {**os.environ, "PYENV_VERSION": version}
    words = [UV, "python", "find", "--system", "--no-python-downloads", version]
    found = subprocess.run(words, env=environment, capture_output=True, text=True, check=False)
    if found.returncode:
        assert version not in REQUIRED, f"Python {version} is required here: {found.stderr}"
        pytest.skip(f"Python {version} is not on this machine")
    return found.stdout.strip()


@pytest.fixture
def environment(tmp_path: Path) -> Iterator[Path]:
    """The place of a virtual environment, which takes two gigabytes and does not stay."""
    folder = tmp_path / "environment"
    yield folder
    shutil.rmtree(folder, ignore_errors=True)


def forecast(commands: Path, folder: Path, *words: str, **variables: str) -> str:
    """What the installed command prints, from `folder`; nothing of the checkout is in sight."""
    kept = {name: os.environ[name] for name in ("HOME", "PATH", "LANG") if name in os.environ}
    done = subprocess.run(
        [commands / "forecast", *words],
        cwd=folder,
        env={**kept, **variables},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, f"forecast {' '.join(words)}: {done.stderr}"
    return done.stdout


@pytest.mark.parametrize(
    ("version", "resolution"),
    [
        pytest.param("3.11", "lowest-direct", id="3.11, lowest"),
        pytest.param("3.11", "highest", id="3.11, newest"),
        pytest.param("3.12", "highest", id="3.12, newest"),
        pytest.param("3.13", "highest", id="3.13, newest"),
    ],
)
def test_the_installed_wheel_does_the_demo(
    version: str, resolution: str, wheel: Path, environment: Path, tmp_path: Path
) -> None:
    python, commands = interpreter(version), environment / "bin"
    subprocess.run([UV, "venv", "--quiet", "--no-config", "--python", python, environment], check=True)
    install = [UV, "pip", "install", "--quiet", "--python", commands / "python", "--resolution", resolution]
    installed = subprocess.run([*install, wheel], capture_output=True, text=True, check=False)
    assert installed.returncode == 0, installed.stderr
    folder = tmp_path / "elsewhere"
    folder.mkdir()
    first, engine = forecast(commands, folder, "--version").splitlines()
    assert first == f"forecast {wheel.name.split('-')[1]}"
    assert engine.startswith(f"Python {version}.")
    assert "not installed" not in engine
    forecast(commands, folder, "fetch", "--source", "sample", "--quiet")
    forecast(commands, folder, "train", *SMALL, "AAPL", "MSFT")
    predicted = json.loads(forecast(commands, folder, "predict", "AAPL", "--json", "--quiet"))
    assert [entry["ticker"] for entry in predicted["predictions"]] == ["AAPL"]
    forecast(commands, folder, "report", "--quiet")
    assert "AAPL" in (folder / "reports" / "report.html").read_text(encoding="utf-8")
    forecast(commands, folder, "doctor", "--deep")
    if resolution == "highest":
        # What the newest libraries will no longer allow is told as a warning first.
        forecast(commands, folder, "predict", "AAPL", "--json", "--quiet", PYTHONWARNINGS="error")
        # A night after the sample's last day: nothing is fetched, all is predicted, recorded and scored.
        then = {
            "FORECAST_NOW": "2022-12-29T22:30",
            "PYTHONWARNINGS": f"error:{NUMPY_WARNS}:DeprecationWarning",
        }
        for command in ("data status", "data earnings", "data verify", "run", "score", "report --quiet"):
            forecast(commands, folder, *command.split(), **then)


def test_the_sdist_passes_its_tests_of_documents_and_commands(sdist: Path, tmp_path: Path) -> None:
    with tarfile.open(sdist) as archive:
        archive.extractall(tmp_path, filter="data")
    root = next(tmp_path.iterdir())
    tests = ("tests/test_docs.py", "tests/cli/test_main.py", "tests/packages/test_contents.py")
    done = subprocess.run(
        [sys.executable, "-m", "pytest", "-p", "no:cacheprovider", *tests],
        cwd=root,
        env={**os.environ, "PYTHONPATH": os.pathsep.join([str(root), os.environ.get("PYTHONPATH", "")])},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stdout[-4000:]
    shutil.rmtree(root)  # a copy of all sources and a site
