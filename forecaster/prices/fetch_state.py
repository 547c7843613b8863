"""What a price file remembers of its fetches: what was asked for and did not come, what was restated."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any

import numpy as np

from forecaster.prices.table import Days
from forecaster.settings import iso_utc

FIRST_PATIENCE = timedelta(hours=1)
LONGEST_PATIENCE = timedelta(days=30)


@dataclass(frozen=True)
class Asked:
    """How often a session's missing bar was asked for, and when last (ISO, UTC)."""

    times: int
    at: str

    def is_due(self, now: datetime) -> bool:
        """Whether it is time to ask again: after 1 hour, then 4, 16, … hours, at most 30 days."""
        patience = min(FIRST_PATIENCE * int(4 ** min(self.times - 1, 10)), LONGEST_PATIENCE)
        return now - datetime.fromisoformat(self.at) >= patience


@dataclass(frozen=True)
class FetchState:
    """Kept in the metadata of a price file that is brought up to date time and again.

    Attributes:
        asked_from: the first day that was ever asked for; empty where that is not known.
        pending: session without a bar to how often it was asked for.
        events: day without a bar to its (dividend, split), which the bar will carry once it comes.
        restatements: how often the source changed the stored past, so that all of it was fetched anew.
        restated: why it was so the last time, with the date.
        shorter: the dates of the runs that were offered a history with fewer rows than are stored.
    """

    asked_from: str = ""
    pending: Mapping[str, Asked] = field(default_factory=dict)
    events: Mapping[str, tuple[float, float]] = field(default_factory=dict)
    restatements: int = 0
    restated: str = ""
    shorter: tuple[str, ...] = ()

    def due(self, missing: Days, now: datetime) -> Days:
        """Those of the `missing` sessions that are to be requested now."""
        wanted = [str(day) not in self.pending or self.pending[str(day)].is_due(now) for day in missing]
        due: Days = missing[np.array(wanted, dtype=bool)]
        return due

    def after_asking(self, missing: Days, first: np.datetime64, now: datetime) -> dict[str, Asked]:
        """`pending` once everything from `first` on was requested and `missing` is still missing."""
        pending = {}
        for day in missing:
            known = self.pending.get(str(day), Asked(0, iso_utc(now)))
            pending[str(day)] = Asked(known.times + 1, iso_utc(now)) if day >= first else known
        return {day: asked for day, asked in pending.items() if asked.times}

    def as_json(self) -> dict[str, Any]:
        """Plain values for the file's metadata."""
        return {
            "asked_from": self.asked_from,
            "pending": {day: [asked.times, asked.at] for day, asked in self.pending.items()},
            "events": {day: list(event) for day, event in self.events.items()},
            "restatements": self.restatements,
            "restated": self.restated,
            "shorter": list(self.shorter),
        }


def fetch_state_from_json(content: Mapping[str, Any]) -> FetchState:
    """The inverse of `FetchState.as_json`.

    Raises:
        KeyError, TypeError, ValueError: it is not such content.
    """
    return FetchState(
        asked_from=str(content["asked_from"]),
        pending={day: Asked(int(times), str(at)) for day, (times, at) in content["pending"].items()},
        events={day: (float(dividend), float(split)) for day, (dividend, split) in content["events"].items()},
        restatements=int(content["restatements"]),
        restated=str(content["restated"]),
        shorter=tuple(str(day) for day in content["shorter"]),
    )
