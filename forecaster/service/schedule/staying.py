"""The schedule without cron or systemd, as a container has it: one process waits and starts each run."""

import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from datetime import datetime, timedelta
from pathlib import Path

from forecaster.errors import ForecastError, TryLaterError, UsageError
from forecaster.files import home_lock, lock_is_held, read_regular, write_atomically
from forecaster.service.run_status import RUNNING, RunStatus, read_run_status
from forecaster.service.schedule.cron_expression import next_moment, parse_expression

GRACE = timedelta(hours=1)
_LONGEST_SLEEP_SECONDS = 60.0
"""A clock that is set, or a machine that slept, is noticed after so long."""
_FOLDER, _FILE = "staying", "at"
"""Under logs/: the five fields, and the lock that the process holds as long as it stays."""


@contextmanager
def staying(home: Path, expression: str) -> Iterator[None]:
    """For as long as the block lasts, let everyone know that a process stays, and for which moments.

    Raises:
        TryLaterError: another process stays for this home folder.
        DiskError: the disk fails.
    """
    folder = home / "logs" / _FOLDER
    with ExitStack() as stack:
        try:
            stack.enter_context(home_lock(folder))
        except TryLaterError:
            raise TryLaterError(f"another `forecast run --at` stays for {home}", "end it first") from None
        write_atomically(folder / _FILE, expression + "\n")
        yield


def expression_of(home: Path) -> str | None:
    """The five fields of the process that stays for `home`; None if none does, or they cannot be read."""
    folder = home / "logs" / _FOLDER
    try:
        if lock_is_held(folder):
            expression = read_regular(folder / _FILE).decode().strip()
            parse_expression(expression)
            return expression
    except (ForecastError, OSError, ValueError):  # the file is nobody's that stays
        pass
    return None


def missed_run(expression: str, last_run: RunStatus | None, now: datetime) -> datetime | None:
    """When a run should have begun after the last one and did not; None if all came, or one is at work."""
    if last_run is None or last_run.outcome == RUNNING:
        return None  # without a last one, it may have been scheduled a minute ago
    due = next_moment(expression, datetime.fromisoformat(last_run.started))
    return due if due and due + GRACE < now else None


def due_runs(home: Path, expression: str, clock: Callable[[], datetime]) -> Iterator[datetime]:
    """The moments of the runs to come, without an end; the first has passed if a run was missed.

    Raises:
        UsageError: the expression is none, or names no day that ever comes.
    """
    if missed := missed_run(expression, read_run_status(home), clock()):
        yield missed
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
