"""The one kind of HTTP session that goes out: paced, patient and bounded, its faults the tool's own errors.

No answer is read beyond what the longest honest one has, and no redirect is followed.
"""

import re
from typing import Any
from urllib.parse import urlsplit

from curl_cffi.curl import CURL_WRITEFUNC_ERROR
from curl_cffi.requests import Session
from curl_cffi.requests import exceptions as transport

from forecaster.errors import TryLaterError, UnavailableError, UsageError, forget_frames
from forecaster.prices.yahoo.answers import PassingFaultError, RateLimitError
from forecaster.prices.yahoo.pacing import LONGEST_WAIT, Pacer

MOST_BYTES = 8_000_000
"""Of an answer, unpacked: several times what sixty years of one ticker take."""
LATER = "run the same command later; what is stored already is not fetched again"


class PacedSession(Session):  # type: ignore[misc]
    """A curl_cffi session for one service; threads may share it.

    Args:
        service: its name, for messages.
        timeout: seconds for one request.
        retries: how often a request is repeated after a passing fault.
        pacer: when requests go out.
        options: of the session.
    """

    def __init__(self, service: str, timeout: float, retries: int, pacer: Pacer, **options: Any) -> None:
        # Without redirects, a consent page elsewhere is a fault like any other and no host of cookies is met.
        super().__init__(allow_redirects=False, **options)
        self._service, self._seconds, self._retries, self._pacer = service, timeout, retries, pacer

    def request(self, method: str, url: str, **options: Any) -> Any:
        """Send a request as often as is allowed; its answer is one that `accept` takes.

        Raises:
            NotFoundError: the service does not know what is asked for.
            TryLaterError: it wants fewer requests; every other thread is stopped too.
            UnavailableError: no answer could be used.
        """
        options |= {"timeout": self._seconds, "allow_redirects": False}
        attempt = 0
        while True:
            self._pacer.wait()
            try:
                return self._attempt(method, url, options)
            except PassingFaultError as fault:
                forget_frames(fault)  # a long answer is not kept for as long as the next one is waited for
                self._consider(fault, attempt)
                attempt += 1

    def directed(self, url: str) -> str:
        """Where a request for `url` really goes."""
        return url

    def accept(self, url: str, response: Any, body: bytearray) -> None:
        """Read an answer, and put what its caller will want of `body` into it.

        Raises:
            PassingFaultError: it is of no use, and the next one may well be.
            NotFoundError: the service does not know what is asked for.
        """
        raise NotImplementedError

    def _attempt(self, method: str, url: str, options: dict[str, Any]) -> Any:
        body = _Body()
        try:
            response = super().request(method, self.directed(url), content_callback=body.add, **options)
        except transport.RequestException as error:
            if body.overflowed:
                raise PassingFaultError(f"its answer is longer than {MOST_BYTES:,} bytes") from error
            raise PassingFaultError(_transport_reason(error, self._seconds)) from error
        self.accept(url, response, body.content)
        return response

    def _consider(self, fault: PassingFaultError, attempt: int) -> None:
        """Wait before the next attempt, or give up.

        Raises:
            TryLaterError, UnavailableError: there is no next attempt.
        """
        last = attempt >= self._retries
        if isinstance(fault, RateLimitError):
            if last or (fault.wait or 0) > LONGEST_WAIT:
                self._pacer.stop()
                when = f"; it asks to wait {fault.wait:,.0f} seconds" if fault.wait else ""
                raise TryLaterError(f"{self._service} limits the rate of requests{when}", LATER) from fault
            self._pacer.pause(max(fault.wait or 0.0, self._pacer.delay(attempt)))
            return
        if last:
            tries = f" ({attempt + 1} attempts)" if attempt else ""
            reason = f"{self._service} could not be used: {fault.reason}{tries}"
            raise UnavailableError(reason, LATER) from fault
        self._pacer.rest(max(fault.wait or 0.0, self._pacer.delay(attempt)))


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


def directed_to(base: str, url: str, domain: str) -> str:
    """The same path at `base`, if there is one and the host belongs to `domain`."""
    parts = urlsplit(url)
    host = parts.hostname or ""
    if not base or not (host == domain or host.endswith(f".{domain}")):
        return url
    return base + parts.path + (f"?{parts.query}" if parts.query else "")


def checked_base(url: str, setting: str) -> str:
    """The address in a setting without a final slash; empty for the service's own.

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
        raise UsageError(f"{setting} {url} is not an address", "write it like https://mirror.example/yahoo")
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
