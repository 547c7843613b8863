"""Targets only while a member: which tickers of a universe may be trained on, and on which days.

Whether a company belongs to an index on a day is known on that day, so the rule sees no future;
without it, a test on today's members is a test on those that did well enough to be there.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import date
from typing import Any

import numpy as np
from numpy.typing import NDArray

from forecaster.dataset.panel import Days, Panel
from forecaster.dataset.split import Split
from forecaster.dataset.targets import count_known_steps
from forecaster.errors import BadInputError, ForecastError, NotFoundError
from forecaster.prices.store import FILE_ERRORS, PriceStore, StoredInfo
from forecaster.prices.universe import Universe


@dataclass(frozen=True)
class Selection:
    """What the store has of a universe.

    Attributes:
        universe: whose members are chosen.
        first, last: the span of the store's prices of it.
        tickers: members at some time in the span, with prices on days that count.
        missing: members at some time in the span, without.
        all_days: whether every day counts.
        damaged: those of `missing` that are stored in a file that cannot be read.
    """

    universe: Universe
    first: date
    last: date
    tickers: tuple[str, ...]
    missing: tuple[str, ...]
    all_days: bool
    damaged: tuple[str, ...] = ()

    @property
    def counting(self) -> Universe | None:
        """By whose membership days count; None where all do."""
        return None if self.all_days or self.universe.known_to is None else self.universe


def select_members(store: PriceStore, universe: Universe, *, all_days: bool) -> Selection:
    """The members of `universe`, at any time that the store's prices of them span, that are there.

    Indices (`^GSPC`) are no members.

    Raises:
        NotFoundError: the store has none of them.
        BadInputError, DiskError: the files of all of them are damaged, or cannot be read.
    """
    stored: dict[str, StoredInfo] = {}
    damaged: dict[str, ForecastError] = {}
    for ticker in store.tickers():
        if ticker in universe.spans and not ticker.startswith("^"):
            try:
                stored[ticker] = store.info(ticker)
            except FILE_ERRORS as error:
                damaged[ticker] = error
    if damaged and not stored:
        raise next(iter(damaged.values()))
    if not stored:
        raise NotFoundError(
            f"the store has no prices of {universe.name}", f"run `forecast fetch --universe {universe.name}`"
        )
    first = min(_days(info)[0] for info in stored.values())
    last = max(_days(info)[1] for info in stored.values())
    members = [name for name in universe.members_between(first, last) if not name.startswith("^")]
    tickers = [
        name for name in members if name in stored and (all_days or _ever_counts(universe, stored[name]))
    ]
    if not tickers:
        raise NotFoundError(
            f"the store has no prices of {universe.name} on days of membership",
            "fetch more history, or give --all-days",
        )
    missing = tuple(name for name in members if name not in tickers)
    unreadable = tuple(name for name in missing if name in damaged)
    return Selection(universe, first, last, tuple(tickers), missing, all_days, unreadable)


def without(selection: Selection, damaged: Sequence[str]) -> Selection:
    """The same selection, with the tickers of `damaged` among its missing ones."""
    return replace(
        selection,
        tickers=tuple(name for name in selection.tickers if name not in damaged),
        missing=tuple(sorted({*selection.missing, *damaged})),
        damaged=tuple(sorted({*selection.damaged, *damaged})),
    )


def member_days(universe: Universe, tickers: Sequence[str], dates: Days) -> NDArray[np.bool_]:
    """(N, D) whether a ticker is a member on each day; before the list is complete, every day."""
    target_mask = np.zeros((len(tickers), len(dates)), dtype=bool)
    if universe.complete_from is not None:
        target_mask[:, dates < np.datetime64(universe.complete_from)] = True
    for row, ticker in enumerate(tickers):
        for span in universe.spans[ticker]:
            first = 0 if span.first is None else np.searchsorted(dates, np.datetime64(span.first))
            end = None if span.last is None else np.searchsorted(dates, np.datetime64(span.last), "right")
            target_mask[row, first:end] = True
    return target_mask


def restrict_targets(panel: Panel, universe: Universe | None) -> Panel:
    """The same panel, of which only the days of membership are origins; all of them without a universe."""
    if universe is None:
        return panel
    members = member_days(universe, panel.tickers, panel.dates)
    return replace(panel, target_mask=members if panel.target_mask is None else members & panel.target_mask)


def describe_selection(selection: Selection, panel: Panel, split: Split) -> dict[str, Any]:
    """What a card and a document say of the universe: tickers, and rows that count and do not by part.

    A row is a day of a ticker on which the return of the next day is known.

    Raises:
        BadInputError: in a part not one row counts.
    """
    rows = {part: _count_rows(panel, getattr(split, part)) for part in ("train", "validation", "test")}
    for part, count in rows.items():
        if not count["counted"]:
            raise BadInputError(
                f"no row of the {part} part is one of a member of {selection.universe.name}",
                "fetch more history, move --train-end and --validation-end, or give --all-days",
            )
    universe = selection.universe
    return {
        "name": universe.name,
        "source": universe.source,
        "digest": universe.digest,
        "known_to": universe.known_to and str(universe.known_to),
        "complete_from": universe.complete_from and str(universe.complete_from),
        "first": str(selection.first),
        "last": str(selection.last),
        "targets": "all days" if selection.counting is None else "days of membership",
        "tickers": len(selection.tickers),
        "missing": list(selection.missing),
        "rows": rows,
    }


def _count_rows(panel: Panel, part: range) -> dict[str, int]:
    days = slice(part.start, part.stop)
    known = count_known_steps(panel.log_return, 1)[:, days] > 0
    target_mask = known if panel.target_mask is None else known & panel.target_mask[:, days]
    return {"counted": int(target_mask.sum()), "left_out": int(known.sum() - target_mask.sum())}


def _ever_counts(universe: Universe, info: StoredInfo) -> bool:
    first, last = _days(info)
    early = universe.complete_from is not None and first < universe.complete_from
    return early or universe.is_member(info.ticker, first, last)


def _days(info: StoredInfo) -> tuple[date, date]:
    return info.first.astype(date), info.last.astype(date)
