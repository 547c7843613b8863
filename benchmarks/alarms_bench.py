"""How often the alarm for skill is raised in a year of a network that is equal, or worse by a known share.

    python benchmarks/alarms_bench.py INDEX.parquet

Two GRUs that differ in their seed only are trained on the years to 2005. Their forecasts of 2007 to 2019, and
those of spoilt copies, are put beside those of linear-t. The alarm is looked at every month of each year that
begins 21 sessions after the one before, at a level that three tests share. Neighbouring years share 92 % of
their sessions. Then a thousand years are drawn in blocks of 21 sessions, with the mean difference taken away:
of networks that are equal, with the dependence of real losses. Before, years of equal networks are simulated
whose differences have an autocorrelation of a half.
"""

import sys
import tempfile
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import numpy as np
from gate_bench import EVERY, RECIPE, scale_that_costs, spoilt

from forecaster.evaluation.baselines import all_baselines
from forecaster.evaluation.experiment import train_and_forecast
from forecaster.evaluation.metrics import QUANTILE_LEVELS, crps_from_quantiles, most_gain
from forecaster.evaluation.scoring import Actuals, actuals, score_step
from forecaster.evaluation.significance import daily_mean
from forecaster.home import Home
from forecaster.ledger.alarms import LEVEL, skill_p_value
from forecaster.network.student_t import ForecastDistribution

YEAR = 252
TESTS = 3
MONTH = np.arange(YEAR) // EVERY
AT_ONCE = 50_000
Daily = tuple[np.ndarray, np.ndarray]


def beside(
    forecast: ForecastDistribution, reference: ForecastDistribution, truth: Actuals, step: int
) -> Daily:
    """The daily means of the excess in CRPS, and of the most gain."""
    realised = truth.log_return[:, step - 1].astype(np.float64)
    known = np.flatnonzero(np.isfinite(realised))
    excess, gain = np.empty(len(known)), np.empty(len(known))
    for first in range(0, len(known), AT_ONCE):
        part, rows = slice(first, first + AT_ONCE), known[first : first + AT_ONCE]
        own, other = (_quantiles(each, rows, step) for each in (forecast, reference))
        actual = realised[rows]
        excess[part] = crps_from_quantiles(actual, own) - crps_from_quantiles(actual, other)
        gain[part] = most_gain(own, other)
    day = truth.origins.day[known]
    return daily_mean(excess, day)[1], daily_mean(gain, day)[1]


def _quantiles(forecast: ForecastDistribution, rows: np.ndarray, step: int) -> np.ndarray:
    place = rows, step - 1
    return ForecastDistribution(
        forecast.location[place], forecast.scale[place], forecast.degrees_of_freedom[place]
    ).quantile(QUANTILE_LEVELS)


def alarmed(daily: Daily, step: int) -> bool:
    """Whether the alarm is raised at the end of any month of a year."""
    excess, gain = daily
    ends = range(EVERY, YEAR + 1, EVERY)
    return any(skill_p_value(excess[:end], gain[:end], MONTH[:end], step) < LEVEL / TESTS for end in ends)


def real_years(daily: Daily) -> Iterator[Daily]:
    """Each year, and the next one 21 sessions later."""
    for first in range(0, len(daily[0]) - YEAR, EVERY):
        part = slice(first, first + YEAR)
        yield daily[0][part], daily[1][part]


def equal_years(daily: Daily, years: int = 1000) -> Iterator[Daily]:
    """Years drawn in blocks, of which the mean excess is taken away."""
    random = np.random.default_rng(0)
    excess = daily[0] - daily[0].mean() / daily[1].mean() * daily[1]
    for _ in range(years):
        starts = random.integers(0, len(excess), YEAR // EVERY)
        drawn = ((starts[:, None] + np.arange(EVERY)) % len(excess)).ravel()
        yield excess[drawn], daily[1][drawn]


def alike_years(kept: float, years: int = 2500, deviation: float = 0.27) -> Iterator[Daily]:
    """Years of equal networks, whose differences are as spread as real ones and `kept` from day to day."""
    news = np.random.default_rng(0).standard_normal((years, YEAR))
    for day in range(1, YEAR):
        news[:, day] = kept * news[:, day - 1] + np.sqrt(1 - kept**2) * news[:, day]
    for year in np.maximum(deviation * news, -1):
        yield year, np.ones(YEAR)


def main() -> None:
    """Each network in turn."""
    false = [alarmed(year, 1) for year in alike_years(0.5)]
    print(f"equal, autocorrelation 0.5: alarm in {np.mean(false):.1%} of {len(false)} years", flush=True)
    with tempfile.TemporaryDirectory() as folder:
        home = Home(Path(folder))
        home.fetch(source=sys.argv[1])
        data = home.training_set(recipe=RECIPE)
    one, twin = (train_and_forecast(data, replace(RECIPE, seed=seed), lambda _: None) for seed in (0, 1))
    truth = actuals(data.panel, one.origins, RECIPE.horizon, data.split.train)
    simple = all_baselines(data, RECIPE, one.origins)
    sound = one.forecast
    networks = {
        "a GRU": sound,
        "its twin": twin.forecast,
        "5 % worse, too wide": spoilt(sound, scale_that_costs(0.05, sound, truth, 2.0)),
        "5 % worse, too narrow": spoilt(sound, scale_that_costs(0.05, sound, truth, 0.4)),
        "RiskMetrics-t": simple["riskmetrics-t"],
        "the naive forecast": simple["naive"],
    }
    for step in (1, RECIPE.horizon):
        for name, forecast in networks.items():
            daily = beside(forecast, simple["linear-t"], truth, step)
            worse = score_step(forecast, truth, step).scores.crps
            worse = worse / score_step(simple["linear-t"], truth, step).scores.crps - 1
            real = [alarmed(year, step) for year in real_years(daily)]
            equal = [alarmed(year, step) for year in equal_years(daily)]
            print(
                f"{name:22} {step} ahead, CRPS {worse:+.2%}: alarm in {np.mean(real):6.1%} of {len(real)} "
                f"years; made equal, in {np.mean(equal):.1%} of {len(equal)}",
                flush=True,
            )


if __name__ == "__main__":
    main()
