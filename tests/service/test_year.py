"""A year of nights: a split, dividends, a delisting, a rename, three outages; nobody looks after it.

Every weekday evening one run, its steps in this process; what the daemon adds is tested elsewhere.
"""

import os
from collections import Counter
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import scipy.stats
from trained_home import LEARNING
from yahoo_server import Company, YahooServer, company, serving

from forecaster.cli.main import run
from forecaster.errors import ExitCode
from forecaster.ledger.ledger import Ledger
from forecaster.ledger.live_scores import live_scores
from forecaster.prices.store import PriceStore
from forecaster.registry.versions import ModelRegistry
from forecaster.service.nightly import DailyReport, Step, daily_run
from forecaster.settings import Settings, load_settings

FIRST, LAST = (datetime(year, 11, 20, 22, 30, tzinfo=UTC) for year in (2025, 2026))
SPLIT_DAY, DELISTED_AFTER, RENAMED_ON = "2026-03-10", "2026-05-15", "2026-08-03"
DIVIDENDS = dict.fromkeys(("2025-12-12", "2026-03-12", "2026-06-12", "2026-09-11"), 0.8)
OUTAGES = {  # fault: its first and last day
    "503": ("2026-01-12", "2026-01-14"),
    "429": ("2026-04-20", "2026-04-20"),
    "reset": ("2026-09-28", "2026-10-02"),
}
OUTAGE_NIGHTS = 3 + 1 + 5


@pytest.fixture
def yahoo(monkeypatch: pytest.MonkeyPatch) -> Iterator[YahooServer]:
    names = ("CALM", "SPLIT", "PAYS", "GONE", "OLD")
    walks = {name: company(name, "2024-06-03", "2026-12-31", persistence=0.8) for name in names}
    walks["SPLIT"].splits[SPLIT_DAY] = 4.0
    walks["SPLIT"].closes[walks["SPLIT"].dates >= np.datetime64(SPLIT_DAY)] /= 4
    walks["PAYS"].dividends |= DIVIDENDS
    kept = walks["GONE"].dates <= np.datetime64(DELISTED_AFTER)
    gone = walks["GONE"]
    walks["GONE"] = Company("GONE", gone.dates[kept], gone.closes[kept], gone.volumes[kept])
    with serving(*walks.values()) as server:
        for name, value in {"URL": server.url, "RATE": "0", "BACKOFF": "0", "RETRIES": "0"}.items():
            monkeypatch.setenv(f"FORECAST_YAHOO_{name}", value)
        monkeypatch.setenv("FORECAST_TRAIN_DEVICE", "cpu")
        monkeypatch.setenv("FORECAST_RUN_RETRAIN_AFTER", "63")
        yield server


def here(_name: str, step: Step, settings: Settings, now: datetime) -> str:
    return step(settings, now)


class Year:
    """One home folder, one server, and the evening that it is for both."""

    def __init__(self, home: Path, yahoo: YahooServer, monkeypatch: pytest.MonkeyPatch) -> None:
        self.home, self.yahoo, self.monkeypatch = home, yahoo, monkeypatch
        self.settings = load_settings(home, os.environ)
        self.codes: Counter[int] = Counter()

    def turn_to(self, evening: datetime) -> str:
        """The day, once the server has become what it is on that day."""
        self.monkeypatch.setenv("FORECAST_NOW", evening.isoformat())
        self.yahoo.now = evening
        day = str(evening.date())
        self.yahoo.heal()
        for fault, (first, last) in OUTAGES.items():
            if first <= day <= last:
                self.yahoo.fail("*", fault)
        if day > DELISTED_AFTER:
            self.yahoo.companies.pop("GONE", None)
        if day >= RENAMED_ON and "OLD" in self.yahoo.companies:
            old = self.yahoo.companies.pop("OLD")
            self.yahoo.add(Company("NEW", old.dates, old.closes, old.volumes))
            self.do("fetch", "NEW")
        return day

    def do(self, *arguments: str) -> None:
        assert run([*arguments, "--quiet", "--home", str(self.home)]) == ExitCode.DONE, arguments

    def night(self, evening: datetime) -> DailyReport:
        self.turn_to(evening)
        report = daily_run(self.settings, evening, here)
        self.codes[report.exit_code] += 1
        return report


@pytest.fixture
def year(tmp_path: Path, yahoo: YahooServer, monkeypatch: pytest.MonkeyPatch) -> Year:
    """The home folder after a year of nights."""
    year = Year(tmp_path / "home", yahoo, monkeypatch)
    year.turn_to(FIRST)
    year.do("fetch", *yahoo.companies)
    year.do("train", *LEARNING)
    evening = FIRST
    while evening <= LAST:
        if evening.weekday() < 5:
            year.night(evening)
        evening += timedelta(days=1)
    return year


def test_a_year_ends_with_everything_scored_by_the_final_prices(year: Year, tmp_path: Path) -> None:
    assert year.codes == {ExitCode.DONE: 262 - OUTAGE_NIGHTS, ExitCode.TRY_LATER: OUTAGE_NIGHTS}
    assert ModelRegistry(year.home).champion("main") >= 3
    store, fresh = PriceStore(year.home), PriceStore(tmp_path / "fresh")
    run(["fetch", *year.yahoo.companies, "--quiet", "--home", str(tmp_path / "fresh")])
    for ticker in fresh.tickers():
        assert store.info(ticker).digest == fresh.info(ticker).digest, ticker
    assert_scores_are_those_of_the_final_prices(year.home, store)


def assert_scores_are_those_of_the_final_prices(home: Path, store: PriceStore) -> None:
    columns = (
        "ticker, origin, target, step, location, scale, degrees_of_freedom, naive_location, naive_scale, "
        "log_return, crps, covered, naive_crps, naive_covered"
    )
    rows = Ledger(home).select(f"SELECT {columns} FROM forecasts")  # noqa: S608
    tables = {ticker: store.read("NEW" if ticker == "OLD" else ticker) for ticker in store.tickers()}
    expected: dict[int, list[list[float]]] = {}
    for ticker, origin, target, step, *forecast, log_return, crps, covered, naive_crps, naive_covered in rows:
        table = tables[ticker]
        closes = dict(zip(table.dates.astype(str), table.columns["adj_close"], strict=True))
        if target not in closes:
            assert log_return is None
            assert ticker == "GONE" or target > str(LAST.date())
            continue
        truth = np.log(closes[target] / closes[origin])
        assert log_return == pytest.approx(truth, abs=1e-12)
        learnt, walk = scipy.stats.t(forecast[2], *forecast[:2]), scipy.stats.norm(*forecast[3:])
        losses = [*scores(learnt, truth), *scores(walk, truth)]
        assert [crps, covered, naive_crps, naive_covered] == pytest.approx(losses, rel=1e-5)
        expected.setdefault(step, []).append(losses)
    assert sum(map(len, expected.values())) > 3000
    for live in live_scores(Ledger(home)):
        means = np.mean(expected[live.step], axis=0)
        found = [live.crps, live.coverage_90, live.naive_crps, live.naive_coverage_90]
        assert found == pytest.approx(means, rel=1e-5)


def scores(forecast: Any, truth: float) -> tuple[float, int]:
    """Twice the mean pinball loss over 19 quantiles, and whether the outer two hold."""
    levels = np.arange(1, 20) / 20
    quantiles = forecast.ppf(levels)
    loss = np.where(truth >= quantiles, levels, levels - 1) * (truth - quantiles)
    return 2 * loss.mean(), int(quantiles[0] <= truth <= quantiles[-1])
