"""Files are whole or absent, and one process writes at a time."""

import hashlib
import json
import os
import stat
from datetime import UTC, date, datetime
from enum import StrEnum
from pathlib import Path

import numpy as np
import pytest

from forecaster.errors import DiskError, TryLaterError
from forecaster.files import (
    atomic_path,
    check_writable,
    digest_bytes,
    home_lock,
    json_value,
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


def test_digests_are_sha_256() -> None:
    expected = hashlib.sha256(b"one, two").hexdigest()
    assert digest_bytes(b"one", b", two") == expected


class Colour(StrEnum):
    RED = "red"


@pytest.mark.parametrize(
    ("value", "written"),
    [
        pytest.param(date(2026, 11, 20), "2026-11-20", id="date"),
        pytest.param(datetime(2026, 11, 20, 22, 30, tzinfo=UTC), "2026-11-20T22:30:00+00:00", id="moment"),
        pytest.param(Path("data/prices"), "data/prices", id="path"),
        pytest.param(Colour.RED, "red", id="enum"),
        pytest.param(np.float32(0.5), 0.5, id="float32"),
        pytest.param(np.int64(3), 3, id="int64"),
        pytest.param(np.bool_(True), True, id="bool"),
        pytest.param(np.datetime64("2026-11-20"), "2026-11-20", id="day"),
        pytest.param(np.datetime64("2026-11-20T22:30", "s"), "2026-11-20T22:30:00", id="second"),
    ],
)
def test_known_types_have_a_form_in_json(value: object, written: object) -> None:
    assert json.loads(json.dumps([value], default=json_value)) == [written]


@pytest.mark.parametrize(
    "value",
    [
        pytest.param({1, 2}, id="set"),
        pytest.param(b"bytes", id="bytes"),
        pytest.param(object(), id="object"),
        pytest.param(np.arange(3), id="array"),
        pytest.param(np.timedelta64(1, "D"), id="duration"),
        pytest.param(np.datetime64("2026-11-20", "ns"), id="nanoseconds"),
        pytest.param(np.complex64(1), id="complex"),
    ],
)
def test_other_types_are_not_written_as_whatever_their_text_is(value: object) -> None:
    with pytest.raises(TypeError, match="has no form in JSON"):
        json.dumps([value], default=json_value)
