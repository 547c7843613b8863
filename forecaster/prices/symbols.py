"""Lists of tickers as files: a symbol a line, or a CSV file with columns symbol, first and last."""

import csv
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import date
from pathlib import Path

from forecaster.errors import BadInputError, NotFoundError, UsageError
from forecaster.prices.table import checked_ticker

HEADINGS = ("symbol", "ticker")
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
    if path.stat().st_size > LARGEST_LIST:
        raise BadInputError(f"{path.name} is too large for a list of tickers", "write one symbol a line")
    try:
        lines = path.read_text(encoding="utf-8-sig").splitlines()
    except UnicodeDecodeError:
        raise BadInputError(f"{path.name} is not a text file in UTF-8", "write one symbol a line") from None
    spans: dict[str, tuple[Span, ...]] = {}
    for symbol, span in _rows(path.name, lines):
        spans[symbol] = (*spans.get(symbol, ()), span)
    if not spans:
        raise BadInputError(f"{path.name} names no ticker", "write one symbol a line")
    return spans


def _rows(name: str, lines: Sequence[str]) -> Iterator[tuple[str, Span]]:
    rows = [(number, next(csv.reader([line]))) for number, line in enumerate(lines, 1) if _counts(line)]
    headings = [heading.strip().lower() for heading in rows[0][1]] if rows else []
    column = next((headings.index(heading) for heading in HEADINGS if heading in headings), None)
    places = [headings.index(end) if end in headings else None for end in ("first", "last")]
    for number, row in rows if column is None else rows[1:]:
        where = f"{name}:{number}"
        first, last = (_day(where, row, place) if column is not None else None for place in places)
        if first is not None and last is not None and last < first:
            raise BadInputError(f"{where}: {last} is before {first}", "mend the line")
        yield _symbol(where, row, column), Span(first, last)


def _counts(line: str) -> bool:
    return bool(line.strip()) and not line.startswith("#")


def _symbol(where: str, row: list[str], column: int | None) -> str:
    if column is None and len(row) > 1:
        raise BadInputError(f"{where} has several fields", "head the column of tickers with symbol")
    try:
        return checked_ticker(row[column or 0])
    except (UsageError, IndexError):
        shown = ",".join(row)[:40]
        raise BadInputError(f"{where}: {shown!r} is not a ticker", "write one symbol a line") from None


def _day(where: str, row: list[str], place: int | None) -> date | None:
    text = "" if place is None or place >= len(row) else row[place].strip()
    if not text:
        return None
    try:
        return date.fromisoformat(text)
    except ValueError:
        raise BadInputError(f"{where}: {text[:40]!r} is not a date", "write it like 2015-12-31") from None
