"""What is fuzzed: each target takes any bytes, and tells whether they were of use; no error comes of them."""

import gzip
import io
import json
import tempfile
import zipfile
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, suppress
from datetime import UTC, datetime
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any
from unittest import mock

import numpy as np
from network_factory import card_of, random_network
from yahoo_server import company

from forecaster.errors import ForecastError
from forecaster.network.artifact import save_network
from forecaster.network.card import parse_card, sealed_card
from forecaster.network.weights_file import pack_weights, unpack_weights
from forecaster.prices.fetching import FetchLog, Request
from forecaster.prices.importing.files import FileSource
from forecaster.prices.store import PriceStore
from forecaster.settings import YahooSettings, load_settings

if TYPE_CHECKING:
    from forecaster.prices.yahoo.client import YahooClient

Target = Callable[[bytes], bool]

NOW = datetime(2026, 11, 21, 22, 30, tzinfo=UTC)
FIRST, LAST = np.datetime64("2026-11-01"), np.datetime64("2026-11-20")
DAYS = ("2026-11-16", "2026-11-17", "2026-11-18", "2026-11-19", "2026-11-20")
ENDINGS = (".csv", ".parquet", ".xlsx", ".txt", ".csv.gz", ".zip", ".tsv")
SHEET = "xl/worksheets/sheet1.xml"


def importer(data: bytes) -> bool:
    """A file of prices; the first byte chooses what its name ends with.

    Where that is 255, the rest is the sheet of a workbook, which no change of bytes would reach: the
    checksums of the archive stand before it.
    """
    kind, content = data[:1], data[1:]
    ending = ENDINGS[kind[0] % len(ENDINGS)] if kind else ".csv"
    if kind == b"\xff":
        ending, content = ".xlsx", _with_member(_workbook(), SHEET, content)
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / f"AAA{ending}"
        path.write_bytes(content)
        source, store = FileSource(str(path)), PriceStore(Path(folder))
        try:
            return len(list(source.fetch(Request((), NOW), store, FetchLog()))) > 0
        except ForecastError:
            return False


def card(data: bytes) -> bool:
    """A model's card; one that is JSON is sealed anew, so that what lies behind its digest is reached."""
    path = Path("card.json")
    with suppress(ForecastError):
        parse_card(path, data)
    with suppress(ValueError, TypeError, AttributeError, RecursionError):
        content = json.loads(data)
        content.pop("digest", None)
        data = json.dumps(sealed_card(content)).encode()
    try:
        return bool(parse_card(path, data))
    except ForecastError:
        return False


def weights(data: bytes) -> bool:
    """A model's weights; where the first byte is odd, the rest is one array of an otherwise sound archive.

    No change of bytes would reach it: the archive has a checksum of it.
    """
    network = random_network()
    shapes = {name: values.shape for name, values in network.weights.items()}
    content = data[1:]
    if data[:1] and data[0] % 2:
        content = _with_member(pack_weights(network.weights), "head/bias.npy", content)
    try:
        return bool(unpack_weights(content, shapes))
    except ValueError:  # which whoever reads a model tells as damage
        return False


def settings(data: bytes) -> bool:
    """A home folder's forecast.toml."""
    with tempfile.TemporaryDirectory() as folder:
        home = Path(folder)
        (home / "forecast.toml").write_bytes(data)
        try:
            return load_settings(home, {}).home == home
        except ForecastError:
            return False


def chart(data: bytes) -> bool:
    """The body of an answer with prices."""
    from forecaster.prices.yahoo.bars import check_bars

    try:
        with _client(data) as client:
            return len(check_bars("AAA", client.bars("AAA", FIRST, LAST), NOW).table) > 0
    except ForecastError:
        return False


TARGETS: Mapping[str, Target] = {each.__name__: each for each in (importer, card, weights, settings, chart)}


def seeds(target: str) -> list[bytes]:
    """Sound inputs to begin with."""
    made: Mapping[str, Callable[[], list[bytes]]] = {
        "importer": _price_files,
        "card": _cards,
        "weights": _weight_files,
        "settings": lambda: [
            b'[train]\ncell = "gru"\ntrain_end = 2015-12-31\n[yahoo]\nrate = 2.5\nurl = ""\n'
        ],
        "chart": lambda: [json.dumps(company("AAA").chart(NOW, FIRST, LAST)).encode()],
    }
    return made[target]()


def _cards() -> list[bytes]:
    network = random_network()
    with tempfile.TemporaryDirectory() as folder:
        save_network(Path(folder) / "1", network, card_of(network), b"a Keras file")
        return [(Path(folder) / "1" / "card.json").read_bytes()]


def _price_files() -> list[bytes]:
    import pyarrow as pa
    import pyarrow.parquet as pq

    rows = [f"{day},{100 + place},{1000 * place}" for place, day in enumerate(DAYS)]
    text = "\n".join(["Date,Close,Volume", *rows, ""])
    european = "\n".join(["Datum;Schluss", *(f"{16 + day}.11.2026;1.{day}00,5" for day in range(5))])
    named = "\n".join(["Ticker,Date,Open,High,Low,Close", *(f"BBB,{day},1,2,1,1.5" for day in DAYS)])
    stamped = "\n".join(
        ["time\tclose", *(f"{1_794_839_400 + 86_400 * place}\t{place + 9}" for place in range(5))]
    )
    parquet, zipped = io.BytesIO(), io.BytesIO()
    table = {
        "date": np.array(DAYS, "datetime64[D]"),
        "close": [1.0, 2.0, 3.0, 4.0, 5.0],
        "ticker": ["CCC"] * 5,
    }
    pq.write_table(pa.table(table), parquet)
    with zipfile.ZipFile(zipped, "w") as archive:
        archive.writestr("AAA.csv", text)
    files = {
        ".csv": [text.encode(), european.encode("utf-16"), named.encode()],
        ".tsv": [stamped.encode()],
        ".txt": [text.replace(",", "|").encode()],
        ".parquet": [parquet.getvalue()],
        ".csv.gz": [gzip.compress(text.encode(), mtime=0)],
        ".zip": [zipped.getvalue()],
        ".xlsx": [_workbook()],
    }
    plain = [bytes([ENDINGS.index(ending)]) + each for ending, found in files.items() for each in found]
    with zipfile.ZipFile(io.BytesIO(_workbook())) as book:
        return [*plain, b"\xff" + book.read(SHEET)]


def _with_member(archive: bytes, name: str, content: bytes) -> bytes:
    """A zip file with this in the place of one of its members."""
    made = io.BytesIO()
    with zipfile.ZipFile(io.BytesIO(archive)) as sound, zipfile.ZipFile(made, "w") as changed:
        for member in sound.namelist():
            changed.writestr(member, content if member == name else sound.read(member))
    return made.getvalue()


@cache
def _workbook() -> bytes:
    from openpyxl import Workbook

    book = Workbook()
    for row in (("Date", "Close", "Volume"), *((day, 100.5, 2000) for day in DAYS)):
        book.active.append(row)
    content = io.BytesIO()
    book.save(content)
    return content.getvalue()


def _weight_files() -> list[bytes]:
    network = random_network()
    array = io.BytesIO()
    np.save(array, network.weights["head/bias"])
    return [b"\0" + pack_weights(network.weights), b"\1" + array.getvalue()]


class _Answer:
    """As curl_cffi gives it."""

    status_code, url = 200, ""
    headers: Mapping[str, str] = {}
    content = b""
    text = ""


@contextmanager
def _client(body: bytes) -> "Iterator[YahooClient]":
    """A client to which each request is answered with `body`."""
    from curl_cffi.requests import Session

    from forecaster.prices.yahoo.client import YahooClient
    from forecaster.prices.yahoo.pacing import Pacer

    def answered(*_words: Any, content_callback: Callable[[bytes], int], **_options: Any) -> _Answer:
        content_callback(body)
        return _Answer()

    cache = Path(tempfile.gettempdir()) / "forecast-fuzz"
    with mock.patch.object(Session, "request", answered):
        yield YahooClient(YahooSettings(rate=0, retries=0), Pacer(0, 0), cache)
