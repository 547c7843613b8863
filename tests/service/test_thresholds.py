"""Prices that people ask about, and the chance of a close beyond one."""

from contextlib import suppress
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import integrate, stats

from forecaster.errors import UsageError
from forecaster.network.student_t import ForecastDistribution
from forecaster.prices.store import PriceStore
from forecaster.registry.versions import ModelRegistry
from forecaster.service.prediction import Prediction, predict_stored
from forecaster.service.thresholds import Threshold, chances, parse_threshold, parse_thresholds


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
    found = chances(prediction, {"above": Threshold(price), "below": Threshold(price)})
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
        found = chances(prediction, {"above": Threshold(upper), "below": Threshold(lower)})
        assert found["above"][step] == pytest.approx(0.05, abs=1e-6)
        assert found["below"][step] == pytest.approx(0.05, abs=1e-6)


def test_a_change_is_meant_from_the_last_close(prediction: Prediction) -> None:
    relative = chances(prediction, {"above": Threshold(4, relative=True)})
    absolute = chances(prediction, {"above": Threshold(1.04 * prediction.last_close)})
    np.testing.assert_allclose(relative["above"], absolute["above"], rtol=1e-12)
