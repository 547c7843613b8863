"""One training on prices, in a process of its own: what it cost and what its forecasts were worth."""

import math
import tempfile
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass, fields, replace
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np

from forecaster.dataset.features import Features, available_features, features_of
from forecaster.dataset.panel import Panel
from forecaster.dataset.split import split_dates
from forecaster.dataset.training_set import TrainingSet, choose, load_training_set, split_by
from forecaster.dataset.windows import Windows, gather, grid_windows
from forecaster.evaluation.baselines import BASELINES, LINEAR_T
from forecaster.evaluation.forecasts import dense_windows, window_forecasts
from forecaster.evaluation.scoring import ScoredStep, actuals, score_step
from forecaster.evaluation.search_space import space_around
from forecaster.evaluation.tuning import has_reports, search, tune_folds, usable_space
from forecaster.laboratory.prices.forms import build_form, kept_in_keras
from forecaster.laboratory.trials import stay_on_one_core
from forecaster.network.engine import start_engine
from forecaster.network.linear_training import train_linear
from forecaster.network.network import Network
from forecaster.network.training import Form, train_network
from forecaster.prices.store import PriceStore
from forecaster.processes import peak_memory_mb, run_isolated
from forecaster.settings import Recipe, told_apart

SHOCK, AFTERWARDS = 8.0, 5
"""Of a one-day shock: its size in σ, the largest that an input takes, and the days that are watched."""
_SHOCK_STRIDE = 60
TUNE_FOLDS = 2  # before the test part, for choosing among recipes
REFERENCE = "riskmetrics-t"  # needs only the last months, so that it is the same however long the past


@dataclass(frozen=True)
class PriceTrial:
    """One network on prices.

    Attributes:
        prices: their digest, so that other prices are other trials.
        trained_on: tickers that it is trained on.
        tested_on: tickers whose test days it forecasts, the same for all trials that are compared.
        years: how many of the last training years it is trained on; None: all.
        recipe: cell, sizes, seed, and both split dates.
        form: "" for the recipe's cell; "linear-t", or one of `forms`.
        features: that it reads; None: all that there are.
        one_target: whether a window has one origin, its last day, in place of its last half.
        used_at: lookbacks at which the trained network is tested too.
        shocked: whether it is measured how a one-day shock moves its next forecasts.
        every: test days, of which one in so many counts where each takes a window of its own.
        tune_trials: recipes that are tried first, on days before the test part; the best one is trained.
        tune_minutes: after so many none is begun.
    """

    prices: str
    trained_on: tuple[str, ...]
    tested_on: tuple[str, ...]
    years: int | None
    recipe: Recipe
    form: str = ""
    features: tuple[str, ...] | None = None
    one_target: bool = False
    used_at: tuple[int, ...] = ()
    shocked: bool = False
    every: int = 1
    tune_trials: int = 0
    tune_minutes: float = math.inf

    def described(self) -> dict[str, Any]:
        """What tells it apart from other trials: nothing that is as usual."""
        usual = {each.name for each in fields(self) if getattr(self, each.name) == each.default}
        whole = asdict(self) | {"recipe": told_apart(self.recipe)}
        return {name: value for name, value in whole.items() if name not in usual}


@dataclass(frozen=True)
class TrialSetup:
    """What all trials on some prices share.

    Attributes:
        data: the prices, of these tickers and perhaps of others.
        tickers: that trials are trained and tested on.
        prices: a digest of theirs.
        inputs: names of the features that networks read.
        recipe: with both split dates.
    """

    data: TrainingSet
    tickers: tuple[str, ...]
    prices: str
    inputs: tuple[str, ...]
    recipe: Recipe

    @property
    def features(self) -> int:
        """How many inputs there are."""
        return len(self.inputs)

    @property
    def panel(self) -> Panel:
        """The prices of its tickers."""
        return _of(self.data.panel, self.tickers)

    def trial(self, recipe: Recipe, tickers: int | None = None, years: int | None = None) -> PriceTrial:
        """A trial that is trained on the first `tickers` of them, and is tested on all."""
        return PriceTrial(self.prices, self.tickers[:tickers], self.tickers, years, recipe)

    def spread(self, most: int) -> "TrialSetup":
        """On at most so many tickers, evenly spread over the alphabet."""
        count = len(self.tickers)
        if count <= most:
            return self
        tickers = tuple(self.tickers[round(place)] for place in np.linspace(0, count - 1, most))
        return replace(self, tickers=tickers, prices=_digest(_of(self.data.panel, tickers)))


def trial_setup(home: Path, wanted: Sequence[str] | None, recipe: Recipe) -> TrialSetup:
    """Read the prices once, and write the split's dates into the recipe, the same for every trial.

    Raises:
        NotFoundError: there are no prices.
        BadInputError, UsageError: they cannot be split.
    """
    store = PriceStore(home)
    data = load_training_set(store, choose(store, wanted), split_by(recipe))
    panel = data.panel
    dates = split_dates(panel.dates, data.split)
    given = Recipe(**asdict(recipe) | {name: dates[name] for name in ("train_end", "validation_end")})
    return TrialSetup(data, panel.tickers, _digest(panel), available_features(panel, recipe), given)


def run_price_trial(data: TrainingSet, trial: PriceTrial) -> dict[str, Any]:
    """Train and test in a fresh process, so that the memory is the trial's own.

    Raises:
        ForecastError: too little data, or the process died.
    """
    return run_isolated(_run, (data, trial))


def run_price_trial_here(data: TrainingSet, trial: PriceTrial) -> dict[str, Any]:
    """Train and test in this process, on one thread, so that several at once do not slow each other.

    Without the process's peak of memory, which is not the trial's own.

    Raises:
        ForecastError: too little data.
    """
    stay_on_one_core()
    outcome = _run((data, trial), lambda _: None)
    del outcome["peak_memory_mb"]
    return outcome


def _run(task: tuple[TrainingSet, PriceTrial], report: Callable[[Any], None]) -> dict[str, Any]:
    del report  # nothing is worth showing before the end
    data, trial = task
    tuning: dict[str, Any] = {}
    if trial.tune_trials:
        recipe, tried = _tuned(replace(data, panel=_training_panel(data.panel, trial)), trial)
        tuning = {"tuned": {"recipe": asdict(recipe), "trials": tried}}
        trial = replace(trial, recipe=recipe)
    recipe = trial.recipe
    tested = replace(data, panel=_of(data.panel, trial.tested_on))
    whole = tested.panel
    names = trial.features or available_features(whole, recipe)
    features = features_of(whole, names)
    network, fitted = _trained(data.panel, trial, names)
    peak = peak_memory_mb()
    part = tested.split.test
    windows = _windows(trial, network, features, part)
    origins, forecast = window_forecasts(network, features, windows, part)
    truth = actuals(whole, origins, recipe.horizon, tested.split.train)
    scored = score_step(forecast, truth, 1)
    reference = score_step(BASELINES[REFERENCE](whole, origins, recipe.horizon), truth, 1)
    return {
        "crps": scored.scores.crps,
        "reference_crps": reference.scores.crps,
        "forecasts": scored.scores.forecasts,
        "parameters": network.parameter_count(),
        **fitted,
        "peak_memory_mb": peak,
        **_daily(scored),
        **tuning,
        **({"used_at": _used_at(trial, network, features, tested)} if trial.used_at else {}),
        **({"shock": shock_response(network, features, part)} if trial.shocked else {}),
    }


def _tuned(data: TrainingSet, trial: PriceTrial) -> tuple[Recipe, int]:
    """The best of the recipes of the same cell that are tried before the test part, and how many were."""
    recipe = trial.recipe
    folds = tune_folds(data, recipe.horizon, TUNE_FOLDS)
    space = space_around(recipe, [recipe.cell], reports=has_reports(folds, recipe))
    with tempfile.TemporaryDirectory() as keep:
        found = search(
            folds,
            usable_space(folds, space),
            Path(keep),
            trials=trial.tune_trials,
            minutes=trial.tune_minutes,
        )
    return found.ranking[0].recipe, len(found.trials)


def _trained(whole: Panel, trial: PriceTrial, names: tuple[str, ...]) -> tuple[Network, dict[str, Any]]:
    """The network, and how its training went; a linear-t has no epochs."""
    recipe, panel = trial.recipe, _training_panel(whole, trial)
    split = split_by(recipe)(panel.dates)
    if trial.form == LINEAR_T:
        return train_linear(panel, features_of(panel, names), split.train, recipe).network, {}
    form = None if not trial.form else Form(partial(build_form, trial.form), kept_in_keras)
    engine = start_engine(recipe.device)
    supervised = 1 if trial.one_target else None
    trained = train_network(panel, names, split, recipe, engine, form=form, supervised=supervised)
    return trained.network, {
        "seconds": trained.seconds,
        "epochs": len(trained.losses),
        "targets_per_second": trained.targets_per_second,
        "losses": list(trained.losses),
        "validation_losses": list(trained.validation_losses),
        "best_epoch": trained.best_epoch,
    }


def _daily(scored: ScoredStep) -> dict[str, Any]:
    """CRPS day by day, for differences on the same days."""
    return {"days": scored.day.tolist(), "daily_crps": [float(f"{loss:.6g}") for loss in scored.crps]}


def _windows(trial: PriceTrial, network: Network, features: Features, part: range) -> Windows:
    """Windows that are answered as they were trained: at their last half, or at their last day."""
    lookback = trial.recipe.lookback
    if trial.one_target or network.last_day_only:
        return grid_windows(features.valid_input, part, lookback, 1, stride=trial.every)
    return dense_windows(features, part, lookback)


def _used_at(
    trial: PriceTrial, network: Network, features: Features, tested: TrainingSet
) -> dict[str, dict[str, Any]]:
    """Days and daily CRPS by lookback: the same network, reading windows of other lengths."""
    part, horizon = tested.split.test, trial.recipe.horizon
    found = {}
    for lookback in trial.used_at:
        windows = grid_windows(features.valid_input, part, lookback, 1, stride=trial.every)
        origins, forecast = window_forecasts(network, features, windows, part)
        truth = actuals(tested.panel, origins, horizon, tested.split.train)
        found[str(lookback)] = _daily(score_step(forecast, truth, 1))
    return found


def shock_response(network: Network, features: Features, part: range) -> list[float]:
    """How far one day's shock moves the log scale of the forecasts made on that day and those after it.

    In windows spread over the part's days and tickers the return of one day is set to `SHOCK` of its
    σ, and nothing else is touched.

    Args:
        network: trained.
        features: of the panel.
        part: days that are origins.

    Returns:
        Mean absolute changes of the log scale one day ahead, from the shocked day on, `AFTERWARDS` + 1.
    """
    windows = grid_windows(features.valid_input, part, network.lookback, 1, stride=_SHOCK_STRIDE)
    inputs = gather(features, windows)
    changed = inputs.copy()
    changed[:, -1 - AFTERWARDS, network.features.index("return")] = SHOCK
    answers = [network.head_output(each, AFTERWARDS + 1) for each in (inputs, changed)]
    scales = [np.log(network.distribution(raw).scale[..., 0]) for raw in answers]
    return [float(change) for change in np.abs(scales[1] - scales[0]).mean(axis=0)]


def _training_panel(whole: Panel, trial: PriceTrial) -> Panel:
    panel = _of(whole, trial.trained_on)
    if trial.years is None or trial.recipe.train_end is None:
        return panel
    end = np.datetime64(trial.recipe.train_end, "D")
    first = np.searchsorted(panel.dates, end - np.timedelta64(round(365.25 * trial.years), "D"))
    return panel.last(panel.shape[1] - int(first))


def _of(panel: Panel, tickers: Sequence[str]) -> Panel:
    """The tickers' rows; the panel itself if these are all of it, so that nothing is copied."""
    if tuple(tickers) == panel.tickers:
        return panel
    rows = {ticker: row for row, ticker in enumerate(panel.tickers)}
    return panel.take(np.array([rows[ticker] for ticker in tickers]))


def _digest(panel: Panel) -> str:
    return panel.digest()[:16]
