"""Which ticker continues another's prices under a new name."""

from collections.abc import Sequence

import numpy as np

from forecaster.errors import ForecastError
from forecaster.prices.store import PriceStore
from forecaster.prices.table import Days, Floats, PriceTable

SHARED_DAYS = 60
TOLERANCE = 1e-4


def find_successors(store: PriceStore, tables: Sequence[PriceTable]) -> dict[str, PriceTable]:
    """By ticker of `tables`, the ticker whose prices go on where it ends, and were the same before.

    The same are the adjusted log returns of the last 60 days of a table, each within 1e-4: a later split or
    dividend changes prices, not returns. The store is read once, however many tables there are; of the
    successors close and adj_close alone.
    """
    ended: dict[np.datetime64, list[tuple[str, Days, Floats]]] = {}
    for table in tables:
        days, returns = _last_returns(table, table.dates[-1])
        if len(returns) >= SHARED_DAYS and np.any(returns):
            ended.setdefault(table.dates[-1], []).append((table.ticker, days, returns))
    found: dict[str, PriceTable] = {}
    for ticker in store.tickers() if ended else ():
        try:
            info = store.info(ticker)
            if all(info.last <= last or info.first > last for last in ended):
                continue
            other = store.read(ticker, ("close", "adj_close"))
        except ForecastError:
            continue  # a damaged file is nobody's successor
        for last, each in ended.items():
            if other.dates[0] <= last < other.dates[-1]:
                others_days, others = _last_returns(other, last)
                for name, days, returns in each:
                    if name not in found and _are_alike(days, returns, others_days, others):
                        found[name] = other
    return found


def _are_alike(days: Days, returns: Floats, others_days: Days, others: Floats) -> bool:
    # The last return tells nearly all that differ, in a hundredth of the time.
    return (
        len(returns) == len(others)
        and abs(returns[-1] - others[-1]) <= TOLERANCE
        and np.array_equal(days, others_days)
        and bool(np.allclose(returns, others, rtol=0, atol=TOLERANCE))
    )


def _last_returns(table: PriceTable, last: np.datetime64) -> tuple[Days, Floats]:
    """The days, and the log returns on them, of the last 61 bars up to `last`."""
    end = int(np.searchsorted(table.dates, last, "right"))
    part = slice(max(0, end - SHARED_DAYS - 1), end)
    return table.dates[part], np.diff(np.log(table.columns["adj_close"][part]))
