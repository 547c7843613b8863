"""What happened, one JSON line an event: logs/events.jsonl, with one older file beside each log."""

import json
from collections.abc import Mapping
from datetime import datetime
from pathlib import Path
from typing import Any

from forecaster.files import disk_error
from forecaster.settings import iso_utc

MOST_BYTES = 5_000_000


def log_event(home: Path, now: datetime, event: str, **content: Any) -> None:
    """Append an event; a file that has grown past 5 MB becomes `events.1.jsonl` first.

    Raises:
        DiskError: the disk refuses.
    """
    path = home / "logs" / "events.jsonl"
    turn_over(path)
    line: Mapping[str, Any] = {"time": iso_utc(now), "event": event}
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        with path.open("a", encoding="utf-8") as log:
            log.write(json.dumps({**line, **content}, default=str) + "\n")
    except OSError as error:
        raise disk_error(error, path) from error


def turn_over(log: Path) -> None:
    """Put a log that has grown past 5 MB beside, in the place of the one put there before.

    Raises:
        DiskError: the disk refuses.
    """
    try:
        if log.exists() and log.stat().st_size > MOST_BYTES:
            log.replace(log.with_name(f"{log.stem}.1{log.suffix}"))
    except OSError as error:
        raise disk_error(error, log) from error
