"""Files that are whole or absent: atomic replacement, bounded reading, one lock a home folder, digests."""

import hashlib
import json
import math
import os
import shutil
import stat
import tempfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from datetime import date
from pathlib import Path
from typing import Any, BinaryIO

from forecaster.errors import BadInputError, DiskError, TryLaterError

LOCK_NAME = ".forecast.lock"
MOST_BYTES = 10_000_000
"""Of a file of ours that holds neither prices nor weights: a hundred times what a large one has."""
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


def open_regular(path: Path, remedy: str = "move it away", *, most_bytes: int | None = None) -> BinaryIO:
    """Open a file to be read, unless it is a pipe, a device or a folder: those may never end, or never begin.

    Args:
        path: a link to a regular file will do.
        remedy: what to do about one that is something else.
        most_bytes: of the file; None for any size.

    Raises:
        FileNotFoundError: there is none.
        BadInputError: it is not a regular file, or is larger.
        DiskError: the system does not let us read it.
    """
    try:
        _check_mode(path, path.stat().st_mode, remedy)  # to open some devices does something already
        descriptor = os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC)
        try:
            found = os.fstat(descriptor)
            _check_mode(path, found.st_mode, remedy)
            _check_size(path, found.st_size, most_bytes, remedy)
            return os.fdopen(descriptor, "rb")
        except BaseException:
            os.close(descriptor)
            raise
    except (FileNotFoundError, NotADirectoryError) as error:
        raise FileNotFoundError(*error.args) from error
    except OSError as error:
        raise unreadable(error, path) from error


def read_regular(path: Path, remedy: str = "move it away", *, most_bytes: int = MOST_BYTES) -> bytes:
    """The content of a regular file of at most `most_bytes`.

    Raises:
        FileNotFoundError: there is none.
        BadInputError: it is not a regular file, or is larger; `remedy` is what to do then.
        DiskError: the system does not let us read it.
    """
    with open_regular(path, remedy) as file:
        try:
            there = os.fstat(file.fileno()).st_size
            # No more than there is: room for as much as there may be would be made, and filled with pages.
            content = b"" if there > most_bytes else file.read(there + 1)
            if len(content) > there:  # it has grown meanwhile
                content += file.read(most_bytes + 1)
        except OSError as error:
            raise unreadable(error, path) from error
    _check_size(path, max(there, len(content)), most_bytes, remedy)
    return content


def _check_size(path: Path, size: int, most_bytes: int | None, remedy: str) -> None:
    if most_bytes is not None and size > most_bytes:
        raise BadInputError(f"{path} is larger than the {most_bytes:,} bytes that it may have", remedy)


def unreadable(error: OSError, path: Path) -> DiskError:
    """Say in the user's words why the operating system does not let us read a file or folder."""
    reason = error.strerror or str(error)
    denied = isinstance(error, PermissionError)
    remedy = "let this user read it" if denied else "look at the disk, or restore the file"
    return DiskError(f"cannot read {path}: {reason}", remedy)


def check_regular(path: Path, remedy: str = "move it away") -> None:
    """Reject what stands in place of a file that a library will open by its name; nothing there is well.

    Raises:
        BadInputError: it is no regular file, or a link that leads nowhere.
        DiskError: the system does not let us look.
    """
    try:
        _check_mode(path, path.stat().st_mode, remedy)
    except FileNotFoundError:
        if path.is_symlink():
            raise BadInputError(f"{path} is a link that leads nowhere", remedy) from None
    except OSError as error:
        raise unreadable(error, path) from error


def _check_mode(path: Path, mode: int, remedy: str) -> None:
    if stat.S_ISREG(mode):
        return
    kinds = {stat.S_IFDIR: "a folder", stat.S_IFIFO: "a pipe", stat.S_IFSOCK: "a socket"}
    kind = kinds.get(stat.S_IFMT(mode), "a device")
    raise BadInputError(f"{path} is {kind}, where a file should be", remedy)


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


def clear_leftovers(folder: Path) -> None:
    """Remove what writers left in a folder that were killed half-way; the caller holds `home_lock`.

    What cannot be removed stays: it is in nobody's way.
    """
    for path in folder.glob(".tmp-*"):
        if path.is_dir() and not path.is_symlink():
            shutil.rmtree(path, ignore_errors=True)
        else:
            with suppress(OSError):
                path.unlink(missing_ok=True)


def set_folder_aside(path: Path) -> None:
    """Rename a folder that stands where a file is to be written; what is in it is not lost.

    Raises:
        DiskError: the disk fails.
    """
    if not path.is_dir() or path.is_symlink():
        return
    free = next(name for number in range(1, 1_000_000) if not (name := _aside(path, number)).exists())
    try:
        path.rename(free)
    except OSError as error:
        raise disk_error(error, path) from error


def _aside(path: Path, number: int) -> Path:
    return path.with_name(f"{path.name}.aside-{number}")


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
        BadInputError: what has the lock file's name is no file.
        DiskError: the lock file cannot be made.
    """
    import filelock

    path = home / LOCK_NAME
    check_regular(path)
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


def digest_bytes(*parts: bytes | memoryview) -> str:
    """SHA-256 of the parts one after the other, as hexadecimal text."""
    state = hashlib.sha256()
    for part in parts:
        state.update(part)
    return state.hexdigest()


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


def plain(value: Any) -> Any:
    """The value as it is after it was written as JSON and read again.

    Raises:
        TypeError: as `json_value`.
    """
    return json.loads(json.dumps(without_nan(value), default=json_value))


def without_nan(value: Any) -> Any:
    """The value for JSON, which has no NaN and no infinity: these become None; keys become text."""
    kind = type(value)
    if kind is float:  # what there is most of comes first: the tests below take ten times as long
        return value if math.isfinite(value) else None
    if kind is str or kind is int:
        return value
    if isinstance(value, Mapping):
        return {str(key): without_nan(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [without_nan(item) for item in value]
    if getattr(value, "shape", None) == ():  # a NumPy scalar
        return without_nan(json_value(value))
    return None if isinstance(value, float) and not math.isfinite(value) else value
