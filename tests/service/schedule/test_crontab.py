"""The crontab: other people's lines byte for byte, against a stand-in for the `crontab` program."""

import json
import re
import shlex
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import pytest
from command import rejection
from hypothesis import given
from hypothesis import strategies as st

from forecaster.cli.main import run
from forecaster.errors import ExitCode, UsageError
from forecaster.service.schedule.crontab import block_of, scheduled, with_block, without_block

HOME = Path("/srv/prices")
OTHERS = b"MAILTO=me@example.org\n# mine\n\n*/5 * * * * date +\\%s > /dev/null\n\t@reboot echo caf\xe9\n"


def block(home: Path = HOME, at: str = "30 22 * * 1-5") -> str:
    return block_of(home, at, ["/usr/bin/python3", "run", "--home", str(home)], home / "cron.log")


@given(
    before=st.binary(max_size=200), other=st.sampled_from(["/srv/prices2", "/srv", "/a b%c", "/a\u2028b\x85"])
)
def test_remove_restores_every_byte(before: bytes, other: str) -> None:
    once = with_block(before, HOME, block())
    assert once.startswith(before)
    assert once.endswith(b"\n")
    assert with_block(once, HOME, block()) == once
    both = with_block(once, Path(other), block(Path(other)))
    assert without_block(both, Path(other)) == once
    assert scheduled(without_block(both, HOME), Path(other)) == block(Path(other)).split("\n")[1]
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
    home = tmp_path / "a\u2028b\x85" / "50% of it"
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
    code, _ = rejection(capsys, "schedule", "remove", "--home", home)
    assert code == ExitCode.NOT_FOUND


def as_debian_reads(command: str) -> str:
    r"""\% becomes %, and two backslashes one."""
    return re.sub(r"\\([\\%])", r"\1", command)


def as_fedora_reads(command: str) -> str:
    r"""\% becomes %; two backslashes stay two."""
    found, escaped = "", False
    for letter in command:
        if escaped and letter == "%":
            found = found[:-1]
        found += letter
        escaped = letter == "\\" and not escaped
    return found


NAMES = st.text(
    st.sampled_from("\\\\%% ab$'\"\u2028\x85\u00e9")
    | st.characters(min_codepoint=32, exclude_categories=["Cs"]),
    min_size=1,
    max_size=20,
)


@given(name=NAMES)
@pytest.mark.parametrize("read", [as_debian_reads, as_fedora_reads])
def test_the_line_means_the_same_to_every_cron(read: Callable[[str], str], name: str) -> None:
    words = ["/bin/echo", f"/srv/{name}"]
    text = with_block(b"no break", HOME, block_of(HOME, "* * * * *", words, HOME / "log"))
    line = scheduled(text, HOME)
    assert line is not None
    command = line.split(maxsplit=5)[5]
    assert not re.search(r"(?<!\\)%", command)  # a bare % ends the command
    assert shlex.split(read(command))[:2] == words


def test_the_shell_runs_the_line_that_cron_is_given(tmp_path: Path) -> None:
    home = tmp_path / "it's \\%\\\\50% $HOME\u2028\x85\\"
    home.mkdir()
    written = block_of(home, "* * * * *", ["/usr/bin/printf", r"%s\n", str(home)], home / "log").split("\n")[
        1
    ]
    command = as_debian_reads(written.split(maxsplit=5)[5])
    done = subprocess.run(["/bin/sh", "-c", command], capture_output=True, text=True, check=True)
    assert done.stdout == f"{home}\n" == (home / "log").read_text()


def test_a_line_break_in_a_path_is_rejected() -> None:
    with pytest.raises(UsageError, match="line break"):
        block(Path("/srv/a\n* * * * * rm"))


@pytest.mark.parametrize(
    ("variables", "words"),
    [
        pytest.param({}, "no prices", id="nothing to do"),
        pytest.param({"FORECAST_YAHOO_RATE": "1"}, "FORECAST_YAHOO_RATE", id="settings of the shell"),
        pytest.param({"TZ": "Asia/Tokyo"}, "New York has not closed (it does at 06:00 here)", id="too early"),
        pytest.param({"TZ": "Europe/Berlin"}, "no cron daemon runs", id="no daemon"),
    ],
)
def test_what_will_disappoint_is_said_when_it_is_scheduled(
    table: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    tmp_path: Path,
    variables: dict[str, str],
    words: str,
) -> None:
    monkeypatch.setattr("forecaster.service.schedule.crontab.daemon_runs", lambda: False)
    for name, value in variables.items():
        monkeypatch.setenv(name, value)
    time.tzset()
    try:
        assert run(["schedule", "install", "--home", str(tmp_path)]) == ExitCode.DONE
    finally:
        monkeypatch.undo()
        time.tzset()
    assert table.exists()
    assert words in capsys.readouterr().err


def test_empty_variables_are_unset_and_need_no_warning(
    table: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    monkeypatch.setenv("FORECAST_YAHOO_RATE", "")
    assert run(["schedule", "install", "--home", str(tmp_path)]) == ExitCode.DONE
    assert table.exists()
    assert "FORECAST_YAHOO_RATE" not in capsys.readouterr().err


def test_without_cron_the_rejection_says_so(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    code, line = rejection(capsys, "schedule", "install", "--home", tmp_path)
    assert code == ExitCode.UNAVAILABLE
    assert "install cron" in line
