"""Fetches that are killed, interrupted, or started many at once: the store stays whole and gets complete."""

import os
import random
import signal
import subprocess
import time
from pathlib import Path

import pytest
from command import FORECAST, started
from yahoo_server import YahooServer, company

from forecaster.cli.main import run
from forecaster.prices.store import PriceStore

TICKERS = [f"T{number}" for number in range(60)]


@pytest.fixture
def market(yahoo: YahooServer) -> YahooServer:
    yahoo.add(*(company(ticker, first="2020-01-02") for ticker in TICKERS))
    yahoo.latency = 0.01
    return yahoo


def is_sound(capsys: pytest.CaptureFixture[str]) -> bool:
    """Every file that is there passes `data verify`."""
    capsys.readouterr()
    store = PriceStore(Path.cwd())
    return not store.tickers() or run(["data", "verify"]) == 0


def kill_and_verify(capsys: pytest.CaptureFixture[str], sign: int, seed: int) -> None:
    """Start a fetch, end it at a random moment, and look at what it leaves."""
    process = started(["fetch", *TICKERS, "--quiet"])
    time.sleep(random.Random(seed).uniform(0.5, 2.5))
    process.send_signal(sign)
    _, stderr = process.communicate(timeout=30)
    assert process.returncode in {0, -sign, 130}, stderr
    assert "Traceback" not in stderr
    assert is_sound(capsys)


def is_complete(market: YahooServer) -> bool:
    """The last run brings what is missing, and asks for nothing that was stored before."""
    store = PriceStore(Path.cwd())
    before, asked = set(store.tickers()), dict(market.requests)
    assert run(["fetch", *TICKERS, "--quiet"]) == 0
    again = {key[1].rsplit("/", 1)[1] for key in market.requests if market.requests[key] > asked.get(key, 0)}
    left = [path.name for path in store.folder.iterdir() if path.name.startswith(".tmp")]
    return again == set(TICKERS) - before and store.tickers() == sorted(TICKERS) and not left


def trial(capsys: pytest.CaptureFixture[str], market: YahooServer, kills: int, sign: int) -> None:
    for seed in range(kills):
        kill_and_verify(capsys, sign, seed)
        if seed % 5 == 4:  # else all would be there after a few
            for ticker in PriceStore(Path.cwd()).tickers()[::2]:
                PriceStore(Path.cwd()).path(ticker).unlink()
    assert is_complete(market)


@pytest.mark.parametrize(
    "sign",
    [
        pytest.param(signal.SIGKILL, id="SIGKILL"),
        pytest.param(signal.SIGINT, id="SIGINT", marks=pytest.mark.trial),
        pytest.param(signal.SIGTERM, id="SIGTERM", marks=pytest.mark.trial),
    ],
)
def test_a_fetch_that_is_ended_leaves_whole_files(
    market: YahooServer, capsys: pytest.CaptureFixture[str], sign: int
) -> None:
    trial(capsys, market, 2, sign)


@pytest.mark.slow
def test_a_hundred_kills(market: YahooServer, capsys: pytest.CaptureFixture[str]) -> None:
    trial(capsys, market, 100, signal.SIGKILL)


def test_ctrl_c_ends_quickly_though_yahoo_is_slow(
    yahoo: YahooServer, capsys: pytest.CaptureFixture[str]
) -> None:
    yahoo.fail("BBB", "timeout")
    process = started(["fetch", "AAA", "BBB"])
    store = PriceStore(Path.cwd())
    deadline = time.monotonic() + 30
    while not store.path("AAA").exists() and time.monotonic() < deadline:
        time.sleep(0.05)
    process.send_signal(signal.SIGINT)
    _, stderr = process.communicate(timeout=4.5)  # the answer would take five seconds
    assert process.returncode == 130
    assert stderr == "forecast: interrupted; nothing was left half-written\n"
    assert store.tickers() == ["AAA"]
    assert is_sound(capsys)


@pytest.mark.parametrize("count", [3, pytest.param(8, marks=pytest.mark.slow)])
def test_many_at_once_into_one_store(
    market: YahooServer, capsys: pytest.CaptureFixture[str], count: int
) -> None:
    processes = [started(["fetch", *TICKERS, "--quiet"]) for _ in range(count)]
    endings = [(process.communicate(timeout=120)[1], process.returncode) for process in processes]
    assert {code for _, code in endings} <= {0, 75}
    assert [code for _, code in endings].count(0) >= 1
    assert all("another forecast is writing" in stderr for stderr, code in endings if code == 75)
    assert is_sound(capsys)
    assert set(market.requests.values()) == {1}
    assert is_complete(market)


def test_each_ticker_is_stored_as_it_comes(market: YahooServer) -> None:
    market.fail("T59", "timeout")
    process = started(["fetch", *TICKERS, "--quiet"])
    store = PriceStore(Path.cwd())
    deadline = time.monotonic() + 30
    while len(store.tickers()) < len(TICKERS) - 1 and time.monotonic() < deadline:
        time.sleep(0.05)
    assert process.poll() is None  # the last one is still being asked for
    assert len(store.tickers()) == len(TICKERS) - 1
    process.kill()
    process.communicate()


def test_progress_on_a_terminal_tells_rate_time_and_failures(yahoo: YahooServer) -> None:
    pty = pytest.importorskip("pty")
    yahoo.fail("ZZZ", "404")
    leader, follower = pty.openpty()
    variables = {**os.environ, "TERM": "xterm", "COLUMNS": "100"}
    process = subprocess.Popen(
        [*FORECAST, "fetch", "AAA", "BBB", "ZZZ"], stderr=follower, stdout=subprocess.DEVNULL, env=variables
    )
    process.wait(timeout=60)
    os.close(follower)
    seen = b""
    while chunk := read_some(leader):
        seen += chunk
    os.close(leader)
    text = seen.decode()
    assert process.returncode == 75
    assert "failed: ZZZ: not found" in text
    assert "Prices from yahoo: 0 of 3" in text


def read_some(descriptor: int) -> bytes:
    try:
        return os.read(descriptor, 4096)
    except OSError:  # the other end is closed and all is read
        return b""
