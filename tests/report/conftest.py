"""A home folder with everything that a report shows."""

import shutil
from pathlib import Path

import pytest
from quick_training import train_quickly

from forecaster.evaluation import backtest as walk
from forecaster.home import Home
from forecaster.settings import Recipe

STOCKS = ("AAA", "BBB", "CCC")
SMALL = Recipe(lookback=12, horizon=3, units=4, epochs=2, device="cpu")


@pytest.fixture(scope="session")
def home_with_results(trained_home: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The trained home, where a comparison and a walk through history are kept; to be read."""
    folder = Path(shutil.copytree(trained_home, tmp_path_factory.mktemp("report") / "home"))
    with pytest.MonkeyPatch.context() as patch:
        train_quickly(patch)
        patch.setattr(walk, "_elsewhere", walk._here)
        patch.setenv("FORECAST_NOW", "2026-11-21T22:30")
        home = Home(folder)
        home.compare(STOCKS, ("rnn", "gru"), SMALL)
        home.backtest(STOCKS, ("gru",), SMALL, start="2026-06-01", refit="63")
    return folder
