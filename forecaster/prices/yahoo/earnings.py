"""Yahoo's calendar of earnings through yfinance: past and coming dates, and how certain the next one is.

Unlike prices both need a cookie and a crumb, which yfinance fetches. Both fail often and change their form,
so one without the other will do: the page of dates (`Ticker.get_earnings_dates`) tells the times, the
calendar (`Ticker.calendar`) whether the next date is an estimate, or a span of days.
"""

from collections.abc import Collection, Iterator, Sequence
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

import numpy as np

from forecaster.errors import BadInputError, ForecastError, NotFoundError, TryLaterError, UnavailableError
from forecaster.prices.calendar import local_date
from forecaster.prices.earnings.clock import calendar_of, day_and_when
from forecaster.prices.earnings.fetching import Answer, ask_each
from forecaster.prices.earnings.table import (
    PROJECTED,
    SAME_REPORT_DAYS,
    SCHEDULED,
    UNKNOWN,
    YAHOO,
    Announcement,
    earnings_table,
)
from forecaster.prices.fetching import Failure, FetchLog, Request
from forecaster.prices.yahoo.pacing import Pacer
from forecaster.settings import Settings

if TYPE_CHECKING:
    from forecaster.prices.yahoo.calendar_client import CalendarClient

WHOLE_HISTORY, NEWEST = 100, 12
"""How many dates are asked for at first, and from then on; Yahoo gives no more than the first."""


class YahooCalendar:
    """Yahoo as a source of earnings dates; yfinance is loaded when the first ticker is asked for."""

    name = YAHOO

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        self._client: CalendarClient | None = None

    def fetch(self, request: Request, known: Collection[str], log: FetchLog) -> Iterator[Answer | Failure]:
        """As `EarningsService.fetch`: two requests for each ticker, beside those for cookie and crumb."""

        def ask(ticker: str) -> Answer:
            limit = NEWEST if ticker in known else WHOLE_HISTORY
            return Answer(ticker, earnings_table(self._ask(ticker, limit, request.now, log), YAHOO))

        return ask_each(request.tickers, ask)

    def _ask(self, ticker: str, limit: int, now: datetime, log: FetchLog) -> list[Announcement]:
        """What the page of dates and the calendar say together.

        Raises:
            NotFoundError, TryLaterError, UnavailableError, BadInputError: neither says anything.
        """
        client = self._opened()
        dates: list[datetime] = []
        coming = Coming()
        faults: list[ForecastError] = []
        try:
            dates = client.dates(ticker, limit)
        except (NotFoundError, UnavailableError, BadInputError) as error:
            faults.append(error)
        try:
            coming = client.coming(ticker)
        except (NotFoundError, UnavailableError, BadInputError) as error:
            faults.append(error)
        except TryLaterError:
            if not dates:
                raise
        if len(faults) == 2 or (faults and not dates and not coming.days):
            raise faults[0]
        if faults and not isinstance(faults[0], NotFoundError):
            log.note(f"of some tickers Yahoo gave a part of the dates only; {ticker}: {faults[0].message}")
        return announcements(ticker, dates, coming, now)

    def _opened(self) -> "CalendarClient":
        from forecaster.prices.yahoo.calendar_client import CalendarClient

        if self._client is None:
            cache = self._settings.home / "data" / "cache" / "yfinance"
            pacer = Pacer(self._settings.yahoo.rate, self._settings.yahoo.backoff)
            self._client = CalendarClient(self._settings.yahoo, pacer, cache)
        return self._client


class Coming:
    """What the calendar says of the next report.

    Args:
        document: of the calendar; empty where there is none.

    Attributes:
        days: the moments that are named: one, or the two ends of a span.
        estimated: whether Yahoo says so.

    Raises:
        BadInputError: it makes no sense.
    """

    def __init__(self, document: dict[str, Any] | None = None) -> None:
        try:
            found = (document or {}).get("earnings") or {}
            self.days = [datetime.fromtimestamp(stamp, UTC) for stamp in found.get("earningsDate") or ()]
            self.estimated = bool(found.get("isEarningsDateEstimate")) or len(self.days) > 1
        except (AttributeError, TypeError, ValueError, OverflowError, OSError) as error:
            raise BadInputError("Yahoo's calendar makes no sense", "try again another day") from error


def announcements(
    ticker: str, dates: Sequence[datetime], coming: Coming, now: datetime
) -> list[Announcement]:
    """The rows of a ticker.

    A past date is reported. Of the coming ones only the next is taken, as Yahoo estimates the others: it is
    scheduled, unless the calendar calls it an estimate. Of a span of days it is the middle. Midnight is no
    time, and the calendar's times are none. On the day of a report the calendar may be at the one after it:
    then its estimate is of that one.

    Args:
        ticker: whose.
        dates: (any number,) aware moments of the page of dates.
        coming: what the calendar says.
        now: the clock.
    """
    calendar = calendar_of(ticker)
    today = local_date(now, calendar)
    rows = [Announcement(ticker, *_day_and_when(moment, calendar)) for moment in dates]
    next_days = [_day_and_when(moment, calendar)[0] for moment in coming.days]
    middle = None
    if next_days:
        middle = min(next_days) + (max(next_days) - min(next_days)) // 2
        told = any(_same_report(row.date, middle) for row in rows)
        if middle >= today and not told:
            rows.append(Announcement(ticker, middle))
    coming_rows = [row for row in rows if row.date >= today]
    following = sorted(coming_rows, key=lambda row: row.date)[:1]
    of_a_later = any(
        row.date == today and middle is not None and not _same_report(row.date, middle) for row in following
    )
    status = PROJECTED if coming.estimated and not of_a_later else SCHEDULED
    following = [row._replace(status=status) for row in following]
    return [row for row in rows if row.date < today] + following


def _same_report(day: np.datetime64, other: np.datetime64) -> bool:
    return abs(int((day - other).astype(int))) <= SAME_REPORT_DAYS


def _day_and_when(moment: datetime, calendar: str) -> tuple[np.datetime64, str]:
    """As `day_and_when`; midnight, in the zone in which it is given, is a date alone."""
    if (moment.hour, moment.minute) == (0, 0):
        return np.datetime64(moment.date(), "D"), UNKNOWN
    return day_and_when(moment, calendar)
