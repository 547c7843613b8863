"""The one place that calls yfinance: a ticker and a span of days in, that ticker's bars out.

Four of its private parts are set, as nothing public does the same; a test on the pinned version guards
them. The ticker's zone is given, which saves a request; the cookie and the crumb are marked as known,
which saves the cookie hosts; and the answers it remembers are forgotten, as it remembers bad ones too.
"""

import logging
import warnings
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from forecaster.errors import BadInputError, ForecastError, NotFoundError, forget_frames
from forecaster.prices.calendar import ONE_DAY, zone_of
from forecaster.prices.exchanges import XNYS, calendar_of_symbol
from forecaster.prices.table import Days, Floats
from forecaster.prices.yahoo.answers import Facts
from forecaster.prices.yahoo.pacing import Pacer
from forecaster.settings import YahooSettings

if TYPE_CHECKING:
    import pandas as pd

COLUMN_NAMES = {
    "open": "Open",
    "high": "High",
    "low": "Low",
    "close": "Close",
    "adj_close": "Adj Close",
    "volume": "Volume",
    "dividend": "Dividends",
    "split": "Stock Splits",
}


@dataclass(frozen=True)
class RawBars:
    """What Yahoo gave, not yet checked.

    Attributes:
        dates: (rows,) strictly increasing.
        columns: (rows,) each; NaN in all prices of a row that has only an event, or nothing.
        facts: what the answer says beside them.
    """

    dates: Days
    columns: dict[str, Floats]
    facts: Facts


class YahooClient:
    """Requests bars from Yahoo; threads may share it.

    Args:
        settings: how Yahoo is requested.
        pacer: when.
        cache: a folder of the tool's own that yfinance may keep its files in.
    """

    def __init__(self, settings: YahooSettings, pacer: Pacer, cache: Path) -> None:
        yfinance = ready_yfinance(cache)
        from forecaster.prices.yahoo.session import YahooSession

        self._settings = settings
        self._session = YahooSession(settings, pacer)
        self._data = yfinance.data.YfData(session=self._session)
        self._data._cookie, self._data._crumb = True, "unneeded"  # noqa: SLF001
        self._ticker = yfinance.Ticker

    def bars(self, ticker: str, first: np.datetime64, last: np.datetime64) -> RawBars:
        """The daily bars from `first` to `last`, both included, with one request if all goes well.

        Raises:
            NotFoundError: Yahoo does not know the ticker.
            NoPricesError: it has no price in those days.
            TryLaterError: it wants fewer requests.
            UnavailableError: it does not answer.
            BadInputError: its answer makes no sense.
        """
        from yfinance.utils import is_isin

        if is_isin(ticker):  # yfinance would go and search for it
            raise NotFoundError(f"{ticker} is an ISIN", "give the ticker")
        try:
            return self._asked(ticker, first, last)
        except Exception as error:
            forget_frames(error)
            if isinstance(error, ForecastError):
                raise
            # yfinance meets an answer that it did not expect with any error there is.
            reason = f"{type(error).__name__} {error}"[:120]
            raise BadInputError(
                f"Yahoo's answer makes no sense: {reason}", "try again another day"
            ) from error
        finally:
            self._session.leave_room()

    def _asked(self, ticker: str, first: np.datetime64, last: np.datetime64) -> RawBars:
        self._data.cache_get.cache_clear()
        asked = self._ticker(ticker, session=self._session)
        # yfinance would send a request of its own for the zone in which the days are meant.
        asked._tz = zone_of(calendar_of_symbol(ticker) or XNYS).key  # noqa: SLF001
        frame = asked.history(
            start=str(first),
            end=str(last + ONE_DAY),
            auto_adjust=False,
            actions=True,
            keepna=True,
            timeout=self._settings.timeout,
        )
        return _raw_bars(ticker, frame, self._session.facts)


def _raw_bars(ticker: str, frame: "pd.DataFrame", facts: Facts) -> RawBars:
    import pandas as pd

    if facts.symbol.upper() != ticker.upper():
        raise ValueError(f"it is of {facts.symbol or 'nobody'}, not of {ticker}")

    dates = pd.DatetimeIndex(frame.index).tz_localize(None).to_numpy().astype("datetime64[D]")
    order = np.argsort(dates, kind="stable")
    dates = dates[order]
    if bool(np.isnat(dates).any()):
        raise ValueError("a row has no day")
    if bool(np.any(dates[1:] == dates[:-1])):
        raise ValueError("a day comes twice")
    columns = {
        name: frame[heading].to_numpy(dtype=np.float64)[order] for name, heading in COLUMN_NAMES.items()
    }
    columns["split"] = np.where(columns["split"] == 0, 1.0, columns["split"])
    return RawBars(dates, columns, facts)


def ready_yfinance(cache: Path) -> Any:
    """yfinance, silent, its faults as exceptions, its files in `cache`, a folder of the tool's own."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        import yfinance

    silence()
    yfinance.set_tz_cache_location(str(cache))
    yfinance.config.debug.hide_exceptions = False
    return yfinance


def silence() -> None:
    """Keep what yfinance warns and logs off the screen; every fault reaches the user through the errors."""
    logging.getLogger("yfinance").setLevel(logging.CRITICAL + 1)
    for module in ("yfinance", "curl_cffi"):
        warnings.filterwarnings("ignore", module=rf"{module}(\..*)?")
