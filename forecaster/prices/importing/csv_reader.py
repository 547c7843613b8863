"""A text file as blocks of columns with the line each row stands on; a file of any size."""

import csv
import re
from collections.abc import Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import numpy as np

from forecaster.errors import BadInputError
from forecaster.prices.fetching import FetchLog
from forecaster.prices.importing.headings import ReadHeadings, Table, read_headings
from forecaster.prices.importing.text import BLOCK_BYTES, Part, utf8_blocks

if TYPE_CHECKING:
    import pyarrow as pa

    from forecaster.prices.importing.held_rows import Rows

SEPARATORS = (",", ";", "\t", "|")
LONGEST_LINE = 64 * 2**10
MOST_LINES_BEFORE = 40
SAMPLE_LINES = 200
_EMPTY_LINE = re.compile(rb"(?:\A|\n)\r?\n")


@dataclass(frozen=True)
class Layout:
    """How a text file is laid out.

    Attributes:
        table: what its columns hold.
        separator: between the fields.
        before: lines up to the first row of values.
        fields: in each row.
        sample: the first rows of values.
    """

    table: Table
    separator: str
    before: int
    fields: int
    sample: tuple[tuple[str, ...], ...]

    @property
    def places(self) -> list[int]:
        """The columns that matter."""
        return sorted({place for group in self.table.groups for place in group.columns.values()})


class TextTable:
    """The table in a text file: its layout, then its rows.

    Args:
        part: the file.
        read: tells what its columns hold.

    Raises:
        BadInputError: the file is empty, is not text, or lacks a needed column.
        OSError: it cannot be read.
    """

    def __init__(self, part: Part, read: ReadHeadings = read_headings) -> None:
        self._part = part
        self._blocks = utf8_blocks(part)
        self._first = next(self._blocks, b"")
        self.layout = _lay_out(self._first, part.name, read)

    def read_blocks(self, log: FetchLog) -> Iterator[tuple[dict[int, "pa.Array"], "Rows"]]:
        """The columns that matter, by place, block by block, as text, with each row's line (headings: 1).

        Lines with too few or too many fields are told to `log`; empty ones are passed over.
        """
        layout, name = self.layout, self._part.name
        fresh = self._first
        self._first = b""
        line, rest = 1, b""
        skipped = False
        while True:
            text, rest = _whole_lines(rest + fresh, last=not fresh)
            if not skipped and text:
                text, skipped = _without_lines(text, layout.before), True
                line += layout.before
            if b"\0" in text or len(rest) > BLOCK_BYTES:
                log.reject(name, line, "from about here on it is not text; nothing further was read")
                return
            if text:
                yield _parse_block(text, line, layout, name, log)
                line += text.count(b"\n")
            if not fresh:
                return
            fresh = next(self._blocks, b"")


def _lay_out(first: bytes, name: str, read: ReadHeadings) -> Layout:
    remedy = "give a CSV file, or a Parquet file"
    start = first[: 4 * LONGEST_LINE]
    if b"\0" in start[:LONGEST_LINE].split(b"\n", 1)[0]:
        raise BadInputError(f"{name} is not a text file", remedy)
    if len(first) >= LONGEST_LINE and b"\n" not in first[:LONGEST_LINE]:
        raise BadInputError(f"the first line of {name} has no end", remedy)
    lines = start.decode(errors="replace").split("\n")
    if len(lines) > 2 and lines[-1]:
        lines.pop()  # perhaps cut in the middle
    lines = [line.rstrip("\r") for line in lines]
    if not any(line.strip() for line in lines):
        raise BadInputError(f"{name} is empty", "give a file with a line of headings and lines of values")
    failure: BadInputError | None = None
    for number, line in enumerate(lines[:MOST_LINES_BEFORE]):
        if not line.strip() or line.startswith("#"):
            continue
        for separator in sorted(SEPARATORS, key=line.count, reverse=True):
            if separator not in line:
                continue
            rows = [row for row in _rows(lines[number : number + SAMPLE_LINES], separator) if any(row)]
            try:
                table = read(rows, name)
            except BadInputError as error:
                failure = failure or error
                continue
            return _fitted(table, rows, separator, number + table.rows)
    raise failure or BadInputError(
        f"{name} is no table: its first line is {lines[0][:40]!r}",
        "give a line of headings, then lines of values",
    )


def _rows(lines: Sequence[str], separator: str) -> list[list[str]]:
    rows = []
    with suppress(csv.Error):
        for row in csv.reader(lines, delimiter=separator):
            rows.append(row)  # noqa: PERF402  what comes before an error counts
    return rows


def _fitted(table: Table, rows: Sequence[Sequence[str]], separator: str, before: int) -> Layout:
    """The layout of a table whose rows may have a field more than the headings.

    It is a nameless first column, as R writes, or a separator at the end of each line.
    """
    fields = len(rows[0])
    values = [tuple(row) for row in rows[table.rows :]]
    if values and all(len(row) == fields + 1 for row in values):
        fields += 1
        if any(row[-1].strip() for row in values):
            groups = tuple(
                replace(group, columns={role: place + 1 for role, place in group.columns.items()})
                for group in table.groups
            )
            table = replace(table, groups=groups)
    return Layout(table, separator, before, fields, tuple(values))


def _without_lines(text: bytes, count: int) -> bytes:
    for _ in range(count):
        _, _, text = text.partition(b"\n")
    return text


def _whole_lines(text: bytes, *, last: bool) -> tuple[bytes, bytes]:
    """Up to the last line end, and what is left for the next block."""
    if last:
        return text, b""
    end = text.rfind(b"\n") + 1
    return text[:end], text[end:]


def _parse_block(
    text: bytes, line: int, layout: Layout, file: str, log: FetchLog
) -> tuple[dict[int, "pa.Array"], "Rows"]:
    import pyarrow as pa

    if not text.isascii():
        text = text.decode(errors="replace").encode()
    lines = text.count(b"\n") + (not text.endswith(b"\n"))
    if not _EMPTY_LINE.search(text):
        with suppress(pa.ArrowInvalid):
            table = _parse_at_once(text, layout)
            if table.num_rows == lines:  # not so if a quoted field runs over several lines
                block = {place: table.column(f"#{place}").combine_chunks() for place in layout.places}
                return block, np.arange(line, line + lines)
    return _parse_line_by_line(text, line, layout, file, log)


def _parse_at_once(text: bytes, layout: Layout) -> "pa.Table":
    """Arrow's reader: quick, but it cannot say which line is wrong.

    Raises:
        pyarrow.ArrowInvalid: a line is.
    """
    import pyarrow as pa
    from pyarrow import csv as arrow_csv

    wanted = [f"#{place}" for place in layout.places]
    return arrow_csv.read_csv(
        pa.BufferReader(text),
        read_options=arrow_csv.ReadOptions(
            use_threads=False,
            block_size=len(text) + 1,
            column_names=[f"#{place}" for place in range(layout.fields)],
        ),
        parse_options=arrow_csv.ParseOptions(delimiter=layout.separator, ignore_empty_lines=False),
        convert_options=arrow_csv.ConvertOptions(
            include_columns=wanted,
            column_types=dict.fromkeys(wanted, pa.string()),
            null_values=[""],
            strings_can_be_null=True,
        ),
    )


def _parse_line_by_line(
    text: bytes, line: int, layout: Layout, file: str, log: FetchLog
) -> tuple[dict[int, "pa.Array"], "Rows"]:
    import pyarrow as pa

    rows, numbers = [], []
    for number, content in enumerate(text.decode().split("\n"), start=line):
        if not content.strip():
            continue
        try:
            fields = next(csv.reader([content.rstrip("\r")], delimiter=layout.separator, strict=True))
        except csv.Error as error:
            log.reject(file, number, f"the line is not CSV: {error}")
            continue
        if len(fields) != layout.fields:
            log.reject(file, number, f"the line has {len(fields)} fields, the headings {layout.fields}")
            continue
        rows.append(fields)
        numbers.append(number)
    block = {place: pa.array([row[place] or None for row in rows], pa.string()) for place in layout.places}
    return block, np.array(numbers, dtype=np.int64)
