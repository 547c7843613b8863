"""Prices from the user's own files: text or Parquet, packed or not, or a folder of them."""

from collections.abc import Generator, Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Protocol, TypeVar

from forecaster.errors import BadInputError, ForecastError, NotFoundError, name_some
from forecaster.prices.fetching import Failure, FetchLog, Request, TickerOutcome, merge_into
from forecaster.prices.importing.csv_reader import TextTable
from forecaster.prices.importing.headings import (
    Group,
    ReadHeadings,
    Table,
    choose_name_column,
    read_headings,
)
from forecaster.prices.importing.parquet_reader import MAGIC, ParquetTable
from forecaster.prices.importing.rows import RowCollector
from forecaster.prices.importing.symbols import ticker_of_file
from forecaster.prices.importing.text import Part, parts_of
from forecaster.prices.store import PriceStore
from forecaster.prices.table import PriceTable

if TYPE_CHECKING:
    import pyarrow as pa

    from forecaster.prices.importing.held_rows import Rows

Found_co = TypeVar("Found_co", covariant=True)
READ_ENDINGS = (".csv", ".txt", ".tsv", ".parquet", ".gz", ".zip", ".xlsx")
_NOT_ADJUSTED = "there is no adj_close, so close stands in for it: dividends and splits will look like losses"


class ReadPart(Protocol[Found_co]):
    """Reads one file, alone or one of several."""

    def __call__(self, part: Part, request: Request, log: FetchLog, *, in_folder: bool) -> Iterator[Found_co]:
        """What is in it; rows that are rejected are told to `log`."""


class FileSource:
    """A file or a folder; each row that cannot be kept is named by file and row."""

    def __init__(self, path: str | Path) -> None:
        self.name = str(
            path
        )  # as it was given: a Path drops the dot of `./yahoo`, and that is no file's name
        self.path = Path(path).expanduser()

    def fetch(
        self, request: Request, store: PriceStore, log: FetchLog
    ) -> Generator[TickerOutcome | Failure, None, None]:
        """As `PriceSource.fetch`; raises what `tables` raises."""
        begun: set[str] = set()
        for table in self.tables(request, log):
            # Of a ticker in several pieces, as a file for each year, only the first replaces what is stored.
            piece = replace(request, replace=request.replace and table.ticker not in begun)
            begun.add(table.ticker)
            yield merge_into(store, table, self.name, piece, log)

    def tables(self, request: Request, log: FetchLog) -> Iterator[PriceTable]:
        """The checked bars of one ticker after the other; `log` gets the rows that are rejected.

        Raises:
            NotFoundError: there is no such file.
            BadInputError: it holds no prices; in a folder such files are only reported to `log`.
        """
        yield from read_files(self.path, request, log, _read_part)


def read_files(path: Path, request: Request, log: FetchLog, read: ReadPart[Found_co]) -> Iterator[Found_co]:
    """What `read` finds in a file, in each file of an archive, or in each of a folder and those in it.

    Raises:
        NotFoundError: there is no such file.
        BadInputError: it is of no use; in a folder such files are only reported to `log`.
    """
    if path.is_dir():
        yield from _read_folder(path, request, log, read)
    elif path.is_file():
        parts = parts_of(path)
        if len(parts) == 1:
            yield from read(parts[0], request, log, in_folder=False)
        else:
            yield from _read_each(parts, request, log, read)
    elif path.exists():
        raise BadInputError(f"{path} is neither a file nor a folder", "give a CSV or Parquet file")
    else:
        raise NotFoundError(f"there is no file or folder {path}", "check the path")


def _read_folder(
    folder: Path, request: Request, log: FetchLog, read: ReadPart[Found_co]
) -> Iterator[Found_co]:
    files = sorted(
        path
        for path in folder.rglob("*")
        if path.suffix.lower() in READ_ENDINGS
        and not any(name.startswith(".") for name in path.relative_to(folder).parts)
        and path.is_file()
    )
    if not files:
        raise BadInputError(
            f"there are no CSV or Parquet files in {folder}",
            "name each one after its ticker: AAPL.csv",
        )
    for file in files:
        name = file.relative_to(folder).as_posix()
        try:
            yield from _read_each(parts_of(file), request, log, read, name)
        except ForecastError as error:
            log.reject(name, None, str(error).removeprefix(f"{file.name} "))
        except OSError as error:
            log.reject(name, None, f"it cannot be read: {error.strerror}")


def _read_each(
    parts: Sequence[Part], request: Request, log: FetchLog, read: ReadPart[Found_co], name: str = ""
) -> Iterator[Found_co]:
    """What is in several files; one that is of no use is told to `log`."""
    for part in parts:
        where = part.name if part.packed or not name else name
        try:
            yield from read(part, request, log, in_folder=True)
        except ForecastError as error:
            if part.stem.lower() != part.name.lower() and part.name.lower().endswith(".txt"):
                log.note(f"{where} was passed over: {error.message}")
            else:
                log.reject(where, None, str(error).removeprefix(f"{part.name} "))


@dataclass(frozen=True)
class OpenTable:
    """A text or Parquet file of which the headings have been read.

    Attributes:
        table: what its columns hold.
        sample: its first rows.
        blocks: its columns by place, block by block, with each row's number.
        separator: between the fields of a text file.
    """

    table: Table
    sample: Sequence[Sequence[str]]
    blocks: Iterator[tuple[dict[int, "pa.Array"], "Rows"]]
    separator: str = ","


def open_table(part: Part, log: FetchLog, read: ReadHeadings = read_headings) -> OpenTable:
    """Open a text or Parquet file, which its first bytes tell apart.

    Raises:
        BadInputError: the file is empty, damaged, not text, or lacks a needed column.
        OSError: it cannot be read.
    """
    with part.open() as file:
        is_parquet = file.read(len(MAGIC)) == MAGIC
    if is_parquet and part.packed:
        raise BadInputError(f"{part.name} is a packed Parquet file", "unpack it")
    if is_parquet:
        parquet = ParquetTable(part.path, read)
        return OpenTable(parquet.table, parquet.sample, parquet.read_blocks(log))
    text = TextTable(part, read)
    return OpenTable(text.layout.table, text.layout.sample, text.read_blocks(log), text.layout.separator)


def _read_part(part: Part, request: Request, log: FetchLog, *, in_folder: bool) -> Iterator[PriceTable]:
    """One checked table for every ticker of a file.

    Raises:
        BadInputError, OSError: as `open_table`.
    """
    opened = open_table(part, log)
    table = opened.table
    groups = [
        owned_group(group, opened.sample, part, request, log, in_folder=in_folder) for group in table.groups
    ]
    collector = RowCollector(part.name, request, log, separator=opened.separator, dialect=table.dialect)
    for block, numbers in opened.blocks:
        try:
            for group in groups:
                columns = {role: block[place] for role, place in group.columns.items() if role != "name"}
                collector.add(columns, numbers, group.ticker, sparse=len(groups) > 1)
        except BadInputError as error:
            raise BadInputError(f"{part.name} cannot be used: {error.message}", error.remedy) from error
    _note_adjustment(table, log)
    yield from collector.tables()


def owned_group(
    group: Group,
    sample: Sequence[Sequence[str]],
    part: Part,
    request: Request,
    log: FetchLog,
    *,
    in_folder: bool,
) -> Group:
    """The group with the column or the name that says whose prices these are.

    Raises:
        BadInputError: nothing does.
    """
    columns = dict(group.columns)
    named = ticker_of_file(part.stem)
    if group.ticker or "ticker" in columns:
        return group
    if "name" in columns and choose_name_column(columns, sample, named):
        columns["ticker"] = columns.pop("name")
        return Group(columns)
    if not in_folder and len(request.tickers) == 1:
        if named and named != request.tickers[0]:
            log.note(
                f"{part.name} has no column of tickers; its prices were taken for {request.tickers[0]}'s"
            )
        return Group(columns, request.tickers[0])
    if not named:
        raise BadInputError(
            f"{part.name} has no column ticker, and its name is no ticker",
            "name the ticker: `forecast fetch TICKER …`, or add the column",
        )
    return Group(columns, named)


def _note_adjustment(table: Table, log: FetchLog) -> None:
    if table.dialect is not None and table.dialect.note:
        log.note(table.dialect.note)
    elif table.adjusted:
        log.note(
            "there is no adj_close; yfinance's closes are adjusted for dividends unless it is told otherwise"
        )
    elif not all("adj_close" in group.columns for group in table.groups):
        log.note(_NOT_ADJUSTED)
    elif not all("close" in group.columns for group in table.groups):
        named = name_some([group.ticker for group in table.groups if group.ticker])
        log.note(f"{f'{named}: ' if named else ''}there is no close, so adj_close stands in for it")
