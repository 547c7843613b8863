"""The prices that are known on a command's clock: what forecasts, trains and scores reads nothing else."""

from collections.abc import Mapping
from datetime import datetime
from pathlib import Path

from forecaster.errors import BadInputError
from forecaster.prices.calendar import last_closed_session
from forecaster.prices.market import later_markets, read_market
from forecaster.prices.store import PriceStore
from forecaster.settings import is_replay


def known_prices(home: Path, now: datetime, environ: Mapping[str, str]) -> PriceStore:
    """The store of a home folder as it was known at `now`.

    Prices later than the clock are left out in a replay. Otherwise they mean that the clock is behind: what
    it would date, record or score would be wrong, so nothing is read.

    Args:
        home: the folder.
        now: the clock of the command.
        environ: where `FORECAST_NOW` stands in a replay.

    Raises:
        BadInputError: the clock is behind the prices, and this is no replay.
    """
    store = PriceStore(home, now, PriceStore(home).look())
    if is_replay(environ):
        return store
    later = later_markets(read_market(store.whole()), now)
    if later:
        calendar, day = max(later.items(), key=lambda item: item[1])
        raise BadInputError(
            f"the clock says {now:%Y-%m-%d %H:%M} UTC, when {calendar} had last closed on "
            f"{last_closed_session(now, calendar)}, but there are prices of {day}",
            "set the system's clock; to replay a day of the past, set FORECAST_NOW",
        )
    return store
