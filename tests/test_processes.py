"""Work in a process of its own: what comes back, and what does not."""

import errno
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from forecaster.errors import BadInputError, ForecastError, NotFoundError
from forecaster.processes import (
    Partner,
    TaskTimeoutError,
    Workers,
    peak_memory_mb,
    run_isolated,
    run_parallel,
)

MEGABYTE = 10**6


def square(number: int, report: Callable[[str], None]) -> tuple[int, int]:
    report("begun")
    report("done")
    return number**2, os.getpid()


def halved(number: int) -> tuple[float, int]:
    if number % 2:
        raise BadInputError(f"{number} is odd", "halve another")
    return number / 2, os.getpid()


def end(code: int) -> None:
    os._exit(code)


def complain(error: ForecastError, _: Callable[[str], None]) -> None:
    raise error


def die(code: int, _: Callable[[str], None]) -> None:
    os._exit(code)


def stumble(_: int, __: Callable[[str], None]) -> None:
    raise ZeroDivisionError("by nought")


def fill_the_disk(path: str, _: Callable[[str], None]) -> None:
    raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC), path)


def hold(megabytes: int, _: Callable[[str], None]) -> float:
    held = np.ones(megabytes * MEGABYTE, dtype=np.uint8)
    return peak_memory_mb() if held.any() else 0.0


def sleep(file: Path, _: Callable[[str], None]) -> None:
    file.with_suffix(".new").write_text(str(os.getpid()))
    file.with_suffix(".new").replace(file)
    time.sleep(60)


def nothing() -> None:
    pass


def sums_of(array: np.ndarray) -> Callable[[int], float]:
    """Of the array's first numbers; that of none ends the process."""
    return lambda count: float(array[:count].sum()) if count else die(3, print)


def partner_in_a_worker(number: int, _: Callable[[str], None]) -> float | None:
    return asked(number)


def asked(number: int) -> float | None:
    """What a partner that is given a large array answers."""
    with Partner[int, float](nothing) as partner:
        partner.begin(sums_of, np.arange(MEGABYTE, dtype=np.float64))
        wait_until_free(partner)
        partner.ask(number)
        return partner.answer()


def wait_until_free(partner: Partner[int, float]) -> None:
    deadline = time.monotonic() + 30
    while not partner.is_free():
        assert time.monotonic() < deadline
        time.sleep(0.01)


def worker(file: Path) -> int:
    """The process that has begun to sleep."""
    deadline = time.monotonic() + 30
    while not file.exists() and time.monotonic() < deadline:
        time.sleep(0.05)
    return int(file.read_text())


def is_gone(process: int) -> bool:
    deadline = time.monotonic() + 10
    while Path(f"/proc/{process}").exists() and time.monotonic() < deadline:
        time.sleep(0.05)
    return not Path(f"/proc/{process}").exists()


def test_results_and_reports_come_back_from_another_process() -> None:
    reports: list[str] = []
    result, process = run_isolated(square, 7, reports.append)
    assert result == 49
    assert process != os.getpid()
    assert reports == ["begun", "done"]


@pytest.mark.parametrize(
    "error",
    [BadInputError("three prices are missing", "fetch them"), NotFoundError("no such ticker")],
    ids=["with-remedy", "without"],
)
def test_errors_come_back_whole(error: ForecastError) -> None:
    with pytest.raises(type(error)) as raised:
        run_isolated(complain, error)
    assert (raised.value.message, raised.value.remedy) == (error.message, error.remedy)


def test_a_dead_worker_is_an_error_that_says_so() -> None:
    with pytest.raises(ForecastError, match="a worker process died with code 9; "):
        run_isolated(die, 9)


def test_a_bug_in_a_worker_is_named_without_a_traceback(capfd: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(RuntimeError, match="ZeroDivisionError: by nought") as raised:
        run_isolated(stumble, 0)
    assert "in stumble" in raised.value.__notes__[0]  # for FORECAST_DEBUG
    assert capfd.readouterr().err == ""


def test_a_rejection_of_the_system_keeps_its_kind() -> None:
    with pytest.raises(OSError, match="No space left") as raised:
        run_isolated(fill_the_disk, "somewhere")
    assert (raised.value.errno, raised.value.filename) == (errno.ENOSPC, "somewhere")


def test_work_that_takes_too_long_is_ended(tmp_path: Path) -> None:
    with pytest.raises(TaskTimeoutError):
        run_isolated(sleep, tmp_path / "worker", seconds=2.0)
    assert is_gone(worker(tmp_path / "worker"))


def test_a_worker_ends_with_a_parent_that_is_killed(tmp_path: Path) -> None:
    script = (
        "import pathlib, sys, test_processes as own\nown.run_isolated(own.sleep, pathlib.Path(sys.argv[1]))"
    )
    command = [sys.executable, "-c", script, str(tmp_path / "worker")]
    folders = os.pathsep.join([str(Path(__file__).parent), *sys.path])
    with subprocess.Popen(command, env={**os.environ, "PYTHONPATH": folders}) as parent:
        process = worker(tmp_path / "worker")
        parent.kill()
    assert is_gone(process)


def test_memory_is_the_worker_s_own() -> None:
    small, large = run_isolated(hold, 1), run_isolated(hold, 300)
    assert 290 < large - small < 310


def test_tasks_run_beside_each_other_and_come_back_in_order() -> None:
    seen: list[tuple[int, int]] = []
    found = run_parallel(halved, list(range(0, 12, 2)), lambda done, of: seen.append((done, of)))
    assert [half for half, _ in found] == [0, 1, 2, 3, 4, 5]
    assert seen == [(done, 6) for done in range(1, 7)]


def test_a_single_task_is_done_here_and_none_is_no_work() -> None:
    assert run_parallel(halved, [4], lambda *_: None) == [(2.0, os.getpid())]
    assert run_parallel(halved, [], lambda *_: None) == []


def test_what_a_task_raises_comes_through() -> None:
    with pytest.raises(BadInputError, match="3 is odd; halve another"):
        run_parallel(halved, [2, 3, 4], lambda *_: None)


def test_a_process_that_dies_is_an_error_with_a_remedy() -> None:
    with pytest.raises(ForecastError, match=r"a worker process died; it may have run out of memory"):
        run_parallel(end, [1, 2], lambda *_: None)


INTERRUPTED = """
import sys, time
from forecaster.processes import run_parallel
try:
    run_parallel(time.sleep, [0.1, 60, 60], lambda done, of: print(done, flush=True))
except KeyboardInterrupt:
    sys.exit(130)
"""


def test_an_interruption_of_tasks_is_this_processs_alone() -> None:
    process = subprocess.Popen(
        [sys.executable, "-c", INTERRUPTED],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        start_new_session=True,
    )
    assert process.stdout is not None
    assert process.stdout.readline() == "1\n"
    os.killpg(process.pid, signal.SIGINT)
    _, err = process.communicate(timeout=30)
    assert process.returncode == 130
    assert err == ""


INTERRUPTED_AS_IT_STARTS = """
import os, signal, sys
import numpy as np
sys.path.insert(0, sys.argv[1])
from test_processes import Partner, nothing, sums_of, wait_until_free
seen = []
signal.signal(signal.SIGINT, lambda *_: seen.append(1))
for _ in range(2):
    with Partner(nothing) as partner:
        os.killpg(0, signal.SIGINT)
        partner.begin(sums_of, np.ones(4))
        wait_until_free(partner)
        partner.ask(4)
        print(partner.answer(), len(seen), flush=True)
"""


def test_a_process_that_has_just_started_leaves_interrupts_to_this_one() -> None:
    """Not yet told to ignore them, it would end with a traceback; the first one starts another beside it."""
    process = subprocess.run(
        [sys.executable, "-c", INTERRUPTED_AS_IT_STARTS, str(Path(__file__).parent)],
        capture_output=True,
        check=False,
        text=True,
        start_new_session=True,
        timeout=60,
    )
    assert (process.stdout, process.stderr) == ("4.0 1\n4.0 2\n", "")


def wait_then_double(seconds: float) -> float:
    time.sleep(seconds)
    return 2 * seconds


def test_workers_do_tasks_as_they_come_up() -> None:
    with Workers(wait_then_double, 2) as workers:
        workers.start(1, 0.3)
        workers.start(2, 0.0)
        assert workers.next_done() == (2, 0.0)
        workers.start(3, 0.01)
        assert workers.next_done() == (3, 0.02)
        assert workers.next_done() == (1, 0.6)


def test_without_workers_tasks_are_done_here_in_their_order() -> None:
    done: list[int] = []
    with Workers(lambda number: done.append(number), None) as workers:  # noqa: PLW0108
        workers.start(1, 10)
        workers.start(2, 20)
        assert done == []
        assert workers.next_done() == (1, None)
        assert done == [10]


@pytest.mark.parametrize("jobs", [None, 1])
def test_what_a_task_raises_is_raised_where_its_result_is_asked_for(jobs: int | None) -> None:
    with Workers(halved, jobs) as workers:
        workers.start(1, 3)
        with pytest.raises(BadInputError, match="3 is odd"):
            workers.next_done()


def test_leaving_drops_what_is_not_done() -> None:
    began = time.monotonic()
    with Workers(wait_then_double, 1) as workers:
        for number in range(5):
            workers.start(number, 30.0)
    assert time.monotonic() - began < 10


def test_a_script_is_not_run_again_by_the_processes_that_it_starts(tmp_path: Path) -> None:
    """Nobody guards what he calls in a script, or in a file that a notebook was saved as."""
    script = tmp_path / "script.py"
    script.write_text(
        "import operator\nfrom forecaster.processes import run_isolated\n"
        "print('begun', run_isolated(operator.is_, 1))\n"
    )
    ran = subprocess.run([sys.executable, script], capture_output=True, text=True, timeout=60, check=False)
    assert (ran.returncode, ran.stdout, ran.stderr) == (0, "begun False\n", "")


def test_a_partner_answers_one_question_after_the_other() -> None:
    with Partner[int, float](nothing) as partner:
        assert not partner.is_free()
        partner.begin(sums_of, np.arange(MEGABYTE, dtype=np.float64))
        wait_until_free(partner)
        for count in (3, 5):
            partner.ask(count)
            assert partner.answer() == sum(range(count))
            assert partner.is_free()
        partner.begin(sums_of, np.ones(3))
        partner.begin(sums_of, 2 * np.ones(3))
        wait_until_free(partner)
        partner.ask(3)
        assert partner.answer() == 6.0  # of what it began with last
        process = partner._process.pid
    assert process is not None
    assert is_gone(process)


def test_a_worker_has_partners_too() -> None:
    """The night's steps are workers."""
    assert run_isolated(partner_in_a_worker, 4) == 6.0


@pytest.mark.parametrize("begin", [sums_of, stumble])
def test_a_partner_that_is_gone_answers_nothing(
    begin: Callable[..., Callable[[int], float]], capfd: pytest.CaptureFixture[str]
) -> None:
    with Partner[int, float](nothing) as partner:
        partner.begin(begin, np.zeros(3))
        if begin is sums_of:
            wait_until_free(partner)
            partner.ask(0)
            assert partner.answer() is None
        else:
            partner._process.join(30)
        assert not partner.is_free()
        assert not partner.is_free()
        assert partner.answer() is None
    assert capfd.readouterr().err == ""
