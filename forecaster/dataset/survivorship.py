"""How far prices are those of survivors: whose prices end early, and which members are not there.

A company that failed or was taken over is often missing from a store that was filled today. Results on what
is left flatter whoever forecasts that prices rise; how far they move from day to day it tells as well.
"""

from collections.abc import Mapping
from typing import Any

import numpy as np

from forecaster.dataset.membership import Selection
from forecaster.dataset.panel import Panel
from forecaster.dataset.split import Split

ENDED_DAYS = 30
"""Prices that end more days before the panel's last one were delisted; others may be a fetch behind."""


def count_survivors(panel: Panel, split: Split, selection: Selection | None) -> dict[str, Any]:
    """What a card and a document say of survivorship.

    Args:
        panel: the prices.
        split: its parts; members are counted on the first day of the test.
        selection: the universe that the tickers are members of; None without one.

    Returns:
        `tickers`, `ended_early` of them, `last_day` of the prices; `members_day`, the `members` on it and
        the `members_stored` with prices before and after it, None without a universe that has dates.
    """
    traded = np.isfinite(panel.close)
    first = panel.dates[traded.argmax(1)]
    last = panel.dates[len(panel.dates) - 1 - traded[:, ::-1].argmax(1)]
    found: dict[str, Any] = {
        "tickers": len(panel.tickers),
        "ended_early": int((panel.dates[-1] - last > np.timedelta64(ENDED_DAYS, "D")).sum()),
        "last_day": str(panel.dates[-1]),
        "members_day": None,
        "members": None,
        "members_stored": None,
    }
    if selection is None or selection.universe.known_to is None:
        return found
    day = panel.dates[split.test.start]
    there = {
        name for row, name in enumerate(panel.tickers) if traded[row].any() and first[row] <= day <= last[row]
    }
    members = selection.universe.members_between(day.astype(object), day.astype(object))
    return found | {
        "members_day": str(day),
        "members": len(members),
        "members_stored": sum(name in there for name in members),
    }


def survivorship_text(found: Mapping[str, Any]) -> str:
    """What `count_survivors` found, in words, and how far results can be trusted for it."""
    text = (
        f"Survivorship: tickers whose prices end over a month before {found['last_day']}: "
        f"{found['ended_early']:,} of {found['tickers']:,}. "
    )
    if found["members"] is not None:
        text += (
            f"Of {found['members']:,} members on {found['members_day']} the store has "
            f"{found['members_stored']:,}. "
        )
    if doubt := _doubt(found):
        text += f"{doubt}: trust results about the price less; those about the range hold."
    return text.strip()


def _doubt(found: Mapping[str, Any]) -> str:
    if found["members"] is not None:
        return "Survivors are overrepresented" if found["members_stored"] < found["members"] else ""
    if found["ended_early"]:
        return "Whether other delisted companies are missing is not known"
    return "All of them are survivors"
