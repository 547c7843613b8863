"""What happened, one JSON line an event: logs/events.jsonl, with one older file beside it."""

import json
from collections.abc import Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from forecaster.files import disk_error

MOST_BYTES = 5_000_000


def log_event(home: Path, now: datetime, event: str, **content: Any) -> None:
    """Append an event; a file that has grown past 5 MB becomes `events.1.jsonl` first.

    Raises:
        DiskError: the disk refuses.
    """
    path = home / "logs" / "events.jsonl"
    line: Mapping[str, Any] = {"time": now.astimezone(UTC).isoformat(timespec="seconds"), "event": event}
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        if path.exists() and path.stat().st_size > MOST_BYTES:
            path.replace(path.with_name("events.1.jsonl"))
        with path.open("a", encoding="utf-8") as log:
            log.write(json.dumps({**line, **content}, default=str) + "\n")
    except OSError as error:
        raise disk_error(error, path) from error
