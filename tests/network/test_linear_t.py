"""Linear-t: what it is linear in, that it finds what was planted, and that it is served as any model."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from factories import filled_store
from scipy import stats
from trained_home import RECIPE, recent_table

from forecaster.cli.main import run
from forecaster.dataset.features import ALWAYS, available_features, compute_features
from forecaster.dataset.training_set import TrainingSet, choose, load_training_set, split_by
from forecaster.errors import BadInputError, ExitCode
from forecaster.evaluation.baselines import all_baselines
from forecaster.evaluation.forecasts import Origins, network_forecasts
from forecaster.network.linear_t import (
    CONSTANTS,
    KERNEL,
    LinearT,
    fit_linear,
    linear_shapes,
    regressor_names,
    regressors,
)
from forecaster.network.linear_training import linear_recipe, train_linear
from forecaster.network.network import LEAST_DEGREES
from forecaster.registry.versions import ModelRegistry
from forecaster.service.retraining import refit
from forecaster.settings import LINEAR

FEATURES = (*ALWAYS, "range", "volume")


def inputs(days: int = 30, seed: int = 0) -> np.ndarray:
    """(1, days, F) features of one ticker: normal moves, a volatility that wanders, ranges and volumes."""
    random = np.random.default_rng(seed)
    columns = {
        "return": random.normal(size=days),
        "volatility": random.normal(0, 0.1, days),
        "market_return": random.normal(size=days),
        "market_volatility": random.normal(0, 0.1, days),
        "range": random.normal(0, 0.2, days),
        "volume": random.normal(size=days),
    }
    columns["magnitude"] = np.log(np.abs(columns["return"]) + 0.01)
    return np.stack([columns[name] for name in FEATURES], axis=-1)[None].astype(np.float32)


def by_name(values: np.ndarray) -> dict[str, float]:
    return dict(zip(regressor_names(FEATURES), values.tolist(), strict=True))


def test_regressors_by_hand() -> None:
    """In plain loops over prices, from the definition of each."""
    given = inputs()
    column = {name: given[0, :, place].astype(float) for place, name in enumerate(FEATURES)}
    sigma = np.exp(column["volatility"] - 4.0)
    market = np.exp(column["market_volatility"] - 4.6)
    found = by_name(regressors(given, FEATURES, 1)[0, 0])

    def mean(values: np.ndarray, decay: float) -> float:
        weights = [decay ** (len(values) - 1 - day) for day in range(len(values))]
        return sum(weight * value for weight, value in zip(weights, values, strict=True)) / sum(weights)

    assert found["volatility"] == pytest.approx(np.log(sigma[-1]), rel=1e-5)
    assert found["market volatility"] == pytest.approx(np.log(market[-1]), rel=1e-5)
    assert found["last move"] == pytest.approx(column["magnitude"][-1], rel=1e-5)
    squares = np.square(column["return"] * sigma)
    for decay in (0.8, 0.98, 0.995):
        expected = 0.5 * np.log(mean(squares, decay) / sigma[-1] ** 2)
        assert found[f"returns, decay {decay:g}"] == pytest.approx(expected, abs=1e-4)
    squares = np.square(column["market_return"] * market)
    for decay in (0.8, 0.98):
        expected = 0.5 * np.log(mean(squares, decay) / market[-1] ** 2)
        assert found[f"market, decay {decay:g}"] == pytest.approx(expected, abs=1e-4)
    for decay in (0.0, 0.8, 0.94):
        falls = np.minimum(column["return"], 0)
        assert found[f"fall, decay {decay:g}"] == pytest.approx(mean(falls, decay), abs=1e-5)
        falls = np.minimum(column["market_return"], 0)
        assert found[f"market's fall, decay {decay:g}"] == pytest.approx(mean(falls, decay), abs=1e-5)
    ranges = np.square((np.exp(column["range"]) - 0.01) * sigma)
    for decay in (0.5, 0.8, 0.94, 0.98):
        expected = 0.5 * np.log(mean(ranges, decay) / sigma[-1] ** 2)
        assert found[f"ranges, decay {decay:g}"] == pytest.approx(expected, abs=1e-4)
    assert found["last range"] == pytest.approx(column["range"][-1], rel=1e-5)
    assert found["volume, decay 0"] == pytest.approx(column["volume"][-1], rel=1e-5)
    assert found["volume, decay 0.8"] == pytest.approx(mean(column["volume"], 0.8), abs=1e-5)


def test_a_day_s_regressors_are_of_the_days_up_to_it() -> None:
    given, changed = inputs(), inputs()
    changed[0, -5:] += 1
    last = regressors(given, FEATURES, 10), regressors(changed, FEATURES, 10)
    np.testing.assert_array_equal(last[0][0, :5], last[1][0, :5])
    assert not np.isclose(last[0][0, 5:], last[1][0, 5:]).all(axis=1).any()


def test_columns_that_are_not_there_are_not_in_it() -> None:
    assert len(regressor_names(FEATURES)) == 21
    assert len(regressor_names(ALWAYS)) == 14
    assert linear_shapes(5, ALWAYS) == {KERNEL: (14, 5), CONSTANTS: (3, 5)}


def test_the_likelihood_s_maximum_is_found() -> None:
    """What was planted comes back, within three standard errors, though one regressor is two others' sum."""
    random = np.random.default_rng(1)
    rows = random.normal(size=(40_000, 3)) @ np.diag([1.0, 0.3, 5.0]) + 2.0
    rows = np.column_stack([rows, rows[:, 0] + rows[:, 1], np.full(len(rows), 7.0)]).astype(np.float32)
    scale = np.exp(-1.0 + 0.2 * rows[:, 0] + 0.05 * rows[:, 2])
    targets = (0.1 + scale * stats.t.rvs(5, size=len(rows), random_state=2))[:, None]
    weights = fit_linear(rows, targets.astype(np.float32)).weights
    location, constant, raw = weights[CONSTANTS][:, 0]
    assert location == pytest.approx(0.1, abs=0.02)
    assert LEAST_DEGREES + np.logaddexp(0, raw) == pytest.approx(5, abs=0.4)
    kernel = weights[KERNEL][:, 0]
    np.testing.assert_allclose(rows @ kernel + constant, np.log(scale), atol=0.06)
    assert kernel[4] == 0


def test_each_step_is_as_likely_as_scipy_makes_it() -> None:
    random = np.random.default_rng(3)
    targets = np.column_stack([stats.t.rvs(df, size=20_000, random_state=df) for df in (3, 8)])
    targets[::3, 1] = np.nan  # not known at the second step
    fit = fit_linear(random.normal(size=(20_000, 1)).astype(np.float32), targets.astype(np.float32))
    for step, known in enumerate((targets[:, 0], targets[np.isfinite(targets[:, 1]), 1])):
        degrees, location, scale = stats.t.fit(known)
        found = fit.weights[CONSTANTS][:, step]
        assert LEAST_DEGREES + np.logaddexp(0, found[2]) == pytest.approx(degrees, rel=0.05)
        assert (found[0], np.exp(found[1])) == pytest.approx((location, scale), abs=0.01)


def training_set(home: Path, days: int = 300) -> TrainingSet:
    store = filled_store(home, *(recent_table(name, days, seed) for seed, name in enumerate(("AAA", "BBB"))))
    return load_training_set(store, choose(store), split_by(RECIPE))


def test_the_baseline_is_at_the_networks_own_origins_and_sees_only_training_days(tmp_path: Path) -> None:
    data = training_set(tmp_path)
    panel, split = data.panel, data.split
    features = compute_features(panel, available_features(panel))
    network = train_linear(panel, features, split.train, RECIPE).network
    origins, forecast = network_forecasts(network, features, split.test)
    turned = np.arange(len(origins))[::-1]
    wanted = Origins(origins.ticker[turned], origins.day[turned])
    found = all_baselines(data, RECIPE, wanted)["linear-t"]
    np.testing.assert_array_equal(found.scale, forecast.scale[turned])

    later = panel.log_return.copy()
    later[:, split.train.stop + RECIPE.horizon :] *= 3
    changed = replace(panel, log_return=later)
    again = train_linear(changed, compute_features(changed, features.names), split.train, RECIPE).network
    for name, values in network.weights.items():
        np.testing.assert_array_equal(again.weights[name], values)


def test_few_parameters_are_counted(tmp_path: Path) -> None:
    data = training_set(tmp_path)
    features = compute_features(data.panel, available_features(data.panel))
    trained = train_linear(data.panel, features, data.split.train, RECIPE)
    regressor_count = len(regressor_names(features.names))
    assert trained.network.parameter_count() == (regressor_count + 3) * RECIPE.horizon
    assert isinstance(trained.network, LinearT)


def test_too_few_days_are_rejected(tmp_path: Path) -> None:
    data = training_set(tmp_path)
    features = compute_features(data.panel, available_features(data.panel))
    with pytest.raises(BadInputError, match="12 days in a row in the training part"):
        train_linear(data.panel, features, range(5), RECIPE)


def test_it_is_trained_and_served_like_a_network(own_home: Path, capsys: pytest.CaptureFixture[str]) -> None:
    where = ["--home", str(own_home)]
    sizes = ["--lookback=12", "--horizon=3", "--name=straight"]
    assert run(["train", "AAA", "BBB", "CCC", "--cell", LINEAR, *sizes, *where]) == ExitCode.DONE
    out = capsys.readouterr().out
    assert "linear-t: " in out
    card = ModelRegistry(own_home).load("straight").card
    assert (card["recipe"]["cell"], "linear-t" in card["baselines"]) == (LINEAR, False)
    assert not (own_home / "models" / "straight" / "1" / "model.keras").exists()
    assert run(["predict", "AAA", "--model", "straight", *where]) == ExitCode.DONE
    assert run(["models", "verify", *where]) == ExitCode.DONE
    assert run(["models", "show", "straight", *where]) == ExitCode.DONE
    assert run(["retrain", "straight", "--no-fetch", "--dry-run", *where]) in (
        ExitCode.DONE,
        ExitCode.BAD_INPUT,
    )
    capsys.readouterr()
    for words in (
        ["models", "export", "straight", "--output", "out"],
        ["lab", "gates", "AAA", "--model", "straight"],
        ["lab", "cell", "AAA", "--model", "straight"],
    ):
        assert run([*words, *where]) == ExitCode.USAGE
        assert "linear-t" in capsys.readouterr().err


def test_a_refit_is_a_fit_to_every_day(tmp_path: Path) -> None:
    data = training_set(tmp_path)
    panel = data.panel
    features = compute_features(panel, available_features(panel))
    evaluated = train_linear(panel, features, data.split.train, RECIPE)
    everything = train_linear(panel, features, range(panel.shape[1] - RECIPE.horizon), RECIPE)
    refitted = refit(panel, data.split, evaluated, linear_recipe(RECIPE), lambda _: None)
    assert refitted.fitted is not None
    np.testing.assert_array_equal(refitted.fitted.network.weights[KERNEL], everything.network.weights[KERNEL])
    assert evaluated.targets < refitted.fitted.targets
