"""Features by hand, and that none of them, nor any forecast, sees the future."""

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from factories import panel_of, random_walk_table
from hypothesis import given, settings
from hypothesis import strategies as st
from network_factory import random_network

from forecaster.dataset.features import ALWAYS, available_features, compute_features
from forecaster.dataset.panel import Panel, build_panel, latest_days
from forecaster.evaluation.baselines import BASELINES
from forecaster.evaluation.forecasts import Origins, network_forecasts
from forecaster.network.student_t import ForecastDistribution
from forecaster.prices.market import MarketSeries, mean_log_return
from forecaster.prices.table import PriceTable
from forecaster.service.prediction import forecast_latest

DAYS, LOOKBACK = 90, 10
NAMES = (*ALWAYS, "range", "volume")
CHANGED = ("close", "adj_close", "high", "low", "volume")


def tables(**options: bool) -> list[PriceTable]:
    return [random_walk_table(name, DAYS, seed, **options) for seed, name in enumerate(("AAA", "BBB"))]


def panel_beside(market: MarketSeries, chosen: Sequence[PriceTable]) -> Panel:
    return build_panel(chosen, market)


def with_volume(table: PriceTable, days: slice, value: float) -> PriceTable:
    volume = table.columns["volume"].copy()
    volume[days] = value
    return replace(table, columns={**table.columns, "volume": volume})


def test_closes_alone_give_the_features_that_need_no_bars() -> None:
    assert available_features(panel_of(*tables(closes_only=True))) == ALWAYS


def test_bars_give_the_range_and_the_volume_too() -> None:
    assert available_features(panel_of(*tables())) == NAMES


def test_a_column_that_one_ticker_lacks_is_left_out_for_all() -> None:
    first, second = tables()
    panel = panel_of(first, with_volume(second, slice(None), np.nan))
    assert available_features(panel) == (*ALWAYS, "range")


def test_a_day_without_volume_counts_as_a_usual_one() -> None:
    first, second = tables()
    panel = panel_of(first, with_volume(second, slice(40, 44), np.nan))
    assert available_features(panel) == NAMES
    features = compute_features(panel, NAMES)
    volume = features.values[..., NAMES.index("volume")]
    assert (volume[1, 40:44] == 0).all()
    assert (volume[0, 40:44] != 0).all()
    assert features.valid_input[:, 40:44].all()


def test_the_formulas_by_hand() -> None:
    panel = panel_of(*tables())
    features = compute_features(panel, NAMES)
    day, sigma = 60, float(features.volatility[0, 60])
    move, market = float(panel.log_return[0, day]), panel.market_return[: day + 1]
    weights = 0.94 ** np.arange(day)[::-1]
    market_sigma = float(np.sqrt(weights @ market[1:].astype(float) ** 2 / weights.sum()))
    volumes = panel.log_volume[0, : day + 1].astype(float)
    volume_weights = (1 - 2 / 61) ** np.arange(day + 1)[::-1]
    expected = {
        "return": move / sigma,
        "magnitude": np.log(abs(move) / sigma + 0.01),
        "volatility": np.log(sigma) + 4.0,
        "market_return": market[-1] / market_sigma,
        "market_volatility": np.log(market_sigma) + 4.6,
        "range": np.log(panel.log_range[0, day] / sigma + 0.01),
        "volume": volumes[-1] - volume_weights @ volumes / volume_weights.sum(),
    }
    found = dict(zip(NAMES, features.values[0, day].tolist(), strict=True))
    assert found == pytest.approx(expected, rel=1e-4)


def test_features_do_not_know_the_price_s_scale() -> None:
    first, second = tables()
    scaled = replace(
        first,
        columns={
            name: values * 128 if name != "volume" else values for name, values in first.columns.items()
        },
    )
    here, there = (compute_features(panel_of(table, second), NAMES) for table in (first, scaled))
    np.testing.assert_allclose(here.values, there.values, atol=1e-4)


def test_extremes_are_clipped() -> None:
    first, second = tables()
    values = compute_features(panel_of(with_volume(first, slice(60, 61), 0.0), second), NAMES).values
    assert values[0, 60, NAMES.index("volume")] == -8
    assert np.abs(values).max() == 8


def after(origin: int, factors: Sequence[float], chosen: Sequence[str], row: int) -> tuple[Panel, Panel]:
    """A panel, and one whose prices of ticker `row` and whose market differ after day `origin`."""
    whole = tables()
    random = np.random.default_rng(origin)
    table = whole[row]
    columns = {name: values.copy() for name, values in table.columns.items()}
    for name, factor in zip(chosen, factors, strict=True):
        columns[name][origin + 1 :] *= factor ** random.uniform(0.5, 1.5, DAYS - origin - 1)
    changed = [*whole[:row], replace(table, columns=columns), *whole[row + 1 :]]
    market = mean_log_return(changed)
    future = market.dates > table.dates[origin]
    shaken = replace(market, mean=np.where(future, market.mean * 3 + 0.1, market.mean))
    return panel_of(*whole), panel_beside(shaken, changed)


def assert_same(one: ForecastDistribution, other: ForecastDistribution, rows: np.ndarray) -> None:
    for part in ("location", "scale", "degrees_of_freedom"):
        np.testing.assert_array_equal(getattr(one, part)[rows], getattr(other, part)[rows])


futures = given(
    origin=st.integers(45, DAYS - 2),
    factors=st.lists(st.floats(1e-3, 1e3), min_size=5, max_size=5),
    row=st.integers(0, 1),
)


@futures
@settings(max_examples=50)
def test_no_feature_sees_the_future(origin: int, factors: list[float], row: int) -> None:
    panels = after(origin, factors, CHANGED, row)
    one, other = (compute_features(panel, NAMES) for panel in panels)
    known = slice(origin + 1)
    np.testing.assert_array_equal(one.values[:, known], other.values[:, known])
    np.testing.assert_array_equal(one.volatility[:, known], other.volatility[:, known])
    np.testing.assert_array_equal(one.valid_input[:, known], other.valid_input[:, known])


def test_the_property_above_can_fail() -> None:
    one, other = (compute_features(panel, NAMES) for panel in after(50, [2.0] * 5, CHANGED, 0))
    differs = (one.values != other.values).any(axis=(0, 1))
    assert dict(zip(NAMES, differs.tolist(), strict=True)) == dict.fromkeys(NAMES, True)
    assert np.flatnonzero((one.values != other.values).any(axis=(0, 2)))[0] == 51


@futures
@settings(max_examples=20)
def test_no_baseline_sees_the_future(origin: int, factors: list[float], row: int) -> None:
    one, other = after(origin, factors, CHANGED, row)
    day = np.tile(np.arange(40, DAYS), 2)
    origins = Origins(np.repeat([0, 1], DAYS - 40), day)
    for baseline in BASELINES.values():
        assert_same(baseline(one, origins, 3), baseline(other, origins, 3), day <= origin)


@pytest.mark.parametrize(
    ("cell", "bidirectional"),
    [(cell, both_ways) for cell in ("rnn", "lstm", "gru") for both_ways in (False, True)]
    + [("convlstm", False)],
)
def test_no_network_sees_the_future(cell: str, bidirectional: bool) -> None:
    network = random_network(cell, layers=2, bidirectional=bidirectional, lookback=LOOKBACK, features=NAMES)

    @futures
    @settings(max_examples=8)
    def holds(origin: int, factors: list[float], row: int) -> None:
        panels = after(origin, factors, CHANGED, row)
        part = range(40, DAYS - 1)
        (origins, one), (others, other) = (
            network_forecasts(network, compute_features(panel, NAMES), part) for panel in panels
        )
        np.testing.assert_array_equal(origins.day, others.day)
        known = origins.day <= origin
        assert known.any()
        assert_same(one, other, known)

    holds()


@pytest.mark.parametrize(
    "form", [{}, {"bidirectional": True}, {"cell": "convlstm"}], ids=["one-way", "both-ways", "weeks"]
)
@pytest.mark.parametrize("origin", [45, 60, DAYS - 1])
def test_a_prediction_is_the_same_whether_the_future_is_known_or_not(
    origin: int, form: dict[str, Any]
) -> None:
    """Prices that end on the origin's day give what the whole history gives at that origin."""
    network = random_network(**form, lookback=LOOKBACK, features=NAMES)
    market = mean_log_return(tables())
    past = [table.take(slice(origin + 1)) for table in tables()]
    predicted, valid = forecast_latest(
        network, compute_features(latest_days(past, market, DAYS), network.features)
    )
    assert (valid == LOOKBACK).all()
    shaken = replace(market, mean=market.mean + (market.dates > past[0].dates[-1]))
    again, _ = forecast_latest(network, compute_features(latest_days(past, shaken, DAYS), network.features))
    assert_same(predicted, again, np.array([0, 1]))
    features = compute_features(panel_beside(market, tables()), NAMES)
    origins, tested = network_forecasts(network, features, range(origin, origin + 1))
    assert origins.day.tolist() == [origin, origin]
    # The same days in a larger matrix product are summed in another order.
    np.testing.assert_allclose(predicted.location, tested.location, rtol=1e-4, atol=1e-8)
    np.testing.assert_allclose(predicted.scale, tested.scale, rtol=1e-5)
