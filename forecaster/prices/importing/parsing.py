"""From columns as files hold them to dates and numbers, naming the values that are neither."""

import math
import re
from collections.abc import Callable
from datetime import date
from typing import TYPE_CHECKING, Any

import numpy as np

from forecaster.errors import BadInputError
from forecaster.prices.table import DEFAULTS, Days, Floats

if TYPE_CHECKING:
    import pyarrow as pa

Faults = dict[int, str]
DATE_LENGTH = 10
SHOWN = 24
UNKNOWN_NUMBERS = {"", "-", "n/a", "na", "nan", "none", "null"}
_TIME_AND_ZONE = re.compile(r"(?:[T ]\d\d:\d\d(?::\d\d(?:\.\d+)?)?)? ?(Z|UTC|[+-]\d\d:?\d\d)?")


class DateParser:
    """Reads the dates of one file, whose first row fixes the time zone that all must share.

    The date is the one that is written: a bar stamped midnight in New York, or midnight UTC, belongs to
    the day on its stamp. New York's two offsets, for winter and summer, are one zone.
    """

    def __init__(self) -> None:
        self._zone: str | None = None

    def parse(self, column: "pa.Array") -> tuple[Days, Faults]:
        """Dates as datetime64[D], NaT where there is none, and the faults by row.

        Raises:
            BadInputError: the column's type is not one of dates, times or text.
        """
        import pyarrow as pa
        import pyarrow.compute as pc

        column = _plain(column)
        kind = column.type
        if pa.types.is_null(kind):
            return np.full(len(column), "NaT", "datetime64[D]"), {}
        if pa.types.is_timestamp(kind) and kind.tz is not None:
            column = pc.local_timestamp(column)
        if pa.types.is_date(kind) or pa.types.is_timestamp(kind):
            return column.to_numpy(zero_copy_only=False).astype("datetime64[D]"), {}
        if not _is_text(kind):
            raise BadInputError(f"its column date is of type {kind}", "store dates, times or ISO text")
        return self._parse_text(column)

    def _parse_text(self, column: "pa.Array") -> tuple[Days, Faults]:
        import pyarrow as pa
        import pyarrow.compute as pc

        faults = {}
        if (pc.max(pc.binary_length(column)).as_py() or 0) > DATE_LENGTH or self._zone not in {None, ""}:
            column = pc.utf8_trim_whitespace(column)
            faults = self._zone_faults(pc.utf8_slice_codeunits(column, DATE_LENGTH))
            column_days = pc.utf8_slice_codeunits(column, 0, DATE_LENGTH)
        else:
            self._zone = self._zone or ""
            column_days = column
        try:
            days = column_days.cast(pa.date32()).to_numpy(zero_copy_only=False).astype("datetime64[D]")
        except pa.ArrowInvalid:
            days, wrong = _each(
                column_days, _date, np.datetime64("NaT", "D"), "the date {} is not like 2024-01-31"
            )
            faults = wrong | faults
        return days, faults

    def _zone_faults(self, endings: "pa.Array") -> Faults:
        encoded = endings.dictionary_encode()
        zones = [_zone(ending) for ending in encoded.dictionary.to_pylist()]
        codes = encoded.indices.fill_null(-1).to_numpy(zero_copy_only=False)
        if self._zone is None:
            self._zone = next((zones[code] for code in codes if code >= 0 and zones[code] is not None), None)
        faults: Faults = {}
        for code, zone in enumerate(zones):
            if zone is None:
                reason = "the date is followed by something that is not a time"
            elif zone != self._zone:
                reason = f"the time zone is {zone or 'none'}, the file began with {self._zone or 'none'}"
            else:
                continue
            faults |= dict.fromkeys(np.flatnonzero(codes == code).tolist(), reason)
        return faults


def parse_numbers(name: str, column: "pa.Array") -> tuple[Floats, Faults]:
    """The column as float64, NaN (or none of it: dividend 0, split 1) where empty, and faults by row.

    Raises:
        BadInputError: the column's type is neither number nor text.
    """
    import pyarrow as pa

    column = _plain(column)
    kind = column.type
    faults: Faults = {}
    if pa.types.is_decimal(kind):
        column = column.cast(pa.string())  # Arrow's own way to floating point is off in the last digit
    elif not (
        _is_text(kind) or pa.types.is_integer(kind) or pa.types.is_floating(kind) or pa.types.is_null(kind)
    ):
        raise BadInputError(f"its column {name} is of type {kind}", "store numbers")
    try:
        floats = column.cast(pa.float64(), safe=False)
        values = floats.fill_null(math.nan).to_numpy(zero_copy_only=False)
    except pa.ArrowInvalid:
        values, faults = _each(column, _number, math.nan, name + " {} is not a number")
    if name in DEFAULTS:
        values = np.where(np.isnan(values), DEFAULTS[name], values)
    if name == "split":
        values = np.where(values == 0, 1.0, values)  # Yahoo writes 0 on a day without one
    return values, faults


def _plain(column: "pa.Array") -> "pa.Array":
    """Without a dictionary, and with one type for all text."""
    import pyarrow as pa

    plain = column.dictionary_decode() if pa.types.is_dictionary(column.type) else column
    return plain.cast(pa.string()) if _is_text(plain.type) else plain


def _is_text(kind: "pa.DataType") -> bool:
    import pyarrow as pa

    return bool(pa.types.is_string(kind) or pa.types.is_large_string(kind) or pa.types.is_string_view(kind))


def _each(column: "pa.Array", read: Callable[[str], Any], unknown: Any, complaint: str) -> tuple[Any, Faults]:
    """Read every distinct text by itself; `read` raises ValueError for one that is wrong."""
    encoded = column.dictionary_encode()
    codes = encoded.indices.fill_null(len(encoded.dictionary)).to_numpy(zero_copy_only=False)
    values, wrong = [], {}
    for code, text in enumerate(encoded.dictionary.to_pylist()):
        try:
            values.append(read(text))
        except ValueError:
            values.append(unknown)
            wrong[code] = complaint.format(repr(text[:SHOWN]))
    found = np.array([*values, unknown])[codes]
    bad = np.flatnonzero(np.isin(codes, list(wrong)))
    return found, {int(row): wrong[codes[row]] for row in bad}


def _date(text: str) -> np.datetime64:
    return np.datetime64(date.fromisoformat(text.strip()), "D") if text.strip() else np.datetime64("NaT", "D")


def _number(text: str) -> float:
    word = text.strip().lower()
    if word in UNKNOWN_NUMBERS:
        return math.nan
    if "_" in word:
        raise ValueError
    return float(word)


def _zone(ending: str) -> str | None:
    """The zone after a date: empty for none, None if it is not a time at all."""
    match = _TIME_AND_ZONE.fullmatch(ending)
    if match is None:
        return None
    zone = (match[1] or "").replace(":", "")
    if zone in {"-0400", "-0500"}:
        return "New York"
    return "UTC" if zone in {"Z", "UTC", "+0000"} else zone
