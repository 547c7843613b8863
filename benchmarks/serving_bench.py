"""Twenty calls of `forecast predict`, with and without a `forecast run` beside them, on the same home folder.

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
COUNT = 20
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
    """All at once, and one after the other; alone and beside a run in turn."""
    for how, threads in (("at once", COUNT), ("one after the other", 1)):
        alone, beside = [], []
        for _ in range(ROUNDS):
            alone += ask(threads)
            beside += ask_beside_a_run(threads)
        print(f"{COUNT} predictions {how}: alone, beside a run, ratio")
        for name, of in (("median", statistics.median), ("worst", max)):
            print(f"  {name:6} {of(alone):.2f} s, {of(beside):.2f} s, {of(beside) / of(alone):.2f}")


def ask(threads: int) -> list[float]:
    """Seconds of each of the predictions, so many of them at a time."""
    with ThreadPoolExecutor(threads) as pool:
        answers = list(pool.map(lambda _: predict(), range(COUNT)))
    if any(len(versions) != 1 for _, versions in answers):
        sys.exit("a prediction mixes two versions")
    return [seconds for seconds, _ in answers]


def ask_beside_a_run(threads: int) -> list[float]:
    """The same while a run trains a challenger and refits it."""
    with subprocess.Popen([FORECAST, "run"]) as beside:
        time.sleep(6)  # until the engine is up and trains
        seconds = ask(threads)
        if beside.poll() is not None:
            print("note: the run ended before the last answer")
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
