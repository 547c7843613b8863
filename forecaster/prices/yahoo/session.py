"""The one HTTP session that yfinance gets for prices: never in need of a cookie.

It sees every request. Few answers are worked on at once, so that no server fills the memory. Whatever is not
an answer with prices leaves it as one of the tool's errors, so that yfinance never meets a status that would
make it fetch cookies and ask again.
"""

import threading
from typing import Any

from forecaster.errors import forget_frames
from forecaster.prices.paced_session import PacedSession, checked_base, directed_to
from forecaster.prices.yahoo.answers import Facts, read_answer, take_facts
from forecaster.prices.yahoo.pacing import Pacer
from forecaster.settings import YahooSettings

HOST = "yahoo.com"
UNPACKED_AT_ONCE = 1
"""Answers that are parsed and turned into bars at a time: the dearest takes many times its length, and
threads would take turns at that work anyway."""


class YahooSession(PacedSession):
    """A session that follows `YahooSettings`; threads may share it."""

    def __init__(self, settings: YahooSettings, pacer: Pacer) -> None:
        super().__init__("Yahoo", settings.timeout, settings.retries, pacer, impersonate="chrome")
        self._base = checked_base(settings.url, "yahoo.url")
        self._latest = threading.local()
        self._room = threading.BoundedSemaphore(UNPACKED_AT_ONCE)

    @property
    def facts(self) -> Facts:
        """What the latest answer with prices in this thread says beside them."""
        facts: Facts = self._latest.facts
        return facts

    def leave_room(self) -> None:
        """Let another thread unpack its answer, as this one is done with its own, which is forgotten here."""
        if getattr(self._latest, "unpacks", False):
            self._latest.document.clear()  # whoever still holds it, it holds nothing
            self._latest.unpacks = False
            self._room.release()

    def _take_room(self) -> None:
        if not getattr(self._latest, "unpacks", False):
            self._room.acquire()
            self._latest.unpacks, self._latest.document = True, {}

    def request(self, method: str, url: str, **options: Any) -> Any:
        """As `PacedSession.request`; the answer holds prices.

        Raises:
            NotFoundError: Yahoo does not know the ticker.
            NoPricesError: it has no price in the days requested.
            TryLaterError: it wants fewer requests; every other thread is stopped too.
            UnavailableError: no answer could be used.
        """
        options["params"] = {
            name: value for name, value in (options.get("params") or {}).items() if name != "crumb"
        }
        return super().request(method, url, **options)

    def directed(self, url: str) -> str:
        """The same path at `yahoo.url`, if that is set and the host is one of Yahoo's."""
        return directed_to(self._base, url, HOST)

    def accept(self, url: str, response: Any, body: bytearray) -> None:  # noqa: ARG002  (all are of one service)
        """As `PacedSession.accept`."""
        self._take_room()
        try:
            response.content = bytes(body)
            document = read_answer(response.status_code, response.headers, response.content)
            self._latest.document, self._latest.facts = document, take_facts(document)
        except Exception as error:
            forget_frames(error)
            self.leave_room()
            raise
        response.json = lambda: document  # parsed once; yfinance asks for it again
