"""What every source of prices is asked and what it answers, so that fetching treats them alike."""

from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import datetime
from typing import Protocol

import numpy as np

from forecaster.prices.store import PriceStore
from forecaster.prices.table import PriceTable

MOST_REFUSALS_KEPT = 1000


@dataclass(frozen=True)
class Request:
    """What is wanted of a source.

    Attributes:
        tickers: in capitals; empty for all that the source has.
        now: the clock of the command, aware.
        start: bars before this day are not wanted.
    """

    tickers: tuple[str, ...]
    now: datetime
    start: np.datetime64 | None = None


@dataclass(frozen=True)
class Refusal:
    """A row, or where `row` is None a whole file or ticker, that was not taken over.

    Attributes:
        place: the file's name, or the source's.
        row: line of a CSV file (the headings are line 1), row of a Parquet file (from 1).
        ticker: empty where it could not be read.
        reason: why, in words.
    """

    place: str
    row: int | None
    ticker: str
    reason: str

    def __str__(self) -> str:
        where = self.place if self.row is None else f"{self.place}:{self.row}"
        return ": ".join(part for part in (where, self.ticker, self.reason) if part)


@dataclass
class FetchLog:
    """What a source has to say beside its prices; refusals past the first thousand are only counted."""

    refusals: list[Refusal] = field(default_factory=list)
    refused: int = 0
    notes: list[str] = field(default_factory=list)

    def refuse(self, place: str, row: int | None, reason: str, ticker: str = "") -> None:
        """Say that a row, or a whole file, is not taken over."""
        self.refused += 1
        if len(self.refusals) < MOST_REFUSALS_KEPT:
            self.refusals.append(Refusal(place, row, ticker, reason))

    def note(self, text: str) -> None:
        """Say something that the user should know, once."""
        if text not in self.notes:
            self.notes.append(text)


class PriceSource(Protocol):
    """Anything that prices come from."""

    @property
    def name(self) -> str:
        """What the store remembers as the origin of a ticker's prices."""

    def deliver(self, request: Request, store: PriceStore, log: FetchLog) -> Iterator[PriceTable]:
        """Give the bars of one ticker after the other, checked, and tell `log` what was refused.

        `store` is what is already there, for a source that fetches only what is missing.

        Raises:
            BadInputError, NotFoundError, UnavailableError: the source as a whole is of no use.
        """
