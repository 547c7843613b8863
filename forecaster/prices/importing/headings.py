"""Which column of a file is which: the long form's names, Yahoo's, and their usual spellings."""

import re
from collections.abc import Mapping, Sequence

from forecaster.errors import BadInputError
from forecaster.prices.table import COLUMNS

SPELLINGS: Mapping[str, tuple[str, ...]] = {
    "ticker": ("ticker", "symbol", "name"),
    "date": ("date", "datetime", "timestamp"),
    "open": ("open",),
    "high": ("high",),
    "low": ("low",),
    "close": ("close",),
    "adj_close": ("adjclose", "adjustedclose", "closeadj", "closeadjusted"),
    "volume": ("volume", "vol"),
    "dividend": ("dividend", "dividends"),
    "split": ("split", "splits", "stocksplit", "stocksplits"),
}
"""In letters only, the preferred first: a file with both ticker and name has its ticker in the first."""


def find_columns(headings: Sequence[str], file: str, *, needs_ticker: bool) -> dict[str, int]:
    """Where the columns that matter are: {"ticker": 0, "date": 1, …}; others are passed over.

    Example: find_columns(["Date", "Adj Close", "Close"], …) is {"date": 0, "close": 2, "adj_close": 1}.

    Raises:
        BadInputError: a needed column is missing, or one is there twice.
    """
    plain = [re.sub(r"[^a-z]", "", heading.lower()) for heading in headings]
    found = {}
    for role in ("ticker", "date", *COLUMNS):
        for spelling in SPELLINGS[role]:
            places = [place for place, name in enumerate(plain) if name == spelling]
            if len(places) > 1:
                twice = " and ".join(repr(headings[place]) for place in places)
                raise BadInputError(f"{file} has the column {role} twice: {twice}", "leave one of them out")
            if places:
                found[role] = places[0]
                break
    needed = ("ticker", "date", "close") if needs_ticker else ("date", "close")
    missing = [role for role in needed if role not in found]
    if missing:
        names = ", ".join(repr(heading[:24]) for heading in headings[:12])
        raise BadInputError(
            f"{file} has no column {' and no column '.join(missing)}; its columns are {names or 'none'}",
            _remedy(missing),
        )
    return found


def _remedy(missing: Sequence[str]) -> str:
    if list(missing) == ["ticker"]:
        return "add it, or give a folder of CSV files that are named after their tickers"
    return (
        "the first line must name ticker, date and close; open, high, low, adj_close and volume are welcome"
    )
