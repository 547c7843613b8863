"""Ctrl-C while an engine computes: heard at once, obeyed between two batches."""

import signal
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from types import FrameType


@contextmanager
def interrupted_between_batches() -> Iterator[Callable[[], None]]:
    """Hold Ctrl-C back until the function that is given is called, which then raises KeyboardInterrupt.

    While TensorFlow traces a graph its native code calls Python; an exception that a signal raises there
    is dropped, or ends the process with a fault. A second Ctrl-C is not held back.
    """
    heard = False

    def hear(number: int, frame: FrameType | None) -> None:
        nonlocal heard
        if heard:
            signal.default_int_handler(number, frame)
        heard = True

    def obey() -> None:
        if heard:
            raise KeyboardInterrupt

    usual = signal.getsignal(signal.SIGINT)
    # A worker process that leaves Ctrl-C to its parent, and any other thread, have nothing to hold back.
    ours = usual is signal.default_int_handler and threading.current_thread() is threading.main_thread()
    if ours:
        signal.signal(signal.SIGINT, hear)
    try:
        yield obey
    finally:
        if ours:
            signal.signal(signal.SIGINT, usual)
    obey()
