"""`forecast run`, from the stand-in for Yahoo to recorded forecasts, and when a step goes wrong."""

import json
import time
from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

import pytest
from command import QUICK_AND_KERAS, rejection, started
from quick_training import train_quickly
from yahoo_server import YahooServer, company, serving

from forecaster.cli.main import run
from forecaster.errors import ExitCode, ForecastError, NotFoundError
from forecaster.files import home_lock
from forecaster.ledger.ledger import Ledger
from forecaster.prices.store import PriceStore
from forecaster.registry.versions import ModelRegistry
from forecaster.service import nightly as daily
from forecaster.service.events import log_event
from forecaster.service.nightly import daily_run, predict_step
from forecaster.service.run_status import RunStatus, read_run_status, write_run_status
from forecaster.settings import RunSettings, Settings, load_settings

NOW = datetime(2026, 11, 21, 22, 30, tzinfo=UTC)
SIZES = {"lookback": 12, "horizon": 3, "units": 2, "epochs": 1, "batch-size": 8}
TINY = [word for name, size in SIZES.items() for word in (f"--{name}", str(size))]


@pytest.fixture
def yahoo(monkeypatch: pytest.MonkeyPatch) -> Iterator[YahooServer]:
    with serving(company("AAA", persistence=0.8), company("BBB", persistence=0.8)) as server:
        for name, value in {"URL": server.url, "RATE": "0", "BACKOFF": "0", "RETRIES": "1"}.items():
            monkeypatch.setenv(f"FORECAST_YAHOO_{name}", value)
        monkeypatch.setenv("FORECAST_TRAIN_DEVICE", "cpu")
        yield server


@pytest.mark.parametrize("quick", QUICK_AND_KERAS)
def test_a_run_fetches_retrains_records_and_scores(
    yahoo: YahooServer, monkeypatch: pytest.MonkeyPatch, tmp_path: Path, quick: bool
) -> None:
    home = tmp_path / "home"

    def at(day: str) -> None:
        monkeypatch.setenv("FORECAST_NOW", f"{day}T22:30:00")
        yahoo.now = datetime.fromisoformat(f"{day}T22:30:00+00:00")

    at("2026-11-13")
    run(["fetch", "AAA", "BBB", "--quiet", "--home", str(home)])
    with monkeypatch.context() as once:
        train_quickly(once)
        assert run(["train", *TINY, "--quiet", "--home", str(home)]) == ExitCode.DONE
    run(["predict", "AAA", "--record", "--quiet", "--home", str(home)])
    at("2026-11-20")
    monkeypatch.setenv("FORECAST_RUN_RETRAIN_AFTER", "5")
    process = started(["run", "--home", home], quick=quick)
    assert (*process.communicate(timeout=300), process.returncode) == ("", "", ExitCode.DONE)
    assert str(PriceStore(home).info("AAA").last) == "2026-11-20"
    assert ModelRegistry(home).versions("main") == [1, 2]
    recorded = Ledger(home).select("SELECT COUNT(*) FROM forecasts WHERE origin = '2026-11-20'")
    assert recorded == [(6,)]
    assert Ledger(home).select("SELECT COUNT(log_return) FROM forecasts") == [(3,)]
    for version, reference in Ledger(home).select("SELECT DISTINCT version, reference FROM forecasts"):
        assert reference == ModelRegistry(home).card("main", version)["reference"]
    status = read_run_status(home)
    assert status is not None
    assert (status.outcome, status.exit_code) == ("done", 0)
    events = [json.loads(line) for line in (home / "logs" / "events.jsonl").read_text().splitlines()]
    assert [event["step"] for event in events if event["event"] == "step"] == list(daily.STEPS)


def sleeping(_settings: Settings, _now: datetime) -> str:
    time.sleep(60)
    return ""


def rejecting(_settings: Settings, _now: datetime) -> str:
    raise NotFoundError("there is nothing", "bring some")


def working(_settings: Settings, _now: datetime) -> str:
    print("what libraries say")  # noqa: T201
    return "well"


def breaking(_settings: Settings, _now: datetime) -> str:
    raise KeyError("x")


def test_a_step_that_fails_or_hangs_does_not_stop_the_next(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    steps = {"fetch": rejecting, "retrain": sleeping, "predict": breaking, "score": working}
    monkeypatch.setattr(daily, "STEPS", steps)
    settings = replace(Settings(tmp_path), run=RunSettings(retrain_minutes=0.02))
    report = daily_run(settings, NOW)
    codes = [step.error and step.error.exit_code for step in report.steps]
    assert codes == [ExitCode.NOT_FOUND, ExitCode.TRY_LATER, ExitCode.FAILED, None]
    assert report.steps[3].text == "well"
    assert capfd.readouterr().out == ""
    logs = tmp_path / "logs"
    assert (logs / "score-output.log").read_text() == "what libraries say\n"
    assert "in breaking" in (logs / "predict-output.log").read_text()
    with pytest.raises(NotFoundError, match=r"fetch: there is nothing \(failed too: retrain, predict"):
        report.complain()
    status = read_run_status(tmp_path)
    assert status is not None
    assert (status.outcome, status.exit_code) == ("failed", ExitCode.NOT_FOUND)


def test_a_second_run_leaves_at_once(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    with home_lock(tmp_path / "logs"):
        code, line = rejection(capsys, "run", "--home", tmp_path)
    assert code == ExitCode.TRY_LATER
    assert "another `forecast run` is at work" in line
    assert read_run_status(tmp_path) is None


def test_the_run_status_tells_how_far_a_run_is_and_that_it_was_cut_off(tmp_path: Path) -> None:
    status = RunStatus("2026-11-21T22:30:00+00:00", "running", "retrain", 12.5, None, {"fetch": "well"})
    with home_lock(tmp_path / "logs"):
        write_run_status(tmp_path, status)
        assert read_run_status(tmp_path) == status
        assert status.text == "2026-11-21 22:30 UTC, running at retrain"
    cut = read_run_status(tmp_path)
    assert cut is not None
    assert cut.text == "2026-11-21 22:30 UTC, cut off at retrain"


def test_an_event_keeps_known_types_and_rejects_others(tmp_path: Path) -> None:
    log_event(tmp_path, NOW, "test", day=NOW.date(), folder=Path("data"))
    with pytest.raises(TypeError, match="set has no form in JSON"):
        log_event(tmp_path, NOW, "test", tickers={"AAA"})
    (line,) = (tmp_path / "logs" / "events.jsonl").read_text(encoding="utf-8").splitlines()
    assert json.loads(line) | {"time": ""} == {
        "time": "",
        "event": "test",
        "day": NOW.date().isoformat(),
        "folder": "data",
    }


def test_the_log_is_turned_over(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("forecaster.service.events.MOST_BYTES", 100)
    for number in range(9):
        log_event(tmp_path, NOW, "test", number=number, text="x" * 60)
    logs = tmp_path / "logs"
    assert sorted(path.name for path in logs.iterdir()) == ["events.1.jsonl", "events.jsonl"]
    newest = (logs / "events.jsonl").read_text().splitlines()[-1]
    assert json.loads(newest)["number"] == 8


def test_a_line_that_a_power_cut_tore_spoils_no_other(tmp_path: Path) -> None:
    log_event(tmp_path, NOW, "before")
    log = tmp_path / "logs" / "events.jsonl"
    log.write_bytes(log.read_bytes() + b'{"time": "2026-11-21T22:30:0')
    log_event(tmp_path, NOW, "after")
    lines = log.read_text().splitlines()
    assert [json.loads(line)["event"] for line in (lines[0], lines[2])] == ["before", "after"]


@pytest.mark.parametrize("content", ["{", "[]", "{}", '{"started": 3, "outcome": "done"}', '{"new": 1}'])
def test_a_damaged_run_status_is_none(tmp_path: Path, content: str) -> None:
    (tmp_path / "logs").mkdir()
    (tmp_path / "logs" / "run_status.json").write_text(content)
    assert read_run_status(tmp_path) is None


def test_a_report_without_failures_says_nothing() -> None:
    failed = daily.StepReport("score", "alarm", 1.0, ForecastError("alarm"))
    assert daily.DailyReport(()).exit_code == ExitCode.DONE
    daily.DailyReport(()).complain()
    assert daily.DailyReport((failed,)).exit_code == ExitCode.FAILED


def test_the_night_tells_of_forecasts_beside_a_market_of_few(own_home: Path) -> None:
    settings, store = load_settings(own_home, {}), PriceStore(own_home)
    now = datetime(2026, 11, 20, 22, 30, tzinfo=UTC)
    assert "market" not in predict_step(settings, now)
    for ticker in ("BBB", "CCC"):
        store.write(store.read(ticker).take(slice(0, -1)), source="test", fetched_at=now)
    assert predict_step(settings, now).endswith(", beside a market of few members: 2")


def test_the_night_tells_of_earnings_dates_that_cannot_be_read(own_home: Path) -> None:
    settings, now = load_settings(own_home, {}), datetime(2026, 11, 20, 22, 30, tzinfo=UTC)
    path = own_home / "data" / "earnings.parquet"
    path.write_bytes(b"PAR1 and nothing more")
    text = predict_step(settings, now)
    assert f"; without earnings dates: {path} is damaged: " in text
    assert text.startswith("forecasts recorded: ")
