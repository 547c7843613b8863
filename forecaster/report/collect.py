"""What a report is made from: what is stored and kept in a home folder; nothing is trained or written."""

import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from typing import Any

import numpy as np

from forecaster.dataset.panel import choose_tickers
from forecaster.dataset.training_set import choose, read_inputs
from forecaster.errors import BadInputError, ForecastError, NotFoundError
from forecaster.ledger.alarms import Alarm, find_alarms
from forecaster.ledger.ledger import Ledger
from forecaster.ledger.live_scores import (
    LiveScores,
    coverage_by_month,
    daily_scores,
    gain_by_month,
    live_scores,
)
from forecaster.prices.calendar import last_closed_session
from forecaster.prices.health import TickerHealth, check_health
from forecaster.prices.known import known_prices
from forecaster.prices.market import read_market
from forecaster.prices.store import PriceStore
from forecaster.registry.calibration import calibration_at
from forecaster.registry.versions import ModelRegistry, RegisteredModel
from forecaster.report.fans import Fan, fan_of, fans_with_past
from forecaster.report.kept import KINDS, KeptResult, kept_results
from forecaster.service.prediction import Prediction, predict_stored


@dataclass(frozen=True)
class Live:
    """The ledger's scored forecasts.

    Attributes:
        scores: by model and step.
        months: coverage one session ahead by model and month, with its interval, see `live_picture`.
        gains: the same of the share of the reference's CRPS that is saved.
        alarms: what `score` would raise.
        missing: why there is nothing, in a sentence; empty if there is something.
    """

    scores: Sequence[LiveScores] = ()
    months: Sequence[Mapping[str, Any]] = ()
    gains: Sequence[Mapping[str, Any]] = ()
    alarms: Sequence[Alarm] = ()
    missing: str = ""


@dataclass(frozen=True)
class ReportData:
    """All that a report shows.

    Attributes:
        home: the folder.
        made: the clock.
        model: NAME@VERSION whose forecasts are shown; empty where there is none.
        card: of the model; empty without one.
        no_model: why there is none; empty where there is one.
        predictions: of the tickers that can be predicted.
        fans: of each prediction.
        failures: by ticker, why it cannot be predicted.
        results: the newest of each kind that is kept, and of the laboratory's memory one for each task.
        live: the ledger.
        health: of each ticker.
    """

    home: Path
    made: datetime
    model: str = ""
    card: Mapping[str, Any] = field(default_factory=dict)
    no_model: str = ""
    predictions: Sequence[Prediction] = ()
    fans: Sequence[Fan] = ()
    failures: Mapping[str, ForecastError] = field(default_factory=dict)
    results: Sequence[KeptResult] = ()
    live: Live = field(default_factory=Live)
    health: Sequence[TickerHealth] = ()

    def result(self, kind: str) -> KeptResult | None:
        """The newest of a kind."""
        return next((result for result in self.results if result.kind == kind), None)


def collect(home: Path, tickers: Sequence[str] | None, reference: str | None, moment: datetime) -> ReportData:
    """What is there at a moment.

    Args:
        home: the folder.
        tickers: symbols; None for all that are stored.
        reference: NAME or NAME@VERSION of the model; None for the one in service.
        moment: the clock.

    Raises:
        NotFoundError: no prices are stored, or a ticker or a model that was named is not there.
        BadInputError: the clock is behind the prices, or the model that was named is damaged.
    """
    store = known_prices(home, moment, os.environ)
    chosen, missing = _chosen(store, tickers)
    registry = ModelRegistry(home)
    results = [result for kind in KINDS for result in _newest(home, kind, moment)]
    found: dict[str, Any] = {
        "results": results,
        "live": _live(Ledger(home), registry, moment),
        "health": [check_health(store, ticker, moment) for ticker in chosen],
    }
    try:
        model = registry.load(reference)
    except (NotFoundError, BadInputError) as error:
        if reference is not None:
            raise
        return ReportData(
            home, moment, no_model=f"{error.message}; {error.remedy}", failures=missing, **found
        )
    calibration = calibration_at(registry, model, moment)
    batch = predict_stored(
        store,
        model.network,
        chosen,
        composition=model.card.get("market", ()),
        level_map=None if calibration is None else calibration.level_map,
    )
    return ReportData(
        home,
        moment,
        model.reference,
        model.card,
        predictions=batch.predictions,
        fans=_fans(store, registry, model, batch.predictions),
        failures=missing | batch.failures,
        **found,
    )


def _chosen(store: PriceStore, tickers: Sequence[str] | None) -> tuple[list[str], dict[str, ForecastError]]:
    """The tickers that are stored, and why the others cannot be shown.

    Raises:
        NotFoundError: not one is stored.
    """
    if not tickers:
        return list(choose_tickers(store, None)), {}
    stored: list[str] = []
    missing: dict[str, ForecastError] = {}
    for ticker in tickers:
        try:
            stored += choose_tickers(store, [ticker])
        except NotFoundError as error:
            missing[ticker] = error
    if not stored:
        raise next(iter(missing.values()))
    return stored, missing


def _newest(home: Path, kind: str, moment: datetime) -> list[KeptResult]:
    """The newest of a kind that a replay can know; of memory the newest of each task."""
    newest: dict[Any, KeptResult] = {}
    for result in kept_results(home, kind):
        if datetime.fromisoformat(result.made) > moment:
            continue
        newest.setdefault(result.document.get("task"), result)
        if kind != "lab-memory":
            break
    return list(newest.values())


def _fans(
    store: PriceStore, registry: ModelRegistry, model: RegisteredModel, predictions: Sequence[Prediction]
) -> list[Fan]:
    if not predictions:
        return []
    name, version = registry.resolve(model.reference)
    evaluated = registry.load_evaluated(name, version)
    chosen = choose(store, [each.ticker for each in predictions])
    composition = model.card.get("market", ())
    market = read_market(store, composition) if composition else None
    try:
        panel = read_inputs(store, chosen, market).panel()
        unseen_after = np.datetime64(model.card["split"]["validation_end"], "D")
        return fans_with_past(predictions, panel, evaluated, unseen_after)
    except BadInputError:  # a ticker whose full history does not fit the others' still has its forecast
        return [fan_of(prediction) for prediction in predictions]


def _live(ledger: Ledger, registry: ModelRegistry, moment: datetime) -> Live:
    until = last_closed_session(moment)
    try:
        scores = live_scores(ledger, until)
    except (NotFoundError, BadInputError) as error:
        return Live(missing=error.message)
    days = {row.model: daily_scores(ledger, row.model, 1, until) for row in scores if row.step == 1}
    months = [month for model, daily in days.items() for month in coverage_by_month(model, daily)]
    gains = [month for model, daily in days.items() for month in gain_by_month(model, daily)]
    return Live(scores, months, gains, find_alarms(ledger, registry.names(), moment))
