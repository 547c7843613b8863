"""The reports that fall into a forecast: what was known of them when it was made, which session reacts."""

from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from forecaster.dataset.panel import LatestDays
from forecaster.dataset.reactions import lay_out, read_habit
from forecaster.dataset.report_features import coming_sessions
from forecaster.prices.earnings.projection import YEAR, project
from forecaster.prices.earnings.table import PROJECTED, EarningsTable, joined, known_on


@dataclass(frozen=True)
class ReportAhead:
    """A report to which a session of a forecast reacts.

    Attributes:
        date: the day of the announcement.
        when: before, during or after the session, or unknown.
        status: scheduled; projected; or reported, between the last close and the forecast.
        source: as in `EarningsTable`; projection where no source has the date.
        reaction_date: the first session whose close comes after the news; told by the ticker's habit where
            it is unknown when that comes.
        step: that session's place in the forecast, from 1.
    """

    date: np.datetime64
    when: str
    status: str
    source: str
    reaction_date: np.datetime64
    step: int

    @property
    def likely(self) -> bool:
        """Whether the date is projected, from last year's or by its source, and may be off by days."""
        return self.status == PROJECTED


class Outlook(NamedTuple):
    """The reports in one ticker's forecast, by step, and whether any date is known that tells of them.

    That is one of the year before the last close, or a later one: from older ones nothing follows.
    """

    reports: tuple[ReportAhead, ...] = ()
    known: bool = False


def reports_ahead(
    latest: LatestDays, found: EarningsTable | None, sigma: NDArray[np.float32], steps: int
) -> list[Outlook]:
    """What each of N tickers' forecasts of so many steps knows of reports, and nothing that came later.

    Args:
        latest: the days that the forecasts look back on; `as_of` is the day on which they are made, without
            it each ticker's last.
        found: announcements, as `reports` gives them; None where none are kept.
        sigma: (N, D) the volatility known at each day's close.
        steps: H.
    """
    outlooks = [Outlook()] * len(latest.tickers)
    if found is None or not len(found):
        return outlooks
    expected = _expected(latest, found)
    coming = coming_sessions(latest, steps)
    habit = read_habit(
        lay_out(found, latest.tickers, latest.dates, coming, latest.as_of), latest.log_return, sigma
    )
    laid = lay_out(expected, latest.tickers, latest.dates, coming)
    last = latest.shape[1] - 1
    by_habit = habit.reports_after_close(laid.ticker, np.full(len(expected), last))
    late = np.where(laid.when == 0, by_habit, laid.when > 0)
    step = np.where(late, laid.after, laid.here) - last
    for row, final in enumerate(latest.dates[:, -1]):
        mine = laid.ticker == row
        inside = np.flatnonzero(mine & (step >= 1) & (step <= steps))
        reports = tuple(
            ReportAhead(
                date=expected.date[place],
                when=str(expected.when[place]),
                status=str(expected.status[place]),
                source=str(expected.source[place]),
                reaction_date=coming[row, step[place] - 1],
                step=int(step[place]),
            )
            for place in inside[np.argsort(step[inside], kind="stable")].tolist()
        )
        recent = expected.date[mine] + YEAR >= final
        outlooks[row] = Outlook(reports, bool(recent.any()))
    return outlooks


def _expected(latest: LatestDays, found: EarningsTable) -> EarningsTable:
    """The dates that hold on the day on which each ticker's forecast is made, and what is projected."""
    last_days, names = latest.dates[:, -1], np.array(latest.tickers)
    parts = []
    for last in np.unique(last_days):
        day = last if latest.as_of is None else latest.as_of
        known = known_on(found.of(names[last_days == last].tolist()), day)
        known = known.take(known.live)
        parts += [known, project(known, last)]
    return joined(*parts)
