"""The prices that ship with the tool: adjusted closes of twenty stocks and the S&P 500, 1990 to 2022."""

from collections.abc import Generator, Iterator
from importlib import resources

from forecaster.prices.fetching import Failure, FetchLog, Request, TickerOutcome, merge_into
from forecaster.prices.importing.parquet_reader import ParquetTable
from forecaster.prices.importing.rows import RowCollector
from forecaster.prices.store import PriceStore
from forecaster.prices.table import PriceTable

SAMPLE_TICKERS = (
    "^GSPC",
    *("AAPL", "AMD", "BAC", "BBY", "CVX", "GE", "HD", "JNJ", "JPM", "KO"),
    *("LLY", "MRK", "MSFT", "PEP", "PFE", "PG", "RRC", "UNH", "WMT", "XOM"),
)


class SampleSource:
    """The file sample.parquet; its source and licence stand beside it."""

    name = "sample"

    def fetch(
        self, request: Request, store: PriceStore, log: FetchLog
    ) -> Generator[TickerOutcome | Failure, None, None]:
        """As `PriceSource.fetch`."""
        for table in self.tables(request, log):
            yield merge_into(store, table, self.name, request, log)

    def tables(self, request: Request, log: FetchLog) -> Iterator[PriceTable]:
        """One table a ticker; the closes are adjusted ones, so adj_close is the same."""
        with resources.as_file(resources.files(__package__) / "resources" / "sample.parquet") as path:
            collector = RowCollector(path.name, request, log)
            sample = ParquetTable(path)
            columns = sample.table.groups[0].columns
            for block, numbers in sample.read_blocks(log):
                collector.add({role: block[place] for role, place in columns.items()}, numbers, None)
        yield from collector.tables()
