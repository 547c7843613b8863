"""Universes: which tickers belong to an index and when, from shipped lists and users' files."""

import csv
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from importlib import resources
from pathlib import Path

from forecaster.errors import BadInputError, NotFoundError, UsageError
from forecaster.files import digest_bytes
from forecaster.prices.importing.csv_reader import SEPARATORS
from forecaster.prices.importing.headings import SPELLINGS, plain_heading
from forecaster.prices.importing.symbols import ticker_of
from forecaster.prices.importing.text import parts_of, utf8_blocks
from forecaster.prices.sample import SAMPLE_TICKERS

SAMPLE, SP500 = "sample", "sp500"
SP500_COMPLETE_FROM = date(2012, 1, 1)

TICKER_HEADINGS = (
    *SPELLINGS["ticker"],
    "tickers",
    "symbols",
    "tickersymbols",
    "stocksymbol",
    "stock",
    "stocks",
)
FIRST_HEADINGS = ("first", "startdate", "start", "datefrom", "from")
LAST_HEADINGS = ("last", "enddate", "end", "dateto", "to", "thru")
LARGEST_LIST = 10 * 2**20


@dataclass(frozen=True)
class Span:
    """The first and the last day of something; None where there is no end to that side."""

    first: date | None = None
    last: date | None = None

    def overlaps(self, first: date, last: date) -> bool:
        """Whether a day from `first` through `last` is within."""
        return (self.first is None or self.first <= last) and (self.last is None or self.last >= first)


def read_spans(path: Path) -> dict[str, tuple[Span, ...]]:
    """The tickers in `path`, in order, each with its spans; lines that begin with # are passed over.

    Raises:
        NotFoundError: there is no such file.
        BadInputError: it is not a list of tickers; the first bad line is named.
    """
    if not path.is_file():
        raise NotFoundError(f"there is no file {path}", "give the path of a list, or sample or sp500")
    text = _text(path)
    spans: dict[str, tuple[Span, ...]] = {}
    for symbol, span in _rows(path.name, text):
        spans[symbol] = (*spans.get(symbol, ()), span)
    if not spans:
        raise BadInputError(f"{path.name} names no ticker", "write one symbol a line")
    return spans


def _text(path: Path) -> str:
    if not path.stat().st_size:
        return ""
    parts = parts_of(path)
    if len(parts) != 1:
        raise BadInputError(f"{path.name} holds {len(parts)} files", "give one list of tickers")
    text = bytearray()
    for block in utf8_blocks(parts[0]):  # an archive can unpack to any size
        text += block
        if len(text) > LARGEST_LIST:
            raise BadInputError(f"{path.name} is too large for a list of tickers", "write one symbol a line")
    return text.decode("utf-8", "replace")


def _rows(name: str, text: str) -> Iterator[tuple[str, Span]]:
    rows = list(_records(name, text))
    headings = [plain_heading(heading) for heading in rows[0][1]] if rows else []
    column = _place(headings, TICKER_HEADINGS)
    places = [_place(headings, names) for names in (FIRST_HEADINGS, LAST_HEADINGS)]
    for number, row in rows if column is None else rows[1:]:
        where = f"{name}:{number}"
        first, last = (_day(where, row, place) if column is not None else None for place in places)
        if first is not None and last is not None and last < first:
            raise BadInputError(f"{where}: {last} is before {first}", "fix the line")
        yield _symbol(where, row, column), Span(first, last)


def _records(name: str, text: str) -> Iterator[tuple[int, list[str]]]:
    """Each record with the number of its first line; a field in quotes may go on over lines."""
    numbered = [(number, line) for number, line in enumerate(text.split("\n"), 1) if _counts(line)]
    separator = max(SEPARATORS, key=numbered[0][1].count) if numbered else ","
    reader = csv.reader((line + "\n" for _, line in numbered), delimiter=separator, strict=True)
    while (begun := reader.line_num) < len(numbered):
        number = numbered[begun][0]
        try:
            yield number, next(reader)
        except csv.Error as error:
            raise BadInputError(f"{name}:{number}: {error}", "close the quotes, or leave them out") from None


def _place(headings: Sequence[str], names: Sequence[str]) -> int | None:
    return next((headings.index(name) for name in names if name in headings), None)


def _counts(line: str) -> bool:
    """Whether it is more than space or a remark; a table's heading may begin with a column called #."""
    return bool(line.strip()) and (not line.startswith("#") or line[1:2] in SEPARATORS)


def _symbol(where: str, row: list[str], column: int | None) -> str:
    if column is None and len(row) > 1:
        raise BadInputError(
            f"{where} has several fields",
            "head the column of tickers with symbol, and those of membership with first and last",
        )
    try:
        return ticker_of(row[column or 0])
    except (UsageError, IndexError):
        shown = ",".join(row)[:40]
        raise BadInputError(f"{where}: {shown!r} is not a ticker", "write one symbol a line") from None


def _day(where: str, row: list[str], place: int | None) -> date | None:
    text = "" if place is None or place >= len(row) else row[place].strip()
    if not text:
        return None
    try:
        return datetime.fromisoformat(text.replace("/", "-")).date()
    except ValueError:
        raise BadInputError(f"{where}: {text[:40]!r} is not a date", "write it like 2015-12-31") from None


_NAME = re.compile(r"[A-Za-z0-9_-]+")


@dataclass(frozen=True)
class Universe:
    """Tickers with the days on which they belong to it.

    Attributes:
        name: as given after --universe.
        source: `package`, or the path of the file.
        spans: symbol to its spans of membership.
        complete_from: before this day members are missing from the list; None where that is not known.
    """

    name: str
    source: str
    spans: Mapping[str, tuple[Span, ...]]
    complete_from: date | None = None

    @property
    def known_to(self) -> date | None:
        """The day of the newest change; None for a list without dates."""
        joined = [span.first for spans in self.spans.values() for span in spans if span.first]
        left = [span.last + timedelta(1) for spans in self.spans.values() for span in spans if span.last]
        return max(joined + left, default=None)

    @property
    def digest(self) -> str:
        """SHA-256 of its symbols and spans, whatever their order."""
        rows = [
            f"{symbol} {span.first} {span.last}\n" for symbol, spans in self.spans.items() for span in spans
        ]
        return digest_bytes("".join(sorted(rows)).encode())

    def members(self, on: date) -> list[str]:
        """Who belongs to it on that day, sorted."""
        return self.members_between(on, on)

    def members_between(self, first: date, last: date) -> list[str]:
        """Who belongs to it on any day from `first` through `last`, sorted."""
        return sorted(symbol for symbol in self.spans if self.is_member(symbol, first, last))

    def is_member(self, symbol: str, first: date, last: date) -> bool:
        """Whether `symbol` belongs to it on any day from `first` through `last`."""
        return any(span.overlaps(first, last) for span in self.spans[symbol])

    def describe(self, on: date, today: date) -> list[str]:
        """How many members it has on a day, how old that knowledge is, and where it is thin."""
        count = f"{self.name} on {on}: {len(self.members(on)):,} members"
        if self.known_to is None:
            return [f"{count}; the list has no dates"]
        age = (today - self.known_to).days
        ago = f", {age:,} days ago; later ones are not in it" if age > 0 else ""
        lines = [f"{count}; the last change known is of {self.known_to}{ago}"]
        if self.complete_from is not None and on < self.complete_from:
            lines.append(
                f"warning: the list is thin before {self.complete_from.year}: most of the missing are "
                "companies that failed or were bought"
            )
        return lines


def find_universe(name: str, home: Path) -> Universe:
    """The universe called `name`: sample, sp500, a file in data/universe, or the path of a file.

    `data/universe/sp500.csv` under `home` comes before the list that ships with the tool.

    Raises:
        NotFoundError: there is no such file.
        BadInputError: it is not a list of tickers.
    """
    if name == SAMPLE:
        return Universe(name, "package", {ticker: (Span(),) for ticker in SAMPLE_TICKERS})
    complete_from = SP500_COMPLETE_FROM if name == SP500 else None
    path = home / "data" / "universe" / f"{name}.csv"
    if _NAME.fullmatch(name) and path.is_file():
        return Universe(name, str(path), read_spans(path), complete_from)
    if name == SP500:
        with resources.as_file(resources.files(__package__) / "resources" / "sp500.csv") as shipped:
            return Universe(name, "package", read_spans(shipped), complete_from)
    path = Path(name).expanduser()
    return Universe(path.stem, str(path), read_spans(path))


def members_on(universe: Universe, as_of: str | None, today: date) -> tuple[date, list[str]]:
    """The day that is meant, and the members on it, of whom there is at least one.

    Raises:
        UsageError, NotFoundError: as `day_asked`, or there is none.
    """
    day = day_asked(universe, as_of, today)
    members = universe.members(day)
    if not members:
        raise NotFoundError(f"{universe.name} had no member on {day}", "choose a later day")
    return day, members


def day_asked(universe: Universe, text: str | None, today: date) -> date:
    """The day of --as-of, today unless it is given.

    Raises:
        UsageError: it is no date, or in the future, or the universe knows of no days.
    """
    if text is None:
        return today
    if universe.known_to is None:
        raise UsageError(
            f"{universe.name} has no dates of membership",
            "leave --as-of out, or give the list columns first and last",
        )
    try:
        day = date.fromisoformat(text)
    except ValueError:
        raise UsageError(f"--as-of {text} is not a date", "write it like 2015-12-31") from None
    if day > today:
        raise UsageError(f"--as-of {text} is in the future", f"today is {today}")
    return day
