"""Prices that were restated since a model was trained on them."""

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from factories import WRITTEN
from trained_home import TRAINED_ON, recent_table

import forecaster as fc
from forecaster.evaluation.audit.checks import FAILED, NOT_CHECKED, PASSED, Check
from forecaster.evaluation.audit.restated import Models, check_restated
from forecaster.prices.store import PriceStore
from forecaster.prices.table import PriceTable


def checked(home: Path) -> Check:
    return check_restated(fc.Home(home).models_in_service())


def rewrite(home: Path, ticker: str, change: Callable[[dict[str, Any]], None]) -> None:
    store = PriceStore(home)
    table = store.read(ticker)
    columns = {name: np.array(values) for name, values in table.columns.items()}
    change(columns)
    store.write(replace(table, columns=columns), source="test", fetched_at=WRITTEN)


def test_prices_that_are_as_they_were_pass(trained_home: Path) -> None:
    found = checked(trained_home)
    assert (found.state, found.found) == (PASSED, "main@1: nothing was restated since")


def test_a_restated_close_is_found_with_its_ticker(own_home: Path) -> None:
    def change(columns: dict[str, Any]) -> None:
        columns["adj_close"][100] *= 1.01

    rewrite(own_home, "BBB", change)
    found = checked(own_home)
    assert found.state == FAILED
    assert found.found == (
        "main@1 was trained on other prices of BBB (returns) than the store has now up to 2026-11-20: train "
        "it anew"
    )
    assert found.figures["restated"] == {"main@1": {"BBB": ["returns"]}}


def test_later_dividends_and_splits_are_no_restatement(own_home: Path) -> None:
    def change(columns: dict[str, Any]) -> None:
        for name in ("open", "high", "low", "close", "adj_close"):
            columns[name] /= 4
        columns["adj_close"] *= 0.993
        columns["volume"] *= 4

    rewrite(own_home, "AAA", change)
    assert checked(own_home).state == PASSED


def test_older_history_and_newer_sessions_are_no_restatement(own_home: Path) -> None:
    store = PriceStore(own_home)
    table = store.read("AAA")
    before = recent_table("AAA", 400, 9)
    older = before.take(before.dates < table.dates[0])
    newer = recent_table("AAA", 5, 9, last=np.datetime64("2026-11-27"))
    newer = newer.take(newer.dates > table.dates[-1])
    assert len(older) > 50
    assert len(newer) > 1
    columns = {
        name: np.concatenate([older.columns[name], values, newer.columns[name]])
        for name, values in table.columns.items()
    }
    dates = np.concatenate([older.dates, table.dates, newer.dates])
    store.write(PriceTable("AAA", dates, columns), source="test", fetched_at=WRITTEN)
    assert checked(own_home).state == PASSED


def test_a_ticker_that_is_gone_is_said(own_home: Path) -> None:
    PriceStore(own_home).path("CCC").unlink()
    found = checked(own_home)
    assert found.state == PASSED
    assert found.found == "main@1: nothing was restated since; not stored any more: CCC"


def test_a_model_without_any_of_its_prices_is_not_checked(own_home: Path) -> None:
    for ticker in TRAINED_ON:
        PriceStore(own_home).path(ticker).unlink()
    found = checked(own_home)
    assert (found.state, found.found) == (
        NOT_CHECKED,
        "no model in service has prices that can be compared; not stored any more: AAA, BBB, CCC",
    )


def test_a_replay_of_an_earlier_day_compares_all_prices(
    trained_home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("FORECAST_NOW", "2026-06-01T22:00:00")
    assert checked(trained_home).state == PASSED


def test_a_card_without_fingerprints_is_not_checked(trained_home: Path) -> None:
    models = fc.Home(trained_home).models_in_service()
    (reference, card), *_ = models.cards.items()
    prices = {name: value for name, value in card["prices"].items() if name != "tickers"}
    found = check_restated(Models({reference: {**card, "prices": prices}}, models.store))
    assert found.state == NOT_CHECKED
    assert found.found.endswith("; trained before fingerprints were kept: main@1")


def test_a_home_without_models_and_one_with_a_damaged_card(own_home: Path, tmp_path: Path) -> None:
    assert checked(tmp_path / "empty").found == "there is no model in service"
    (own_home / "models" / "main" / "1" / "card.json").write_text("{}")
    found = checked(own_home)
    assert (found.state, found.found) == (NOT_CHECKED, "there is no model in service; damaged: main")
