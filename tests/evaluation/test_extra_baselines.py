"""The baselines of `--baselines`: against the libraries that fit them, by hand, and blind to the future."""

import warnings
from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from functools import cache
from types import MappingProxyType
from typing import Any

import numpy as np
import pandas as pd
import pytest
import scipy.stats
import threadpoolctl
from factories import panel_of, random_walk_table

from forecaster.dataset.features import available_features, compute_features
from forecaster.dataset.split import Split
from forecaster.dataset.training_set import TrainingSet
from forecaster.dataset.volatility import volatility
from forecaster.errors import UsageError
from forecaster.evaluation import extra_baselines
from forecaster.evaluation.boosting import BOOSTED_LEVELS, TREES, Fit, filled, fit_level
from forecaster.evaluation.classical import AUTO_ARIMA, AUTO_ETS, FITTED_DAYS, THETA, Series, moves_of
from forecaster.evaluation.extra_baselines import EXTRA_BASELINES, chosen_baselines
from forecaster.evaluation.fitted import LEAST_DAYS, Fitted, Wanted
from forecaster.evaluation.forecasts import Origins, network_forecasts
from forecaster.evaluation.garch import GarchFit, fit_garch, next_variances, summed_variance
from forecaster.evaluation.historical import LEAST_MOVES, PAST_DAYS
from forecaster.evaluation.metrics import FILE_LEVELS
from forecaster.network.linear_training import train_linear
from forecaster.network.student_t import ForecastDistribution
from forecaster.settings import Recipe

RECIPE = Recipe(lookback=20, horizon=3)
STEPS = (1, 3)
SPLIT = Split(range(600), range(603, 700), range(703, 780))


@pytest.fixture(autouse=True)
def one_thread() -> Iterator[None]:
    """So little work takes longer on several; a limit holds for what is loaded."""
    import sklearn.ensemble  # noqa: F401

    with threadpoolctl.threadpool_limits(1):
        yield


def training_set(future: float = 1.0) -> TrainingSet:
    """Three walks, one of them listed late; returns after day 740 are multiplied by `future`."""
    tables = [random_walk_table(name, 800, seed) for seed, name in enumerate(("AAA", "BBB", "NEW"))]
    tables[2] = tables[2].take(slice(450, 800))
    panel = panel_of(*tables)
    changed = panel.log_return.copy()
    changed[:, 741:] *= future
    return TrainingSet(replace(panel, log_return=changed), SPLIT)


@cache
def wanted(future: float = 1.0) -> Wanted:
    data = training_set(future)
    features = compute_features(data.panel, available_features(data.panel))
    network = train_linear(data.panel, features, SPLIT.train, RECIPE).network
    origins, _ = network_forecasts(network, features, SPLIT.test)
    return Wanted(data, RECIPE, origins, STEPS)


def done_here(work: Callable[[Any], Any], tasks: Sequence[Any], report: Callable[[int, int], None]) -> list:
    """As `run_parallel`, in this process, in which alone what a test changes is changed."""
    report(len(tasks), len(tasks))
    return [work(task) for task in tasks]


@cache
def made(name: str, future: float = 1.0) -> Fitted:
    """In this process, with a tenth of the trees."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setitem(TREES, "max_iter", 15)
        for module in ("boosting", "fitted"):
            patch.setattr(f"forecaster.evaluation.{module}.run_parallel", done_here)
        return EXTRA_BASELINES[name](wanted(future))


@pytest.mark.parametrize("name", EXTRA_BASELINES)
def test_the_future_moves_no_forecast(name: str) -> None:
    now, other = made(name), made(name, 3.0)
    day = wanted().origins.day
    for step in STEPS:
        quantiles = [found.forecast.at_step(step).quantile(FILE_LEVELS) for found in (now, other)]
        assert np.isfinite(quantiles[0]).all()
        assert (np.diff(quantiles[0], axis=1) >= 0).all()
        np.testing.assert_array_equal(quantiles[0][day <= 740], quantiles[1][day <= 740])
        assert (quantiles[0][day > 745] != quantiles[1][day > 745]).any()


def test_a_ticker_with_few_training_days_is_riskmetrics_t_and_named() -> None:
    walk = wanted().walk()
    rows = wanted().rows[2]
    for name in ("garch-t", "gjr-t", "auto-ets", "theta", "historical"):
        found = made(name)
        assert found.substituted == ("NEW",)
        if isinstance(found.forecast, ForecastDistribution):
            np.testing.assert_array_equal(found.forecast.scale[rows], walk.scale[rows])
            assert (found.forecast.scale[wanted().rows[0]] != walk.scale[wanted().rows[0]]).all()


def test_numbers_that_decide() -> None:
    assert (LEAST_DAYS, FITTED_DAYS, PAST_DAYS, LEAST_MOVES) == (250, 1000, 1000, 250)
    assert TREES == {"max_iter": 150, "learning_rate": 0.05, "max_leaf_nodes": 4, "min_samples_leaf": 500}


# GARCH


def shaken(days: int = 1500, seed: int = 1) -> np.ndarray:
    """Returns whose volatility follows a GARCH with falls that count double."""
    random = np.random.default_rng(seed)
    shocks, variance, returns = scipy.stats.t(6).rvs(days, random_state=random) * np.sqrt(2 / 3), 1.0, []
    for shock in shocks:
        returns.append(0.01 * np.sqrt(variance) * shock)
        variance = 0.05 + (0.05 + 0.06 * (shock < 0)) * variance * shock**2 + 0.87 * variance
    return np.array(returns)


@pytest.mark.parametrize("asymmetric", [False, True])
def test_garch_carries_on_as_arch_does(asymmetric: bool) -> None:
    from arch import arch_model

    returns = shaken()
    fit = fit_garch(returns[:1000], asymmetric=asymmetric)
    assert fit is not None
    names = ["mu", "omega", "alpha[1]", *(["gamma[1]"] if asymmetric else []), "beta[1]", "nu"]
    values = [fit.mean, fit.omega, fit.alpha, *([fit.gamma] if asymmetric else []), fit.beta, fit.degrees]
    model = arch_model(100 * returns, mean="Constant", p=1, o=int(asymmetric), q=1, dist="t")
    theirs = model.fix(pd.Series(values, names)).forecast(horizon=5, start=1200, reindex=False)
    expected = np.cumsum(theirs.variance.to_numpy(), axis=1)
    found = summed_variance(fit, next_variances(fit, returns)[1200:], 5)
    np.testing.assert_allclose(found, expected, rtol=1e-6)
    assert asymmetric == (fit.gamma != 0)


def test_a_garch_step_by_hand_and_a_day_without_a_price() -> None:
    fit = GarchFit(mean=1.0, omega=0.1, alpha=0.2, gamma=0.3, beta=0.5, degrees=5.0, variance=2.0)
    found = next_variances(fit, np.array([0.03, np.nan, -0.01]))
    first = 0.1 + 0.2 * 2.0**2 + 0.5 * 2.0
    last = 0.1 + (0.2 + 0.3) * 2.0**2 + 0.5 * first
    np.testing.assert_allclose(found, [first, first, last])
    # Two days: the second day's variance is omega + (alpha + gamma / 2 + beta) times the first's.
    np.testing.assert_allclose(summed_variance(fit, found[:1], 2), [[first, first + 0.1 + 0.85 * first]])


def test_the_fitted_tails_have_the_fitted_variance() -> None:
    forecast = made("garch-t").forecast
    assert isinstance(forecast, ForecastDistribution)
    rows, panel = wanted().rows[0], wanted().panel
    fit = fit_garch(wanted().training_returns(0), asymmetric=False)
    assert fit is not None
    following = next_variances(fit, panel.log_return[0])[wanted().origins.day[rows]]
    distribution = scipy.stats.t(forecast.degrees_of_freedom[rows, 0], scale=forecast.scale[rows, 0])
    np.testing.assert_allclose(distribution.var(), following / 1e4, rtol=1e-3)  # a solver's digits


@pytest.mark.parametrize("returns", [np.zeros(1000), np.full(1000, 0.01), shaken()[:249]])
def test_what_cannot_be_fitted_gets_no_garch(returns: np.ndarray) -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert fit_garch(returns, asymmetric=False) is None


# The classical models


def momentum() -> np.ndarray:
    """A log price whose moves go on, so that orders above zero and a trend are chosen."""
    random = np.random.default_rng(4)
    returns = random.normal(0.001, 0.01, 700)
    for day in range(1, 700):
        returns[day] += 0.4 * returns[day - 1]
    return np.cumsum(returns)


ORIGINS = np.array([599, 640, 699])


@pytest.mark.parametrize("method", [AUTO_ARIMA, AUTO_ETS, THETA])
def test_classical_models_carry_on_as_statsforecast_does(method: str) -> None:
    """The library's own steps after the first of a damped trend are off by one power of its damping."""
    from statsforecast.models import AutoARIMA, AutoETS, Theta

    level = momentum()
    found = moves_of(Series(level, 600, ORIGINS), method, 4)
    assert found is not None
    moves, deviations = found
    model = {
        AUTO_ARIMA: AutoARIMA(season_length=1, max_p=3, max_q=3, max_d=1),
        AUTO_ETS: AutoETS(season_length=1, model="AZN"),
        THETA: Theta(season_length=1),
    }[method]
    steps = slice(1 if method == AUTO_ETS else 4)
    theirs = model.fit(level[:600]).predict(h=4, level=[90])
    np.testing.assert_allclose(moves[0, steps], (theirs["mean"] - level[599])[steps], atol=2e-5)
    spread = (theirs["hi-90"] - theirs["lo-90"]) / (2 * scipy.stats.norm.ppf(0.95))
    # Those of Theta are simulated from some hundred paths.
    np.testing.assert_allclose(deviations[steps], spread[steps], rtol=0.1 if method == THETA else 0.02)
    if method != THETA:  # the library estimates its slope anew
        for place, origin in enumerate(ORIGINS[1:], 1):
            carried = model.forward(y=level[: origin + 1], h=4)["mean"] - level[origin]
            np.testing.assert_allclose(moves[place, steps], carried[steps], atol=2e-4)


def test_a_damped_trend_spreads_as_its_simulation_does() -> None:
    from statsforecast.models import AutoETS

    level = momentum()
    found = moves_of(Series(level, 600, ORIGINS[:1]), AUTO_ETS, 4)
    assert found is not None
    fitted = AutoETS(season_length=1, model="AZN").fit(level[:600]).model_
    assert fitted["components"] == "AAND"
    alpha, beta, _, phi = fitted["par"][:4]
    random = np.random.default_rng(1)
    now, trend = (np.full(100_000, value) for value in fitted["states"][-1])
    for step in range(4):
        error = random.normal(0, np.sqrt(fitted["sigma2"]), 100_000)
        seen = now + phi * trend + error
        now, trend = now + phi * trend + alpha * error, phi * trend + beta * error
        assert found[0][0, step] == pytest.approx(seen.mean() - level[599], abs=5e-4)
        assert found[1][step] == pytest.approx(seen.std(), rel=0.01)


def test_a_past_that_counts_for_ever_is_no_fit(monkeypatch: pytest.MonkeyPatch) -> None:
    from statsforecast.models import AutoARIMA

    class Fixed(AutoARIMA):
        def fit(self, _: np.ndarray) -> "Fixed":
            self.model_ = {"coef": {"ma1": -1.01}, "arma": (0, 1, 0, 0, 1, 1, 0), "sigma2": 1.0}
            return self

    monkeypatch.setattr("statsforecast.models.AutoARIMA", Fixed)
    level = np.cumsum(shaken(400))
    assert moves_of(Series(level, 300, np.array([350])), AUTO_ARIMA, 2) is None


# Historical simulation


def test_historical_quantiles_are_those_of_moves_that_have_ended() -> None:
    found = made("historical").forecast
    panel, origins = wanted().panel, wanted().origins
    sigma = volatility(panel.log_return)
    row = int(wanted().rows[1][-1])
    day = int(origins.day[row])
    returns = pd.Series(panel.log_return[1].astype(np.float64))
    for step in STEPS:
        moves = returns.rolling(step).sum() / pd.Series(sigma[1]).shift(step)
        past = moves[: day + 1].dropna().to_numpy()[-PAST_DAYS:]
        expected = np.quantile(past, FILE_LEVELS) * sigma[1, day]
        np.testing.assert_allclose(
            found.at_step(step).quantile(FILE_LEVELS)[row], expected, rtol=1e-3, atol=1e-7
        )


def test_historical_takes_the_latest_thousand_moves() -> None:
    panel = panel_of(random_walk_table("AAA", 1400))
    changed = panel.log_return.copy()
    changed[:, 100:200] *= 3
    origins = Origins(np.zeros(1, np.intp), np.array([1390]))
    quantiles = []
    for returns in (panel.log_return, changed):
        data = TrainingSet(replace(panel, log_return=returns), SPLIT)
        found = EXTRA_BASELINES["historical"](Wanted(data, RECIPE, origins, (1,)))
        quantiles.append(found.forecast.at_step(1).quantile(FILE_LEVELS))
    np.testing.assert_allclose(quantiles[0], quantiles[1], rtol=1e-3)


# Boosting


def test_trees_find_where_the_range_is_wide() -> None:
    random = np.random.default_rng(0)
    rows = random.uniform(0, 1, (6000, 2)).astype(np.float32)
    targets = (np.where(rows[:, 0] > 0.5, 3.0, 1.0) * random.normal(size=6000)).astype(np.float32)
    asked = np.array([[0.9, 0.5], [0.1, 0.5]], np.float32)
    high = fit_level(Fit(rows, targets, asked, 0.9, 0))
    np.testing.assert_allclose(high, scipy.stats.norm.ppf(0.9) * np.array([3.0, 1.0]), rtol=0.12)


def test_quantiles_between_the_boosted_ones_follow_a_student_t() -> None:
    exact = scipy.stats.t(6)
    boosted = np.array([1.0, 2.5])[:, None] * exact.ppf(BOOSTED_LEVELS)
    found = filled(boosted[:, ::-1].astype(np.float32))  # in any order
    np.testing.assert_allclose(found, np.array([1.0, 2.5])[:, None] * exact.ppf(FILE_LEVELS), rtol=1e-5)


# Which


def test_baselines_are_chosen_by_name_in_one_order() -> None:
    assert chosen_baselines(["boosting", "garch-t", "boosting"]) == ("garch-t", "boosting")
    assert chosen_baselines(["all"]) == tuple(EXTRA_BASELINES)
    assert chosen_baselines([]) == ()


def test_an_unknown_baseline_is_refused_with_the_known_ones() -> None:
    with pytest.raises(UsageError, match="no baseline 'prophet'") as caught:
        chosen_baselines(["garch-t", "prophet"])
    assert "choose from garch-t" in str(caught.value.remedy)


@pytest.mark.parametrize(("name", "package"), [("gjr-t", "arch"), ("theta", "statsforecast")])
def test_a_missing_package_is_named_with_the_command(
    name: str, package: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(extra_baselines, "find_spec", MappingProxyType({}).get)
    with pytest.raises(UsageError, match=f"{name} needs {package}") as caught:
        chosen_baselines([name])
    assert "pip install 'forecaster[baselines]'" in str(caught.value.remedy)
    assert chosen_baselines(["historical", "boosting"]) == ("historical", "boosting")
