"""The four steps of the night's work: each gives a sentence, or raises what the user should know."""

from collections.abc import Callable, Mapping
from datetime import datetime

from forecaster.errors import BadInputError, ForecastError, NotFoundError, TryLaterError
from forecaster.ledger.alarms import find_alarms
from forecaster.ledger.ledger import Ledger
from forecaster.ledger.scoring import fill_outcomes
from forecaster.prices.store import PriceStore
from forecaster.registry.versions import ModelRegistry, RegisteredModel
from forecaster.service.events import log_alarms
from forecaster.service.prediction import Prediction, predict
from forecaster.service.refreshing import refresh_prices
from forecaster.settings import Settings

Step = Callable[[Settings, datetime], str]
_LEVEL = 90


def fetch_step(settings: Settings, now: datetime) -> str:
    """Bring Yahoo's tickers up to date; those it does not know any more are no failure.

    Raises:
        ForecastError: some could not be brought up to date.
    """
    fetched = refresh_prices(settings, now)
    if fetched.failures:
        raise TryLaterError(
            f"{len(fetched.failures)} of {fetched.tickers} tickers failed, the first: {fetched.failures[0]}",
            "what is stored stays as it was; the next run asks again",
        )
    text = f"tickers asked for: {fetched.tickers}, unknown to Yahoo: {len(fetched.unknown)}"
    return f"{text}, from other sources: {fetched.other_sources}"


def retrain_step(settings: Settings, now: datetime) -> str:
    """Retrain every model whose prices are old enough.

    Raises:
        ForecastError: there is no model, one could not be retrained, or one is worse than naive and its
            challenger no better.
    """
    from forecaster.service.retraining import retrain

    registry = ModelRegistry(settings.home)
    told: list[str] = []
    failures: list[ForecastError] = []
    for name in registry.names() or [registry.default_name()]:
        try:
            done = retrain(settings, name, now, lambda *_: None, if_stale=settings.run.retrain_after)
        except ForecastError as error:
            failures.append(type(error)(f"{name}: {error.message}", error.remedy))
            continue
        told.append(f"{name}: {done.outcome}")
        decision = done.decision
        if decision is not None and decision.champion_worse_than_naive and not decision.promote:
            failures.append(
                ForecastError(
                    f"{name}@{done.champion} is worse than the naive forecast and so is its challenger",
                    "train another with `forecast train`",
                )
            )
    if failures:
        raise failures[0]
    return ", ".join(told)


def predict_step(settings: Settings, now: datetime) -> str:
    """Record every champion's forecast of every ticker; one with too few prices is left out.

    Raises:
        ForecastError: a champion cannot be loaded, or can forecast no ticker at all.
    """
    registry, store = ModelRegistry(settings.home), PriceStore(settings.home)
    new = left_out = 0
    failures: list[ForecastError] = []
    for name in registry.names() or [registry.default_name()]:
        try:
            predictions, refused = _predict_all(registry.load(name), store, now)
        except ForecastError as error:
            failures.append(type(error)(f"{name}: {error.message}", error.remedy))
            continue
        new += Ledger(settings.home).record(predictions, now).new
        left_out += refused
    if failures:
        raise failures[0]
    return f"forecasts recorded: {new}, tickers without enough prices: {left_out}"


def _predict_all(model: RegisteredModel, store: PriceStore, now: datetime) -> tuple[list[Prediction], int]:
    """One model's forecasts of all tickers, and how many tickers have too few prices.

    Raises:
        BadInputError: all of them.
    """
    predictions: list[Prediction] = []
    refusals: list[BadInputError] = []
    for ticker in store.tickers():
        try:
            predictions.append(predict(store, model, ticker, now, None, _LEVEL))
        except BadInputError as error:
            refusals.append(error)
    if refusals and not predictions:
        raise refusals[0]
    return predictions, len(refusals)


def score_step(settings: Settings, now: datetime) -> str:
    """Score the forecasts whose day is over.

    Raises:
        ForecastError: a model went wrong beyond chance, or the ledger is damaged.
    """
    ledger = Ledger(settings.home)
    try:
        filled = fill_outcomes(ledger, PriceStore(settings.home), now)
    except NotFoundError:
        return "nothing was recorded yet"
    alarms = find_alarms(ledger, ModelRegistry(settings.home).names(), now)
    log_alarms(settings.home, now, alarms)
    if alarms:
        more = f" (and {len(alarms) - 1} more)" if len(alarms) > 1 else ""
        raise ForecastError(f"alarm: {alarms[0].text}{more}", "`forecast score` tells more")
    return f"forecasts scored: {filled.scored}, still open: {filled.still_open}"


STEPS: Mapping[str, Step] = {
    "fetch": fetch_step,
    "retrain": retrain_step,
    "predict": predict_step,
    "score": score_step,
}
