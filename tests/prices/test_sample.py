from datetime import UTC, datetime
from importlib import resources

import numpy as np

from forecaster.prices.calendar import sessions_between
from forecaster.prices.fetching import FetchLog, Request
from forecaster.prices.sample import SAMPLE_TICKERS, SampleSource

NOW = datetime(2026, 11, 21, tzinfo=UTC)


def test_the_sample_is_whole() -> None:
    log = FetchLog()
    tables = list(SampleSource().tables(Request((), NOW), log))
    assert sorted(SAMPLE_TICKERS) == [table.ticker for table in tables]
    assert (log.rejected, log.notes) == (0, [])
    sessions = sessions_between(np.datetime64("1990-01-02"), np.datetime64("2022-12-28"))
    for table in tables:
        np.testing.assert_array_equal(table.dates, sessions)
        assert np.array_equal(table.columns["close"], table.columns["adj_close"])
    closes = {table.ticker: table.columns["close"] for table in tables}
    # As skfolio's files have them.
    assert (closes["AAPL"][0], closes["XOM"][1], closes["^GSPC"][-1]) == (0.264, 4.027, 3783.22)


def test_it_is_small_and_says_where_it_is_from() -> None:
    folder = resources.files("forecaster.prices") / "resources"
    assert len((folder / "sample.parquet").read_bytes()) < 2**20
    assert "skfolio" in (folder / "sample-SOURCE.md").read_text()
    assert "BSD 3-Clause" in (folder / "sample-LICENSE.txt").read_text()
