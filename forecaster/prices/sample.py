"""What ships with the tool: adjusted closes of twenty stocks and the S&P 500, and dates of their reports."""

from collections.abc import Generator, Iterator
from importlib import resources

import numpy as np

from forecaster.prices.calendar import local_date
from forecaster.prices.earnings.table import SAMPLE, UNKNOWN, Announcement, EarningsTable, earnings_table
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


class SampleEarnings:
    """The file sample-earnings.csv: reports of the sample's companies, 2003 to 2022."""

    name = SAMPLE

    def read(self, request: Request, log: FetchLog) -> EarningsTable:  # noqa: ARG002  (there is nothing to say)
        """As `EarningsTables.read`; of a replayed day nothing that came later."""
        file = resources.files(__package__) / "resources" / "sample-earnings.csv"
        lines = file.read_text(encoding="utf-8").splitlines()[1:]
        today = local_date(request.now)
        rows = [
            Announcement(ticker, np.datetime64(day), when or UNKNOWN)
            for ticker, day, when in (line.split(",") for line in lines)
            if not request.tickers or ticker in request.tickers
        ]
        return earnings_table([row for row in rows if row.date < today], self.name)
