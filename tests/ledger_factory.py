"""Forecasts for the ledger without a network: distributions at one origin, as `predict` would give them."""

from collections.abc import Sequence
from dataclasses import fields, replace
from datetime import datetime
from pathlib import Path

import numpy as np

from forecaster.ledger.ledger import ForecastRows, Ledger, Recorded
from forecaster.network.student_t import ForecastDistribution
from forecaster.prices.calendar import closing_time, next_sessions


def prediction(
    ticker: str,
    origin: np.datetime64,
    learned: ForecastDistribution,
    walk: ForecastDistribution,
    model: str = "main@1",
    simple: ForecastDistribution | None = None,
) -> ForecastRows:
    """One ticker's forecast from one origin; distributions are (H,), the reference's is the naive one's."""
    steps = len(learned.location)
    name, _, version = model.partition("@")
    return ForecastRows(
        model=name,
        version=int(version),
        ticker=np.full(steps, ticker, dtype=object),
        origin=np.full(steps, origin, dtype="datetime64[D]"),
        step=np.arange(1, steps + 1),
        target=next_sessions(origin, steps),
        last_close=np.full(steps, 100.0),
        forecast=learned,
        naive=walk,
        reference="riskmetrics-t",
        simple=simple or walk,
    )


def together(rows: Sequence[ForecastRows]) -> ForecastRows:
    """The rows of several forecasts of one model."""
    columns = {
        name: np.concatenate([getattr(each, name) for each in rows])
        for name in ("ticker", "origin", "step", "target", "last_close")
    }
    distributions = {
        name: ForecastDistribution(
            *(
                np.concatenate([getattr(getattr(each, name), part.name) for each in rows])
                for part in fields(ForecastDistribution)
            )
        )
        for name in ("forecast", "naive", "simple")
    }
    return replace(rows[0], **columns, **distributions)


def normal(scale: Sequence[float] | float, location: float = 0.0) -> ForecastDistribution:
    """A normal at each step."""
    width = np.atleast_1d(np.asarray(scale, dtype=float))
    return ForecastDistribution(np.full_like(width, location), width, np.full_like(width, np.inf))


def record_daily(
    home: Path, origins: Sequence[np.datetime64], scale: float, walk: float = 0.02, location: float = 0.0
) -> None:
    """Record a one-step normal of `scale` for AAA from each origin, beside a naive one."""
    made = [prediction("AAA", origin, normal(scale, location), normal(walk)) for origin in origins]
    Ledger(home).record(together(made), closing_time(origins[0]))


def record_now(home: Path, one: ForecastRows, now: datetime | None = None) -> Recorded:
    """Record one prediction at the close of its origin, or at `now`."""
    return Ledger(home).record(one, now or closing_time(one.origin[0]))


def outcomes(home: Path) -> list[float | None]:
    """The actual of each recorded step; None where that is open."""
    return [row[0] for row in Ledger(home).select("SELECT log_return FROM forecasts ORDER BY step")]
