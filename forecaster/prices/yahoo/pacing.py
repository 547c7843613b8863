"""When the next request may go out: so many a second for all threads together, and pauses for all."""

import random
import threading
import time
from collections.abc import Callable

from forecaster.errors import TryLaterError

LONGEST_WAIT = 60.0
"""Seconds; a server that wants a longer wait than this gets its next request in a later run."""


class StoppedError(TryLaterError):
    """The run ends before this could be requested."""


class Pacer:
    """Spreads the requests of several threads over time.

    Args:
        rate: requests a second, at least one a minute; 0 for no pacing.
        backoff: seconds of the first wait after a fault; each further one is twice as long.
        sleep: waits so many seconds or until `stop`; for tests.
        clock: seconds that only go forward; for tests.
    """

    def __init__(
        self,
        rate: float,
        backoff: float,
        sleep: Callable[[float], object] | None = None,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._interval = min(1 / rate, LONGEST_WAIT) if rate else 0.0  # no thread can sleep for 1e300 s
        self._backoff = backoff
        self._stopped = threading.Event()
        self._sleep = sleep or self._stopped.wait
        self._clock = clock
        self._lock = threading.Lock()
        self._next = clock()
        self._random = random.SystemRandom()

    def wait(self) -> None:
        """Return when it is the caller's turn to send a request.

        Raises:
            StoppedError: everything was stopped meanwhile.
        """
        while True:
            with self._lock:
                now = self._clock()
                if self._stopped.is_set():
                    raise StoppedError("fetching was stopped", "run it again to go on")
                if now >= self._next:
                    self._next = now + self._interval
                    return
                left = self._next - now
            self._sleep(left)

    def rest(self, seconds: float) -> None:
        """Wait in this thread alone."""
        self._sleep(min(seconds, LONGEST_WAIT))

    def pause(self, seconds: float) -> None:
        """Let nobody send anything for so long."""
        with self._lock:
            self._next = max(self._next, self._clock() + min(seconds, LONGEST_WAIT))

    def stop(self) -> None:
        """Wake all who wait and let nobody send anything any more."""
        self._stopped.set()

    def delay(self, attempt: int) -> float:
        """How long to wait after the failed attempt (from 0): doubling, spread by half either way."""
        return min(LONGEST_WAIT, self._backoff * 2.0**attempt * self._random.uniform(0.5, 1.5))
