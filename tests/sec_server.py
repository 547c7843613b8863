"""A stand-in for the SEC's EDGAR: companies, their filings page by page, and its refusals."""

import json
import threading
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import pytest

HTML = b"<!DOCTYPE html><html><body>%s</body></html>"
FAULTS: dict[str, tuple[int, bytes]] = {
    "429": (429, b"Too many requests"),
    "threshold": (403, HTML % b"Request Rate Threshold Exceeded"),
    "403": (403, HTML % b"Your Request Originates from an Undeclared Automated Tool"),
    "500": (500, b""),
    "html": (200, HTML % b"Maintenance"),
    "cut": (200, b'{"filings": {"recent": {"form": ["8-K"'),
    "list": (200, b"[]"),
    "senseless": (200, b'{"filings": {"recent": {"form": ["8-K"], "filingDate": []}, "files": []}}'),
    "no filings": (200, b"{}"),
    "bad date": (
        200,
        b'{"filings": {"recent": {"form": ["8-K"], "filingDate": ["soon"], "items": ["2.02"]}, "files": []}}',
    ),
    "bad page": (
        200,
        b'{"filings": {"recent": {"form": [], "filingDate": []}, "files": [{"name": "../../etc/passwd"}]}}',
    ),
}


def filing(moment: str, items: str = "2.02,9.01", form: str = "8-K", date: str = "") -> dict[str, str]:
    """A filing that was taken at `moment` (ISO, as EDGAR writes it), dated by its day unless told."""
    taken = f"{moment}.000Z" if moment else ""
    return {"form": form, "items": items, "acceptanceDateTime": taken, "filingDate": date or moment[:10]}


def columns(filings: list[dict[str, str]]) -> dict[str, list[str]]:
    names = ("form", "items", "acceptanceDateTime", "filingDate")
    return {name: [each[name] for each in filings] for name in names}


class SecServer(ThreadingHTTPServer):
    """Serves the filings of `companies`: ticker to pages of filings, the newest page first."""

    daemon_threads = True

    def __init__(self, companies: dict[str, list[list[dict[str, str]]]]) -> None:
        super().__init__(("127.0.0.1", 0), _Handler)
        self.companies = companies
        self.requests: Counter[str] = Counter()
        self.agents: set[str] = set()
        self.faults: dict[str, str] = {}

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.server_address[1]}"

    def reply(self, path: str, agent: str) -> tuple[int, bytes]:
        self.requests[path] += 1
        self.agents.add(agent)
        name = path.rsplit("/", 1)[-1]
        if "@" not in agent:
            return FAULTS["403"]
        if fault := self.faults.get(name, self.faults.get("*", "")):
            return FAULTS[fault]
        numbers = {f"CIK{number:010d}": ticker for number, ticker in enumerate(self.companies, 1)}
        if path == "/files/company_tickers.json":
            rows = [{"cik_str": int(key[3:]), "ticker": ticker} for key, ticker in numbers.items()]
            return 200, json.dumps({str(place): row for place, row in enumerate(rows)}).encode()
        key, _, page = name.removesuffix(".json").partition("-submissions-")
        if not path.startswith("/submissions/") or key not in numbers:
            return 404, HTML % b"Not Found"
        pages = self.companies[numbers[key]]
        if page:
            return 200, json.dumps(columns(pages[int(page)])).encode()
        files = [{"name": f"{key}-submissions-{number:03d}.json"} for number in range(1, len(pages))]
        return 200, json.dumps({"filings": {"recent": columns(pages[0]), "files": files}}).encode()


class _Handler(BaseHTTPRequestHandler):
    server: SecServer

    def do_GET(self) -> None:
        status, body = self.server.reply(self.path, self.headers["User-Agent"])
        self.send_response(status)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_words: object) -> None:
        """Nothing is to reach the tests' stderr."""


def unpaced(patch: "pytest.MonkeyPatch") -> None:
    """Let requests in this process follow each other at once, which no setting allows."""
    patch.setattr("forecaster.prices.yahoo.pacing.LONGEST_WAIT", 0.0)


@contextmanager
def serving_filings(companies: dict[str, Any]) -> Iterator[SecServer]:
    """A server in a thread of its own."""
    server = SecServer(companies)
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True)
    thread.start()
    try:
        yield server
    finally:
        server.shutdown()
        server.server_close()
