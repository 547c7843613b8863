"""The exponentially weighted volatility against pandas."""

import numpy as np
import pandas as pd

from forecaster.dataset.volatility import LEAST, WARM_UP, exponential_mean, volatility


def returns(days: int = 200) -> np.ndarray:
    values = np.random.default_rng(0).normal(0, 0.02, (2, days)).astype(np.float32)
    values[0, 0] = np.nan
    values[1, 50:60] = np.nan
    return values


def test_the_mean_is_that_of_pandas() -> None:
    values = returns()
    expected = pd.DataFrame(values.T).ewm(alpha=0.06, adjust=True, ignore_na=True).mean().to_numpy().T
    np.testing.assert_allclose(exponential_mean(values, 0.94), expected, rtol=1e-5)


def test_it_is_the_recursion_to_the_last_bit_however_many_tickers_there_are() -> None:
    random = np.random.default_rng(1)
    values = random.normal(0, 0.02, (300, 90)).astype(np.float32)
    values[random.random(values.shape) < 0.2] = np.nan
    expected = np.full(values.shape, np.nan, np.float32)
    for row, days in enumerate(values):
        total = weight = np.float64(0)
        for day, value in enumerate(days):
            if np.isfinite(value):
                total = 0.94 * total + np.float64(np.float32(1 - 0.94) * value)
                weight = 0.94 * weight + (1 - 0.94)
            if weight:
                expected[row, day] = total / weight
    found = exponential_mean(values, 0.94)
    np.testing.assert_array_equal(found, expected)
    np.testing.assert_array_equal(exponential_mean(values[7], 0.94), expected[7])
    np.testing.assert_array_equal(exponential_mean(values.reshape(3, 100, 90), 0.94).reshape(300, 90), found)


def test_volatility_is_the_root_of_the_mean_square_and_waits_for_the_warm_up() -> None:
    values = returns()
    expected = np.sqrt(pd.DataFrame(values.T**2).ewm(alpha=0.06, ignore_na=True).mean().to_numpy().T)
    sigma = volatility(values)
    assert np.isnan(sigma[0, :WARM_UP]).all()  # the first day has no return
    np.testing.assert_allclose(sigma[0, WARM_UP:], expected[0, WARM_UP:], rtol=1e-5)


def test_a_price_that_stands_still_has_the_least_volatility() -> None:
    assert volatility(np.zeros((1, 30), dtype=np.float32))[0, -1] == np.float32(LEAST)
