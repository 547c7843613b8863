"""A real cron daemon and a real systemd run an installed schedule against the stand-in for Yahoo.

They change the crontab and start daemons, so only a machine that was made for it runs them: .ci/run sets
FORECAST_TEST_SCHEDULERS.
"""

import os
import shutil
import subprocess
import time
from collections.abc import Callable, Iterator
from contextlib import suppress
from datetime import datetime
from pathlib import Path
from typing import TypeVar

import pytest
from trained_home import LEARNING
from yahoo_server import YahooServer, company, serving

from forecaster.cli.main import run
from forecaster.errors import ExitCode
from forecaster.ledger.ledger import Ledger
from forecaster.prices.store import PriceStore
from forecaster.registry.versions import ModelRegistry
from forecaster.service.run_status import RunStatus, read_run_status

Found = TypeVar("Found")
pytestmark = pytest.mark.skipif(
    "FORECAST_TEST_SCHEDULERS" not in os.environ,
    reason="real cron and systemd are left alone unless FORECAST_TEST_SCHEDULERS is set",
)
SETTINGS = """\
[yahoo]
url = "{url}"
rate = 0
backoff = 0
[train]
device = "cpu"
[run]
retrain_after = 5
"""
OTHERS = """\
# somebody else's
MAILTO=""
FORECAST_NOW=2026-11-20T22:30:00

17 3 * * 0 /bin/true%nothing to see \\% here
"""


def needs(program: str) -> str:
    found = shutil.which(program, path=f"{os.environ['PATH']}:/usr/sbin:/lib/systemd")
    if found is None:
        pytest.skip(f"{program} is not installed on this machine")
    return found


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """Prices to the 13th and a model trained on them; settings that a scheduled run finds by itself."""
    home = tmp_path / "it's 50% of $HOME \\%\\\\\u2028\x85"
    home.mkdir()
    companies = [company(name, first="2024-11-01", persistence=0.8) for name in ("AAA", "BBB")]
    with serving(*companies) as yahoo:
        (home / "forecast.toml").write_text(SETTINGS.format(url=yahoo.url))
        turn_to(yahoo, monkeypatch, "2026-11-13")
        assert run(["fetch", "AAA", "BBB", "--quiet", "--home", str(home)]) == ExitCode.DONE
        assert run(["train", *LEARNING, "--quiet", "--home", str(home)]) == ExitCode.DONE
        turn_to(yahoo, monkeypatch, "2026-11-20")
        yield home


def turn_to(yahoo: YahooServer, monkeypatch: pytest.MonkeyPatch, day: str) -> None:
    monkeypatch.setenv("FORECAST_NOW", f"{day}T22:30:00")
    yahoo.now = datetime.fromisoformat(f"{day}T22:30:00+00:00")


@pytest.fixture
def cron() -> Iterator[None]:
    """Debian's daemon and somebody else's crontab; both as they were afterwards."""
    needs("crontab")
    before = crontab("-l", check=False)
    crontab("-", given=OTHERS)
    daemon = subprocess.Popen([needs("cron"), "-f"])
    try:
        yield
    finally:
        daemon.kill()
        daemon.wait()
        crontab("-", given=before) if before else crontab("-r")


def crontab(word: str, given: str | None = None, *, check: bool = True) -> str:
    return subprocess.run(["crontab", word], input=given, capture_output=True, text=True, check=check).stdout


@pytest.fixture
def systemd(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """A systemd for this user that knows of no other units."""
    program = needs("systemd")
    booted, runtime = Path("/run/systemd/system"), tmp_path / "runtime"
    made = not booted.exists()
    booted.mkdir(parents=True, exist_ok=True)  # without it, systemd takes the machine for one without it
    runtime.mkdir(mode=0o700)
    monkeypatch.setenv("XDG_RUNTIME_DIR", str(runtime))
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path / "config"))
    log = (tmp_path / "systemd.log").open("w")
    manager = subprocess.Popen([program, "--user"], stdout=log, stderr=log)
    try:
        answers = ["systemctl", "--user", "show-environment"]
        wait_for(
            lambda: subprocess.run(answers, capture_output=True, check=False).returncode == 0 or None, 20
        )
        yield
    finally:
        manager.terminate()
        manager.wait()
        log.close()
        if made:
            with suppress(OSError):
                booted.rmdir()


def answers() -> bool | None:
    asked = ["systemctl", "--user", "show-environment"]
    return None if subprocess.run(asked, capture_output=True, check=False).returncode else True


def wait_for(look: Callable[[], Found | None], seconds: float) -> Found:
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline:
        found = look()
        if found is not None:
            return found
        time.sleep(0.2)
    raise AssertionError(f"nothing came in {seconds} seconds")


def finished(home: Path) -> RunStatus | None:
    status = read_run_status(home)
    return status if status and status.exit_code is not None else None


def assert_the_night_s_work_is_done(home: Path, status: RunStatus) -> None:
    assert (status.outcome, status.exit_code) == ("done", ExitCode.DONE), status
    assert str(PriceStore(home).info("AAA").last) == "2026-11-20"
    assert ModelRegistry(home).versions("main") == [1, 2]
    assert Ledger(home).select("SELECT COUNT(*), MIN(origin) FROM forecasts") == [(6, "2026-11-20")]
    assert (home / "logs" / "run.log").read_text() == ""  # quiet when all is well


@pytest.mark.usefixtures("cron")
def test_cron_does_the_night_s_work_within_two_minutes(
    home: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    before = crontab("-l")
    assert run(["schedule", "install", "--at", "* * * * *", "--home", str(home)]) == ExitCode.DONE
    assert "no cron daemon" not in capsys.readouterr().err
    status = wait_for(lambda: finished(home), 120)
    assert run(["schedule", "status", "--home", str(home)]) == ExitCode.DONE
    assert "cron:        waits for it" in capsys.readouterr().out
    assert run(["schedule", "remove", "--home", str(home)]) == ExitCode.DONE
    assert_the_night_s_work_is_done(home, status)
    assert crontab("-l") == before


@pytest.mark.usefixtures("systemd")
def test_systemd_does_the_night_s_work(home: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["schedule", "install", "--systemd", "--home", str(home)]) == ExitCode.DONE
    timers = subprocess.run(
        ["systemctl", "--user", "list-timers", "--all"], capture_output=True, text=True, check=True
    ).stdout
    service = next(word for word in timers.split() if word.endswith(".service"))
    setting = ["systemctl", "--user", "set-environment", "FORECAST_NOW=2026-11-20T22:30:00"]
    subprocess.run(setting, check=True)
    subprocess.run(["systemctl", "--user", "start", service], check=True)  # as the timer will
    status = wait_for(lambda: finished(home), 60)
    capsys.readouterr()
    assert run(["schedule", "status", "--home", str(home)]) == ExitCode.DONE
    assert "systemd:     waits for it" in capsys.readouterr().out
    assert run(["schedule", "remove", "--home", str(home)]) == ExitCode.DONE
    assert_the_night_s_work_is_done(home, status)
