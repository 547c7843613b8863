"""What cannot be right in prices: moves that no share makes, and two scales in one series.

A single large move proves nothing: real shares have lost 60 % in a day and doubled. What is said here is
therefore about contradictions, and about moves by the very factors by which prices are rescaled.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from forecaster.prices.calendar import session_count
from forecaster.prices.table import Days, Floats, PriceTable

LARGE = np.log(1.4)
"""Smaller moves of the log price are not looked at."""
CONTRADICTION = np.log(1.4)
"""So far may the adjusted close move without the close: special dividends have paid a quarter of it."""
UNITS = (100.0, 1000.0)
UNIT_TOLERANCE = 0.15
SPLITS = (2, 3, 4, 5, 6, 7, 8, 10, 12, 15, 20, 25, 30, 50)
SPLIT_TOLERANCE = 0.06
CALM_DAYS = 20
LEAST_CALM_DAYS = 5
CALM = 2.5
"""After a lost split the days are hardly wilder than before; after a real crash they are.

Of 201 moves beyond LARGE that 491 stocks made in 20 years these limits call one odd, which is a fault of the
data; of splits of 2:1 to 10:1 that were put into the same prices they find 92 %, of steps by 100 all.
"""
SLIP_DAYS = 5
"""A step to a simple fraction or multiple undone within so many bars is a slip, as of a decimal point.

None of the 201 moves is called one; of 1,452 slips put into the same prices 90 % are found.
"""
WILD = 0.03
"""Where the usual daily move is larger, a price may well halve or double in a day."""

OVERLAP_DAYS = 5
LEAST_SHIFT = 0.002
EVEN = 0.0005
SEAM_SESSIONS = 20
SEAM_SIGMAS = 12.0


@dataclass(frozen=True)
class OddMove:
    """A move that cannot be right.

    Attributes:
        day: of the bar after it.
        reason: what is odd, in words.
    """

    day: np.datetime64
    reason: str


def odd_moves(table: PriceTable) -> list[OddMove]:
    """The moves of a table that cannot be right, in order.

    They are: an adjusted close that moves by itself; a step by a factor of 100 or 1,000, as between pence and
    pounds; and a step to a simple fraction or multiple that is soon undone, or after which the price is as
    calm as before, as of a split that was not adjusted for.
    """
    if len(table) < 2:
        return []
    adjusted, quoted = (np.diff(np.log(table.columns[name])) for name in ("adj_close", "close"))
    found = []
    large = np.flatnonzero(np.abs(adjusted) > LARGE)
    slips = _slips(adjusted, table.dates, large)
    for place in large:
        reason = _oddity(adjusted, quoted, int(place)) or slips.get(int(place), "")
        if reason:
            found.append(OddMove(table.dates[place + 1], reason))
    return found


def _oddity(adjusted: Floats, quoted: Floats, place: int) -> str:
    """What is odd about one large move of the log adjusted close; empty if it may be real."""
    move, alone = float(adjusted[place]), float(adjusted[place] - quoted[place])
    if abs(alone) > CONTRADICTION:
        return f"adj_close {_percent(move)} while close {_percent(float(quoted[place]))}"
    for factor in UNITS:
        if abs(abs(move) - np.log(factor)) < UNIT_TOLERANCE:
            return f"the price is {factor:,.0f} times {_comparative(move)} than the day before: another unit?"
    for ratio in SPLITS:
        if abs(abs(move) - np.log(ratio)) < SPLIT_TOLERANCE and _is_calm(adjusted, place):
            split = f"{ratio}:1" if move < 0 else f"1:{ratio}"
            return f"the price is {ratio} times {_comparative(move)} than the day before: a {split} split?"
    return ""


def _slips(adjusted: Floats, dates: Days, large: NDArray[np.intp]) -> dict[int, str]:
    """Of steps by one ratio there and back within SLIP_DAYS bars, among calm days: both, and what is odd."""
    found: dict[int, str] = {}
    for there, back in zip(large[:-1].tolist(), large[1:].tolist(), strict=True):
        if back - there > SLIP_DAYS or adjusted[there] * adjusted[back] > 0:
            continue
        steps = np.abs(adjusted[[there, back]])
        # The days between are left out, so that the calm before is compared with that after the way back.
        around = np.concatenate([adjusted[: there + 1], adjusted[back + 1 :]])
        for ratio in SPLITS:
            if np.all(np.abs(steps - np.log(ratio)) < SPLIT_TOLERANCE) and _is_calm(around, there):
                times = (
                    f"the price is {ratio} times {_comparative(float(adjusted[there]))} than the day before"
                )
                found[there] = f"{times}, and back on {dates[back + 1]}: a slip?"
                found[back] = (
                    f"the price is {ratio} times {_comparative(float(adjusted[back]))}: back from a slip"
                )
                break
    return found


def _is_calm(returns: Floats, place: int) -> bool:
    """Whether the days after a move are hardly wilder than those before it, as far as there are enough."""
    before = np.abs(returns[max(place - CALM_DAYS, 0) : place])
    after = np.abs(returns[place + 1 : place + 1 + CALM_DAYS])
    if min(len(before), len(after)) < LEAST_CALM_DAYS:
        return False
    return float(after.mean()) <= CALM * max(float(before.mean()), 1e-4) and float(before.mean()) < WILD


def splice(stored: PriceTable, incoming: PriceTable) -> str:
    """Why two series of one ticker cannot be joined: they are on different scales; empty if they may be.

    Where days of both remain, the closes and the adjusted closes of the days that both have must not differ
    by one factor; and where the two only adjoin, the step between them must be one that the ticker makes.
    """
    shared, old, new = np.intersect1d(stored.dates, incoming.dates, assume_unique=True, return_indices=True)
    if len(shared) == len(stored):
        return ""  # nothing of what is stored remains
    for name in ("close", "adj_close"):
        ratio = np.log(incoming.columns[name][new]) - np.log(stored.columns[name][old])
        for part in (slice(None, OVERLAP_DAYS), slice(-OVERLAP_DAYS, None)):
            nearest = ratio[part]
            if len(nearest) and _is_shifted(nearest):
                factor = float(np.exp(np.median(nearest)))
                return (
                    f"its {name} is {factor:.4g} times the stored one on {len(shared):,} shared days, as on "
                    f"{shared[part][0]}: {incoming.columns[name][new][part][0]:.6g}, not "
                    f"{stored.columns[name][old][part][0]:.6g}"
                )
    return "" if len(shared) else _seam(stored, incoming)


def _is_shifted(ratio: Floats) -> bool:
    """Whether log ratios tell of one factor, which a single day does only if it is beyond correcting."""
    shift = float(np.median(ratio))
    if len(ratio) == 1:
        return abs(shift) > float(LARGE)
    spread = float(ratio.max() - ratio.min())
    return abs(shift) > LEAST_SHIFT and spread <= max(EVEN, 0.1 * abs(shift))


def _seam(stored: PriceTable, incoming: PriceTable) -> str:
    """What is odd about the steps between days of two series that share none."""
    dates = np.concatenate([stored.dates, incoming.dates])
    origin = np.concatenate([np.zeros(len(stored), bool), np.ones(len(incoming), bool)])
    order = np.argsort(dates, kind="stable")
    dates, origin = dates[order], origin[order]
    for name in ("close", "adj_close"):
        prices = np.concatenate([stored.columns[name], incoming.columns[name]])[order]
        moves = np.diff(np.log(prices))
        seams = np.flatnonzero(origin[1:] != origin[:-1])
        usual = _usual_move(moves, seams)
        for place in seams:
            passed = max(session_count(dates[place], dates[place + 1], stored.calendar), 1)
            if passed > SEAM_SESSIONS:
                continue
            if abs(moves[place]) > max(LARGE, SEAM_SIGMAS * usual * np.sqrt(passed)):
                return (
                    f"its {name} does not go on where the stored one ends: {prices[place]:.6g} on "
                    f"{dates[place]}, {prices[place + 1]:.6g} on {dates[place + 1]}"
                )
    return ""


def _usual_move(moves: Floats, seams: NDArray[np.intp]) -> float:
    """The median size of a daily move, as a standard deviation of a normal distribution."""
    own = np.abs(np.delete(moves, seams))
    return float(np.median(own)) / 0.6745 if len(own) else 0.0


def _percent(move: float) -> str:
    change = 100 * float(np.expm1(move))
    return f"{'rose' if change >= 0 else 'fell'} by {abs(change):,.0f} %"


def _comparative(move: float) -> str:
    return "larger" if move > 0 else "smaller"
