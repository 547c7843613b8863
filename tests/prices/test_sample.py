from datetime import UTC, datetime
from importlib import resources

import numpy as np

from forecaster.prices.calendar import sessions_between
from forecaster.prices.earnings.table import first_of_each_report
from forecaster.prices.fetching import FetchLog, Request
from forecaster.prices.sample import SAMPLE_TICKERS, SampleEarnings, SampleSource

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


def test_the_companies_report_four_times_a_year() -> None:
    found = SampleEarnings().read(Request((), NOW), FetchLog())
    assert (len(found), str(found.date.min()), str(found.date.max())) == (1560, "2003-01-15", "2022-11-22")
    assert set(SAMPLE_TICKERS) - set(found.ticker.tolist()) == {"^GSPC", "RRC"}
    assert len(first_of_each_report(found)) == len(found)
    counts = {name: int((found.ticker == name).sum()) for name in ("AAPL", "JPM", "KO", "MSFT", "PG")}
    assert counts == {"AAPL": 81, "JPM": 80, "KO": 80, "MSFT": 81, "PG": 80}
    apple = found.of(["AAPL"])
    row = int(np.searchsorted(apple.date, np.datetime64("2020-01-28")))
    assert (str(apple.date[row]), apple.when[row]) == ("2020-01-28", "after")


def test_on_a_replayed_day_later_reports_are_not_known() -> None:
    now = datetime(2020, 1, 28, 22, tzinfo=UTC)
    found = SampleEarnings().read(Request(("AAPL",), now), FetchLog())
    assert set(found.ticker.tolist()) == {"AAPL"}
    assert str(found.date.max()) == "2019-10-30"
    assert set(found.status.tolist()) == {"reported"}


def test_where_the_dates_are_from_is_said() -> None:
    text = (resources.files("forecaster.prices") / "resources" / "sample-SOURCE.md").read_text()
    assert "stocks-earnings-dates, version 0.1.9" in text
    assert "HistoricalEarningsData, version 0.3 (MIT)" in text
