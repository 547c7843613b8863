from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pytest

from forecaster.laboratory.trials import ResultsFile, key_of, run_trials


@dataclass(frozen=True)
class Square:
    number: int


def squared(trial: Square) -> dict[str, int]:
    return {"square": trial.number**2}


def never(trial: Square) -> dict[str, int]:
    raise AssertionError(f"{trial} was run again")


def test_a_second_run_runs_only_what_is_missing(tmp_path: Path) -> None:
    results = ResultsFile(tmp_path, "squares")
    run_trials(squared, [Square(2), Square(3)], results, jobs=1)
    reported = []
    found = run_trials(
        squared,
        [Square(3), Square(4)],
        results,
        jobs=1,
        report=lambda trial, outcome, left: reported.append((trial.number, outcome["square"], left)),
    )
    assert [outcome["square"] for outcome in found.values()] == [9, 16]
    assert reported == [(4, 16, 0)]
    assert run_trials(never, [Square(2)], results, jobs=1) == {'{"number": 2}': {"square": 4}}


def test_several_processes_give_the_same(tmp_path: Path) -> None:
    trials = [Square(number) for number in range(5)]
    found = run_trials(squared, trials, ResultsFile(tmp_path, "squares"), jobs=2)
    assert [outcome["square"] for outcome in found.values()] == [0, 1, 4, 9, 16]


def test_what_was_done_before_a_failure_is_kept(tmp_path: Path) -> None:
    results = ResultsFile(tmp_path, "squares")
    run_trials(squared, [Square(1)], results, jobs=1)
    with pytest.raises(AssertionError, match="run again"):
        run_trials(never, [Square(1), Square(2)], results, jobs=1)
    assert results.read() == {key_of({"number": 1}): {"square": 1}}


@pytest.mark.parametrize("damage", ['{"format": 1, "tri', "[1]", '{"format": 0, "trial": {}, "outcome": {}}'])
def test_a_damaged_line_counts_as_not_there(tmp_path: Path, damage: str) -> None:
    results = ResultsFile(tmp_path, "squares")
    results.add({"number": 1}, {"square": 1})
    with results.path.open("a") as handle:
        handle.write(damage)
    assert len(results.read()) == 1
    results.add({"number": 2}, {"square": 4})
    assert len(results.read()) == 2
    assert len(results.path.read_text().splitlines()) == 2


def test_an_outcome_replaces_the_earlier_one_of_its_trial(tmp_path: Path) -> None:
    results = ResultsFile(tmp_path, "squares")
    results.add({"a": 1, "b": 2}, {"x": 1})
    results.add({"b": 2, "a": 1}, {"x": 2})
    assert list(results.read().values()) == [{"x": 2}]


def test_a_trial_has_no_key_made_of_a_text_that_python_chose() -> None:
    assert key_of({"day": np.datetime64("2026-11-20")}) == key_of({"day": "2026-11-20"})
    with pytest.raises(TypeError, match="set has no form in JSON"):
        key_of({"cells": {"gru", "lstm"}})  # whose text differs from run to run
