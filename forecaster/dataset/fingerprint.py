"""Fingerprints of prices by which a later look at the store tells whose were restated.

A digest changes with the last bit: a dividend rescales all adjusted closes before it, which moves returns in
their seventh digit, and every digest with them. A fingerprint is a few sums over days, each day with a weight
of its own between −1 and 1. Rounding moves them by less than the tolerance; a single restated day moves them
by more.
"""

from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from forecaster.dataset.panel import Days, Panel

Float = NDArray[np.float64]

TOLERANCES = {"returns": 1e-4, "ranges": 1e-4, "volumes": 1e-2}
"""So far may a sum of logs move: a return or range that is wrong by 0.1 %, or a volume by 10 %, moves one
further unless both of its weights happen to be small. Seven digits in 33 years of prices move one by 1e-5."""
_SUMS = 2
_BLOCK = 256
"""Tickers whose sums are computed at once, so that not all of the panel is there a second time."""
_DIGITS = 7


def price_fingerprints(panel: Panel) -> dict[str, dict[str, Any]]:
    """Of each ticker the day of its `first` bar, how many returns it has (`bars`), and the sums.

    They are of `returns`, `ranges` and `volumes`, the last against their mean: a later split multiplies them
    all. Those of a column that the panel lacks are None.
    """
    weights = _weights(panel.dates)
    bars, first = np.isfinite(panel.log_return).sum(1), np.isfinite(panel.close).argmax(1)
    columns = {"returns": panel.log_return, "ranges": panel.log_range, "volumes": panel.log_volume}
    found: dict[str, dict[str, Any]] = {}
    for start in range(0, len(panel.tickers), _BLOCK):
        rows = slice(start, start + _BLOCK)
        sums = {
            name: None if values is None else _sums(name, values[rows], weights)
            for name, values in columns.items()
        }
        for row, ticker in enumerate(panel.tickers[rows]):
            found[ticker] = {"first": str(panel.dates[first[start + row]]), "bars": int(bars[start + row])}
            for name, each in sums.items():
                found[ticker][name] = None if each is None else each[row].round(_DIGITS).tolist()
    return found


def restated_parts(then: Mapping[str, Any], now: Mapping[str, Any]) -> list[str]:
    """In which of a ticker's fingerprint two looks at it differ, of bars, returns, ranges and volumes."""
    found = [] if then["bars"] == now["bars"] else ["bars"]
    for name, tolerance in TOLERANCES.items():
        before, after = then[name], now[name]
        if before is None or after is None:
            continue  # a column that the other panel leaves out for all tickers
        if not np.abs(np.subtract(before, after)).max() <= tolerance:  # neither if it is not a number
            found.append(name)
    return found


def _sums(name: str, values: NDArray[np.float32], weights: Float) -> Float:
    """(N, _SUMS) weighted sums of (N, D) over the days that are known, of volumes against their mean."""
    known = np.isfinite(values)
    filled = np.where(known, values, 0).astype(np.float64)
    if name == "volumes":
        mean = filled.sum(1) / np.maximum(known.sum(1), 1)
        filled = np.where(known, filled - mean[:, None], 0)
    found: Float = filled @ weights
    return found


def _weights(dates: Days) -> Float:
    """(D, _SUMS) between −1 and 1, of each day the same in every panel.

    Source: the mixing steps of SplitMix64 (Steele, Lea & Flood, "Fast splittable pseudorandom number
    generators", OOPSLA 2014).
    """
    days = dates.astype("datetime64[D]").astype(np.int64).astype(np.uint64)
    columns: list[Float] = []
    for number in range(1, _SUMS + 1):
        mixed = days * np.uint64(_SUMS) + np.uint64(number)
        mixed = mixed * np.uint64(0x9E3779B97F4A7C15)
        mixed = (mixed ^ (mixed >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
        mixed = (mixed ^ (mixed >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
        mixed ^= mixed >> np.uint64(31)
        columns.append(mixed.astype(np.float64) / 2.0**63 - 1)
    return np.stack(columns, axis=1)
