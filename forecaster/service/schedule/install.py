"""The scheduled run of one home folder: let cron or systemd do it, look how it goes, take it out again."""

import sys
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

from forecaster.errors import NotFoundError, UnavailableError
from forecaster.files import check_writable
from forecaster.service.nightly import RUN_LOG
from forecaster.service.run_status import RunStatus, read_run_status
from forecaster.service.schedule import crontab, staying, systemd
from forecaster.service.schedule.cron_expression import next_moment

CRON, SYSTEMD, STAYING = "cron", "systemd", "run --at"


@dataclass(frozen=True)
class ScheduleStatus:
    """What is scheduled and how it went.

    Attributes:
        by: cron, systemd, or `run --at`, a process that stays; None where nothing is scheduled.
        line: the crontab's line, the timer's moments, or the words of the process.
        expression: the five fields of cron.
        next_run: ISO, in the machine's time zone; None where there is none.
        daemon: whether a daemon is there to run it.
        last_run: the status of the last run; None before the first.
    """

    by: str | None
    line: str | None
    expression: str | None
    next_run: str | None
    daemon: bool
    last_run: RunStatus | None


def install(home: Path, expression: str, *, by: str = CRON) -> str:
    """Schedule `forecast run` for `home`, in the place of an older schedule; gives the line that says so.

    What the run prints, which is nothing when all is well, goes to logs/run.log, and to cron's mail.

    Raises:
        UsageError: the expression is none, or the home folder's path cannot stand in a schedule.
        UnavailableError, DiskError: there is no cron or systemd, or it fails.
    """
    command = [sys.executable, "-m", "forecaster.cli.main", "run", "--home", str(home)]
    log = home / "logs" / RUN_LOG
    check_writable(log.parent)
    if by == SYSTEMD:
        systemd.install(home, expression, command, log)
        _remove_from_cron(home)
        return ", ".join(systemd.calendar_events(expression))
    block = crontab.block_of(home, expression, command, log)
    crontab.write_crontab(crontab.with_block(crontab.read_crontab(), home, block))
    if systemd.scheduled(home) is not None:
        systemd.remove(home)
    return block.split("\n")[1]


def remove(home: Path) -> None:
    """Take the schedule of `home` out; the rest of a crontab stays byte for byte.

    Raises:
        NotFoundError: nothing is scheduled.
        UnavailableError, DiskError: cron or systemd fails.
    """
    by_systemd = systemd.scheduled(home) is not None
    if by_systemd:
        systemd.remove(home)
    if not _remove_from_cron(home) and not by_systemd:
        if staying.expression_of(home) is not None:
            raise NotFoundError(f"a `forecast run --at` stays for {home}, nothing else", "interrupt that one")
        raise NotFoundError(f"nothing is scheduled for {home}", "`forecast schedule install` does it")


def status(home: Path, now: datetime) -> ScheduleStatus:
    """What is scheduled for `home`, when it runs next, and how it went last.

    Raises:
        DiskError: the crontab cannot be read.
    """
    last_run = read_run_status(home)
    line = crontab.scheduled(_crontab(), home)
    if line is not None:
        expression = " ".join(line.split()[:5])
        upcoming = _next_run(expression, now)
        return ScheduleStatus(CRON, line, expression, upcoming, crontab.daemon_runs(), last_run)
    found = systemd.scheduled(home)
    if found is not None:
        events = ", ".join(systemd.calendar_events(found))
        upcoming = _next_run(found, now)
        return ScheduleStatus(SYSTEMD, events, found, upcoming, systemd.timer_runs(home), last_run)
    found = staying.expression_of(home)
    if found is not None:
        line = f"forecast run --at '{found}'"
        return ScheduleStatus(STAYING, line, found, _next_run(found, now), daemon=True, last_run=last_run)
    return ScheduleStatus(None, None, None, None, crontab.daemon_runs(), last_run)


def _next_run(expression: str, now: datetime) -> str | None:
    upcoming = next_moment(expression, now)
    return None if upcoming is None else upcoming.isoformat(timespec="minutes")


def _crontab() -> bytes:
    """The user's crontab; empty where there is no cron."""
    try:
        return crontab.read_crontab()
    except UnavailableError:
        return b""


def _remove_from_cron(home: Path) -> bool:
    before = _crontab()
    if crontab.scheduled(before, home) is None:
        return False
    crontab.write_crontab(crontab.without_block(before, home))
    return True
