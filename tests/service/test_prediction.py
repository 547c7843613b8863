"""Predictions of one ticker: dates, prices, intervals, and what is refused."""

import json
import subprocess
import sys
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

import numpy as np
import pytest
from trained_home import LAST_SESSION

from forecaster.dataset.features import compute_features
from forecaster.dataset.panel import load_panel
from forecaster.errors import BadInputError, ForecastError, NotFoundError, UsageError
from forecaster.evaluation.forecasts import network_forecasts
from forecaster.prices.calendar import is_session
from forecaster.prices.store import PriceStore
from forecaster.registry.versions import ModelRegistry
from forecaster.service.prediction import Prediction, forecast_last_day, predict

NOW = datetime(2026, 11, 21, 22, 30, tzinfo=UTC)


def predicted(home: Path, ticker: str = "AAA", horizon: int | None = None, level: int = 90) -> Prediction:
    return predict(PriceStore(home), ModelRegistry(home).load(None), ticker, NOW, horizon, level)


def test_the_dates_are_the_coming_sessions(trained_home: Path) -> None:
    prediction = predicted(trained_home)
    # Saturday the 21st and Sunday lie between; Thanksgiving is the 26th.
    assert [str(day) for day in prediction.dates] == ["2026-11-23", "2026-11-24", "2026-11-25"]
    assert (prediction.last_date, prediction.sessions_old) == (LAST_SESSION, 0)


def test_holidays_are_passed_over(trained_home: Path) -> None:
    prediction = predicted(trained_home, "OLD")
    assert str(prediction.last_date) == "2026-11-13"
    assert prediction.sessions_old == 5
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
    assert (prediction.naive_median == prediction.last_close).all()
    product = prediction.naive_interval[0] * prediction.naive_interval[1]
    np.testing.assert_allclose(product, prediction.last_close**2)


def test_only_the_last_thousand_days_and_the_lookback_are_needed(trained_home: Path) -> None:
    """Two computations of the same forecast: from the last days alone, and from all of them."""
    model = ModelRegistry(trained_home).load(None)
    panel = load_panel(PriceStore(trained_home), ["AAA"])
    longer = replace(
        panel,
        dates=np.arange(1200) + np.datetime64("2020-01-01"),
        close=np.tile(panel.close, 4),
        log_return=np.tile(np.nan_to_num(panel.log_return), 4),
        log_range=np.tile(panel.log_range, 4),
        log_volume=np.tile(panel.log_volume, 4),
        market_return=np.tile(np.nan_to_num(panel.market_return), 4),
    )
    found = forecast_last_day(model.network, longer)
    features = compute_features(longer, model.network.features)
    _, expected = network_forecasts(model.network, features, range(1199, 1200))
    np.testing.assert_allclose(found.scale, expected.scale, rtol=1e-5)


def test_fewer_steps_are_the_first_of_all_steps(trained_home: Path) -> None:
    whole, short = predicted(trained_home), predicted(trained_home, horizon=2)
    assert len(short.dates) == 2
    np.testing.assert_array_equal(short.median, whole.median[:2])
    np.testing.assert_array_equal(short.intervals[90], whole.intervals[90][:, :2])


def test_a_ticker_that_was_not_trained_on_is_marked(trained_home: Path) -> None:
    assert predicted(trained_home).trained_on
    assert not predicted(trained_home, "NEW").trained_on


@pytest.mark.parametrize(
    ("ticker", "horizon", "level", "error", "words"),
    [
        pytest.param("AAA", 4, 90, UsageError, "foretells 1 to 3 .* --horizon 4", id="horizon-too-large"),
        pytest.param("AAA", 0, 90, UsageError, "foretells 1 to 3", id="no-horizon"),
        pytest.param("AAA", None, 100, UsageError, "--level 100 is out of range", id="level-100"),
        pytest.param("AAA", None, 50, UsageError, "--level 50 is out of range", id="level-50"),
        pytest.param("ZZZ", None, 90, NotFoundError, "ZZZ", id="not-in-the-store"),
        pytest.param(
            "SHORT", None, 90, BadInputError, "only 5 of the last 12 can be used", id="too-few-days"
        ),
        pytest.param("HOLE", None, 90, BadInputError, "only 10 of the last 12 can be used", id="a-hole"),
    ],
)
def test_what_cannot_be_foretold_is_refused(
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
