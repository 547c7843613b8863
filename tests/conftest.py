import os
import shutil
import signal
from collections.abc import Iterator
from pathlib import Path

# As the tool itself has it; JAX would leave another level behind, for the commands that a test starts too.
os.environ["TF_CPP_MIN_LOG_LEVEL"] = "3"

# Two processes of tests share two cores, where threads of linear algebra mostly wait for each other.
os.environ["OPENBLAS_NUM_THREADS"] = os.environ["OMP_NUM_THREADS"] = "1"

# TensorFlow carries a libcurl of its own; curl_cffi finds its own symbols only if it is loaded first. One
# command never trains before it fetches, but one test session does.
import curl_cffi.requests  # noqa: F401
import pytest
from hypothesis import HealthCheck, settings
from trained_home import fill_and_train

from forecaster.settings import Recipe

NOW = "2026-11-21T22:30:00"

# Started by a shell in the background, this process would ignore Ctrl-C, and its commands would too.
signal.signal(signal.SIGINT, signal.default_int_handler)

# No test cuts the power, and waiting for the disk takes longer than most of them.
os.fsync = lambda _: None

# A busy machine is no failure: no test is timed, those of Hypothesis neither.
settings.register_profile("untimed", deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.load_profile("untimed")


@pytest.fixture(autouse=True)
def clean_environment(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Iterator[None]:
    """No setting of the developer's or of another test reaches a test, the clock stands still, and files land
    in tmp_path.
    """
    before = dict(os.environ)
    for name in before:
        if name.startswith("FORECAST_") or name == "TF_NUM_INTRAOP_THREADS":
            monkeypatch.delenv(name)
    monkeypatch.setenv("FORECAST_NOW", NOW)
    monkeypatch.setenv("NO_COLOR", "1")
    monkeypatch.setenv("COLUMNS", "80")
    monkeypatch.chdir(tmp_path)
    yield
    monkeypatch.undo()
    os.environ.clear()
    os.environ.update(before)


@pytest.fixture(scope="session")
def trained_home(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A store and main@1; to be read, not changed."""
    home = tmp_path_factory.mktemp("trained")
    fill_and_train(home)
    return home


def _copied(home: Path, to: Path) -> Path:
    """Without the results of commands that other tests have run there."""
    return Path(shutil.copytree(home, to, ignore=shutil.ignore_patterns("results")))


@pytest.fixture
def own_home(trained_home: Path, tmp_path: Path) -> Path:
    """A copy of `trained_home` to change at will."""
    return _copied(trained_home, tmp_path / "home")


@pytest.fixture(scope="session")
def home_with_results(trained_home: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The trained home, where a comparison and a walk through history are kept; to be read."""
    from quick_training import train_quickly

    from forecaster.evaluation import backtest
    from forecaster.home import Home

    folder = _copied(trained_home, tmp_path_factory.mktemp("report") / "home")
    small = Recipe(lookback=12, horizon=3, units=4, epochs=2, device="cpu")
    with pytest.MonkeyPatch.context() as patch:
        train_quickly(patch)
        patch.setattr(backtest, "_elsewhere", backtest._here)
        patch.setenv("FORECAST_NOW", NOW)
        home = Home(folder)
        home.compare(("AAA", "BBB", "CCC"), ("rnn", "gru"), small)
        home.backtest(("AAA", "BBB", "CCC"), ("gru",), small, start="2026-06-01", refit="63")
    return folder
