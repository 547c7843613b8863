"""From rows of any order to one checked table a ticker, holding only the rows that are kept."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from forecaster.errors import BadInputError, name_some
from forecaster.prices.calendar import (
    A_USUAL_DAY,
    closing_clock,
    is_session,
    known_from,
    last_closed_session,
    likely_calendar,
    local_date,
    zone_of,
)
from forecaster.prices.exchanges import EVERY_DAY, OPEN_AT_WEEKENDS, XNYS, calendar_of_symbol
from forecaster.prices.fetching import FetchLog, Request
from forecaster.prices.importing.date_reader import DateReader, Faults, Stamps
from forecaster.prices.importing.dialects import Dialect
from forecaster.prices.importing.frequency import SwapWatch, frequency_of, is_intraday
from forecaster.prices.importing.held_rows import HeldRows, Rows, Spill
from forecaster.prices.importing.number_reader import NumberReader
from forecaster.prices.importing.symbols import read_tickers
from forecaster.prices.table import (
    COLUMNS,
    NEEDED,
    Columns,
    Days,
    Floats,
    PriceTable,
    clear_bad_fields,
    complete,
    day_faults,
    row_faults,
)

if TYPE_CHECKING:
    import pyarrow as pa

TIDY_AFTER = 8_000
ROWS_IN_MEMORY = 3_000_000
"""About 300 MB; more are kept on the disk until their ticker's turn comes."""
CUT_OFF_SECONDS = 3600


@dataclass
class _Count:
    """How often something was found, and where first."""

    times: int
    first: str


class RowCollector:
    """Takes a file's rows block by block, checks them, and gives one table a ticker at the end.

    Args:
        place: the file's name, for messages.
        request: what is wanted of it.
        log: gets every row that is rejected.
        separator: between the fields of a text file.
        dialect: the source's particulars.
    """

    def __init__(
        self,
        place: str,
        request: Request,
        log: FetchLog,
        separator: str = ",",
        dialect: Dialect | None = None,
    ) -> None:
        self._place = place
        self._wanted = frozenset(request.tickers)
        self._start = request.start
        self._now = request.now
        self._calendar = request.calendar
        self._last_of_day = request.last_of_day
        self._reduced = False
        self._in_memory = 0
        self._spill: Spill | None = None
        self._log = log
        self._dates = DateReader(request.timezone)
        self._numbers = NumberReader(separator)
        self._dialect = dialect
        self._names: dict[str, str] = {}
        self._bars: dict[str, HeldRows] = {}
        self._unsorted: set[str] = set()
        self._swaps = SwapWatch()
        self._left_empty: dict[str, _Count] = {}
        self._differing: dict[str, _Count] = {}
        self._repeated = 0
        self._calendars: dict[str, list[str]] = {}
        self._strays: dict[str, int] = {}

    def add(
        self, block: dict[str, "pa.Array"], numbers: Rows, ticker: str | None, *, sparse: bool = False
    ) -> None:
        """Check a block of rows and keep what is wanted of it.

        Args:
            block: the columns as `headings.find_columns` names them, `ticker` perhaps among them.
            numbers: (rows,) where each row stands in its file.
            ticker: whose rows these are where the block has no such column.
            sparse: whether a row without a close is no fault, as where tickers stand side by side.

        Raises:
            BadInputError: a column is of a type that cannot be one of prices, the dates or the numbers can be
                read in two ways, or the bars are not daily.
        """
        if sparse:
            block, numbers = _with_close(block, numbers)
        if len(numbers) == 0:
            return
        tickers, codes, faults = read_tickers(block.get("ticker"), ticker, len(numbers), self._names)
        stamps = self._stamps(block, tickers, codes)
        dates = stamps.days
        columns, unreadable = self._columns(block, numbers)
        faults = row_faults(dates, columns) | unreadable | stamps.faults | faults
        wanted = np.array([not self._wanted or name in self._wanted for name in [*tickers, ""]])[codes]
        wanted |= codes < 0  # a row whose ticker cannot be read is named, whatever was requested
        if self._start is not None:
            wanted &= ~(dates < self._start)
        clock = stamps.seconds if self._last_of_day else None
        if clock is not None and self._reduced:
            wanted &= self._in_session(clock)
        self._reject(faults, wanted, numbers, tickers, codes)
        wanted[list(faults)] = False
        self._keep(np.flatnonzero(wanted), numbers, tickers, codes, dates, columns, clock)

    def _stamps(self, block: dict[str, "pa.Array"], tickers: list[str], codes: NDArray[np.intp]) -> Stamps:
        """The dates and times of a block.

        Raises:
            BadInputError: they can be read in two ways, or the bars are not daily.
        """
        calendars = {self._calendar or calendar_of_symbol(name) for name in tickers}
        if len(calendars) == 1 and (calendar := calendars.pop()):
            self._dates.home = zone_of(calendar)
        stamps = self._dates.parse(block["date"], block.get("time"))
        if stamps.seconds is not None and is_intraday(codes, stamps.days, stamps.seconds):
            if not self._last_of_day:
                raise BadInputError(
                    "several bars a day: it is intraday, not daily",
                    "give one bar for each session, or take each session's last one: --daily last",
                )
            self._reduced = True
        rests = np.array([self._rests_at_weekends(name) for name in [*tickers, ""]])[codes]
        self._swaps.add(codes[rests], stamps.days[rests])
        return stamps

    def _columns(self, block: dict[str, "pa.Array"], numbers: Rows) -> tuple[dict[str, Floats], Faults]:
        """The numbers of a block, on the usual scale, and why rows lack a close that can be read.

        Raises:
            BadInputError: a column holds no numbers, or they can be read in two ways.
        """
        columns: dict[str, Floats] = {}
        faults: Faults = {}
        fields = {name: column for name, column in block.items() if name in COLUMNS}
        self._numbers.decide(fields)
        for name, column in fields.items():
            parsed = self._numbers.parse(name, column)
            columns[name] = parsed.values
            if name in NEEDED:
                faults = parsed.faults | faults
            else:
                self._count_empty(name, parsed.faults, numbers)
        self._adapt(columns)
        columns, cleared = clear_bad_fields(columns)
        for name, reasons in cleared.items():
            self._count_empty(name, reasons, numbers)
        return columns, faults

    def tables(self) -> Iterator[PriceTable]:
        """The tables of all tickers, sorted by name; the collector is empty afterwards.

        Raises:
            BadInputError: the dates show that they were misread, before the first table is given.
        """
        self._swaps.check()
        for ticker in sorted(self._bars):
            bars = self._bars.pop(ticker)
            if bars.spilled and self._spill is not None:
                self._spill.take(bars, clock=self._last_of_day)
            self._tidy(ticker, bars)
            dates = bars.dates[0]
            if self._reduced:
                bars.columns[0] = {name: bars.columns[0][name] for name in NEEDED}
            if frequency := frequency_of(dates):
                self._log.reject(self._place, None, f"its bars are {frequency}, not daily", ticker)
                continue
            calendar = self._calendar or calendar_of_symbol(ticker) or likely_calendar(dates)
            table = PriceTable(ticker, dates, complete(bars.columns[0], len(dates)), calendar)
            table = self._without_closed(table, bars.numbers[0])
            if self._reduced:
                table = self._without_cut_off(table, bars)
            if len(table) == 0:
                continue
            if calendar != XNYS:
                self._calendars.setdefault(calendar, []).append(ticker)
            strays = ~is_session(table.dates, calendar) & (table.dates >= known_from(calendar))
            self._strays[calendar] = self._strays.get(calendar, 0) + int(strays.sum())
            yield table
        if self._spill is not None:
            self._spill.close()
        self._say_notes()

    def _without_closed(self, table: PriceTable, numbers: Rows) -> PriceTable:
        """The bars of sessions that have closed; the others are rejected."""
        today, newest = local_date(self._now, table.calendar), last_closed_session(self._now, table.calendar)
        faults = day_faults(table.dates, table.calendar, today, newest)
        for row in sorted(faults):
            self._log.reject(self._place, int(numbers[row]), faults[row], table.ticker)
        kept = np.ones(len(table), bool)
        kept[list(faults)] = False
        return table.take(kept) if faults else table

    def _without_cut_off(self, table: PriceTable, bars: HeldRows) -> PriceTable:
        """The bars of days that last as long as the others; the last bar of a day cut off is no close."""
        clock = bars.clock[0][np.isin(bars.dates[0], table.dates)]
        usual = int(np.median(clock)) if len(clock) else 0
        kept = np.ones(len(table), bool)
        regular = closing_clock(A_USUAL_DAY, table.calendar)
        for row in np.flatnonzero(clock < usual - CUT_OFF_SECONDS):
            if closing_clock(table.dates[row], table.calendar) >= regular:  # no half session
                at = f"{clock[row] // 3600:02d}:{clock[row] % 3600 // 60:02d}"
                reason = f"the day's last bar is of {at}, before its session ended"
                self._log.reject(self._place, None, f"{table.dates[row]}: {reason}", table.ticker)
                kept[row] = False
        return table.take(kept)

    def _rests_at_weekends(self, ticker: str) -> bool:
        """Whether bars on Saturdays and Sundays are mistakes, as far as the symbol tells."""
        calendar = self._calendar or calendar_of_symbol(ticker)
        return calendar is None or calendar not in OPEN_AT_WEEKENDS

    def _in_session(self, clock: NDArray[np.int32]) -> NDArray[np.bool_]:
        """Which bars belong to the regular session: none after its close, if there are some at all.

        Where bars run on into the evening they are stamped when they begin, so that one at the close is late.
        """
        last = closing_clock(A_USUAL_DAY, self._calendar or XNYS)
        return clock < last if bool((clock > last).any()) else clock <= last

    def _say_notes(self) -> None:
        note = self._log.note
        if self._reduced:
            note(
                f"{self._place}: of several bars a day the last of the session was kept; open, high, low and "
                "volume, which are those of a part of the day, were left empty"
            )
        for calendar, tickers in self._calendars.items():
            week = ", weekends too" if calendar == EVERY_DAY else ""
            note(f"the sessions of {name_some(tickers)} are those of the calendar {calendar}{week}")
        for calendar, rows in self._strays.items():
            if rows:
                place = "New York" if calendar == XNYS else calendar
                note(f"{self._place}: rows kept though {place} was closed that day: {rows}")
        if self._unsorted:
            named = name_some(sorted(self._unsorted))
            note(f"{self._place}: the rows of {named} were out of order; they were sorted")
        for name, empty in self._left_empty.items():
            note(
                f"{self._place}: rows whose {name} makes no sense and was left empty: {empty.times:,}; "
                f"{empty.first}"
            )
        if self._differing:
            times = sum(found.times for found in self._differing.values())
            ticker, found = next(iter(self._differing.items()))
            note(
                f"{self._place}: days with two rows that differ: {times:,}; the later was kept; "
                f"e.g. {ticker} {found.first}"
            )
        if self._repeated:
            note(f"{self._place}: rows that repeat another: {self._repeated:,}; one of each was kept")

    def _count_empty(self, name: str, faults: Faults, numbers: Rows) -> None:
        if faults:
            row = min(faults)
            found = self._left_empty.setdefault(name, _Count(0, f"e.g. row {numbers[row]}: {faults[row]}"))
            found.times += len(faults)

    def _adapt(self, columns: dict[str, NDArray[np.float64]]) -> None:
        """Bring prices to currency and volumes to shares, and see that close and adj_close are there."""
        dialect = self._dialect
        if dialect is not None:
            for name, factor in dialect.scale.items():
                if name in columns:
                    columns[name] = columns[name] * factor
            for name in dialect.absolute:
                if name in columns:
                    columns[name] = np.abs(columns[name])
        if "close" not in columns:
            columns["close"] = columns["adj_close"]
        columns.setdefault("adj_close", columns["close"])

    def _reject(
        self,
        faults: Faults,
        wanted: NDArray[np.bool_],
        numbers: Rows,
        tickers: list[str],
        codes: NDArray[np.intp],
    ) -> None:
        for row in sorted(faults):
            if wanted[row]:
                name = tickers[codes[row]] if codes[row] >= 0 else ""
                self._log.reject(self._place, int(numbers[row]), faults[row], name)

    def _keep(
        self,
        rows: NDArray[np.intp],
        numbers: Rows,
        tickers: list[str],
        codes: NDArray[np.intp],
        dates: Days,
        columns: Columns,
        clock: NDArray[np.int32] | None,
    ) -> None:
        rows = rows[np.argsort(codes[rows], kind="stable")]
        for part in np.split(rows, np.flatnonzero(np.diff(codes[rows])) + 1):
            if len(part) == 0:
                continue
            name = tickers[codes[part[0]]]
            bars = self._bars.setdefault(name, HeldRows())
            bars.numbers.append(numbers[part])
            bars.dates.append(dates[part])
            if self._last_of_day:
                bars.clock.append(np.zeros(len(part), np.int32) if clock is None else clock[part])
            bars.columns.append({column: values[part] for column, values in columns.items()})
            bars.waiting += len(part)
            if bars.waiting > max(TIDY_AFTER, bars.tidy):
                self._tidy(name, bars)
        self._in_memory += len(rows)
        if self._in_memory > ROWS_IN_MEMORY:
            self._make_room()

    def _make_room(self) -> None:
        """Write the rows of all tickers to the disk, so that a file of any size is read in bounded memory."""
        self._spill = self._spill or Spill()
        for ticker, bars in self._bars.items():
            if bars.rows:
                self._tidy(ticker, bars)
                self._spill.put(bars)
        self._in_memory = 0

    def _tidy(self, ticker: str, bars: HeldRows) -> None:
        """Make one sorted piece of the pieces; of rows with one date the last in the file stays.

        Doing so whenever the pieces have doubled keeps a file that repeats itself from filling memory.
        """
        numbers, dates = np.concatenate(bars.numbers), np.concatenate(bars.dates)
        columns = {name: np.concatenate([piece[name] for piece in bars.columns]) for name in bars.columns[0]}
        if not bool(np.all(dates[1:] >= dates[:-1])) and not bool(np.all(dates[1:] <= dates[:-1])):
            self._unsorted.add(ticker)
        clock = np.concatenate(bars.clock) if bars.clock else np.zeros(len(dates), np.int32)
        order = np.lexsort((numbers, clock, dates))
        numbers, dates, clock = numbers[order], dates[order], clock[order]
        columns = {name: values[order] for name, values in columns.items()}
        same = dates[1:] == dates[:-1]
        if same.any():
            if not self._reduced:
                self._count_repeated(ticker, dates, columns, same)
            last = np.concatenate([~same, [True]])
            numbers, dates, clock = numbers[last], dates[last], clock[last]
            columns = {name: values[last] for name, values in columns.items()}
        bars.numbers, bars.dates, bars.columns = [numbers], [dates], [columns]
        bars.clock = [clock] if bars.clock else []
        bars.tidy, bars.waiting = len(dates), 0

    def _count_repeated(self, ticker: str, dates: Days, columns: Columns, same: NDArray[np.bool_]) -> None:
        differs = np.zeros(len(same), bool)
        for values in columns.values():
            before, after = values[:-1], values[1:]
            differs |= same & ~((before == after) | (np.isnan(before) & np.isnan(after)))
        self._repeated += int((same & ~differs).sum())
        if differs.any():
            found = self._differing.setdefault(ticker, _Count(0, str(dates[1:][differs][0])))
            found.times += int(differs.sum())


def _with_close(block: dict[str, "pa.Array"], numbers: Rows) -> tuple[dict[str, "pa.Array"], Rows]:
    """The rows that have a close, of a ticker that stands beside others in the table."""
    import pyarrow as pa
    import pyarrow.compute as pc

    close = block["close"] if "close" in block else block["adj_close"]
    known = (
        pc.is_valid(close)
        if not pa.types.is_floating(close.type)
        else pc.invert(pc.is_null(close, nan_is_null=True))
    )
    rows = known.to_numpy(zero_copy_only=False)
    return {name: column.filter(known) for name, column in block.items()}, numbers[rows]
