"""Prices later than the clock: a replay does not see them, and without a replay nothing is answered."""

import json
import os
from dataclasses import replace
from datetime import UTC, datetime, tzinfo
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from command import rejection
from factories import filled_store
from quick_training import train_quickly
from trained_home import recent_table

from forecaster.api import load_model
from forecaster.cli.main import run
from forecaster.errors import BadInputError, ExitCode
from forecaster.ledger.ledger import Ledger
from forecaster.prices.known import known_prices
from forecaster.prices.market import read_market
from forecaster.prices.store import PriceStore
from forecaster.registry.versions import ModelRegistry
from forecaster.service import nightly
from forecaster.service.prediction import check_recordable
from forecaster.settings import load_settings

BEHIND = datetime(2026, 11, 12, 12, 0, tzinfo=UTC)
REPLAYED = "2026-11-12T22:30:00"
LAST_KNOWN = np.datetime64("2026-11-12")


@pytest.fixture
def clock_behind(monkeypatch: pytest.MonkeyPatch) -> None:
    """The system's clock stands eight days before the last prices."""

    class Stopped(datetime):
        @classmethod
        def now(cls, tz: tzinfo | None = None) -> datetime:  # type: ignore[override]
            return BEHIND.astimezone(tz)

    monkeypatch.delenv("FORECAST_NOW")
    monkeypatch.setattr("forecaster.settings.datetime", Stopped)


@pytest.mark.usefixtures("clock_behind")
@pytest.mark.parametrize(
    "words",
    [
        pytest.param(["predict", "AAA"], id="one ticker"),
        pytest.param(["predict"], id="all tickers"),
        pytest.param(["predict", "AAA", "--record"], id="record"),
        pytest.param(["score"], id="score"),
        pytest.param(["retrain", "--no-fetch"], id="retrain"),
        pytest.param(["train"], id="train"),
        pytest.param(["compare"], id="compare"),
    ],
)
def test_a_clock_behind_the_prices_is_refused(
    own_home: Path, capsys: pytest.CaptureFixture[str], words: list[str]
) -> None:
    Ledger(own_home)
    code, text = rejection(capsys, *words, "--home", own_home)
    assert code == ExitCode.BAD_INPUT
    for part in ("clock says 2026-11-12 12:00 UTC", "prices of 2026-11-20", "set the system's clock"):
        assert part in text
    assert ModelRegistry(own_home).versions("main") == [1]
    assert not Ledger(own_home).path.exists()


@pytest.mark.usefixtures("clock_behind")
def test_the_night_records_and_retrains_nothing_on_a_clock_behind(own_home: Path) -> None:
    settings = load_settings(own_home, os.environ)
    for step in (nightly.retrain_step, nightly.predict_step, nightly.score_step):
        with pytest.raises(BadInputError, match="the clock says"):
            step(settings, BEHIND)
    with pytest.raises(BadInputError, match="the clock says"):
        load_model(home=own_home).predict("AAA")


def test_a_clock_that_stands_at_the_last_close_is_not_behind(own_home: Path) -> None:
    friday = datetime(2026, 11, 20, 21, 0, tzinfo=UTC)
    assert known_prices(own_home, friday, {}).read("AAA").dates[-1] == np.datetime64("2026-11-20")
    with pytest.raises(BadInputError, match="prices of 2026-11-20"):
        known_prices(own_home, friday.replace(hour=20, minute=59), {})


def test_a_replay_predicts_as_was_known_then(
    own_home: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """As from a store that ends on that day; and whatever comes after it changes nothing."""
    monkeypatch.setenv("FORECAST_NOW", REPLAYED)
    replayed, notes = predicted(own_home, capsys)
    assert "replay: FORECAST_NOW sets the clock to 2026-11-12 22:30 UTC; later prices are not seen" in notes
    assert "main@1 knows prices up to 2026-11-20: its forecasts could not have been made then" in notes
    assert replayed[0]["last_date"] == "2026-11-12"

    cut = tmp_path / "cut"
    cut.mkdir()
    (own_home / "models").rename(cut / "models")
    store = PriceStore(own_home)
    for ticker in store.tickers():
        table = store.read(ticker)
        filled_store(cut, table.take(table.dates <= LAST_KNOWN))
    assert predicted(cut, capsys)[0] == replayed

    (cut / "models").rename(own_home / "models")
    for ticker in store.tickers():
        table = store.read(ticker)
        after = table.dates > LAST_KNOWN
        columns = {name: values * np.where(after, 1.5, 1.0) for name, values in table.columns.items()}
        filled_store(own_home, type(table)(ticker, table.dates, columns))
    assert predicted(own_home, capsys)[0] == replayed


def predicted(home: Path, capsys: pytest.CaptureFixture[str]) -> tuple[list[dict[str, Any]], str]:
    capsys.readouterr()
    run(["predict", "--json", "--home", str(home)])
    captured = capsys.readouterr()
    return json.loads(captured.out)["predictions"], captured.err


def test_a_forecast_that_could_not_have_been_made_is_not_recorded(
    own_home: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("FORECAST_NOW", REPLAYED)
    run(["predict", "AAA", "--record", "--home", str(own_home)])
    error = capsys.readouterr().err.splitlines()[-1]
    assert "main@1 knows prices up to 2026-11-20, and the clock says 2026-11-12" in error
    with pytest.raises(BadInputError, match="not recorded"):
        nightly.predict_step(load_settings(own_home, os.environ), datetime(2026, 11, 12, 22, 30, tzinfo=UTC))
    assert not Ledger(own_home).path.exists()


def test_a_replay_trains_on_what_was_known_then(
    own_home: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("FORECAST_NOW", REPLAYED)
    train_quickly(monkeypatch)
    small = ["--lookback=12", "--horizon=3", "--units=2", "--epochs=1", "--home", str(own_home)]
    assert run(["train", "AAA", "BBB", *small]) == ExitCode.DONE
    assert "replay: FORECAST_NOW" in capsys.readouterr().err
    card = ModelRegistry(own_home).load("main@2").card
    assert card["prices"]["last_day"] == "2026-11-12"
    assert run(["predict", "AAA", "--model=main@2", "--record", "--home", str(own_home)]) == ExitCode.DONE


def test_a_replay_does_not_know_later_scores(
    own_home: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    run(["predict", "AAA", "--record", "--home", str(own_home)])
    table = recent_table("AAA", 300, last=np.datetime64("2026-11-27"))
    filled_store(own_home, table)
    monkeypatch.setenv("FORECAST_NOW", "2026-11-28T22:30:00")
    assert len(scored(own_home, capsys)["models"]) == 3
    monkeypatch.setenv("FORECAST_NOW", "2026-11-23T22:30:00")
    assert [row["step"] for row in scored(own_home, capsys)["models"]] == [1]


def scored(home: Path, capsys: pytest.CaptureFixture[str]) -> dict[str, Any]:
    capsys.readouterr()
    run(["score", "--json", "--home", str(home)])
    document: dict[str, Any] = json.loads(capsys.readouterr().out)
    return document


def test_the_market_of_a_replay_is_not_kept(own_home: Path) -> None:
    whole = read_market(PriceStore(own_home))
    then = read_market(PriceStore(own_home, BEHIND))
    assert then.dates[-1] < LAST_KNOWN < whole.dates[-1]
    np.testing.assert_array_equal(then.log_return, whole.log_return[: len(then.dates)])
    (own_home / "data" / "market.parquet").unlink()
    assert read_market(PriceStore(own_home, BEHIND)).dates[-1] == then.dates[-1]
    assert read_market(PriceStore(own_home)).dates[-1] == whole.dates[-1]


def test_a_ticker_that_was_not_listed_then_costs_only_itself(
    own_home: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("FORECAST_NOW", "2026-10-15T22:30:00")
    code = run(["predict", "AAA", "SHORT", "--home", str(own_home)])
    assert code == ExitCode.BAD_INPUT
    assert "SHORT has no price of 2026-10-15 or before" in capsys.readouterr().err


def test_a_ticker_that_was_not_listed_then_is_not_called_damaged(
    own_home: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("FORECAST_NOW", "2026-10-15T22:30:00")
    train_quickly(monkeypatch)
    small = ["--lookback=12", "--horizon=3", "--units=2", "--epochs=1", "--home", str(own_home)]
    assert run(["train", *small]) == ExitCode.DONE
    assert "SHORT" not in capsys.readouterr().err
    card = ModelRegistry(own_home).load("main@2").card
    assert "SHORT" not in card["tickers"] + card["damaged"]
    monkeypatch.setenv("FORECAST_NOW", "1990-01-02")
    assert run(["train", *small]) == ExitCode.BAD_INPUT
    assert "has no price of" in capsys.readouterr().err.splitlines()[-1]


def test_a_model_of_a_market_that_never_closes_may_record_at_the_weekend(own_home: Path) -> None:
    """New York last closed on Friday; the model knows Saturday, as it should."""
    saturday = recent_table("BTC-USD", 60, last=np.datetime64("2026-11-20"))
    days = np.arange("2026-09-23", "2026-11-22", dtype="datetime64[D]")
    filled_store(own_home, replace(saturday, dates=days, calendar="24/7"))
    model = ModelRegistry(own_home).load("main")
    model.card["prices"]["last_day"] = "2026-11-21"
    sunday = datetime(2026, 11, 22, 12, 0, tzinfo=UTC)
    store = known_prices(own_home, sunday, {})
    check_recordable(model, store, sunday)
    with pytest.raises(BadInputError, match="not recorded"):
        check_recordable(model, store, datetime(2026, 11, 21, 12, 0, tzinfo=UTC))
