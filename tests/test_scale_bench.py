"""The benchmark of scale: its exponent, its stores, and that it runs to its end."""

import importlib.util
import subprocess
import sys
from pathlib import Path
from types import ModuleType

import pytest

SCRIPT = Path(__file__).parents[1] / "benchmarks" / "scale_bench.py"


@pytest.fixture(scope="module")
def bench() -> ModuleType:
    spec = importlib.util.spec_from_file_location("scale_bench", SCRIPT)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules["scale_bench"] = module  # its dataclasses look for it
    spec.loader.exec_module(module)
    return module


@pytest.mark.parametrize(
    ("seconds", "found"),
    [
        pytest.param([0.5, 1.5, 4.5], "1.00", id="linear"),
        pytest.param([0.5, 1.5, 16.5], "2.00", id="quadratic"),
        pytest.param([0.5, 0.51, 0.52], "–", id="constant"),
    ],
)
def test_the_exponent_is_of_what_grows(bench: ModuleType, seconds: list[float], found: str) -> None:
    assert bench.exponent([20, 120, 420], seconds) == found


def test_its_stores_end_at_the_last_session(bench: ModuleType, tmp_path: Path) -> None:
    store = bench.make_store(tmp_path, bench.Size(3, 2))
    assert store.tickers() == ["T0000", "T0001", "T0002"]
    assert {str(store.info(ticker).last) for ticker in store.tickers()} == {str(bench.LAST)}
    assert 480 < store.info("T0001").rows < 520


@pytest.mark.trial
def test_it_runs_to_its_end() -> None:
    words = [sys.executable, str(SCRIPT), "--quick"]
    done = subprocess.run(words, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    lines = [line for line in done.stdout.splitlines() if line.startswith("| predict, all ")]
    assert len(lines) == 2
    assert "predict of one ticker in the largest store" in done.stdout
