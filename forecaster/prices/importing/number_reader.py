"""Numbers as files write them: decimal points and commas, separators of thousands, currency signs."""

import math
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from decimal import Decimal
from typing import TYPE_CHECKING

import numpy as np

from forecaster.errors import BadInputError
from forecaster.prices.table import DEFAULTS, PRICES, Floats

if TYPE_CHECKING:
    import pyarrow as pa

Faults = dict[int, str]
SHOWN = 24
UNKNOWN_NUMBERS = frozenset(
    [
        "",
        "-",
        "--",
        ".",
        "?",
        "n/a",
        "na",
        "nan",
        "none",
        "null",
        "nil",
        "#n/a",
        "#n/a n/a",
        "#na",
        "#value!",
        "#ref!",
    ]
)
"""What stands in files for a number that is not known, in small letters."""

_SUFFIXES = {"k": Decimal(10**3), "m": Decimal(10**6), "b": Decimal(10**9), "t": Decimal(10**12)}
_SPACES = re.compile(r"[\s\u00a0\u2007\u2009\u202f]+")
_CURRENCY = re.compile(r"^[$€£¥₹₩] ?| ?[$€£¥₹₩]$| ?(?:usd|eur|gbp|chf|jpy)$")
_RATIO = re.compile(r"(\d+(?:\.\d+)?) ?[:/] ?(\d+(?:\.\d+)?)")
_EXPONENT = r"(?:e[+-]?\d+)?"
_DIGITS = {
    ".": re.compile(
        rf"[+-]?(?:\d+|\d{{1,3}}(?:[,' ’]\d{{2,3}})*[,' ’]\d{{3}})?(?:(?<=\d)\.\d*|\.\d+)?{_EXPONENT}"
    ),
    ",": re.compile(rf"[+-]?(?:\d+|\d{{1,3}}(?:[.' ’]\d{{3}})+)?(?:(?<=\d),\d*|,\d+)?{_EXPONENT}"),
}
_GROUPS = {".": re.compile(r"[,' ’]"), ",": re.compile(r"[.' ’]")}


@dataclass(frozen=True)
class Numbers:
    """A column of numbers.

    Attributes:
        values: (rows,) float64, NaN where empty, or not a number.
        faults: by row, what stands there in place of a number.
    """

    values: Floats
    faults: Faults


@dataclass
class _Signs:
    """Decimal signs with a text that proves or only suggests each; and whether some numbers have no sign."""

    sure: dict[str, str] = field(default_factory=dict)
    unclear: dict[str, str] = field(default_factory=dict)
    whole: bool = False


class NumberReader:
    """Reads the numbers of one file: its first rows decide what a comma and a point mean in all of them.

    Args:
        separator: what stands between the fields, if the file is of text. Between commas a point is taken
            for a decimal one, elsewhere a point before three digits may group thousands.
    """

    def __init__(self, separator: str = ",") -> None:
        self._separator = separator
        self._decimal = ""
        self._volume_unclear = False

    def decide(self, columns: Mapping[str, "pa.Array"]) -> None:
        """Settle the decimal sign from the first block of rows, from prices before volumes.

        Args:
            columns: the columns of numbers by role.

        Raises:
            BadInputError: it cannot be told, or changes.
        """
        if self._decimal:
            return
        between_commas = self._separator == ","
        prices = _signs(
            (column for name, column in columns.items() if name in PRICES), points=not between_commas
        )
        if len(prices.sure) > 1:
            raise BadInputError(
                f"{prices.sure['.'][:SHOWN]!r} has a decimal point, {prices.sure[','][:SHOWN]!r} a comma",
                "write all numbers in one way",
            )
        volumes = _signs((column for name, column in columns.items() if name not in PRICES), points=True)
        proofs = prices.sure or volumes.sure
        if len(proofs) == 1:
            self._decimal = next(iter(proofs))
            return
        unclear = prices.unclear
        if "," in unclear or ("." in unclear and (self._separator != "," or prices.whole)):
            raise BadInputError(
                f"{next(iter(unclear.values()))[:SHOWN]!r} may have thousands or three decimals",
                "write the numbers without separators of thousands and with a decimal point",
            )
        self._decimal = "."
        # 969.233 shares may be a thousand times as many; a comma in a volume is seldom a decimal one.
        self._volume_unclear = "." in volumes.unclear

    def parse(self, name: str, column: "pa.Array") -> Numbers:
        """The column as float64, NaN (or none of it: dividend 0, split 1) where empty.

        Raises:
            BadInputError: the column's type is neither number nor text.
        """
        import pyarrow as pa

        column = plain(column)
        kind = column.type
        if pa.types.is_decimal(kind):
            column = column.cast(pa.string())  # Arrow's own way to floating point is off in the last digit
        elif not (
            is_text(kind) or pa.types.is_integer(kind) or pa.types.is_floating(kind) or pa.types.is_null(kind)
        ):
            raise BadInputError(f"its column {name} is of type {kind}", "store numbers")
        unclear = self._volume_unclear and name not in PRICES
        if (self._decimal == "," or unclear) and is_text(kind):
            return self._each(name, column)
        try:
            floats = column.cast(pa.float64(), safe=False)
            values = floats.fill_null(math.nan).to_numpy(zero_copy_only=False)
        except pa.ArrowInvalid:
            return self._each(name, column)
        return Numbers(_with_default(name, values), {})

    def _each(self, name: str, column: "pa.Array") -> Numbers:
        """Read every distinct text by itself."""
        encoded = column.dictionary_encode()
        texts = encoded.dictionary.to_pylist()
        codes = encoded.indices.fill_null(len(texts)).to_numpy(zero_copy_only=False)
        values, wrong = np.full(len(texts) + 1, math.nan), {}
        doubted = self._volume_unclear and name not in PRICES
        for code, text in enumerate(texts):
            if doubted and _decimal_sign(_bare(text)) == (".", False):
                wrong[code] = f"{name} {text[:SHOWN]!r} may have thousands or three decimals"
                continue
            if name == "split" and (ratio := _RATIO.fullmatch(text.strip())):
                values[code] = float(ratio[1]) / max(float(ratio[2]), 1e-9)
                continue
            try:
                values[code] = read_number(text, self._decimal or ".", suffixes=name == "volume")
            except ValueError:
                wrong[code] = f"{name} {text[:SHOWN]!r} is not a number"
        rows = np.flatnonzero(np.isin(codes, list(wrong))) if wrong else ()
        faults = {int(row): wrong[int(codes[row])] for row in rows}
        return Numbers(_with_default(name, values[codes]), faults)


def _signs(columns: Iterable["pa.Array"], *, points: bool) -> _Signs:
    """What the texts of some columns tell of the decimal sign; of a lone point nothing unless `points`."""
    found = _Signs()
    for column in columns:
        for text in _odd_texts(column, points=points):
            bare = _bare(text)
            sign, sure = _decimal_sign(bare)
            if sign:
                (found.sure if sure else found.unclear).setdefault(sign, text)
            found.whole |= bare.isdecimal()
    return found


def read_number(text: str, decimal: str, *, suffixes: bool) -> float:
    """The number that a text shows, NaN for one that says it is not known.

    Args:
        text: like 1,234.50, $75.09, 7.436E+01, (12) or, with suffixes, 135.48M.
        decimal: the decimal sign, a point or a comma.
        suffixes: whether K, M, B and T stand for thousands and so on.

    Raises:
        ValueError: it is not a number.
    """
    bare = _bare(text)
    if bare in UNKNOWN_NUMBERS:
        return math.nan
    scale = Decimal(1)
    if suffixes and bare[-1] in _SUFFIXES:
        scale, bare = _SUFFIXES[bare[-1]], bare[:-1].rstrip()
    if bare.startswith("(") and bare.endswith(")"):
        scale, bare = -scale, bare[1:-1]
    if bare.lstrip("+-") in {"inf", "infinity"}:
        return float(bare)
    if not _DIGITS[decimal].fullmatch(bare) or not any(map(str.isdecimal, bare)):
        raise ValueError(text)
    digits = _GROUPS[decimal].sub("", bare).replace(",", ".")
    # In floating point 135.48 × 1e6 is not always 135480000.
    return float(digits) if scale == 1 else float(Decimal(digits) * scale)


def _with_default(name: str, values: Floats) -> Floats:
    if name in DEFAULTS:
        values = np.where(np.isnan(values), DEFAULTS[name], values)
    if name == "split":
        values = np.where(values == 0, 1.0, values)  # Yahoo writes 0 on a day without one
    return values


def plain(column: "pa.Array") -> "pa.Array":
    """The column without a dictionary, and with one type for all text."""
    import pyarrow as pa

    decoded = column.dictionary_decode() if pa.types.is_dictionary(column.type) else column
    return decoded.cast(pa.string()) if is_text(decoded.type) else decoded


def is_text(kind: "pa.DataType") -> bool:
    """Whether a column of this type holds text."""
    import pyarrow as pa

    return bool(pa.types.is_string(kind) or pa.types.is_large_string(kind) or pa.types.is_string_view(kind))


def _bare(text: str) -> str:
    """In small letters, without outer spaces, with one kind of space and without a sign of currency."""
    return _CURRENCY.sub("", _SPACES.sub(" ", text).strip().replace("\u2212", "-").lower())


def _odd_texts(column: "pa.Array", *, points: bool) -> list[str]:
    """The distinct texts that tell something of the decimal sign; none where all are plain numbers.

    With `points` a plain number tells something too: that of a column whose points may be thousands'.
    """
    import pyarrow.compute as pc

    column = plain(column)
    if not is_text(column.type):
        return []
    if not points and not pc.any(pc.match_substring(column, ",")).as_py():
        return ["0.5"] if pc.any(pc.match_substring(column, ".")).as_py() else []
    return [text for text in pc.unique(column).to_pylist() if text]


def _decimal_sign(text: str) -> tuple[str, bool]:
    """What the decimal sign of the file is if this is one of its numbers, and whether that is certain."""
    text = text.strip("+-()").rstrip("kmbt ").split("e")[0]
    points, commas = text.count("."), text.count(",")
    if not re.fullmatch(r"[\d.,' ’]*\d[\d.,' ’]*", text) or not points + commas:
        return "", False
    if points and commas:
        last = "." if text.rfind(".") > text.rfind(",") else ","
        return last, text.count(last) == 1
    sign, other = (".", ",") if points else (",", ".")
    if points + commas > 1:
        return other, True  # what stands there several times groups the digits
    before, after = text.split(sign)
    before = before.lstrip("'’ ")
    grouping_possible = len(after) == 3 and 1 <= len(before) <= 3 and before[0] != "0" and after.isdigit()
    return sign, not grouping_possible
