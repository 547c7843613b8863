"""Forecasts for the ledger without a network: distributions at one origin, as `predict` would give them."""

from collections.abc import Sequence
from datetime import datetime
from pathlib import Path

import numpy as np

from forecaster.ledger.ledger import Ledger, Recorded
from forecaster.network.student_t import ForecastDistribution
from forecaster.prices.calendar import closing_time, next_sessions
from forecaster.service.prediction import Prediction


def prediction(
    ticker: str,
    origin: np.datetime64,
    learnt: ForecastDistribution,
    walk: ForecastDistribution,
    model: str = "main@1",
) -> Prediction:
    """What the ledger needs of a prediction; both distributions are (H,)."""
    steps = len(learnt.location)
    nothing = np.zeros(steps)
    return Prediction(
        ticker=ticker,
        model=model,
        trained_on=True,
        last_date=origin,
        last_close=100.0,
        sessions_old=0,
        dates=next_sessions(origin, steps),
        median=nothing,
        intervals={},
        naive_median=nothing,
        naive_interval=np.zeros((2, steps)),
        expected_move=nothing,
        distribution=learnt,
        naive_distribution=walk,
        history_dates=np.array([origin]),
        history=np.array([100.0]),
    )


def normal(scale: Sequence[float] | float, location: float = 0.0) -> ForecastDistribution:
    """A normal at each step."""
    width = np.atleast_1d(np.asarray(scale, dtype=float))
    return ForecastDistribution(np.full_like(width, location), width, np.full_like(width, np.inf))


def record_daily(
    home: Path, origins: Sequence[np.datetime64], scale: float, walk: float = 0.02, location: float = 0.0
) -> None:
    """Record a one-step normal of `scale` for AAA from each origin, beside a naive one."""
    made = [prediction("AAA", origin, normal(scale, location), normal(walk)) for origin in origins]
    Ledger(home).record(made, closing_time(origins[0]))


def record_now(home: Path, one: Prediction, now: datetime | None = None) -> Recorded:
    """Record one prediction at the close of its origin, or at `now`."""
    return Ledger(home).record([one], now or closing_time(one.last_date))


def outcomes(home: Path) -> list[float | None]:
    """What came true of each recorded step; None where that is open."""
    return [row[0] for row in Ledger(home).select("SELECT log_return FROM forecasts ORDER BY step")]
