"""What each group of the reports' features is worth, on validation years and, with `test`, on the test years.

    python benchmarks/features_bench.py INDEX DATES [test]

INDEX and DATES are prices and earnings dates in long form. Linear-t is fitted to the years before each of
2011 to 2016, with all features of reports, without each group of them, with none, and with no dates
announced, so that all are projected from last year's; the CRPS of that year is shown over that of
RiskMetrics-t. With `test`, it is fitted through 2015 and scored on the years from 2017 on.
"""

import sys
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass, replace

import numpy as np

from forecaster.dataset.features import available_features, compute_features
from forecaster.dataset.panel import Panel
from forecaster.dataset.report_features import (
    DATES_KNOWN,
    SIZED,
    USUAL_REACTION,
    WITHIN,
    is_report_feature,
)
from forecaster.dataset.split import Split
from forecaster.evaluation.baselines import riskmetrics_t
from forecaster.evaluation.forecasts import network_forecasts
from forecaster.evaluation.scoring import actuals, score_step
from forecaster.home import Home
from forecaster.network.linear_training import train_linear
from forecaster.settings import Recipe

RECIPE = Recipe(train_end="2015-12-31", validation_end="2016-12-31")
FOLDS = range(2011, 2017)
GROUPS = {
    "expected reactions": (WITHIN,),
    "times the usual one": (SIZED,),
    "the usual reaction": (USUAL_REACTION,),
    "dates known": (DATES_KNOWN,),
}


@dataclass
class Tally:
    """CRPS over RiskMetrics-t's by step, and how the reaction days one step ahead were covered."""

    ratios: dict[int, float]
    covered_90: float
    covered_99: float


def main() -> None:
    """A line for each set of features."""
    with tempfile.TemporaryDirectory() as folder:
        home = Home(folder)
        home.fetch(source=sys.argv[1], earnings=sys.argv[2])
        data = home.training_set(recipe=RECIPE)
    parts = [data.split] if "test" in sys.argv else list(_folds(data.panel))
    names = available_features(data.panel, RECIPE)
    sets = {"all": names, "none": tuple(name for name in names if not is_report_feature(name))}
    sets |= {
        f"without {group}": tuple(name for name in names if not name.startswith(left_out))
        for group, left_out in GROUPS.items()
    }
    for title, chosen in sets.items():
        _show(title, data.panel, parts, chosen)
    _show("all, every date projected", _unannounced(data.panel), parts, names)


def _folds(panel: Panel) -> Iterator[Split]:
    years = panel.dates.astype("M8[Y]").astype(int) + 1970
    for year in FOLDS:
        first, last = (int(np.searchsorted(years, each)) for each in (year, year + 1))
        train = range(first - RECIPE.horizon)
        yield Split(train, range(first, first), range(first, last - RECIPE.horizon))


def _unannounced(panel: Panel) -> Panel:
    """As if no date were known before its report: it is known on the day itself."""
    found = panel.reports
    if found is None:
        raise ValueError("no dates")
    return replace(panel, reports=replace(found, announced=found.date))


def _show(title: str, panel: Panel, parts: list[Split], names: tuple[str, ...]) -> None:
    found = [_score(panel, part, names) for part in parts]
    steps = "  ".join(
        f"step {step}: {np.mean([each.ratios[step] for each in found]):.4f}" for step in found[0].ratios
    )
    covered = ", ".join(
        f"{level} % {np.mean([getattr(each, f'covered_{level}') for each in found]):.1%}"
        for level in (90, 99)
    )
    print(f"{title:28} {steps}  reaction days: {covered}", flush=True)


def _score(panel: Panel, part: Split, names: tuple[str, ...]) -> Tally:
    features = compute_features(panel, names)
    network = train_linear(panel, features, part.train, RECIPE).network
    origins, forecast = network_forecasts(network, features, part.test, panel.target_mask)
    truth = actuals(panel, origins, RECIPE.horizon, part.train)
    walk = riskmetrics_t(panel, origins, RECIPE.horizon)
    ratios = {
        step: score_step(forecast, truth, step).scores.crps / score_step(walk, truth, step).scores.crps
        for step in (1, RECIPE.horizon)
    }
    sums = score_step(forecast, truth, 1).sums.by_reaction
    count = sums.forecasts[1]
    return Tally(ratios, sums.within_90[1] / count, sums.within_99[1] / count)


if __name__ == "__main__":
    main()
