"""Asks yfinance for earnings dates, through a session of its own that lets it fetch cookie and crumb.

The parts of yfinance that are set here are private, as in `client`, and guarded by the same test.
"""

from dataclasses import replace
from datetime import datetime
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from forecaster.errors import BadInputError, ForecastError, NotFoundError
from forecaster.prices.yahoo.answers import (
    NOT_FOUND,
    PassingFaultError,
    check_rate,
    odd_page,
    read_document,
    retry_after,
)
from forecaster.prices.yahoo.client import ready_yfinance
from forecaster.prices.yahoo.earnings import Coming
from forecaster.prices.yahoo.pacing import Pacer
from forecaster.prices.yahoo.session import YahooSession
from forecaster.settings import YahooSettings

MOST_RETRIES = 1
"""What fails today is asked for again in the next run; a date can wait, and the prices must not."""
COOKIE_HOST = "fc.yahoo.com"
CRUMB, DATES, CALENDAR = "/v1/test/getcrumb", "/calendar/earnings", "/v10/finance/quoteSummary/"
LONGEST_CRUMB = 80


class CalendarSession(YahooSession):
    """A session for the pages that need a cookie."""

    def __init__(self, settings: YahooSettings, pacer: Pacer) -> None:
        super().__init__(replace(settings, retries=min(settings.retries, MOST_RETRIES)), pacer)
        self.document: dict[str, Any] = {}

    def request(self, method: str, url: str, **options: Any) -> Any:
        """As `PacedSession.request`."""
        return super(YahooSession, self).request(method, url, **options)

    def accept(self, url: str, response: Any, body: bytearray) -> None:
        """As `PacedSession.accept`, by what was asked for."""
        parts = urlsplit(url)
        status, headers, content = response.status_code, response.headers, bytes(body)
        response.content = content
        check_rate(status, headers, content)
        if parts.hostname == COOKIE_HOST:
            return  # its cookie counts, not its answer, which is a 404
        if parts.path.startswith(CALENDAR):
            self.document = read_document(status, headers, content, "quoteSummary")
            response.json = lambda: self.document
            return
        if parts.path == CRUMB and (
            status != 200 or b"<" in content or not 0 < len(content) <= LONGEST_CRUMB
        ):
            raise PassingFaultError("no crumb came", retry_after(headers))
        if parts.path == DATES and status == NOT_FOUND:
            raise NotFoundError("Yahoo does not know it")
        if status != 200:
            raise PassingFaultError(f"status {status}", retry_after(headers))
        start = content.lower()
        if parts.path == DATES and (b"<html" not in start or b"earnings" not in start):
            raise PassingFaultError(odd_page(content))


class CalendarClient:
    """Requests earnings dates from Yahoo, in one thread.

    Args:
        settings: how Yahoo is requested.
        pacer: when.
        cache: a folder of the tool's own that yfinance may keep its files in.
    """

    def __init__(self, settings: YahooSettings, pacer: Pacer, cache: Path) -> None:
        yfinance = ready_yfinance(cache)
        self._session = CalendarSession(settings, pacer)
        self._data = yfinance.data.YfData(session=self._session)
        self._forget()
        self._ticker = yfinance.Ticker

    def dates(self, ticker: str, limit: int) -> list[datetime]:
        """The moments of past and coming reports, aware; none where Yahoo has none.

        Raises:
            NotFoundError: Yahoo does not know the ticker.
            TryLaterError: it wants fewer requests.
            UnavailableError: it does not answer.
            BadInputError: its answer makes no sense.
        """
        frame = self._asked(lambda: self._ticker(ticker, session=self._session).get_earnings_dates(limit))
        if frame is None:
            return []
        try:
            found = [moment.to_pydatetime() for moment in frame.index]
        except (AttributeError, TypeError, ValueError) as error:
            raise _senseless(error) from error
        if any(moment.tzinfo is None for moment in found):
            raise _senseless(ValueError("a date has no zone"))
        return found

    def coming(self, ticker: str) -> Coming:
        """What the calendar says of the next report.

        yfinance gives its dates in the zone of the machine; they are therefore taken from the answer itself.

        Raises:
            NotFoundError, TryLaterError, UnavailableError, BadInputError: as `dates`.
        """
        self._session.document = {}
        self._asked(lambda: self._ticker(ticker, session=self._session).calendar)
        try:
            events = self._session.document["quoteSummary"]["result"][0]["calendarEvents"]
        except (KeyError, IndexError, TypeError):
            return Coming()
        return Coming(events)

    def _asked(self, ask: Any) -> Any:
        self._data.cache_get.cache_clear()
        if self._data._crumb is not None:  # noqa: SLF001
            self._data._cookie = True  # noqa: SLF001  (the session has it; yfinance would fetch it each time)
        try:
            return ask()
        except ForecastError:
            self._forget()
            raise
        except Exception as error:  # yfinance meets an answer that it did not expect with any error there is
            raise _senseless(error) from error

    def _forget(self) -> None:
        """Let cookie and crumb be fetched anew."""
        self._data._cookie = self._data._crumb = None  # noqa: SLF001
        self._data._cookie_strategy = "basic"  # noqa: SLF001


def _senseless(error: Exception) -> BadInputError:
    reason = f"{type(error).__name__} {error}"[:120]
    return BadInputError(f"Yahoo's answer makes no sense: {reason}", "try again another day")
