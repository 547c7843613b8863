"""From rows of any order to one checked table a ticker, holding only the rows that are kept."""

from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from forecaster.errors import BadInputError, UsageError, name_some
from forecaster.prices.calendar import (
    is_session,
    known_from,
    last_closed_session,
    likely_calendar,
    local_date,
    zone_of,
)
from forecaster.prices.exchanges import EVERY_DAY, OPEN_AT_WEEKENDS, XNYS, calendar_of_symbol
from forecaster.prices.fetching import FetchLog, Request
from forecaster.prices.importing.date_reader import SHOWN, DateReader, Faults
from forecaster.prices.importing.dialects import Dialect
from forecaster.prices.importing.frequency import SwapWatch, frequency_of, is_intraday
from forecaster.prices.importing.number_reader import NumberReader
from forecaster.prices.importing.symbols import ticker_of
from forecaster.prices.table import (
    COLUMNS,
    NEEDED,
    Columns,
    Days,
    PriceTable,
    clear_bad_fields,
    complete,
    day_faults,
    row_faults,
)

if TYPE_CHECKING:
    import pyarrow as pa

TIDY_AFTER = 8_000

Rows = NDArray[np.int64]


@dataclass
class _Bars:
    """The rows of one ticker so far, in pieces."""

    numbers: list[Rows] = field(default_factory=list)
    dates: list[Days] = field(default_factory=list)
    columns: list[Columns] = field(default_factory=list)
    tidy: int = 0
    waiting: int = 0


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
        self._log = log
        self._dates = DateReader(request.timezone)
        self._numbers = NumberReader(separator)
        self._dialect = dialect
        self._names: dict[str, str] = {}
        self._bars: dict[str, _Bars] = {}
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
        tickers, codes, faults = self._tickers(block.get("ticker"), ticker, len(numbers))
        calendars = {self._calendar or calendar_of_symbol(name) for name in tickers}
        if len(calendars) == 1 and (calendar := calendars.pop()):
            self._dates.home = zone_of(calendar)
        stamps = self._dates.parse(block["date"], block.get("time"))
        dates = stamps.days
        faults = stamps.faults | faults
        if stamps.seconds is not None and is_intraday(codes, dates, stamps.seconds):
            raise BadInputError(
                "several bars a day: it is intraday, not daily", "give one bar for each session"
            )
        rests = np.array([self._rests_at_weekends(name) for name in [*tickers, ""]])[codes]
        self._swaps.add(codes[rests], dates[rests])
        columns: dict[str, NDArray[np.float64]] = {}
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
        faults = row_faults(dates, columns) | faults
        wanted = np.array([not self._wanted or name in self._wanted for name in [*tickers, ""]])[codes]
        wanted |= codes < 0  # a row whose ticker cannot be read is named, whatever was requested
        if self._start is not None:
            wanted &= ~(dates < self._start)
        self._reject(faults, wanted, numbers, tickers, codes)
        wanted[list(faults)] = False
        self._keep(np.flatnonzero(wanted), numbers, tickers, codes, dates, columns)

    def tables(self) -> Iterator[PriceTable]:
        """The tables of all tickers, sorted by name; the collector is empty afterwards.

        Raises:
            BadInputError: the dates show that they were misread, before the first table is given.
        """
        self._swaps.check()
        for ticker in sorted(self._bars):
            bars = self._bars.pop(ticker)
            self._tidy(ticker, bars)
            dates = bars.dates[0]
            if frequency := frequency_of(dates):
                self._log.reject(self._place, None, f"its bars are {frequency}, not daily", ticker)
                continue
            calendar = self._calendar or calendar_of_symbol(ticker) or likely_calendar(dates)
            table = PriceTable(ticker, dates, complete(bars.columns[0], len(dates)), calendar)
            table = self._without_closed(table, bars.numbers[0])
            if len(table) == 0:
                continue
            if calendar != XNYS:
                self._calendars.setdefault(calendar, []).append(ticker)
            strays = ~is_session(table.dates, calendar) & (table.dates >= known_from(calendar))
            self._strays[calendar] = self._strays.get(calendar, 0) + int(strays.sum())
            yield table
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

    def _rests_at_weekends(self, ticker: str) -> bool:
        """Whether bars on Saturdays and Sundays are mistakes, as far as the symbol tells."""
        calendar = self._calendar or calendar_of_symbol(ticker)
        return calendar is None or calendar not in OPEN_AT_WEEKENDS

    def _say_notes(self) -> None:
        note = self._log.note
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

    def _tickers(
        self, column: "pa.Array | None", ticker: str | None, rows: int
    ) -> tuple[list[str], NDArray[np.intp], Faults]:
        """Names, each row's place among them (-1: none that can be read), and the faults."""
        if column is None:
            return [ticker or ""], np.zeros(rows, np.intp), {}
        import pyarrow as pa

        encoded = (
            column if pa.types.is_dictionary(column.type) else column.cast(pa.string()).dictionary_encode()
        )
        raw = encoded.indices.cast(pa.int64()).fill_null(-1).to_numpy(zero_copy_only=False)
        texts = [str(text) for text in encoded.dictionary.to_pylist()]
        tickers: list[str] = []
        place, wrong = np.full(len(texts) + 1, -1, np.intp), {-1: "there is no ticker"}
        for code, text in enumerate(texts):
            try:
                place[code] = len(tickers)
                tickers.append(self._names.get(text) or self._names.setdefault(text, ticker_of(text)))
            except UsageError:
                place[code] = -1
                wrong[code] = f"{text[:SHOWN]!r} is not a ticker" if text.strip() else wrong[-1]
        codes = place[raw]
        return tickers, codes, {int(row): wrong[int(raw[row])] for row in np.flatnonzero(codes < 0)}

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
    ) -> None:
        rows = rows[np.argsort(codes[rows], kind="stable")]
        for part in np.split(rows, np.flatnonzero(np.diff(codes[rows])) + 1):
            if len(part) == 0:
                continue
            name = tickers[codes[part[0]]]
            bars = self._bars.setdefault(name, _Bars())
            bars.numbers.append(numbers[part])
            bars.dates.append(dates[part])
            bars.columns.append({column: values[part] for column, values in columns.items()})
            bars.waiting += len(part)
            if bars.waiting > max(TIDY_AFTER, bars.tidy):
                self._tidy(name, bars)

    def _tidy(self, ticker: str, bars: _Bars) -> None:
        """Make one sorted piece of the pieces; of rows with one date the last in the file stays.

        Doing so whenever the pieces have doubled keeps a file that repeats itself from filling memory.
        """
        numbers, dates = np.concatenate(bars.numbers), np.concatenate(bars.dates)
        columns = {name: np.concatenate([piece[name] for piece in bars.columns]) for name in bars.columns[0]}
        if not bool(np.all(dates[1:] >= dates[:-1])) and not bool(np.all(dates[1:] <= dates[:-1])):
            self._unsorted.add(ticker)
        order = np.lexsort((numbers, dates))
        numbers, dates = numbers[order], dates[order]
        columns = {name: values[order] for name, values in columns.items()}
        same = dates[1:] == dates[:-1]
        if same.any():
            self._count_repeated(ticker, dates, columns, same)
            last = np.concatenate([~same, [True]])
            numbers, dates = numbers[last], dates[last]
            columns = {name: values[last] for name, values in columns.items()}
        bars.numbers, bars.dates, bars.columns = [numbers], [dates], [columns]
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
