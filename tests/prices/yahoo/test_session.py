"""The door to Yahoo: pacing, patience, hosts, proxies, and the private parts of yfinance that it sets."""

import inspect
import logging
import os
import subprocess
import sys
from importlib.metadata import version
from pathlib import Path

import numpy as np
import pytest
from command import FORECAST
from yahoo_runs import FetchRuns
from yahoo_server import YahooServer, company, serving

from forecaster.errors import NotFoundError, TryLaterError, UnavailableError
from forecaster.prices.yahoo.answers import (
    NoPricesError,
    PassingFaultError,
    RateLimitError,
    read_answer,
    retry_after,
)
from forecaster.prices.yahoo.client import YahooClient
from forecaster.prices.yahoo.pacing import Pacer, StoppedError
from forecaster.settings import YahooSettings

FIRST, LAST = np.datetime64("2026-11-02"), np.datetime64("2026-11-20")


class Clock:
    """Time that passes only by sleeping."""

    def __init__(self) -> None:
        self.now = 100.0
        self.slept: list[float] = []

    def sleep(self, seconds: float) -> None:
        self.slept.append(seconds)
        self.now += seconds

    def __call__(self) -> float:
        return self.now


def client(server: YahooServer, cache: Path, clock: Clock, **settings: object) -> YahooClient:
    pacer = Pacer(0, 1.0, clock.sleep, clock)
    return YahooClient(YahooSettings(url=server.url, **settings), pacer, cache)  # type: ignore[arg-type]


def test_requests_are_spread_over_time() -> None:
    clock = Clock()
    pacer = Pacer(2.0, 1.0, clock.sleep, clock)
    moments = []
    for _ in range(4):
        pacer.wait()
        moments.append(clock.now)
    assert moments == [100.0, 100.5, 101.0, 101.5]


def test_the_slowest_rate_is_a_request_a_minute() -> None:
    clock = Clock()
    pacer = Pacer(1e-300, 1.0, clock.sleep, clock)
    pacer.wait()
    pacer.wait()
    assert clock.slept == [60]


def test_a_pause_holds_for_everyone_and_a_stop_is_final() -> None:
    clock = Clock()
    pacer = Pacer(0, 1.0, clock.sleep, clock)
    pacer.pause(7)
    pacer.wait()
    assert clock.now == 107
    pacer.pause(10_000)
    pacer.wait()
    assert clock.now == 167  # no pause is longer than a minute
    pacer.stop()
    with pytest.raises(StoppedError):
        pacer.wait()


def test_waits_double_and_are_spread() -> None:
    pacer = Pacer(0, 2.0)
    for attempt, middle in enumerate([2, 4, 8, 16]):
        delays = [pacer.delay(attempt) for _ in range(200)]
        assert middle / 2 <= min(delays) < middle < max(delays) <= middle * 1.5
    assert pacer.delay(30) == 60


def test_retries_wait_as_asked(tmp_path: Path, yahoo: YahooServer) -> None:
    clock = Clock()
    yahoo.fail("AAA", "503", times=3)
    client(yahoo, tmp_path, clock).bars("AAA", FIRST, LAST)
    assert [0.5 <= one <= 1.5 * two for one, two in zip(clock.slept, (1, 2, 4), strict=True)] == [True] * 3
    assert yahoo.total == 4


@pytest.mark.parametrize(
    ("header", "seconds"),
    [
        pytest.param({"Retry-After": "7"}, 7, id="seconds"),
        pytest.param(
            {"Retry-After": "Sat, 21 Nov 2026 10:00:30 GMT", "Date": "Sat, 21 Nov 2026 10:00:00 GMT"},
            30,
            id="date",
        ),
        pytest.param({"Retry-After": "Sat, 21 Nov 2020 10:00:30 GMT"}, 0, id="past"),
        pytest.param({"Retry-After": "soon"}, None, id="neither"),
        pytest.param({"Retry-After": "21 Nov 2026 10:00"}, None, id="no zone"),
        pytest.param({}, None, id="none"),
    ],
)
def test_retry_after(header: dict[str, str], seconds: float | None) -> None:
    assert retry_after(header) == seconds


@pytest.mark.parametrize(
    ("status", "body", "kind"),
    [
        pytest.param(404, b"", NotFoundError, id="404 without words"),
        pytest.param(200, b'{"chart":{"error":{"code":"Not Found"}}}', NotFoundError, id="404 as 200"),
        pytest.param(400, b"{}", NoPricesError, id="400"),
        pytest.param(200, b"Too Many Requests", RateLimitError, id="429 as 200"),
        pytest.param(401, b"{}", PassingFaultError, id="401"),
        pytest.param(200, b"[]", PassingFaultError, id="a list"),
        pytest.param(200, b'{"chart":{"result":[null]}}', PassingFaultError, id="null in the result"),
        pytest.param(200, b'{"chart":{"result":[{}]}}', PassingFaultError, id="nothing in the result"),
        pytest.param(200, b'{"chart":7}', PassingFaultError, id="a number"),
        pytest.param(
            200,
            b'{"chart":{"result":[{"meta":{},"indicators":{"quote":[{}]}}]}}',
            NoPricesError,
            id="no bar",
        ),
    ],
)
def test_reading_an_answer(status: int, body: bytes, kind: type[Exception]) -> None:
    with pytest.raises(kind) as caught:
        read_answer(status, {}, body)
    assert type(caught.value) is kind


def test_errors_are_the_tools_own(tmp_path: Path, yahoo: YahooServer) -> None:
    asked = client(yahoo, tmp_path, Clock(), retries=0, timeout=0.3)
    for fault, kind in {"404": NotFoundError, "503": UnavailableError, "timeout": UnavailableError}.items():
        yahoo.fail("AAA", fault)
        with pytest.raises(kind):
            asked.bars("AAA", FIRST, LAST)
    yahoo.fail("AAA", "429")
    with pytest.raises(TryLaterError):
        asked.bars("AAA", FIRST, LAST)
    with pytest.raises(StoppedError):  # for everyone
        asked.bars("BBB", FIRST, LAST)


def test_a_bad_answer_is_not_remembered(tmp_path: Path, yahoo: YahooServer) -> None:
    """yfinance keeps answers for past days, bad ones too."""
    asked = client(yahoo, tmp_path, Clock(), retries=0)
    yahoo.fail("AAA", "all empty", times=1)
    assert np.isnan(asked.bars("AAA", FIRST, LAST).columns["close"]).all()
    assert not np.isnan(asked.bars("AAA", FIRST, LAST).columns["close"]).any()


def test_the_private_parts_of_yfinance_that_are_set(tmp_path: Path, yahoo: YahooServer) -> None:
    """If this fails after an update, see in its source how a ticker's zone, cookie and crumb are kept now."""
    pinned = Path(__file__).parents[3].joinpath("constraints.txt").read_text()
    assert f"yfinance=={version('yfinance')}\n" in pinned
    import yfinance
    from yfinance.data import YfData

    assert yfinance.Ticker("AAA")._tz is None
    asked = client(yahoo, tmp_path, Clock())
    assert isinstance(asked._data, YfData)
    assert asked._data._get_cookie_and_crumb() == ("unneeded", "basic")
    assert callable(YfData.cache_get.cache_clear)
    assert "self._tz" in inspect.getsource(yfinance.Ticker._get_ticker_tz)
    asked.bars("AAA", FIRST, LAST)
    assert yahoo.requests == {("127.0.0.1", "/v8/finance/chart/AAA"): 1}


def test_yfinance_keeps_silent_and_to_its_own_folder(runs: FetchRuns) -> None:
    runs.fetch("AAA")
    from yfinance import cache

    assert cache._TzDBManager.get_location() == str(runs.home / "data" / "cache" / "yfinance")
    assert cache._CookieDBManager.get_location() == cache._TzDBManager.get_location()
    assert not logging.getLogger("yfinance").isEnabledFor(logging.CRITICAL)


def fetch_as_cron(home: Path, environment: dict[str, str], *tickers: str) -> subprocess.CompletedProcess[str]:
    """With nothing in the environment but what is given."""
    kept = {name: os.environ[name] for name in ("PATH", "FORECAST_NOW")}
    variables = {**kept, "HOME": str(home), "FORECAST_YAHOO_RETRIES": "0", **environment}
    return subprocess.run(
        [*FORECAST, "fetch", *tickers, "--home", home / "prices"],
        env=variables,
        capture_output=True,
        text=True,
        check=False,
    )


def test_nothing_of_a_dependency_reaches_crons_mail(tmp_path: Path, yahoo: YahooServer) -> None:
    yahoo.fail("BBB", "404")
    done = fetch_as_cron(tmp_path, {"FORECAST_YAHOO_URL": yahoo.url}, "AAA", "BBB", "--quiet")
    assert done.returncode == 75
    assert done.stdout == ""
    assert done.stderr.startswith("forecast: 1 of 2 tickers failed (not found 1): BBB;")
    assert done.stderr.count("\n") == 1
    assert sorted(path.name for path in tmp_path.iterdir()) == ["prices"]  # no cache in the user's home


@pytest.fixture
def certificate(tmp_path: Path) -> Path:
    """A key and a certificate for Yahoo's hosts in one file."""
    key, chain = tmp_path / "key.pem", tmp_path / "chain.pem"
    words = ["req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "30000", "-subj", "/CN=test"]
    names = "subjectAltName=DNS:*.finance.yahoo.com,DNS:finance.yahoo.com,DNS:fc.yahoo.com"
    command = ["openssl", *words, "-addext", names, "-keyout", key, "-out", chain]
    try:
        subprocess.run(command, check=True, capture_output=True)
    except FileNotFoundError:
        pytest.skip("there is no openssl to make a certificate with")
    both = tmp_path / "both.pem"
    both.write_bytes(key.read_bytes() + chain.read_bytes())
    return both


def test_through_a_proxy_with_a_certificate_of_its_own(tmp_path: Path, certificate: Path) -> None:
    with serving(company("AAA"), certificate=certificate) as proxy:
        trusting = {
            "HTTPS_PROXY": proxy.url,
            "REQUESTS_CA_BUNDLE": str(tmp_path / "chain.pem"),
            "CURL_CA_BUNDLE": str(tmp_path / "chain.pem"),
        }
        done = fetch_as_cron(tmp_path, trusting, "AAA", "--quiet")
        assert (done.returncode, done.stdout, done.stderr) == (0, "", "")
        assert proxy.requests == {("query2.finance.yahoo.com", "/v8/finance/chart/AAA"): 1}
        done = fetch_as_cron(tmp_path, {"HTTPS_PROXY": proxy.url}, "ZZZ", "--quiet")
        assert done.returncode == 69
        assert "its certificate is not trusted; see REQUESTS_CA_BUNDLE" in done.stderr


def test_yfinance_is_not_loaded_where_nothing_is_missing(tmp_path: Path, yahoo: YahooServer) -> None:
    script = (
        "import sys; from forecaster.cli.main import run; code = run(['fetch', 'AAA', '--quiet']); "
        "print(code, 'yfinance' in sys.modules)"
    )
    for expected in ("0 True", "0 False"):
        done = subprocess.run(
            [sys.executable, "-c", script], capture_output=True, text=True, check=True, cwd=tmp_path
        )
        assert done.stdout.strip() == expected
    assert yahoo.total == 1
