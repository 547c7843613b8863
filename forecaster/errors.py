"""Every error that the tool raises on purpose, and the exit code each one ends with.

ForecastError            1   a failed check, or the base of all others
├── UsageError           2   the command was asked for something it does not do
├── BadInputError       65   a file or a price is not what it should be
├── NotFoundError       66   no such ticker, model or file
├── UnavailableError    69   the source does not answer
├── DiskError           74   the disk fails: full, read-only, not ours
└── TryLaterError       75   lock held, rate limited, partly fetched

A message is one line: what happened and why; `remedy` says what to do next.
"""

import traceback
from collections.abc import Iterable
from enum import IntEnum
from typing import ClassVar


class ExitCode(IntEnum):
    """What the shell and cron see; the numbers follow BSD's sysexits."""

    DONE = 0
    FAILED = 1
    USAGE = 2
    BAD_INPUT = 65
    NOT_FOUND = 66
    UNAVAILABLE = 69
    DISK = 74
    TRY_LATER = 75
    INTERRUPTED = 130


class ForecastError(Exception):
    """Base of the errors that a user is told about in one line."""

    exit_code: ClassVar[ExitCode] = ExitCode.FAILED

    def __init__(self, message: str, remedy: str = "") -> None:
        super().__init__(message)
        self.message = message
        self.remedy = remedy

    def __str__(self) -> str:
        return f"{self.message}; {self.remedy}" if self.remedy else self.message

    def __reduce__(self) -> tuple[type["ForecastError"], tuple[str, str]]:
        """Survive the way back from a worker process with the remedy intact."""
        return type(self), (self.message, self.remedy)


class UsageError(ForecastError):
    """The command was asked for something it does not do."""

    exit_code = ExitCode.USAGE


class BadInputError(ForecastError):
    """A file or a price is not what it should be."""

    exit_code = ExitCode.BAD_INPUT


class NotFoundError(ForecastError):
    """No such ticker, model or file."""

    exit_code = ExitCode.NOT_FOUND


class UnavailableError(ForecastError):
    """The source of prices does not answer."""

    exit_code = ExitCode.UNAVAILABLE


class DiskError(ForecastError):
    """The disk fails: full, read-only, or not ours to write."""

    exit_code = ExitCode.DISK


class TryLaterError(ForecastError):
    """Nothing is wrong that time would not fix: a lock, a rate limit."""

    exit_code = ExitCode.TRY_LATER


def name_some(names: Iterable[object], limit: int = 5) -> str:
    """The first few names and how many more there are, for a message.

    >>> name_some(["AAPL", "KO", "XOM"], limit=2)
    'AAPL, KO and 1 more'
    """
    listed = [str(name) for name in names]
    more = f" and {len(listed) - limit:,} more" if len(listed) > limit else ""
    return ", ".join(listed[:limit]) + more


def forget_frames(error: BaseException) -> None:
    """Let go of what the functions that raised an error held: whoever keeps the error would keep it too.

    Args:
        error: it, and what it came from; where it was raised stays known.
    """
    one: BaseException | None = error
    while one is not None:
        traceback.clear_frames(one.__traceback__)
        one = one.__cause__ or one.__context__
