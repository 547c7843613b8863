"""What was planted in prices is found, and what was not is not; trials, for networks are trained for good."""

from collections.abc import Callable

import numpy as np
import pandas as pd
import pytest

import forecaster as fc

pytestmark = pytest.mark.trial
DAYS = 1800
RECIPE = fc.Recipe(lookback=20, horizon=1, units=16, epochs=12, device="cpu")
Rule = Callable[[np.ndarray, int], tuple[float, float]]


def prices(rule: Rule, tickers: int = 12) -> pd.DataFrame:
    """Daily returns whose mean and deviation `rule` gives from those before, in per cent."""
    random = np.random.default_rng(0)
    dates = pd.bdate_range("2008-01-01", periods=DAYS)
    frames = []
    for number in range(tickers):
        returns = np.zeros(DAYS)
        for day, noise in enumerate(random.standard_normal(DAYS)):
            mean, deviation = rule(returns, day) if day > 1 else (0.0, 1.0)
            returns[day] = mean + deviation * noise
        close = 100 * np.exp(np.cumsum(returns / 100))
        frames.append(pd.DataFrame({"ticker": f"T{number}", "date": dates, "close": close}))
    return pd.concat(frames)


def test_what_only_recurrence_can_use_makes_recurrence_win() -> None:
    """A day is wild after two of unlike signs, which no exponential mean of sizes or falls can tell."""
    frame = prices(lambda past, day: (0.0, 1.7 if (past[day - 1] > 0) != (past[day - 2] > 0) else 0.6))
    verdict = fc.compare(frame, ["gru"], RECIPE).verdict
    assert verdict.recurrence_helps
    assert verdict.recurrence["1"].low > 0
    assert "Part of that only recurrence finds." in verdict.text
    assert not verdict.beats_naive_price


def test_what_exponential_means_hold_is_not_put_down_to_recurrence() -> None:
    """Volatility that dies away by a tenth each day (GARCH's way) is all in the inputs."""

    def rule(past: np.ndarray, day: int) -> tuple[float, float]:
        weights = 0.9 ** np.arange(day)
        return 0.0, float(np.sqrt(0.1 + 0.9 * (weights @ np.square(past[day - 1 :: -1])) / weights.sum()))

    verdict = fc.compare(prices(rule), ["gru"], RECIPE).verdict
    assert not verdict.recurrence_helps
    assert "Part of that only recurrence finds." not in verdict.text


def test_a_walk_with_drift_is_drift_and_no_more() -> None:
    verdict = fc.compare(prices(lambda _past, _day: (0.15, 1.0)), ["gru"], RECIPE).verdict
    assert not verdict.beats_naive_price
    assert "does not beat the last close, drift and always-up" in verdict.text


def test_moves_that_go_on_are_found_in_the_price() -> None:
    verdict = fc.compare(prices(lambda past, day: (0.3 * past[day - 1], 1.0)), ["gru"], RECIPE).verdict
    assert verdict.beats_naive_price
    assert "says something about where the price goes" in verdict.text
