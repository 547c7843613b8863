"""Whether the prices that models in service were trained on are still what the store says of those days."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from forecaster.dataset.fingerprint import price_fingerprints, restated_parts
from forecaster.dataset.panel import build_panel
from forecaster.errors import name_some
from forecaster.evaluation.audit.checks import FAILED, PASSED, Check, not_checked
from forecaster.prices.market import mean_log_return
from forecaster.prices.store import PriceStore
from forecaster.prices.table import PriceTable


@dataclass(frozen=True)
class Models:
    """The models in service whose prices are compared.

    Attributes:
        cards: by NAME@VERSION.
        store: the prices as they are now, whatever day is replayed.
        unreadable: names of which no card can be read.
    """

    cards: Mapping[str, Mapping[str, Any]]
    store: PriceStore
    unreadable: tuple[str, ...] = ()


def check_restated(models: Models | None) -> Check:
    """Compare each model's fingerprints of prices with those of the store, up to its last day.

    A rescaling by later dividends and splits moves no fingerprint. A ticker that is not stored any more is
    said, and is no fault.
    """
    if models is None:
        return not_checked("restated", "prices in a DataFrame belong to no registered model")
    if not models.cards:
        unread = f"; damaged: {name_some(models.unreadable)}" if models.unreadable else ""
        return not_checked("restated", f"there is no model in service{unread}")
    restated: dict[str, dict[str, list[str]]] = {}
    gone: set[str] = set()
    without = []
    for reference, card in models.cards.items():
        then = card["prices"].get("tickers")
        if then is None:
            without.append(reference)
            continue
        found, missing = _restated(models.store, then, card["prices"]["last_day"])
        gone |= missing
        if len(missing) < len(then):
            restated[reference] = found
    figures = {"restated": restated, "not_stored": sorted(gone), "without_fingerprints": without}
    notes = _notes(without, gone, models.unreadable)
    said = "; ".join(
        f"{reference} was trained on other prices of {name_some(_named(found))} than the store has now "
        f"up to {models.cards[reference]['prices']['last_day']}"
        for reference, found in restated.items()
        if found
    )
    if said:
        return Check("restated", FAILED, f"{said}: train it anew{notes}", figures)
    if not restated:
        return not_checked("restated", f"no model in service has prices that can be compared{notes}")
    return Check("restated", PASSED, f"{name_some(restated)}: nothing was restated since{notes}", figures)


def _restated(
    store: PriceStore, then: Mapping[str, Any], last_day: str
) -> tuple[dict[str, list[str]], set[str]]:
    """By ticker what was restated up to a day, and which are not there (any more, or in a sound file)."""
    stored = set(store.tickers())
    names = [name for name in then if name in stored]
    tables = []
    for name, read in zip(names, store.read_each(names), strict=True):
        if isinstance(read, PriceTable):
            # History that was added before the first bar is no restatement.
            first, last = np.datetime64(then[name]["first"]), np.datetime64(last_day)
            known = read.take((read.dates >= first) & (read.dates <= last))
            if len(known):
                tables.append(known)
    if not tables:
        return {}, set(then)
    now = price_fingerprints(build_panel(tables, mean_log_return(())))
    found = {name: restated_parts(then[name], each) for name, each in now.items()}
    return {name: parts for name, parts in found.items() if parts}, set(then) - set(now)


def _named(found: Mapping[str, list[str]]) -> list[str]:
    return [f"{ticker} ({', '.join(parts)})" for ticker, parts in found.items()]


def _notes(without: list[str], gone: set[str], unreadable: tuple[str, ...]) -> str:
    notes = f"; trained before fingerprints were kept: {name_some(without)}" if without else ""
    notes += f"; not stored any more: {name_some(sorted(gone))}" if gone else ""
    return notes + (f"; damaged: {name_some(unreadable)}" if unreadable else "")
