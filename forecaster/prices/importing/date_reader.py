"""Dates and times as files write them, each column read in one order and in one time zone."""

import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import date, timedelta
from typing import TYPE_CHECKING
from zoneinfo import ZoneInfo

import numpy as np
from numpy.typing import NDArray

from forecaster.errors import BadInputError
from forecaster.prices.calendar import NEW_YORK
from forecaster.prices.table import Days

if TYPE_CHECKING:
    import pyarrow as pa

Faults = dict[int, str]
SHOWN = 24
ISO_LENGTH = 10
DAY = 86_400
BACKWARDS_SHARE = 0.2
"""So many of the dates must be like 2024-31-01 to be believed; of three in five the day is above 12."""
_DAY_BEFORE_MONTH = "year, day, month"
_NAT = np.datetime64("NaT", "D")

_MONTHS = ["jan", "feb", "mar", "apr", "may", "jun", "jul", "aug", "sep", "oct", "nov", "dec"]
_YEAR_FIRST = re.compile(r"(\d{4})([-/.]?)(\d{1,2})\2(\d{1,2})")
_YEAR_LAST = re.compile(r"(\d{1,2})([-/]|\. ?)(\d{1,2})\2(\d{4}|\d{2})")
_DAY_MONTH_NAME = re.compile(r"(\d{1,2})[-/. ]{0,2}([a-z]{3,9})[-/., ]{0,2}(\d{4}|\d{2})")
_MONTH_NAME_DAY = re.compile(r"([a-z]{3,9})[-/. ]{0,2}(\d{1,2})(?:st|nd|rd|th)?[-/., ]{1,2}(\d{4})")
_YEAR_MONTH_NAME = re.compile(r"(\d{4})[-/ ]([a-z]{3,9})[-/ ](\d{1,2})")
_WEEKDAY = re.compile(r"(?:mon|tue|wed|thu|fri|sat|sun)[a-z]*[,.]? +")
_ENDING = re.compile(
    r"(?:(?:t|,? +)(\d\d?):(\d\d)(?::(\d\d)(?:[.,]\d+)?)? ?([ap]m)?)?"
    r" ?(z|utc|gmt|e[sd]t|[+-]\d\d:?\d\d)?"
)
_NUMBER = re.compile(r"-?\d+(?:\.\d*)?")
_OFFSETS = {"z": 0, "utc": 0, "gmt": 0, "est": -300, "edt": -240}
_EPOCHS = {range(8, 12): 1, range(12, 15): 10**3, range(15, 18): 10**6, range(18, 21): 10**9}
"""Digits of a time since 1970 to its units in a second."""
_OPENS_AND_CLOSES = (0, 34_200, 57_600)
"""Midnight, 9:30 and 16:00 in New York: at one of these a daily bar may be stamped."""


@dataclass(frozen=True)
class Stamps:
    """When bars are of.

    Attributes:
        days: (rows,) datetime64[D], NaT where there is none that can be read.
        seconds: (rows,) since midnight; None where the file has dates only.
        faults: why a row has none, by row.
    """

    days: Days
    seconds: NDArray[np.int32] | None
    faults: Faults


@dataclass(frozen=True)
class _Written:
    """One text, taken apart: its fields in the order written, and what follows the date.

    Attributes:
        shape: year first, year last, named or epoch.
        fields: year, month and day, or what may be these; of an epoch the seconds.
        seconds: since midnight.
        offset: minutes from UTC; None without one.
    """

    shape: str
    fields: tuple[int, int, int]
    seconds: int
    offset: int | None


_ORDERS: dict[str, dict[str, tuple[int, int, int]]] = {
    "year first": {"year, month, day": (0, 1, 2), _DAY_BEFORE_MONTH: (0, 2, 1)},
    "year last": {"day, month, year": (2, 1, 0), "month, day, year": (2, 0, 1)},
    "named": {"named": (0, 1, 2)},
    "epoch": {"epoch": (0, 1, 2)},
}
"""Shape to the orders it may have: where year, month and day stand; the preferred first."""


class DateReader:
    """Reads the dates of one file: its first rows decide the order and the zone, and all must keep to them.

    The date is the one that is written: a bar stamped midnight in New York, or midnight UTC, belongs to the
    day on its stamp. Two offsets that are an hour apart are one zone's winter and summer. A time in UTC that
    is midnight, the opening or the close in New York is read there, and a constant one at the exchange in
    its zone if the ticker tells it; any other is ambiguous.

    Args:
        zone: the time zone in which the bars' dates are meant, as the user names it.
        instants: whether the times are not a bar's stamps but moments, each its own, as of announcements: one
            in UTC is read at the exchange whatever it is, and midnight stands for a date alone.
    """

    def __init__(self, zone: str | None = None, *, instants: bool = False) -> None:
        self._instants = instants
        self.home: ZoneInfo | None = None
        """The zone of the exchange, where the tickers tell it."""
        self._zone = None if zone is None else ZoneInfo(zone)
        self._order: tuple[str, str] | None = None
        self._example = "2024-01-31"
        self._offsets: set[int | None] = set()
        self._utc_zone: ZoneInfo | None = None

    def parse(self, column: "pa.Array", clock: "pa.Array | None" = None) -> Stamps:
        """The stamps of a block of rows; `clock` holds the times where they stand in a column of their own.

        Raises:
            BadInputError: the column cannot hold dates, its order cannot be told, or its zone cannot.
        """
        import pyarrow as pa

        from forecaster.prices.importing.number_reader import is_text, plain

        column = plain(column)
        kind = column.type
        if pa.types.is_null(kind):
            return Stamps(np.full(len(column), _NAT), None, {})
        if pa.types.is_date(kind):
            return Stamps(column.to_numpy(zero_copy_only=False).astype("datetime64[D]"), None, {})
        if pa.types.is_timestamp(kind):
            return self._parse_timestamps(column)
        if pa.types.is_integer(kind) or pa.types.is_floating(kind):
            column = pa.compute.cast(column, pa.int64(), safe=False).cast(pa.string())
        elif not is_text(kind):
            raise BadInputError(f"its column date is of type {kind}", "store dates, times or ISO text")
        if clock is not None:
            column = _joined(column, clock)
        return self._parse_text(column)

    def _parse_timestamps(self, column: "pa.Array") -> Stamps:
        import pyarrow as pa
        import pyarrow.compute as pc

        zone = column.type.tz
        utc = zone is not None and zone.upper() in {"UTC", "GMT", "+00:00", "ETC/UTC", "Z"}
        if zone is not None and not utc:
            if self._zone is not None:
                column = column.cast(pa.timestamp("us", str(self._zone)))
            column = pc.local_timestamp(column)
        plain = column.cast(pa.timestamp("us"), safe=False).to_numpy(zero_copy_only=False)
        days = plain.astype("datetime64[D]")
        seconds = np.zeros(len(days), np.int64)
        known = ~np.isnat(days)
        seconds[known] = (plain[known] - days[known]).astype("timedelta64[s]").astype(np.int64)
        if utc:
            days, seconds = self._from_utc(days, seconds)
        return Stamps(days, seconds.astype(np.int32) if seconds.any() else None, {})

    def _parse_text(self, column: "pa.Array") -> Stamps:
        import pyarrow as pa
        import pyarrow.compute as pc

        longest = pc.max(pc.binary_length(column)).as_py() or 0
        if self._order in {None, ("year first", "year, month, day")} and longest <= ISO_LENGTH:
            try:
                days = column.cast(pa.date32()).to_numpy(zero_copy_only=False).astype("datetime64[D]")
            except pa.ArrowInvalid:
                pass
            else:
                if not (self._offsets - {None}):
                    self._order = self._order or ("year first", "year, month, day")
                    self._offsets.add(None)
                    return Stamps(days, None, {})
        return self._parse_each(pc.utf8_trim_whitespace(column))

    def _parse_each(self, column: "pa.Array") -> Stamps:
        """Read every distinct text by itself."""
        encoded = column.dictionary_encode()
        texts = encoded.dictionary.to_pylist()
        codes = encoded.indices.fill_null(len(texts)).to_numpy(zero_copy_only=False)
        written = [_take_apart(text.lower()) for text in texts]
        if self._order is None:
            self._decide(texts, written)
        days: Days = np.full(len(texts) + 1, _NAT)
        seconds = np.zeros(len(texts) + 1, np.int64)
        wrong: dict[int, str] = {}
        shape, order = self._order or ("year first", "year, month, day")
        for code, (text, parts) in enumerate(zip(texts, written, strict=True)):
            day = _NAT if parts is None or parts.shape != shape else _day(parts.fields, shape, order)
            if not text:
                continue
            if parts is not None and not np.isnat(day):
                days[code], seconds[code] = day, parts.seconds
                if zone := self._zone_fault(parts.offset):
                    wrong[code] = zone
            elif shape == "year first" and _is_date(text[:ISO_LENGTH]):
                wrong[code] = "the date is followed by something that is not a time"
            else:
                wrong[code] = f"the date {text[:SHOWN]!r} is not like {self._example}"
        offsets = {parts.offset for code, parts in enumerate(written) if parts and code not in wrong}
        utc = (
            shape == "epoch" or offsets - {None} == {0} or (self._zone is not None and bool(offsets - {None}))
        )
        if utc:
            shifts = np.array([parts.offset or 0 if parts else 0 for parts in written] + [0]) * 60
            days, seconds = _shifted(days, seconds, -shifts)
            days, seconds = self._from_utc(days, seconds)
        days[list(wrong)] = _NAT
        days, seconds = days[codes], seconds[codes]
        rows = np.flatnonzero(np.isin(codes, list(wrong))) if wrong else ()
        faults = {int(row): wrong[int(codes[row])] for row in rows}
        return Stamps(days, seconds.astype(np.int32) if seconds.any() else None, faults)

    def _decide(self, texts: Sequence[str], written: Sequence[_Written | None]) -> None:
        """Settle the shape and the order of the file's dates from its first rows.

        Raises:
            BadInputError: days and months cannot be told apart, or change places.
        """
        shapes = [parts.shape for parts in written if parts is not None]
        if not shapes:
            return
        shape = max(_ORDERS, key=shapes.count)
        mine = [
            (text, parts)
            for text, parts in zip(texts, written, strict=True)
            if parts and parts.shape == shape
        ]
        orders = _ORDERS[shape]
        proofs: dict[str, str] = {}
        backwards = 0
        equal, on_weekends = True, False
        for text, parts in mine:
            days = {name: _day(parts.fields, shape, name) for name in orders}
            sound = [name for name, day in days.items() if not np.isnat(day)]
            equal &= len(set(map(str, days.values()))) == 1
            if sound == [_DAY_BEFORE_MONTH]:
                backwards += 1
            day = days.get(_DAY_BEFORE_MONTH, _NAT)
            on_weekends |= not np.isnat(day) and not np.is_busday(day)
            if len(sound) == 1:
                proofs.setdefault(sound[0], text)
        if backwards and (on_weekends or backwards < BACKWARDS_SHARE * len(mine)):
            del proofs[_DAY_BEFORE_MONTH]  # a slip of the pen; that row is rejected
        if len(proofs) > 1:
            first, second = list(proofs.values())[:2]
            raise BadInputError(
                f"day and month change places: {first[:SHOWN]!r} and {second[:SHOWN]!r} cannot both be read",
                "write all dates like 2024-01-31",
            )
        if not proofs and shape == "year last" and not equal:
            raise BadInputError(
                f"no date tells whether {mine[0][0][:SHOWN]!r} begins with the day or the month",
                "write the dates like 2024-01-31",
            )
        order = next(iter(proofs), next(iter(orders)))
        self._order = (shape, order)
        sound_texts = [text for text, parts in mine if not np.isnat(_day(parts.fields, shape, order))]
        if sound_texts and (shape, order) != ("year first", "year, month, day"):
            self._example = repr(sound_texts[0][:SHOWN])

    def _zone_fault(self, offset: int | None) -> str:
        """Why a row's zone is not the file's; empty if it is."""
        if offset in self._offsets or self._zone is not None:
            return ""
        if not self._offsets or (
            len(self._offsets) == 1
            and offset is not None
            and all(known is not None and abs(offset - known) == 60 for known in self._offsets)
        ):
            self._offsets.add(offset)
            return ""
        began = _named(next(iter(self._offsets)))
        return f"the time zone is {_named(offset)}, the file began with {began}"

    def _from_utc(self, days: Days, seconds: NDArray[np.int64]) -> tuple[Days, NDArray[np.int64]]:
        """Dates and times in the zone that they are meant in, of ones in UTC.

        Raises:
            BadInputError: which zone that is cannot be told.
        """
        known = np.flatnonzero(~np.isnat(days))
        if self._zone is None and not seconds[known].any():
            return days, seconds  # midnight: the date is the one that is written
        zone = self._zone or self.home or NEW_YORK
        local_days, local_seconds = days.copy(), seconds.copy()
        if self._instants:
            known = known[seconds[known] != 0]
        for place in known:
            shift = _offset_seconds(zone, days[place], int(seconds[place]))
            total = int(seconds[place]) + shift
            local_days[place] = days[place] + np.timedelta64(total // DAY, "D")
            local_seconds[place] = total % DAY
        if self._zone is None and self._utc_zone is None and not self._instants:
            times = set(local_seconds[known].tolist())
            usual = zone is not NEW_YORK or times <= set(_OPENS_AND_CLOSES)
            if len(times) > 1 or not usual:
                at = int(seconds[known[0]])
                raise BadInputError(
                    f"the times are in UTC, the first at {at // 3600:02d}:{at % 3600 // 60:02d}; "
                    "at the exchange that may be another day",
                    "name the exchange's time zone: --timezone Asia/Tokyo",
                )
            self._utc_zone = zone
        return local_days, local_seconds


def looks_like_date(text: str) -> bool:
    """Whether a text can be read as a date in one order or another."""
    parts = _take_apart(text.strip().lower())
    if parts is None or (parts.shape == "epoch" and len(text.strip()) < 9):
        return False
    return any(not np.isnat(_day(parts.fields, parts.shape, order)) for order in _ORDERS[parts.shape])


def _take_apart(text: str) -> _Written | None:
    """The parts of a date with or without a time, in small letters; None if it is none."""
    text = _WEEKDAY.sub("", text, count=1) if text[:1].isalpha() else text
    if _NUMBER.fullmatch(text) and (parts := _number_parts(text)):
        return parts
    for shape, pattern, fields in _PATTERNS:
        if found := pattern.match(text):
            ending = _ENDING.fullmatch(text[found.end() :])
            if ending is not None and (parsed := fields(found)) is not None:
                clock = _clock(ending)
                return None if clock is None else _Written(shape, parsed, *clock)
    return None


def _number_parts(text: str) -> _Written | None:
    whole = text.split(".", maxsplit=1)[0]
    digits = whole.lstrip("-")
    if len(digits) == 8 and digits[:2] in {"17", "18", "19", "20", "21"}:
        return _Written("year first", (int(whole[:4]), int(whole[4:6]), int(whole[6:])), 0, None)
    if len(digits) in {12, 14} and digits[:2] in {"19", "20"}:
        fields = int(digits[:4]), int(digits[4:6]), int(digits[6:8])
        hour, minute, second = int(digits[8:10]), int(digits[10:12]), int(digits[12:] or 0)
        if not np.isnat(_ymd(*fields)) and hour < 24 and minute < 60 and second < 60:
            return _Written("year first", fields, 3600 * hour + 60 * minute + second, None)
    units = next((unit for lengths, unit in _EPOCHS.items() if len(digits) in lengths), None)
    if units is None:
        return None
    seconds = int(whole) // units
    return _Written("epoch", (seconds // DAY, 0, 0), seconds % DAY, 0)


def _clock(ending: re.Match[str]) -> tuple[int, int | None] | None:
    """Seconds since midnight and minutes from UTC; None for a time that there is not."""
    hour, minute, second = (int(part or 0) for part in ending.group(1, 2, 3))
    if ending[4]:
        if not 1 <= hour <= 12:
            return None
        hour = hour % 12 + (12 if ending[4] == "pm" else 0)
    if hour > 23 or minute > 59 or second > 60:
        return None
    return 3600 * hour + 60 * minute + min(second, 59), _offset(ending[5])


def _offset(zone: str | None) -> int | None:
    if zone is None or zone in _OFFSETS:
        return None if zone is None else _OFFSETS[zone]
    digits = zone[1:].replace(":", "")
    minutes = 60 * int(digits[:2]) + int(digits[2:])
    return -minutes if zone[0] == "-" else minutes


def _year_first(found: re.Match[str]) -> tuple[int, int, int] | None:
    if not found[2] and len(found[0]) != 8:
        return None
    return int(found[1]), int(found[3]), int(found[4])


def _year_last(found: re.Match[str]) -> tuple[int, int, int] | None:
    return int(found[1]), int(found[3]), _full_year(found[4])


def _day_name(found: re.Match[str]) -> tuple[int, int, int] | None:
    month = _month(found[2])
    return None if month is None else (_full_year(found[3]), month, int(found[1]))


def _name_day(found: re.Match[str]) -> tuple[int, int, int] | None:
    month = _month(found[1])
    return None if month is None else (int(found[3]), month, int(found[2]))


def _year_name(found: re.Match[str]) -> tuple[int, int, int] | None:
    month = _month(found[2])
    return None if month is None else (int(found[1]), month, int(found[3]))


_FULL_MONTHS = [
    "january",
    "february",
    "march",
    "april",
    "may",
    "june",
    "july",
    "august",
    "september",
    "october",
    "november",
    "december",
]

_PATTERNS: tuple[tuple[str, re.Pattern[str], Callable[[re.Match[str]], tuple[int, int, int] | None]], ...] = (
    ("year first", _YEAR_FIRST, _year_first),
    ("year last", _YEAR_LAST, _year_last),
    ("named", _DAY_MONTH_NAME, _day_name),
    ("named", _MONTH_NAME_DAY, _name_day),
    ("named", _YEAR_MONTH_NAME, _year_name),
)


def _month(name: str) -> int | None:
    if name in _MONTHS:
        return _MONTHS.index(name) + 1
    if name == "sept":
        return 9
    return _FULL_MONTHS.index(name) + 1 if name in _FULL_MONTHS else None


def _full_year(text: str) -> int:
    return int(text) if len(text) == 4 else int(text) + (2000 if int(text) < 70 else 1900)


def _day(fields: tuple[int, int, int], shape: str, order: str) -> np.datetime64:
    if shape == "epoch":
        return np.datetime64(fields[0], "D")
    year, month, day = (fields[place] for place in _ORDERS[shape][order])
    return _ymd(year, month, day)


def _ymd(year: int, month: int, day: int) -> np.datetime64:
    try:
        return np.datetime64(date(year, month, day), "D")
    except ValueError:
        return _NAT


def _is_date(text: str) -> bool:
    try:
        date.fromisoformat(text)
    except ValueError:
        return False
    return True


def _shifted(
    days: Days, seconds: NDArray[np.int64], shift: NDArray[np.int64]
) -> tuple[Days, NDArray[np.int64]]:
    total = seconds + shift
    return days + (total // DAY).astype("timedelta64[D]"), total % DAY


def _offset_seconds(zone: ZoneInfo, day: np.datetime64, seconds: int) -> int:
    from datetime import UTC, datetime

    moment = datetime.combine(day.astype(date), datetime.min.time(), UTC) + timedelta(seconds=seconds)
    offset = moment.astimezone(zone).utcoffset()
    return 0 if offset is None else int(offset.total_seconds())


def _named(offset: int | None) -> str:
    if offset is None:
        return "none"
    if offset in {-240, -300}:
        return "New York"
    if offset == 0:
        return "UTC"
    sign = "-" if offset < 0 else "+"
    return f"{sign}{abs(offset) // 60:02d}{abs(offset) % 60:02d}"


def _joined(column: "pa.Array", clock: "pa.Array") -> "pa.Array":
    """Dates and times of two columns as one text; a time like 93000 is 9:30."""
    import pyarrow as pa

    times = []
    for text in clock.cast(pa.string()).to_pylist():
        digits = (text or "").strip()
        if digits.isdigit():
            digits = digits.zfill(4 if len(digits) <= 4 else 6)
            digits = ":".join(digits[place : place + 2] for place in range(0, len(digits), 2))
        times.append(digits)
    dates = column.to_pylist()
    return pa.array(
        [
            None if day is None else f"{_spread(day.strip())} {time}".strip()
            for day, time in zip(dates, times, strict=True)
        ],
        pa.string(),
    )


def _spread(day: str) -> str:
    """20240131 as 2024-01-31, so that a time may follow."""
    return f"{day[:4]}-{day[4:6]}-{day[6:]}" if len(day) == 8 and day.isdigit() else day
