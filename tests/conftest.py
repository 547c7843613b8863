import os
from pathlib import Path

import pytest

NOW = "2026-11-21T22:30:00"


@pytest.fixture(autouse=True)
def clean_environment(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """No setting of the developer's reaches a test, the clock stands still, and files land in tmp_path."""
    for name in os.environ:
        if name.startswith("FORECAST_"):
            monkeypatch.delenv(name)
    monkeypatch.setenv("FORECAST_NOW", NOW)
    monkeypatch.setenv("NO_COLOR", "1")
    monkeypatch.setenv("COLUMNS", "80")
    monkeypatch.chdir(tmp_path)
