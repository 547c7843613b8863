"""The nightly refresh of earnings dates: once a week, from the services in use, and never in the way."""

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from earnings_factory import written
from factories import closes_table, filled_store
from sec_server import SecServer, filing, serving_filings, unpaced

from forecaster.cli.main import run
from forecaster.errors import BadInputError, ExitCode, TryLaterError
from forecaster.prices.earnings.store import EarningsStore
from forecaster.service.nightly import STEPS, Step, daily_run
from forecaster.service.refreshing import refresh_earnings
from forecaster.settings import SecSettings, Settings

FRIDAY = datetime(2026, 11, 20, 22, 30, tzinfo=UTC)
TICKERS = ("AAA", "BBB", "^GSPC", "BTC-USD")


@pytest.fixture
def sec(tmp_path: Path) -> Iterator[SecServer]:
    filled_store(tmp_path, *(closes_table(name, ["2026-11-19", "2026-11-20"], [1, 2]) for name in TICKERS))
    with serving_filings({"AAA": [[filing("2026-10-29T20:30:12")]], "BBB": [[]]}) as server:
        yield server


@pytest.fixture
def settings(sec: SecServer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Settings:
    """The SEC's dates of AAA were fetched on Friday."""
    unpaced(monkeypatch)
    values = {"URL": sec.url, "USER_AGENT": "Jane jane@example.com", "RATE": "10"}
    for name, value in values.items():
        monkeypatch.setenv(f"FORECAST_SEC_{name}", value)
    monkeypatch.setenv("FORECAST_NOW", f"{FRIDAY:%Y-%m-%dT%H:%M:%S}")
    Path("prices.csv").write_text("ticker,date,close\nAAA,2026-11-20,2\n")
    assert run(["fetch", "AAA", "--source", "prices.csv", "--earnings", "sec", "--quiet"]) == 0
    sec.requests.clear()
    asked = SecSettings(user_agent="Jane jane@example.com", url=sec.url, rate=10, retries=0, backoff=0)
    return Settings(tmp_path, sec=asked)


def after(days: int) -> datetime:
    return FRIDAY + timedelta(days=days)


def stored(settings: Settings) -> list[str]:
    return [row.rsplit(" ", 3)[0] for row in written(EarningsStore(settings.home).read().table)]


def test_it_is_a_step_of_the_night_between_prices_and_models() -> None:
    assert list(STEPS)[:3] == ["fetch", "earnings", "retrain"]


def test_where_no_service_was_ever_used_nobody_is_asked(sec: SecServer, tmp_path: Path) -> None:
    assert refresh_earnings(Settings(tmp_path), FRIDAY) == "no earnings dates are due"
    assert not sec.requests


def test_each_ticker_is_asked_for_once_a_week(settings: Settings, sec: SecServer) -> None:
    # BBB was not asked for yet; indices and coins never are.
    assert refresh_earnings(settings, after(1)) == "sec: tickers with dates: 0, new: 0"
    assert sec.requests["/submissions/CIK0000000002.json"] == 1
    assert sec.requests["/submissions/CIK0000000001.json"] == 0
    assert refresh_earnings(settings, after(6)) == "no earnings dates are due"
    sec.companies["AAA"][0].insert(0, filing("2026-11-25T12:00:00"))
    assert refresh_earnings(settings, after(7)) == "sec: tickers with dates: 1, new: 1"
    assert stored(settings) == ["AAA 2026-10-29 after reported", "AAA 2026-11-25 before reported"]


def test_a_service_that_fails_is_no_failure_until_dates_are_stale(settings: Settings, sec: SecServer) -> None:
    sec.faults["*"] = "500"
    text = refresh_earnings(settings, after(8))
    assert "sec: not all answered: the SEC could not be used: status 500" in text
    assert refresh_earnings(settings, after(27)).endswith("status 500")
    with pytest.raises(TryLaterError, match="older than 28 days: sec has not confirmed AAA: the SEC"):
        refresh_earnings(settings, after(28))
    assert stored(settings) == ["AAA 2026-10-29 after reported"]
    sec.faults.clear()
    assert refresh_earnings(settings, after(28)).startswith("sec: tickers with dates: 1")


def test_without_the_contact_the_night_goes_on(settings: Settings, sec: SecServer) -> None:
    text = refresh_earnings(Settings(settings.home, sec=SecSettings(url=sec.url)), after(7))
    assert text.startswith("sec: not all answered: the SEC answers only those who say who they are")


def here(_name: str, step: Step, settings: Settings, now: datetime) -> str:
    return step(settings, now)


def test_a_night_with_a_damaged_file_names_the_command_that_restores_it(
    settings: Settings, sec: SecServer, capsys: pytest.CaptureFixture[str]
) -> None:
    EarningsStore(settings.home).path.write_bytes(b"rubbish")
    night = daily_run(settings, FRIDAY, here)
    assert night.exit_code == ExitCode.BAD_INPUT
    assert [step.name for step in night.steps if isinstance(step.error, BadInputError)] == ["earnings"]
    with pytest.raises(BadInputError, match=r"^earnings: .*earnings\.parquet is damaged: ") as raised:
        night.complain()
    assert raised.value.remedy == (
        "`forecast fetch --earnings yahoo` replaces it, as does --earnings sec or FILE: run it for each "
        "source that you use, or put back a copy of the file, which also has the days on which dates became "
        "known"
    )
    assert "\n" not in str(raised.value)
    command = ["fetch", "AAA", "--source", "prices.csv", "--earnings", "sec"]
    assert run(command) == ExitCode.DONE
    assert "is damaged: " in (note := capsys.readouterr().err)
    assert "it was replaced by what was fetched" in note
    assert stored(settings) == ["AAA 2026-10-29 after reported"]
    sec.requests.clear()
    assert refresh_earnings(settings, after(7)).startswith("sec: tickers with dates: 1")
    assert sec.requests["/submissions/CIK0000000001.json"] == 1
