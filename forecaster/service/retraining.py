"""Train a challenger, on from the champion's weights or anew; if it passes the gate, promote and refit it."""

import os
from collections.abc import Callable, Mapping
from dataclasses import dataclass, fields, replace
from datetime import datetime
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np

from forecaster.dataset.features import available_features
from forecaster.dataset.panel import Panel
from forecaster.dataset.report_features import is_report_feature
from forecaster.dataset.split import SHORTEST_PART, Split, split_dates, split_days
from forecaster.dataset.training_set import Chosen, TrainingSet, choose, load_training_set
from forecaster.errors import BadInputError, ForecastError
from forecaster.evaluation.significance import LEAST_HORIZONS
from forecaster.files import check_writable
from forecaster.network.fitting import Progress
from forecaster.network.linear_training import refit_linear
from forecaster.network.network import Network
from forecaster.network.training import TrainedNetwork, refit_network
from forecaster.prices.calendar import last_closed_session, session_count
from forecaster.prices.known import known_prices
from forecaster.prices.market import read_market
from forecaster.prices.store import PriceStore
from forecaster.prices.universe import find_universe
from forecaster.registry.versions import ModelRegistry, RegisteredModel
from forecaster.service.candidate import Start, train_candidate
from forecaster.service.events import log_event
from forecaster.service.gate import Decision, decide, refit_fault, unseen_part
from forecaster.service.refreshing import reject_unfit_prices
from forecaster.settings import LINEAR, PRICES_ONLY, Recipe, Settings, override

GATE_SESSIONS = 250
_TEST_SHARE, _VALIDATION_SHARE = 0.15, 0.10


@dataclass(frozen=True)
class Retraining:
    """What became of one name: `outcome` is recent, would retrain, promoted or rejected.

    Attributes:
        name: the model's.
        champion: the version that was in service.
        outcome: in a word or two.
        reason: in a sentence.
        version: the challenger's; None where none was trained.
        decision: the gate's; None where none was trained.
        refit: account of the fit through the last session; None where there was none.
        damaged: tickers that were left out, as their price files could not be read.
        survivorship: of the prices it was trained on, see `count_survivors`; None where it was not.
        dates_fault: why the earnings dates could not be read; empty if they could.
    """

    name: str
    champion: int
    outcome: str
    reason: str
    version: int | None = None
    decision: Decision | None = None
    refit: dict[str, Any] | None = None
    damaged: tuple[str, ...] = ()
    survivorship: dict[str, Any] | None = None
    dates_fault: str = ""


@dataclass(frozen=True)
class _Plan:
    """What is trained; `champions_panel` has the same prices beside the champion's own market."""

    data: TrainingSet
    recipe: Recipe
    champions_panel: Panel


def retrain(
    settings: Settings,
    name: str,
    now: datetime,
    report: Callable[[str, Progress], None],
    *,
    if_stale: int = 0,
    warm: bool = True,
    dry_run: bool = False,
) -> Retraining:
    """Train a challenger for `name` on the store's prices, and promote it if it passes the promotion gate.

    The last 250 sessions, or 15 % of a shorter history, are held out for the gate. Champion and
    challenger are compared as they were evaluated: a champion that forecasts with refitted weights has seen
    those sessions, but its evaluated weights, kept beside them, have not. A challenger that is
    promoted then is trained further on the days up to the last session. One that is rejected is kept as
    a version too.

    Args:
        settings: of the home folder.
        name: a model in the registry.
        now: the clock of the command.
        report: called with what is being trained, and its progress.
        if_stale: do nothing while the newest version, in service or rejected, knows prices less than so
            many sessions old: a gate that is tried every night lets somebody pass by luck.
        warm: go on from the champion's weights, for one epoch of small steps; else train from scratch.
        dry_run: say what would be done.

    Raises:
        NotFoundError, BadInputError: no such model or prices, or they are damaged, stale or too few, or
            later than the clock.
        TryLaterError, DiskError: another process writes to the home folder, or the disk fails.
    """
    registry, store = ModelRegistry(settings.home), known_prices(settings.home, now, os.environ)
    champion = registry.load(name)
    version = int(champion.card["version"])
    latest, last_day = _latest_attempt(registry, champion)
    if max(0, session_count(last_day, last_closed_session(now))) < if_stale:
        return Retraining(name, version, "recent", f"{latest} knows prices to {last_day}")
    plan = _plan(settings, store, champion, now)
    unseen_after = _unseen_after(champion, plan)
    if dry_run:
        panel = plan.data.panel
        dates = split_dates(panel.dates, plan.data.split)
        fault = plan.data.dates_fault
        how = f"go on from {champion.reference}" if warm else f"train {champion.reference}'s recipe"
        what = (
            f"{how} on {len(panel.tickers)} tickers "
            f"to {dates['train_end']}, compare both on the origins after {unseen_after}"
        )
        return Retraining(name, version, "would retrain", what, damaged=plan.data.damaged, dates_fault=fault)
    check_writable(registry.folder)
    return _challenge(registry, champion, plan, unseen_after, now, report, warm=warm)


def _latest_attempt(registry: ModelRegistry, champion: RegisteredModel) -> tuple[str, np.datetime64]:
    """The newest version that can be read, and the last day of prices that it knows."""
    name = str(champion.card["name"])
    for version in reversed(registry.versions(name)):
        try:
            card = registry.card(name, version)
        except BadInputError:
            continue
        return f"{name}@{version}", np.datetime64(card["prices"]["last_day"])
    return champion.reference, np.datetime64(champion.card["prices"]["last_day"])


def _challenge(
    registry: ModelRegistry,
    champion: RegisteredModel,
    plan: _Plan,
    unseen_after: np.datetime64,
    now: datetime,
    report: Callable[[str, Progress], None],
    *,
    warm: bool,
) -> Retraining:
    """Train the challenger, put it to the gate, refit it if it is promoted, and keep all of that."""
    panel, split, recipe = plan.data.panel, plan.data.split, plan.recipe
    name, version = str(champion.card["name"]), int(champion.card["version"])
    evaluated = registry.load_evaluated(name, version)
    start = Start(evaluated, _new_sessions(champion.card, panel, split)) if warm else None
    candidate = train_candidate(plan.data, recipe, now, partial(report, name), start)
    decision = decide(panel, unseen_after, evaluated, candidate.trained.network, plan.champions_panel)
    refitted = Refit(None, {})
    if decision.promote:
        refitted = refit(panel, split, candidate.trained, recipe, partial(report, f"{name}, refit"))
    served = refitted.fitted or candidate.trained
    account = refitted.account or None
    verdict = {"champion": version, "warm_start": warm, **decision.as_card()}
    challenger = registry.register(
        name,
        served.network,
        candidate.card | {"gate": verdict, "refit": account},
        served.keras_file,
        candidate.trained.network if refitted.fitted else None,
        candidate.reference,
        parent=version,
        why="retrained" if decision.promote else None,
    )
    log_event(registry.home, now, "gate", name=name, version=challenger, **verdict, refit=account)
    outcome = "promoted" if decision.promote else "rejected"
    return Retraining(
        name,
        version,
        outcome,
        decision.text,
        challenger,
        decision,
        account,
        plan.data.damaged,
        plan.data.survivorship,
        plan.data.dates_fault,
    )


def _new_sessions(champion: Mapping[str, Any], panel: Panel, split: Split) -> int:
    """Of the training part, those after the last session that the champion was trained on."""
    trained_to = np.datetime64(champion["split"]["train_end"])
    return int(np.count_nonzero(panel.dates[: split.validation.start] > trained_to))


def gate_split(dates: np.ndarray[Any, np.dtype[np.datetime64]], horizon: int) -> Split:
    """Hold out the last 250 sessions, at most 15 %, for the gate, and 10 % before them for validation.

    Raises:
        BadInputError: a part has hardly a day.
    """
    days = len(dates)
    shortest = SHORTEST_PART + horizon
    test = max(min(GATE_SESSIONS, round(_TEST_SHARE * days)), shortest, LEAST_HORIZONS * horizon + 1)
    validation = max(round(_VALIDATION_SHARE * days), shortest)
    if days <= test + validation + shortest:
        raise BadInputError(f"{days} trading days are too few to retrain", "fetch more history")
    return split_days(dates, horizon, str(dates[-1 - test - validation]), str(dates[-1 - test]))


def _plan(settings: Settings, store: PriceStore, champion: RegisteredModel, now: datetime) -> _Plan:
    recipe = replace(_recipe_of(champion), device=settings.train.device)
    if not any(is_report_feature(name) for name in champion.network.features):
        recipe = replace(recipe, features=PRICES_ONLY)  # also of a card from before there were any
    chosen = _chosen_as(champion.card, settings.home, store)
    reject_unfit_prices(store, chosen.tickers, now)
    split_rule = partial(gate_split, horizon=recipe.horizon)
    data = load_training_set(store, chosen, split_rule)
    _reject_other_features(champion.network, data, recipe)
    composition, own = champion.card.get("market", ()), data.panel
    if composition and set(composition) != set(own.market_members):
        own = load_training_set(store, chosen, split_rule, read_market(store, composition)).panel
    return _Plan(data, recipe, own)


def _recipe_of(champion: RegisteredModel) -> Recipe:
    """The champion's recipe without its split dates: the gate has dates of its own.

    Raises:
        BadInputError: a later version of this tool wrote it.
    """
    written = {key: value for key, value in champion.card["recipe"].items() if not key.endswith("_end")}
    unknown = sorted(written.keys() - {part.name for part in fields(Recipe)})
    if unknown:
        raise BadInputError(
            f"{champion.reference} has unknown settings in its recipe: {', '.join(unknown)}",
            "update forecast, or train a model anew with `forecast train`",
        )
    return override(
        Recipe(), written, lambda key, value: f"{champion.reference}, card.json recipe: {key} = {value}"
    )


def _chosen_as(card: Mapping[str, Any], home: Path, store: PriceStore) -> Chosen:
    """The tickers chosen as the card's were: by universe, all that are stored, or by name."""
    described = card.get("universe")
    if described is None:
        return choose(store, None if card.get("whole_store") else card["tickers"])
    listed = home / "data" / "universe" / f"{described['name']}.csv"
    known = described["source"] == "package" or listed.is_file()
    universe = find_universe(described["name" if known else "source"], home)
    return choose(store, universe=universe, all_days=described["targets"] == "all days")


def _unseen_after(champion: RegisteredModel, plan: _Plan) -> np.datetime64:
    """The last day that champion or challenger was trained on or stopped on.

    Raises:
        BadInputError: too few sessions are left after it.
    """
    seen = np.datetime64(champion.card["split"]["validation_end"], "D")
    panel = plan.data.panel
    held_out = panel.dates[plan.data.split.test.start - 1]
    unseen_after: np.datetime64 = max(seen, held_out)
    unseen_part(panel, unseen_after, plan.recipe.horizon)
    return unseen_after


def _reject_other_features(network: Network, data: TrainingSet, recipe: Recipe) -> None:
    features = available_features(data.panel, recipe)
    if features != network.features:
        if set(features) == {name for name in network.features if not is_report_feature(name)}:
            if data.dates_fault:
                raise BadInputError(f"the champion reads earnings dates: {data.dates_fault}")
            raise BadInputError(
                "the champion reads earnings dates, and most tickers have none",
                "bring them with `forecast fetch --earnings`, or train a model anew with --features prices",
            )
        raise BadInputError(
            f"the prices allow the features {', '.join(features)}; the champion was trained on "
            f"{', '.join(network.features)}",
            "train a model anew with `forecast train`",
        )


@dataclass(frozen=True)
class Refit:
    """What came of it.

    Attributes:
        fitted: the network to serve in place of the one that was evaluated; None if it is not to be.
        account: for the card: the last day it was trained on, what that cost, or why it was rejected.
    """

    fitted: TrainedNetwork | None
    account: dict[str, Any]


def refit(
    panel: Panel,
    split: Split,
    evaluated: TrainedNetwork,
    recipe: Recipe,
    report: Callable[[Progress], None],
) -> Refit:
    """Train further on all days, the gate's too, and see whether the result is to be trusted."""
    try:
        if recipe.cell == LINEAR:
            fitted = refit_linear(panel, evaluated, recipe)
        else:
            fitted = refit_network(panel, evaluated, recipe, report)
    except ForecastError as error:
        return Refit(None, {"refused": error.message})
    fault = refit_fault(panel, split.test, evaluated.network, fitted.network)
    if fault is not None:
        return Refit(None, {"refused": fault})
    account = {
        "refused": None,
        "trained_to": str(panel.dates[-1]),
        "loss": fitted.losses[-1],
        "seconds": fitted.seconds,
    }
    return Refit(fitted, account)
