"""What a scheduled run says of itself while it is at work and afterwards: logs/run_status.json."""

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from datetime import datetime
from pathlib import Path
from typing import Any

from forecaster.errors import ForecastError
from forecaster.files import lock_is_held, read_regular, write_atomically

RUNNING, DONE, FAILED, CUT_OFF = "running", "done", "failed", "cut off"
_FILE = "run_status.json"


@dataclass(frozen=True)
class RunStatus:
    """One run, as far as it has come.

    Attributes:
        started: ISO, UTC, by the run's clock.
        outcome: running, done, failed, or cut off where it was killed.
        step: the one it is at; empty before the first and after the last.
        seconds: that the finished steps took.
        exit_code: None until it has ended.
        steps: finished step to what came of it.
    """

    started: str
    outcome: str
    step: str = ""
    seconds: float = 0.0
    exit_code: int | None = None
    steps: Mapping[str, str] = field(default_factory=dict)

    @property
    def text(self) -> str:
        """In a line, for a screen."""
        told = f"{self.started[:16].replace('T', ' ')} UTC, {self.outcome}"
        if self.step:
            told += f" at {self.step}"
        elif self.outcome != RUNNING:
            told += f" after {self.seconds:,.0f} s"
        return f"{told}, exit code {self.exit_code}" if self.exit_code else told


def write_run_status(home: Path, status: RunStatus) -> None:
    """Replace what was said before.

    Raises:
        DiskError: the disk fails.
    """
    write_atomically(home / "logs" / _FILE, json.dumps(asdict(status), indent=2) + "\n")


def read_run_status(home: Path) -> RunStatus | None:
    """What the last run left; None if there was none, or it cannot be read.

    A run that says it is running while nobody holds its lock was cut off.
    """
    logs = home / "logs"
    try:
        content: Any = json.loads(read_regular(logs / _FILE))
        status = RunStatus(**content)
        datetime.fromisoformat(status.started)
    except (OSError, ForecastError, ValueError, TypeError, RecursionError):
        return None
    if status.outcome == RUNNING and not lock_is_held(logs):
        return RunStatus(status.started, CUT_OFF, status.step, status.seconds, None, status.steps)
    return status
