"""Results of long runs, one JSON line each, so that a run that was stopped goes on where it was."""

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from forecaster.files import home_lock, write_atomically

FORMAT = 1
_LOCK_WAIT_SECONDS = 60.0


class ResultsFile:
    """The finished trials of one experiment: <home>/reports/lab/<name>.jsonl.

    A line holds the trial and its outcome. The file is replaced whole under the home's lock, so
    two runs at once lose nothing; a damaged line counts as not there, and its trial is run again.
    """

    def __init__(self, home: Path, name: str) -> None:
        self.home = home
        self.path = home / "reports" / "lab" / f"{name}.jsonl"

    def read(self) -> dict[str, dict[str, Any]]:
        """Outcomes by the key of their trial."""
        return {key_of(row["trial"]): row["outcome"] for row in self._rows()}

    def add(self, trial: Mapping[str, Any], outcome: Mapping[str, Any]) -> None:
        """Keep one outcome, instead of an earlier one of the same trial.

        Raises:
            DiskError: the disk refuses.
            TryLaterError: another process holds the home's lock for a minute.
        """
        with home_lock(self.home, _LOCK_WAIT_SECONDS):
            rows = [row for row in self._rows() if key_of(row["trial"]) != key_of(trial)]
            rows.append({"format": FORMAT, "trial": dict(trial), "outcome": dict(outcome)})
            write_atomically(self.path, "".join(json.dumps(row) + "\n" for row in rows))

    def _rows(self) -> list[dict[str, Any]]:
        if not self.path.exists():
            return []
        rows = []
        for line in self.path.read_text(encoding="utf-8", errors="replace").splitlines():
            try:
                row = json.loads(line)
                sound = row["format"] == FORMAT and {"trial", "outcome"} <= row.keys()
            except (ValueError, KeyError, TypeError, AttributeError):
                continue
            if sound:
                rows.append(row)
        return rows


def key_of(trial: Mapping[str, Any]) -> str:
    """One text for each trial, whatever the order of its fields."""
    return json.dumps(trial, sort_keys=True, default=str)
