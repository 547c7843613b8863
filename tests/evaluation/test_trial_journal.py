"""The journal of a search: plain lines, whole or not there, and gone on with."""

import json
from importlib.util import find_spec
from pathlib import Path

import optuna
import pytest

from forecaster.errors import BadInputError, DiskError, TryLaterError, UsageError
from forecaster.evaluation import trial_journal
from forecaster.evaluation.trial_journal import RECIPE, opened_study

STATES = optuna.trial.TrialState


def try_one(study: optuna.Study, value: float | None) -> None:
    """A trial that ends with a value; None for one whose process is killed."""
    trial = study.ask()
    trial.suggest_int("units", 0, 5)
    trial.set_user_attr(RECIPE, {"units": 1})
    if value is not None:
        study.tell(trial, value)


def test_a_journal_is_plain_lines_and_is_read_again(tmp_path: Path) -> None:
    with opened_study(tmp_path / "new", "abc") as study:
        try_one(study, 0.5)
    path = tmp_path / "new" / "abc.jsonl"
    for line in path.read_text().splitlines():
        assert isinstance(json.loads(line), dict)
    with opened_study(tmp_path / "new", "abc") as study:
        assert [trial.value for trial in study.trials] == [0.5]
        assert study.direction == optuna.study.StudyDirection.MINIMIZE
    assert {each.name for each in path.parent.iterdir()} <= {"abc.jsonl", ".forecast.lock"}


def test_a_trial_whose_process_was_killed_is_run_again(tmp_path: Path) -> None:
    with opened_study(tmp_path, "abc") as study:
        try_one(study, 0.5)
        try_one(study, None)
        parameters = study.trials[1].params
        study.ask()  # killed before its parameters were known
    with opened_study(tmp_path, "abc") as study:
        states = [trial.state for trial in study.trials]
        assert states == [STATES.COMPLETE, STATES.FAIL, STATES.FAIL, STATES.WAITING]
        again = study.ask()
        again.suggest_int("units", 0, 5)
        assert again.params == parameters


@pytest.mark.parametrize("cut", [1, 10])
def test_a_line_that_was_half_written_is_dropped(tmp_path: Path, cut: int) -> None:
    with opened_study(tmp_path, "abc") as study:
        try_one(study, 0.5)
        try_one(study, 0.25)
    path = tmp_path / "abc.jsonl"
    path.write_bytes(path.read_bytes()[:-cut])
    with opened_study(tmp_path, "abc") as study:
        assert study.trials[0].state == STATES.COMPLETE
        try_one(study, 0.125)
    with opened_study(tmp_path, "abc") as study:
        assert 0.125 in [trial.value for trial in study.trials]


@pytest.mark.parametrize(
    "content", ["no JSON\n", "[]\n", "{}\n", '{"op_code": 77}\n', "\x80\n", '{"op_code":4}\n']
)
def test_a_damaged_journal_is_said(tmp_path: Path, content: str) -> None:
    with opened_study(tmp_path, "abc") as study:
        try_one(study, 0.5)
    path = tmp_path / "abc.jsonl"
    before = path.read_text()
    path.write_text(content + before)
    with (
        pytest.raises(BadInputError, match=r"abc\.jsonl is damaged .*remove it"),
        opened_study(tmp_path, "abc"),
    ):
        pass


def test_what_is_no_file_is_said(tmp_path: Path) -> None:
    (tmp_path / "abc.jsonl").mkdir()
    with (
        pytest.raises(BadInputError, match="is a folder, where a file should be"),
        opened_study(tmp_path, "abc"),
    ):
        pass
    (tmp_path / "file").write_text("")
    with pytest.raises(DiskError), opened_study(tmp_path / "file" / "tune", "abc"):
        pass


def test_two_searches_at_once_exclude_each_other(tmp_path: Path) -> None:
    with (
        opened_study(tmp_path, "abc"),
        pytest.raises(TryLaterError, match="another forecast is writing"),
        opened_study(tmp_path, "other"),
    ):
        pass


def test_a_caller_s_own_optuna_is_as_before(tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    optuna.logging.set_verbosity(optuna.logging.DEBUG)
    with opened_study(tmp_path, "abc") as study:
        try_one(study, 0.5)
    assert capfd.readouterr() == ("", "")
    assert optuna.logging.get_verbosity() == optuna.logging.DEBUG
    optuna.logging.set_verbosity(optuna.logging.WARNING)


def test_without_optuna_the_extra_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(
        trial_journal, "find_spec", lambda name: None if name == "optuna" else find_spec(name)
    )
    with (
        pytest.raises(UsageError, match=r"tune needs Optuna; pip install 'forecaster\[tune\]'"),
        opened_study(tmp_path, "abc"),
    ):
        pass
