"""Which ticker continues another's prices under a new name."""

import numpy as np

from forecaster.errors import ForecastError
from forecaster.prices.store import PriceStore
from forecaster.prices.table import Days, Floats, PriceTable

SHARED_DAYS = 60
TOLERANCE = 1e-4


def find_successor(store: PriceStore, table: PriceTable) -> PriceTable | None:
    """The ticker whose prices go on where `table` ends, and were the same before; None if there is none.

    The same are the adjusted log returns of the last 60 days of `table`, each within 1e-4: a later
    split or dividend changes prices, not returns.
    """
    last = table.dates[-1]
    days, returns = _last_returns(table, last)
    if len(returns) < SHARED_DAYS or not np.any(returns):
        return None
    for ticker in store.tickers():
        try:
            info = store.info(ticker)
            if info.last <= last or info.first > days[0]:
                continue
            other = store.read(ticker)
            if other.dates[-1] <= last:
                continue
        except ForecastError:
            continue  # a damaged file is nobody's successor
        others_days, others = _last_returns(other, last)
        if np.array_equal(days, others_days) and np.allclose(returns, others, rtol=0, atol=TOLERANCE):
            return other
    return None


def _last_returns(table: PriceTable, last: np.datetime64) -> tuple[Days, Floats]:
    """The days, and the log returns on them, of the last 61 bars up to `last`."""
    end = int(np.searchsorted(table.dates, last, "right"))
    part = slice(max(0, end - SHARED_DAYS - 1), end)
    return table.dates[part], np.diff(np.log(table.columns["adj_close"][part]))
