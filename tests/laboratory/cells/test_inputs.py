"""Attributions of a forecast to its inputs: linear-t by hand, planted networks, completeness."""

from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

import numpy as np
import pytest
from factories import filled_store
from network_factory import card_of, random_network
from trained_home import recent_table

from forecaster.dataset.features import MARKET_SHIFT, VOLATILITY_SHIFT
from forecaster.errors import BadInputError, NotFoundError, UsageError
from forecaster.laboratory.cells.explained import UNIT, Explained, explained
from forecaster.laboratory.cells.inputs import (
    Attribution,
    attributions,
    disagreement,
    integrated_gradients,
    study_inputs,
    verdict,
)
from forecaster.network.linear_t import CONSTANTS, KERNEL, LinearT, linear_shapes, regressor_names, regressors
from forecaster.network.network import Network
from forecaster.network.recurrent import RecurrentNetwork
from forecaster.prices.store import PriceStore
from forecaster.registry.versions import ModelRegistry
from forecaster.service.prediction import predict_stored

PRICES = ("return", "magnitude", "volatility", "market_return", "market_volatility", "range", "volume")
DATED = (*PRICES, "reports_within_1", "reaction_within_1", "dates_known")
USUAL_SIGMA = float(np.exp(-VOLATILITY_SHIFT))
DAYS = 15


def window(features: tuple[str, ...] = DATED, seed: int = 0) -> np.ndarray:
    random = np.random.default_rng(seed)
    values = random.normal(0, 1, (DAYS, len(features)))
    for name in ("volatility", "market_volatility"):
        if name in features:  # the two move little from day to day
            place = features.index(name)
            values[:, place] = 0.3 + np.cumsum(random.normal(0, 0.05, DAYS))
    return values


def linear(features: tuple[str, ...] = DATED, horizon: int = 3) -> LinearT:
    random = np.random.default_rng(5)
    weights = {
        name: random.normal(0, 0.3, shape).astype("f4")
        for name, shape in linear_shapes(horizon, features).items()
    }
    return LinearT("linear", 1, 1, False, horizon, DAYS, features, weights)


def by_hand(network: LinearT, values: np.ndarray, step: int) -> dict[str, float]:
    """Weight times what a regressor is off its usual value, summed by the input that it is made of."""
    found = regressors(values[None].astype("f4"), network.features, 1)[0, 0].astype(float)
    usual = {"volatility": -VOLATILITY_SHIFT, "market volatility": -MARKET_SHIFT}
    inputs = {
        "volatility": "volatility",
        "market volatility": "market_volatility",
        "last move": "magnitude",
        "last range": "range",
        "returns": "return",
        "fall": "return",
        "market": "market_return",
        "market's fall": "market_return",
        "ranges": "range",
        "volume": "volume",
    }
    parts: dict[str, float] = {}
    for name, value, weight in zip(
        regressor_names(network.features), found, network.weights[KERNEL][:, step - 1], strict=True
    ):
        owner = inputs.get(name.partition(",")[0], "reports")
        parts[owner] = parts.get(owner, 0.0) + float(weight) * (value - usual.get(name, 0.0))
    return parts


@pytest.mark.parametrize("features", [PRICES, DATED, PRICES[:5]], ids=["prices", "reports", "closes only"])
def test_of_linear_t_both_methods_are_weight_times_input(features: tuple[str, ...]) -> None:
    network, values = linear(features), window(features)
    for width in attributions(explained(network, values, 0.03, (1, 3)))[1::2]:
        expected = by_hand(network, values, width.step) | {UNIT: np.log(0.03) + VOLATILITY_SHIFT}
        assert width.gradients == pytest.approx(expected, abs=1e-5)
        assert width.occlusion == pytest.approx(expected, abs=1e-5)
        assert width.agreement == pytest.approx(1)
        assert disagreement(width) is None


def test_linear_ts_median_is_moved_by_the_unit_alone() -> None:
    network = linear()
    median = attributions(explained(network, window(), 0.03, (2,)))[0]
    location = float(network.weights[CONSTANTS][0, 1])
    assert median.moved == pytest.approx(location * np.sqrt(2) * (0.03 - USUAL_SIGMA))
    assert median.gradients[UNIT] == pytest.approx(median.moved)
    assert not any(part for name, part in median.gradients.items() if name != UNIT)
    assert verdict(median) == "unit makes up 100% of what moves it."
    assert np.isnan(median.last_days[5])


def networks() -> list[Network]:
    deep = {"layers": 2, "features": DATED}
    cells = [random_network(cell, 4, **deep) for cell in ("rnn", "lstm", "gru")]  # type: ignore[arg-type]
    both = random_network("lstm", 3, layers=2, bidirectional=True, features=PRICES)
    weekly = random_network("convlstm", 3, features=DATED)
    return [linear(horizon=2), *cells, both, weekly, saturated()]


def saturated() -> RecurrentNetwork:
    """A network whose gates are closed or open on most days."""
    network = random_network("gru", 4, features=PRICES)
    return replace(network, weights={name: 4 * values for name, values in network.weights.items()})


@pytest.mark.parametrize(
    "network", networks(), ids=["linear", "rnn", "lstm", "gru", "both ways", "weeks", "saturated"]
)
def test_a_forecast_is_what_the_network_says_and_its_parts_sum_to_what_moved_it(network: Network) -> None:
    values, sigma = window(network.features), 0.025
    forecast = explained(network, values, sigma, (1, 2))
    raw = network.head_output(values[None].astype("f4"), 1)[:, -1]
    said = network.distribution(raw)
    found = forecast.outputs(forecast.values[None])[0]
    np.testing.assert_allclose(found[:, 0], said.location[0] * sigma * np.sqrt([1, 2]), rtol=1e-3, atol=1e-6)
    np.testing.assert_allclose(found[:, 1], np.log(said.scale[0] * sigma * np.sqrt([1, 2])), atol=1e-3)
    parts = integrated_gradients(forecast)
    for each in attributions(forecast):
        assert each.gap == pytest.approx(0, abs=1e-5 * np.abs(parts[each.step - 1]).sum())
        assert each.days_gradients.sum() + each.gradients[UNIT] == pytest.approx(each.moved + each.gap)
        assert (each.days_size >= np.abs(each.days_gradients) - 1e-12).all()


@pytest.mark.parametrize("network", networks()[:2], ids=["linear", "rnn"])
def test_slopes_are_those_of_small_differences(network: Network) -> None:
    forecast = explained(network, window(network.features), 0.025, (1, 2))
    point = 0.7 * forecast.values
    slopes = forecast.slopes(point[None])[0]
    for place in [(-1, -1), (-1, 0), (-1, -2), (3, 1), (0, 5), (-1, 5)]:
        if not forecast.values[place]:
            continue  # what only the last day has
        moved = np.zeros_like(point)
        moved[place] = 1e-5
        up, down = forecast.outputs(np.stack([point + moved, point - moved]))
        np.testing.assert_allclose(slopes[..., place[0], place[1]], (up - down) / 2e-5, atol=1e-7)


@pytest.mark.parametrize("cell", ["rnn", "lstm", "gru"])
def test_a_network_that_reads_one_input_owes_it_all(cell: str) -> None:
    network = random_network(cell, 4, features=PRICES)
    kernel = np.zeros_like(network.weights["layer0/forward/kernel"])
    kernel[5] = network.weights["layer0/forward/kernel"][5]
    planted = replace(network, weights={**network.weights, "layer0/forward/kernel": kernel})
    for each in attributions(explained(planted, window(PRICES), USUAL_SIGMA, (1,))):
        assert abs(each.moved) > 1e-3 * abs(each.baseline)
        for found in (each.gradients, each.occlusion):
            assert found["range"] == pytest.approx(each.moved, rel=1e-4)
            assert all(part == pytest.approx(0, abs=1e-9) for name, part in found.items() if name != "range")
        assert verdict(each).startswith("range makes up 100% of what moves it, the last 5 days ")


def test_occlusion_is_what_the_output_loses() -> None:
    network, values = random_network("gru", 4, features=DATED), window()
    median, width = attributions(explained(network, values, 0.025, (2,)))

    def said(changed: np.ndarray) -> tuple[float, float]:
        raw = network.head_output(changed[None].astype("f4"), 1)[0, 0]
        return float(raw[1]) * 0.025 * np.sqrt(2), float(raw[3]) + np.log(0.025 * np.sqrt(2))

    for columns, name in (([0], "return"), ([7, 8, 9], "reports")):
        changed = values.copy()
        changed[:, columns] = 0
        lost = np.subtract(said(values), said(changed))
        assert (median.occlusion[name], width.occlusion[name]) == pytest.approx(tuple(lost), abs=1e-6)
    changed = values.copy()
    changed[-2] = 0
    lost = np.subtract(said(values), said(changed))
    assert width.days_occlusion[-2] == pytest.approx(lost[1], abs=1e-6)
    assert median.days_occlusion[-2] == pytest.approx(lost[0], abs=1e-6)


class Product(Explained):
    """An answer that only both inputs together move: each alone takes all away."""

    columns, steps = ("first", "second", UNIT), (1,)

    def __init__(self) -> None:
        self.values = np.array([[0.0, 0.0, 0.0], [2.0, 3.0, 0.0]])

    def heads(self, points: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        return points[:, -1, :1] * points[:, -1, 1:2], np.zeros((len(points), 1))

    def head_slopes(self, points: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        found = np.zeros((len(points), 1, *points.shape[1:]))
        found[:, 0, -1, 0], found[:, 0, -1, 1] = points[:, -1, 1], points[:, -1, 0]
        return found, np.zeros_like(found)


def test_of_a_product_each_factor_has_half_and_occlusion_counts_it_twice() -> None:
    median, width = attributions(Product())
    moved = 6 * USUAL_SIGMA
    assert median.gradients == pytest.approx({"first": moved / 2, "second": moved / 2, UNIT: 0})
    assert median.occlusion == pytest.approx({"first": moved, "second": moved, UNIT: 0})
    assert median.difference == pytest.approx(1)
    assert str(disagreement(median)).startswith("The methods disagree, most on first: ")
    assert verdict(width) == "Nothing in the window moves it."
    assert disagreement(width) is None
    assert np.isnan(width.agreement)


def attribution(occlusion: dict[str, float], gradients: dict[str, float]) -> Attribution:
    size = np.array([0.0, 0.1, 0.1, 0.1, 0.2, 0.5, 1.0])
    return Attribution(1, "width", sum(gradients.values()), 0.0, occlusion, gradients, size, size, size)


def test_where_the_methods_disagree_the_worst_input_is_named() -> None:
    gradients = {"return": 0.3, "range": 0.2, "volume": -0.1, UNIT: 0.05}
    near = attribution({name: 1.4 * part for name, part in gradients.items()}, gradients)
    assert (near.agreement, near.difference) == (pytest.approx(1), pytest.approx(0.4))
    assert disagreement(near) is None
    far = attribution({name: 1.6 * part for name, part in gradients.items()}, gradients)
    assert str(disagreement(far)).startswith("The methods disagree, most on return: ")
    other = attribution({"return": -0.4, "range": 0.2, "volume": -0.1, UNIT: 0.05}, gradients)
    assert other.agreement == pytest.approx(-0.2)
    assert str(disagreement(other)).startswith("The methods disagree, most on return: ")
    assert (
        verdict(other)
        == "return and range make up 77% of what moves it, the last 5 days 95% of what days do."
    )


def test_the_explained_forecast_is_the_predicted_one(trained_home: Path) -> None:
    store, used = PriceStore(trained_home), ModelRegistry(trained_home).load("main")
    study = study_inputs(store, used, "AAA")
    (prediction,) = predict_stored(store, used.network, ["AAA"], composition=used.card["market"]).predictions
    assert study.dates[-1] == prediction.last_date
    assert len(study.dates) == used.network.lookback
    said = prediction.distribution
    assert [(each.step, each.output) for each in study.attributions] == [
        (step, output) for step in (1, 3) for output in ("median", "width")
    ]
    for median, width in zip(study.attributions[::2], study.attributions[1::2], strict=True):
        place = median.step - 1
        assert median.forecast == pytest.approx(float(said.location[place]), abs=1e-6)
        assert np.exp(width.forecast) == pytest.approx(float(said.scale[place]), rel=1e-4)


def test_later_prices_change_nothing(trained_home: Path, tmp_path: Path) -> None:
    used = ModelRegistry(trained_home).load("main")
    whole = recent_table("AAA")
    then = datetime(2026, 10, 1, 22, tzinfo=UTC)
    filled_store(tmp_path / "whole", whole)
    earlier = whole.take(whole.dates <= np.datetime64("2026-10-01"))
    filled_store(tmp_path / "cut", earlier)
    replayed = study_inputs(PriceStore(tmp_path / "whole", then), used, "AAA")
    cut = study_inputs(PriceStore(tmp_path / "cut"), used, "AAA")
    assert replayed.dates[-1] == cut.dates[-1] == earlier.dates[-1]
    for one, other in zip(replayed.attributions, cut.attributions, strict=True):
        assert one.gradients == other.gradients
        assert one.occlusion == other.occlusion


def test_what_cannot_be_explained_is_rejected(trained_home: Path) -> None:
    store, used = PriceStore(trained_home), ModelRegistry(trained_home).load("main")
    with pytest.raises(UsageError, match="--step 4: main@1 has 3"):
        study_inputs(store, used, "AAA", [4])
    with pytest.raises(NotFoundError, match="ZZZ"):
        study_inputs(store, used, "ZZZ")
    with pytest.raises(BadInputError, match="SHORT has 25 bars"):
        study_inputs(store, used, "SHORT")


def test_every_kind_of_model_is_explained(trained_home: Path) -> None:
    registry = ModelRegistry(trained_home)
    used = registry.load("main")
    plain = linear(used.network.features)
    for network in (plain, random_network("lstm", 3, bidirectional=True, features=PRICES, lookback=12)):
        other = replace(used, network=network, card=card_of(random_network()))
        study = study_inputs(PriceStore(trained_home), other, "AAA", [2])
        assert set(study.inputs) <= {*PRICES, UNIT}
        assert all(abs(each.gap) < 1e-6 for each in study.attributions)
