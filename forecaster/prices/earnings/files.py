"""Earnings dates from the user's own files, read as the importer reads those of prices."""

from collections.abc import Iterator, Mapping, Sequence
from datetime import date
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

import numpy as np
from numpy.typing import NDArray

from forecaster.errors import BadInputError
from forecaster.prices.calendar import local_date, zone_of
from forecaster.prices.earnings.clock import calendar_of, when_at, when_of_text
from forecaster.prices.earnings.store import FIRST_DAY, last_possible
from forecaster.prices.earnings.table import (
    PRECEDENCE,
    REPORTED,
    SCHEDULED,
    UNKNOWN,
    EarningsTable,
    Texts,
    earnings_table,
    joined,
    table_of,
)
from forecaster.prices.fetching import FetchLog, Request
from forecaster.prices.importing import headings
from forecaster.prices.importing.date_reader import SHOWN, DateReader
from forecaster.prices.importing.files import open_table, owned_group, read_files
from forecaster.prices.importing.symbols import read_tickers
from forecaster.prices.importing.text import Part
from forecaster.prices.table import Days

if TYPE_CHECKING:
    import pyarrow as pa

SPELLINGS: Mapping[str, tuple[str, ...]] = {
    "ticker": headings.SPELLINGS["ticker"],
    "name": headings.SPELLINGS["name"],
    "date": (
        *("earningsdate", "reportdate", "reporteddate", "earningsreportdate", "announcementdate"),
        *("announcedate", "releasedate", "eventstartdate", "startdatetime"),
        *headings.SPELLINGS["date"],  # last, as beside the others a date may be the end of the quarter
    ),
    "when": (
        *("when", "hour", "timing", "timeofday", "timeoftheday", "reporttime", "earningstime"),
        *("announcementtime", "releasetime", "beforeaftermarket", "markettime", "session", "time"),
    ),
}
"""In letters only, the preferred first."""


class EarningsFile:
    """A file, or a folder of them, with a row for each announcement: ticker, date, and perhaps when."""

    def __init__(self, path: str | Path) -> None:
        self.path = Path(path).expanduser()
        name = self.path.name or str(self.path)
        self.name = f"./{name}" if name in PRECEDENCE else name

    def read(self, request: Request, log: FetchLog) -> EarningsTable:
        """What is wanted of its announcements; rows that are rejected are told to `log`.

        A date that is not past is scheduled. A time that cannot be read costs only itself.

        Raises:
            NotFoundError: there is no such file.
            BadInputError: it is of no use.
        """
        found = list(read_files(self.path, request, log, self._read_part))
        if not any(map(len, found)) and (not request.tickers or log.rejections):
            why = f"the first row rejected is {log.rejections[0]}" if log.rejections else "it has no rows"
            raise BadInputError(f"{self.path} has no earnings date that can be used: {why}", "fix it")
        return joined(*found) if found else earnings_table([], self.name)

    def _read_part(
        self, part: Part, request: Request, log: FetchLog, *, in_folder: bool
    ) -> Iterator[EarningsTable]:
        opened = open_table(part, log, read_headings)
        (group,) = opened.table.groups
        group = owned_group(group, opened.sample, part, request, log, in_folder=in_folder)
        reader = RowReader(part.name, request, log, self.name)
        try:
            for block, numbers in opened.blocks:
                columns = {role: block[place] for role, place in group.columns.items() if role != "name"}
                yield reader.read(columns, numbers, group.ticker)
        except BadInputError as error:
            raise BadInputError(f"{part.name} cannot be used: {error.message}", error.remedy) from error
        reader.say_notes()


def read_headings(rows: Sequence[Sequence[str]], file: str) -> headings.Table:
    """Tell which columns hold tickers, dates and times.

    Raises:
        BadInputError: there is no column of dates, or one is there twice.
    """
    names = [heading.strip() for heading in rows[0]] if rows else []
    columns = headings.find_columns(names, file, spellings=SPELLINGS)
    if "date" not in columns and (place := headings.nameless_dates(names, rows[1:])) is not None:
        columns["date"] = place
    if "date" not in columns:
        shown = ", ".join(repr(name[:SHOWN]) for name in names[:12])
        raise BadInputError(
            f"{file} has no column date; its columns are {shown or 'none'}",
            "the headings must name ticker and date; when (before, after) or a time is welcome",
        )
    return headings.Table((headings.Group(columns),))


class Rows(NamedTuple):
    """Rows that can be used: their places in the block, and (rows,) tickers, days and when on them."""

    places: NDArray[np.intp]
    ticker: Texts
    days: Days
    when: Texts


class RowReader:
    """Reads one file's rows block by block.

    Args:
        place: the file's name, for messages.
        request: what is wanted of it.
        log: gets every row that is rejected.
        source: what the table names as its origin.
    """

    def __init__(self, place: str, request: Request, log: FetchLog, source: str) -> None:
        self._place, self._request, self._log, self._source = place, request, log, source
        self._dates = DateReader(request.timezone, instants=True)
        self._names: dict[str, str] = {}
        self._odd: dict[str, int] = {}

    def read(
        self, block: dict[str, "pa.Array"], numbers: NDArray[np.int64], ticker: str | None
    ) -> EarningsTable:
        """A block of rows as a table.

        Raises:
            BadInputError: the dates can be read in two ways.
        """
        found = self.parse(block, numbers, ticker)
        status = np.where(found.days < local_date(self._request.now), REPORTED, SCHEDULED)
        return table_of(found.ticker, found.days, found.when, status, self._source)

    def parse(self, block: dict[str, "pa.Array"], numbers: NDArray[np.int64], ticker: str | None) -> "Rows":
        """Those of a block's rows that can be used.

        Raises:
            BadInputError: the dates can be read in two ways.
        """
        names, codes, faults = read_tickers(block.get("ticker"), ticker, len(numbers), self._names)
        calendars = [calendar_of(name) for name in names]
        if len(set(calendars)) == 1:
            self._dates.home = zone_of(calendars[0])
        stamps = self._dates.parse(block["date"])
        faults = _day_faults(stamps.days, self._request) | stamps.faults | faults
        wanted = np.isin(codes, [place for place, name in enumerate(names) if self._wants(name)])
        wanted |= codes < 0  # a row whose ticker cannot be read is named, whatever was requested
        for row in sorted(faults):
            if wanted[row]:
                name = names[codes[row]] if codes[row] >= 0 else ""
                self._log.reject(self._place, int(numbers[row]), faults[row], name)
        wanted[list(faults)] = False
        rows = np.flatnonzero(wanted)
        when = np.full(len(rows), UNKNOWN, "U9")
        if stamps.seconds is not None:
            for place in np.flatnonzero(stamps.seconds[rows]):
                row = rows[place]
                when[place] = when_at(int(stamps.seconds[row]), calendars[codes[row]])
        if "when" in block:
            self._read_when(block["when"], rows, [calendars[code] for code in codes[rows]], when)
        return Rows(rows, np.array(names, str)[codes[rows]], stamps.days[rows], when)

    def say_notes(self) -> None:
        """Tell which times could not be read."""
        if self._odd:
            times, first = sum(self._odd.values()), next(iter(self._odd))
            self._log.note(
                f"{self._place}: times of day that cannot be read and were left unknown: {times:,}; "
                f"e.g. {first[:SHOWN]!r}"
            )

    def _wants(self, ticker: str) -> bool:
        return not self._request.tickers or ticker in self._request.tickers

    def _read_when(
        self, column: "pa.Array", rows: NDArray[np.intp], calendars: Sequence[str], when: Texts
    ) -> None:
        """Write into `when`, (rows,), what the column says; each text of a calendar is read once."""
        import pyarrow as pa

        try:
            texts = column.cast(pa.string()).to_pylist()
        except pa.ArrowException:
            raise BadInputError(f"its column of times is of type {column.type}", "store texts") from None
        known: dict[tuple[str, str], str | None] = {}
        for place, (row, calendar) in enumerate(zip(rows, calendars, strict=True)):
            text = texts[row] or ""
            if (text, calendar) not in known:
                known[text, calendar] = when_of_text(text, calendar)
            found = known[text, calendar]
            if found is None:
                self._odd[text] = self._odd.get(text, 0) + 1
            elif found != UNKNOWN:
                when[place] = found


def _day_faults(days: Days, request: Request) -> dict[int, str]:
    """Why rows cannot be kept for their day, by row."""
    tests = (
        (np.isnat(days), "there is no date"),
        (days < FIRST_DAY, f"the date is before {FIRST_DAY.astype(date).year}"),
        (days > last_possible(request.now), "the date is more than two years ahead"),
    )
    return {int(row): reason for wrong, reason in tests for row in np.flatnonzero(wrong)}
