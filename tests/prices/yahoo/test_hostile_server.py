"""A server that lies, floods or never ends costs only itself: bounded bytes, bounded time, one line."""

import gzip
import json
import socket
import sys
import threading
import weakref
import zlib
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager

import pytest
from command import FORECAST
from hostile import in_time
from yahoo_runs import EVENING, FetchRuns
from yahoo_server import MUTATIONS, REPLIES, Reply, chart_error, result_of

from forecaster.prices import paced_session
from forecaster.prices.yahoo import answers, pacing, session
from forecaster.prices.yahoo.answers import retry_after

EVIL = "\x1b[2J\x1b]0;owned\x07\nforecast: all is well\r\u202egnp"
BOMB = b" " * 200_000_000


@contextmanager
def pouring(head: bytes, piece: bytes) -> Iterator[str]:
    """A server that answers every request with `head` and then `piece` for ever, if there is one."""
    with closing(socket.create_server(("127.0.0.1", 0))) as server:

        def pour() -> None:
            while True:
                try:
                    client, _ = server.accept()
                except OSError:
                    return
                threading.Thread(target=fill, args=(client,), daemon=True).start()

        def fill(client: socket.socket) -> None:
            with closing(client):
                try:
                    client.recv(65_536)
                    client.sendall(head)
                    while piece:
                        client.sendall(piece)
                except OSError:
                    return

        threading.Thread(target=pour, daemon=True).start()
        yield f"http://127.0.0.1:{server.getsockname()[1]}"


CHUNKED = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n"


@pytest.mark.parametrize(
    ("head", "piece", "says"),
    [
        pytest.param(
            CHUNKED, b"10000\r\n" + b" " * 65_536 + b"\r\n", "longer than 8,000,000 bytes", id="body"
        ),
        pytest.param(b"HTTP/1.1 200 OK\r\n", b"X-More: " + b"x" * 60_000 + b"\r\n", "cut", id="headers"),
        pytest.param(b"", b"x" * 65_536, "Yahoo could not be used", id="no HTTP"),
    ],
)
def test_an_endless_answer_is_left(
    runs: FetchRuns, monkeypatch: pytest.MonkeyPatch, head: bytes, piece: bytes, says: str
) -> None:
    with pouring(head, piece) as url, in_time():
        monkeypatch.setenv("FORECAST_YAHOO_URL", url)
        monkeypatch.setenv("FORECAST_YAHOO_TIMEOUT", "2")
        code, err = runs.fetch("AAA", "BBB")
    assert code == 69
    assert says in err


def test_an_answer_that_drips_ends_with_the_time_allowed(
    runs: FetchRuns, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Each byte comes soon enough; the whole of it does not."""
    with closing(socket.create_server(("127.0.0.1", 0))) as server:
        done = threading.Event()

        def drip() -> None:
            client, _ = server.accept()
            with closing(client):
                client.recv(65_536)
                client.sendall(CHUNKED)
                while not done.wait(0.05):
                    try:
                        client.sendall(b"1\r\n \r\n")
                    except OSError:
                        return

        threading.Thread(target=drip, daemon=True).start()
        monkeypatch.setenv("FORECAST_YAHOO_URL", f"http://127.0.0.1:{server.getsockname()[1]}")
        monkeypatch.setenv("FORECAST_YAHOO_TIMEOUT", "0.5")
        monkeypatch.setenv("FORECAST_YAHOO_RETRIES", "0")
        with in_time():
            code, err = runs.fetch("AAA")
        done.set()
    assert code == 69
    assert "no answer within 0.5 seconds" in err


PACKED: dict[str, tuple[str, Callable[[bytes], bytes]]] = {
    "gzip": ("gzip", gzip.compress),
    "deflate": ("deflate", zlib.compress),
    "gzip twice": ("gzip, gzip", lambda body: gzip.compress(gzip.compress(body))),
}


@pytest.mark.parametrize("name", PACKED)
def test_a_small_answer_that_unpacks_to_a_large_one_is_left(
    runs: FetchRuns, monkeypatch: pytest.MonkeyPatch, name: str
) -> None:
    encoding, pack = PACKED[name]
    monkeypatch.setitem(REPLIES, "500", Reply(200, pack(BOMB), (("Content-Encoding", encoding),)))
    runs.yahoo.fail("*", "500")
    with in_time():
        code, err = runs.fetch("AAA", "BBB")
    assert code == 69
    assert "its answer is longer than 8,000,000 bytes" in err


@pytest.mark.parametrize(
    "body",
    [
        b"[" * 4_000_000,
        b'{"chart": ' * 100_000,
        b'{"chart": {"result": [{"timestamp": ['
        + b"0," * 3_900_000
        + b'0], "indicators": {"quote": [{}]}}]}}',
        b'{"chart": {"result": [' + b"{}," * 2_000_000 + b"{}]}}",
        b'{"chart": {"error": {"code": "' + b"9" * 7_000_000 + b'"}}}',
        b'{"chart": ' + b"9" * 7_000_000 + b"}",
        b'{"chart": {"result": [{"indicators": []}]}}',
        b'{"chart": {"result": [{"indicators": {"quote": [7]}, "timestamp": [7]}]}}',
        b'{"chart": {"result": [{"indicators": {"quote": [{"close": 7}]}, "timestamp": 7}]}}',
        b'{"chart": {"result": [{"indicators": {"quote": [{"close": [7]}]}, "timestamp": [1e300]}]}}',
    ],
    ids=lambda body: body[:60].decode(),
)
def test_an_answer_that_makes_no_sense_ends_in_one_line(
    runs: FetchRuns, monkeypatch: pytest.MonkeyPatch, body: bytes
) -> None:
    monkeypatch.setitem(REPLIES, "500", Reply(200, body))
    runs.yahoo.fail("*", "500")
    with in_time():
        code, err = runs.fetch("AAA", "BBB")
    assert code in (65, 69)
    assert "this is a bug" not in err
    assert max(map(len, err.splitlines())) < 400


def test_bars_of_another_ticker_are_rejected(runs: FetchRuns, monkeypatch: pytest.MonkeyPatch) -> None:
    runs.at(EVENING)
    for symbol, named in (("BBB", "BBB"), (None, "nobody"), (["AAA"], "nobody"), (EVIL, "")):
        monkeypatch.setitem(
            MUTATIONS, "stale", lambda chart, symbol=symbol: result_of(chart)["meta"].update(symbol=symbol)
        )
        runs.yahoo.fail("AAA", "stale")
        code, err = runs.fetch("AAA")
        assert code == 69
        assert f"it is of {named}" in err
        assert not runs.store.has("AAA")
    monkeypatch.setitem(MUTATIONS, "stale", lambda chart: result_of(chart)["meta"].update(symbol="aaa"))
    assert runs.fetch("AAA")[0] == 0


def test_strange_facts_beside_the_prices_do_no_harm(runs: FetchRuns, monkeypatch: pytest.MonkeyPatch) -> None:
    runs.at(EVENING)
    strange = {
        "currency": "x" * 1_000_000,
        "instrumentType": [1],
        "regularMarketTime": 1e300,
        "longName": EVIL,
    }
    monkeypatch.setitem(MUTATIONS, "stale", lambda chart: result_of(chart)["meta"].update(strange))
    runs.yahoo.fail("AAA", "stale")
    code, err = runs.fetch("AAA")
    assert code == 0, err
    assert runs.store.read("AAA").currency == ""


@pytest.mark.parametrize("status", [200, 404, 429, 500])
def test_a_server_cannot_write_to_the_terminal(
    runs: FetchRuns, monkeypatch: pytest.MonkeyPatch, status: int
) -> None:
    monkeypatch.setitem(REPLIES, "500", Reply(status, chart_error(EVIL, EVIL)))
    runs.yahoo.fail("AAA", "500")
    _, err = runs.fetch("AAA")
    assert all(letter.isprintable() or letter == "\n" for letter in err)
    assert not any(line.startswith("forecast: all is well") for line in err.splitlines())
    assert "\\x1b[2J" in err or status == 429


@pytest.mark.parametrize(
    "wait", ["\u00b2", "9" * 500, "-1", "nan", "Wed, 21 Oct 99999 07:28:00 GMT", "\x1b[2J"]
)
def test_a_wait_that_makes_no_sense_is_bounded(wait: str) -> None:
    found = retry_after({"Retry-After": wait})
    assert found is None or found >= 0


def test_few_answers_are_unpacked_at_a_time(runs: FetchRuns, monkeypatch: pytest.MonkeyPatch) -> None:
    """However many workers there are, the others hold no more than the bytes."""
    from yahoo_server import company

    names = [f"T{number}" for number in range(24)]
    runs.yahoo.add(*map(company, names))
    monkeypatch.setenv("FORECAST_YAHOO_WORKERS", "24")
    lock, at_work, most = threading.Lock(), [0], [0]
    really_read, really_leave = session.read_answer, session.YahooSession.leave_room

    def read(*words: object) -> object:
        with lock:
            at_work[0] += 1
            most[0] = max(most[0], at_work[0])
        return really_read(*words)

    def leave(self: session.YahooSession) -> None:
        if getattr(self._latest, "unpacks", False):
            with lock:
                at_work[0] -= 1
        really_leave(self)

    monkeypatch.setattr(session, "read_answer", read)
    monkeypatch.setattr(session.YahooSession, "leave_room", leave)
    assert runs.fetch(*names)[0] == 0
    assert 1 <= most[0] <= session.UNPACKED_AT_ONCE
    assert at_work[0] == 0


@pytest.mark.parametrize(
    "body",
    [
        pytest.param(None, id="prices"),
        pytest.param(b'{"chart": {"result": [{}]}}', id="no prices, asked again"),
        pytest.param(b'{"chart": {"error": {"code": "Not Found"}}}', id="unknown"),
        pytest.param(
            b'{"chart": {"result": [{"timestamp": [], "indicators": {"quote": [{}]}}]}}', id="empty"
        ),
        pytest.param(
            b'{"chart": {"result": [{"indicators": {"quote": [{"close": 7}]}, "timestamp": [7]}]}}',
            id="yfinance fails",
        ),
    ],
)
def test_an_answer_is_forgotten_before_the_next_one_is_unpacked(
    runs: FetchRuns, monkeypatch: pytest.MonkeyPatch, body: bytes | None
) -> None:
    """Whatever came of it: a kept error would hold all of it in the frames of its traceback."""

    class Document(dict[str, object]):
        """A part of an answer that a weak reference may look at."""

    unpacked: list[weakref.ref[Document]] = []
    held: list[int] = []
    really_load, really_leave = json.loads, session.YahooSession.leave_room

    def made(part: dict[str, object]) -> Document:
        document = Document(part)
        unpacked.append(weakref.ref(document))
        return document

    def load(content: bytes) -> object:
        return really_load(content, object_hook=made)

    def leave(self: session.YahooSession) -> None:
        if getattr(self._latest, "unpacks", False):
            really_leave(self)
            held.append(sum(bool(part()) for part in unpacked))

    monkeypatch.setenv("FORECAST_YAHOO_WORKERS", "1")
    monkeypatch.setattr(answers.json, "loads", load)
    monkeypatch.setattr(session.YahooSession, "leave_room", leave)
    if body is not None:
        monkeypatch.setitem(REPLIES, "500", Reply(200, body))
        runs.yahoo.fail("*", "500")
    runs.fetch("AAA", "BBB")
    assert len(held) >= 2
    assert set(held) == {0}


def test_an_answer_is_forgotten_while_the_next_attempt_is_waited_for(
    runs: FetchRuns, monkeypatch: pytest.MonkeyPatch
) -> None:
    bodies: list[weakref.ref[object]] = []
    held: list[int] = []

    class Body(paced_session._Body):
        def __init__(self) -> None:
            super().__init__()
            bodies.append(weakref.ref(self))

    def rest(self: object, seconds: float) -> None:  # noqa: ARG001
        held.append(sum(body() is not None for body in bodies))

    monkeypatch.setenv("FORECAST_YAHOO_WORKERS", "1")
    monkeypatch.setattr(paced_session, "_Body", Body)
    monkeypatch.setattr(pacing.Pacer, "rest", rest)
    monkeypatch.setitem(REPLIES, "500", Reply(200, b'{"chart": {"result": [{}]}}'))
    runs.yahoo.fail("AAA", "500")
    runs.fetch("AAA")
    assert held
    assert set(held) == {0}


def test_the_limits_are_what_was_weighed() -> None:
    assert (paced_session.MOST_BYTES, session.UNPACKED_AT_ONCE, answers.MOST_ROWS) == (8_000_000, 1, 100_000)


@pytest.mark.trial
def test_a_flood_from_every_side_stays_within_the_memory_allowed(runs: FetchRuns) -> None:
    """A process of its own, whose memory is its own: 16 workers, each with the dearest answer there is."""
    import subprocess

    body = b'{"chart": {"result": [' + b"{}," * 2_600_000 + b"{}]}}"
    head = f"HTTP/1.1 200 OK\r\nContent-Length: {len(body)}\r\n\r\n".encode() + body
    with pouring(head, b"") as url:
        script = (
            "import resource, subprocess, sys\n"
            "code = subprocess.run(sys.argv[1:], capture_output=True).returncode\n"
            "print(code, resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss)"
        )
        settings = {"URL": url, "WORKERS": "16", "RETRIES": "0", "RATE": "0"}
        environ = {f"FORECAST_YAHOO_{name}": value for name, value in settings.items()}
        names = [f"T{number}" for number in range(16)]
        found = subprocess.run(
            [sys.executable, "-c", script, *FORECAST, "fetch", *names, "--home", str(runs.home)],
            capture_output=True,
            text=True,
            check=True,
            env=environ | {"PATH": "/usr/bin:/bin"},
        )
    code, kilobytes = map(int, found.stdout.split())
    assert code == 69
    assert kilobytes < 1_000_000


def test_honest_long_histories_come_through(runs: FetchRuns) -> None:
    """Seventy years of one ticker, spelled out as Yahoo does, are well within the limit."""
    from yahoo_server import company

    long = company("OLDE", "1962-01-02")
    runs.yahoo.add(long)
    runs.at(EVENING)
    assert runs.fetch("OLDE")[0] == 0
    chart = long.chart(runs.yahoo.now, long.dates[0], long.dates[-1])
    assert 3 * len(json.dumps(chart)) < 2 * paced_session.MOST_BYTES
