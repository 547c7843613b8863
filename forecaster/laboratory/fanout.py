"""Many independent trials over several processes, each outcome kept as soon as it is there."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import asdict
from typing import Any, TypeVar

from forecaster.laboratory.results import ResultsFile, key_of

Trial = TypeVar("Trial")
Outcome = dict[str, Any]


def run_trials(
    work: Callable[[Trial], Outcome],
    trials: Sequence[Trial],
    results: ResultsFile,
    jobs: int,
    report: Callable[[Trial, Outcome, int], None] = lambda *_: None,
    describe: Callable[[Trial], Mapping[str, Any]] = asdict,  # type: ignore[assignment]
    *,
    threads: bool = False,
) -> dict[str, Outcome]:
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
    for number, (trial, outcome) in enumerate(_outcomes(work, left, jobs, threads=threads), 1):
        results.add(describe(trial), outcome)
        known[key_of(describe(trial))] = outcome
        report(trial, outcome, len(left) - number)
    return {key: known[key] for key in keys}


def _outcomes(
    work: Callable[[Trial], Outcome], trials: Sequence[Trial], jobs: int, *, threads: bool
) -> Iterator[tuple[Trial, Outcome]]:
    from joblib import Parallel, delayed

    if not trials:
        return
    backend = "threading" if threads else "loky"
    several = Parallel(n_jobs=min(jobs, len(trials)), backend=backend, return_as="generator_unordered")
    yield from several(delayed(_numbered)(work, trial) for trial in trials)


def _numbered(work: Callable[[Trial], Outcome], trial: Trial) -> tuple[Trial, Outcome]:
    return trial, work(trial)
