"""`forecast run --at`: one process that waits and starts each run, as in a container."""

import json
import os
import signal
import time
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from itertools import islice
from pathlib import Path

import pytest
from command import one_line, rejection, started

from forecaster.cli.main import run
from forecaster.errors import ExitCode, UsageError
from forecaster.service.run_status import DONE, RUNNING, RunStatus, write_run_status
from forecaster.service.schedule import staying
from forecaster.service.schedule.staying import due_runs, missed_run, wait_until

WEEKDAYS = "30 18 * * 1-5"


@pytest.fixture
def new_york(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """The machine's time zone, as compose.yaml sets it."""
    monkeypatch.setenv("TZ", "America/New_York")
    time.tzset()
    yield
    monkeypatch.undo()
    time.tzset()


class Clock:
    """Stands still until somebody sleeps."""

    def __init__(self, text: str) -> None:
        self.now = datetime.fromisoformat(text).replace(tzinfo=UTC)
        self.slept: list[float] = []

    def __call__(self) -> datetime:
        return self.now

    def sleep(self, seconds: float) -> None:
        self.slept.append(seconds)
        self.now += timedelta(seconds=seconds)


@pytest.mark.usefixtures("new_york")
@pytest.mark.parametrize(
    ("at", "now", "expected"),
    [
        pytest.param(
            WEEKDAYS,
            "2026-11-20T12:00",
            ["2026-11-20T23:30", "2026-11-23T23:30"],
            id="Friday, then Monday",
        ),
        pytest.param(
            WEEKDAYS, "2026-03-06T12:00", ["2026-03-06T23:30", "2026-03-09T22:30"], id="into summer time"
        ),
        pytest.param(
            "30 2 * * *", "2026-03-07T12:00", ["2026-03-08T07:30", "2026-03-09T06:30"], id="a skipped hour"
        ),
        pytest.param(
            "30 1 * * *", "2026-10-31T12:00", ["2026-11-01T05:30", "2026-11-02T06:30"], id="an hour twice"
        ),
    ],
)
def test_each_run_is_due_once_by_the_clock_on_the_wall(
    at: str, now: str, expected: list[str], tmp_path: Path
) -> None:
    clock, found = Clock(now), []
    for moment in islice(due_runs(tmp_path, at, clock), len(expected)):
        found.append(f"{moment.astimezone(UTC):%Y-%m-%dT%H:%M}")
        clock.now = moment + timedelta(seconds=20)
    assert found == expected


@pytest.mark.usefixtures("new_york")
@pytest.mark.parametrize(
    ("now", "first"),
    [
        pytest.param("2026-11-20T23:45", "2026-11-23T23:30", id="fifteen minutes may be a late start"),
        pytest.param("2026-11-21T02:00", "2026-11-20T23:30", id="missed"),
    ],
)
def test_a_missed_run_is_due_at_once(now: str, first: str, tmp_path: Path) -> None:
    write_run_status(tmp_path, RunStatus("2026-11-19T23:30:00+00:00", DONE, exit_code=0))
    assert f"{next(due_runs(tmp_path, WEEKDAYS, Clock(now))).astimezone(UTC):%Y-%m-%dT%H:%M}" == first


def test_a_day_that_never_comes_is_rejected(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="names no day that comes"):
        next(due_runs(tmp_path, "0 0 31 2 *", Clock("2026-11-20T12:00")))


def test_a_wait_is_made_of_short_sleeps(monkeypatch: pytest.MonkeyPatch) -> None:
    clock = Clock("2026-11-20T12:00")
    monkeypatch.setattr(staying.time, "sleep", clock.sleep)
    wait_until(clock.now + timedelta(seconds=150), clock)
    assert clock.slept == [60, 60, 30]
    wait_until(clock.now - timedelta(days=1), clock)
    assert len(clock.slept) == 3


def test_a_run_that_fails_does_not_end_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.delenv("FORECAST_NOW")
    codes = iter([0, 75])

    def run_once(home: Path) -> int:
        assert home == tmp_path
        try:
            return next(codes)
        except StopIteration:
            raise KeyboardInterrupt from None

    monkeypatch.setattr(staying, "run_once", run_once)
    monkeypatch.setattr(staying, "wait_until", lambda *_: None)
    assert run(["run", "--at", "* * * * *", "--home", str(tmp_path)]) == ExitCode.INTERRUPTED
    lines = capsys.readouterr().err.splitlines()
    assert [line.partition(":")[0] for line in lines] == [
        *("next run", "next run"),
        "that run ended with exit code 75",
        *("next run", "forecast"),
    ]


@pytest.mark.parametrize(
    ("at", "variables", "message"),
    [
        pytest.param("every night", {}, "is not five fields", id="no expression"),
        pytest.param(
            WEEKDAYS, {"FORECAST_NOW": "2026-11-20"}, "FORECAST_NOW has stopped", id="a stopped clock"
        ),
    ],
)
def test_what_cannot_be_waited_for_is_rejected(
    at: str,
    variables: dict[str, str],
    message: str,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.delenv("FORECAST_NOW")
    for name, value in variables.items():
        monkeypatch.setenv(name, value)
    code, line = rejection(capsys, "run", "--at", at, "--home", tmp_path)
    assert code == ExitCode.USAGE
    assert message in line


def test_an_interrupt_ends_the_wait(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("FORECAST_NOW")
    process = started(["run", "--at", WEEKDAYS, "--home", tmp_path])
    assert process.stderr is not None
    assert process.stderr.readline().startswith("next run: ")
    os.kill(process.pid, signal.SIGINT)  # what a container's STOPSIGNAL sends
    _, rest = process.communicate(timeout=60)
    assert process.returncode == ExitCode.INTERRUPTED
    # The signal may come while Rich prints, which then says the line before a second time.
    assert "interrupted" in one_line(rest.splitlines(keepends=True)[-1])


def test_everyone_knows_of_a_process_that_stays(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """As long as it does: who asks afterwards, even after it was killed, hears that nothing is scheduled."""
    monkeypatch.delenv("FORECAST_NOW")

    def told() -> dict[str, object]:
        capsys.readouterr()
        assert run(["schedule", "status", "--json", "--home", str(tmp_path)]) == 0
        found: dict[str, object] = json.loads(capsys.readouterr().out)
        return found

    assert told()["by"] is None
    process = started(["run", "--at", WEEKDAYS, "--home", tmp_path])
    assert process.stderr is not None
    assert process.stderr.readline().startswith("next run: ")
    found = told()
    assert [found[name] for name in ("by", "line", "expression", "daemon")] == [
        *("run --at", f"forecast run --at '{WEEKDAYS}'", WEEKDAYS, True)
    ]
    assert run(["schedule", "status", "--home", str(tmp_path)]) == 0
    assert "run --at:    waits for it" in capsys.readouterr().out
    run(["doctor", "--home", str(tmp_path)])
    assert "by run --at, next at" in " ".join(capsys.readouterr().out.split())
    write_run_status(tmp_path, RunStatus("2026-01-05T23:30:00+00:00", DONE, exit_code=0))
    assert run(["doctor", "--home", str(tmp_path)]) == 1  # by which a container is unhealthy
    assert "nothing ran at 2026-01-06T18:30" in " ".join(capsys.readouterr().out.split())
    code, line = rejection(capsys, "run", "--at", WEEKDAYS, "--home", tmp_path)
    assert code == ExitCode.TRY_LATER
    assert f"another `forecast run --at` stays for {tmp_path}" in line
    code, line = rejection(capsys, "schedule", "remove", "--home", tmp_path)
    assert code == ExitCode.NOT_FOUND
    assert "interrupt that one" in line
    process.kill()
    process.communicate()
    assert told()["by"] is None


@pytest.mark.parametrize("content", [b"", b"\xff", b"every night\n", b"99 0 * * *\n"])
def test_a_note_that_makes_no_sense_is_nobody_s(tmp_path: Path, content: bytes) -> None:
    with staying.staying(tmp_path, WEEKDAYS):
        assert staying.expression_of(tmp_path) == WEEKDAYS
        (tmp_path / "logs" / "staying" / "at").write_bytes(content)
        assert staying.expression_of(tmp_path) is None


def test_no_run_is_missed_while_one_is_at_work() -> None:
    now = datetime(2026, 11, 25, 12, tzinfo=UTC)
    old = "2026-11-19T23:30:00+00:00"
    assert missed_run(WEEKDAYS, RunStatus(old, RUNNING, "retrain"), now) is None
    assert missed_run(WEEKDAYS, RunStatus(old, DONE), now) is not None


def test_a_run_is_the_command_of_its_own(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("FORECAST_RUN_FETCH_MINUTES", "none")
    assert staying.run_once(tmp_path) == ExitCode.USAGE
    assert "FORECAST_RUN_FETCH_MINUTES=none" in one_line(capfd.readouterr().err)
