"""The schedule without cron or systemd, as a container has it: one process waits and starts each run."""

import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from datetime import datetime
from pathlib import Path

from forecaster.errors import UsageError
from forecaster.service.run_status import read_run_status
from forecaster.service.schedule.cron_expression import next_moment
from forecaster.service.schedule.install import missed_run

_LONGEST_SLEEP_SECONDS = 60.0
"""A clock that is set, or a machine that slept, is noticed after so long."""


def due_runs(home: Path, expression: str, clock: Callable[[], datetime]) -> Iterator[datetime]:
    """The moments of the runs to come, without an end; the first has passed if a run was missed.

    Raises:
        UsageError: the expression is none, or names no day that ever comes.
    """
    if missed := missed_run(expression, read_run_status(home), clock()):
        yield datetime.fromisoformat(missed)
    while True:
        upcoming = next_moment(expression, clock())
        if upcoming is None:
            raise UsageError(f"--at {expression!r} names no day that comes", "choose another day or month")
        yield upcoming


def wait_until(moment: datetime, clock: Callable[[], datetime]) -> None:
    """Sleep until then; not at all if it has passed."""
    while (left := (moment - clock()).total_seconds()) > 0:
        time.sleep(min(left, _LONGEST_SLEEP_SECONDS))


def run_once(home: Path) -> int:
    """Run the night's work in a process of its own, which leaves nothing in memory; gives its exit code."""
    command = [sys.executable, "-m", "forecaster.cli.main", "run", "--home", str(home)]
    return subprocess.run(command, check=False).returncode  # noqa: S603
