"""Files are whole or absent, and one process writes at a time."""

import hashlib
import os
import stat
from pathlib import Path

import pytest

from forecaster.errors import DiskError, TryLaterError
from forecaster.files import (
    atomic_path,
    check_writable,
    digest_bytes,
    digest_file,
    home_lock,
    write_atomically,
)


def test_a_file_is_replaced_whole(tmp_path: Path) -> None:
    target = tmp_path / "new" / "file.txt"
    write_atomically(target, "one")
    write_atomically(target, "zwei – 2")
    assert target.read_text(encoding="utf-8") == "zwei – 2"
    assert [path.name for path in target.parent.iterdir()] == ["file.txt"]


def test_a_failure_half_way_leaves_the_old_file_and_nothing_else(tmp_path: Path) -> None:
    target = tmp_path / "file.txt"
    write_atomically(target, "old")
    with pytest.raises(ZeroDivisionError), atomic_path(target) as temporary:
        temporary.write_text("ne" * (1 // 0))
    assert target.read_text() == "old"
    assert [path.name for path in tmp_path.iterdir()] == ["file.txt"]


def test_bytes_are_on_the_disk_before_their_name_and_folders_before_both(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What survives a power cut at any instant follows from the order of these calls."""
    done: list[str] = []
    fsync, replace = os.fsync, Path.replace

    def watch_sync(descriptor: int) -> None:
        done.append(f"sync {Path(f'/proc/self/fd/{descriptor}').readlink().name[:5]}")
        fsync(descriptor)

    def watch_replace(path: Path, target: Path) -> Path:
        done.append("rename")
        return replace(path, target)

    monkeypatch.setattr(os, "fsync", watch_sync)
    monkeypatch.setattr(Path, "replace", watch_replace)
    write_atomically(tmp_path / "outer" / "inner" / "file.txt", "one")
    home = f"sync {tmp_path.name[:5]}"
    assert done == [home, "sync outer", "sync .tmp-", "rename", "sync inner"]


def test_others_may_read_what_was_written(tmp_path: Path) -> None:
    write_atomically(tmp_path / "file.txt", "text")
    plain = tmp_path / "plain.txt"
    plain.touch()
    assert stat.S_IMODE((tmp_path / "file.txt").stat().st_mode) == stat.S_IMODE(plain.stat().st_mode)


def test_a_file_where_a_folder_should_be_is_a_disk_error(tmp_path: Path) -> None:
    (tmp_path / "models").touch()
    with pytest.raises(DiskError, match=r"cannot write .*models"):
        write_atomically(tmp_path / "models" / "champion", "1")


def test_a_folder_that_cannot_be_written_is_rejected_early(tmp_path: Path) -> None:
    check_writable(tmp_path / "models")
    assert not list((tmp_path / "models").iterdir())
    (tmp_path / "file").touch()
    with pytest.raises(DiskError, match=r"cannot write .*file"):
        check_writable(tmp_path / "file")


def test_the_lock_is_held_once_and_freed(tmp_path: Path) -> None:
    with (
        home_lock(tmp_path),
        pytest.raises(TryLaterError, match="another forecast is writing"),
        home_lock(tmp_path),
    ):
        pass
    with home_lock(tmp_path):
        pass


def test_digests_are_sha_256(tmp_path: Path) -> None:
    (tmp_path / "file").write_bytes(b"one, two")
    expected = hashlib.sha256(b"one, two").hexdigest()
    assert digest_bytes(b"one", b", two") == digest_file(tmp_path / "file") == expected
