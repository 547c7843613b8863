"""Universes: who is in the S&P 500, today and on any past day, and lists of one's own."""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date, timedelta
from importlib import resources
from pathlib import Path

from forecaster.errors import UsageError
from forecaster.files import digest_bytes
from forecaster.prices.sample import SAMPLE_TICKERS
from forecaster.prices.symbols import Span, read_spans

SAMPLE, SP500 = "sample", "sp500"
SP500_COMPLETE_FROM = date(2012, 1, 1)

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
