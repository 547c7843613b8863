"""A user's own list of tickers: a symbol a line, or a CSV file with a column of them."""

import csv
from pathlib import Path

from forecaster.errors import BadInputError, NotFoundError, UsageError
from forecaster.prices.table import checked_ticker

HEADINGS = ("symbol", "ticker")
LARGEST_LIST = 10 * 2**20


def read_symbols(path: Path) -> list[str]:
    """The tickers in `path`, in order, each once; lines that begin with # are passed over.

    Raises:
        NotFoundError: there is no such file.
        BadInputError: it is not a list of tickers; the first bad line is named.
    """
    if not path.is_file():
        raise NotFoundError(f"there is no file {path}", "check the path after --universe")
    if path.stat().st_size > LARGEST_LIST:
        raise BadInputError(f"{path.name} is too large for a list of tickers", "write one symbol a line")
    try:
        lines = path.read_text(encoding="utf-8-sig").splitlines()
    except UnicodeDecodeError:
        raise BadInputError(f"{path.name} is not a text file in UTF-8", "write one symbol a line") from None
    rows = [(number, next(csv.reader([line]))) for number, line in enumerate(lines, 1) if _counts(line)]
    headings = [name.strip().lower() for name in rows[0][1]] if rows else []
    column = next((headings.index(name) for name in HEADINGS if name in headings), None)
    body = rows if column is None else rows[1:]
    symbols = {_symbol(path, number, row, column): None for number, row in body}
    if not symbols:
        raise BadInputError(f"{path.name} names no ticker", "write one symbol a line")
    return list(symbols)


def _counts(line: str) -> bool:
    return bool(line.strip()) and not line.startswith("#")


def _symbol(path: Path, number: int, row: list[str], column: int | None) -> str:
    if column is None and len(row) > 1:
        raise BadInputError(
            f"{path.name}:{number} has several fields", "head the column of tickers with symbol"
        )
    try:
        return checked_ticker(row[column or 0])
    except (UsageError, IndexError):
        shown = ",".join(row)[:40]
        raise BadInputError(
            f"{path.name}:{number}: {shown!r} is not a ticker", "write one symbol a line"
        ) from None
