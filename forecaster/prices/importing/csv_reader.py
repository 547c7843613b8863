"""A CSV file as blocks of text columns with the line each row stands on; a file of any size."""

import csv
import re
from collections.abc import Iterator, Mapping
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, BinaryIO

import numpy as np

from forecaster.errors import BadInputError
from forecaster.prices.fetching import FetchLog
from forecaster.prices.importing.headings import find_columns

if TYPE_CHECKING:
    import pyarrow as pa

    from forecaster.prices.importing.rows import Rows

BLOCK_BYTES = 8 * 2**20
LONGEST_HEADING = 64 * 2**10
BYTE_ORDER_MARK = b"\xef\xbb\xbf"
_EMPTY_LINE = re.compile(rb"(?:\A|\n)\r?\n")


@dataclass(frozen=True)
class _Layout:
    """How the lines of a file are divided: the number of fields, and which of them matter."""

    fields: int
    columns: Mapping[str, int]


def read_csv_blocks(
    path: Path, log: FetchLog, *, needs_ticker: bool
) -> Iterator[tuple[dict[str, "pa.Array"], "Rows"]]:
    """The file's columns that matter, block by block, as text, with each row's line (headings: 1).

    Lines with too few or too many fields are told to `log`; empty ones are passed over.

    Raises:
        BadInputError: the file is empty, is not text, or lacks a needed column.
        OSError: it cannot be read.
    """
    with path.open("rb") as file:
        layout = _read_headings(file, path.name, needs_ticker=needs_ticker)
        line, rest = 2, b""
        while True:
            fresh = file.read(BLOCK_BYTES)
            text, rest = _whole_lines(rest + fresh, last=not fresh)
            if b"\0" in text or len(rest) > BLOCK_BYTES:
                log.reject(path.name, line, "from about here on it is not text; nothing further was read")
                return
            if text:
                yield _parse_block(text, line, layout, path.name, log)
                line += text.count(b"\n")
            if not fresh:
                return


def _read_headings(file: BinaryIO, name: str, *, needs_ticker: bool) -> _Layout:
    line = file.readline(LONGEST_HEADING)
    if not line:
        raise BadInputError(
            f"{name} is empty", "give a file with a line of headings and a line for each price"
        )
    remedy = "give a CSV file in UTF-8, or a Parquet file"
    if b"\0" in line:
        raise BadInputError(f"{name} is not a text file", remedy)
    try:
        text = line.removeprefix(BYTE_ORDER_MARK).decode()
    except UnicodeDecodeError:
        raise BadInputError(f"{name} is not a text file in UTF-8", remedy) from None
    if len(line) == LONGEST_HEADING:
        raise BadInputError(f"the first line of {name} has no end", remedy)
    headings = next(csv.reader([text]), [])
    return _Layout(len(headings), find_columns(headings, name, needs_ticker=needs_ticker))


def _whole_lines(text: bytes, *, last: bool) -> tuple[bytes, bytes]:
    """Up to the last line end, and what is left for the next block."""
    if last:
        return text, b""
    end = text.rfind(b"\n") + 1
    return text[:end], text[end:]


def _parse_block(
    text: bytes, line: int, layout: _Layout, file: str, log: FetchLog
) -> tuple[dict[str, "pa.Array"], "Rows"]:
    import pyarrow as pa

    if not text.isascii():
        text = text.decode(errors="replace").encode()
    lines = text.count(b"\n") + (not text.endswith(b"\n"))
    if not _EMPTY_LINE.search(text):
        with suppress(pa.ArrowInvalid):
            table = _parse_at_once(text, layout)
            if table.num_rows == lines:  # not so if a quoted field runs over several lines
                block = {role: table.column(role).combine_chunks() for role in layout.columns}
                return block, np.arange(line, line + lines)
    return _parse_line_by_line(text, line, layout, file, log)


def _parse_at_once(text: bytes, layout: _Layout) -> "pa.Table":
    """Arrow's reader: quick, but it cannot say which line is wrong.

    Raises:
        pyarrow.ArrowInvalid: a line is.
    """
    import pyarrow as pa
    from pyarrow import csv as arrow_csv

    roles = {place: role for role, place in layout.columns.items()}
    names = [roles.get(place, f"#{place}") for place in range(layout.fields)]
    return arrow_csv.read_csv(
        pa.BufferReader(text),
        read_options=arrow_csv.ReadOptions(use_threads=False, block_size=len(text) + 1, column_names=names),
        parse_options=arrow_csv.ParseOptions(ignore_empty_lines=False),
        convert_options=arrow_csv.ConvertOptions(
            include_columns=list(layout.columns),
            column_types=dict.fromkeys(layout.columns, pa.string()),
            null_values=[""],
            strings_can_be_null=True,
        ),
    )


def _parse_line_by_line(
    text: bytes, line: int, layout: _Layout, file: str, log: FetchLog
) -> tuple[dict[str, "pa.Array"], "Rows"]:
    import pyarrow as pa

    rows, numbers = [], []
    for number, content in enumerate(text.decode().split("\n"), start=line):
        if not content.strip():
            continue
        try:
            fields = next(csv.reader([content.rstrip("\r")], strict=True))
        except csv.Error as error:
            log.reject(file, number, f"the line is not CSV: {error}")
            continue
        if len(fields) != layout.fields:
            log.reject(file, number, f"the line has {len(fields)} fields, the headings {layout.fields}")
            continue
        rows.append(fields)
        numbers.append(number)
    block = {
        role: pa.array([row[place] or None for row in rows], pa.string())
        for role, place in layout.columns.items()
    }
    return block, np.array(numbers, dtype=np.int64)
