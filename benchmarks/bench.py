"""Measure what the README claims: accuracy on the index, training speed, memory, and start-up time.

    python benchmarks/bench.py INDEX

INDEX is a long Parquet or CSV file (ticker, date, open, high, low, close, adj_close, volume). All
figures are taken in this one run and printed as ratios; none is a test.
"""

import json
import os
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

FORECAST = Path(sys.executable).parent / "forecast"
LOAD = """
import os, time
from pathlib import Path
from forecaster.dataset.panel import choose_tickers, load_panel
from forecaster.prices.store import PriceStore
store = PriceStore(Path(os.environ["FORECAST_HOME"]))
started = time.perf_counter()
load_panel(store, choose_tickers(store, None))
print(time.perf_counter() - started)
"""
SPLIT = ("--train-end", "2015-12-31", "--validation-end", "2016-12-31")


def main() -> None:
    """Run every measurement on the file given."""
    if len(sys.argv) != 2 or not Path(sys.argv[1]).is_file():
        sys.exit("usage: bench.py INDEX   (a long Parquet or CSV file; make bench INDEX=FILE)")
    with tempfile.TemporaryDirectory() as folder:
        os.environ["FORECAST_HOME"] = folder
        importing(Path(sys.argv[1]))
        accuracy()
        training()
        supervision()
        starting()
        predicting()


def importing(index: Path) -> None:
    """Import the index into the store, and load it as a panel."""
    seconds = timed(FORECAST, "fetch", "--source", index, "--quiet")
    print(f"import of {index.name}: {seconds:.1f} s")
    done = subprocess.run([sys.executable, "-c", LOAD], capture_output=True, text=True, check=True)
    print(f"load as a panel: {float(done.stdout):.2f} s")


def accuracy() -> None:
    """Every cell on the index beside the baselines, one day ahead."""
    document = answer_of("compare", *SPLIT)
    scores = {model["model"]: model["scores"]["1"] for model in document["models"]}
    rival, naive = scores["riskmetrics-t"], scores["naive"]
    print(f"\naccuracy one day ahead, {rival['forecasts']:,} forecasts (tested after 2016)")
    for model, score in scores.items():
        against_rival, against_naive = (
            score["crps"] / rival["crps"],
            score["mae_return"] / naive["mae_return"],
        )
        print(
            f"  {model:14} CRPS {score['crps'] * 1e4:6.2f}e-4 = {against_rival:.4f} × RiskMetrics-t   "
            f"90 % coverage {score['coverage_90']:.1%}   MAE {against_naive:.4f} × naive"
        )
    for model in document["models"]:
        if model["kind"] == "cell":
            print(f"  {model['model']:14} {model['train_seconds']:.1f} s, {model['parameters']:,} parameters")


def training() -> None:
    """The whole of `forecast train` on the index, and what a doubled lookback adds to its memory."""
    print("\nforecast train on the index, defaults")
    seconds = timed(FORECAST, "train", "--quiet")
    usual = answer_of("models", "show", "main")["training"]
    timed(FORECAST, "train", "--quiet", "--lookback", "240", "--name", "long")
    doubled = answer_of("models", "show", "long")["training"]
    print(f"  {seconds:.1f} s in all, of them {usual['seconds']:.1f} s of training")
    print(f"  {usual['peak_memory_mb']:,.0f} MB peak")
    ratio = doubled["peak_memory_mb"] / usual["peak_memory_mb"]
    print(f"  lookback 240 in place of 120: {ratio:.3f} × the peak memory")


def supervision() -> None:
    """Targets a second, against `model.fit` on materialised windows with one target each."""
    script = Path(__file__).parent / "training_speed.py"
    done = subprocess.run([sys.executable, script], capture_output=True, text=True, check=True)
    rates = json.loads(done.stdout.splitlines()[-1])
    print("\ntargets trained a second, GRU 32, lookback 120")
    ratio = rates["dense"] / rates["plain"]
    print(
        f"  dense supervision {rates['dense']:,.0f}, one target a window {rates['plain']:,.0f}: {ratio:.0f} ×"
    )


def starting() -> None:
    """Start-up times against bare imports, medians of runs in turn."""
    pairs = (
        ("forecast --help", (FORECAST, "--help"), "import typer, rich"),
        ("forecast predict AAPL", (FORECAST, "predict", "AAPL"), "import tensorflow"),
    )
    print()
    for name, command, imports in pairs:
        ours, theirs = [], []
        for _ in range(5):
            ours.append(timed(*command))
            theirs.append(timed(sys.executable, "-c", imports))
        mine, bare = statistics.median(ours), statistics.median(theirs)
        print(f"{name}: {mine:.2f} s = {mine / bare:.2f} × `{imports}`")


def predicting() -> None:
    """All tickers as one batch against one of them, and the library's import; medians of runs in turn."""
    one, every, ours, theirs = [], [], [], []
    for _ in range(5):
        one.append(timed(FORECAST, "predict", "AAPL", "--json", "--quiet"))
        every.append(timed(FORECAST, "predict", "--json", "--quiet"))
        ours.append(timed(sys.executable, "-c", "import forecaster"))
        theirs.append(timed(sys.executable, "-c", "import numpy"))
    whole, single = statistics.median(every), statistics.median(one)
    print(f"forecast predict, all tickers: {whole:.2f} s = {whole / single:.2f} × `forecast predict AAPL`")
    print(f"import forecaster: {statistics.median(ours) / statistics.median(theirs):.2f} × `import numpy`")


def timed(*command: object) -> float:
    """Seconds that a command takes; its failure ends the benchmark."""
    started = time.perf_counter()
    done = subprocess.run([str(part) for part in command], capture_output=True, text=True, check=False)
    if done.returncode:
        sys.exit(f"{' '.join(map(str, command))}: {done.stderr}")
    return time.perf_counter() - started


def answer_of(*arguments: str) -> dict:
    """The JSON document that a command prints."""
    command = [str(FORECAST), *arguments, "--json"]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode:
        shutil.rmtree(os.environ["FORECAST_HOME"], ignore_errors=True)
        sys.exit(f"{' '.join(arguments)}: {done.stderr}")
    return json.loads(done.stdout)


if __name__ == "__main__":
    main()
