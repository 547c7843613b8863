"""How far 90 % intervals move where few members of the market have prices, and what the market costs.

    python benchmarks/market_bench.py INDEX [CELL]

INDEX is a long Parquet or CSV file; CELL is gru without it. A network is trained through 2015 on all tickers.
At each of 10 origins of the last three years, 15 tickers are forecast with the market of all members, and
again where on the last days only the ticker itself, or a few random members, have a return: with their plain
mean as the market, with that mean on the scale of all members (as `predict` does), and with no market.

Before, the mean return of stocks on days in and out of the S&P 500 shows what survivorship does. At the end
`forecast predict AAPL` is timed in turn with a market that is that of the whole store, with one of a
composition that is kept, and with one that has to be computed.
"""

import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from forecaster.dataset.features import compute_features
from forecaster.dataset.membership import member_days, select_members
from forecaster.dataset.panel import latest_days, load_panel
from forecaster.network.network import Network
from forecaster.prices.market import MarketSeries, daily_returns, mean_log_return
from forecaster.prices.store import PriceStore
from forecaster.prices.table import PriceTable
from forecaster.prices.universe import SP500_COMPLETE_FROM, find_universe
from forecaster.registry.versions import ModelRegistry
from forecaster.service.prediction import forecast_latest

FORECAST = Path(sys.executable).parent / "forecast"
ORIGINS, TICKERS, ROUNDS = 10, 15, 10
DAYS = (1, 5, 20, 1200)
FEW = (1, 3, 10, 50, 245)
WARM_UP = 1000

Widths = NDArray[np.float64]


class Trial:
    """Widths of one network's 90 % intervals beside altered markets, against those beside the whole one."""

    def __init__(self, network: Network, tables: Sequence[PriceTable]) -> None:
        self.network, self.tables = network, tables
        self.whole = mean_log_return(tables)
        self.returns = np.full((len(tables), len(self.whole.dates)), np.nan)
        for row, table in enumerate(tables):
            days, returns = daily_returns(table)
            self.returns[row, np.searchsorted(self.whole.dates, days)] = returns
        self.found: dict[tuple[str, int, str], list[Widths]] = {}

    def run(self, origin: int, random: np.random.Generator) -> None:
        """Every case at one day."""
        day = self.whole.dates[origin]
        old = [row for row, table in enumerate(self.tables) if _is_old(table, day)]
        rows = random.choice(old, TICKERS, replace=False)
        tables = [self.tables[row].take(self.tables[row].dates <= day) for row in rows]
        usual = self.widths(tables, self.market(origin, 0, None))
        listed = np.flatnonzero(np.isfinite(self.returns[:, origin]))
        for days in DAYS:
            self.note("nobody", days, "unknown", self.widths(tables, self.market(origin, days, [])) / usual)
            for few in FEW:
                there = random.choice(listed, few, replace=False)
                self.both(f"{few} others", days, origin, tables, there, usual)
            for place, row in enumerate(rows):
                self.both("itself", days, origin, tables[place : place + 1], [row], usual[place : place + 1])

    def both(
        self,
        who: str,
        days: int,
        origin: int,
        tables: Sequence[PriceTable],
        there: Sequence[int],
        usual: Widths,
    ) -> None:
        """The plain mean, and the one on the scale of all."""
        scaled = self.market(origin, days, there)
        plain = replace(scaled, listed=np.empty(0, np.int64))
        for how, market in (("plain", plain), ("scaled", scaled)):
            self.note(who, days, how, self.widths(tables, market) / usual)

    def market(self, origin: int, days: int, there: Sequence[int] | None) -> MarketSeries:
        """The market up to a day, on its last days that of the rows that are there."""
        kept = slice(0, origin + 1)
        mean, count = self.whole.mean[kept].copy(), self.whole.tickers[kept].copy()
        if there is not None:
            last = slice(max(origin + 1 - days, 0), origin + 1)
            known = np.isfinite(self.returns[there, last])
            count[last] = known.sum(0)
            total = np.where(known, self.returns[there, last], 0.0).sum(0)
            mean[last] = np.where(count[last] > 0, total / np.maximum(count[last], 1), np.nan)
            count[last] = np.maximum(count[last], 1)
        return MarketSeries(self.whole.dates[kept], mean, count, listed=self.whole.listed[kept])

    def widths(self, tables: Sequence[PriceTable], market: MarketSeries) -> Widths:
        """(tickers, steps) of the 90 % intervals of the log return."""
        latest = latest_days(tables, market, self.network.lookback + WARM_UP)
        forecast, _ = forecast_latest(self.network, compute_features(latest, self.network.features))
        ends = forecast.quantile(np.array([0.05, 0.95]))
        return np.asarray(ends[..., 1] - ends[..., 0])

    def note(self, who: str, days: int, how: str, ratios: Widths) -> None:
        """Keep the changes of one case."""
        self.found.setdefault((who, days, how), []).append(ratios - 1)

    def show(self) -> None:
        """Root mean square, mean and largest change, one session ahead and at the last."""
        print("who has prices, on how many last days, market: change of the 90 % width, first and last step")
        for (who, days, how), parts in sorted(self.found.items(), key=lambda item: item[0][:2]):
            change = np.concatenate(parts)
            figures = [
                f"{_rms(step):.1%} ({step.mean():+.1%}, at most {np.abs(step).max():.0%})"
                for step in (change[:, 0], change[:, -1])
            ]
            print(f"  {who:10} {days:5,} {how:8} {figures[0]:32} {figures[1]}")


def _rms(values: Widths) -> float:
    return float(np.sqrt(np.square(values).mean()))


def _is_old(table: PriceTable, day: np.datetime64) -> bool:
    return bool(table.dates[0] < day - np.timedelta64(1500) and table.dates[-1] >= day)


def show_survivors(store: PriceStore) -> None:
    """Mean daily returns of stocks of the S&P 500 on days in it and on days before and after."""
    selection = select_members(store, find_universe("sp500", store.folder), all_days=True)
    panel = load_panel(store, selection.tickers)
    member = member_days(selection.universe, panel.tickers, panel.dates)
    known = np.isfinite(panel.log_return) & (panel.dates >= np.datetime64(SP500_COMPLETE_FROM))
    for who, days in (("in the index", known & member), ("not in it", known & ~member)):
        mean = panel.log_return[days].mean(dtype=np.float64)
        print(f"{who}: {1e4 * mean:.1f} basis points a day, {days.sum() / known.sum():.0%} of all days")


def time_predictions(home: Path) -> None:
    """Seconds of `predict AAPL`, three cases in turn, and their ratios to the first."""
    store = PriceStore(home)
    registry = ModelRegistry(home)
    model = registry.load(None)
    fewer = [name for name in model.card["market"] if name != store.tickers()[-1]]
    registry.register("fewer", model.network, {**model.card, "market": fewer}, b"")
    run(home, "predict", "AAPL", "--model", "fewer")
    cases: dict[str, list[float]] = {"whole store": [], "composition": [], "to compute": []}
    for _ in range(ROUNDS):
        for case, seconds in cases.items():
            if case == "to compute":
                for path in (home / "data").glob("market-*.parquet"):
                    path.unlink()
            started = time.perf_counter()
            run(home, "predict", "AAPL", "--model", "main" if case == "whole store" else "fewer")
            seconds.append(time.perf_counter() - started)
    usual = statistics.median(cases["whole store"])
    for case, seconds in cases.items():
        median = statistics.median(seconds)
        print(f"predict AAPL, market of the {case}: {median:.2f} s, ratio {median / usual:.2f}")


def main() -> None:
    """Train, take members away, and time."""
    if len(sys.argv) not in (2, 3) or not Path(sys.argv[1]).is_file():
        sys.exit("usage: market_bench.py INDEX [CELL]")
    cell = sys.argv[2] if len(sys.argv) == 3 else "gru"
    with tempfile.TemporaryDirectory() as folder:
        home = Path(folder)
        run(home, "fetch", "--source", sys.argv[1])
        run(home, "train", "--cell", cell, "--train-end", "2015-12-31", "--validation-end", "2016-12-31")
        store = PriceStore(home)
        show_survivors(store)
        trial = Trial(ModelRegistry(home).load(None).network, list(store.read_many(store.tickers())))
        random = np.random.default_rng(0)
        days = len(trial.whole.dates)
        for origin in random.choice(np.arange(days - 750, days - 1), ORIGINS, replace=False):
            trial.run(int(origin), random)
        trial.show()
        time_predictions(home)


def run(home: Path, *arguments: str) -> None:
    """Run the command in a home folder of its own."""
    subprocess.run([FORECAST, *arguments, "--home", home, "--quiet"], check=True, stdout=subprocess.DEVNULL)


if __name__ == "__main__":
    main()
