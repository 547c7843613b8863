from datetime import UTC, datetime
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from forecaster.cli.main import run
from forecaster.errors import BadInputError, ExitCode, NotFoundError
from forecaster.prices.fetching import FetchLog, Request
from forecaster.prices.importing import csv_reader, text
from forecaster.prices.importing import rows as collecting
from forecaster.prices.importing.files import FileSource
from forecaster.prices.store import PriceStore
from forecaster.prices.table import PriceTable

NOW = datetime(2024, 7, 5, 12, tzinfo=UTC)  # a Friday morning in New York


def deliver(
    path: Path, tickers: tuple[str, ...] = (), start: str | None = None
) -> tuple[dict[str, PriceTable], FetchLog]:
    log = FetchLog()
    request = Request(tickers, NOW, np.datetime64(start) if start else None)
    tables = FileSource(path).tables(request, log)
    return {table.ticker: table for table in tables}, log


def csv_file(folder: Path, *lines: str, name: str = "prices.csv") -> Path:
    path = folder / name
    path.write_text("\n".join(lines) + "\n", encoding="utf-8")
    return path


def dates(table: PriceTable) -> list[str]:
    return table.dates.astype(str).tolist()


@pytest.mark.parametrize("folder", ["yahoo", "sample"])
def test_a_folder_is_not_taken_for_another_source(tmp_path: Path, folder: str) -> None:
    (tmp_path / folder).mkdir()
    csv_file(tmp_path / folder, "date,close", "2024-07-01,10", "2024-07-02,11", name="AAA.csv")
    assert run(["fetch", "--source", f"./{folder}", "--quiet"]) == ExitCode.DONE
    assert PriceStore(tmp_path).info("AAA").source == f"./{folder}"


def test_a_long_file(tmp_path: Path) -> None:
    path = csv_file(
        tmp_path,
        "ticker,date,open,high,low,close,adj_close,volume",
        "aapl,2024-07-01,1,4,0.5,2,1.5,1000",
        "MSFT,2024-07-01,,,,3,3,",
        "AAPL,2024-07-02,2,5,1,4,3.5,null",
    )
    tables, log = deliver(path)
    assert sorted(tables) == ["AAPL", "MSFT"]
    apple = tables["AAPL"].columns
    assert apple["open"].tolist() == [1, 2]
    assert apple["adj_close"].tolist() == [1.5, 3.5]
    np.testing.assert_array_equal(apple["volume"], [1000, np.nan])
    assert apple["dividend"].tolist() == [0, 0]
    assert apple["split"].tolist() == [1, 1]
    assert not tables["MSFT"].known("open")
    assert (log.rejected, log.notes) == (0, [])


def test_yahoos_headings_in_a_folder(tmp_path: Path) -> None:
    heading = "Date,Open,High,Low,Close,Adj Close,Volume,Dividends,Stock Splits"
    csv_file(tmp_path, heading, "2024-07-01 00:00:00-04:00,1,2,1,2,1.9,10,0.5,0.0", name="brk-b.csv")
    csv_file(tmp_path, heading, "2024-01-02 00:00:00-05:00,1,2,1,2,1.9,10,0.0,4.0", name="^GSPC.CSV")
    csv_file(tmp_path, "not prices", name="readme.txt")
    tables, log = deliver(tmp_path)
    assert dates(tables["BRK-B"]) == ["2024-07-01"]
    assert (tables["BRK-B"].columns["dividend"][0], tables["BRK-B"].columns["split"][0]) == (0.5, 1)
    assert tables["^GSPC"].columns["split"][0] == 4
    assert log.rejected == 0


@pytest.mark.parametrize(
    "heading", ["ticker,DATE,Close", "Symbol,date,close", "date,close,Name", "\ufeffTicker,Date,CLOSE"]
)
def test_headings_in_any_case_and_order(tmp_path: Path, heading: str) -> None:
    row = "2024-07-01,2,AA" if heading.startswith("date") else "AA,2024-07-01,2"
    tables, log = deliver(csv_file(tmp_path, heading, row))
    assert tables["AA"].columns["close"].tolist() == [2]
    assert "there is no adj_close" in log.notes[0]


BAD_ROWS = {
    "AA,2024-07-01,abc": "AA: close 'abc' is not a number",
    "AA,2024-07-01,": "AA: close is missing",
    "AA,2024-07-01,nan": "AA: close is missing",
    "AA,2024-07-01,inf": "AA: close is infinite",
    "AA,2024-07-01,0": "AA: close is not positive",
    "AA,2024-07-01,1_0": "AA: close '1_0' is not a number",
    "AA,01/07/2024,1": "AA: the date '01/07/2024' is not like 2024-01-31",
    "AA,2024-02-30,1": "AA: the date '2024-02-30' is not like 2024-01-31",
    "AA,,1": "AA: there is no date",
    "AA,2024-07-05,1": "AA: the session has not closed yet",
    "AA,2030-01-02,1": "AA: the date is in the future",
    "AA,2024-06-30,1": "AA: the date is a Saturday or a Sunday",
    "../../x,2024-07-01,1": "'../../x' is not a ticker",
    ",2024-07-01,1": "there is no ticker",
    "AA,2024-07-01": "the line has 2 fields, the headings 3",
    "AA,2024-07-01,1,2": "the line has 4 fields, the headings 3",
    'AA,2024-07-01,"1': "the line is not CSV: unexpected end of data",
    "AA,2024-07-01T09:30:00+09:00,1": "AA: the time zone is +0900, the file began with none",
    "AA,2024-07-01Z!,1": "AA: the date is followed by something that is not a time",
}


@pytest.mark.parametrize(("row", "reason"), BAD_ROWS.items(), ids=BAD_ROWS.values())
def test_a_bad_row_is_named_and_the_rest_is_kept(tmp_path: Path, row: str, reason: str) -> None:
    path = csv_file(tmp_path, "ticker,date,close", "AA,2024-07-03,5", row, "", "AA,2024-07-02,4")
    tables, log = deliver(path)
    assert [str(rejection) for rejection in log.rejections] == [f"prices.csv:3: {reason}"]
    assert dates(tables["AA"]) == ["2024-07-02", "2024-07-03"]


def test_rows_to_and_fro_are_sorted_and_that_is_said(tmp_path: Path) -> None:
    rows = ("AA,2024-07-02,2", "AA,2024-07-01,1", "AA,2024-07-03,3")
    tables, log = deliver(csv_file(tmp_path, "ticker,date,close", *rows))
    assert tables["AA"].columns["close"].tolist() == [1, 2, 3]
    assert "the rows of AA were out of order; they were sorted" in "".join(log.notes)
    _, log = deliver(csv_file(tmp_path, "ticker,date,close", rows[2], rows[0], rows[1]))  # newest first
    assert "out of order" not in "".join(log.notes)


def test_of_two_rows_of_one_day_the_later_counts(tmp_path: Path) -> None:
    rows = ("AA,2024-07-02,2", "AA,2024-07-02,3", "AA,2024-07-03,4", "AA,2024-07-03,4")
    tables, log = deliver(csv_file(tmp_path, "ticker,date,close", *rows))
    assert tables["AA"].columns["close"].tolist() == [3, 4]
    assert log.rejected == 0
    notes = "\n".join(log.notes)
    assert "days with two rows that differ: 1; the later was kept; e.g. AA 2024-07-02" in notes
    assert "rows that repeat another: 1" in notes


def test_new_yorks_winter_and_summer_are_one_zone_and_another_is_rejected(tmp_path: Path) -> None:
    stamps = ("2024-01-02 00:00:00-05:00", "2024-07-01 00:00:00-04:00", "2024-07-02T00:00:00Z", "2024-07-03")
    tables, log = deliver(csv_file(tmp_path, "ticker,date,close", *(f"AA,{stamp},1" for stamp in stamps)))
    assert dates(tables["AA"]) == ["2024-01-02", "2024-07-01"]
    assert [rejection.row for rejection in log.rejections] == [4, 5]
    assert "the time zone is UTC, the file began with New York" in log.rejections[0].reason


def test_a_holiday_is_kept_and_noted(tmp_path: Path) -> None:
    tables, log = deliver(csv_file(tmp_path, "ticker,date,close", "AA,2024-07-04,1"))
    assert dates(tables["AA"]) == ["2024-07-04"]
    assert any("though New York was closed that day: 1" in note for note in log.notes)


def test_only_what_is_asked_for(tmp_path: Path) -> None:
    path = csv_file(tmp_path, "ticker,date,close", "AA,2024-07-01,1", "AA,2024-07-02,2", "BB,2024-07-02,bad")
    tables, log = deliver(path, ("AA",), start="2024-07-02")
    assert list(tables) == ["AA"]
    assert dates(tables["AA"]) == ["2024-07-02"]
    assert log.rejected == 0


@pytest.mark.parametrize("memory", [3_000_000, 100], ids=["in memory", "on the disk"])
def test_blocks_of_any_size_give_the_same(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, memory: int
) -> None:
    days = np.arange("2023-01-02", "2024-01-01", dtype="datetime64[D]")
    rows = [f"T{number % 3},{day},{number + 1}" for number, day in enumerate(days) for _ in (0, 1)]
    rows[40:50] = ["T0,2023-01-32,1"] * 10
    path = csv_file(tmp_path, "ticker,date,close", *rows, 'TÖ,"2023-01-02",1')
    whole, whole_log = deliver(path)
    monkeypatch.setattr(csv_reader, "BLOCK_BYTES", 64)
    monkeypatch.setattr(text, "BLOCK_BYTES", 64)
    monkeypatch.setattr(collecting, "TIDY_AFTER", 10)
    monkeypatch.setattr(collecting, "ROWS_IN_MEMORY", memory)
    parts, parts_log = deliver(path)
    assert whole_log.notes == parts_log.notes
    assert whole_log.rejected == parts_log.rejected > 100
    key = str
    assert sorted(map(key, whole_log.rejections)) == sorted(map(key, parts_log.rejections))
    for ticker, table in whole.items():
        assert dates(parts[ticker]) == dates(table)
        assert parts[ticker].columns["close"].tolist() == table.columns["close"].tolist()


def test_what_follows_binary_rubbish_is_not_read(tmp_path: Path) -> None:
    path = tmp_path / "prices.csv"
    path.write_bytes(b"ticker,date,close\nAA,2024-07-01,1\n\0\0\0")
    tables, log = deliver(path)
    assert dates(tables["AA"]) == ["2024-07-01"]
    assert (log.rejections[0].row, "is not text" in log.rejections[0].reason) == (3, True)


@pytest.mark.parametrize(
    ("content", "complaint"),
    [
        pytest.param(b"", "is empty", id="empty"),
        pytest.param(b"\x00\x01\x02", "is not a text file", id="binary"),
        pytest.param(b"a" * 70_000, "has no end", id="one endless line"),
        pytest.param(b"a,b\n1,2\n", "no column date and no column close", id="wrong columns"),
        pytest.param(b"date,close\n2024-07-01,1\n", "no column ticker", id="whose prices?"),
        pytest.param(b"ticker,date,close,Close\n", "close twice", id="a column twice"),
        pytest.param(b"PAR1rubbish", "damaged Parquet", id="damaged Parquet"),
    ],
)
def test_a_file_that_is_no_use_is_rejected_whole(tmp_path: Path, content: bytes, complaint: str) -> None:
    path = tmp_path / "prices.csv"
    path.write_bytes(content)
    with pytest.raises(BadInputError, match=complaint):
        deliver(path)


def test_in_a_folder_only_that_file_is_rejected(tmp_path: Path) -> None:
    csv_file(tmp_path, "date,close", "2024-07-01,1", name="AA.csv")
    csv_file(tmp_path, "date,close", "2024-07-01,2", name="aa.csv")
    csv_file(tmp_path, "date,close", "2024-07-01,1", name="no ticker.csv")
    csv_file(tmp_path, "ticker,date,close", "CC,2024-07-01,3", name="many of them.csv")
    (tmp_path / "BB.csv").write_bytes(b"")
    tables, log = deliver(tmp_path)
    # aa.csv holds the same ticker and day as AA.csv; the later file counts.
    assert {ticker: table.columns["close"][0] for ticker, table in tables.items()} == {"AA": 2, "CC": 3}
    assert [rejection.place for rejection in log.rejections] == ["BB.csv", "no ticker.csv"]


def test_a_folder_without_prices_and_a_path_without_file(tmp_path: Path) -> None:
    with pytest.raises(BadInputError, match="there are no CSV or Parquet files"):
        deliver(tmp_path)
    with pytest.raises(NotFoundError, match="there is no file"):
        deliver(tmp_path / "nothing.csv")
    with pytest.raises(BadInputError, match="neither a file nor a folder"):
        deliver(Path("/dev/null"))


PARQUET_DATES = {
    "date32": pa.array(["2024-07-01", None]).cast(pa.date32()),
    "naive time": pa.array([datetime(2024, 7, 1), None], pa.timestamp("ns")),  # noqa: DTZ001
    "New York": pa.array([datetime(2024, 7, 1, 4, tzinfo=UTC), None], pa.timestamp("us", "America/New_York")),
    "Tokyo": pa.array([datetime(2024, 6, 30, 15, tzinfo=UTC), None], pa.timestamp("us", "Asia/Tokyo")),
    "text": pa.array(["2024-07-01", None]).dictionary_encode(),
}


@pytest.mark.parametrize("column", PARQUET_DATES.values(), ids=PARQUET_DATES)
def test_parquet_with_dates_of_several_types(tmp_path: Path, column: pa.Array) -> None:
    path = tmp_path / "prices.parquet"
    closes = pa.array(["0.264", "1"]).cast(pa.decimal128(9, 3))
    pq.write_table(
        pa.table({"Symbol": ["AA", "AA"], "Date": column, "Adj. Close": closes, "close": [1, 2]}), path
    )
    tables, log = deliver(path)
    assert dates(tables["AA"]) == ["2024-07-01"]
    assert tables["AA"].columns["adj_close"].tolist() == [0.264]
    assert [str(rejection) for rejection in log.rejections] == ["prices.parquet:2: AA: there is no date"]


@pytest.mark.parametrize(
    ("changed", "complaint"),
    [
        pytest.param({"date": [True]}, "its column date is of type bool", id="date as a truth"),
        pytest.param({"close": [True]}, "its column close is of type bool", id="close as a truth"),
        pytest.param({"close": [[1.0]]}, "its column close is of type list", id="nested"),
    ],
)
def test_parquet_with_a_column_of_the_wrong_type(
    tmp_path: Path, changed: dict[str, object], complaint: str
) -> None:
    path = tmp_path / "prices.parquet"
    pq.write_table(pa.table({"ticker": ["AA"], "date": ["2024-07-01"], "close": [1.0]} | changed), path)
    with pytest.raises(BadInputError, match=complaint):
        deliver(path)


def test_an_empty_parquet_file(tmp_path: Path) -> None:
    path = tmp_path / "prices.parquet"
    pq.write_table(pa.table({"ticker": pa.array([], pa.string()), "date": [], "close": []}), path)
    with pytest.raises(BadInputError, match="is empty"):
        deliver(path)
