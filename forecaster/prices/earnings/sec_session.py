"""The HTTP session for the SEC: it says who asks, and tells its refusals apart."""

import json
from typing import Any

from forecaster.errors import NotFoundError, UnavailableError
from forecaster.prices.paced_session import PacedSession, checked_base, directed_to
from forecaster.prices.yahoo.answers import PassingFaultError, RateLimitError, retry_after
from forecaster.prices.yahoo.pacing import Pacer
from forecaster.settings import SecSettings

HOST = "sec.gov"


class SecSession(PacedSession):
    """A session that follows `SecSettings`."""

    def __init__(self, settings: SecSettings, user_agent: str, pacer: Pacer) -> None:
        headers = {"User-Agent": user_agent}
        super().__init__("the SEC", settings.timeout, settings.retries, pacer, headers=headers)
        self._base = checked_base(settings.url, "sec.url")

    def document(self, url: str) -> dict[str, Any]:
        """The JSON object at an address.

        Raises:
            NotFoundError: there is none.
            TryLaterError: the SEC wants fewer requests.
            UnavailableError: no answer could be used, or the SEC refuses who asks.
        """
        document: dict[str, Any] = self.get(url).json()
        return document

    def directed(self, url: str) -> str:
        """The same path at `sec.url`, if that is set."""
        return directed_to(self._base, url, HOST)

    def accept(self, url: str, response: Any, body: bytearray) -> None:  # noqa: ARG002  (all answers are JSON)
        """As `PacedSession.accept`.

        Raises:
            UnavailableError: the SEC refuses who asks; another attempt would be refused too.
        """
        status, content = response.status_code, bytes(body)
        if status == 429 or (status == 403 and b"rate threshold" in content.lower()):
            raise RateLimitError("too many requests", retry_after(response.headers))
        if status == 403:
            raise UnavailableError(
                "the SEC refuses the request (403): sec.user_agent must name you and your e-mail address",
                "set it, and try again",
            )
        if status == 404:
            raise NotFoundError("the SEC has no such file")
        if status != 200:
            raise PassingFaultError(f"status {status}", retry_after(response.headers))
        try:
            document = json.loads(content)
        except (ValueError, RecursionError):
            document = None
        if not isinstance(document, dict):
            page = b"<html" in content[:4096].lower()
            what = "a web page came in place of filings" if page else "the answer was cut short"
            raise PassingFaultError(what)
        response.json = lambda: document
