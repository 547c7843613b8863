"""Results that are kept under the home folder, so that a report needs no training."""

import json
import secrets
import shlex
from collections.abc import Mapping, Sequence
from contextlib import suppress
from contextvars import ContextVar
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from forecaster.errors import BadInputError, DiskError
from forecaster.files import digest_bytes, plain, read_regular, write_atomically
from forecaster.settings import iso_utc

FORMAT = 1
"""To be raised when the report needs a field that earlier results lack: these then count as not there."""
MOST_KEPT = 10
"""Of each kind; the oldest go first."""
MOST_BYTES = 200_000_000
"""Of a result; a comparison of the whole index with all baselines has some 10 MB."""
KINDS = (
    *("compare", "backtest", "audit"),
    *("lab-gradients", "lab-memory", "lab-gates", "lab-inputs", "lab-sweep", "lab-claims"),
)


@dataclass(frozen=True)
class KeptResult:
    """A result as it was kept.

    Attributes:
        kind: one of KINDS.
        made: when, ISO in UTC.
        command: what made it, as it was typed.
        versions: of Python and libraries.
        document: as `--json` prints it.
    """

    kind: str
    made: str
    command: str
    versions: Mapping[str, str]
    document: Mapping[str, Any]


COMMAND: ContextVar[Sequence[str]] = ContextVar("COMMAND", default=())
"""The words after `forecast` that are being run; none where Python calls."""


def keep(home: Path, document: Mapping[str, Any], moment: datetime) -> str:
    """Keep a result for the report, if `home` is a home folder.

    Hours of work are not lost with it, so a disk that fails is no error.

    Args:
        home: the folder.
        document: as `--json` prints it, with its `schema`.
        moment: the clock.

    Returns:
        Why it could not be kept; empty if it was, or if there is no home folder.
    """
    from forecaster.service.candidate import library_versions

    if not (home / "data").is_dir():  # the laboratory runs anywhere, and leaves no folders there
        return ""
    kind = document["schema"].removeprefix("forecast.").partition("/")[0]
    words = COMMAND.get()
    command = shlex.join(["forecast", *words]) if words else f"forecaster.Home.{kind}"
    try:
        keep_result(home, KeptResult(kind, iso_utc(moment), command, library_versions(), document))
    except DiskError as error:
        return f"this result is not kept for the report: {error.message}; {error.remedy}"
    return ""


def keep_result(home: Path, result: KeptResult) -> Path:
    """Keep a result as <home>/results/<kind>/<moment>-<random>.json, and remove the oldest of its kind.

    Raises:
        DiskError: the disk fails.
    """
    folder = home / "results" / result.kind
    moment = datetime.fromisoformat(result.made).astimezone(UTC)
    path = folder / f"{moment:%Y%m%dT%H%M%SZ}-{secrets.token_hex(4)}.json"
    content = {"format": FORMAT, **vars(result), "document": plain(result.document)}
    content["digest"] = _digest(content["document"])
    write_atomically(path, json.dumps(content))
    for old in _files(folder)[MOST_KEPT:]:
        with suppress(OSError):  # another run may remove the same
            old.unlink()
    return path


def kept_results(home: Path, kind: str) -> list[KeptResult]:
    """The results of one kind, the newest first; a damaged file counts as not there."""
    found = []
    for path in _files(home / "results" / kind):
        with suppress(OSError, ValueError, KeyError, TypeError, RecursionError, BadInputError):
            content = json.loads(read_regular(path, most_bytes=MOST_BYTES))
            if content.pop("format") == FORMAT and content.pop("digest") == _digest(content["document"]):
                found.append(KeptResult(**content))
    return found


def _digest(document: Any) -> str:
    """What tells a document that was changed or cut; the report relies on every field of a sound one."""
    return digest_bytes(json.dumps(document).encode())


def _files(folder: Path) -> list[Path]:
    """The newest first: their names begin with the moment."""
    return sorted(folder.glob("[0-9]*.json"), reverse=True)
