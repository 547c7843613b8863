"""Independent tasks on a Ray cluster, in place of processes of this machine.

Inside `with cluster(address):` whatever fans out through `processes` does so on the cluster. A task takes all
that it needs with it, so that no folder is shared; large arrays, like those of the prices, are sent once and
lie in the cluster's object store.
"""

import logging
import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from importlib.util import find_spec
from typing import Any, Generic, TypeVar

from forecaster import __version__
from forecaster.errors import ForecastError, UnavailableError, UsageError
from forecaster.packing import packed, unpacked

Task = TypeVar("Task")
Result = TypeVar("Result")

RETRIES = 3
"""Of a task whose worker or node has died."""
_SENT = ("OMP_NUM_THREADS", "KERAS_BACKEND")
"""Variables that workers have as this machine has them, or not at all.

Ray sets the first for its workers, with which sums have other last bits. Nobody sets the second on other
machines, which would train with TensorFlow."""

_connected: list[str] = []
"""The version of the cluster's tasks while there is a cluster; they start in other threads too."""


@contextmanager
def cluster(address: str | None = None) -> Iterator[None]:
    """Fan out over a Ray cluster meanwhile.

    Args:
        address: of its head node, like 10.0.0.1:6379, or auto; None for a cluster of this machine's cores,
            which is ended afterwards.

    Raises:
        UsageError: Ray is not installed.
        UnavailableError: there is no cluster at the address.
    """
    if find_spec("ray") is None:
        raise UsageError("a cluster needs Ray", "pip install 'forecaster[ray]'")
    import ray

    # A task that asks for no GPU sees those of its node all the same.
    os.environ.setdefault("RAY_ACCEL_ENV_VAR_OVERRIDE_ON_ZERO", "0")
    try:
        ray.init(address=address, log_to_driver=False, logging_level=logging.ERROR, include_dashboard=False)
    except (ConnectionError, ValueError, RuntimeError) as error:
        where = "on this machine" if address is None else f"at {address}"
        reason = str(error).splitlines()[0] if str(error) else type(error).__name__
        raise UnavailableError(
            f"no Ray cluster answers {where}: {reason}",
            "start one with `ray start --head`, or name its address",
        ) from error
    _connected.append(__version__)
    try:
        yield
    finally:
        _connected.pop()
        ray.shutdown()


def is_connected() -> bool:
    """Whether there is a cluster."""
    return bool(_connected)


def slots() -> int:
    """How many tasks the cluster can do at once, as its nodes are now."""
    import ray

    return max(int(ray.cluster_resources().get("CPU", 1)), 1)


class ClusterTasks(Generic[Task, Result]):
    """Tasks that are done somewhere on the cluster.

    Args:
        work: what to do; it, the tasks and the results must pickle.
    """

    def __init__(self, work: Callable[[Task], Result]) -> None:
        self._work = work
        self._running: dict[Any, int] = {}
        self._shared: dict[int, tuple[Any, Any]] = {}

    def running(self) -> int:
        """How many tasks have been started and are not done."""
        return len(self._running)

    def start(self, number: int, task: Task) -> None:
        """Have a task done; `number` says which it was."""
        import ray

        content, shared = packed((self._work, task), self._reference)
        done = ray.remote(num_cpus=1, max_retries=RETRIES)(_done)
        variables = {name: os.environ.get(name) for name in _SENT}
        found = done.remote(__version__, variables, content, *shared)
        self._running[found] = number

    def next_done(self) -> tuple[int, Result]:
        """The number and the result of a task that is done, waiting for one; there must be one.

        Raises:
            Exception: what `work` raised.
            ForecastError: its workers died again and again, or the nodes have another version.
        """
        import ray

        (found,), _ = ray.wait(list(self._running), num_returns=1)
        number = self._running.pop(found)
        try:
            return number, ray.get(found)
        except ray.exceptions.RayTaskError as error:
            raise error.cause from None
        except ray.exceptions.RayError as error:
            raise ForecastError(
                f"workers of the cluster died {RETRIES + 1} times over one task ({type(error).__name__})",
                "they may have run out of memory: see `ray status`",
            ) from error

    def drop(self) -> None:
        """Give up what is not done."""
        import ray

        for found in self._running:
            with suppress(Exception):  # it may be done, or its node gone
                ray.cancel(found, force=True)
        self._running.clear()

    def _reference(self, array: Any) -> Any:
        """Where an array lies in the object store, put there once."""
        import ray

        if id(array) not in self._shared:
            self._shared[id(array)] = array, ray.put(array)  # holding the array keeps its id its own
        return self._shared[id(array)][1]


def _done(version: str, variables: dict[str, str | None], content: bytes, *arrays: Any) -> Any:
    """In a worker: unpack a task and do it."""
    if version != __version__:
        raise ForecastError(
            f"a node of the cluster has forecast {__version__}, this machine has {version}",
            "install the same version on every node",
        )
    for name, value in variables.items():
        os.environ.pop(name, None)
        if value is not None:
            os.environ[name] = value
    work, task = unpacked(content, arrays)
    return work(task)
