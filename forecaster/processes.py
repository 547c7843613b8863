"""Tasks in processes of their own, with their own memory and time limit; Ctrl-C between two batches."""

import multiprocessing
import os
import re
import signal
import sys
import threading
import time
import traceback
import warnings
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from contextlib import closing, contextmanager, suppress
from multiprocessing import resource_tracker
from multiprocessing.connection import Connection, wait
from multiprocessing.context import SpawnProcess
from multiprocessing.pool import ThreadPool
from pathlib import Path
from queue import SimpleQueue
from types import FrameType, ModuleType
from typing import Any, Generic, Self, TypeVar, cast

from forecaster.cluster import ClusterTasks, is_connected, slots
from forecaster.errors import ForecastError
from forecaster.packing import mapped, packed, unpacked

Task = TypeVar("Task")
Result = TypeVar("Result")


class TaskTimeoutError(Exception):
    """The task exceeded its time limit."""


def run_isolated(
    work: Callable[[Task, Callable[[Any], None]], Result],
    task: Task,
    report: Callable[[Any], None] = lambda _: None,
    *,
    seconds: float | None = None,
) -> Result:
    """Call `work(task, report)` in a fresh process and give back its result; all three must pickle.

    Engines keep memory from one fit to the next, and a process's peak never falls: only a process
    of its own tells what one fit needs, and can be ended in the middle. It ends with its parent, even
    with one that is killed. Large arrays of the task are shared with it, and are read-only there.

    Args:
        work: what to do.
        task: its first argument.
        report: called here with what `work` reports there.
        seconds: its time limit; None for none.

    Raises:
        ForecastError, OSError: what `work` raised, or that its process died.
        TaskTimeoutError: it exceeded its time limit, and was ended.
        RuntimeError: `work` has a bug.
    """
    process, ours = _started(_serve, (work, task))
    deadline = None if seconds is None else time.monotonic() + seconds
    try:
        while True:
            if not ours.poll(None if deadline is None else max(deadline - time.monotonic(), 0.0)):
                raise TaskTimeoutError
            kind, content = ours.recv()
            if kind == "report":
                report(content)
            elif kind == "error":
                raise content
            else:
                result: Result = content
                return result
    except EOFError:
        process.join()
        raise ForecastError(
            f"a worker process died with code {process.exitcode}",
            "it may have run out of memory: close others",
        ) from None
    finally:
        process.kill()
        process.join()
        ours.close()


def run_parallel(
    work: Callable[[Task], Result], tasks: Sequence[Task], report: Callable[[int, int], None]
) -> list[Result]:
    """What `work` makes of each task, in their order, on all cores; `work`, tasks and results must pickle.

    A single task is done here: starting a process takes longer than most.

    Args:
        work: what to do.
        tasks: its arguments.
        report: called with how many tasks are done, and how many there are.

    Raises:
        Exception: what `work` raised.
        ForecastError: a process died.
    """
    from joblib import cpu_count

    results: list[Result] = []
    for result in results_of(work, tasks, cpu_count()):
        results.append(result)
        report(len(results), len(tasks))
    return results


def results_of(
    work: Callable[[Task], Result],
    tasks: Sequence[Task],
    jobs: int,
    *,
    threads: bool = False,
    ordered: bool = True,
) -> Iterator[Result]:
    """What `work` makes of each task, as it is done by `jobs` workers at once.

    Ctrl-C ends the workers without a traceback or advice of theirs.

    Args:
        work: what to do.
        tasks: its arguments.
        jobs: at least 1.
        threads: work in threads, as each task starts a process of its own.
        ordered: in the order of the tasks; as they are done without it.

    Raises:
        Exception: what `work` raised.
        ForecastError: a process died.
    """
    from joblib import Parallel, delayed
    from joblib.externals.loky import BrokenProcessPool

    if not tasks:
        return
    if is_connected():
        yield from _on_cluster(work, tasks, ordered=ordered)
        return
    workers = Parallel(
        n_jobs=min(jobs, len(tasks)),
        backend="threading" if threads else "loky",
        return_as="generator" if ordered else "generator_unordered",
    )
    try:
        with _leaving_interrupts_here():
            found = workers(delayed(work)(task) for task in tasks)
        with warnings.catch_warnings(), closing(found):
            # Work that ends early drops what is still to come.
            warnings.filterwarnings("ignore", message=".*tasks which were still being processed")
            yield from found
    except BrokenProcessPool:
        raise ForecastError("a worker process died", "it may have run out of memory: close others") from None


def most_jobs() -> int:
    """How many tasks can be done at once: on the cluster if there is one, else on this machine's cores."""
    from joblib import cpu_count

    return slots() if is_connected() else int(cpu_count())


def _on_cluster(work: Callable[[Task], Result], tasks: Sequence[Task], *, ordered: bool) -> Iterator[Result]:
    """As `results_of`; no more is sent than the cluster can do at once, so that memory is bounded."""
    cluster: ClusterTasks[Task, Result] = ClusterTasks(work)
    waiting = deque(enumerate(tasks))
    early: dict[int, Result] = {}
    given = 0
    try:
        while waiting or cluster.running():
            while waiting and cluster.running() < slots():
                cluster.start(*waiting.popleft())
            number, result = cluster.next_done()
            if not ordered:
                yield result
                continue
            early[number] = result
            while given in early:
                yield early.pop(given)
                given += 1
    finally:
        cluster.drop()


class Partner(Generic[Task, Result]):
    """A process that answers one question after the other once it is ready, and that may end at any time.

    It ends with its parent or with the `with` block. All that goes to and fro must pickle.

    Args:
        prepare: what it does as soon as it has started, while this process has other things to do.
    """

    def __init__(self, prepare: Callable[[], object]) -> None:
        # For multiprocessing a daemon has no children, as they would outlive it; ours do not.
        multiprocessing.current_process()._config["daemon"] = False  # type: ignore[attr-defined]  # noqa: SLF001
        self._process, self._line = _started(_answer_questions, prepare)
        self._begun = 0
        self._waits = False

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._process.kill()
        self._process.join()
        self._line.close()

    def begin(self, begin: Callable[[Any], Callable[[Task], Result]], material: Any) -> None:
        """Have it call `begin(material)`, and what that gives back with each question from then on.

        Large arrays are shared with it, and are read-only there.
        """
        self._begun += 1
        self._send(packed((begin, material), mapped))

    def is_free(self) -> bool:
        """Whether it waits for a question: it has begun, and has answered the last one."""
        while not self._waits and not self._line.closed and self._line.poll():
            self._receive()
        return self._waits

    def ask(self, question: Task) -> None:
        """Give it a question while it is free."""
        self._send(question)

    def answer(self) -> Result | None:
        """Wait for the answer to the question; None if it is gone."""
        received: Result | None = None
        while not self._waits and not self._line.closed:
            received = self._receive()
        return received

    def _send(self, message: Any) -> None:
        self._waits = False
        with suppress(OSError):  # it is gone; so there will be no answer
            self._line.send((self._begun, message))

    def _receive(self) -> Result | None:
        """An answer, or None as it has begun; what is of an earlier beginning does not count."""
        try:
            begun, received = self._line.recv()
        except (EOFError, OSError):
            self._line.close()
            return None
        self._waits = begun == self._begun
        return cast("Result | None", received)


class Workers(Generic[Task, Result]):
    """Tasks that come up one by one, as it depends on the results of others which is next.

    Each is done by one of `jobs` threads, which should start a process of its own for it; with None by this
    one, when its result is asked for; on a cluster, if there is one. Leaving the `with` block drops what is
    not done.

    Args:
        work: what to do.
        jobs: at least 1, or None.
    """

    def __init__(self, work: Callable[[Task], Result], jobs: int | None) -> None:
        self._work = work
        self._waiting: deque[tuple[int, Task]] = deque()
        self._done: SimpleQueue[tuple[int, Result | None, BaseException | None]] = SimpleQueue()
        self._cluster: ClusterTasks[Task, Result] | None = ClusterTasks(work) if is_connected() else None
        here = jobs is None or self._cluster is not None
        self._pool = None if here else ThreadPool(jobs)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        if self._pool is not None:
            self._pool.terminate()
        if self._cluster is not None:
            self._cluster.drop()

    def start(self, number: int, task: Task) -> None:
        """Have a task done; `number` says which it was."""
        if self._cluster is not None:
            self._cluster.start(number, task)
            return
        if self._pool is None:
            self._waiting.append((number, task))
            return
        self._pool.apply_async(
            self._work,
            (task,),
            callback=lambda result: self._done.put((number, result, None)),
            error_callback=lambda error: self._done.put((number, None, error)),
        )

    def next_done(self) -> tuple[int, Result]:
        """The number and the result of a task that is done, waiting for one; there must be one.

        Raises:
            Exception: what `work` raised.
        """
        if self._cluster is not None:
            return self._cluster.next_done()
        if self._pool is None:
            number, task = self._waiting.popleft()
            return number, self._work(task)
        number, result, error = self._done.get()
        if error is not None:
            raise error
        return number, cast("Result", result)


@contextmanager
def _leaving_interrupts_here() -> Iterator[None]:
    """Processes that are started meanwhile leave Ctrl-C to this one.

    What is ignored here when a process begins is ignored there for good.
    """
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    usual = signal.signal(signal.SIGINT, signal.SIG_IGN)
    try:
        yield
    finally:
        signal.signal(signal.SIGINT, usual)


def peak_memory_mb() -> float:
    """The most memory that this process has held so far, in megabytes of 10⁶ bytes.

    Linux's own account of this program image is asked first: `getrusage` carries over the peak of
    the process that started this one.
    """
    status = Path("/proc/self/status")
    found = re.search(r"VmHWM:\s+(\d+) kB", status.read_text()) if status.exists() else None
    if found:
        return int(found[1]) * 1024 / 1e6
    import resource

    unit = 1 if sys.platform == "darwin" else 1024
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * unit / 1e6


_starting = threading.Lock()


def _started(serve: Callable[..., None], material: Any) -> tuple[SpawnProcess, Connection]:
    """A fresh process that runs `serve(content, arrays, line)`, and our end of the line to it.

    What `__main__` is here, it never learns: multiprocessing would run the user's script once more there.
    """
    context = multiprocessing.get_context("spawn")  # a fork would copy what an engine cannot share
    ours, theirs = context.Pipe()
    content, arrays = packed(material, mapped)
    process = context.Process(target=serve, args=(content, arrays, theirs), daemon=True)
    resource_tracker.ensure_running()  # its start would let interrupts through
    with _starting, _without_interrupts():
        script = sys.modules["__main__"]
        sys.modules["__main__"] = ModuleType("__main__")
        try:
            process.start()
        finally:
            sys.modules["__main__"] = script
    theirs.close()
    return process, ours


@contextmanager
def _without_interrupts() -> Iterator[None]:
    """Processes that this thread starts meanwhile never see Ctrl-C; this one sees it when they have started.

    Each would end with a traceback of its own if it came before it was told to ignore it.
    """
    if not hasattr(signal, "pthread_sigmask"):
        yield
        return
    usual = signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT})
    try:
        yield
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, usual)


def _live_like_a_child() -> None:
    # Ctrl-C is the parent's to handle: it ends this process itself, without a second traceback.
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    threading.Thread(target=_end_with_parent, daemon=True).start()


def _answer_questions(content: bytes, arrays: list[Any], line: Connection) -> None:
    _live_like_a_child()
    with suppress(EOFError, OSError) if os.environ.get("FORECAST_DEBUG") else suppress(Exception):
        unpacked(content, arrays)()
        answer: Any = None
        begun = 0
        while True:
            number, message = line.recv()
            if number == begun:
                line.send((begun, answer(message)))
                continue
            answer, begun = None, number
            begin, material = unpacked(*message)
            answer = begin(material)
            del material
            line.send((begun, None))


def _serve(content: bytes, arrays: list[Any], answers: Connection) -> None:
    _live_like_a_child()
    try:
        work, task = unpacked(content, arrays)
        result = work(task, lambda content: answers.send(("report", content)))
    except (ForecastError, OSError) as error:
        answers.send(("error", error))
    except Exception as error:  # noqa: BLE001  (a bug: its own class may not survive the way)
        bug = RuntimeError(f"{type(error).__name__}: {error}")
        bug.add_note(traceback.format_exc())
        answers.send(("error", bug))
    else:
        answers.send(("result", result))


def _end_with_parent() -> None:
    """A parent that is killed can end nobody; multiprocessing keeps a pipe to it that then closes."""
    parent = multiprocessing.parent_process()
    if parent is not None:
        wait([parent.sentinel])
        os.kill(os.getpid(), signal.SIGKILL)


@contextmanager
def interrupted_between_batches() -> Iterator[Callable[[], None]]:
    """Hold Ctrl-C back until the function that is given is called, which then raises KeyboardInterrupt.

    While TensorFlow traces a graph its native code calls Python; an exception that a signal raises there
    is dropped, or ends the process with a fault. A second Ctrl-C is not held back.
    """
    interrupted = False

    def handle_interrupt(number: int, frame: FrameType | None) -> None:
        nonlocal interrupted
        if interrupted:
            signal.default_int_handler(number, frame)
        interrupted = True

    def raise_if_interrupted() -> None:
        if interrupted:
            raise KeyboardInterrupt

    usual = signal.getsignal(signal.SIGINT)
    # A worker process that leaves Ctrl-C to its parent, and any other thread, have nothing to hold back.
    ours = usual is signal.default_int_handler and threading.current_thread() is threading.main_thread()
    if ours:
        signal.signal(signal.SIGINT, handle_interrupt)
    try:
        yield raise_if_interrupted
    finally:
        if ours:
            signal.signal(signal.SIGINT, usual)
    raise_if_interrupted()
