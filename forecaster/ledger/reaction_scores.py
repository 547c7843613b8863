"""Live scores on the days on which prices react to a report, beside those of all other days.

A forecast is one with a report if a reaction day lies after its origin and not after its target. Which days
these were is told afterwards, by the dates and prices that are stored now: it need not be what was known when
the forecast was made.
"""

from dataclasses import dataclass, field
from datetime import datetime

import numpy as np

from forecaster.dataset.panel import latest_days
from forecaster.dataset.report_features import reacted_days
from forecaster.errors import ForecastError
from forecaster.evaluation.breakdown import REACTIONS
from forecaster.ledger.ledger import Ledger, Spans
from forecaster.ledger.live_scores import LiveScores, live_scores
from forecaster.prices.calendar import last_closed_session, local_date, sessions_between
from forecaster.prices.earnings.store import read_reports
from forecaster.prices.earnings.table import EarningsTable, known_on
from forecaster.prices.market import MarketSeries
from forecaster.prices.store import PriceStore

TOLD_FOR = 140
"""Days after a ticker's last date for which it tells that there was no other report: a quarter and a half."""
HABIT_DAYS = 2000
"""Sessions before the first forecast from which a ticker's habit is told; predictions read as many."""
_NO_MARKET = MarketSeries(np.empty(0, "datetime64[D]"), np.empty(0), np.empty(0, np.int64))
_FETCH = "`forecast fetch --earnings yahoo` brings them"
_GROUP = f"""CASE
    WHEN EXISTS (SELECT 1 FROM reaction WHERE reaction.ticker = forecasts.ticker
        AND reaction.first > forecasts.origin AND reaction.first <= forecasts.target) THEN '{REACTIONS[1]}'
    WHEN EXISTS (SELECT 1 FROM told WHERE told.ticker = forecasts.ticker
        AND forecasts.target BETWEEN told.first AND told.last) THEN '{REACTIONS[0]}'
    ELSE '' END"""  # noqa: S608


@dataclass(frozen=True)
class ReactionScores:
    """Scores of forecasts with and without a report to react to.

    Attributes:
        rows: by model and step, of the groups `no report` and `report`.
        left_out: how many scored forecasts are in neither: no dates of their ticker tell of their days.
        why: why there are no rows, in a sentence; empty where there are some.
    """

    rows: list[LiveScores] = field(default_factory=list)
    left_out: int = 0
    why: str = ""


def reaction_scores(ledger: Ledger, store: PriceStore, now: datetime) -> ReactionScores:
    """Score the forecasts with a report to react to apart from the others.

    Args:
        ledger: the recorded forecasts, scored as far as they can be.
        store: prices as they are known at `now`, beside which the dates are kept.
        now: the clock of the command.

    Raises:
        ForecastError: as `Ledger`.
    """
    until = last_closed_session(now)
    count, first = ledger.select(
        "SELECT COUNT(*), MIN(origin) FROM forecasts WHERE log_return IS NOT NULL AND target <= ?", str(until)
    )[0]
    if not count:
        return ReactionScores(why="no forecast is scored yet")
    tickers = [row[0] for row in ledger.select("SELECT DISTINCT ticker FROM forecasts")]
    kept = read_reports(store.home, tickers)
    if kept.fault:
        return ReactionScores(left_out=count, why=kept.fault)
    if kept.table is None:
        whose = "of these tickers " if kept.any_kept else ""
        return ReactionScores(left_out=count, why=f"no earnings dates {whose}are stored; {_FETCH}")
    found = known_on(kept.table, local_date(now))
    beside = _spans(store, found.take(found.live), np.datetime64(first, "D"), until)
    rows = live_scores(ledger, until, _GROUP, beside)
    grouped = [row for row in rows if row.group]
    why = "" if grouped else f"the earnings dates that are stored tell of none of these forecasts; {_FETCH}"
    return ReactionScores(grouped, sum(row.forecasts for row in rows if not row.group), why)


def _spans(store: PriceStore, found: EarningsTable, first: np.datetime64, until: np.datetime64) -> Spans:
    """The tickers' reaction days, and the days for which their dates tell whether there was a report.

    Args:
        store: the prices; a ticker without any is left out.
        found: the announcements that hold.
        first: the first origin of the ledger; before it, prices tell of habits alone.
        until: the last session that has closed.
    """
    tables = [
        table
        for table in store.read_each(np.unique(found.ticker).tolist(), ("close", "adj_close"))
        if not isinstance(table, ForecastError)
    ]
    found = found.of([table.ticker for table in tables])
    reaction, told = list[tuple[str, str, str]](), list[tuple[str, str, str]]()
    if not len(found):
        return {"reaction": reaction, "told": told}
    begins = max(first, min(table.dates[0] for table in tables))
    days = HABIT_DAYS + len(sessions_between(begins, until))
    latest = latest_days(tables, _NO_MARKET, days, found)
    reacted = reacted_days(latest)
    if reacted is not None:
        rows, places = np.nonzero(reacted & (latest.dates > first))
        dates = latest.dates[rows, places].astype(str).tolist()
        reaction = [(latest.tickers[row], date, date) for row, date in zip(rows, dates, strict=True)]
    names, starts = np.unique(found.ticker, return_index=True)
    ends = np.append(starts[1:], len(found)) - 1
    last = found.date[ends] + np.timedelta64(TOLD_FOR, "D")
    spans = zip(names.tolist(), found.date[starts].astype(str), last.astype(str), strict=True)
    told = [(ticker, str(begin), str(end)) for ticker, begin, end in spans]
    return {"reaction": reaction, "told": told}
