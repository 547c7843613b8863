"""Earnings dates in a pandas DataFrame, as in a notebook."""

from datetime import datetime
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from forecaster.errors import BadInputError
from forecaster.prices.calendar import local_date
from forecaster.prices.earnings.files import SPELLINGS, RowReader, Rows
from forecaster.prices.earnings.projection import SOURCE
from forecaster.prices.earnings.table import (
    REPORTED,
    SCHEDULED,
    STATUSES,
    EarningsTable,
    earnings_table,
    in_order,
    merge_earnings,
    reports,
    table_of,
)
from forecaster.prices.fetching import FetchLog, Request
from forecaster.prices.importing.frames import arrow_columns, check_frame, without_index
from forecaster.prices.importing.headings import find_columns
from forecaster.prices.table import Days

if TYPE_CHECKING:
    import pandas as pd

_PLACE = "earnings"
_NAME = "frame"
_REMEDY = (
    "give one row for each announcement, with the columns ticker and date, and perhaps when (before, after) "
    "or a time"
)
_AS_STORED = ("status", "source", "known_since", "withdrawn")
"""What `Home.earnings` has beside ticker, date and when."""


class FrameReports(NamedTuple):
    """What `table.reports` makes of a DataFrame's dates, and what was said of its rows."""

    table: EarningsTable
    log: FetchLog


def reports_from_frame(frame: "pd.DataFrame", now: datetime) -> FrameReports:
    """Check a DataFrame of announcements row by row, as a file is.

    Args:
        frame: columns ticker and date at least, under any of the spellings that files may have; either may
            stand in the index. A date that is not past is known from today on. A frame as `Home.earnings`
            gives it keeps what that says of when each date was known; its projections are made anew.
        now: the clock.

    Raises:
        UsageError: it is not a DataFrame.
        BadInputError: a column is missing or has values that it may not have, or no row can be used.
    """
    check_frame(frame, _PLACE, _REMEDY)
    flat, log = without_index(frame), FetchLog()
    reader = RowReader(_PLACE, Request((), now), log, _NAME)
    try:
        block = arrow_columns(flat, _places(flat), _REMEDY)
        found = reader.parse(block, np.arange(len(flat)), None)
    except BadInputError as error:
        raise BadInputError(f"{_PLACE} cannot be used: {error.message}", _REMEDY) from error
    reader.say_notes()
    if not len(found.places):
        reason = f": {log.rejections[0].reason}" if log.rejections else ""
        raise BadInputError(f"no row of {_PLACE} can be used{reason}", _REMEDY)
    if set(_AS_STORED) <= set(flat.columns):
        table = _as_stored(flat, found)
    else:
        today = local_date(now)
        status = np.where(found.days < today, REPORTED, SCHEDULED)
        incoming = table_of(found.ticker, found.days, found.when, status, _NAME)
        table = merge_earnings(earnings_table([], _NAME), incoming, today).table
    return FrameReports(reports(table), log)


def _places(flat: "pd.DataFrame") -> dict[str, int]:
    """Where the columns stand.

    Raises:
        BadInputError: ticker or date is missing, or is there twice.
    """
    places = find_columns([str(name) for name in flat.columns], _PLACE, spellings=SPELLINGS)
    if "name" in places:
        places.setdefault("ticker", places.pop("name"))
    if missing := [role for role in ("ticker", "date") if role not in places]:
        raise BadInputError(f"it has no column {' and no column '.join(missing)}", _REMEDY)
    return {role: place for role, place in places.items() if role != "name"}


def _as_stored(flat: "pd.DataFrame", found: Rows) -> EarningsTable:
    """The rows with what the store knows of each, but for its projections.

    Raises:
        BadInputError: a column has values that it may not have.
    """
    chosen = flat.iloc[found.places]
    status, source = (np.asarray(chosen[name], str) for name in ("status", "source"))
    if unknown := sorted(set(status.tolist()) - set(STATUSES)):
        raise BadInputError(
            f"{_PLACE}: the status {unknown[0][:20]!r} is not known", f"choose from {', '.join(STATUSES)}"
        )
    announced, withdrawn = (_days(chosen[name], name) for name in ("known_since", "withdrawn"))
    table = EarningsTable(found.ticker, found.days, found.when, status, source, announced, withdrawn)
    return in_order(table.take(source != SOURCE))


def _days(column: Any, name: str) -> Days:
    import pandas as pd

    try:
        days: Days = pd.to_datetime(column).to_numpy().astype("datetime64[D]")
    except (ValueError, TypeError, OverflowError) as error:
        raise BadInputError(f"{_PLACE}: the column {name} has values that are no dates", _REMEDY) from error
    return days
