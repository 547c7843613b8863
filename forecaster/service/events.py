"""What happened, one JSON line an event: logs/events.jsonl, with one older file beside each log."""

import errno
import json
import os
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from datetime import datetime
from io import FileIO
from pathlib import Path
from typing import Any

from forecaster.files import check_regular, disk_error, json_value, make_folder
from forecaster.ledger.alarms import Alarm
from forecaster.settings import iso_utc

MOST_BYTES = 5_000_000


def log_event(home: Path, now: datetime, event: str, **content: Any) -> None:
    """Append an event; a file that has grown past 5 MB becomes `events.1.jsonl` first.

    Raises:
        BadInputError: what has the log's name is no file.
        DiskError: the disk fails.
        TypeError: JSON has no form for a value of `content`.
    """
    path = home / "logs" / "events.jsonl"
    turn_over(path)
    line: Mapping[str, Any] = {"time": iso_utc(now), "event": event}
    try:
        make_folder(path.parent)
        with path.open("a+b", buffering=0) as log:
            _append(log, json.dumps({**line, **content}, default=json_value).encode() + b"\n")
    except OSError as error:
        raise disk_error(error, path) from error


def log_alarms(home: Path, now: datetime, alarms: Sequence[Alarm]) -> None:
    """A line for each in logs/events.jsonl.

    Raises:
        DiskError: the disk fails.
    """
    for alarm in alarms:
        log_event(home, now, "alarm", text=alarm.text, **asdict(alarm))


def _append(log: FileIO, line: bytes) -> None:
    """Add a whole line, on a line of its own, or take back what there was room for."""
    before = log.seek(0, os.SEEK_END)
    if before:
        log.seek(before - 1)
        if log.read(1) != b"\n":  # a power cut came amid the last one
            line = b"\n" + line
    if log.write(line) != len(line):
        log.truncate(before)
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))


def turn_over(log: Path) -> None:
    """Put a log that has grown past 5 MB beside, in the place of the one put there before.

    Raises:
        BadInputError: it is no file.
        DiskError: the disk fails.
    """
    check_regular(log)
    try:
        if log.exists() and log.stat().st_size > MOST_BYTES:
            log.replace(log.with_name(f"{log.stem}.1{log.suffix}"))
    except OSError as error:
        raise disk_error(error, log) from error
