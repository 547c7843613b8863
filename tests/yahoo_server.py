"""A stand-in for Yahoo's chart service: seeded companies, a clock of its own, and every fault there is.

Its history follows its clock as Yahoo's does: a split rescales the whole past from its day on, a dividend
every older adjusted close, and the session that is under way has a bar that is not final. Run by itself it
serves a number of companies until it is ended; it prints its address first.
"""

import argparse
import json
import ssl
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, unquote, urlsplit

import numpy as np

from forecaster.prices.calendar import closing_time, is_session, local_date, sessions_between, zone_of
from forecaster.prices.exchanges import XNYS

NOW = datetime(2026, 11, 21, 22, 30, tzinfo=UTC)  # a Saturday; the 20th was the last session
COUNTS = "/requests"
"""Where another process is told what was asked for."""

Chart = dict[str, Any]


@dataclass
class Company:
    """One ticker as it was traded, without any adjustment, and what happened to its shares."""

    symbol: str
    dates: np.ndarray
    closes: np.ndarray
    volumes: np.ndarray
    dividends: dict[str, float] = field(default_factory=dict)
    splits: dict[str, float] = field(default_factory=dict)
    calendar: str = XNYS
    currency: str = "USD"
    kind: str = "EQUITY"

    def chart(self, now: datetime, first: np.datetime64, last: np.datetime64) -> Chart:
        """The answer for the days from `first` up to `last`, not included, at `now`."""
        today = local_date(now, self.calendar)
        open_now = is_session(today, self.calendar) and (
            opening_time(today, self.calendar) <= now < closing_time(today, self.calendar)
        )
        started = [day for day in self.dates if opening_time(day, self.calendar) <= now]
        count = len(started)
        dates = self.dates[:count]
        close, adjusted, volume = self._adjusted(count, today)
        if open_now and count and dates[-1] == today:
            close[-1], adjusted[-1], volume[-1] = close[-1] * 0.99, close[-1] * 0.99, volume[-1] // 2
        asked = (dates >= first) & (dates < last)
        quote = {
            "open": [value * 0.995 for value in close[asked]],
            "high": [value * 1.01 for value in close[asked]],
            "low": [value * 0.99 for value in close[asked]],
            "close": list(close[asked]),
            "volume": [int(value) for value in volume[asked]],
        }
        result: Chart = {"meta": self._meta(now, count), "indicators": {"quote": [quote]}}
        if asked.any():
            result["timestamp"] = [stamp(day, self.calendar) for day in dates[asked]]
            result["indicators"]["adjclose"] = [{"adjclose": list(adjusted[asked])}]
        else:
            result["indicators"]["quote"] = [{}]
        events = self._events(first, min(last, today + 1))
        return {"chart": {"result": [result | ({"events": events} if events else {})], "error": None}}

    def _adjusted(self, count: int, today: np.datetime64) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        dates, close, volume = self.dates[:count], self.closes[:count].copy(), self.volumes[:count].copy()
        for day, ratio in self.splits.items():
            if np.datetime64(day) <= today:
                past = dates < np.datetime64(day)
                close[past] /= ratio
                volume[past] *= ratio
        factor = np.ones(count)
        for day, amount in self.dividends.items():
            past = dates < np.datetime64(day)
            if np.datetime64(day) <= today and past.any():
                factor[past] *= 1 - self._paid(day, amount, today) / close[past][-1]
        return close, close * factor, volume

    def _paid(self, day: str, amount: float, today: np.datetime64) -> float:
        """A dividend in today's shares."""
        later = [
            ratio
            for other, ratio in self.splits.items()
            if np.datetime64(day) < np.datetime64(other) <= today
        ]
        return amount / float(np.prod(later))

    def _events(self, first: np.datetime64, last: np.datetime64) -> Chart:
        today = last - 1
        events: Chart = {}
        for day, amount in self.dividends.items():
            if first <= np.datetime64(day) < last:
                when = stamp(np.datetime64(day), self.calendar)
                paid = {"amount": self._paid(day, amount, today), "date": when}
                events.setdefault("dividends", {})[str(when)] = paid
        for day, ratio in self.splits.items():
            if first <= np.datetime64(day) < last:
                when = stamp(np.datetime64(day), self.calendar)
                parts = {"date": when, "numerator": ratio, "denominator": 1.0, "splitRatio": f"{ratio:g}:1"}
                events.setdefault("splits", {})[str(when)] = parts
        return events

    def _meta(self, now: datetime, count: int) -> Chart:
        today = local_date(now, self.calendar)
        session = sessions_between(today - 10, today, self.calendar)[-1]
        opened, closed = opening_time(session, self.calendar), closing_time(session, self.calendar)
        offset = int(opened.astimezone(zone_of(self.calendar)).utcoffset().total_seconds())
        latest = min(now, closed) if count else opened
        return {
            "currency": self.currency,
            "symbol": self.symbol,
            "exchangeName": "NYQ",
            "instrumentType": self.kind,
            "firstTradeDate": stamp(self.dates[0], self.calendar),
            "regularMarketTime": int(latest.timestamp()),
            "gmtoffset": offset,
            "timezone": "EST",
            "exchangeTimezoneName": zone_of(self.calendar).key,
            "currentTradingPeriod": {
                "regular": {
                    "start": int(opened.timestamp()),
                    "end": int(closed.timestamp()),
                    "gmtoffset": offset,
                    "timezone": "EST",
                }
            },
            "dataGranularity": "1d",
            "range": "",
            "validRanges": ["1d", "5d", "1mo", "max"],
        }


def company(
    symbol: str,
    first: str = "2026-01-02",
    last: str = "2026-12-31",
    seed: int = 0,
    persistence: float = 0.0,
    calendar: str = XNYS,
    currency: str = "USD",
    kind: str = "EQUITY",
) -> Company:
    """A walk on the exchange's sessions, prices with two digits, volumes in hundreds.

    Each return is `persistence` times the one before, plus noise: something that a network can learn.
    """
    dates = sessions_between(np.datetime64(first), np.datetime64(last), calendar)
    random = np.random.default_rng([seed, *symbol.encode()])
    returns = random.normal(0, 0.01, len(dates))
    for day in range(1, len(dates)):
        returns[day] += persistence * returns[day - 1]
    closes = np.round(100 * np.exp(np.cumsum(returns)), 2)
    volumes = np.round(np.exp(random.normal(10, 0.3, len(dates)))) * 100
    return Company(symbol, dates, closes, volumes, calendar=calendar, currency=currency, kind=kind)


def opening_time(session: np.datetime64, calendar: str) -> datetime:
    clock = {"XNYS": "09:30", "XLON": "08:00", "XTKS": "09:00"}.get(calendar, "00:00")
    return datetime.fromisoformat(f"{session}T{clock}").replace(tzinfo=zone_of(calendar)).astimezone(UTC)


def stamp(session: np.datetime64, calendar: str) -> int:
    return int(opening_time(session, calendar).timestamp())


def chart_error(code: str, description: str) -> bytes:
    document = {"chart": {"result": None, "error": {"code": code, "description": description}}}
    return json.dumps(document).encode()


@dataclass(frozen=True)
class Reply:
    """What goes over the wire."""

    status: int = 200
    body: bytes = b""
    headers: tuple[tuple[str, str], ...] = ()
    declared: int | None = None  # a Content-Length that is not kept
    reset: bool = False
    delay: float = 0.0


NOT_FOUND = Reply(404, chart_error("Not Found", "No data found, symbol may be delisted"))
HTML = b"<!doctype html><html><body>Sorry</body></html>"
REPLIES = {
    "404": NOT_FOUND,
    "400": Reply(400, chart_error("Bad Request", "Data doesn't exist for startDate = 1, endDate = 2")),
    "429": Reply(429, b"Too Many Requests\r\n"),
    "429, one hour": Reply(429, b"Too Many Requests\r\n", (("Retry-After", "3600"),)),
    "500": Reply(500, chart_error("Internal Server Error", "engine failure")),
    "right back": Reply(200, b"<html><body>*** Will be right back ***</body></html>"),
    "502": Reply(502, HTML),
    "503": Reply(503, HTML),
    "html": Reply(200, HTML),
    "consent": Reply(200, b"<html><form action='https://consent.yahoo.com/v2/collectConsent'></form></html>"),
    "redirect": Reply(302, b"", (("Location", "https://guce.yahoo.com/consent"),)),
    "empty": Reply(200, b""),
    "null result": Reply(200, b'{"chart": {"result": null, "error": null}}'),
    "empty result": Reply(200, b'{"chart": {"result": [], "error": null}}'),
    "timeout": Reply(delay=5.0),
    "reset": Reply(reset=True),
}


COOKIE, CRUMB, DATES, CALENDAR = "/", "/v1/test/getcrumb", "/calendar/earnings", "/v10/finance/quoteSummary/"


def dates_page(symbol: str, lines: list[str]) -> bytes:
    """The page of earnings dates, a row for each line like `October 30, 2025 at 4 PM EDT`."""
    headings = ("Symbol", "Company", "Earnings Date", "EPS Estimate", "Reported EPS", "Surprise (%)")
    head = "".join(f"<th>{heading}</th>" for heading in headings)
    rows = "".join(
        f"<tr><td>{symbol}</td><td>A company</td><td>{line}</td><td>1.5</td><td>-</td><td>-</td></tr>"
        for line in lines
    )
    table = f"<table><thead><tr>{head}</tr></thead><tbody>{rows}</tbody></table>" if lines else ""
    return f"<!doctype html><html><body><h1>Earnings Calendar</h1>{table}</body></html>".encode()


def calendar_answer(moments: tuple[str, ...], estimated: bool) -> bytes:
    """The calendar's answer: moments (ISO, UTC) of the next report, or of the ends of a span."""
    stamps = [int(datetime.fromisoformat(moment).replace(tzinfo=UTC).timestamp()) for moment in moments]
    earnings = {"earningsDate": stamps, "isEarningsDateEstimate": estimated}
    result = [{"calendarEvents": {"maxAge": 1, "earnings": earnings, "exDividendDate": 1770000000}}]
    return json.dumps({"quoteSummary": {"result": result, "error": None}}).encode()


def result_of(chart: Chart) -> Chart:
    result: Chart = chart["chart"]["result"][0]
    return result


def every_column(chart: Chart) -> list[list[Any]]:
    indicators = result_of(chart)["indicators"]
    columns = [*indicators["quote"][0].values(), *(part["adjclose"] for part in indicators["adjclose"])]
    return [result_of(chart)["timestamp"], *columns]


def put_time(chart: Chart, row: int, value: Any) -> None:
    result_of(chart)["timestamp"][row] = value


def blank(chart: Chart, row: int) -> None:
    for column in every_column(chart)[1:]:
        column[row] = None


def blank_all(chart: Chart) -> None:
    for row in range(len(result_of(chart)["timestamp"])):
        blank(chart, row)


def put(chart: Chart, name: str, row: int, value: Any) -> None:
    result_of(chart)["indicators"]["quote"][0][name][row] = value


def leave_out(chart: Chart, rows: slice) -> None:
    for column in every_column(chart):
        del column[rows]


def repeat_last(chart: Chart) -> None:
    for column in every_column(chart):
        column.append(column[-1])


def turn_round(chart: Chart) -> None:
    for column in every_column(chart):
        column.reverse()


MUTATIONS: dict[str, Callable[[Chart], Any]] = {
    "no zone": lambda chart: result_of(chart)["meta"].pop("exchangeTimezoneName"),
    "no time": lambda chart: put_time(chart, -2, None),
    "uneven": lambda chart: result_of(chart)["indicators"]["quote"][0]["close"].pop(),
    "empty middle": lambda chart: blank(chart, -3),
    "empty last": lambda chart: blank(chart, -1),
    "all empty": blank_all,
    "missing day": lambda chart: leave_out(chart, slice(-3, -2)),
    "stale": lambda chart: leave_out(chart, slice(-2, None)),
    "zero price": lambda chart: put(chart, "close", -2, 0.0),
    "negative price": lambda chart: put(chart, "low", -2, -1.0),
    "infinite price": lambda chart: put(chart, "high", -2, float("inf")),
    "zero volume": lambda chart: put(chart, "volume", -2, 0),
    "unadjusted": lambda chart: result_of(chart)["indicators"].pop("adjclose"),
    "repeated": repeat_last,
    "unordered": turn_round,
    "session cut off": lambda chart: result_of(chart)["meta"].update(
        regularMarketTime=result_of(chart)["meta"]["currentTradingPeriod"]["regular"]["end"] - 3600
    ),
}


class YahooServer(ThreadingHTTPServer):
    """Serves `companies` at `now`; `fail` puts faults in the way.

    With `certificate` it is a proxy that plays every host it is asked to connect to.
    """

    daemon_threads = True
    request_queue_size = 128

    def __init__(self, *companies: Company, latency: float = 0.0, certificate: Path | None = None) -> None:
        super().__init__(("127.0.0.1", 0), _Handler)
        self.companies = {each.symbol: each for each in companies}
        self.now = NOW
        self.latency = latency
        self.certificate = certificate
        self.requests: Counter[tuple[str, str]] = Counter()
        self.ranges: list[tuple[str, str, str]] = []
        self._faults: dict[str, tuple[list[str], float]] = {}
        self._guard = threading.Lock()
        self.whole: dict[str, bytes] = {}
        # Of earnings: symbol to lines of the page of dates, newest first; symbol to what the calendar says of
        # the next; and what is wrong with pages, by how their path begins.
        self.reports: dict[str, list[str]] = {}
        self.coming: dict[str, tuple[tuple[str, ...], bool]] = {}
        self.page_faults: dict[str, str] = {}

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.server_address[1]}"

    @property
    def total(self) -> int:
        return sum(self.requests.values())

    def add(self, *companies: Company) -> None:
        self.companies |= {each.symbol: each for each in companies}

    def fail(self, symbol: str, fault: str, times: float = float("inf"), after: int = 0) -> None:
        """Answer the next `times` requests for `symbol` (* for all) with `fault`, once `after` went well."""
        assert fault in REPLIES or fault in MUTATIONS or fault in {"cut json", "truncated"}, fault
        self._faults[symbol] = [*[""] * after, fault], times

    def heal(self) -> None:
        self._faults.clear()

    def reply(self, host: str, target: str) -> Reply:
        parts = urlsplit(target)
        query = {name: values[0] for name, values in parse_qs(parts.query).items()}
        with self._guard:
            if parts.path == COUNTS:
                return Reply(body=json.dumps({" ".join(key): n for key, n in self.requests.items()}).encode())
            self.requests[host, parts.path] += 1
        if not parts.path.startswith("/v8/finance/chart/"):
            return self._other(parts.path, query)
        symbol = unquote(parts.path.rsplit("/", 1)[-1]).upper()
        fault = self._fault(symbol)
        if fault in REPLIES:
            return REPLIES[fault]
        if symbol not in self.companies:
            return NOT_FOUND
        body = self._body(symbol, query, fault)
        if fault == "cut json":
            return Reply(body=body[: len(body) // 2])
        return Reply(body=body, declared=2 * len(body) if fault == "truncated" else None)

    def _other(self, path: str, query: dict[str, str]) -> Reply:
        """Cookie, crumb, and the two pages of earnings dates; without a crumb the calendar refuses."""
        for start, fault in self.page_faults.items():
            if path == start or (start != COOKIE and path.startswith(start)):
                return REPLIES[fault]
        if path == DATES:
            rows = self.reports.get(query["symbol"], [])
            return Reply(200, dates_page(query["symbol"], rows[: int(query["size"])]))
        if path.startswith(CALENDAR):
            return self._calendar(path.rsplit("/", 1)[-1], query.get("crumb"))
        if path == CRUMB:
            return Reply(200, b"crumb")
        return Reply(404, b"", (("Set-Cookie", "A3=x; Path=/"),))

    def _calendar(self, symbol: str, crumb: str | None) -> Reply:
        if crumb != "crumb":
            return Reply(401, json.dumps({"finance": {"error": {"code": "Unauthorized"}}}).encode())
        if symbol not in self.reports:
            missing = {"code": "Not Found", "description": f"Quote not found for symbol: {symbol}"}
            return Reply(404, json.dumps({"quoteSummary": {"result": None, "error": missing}}).encode())
        return Reply(200, calendar_answer(*self.coming.get(symbol, ((), False))))

    def _fault(self, symbol: str) -> str:
        with self._guard:
            place = symbol if symbol in self._faults else "*"
            coming, left = self._faults.get(place, ([""], 0))
            if len(coming) > 1:
                return coming.pop(0)
            self._faults[place] = coming, left - 1
            return coming[0] if left > 0 else ""

    def _body(self, symbol: str, query: dict[str, str], fault: str) -> bytes:
        if symbol in self.whole and "range" not in query:
            return self.whole[symbol]
        first, last = np.datetime64("1900-01-01"), np.datetime64("2200-01-01")
        traded = self.companies[symbol]
        if "period1" in query:
            first, last = (
                local_date(datetime.fromtimestamp(int(query[name]), UTC), traded.calendar)
                for name in ("period1", "period2")
            )
            with self._guard:
                self.ranges.append((symbol, str(first), str(last)))
        elif query.get("range") == "1d":
            first = local_date(self.now, traded.calendar) - 1
        chart = traded.chart(self.now, first, last)
        if fault in MUTATIONS:
            MUTATIONS[fault](chart)
        return json.dumps(chart).encode()


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True
    server: YahooServer

    def do_GET(self) -> None:
        reply = self.server.reply(self.headers["Host"].split(":")[0], self.path)
        time.sleep(self.server.latency + reply.delay)
        if reply.reset:
            self.close_connection = True
            return
        declared = len(reply.body) if reply.declared is None else reply.declared
        head = [f"HTTP/1.1 {reply.status} As It Is", f"Content-Length: {declared}"]
        head += [f"{name}: {value}" for name, value in reply.headers]
        self.wfile.write("\r\n".join([*head, "", ""]).encode() + reply.body)
        self.close_connection = reply.declared is not None

    def do_CONNECT(self) -> None:
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        assert self.server.certificate is not None
        context.load_cert_chain(self.server.certificate)
        context.set_alpn_protocols(["http/1.1"])
        self.wfile.write(b"HTTP/1.1 200 Connected\r\n\r\n")
        self.connection = context.wrap_socket(
            self.connection, server_side=True, do_handshake_on_connect=False
        )
        self.rfile, self.wfile = self.connection.makefile("rb"), self.connection.makefile("wb", 0)

    def finish(self) -> None:
        super().finish()
        self.connection.close()

    def log_message(self, *_words: object) -> None:
        """Nothing is to reach the tests' stderr."""


@contextmanager
def serving(*companies: Company, **options: Any) -> Iterator[YahooServer]:
    """A server in a thread of its own."""
    server = YahooServer(*companies, **options)
    server.handle_error = lambda *_: None  # type: ignore[method-assign]  # a client may go away
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True)
    thread.start()
    try:
        yield server
    finally:
        server.shutdown()
        server.server_close()


def main() -> None:
    """Serve T0, T1, … until ended."""
    parser = argparse.ArgumentParser(description=main.__doc__)
    parser.add_argument("--tickers", type=int, default=503)
    parser.add_argument("--years", type=int, default=20)
    parser.add_argument("--latency", type=float, default=0.0)
    options = parser.parse_args()
    first = f"{NOW.year - options.years}-01-02"
    names = (f"T{number}" for number in range(options.tickers))
    companies = [company(name, first) for name in names]
    server = YahooServer(*companies, latency=options.latency)
    beginning = local_date(NOW) + 1
    for each in companies:  # what whole-history requests will be answered with
        chart = json.dumps(each.chart(NOW, np.datetime64("1900-01-01"), beginning)).encode()
        server.whole[each.symbol] = chart
    print(server.url, flush=True)  # noqa: T201
    server.serve_forever()


if __name__ == "__main__":
    main()
