"""The nightly fetch: a file that cannot be read is repaired, and never stops the other tickers."""

from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow.parquet as pq
import pytest
from factories import random_walk_table
from yahoo_server import YahooServer, company, serving

from forecaster.cli.main import run
from forecaster.errors import BadInputError, TryLaterError
from forecaster.prices.calendar import sessions_between
from forecaster.prices.health import TickerHealth
from forecaster.prices.store import METADATA_KEY, PriceStore
from forecaster.service import refreshing
from forecaster.service.nightly import fetch_step
from forecaster.service.refreshing import Refreshed, refresh_prices
from forecaster.settings import Settings, YahooSettings

FRIDAY = datetime(2026, 11, 20, 22, 30, tzinfo=UTC)
MONDAY = datetime(2026, 11, 23, 22, 30, tzinfo=UTC)
TICKERS = ("AAA", "BBB", "CCC")


@pytest.fixture
def yahoo() -> Iterator[YahooServer]:
    with serving(*(company(ticker) for ticker in TICKERS)) as server:
        yield server


@pytest.fixture
def settings(yahoo: YahooServer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Settings:
    """Three tickers from Yahoo, fetched on Friday; the server's clock stands on Monday."""
    yahoo.now = FRIDAY
    monkeypatch.setenv("FORECAST_NOW", f"{FRIDAY:%Y-%m-%dT%H:%M:%S}")
    monkeypatch.setenv("FORECAST_YAHOO_URL", yahoo.url)
    monkeypatch.setenv("FORECAST_YAHOO_RATE", "0")
    assert run(["fetch", *TICKERS, "--quiet", "--home", str(tmp_path)]) == 0
    yahoo.now = MONDAY
    return Settings(tmp_path, yahoo=YahooSettings(url=yahoo.url, rate=0, backoff=0, retries=1))


@pytest.fixture
def store(settings: Settings) -> PriceStore:
    return PriceStore(settings.home)


def last_day(store: PriceStore, ticker: str) -> str:
    return str(store.info(ticker).last)


def test_a_damaged_file_is_fetched_anew_and_named(settings: Settings, store: PriceStore) -> None:
    store.path("BBB").write_bytes(b"rubbish")
    text = fetch_step(settings, MONDAY)
    assert text.endswith("; damaged: BBB; repaired: BBB")
    assert store.verify("BBB", MONDAY) == []
    assert str(store.info("BBB").first) == "2026-01-02"
    assert {last_day(store, ticker) for ticker in TICKERS} == {"2026-11-23"}


def test_a_sound_store_has_nothing_damaged(settings: Settings) -> None:
    assert refresh_prices(settings, MONDAY) == Refreshed(3, 0)


def test_prices_damaged_behind_a_sound_footer_are_named_too(settings: Settings, store: PriceStore) -> None:
    path = store.path("BBB")
    content = bytearray(path.read_bytes())
    content[4:2000] = bytes(1996)
    path.write_bytes(content)
    assert store.info("BBB").source == "yahoo"
    fetched = refresh_prices(settings, MONDAY)
    assert (fetched.damaged, fetched.repaired, fetched.failures) == (("BBB",), ("BBB",), ())
    assert store.verify("BBB", MONDAY) == []


@pytest.mark.parametrize(
    ("fault", "why"),
    [
        pytest.param("503", "unavailable", id="no answer"),
        pytest.param("404", "not found", id="unknown to Yahoo"),
        pytest.param("400", "no data", id="no prices"),
    ],
)
def test_a_repair_that_fails_is_a_failure_and_the_others_are_fetched(
    yahoo: YahooServer, settings: Settings, store: PriceStore, fault: str, why: str
) -> None:
    store.path("BBB").write_bytes(b"rubbish")
    yahoo.fail("BBB", fault)
    with pytest.raises(TryLaterError, match=f"tickers failed: 1, the first: BBB: {why}.*damaged: BBB"):
        fetch_step(settings, MONDAY)
    assert store.path("BBB").read_bytes() == b"rubbish"
    assert {last_day(store, ticker) for ticker in ("AAA", "CCC")} == {"2026-11-23"}


def test_where_most_prices_came_from_elsewhere_so_did_a_damaged_file(
    yahoo: YahooServer, settings: Settings, store: PriceStore
) -> None:
    for ticker in ("DDD", "EEE"):
        store.write(random_walk_table(ticker), source="mine.csv", fetched_at=FRIDAY)
    store.path("BBB").write_bytes(b"rubbish")
    store.path("CCC").write_bytes(b"rubbish")
    before = yahoo.total
    fetched = refresh_prices(settings, MONDAY)
    assert (fetched.tickers, fetched.other_sources) == (1, 2)
    assert (fetched.damaged, fetched.repaired) == (("BBB", "CCC"), ())
    assert [failure.split(":")[0] for failure in fetched.failures] == ["BBB", "CCC"]
    assert yahoo.total == before + 1
    assert last_day(store, "AAA") == "2026-11-23"


def test_a_file_of_a_newer_version_stays_and_the_others_are_fetched(
    settings: Settings, store: PriceStore
) -> None:
    path = store.path("BBB")
    table = pq.read_table(path)
    newer = table.schema.metadata[METADATA_KEY].replace(b'"format": 1', b'"format": 2')
    pq.write_table(table.replace_schema_metadata({METADATA_KEY: newer}), path)
    written = path.read_bytes()
    fetched = refresh_prices(settings, MONDAY)
    assert fetched.damaged == ()
    assert len(fetched.failures) == 1
    assert fetched.failures[0].startswith("BBB: kept: ")
    assert path.read_bytes() == written
    assert last_day(store, "AAA") == "2026-11-23"


def health(ticker: str, *, gaps: int = 0, age: int = 0, damage: str = "") -> TickerHealth:
    """A ticker that lacks `gaps` of the last 60 sessions."""
    recent = sessions_between(np.datetime64("2026-08-01"), np.datetime64("2026-11-20"))[-60:]
    return TickerHealth(ticker, last="2026-11-20", gaps=recent[:gaps], age=age, damage=damage)


@pytest.mark.parametrize(
    ("tickers", "faulty", "fault", "words"),
    [
        pytest.param(100, 5, {"gaps": 4}, None, id="gaps-tolerated"),
        pytest.param(100, 6, {"gaps": 4}, "6 of 100 tickers are incomplete or damaged", id="gaps"),
        pytest.param(100, 100, {"gaps": 3}, None, id="three-gaps-are-none"),
        pytest.param(100, 5, {"damage": "rubbish"}, None, id="damage-tolerated"),
        pytest.param(
            100, 6, {"damage": "rubbish"}, "6 of 100 tickers are incomplete or damaged", id="damage"
        ),
        pytest.param(100, 100, {"age": 5}, None, id="five-sessions-are-not-old"),
        pytest.param(100, 5, {"age": 6}, None, id="stale-tolerated"),
        pytest.param(100, 6, {"age": 6}, "6 of 100 tickers are stale", id="stale"),
        pytest.param(2, 1, {"age": 6}, None, id="one-of-two"),
        pytest.param(1, 1, {"age": 6}, "1 of 1 tickers are stale", id="the-only-one"),
        pytest.param(3, 2, {"age": 59}, "2 of 3 tickers are stale", id="traded-within-60"),
        pytest.param(3, 2, {"age": 60}, None, id="traded-no-more"),
        pytest.param(2, 2, {"age": 60}, "no ticker has traded in the last 60 sessions", id="none-traded"),
    ],
)
def test_which_prices_are_unfit_to_train_on(
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    tickers: int,
    faulty: int,
    fault: dict[str, Any],
    words: str | None,
) -> None:
    names = [f"T{number}" for number in range(tickers)]
    found = {name: health(name, **(fault if place < faulty else {})) for place, name in enumerate(names)}
    monkeypatch.setattr(refreshing, "check_health", lambda _store, ticker, _now: found[ticker])
    if words is None:
        refreshing.reject_unfit_prices(PriceStore(tmp_path), names, FRIDAY)
    else:
        with pytest.raises(BadInputError, match=words):
            refreshing.reject_unfit_prices(PriceStore(tmp_path), names, FRIDAY)


def test_a_gap_of_long_ago_does_not_matter(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    sessions = sessions_between(np.datetime64("2026-01-01"), np.datetime64("2026-11-20"))

    def check(gaps: np.ndarray) -> None:
        monkeypatch.setattr(refreshing, "check_health", lambda *_: TickerHealth("A", gaps=gaps))
        refreshing.reject_unfit_prices(PriceStore(tmp_path), ["A"], FRIDAY)

    check(sessions[-64:-57])  # three of them within the last 60
    with pytest.raises(BadInputError, match="incomplete"):
        check(sessions[-64:-56])
