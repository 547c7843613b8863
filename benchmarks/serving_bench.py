"""Twenty `forecast predict` at once, with and without a `forecast run` beside them, on the same home folder.

    python benchmarks/serving_bench.py [INDEX]

Without INDEX (a long Parquet or CSV file) the prices are those that ship with the tool. Both are timed in
turn in one run; the answer is a ratio. All predictions of one burst must name one and the same version.
"""

import json
import os
import statistics
import subprocess
import sys
import tempfile
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

FORECAST = Path(sys.executable).parent / "forecast"
AT_ONCE = 20
ROUNDS = 3
A_WEEK_LATER = "2023-01-04T22:30:00"  # than the sample's last prices: a retraining is due


def main() -> None:
    """Print medians and the worst, without and with a run, and their ratios."""
    source = sys.argv[1] if len(sys.argv) > 1 else "sample"
    with tempfile.TemporaryDirectory() as folder:
        os.environ |= {
            "FORECAST_HOME": folder,
            "FORECAST_NOW": A_WEEK_LATER,
            "FORECAST_RUN_RETRAIN_AFTER": "1",
        }
        run("fetch", "--source", source, "--quiet")
        run("train", "--quiet")
        measure()


def measure() -> None:
    """Bursts of predictions in turn, without and with a run at work."""
    alone, beside = [], []
    for _ in range(ROUNDS):
        alone += burst()
        beside += burst_beside_a_run()
    print(f"{AT_ONCE} predictions at once: alone, beside a run, ratio")
    for name, of in (("median", statistics.median), ("worst", max)):
        print(f"  {name:6} {of(alone):.2f} s, {of(beside):.2f} s, {of(beside) / of(alone):.2f}")


def burst() -> list[float]:
    """Seconds of each of the predictions started at once."""
    with ThreadPoolExecutor(AT_ONCE) as pool:
        answers = list(pool.map(lambda _: predict(), range(AT_ONCE)))
    if any(len(versions) != 1 for _, versions in answers):
        sys.exit("a prediction mixes two versions")
    return [seconds for seconds, _ in answers]


def burst_beside_a_run() -> list[float]:
    """The same while a run trains a challenger and refits it."""
    with subprocess.Popen([FORECAST, "run"]) as beside:
        time.sleep(6)  # until the engine is up and trains
        seconds = burst()
        print("the run is still at work" if beside.poll() is None else "the run ended during the burst")
    return seconds


def predict() -> tuple[float, frozenset[str]]:
    """Seconds of one call, and the versions that answered for its two tickers."""
    started = time.perf_counter()
    document = json.loads(run("predict", "AAPL", "JPM", "--json"))
    seconds = time.perf_counter() - started
    return seconds, frozenset(each["model"] for each in document["predictions"])


def run(*arguments: str) -> str:
    """What a command prints; its failure ends the benchmark."""
    done = subprocess.run([FORECAST, *arguments], capture_output=True, text=True, check=False)
    if done.returncode:
        sys.exit(f"{' '.join(arguments)}: {done.stderr}")
    return done.stdout


if __name__ == "__main__":
    main()
