"""Fan charts: earlier forecasts are honest, and counted as they are drawn."""

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from forecaster.dataset.panel import Panel, load_panel
from forecaster.errors import UsageError
from forecaster.prices.store import PriceStore
from forecaster.registry.versions import ModelRegistry, RegisteredModel
from forecaster.report.fans import MOST_FANS, SESSIONS, Fan, check_fans, fan_of, fans_with_past
from forecaster.report.pictures.fan import CLOSES, FANS, REPORTS, fan_picture
from forecaster.service.prediction import Prediction, predict_stored

TICKERS = ("AAA", "BBB", "CCC")
Setup = tuple[RegisteredModel, Panel, tuple[Prediction, ...]]


@pytest.fixture(scope="module")
def setup(trained_home: Path) -> Setup:
    model = ModelRegistry(trained_home).load("main")
    store = PriceStore(trained_home)
    return model, load_panel(store, TICKERS), predict_stored(store, model.network, TICKERS).predictions


def fans_of(setup: Setup, unseen_after: Any, panel: Panel | None = None) -> list[Fan]:
    model, own, predictions = setup
    return fans_with_past(predictions, panel or own, model.network, np.datetime64(unseen_after, "D"))


def by_origin(fan: Fan) -> dict[int, list[dict[str, Any]]]:
    columns = fan.columns[FANS]
    rows = [dict(zip(columns, row, strict=True)) for row in zip(*columns.values(), strict=True)]
    return {origin: [row for row in rows if row["origin"] == origin] for origin in columns["origin"]}


def test_no_earlier_forecast_is_of_a_day_that_was_trained_on(setup: Setup) -> None:
    model, panel, _ = setup
    seen = np.datetime64(model.card["split"]["validation_end"], "D")
    for fan in fans_of(setup, seen):
        origins = np.array(sorted(by_origin(fan))[:-1]).astype("datetime64[D]")
        assert len(origins)
        assert (origins > seen).all()
    last = panel.dates[-1]
    assert [len(by_origin(fan)) for fan in fans_of(setup, last)] == [1, 1, 1]


def test_each_day_lies_in_one_fan_that_opens_at_its_origins_close(setup: Setup) -> None:
    fan = fans_of(setup, setup[1].dates[150])[0]
    closes = dict(zip(fan.columns[CLOSES]["day"], fan.columns[CLOSES]["close"], strict=True))
    assert len(closes) == SESSIONS
    fans = by_origin(fan)
    days = [row["day"] for rows in fans.values() for row in rows[1:]]
    assert len(days) == len(set(days))
    for origin, rows in fans.items():
        assert len(rows) == 1 + setup[0].network.horizon
        first = rows[0]
        assert {first[name] for name in ("low_90", "low_50", "median", "high_50", "high_90")} == {
            closes[origin]
        }
        for row in rows[1:]:
            assert row["low_90"] < row["low_50"] < row["median"] < row["high_50"] < row["high_90"]


def test_the_actuals_within_are_counted_by_hand(setup: Setup) -> None:
    for fan in fans_of(setup, setup[1].dates[150]):
        closes = dict(zip(fan.columns[CLOSES]["day"], fan.columns[CLOSES]["close"], strict=True))
        past = [row for rows in list(by_origin(fan).values())[:-1] for row in rows[1:]]
        inside = [row["low_90"] <= closes[row["day"]] <= row["high_90"] for row in past]
        assert (fan.closes, fan.covered) == (len(inside), sum(inside))
        assert 0 < fan.covered < fan.closes


def test_another_future_moves_no_earlier_fan(setup: Setup) -> None:
    _, panel, _ = setup
    cut = len(panel.dates) - 40
    changed = panel.log_return.copy()
    changed[:, cut:] *= -3
    other = replace(
        panel,
        log_return=changed,
        market_return=np.where(np.arange(len(panel.dates)) < cut, panel.market_return, 0.02).astype(
            np.float32
        ),
    )
    day = int(panel.dates[cut].astype("datetime64[D]").astype(int))
    compared = 0
    for own, moved in zip(
        fans_of(setup, panel.dates[150]), fans_of(setup, panel.dates[150], other), strict=True
    ):
        before, after = by_origin(own), by_origin(moved)
        for origin in (each for each in before if each < day):
            compared += 1
            for one, two in zip(before[origin][1:], after[origin][1:], strict=True):
                for name in ("low_90", "median", "high_90"):
                    ratio = one[name] / before[origin][0]["median"], two[name] / after[origin][0]["median"]
                    assert ratio[0] == pytest.approx(ratio[1], rel=2e-5)  # six digits are kept
    assert compared > 20


def test_the_coming_fan_is_the_prediction(setup: Setup) -> None:
    prediction = setup[2][0]
    for fan in (fan_of(prediction), fans_of(setup, setup[1].dates[150])[0]):
        rows = list(by_origin(fan).values())[-1][1:]
        for name, wanted in (
            ("median", prediction.median),
            ("low_90", prediction.intervals[90][0]),
            ("high_50", prediction.intervals[50][1]),
        ):
            assert [row[name] for row in rows] == pytest.approx(wanted.tolist(), rel=1e-5)
        assert np.array([row["day"] for row in rows]).astype("datetime64[D]").tolist() == (
            prediction.dates.astype("datetime64[D]").tolist()
        )


def test_the_picture_has_the_columns_as_rows(setup: Setup) -> None:
    fan = fan_of(setup[2][0])
    spec = fan_picture(fan.columns, "AAA")
    assert spec["datasets"]["AAA" + CLOSES][0] == {
        "day": fan.columns[CLOSES]["day"][0],
        "close": fan.columns[CLOSES]["close"][0],
    }
    assert len(spec["datasets"]["AAA" + FANS]) == len(fan.columns[FANS]["day"])
    assert fan_picture()["datasets"] == {CLOSES: [], FANS: [], REPORTS: []}


@pytest.mark.parametrize("count", [0, MOST_FANS + 1])
def test_too_many_tickers_make_no_picture(count: int) -> None:
    assert MOST_FANS == 30
    check_fans(MOST_FANS)
    with pytest.raises(UsageError, match="forecast report"):
        check_fans(count)
