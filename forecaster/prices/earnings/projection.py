"""Where no date is announced: the day on which a report is likely, from the same quarter of last year."""

from typing import Literal

import numpy as np

from forecaster.prices.calendar import ONE_DAY, next_sessions
from forecaster.prices.earnings.clock import calendar_of
from forecaster.prices.earnings.table import (
    HALF_QUARTER,
    PROJECTED,
    EarningsTable,
    joined,
    known_on,
    reports,
    table_of,
)

YEAR_DAYS = 364
YEAR = np.timedelta64(YEAR_DAYS, "D")
"""From a report to the same quarter's in the next year: 52 weeks, for companies keep their weekday."""
SOURCE = "projection"
_SIDES: tuple[Literal["left", "right"], ...] = ("left", "right")


def project(found: EarningsTable, today: np.datetime64) -> EarningsTable:
    """Likely dates of the year from `today` on: last year's, unless only estimated, plus 364 days, a session.

    None lies within half a quarter of a date that is known: then the report of that quarter has come, or its
    date has been announced. A report keeps when on its day it comes.

    Args:
        found: dates as `reports` gives them.
        today: the first day that may be projected.
    """
    found = found.take(found.live)
    past = (found.date < today) & (found.status != PROJECTED)
    rows = np.flatnonzero(past & (found.date + YEAR >= today))
    likely = [found.date[row] + YEAR for row in rows]
    kept = [
        place
        for place, (row, day) in enumerate(zip(rows, likely, strict=True))
        if not _known_near(found, str(found.ticker[row]), day)
    ]
    days = [
        next_sessions(likely[place] - ONE_DAY, 1, calendar_of(str(found.ticker[rows[place]])))[0]
        for place in kept
    ]
    rows = rows[kept]
    return table_of(
        found.ticker[rows],
        np.array(days, "datetime64[D]"),
        found.when[rows],
        np.full(len(rows), PROJECTED),
        SOURCE,
    )


def expected_dates(stored: EarningsTable, today: np.datetime64) -> EarningsTable:
    """What is known on a day of past and coming reports, and after it what is only likely.

    Args:
        stored: all that is stored.
        today: the day; in a replay nothing that was learned later is known.
    """
    found = known_on(reports(stored), today)
    return joined(found, project(found, today))


def _known_near(found: EarningsTable, ticker: str, day: np.datetime64) -> bool:
    first, last = (np.searchsorted(found.ticker, ticker, side) for side in _SIDES)
    return bool((np.abs(found.date[first:last] - day) <= np.timedelta64(HALF_QUARTER, "D")).any())
