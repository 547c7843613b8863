"""What a price table is: one ticker's daily bars, their columns, order and rules."""

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from forecaster.errors import UsageError
from forecaster.prices.calendar import is_session, is_weekend
from forecaster.prices.exchanges import XNYS

Days = NDArray[np.datetime64]
Floats = NDArray[np.float64]
Columns = Mapping[str, Floats]

PRICES = ("open", "high", "low", "close", "adj_close")
COLUMNS = (*PRICES, "volume", "dividend", "split")
POSITIVE = (*PRICES, "split")
NEEDED = ("close", "adj_close")
"""The columns whose faults cost a row; a fault elsewhere costs only that field."""
DEFAULTS = {"dividend": 0.0, "split": 1.0}
"""What a column holds where its source says nothing; the others hold NaN."""
FIRST_YEAR = 1789
"""Three years before New York's brokers agreed on rules; an older date was most likely misread."""
HIGHEST_PRICE = 1e12
"""Far beyond the adjusted prices even of shares that were merged again and again."""
HIGHEST_VOLUME = 1e18
"""Far beyond the busiest days even of the cheapest coins."""

_TICKER = re.compile(r"(?=.{1,16}$)\^?[A-Z0-9][A-Z0-9.=-]*", re.ASCII)
_SHARE_CLASS = re.compile(r"([A-Z]{1,5})\.([ABC])")


@dataclass(frozen=True)
class PriceTable:
    """One ticker's daily bars.

    Attributes:
        ticker: its symbol; indices carry a leading ^.
        dates: (days,) strictly increasing.
        columns: every name of COLUMNS with (days,) values; prices in currency as the source adjusts
            them, volume in shares, dividend in currency a share, split as new shares for one old.
        calendar: the name of its exchange's calendar, see `calendar`.
        currency: of its prices, as Yahoo writes it (GBp are pence); empty where it is not known.

    Raises:
        ValueError: the columns are not those of COLUMNS, differ in length, or the dates do not increase.
    """

    ticker: str
    dates: Days
    columns: Columns
    calendar: str = XNYS
    currency: str = ""

    def __post_init__(self) -> None:
        if set(self.columns) != set(COLUMNS):
            raise ValueError(f"{self.ticker}: a price table has the columns {', '.join(COLUMNS)}")
        if any(len(values) != len(self.dates) for values in self.columns.values()):
            raise ValueError(f"{self.ticker}: columns of unequal length")
        if not bool(np.all(self.dates[1:] > self.dates[:-1])):
            raise ValueError(f"{self.ticker}: the dates do not increase")

    def __len__(self) -> int:
        return len(self.dates)

    def known(self, column: str) -> bool:
        """Whether the column has any finite value."""
        return bool(np.isfinite(self.columns[column]).any())

    def take(self, rows: slice | NDArray[np.bool_] | NDArray[np.intp]) -> "PriceTable":
        """The bars that `rows` picks, in order."""
        picked = {name: values[rows] for name, values in self.columns.items()}
        return replace(self, dates=self.dates[rows], columns=picked)


def complete(columns: Columns, days: int) -> dict[str, Floats]:
    """`columns` with those of COLUMNS that it lacks, not to be written to: dividend 0, split 1, else NaN."""
    return {
        name: columns[name] if name in columns else np.broadcast_to(DEFAULTS.get(name, np.nan), days)
        for name in COLUMNS
    }


def checked_ticker(text: str) -> str:
    """The ticker that `text` names, in capitals and as Yahoo writes it.

    A class of shares stands after a hyphen there: BRK.B is BRK-B. A longer or another ending is an
    exchange's (VOD.L) and stays.

    Raises:
        UsageError: it is not one: at most 16 letters, digits, dots, hyphens and equals signs, perhaps
            after a ^. Nothing else may come near the name of a file.
    """
    ticker = text.strip().upper() if text.isascii() else text
    if not _TICKER.fullmatch(ticker):
        raise UsageError(f"{text[:40]!r} is not a ticker", _ticker_remedy(ticker))
    return f"{share[1]}-{share[2]}" if (share := _SHARE_CLASS.fullmatch(ticker)) else ticker


def _ticker_remedy(text: str) -> str:
    parts = [part for part in re.split(r"[,;\s]+", text) if part]
    if len(parts) > 1 and all(map(_TICKER.fullmatch, parts)):
        return f"put spaces between tickers: {' '.join(parts[:5])}"
    if re.search(r"\.(?:CSV|TXT|TSV|PARQUET|GZ|ZIP)$", text):
        return "to read several files, give their folder after --source"
    if share := re.fullmatch(r"([A-Z]{1,5})[/_ ]([A-Z])", text):
        return f"did you mean {share[1]}-{share[2]}?"
    return "give one like AAPL, BRK-B or ^GSPC, of at most 16 characters"


def row_faults(dates: Days, columns: Columns) -> dict[int, str]:
    """Why rows cannot be kept for what stands in them: {row: reason}, without the rows that can.

    Args:
        dates: (rows,), NaT where it could not be read.
        columns: some of COLUMNS with `close` and `adj_close` among them, each (rows,).

    Returns:
        One reason a row; where several hold, the first in the order of the tests.
    """
    return _first_reasons(len(dates), _row_tests(dates, columns))


def day_faults(dates: Days, calendar: str, today: np.datetime64, newest: np.datetime64) -> dict[int, str]:
    """Why bars of these days cannot be kept: {row: reason}, without the rows that can.

    Args:
        dates: (rows,) without NaT.
        calendar: of the ticker's exchange.
        today: the date at the exchange; later rows are from the future.
        newest: the last session that has closed; today's bar is not final before.

    Returns:
        One reason a row; where several hold, the first in the order of the tests.
    """
    return _first_reasons(len(dates), _day_tests(dates, calendar, today, newest))


def _first_reasons(rows: int, tests: Iterator[tuple[str, NDArray[np.bool_]]]) -> dict[int, str]:
    first = np.full(rows, -1, dtype=np.int8)
    reasons = []
    for number, (reason, wrong) in enumerate(tests):
        reasons.append(reason)
        first[wrong & (first < 0)] = number
    return {int(row): reasons[first[row]] for row in np.flatnonzero(first >= 0)}


def _day_tests(
    dates: Days, calendar: str, today: np.datetime64, newest: np.datetime64
) -> Iterator[tuple[str, NDArray[np.bool_]]]:
    yield "the date is in the future", dates > today
    yield f"the date is before {FIRST_YEAR}", dates < np.datetime64(f"{FIRST_YEAR}-01-01")
    unfinished = (dates > newest) & (dates <= today)
    yield "the session has not closed yet", unfinished & is_session(dates, calendar)
    free = is_weekend(dates, calendar)
    weekend = free & ~np.is_busday(dates)
    yield "the date is a Saturday or a Sunday", weekend
    yield f"{calendar} has no sessions on that day of the week", free


def _row_tests(dates: Days, columns: Columns) -> Iterator[tuple[str, NDArray[np.bool_]]]:
    yield "there is no date", np.isnat(dates)
    for name in NEEDED:
        yield f"{name} is missing", np.isnan(columns[name])
    for name in NEEDED:
        yield f"{name} is infinite", np.isinf(columns[name])
        yield f"{name} is not positive", columns[name] <= 0
        yield f"{name} is above {HIGHEST_PRICE:g}", columns[name] > HIGHEST_PRICE


def clear_bad_fields(columns: Columns) -> tuple[dict[str, Floats], dict[str, dict[int, str]]]:
    """The columns with every impossible value beside close and adj_close left empty, and what was emptied.

    A price or split of zero or less, a negative volume or dividend, and anything beyond HIGHEST_PRICE or
    HIGHEST_VOLUME are impossible. Where the high is below the low both are emptied, as either may be wrong.

    Args:
        columns: some of COLUMNS, each (rows,); they are not written to.

    Returns:
        The columns, and by column and row the reason.
    """
    cleared = dict(columns)
    reasons: dict[str, dict[int, str]] = {}
    for name in (name for name in COLUMNS if name in columns and name not in NEEDED):
        values = columns[name]
        highest = HIGHEST_VOLUME if name == "volume" else HIGHEST_PRICE
        wrong = (values > highest) | (values <= 0 if name in POSITIVE else values < 0)
        if wrong.any():
            cleared[name] = np.where(wrong, DEFAULTS.get(name, np.nan), values)
            rows = np.flatnonzero(wrong)
            reasons[name] = {int(row): f"{name} is {values[row]:.6g}" for row in rows}
    if "high" in columns and "low" in columns:
        exchanged = np.flatnonzero(cleared["high"] < cleared["low"])
        for name in ("high", "low") if len(exchanged) else ():
            found = {int(row): "high is below low" for row in exchanged}
            reasons[name] = reasons.get(name, {}) | found
            emptied = cleared[name].copy()
            emptied[exchanged] = np.nan
            cleared[name] = emptied
    return cleared, reasons


@dataclass(frozen=True)
class Merge:
    """What became of a table: the whole of it, and how many rows are new or changed."""

    table: PriceTable
    added: int
    replaced: int


def merge_tables(stored: PriceTable, incoming: PriceTable) -> Merge:
    """`stored` with the rows of `incoming` in it, which win, as do its calendar and currency."""
    shared, old, new = np.intersect1d(stored.dates, incoming.dates, assume_unique=True, return_indices=True)
    differs = np.zeros(len(shared), dtype=bool)
    for name in COLUMNS:
        before, after = stored.columns[name][old], incoming.columns[name][new]
        differs |= ~((before == after) | (np.isnan(before) & np.isnan(after)))
    kept = np.ones(len(stored), dtype=bool)
    kept[old] = False
    dates = np.concatenate([stored.dates[kept], incoming.dates])
    order = np.argsort(dates, kind="stable")
    columns = {
        name: np.concatenate([stored.columns[name][kept], incoming.columns[name]])[order] for name in COLUMNS
    }
    table = replace(incoming, dates=dates[order], columns=columns)
    return Merge(table, added=len(incoming) - len(shared), replaced=int(differs.sum()))
