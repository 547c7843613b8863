"""Measure a first fetch of the whole index against a stand-in for Yahoo, beside `yf.download` cold.

    python benchmarks/fetch_bench.py [TICKERS]

The stand-in answers after 50 ms with 20 years of prices; pacing is off. Both run in processes of their own.
"""

import json
import os
import subprocess
import sys
import tempfile
import time
import urllib.request
from collections import Counter
from pathlib import Path

SERVER = Path(__file__).parents[1] / "tests" / "yahoo_server.py"
FORECAST = Path(sys.executable).parent / "forecast"
LATENCY = "0.05"
DOWNLOAD = """
import sys, warnings
warnings.simplefilter("ignore")
from urllib.parse import urlsplit
import yfinance
from curl_cffi.requests import Session
base, cache, *tickers = sys.argv[1:]
class Directed(Session):
    def request(self, method, url, **options):
        return super().request(method, base + urlsplit(url).path, **options)
yfinance.set_tz_cache_location(cache)
frame = yfinance.download(tickers, start="2006-01-01", auto_adjust=False, actions=True, progress=False,
                          session=Directed(impersonate="chrome"))
print(frame["Close"].notna().any().sum())
"""


def main() -> None:
    """Run both, print seconds, ratio and requests."""
    count = int(sys.argv[1]) if len(sys.argv) > 1 else 503
    tickers = [f"T{number}" for number in range(count)]
    command = [sys.executable, SERVER, "--tickers", str(count), "--latency", LATENCY]
    with (
        tempfile.TemporaryDirectory() as folder,
        subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as server,
    ):
        try:
            measure(server.stdout.readline().strip(), Path(folder), tickers)
        finally:
            server.terminate()


def measure(url: str, folder: Path, tickers: list[str]) -> None:
    """Fetch twice with the tool, once with yfinance's own `download`."""
    environment = {**os.environ, "FORECAST_YAHOO_URL": url, "FORECAST_YAHOO_RATE": "0"}
    environment |= {"FORECAST_HOME": str(folder), "FORECAST_NOW": "2026-11-21T22:30:00"}
    fetch = [FORECAST, "fetch", *tickers]
    first = timed([*fetch, "--quiet"], environment)
    asked = requests(url)
    second = timed([*fetch, "--quiet"], environment)
    again = sum((requests(url) - asked).values())
    download = timed([sys.executable, "-c", DOWNLOAD, url, folder / "cache", *tickers], environment)
    charts = sum(number for key, number in asked.items() if "/v8/finance/chart/" in key)
    print(f"forecast fetch of {len(tickers)} tickers, 20 years each: {first:.1f} s")
    print(f"  requests: {charts} for charts, {sum(asked.values()) - charts} for anything else")
    print(f"forecast fetch once more: {second:.1f} s, {again} requests")
    print(f"yf.download, cold: {download:.1f} s, {sum((requests(url) - asked).values())} requests")
    print(f"ratio: {first / download:.3f}")


def timed(command: list[str | Path], environment: dict[str, str]) -> float:
    """Seconds of a command that must succeed."""
    started = time.perf_counter()
    subprocess.run(command, env=environment, check=True, stdout=subprocess.DEVNULL)
    return time.perf_counter() - started


def requests(url: str) -> Counter[str]:
    """How often the stand-in was asked for each path."""
    with urllib.request.urlopen(f"{url}/requests") as answer:  # noqa: S310  (the stand-in's own address)
        return Counter(json.load(answer))


if __name__ == "__main__":
    main()
