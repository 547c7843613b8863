"""Files that are whole or absent: atomic replacement, one lock a home folder, digests."""

import hashlib
import os
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import date
from pathlib import Path

from forecaster.errors import DiskError, TryLaterError

LOCK_NAME = ".forecast.lock"
_LEAST_WAIT_SECONDS = 0.5  # who looks whether the lock is held has it for an instant


@contextmanager
def atomic_path(target: Path) -> Iterator[Path]:
    """Give a temporary path to write to; on success it becomes `target` in one step.

    The bytes are on the disk before the name is, and the name before we return, so that a power
    cut leaves the old file or the new one. Missing folders are made.

    Raises:
        DiskError: the disk is full, read-only, or the folder is not ours.
    """
    temporary: Path | None = None
    try:
        make_folder(target.parent)
        handle, name = tempfile.mkstemp(dir=target.parent, prefix=".tmp-", suffix=target.suffix)
        os.close(handle)
        temporary = Path(name)
        yield temporary
        with temporary.open("rb+") as written:
            os.fsync(written.fileno())
        temporary.chmod(0o666 & ~_umask())
        temporary.replace(target)
        sync_folder(target.parent)
    except OSError as error:
        raise disk_error(error, target) from error
    finally:
        if temporary is not None:
            temporary.unlink(missing_ok=True)


def write_atomically(target: Path, content: bytes | str) -> None:
    """Replace `target` by `content` in one step (text is UTF-8).

    Raises:
        DiskError: as `atomic_path`.
    """
    with atomic_path(target) as temporary:
        temporary.write_bytes(content.encode() if isinstance(content, str) else content)


def check_writable(folder: Path) -> None:
    """Reject a folder that cannot be written, before long work whose result belongs there.

    Raises:
        DiskError: as `atomic_path`.
    """
    try:
        make_folder(folder)
        with tempfile.TemporaryFile(dir=folder):
            pass
    except OSError as error:
        raise disk_error(error, folder) from error


def make_folder(folder: Path) -> None:
    """Make a folder and those above it that are missing, each so that it survives a power cut.

    Raises:
        OSError: the system fails.
    """
    if not folder.is_dir():
        make_folder(folder.parent)
        folder.mkdir(exist_ok=True)
        sync_folder(folder.parent)


def sync_folder(folder: Path) -> None:
    """Make a rename in `folder` survive a power cut."""
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def disk_error(error: OSError, path: Path) -> DiskError:
    """Say in the user's words what the operating system rejected."""
    reason = error.strerror or str(error)
    return DiskError(
        f"cannot write {path}: {reason}", "free some space, fix its permissions, or choose another --home"
    )


@contextmanager
def home_lock(home: Path, wait_seconds: float = 0.0) -> Iterator[None]:
    """Hold the one lock for writers of `home`; freed by the system if the process dies.

    Raises:
        TryLaterError: another process holds it and `wait_seconds`, half a second at least, have passed.
        DiskError: the lock file cannot be made.
    """
    import filelock

    path = home / LOCK_NAME
    try:
        make_folder(home)
        lock = filelock.FileLock(path, timeout=max(wait_seconds, _LEAST_WAIT_SECONDS))
        lock.acquire()
    except filelock.Timeout:
        raise TryLaterError(
            f"another forecast is writing to {home}", "wait for it to finish, then try again"
        ) from None
    except OSError as error:
        raise disk_error(error, path) from error
    try:
        yield
    finally:
        lock.release()


def lock_is_held(home: Path) -> bool:
    """Whether a process holds the lock now; nothing is made where nobody ever wrote.

    Raises:
        DiskError: the lock file cannot be opened.
    """
    if not (home / LOCK_NAME).exists():
        return False
    try:
        with home_lock(home):
            return False
    except TryLaterError:
        return True


def digest_bytes(*parts: bytes) -> str:
    """SHA-256 of the parts one after the other, as hexadecimal text."""
    state = hashlib.sha256()
    for part in parts:
        state.update(part)
    return state.hexdigest()


def digest_file(path: Path) -> str:
    """SHA-256 of a file's bytes, as hexadecimal text."""
    with path.open("rb") as handle:
        return hashlib.file_digest(handle, "sha256").hexdigest()


def _umask() -> int:
    current = os.umask(0)
    os.umask(current)
    return current


def json_value(value: object) -> object:
    """What JSON has in place of a date, a path or a NumPy scalar: `default` of `json.dumps`.

    Raises:
        TypeError: it is something else; nothing is written as whatever `str` makes of it.
    """
    if isinstance(value, date):  # a datetime too
        return value.isoformat()
    if isinstance(value, Path):
        return str(value)
    if getattr(value, "shape", None) == () and hasattr(value, "item"):  # a NumPy scalar
        plain: object = value.item()
        if isinstance(plain, date):
            return plain.isoformat()
        # a datetime64 in nanoseconds is a bare integer here: no reader would know its unit
        if plain is None or getattr(getattr(value, "dtype", None), "kind", "") in "biufU":
            return plain
    raise TypeError(f"{type(value).__name__} has no form in JSON")
