"""How one machine keeps up with many workers: tasks that only wait, on a real and on a made-up cluster.

    python benchmarks/delayed_workers.py [--seconds 10] [--real 64] [--threads 1000]

On Ray every worker is a process of this machine that sleeps, as one that trains elsewhere would leave this
machine alone. More workers than that are threads, which cost next to nothing, while tasks and results are
packed as for Ray. Each task takes 50 MB of prices with it, shared by all, and gives back a universe's fold:
forecasts of five steps for 491 tickers on 63 days. Beside the time is that of the arithmetic,
⌈tasks / workers⌉ · seconds.
"""

import argparse
import math
import os
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from multiprocessing.pool import ThreadPool
from pathlib import Path
from queue import SimpleQueue
from typing import Any

import numpy as np

from forecaster import processes
from forecaster.cluster import cluster
from forecaster.packing import packed, unpacked
from forecaster.processes import results_of

ROUNDS = 2.5  # tasks a worker, so that the last round is not full
PRICES = np.zeros((491, 5033, 5), np.float32)
FOLD = (3, 491 * 63, 5)


def wait(task: tuple[float, Any]) -> Any:
    """Do nothing for so long, and give back as much as a fold does."""
    seconds, prices = task
    time.sleep(seconds)
    return np.full(FOLD, float(prices[0, 0, 0]), np.float32)


_one_at_a_time = threading.Lock()


class WaitingThreads:
    """What `processes` asks of a cluster, by threads that wait."""

    workers = 0

    def __init__(self, work: Callable[[Any], Any]) -> None:
        self._work, self._running = work, 0
        self._pool: ThreadPool = ThreadPool(self.workers)
        self._done: SimpleQueue[tuple[int, Any]] = SimpleQueue()

    def running(self) -> int:
        """Tasks that have been started and are not done."""
        return self._running

    def start(self, number: int, task: Any) -> None:
        """Pack a task, and have it done."""
        content, arrays = packed((self._work, task), lambda array: array)

        def do() -> tuple[int, bytes, list[Any]]:
            with _one_at_a_time:
                work, given = unpacked(content, arrays)
            return number, *packed(work(given), lambda array: array.copy())

        self._pool.apply_async(do, callback=self._done.put)
        self._running += 1

    def next_done(self) -> tuple[int, Any]:
        """The next result."""
        number, content, arrays = self._done.get()
        self._running -= 1
        return number, unpacked(content, arrays)

    def drop(self) -> None:
        """End the threads."""
        self._pool.terminate()


@contextmanager
def waiting_threads(workers: int) -> Iterator[None]:
    """Fan out over threads in place of a cluster."""
    usual = processes.ClusterTasks, processes.is_connected, processes.slots
    WaitingThreads.workers = workers
    processes.ClusterTasks = WaitingThreads  # type: ignore[misc,assignment]
    processes.is_connected, processes.slots = lambda: True, lambda: workers
    try:
        yield
    finally:
        processes.ClusterTasks, processes.is_connected, processes.slots = usual  # type: ignore[misc]


def measure(kind: str, workers: int, seconds: float) -> None:
    """Print how long the tasks took, beside the arithmetic, and what each cost this machine."""
    import delayed_workers  # under its name, not as __main__

    list(results_of(delayed_workers.wait, [(1.0, PRICES)] * workers, workers))  # all workers have started
    tasks = round(ROUNDS * workers)
    begun, used = time.perf_counter(), time.process_time()
    for _ in results_of(delayed_workers.wait, [(seconds, PRICES)] * tasks, workers, ordered=False):
        pass
    took, used = time.perf_counter() - begun, time.process_time() - used
    least = math.ceil(tasks / workers) * seconds
    print(
        f"{workers:5} {kind}: {tasks:5} tasks of {seconds:g} s in {took:6.1f} s, by arithmetic {least:g} s "
        f"({least / took:.0%}); {1000 * used / tasks:.1f} ms of this process a task",
        flush=True,
    )


def main() -> None:
    """Ray's workers, then threads."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seconds", type=float, default=10.0, help="that a task waits")
    parser.add_argument("--real", type=int, default=64, help="Ray's workers, each a process")
    parser.add_argument("--threads", type=int, default=1000, help="workers that are threads")
    wanted = parser.parse_args()
    from ray.cluster_utils import Cluster

    # Ray's workers import the task from this file.
    os.environ["PYTHONPATH"] = f"{Path(__file__).parent}:{Path(__file__).parents[1]}"
    nodes = Cluster(initialize_head=True, head_node_args={"num_cpus": wanted.real})
    try:
        with cluster(nodes.address):
            measure("processes of Ray", wanted.real, wanted.seconds)
    finally:
        nodes.shutdown()
    for workers in (wanted.real, wanted.threads):
        with waiting_threads(workers):
            measure("threads", workers, wanted.seconds)


if __name__ == "__main__":
    main()
