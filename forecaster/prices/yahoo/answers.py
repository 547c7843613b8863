"""What an answer of Yahoo's chart service says, before yfinance reads it: prices, or which rejection."""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from typing import Any

from forecaster.errors import NotFoundError

NOT_FOUND, NO_DATA, RATE_LIMITED = 404, 400, 429
SHOWN = 80
MOST_ROWS = 100_000
"""Days in four hundred years of sessions, and in more than two hundred and fifty where none is left out."""


class NoPricesError(NotFoundError):
    """Yahoo knows the ticker and has no price of it in the days requested."""


class PassingFaultError(Exception):
    """The answer is of no use, and the next one may well be.

    Attributes:
        reason: what was wrong, in words.
        wait: seconds that the service asks for before the next request; None where it does not say.
    """

    def __init__(self, reason: str, wait: float | None = None) -> None:
        super().__init__(reason)
        self.reason = reason
        self.wait = wait


class RateLimitError(PassingFaultError):
    """The service has had too many requests from here."""


def read_answer(status: int, headers: Mapping[str, Any], body: bytes) -> dict[str, Any]:
    """The JSON document of an answer that holds prices.

    Raises:
        NotFoundError: there is no such ticker, or no longer.
        NoPricesError: there is one, without a price in the days requested.
        RateLimitError: too many requests.
        PassingFaultError: any other answer that holds no prices.
    """
    return _with_bars(read_document(status, headers, body, "chart"))


def read_document(status: int, headers: Mapping[str, Any], body: bytes, part: str) -> dict[str, Any]:
    """The JSON document of an answer of one of Yahoo's services, which tells its errors in its only part.

    Raises:
        NotFoundError, NoPricesError, RateLimitError, PassingFaultError: as `read_answer`.
    """
    check_rate(status, headers, body)
    wait = retry_after(headers)
    document = _parsed(body)
    error = _part(document, part).get("error") or {}
    description = str(error.get("description", ""))[:SHOWN] if isinstance(error, dict) else ""
    if status == NOT_FOUND or (status == 200 and _says(error, "Not Found")):
        raise NotFoundError(description or "Yahoo does not know it")
    if status == NO_DATA or (status == 200 and _says(error, "Bad Request")):
        raise NoPricesError(description or "there is no data in the days requested")
    if status != 200:
        raise PassingFaultError(f"status {status}" + (f", {description}" if description else ""), wait)
    if document is None:
        raise PassingFaultError(odd_page(body), wait)
    if error:
        raise PassingFaultError(description or "it reports an error of its own", wait)
    return document


def check_rate(status: int, headers: Mapping[str, Any], body: bytes) -> None:
    """Reject an answer that only says that there were too many requests.

    Raises:
        RateLimitError: it is one.
    """
    if status == RATE_LIMITED or body[:SHOWN].lstrip().lower().startswith(b"too many requests"):
        raise RateLimitError("too many requests", retry_after(headers))


def retry_after(headers: Mapping[str, Any]) -> float | None:
    """The seconds that a `Retry-After` header asks for, given as a number or as a date; None without one."""
    text = str(headers.get("Retry-After") or "").strip()
    if not text:
        return None
    if text.isdecimal():
        return float(text)
    try:
        until = parsedate_to_datetime(text)
        sent = headers.get("Date")
        now = parsedate_to_datetime(str(sent)) if sent else datetime.now(UTC)
        return max(0.0, (until - now).total_seconds())
    except (TypeError, ValueError, OverflowError):  # neither form, or a date without a zone
        return None


@dataclass(frozen=True)
class Facts:
    """What an answer says beside its prices; empty or None where it does not say.

    Attributes:
        symbol: whose prices they are.
        kind: of thing it is, in Yahoo's words.
        zone: of its exchange.
        currency: of its prices.
        opens, closes: of the current session, in seconds since 1970.
        last_trade: likewise.
        adjusted: whether there are adjusted closes; yfinance puts the closes in their place without a word.
    """

    symbol: str
    kind: str
    zone: str
    currency: str
    opens: float | None
    closes: float | None
    last_trade: float | None
    adjusted: bool


def take_facts(document: dict[str, Any]) -> Facts:
    """The facts of an answer with prices; they hold no part of it, however long it is."""
    result = document["chart"]["result"][0]
    meta = _part(result, "meta")
    session = _part(_part(meta, "currentTradingPeriod"), "regular")
    meta.pop("currentTradingPeriod", None)  # yfinance would make a table of it
    series = result.get("indicators", {}).get("adjclose") or [{}]
    return Facts(
        symbol=_text(meta, "symbol"),
        kind=_text(meta, "instrumentType"),
        zone=_text(meta, "exchangeTimezoneName"),
        currency=_text(meta, "currency"),
        opens=_number(session, "start"),
        closes=_number(session, "end"),
        last_trade=_number(meta, "regularMarketTime"),
        adjusted=bool(series[0] and series[0].get("adjclose")),
    )


def _text(part: Mapping[str, Any], name: str) -> str:
    text = part.get(name)
    return text[:SHOWN] if isinstance(text, str) else ""


def _number(part: Mapping[str, Any], name: str) -> float | None:
    number = part.get(name)
    return number if isinstance(number, int | float) else None


def _with_bars(document: dict[str, Any]) -> dict[str, Any]:
    result = _part(document, "chart").get("result")
    if not isinstance(result, list) or not result or not isinstance(result[0], dict):
        raise PassingFaultError("the answer is empty")
    quotes = result[0].get("indicators", {}).get("quote")
    if not isinstance(quotes, list) or not quotes:
        raise PassingFaultError("the answer has no prices in it")
    if len(result[0].get("timestamp") or ()) > MOST_ROWS:
        raise PassingFaultError(f"the answer has more than {MOST_ROWS:,} days")
    if not result[0].get("timestamp") or not quotes[0]:
        raise NoPricesError("there is no data in the days requested")
    return document


def _parsed(body: bytes) -> dict[str, Any] | None:
    try:
        document = json.loads(body)
    except (ValueError, RecursionError):
        return None
    return document if isinstance(document, dict) else None


def _part(document: dict[str, Any] | None, name: str) -> dict[str, Any]:
    part = (document or {}).get(name)
    return part if isinstance(part, dict) else {}


def _says(error: Any, code: str) -> bool:
    return isinstance(error, dict) and error.get("code") == code


def odd_page(body: bytes) -> str:
    """What came in place of what was asked for, in words."""
    start = body[:4096].lower()
    if b"will be right back" in start:
        return "it says that it will be right back"
    if b"consent" in start:
        return "a consent page came in place of prices"
    if b"<html" in start or b"<!doctype" in start:
        return "a web page came in place of prices"
    return "the answer is empty" if not body.strip() else "the answer was cut short"
