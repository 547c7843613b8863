"""Earnings dates from the SEC's EDGAR: the days on which companies filed their results.

A company that has told its results files form 8-K with item 2.02 ("Results of Operations and Financial
Condition"); until 22 August 2004 it was item 12. The moment at which the SEC took it tells the day, and
whether it came before or after the session. An amendment, 8-K/A, is no report of its own. There are no
coming dates.

Source of the fields: https://www.sec.gov/search-filings/edgar-application-programming-interfaces
"""

import re
from collections.abc import Collection, Iterator, Mapping, Sequence
from datetime import UTC, date, datetime
from typing import Any

import numpy as np

from forecaster.errors import BadInputError, NotFoundError, UsageError
from forecaster.prices.calendar import NEW_YORK, local_date
from forecaster.prices.earnings.clock import calendar_of, day_and_when
from forecaster.prices.earnings.fetching import Answer, ask_each
from forecaster.prices.earnings.table import SEC, Announcement, earnings_table
from forecaster.prices.fetching import Failure, FetchLog, Request
from forecaster.prices.yahoo.pacing import Pacer
from forecaster.settings import SecSettings

TICKERS_URL = "https://www.sec.gov/files/company_tickers.json"
SUBMISSIONS_URL = "https://data.sec.gov/submissions/"
FORM, ITEM, OLD_ITEM = "8-K", "2.02", "12"
LAST_DAY_OF_OLD_ITEMS = np.datetime64("2004-08-22")
OPEN_HOURS = range(6, 22)
"""In New York, in which filings are taken."""
MOST_PAGES = 20
"""Of older filings of one company; the busiest banks have some ten times as many, of notes that they sell."""
_PAGE = re.compile(r"[\w-]+\.json")
LATE_DAYS = 4
"""A filing that is taken in the evening has the next business day for its date."""


class SecFilings:
    """The SEC as a source of earnings dates.

    Args:
        settings: who asks, and how.

    Raises:
        UsageError: nobody is named who can be reached, or `sec.url` is not an address.
    """

    name = SEC

    def __init__(self, settings: SecSettings) -> None:
        from forecaster.prices.earnings.sec_session import SecSession

        self._pacer = Pacer(settings.rate, settings.backoff)
        self._session = SecSession(settings, checked_user_agent(settings.user_agent), self._pacer)
        self._companies: Mapping[str, int] | None = None

    def fetch(
        self,
        request: Request,
        known: Collection[str],
        log: FetchLog,  # noqa: ARG002  (filings need no words)
    ) -> Iterator[Answer | Failure]:
        """As `EarningsService.fetch`: a request for each ticker, and at first one for each older page."""
        today = local_date(request.now)
        return ask_each(request.tickers, lambda ticker: self._ask(ticker, today, whole=ticker not in known))

    def _ask(self, ticker: str, today: np.datetime64, *, whole: bool) -> Answer:
        company = self._company(ticker)
        document = self._session.document(f"{SUBMISSIONS_URL}CIK{company:010d}.json")
        filings = _part(document, "filings", dict)
        rows = read_filings(ticker, _part(filings, "recent", dict))
        pages = _part(filings, "files", list)[:MOST_PAGES] if whole else []
        for page in (_part(page, "name", str) for page in pages):
            if not _PAGE.fullmatch(page):
                raise _senseless(f"a page {page[:40]!r}")
            rows += read_filings(ticker, self._session.document(SUBMISSIONS_URL + page))
        # Later filings are there only where a day of the past is replayed, on which nobody knew them.
        return Answer(ticker, earnings_table([row for row in rows if row.date <= today], SEC))

    def _company(self, ticker: str) -> int:
        """The number under which a company files.

        Raises:
            NotFoundError: the SEC's list has no such ticker.
        """
        if self._companies is None:
            listed = self._session.document(TICKERS_URL)
            self._companies = {
                str(row["ticker"]).upper(): row["cik_str"]
                for row in listed.values()
                if isinstance(row, dict) and isinstance(row.get("cik_str"), int) and "ticker" in row
            }
        if ticker not in self._companies:
            raise NotFoundError(f"the SEC does not list {ticker}")
        return self._companies[ticker]


def checked_user_agent(text: str) -> str:
    """Who asks, as the SEC wants to know it.

    Raises:
        UsageError: there is no address at which they can be reached.
    """
    remedy = (
        'write user_agent = "Jane Doe jane@example.com" under [sec] in forecast.toml, or set '
        "FORECAST_SEC_USER_AGENT"
    )
    if not text.strip():
        raise UsageError("the SEC answers only those who say who they are and how to reach them", remedy)
    if "@" not in text or not text.isascii() or not text.isprintable():
        raise UsageError(f"sec.user_agent {text[:40]!r} has no e-mail address, which the SEC wants", remedy)
    return text.strip()


def read_filings(ticker: str, columns: Mapping[str, Any]) -> list[Announcement]:
    """The reports of results among a page of filings.

    Args:
        ticker: whose.
        columns: `form`, `filingDate`, and perhaps `items` and `acceptanceDateTime`, of equal length.

    Raises:
        BadInputError: they are something else.
    """
    forms, days = (_texts(columns, name) for name in ("form", "filingDate"))
    items, moments = (
        _texts(columns, name) if name in columns else [""] * len(forms)
        for name in ("items", "acceptanceDateTime")
    )
    if not len(forms) == len(days) == len(items) == len(moments):
        raise _senseless("columns of unequal length")
    local = _written_in_new_york(moments)
    return [
        _announcement(ticker, days[row], moments[row], local=local)
        for row in range(len(forms))
        if forms[row] == FORM and _has_results(items[row], days[row])
    ]


def _has_results(items: str, day: str) -> bool:
    listed = {item.strip() for item in items.split(",")}
    return ITEM in listed or (OLD_ITEM in listed and day <= str(LAST_DAY_OF_OLD_ITEMS))


def _announcement(ticker: str, written: str, moment: str, *, local: bool) -> Announcement:
    """The day and time of a filing: when it was taken, or only its date where that is not known.

    Raises:
        BadInputError: it has no possible date.
    """
    try:
        day = np.datetime64(date.fromisoformat(written), "D")
    except ValueError:
        raise _senseless(f"the date {written[:24]!r}") from None
    taken = _moment(moment)
    if taken is None:
        return Announcement(ticker, day)
    if local:
        taken = taken.replace(tzinfo=NEW_YORK)
    taken_on, when = day_and_when(taken, calendar_of(ticker))
    if not 0 <= int((day - taken_on).astype(int)) <= LATE_DAYS:
        return Announcement(ticker, day)
    return Announcement(ticker, taken_on, when)


def _written_in_new_york(moments: Sequence[str]) -> bool:
    """Whether the moments, though marked as UTC, are New York's.

    EDGAR takes filings from 6 to 22 o'clock; read as UTC, some would have come in the night.
    """
    read = [moment for text in moments if (moment := _moment(text)) is not None]
    nights = sum(moment.astimezone(NEW_YORK).hour not in OPEN_HOURS for moment in read)
    days = sum(moment.hour in OPEN_HOURS for moment in read)
    return nights > 0 and days == len(read)


def _moment(text: str) -> datetime | None:
    try:
        found = datetime.fromisoformat(text)
        return found.replace(tzinfo=UTC) if found.tzinfo is None else found.astimezone(UTC)
    except (ValueError, OverflowError):
        return None


def _texts(columns: Mapping[str, Any], name: str) -> list[str]:
    values = _part(columns, name, list)
    return [value if isinstance(value, str) else "" for value in values]


def _part(document: Any, name: str, kind: type) -> Any:
    """What stands in a document under a name.

    Raises:
        BadInputError: nothing of that kind does.
    """
    found = document.get(name) if isinstance(document, dict) else None
    if not isinstance(found, kind):
        raise _senseless(f"it has no {name}")
    return found


def _senseless(what: str) -> BadInputError:
    return BadInputError(f"the SEC's answer makes no sense: {what}", "try again later")
