"""Many independent trials over several processes, each result kept in a file as soon as it is there."""

import json
import os
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict
from functools import partial
from pathlib import Path
from typing import Any, TypeVar

from forecaster.files import home_lock, json_value, read_regular, write_atomically
from forecaster.network.engine import use_one_thread
from forecaster.processes import results_of

Trial = TypeVar("Trial")
TrialResult = dict[str, Any]


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
            DiskError: the disk fails.
            TryLaterError: another process holds the home's lock for a minute.
        """
        with home_lock(self.home, _LOCK_WAIT_SECONDS):
            rows = [row for row in self._rows() if key_of(row["trial"]) != key_of(trial)]
            rows.append({"format": FORMAT, "trial": dict(trial), "outcome": dict(outcome)})
            write_atomically(self.path, "".join(json.dumps(row, default=json_value) + "\n" for row in rows))

    def _rows(self) -> list[dict[str, Any]]:
        try:
            content = read_regular(self.path, "move it away: its trials are run again")
        except FileNotFoundError:
            return []
        rows = []
        for line in content.decode(errors="replace").splitlines():
            try:
                row = json.loads(line)
                sound = row["format"] == FORMAT and {"trial", "outcome"} <= row.keys()
            except (ValueError, KeyError, TypeError, AttributeError, RecursionError):
                continue
            if sound:
                rows.append(row)
        return rows


def key_of(trial: Mapping[str, Any]) -> str:
    """One text for each trial, whatever the order of its fields.

    Raises:
        TypeError: JSON has no form for a field.
    """
    return json.dumps(trial, sort_keys=True, default=json_value)


def run_trials(
    work: Callable[[Trial], TrialResult],
    trials: Sequence[Trial],
    results: ResultsFile,
    jobs: int,
    report: Callable[[Trial, TrialResult, int], None] = lambda *_: None,
    describe: Callable[[Trial], Mapping[str, Any]] = asdict,  # type: ignore[assignment]
    *,
    threads: bool = False,
) -> dict[str, TrialResult]:
    """Run the trials that have no outcome yet, and give the outcomes of all of them by key.

    Args:
        work: runs one trial; it and the trials must pickle.
        trials: dataclasses.
        results: where outcomes are, and are kept.
        jobs: processes at once; workers live on from one trial to the next.
        report: called with each trial run, its outcome, and how many are still to come.
        describe: what tells a trial apart, as JSON has it.
        threads: start the trials from threads, as each starts a process of its own.
    """
    known = results.read()
    keys = {key_of(describe(trial)): trial for trial in trials}
    left = [trial for key, trial in keys.items() if key not in known]
    outcomes = results_of(partial(_numbered, work), left, jobs, threads=threads, ordered=False)
    for number, (trial, outcome) in enumerate(outcomes, 1):
        results.add(describe(trial), outcome)
        known[key_of(describe(trial))] = outcome
        report(trial, outcome, len(left) - number)
    return {key: known[key] for key in keys}


def stay_on_one_core() -> None:
    """Have the engine that a trial starts in this process leave the other cores to the trials beside it."""
    use_one_thread()
    os.environ.setdefault("TF_NUM_INTEROP_THREADS", "1")


def _numbered(work: Callable[[Trial], TrialResult], trial: Trial) -> tuple[Trial, TrialResult]:
    return trial, work(trial)
