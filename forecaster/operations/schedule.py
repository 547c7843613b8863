"""The scheduled run of one home folder: put into the user's crontab, looked at, taken out."""

import sys
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

from forecaster.errors import NotFoundError
from forecaster.files import check_writable
from forecaster.operations.crontab import (
    block_of,
    daemon_runs,
    next_time,
    read_crontab,
    scheduled,
    with_block,
    without_block,
    write_crontab,
)
from forecaster.operations.daily import RUN_LOG
from forecaster.operations.heartbeat import Heartbeat, read_heartbeat


@dataclass(frozen=True)
class ScheduleStatus:
    """What is scheduled and how it went.

    Attributes:
        line: the crontab's line; None where nothing is scheduled.
        next_run: ISO, in the machine's time zone, by which cron goes.
        daemon: whether a cron daemon is there to run it.
        last_run: the heartbeat of the last run; None before the first.
    """

    line: str | None
    next_run: str | None
    daemon: bool
    last_run: Heartbeat | None


def install(home: Path, expression: str) -> str:
    """Schedule `forecast run` for `home`, in the place of an older schedule; gives the crontab's line.

    What the run prints, which is nothing when all is well, goes to logs/run.log and to cron's mail.

    Raises:
        UsageError: the expression is none, or the home folder's path cannot stand in a crontab.
        UnavailableError, DiskError: there is no crontab, or it refuses.
    """
    command = [sys.executable, "-m", "forecaster.cli.main", "run", "--home", str(home)]
    block = block_of(home, expression, command, home / "logs" / RUN_LOG)
    before = read_crontab()
    check_writable(home / "logs")
    write_crontab(with_block(before, home, block))
    return block.splitlines()[1]


def remove(home: Path) -> None:
    """Take the block of `home` out of the crontab; the rest stays byte for byte.

    Raises:
        NotFoundError: nothing is scheduled.
        UnavailableError, DiskError: there is no crontab, or it refuses.
    """
    before = read_crontab()
    if scheduled(before, home) is None:
        raise NotFoundError(f"nothing is scheduled for {home}", "`forecast schedule install` does it")
    write_crontab(without_block(before, home))


def status(home: Path, now: datetime) -> ScheduleStatus:
    """What is scheduled for `home`, when it runs next, and how it went last.

    Raises:
        UnavailableError, DiskError: there is no crontab, or it refuses.
    """
    line = scheduled(read_crontab(), home)
    upcoming = None if line is None else next_time(" ".join(line.split()[:5]), now.astimezone())
    when = None if upcoming is None else upcoming.isoformat(timespec="minutes")
    return ScheduleStatus(line, when, daemon_runs(), read_heartbeat(home))
