"""Tickers as files, data vendors and terminals write them, to tickers as Yahoo writes them."""

import re
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from forecaster.errors import BadInputError, UsageError
from forecaster.prices.table import checked_ticker

if TYPE_CHECKING:
    import pyarrow as pa

SHOWN = 24

EXCHANGE_SUFFIXES = {
    **dict.fromkeys(
        [
            "NYSE",
            "NASDAQ",
            "AMEX",
            "NYSEARCA",
            "NYSEAMERICAN",
            "ARCA",
            "BATS",
            "CBOE",
            "OTC",
            "OTCMKTS",
            "INDEX",
        ],
        "",
    ),
    **dict.fromkeys(("LSE", "LON"), ".L"),
    **dict.fromkeys(("XETR", "ETR", "XETRA"), ".DE"),
    "FRA": ".F",
    "FWB": ".F",
    "EPA": ".PA",
    "AMS": ".AS",
    "EBR": ".BR",
    "BIT": ".MI",
    "MIL": ".MI",
    "BME": ".MC",
    "SWX": ".SW",
    "SIX": ".SW",
    "STO": ".ST",
    "HEL": ".HE",
    "CPH": ".CO",
    "OSL": ".OL",
    "TSX": ".TO",
    "TSE": ".T",
    "TYO": ".T",
    "HKEX": ".HK",
    "HKG": ".HK",
    "NSE": ".NS",
    "BSE": ".BO",
    "BOM": ".BO",
    "ASX": ".AX",
    "SGX": ".SI",
    "KRX": ".KS",
    "TWSE": ".TW",
    "SSE": ".SS",
    "SZSE": ".SZ",
}
"""The exchange before a colon, as TradingView and Google write it, to Yahoo's ending."""

BLOOMBERG_SUFFIXES = {
    **dict.fromkeys(["US", "UN", "UW", "UQ", "UR", "UA", "UP", "UV"], ""),
    "LN": ".L",
    "GR": ".DE",
    "GY": ".DE",
    "FP": ".PA",
    "NA": ".AS",
    "BB": ".BR",
    "IM": ".MI",
    "SM": ".MC",
    "SW": ".SW",
    "SE": ".SW",
    "SS": ".ST",
    "FH": ".HE",
    "DC": ".CO",
    "NO": ".OL",
    "CN": ".TO",
    "CT": ".TO",
    "JP": ".T",
    "JT": ".T",
    "HK": ".HK",
    "IN": ".NS",
    "IS": ".NS",
    "IB": ".BO",
    "AU": ".AX",
    "AT": ".AX",
    "SP": ".SI",
    "KS": ".KS",
    "TT": ".TW",
}
"""The exchange after the ticker, as Bloomberg writes it, to Yahoo's ending."""

_WITH_EXCHANGE = re.compile(r"([A-Z]+):([^:]+)")
_FILE_WITH_EXCHANGE = re.compile(r"([A-Z]+)_([^_]+)")  # a file's name cannot have a colon
_BLOOMBERG = re.compile(r"(\S+) ([A-Z]{2})(?: (?:EQUITY|INDEX))?")
_SHARE_CLASS = re.compile(r"([A-Z]{1,5})[_/ ]([A-Z])")
_COIN_PAIR = re.compile(r"^([A-Z0-9]{2,})[/_](USDT?|USDC|EUR|GBP|BTC)$")
_COPY = re.compile(r" ?\(\d+\)$| - copy$", re.IGNORECASE)
_ADDITION = re.compile(
    r"[ ,_-]+(?:1d|daily|day|data|stock|stocks|history|historical|prices?|quotes?|ohlcv?|max|all|"
    r"adjusted|unadjusted|"
    r"historical[ _-]?data|price[ _-]?history|stock[ _-]?price.*|\d{4}(?:-?\d\d-?\d\d)?)$",
    re.IGNORECASE,
)
_NO_NAMES = frozenset(
    [
        "data",
        "price",
        "prices",
        "stock",
        "stocks",
        "quote",
        "quotes",
        "history",
        "historical",
        "historicaldata",
        "download",
        "table",
        "export",
        "output",
        "input",
        "file",
        "test",
        "sheet",
        "sheet1",
        "daily",
        "closes",
        "close",
        "panel",
        "universe",
        "portfolio",
        "book1",
        "untitled",
        "new",
        "all",
        "my",
        "own",
        "market",
    ]
)


def ticker_of(text: str) -> str:
    """The ticker that a file means by `text`, as Yahoo writes it.

    Examples: NYSE:LMT is LMT, BRK/B and BRK_B are BRK-B, `AAPL US Equity` and AAPL.US are AAPL, LON:VOD is
    VOD.L, BTC/USD is BTC-USD.

    Raises:
        UsageError: it is not one.
    """
    symbol = " ".join(text.split()).upper() if text.isascii() else text
    if (found := _WITH_EXCHANGE.fullmatch(symbol)) and found[1] in EXCHANGE_SUFFIXES:
        symbol = found[2].strip() + EXCHANGE_SUFFIXES[found[1]]
    elif (found := _BLOOMBERG.fullmatch(symbol)) and found[2] in BLOOMBERG_SUFFIXES:
        symbol = found[1] + BLOOMBERG_SUFFIXES[found[2]]
    symbol = symbol.removesuffix(".US") or symbol
    symbol = _COIN_PAIR.sub(r"\1-\2", symbol)
    if share := _SHARE_CLASS.fullmatch(symbol):
        symbol = f"{share[1]}-{share[2]}"
    try:
        return checked_ticker(symbol)
    except UsageError as error:
        raise UsageError(f"{text.strip()[:40]!r} is not a ticker", error.remedy) from None


def read_tickers(
    column: "pa.Array | None", ticker: str | None, rows: int, known: dict[str, str]
) -> tuple[list[str], NDArray[np.intp], dict[int, str]]:
    """The tickers of a block of rows: names, each row's place among them (-1: none that can be read), faults.

    Args:
        column: of tickers; None where all rows are of one.
        ticker: whose rows they are then.
        rows: how many there are.
        known: texts to tickers of the blocks before, which is added to.

    Raises:
        BadInputError: the column cannot hold tickers.
    """
    if column is None:
        return [ticker or ""], np.zeros(rows, np.intp), {}
    import pyarrow as pa

    try:
        encoded = (
            column if pa.types.is_dictionary(column.type) else column.cast(pa.string()).dictionary_encode()
        )
    except pa.ArrowException:
        raise BadInputError(f"its column ticker is of type {column.type}", "store texts") from None
    raw = encoded.indices.cast(pa.int64()).fill_null(-1).to_numpy(zero_copy_only=False)
    texts = [str(text) for text in encoded.dictionary.to_pylist()]
    tickers: list[str] = []
    place, wrong = np.full(len(texts) + 1, -1, np.intp), {-1: "there is no ticker"}
    for code, text in enumerate(texts):
        try:
            place[code] = len(tickers)
            tickers.append(known.get(text) or known.setdefault(text, ticker_of(text)))
        except UsageError:
            place[code] = -1
            wrong[code] = f"{text[:SHOWN]!r} is not a ticker" if text.strip() else wrong[-1]
    codes = place[raw]
    return tickers, codes, {int(row): wrong[int(raw[row])] for row in np.flatnonzero(codes < 0)}


def looks_like_ticker(text: str) -> bool:
    """Whether `ticker_of` can read it."""
    try:
        ticker_of(text)
    except UsageError:
        return False
    return True


def ticker_of_file(stem: str) -> str:
    """The ticker that a file is named after; empty if its name is none.

    Examples: of `AAPL (1)`, `AAPL_data`, `aapl.us` and `NASDAQ_AAPL, 1D` it is AAPL; `HistoricalData` names
    none.
    """
    name = _COPY.sub("", stem.strip())
    while (shorter := _ADDITION.sub("", name)) != name and shorter:
        name = shorter
    found = _FILE_WITH_EXCHANGE.fullmatch(name)
    if found and found[1] in EXCHANGE_SUFFIXES and len(found[2]) > 1:
        name = f"{found[1]}:{found[2]}"
    if plain_name(name) in _NO_NAMES or not looks_like_ticker(name):
        return ""
    return ticker_of(name)


def plain_name(text: str) -> str:
    """In small letters, without spaces and signs."""
    return re.sub(r"[\W_]", "", text.lower())
