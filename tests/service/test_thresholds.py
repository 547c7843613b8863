"""Prices that people ask about, and the chance of a close beyond one."""

from contextlib import suppress
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import integrate, stats

from forecaster.errors import UsageError
from forecaster.network.step_copula import StepCopula, random_walk_copula
from forecaster.network.student_t import ForecastDistribution
from forecaster.prices.store import PriceStore
from forecaster.registry.versions import ModelRegistry
from forecaster.service.paths import draw_paths
from forecaster.service.prediction import Prediction, predict_stored
from forecaster.service.thresholds import (
    Threshold,
    chances,
    parse_threshold,
    parse_thresholds,
)

WALK = random_walk_copula(3)


@pytest.fixture
def prediction(trained_home: Path) -> Prediction:
    network = ModelRegistry(trained_home).load(None).network
    return predict_stored(PriceStore(trained_home), network, ["AAA"]).predictions[0]


def law(distribution: ForecastDistribution, step: int) -> stats.rv_continuous:
    return stats.t(
        float(distribution.degrees_of_freedom[step]),
        float(distribution.location[step]),
        float(distribution.scale[step]),
    )


@pytest.mark.parametrize(
    ("text", "last_close", "price"),
    [
        pytest.param("210.5", 200.0, 210.5, id="price"),
        pytest.param(210, 200.0, 210.0, id="number"),
        pytest.param(np.float32(0.5), 200.0, 0.5, id="numpy"),
        pytest.param(" .5 ", 200.0, 0.5, id="no-leading-zero"),
        pytest.param("+5%", 200.0, 210.0, id="up"),
        pytest.param("-5%", 200.0, 190.0, id="down"),
        pytest.param("+2.5 %", 40.0, 41.0, id="a-blank-before-the-sign"),
        pytest.param("-99.5%", 200.0, 1.0, id="nearly-all"),
    ],
)
def test_a_price_or_a_change_from_the_last_close(text: str | float, last_close: float, price: float) -> None:
    assert parse_threshold(text, "above").price(last_close) == pytest.approx(price)


@pytest.mark.parametrize(
    "text",
    [
        *("", "much", "5%", "%", "+%", "0", "-5", "nan", "inf", "1_000", "1,000", "1e3", "--5%", "-100%"),
        *("-250%", "١٢", "+5%%", "9" * 400, 0, -3.0, float("nan"), float("inf")),
    ],
)
def test_what_is_no_price_is_rejected(text: str | float) -> None:
    with pytest.raises(UsageError, match=r"^--above "):
        parse_threshold(text, "--above")


@given(st.text(max_size=8))
def test_any_text_is_a_threshold_or_a_usage_error(text: str) -> None:
    with suppress(UsageError):
        assert parse_threshold(text, "above").price(100.0) > 0


def test_one_price_is_for_one_ticker() -> None:
    assert parse_thresholds({"--above": "210", "--below": None}, 1) == {"above": Threshold(210.0)}
    assert parse_thresholds({"below": "-5%"}, 500) == {"below": Threshold(-5.0, relative=True)}
    with pytest.raises(UsageError, match="--above 210 is one price for 2 tickers"):
        parse_thresholds({"--above": "210"}, 2)


@pytest.mark.parametrize("change", [-0.2, -0.01, 0.0, 0.003, 0.1])
def test_the_chance_is_the_area_of_the_density_beyond_the_price(
    prediction: Prediction, change: float
) -> None:
    """By integration, and by the share of drawn closes that are beyond it."""
    price = prediction.last_close * (1 + change)
    found = chances(prediction, {"above": Threshold(price), "below": Threshold(price)}, WALK)
    np.testing.assert_allclose(found["above"] + found["below"], 1)
    for step in range(3):
        density = law(prediction.distribution, step).pdf
        area, _ = integrate.quad(density, np.log(price / prediction.last_close), np.inf)
        assert found["above"][step] == pytest.approx(area, abs=1e-7)
        drawn = law(prediction.distribution, step).rvs(40_000, random_state=step)
        share = (prediction.last_close * np.exp(drawn) < price).mean()
        assert found["below"][step] == pytest.approx(share, abs=0.01)


def test_the_end_of_an_interval_has_its_chance(prediction: Prediction) -> None:
    for step in range(3):
        lower, upper = prediction.intervals[90][:, step]
        found = chances(prediction, {"above": Threshold(upper), "below": Threshold(lower)}, WALK)
        assert found["above"][step] == pytest.approx(0.05, abs=1e-6)
        assert found["below"][step] == pytest.approx(0.05, abs=1e-6)


def test_a_change_is_meant_from_the_last_close(prediction: Prediction) -> None:
    relative = chances(prediction, {"above": Threshold(4, relative=True)}, WALK)
    absolute = chances(prediction, {"above": Threshold(1.04 * prediction.last_close)}, WALK)
    np.testing.assert_allclose(relative["above"], absolute["above"], rtol=1e-12)


@pytest.mark.parametrize("change", [-0.05, -0.004, 0.0, 0.01, 0.05])
def test_a_touch_is_a_close_at_or_beyond_the_price_on_a_path(prediction: Prediction, change: float) -> None:
    price = prediction.last_close * (1 + change)
    found = chances(prediction, {"touch": Threshold(price)}, WALK)["touch"]
    closes = draw_paths(prediction, WALK, 50_000, seed=1)
    there = closes <= price if change < 0 else closes >= price
    np.testing.assert_allclose(found, np.maximum.accumulate(there, axis=1).mean(0), atol=0.01)


def test_a_touch_is_no_less_likely_than_a_close_beyond(prediction: Prediction) -> None:
    for share, beyond in ((3.0, "above"), (-3.0, "below")):
        asked = {name: Threshold(share, relative=True) for name in ("touch", beyond)}
        found = chances(prediction, asked, WALK)
        assert found["touch"][0] == pytest.approx(found[beyond][0], abs=1e-8)
        assert (found["touch"][1:] > found[beyond][1:]).all()
        assert (np.diff(found["touch"]) > 0).all()


def test_what_ties_the_steps_moves_the_touch_and_nothing_else(prediction: Prediction) -> None:
    asked = {name: Threshold(3, relative=True) for name in ("touch", "above")}
    loose = chances(prediction, asked, StepCopula(np.zeros(2), fitted=True))
    tied = chances(prediction, asked, StepCopula(np.full(2, 0.99), fitted=True))
    np.testing.assert_array_equal(loose["above"], tied["above"])
    assert (loose["touch"][1:] > tied["touch"][1:]).all()


def test_drawn_closes_are_distributed_as_the_forecast_at_each_step(prediction: Prediction) -> None:
    closes = draw_paths(prediction, WALK, 20_000, seed=0)
    assert closes.shape == (20_000, 3)
    moves = np.log(closes / prediction.last_close)
    for step in range(3):
        assert stats.kstest(moves[:, step], law(prediction.distribution, step).cdf).pvalue > 0.001
    ranks = stats.spearmanr(closes).statistic
    expected = 6 / np.pi * np.arcsin(np.sqrt(1 / 2) / 2)  # of a Gaussian copula
    assert ranks[0, 1] == pytest.approx(expected, abs=0.02)


def test_paths_depend_on_ticker_and_seed_alone(prediction: Prediction) -> None:
    first = draw_paths(prediction, WALK, 50, seed=0)
    np.testing.assert_array_equal(first, draw_paths(prediction, WALK, 50, seed=0))
    assert not np.array_equal(first, draw_paths(prediction, WALK, 50, seed=1))
    other = replace(prediction, ticker="BBB")
    assert not np.array_equal(first, draw_paths(other, WALK, 50, seed=0))
