"""What every contestant of `peers_bench.py` shares: the panel, the levels, and how it is measured.

Each contestant is a script that runs in its own environment as `python SCRIPT NAME FOLDER SECONDS …`, so that
this module needs NumPy alone, and nothing of forecaster.
"""

import json
import os
import platform
import statistics
import sys
import time
from collections.abc import Callable
from dataclasses import asdict, dataclass
from importlib.metadata import version
from pathlib import Path
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

LEVELS = np.arange(1, 100) / 100
"""Of the quantiles that every contestant writes."""
LOOKBACK, UNITS, SEED = 120, 32, 0
CALLS = 5

Float32 = NDArray[np.float32]
Float = NDArray[np.float64]


@dataclass(frozen=True)
class Panel:
    """Daily data of N tickers on D days without a gap, and the days that are forecast.

    Attributes:
        tickers: (N,) symbols.
        dates: (D,) days.
        log_return: (N, D) log of the adjusted close over the day before's: the target of that day.
        market: (D,) mean of the log returns.
        log_range: (N, D) log of high over low.
        log_volume: (N, D) log of 1 + shares traded.
        report: (N, D) the chance, as known the evening before, that the day reacts to an earnings report.
        first_validation: the first day whose return is no target of training.
        first_test: the first day whose return is a target of the test; T days are left from it on.
    """

    tickers: NDArray[np.str_]
    dates: NDArray[np.datetime64]
    log_return: Float32
    market: Float32
    log_range: Float32
    log_volume: Float32
    report: Float32
    first_validation: int
    first_test: int

    def save(self, path: Path) -> None:
        """As NumPy arrays, without pickles."""
        np.savez(path, **asdict(self))

    @classmethod
    def load(cls, path: Path) -> "Panel":
        """What `save` wrote."""
        with np.load(path) as kept:
            arrays = {name: kept[name] for name in kept.files}
        return cls(**arrays | {name: int(arrays[name]) for name in ("first_validation", "first_test")})


class Budget:
    """The user CPU that training may take; of CPU, as the machine may do other work beside it."""

    def __init__(self, seconds: float) -> None:
        self.seconds = seconds
        self._from = os.times().user

    @property
    def spent(self) -> bool:
        """Whether it is used up."""
        return os.times().user - self._from > self.seconds


@dataclass(frozen=True)
class Measured:
    """What one contestant took; seconds and megabytes of 10⁶ bytes.

    Attributes:
        train: wall clock of training.
        train_cpu: user CPU of training.
        forecast: wall clock of one forecast of all tickers' next day, the median of several.
        forecast_cpu: user CPU of it, the mean.
        memory: the most that the process held.
        stopped: why training ended.
        parameters: how many numbers the network has.
        said: its settings, what it takes and what it cannot take.
        versions: of the packages that it rests on.
    """

    train: float
    train_cpu: float
    forecast: float
    forecast_cpu: float
    memory: float
    stopped: str
    parameters: int
    said: str
    versions: dict[str, str]


class Contestant(Protocol):
    """A way to forecast the next day of every ticker."""

    def train(self) -> str:
        """Train on the days before the test, and say why training ended."""

    def test(self) -> Float:
        """Quantiles at LEVELS of each test day's log return, from the true days before it, (N, T, 99)."""

    def next_day(self) -> object:
        """Forecast the day after the last one, for every ticker."""

    @property
    def parameters(self) -> int:
        """How many numbers the network has."""


def compete(
    packages: tuple[str, ...], said: str, enter: Callable[[Panel, Path, float, list[str]], Contestant]
) -> None:
    """Measure a contestant as the command line says, and write NAME.npy and NAME.json.

    Args:
        packages: whose versions are noted.
        said: its settings, what it takes and what it cannot take, in a sentence or two.
        enter: makes it, given the panel, the folder, the seconds of user CPU that training may take, and the
            words that follow on the command line.
    """
    name, folder, seconds, *words = sys.argv[1:]
    target = Path(folder) / name
    contestant = enter(Panel.load(target.with_name("panel.npz")), Path(folder), float(seconds), words)
    wall, cpu = time.perf_counter(), os.times().user
    stopped = contestant.train()
    train, train_cpu = time.perf_counter() - wall, os.times().user - cpu
    np.save(target.with_suffix(".npy"), contestant.test().astype(np.float32))
    walls, cpu = [], os.times().user
    for _ in range(CALLS):
        started = time.perf_counter()
        contestant.next_day()
        walls.append(time.perf_counter() - started)
    measured = Measured(
        train=train,
        train_cpu=train_cpu,
        forecast=statistics.median(walls),
        forecast_cpu=(os.times().user - cpu) / CALLS,
        memory=peak_memory(),
        stopped=stopped,
        parameters=contestant.parameters,
        said=said,
        versions={"python": platform.python_version()} | {each: version(each) for each in packages},
    )
    target.with_suffix(".json").write_text(json.dumps(asdict(measured)), encoding="utf-8")


def peak_memory() -> float:
    """The most memory that this process has held, in megabytes of 10⁶ bytes, by Linux's own account."""
    lines = Path("/proc/self/status").read_text(encoding="ascii").splitlines()
    return next(int(line.split()[1]) for line in lines if line.startswith("VmHWM")) * 1024 / 1e6
