"""Predict tickers from a registered network, all of them as one batch and without Keras."""

from collections.abc import Collection, Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from functools import cache
from itertools import islice
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from forecaster.dataset.features import Features, compute_features
from forecaster.dataset.panel import (
    BRIDGE_SPAN,
    MOST_BRIDGED,
    PANEL_COLUMNS,
    LatestDays,
    last_bars,
    latest_days,
)
from forecaster.dataset.report_features import is_report_feature
from forecaster.dataset.reports_ahead import ReportAhead, reports_ahead
from forecaster.dataset.volatility import WARM_UP
from forecaster.errors import BadInputError, ForecastError, UsageError, name_some
from forecaster.evaluation.baselines import LINEAR_T, RISKMETRICS_T, random_walk, riskmetrics_walk
from forecaster.evaluation.forecasts import Origins, in_returns
from forecaster.network.calibrated import CalibratedDistribution, LevelMap
from forecaster.network.network import Network
from forecaster.network.student_t import ForecastDistribution
from forecaster.prices.calendar import last_closed_session, local_date, next_sessions, session_count
from forecaster.prices.earnings.store import read_reports
from forecaster.prices.earnings.table import EarningsTable
from forecaster.prices.exchanges import XNYS
from forecaster.prices.market import MarketSeries, ThinDay, read_market, thin_days
from forecaster.prices.store import PriceStore
from forecaster.prices.table import PriceTable
from forecaster.registry.versions import RegisteredModel

if TYPE_CHECKING:
    from forecaster.ledger.ledger import ForecastRows

# By then the slowest of the features' exponential means has forgotten all but 1e-13 of its start.
_WARM_UP_DAYS = 1000
# A quarter is a step of the means over reports: 32 leave 0.1 % of the usual reaction's start.
_REPORTS_WARM_UP_DAYS = 2000
_TICKERS_AT_ONCE = 512
"""As many as the network answers at once; thousands with all their days would take gigabytes."""
_MOVE_LEVEL = 68
LEAST_LEVEL, MOST_LEVEL = 1, 99.9
_HISTORY_DAYS = 63

Prices = NDArray[np.float64]


@dataclass(frozen=True)
class Prediction:
    """A dated forecast of one ticker for H sessions ahead, in the currency of its prices.

    Prices are the last close as it is quoted, times what the forecast says of its growth; a dividend or
    split on the way would have to be given back.

    Attributes:
        ticker: the symbol.
        last_date, last_close: the close it was made at, as quoted.
        dates: (H,) the sessions of its exchange that are predicted.
        median: (H,).
        intervals: by level in per cent, lower and upper ends (2, H).
        naive_intervals: the same of the naive forecast, whose median is the last close.
        expected_move: (H,) half the width of the central 68 % of the log return, in per cent.
        distribution: (H,) of the cumulative log return from the last close, as the network has it: what the
            ledger holds, and what recalibration learns from.
        recalibrated: what the median, the intervals and all chances are of: `distribution` recalibrated, or
            itself where nothing is known to recalibrate it by.
        naive_distribution: (H,) of the naive forecast, a normal.
        reference: the simple forecast that it is to be compared with, linear-t or riskmetrics-t.
        reference_distribution: (H,) of that.
        history_dates, history: the closes of the last months, adjusted for splits and dividends up to the
            last close, for a chart.
        calendar: of its exchange.
        currency: of the prices; empty where it is not known.
        bridged: the sessions without a bar among the days that the network looked back on.
        thin_market: those of these days on which fewer than half of the market's members have a return.
        reports: the company's reports to which one of the sessions reacts, as far as they were known.
        reports_known: whether a date is known from which its coming reports follow.
        reports_read: whether the network reads such dates: what it says rests on them, or knows of none.
    """

    ticker: str
    last_date: np.datetime64
    last_close: float
    dates: NDArray[np.datetime64]
    median: Prices
    intervals: dict[float, Prices]
    naive_intervals: dict[float, Prices]
    expected_move: Prices
    distribution: ForecastDistribution
    recalibrated: ForecastDistribution | CalibratedDistribution
    naive_distribution: ForecastDistribution
    reference: str
    reference_distribution: ForecastDistribution
    history_dates: NDArray[np.datetime64]
    history: Prices
    calendar: str = XNYS
    currency: str = ""
    bridged: tuple[str, ...] = ()
    thin_market: tuple[ThinDay, ...] = ()
    reports: tuple[ReportAhead, ...] = ()
    reports_known: bool = False
    reports_read: bool = False

    def report_move(self, report: ReportAhead) -> float | None:
        """The expected move over a report, in per cent; None where the network does not know its day.

        It is that of the session of the reaction alone: the root of what that adds to the square of
        `expected_move`, none if that shrinks. So would the moves of independent days add up. A projected
        report is spread over the days around it, and has no session of its own.
        """
        if not self.reports_read or report.likely:
            return None
        before, by_then = np.concatenate([[0.0], self.expected_move])[report.step - 1 : report.step + 1]
        return float(np.sqrt(max(by_then**2 - before**2, 0.0)))

    def sessions_old(self, now: datetime) -> int:
        """How many sessions have closed since the last price."""
        return _session_count(self.last_date, last_closed_session(now, self.calendar), self.calendar)


@dataclass(frozen=True)
class Batch:
    """The tickers that could be predicted, in the order asked for, and why the others could not.

    `dates_fault` is why the earnings dates could not be read, empty if they could; `dates_kept` whether any
    are kept, of whatever ticker.
    """

    predictions: tuple[Prediction, ...]
    failures: dict[str, ForecastError]
    dates_fault: str = ""
    dates_kept: bool = False


def predict_stored(
    store: PriceStore,
    network: Network,
    tickers: Sequence[str],
    horizon: int | None = None,
    levels: Sequence[float] = (50, 90),
    market: MarketSeries | None = None,
    composition: Collection[str] = (),
    reference: Network | None = None,
    level_map: LevelMap | None = None,
) -> Batch:
    """Predict stored tickers from their last closes; one that cannot be predicted costs only itself.

    Args:
        store: prices.
        network: any trained network.
        tickers: symbols.
        horizon: steps, at most those trained for (None: all of them).
        levels: of the intervals, in per cent.
        market: the market's daily return; without it the mean over `composition`.
        composition: the tickers whose mean the network's market was, as its card records them; empty for all
            that are stored.
        reference: the network's linear-t; RiskMetrics-t is the reference without it.
        level_map: what recalibration of the network's forecasts has come to; None to leave them as they are.

    Raises:
        UsageError: more steps than the network was trained for, or a level that is none.
    """
    check_levels(levels)
    checked_steps(horizon, network.horizon)
    failures: dict[str, ForecastError] = {}

    def sound() -> Iterator[PriceTable]:
        for ticker, read in zip(tickers, store.read_each(tickers, PANEL_COLUMNS), strict=True):
            if isinstance(read, ForecastError):
                failures[ticker] = read
            else:
                yield read

    known_market = market or read_market(store, composition)
    known = read_reports(store.home, tickers)
    today = None if store.as_of is None else local_date(store.as_of)
    batch = predict_tables(
        network, sound(), known_market, horizon, levels, reference, known.table, today, level_map
    )
    if len(failures) == len(tickers):
        return Batch((), failures)
    failures |= batch.failures
    ordered = {ticker: failures[ticker] for ticker in tickers if ticker in failures}
    return Batch(batch.predictions, ordered, known.fault, known.any_kept)


def predict_tables(
    network: Network,
    tables: Iterable[PriceTable],
    market: MarketSeries,
    horizon: int | None = None,
    levels: Sequence[float] = (50, 90),
    reference: Network | None = None,
    reports: EarningsTable | None = None,
    as_of: np.datetime64 | None = None,
    level_map: LevelMap | None = None,
) -> Batch:
    """As `predict_stored`, from price tables and the market's daily return; few tables are held at a time.

    `reports` are the tickers' announcements, as known on the day `as_of`.

    Raises:
        UsageError: more steps than the network was trained for, or a level that is none.
    """
    check_levels(levels)
    steps = checked_steps(horizon, network.horizon)
    days = _days_read(network)
    predictions: list[Prediction] = []
    failures: dict[str, ForecastError] = {}
    waiting = (last_bars(table, days) for table in tables)
    while part := list(islice(waiting, _TICKERS_AT_ONCE)):
        bars, spreads = zip(*part, strict=True)
        own = None if reports is None else reports.of([table.ticker for table in bars])
        latest = latest_days(bars, market, days, own, as_of, spreads)
        batch = _predict_latest(network, latest, bars, market, steps, levels, reference, level_map)
        predictions += batch.predictions
        failures |= batch.failures
    return Batch(tuple(predictions), failures)


def _predict_latest(
    network: Network,
    latest: LatestDays,
    tables: Sequence[PriceTable],
    market: MarketSeries,
    steps: int,
    levels: Sequence[float],
    reference: Network | None,
    level_map: LevelMap | None,
) -> Batch:
    """As `predict_tables`, from the last bars of tickers that are held all at once."""
    reads_reports = any(is_report_feature(name) for name in network.features)
    features = compute_features(latest, network.features)
    outlooks = reports_ahead(latest, latest.reports, features.volatility, steps)
    forecast, valid = forecast_latest(network, features)
    walk = random_walk(0.0, latest.past_spread, np.inf, network.horizon)  # the naive forecast
    simple = _simple_forecast(reference, features, network.horizon)
    shown = None if level_map is None else level_map.first(steps)
    inside = _quantiles(forecast, [*levels, _MOVE_LEVEL], steps, shown)
    median = _at_levels(forecast, np.array([0.5]), steps, shown)[..., 0]
    naive = _quantiles(walk, levels, steps)
    predictions: list[Prediction] = []
    failures: dict[str, ForecastError] = {}
    markets = {name: market.of(name) for name in set(latest.calendars)}
    for row, ticker in enumerate(latest.tickers):
        if valid[row] < network.lookback:
            failures[ticker] = _too_few_days(tables[row], latest, row, network.lookback)
            continue
        thin = thin_days(markets[tables[row].calendar], latest.dates[row, -network.lookback :])
        if sum(not day.tickers for day in thin) > MOST_BRIDGED:
            failures[ticker] = _unknown_market(ticker, thin, network.lookback)
            continue
        last_close, last_date = float(latest.close[row, -1]), latest.dates[row, -1]
        ends, walk_ends = last_close * np.exp(inside[:-1, :, row]), last_close * np.exp(naive[:, :, row])
        past = np.flatnonzero(np.isfinite(latest.adjusted[row]))[-_HISTORY_DAYS:]
        predictions.append(
            Prediction(
                ticker=ticker,
                last_date=last_date,
                last_close=last_close,
                dates=_next_sessions(last_date, steps, tables[row].calendar),
                median=last_close * np.exp(median[row]),
                intervals=dict(zip(levels, ends, strict=True)),
                naive_intervals=dict(zip(levels, walk_ends, strict=True)),
                expected_move=100 * np.diff(inside[-1, :, row], axis=0)[0] / 2,
                distribution=_row(forecast, row, steps),
                recalibrated=_recalibrated(_row(forecast, row, steps), shown),
                naive_distribution=_row(walk, row, steps),
                reference=RISKMETRICS_T if reference is None else LINEAR_T,
                reference_distribution=_row(simple, row, steps),
                history_dates=latest.dates[row, past],
                history=latest.adjusted[row, past],
                calendar=tables[row].calendar,
                currency=tables[row].currency,
                bridged=_days_without_bar(latest, row, network.lookback),
                thin_market=thin,
                reports=outlooks[row].reports,
                reports_known=outlooks[row].known,
                reports_read=reads_reports,
            )
        )
    return Batch(tuple(predictions), failures)


def latest_features(
    network: Network,
    tables: Sequence[PriceTable],
    market: MarketSeries,
    reports: EarningsTable | None = None,
    as_of: np.datetime64 | None = None,
) -> tuple[LatestDays, Features]:
    """The last days of price tables, and the network's inputs on them, as its forecasts read them.

    The arguments are those of `predict_tables`.
    """
    latest = latest_days(tables, market, _days_read(network), reports, as_of)
    return latest, compute_features(latest, network.features)


def _days_read(network: Network) -> int:
    """The days that it looks back on, and those before them that its inputs' means rest on."""
    reads_reports = any(is_report_feature(name) for name in network.features)
    return network.lookback + (_REPORTS_WARM_UP_DAYS if reads_reports else _WARM_UP_DAYS)


def forecast_latest(network: Network, features: Features) -> tuple[ForecastDistribution, NDArray[np.int64]]:
    """The network's distributions of cumulative log returns from each ticker's last day, (N, H).

    Returns:
        The distributions, and (N,) how many of the last `lookback` days can be used: a forecast holds only
        where all of them can.
    """
    lookback = network.lookback
    valid = features.valid_input[:, -lookback:].sum(1)
    raw = network.head_output(features.values[:, -lookback:], 1)[:, -1]
    return in_returns(network.distribution(raw), features, _last_days(features)), valid


def _simple_forecast(reference: Network | None, features: Features, horizon: int) -> ForecastDistribution:
    """The reference's distributions, (N, H)."""
    if reference is None:
        return riskmetrics_walk(features.volatility[:, -1], horizon)
    return forecast_latest(reference, features)[0]


def ledger_rows(model: str, predictions: Sequence[Prediction]) -> "ForecastRows":
    """The predictions of NAME@VERSION as the ledger records them, a row for each ticker and step."""
    from forecaster.ledger.ledger import ForecastRows  # SQLite, for those who record

    name, _, version = model.partition("@")
    counts = [len(each.dates) for each in predictions]
    return ForecastRows(
        model=name,
        version=int(version),
        ticker=np.repeat(np.array([each.ticker for each in predictions], dtype=object), counts),
        origin=np.repeat(np.array([each.last_date for each in predictions], "datetime64[D]"), counts),
        step=np.concatenate([np.arange(1, count + 1) for count in counts] or [np.empty(0, int)]),
        target=np.concatenate([each.dates for each in predictions] or [np.empty(0, "datetime64[D]")]),
        last_close=np.repeat(np.array([each.last_close for each in predictions]), counts),
        forecast=_joined([each.distribution for each in predictions]),
        naive=_joined([each.naive_distribution for each in predictions]),
        reference=predictions[0].reference if predictions else RISKMETRICS_T,
        simple=_joined([each.reference_distribution for each in predictions]),
        calendars={each.ticker: each.calendar for each in predictions},
    )


def check_recordable(model: RegisteredModel, store: PriceStore, now: datetime) -> None:
    """See that a model's forecasts could have been made at `now`: the ledger holds no others.

    Raises:
        BadInputError: it knows prices that are later.
    """
    if knows_later_prices(model, store, now):
        raise BadInputError(
            f"{model.reference} knows prices up to {model.card['prices']['last_day']}, and the clock says "
            f"{now:%Y-%m-%d}: its forecasts could not have been made then, so they are not recorded",
            "predict without --record, or train a model with the same FORECAST_NOW",
        )


def knows_later_prices(model: RegisteredModel, store: PriceStore, now: datetime) -> bool:
    """Whether a model was trained on prices later than the last close at `now` on each calendar stored."""
    calendars = read_market(store.whole()).calendars or (XNYS,)
    closed = max(last_closed_session(now, calendar) for calendar in calendars)
    return bool(np.datetime64(model.card["prices"]["last_day"], "D") > closed)


def check_levels(levels: Sequence[float], said: str = "levels") -> None:
    """See that each level is a share in per cent, and another one than those before it.

    Args:
        levels: of central intervals.
        said: how they were given.

    Raises:
        UsageError: there is none, or one is below 1 or above 99.9, or is given twice.
    """
    if not len(levels):
        raise UsageError(f"{said}: there is none", "give at least one, like 90")
    for place, level in enumerate(levels):
        if not LEAST_LEVEL <= level <= MOST_LEVEL:
            raise UsageError(
                f"{said}: {level:g} is out of range",
                f"a level is from {LEAST_LEVEL} to {MOST_LEVEL} per cent",
            )
        if level in levels[:place]:
            raise UsageError(f"{said}: {level:g} is given twice", "give each level once")


def checked_steps(horizon: int | None, trained: int) -> int:
    """The steps to predict.

    Raises:
        UsageError: the network was not trained for so many.
    """
    if horizon is not None and not 1 <= horizon <= trained:
        raise UsageError(
            f"--horizon {horizon}: this network predicts 1 to {trained} sessions ahead",
            f"train one that goes further with `forecast train --horizon {max(horizon, 1)}`",
        )
    return horizon or trained


def _days_without_bar(latest: LatestDays, row: int, lookback: int) -> tuple[str, ...]:
    dates, close = latest.dates[row, -lookback:], latest.close[row, -lookback:]
    return tuple(dates[np.isnan(close) & ~np.isnat(dates)].astype(str).tolist())


def _too_few_days(table: PriceTable, latest: LatestDays, row: int, lookback: int) -> BadInputError:
    """Why a ticker cannot be predicted: it is too young, or too many of its last days have no bar."""
    needed = lookback + WARM_UP
    if len(table) < needed:
        return BadInputError(
            f"{table.ticker} has {len(table)} bars, {needed} are needed: the network looks back {lookback} "
            f"sessions, after {WARM_UP} more",
            "fetch more of its history, or predict it with a network of a shorter --lookback",
        )
    missing = _days_without_bar(latest, row, needed)
    return BadInputError(
        f"{table.ticker}: {len(missing)} of its last {needed} sessions on the calendar {table.calendar} have "
        f"no bar: {name_some(missing)}; at most {MOST_BRIDGED} of {BRIDGE_SPAN} are bridged",
        "fetch the missing days (`forecast data status` names them); if its exchange was closed on them, "
        "import it with the right --calendar",
    )


def _unknown_market(ticker: str, thin: Sequence[ThinDay], lookback: int) -> BadInputError:
    unknown = [day for day in thin if not day.tickers]
    return BadInputError(
        f"{ticker}: on {len(unknown)} of the {lookback} days that the network looks back on, the last "
        f"{unknown[-1].date}, no member of the market that it was trained with has a return; "
        f"at most {MOST_BRIDGED} such days are passed over",
        MARKET_REMEDY,
    )


MARKET_REMEDY = "bring its members up to date with `forecast fetch`, or train a model on what is stored"


def _quantiles(
    forecast: ForecastDistribution, levels: Sequence[float], steps: int, level_map: LevelMap | None = None
) -> Prices:
    """(levels, 2, N, steps) lower and upper ends of the central intervals of the log return."""
    tails = (1 - np.array(levels, dtype=np.float64) / 100) / 2
    ends = _at_levels(forecast, np.concatenate([tails, 1 - tails]), steps, level_map)
    return np.moveaxis(ends, -1, 0).reshape(2, len(levels), *ends.shape[:2]).swapaxes(0, 1)


def _at_levels(
    forecast: ForecastDistribution, levels: Prices, steps: int, level_map: LevelMap | None
) -> Prices:
    """Quantiles at Q levels of the first steps, recalibrated where there is a map, (N, steps, Q)."""
    if level_map is None:
        return forecast.quantile(levels)[:, :steps]
    raw = level_map.to_raw(np.repeat(levels[:, None], steps, 1))[:, None]  # (Q, 1, steps)
    found = _first_steps(forecast, steps).value_at(raw)
    return np.moveaxis(found, 0, -1)


def _recalibrated(
    forecast: ForecastDistribution, level_map: LevelMap | None
) -> ForecastDistribution | CalibratedDistribution:
    return forecast if level_map is None else CalibratedDistribution(forecast, level_map)


def _first_steps(forecast: ForecastDistribution, steps: int) -> ForecastDistribution:
    return ForecastDistribution(
        forecast.location[:, :steps], forecast.scale[:, :steps], forecast.degrees_of_freedom[:, :steps]
    )


def _last_days(features: Features) -> Origins:
    tickers, days = features.valid_input.shape
    return Origins(np.arange(tickers), np.full(tickers, days - 1))


def _row(forecast: ForecastDistribution, row: int, steps: int) -> ForecastDistribution:
    return ForecastDistribution(
        forecast.location[row, :steps], forecast.scale[row, :steps], forecast.degrees_of_freedom[row, :steps]
    )


def _joined(parts: Sequence[ForecastDistribution]) -> ForecastDistribution:
    empty = [np.empty(0)]
    return ForecastDistribution(
        np.concatenate([part.location for part in parts] or empty),
        np.concatenate([part.scale for part in parts] or empty),
        np.concatenate([part.degrees_of_freedom for part in parts] or empty),
    )


@cache
def _next_sessions(after: np.datetime64, count: int, calendar: str) -> NDArray[np.datetime64]:
    return next_sessions(after, count, calendar)


@cache
def _session_count(after: np.datetime64, through: np.datetime64, calendar: str) -> int:
    return session_count(after, through, calendar)
