"""What is audited: the inputs of a training set, and other inputs in their place.

Nothing here computes what the audit looks at. It changes the inputs (bars, the market that was given,
earnings dates, lists of members) and lets the project's own code build a panel of them.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import date, timedelta
from zlib import crc32

import numpy as np
from numpy.typing import NDArray

from forecaster.dataset.training_set import Inputs
from forecaster.prices.calendar import ONE_DAY, sessions_between
from forecaster.prices.earnings.table import (
    AFTER,
    BEFORE,
    NO_DAY,
    SCHEDULED,
    EarningsTable,
    joined,
)
from forecaster.prices.market import MarketSeries, mean_log_return
from forecaster.prices.table import Days, Floats, PriceTable, complete
from forecaster.prices.universe import Span, Universe

PriceChange = Callable[[PriceTable], PriceTable]
MarketChange = Callable[[MarketSeries], MarketSeries]

_SHAKE = 0.15
"""The most by which the log of a price is changed: daily moves are then ten per cent on average. So wild are
the days after a cut that none of them makes a move before it look like a slip in the data, and few moves are
so large that they are looked at (`prices.soundness`), which takes time."""
_ENDS = 3  # of so many tickers one ends at the cut, as if it were delisted
_UNRECORDED_AHEAD = np.timedelta64(14, "D")
"""Days before its date from which a report may count as known where that is not recorded. The audit states
this by itself, as docs/method.md does: a rule is not checked by itself."""
_SMALLEST_MOVE = 1e-3
_BARS = ("open", "high", "low")


@dataclass(frozen=True)
class Subject:
    """What is audited.

    Attributes:
        inputs: of the training set.
        stocks: the tables whose mean the market is; None where the market's returns were given.
    """

    inputs: Inputs
    stocks: tuple[PriceTable, ...] | None

    def changed(self, prices: PriceChange, market: MarketChange) -> "Subject":
        """The same with other bars, and the market that follows; with `market`'s where it was given."""
        tables = tuple(prices(table) for table in self.inputs.tables)
        if self.stocks is None:
            return Subject(replace(self.inputs, tables=tables, market=market(self.inputs.market)), None)
        stocks = tuple(prices(table) for table in self.stocks)
        return Subject(replace(self.inputs, tables=tables, market=mean_log_return(stocks)), stocks)

    def limited(self, most: int) -> "Subject":
        """So many of its tickers, evenly from first to last; the market stays that of all."""
        tables = self.inputs.tables
        if len(tables) <= most:
            return self
        chosen = np.linspace(0, len(tables) - 1, most).round().astype(int)
        return self.of([tables[place] for place in chosen.tolist()])

    def of(self, tables: Sequence[PriceTable]) -> "Subject":
        """Some of its tickers."""
        reports = self.inputs.reports
        own = None if reports is None else reports.of([table.ticker for table in tables])
        return replace(self, inputs=replace(self.inputs, tables=tuple(tables), reports=own))


def with_other_future(subject: Subject, cut: np.datetime64, *, ends: bool = True) -> Subject:
    """The subject as it would be had everything in its bars after `cut` come differently.

    Args:
        subject: as it is.
        cut: the last day that is left alone.
        ends: whether a third of the tickers end at the cut too. On each calendar the one that goes on longest
            does not, so that the days after the cut remain.
    """
    last: dict[str, PriceTable] = {}
    for table in subject.inputs.tables:
        known = last.get(table.calendar)
        if known is None or table.dates[-1] > known.dates[-1]:
            last[table.calendar] = table
    staying = {table.ticker for table in last.values()}

    def change(table: PriceTable) -> PriceTable:
        gone = ends and table.ticker not in staying and crc32(table.ticker.encode()) % _ENDS == 0
        if gone and table.dates[0] <= cut:
            return table.take(table.dates <= cut)
        return _shaken(table, cut)

    def change_market(market: MarketSeries) -> MarketSeries:
        shake = np.random.default_rng(int(cut.astype(int))).uniform(-_SHAKE, _SHAKE, len(market.dates))
        return replace(market, mean=np.where(market.dates > cut, market.mean + shake, market.mean))

    return subject.changed(change, change_market)


def _shaken(table: PriceTable, cut: np.datetime64) -> PriceTable:
    """A table with other prices, ranges and volumes on every day after `cut`."""
    later = table.dates > cut
    count = int(later.sum())
    random = np.random.default_rng([crc32(table.ticker.encode()), int(cut.astype(int))])
    shake = random.uniform(-_SHAKE, _SHAKE, count)
    if count:
        shake[0] = np.copysign(_SHAKE, shake[0])  # the first day after the cut moves for certain
    wider = random.uniform(0, _SHAKE, (2, count))
    moves = dict.fromkeys(("open", "close", "adj_close"), shake)
    moves |= {"high": shake + wider[0], "low": shake - wider[1], "volume": random.normal(0, 1, count)}
    columns = dict(table.columns)
    for name, move in moves.items():
        columns[name] = np.array(columns[name])
        columns[name][later] *= np.exp(move)
    return replace(table, columns=columns)


def with_other_dates(found: EarningsTable, tickers: Sequence[str], cut: np.datetime64) -> EarningsTable:
    """What was known of reports on `cut`, and of all that was learned later something else.

    Later dates are moved, and what is withdrawn later stays. Each ticker reports on the day after the cut,
    which it says on that day only, and again a fortnight later, of which nobody recorded when it was said: an
    origin that knew of either by the cut would expect it.
    """
    known_from = np.where(np.isnat(found.announced), found.date - _UNRECORDED_AHEAD, found.announced)
    known, later = found.take(known_from <= cut), found.take(known_from > cut)
    known = replace(known, withdrawn=np.where(known.withdrawn > cut, NO_DAY, known.withdrawn))
    moved = replace(
        later, date=later.date + np.timedelta64(9, "D"), when=np.where(later.when == AFTER, BEFORE, AFTER)
    )
    after = cut + ONE_DAY
    said = [_announced(tickers, after, after), _announced(tickers, after + _UNRECORDED_AHEAD, NO_DAY)]
    return joined(known, moved, *said)


def _announced(tickers: Sequence[str], day: np.datetime64, known: np.datetime64) -> EarningsTable:
    """Each ticker reports on `day` before the open, as is known from `known` on (NaT: not recorded)."""
    count = len(tickers)
    return EarningsTable(
        ticker=np.array(tickers, str),
        date=np.full(count, day),
        when=np.full(count, BEFORE),
        status=np.full(count, SCHEDULED),
        source=np.full(count, "audit"),
        announced=np.full(count, known),
        withdrawn=np.full(count, NO_DAY),
    )


def with_other_members(universe: Universe, cut: date) -> Universe:
    """A universe of which nobody who belongs to it after `cut` does so any more, and all others do."""
    after = cut + timedelta(1)
    changed: dict[str, tuple[Span, ...]] = {}
    for ticker, spans in universe.spans.items():
        kept = [span for span in spans if span.first is None or span.first <= cut]
        member = any(span.last is None or span.last > cut for span in spans)
        kept = [replace(span, last=min(span.last or cut, cut)) for span in kept]
        changed[ticker] = (*kept, *(() if member else (Span(after, None),)))
    return replace(universe, spans=changed)


def shuffled(subject: Subject, seed: int) -> Subject:
    """The subject with the moves of its days in random order, the same for all tickers.

    A day keeps its return, its range and its volume together, and each ticker its own days; only what comes
    after what is chance. So nothing that was known before tells of a return; all else is as in real prices.
    """
    tables = (*subject.inputs.tables, *(subject.stocks or ()))
    days = np.unique(np.concatenate([subject.inputs.market.dates, *(table.dates for table in tables)]))
    place = np.random.default_rng(seed).permutation(len(days))

    def change(table: PriceTable) -> PriceTable:
        source = 1 + np.argsort(place[np.searchsorted(days, table.dates[1:])], kind="stable")
        source = np.concatenate([[0], source]).astype(np.intp)
        columns = table.columns
        moves = np.diff(np.log(columns["adj_close"]), prepend=np.log(columns["adj_close"][:1]))
        bars = {name: np.log(columns[name] / columns["close"])[source] for name in _BARS}
        return _walk(table, moves[source], bars, columns["volume"][source])

    def change_market(market: MarketSeries) -> MarketSeries:
        order = np.argsort(place[np.searchsorted(days, market.dates)], kind="stable")
        return replace(market, mean=market.mean[order])

    return subject.changed(change, change_market)


@dataclass(frozen=True)
class Twin:
    """Random walks in place of the prices.

    Attributes:
        subject: with them.
        deviations: of each ticker's daily log return, which is normal with mean zero.
    """

    subject: Subject
    deviations: Mapping[str, float]


def random_walk_twin(subject: Subject, seed: int) -> Twin:
    """Independent normal returns of one deviation for each ticker, on its own days.

    Ranges and volumes are drawn as well, independently of all returns: they are there, and tell nothing. A
    bar after a gap has the returns of all sessions that the gap spans.
    """
    deviations: dict[str, float] = {}

    def change(table: PriceTable) -> PriceTable:
        usual = np.diff(np.log(table.columns["adj_close"]))
        deviation = max(float(np.sqrt(np.mean(np.square(usual)))) if len(usual) else 0.0, _SMALLEST_MOVE)
        deviations[table.ticker] = deviation
        random = np.random.default_rng([seed, crc32(table.ticker.encode())])
        sessions = sessions_between(table.dates[0], table.dates[-1], table.calendar)
        own: Days = np.union1d(sessions, table.dates)
        path = np.cumsum(random.normal(0, deviation, len(own)))[np.searchsorted(own, table.dates)]
        away = deviation * np.abs(random.standard_normal((2, len(table))))
        bars = {"open": np.zeros(len(table)), "high": away[0], "low": -away[1]}
        known = {name: np.where(np.isfinite(table.columns[name]), bars[name], np.nan) for name in _BARS}
        volume = np.exp(random.normal(14, 0.5, len(table)))
        volume = np.where(np.isfinite(table.columns["volume"]), volume, np.nan)
        return _walk(table, np.diff(path, prepend=path[:1]), known, volume)

    def change_market(market: MarketSeries) -> MarketSeries:
        spread = float(np.nanstd(market.mean)) if len(market.mean) else 0.0
        random = np.random.default_rng(seed)
        return replace(market, mean=random.normal(0, max(spread, _SMALLEST_MOVE), len(market.mean)))

    return Twin(subject.changed(change, change_market), deviations)


def _walk(table: PriceTable, moves: Floats, bars: Mapping[str, Floats], volume: Floats) -> PriceTable:
    """A table of these daily moves from its first close on; `bars` are logs of prices over the close."""
    log_close: NDArray[np.float64] = np.log(table.columns["close"][0]) + np.cumsum(moves)
    # Thousands of days of a lively share can lead anywhere; only moves are looked at.
    close = np.exp(np.clip(log_close, -300, 300))
    columns = {name: close * np.exp(away) for name, away in bars.items()}
    columns |= {"close": close, "adj_close": close.copy(), "volume": volume}
    return replace(table, columns=complete(columns, len(table)))
