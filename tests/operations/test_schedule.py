"""The crontab: other people's lines byte for byte, against a stand-in for the `crontab` program."""

import json
import shutil
import subprocess
import sys
from datetime import UTC, datetime
from pathlib import Path

import pytest
from command import refusal
from hypothesis import given
from hypothesis import strategies as st

from forecaster.cli.main import run
from forecaster.errors import ExitCode, UsageError
from forecaster.operations.crontab import block_of, next_time, scheduled, with_block, without_block

HOME = Path("/srv/prices")
OTHERS = b"MAILTO=me@example.org\n# mine\n\n*/5 * * * * date +\\%s > /dev/null\n\t@reboot echo caf\xe9\n"
FAKE = """#!{python}
import pathlib, sys
table = pathlib.Path({table!r})
if sys.argv[1] == "-l":
    if not table.exists():
        sys.exit("no crontab for tester")
    sys.stdout.buffer.write(table.read_bytes())
elif sys.argv[1] == "-r":
    table.unlink()
else:
    content = sys.stdin.buffer.read()
    if not content.endswith(b"\\n"):
        sys.exit("new crontab file is missing newline before EOF, can't install.")
    table.write_bytes(content)
"""


@pytest.fixture
def table(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The file that the stand-in keeps the crontab in."""
    table, program = tmp_path / "table", tmp_path / "bin" / "crontab"
    program.parent.mkdir()
    program.write_text(FAKE.format(python=sys.executable, table=str(table)))
    program.chmod(0o755)
    monkeypatch.setenv("PATH", str(program.parent))
    return table


def block(home: Path = HOME, at: str = "30 22 * * 1-5") -> str:
    return block_of(home, at, ["/usr/bin/python3", "run", "--home", str(home)], home / "cron.log")


@given(before=st.binary(max_size=200), other=st.sampled_from(["/srv/prices2", "/srv", "/a b%c"]))
def test_remove_restores_every_byte(before: bytes, other: str) -> None:
    once = with_block(before, HOME, block())
    assert once.startswith(before)
    assert once.endswith(b"\n")
    assert with_block(once, HOME, block()) == once
    both = with_block(once, Path(other), block(Path(other)))
    assert without_block(both, Path(other)) == once
    assert scheduled(without_block(both, HOME), Path(other)) == block(Path(other)).splitlines()[1]
    assert without_block(once, HOME) == before


def test_lines_after_the_block_stay() -> None:
    crontab = with_block(b"no break", HOME, block()) + OTHERS
    assert without_block(crontab, HOME) == b"no break\n" + OTHERS


def test_a_block_without_its_end_is_left_alone() -> None:
    with pytest.raises(UsageError, match="but not its end"):
        without_block(block().encode().replace(b"# END", b"# and"), HOME)


@pytest.mark.parametrize("others", [OTHERS, None], ids=["others", "no crontab"])
def test_install_status_remove(
    table: Path, others: bytes | None, capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    home = tmp_path / "50% of it"
    if others is not None:
        table.write_bytes(others)
    assert run(["schedule", "install", "--home", str(home)]) == ExitCode.DONE
    assert run(["schedule", "install", "--at", "5 4 1,15 * *", "--home", str(home)]) == ExitCode.DONE
    written = table.read_bytes()
    assert written.startswith(others or b"")
    assert written.count(b"# BEGIN forecast") == 1
    line = scheduled(written, home)
    assert line is not None
    assert line.startswith(f"5 4 1,15 * * {sys.executable} -m forecaster.cli.main run --home ")
    assert r"50\% of it/logs/run.log" in line
    capsys.readouterr()
    assert run(["schedule", "status", "--json", "--home", str(home)]) == ExitCode.DONE
    status = json.loads(capsys.readouterr().out)
    assert (status["line"], status["last_run"]) == (line, None)
    assert status["next_run"].startswith("2026-12-01T04:05")
    assert run(["schedule", "status", "--home", str(home)]) == ExitCode.DONE
    assert run(["schedule", "remove", "--home", str(home)]) == ExitCode.DONE
    assert table.exists() == (others is not None)
    assert others is None or table.read_bytes() == others
    code, _ = refusal(capsys, "schedule", "remove", "--home", home)
    assert code == ExitCode.NOT_FOUND


def test_the_shell_runs_the_line_that_cron_is_given(tmp_path: Path) -> None:
    home = tmp_path / "it's 50% $HOME"
    home.mkdir()
    written = block_of(home, "* * * * *", ["/bin/echo", str(home)], home / "log").splitlines()[1]
    # What cron does: five fields off, \% becomes %, the rest to /bin/sh.
    command = written.split(maxsplit=5)[5].replace(r"\%", "%")
    done = subprocess.run(["/bin/sh", "-c", command], capture_output=True, text=True, check=True)
    assert done.stdout == f"{home}\n" == (home / "log").read_text()


@pytest.mark.parametrize(
    "at",
    [
        *("", "* * * *", "* * * * * *", "* * * * *\n", "@daily", "a * * * *", "1,, * * * *"),
        *("60 * * * *", "* 24 * * *", "* * 0 * *", "* * * 13 *", "* * * * 8", "5-1 * * * *", "*/0 * * * *"),
    ],
)
def test_what_is_no_expression_is_refused(at: str) -> None:
    with pytest.raises(UsageError, match="--at"):
        block(at=at)


def test_a_line_break_in_a_path_is_refused() -> None:
    with pytest.raises(UsageError, match="line break"):
        block(Path("/srv/a\n* * * * * rm"))


@pytest.mark.parametrize(
    ("at", "expected"),
    [
        ("30 22 * * 1-5", "2026-11-23T22:30"),  # from a Saturday to Monday
        ("*/20 * * * *", "2026-11-21T22:40"),
        ("0 0 * * 7", "2026-11-22T00:00"),
        ("0 6 13 * 5", "2026-11-27T06:00"),  # the 13th or a Friday
        ("0 0 29 2 *", "2028-02-29T00:00"),
        ("0 0 31 2 *", None),
    ],
)
def test_the_next_time(at: str, expected: str | None) -> None:
    found = next_time(at, datetime(2026, 11, 21, 22, 30, tzinfo=UTC))
    assert (found and found.isoformat(timespec="minutes")) == (expected and f"{expected}+00:00")


def test_without_cron_the_refusal_says_so(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    code, line = refusal(capsys, "schedule", "install", "--home", tmp_path)
    assert code == ExitCode.UNAVAILABLE
    assert "install cron" in line


@pytest.mark.slow
@pytest.mark.skipif(shutil.which("crontab") is None, reason="cron is not installed on this machine")
def test_the_real_crontab_takes_and_gives_back(tmp_path: Path) -> None:
    def listed() -> bytes:
        return subprocess.run(["crontab", "-l"], capture_output=True, check=False).stdout

    before = listed()
    assert run(["schedule", "install", "--home", str(tmp_path)]) == ExitCode.DONE
    assert scheduled(listed(), tmp_path) is not None
    assert run(["schedule", "remove", "--home", str(tmp_path)]) == ExitCode.DONE
    assert listed() == before
