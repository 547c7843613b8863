"""From rows of any order to one checked table a ticker, holding only the rows that are kept."""

from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from forecaster.errors import UsageError, name_some
from forecaster.prices.calendar import FIRST_KNOWN_DAY, is_session, last_closed_session, new_york_date
from forecaster.prices.fetching import FetchLog, Request
from forecaster.prices.importing.parsing import SHOWN, DateParser, Faults, parse_numbers
from forecaster.prices.table import Columns, Days, PriceTable, checked_ticker, complete, row_faults

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


class RowCollector:
    """Takes a file's rows block by block, checks them, and gives one table a ticker at the end."""

    def __init__(self, file: Path, request: Request, log: FetchLog) -> None:
        self._place = file.name
        self._wanted = frozenset(request.tickers)
        self._start = request.start
        self._today = new_york_date(request.now)
        self._newest = last_closed_session(request.now)
        self._log = log
        self._dates = DateParser()
        self._names: dict[str, str] = {}
        self._bars: dict[str, _Bars] = {}
        self._unsorted: set[str] = set()

    def add(self, block: dict[str, "pa.Array"], numbers: Rows, ticker: str | None) -> None:
        """Check a block of rows and keep what is wanted of it.

        Args:
            block: the columns as `headings.find_columns` names them, `ticker` perhaps among them.
            numbers: (rows,) where each row stands in its file.
            ticker: whose rows these are where the block has no such column.

        Raises:
            BadInputError: a column is of a type that cannot be one of prices.
        """
        tickers, codes, faults = self._tickers(block.get("ticker"), ticker, len(numbers))
        dates, more = self._dates.parse(block["date"])
        faults = more | faults
        columns = {}
        for name in block.keys() - {"ticker", "date"}:
            columns[name], more = parse_numbers(name, block[name])
            faults = more | faults
        columns.setdefault("adj_close", columns["close"])
        faults = row_faults(dates, columns, self._today, self._newest) | faults
        wanted = np.array([not self._wanted or name in self._wanted for name in [*tickers, ""]])[codes]
        wanted |= codes < 0  # a row whose ticker cannot be read is named, whatever was requested
        if self._start is not None:
            wanted &= ~(dates < self._start)
        self._reject(faults, wanted, numbers, tickers, codes)
        wanted[list(faults)] = False
        self._keep(np.flatnonzero(wanted), numbers, tickers, codes, dates, columns)

    def tables(self) -> Iterator[PriceTable]:
        """The tables of all tickers, sorted by name; the collector is empty afterwards."""
        closed_days = 0
        for ticker in sorted(self._bars):
            bars = self._bars.pop(ticker)
            self._tidy(ticker, bars)
            dates = bars.dates[0]
            closed_days += int((~is_session(dates) & (dates >= FIRST_KNOWN_DAY)).sum())
            yield PriceTable(ticker, dates, complete(bars.columns[0], len(dates)))
        if closed_days:
            self._log.note(f"{self._place}: rows kept though New York was closed that day: {closed_days}")
        if self._unsorted:
            named = name_some(sorted(self._unsorted))
            self._log.note(f"{self._place}: the rows of {named} were out of order; they were sorted")

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
                tickers.append(self._names.get(text) or self._names.setdefault(text, checked_ticker(text)))
            except UsageError:
                place[code] = -1
                wrong[code] = f"{text[:SHOWN]!r} is not a ticker" if text.strip() else wrong[-1]
        codes = place[raw]
        return tickers, codes, {int(row): wrong[int(raw[row])] for row in np.flatnonzero(codes < 0)}

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
        """Make one sorted piece of the pieces; of rows with one date the first in the file stays.

        Doing so whenever the pieces have doubled keeps a file that repeats itself from filling memory.
        """
        numbers, dates = np.concatenate(bars.numbers), np.concatenate(bars.dates)
        columns = {name: np.concatenate([piece[name] for piece in bars.columns]) for name in bars.columns[0]}
        if not bool(np.all(dates[1:] >= dates[:-1])):
            self._unsorted.add(ticker)
        order = np.lexsort((numbers, dates))
        numbers, dates = numbers[order], dates[order]
        first = np.concatenate([[True], dates[1:] != dates[:-1]])
        kept_number = numbers[first][np.cumsum(first) - 1]
        for row in np.flatnonzero(~first):
            reason = f"{dates[row]} is already in row {kept_number[row]}"
            self._log.reject(self._place, int(numbers[row]), reason, ticker)
        bars.numbers, bars.dates = [numbers[first]], [dates[first]]
        bars.columns = [{name: values[order][first] for name, values in columns.items()}]
        bars.tidy, bars.waiting = int(first.sum()), 0
