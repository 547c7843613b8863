"""Text files as people have them, packed or not and in any usual encoding, as blocks of UTF-8 lines."""

import codecs
import csv
import errno
import gzip
import io
import lzma
import struct
import zipfile
import zlib
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass
from datetime import datetime
from functools import partial
from pathlib import Path
from typing import BinaryIO, cast

from forecaster.errors import BadInputError

BLOCK_BYTES = 8 * 2**20
MOST_SHEET_BYTES = 100_000_000
"""Unpacked; the library that reads spreadsheets holds several times as much. A hundred tickers fit."""
MOST_SHEET_COLUMNS = 200
EMPTY_ROWS_AT_END = 10_000
GZIP_MAGIC = b"\x1f\x8b"
ZIP_MAGIC = b"PK\x03\x04"
_MARKS = {codecs.BOM_UTF8: "utf-8", codecs.BOM_UTF16_LE: "utf-16-le", codecs.BOM_UTF16_BE: "utf-16-be"}


_ARCHIVE_ERRORS = (
    *(EOFError, zlib.error, lzma.LZMAError, zipfile.BadZipFile, gzip.BadGzipFile, struct.error),
    *(NotImplementedError, RuntimeError, ValueError, OverflowError),
)
"""What the standard library meets a damaged or encrypted archive with."""


Opener = Callable[[], AbstractContextManager[BinaryIO]]


@dataclass(frozen=True)
class Part:
    """A file, or a file in an archive.

    Attributes:
        name: for messages: `AAPL.csv`, or `prices.zip/AAPL.csv`.
        stem: the file's own name without the endings: `AAPL`.
        path: of the file, or of the archive.
        opener: gives its bytes, unpacked.
        packed: whether they come out of an archive.
    """

    name: str
    stem: str
    path: Path
    opener: Opener
    packed: bool = False

    @contextmanager
    def open(self) -> Iterator[BinaryIO]:
        """Its bytes, unpacked.

        Raises:
            BadInputError: the archive is damaged, encrypted, or packed in a way that is not known.
            OSError: it cannot be read.
        """
        try:
            with self.opener() as file:
                yield file
        except (*_ARCHIVE_ERRORS, OSError) as error:
            # An archive may point before its own beginning, and bzip2 has no error of its own.
            if isinstance(error, OSError) and not (self.packed and error.errno in (None, errno.EINVAL)):
                raise
            raise BadInputError(f"{self.name} is a damaged archive: {error}", "get it again") from error


def parts_of(path: Path) -> list[Part]:
    """What a file holds: itself, a spreadsheet's first sheet, or the text files in a gzip or zip archive.

    Raises:
        BadInputError: the archive or the spreadsheet is damaged, or its library is not installed.
        OSError: it cannot be read.
    """
    with path.open("rb") as file:
        magic = file.read(len(ZIP_MAGIC))
    if magic.startswith(GZIP_MAGIC):
        opened = cast("Opener", partial(gzip.open, path))
        return [Part(path.name, _stem(path.name.removesuffix(".gz")), path, opened, packed=True)]
    if magic != ZIP_MAGIC:
        return [Part(path.name, _stem(path.name), path, cast("Opener", partial(path.open, "rb")))]
    try:
        with zipfile.ZipFile(path) as archive:
            inside = [info for info in archive.infolist() if not info.is_dir()]
    except _ARCHIVE_ERRORS:
        inside = []
    members = [info.filename for info in inside]
    if "[Content_Types].xml" in members:
        if (
            sum(info.file_size for info in inside) > MOST_SHEET_BYTES
        ):  # no member unpacks to more than it says
            raise BadInputError(
                f"{path.name} is a spreadsheet that unpacks to more than {MOST_SHEET_BYTES:,} bytes",
                "save its table as CSV",
            )
        return [_first_sheet(path)]
    if not members:
        raise BadInputError(f"{path.name} is a damaged archive", "get it again")
    return [
        Part(f"{path.name}/{name}", _stem(Path(name).name), path, _opener(path, name), packed=True)
        for name in sorted(members)
        if not Path(name).name.startswith(".") and not name.startswith("__MACOSX/")
    ]


def _first_sheet(path: Path) -> Part:
    """The first sheet of a spreadsheet, as the text that it would be if it were saved as CSV.

    Raises:
        BadInputError: it cannot be read, or the library for that is not installed.
    """
    try:
        import openpyxl
    except ImportError:
        remedy = "save its table as CSV, or: pip install 'forecaster[excel]'"
        raise BadInputError(f"{path.name} is a spreadsheet", remedy) from None
    try:
        with path.open("rb") as file:  # the library leaves what it opens itself open, where it fails
            book = openpyxl.load_workbook(file, read_only=True, data_only=True)
            # A single cell at the far corner would make every row as wide as a sheet can be.
            rows = book.worksheets[0].iter_rows(max_col=MOST_SHEET_COLUMNS, values_only=True)
            cells = _up_to_the_end(map(_cell_texts, rows))
    except Exception as error:  # the library meets a damaged file with any error there is
        raise BadInputError(
            f"{path.name} is a damaged spreadsheet: {error}", "save its table as CSV"
        ) from error
    width = max(map(len, cells), default=0)
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    for row in cells:
        writer.writerow(row + [""] * (width - len(row)) if row else [])
    return Part(path.name, path.stem, path, lambda: io.BytesIO(text.getvalue().encode()))


def _up_to_the_end(rows: Iterable[list[str]]) -> list[list[str]]:
    """The rows before so many empty ones that no table goes on."""
    kept: list[list[str]] = []
    last = 0
    for number, row in enumerate(rows, 1):
        kept.append(row)
        if row:
            last = number
        elif number - last > EMPTY_ROWS_AT_END:
            break
    return kept[:last]


def _cell_texts(row: Sequence[object]) -> list[str]:
    """A row as CSV has it, without the empty cells at its end."""
    texts = [_cell_text(value) for value in row]
    while texts and not texts[-1]:
        texts.pop()
    return texts


def _cell_text(value: object) -> str:
    if value is None:
        return ""
    if isinstance(value, datetime):
        return f"{value:%Y-%m-%d %H:%M:%S}"
    if isinstance(value, float) and value.is_integer():
        return str(int(value))
    return str(value)


def _stem(name: str) -> str:
    for ending in (".csv", ".txt", ".tsv", ".parquet"):
        if name.lower().endswith(ending):
            return name[: -len(ending)]
    return name


def _opener(path: Path, member: str) -> Opener:
    @contextmanager
    def open_member() -> Iterator[BinaryIO]:
        with zipfile.ZipFile(path) as archive, archive.open(member) as file:
            yield cast("BinaryIO", file)

    return open_member


def utf8_blocks(part: Part) -> Iterator[bytes]:
    """The text in blocks of about 8 MiB, cut anywhere, in UTF-8 and with line feeds as line ends.

    UTF-8 and UTF-16 are told by their byte order marks, or from the text; all else is read as Windows-1252,
    of which Latin-1 is a part for all that one sees in a price file.

    Raises:
        BadInputError: it is empty, or the archive is damaged.
        OSError: it cannot be read.
    """
    with part.open() as file:
        first = file.read(BLOCK_BYTES)
        if not first:
            raise BadInputError(
                f"{part.name} is empty", "give a file with a line of headings and lines of values"
            )
        encoding, mark = _encoding(first)
        decoder = None if encoding == "utf-8" else codecs.getincrementaldecoder(encoding)("replace")
        block, old_line_ends = first.removeprefix(mark), None
        while block:
            text = block if decoder is None else decoder.decode(block).encode()
            if old_line_ends is None:
                old_line_ends = b"\r" in text and b"\n" not in text
            yield text.replace(b"\r", b"\n") if old_line_ends else text
            block = file.read(BLOCK_BYTES)


def _encoding(first: bytes) -> tuple[str, bytes]:
    """The encoding of a text that begins so, and its byte order mark."""
    for mark, encoding in _MARKS.items():
        if first.startswith(mark):
            return encoding, mark
    start = first[:512]
    if len(start) >= 4 and start.count(0) >= len(start) // 3:  # every second byte of plain text in UTF-16
        if not any(start[0::2]) and any(start[1::2]):
            return "utf-16-be", b""
        if not any(start[1::2]) and any(start[0::2]):
            return "utf-16-le", b""
    try:
        codecs.getincrementaldecoder("utf-8")().decode(first)
    except UnicodeDecodeError:
        return "cp1252", b""
    return "utf-8", b""
