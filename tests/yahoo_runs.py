"""Runs of `forecast fetch` against the stand-in for Yahoo, at a time of its own."""

import json
from datetime import datetime
from pathlib import Path

import pytest
from yahoo_server import YahooServer

from forecaster.cli.main import run
from forecaster.prices.store import PriceStore

EVENING = "2026-11-21T22:30:00"  # a Saturday; sessions through Friday the 20th have closed


class FetchRuns:
    """One home folder, one server and one clock for both."""

    def __init__(
        self, yahoo: YahooServer, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
    ) -> None:
        self.yahoo, self._monkeypatch, self._capsys = yahoo, monkeypatch, capsys
        self.home = Path.cwd() / "home"
        self.store = PriceStore(self.home)

    def at(self, moment: str) -> None:
        self._monkeypatch.setenv("FORECAST_NOW", moment)
        self.yahoo.now = datetime.fromisoformat(f"{moment}+00:00")

    def fetch(self, *arguments: str, home: Path | None = None) -> tuple[int, str]:
        """Exit code and stderr."""
        self._capsys.readouterr()
        code = run(["fetch", *arguments, "--home", str(home or self.home)])
        captured = self._capsys.readouterr()
        assert "Warning" not in captured.err
        assert "Traceback" not in captured.err
        assert "possibly delisted" not in captured.out + captured.err  # what yfinance would say
        return code, captured.err

    def fetch_json(self, *arguments: str) -> dict:
        self._capsys.readouterr()
        run(["fetch", "--json", *arguments, "--home", str(self.home)])
        return json.loads(self._capsys.readouterr().out)

    def stored_days(self, ticker: str) -> list[str]:
        return self.store.read(ticker).dates.astype(str).tolist()

    def fresh_digest(self, ticker: str) -> str:
        """The digest of what a first fetch would store now."""
        home = Path.cwd() / f"fresh-{len(list(Path.cwd().iterdir()))}"
        code, _ = self.fetch(ticker, home=home)
        assert code == 0
        return PriceStore(home).info(ticker).digest

    def is_as_fresh(self, ticker: str) -> bool:
        return self.store.info(ticker).digest == self.fresh_digest(ticker)
