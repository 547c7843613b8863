"""Small seeded price tables, and stores filled with them."""

from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path

import numpy as np

from forecaster.dataset.panel import Panel, build_panel
from forecaster.prices.calendar import next_sessions
from forecaster.prices.market import mean_log_return
from forecaster.prices.store import PriceStore
from forecaster.prices.table import PriceTable, complete

WRITTEN = datetime(2026, 11, 21, tzinfo=UTC)


def random_walk_table(
    ticker: str = "AAA",
    days: int = 300,
    seed: int = 0,
    *,
    after: str = "2014-12-31",
    volatility: float = 0.02,
    closes_only: bool = False,
) -> PriceTable:
    """A ticker whose log price is a random walk on New York's sessions after a day."""
    random = np.random.default_rng(seed)
    close = 100 * np.exp(np.cumsum(random.normal(0, volatility, days)))
    columns = {"close": close, "adj_close": close.copy()}
    if not closes_only:
        spread = np.exp(np.abs(random.normal(0, volatility / 2, (2, days))))
        columns |= {
            "open": close * np.exp(random.normal(0, volatility / 4, days)),
            "high": close * spread[0],
            "low": close / spread[1],
            "volume": np.round(np.exp(random.normal(14, 0.5, days))),
        }
    return PriceTable(ticker, next_sessions(np.datetime64(after), days), complete(columns, days))


def closes_table(ticker: str, dates: Sequence[str], closes: Sequence[float]) -> PriceTable:
    """A ticker with closes written out by hand."""
    values = np.array(closes, dtype=float)
    columns = complete({"close": values, "adj_close": values}, len(values))
    return PriceTable(ticker, np.array(dates, "datetime64[D]"), columns)


def filled_store(home: Path, *tables: PriceTable) -> PriceStore:
    """A store under `home` that holds `tables`; three random walks if none are given."""
    store = PriceStore(home)
    for table in tables or [
        random_walk_table(name, seed=seed) for seed, name in enumerate(("AAA", "BBB", "CCC"))
    ]:
        store.write(table, source="test", fetched_at=WRITTEN)
    return store


def panel_of(*tables: PriceTable) -> Panel:
    """A panel of `tables`, which are the whole market."""
    market = mean_log_return(tables)
    return build_panel(tables, market)


def persistent_table(
    ticker: str, days: int, seed: int, persistence: float = 0.3, *, after: str = "2014-12-31"
) -> PriceTable:
    """A ticker with structure to find: each return is `persistence` times the last one, plus noise."""
    noise = np.random.default_rng(seed).normal(0, 0.02, days)
    returns = np.zeros(days)
    for day in range(1, days):
        returns[day] = persistence * returns[day - 1] + noise[day]
    dates = next_sessions(np.datetime64(after), days)
    close = 100 * np.exp(np.cumsum(returns))
    return PriceTable(ticker, dates, complete({"close": close, "adj_close": close.copy()}, days))
