"""How the commands grow with tickers and years: user CPU, wall clock and peak of memory, and the exponents.

    python benchmarks/scale_bench.py [--quick] [--against FOLDER]

Stores of seeded random walks are made in a temporary folder, all with one network, which is trained once on
the smallest and registered as if it had been trained on each. Every command has a process of its own.
`--against` is a checkout of another version: it is measured in the same run, on the same stores, and the last
column is its user CPU over ours. `--quick` takes sizes that say nothing, and shows that the benchmark works.
"""

import argparse
import json
import math
import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path

import numpy as np

from forecaster.ledger.ledger import Ledger
from forecaster.prices.calendar import last_closed_session, sessions_between
from forecaster.prices.store import PriceStore
from forecaster.prices.table import PriceTable, complete
from forecaster.registry.versions import ModelRegistry
from forecaster.service.prediction import ledger_rows, predict_stored

ROOT = Path(__file__).parents[1]
NOW = datetime.now(UTC)
LAST = last_closed_session(NOW)
YEAR = 365.25
ONE = "T0003"
MEASURING = """
import json, os, subprocess, sys, time
started = time.perf_counter()
process = subprocess.Popen(json.loads(sys.argv[1]), stdout=subprocess.DEVNULL, stderr=subprocess.PIPE)
complaint = process.stderr.read().decode(errors="replace")
_, status, used = os.wait4(process.pid, 0)
seconds, code = time.perf_counter() - started, os.waitstatus_to_exitcode(status)
print(json.dumps([code, used.ru_utime, seconds, used.ru_maxrss / 1024, complaint]))
"""
"""A small process starts the command: what a large one starts counts that one's memory as its own."""


@dataclass(frozen=True)
class Size:
    """A store's tickers, and the years of each."""

    tickers: int
    years: int


@dataclass(frozen=True)
class Used:
    """What a command took: user CPU and wall clock in seconds, the peak of memory in MB."""

    user: float
    wall: float
    memory: float


@dataclass(frozen=True)
class Command:
    """What is measured: a name, the words after `forecast`, what is done before, and how often."""

    name: str
    words: tuple[str, ...]
    before: Callable[[Path], object] = lambda _: None
    times: int = 1


def main() -> None:
    """Print one table over tickers, and one over years."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--quick", action="store_true", help="small stores, to see that it works")
    parser.add_argument("--against", type=Path, metavar="FOLDER", help="a checkout to be compared with")
    given = parser.parse_args()
    by_tickers = [Size(tickers, 30) for tickers in (20, 100, 500, 2000, 5000)]
    by_years = [Size(500, years) for years in (10, 30, 90)]
    if given.quick:
        by_tickers, by_years = [Size(5, 3), Size(10, 3)], [Size(5, 3)]
    roots = [ROOT] if given.against is None else [ROOT, given.against.resolve()]
    with tempfile.TemporaryDirectory() as folder:
        os.environ.pop("PYTHONDONTWRITEBYTECODE", None)  # nobody compiles all modules at every start
        trained = Path(folder) / "trained"
        make_store(trained, by_tickers[0])
        run(ROOT, trained, "train", "--epochs", "1", "--quiet")
        found: dict[Size, list[dict[str, Used]]] = {}
        for size in dict.fromkeys([*by_tickers, *by_years]):
            home = Path(folder) / "home"
            make_home(home, size, trained)
            found[size] = [measured(root, home) for root in roots]
            shutil.rmtree(home)
    print(f"User CPU in seconds by tickers, {by_tickers[0].years} years each\n")
    show({f"{size.tickers:,}": found[size] for size in by_tickers}, [size.tickers for size in by_tickers])
    print(f"\nUser CPU in seconds by years, {by_years[0].tickers:,} tickers\n")
    show({f"{size.years} years": found[size] for size in by_years}, [size.years for size in by_years])
    smallest, largest = (found[size][0] for size in (by_tickers[0], by_tickers[-1]))
    ratio = largest["predict, one ticker"].user / smallest["predict, one ticker"].user
    print(f"\npredict of one ticker in the largest store over that in the smallest: {ratio:.2f}")


def make_store(home: Path, size: Size) -> PriceStore:
    """Random walks with a part in common, which end at the last session that has closed."""
    store = PriceStore(home)
    dates = sessions_between(LAST - int(YEAR * size.years), LAST)
    days = len(dates)
    market = np.random.default_rng(0).normal(0, 0.01, days)
    for number in range(size.tickers):
        random = np.random.default_rng(number + 1)
        close = 100 * np.exp(np.cumsum(market + random.normal(0, 0.015, days)))
        spread = np.exp(np.abs(random.normal(0, 0.01, (2, days))))
        columns = {
            "open": close * np.exp(random.normal(0, 0.004, days)),
            "high": close * spread[0],
            "low": close / spread[1],
            "close": close,
            "adj_close": close,
            "volume": np.round(np.exp(random.normal(14, 0.5, days))),
        }
        table = PriceTable(f"T{number:04d}", dates, complete(columns, days))
        store.write(table, source="benchmark", fetched_at=NOW)
    return store


def make_home(home: Path, size: Size, trained: Path) -> None:
    """A store with the trained network, and a ledger whose forecasts of a week ago can be scored."""
    store = make_store(home, size)
    tickers = store.tickers()
    model = ModelRegistry(trained).load("main")
    folder = trained / "models" / "main" / "1"
    reference = ModelRegistry(trained).load_reference("main", 1)
    card = {**model.card, "tickers": tickers, "market": tickers}
    ModelRegistry(home).register(
        "main", model.network, card, (folder / "model.keras").read_bytes(), None, reference
    )
    then = NOW - timedelta(days=14)
    batch = predict_stored(
        PriceStore(home, then), model.network, tickers, composition=tickers, reference=reference
    )
    Ledger(home).record(ledger_rows("main@1", batch.predictions), then)


def commands(home: Path) -> Iterator[Command]:
    """What is measured, in this order."""
    yield Command("predict, one ticker", ("predict", ONE), times=5)
    yield Command("the same, one file has changed", ("predict", ONE), touch_one, times=3)
    yield Command("the same, no market is kept", ("predict", ONE), forget_the_market)
    yield Command("predict, all", ("predict", "--quiet"))
    yield Command("predict, all, as JSON", ("predict", "--json"))
    ledger = (home / "models" / "ledger.sqlite").read_bytes()
    yield Command("predict, all, recorded", ("predict", "--quiet", "--record"), lambda at: put(at, ledger))
    yield Command("score", ("score", "--quiet"), lambda at: put(at, ledger))
    yield Command("data status", ("data", "status", "--json"))
    yield Command("train, one epoch", ("train", "--name", "other", "--epochs", "1", "--quiet"))
    put(home, ledger)


def put(home: Path, ledger: bytes) -> None:
    """The ledger as it was, and no recalibration by its scores."""
    (home / "models" / "main" / "1" / "calibration.json").unlink(missing_ok=True)
    for path in (home / "models").glob("ledger.sqlite*"):
        path.unlink()
    (home / "models" / "ledger.sqlite").write_bytes(ledger)


def touch_one(home: Path) -> None:
    """As after a fetch of one ticker."""
    os.utime(home / "data" / "prices" / "T0001.parquet")


def forget_the_market(home: Path) -> None:
    """As in a store that was copied without it."""
    for path in (home / "data").glob("market*.parquet"):
        path.unlink()


def measured(root: Path, home: Path) -> dict[str, Used]:
    """What each command takes, by name: the median of several runs."""
    run(root, home, "predict", ONE)  # what is compiled and computed once
    found = {}
    for command in commands(home):
        runs = []
        for _ in range(command.times):
            command.before(home)
            runs.append(run(root, home, *command.words))
        runs.sort(key=lambda used: used.user)
        found[command.name] = runs[len(runs) // 2]
        print(f"{root.name}: {command.name}: {found[command.name]}", file=sys.stderr)
    return found


def run(root: Path, home: Path, *words: str) -> Used:
    """What one command takes; its failure ends the benchmark."""
    command = [sys.executable, "-m", "forecaster.cli.main", *words, "--home", str(home)]
    done = subprocess.run(
        [sys.executable, "-c", MEASURING, json.dumps(command)],
        env={**os.environ, "PYTHONPATH": str(root)},
        cwd=root,
        capture_output=True,
        text=True,
        check=True,
    )
    code, user, wall, memory, complaint = json.loads(done.stdout)
    if code:
        sys.exit(f"{' '.join(words)}: {complaint}")
    return Used(user, wall, memory)


def show(found: Mapping[str, list[dict[str, Used]]], sizes: list[int]) -> None:
    """A table in Markdown: user CPU of each size, the exponent, wall clock and memory of the largest."""
    compared = len(next(iter(found.values()))) > 1
    headings = ["command", *found, "exponent", "wall, largest", "memory, largest"]
    print("| " + " | ".join([*headings, *(["before / now"] if compared else [])]) + " |")
    print("|---" + "|---:" * (len(headings) - 1 + compared) + "|")
    for name in next(iter(found.values()))[0]:
        each = [runs[0][name] for runs in found.values()]
        cells = [name, *(f"{used.user:.2f}" for used in each), exponent(sizes, [used.user for used in each])]
        cells += [f"{each[-1].wall:.1f} s", f"{each[-1].memory:,.0f} MB"]
        if compared:
            cells.append(f"{list(found.values())[-1][1][name].user / each[-1].user:.1f}")
        print("| " + " | ".join(cells) + " |")


def exponent(sizes: list[int], seconds: list[float]) -> str:
    """Of what is beyond the smallest size, from the middle size to the largest; – where hardly anything is.

    Of seconds 0.5, 1.5, 4.5 for 20, 120 and 420 tickers it is log(4 / 1) / log(400 / 100) = 1.
    """
    middle = len(sizes) // 2
    if len(sizes) < 3 or seconds[middle] < 1.1 * seconds[0]:
        return "–"
    grown, more = seconds[middle] - seconds[0], seconds[-1] - seconds[0]
    return f"{math.log(more / grown) / math.log((sizes[-1] - sizes[0]) / (sizes[middle] - sizes[0])):.2f}"


if __name__ == "__main__":
    main()
