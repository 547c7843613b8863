"""The one HTTP session that yfinance gets: paced, patient, bounded, and never in need of a cookie.

It sees every request. No answer is read beyond what the longest honest one has, and few are worked on at
once, so that no server fills the memory. Whatever is not an answer with prices leaves it as one of the
tool's errors, so that yfinance never meets a status that would make it fetch cookies and ask again.
"""

import re
import threading
from typing import Any
from urllib.parse import urlsplit

from curl_cffi.curl import CURL_WRITEFUNC_ERROR
from curl_cffi.requests import Session
from curl_cffi.requests import exceptions as transport

from forecaster.errors import TryLaterError, UnavailableError, UsageError
from forecaster.prices.yahoo.answers import (
    Facts,
    PassingFaultError,
    RateLimitError,
    read_answer,
    take_facts,
)
from forecaster.prices.yahoo.pacing import LONGEST_WAIT, Pacer
from forecaster.settings import YahooSettings

HOST = "yahoo.com"
MOST_BYTES = 8_000_000
"""Of an answer, unpacked: several times what sixty years of one ticker take."""
UNPACKED_AT_ONCE = 1
"""Answers that are parsed and turned into bars at a time: the dearest takes many times its length, and
threads would take turns at that work anyway."""
LATER = "run the same command later; what is stored already is not fetched again"


class YahooSession(Session):  # type: ignore[misc]
    """A curl_cffi session that follows `YahooSettings`; threads may share it."""

    def __init__(self, settings: YahooSettings, pacer: Pacer) -> None:
        # Without redirects, a consent page elsewhere is a fault like any other and no host of cookies is met.
        super().__init__(impersonate="chrome", allow_redirects=False)
        self._settings = settings
        self._base = checked_base(settings.url)
        self._pacer = pacer
        self._latest = threading.local()
        self._room = threading.BoundedSemaphore(UNPACKED_AT_ONCE)

    @property
    def facts(self) -> Facts:
        """What the latest answer with prices in this thread says beside them."""
        facts: Facts = self._latest.facts
        return facts

    def leave_room(self) -> None:
        """Let another thread unpack its answer, as this one is done with its own."""
        if getattr(self._latest, "unpacks", False):
            self._latest.unpacks = False
            self._room.release()

    def _take_room(self) -> None:
        if not getattr(self._latest, "unpacks", False):
            self._room.acquire()
            self._latest.unpacks = True

    def request(self, method: str, url: str, **options: Any) -> Any:
        """Send a request as often as the settings allow; its answer holds prices.

        Raises:
            NotFoundError: Yahoo does not know the ticker.
            NoPricesError: it has no price in the days requested.
            TryLaterError: it wants fewer requests; every other thread is stopped too.
            UnavailableError: no answer could be used.
        """
        options["timeout"] = self._settings.timeout
        options["params"] = {
            name: value for name, value in (options.get("params") or {}).items() if name != "crumb"
        }
        attempt = 0
        while True:
            self._pacer.wait()
            try:
                return self._attempt(method, self._directed(url), options)
            except PassingFaultError as fault:
                self.leave_room()
                self._consider(fault, attempt)
                attempt += 1

    def _attempt(self, method: str, url: str, options: dict[str, Any]) -> Any:
        body = _Body()
        try:
            response = super().request(method, url, content_callback=body.add, **options)
        except transport.RequestException as error:
            if body.overflowed:
                raise PassingFaultError(f"its answer is longer than {MOST_BYTES:,} bytes") from error
            raise PassingFaultError(_transport_reason(error, self._settings.timeout)) from error
        self._take_room()
        response.content = bytes(body.content)
        document = read_answer(response.status_code, response.headers, response.content)
        self._latest.facts = take_facts(document)
        response.json = lambda: document  # parsed once; yfinance asks for it again
        return response

    def _consider(self, fault: PassingFaultError, attempt: int) -> None:
        """Wait before the next attempt, or give up.

        Raises:
            TryLaterError, UnavailableError: there is no next attempt.
        """
        last = attempt >= self._settings.retries
        if isinstance(fault, RateLimitError):
            if last or (fault.wait or 0) > LONGEST_WAIT:
                self._pacer.stop()
                when = f"; it asks to wait {fault.wait:,.0f} seconds" if fault.wait else ""
                raise TryLaterError(f"Yahoo limits the rate of requests{when}", LATER) from fault
            self._pacer.pause(max(fault.wait or 0.0, self._pacer.delay(attempt)))
            return
        if last:
            tries = f" ({attempt + 1} attempts)" if attempt else ""
            raise UnavailableError(f"Yahoo could not be used: {fault.reason}{tries}", LATER) from fault
        self._pacer.rest(max(fault.wait or 0.0, self._pacer.delay(attempt)))

    def _directed(self, url: str) -> str:
        """The same path at `yahoo.url`, if that is set and the host is one of Yahoo's."""
        parts = urlsplit(url)
        host = parts.hostname or ""
        if not self._base or not (host == HOST or host.endswith(f".{HOST}")):
            return url
        return self._base + parts.path + (f"?{parts.query}" if parts.query else "")


class _Body:
    """What has come of an answer, up to MOST_BYTES; then the transfer is ended."""

    def __init__(self) -> None:
        self.content = bytearray()
        self.overflowed = False

    def add(self, piece: bytes) -> int:
        """Take a piece, already unpacked: how much of it was taken, or curl's sign to stop."""
        if len(self.content) + len(piece) > MOST_BYTES:
            self.overflowed = True
            self.content.clear()
            stop: int = CURL_WRITEFUNC_ERROR
            return stop
        self.content += piece
        return len(piece)


def checked_base(url: str) -> str:
    """The address without a final slash; empty for Yahoo's own.

    Raises:
        UsageError: it is not one of http or https, as it would be sent: ASCII without spaces, with a host and
            perhaps a port.
    """
    try:
        parts = urlsplit(url)
        whole = parts.scheme in {"http", "https"} and bool(parts.hostname) and parts.port != 0
    except ValueError:  # half of an IPv6 address, or no port
        whole = False
    if url and not (whole and re.fullmatch(r"[!-~]+", url)):
        raise UsageError(f"yahoo.url {url} is not an address", "write it like https://mirror.example/yahoo")
    return url.rstrip("/")


def _transport_reason(error: Exception, timeout: float) -> str:
    reasons = (
        (transport.Timeout, f"no answer within {timeout:g} seconds"),
        (transport.DNSError, "its address cannot be found, is there a network?"),
        (transport.CertificateVerifyError, "its certificate is not trusted; see REQUESTS_CA_BUNDLE"),
        (transport.SSLError, "no secure connection came about"),
        (transport.ProxyError, "the proxy refused"),
        (transport.ConnectionError, "the connection was refused or cut"),
    )
    return next((reason for kind, reason in reasons if isinstance(error, kind)), "the answer was cut short")
