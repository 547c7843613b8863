"""Nights with a split, dividends, a delisting, a rename and three outages; nobody looks after them.

Six weeks of them by default, whose networks are trained in closed form; a year under `make slow`. Every
weekday evening one run, its steps in this process; what the daemon adds is tested elsewhere.
"""

import os
from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import scipy.stats
from quick_training import train_quickly
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

OUTAGE_KINDS = ("503", "429", "reset")


@dataclass(frozen=True)
class Events:
    """What happens on which day; outages as fault: (first day, last day)."""

    first: str
    last: str
    split: str
    dividends: tuple[str, ...]
    delisted_after: str
    renamed_on: str
    outages: Mapping[str, tuple[str, str]]
    retrain_after: int
    forecasts: int

    def evenings(self) -> list[datetime]:
        """Every weekday's evening, in UTC."""
        days = np.arange(np.datetime64(self.first), np.datetime64(self.last) + 1)
        return [
            datetime.fromisoformat(f"{day}T22:30:00").replace(tzinfo=UTC)
            for day in days[np.is_busday(days)].astype(str)
        ]

    def outage_nights(self) -> int:
        """Weekday evenings on which Yahoo does not answer."""
        return sum(
            first <= str(evening.date()) <= last
            for evening in self.evenings()
            for first, last in self.outages.values()
        )


SIX_WEEKS = Events(
    first="2026-02-16",
    last="2026-03-27",
    split="2026-03-10",
    dividends=("2026-02-24", "2026-03-12"),
    delisted_after="2026-03-05",
    renamed_on="2026-03-16",
    outages=dict(
        zip(
            OUTAGE_KINDS,
            (("2026-02-19", "2026-02-20"), ("2026-03-03",) * 2, ("2026-03-18",) * 2),
            strict=True,
        )
    ),
    retrain_after=12,
    forecasts=300,
)
YEAR = Events(
    first="2025-11-20",
    last="2026-11-20",
    split="2026-03-10",
    dividends=("2025-12-12", "2026-03-12", "2026-06-12", "2026-09-11"),
    delisted_after="2026-05-15",
    renamed_on="2026-08-03",
    outages=dict(
        zip(
            OUTAGE_KINDS,
            (("2026-01-12", "2026-01-14"), ("2026-04-20",) * 2, ("2026-09-28", "2026-10-02")),
            strict=True,
        )
    ),
    retrain_after=63,
    forecasts=3000,
)


@pytest.fixture(
    params=[pytest.param(SIX_WEEKS, id="six-weeks"), pytest.param(YEAR, id="year", marks=pytest.mark.slow)]
)
def events(request: pytest.FixtureRequest) -> Events:
    return request.param


@pytest.fixture
def yahoo(events: Events, monkeypatch: pytest.MonkeyPatch) -> Iterator[YahooServer]:
    names = ("CALM", "SPLIT", "PAYS", "GONE", "OLD")
    walks = {name: company(name, "2024-06-03", "2026-12-31", persistence=0.8) for name in names}
    walks["SPLIT"].splits[events.split] = 4.0
    walks["SPLIT"].closes[walks["SPLIT"].dates >= np.datetime64(events.split)] /= 4
    walks["PAYS"].dividends |= dict.fromkeys(events.dividends, 0.8)
    kept = walks["GONE"].dates <= np.datetime64(events.delisted_after)
    gone = walks["GONE"]
    walks["GONE"] = Company("GONE", gone.dates[kept], gone.closes[kept], gone.volumes[kept])
    with serving(*walks.values()) as server:
        for name, value in {"URL": server.url, "RATE": "0", "BACKOFF": "0", "RETRIES": "0"}.items():
            monkeypatch.setenv(f"FORECAST_YAHOO_{name}", value)
        monkeypatch.setenv("FORECAST_TRAIN_DEVICE", "cpu")
        monkeypatch.setenv("FORECAST_RUN_RETRAIN_AFTER", str(events.retrain_after))
        if events is SIX_WEEKS:
            train_quickly(monkeypatch)
        yield server


def here(_name: str, step: Step, settings: Settings, now: datetime) -> str:
    return step(settings, now)


class Service:
    """One home folder, one server, and the evening that it is for both."""

    def __init__(
        self, home: Path, events: Events, yahoo: YahooServer, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        self.home, self.events, self.yahoo, self.monkeypatch = home, events, yahoo, monkeypatch
        self.settings = load_settings(home, os.environ)
        self.codes: Counter[int] = Counter()

    def turn_to(self, evening: datetime) -> str:
        """The day, once the server has become what it is on that day."""
        self.monkeypatch.setenv("FORECAST_NOW", evening.isoformat())
        self.yahoo.now = evening
        day = str(evening.date())
        self.yahoo.heal()
        for fault, (first, last) in self.events.outages.items():
            if first <= day <= last:
                self.yahoo.fail("*", fault)
        if day > self.events.delisted_after:
            self.yahoo.companies.pop("GONE", None)
        if day >= self.events.renamed_on and "OLD" in self.yahoo.companies:
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
def served(tmp_path: Path, events: Events, yahoo: YahooServer, monkeypatch: pytest.MonkeyPatch) -> Service:
    """The home folder after all of its nights."""
    service = Service(tmp_path / "home", events, yahoo, monkeypatch)
    first, *_ = evenings = events.evenings()
    service.turn_to(first)
    service.do("fetch", *yahoo.companies)
    service.do("train", *LEARNING)
    for evening in evenings:
        service.night(evening)
    return service


def test_everything_is_scored_by_the_final_prices(served: Service, tmp_path: Path) -> None:
    events, outage_nights = served.events, served.events.outage_nights()
    nights = len(events.evenings())
    assert set(events.outages) == set(OUTAGE_KINDS)
    assert served.codes == {ExitCode.DONE: nights - outage_nights, ExitCode.TRY_LATER: outage_nights}
    assert len(ModelRegistry(served.home).versions("main")) >= 3
    store, fresh = PriceStore(served.home), PriceStore(tmp_path / "fresh")
    run(["fetch", *served.yahoo.companies, "--quiet", "--home", str(tmp_path / "fresh")])
    for ticker in fresh.tickers():
        assert store.info(ticker).digest == fresh.info(ticker).digest, ticker
    assert_scores_are_those_of_the_final_prices(served.home, store, events)


def assert_scores_are_those_of_the_final_prices(home: Path, store: PriceStore, events: Events) -> None:
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
            assert ticker == "GONE" or target > events.last
            continue
        truth = np.log(closes[target] / closes[origin])
        assert log_return == pytest.approx(truth, abs=1e-12)
        learned, walk = scipy.stats.t(forecast[2], *forecast[:2]), scipy.stats.norm(*forecast[3:])
        losses = [*scores(learned, truth), *scores(walk, truth)]
        assert [crps, covered, naive_crps, naive_covered] == pytest.approx(losses, rel=1e-5)
        expected.setdefault(step, []).append(losses)
    assert sum(map(len, expected.values())) > events.forecasts
    for live in live_scores(Ledger(home), np.datetime64("2100-01-01")):
        means = np.mean(expected[live.step], axis=0)
        found = [live.crps, live.coverage_90, live.naive_crps, live.naive_coverage_90]
        assert found == pytest.approx(means, rel=1e-5)


def scores(forecast: Any, truth: float) -> tuple[float, int]:
    """Twice the mean pinball loss over 19 quantiles, and whether the outer two hold."""
    levels = np.arange(1, 20) / 20
    quantiles = forecast.ppf(levels)
    loss = np.where(truth >= quantiles, levels, levels - 1) * (truth - quantiles)
    return 2 * loss.mean(), int(quantiles[0] <= truth <= quantiles[-1])
