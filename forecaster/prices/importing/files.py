"""Prices from the user's own files: a long CSV or Parquet file, or a folder with one CSV a ticker."""

from collections.abc import Generator, Iterator
from pathlib import Path

from forecaster.errors import BadInputError, ForecastError, NotFoundError, UsageError
from forecaster.prices.fetching import Failure, FetchLog, Request, TickerOutcome, merge_into
from forecaster.prices.importing.csv_reader import read_csv_blocks
from forecaster.prices.importing.parquet_reader import MAGIC, read_parquet_blocks
from forecaster.prices.importing.rows import RowCollector
from forecaster.prices.store import PriceStore
from forecaster.prices.table import PriceTable, checked_ticker


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
        for table in self.tables(request, log):
            yield merge_into(store, table, self.name, request.now, log)

    def tables(self, request: Request, log: FetchLog) -> Iterator[PriceTable]:
        """The checked bars of one ticker after the other; `log` gets the rows that are rejected.

        Raises:
            NotFoundError: there is no such file.
            BadInputError: it holds no prices; in a folder such files are only reported to `log`.
        """
        if self.path.is_dir():
            yield from self._folder_tables(request, log)
        elif self.path.is_file():
            yield from read_tables(self.path, request, log)
        elif self.path.exists():
            raise BadInputError(f"{self.path} is neither a file nor a folder", "give a CSV or Parquet file")
        else:
            raise NotFoundError(f"there is no file or folder {self.path}", "check the path after --source")

    def _folder_tables(self, request: Request, log: FetchLog) -> Iterator[PriceTable]:
        files = sorted(
            path
            for path in self.path.iterdir()
            if path.suffix.lower() == ".csv" and not path.name.startswith(".")
        )
        if not files:
            raise BadInputError(
                f"there are no CSV files in {self.path}", "name each one after its ticker: AAPL.csv"
            )
        owners: dict[str, str] = {}
        for file in files:
            ticker = _named_ticker(file)
            owner = owners.setdefault(ticker, file.name) if ticker else file.name
            if owner != file.name:
                log.reject(file.name, None, f"{ticker} has come from {owner} already")
                continue
            try:
                yield from read_tables(file, request, log, ticker)
            except ForecastError as error:
                log.reject(file.name, None, error.message)
            except OSError as error:
                log.reject(file.name, None, f"it cannot be read: {error.strerror}")


def _named_ticker(file: Path) -> str | None:
    try:
        return checked_ticker(file.stem)
    except UsageError:
        return None


def read_tables(
    path: Path, request: Request, log: FetchLog, ticker: str | None = None
) -> Iterator[PriceTable]:
    """One checked table for every ticker of a CSV or Parquet file, which its first bytes tell apart.

    Args:
        path: the file.
        request: what is wanted of it.
        log: gets every row that is rejected.
        ticker: whose prices these are if the file has no column that says it.

    Raises:
        BadInputError: the file is empty, damaged, not text, or lacks a needed column.
        OSError: it cannot be read.
    """
    with path.open("rb") as file:
        is_parquet = file.read(len(MAGIC)) == MAGIC
    read_blocks = read_parquet_blocks if is_parquet else read_csv_blocks
    collector = RowCollector(path, request, log)
    adjusted = True
    for block, numbers in read_blocks(path, log, needs_ticker=ticker is None):
        try:
            collector.add(block, numbers, ticker)
        except BadInputError as error:
            raise BadInputError(f"{path.name} cannot be used: {error.message}", error.remedy) from error
        adjusted = "adj_close" in block
    if not adjusted:
        log.note(
            "there is no adj_close, so close stands in for it: dividends and splits will look like losses"
        )
    yield from collector.tables()
