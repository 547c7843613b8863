"""Whether bars are daily, and whether their dates can be right: what a file's days say of themselves."""

import numpy as np
from numpy.typing import NDArray

from forecaster.errors import BadInputError
from forecaster.prices.table import Days

LEAST_BARS = 6
USUAL_SHARE = 0.8
INTRADAY_SHARE = 0.05
LEAST_SWAPPED = 3
WEEKEND_SHARE = 0.1
LEAST_DAYS = 10
WIDE_DAYS = 7
MOST_WATCHED = 2_000_000
SPACINGS = {"weekly": (6, 8), "monthly": (27, 34), "quarterly": (85, 97), "yearly": (355, 375)}
"""Days between two bars, from and to."""


def frequency_of(dates: Days) -> str:
    """weekly, monthly, quarterly or yearly where four in five bars are that far apart; empty for daily bars.

    Args:
        dates: (days,) increasing.
    """
    if len(dates) < LEAST_BARS:
        return ""
    gaps = np.diff(dates).astype("timedelta64[D]").astype(np.int64)
    for name, (least, most) in SPACINGS.items():
        if np.mean((gaps >= least) & (gaps <= most)) >= USUAL_SHARE:
            return name
    return ""


def is_intraday(codes: NDArray[np.intp], days: Days, seconds: NDArray[np.int32]) -> bool:
    """Whether tickers have several bars on one day at different times; a rare one does not count.

    Args:
        codes: (rows,) a number for each ticker.
        days: (rows,).
        seconds: (rows,) since midnight.
    """
    order = np.lexsort((seconds, days, codes))
    codes, days, seconds = codes[order], days[order], seconds[order]
    same = (codes[1:] == codes[:-1]) & (days[1:] == days[:-1]) & (seconds[1:] != seconds[:-1])
    return bool(same.sum() > INTRADAY_SHARE * len(days))


class SwapWatch:
    """Notices dates that were misread: day and month exchanged, or all of them a day early or late."""

    def __init__(self) -> None:
        self._days: list[Days] = []
        self._codes: list[NDArray[np.intp]] = []
        self._weekdays = np.zeros(7, np.int64)
        self._suspicious = False
        self._kept = 0

    def add(self, codes: NDArray[np.intp], days: Days) -> None:
        """Take a block of rows in the order of the file: tickers as numbers, and dates, NaT where unknown."""
        known = ~np.isnat(days)
        codes, days = codes[known], days[known]
        weekdays = (days.astype(np.int64) + 3) % 7
        self._weekdays += np.bincount(weekdays, minlength=7)
        steps = np.diff(days)[codes[1:] == codes[:-1]].astype(np.int64)
        to_and_fro = bool((steps > 0).any()) and bool((steps < 0).any())
        self._suspicious |= bool((weekdays >= 5).any()) or to_and_fro or _mostly_wide(steps)
        if self._kept < MOST_WATCHED:  # those tell enough, and a file may be large
            self._days.append(days)
            self._codes.append(codes)
            self._kept += len(days)

    def check(self) -> None:
        """See that the dates can be right.

        Raises:
            BadInputError: they go to and fro, fall on weekends or lie weeks apart, and with day and month
                exchanged they do not; or they fall on one day of the weekend, and never on its neighbour in
                the week.
        """
        if not self._suspicious:
            return
        days, codes = np.concatenate(self._days), np.concatenate(self._codes)
        swapped = _swapped(days)
        changed = int((swapped != days).sum())
        odd = _disorder(days, codes) > 0 or _mostly_wide(_steps(days, codes))
        sound = _disorder(swapped, codes) == 0 and not _mostly_wide(_steps(swapped, codes))
        if changed >= LEAST_SWAPPED and odd and sound:
            raise BadInputError(
                f"day and month are exchanged where the day is 12 or less: {days[swapped != days][0]} is "
                f"probably {swapped[swapped != days][0]}",
                "write the dates like 2024-01-31",
            )
        monday, friday, saturday, sunday = self._weekdays[[0, 4, 5, 6]]
        total = self._weekdays.sum()
        if total < LEAST_DAYS:
            return
        for day, other, missing, name, missing_name, side in (
            (sunday, saturday, friday, "Sundays", "Fridays", "early"),
            (saturday, sunday, monday, "Saturdays", "Mondays", "late"),
        ):
            if day >= WEEKEND_SHARE * total and other == missing == 0:
                raise BadInputError(
                    f"its bars fall on {name} and never on {missing_name}: the dates are a day {side}",
                    "give dates of the exchange's time zone; with times in UTC: --timezone Asia/Tokyo",
                )


def _swapped(days: Days) -> Days:
    """Each date with day and month exchanged, where the day is 12 or less."""
    months = days.astype("datetime64[M]")
    years = days.astype("datetime64[Y]")
    day = (days - months).astype(np.int64) + 1
    month = (months - years).astype(np.int64) + 1
    exchanged = (years.astype("datetime64[M]") + (day - 1)).astype("datetime64[D]") + (month - 1)
    swapped: Days = np.where(day <= 12, exchanged, days)
    return swapped


def _disorder(days: Days, codes: NDArray[np.intp]) -> int:
    """How many bars are on weekends, and how many steps go against the direction of the file."""
    weekends = int((~np.is_busday(days)).sum())
    steps = _steps(days, codes)
    return weekends + int(min((steps > 0).sum(), (steps < 0).sum()))


def _steps(days: Days, codes: NDArray[np.intp]) -> NDArray[np.int64]:
    """Days from each bar to the next one in the file, of the same ticker where tickers are not mixed."""
    same = codes[1:] == codes[:-1]
    steps = np.diff(days).astype(np.int64)
    return steps[same] if 2 * same.sum() >= len(same) else steps


def _mostly_wide(steps: NDArray[np.int64]) -> bool:
    """Whether half the bars lie more than a week apart."""
    return len(steps) > 0 and bool(2 * (np.abs(steps) > WIDE_DAYS).sum() >= len(steps))
