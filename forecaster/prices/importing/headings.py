"""Which column of a table is which, from its headings and its first rows."""

import ast
import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass

from forecaster.errors import BadInputError, UsageError
from forecaster.prices.importing.date_reader import looks_like_date
from forecaster.prices.importing.dialects import DIALECTS, Dialect
from forecaster.prices.importing.symbols import looks_like_ticker, ticker_of
from forecaster.prices.table import COLUMNS

SPELLINGS: Mapping[str, tuple[str, ...]] = {
    "ticker": ("ticker", "symbol", "tickersymbol", "actsymbol", "tic", "tscode", "ric"),
    "name": ("name",),
    "date": (
        "date",
        "datetime",
        "timestamp",
        "tradedate",
        "tradingdate",
        "tradingday",
        "exchangedate",
        "windowstart",
        "dtyyyymmdd",
    ),
    "time": ("time",),
    "open": ("open", "openprice", "openingprice"),
    "high": ("high", "highprice"),
    "low": ("low", "lowprice"),
    "close": ("close", "closeprice", "closingprice", "last", "lastprice", "price"),
    "adj_close": ("adjclose", "adjustedclose", "closeadj", "closeadjusted", "adjusted", "adjcloseprice"),
    "volume": ("volume", "vol", "tradedvolume", "totaltradedquantity"),
    "dividend": ("dividend", "dividends", "exdividend", "dividendamount", "divcash"),
    "split": (
        "split",
        "splits",
        "stocksplit",
        "stocksplits",
        "splitratio",
        "splitcoefficient",
        "splitfactor",
    ),
}
"""In letters only, the preferred first."""

NAMELESS = re.compile(r"|unnamed: \d+|index|__index_level_\d+__|none", re.IGNORECASE)
_FIELDS = {spelling: role for role, spellings in SPELLINGS.items() for spelling in spellings}
_NO_TICKERS = frozenset({"VALUE", "PRICE", "RETURN", "RETURNS", "CHANGE", "AMOUNT", "TOTAL", "COUNT", "ID"})


@dataclass(frozen=True)
class Group:
    """The columns of one ticker, or of all of them where a column says which.

    Attributes:
        columns: role to place.
        ticker: whose prices these are; empty where a column, the file's name or the user says it.
    """

    columns: Mapping[str, int]
    ticker: str = ""


@dataclass(frozen=True)
class Table:
    """What the headings of a table say.

    Attributes:
        groups: at least one; several where the tickers stand side by side.
        rows: how many rows are headings.
        dialect: the source's particulars, where it is known.
        adjusted: whether the closes are adjusted for dividends though no column says so.
    """

    groups: tuple[Group, ...]
    rows: int = 1
    dialect: Dialect | None = None
    adjusted: bool = False


ReadHeadings = Callable[[Sequence[Sequence[str]], str], Table]
"""Tells what the columns of a table hold, from its first rows and the file's name."""


def read_headings(rows: Sequence[Sequence[str]], file: str) -> Table:
    """Tell what the columns of a table hold.

    Args:
        rows: the first rows, headings and values, as text.
        file: the name, for messages.

    Raises:
        BadInputError: a needed column is missing, one is there twice, or there is no row.
    """
    headings = [heading.strip() for heading in rows[0]] if rows else []
    if table := _levels(rows):
        return table
    dialect = _dialect(headings)
    spellings = {} if dialect is None else dialect.roles
    columns = find_columns(headings, file, spellings)
    if "date" not in columns and (place := nameless_dates(headings, rows[1:])) is not None:
        columns["date"] = place
    if "date" in columns and ("close" in columns or "adj_close" in columns):
        return Table((Group(columns),), 1, dialect, adjusted=dialect is not None and dialect.adjusted)
    if table := _side_by_side(headings, columns):
        return table
    missing = [role for role in ("date", "close") if role not in columns]
    names = ", ".join(repr(heading[:24]) for heading in headings[:12])
    raise BadInputError(
        f"{file} has no column {' and no column '.join(missing)}; its columns are {names or 'none'}",
        "the headings must name date and close; ticker, open, high, low, adj_close and volume are welcome",
    )


def find_columns(
    headings: Sequence[str],
    file: str,
    more: Mapping[str, str] | None = None,
    spellings: Mapping[str, tuple[str, ...]] = SPELLINGS,
) -> dict[str, int]:
    """Where the columns that matter are: {"ticker": 0, "date": 1, …}; others are passed over.

    Example: find_columns(["Date", "Adj Close", "Close"], …) is {"date": 0, "close": 2, "adj_close": 1}.

    Args:
        headings: of the columns.
        file: the name, for messages.
        more: spelling to role, of a dialect.
        spellings: role to spellings, the preferred first.

    Raises:
        BadInputError: one is there twice.
    """
    letters = [plain_heading(heading) for heading in headings]
    found: dict[str, int] = {}
    for role in spellings:
        own = [spelling for spelling, meant in (more or {}).items() if meant == role]
        for spelling in (*own, *spellings[role]):
            places = [place for place, name in enumerate(letters) if name == spelling]
            if len(places) > 1:
                twice = " and ".join(repr(headings[place]) for place in places)
                raise BadInputError(f"{file} has the column {role} twice: {twice}", "leave one of them out")
            if places and places[0] not in found.values():
                found[role] = places[0]
                break
    return found


def is_field(heading: str) -> bool:
    """Whether a heading names a field such as open or Adj Close."""
    return _FIELDS.get(plain_heading(heading)) in COLUMNS


def plain_heading(heading: str) -> str:
    """In small letters, without digits, spaces and signs."""
    return re.sub(r"[\W\d_]", "", heading.lower())


def _dialect(headings: Sequence[str]) -> Dialect | None:
    letters = {plain_heading(heading) for heading in headings}
    return next((each for each in DIALECTS if each.marks <= letters and not each.lacks & letters), None)


def nameless_dates(headings: Sequence[str], rows: Sequence[Sequence[str]]) -> int | None:
    """The column without a heading that holds dates."""
    for place, heading in enumerate(headings):
        if NAMELESS.fullmatch(heading):
            values = [row[place].strip() for row in rows[:50] if place < len(row) and row[place].strip()]
            if values and all(map(looks_like_date, values)):
                return place
    return None


def _levels(rows: Sequence[Sequence[str]]) -> Table | None:
    """The headings of yfinance.download: a line of fields, one of tickers, and perhaps one with Date."""
    if len(rows) < 2:
        return None
    first, second = ([text.strip() for text in row] for row in rows[:2])
    if len(first) != len(second) or plain_heading(first[0]) not in {"price", "ticker", "attributes", ""}:
        return None
    for fields, tickers in ((first[1:], second[1:]), (second[1:], first[1:])):
        if (
            fields
            and all(plain_heading(field) in _FIELDS for field in fields)
            and all(map(looks_like_ticker, tickers))
        ):
            third = [text.strip() for text in rows[2]] if len(rows) > 2 else []
            named = bool(third) and plain_heading(third[0]) in SPELLINGS["date"] and not any(third[1:])
            pairs = list(zip(fields, tickers, strict=True))
            return _grouped(pairs, range(1, len(pairs) + 1), 0, rows=3 if named else 2)
    return None


def _side_by_side(headings: Sequence[str], columns: Mapping[str, int]) -> Table | None:
    """Tickers side by side, headed `AAPL.Close`, `Close AAPL` or `('Close', 'AAPL')`, or closes only."""
    date = columns.get("date")
    if (
        date is None
        and headings
        and (
            NAMELESS.fullmatch(headings[0])
            or plain_heading(headings[0]) == "datedate"
            or _is_pair_of_date(headings[0])
        )
    ):
        date = 0
    if date is None:
        return None
    others = [place for place in range(len(headings)) if place != date]
    pairs = [_pair(headings[place]) for place in others]
    known = [pair for pair in pairs if pair is not None]
    if others and len(known) == len(pairs):
        return _grouped(known, others, date)
    names = [headings[place] for place in others]
    if not all(map(_is_wide_heading, names)) or not any(map(str.isalpha, "".join(names))):
        return None  # a row of numbers is no row of tickers, though 7203 is one in Tokyo
    groups = [Group({"date": date, "close": place}, ticker_of(headings[place])) for place in others]
    return Table(tuple(groups))


def _is_wide_heading(heading: str) -> bool:
    return (
        heading == heading.upper()
        and looks_like_ticker(heading)
        and heading not in _NO_TICKERS
        and plain_heading(heading) not in _FIELDS
    )


def _is_pair_of_date(heading: str) -> bool:
    parts = _literal(heading)
    return parts is not None and plain_heading(parts[0]) in SPELLINGS["date"]


def _literal(heading: str) -> tuple[str, str] | None:
    """The two texts of a heading like ('Close', 'AAPL'), as pandas writes the levels of its columns."""
    try:
        parts = ast.literal_eval(heading) if heading.startswith("(") else None
    except (ValueError, SyntaxError):
        return None
    return (str(parts[0]), str(parts[1])) if isinstance(parts, tuple) and len(parts) == 2 else None


def _pair(heading: str) -> tuple[str, str] | None:
    """Field and ticker of a heading that names both."""
    candidates: list[tuple[str, str]] = []
    if parts := _literal(heading):
        candidates += [parts, (parts[1], parts[0])]
    for sign in (".", "_", " ", "-", "|"):
        before, found, after = heading.rpartition(sign)
        if found:
            candidates.append((after, before))
        before, found, after = heading.partition(sign)
        if found:
            candidates.append((before, after))
    for sign in ("_", " ", "."):  # two words of a field: Adj Close AAPL, AAPL Adj Close
        words = heading.split(sign)
        if len(words) == 3:
            candidates += [(" ".join(words[:2]), words[2]), (" ".join(words[1:]), words[0])]
    for field, ticker in reversed(candidates):
        role = _FIELDS.get(plain_heading(field))
        if role in COLUMNS and looks_like_ticker(ticker) and plain_heading(ticker) not in _FIELDS:
            return field, ticker
    return None


def _grouped(
    pairs: Sequence[tuple[str, str]], places: Iterable[int], date: int, rows: int = 1
) -> Table | None:
    columns: dict[str, dict[str, int]] = {}
    for (field, ticker), place in zip(pairs, places, strict=True):
        columns.setdefault(ticker_of(ticker), {"date": date})[_FIELDS[plain_heading(field)]] = place
    groups = [Group(found, ticker) for ticker, found in columns.items()]
    if not all("close" in group.columns or "adj_close" in group.columns for group in groups):
        return None
    # yf.download has no Adj Close unless auto_adjust is off: its closes are adjusted then.
    adjusted = rows > 1 and not any("adj_close" in group.columns for group in groups)
    return Table(tuple(groups), rows, adjusted=adjusted)


def choose_name_column(columns: Mapping[str, int], rows: Sequence[Sequence[str]], stem_ticker: str) -> bool:
    """Whether a column Name holds tickers rather than the names of companies.

    Several different tickers are believed before the file's name, a single one only if the file's name is
    none or the same.

    Args:
        columns: role to place, `name` among them.
        rows: the first rows of values.
        stem_ticker: the ticker that the file is named after; empty if its name is none.
    """
    place = columns["name"]
    values = {row[place].strip() for row in rows if place < len(row) and row[place].strip()}
    if not values or not all(value == value.upper() and looks_like_ticker(value) for value in values):
        return False
    if len(values) > 1 or not stem_ticker:
        return True
    try:
        return ticker_of(next(iter(values))) == stem_ticker
    except UsageError:
        return False
