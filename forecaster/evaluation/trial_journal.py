"""The trials of a search in a file of JSON lines: what is finished survives a process that is killed."""

import os
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING, Any

from forecaster.errors import BadInputError, UsageError
from forecaster.files import check_writable, disk_error, home_lock, read_regular

if TYPE_CHECKING:
    import optuna

MOST_BYTES = 100_000_000
"""Of a journal: some 100,000 trials."""

RECIPE = "recipe"
"""The attribute of a trial with all of its recipe: what its parameters come to."""
_ANEW = "remove it: the search then begins anew"


class _HeldAlready:
    """In place of the journal's own lock, which a process that is killed would leave behind."""

    def acquire(self) -> bool:
        return True

    def release(self) -> None:
        pass


def check_optuna() -> None:
    """Make sure that Optuna is installed.

    Raises:
        UsageError: it is not.
    """
    if find_spec("optuna") is None:
        raise UsageError("tune needs Optuna", "pip install 'forecaster[tune]'")


@contextmanager
def opened_study(folder: Path, name: str) -> Iterator["optuna.Study"]:
    """The search of that name, to be minimised; its trials are those of earlier runs.

    A trial that was running when its process ended has failed, and waits to be run again. A last line that
    was half written is removed. There is one search at a time in a folder.

    Args:
        folder: of <name>.jsonl.
        name: a digest of all that the trials' values follow from.

    Raises:
        UsageError: Optuna is not installed.
        BadInputError: the file is damaged.
        DiskError: the folder cannot be written.
        TryLaterError: another process searches there.
    """
    check_optuna()
    import optuna

    path = folder / f"{name}.jsonl"
    check_writable(folder)
    with home_lock(folder), _quiet(optuna):
        _drop_half_a_line(path)
        study = _read(path, name)
        _run_again(study)
        yield study


def _read(path: Path, name: str) -> "optuna.Study":
    import optuna
    from optuna.storages.journal import JournalFileBackend, JournalStorage

    lock: Any = _HeldAlready()
    try:
        storage = JournalStorage(JournalFileBackend(str(path), lock))
        return optuna.create_study(
            storage=storage, study_name=name, direction="minimize", load_if_exists=True, sampler=_no_sampler()
        )
    except OSError as error:
        raise disk_error(error, path) from error
    except Exception as error:  # whatever a line that Optuna did not write makes of its own code
        raise damaged_journal(path.parent, name, type(error).__name__) from error


def damaged_journal(folder: Path, name: str, what: str) -> BadInputError:
    """Say that the search of that name cannot be read."""
    return BadInputError(f"{folder / name}.jsonl is damaged ({what})", _ANEW)


def _no_sampler() -> "optuna.samplers.BaseSampler":
    """One that costs nothing: every trial gets a sampler of its own."""
    import optuna

    return optuna.samplers.RandomSampler(seed=0)


def _drop_half_a_line(path: Path) -> None:
    """Cut off what follows the last line's end: its process was killed, or the disk was full."""
    try:
        content = read_regular(path, _ANEW, most_bytes=MOST_BYTES)
    except FileNotFoundError:
        return
    whole = content.rfind(b"\n") + 1
    if whole < len(content):
        try:
            os.truncate(path, whole)
        except OSError as error:
            raise disk_error(error, path) from error


def _run_again(study: "optuna.Study") -> None:
    """Trials that nobody runs any more have failed; their parameters wait for a trial of their own."""
    from optuna.trial import TrialState

    for trial in study.get_trials(deepcopy=False, states=(TrialState.RUNNING,)):
        study.tell(trial.number, state=TrialState.FAIL)
        if RECIPE in trial.user_attrs:  # all of its parameters are known
            study.enqueue_trial(trial.params)


@contextmanager
def _quiet(optuna: Any) -> Iterator[None]:
    """Optuna says nothing meanwhile; what a caller has set for its own searches is as before afterwards."""
    usual = optuna.logging.get_verbosity()
    optuna.logging.set_verbosity(optuna.logging.ERROR)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", optuna.exceptions.ExperimentalWarning)
            yield
    finally:
        optuna.logging.set_verbosity(usual)
