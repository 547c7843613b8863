"""Predictions: dates, prices, intervals, batches, and what is rejected."""

import json
import subprocess
import sys
from collections.abc import Sequence
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

import numpy as np
import pytest
from factories import random_walk_table
from trained_home import LAST_SESSION, recent_table, without

from forecaster.dataset.features import compute_features
from forecaster.dataset.panel import build_panel, latest_days, load_panel
from forecaster.errors import BadInputError, ForecastError, NotFoundError, UsageError
from forecaster.evaluation.baselines import naive, riskmetrics_t
from forecaster.evaluation.forecasts import Origins, at_origins, network_forecasts
from forecaster.network.linear_training import train_linear
from forecaster.prices.calendar import is_session, sessions_between
from forecaster.prices.market import ThinDay, mean_log_return
from forecaster.prices.store import PriceStore
from forecaster.registry.versions import ModelRegistry
from forecaster.service.prediction import (
    Batch,
    Prediction,
    forecast_latest,
    ledger_rows,
    predict_stored,
    predict_tables,
)
from forecaster.settings import Recipe

NOW = datetime(2026, 11, 21, 22, 30, tzinfo=UTC)


def predicted(home: Path, ticker: str = "AAA", horizon: int | None = None, level: float = 90) -> Prediction:
    network = ModelRegistry(home).load(None).network
    batch = predict_stored(PriceStore(home), network, [ticker], horizon, (50, level))
    for error in batch.failures.values():
        raise error
    return batch.predictions[0]


def test_the_dates_are_the_coming_sessions(trained_home: Path) -> None:
    prediction = predicted(trained_home)
    # Saturday the 21st and Sunday lie between; Thanksgiving is the 26th.
    assert [str(day) for day in prediction.dates] == ["2026-11-23", "2026-11-24", "2026-11-25"]
    assert (prediction.last_date, prediction.sessions_old(NOW)) == (LAST_SESSION, 0)


def test_holidays_are_passed_over(trained_home: Path) -> None:
    prediction = predicted(trained_home, "OLD")
    assert str(prediction.last_date) == "2026-11-13"
    assert prediction.sessions_old(NOW) == 5
    assert is_session(prediction.dates).all()


def test_intervals_nest_around_the_median_and_widen(trained_home: Path) -> None:
    prediction = predicted(trained_home, level=95)
    narrow, wide = prediction.intervals[50], prediction.intervals[95]
    assert (wide[0] < narrow[0]).all()
    assert (narrow[0] < prediction.median).all()
    assert (prediction.median < narrow[1]).all()
    assert (narrow[1] < wide[1]).all()
    assert (np.diff(wide[1] / wide[0]) > 0).all()
    assert (np.diff(prediction.expected_move) > 0).all()


def test_prices_are_the_last_close_times_the_network_s_return(trained_home: Path) -> None:
    store, model = PriceStore(trained_home), ModelRegistry(trained_home).load("main@1")
    panel = load_panel(store, ["BBB"])
    prediction = predicted(trained_home, "BBB")
    last = len(panel.dates) - 1
    features = compute_features(panel, model.network.features)
    _, forecast = network_forecasts(model.network, features, range(last, last + 1))
    assert prediction.last_close == panel.close[0, -1]
    np.testing.assert_allclose(
        prediction.median, panel.close[0, -1] * np.exp(forecast.location[0]), rtol=1e-6
    )
    ends = forecast.quantile(np.array([0.05, 0.95]))[0].T
    np.testing.assert_allclose(prediction.intervals[90], panel.close[0, -1] * np.exp(ends), rtol=1e-6)


def test_the_naive_forecast_stays_at_the_close(trained_home: Path) -> None:
    prediction = predicted(trained_home)
    lower, upper = prediction.naive_intervals[90]
    np.testing.assert_allclose(lower * upper, prediction.last_close**2)
    panel = load_panel(PriceStore(trained_home), ["AAA"])
    walk = naive(panel, Origins(np.array([0]), np.array([len(panel.dates) - 1])), 3)
    ends = walk.quantile(np.array([0.05, 0.95]))[0].T
    np.testing.assert_allclose([lower, upper], prediction.last_close * np.exp(ends), rtol=1e-9)


def test_only_the_last_thousand_days_and_the_lookback_are_needed(trained_home: Path) -> None:
    """Two computations of the same forecast: from the last days alone, and from all of them."""
    network = ModelRegistry(trained_home).load(None).network
    tables = [recent_table(name, 1600, seed) for seed, name in enumerate(("LONG", "OTHER"))]
    market = mean_log_return(tables)
    found, _ = forecast_latest(
        network, compute_features(latest_days(tables, market, network.lookback + 1000), network.features)
    )
    panel = build_panel(tables, market)
    _, expected = network_forecasts(network, compute_features(panel, network.features), range(1599, 1600))
    np.testing.assert_allclose(found.scale, expected.scale, rtol=1e-5)
    np.testing.assert_allclose(found.location, expected.location, rtol=1e-4, atol=1e-8)


def test_a_batch_gives_what_each_ticker_gives_alone(trained_home: Path) -> None:
    """Of different ends, lengths and sources; two of them cannot be predicted."""
    names = ["AAA", "OLD", "SHORT", "BBB", "GAPPY", "NEW"]
    network = ModelRegistry(trained_home).load(None).network
    batch = predict_stored(PriceStore(trained_home), network, names)
    assert [each.ticker for each in batch.predictions] == ["AAA", "OLD", "BBB", "NEW"]
    assert list(batch.failures) == ["SHORT", "GAPPY"]
    for found in batch.predictions:
        alone = predicted(trained_home, found.ticker)
        assert (found.last_date, found.last_close) == (alone.last_date, alone.last_close)
        np.testing.assert_array_equal(found.dates, alone.dates)
        np.testing.assert_allclose(found.median, alone.median, rtol=1e-6)
        np.testing.assert_allclose(found.expected_move, alone.expected_move, rtol=1e-5)
        for level in (50, 90):
            np.testing.assert_allclose(found.intervals[level], alone.intervals[level], rtol=1e-6)
            np.testing.assert_allclose(found.naive_intervals[level], alone.naive_intervals[level], rtol=1e-12)


def test_what_is_damaged_costs_only_itself(own_home: Path) -> None:
    store, network = PriceStore(own_home), ModelRegistry(own_home).load(None).network
    store.path("BBB").write_bytes(b"PAR1 and rubbish")
    store.path("ZERO").write_bytes(b"")
    batch = predict_stored(store, network, ["BBB", "AAA", "ZZZ", "ZERO"])
    assert [each.ticker for each in batch.predictions] == ["AAA"]
    kinds = {ticker: type(error) for ticker, error in batch.failures.items()}
    assert kinds == {"BBB": BadInputError, "ZZZ": NotFoundError, "ZERO": BadInputError}


@pytest.mark.parametrize(
    ("gap", "usable"),
    [
        pytest.param([-2], True, id="a day is bridged"),
        pytest.param([-3, -4, -7, -8, -9], True, id="five days are bridged"),
        pytest.param(range(-9, -3), False, id="six are too many"),
        pytest.param([-40], True, id="before the lookback"),
        pytest.param(range(-60, -40), True, id="many before the lookback"),
    ],
)
def test_gaps_are_bridged_or_break_the_lookback_as_in_a_panel(
    trained_home: Path, gap: Sequence[int], *, usable: bool
) -> None:
    network = ModelRegistry(trained_home).load(None).network
    whole = recent_table("GAPS", 300, 7)
    tables = [without(whole, *gap), recent_table("OTHER", 300, 8, last=np.datetime64("2026-11-13"))]
    market = mean_log_return(tables)
    found, valid = forecast_latest(
        network, compute_features(latest_days(tables, market, 1012), network.features)
    )
    for row, table in enumerate(tables):
        panel = build_panel([table], market)
        features = compute_features(panel, network.features)
        assert valid[row] == features.valid_input[0, -network.lookback :].sum()
        if valid[row] == network.lookback:
            last = panel.shape[1] - 1
            _, expected = network_forecasts(network, features, range(last, last + 1))
            np.testing.assert_allclose(found.scale[row], expected.scale[0], rtol=1e-5)
    assert (valid[0] == network.lookback) == usable


def test_a_prediction_says_which_days_were_bridged(trained_home: Path) -> None:
    network = ModelRegistry(trained_home).load(None).network
    table = recent_table("GAPS", 300, 7)
    tables = [without(table, -2, -5, -40), recent_table("OTHER", 300, 8)]
    batch = predict_tables(network, tables, mean_log_return(tables))
    bridged, whole = batch.predictions
    assert bridged.bridged == (str(table.dates[-5]), str(table.dates[-2]))
    assert np.isfinite(bridged.history).all()
    assert table.dates[-2] not in bridged.history_dates
    assert len(bridged.history) == len(bridged.history_dates) == len(whole.history)
    assert whole.bridged == ()


@pytest.mark.parametrize("factor", [0.25, 4.0])
def test_prices_are_the_quoted_close_times_the_growth_of_the_adjusted_one(
    trained_home: Path, factor: float
) -> None:
    network = ModelRegistry(trained_home).load(None).network
    plain = recent_table("ONE", 300, 7)
    columns = {**plain.columns, "adj_close": plain.columns["adj_close"] * factor}
    columns["close"] = columns["close"] * np.where(np.arange(300) < 200, 2.0, 1.0)  # as before a split
    other = replace(plain, columns=columns)
    market = mean_log_return([plain])
    (first,), (second,) = (predict_tables(network, [table], market).predictions for table in (plain, other))
    assert second.last_close == first.last_close == plain.columns["close"][-1]
    np.testing.assert_allclose(second.median, first.median, rtol=1e-6)
    np.testing.assert_allclose(second.intervals[90], first.intervals[90], rtol=1e-6)
    np.testing.assert_allclose(second.naive_intervals[90], first.naive_intervals[90], rtol=1e-6)
    growth = np.exp(second.distribution.location.astype(float))
    np.testing.assert_allclose(second.median, second.last_close * growth, rtol=1e-6)
    np.testing.assert_allclose(second.history, first.history, rtol=1e-6)
    assert second.history[-1] == pytest.approx(second.last_close)


def test_a_ticker_of_london_is_predicted_on_londons_days(trained_home: Path) -> None:
    network = ModelRegistry(trained_home).load(None).network
    days = sessions_between(np.datetime64("2025-06-02"), np.datetime64("2026-04-30"), "XLON")
    walk = random_walk_table("SHEL.L", len(days), 3)
    london = replace(walk, dates=days, calendar="XLON", currency="GBp")
    batch = predict_tables(network, [london], mean_log_return([london]))
    (found,) = batch.predictions
    assert found.dates.astype(str).tolist() == [
        "2026-05-01",
        "2026-05-05",
        "2026-05-06",
    ]  # 4 May is a holiday
    assert (found.calendar, found.currency, found.bridged) == ("XLON", "GBp", ())
    assert found.sessions_old(datetime(2026, 5, 1, 15, 29, tzinfo=UTC)) == 0
    assert found.sessions_old(datetime(2026, 5, 1, 15, 30, tzinfo=UTC)) == 1  # 16:30 in London


@pytest.mark.parametrize("name", ["linear-t", "riskmetrics-t"])
def test_the_reference_is_the_baseline_of_that_name(trained_home: Path, name: str) -> None:
    """As it would be scored at the same origin of a panel."""
    store = PriceStore(trained_home)
    network, panel = ModelRegistry(trained_home).load(None).network, load_panel(store, ["AAA"])
    features, last = compute_features(panel, network.features), panel.shape[1] - 1
    recipe = Recipe(lookback=network.lookback, horizon=network.horizon)
    linear = train_linear(panel, features, range(last - 30), recipe).network
    given = linear if name == "linear-t" else None
    (found,) = predict_stored(store, network, ["AAA"], reference=given).predictions
    origin = Origins(np.zeros(1, int), np.array([last]))
    if given is None:
        expected = riskmetrics_t(panel, origin, network.horizon)
    else:
        expected = at_origins(*network_forecasts(given, features, range(last - 5, last + 1)), origin)
    assert found.reference == name
    np.testing.assert_allclose(found.reference_distribution.scale, expected.scale[0], rtol=1e-4)
    np.testing.assert_allclose(
        found.reference_distribution.location, expected.location[0], rtol=1e-4, atol=1e-9
    )
    rows = ledger_rows("main@1", (found,))
    assert rows.reference == name
    np.testing.assert_array_equal(rows.simple.scale, found.reference_distribution.scale)


def test_rows_for_the_ledger_hold_every_step(trained_home: Path) -> None:
    network = ModelRegistry(trained_home).load(None).network
    batch = predict_stored(PriceStore(trained_home), network, ["AAA", "OLD"], 2)
    rows = ledger_rows("main@1", batch.predictions)
    assert (rows.model, rows.version, len(rows)) == ("main", 1, 4)
    assert rows.ticker.tolist() == ["AAA", "AAA", "OLD", "OLD"]
    assert rows.step.tolist() == [1, 2, 1, 2]
    assert [str(day) for day in rows.origin] == ["2026-11-20"] * 2 + ["2026-11-13"] * 2
    assert [str(day) for day in rows.target[:2]] == ["2026-11-23", "2026-11-24"]
    np.testing.assert_array_equal(rows.forecast.scale[2:], batch.predictions[1].distribution.scale)
    assert len(ledger_rows("main@1", ())) == 0


def test_fewer_steps_are_the_first_of_all_steps(trained_home: Path) -> None:
    whole, short = predicted(trained_home), predicted(trained_home, horizon=2)
    assert len(short.dates) == 2
    np.testing.assert_array_equal(short.median, whole.median[:2])
    np.testing.assert_array_equal(short.intervals[90], whole.intervals[90][:, :2])


@pytest.mark.parametrize(
    ("ticker", "horizon", "level", "error", "words"),
    [
        pytest.param("AAA", 4, 90, UsageError, "predicts 1 to 3 .* --horizon 4", id="horizon-too-large"),
        pytest.param("AAA", 0, 90, UsageError, "predicts 1 to 3", id="no-horizon"),
        pytest.param("AAA", None, 100, UsageError, "levels: 100 is out of range", id="level-100"),
        pytest.param("AAA", None, 0, UsageError, "levels: 0 is out of range", id="level-0"),
        pytest.param("AAA", None, 50, UsageError, "levels: 50 is given twice", id="level-twice"),
        pytest.param("ZZZ", None, 90, NotFoundError, "ZZZ", id="not-in-the-store"),
        pytest.param("SHORT", None, 90, BadInputError, "SHORT has 25 bars, 32 are needed", id="too-few-days"),
        pytest.param(
            "GAPPY",
            None,
            90,
            BadInputError,
            "6 of its last 32 sessions .* have no bar: .* at most 5 of 60",
            id="a-gap",
        ),
    ],
)
def test_what_cannot_be_predicted_is_rejected(
    trained_home: Path, ticker: str, horizon: int | None, level: int, error: type[ForecastError], words: str
) -> None:
    with pytest.raises(error, match=words):
        predicted(trained_home, ticker, horizon, level)


def test_predicting_needs_no_keras_and_no_pandas(trained_home: Path) -> None:
    script = """
import json, sys
from forecaster.cli.main import run
code = run(["predict", "AAA", "--json", "--home", sys.argv[1]])
heavy = {"keras", "tensorflow", "pandas", "sklearn", "matplotlib", "yfinance", "jax"}
print(json.dumps([code, sorted(heavy & set(sys.modules))]))
"""
    ran = subprocess.run(
        [sys.executable, "-c", script, str(trained_home)], capture_output=True, text=True, check=True
    )
    assert json.loads(ran.stdout.splitlines()[-1]) == [0, []]


TRAINED = ("AAA", "BBB", "CCC")


def with_composition(home: Path, tickers: Sequence[str] = ("AAA",)) -> Batch:
    model = ModelRegistry(home).load(None)
    assert tuple(model.card["market"]) == TRAINED
    return predict_stored(PriceStore(home), model.network, tickers, composition=model.card["market"])


def keep_to(home: Path, ticker: str, end: int) -> None:
    """Take the ticker's last days away, as if it had not been refreshed."""
    store = PriceStore(home)
    store.write(store.read(ticker).take(slice(0, end)), source="test", fetched_at=NOW)


def test_what_else_is_stored_does_not_move_a_forecast(own_home: Path) -> None:
    store = PriceStore(own_home)
    before = with_composition(own_home).predictions[0]
    wild = replace(random_walk_table("WILD", volatility=0.2), dates=store.read("AAA").dates)
    store.write(wild, source="test", fetched_at=NOW)
    after = with_composition(own_home).predictions[0]
    np.testing.assert_array_equal(after.intervals[90], before.intervals[90])
    assert before.thin_market == after.thin_market == ()
    assert not np.array_equal(predicted(own_home).intervals[90], before.intervals[90])


def test_a_day_on_which_one_of_three_members_is_refreshed_is_reported(own_home: Path) -> None:
    last = [str(day) for day in PriceStore(own_home).read("AAA").dates[-2:]]
    for ticker in ("BBB", "CCC"):
        keep_to(own_home, ticker, -2)
    (prediction,) = with_composition(own_home).predictions
    assert prediction.thin_market == tuple(ThinDay(day, 1, 3) for day in last)
    keep_to(own_home, "AAA", -2)
    assert with_composition(own_home).predictions[0].thin_market == ()


def test_the_network_sees_the_thin_day_on_the_usual_scale(own_home: Path) -> None:
    tables = list(PriceStore(own_home).read_many(TRAINED))
    short = [tables[0], *(table.take(slice(0, -1)) for table in tables[1:])]
    market = mean_log_return(short, TRAINED)
    own = np.diff(np.log(tables[0].columns["adj_close"]))[-1] * ((1 + 2.2 / 3) / (1 + 2.2)) ** 0.5
    for panel in (latest_days(short[:1], market, 5), build_panel(short[:1], market)):
        assert panel.market_return[..., -1] == pytest.approx(own, rel=1e-6)


def test_delisted_members_leave_an_old_model_usable(own_home: Path) -> None:
    """Two of three members ended more than a year before the last close."""
    store, days = PriceStore(own_home), 300
    long = {name: recent_table(name, 2 * days, seed) for seed, name in enumerate(TRAINED)}
    for name, table in long.items():
        kept = table if name == "AAA" else table.take(slice(0, days))
        store.write(kept, source="test", fetched_at=NOW)
    (prediction,) = with_composition(own_home).predictions
    assert prediction.thin_market == ()


def test_a_forecast_without_a_market_is_refused_after_five_days(own_home: Path) -> None:
    """NEW is no member; it goes on alone."""
    for lost, served in ((5, True), (6, False)):
        for ticker in TRAINED:
            keep_to(own_home, ticker, 300 - lost)
        batch = with_composition(own_home, ["NEW"])
        assert bool(batch.predictions) == served
        if served:
            assert [day.tickers for day in batch.predictions[0].thin_market] == [0] * 5
        else:
            error = batch.failures["NEW"]
            assert "on 6 of the 12 days that the network looks back on, the last 2026-11-20" in error.message
            assert "forecast fetch" in error.remedy


def test_no_later_price_of_a_member_moves_a_forecast(own_home: Path) -> None:
    """Replayed at an earlier day, whatever the members do after it."""
    store, network = PriceStore(own_home), ModelRegistry(own_home).load(None).network
    then = datetime(2026, 11, 9, 23, tzinfo=UTC)

    def replayed() -> Batch:
        return predict_stored(PriceStore(own_home, then), network, ["AAA"], composition=TRAINED)

    (before,) = replayed().predictions
    for ticker in TRAINED[1:]:
        table = store.read(ticker)
        later = np.where(table.dates > before.last_date, 1.3, 1.0)
        columns = {name: values * later for name, values in table.columns.items()}
        store.write(replace(table, columns=columns), source="test", fetched_at=NOW)
    (after,) = replayed().predictions
    np.testing.assert_array_equal(after.intervals[90], before.intervals[90])
    assert str(after.last_date) == "2026-11-09"
