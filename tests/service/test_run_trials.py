"""Runs killed at any instant, or with a full disk: what was there stays, and the next run completes."""

import json
import os
import random
import shutil
import signal
import subprocess
import time
from collections.abc import Iterator
from datetime import datetime
from pathlib import Path

import numpy as np
import pytest
from command import one_line, started
from quick_training import train_quickly
from trained_home import LEARNING
from yahoo_server import YahooServer, company, serving

from forecaster.cli.main import run
from forecaster.errors import ExitCode
from forecaster.ledger.ledger import Ledger
from forecaster.prices.calendar import next_sessions
from forecaster.prices.store import PriceStore
from forecaster.registry.versions import ModelRegistry
from forecaster.service.run_status import read_run_status

LONGEST = {"": 0.6, "fetch": 1.5, "retrain": 1.5, "predict": 1.5, "score": 1.0}
"""About as many seconds as a run here spends before its first step, and in each."""
REAL_TRAINING = 7.0
"""About as many more, where it is Keras that trains."""


class Nights:
    """A home whose evenings pass one by one, for the stand-in and for the commands alike."""

    def __init__(self, home: Path, yahoo: YahooServer, monkeypatch: pytest.MonkeyPatch) -> None:
        self.home, self.yahoo, self._monkeypatch = home, yahoo, monkeypatch
        self.day = np.datetime64("2026-01-05")
        self.quick = True
        settings = {"URL": yahoo.url, "RATE": "0", "BACKOFF": "0", "RETRIES": "1"}
        for name, value in settings.items():
            monkeypatch.setenv(f"FORECAST_YAHOO_{name}", value)
        monkeypatch.setenv("FORECAST_TRAIN_DEVICE", "cpu")
        monkeypatch.setenv("FORECAST_RUN_RETRAIN_AFTER", "1")

    def next_evening(self) -> None:
        self.day = next_sessions(self.day, 1)[0]
        self._monkeypatch.setenv("FORECAST_NOW", f"{self.day}T22:30:00")
        self.yahoo.now = datetime.fromisoformat(f"{self.day}T22:30:00+00:00")

    def do(self, *arguments: str) -> int:
        return run([*arguments, "--home", str(self.home)])

    def start(self, largest_file: int | None = None) -> "subprocess.Popen[str]":
        return started(["run", "--home", self.home], largest_file, quick=self.quick)

    def longest(self, step: str) -> float:
        """About as many seconds as `step` takes."""
        return LONGEST[step] + (REAL_TRAINING if step == "retrain" and not self.quick else 0.0)

    def is_sound(self) -> bool:
        checks = (["data", "verify"], ["models", "verify"], ["predict", "AAA", "--quiet"])
        return [self.do(*check) for check in checks] == [ExitCode.DONE] * len(checks)


@pytest.fixture(scope="module")
def first_evening(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Nights]:
    """Prices, a model and recorded forecasts; every night there is something to fetch, train and score."""
    companies = [company(name, "2024-06-03", "2027-12-31", persistence=0.8) for name in ("AAA", "BBB")]
    with serving(*companies) as yahoo, pytest.MonkeyPatch.context() as patch:
        nights = Nights(tmp_path_factory.mktemp("trials") / "home", yahoo, patch)
        nights.next_evening()
        assert nights.do("fetch", "AAA", "BBB", "--quiet") == ExitCode.DONE
        with pytest.MonkeyPatch.context() as once:
            train_quickly(once)
            assert nights.do("train", *LEARNING, "--epochs=1", "--quiet") == ExitCode.DONE
        assert nights.do("predict", "AAA", "BBB", "--record", "--quiet") == ExitCode.DONE
        yield nights


@pytest.fixture
def nights(first_evening: Nights, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Nights:
    """A copy of the home, on the second evening."""
    home = shutil.copytree(first_evening.home, tmp_path / "home")
    nights = Nights(Path(home), first_evening.yahoo, monkeypatch)
    nights.next_evening()
    nights.next_evening()
    return nights


def kill_in(step: str, nights: Nights, luck: random.Random, *, alone: bool) -> None:
    """Let a run come to a step, and kill it somewhere in it: the process alone, or all of its group."""
    process = nights.start()
    deadline = time.monotonic() + 60
    while step and process.poll() is None and time.monotonic() < deadline:
        status = read_run_status(nights.home)
        if status is not None and status.started.startswith(str(nights.day)) and status.step == step:
            break
        time.sleep(0.01)
    time.sleep(luck.uniform(0, nights.longest(step)))
    if process.poll() is None:
        process.kill() if alone else os.killpg(process.pid, signal.SIGKILL)
    process.communicate()
    wait_until_nobody_is_left(process.pid)


def wait_until_nobody_is_left(group: int) -> None:
    """A killed run takes its step along."""
    deadline = time.monotonic() + 10
    while time.monotonic() < deadline:
        try:
            os.killpg(group, 0)
        except ProcessLookupError:
            return
        time.sleep(0.02)
    raise AssertionError("a step outlives its run")


def assert_the_next_run_completes(nights: Nights) -> None:
    process = nights.start()
    _, stderr = process.communicate(timeout=120)
    assert (process.returncode, stderr) == (ExitCode.DONE, "")
    assert nights.is_sound()
    home = nights.home
    left = [path for path in home.rglob(".tmp-*") if "cache" not in path.parts]
    assert left == []
    assert PriceStore(home).info("AAA").last == nights.day
    origins = Ledger(home).select("SELECT DISTINCT ticker FROM forecasts WHERE origin = ?", str(nights.day))
    assert sorted(origins) == [("AAA",), ("BBB",)]


@pytest.mark.parametrize(
    ("kills", "quick", "steps"),
    [
        pytest.param(5, True, tuple(LONGEST), marks=pytest.mark.trial, id="5"),
        pytest.param(2, False, ("retrain",), marks=pytest.mark.slow, id="2, Keras"),
        pytest.param(200, False, tuple(LONGEST), marks=pytest.mark.slow, id="200, Keras"),
    ],
)
def test_kills_at_random_instants(nights: Nights, kills: int, quick: bool, steps: tuple[str, ...]) -> None:
    """Where Keras trains it makes a difference to the training alone."""
    nights.quick = quick
    luck = random.Random(0)
    for number in range(kills):
        step = steps[number % len(steps)]
        kill_in(step, nights, luck, alone=number % 2 == 0)
        assert nights.is_sound(), f"kill {number}, in {step or 'the beginning'}"
        nights.next_evening()
        if number % 20 == 19:
            assert_the_next_run_completes(nights)
            nights.next_evening()
    assert_the_next_run_completes(nights)


@pytest.mark.trial
def test_predictions_beside_a_run_all_answer_and_mix_no_versions(nights: Nights) -> None:
    nights.quick = False
    # A champion of one epoch: its challenger, which goes on from there, is shown to be no worse.
    shutil.rmtree(nights.home / "models")
    assert nights.do("train", *LEARNING, "--epochs=1", "--quiet") == ExitCode.DONE
    nights.next_evening()
    process = nights.start()
    answers = []
    while process.poll() is None:
        asked = started(["predict", "AAA", "BBB", "--json", "--home", nights.home])
        document, _ = asked.communicate(timeout=30)
        assert asked.returncode == ExitCode.DONE
        first, second = (each["model"] for each in json.loads(document)["predictions"])
        assert first == second
        answers.append(first)
    process.communicate()
    assert set(answers) <= {"main@1", "main@2"}
    assert answers == sorted(answers)
    assert ModelRegistry(nights.home).champion("main") == 2


@pytest.mark.parametrize(
    ("largest_file", "refused", "versions", "quick"),
    [
        pytest.param(100, "logs/run_status.json", [1], True, id="run-status", marks=pytest.mark.trial),
        pytest.param(3_000, ".parquet", [1], True, id="prices", marks=pytest.mark.trial),
        pytest.param(20_900, "models/main/2", [1], True, id="model", marks=pytest.mark.trial),
        pytest.param(20_690, "model.keras", [1], False, id="model, Keras", marks=pytest.mark.slow),
        pytest.param(30_000, "ledger.sqlite", [1, 2], True, id="ledger", marks=pytest.mark.trial),
    ],
)
def test_a_full_disk_is_said_and_loses_nothing(
    nights: Nights, largest_file: int, refused: str, versions: list[int], quick: bool
) -> None:
    nights.quick = quick
    process = nights.start(largest_file)
    _, stderr = process.communicate(timeout=120)
    assert process.returncode == ExitCode.DISK, stderr
    assert refused in one_line(stderr)
    assert nights.is_sound()
    assert ModelRegistry(nights.home).versions("main") == versions
    assert Ledger(nights.home).select("SELECT COUNT(*) FROM forecasts") == [(6,)]  # those of the fixture
    assert_the_next_run_completes(nights)
    events = (nights.home / "logs" / "events.jsonl").read_text().splitlines()
    assert all(json.loads(event)["event"] for event in events)
