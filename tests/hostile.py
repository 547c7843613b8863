"""What can stand where a file of ours is expected, and a limit to the time that a command may take."""

import os
import signal
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from types import FrameType

SECONDS = 10
MEMORY = 500_000_000

Damage = Callable[[Path], None]


def truncated(path: Path) -> None:
    path.write_bytes(path.read_bytes()[:-100])


def empty(path: Path) -> None:
    path.write_bytes(b"")


def noise(path: Path) -> None:
    path.write_bytes(bytes(range(256)) * 20)


def folder(path: Path) -> None:
    path.unlink(missing_ok=True)
    path.mkdir()
    (path / "kept.txt").write_text("somebody's own")


def pipe(path: Path) -> None:
    path.unlink(missing_ok=True)
    os.mkfifo(path)


def endless(path: Path) -> None:
    path.unlink(missing_ok=True)
    path.symlink_to("/dev/zero")


def astray(path: Path) -> None:
    """A link that leads nowhere."""
    path.unlink(missing_ok=True)
    path.symlink_to(path.with_name("nowhere"))


def enormous(path: Path) -> None:
    """A terabyte without a byte on the disk."""
    with path.open("wb") as file:
        file.truncate(2**40)


def deep(path: Path) -> None:
    path.write_text("[" * 200_000)


NO_FILE: tuple[Damage, ...] = (folder, pipe, endless)
"""What is none, and what never begins or never ends."""
BAD_CONTENT: tuple[Damage, ...] = (truncated, empty, noise, enormous, deep)


@contextmanager
def in_time(seconds: int = SECONDS) -> Iterator[None]:
    """End what hangs."""

    def give_up(_signal: int, _frame: FrameType | None) -> None:
        raise AssertionError(f"not done within {seconds} s")

    before = signal.signal(signal.SIGALRM, give_up)
    signal.alarm(seconds)
    try:
        yield
    finally:
        signal.alarm(0)
        signal.signal(signal.SIGALRM, before)
