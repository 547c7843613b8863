"""A few threads that work through a list while the main thread takes what comes, and may stop them."""

import queue
import threading
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import Generic, TypeVar

Result = TypeVar("Result")

FAREWELL = 2.0
"""Seconds that a thread in the middle of a request is waited for; its answer is dropped."""


class Workers(Generic[Result]):
    """Threads that apply `work` to names; they never keep the process alive.

    Attributes:
        waiting: the names that nobody has taken yet.
    """

    def __init__(
        self, names: Sequence[str], work: Callable[[str], Result], workers: int, wake: Callable[[], None]
    ) -> None:
        self.waiting = deque(names)
        self._work = work
        self._wake = wake
        self._done: queue.SimpleQueue[tuple[str, Result | Exception] | None] = queue.SimpleQueue()
        self._stopped = threading.Event()
        count = min(workers, len(names))
        self._threads = [threading.Thread(target=self._run, daemon=True) for _ in range(count)]

    def start(self) -> None:
        """Begin to work."""
        for thread in self._threads:
            thread.start()

    def results(self) -> Iterator[tuple[str, Result | Exception]]:
        """Each name with what came of it, in the order in which they are done."""
        working = len(self._threads)
        while working:
            done = self._done.get()
            if done is None:
                working -= 1
            else:
                yield done

    def stop(self) -> None:
        """Let nobody take another name, and wake who waits for its turn to ask."""
        self._stopped.set()
        self._wake()

    def leave(self) -> None:
        """Stop, and wait a moment for the threads to end."""
        self.stop()
        for thread in self._threads:
            thread.join(FAREWELL / len(self._threads))

    def _run(self) -> None:
        while not self._stopped.is_set():
            try:
                name = self.waiting.popleft()
            except IndexError:
                break
            try:
                self._done.put((name, self._work(name)))
            except Exception as error:  # noqa: BLE001  (the main thread decides what it means)
                self._done.put((name, error))
        self._done.put(None)


@contextmanager
def running_workers(
    names: Sequence[str], work: Callable[[str], Result], workers: int, wake: Callable[[], None]
) -> Iterator[Workers[Result]]:
    """Workers at work, which is stopped when the block ends, however it ends.

    Args:
        names: to be worked through.
        work: applied to each.
        workers: how many threads.
        wake: called on stopping, so that no thread goes on waiting.
    """
    group = Workers(names, work, workers, wake)
    group.start()
    try:
        yield group
    finally:
        group.leave()
