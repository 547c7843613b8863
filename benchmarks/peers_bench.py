"""`forecast` beside its peers: the same panel, split, cell, units and targets, each in a process of its own.

    python benchmarks/peers_bench.py INDEX [--earnings FILE] [--tickers N] [--seconds S] [--python PYTHON]

INDEX is a long Parquet or CSV file (ticker, date, open, high, low, close, adj_close, volume), the earnings
dates one with ticker, date and perhaps when. The contestants are the scripts in `benchmarks/peers`; all but
our own run with PYTHON, which `make bench-peers` makes in .venv-peers. Each forecasts every test day of every
ticker one day ahead, from the true days before it and without fitting again, and writes 99 quantiles, which
are scored here in one way. Each has one thread, and training may take S seconds of user CPU. The table in
docs/performance.md and docs/peers.svg are written by the run.
"""

import argparse
import json
import os
import resource
import statistics
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd
from numpy.typing import NDArray

ROOT = Path(__file__).parents[1]
PEERS = ROOT / "benchmarks" / "peers"
sys.path.insert(0, str(PEERS))  # where the contestants find what they share

from contest import LEVELS, LOOKBACK, UNITS, Measured, Panel  # noqa: E402
from standings import Row, Scores, picture, score, table, write_between  # noqa: E402

from forecaster.api import inputs_of  # noqa: E402
from forecaster.dataset.features import available_features, compute_features  # noqa: E402
from forecaster.dataset.report_features import WITHIN, reacted_days  # noqa: E402
from forecaster.dataset.training_set import split_by  # noqa: E402
from forecaster.evaluation.baselines import RISKMETRICS_T, walks  # noqa: E402
from forecaster.evaluation.forecasts import Origins  # noqa: E402
from forecaster.settings import Recipe  # noqa: E402

FIRST_DAY, LAST_DAY = "2005-01-01", "2019-12-31"
RECIPE = Recipe(horizon=1, train_end="2015-12-31", validation_end="2016-12-31")
ROUNDS = 3


@dataclass(frozen=True)
class Entrant:
    """A contestant's script, and what its imports are; `peer` where it needs their environment."""

    title: str
    script: str
    name: str
    imports: str
    words: tuple[str, ...] = ()
    peer: bool = True


ENTRANTS = (
    Entrant("forecast", "ours.py", "forecast", "import forecaster", peer=False),
    Entrant(
        "neuralforecast",
        "neuralforecast_gru.py",
        "neuralforecast",
        "from neuralforecast import NeuralForecast; from neuralforecast.models import GRU",
    ),
    Entrant(
        "darts",
        "darts_gru.py",
        "darts",
        "from darts import TimeSeries; from darts.models import RNNModel",
    ),
    Entrant(
        "skforecast",
        "skforecast_gru.py",
        "skforecast",
        "from skforecast.deep_learning import ForecasterRnn",
    ),
    Entrant("Keras notebook, returns", "keras_notebook.py", "notebook-returns", "import keras", ("returns",)),
    Entrant("Keras notebook, prices", "keras_notebook.py", "notebook-prices", "import keras", ("prices",)),
)


@dataclass(frozen=True)
class Prepared:
    """What the contestants are given, and what their forecasts are held against, both (N, T)."""

    panel: Panel
    reaction: NDArray[np.bool_] | None
    riskmetrics: Scores

    @property
    def actual(self) -> NDArray[np.float64]:
        """The log return of each test day."""
        return self.panel.log_return[:, self.panel.first_test :].astype(np.float64)


def main() -> None:
    """Prepare the files, run every contestant, score, and write table and picture."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("index", type=Path, help="prices in long form")
    parser.add_argument("--earnings", type=Path, help="earnings dates in long form")
    parser.add_argument("--tickers", type=int, default=40, help="how many, spread over the index")
    parser.add_argument("--seconds", type=float, default=120, help="of user CPU that a training may take")
    parser.add_argument("--python", type=Path, default=ROOT / ".venv-peers" / "bin" / "python")
    given = parser.parse_args()
    for path in (given.index, given.earnings):
        if path is not None and not path.is_file():
            sys.exit(f"{path} is not there: make bench-peers INDEX=FILE EARNINGS=FILE")
    if not given.python.is_file():
        sys.exit(f"{given.python} is not there: make bench-peers installs the peers first")
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        prepared = prepare(given.index, given.earnings, given.tickers, folder)
        done = {entrant: run(entrant, given.python, folder, given.seconds) for entrant in ENTRANTS}
        entered = [entrant for entrant in ENTRANTS if done[entrant] is not None]
        importing = import_seconds(given.python, entered)
        rows = []
        for entrant in entered:
            quantiles = np.load(folder / f"{entrant.name}.npy").astype(np.float64)
            scores = score(quantiles, prepared.actual, prepared.reaction)
            rows.append(Row(entrant.title, scores, done[entrant], importing[entrant.imports]))
    if len(entered) < len(ENTRANTS):
        sys.exit("the documents are as they were: a contestant failed, see above")
    rows.append(Row("RiskMetrics-t", prepared.riskmetrics))
    text = f"{described(prepared, given.seconds)}\n{table(rows)}\n{footnotes(rows)}"
    print(text)
    write_between(ROOT / "docs" / "performance.md", text)
    picture(rows).save(ROOT / "docs" / "peers.svg")


def prepare(index: Path, earnings: Path | None, count: int, folder: Path) -> Prepared:
    """Write prices.parquet, earnings.csv and panel.npz of the contest's tickers and days into a folder."""
    prices = read(index)
    prices = prices[pd.to_datetime(prices["date"]).between(FIRST_DAY, LAST_DAY)]
    prices = prices[prices["ticker"].isin(chosen(prices, count))].astype({"ticker": str})
    prices.to_parquet(folder / "prices.parquet", index=False)
    dates = None
    if earnings is not None:
        dates = read(earnings)
        dates = dates[dates["ticker"].isin(set(prices["ticker"]))]
        dates.to_csv(folder / "earnings.csv", index=False)
    data = inputs_of(prices, None, dates).build(split_by(RECIPE))
    whole, first_test = data.panel, data.split.test.start + 1
    names = available_features(whole, RECIPE)
    report = np.zeros_like(whole.log_return)
    if f"{WITHIN}1" in names:  # in quarters, of the day after the origin
        expected = compute_features(whole, names).values[..., names.index(f"{WITHIN}1")] / 4  # noqa: PD011
        report[:, 1:] = expected[:, :-1]
    if whole.log_range is None or whole.log_volume is None or not np.isfinite(whole.log_return[:, 1:]).all():
        sys.exit(f"{index} needs highs, lows, volumes and a price on every day of each of {count} tickers")
    panel = Panel(
        tickers=np.array(whole.tickers),
        dates=whole.dates,
        log_return=whole.log_return,
        market=whole.market_return,
        log_range=whole.log_range,
        log_volume=whole.log_volume,
        report=report,
        first_validation=data.split.validation.start,
        first_test=first_test,
    )
    panel.save(folder / "panel.npz")
    reacted = reacted_days(whole)
    reaction = None if reacted is None else reacted[:, first_test:]
    days = np.arange(first_test - 1, len(whole.dates) - 1)
    origins = Origins(np.repeat(np.arange(count), len(days)), np.tile(days, count))
    simple = walks(whole, origins, 1)[RISKMETRICS_T].at_step(1).quantile(LEVELS).reshape(count, len(days), -1)
    riskmetrics = score(simple, whole.log_return[:, first_test:].astype(np.float64), reaction)
    return Prepared(panel, reaction, riskmetrics)


def read(path: Path) -> pd.DataFrame:
    """A table in Parquet or CSV."""
    return pd.read_parquet(path) if path.suffix == ".parquet" else pd.read_csv(path)


def chosen(prices: pd.DataFrame, count: int) -> list[str]:
    """`count` tickers spread over the alphabet, of those with a price on every day: peers take no gaps."""
    days = prices.groupby("ticker", observed=True)["date"].nunique()
    whole = sorted(days.index[days == days.max()].astype(str))
    if len(whole) < count:
        sys.exit(
            f"{len(whole)} tickers have a price on every day from {FIRST_DAY} to {LAST_DAY}: ask for fewer"
        )
    return [whole[place] for place in np.linspace(0, len(whole) - 1, count).round().astype(int)]


def import_seconds(python: Path, entrants: Sequence[Entrant]) -> dict[str, float]:
    """User CPU of each import in a fresh process, medians of runs in turn."""
    pythons = {each.imports: python if each.peer else Path(sys.executable) for each in entrants}
    found: dict[str, list[float]] = {statement: [] for statement in pythons}
    for _ in range(ROUNDS):
        for statement, chosen_python in pythons.items():
            before = resource.getrusage(resource.RUSAGE_CHILDREN).ru_utime
            command = [str(chosen_python), "-W", "ignore", "-c", statement]
            subprocess.run(command, env=environment(), cwd=ROOT, capture_output=True, check=True)
            found[statement].append(resource.getrusage(resource.RUSAGE_CHILDREN).ru_utime - before)
    return {statement: statistics.median(each) for statement, each in found.items()}


def run(entrant: Entrant, python: Path, folder: Path, seconds: float) -> Measured | None:
    """One contestant in a process of its own; None, and its complaint on stderr, if it fails."""
    chosen_python = python if entrant.peer else Path(sys.executable)
    words = [entrant.name, str(folder), f"{seconds:g}", *entrant.words]
    done = subprocess.run(
        [str(chosen_python), "-W", "ignore", str(PEERS / entrant.script), *words],
        env=environment() | ({} if entrant.peer else {"PYTHONPATH": str(ROOT)}),
        cwd=folder,
        capture_output=True,
        text=True,
        check=False,
    )
    if done.returncode:
        print(f"{entrant.title} failed:\n{done.stderr[-4000:]}", file=sys.stderr)
        return None
    measured = Measured(**json.loads((folder / f"{entrant.name}.json").read_text(encoding="utf-8")))
    print(f"{entrant.title}: {measured}", file=sys.stderr)
    return measured


def environment() -> dict[str, str]:
    """One thread for everybody, and no GPU."""
    one = {f"{name}_NUM_THREADS": "1" for name in ("OMP", "MKL", "OPENBLAS", "NUMBA")}
    one |= {f"TF_NUM_{kind}_THREADS": "1" for kind in ("INTRAOP", "INTEROP")}
    return {**os.environ, **one, "CUDA_VISIBLE_DEVICES": "", "TF_CPP_MIN_LOG_LEVEL": "2"}


def described(prepared: Prepared, seconds: float) -> str:
    """What was measured, in words."""
    panel = prepared.panel
    first, train_end, validation_end, test, last = (
        panel.dates[day]
        for day in (0, panel.first_validation - 1, panel.first_test - 2, panel.first_test, -1)
    )
    reactions = (
        "" if prepared.reaction is None else f", of which {prepared.reaction.sum():,} react to a report"
    )
    return (
        f"`benchmarks/peers_bench.py INDEX --tickers {len(panel.tickers)} --seconds {seconds:g}`: "
        f"{len(panel.tickers)} tickers, daily log returns one day ahead. Training from {first} to "
        f"{train_end}, stopping by the days to {validation_end}, test from {test} to {last}: "
        f"{prepared.actual.size:,} forecasts{reactions}. A GRU of {UNITS} units in one layer that looks back "
        f"{LOOKBACK} days, one seed, one thread, at most {seconds:g} s of user CPU for training. "
        "CRPS and MAE in 10⁻⁴ of log return.\n"
    )


def footnotes(rows: Sequence[Row]) -> str:
    """Settings, how training ended, parameters and versions of each."""
    lines = []
    for row in rows:
        if row.measured is None:
            continue
        versions = ", ".join(f"{name} {number}" for name, number in row.measured.versions.items())
        lines.append(
            f"- {row.title}: {row.measured.said} {row.measured.parameters:,} parameters, "
            f"{row.measured.stopped}; {versions}."
        )
    return "\n".join(lines) + "\n"


if __name__ == "__main__":
    main()
