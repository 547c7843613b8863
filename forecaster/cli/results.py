"""What commands with results share: keeping them for the report."""

import shlex
from collections.abc import Mapping, Sequence
from contextvars import ContextVar
from pathlib import Path
from typing import Any

from forecaster.cli.screen import now, write_note
from forecaster.errors import DiskError
from forecaster.settings import iso_utc

COMMAND: ContextVar[Sequence[str]] = ContextVar("COMMAND", default=())
"""The words after `forecast` that are being run."""


def keep(home: Path, schema: str, content: Mapping[str, Any]) -> None:
    """Keep a result under results/, if `home` is a home folder; what cannot be written costs a warning.

    Args:
        home: the folder.
        schema: as for `print_json`.
        content: as for `print_json`.
    """
    from forecaster.report.kept import KeptResult, keep_result
    from forecaster.service.candidate import library_versions

    if not (home / "data").is_dir():  # the laboratory runs anywhere, and leaves no folders there
        return
    kind, document = schema.removeprefix("forecast.").partition("/")[0], {"schema": schema, **content}
    command = shlex.join(["forecast", *COMMAND.get()])
    try:
        keep_result(home, KeptResult(kind, iso_utc(now()), command, library_versions(), document))
    except DiskError as error:
        write_note(f"warning: this result is not kept for the report: {error.message}; {error.remedy}")
