"""Each check, sound and not: what it says, and how to fix it."""

import os
import shutil
import sys
import threading
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from types import SimpleNamespace

import pytest
from earnings_factory import after, said
from factories import filled_store, random_walk_table
from ledger_factory import normal, prediction, record_now
from network_factory import card_of, random_network
from trained_home import LAST_SESSION, recent_table

from forecaster.files import home_lock
from forecaster.prices.earnings.store import EarningsStore, StoredEarnings
from forecaster.registry.versions import ModelRegistry
from forecaster.service import doctor
from forecaster.service.doctor import Finding, examine
from forecaster.service.run_status import RunStatus, write_run_status
from forecaster.service.schedule import install as schedule

NOW = datetime(2026, 11, 21, 22, 30, tzinfo=UTC)


def findings(home: Path, now: datetime = NOW, **environ: str) -> dict[str, Finding]:
    return {finding.check: finding for finding in examine(home, now, environ, deep=False)}


@pytest.fixture
def home(tmp_path: Path) -> Path:
    """Prices, a model and a ledger of the day, written at NOW."""
    folder = tmp_path / "home"
    filled_store(folder, recent_table("AAA"))
    network = random_network()
    card = card_of(network, prices={"last_day": str(LAST_SESSION), "digest": ""})
    ModelRegistry(folder).register("main", network, card, b"keras")
    record_now(folder, prediction("AAA", LAST_SESSION, normal(0.01), normal(0.02)))
    for path in folder.rglob("*"):
        os.utime(path, (NOW.timestamp(), NOW.timestamp()))
    return folder


def test_a_sound_home_is_sound_in_every_line(home: Path) -> None:
    found = findings(home)
    assert {finding.check: finding.remedy for finding in found.values() if finding.state != "ok"} == {}
    assert "2026-11-20, 0 sessions old" in found["prices"].text
    assert "main@1 knows prices to 2026-11-20" in found["models"].text
    assert "forecasts: 1, scored: 0" in found["ledger"].text
    assert found["time zone"].text.endswith("New York last closed on 2026-11-20, at 21:00 here")


def test_earnings_dates_are_counted_and_grow_stale(home: Path) -> None:
    assert findings(home)["earnings dates"].text.startswith("none stored")
    dates = said("yahoo", "AAA 2026-10-29 after", "AAA 2027-02-01 after scheduled", "BBB 2026-10-01")
    store = EarningsStore(home)
    store.write(StoredEarnings(after(("2026-11-01", dates)), {"yahoo": {"AAA": "2026-11-01"}}))
    found = findings(home)["earnings dates"]
    assert (found.state, found.text) == (
        "ok",
        "tickers: 2; announced: 1; yahoo last answered on 2026-11-01",
    )
    found = findings(home, NOW + timedelta(days=8))["earnings dates"]
    assert (found.state, "some are older than 28 days" in found.text) == ("warn", True)
    store.path.write_bytes(b"rubbish")
    found = findings(home)["earnings dates"]
    assert (found.state, "is damaged" in found.text) == ("fail", True)


def test_a_home_that_is_not_there_is_not_made(tmp_path: Path) -> None:
    found = findings(tmp_path / "none")
    assert {check for check, finding in found.items() if finding.state == "warn"} == {
        *("home folder", "prices", "models")
    }
    assert not any(finding.state == "fail" for finding in found.values())
    assert not (tmp_path / "none").exists()


def damage(*parts: str) -> Callable[[Path], object]:
    return lambda home: home.joinpath(*parts).write_bytes(b"rubbish" * 500)


def age_prices(home: Path) -> None:
    filled_store(home, random_walk_table("AAA"))


def age_model(home: Path) -> None:
    network = random_network()
    ModelRegistry(home).register("main", network, card_of(network), b"keras")


def models_is_a_file(home: Path) -> None:
    shutil.rmtree(home / "models")
    (home / "models").write_text("no folder")


@pytest.mark.parametrize(
    ("harm", "check", "state", "remedy"),
    [
        pytest.param(damage("data", "prices", "AAA.parquet"), "prices", "fail", "data verify", id="prices"),
        pytest.param(damage("models", "main", "1", "weights.npz"), "models", "fail", "rollback", id="model"),
        pytest.param(damage("models", "main", "champion"), "models", "fail", "rollback", id="champion"),
        pytest.param(damage("models", "ledger.sqlite"), "ledger", "fail", "move it away", id="ledger"),
        pytest.param(damage("forecast.toml"), "settings", "fail", "fix or remove", id="settings"),
        pytest.param(models_is_a_file, "home folder", "fail", "fix its permissions", id="no folder"),
        pytest.param(age_prices, "prices", "warn", "forecast fetch", id="old prices"),
        pytest.param(age_model, "models", "warn", "forecast retrain", id="old model"),
    ],
)
def test_what_is_wrong_is_named_with_its_remedy(
    home: Path, harm: Callable[[Path], object], check: str, state: str, remedy: str
) -> None:
    harm(home)
    found = findings(home)[check]
    assert (found.state, remedy in found.remedy) == (state, True)


@pytest.mark.parametrize(
    ("last", "daemon", "state", "words"),
    [
        pytest.param(None, True, "ok", "last run: none yet", id="new"),
        pytest.param(("2026-11-20", "done", 0), True, "ok", "next at 2026-11-23T22:30", id="well"),
        pytest.param(("2026-11-20", "failed", 69), True, "warn", "exit code 69", id="failed"),
        pytest.param(("2026-11-20", "running", None), True, "warn", "cut off", id="killed"),
        pytest.param(("2026-11-18", "done", 0), True, "fail", "nothing ran at 2026-11-19T22:30", id="missed"),
        pytest.param(("2026-11-20", "done", 0), False, "fail", "no daemon runs it", id="no daemon"),
    ],
)
def test_the_schedule(
    home: Path,
    table: Path,
    monkeypatch: pytest.MonkeyPatch,
    last: tuple[str, str, int | None] | None,
    daemon: bool,
    state: str,
    words: str,
) -> None:
    assert findings(home)["schedule"].state == "ok"
    schedule.install(home, "30 22 * * 1-5")
    assert table.exists()
    monkeypatch.setattr("forecaster.service.schedule.crontab.daemon_runs", lambda: daemon)
    if last is not None:
        write_run_status(home, RunStatus(f"{last[0]}T22:30:00+00:00", last[1], exit_code=last[2]))
    found = findings(home)["schedule"]
    assert (found.state, words in found.text) == (state, True)
    assert bool(found.remedy) == (state != "ok")


def test_a_lock_that_is_held_is_said(home: Path) -> None:
    with home_lock(home):
        held: list[Finding] = []
        other = threading.Thread(target=lambda: held.append(findings(home)["lock"]))
        other.start()
        other.join()
    assert held[0].state == "warn"
    assert findings(home)["lock"].text == "free"


@pytest.mark.parametrize(("free", "state"), [(10**8, "fail"), (10**9, "warn"), (10**10, "ok")])
def test_space(home: Path, monkeypatch: pytest.MonkeyPatch, free: int, state: str) -> None:
    monkeypatch.setattr(shutil, "disk_usage", lambda _: SimpleNamespace(free=free))
    assert findings(home)["disk space"].state == state


def test_a_clock_behind_the_files_is_wrong(home: Path) -> None:
    assert findings(home, NOW - timedelta(days=400))["clock"].state == "fail"
    assert findings(home, FORECAST_NOW="2026-11-21")["clock"].state == "warn"


def test_an_engine_that_is_not_there(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    assert findings(home, KERAS_BACKEND="nonesuch")["engine"].remedy == "pip install nonesuch"
    monkeypatch.setattr(doctor, "_NVIDIA_DRIVER", home)
    assert "an NVIDIA driver is there" in findings(home)["engine"].text


def test_packages_that_are_missing(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    needed = ["numpy>=1.26", "nonesuch<2", 'mypy>=1; extra == "dev"']
    monkeypatch.setattr(doctor, "requires", lambda _: needed)
    assert findings(home)["packages"].text == "missing: nonesuch"


def test_a_library_that_cannot_be_imported_is_a_finding(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "forecaster.prices.store", None)
    assert findings(home)["prices"].state == "fail"
