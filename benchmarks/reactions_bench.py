"""How well the habit of reporting is told from prices, and how much prices move on reaction days.

    python benchmarks/reactions_bench.py INDEX DATES

INDEX and DATES are prices and earnings dates in long form. The times that DATES knows are hidden and told
from the moves of earlier reports.
"""

import sys
import tempfile
from dataclasses import replace

import numpy as np

from forecaster.dataset import reactions
from forecaster.dataset.panel import load_panel
from forecaster.dataset.volatility import volatility
from forecaster.home import Home
from forecaster.prices.calendar import next_sessions
from forecaster.prices.earnings.store import EarningsStore
from forecaster.prices.earnings.table import reports
from forecaster.prices.store import PriceStore

DECAYS = (0.7, 0.8, 0.85, 0.9, 0.95, 1.0)


def main() -> None:
    """Print the share of known times that are told, by decay, and the moves by kind of day."""
    if len(sys.argv) != 3:
        sys.exit("usage: reactions_bench.py INDEX DATES")
    with tempfile.TemporaryDirectory() as folder:
        home = Home(folder)
        home.fetch(source=sys.argv[1], earnings=sys.argv[2])
        panel = load_panel(PriceStore(home.path), home.tickers)
        found = reports(EarningsStore(home.path).read().table)
    sigma = volatility(panel.log_return)
    known = reactions.lay_out(found, panel.tickers, panel.dates, next_sessions(panel.dates[-1], 1))
    hidden = replace(known, when=np.zeros_like(known.when))
    rows = np.flatnonzero((known.when != 0) & (known.here > 0) & (known.after < panel.shape[1]))
    usual = reactions.HABIT_DECAY
    for decay in DECAYS:
        reactions.HABIT_DECAY = decay
        habit = reactions.read_habit(hidden, panel.log_return, sigma)
        told = habit.reports_after_close(known.ticker[rows], known.here[rows] - 1)
        share = float((told == (known.when[rows] > 0)).mean())
        print(f"decay {decay:.2f}: {share:.1%} of {len(rows):,} known times told from earlier moves")
    reactions.HABIT_DECAY = usual
    marked = reactions.reaction_days(known, reactions.read_habit(known, panel.log_return, sigma))
    size = np.abs(panel.log_return[:, 1:]) / sigma[:, :-1]
    for name, chosen in (("reaction days", marked[:, 1:]), ("other days", ~marked[:, 1:])):
        values = size[chosen & np.isfinite(size)]
        print(
            f"{name}: {len(values):,}; mean |return| / volatility {values.mean():.2f}; "
            f"beyond 3: {(values > 3).mean():.1%}"
        )


if __name__ == "__main__":
    main()
