"""Timers of systemd, against a stand-in for `systemctl` that keeps a list of what it was told."""

import json
import sys
from pathlib import Path

import pytest
from command import rejection

from forecaster.cli.main import run
from forecaster.errors import ExitCode
from forecaster.service.schedule.systemd import scheduled, unit_files

FAKE = """#!{python}
import pathlib, sys
folder = pathlib.Path({folder!r})
if (folder / "refuses").exists() and sys.argv[2] == (folder / "refuses").read_text():
    sys.exit("Failed to connect to bus: No such file or directory")
with (folder / "told").open("a") as told:
    told.write(" ".join(sys.argv[2:]) + "\\n")
if sys.argv[2] == "is-active":
    print("active")
"""


@pytest.fixture
def systemctl(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The folder of the stand-in, with `told`, and `refuses` if it is to refuse a word."""
    folder = tmp_path / "bin"
    folder.mkdir()
    program = folder / "systemctl"
    program.write_text(FAKE.format(python=sys.executable, folder=str(folder)))
    program.chmod(0o755)
    monkeypatch.setenv("PATH", str(folder))
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path / "config"))
    return folder


def units(tmp_path: Path) -> list[str]:
    return sorted(path.name for path in (tmp_path / "config").rglob("forecast-*"))


def test_install_status_remove(systemctl: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    home = tmp_path / "home"
    for at in ("0 3 * * *", "30 22 * * 1-5"):
        assert run(["schedule", "install", "--systemd", "--at", at, "--home", str(home)]) == ExitCode.DONE
    service, timer = units(tmp_path)
    assert (service.split(".")[1], timer.split(".")[1]) == ("service", "timer")
    assert scheduled(home) == "30 22 * * 1-5"
    assert (systemctl / "told").read_text().splitlines()[-3:] == [
        f"enable {timer}",
        f"restart {timer}",
        f"is-active {timer}",
    ]
    capsys.readouterr()
    assert run(["schedule", "status", "--json", "--home", str(home)]) == ExitCode.DONE
    status = json.loads(capsys.readouterr().out)
    assert (status["by"], status["line"]) == ("systemd", "Mon,Tue,Wed,Thu,Fri *-*-* 22:30:00")
    assert status["next_run"].startswith("2026-11-23T22:30")
    assert status["daemon"] is True
    assert run(["schedule", "remove", "--home", str(home)]) == ExitCode.DONE
    assert units(tmp_path) == []
    assert f"disable --now {timer}" in (systemctl / "told").read_text()
    assert rejection(capsys, "schedule", "remove", "--home", home)[0] == ExitCode.NOT_FOUND


@pytest.mark.parametrize("word", ["show-environment", "enable"])
def test_a_rejection_leaves_what_was_there(
    systemctl: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str], word: str
) -> None:
    arguments = ("schedule", "install", "--systemd", "--home", tmp_path, "--at")
    (systemctl / "refuses").write_text(word)
    code, line = rejection(capsys, *arguments, "0 3 * * *")
    assert code == ExitCode.UNAVAILABLE
    assert "leave --systemd out to let cron do it" in line
    assert units(tmp_path) == []
    (systemctl / "refuses").unlink()
    run([str(argument) for argument in (*arguments, "0 4 * * *")])
    (systemctl / "refuses").write_text(word)
    rejection(capsys, *arguments, "0 5 * * *")
    assert scheduled(tmp_path) == "0 4 * * *"


def test_without_systemd_the_rejection_says_so(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    code, line = rejection(capsys, "schedule", "install", "--systemd", "--home", tmp_path)
    assert code == ExitCode.UNAVAILABLE
    assert "there is no systemd on this machine" in line


def test_nothing_in_a_path_means_anything_to_systemd() -> None:
    home = Path('/srv/it\'s 50% $HOME \\ "x"')
    service, timer = unit_files(home, "0 3 * * *", ["/bin/echo", str(home)], home / "log").values()
    assert r'''ExecStart="/bin/echo" "/srv/it's 50%% $$HOME \\ \"x\""''' in service
    assert "StandardOutput=append:/srv/it's 50%% $HOME" in service
    assert "OnCalendar=*-*-* 03:00:00" in timer
