from collections.abc import Iterator

import pytest
from yahoo_runs import FetchRuns
from yahoo_server import YahooServer, company, serving


@pytest.fixture
def yahoo(monkeypatch: pytest.MonkeyPatch) -> Iterator[YahooServer]:
    """A stand-in for Yahoo with two companies; the tool asks it, and does not wait between attempts."""
    with serving(company("AAA"), company("BBB")) as server:
        for name, value in {"URL": server.url, "RATE": "0", "BACKOFF": "0", "RETRIES": "2"}.items():
            monkeypatch.setenv(f"FORECAST_YAHOO_{name}", value)
        yield server


@pytest.fixture
def runs(
    yahoo: YahooServer, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> FetchRuns:
    return FetchRuns(yahoo, monkeypatch, capsys)
