"""Files of earnings dates as people have them, through the importer's readers."""

import gzip
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from earnings_factory import day

from forecaster.errors import BadInputError
from forecaster.prices.earnings.files import EarningsFile
from forecaster.prices.earnings.table import EarningsTable
from forecaster.prices.fetching import FetchLog, Request

NOW = datetime(2026, 1, 15, 22, tzinfo=UTC)
WANTED = ["AAPL 2025-10-30 after reported", "AAPL 2026-01-29 after scheduled"]
FILES = {
    "plain": ("dates.csv", "ticker,date,when\nAAPL,2025-10-30,after\naapl,2026-01-29,AMC\n"),
    "semicolons, day first": (
        "dates.txt",
        "Symbol;Date;Time\nAAPL;30.10.2025;16:30\nAAPL;29.01.2026;4:30 PM\n",
    ),
    "named after its ticker": ("AAPL.csv", "Date,Hour\n2026-01-29,amc\n2025-10-30,amc\n"),
    "yfinance": (
        "AAPL.csv",
        (
            "Earnings Date,EPS Estimate,Reported EPS,Surprise(%)\n"
            "2026-01-29 16:00:00-05:00,2.6,,\n2025-10-30 16:30:00-04:00,1.77,1.85,4.5\n"
        ),
    ),
    "moments in UTC": ("dates.csv", "ticker,date\nAAPL,2025-10-30T20:30:00Z\nAAPL,2026-01-29T21:30:00Z\n"),
    "Alpha Vantage": (
        "dates.csv",
        (
            "symbol,name,reportDate,fiscalDateEnding,estimate,currency,timeOfTheDay\n"
            "AAPL,Apple Inc,2026-01-29,2025-12-31,2.6,USD,post-market\n"
            "AAPL,Apple Inc,2025-10-30,2025-09-30,1.77,USD,post-market\n"
        ),
    ),
    "EODHD, whose date is the quarter's end": (
        "dates.csv",
        (
            "ticker,report_date,date,before_after_market\n"
            "AAPL.US,2025-10-30,2025-09-30,AfterMarket\nAAPL.US,2026-01-29,2025-12-31,AfterMarket\n"
        ),
    ),
    "UTF-16": ("dates.csv", "ticker\tdate\twhen\nAAPL\t2025-10-30\tafter\nAAPL\t2026-01-29\tafter\n"),
    "without headings for the dates": (
        "AAPL.csv",
        ",Event Type,Hour\n2025-10-30,Earnings,amc\n2026-01-29,Earnings,amc\n",
    ),
}


def deliver(path: Path, *tickers: str, **options: Any) -> tuple[EarningsTable, FetchLog]:
    log = FetchLog()
    return EarningsFile(path).read(Request(tickers, NOW, **options), log), log


def rows(table: EarningsTable) -> list[str]:
    columns = (table.ticker, table.date.astype(str), table.when, table.status)
    return [" ".join(row) for row in zip(*columns, strict=True)]


@pytest.mark.parametrize(("name", "text"), FILES.values(), ids=FILES)
def test_files_as_people_have_them(tmp_path: Path, name: str, text: str) -> None:
    path = tmp_path / name
    path.write_text(text, encoding="utf-16" if "\t" in text else "utf-8")
    table, log = deliver(path)
    assert rows(table) == WANTED
    assert set(table.source.tolist()) == {name}
    assert (log.rejected, log.notes) == (0, [])


@pytest.mark.parametrize(
    "column",
    [
        pytest.param(pa.array([day("2025-10-30").tolist(), day("2026-01-29").tolist()]), id="dates"),
        pytest.param(
            pa.array(
                np.array(["2025-10-30T20:30", "2026-01-29T21:30"], "datetime64[ns]"),
                pa.timestamp("ns", "America/New_York"),
            ),
            id="moments",
        ),
    ],
)
def test_parquet(tmp_path: Path, column: pa.Array) -> None:
    path = tmp_path / "dates.parquet"
    when = ["after", "AMC"]
    pq.write_table(pa.table({"ticker": ["AAPL", "AAPL"], "date": column, "when": when}), path)
    assert rows(deliver(path)[0]) == WANTED
    pq.write_table(pa.table({"ticker": ["AAPL", "AAPL"], "date": column, "when": [["x"], []]}), path)
    with pytest.raises(BadInputError, match="column of times is of type"):
        deliver(path)


def test_a_packed_file_and_a_folder(tmp_path: Path) -> None:
    with gzip.open(tmp_path / "AAPL.csv.gz", "wt") as file:
        file.write(FILES["named after its ticker"][1])
    (tmp_path / "KO.csv").write_text("date,when\n2025-10-21,bmo\n")
    (tmp_path / "notes.csv").write_text("no,dates\n1,2\n")
    table, log = deliver(tmp_path)
    assert rows(table) == [*WANTED, "KO 2025-10-21 before reported"]
    assert [str(each) for each in log.rejections] == [
        (
            "notes.csv: has no column date; its columns are 'no', 'dates'; "
            "the headings must name ticker and date; when (before, after) or a time is welcome"
        )
    ]


def test_only_the_tickers_that_are_wanted(tmp_path: Path) -> None:
    path = tmp_path / "dates.csv"
    path.write_text("ticker,date\nAAPL,2025-10-30\nKO,2025-10-21\n")
    assert rows(deliver(path, "KO")[0]) == ["KO 2025-10-21 unknown reported"]


def test_a_bad_row_is_named_and_a_bad_time_costs_only_itself(tmp_path: Path) -> None:
    path = tmp_path / "dates.csv"
    bad = ["../x,2025-10-30,", "KO,soon,", "KO,1800-01-01,", "KO,2029-01-01,", "KO,,", "KO"]
    good = ["KO,2025-10-21,around noon", "KO,2025-07-22,bmo"]
    path.write_text("\n".join(["ticker,date,when", *good, *bad]) + "\n")
    table, log = deliver(path)
    assert rows(table) == ["KO 2025-07-22 before reported", "KO 2025-10-21 unknown reported"]
    assert [f"{each.row}: {each.reason}" for each in log.rejections] == [
        "9: the line has 1 fields, the headings 3",
        "4: '../x' is not a ticker",
        "5: the date 'soon' is not like 2024-01-31",
        "6: the date is before 1900",
        "7: the date is more than two years ahead",
        "8: there is no date",
    ]
    assert log.notes == [
        "dates.csv: times of day that cannot be read and were left unknown: 1; e.g. 'around noon'"
    ]


def test_midnight_in_utc_is_a_date_and_no_time(tmp_path: Path) -> None:
    path = tmp_path / "AAPL.csv"
    path.write_text("date,eps\n2025-10-30T00:00:00Z,1\n2025-07-31T20:30:00Z,1\n")
    assert rows(deliver(path)[0]) == ["AAPL 2025-07-31 after reported", "AAPL 2025-10-30 unknown reported"]


def test_the_time_zone_that_is_named_counts(tmp_path: Path) -> None:
    path = tmp_path / "7203.T.csv"
    path.write_text("date,eps\n2025-11-07T04:55:00Z,1\n2025-08-07T04:55:00Z,1\n")
    assert rows(deliver(path)[0])[0] == "7203.T 2025-08-07 during reported"
    path = tmp_path / "AAPL.csv"
    path.write_text("date,eps\n2025-10-31T05:30:00+09:00,1\n")
    assert rows(deliver(path, timezone="America/New_York")[0]) == ["AAPL 2025-10-30 after reported"]


@pytest.mark.parametrize(
    ("text", "why"),
    [
        pytest.param("", "is empty", id="empty"),
        pytest.param("ticker,close\nAA,1\n", "has no column date", id="no date"),
        pytest.param("date,date\n2025-01-01,2025-01-01\n", "column date twice", id="two dates"),
        pytest.param("ticker,date\nAA,x\n", "no earnings date that can be used", id="nothing usable"),
        pytest.param("ticker,date\nAA,01/02/2025\n", "begins with the day or the month", id="two ways"),
        pytest.param("date,eps\n2025-01-30,1\n", "its name is no ticker", id="whose dates"),
    ],
)
def test_a_file_of_no_use_is_one_error(tmp_path: Path, text: str, why: str) -> None:
    path = tmp_path / "data.csv"
    path.write_text(text)
    with pytest.raises(BadInputError, match=why):
        deliver(path)


@pytest.mark.parametrize("name", ["yahoo", "sec"])
def test_a_file_is_not_taken_for_another_source(tmp_path: Path, name: str) -> None:
    (tmp_path / name).write_text("ticker,date\nAA,2025-10-30\n")
    assert deliver(tmp_path / name)[0].source.tolist() == [f"./{name}"]


def test_in_the_last_year_that_is_known_no_day_is_stored_that_could_not_be_read(tmp_path: Path) -> None:
    (tmp_path / "dates.csv").write_text("ticker,date\nAA,2100-12-31\nAA,2101-01-01\n")
    log, now = FetchLog(), datetime(2100, 12, 30, tzinfo=UTC)
    table = EarningsFile(tmp_path / "dates.csv").read(Request((), now), log)
    assert (rows(table), log.rejected) == (["AA 2100-12-31 unknown scheduled"], 1)
