"""How often the move on a session that reacts to a report lies within the expected move over it.

    python benchmarks/report_moves_bench.py HOME [MODEL]

HOME has prices, earnings dates and a model that was trained on both. At every origin of its test days and
every step whose session reacts to a report that was announced by then, the expected move of that session
stands beside its return; sessions without a report, as far as was known, stand beside them.
"""

import sys
from pathlib import Path

import numpy as np

from forecaster.dataset.features import compute_features
from forecaster.dataset.reactions import ANNOUNCED, NONE, coming_reactions, lay_out, read_habit
from forecaster.dataset.training_set import choose, load_training_set, split_by
from forecaster.evaluation.forecasts import network_forecasts
from forecaster.prices.calendar import next_sessions
from forecaster.prices.store import PriceStore
from forecaster.registry.versions import ModelRegistry
from forecaster.settings import Recipe, override


def main() -> None:
    """Print the coverage by step."""
    home, model = Path(sys.argv[1]), sys.argv[2] if len(sys.argv) > 2 else None
    loaded = ModelRegistry(home).load(model)
    recipe, store = override(Recipe(), loaded.card["recipe"]), PriceStore(home)
    data = load_training_set(store, choose(store, loaded.card["tickers"]), split_by(recipe))
    panel, horizon = data.panel, recipe.horizon
    if panel.reports is None:
        sys.exit(f"{home} has no earnings dates")
    features = compute_features(panel, loaded.network.features)
    test = range(data.split.test.start, len(panel.dates) - horizon)
    origins, forecast = network_forecasts(loaded.network, features, test)
    laid = lay_out(panel.reports, panel.tickers, panel.dates, next_sessions(panel.dates[-1], horizon))
    habit = read_habit(laid, panel.log_return, features.volatility)
    codes = coming_reactions(laid, habit, horizon)[origins.ticker, origins.day]
    ends = forecast.quantile(np.array([0.16, 0.84]))
    squares = np.square((ends[..., 1] - ends[..., 0]) / 2)
    moves = np.sqrt(np.maximum(np.diff(squares, axis=1, prepend=0), 0))
    for code, name in ((ANNOUNCED, "announced"), (NONE, "no report known")):
        for step in range(1, horizon + 1):
            actual = panel.log_return[origins.ticker, origins.day + step]
            chosen = (codes[:, step - 1] == code) & np.isfinite(actual)
            inside = np.abs(actual[chosen]) <= moves[chosen, step - 1]
            print(f"{name}, step {step}: {inside.mean():.1%} of {len(inside):,} within the expected move")


if __name__ == "__main__":
    main()
