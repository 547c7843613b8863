"""Every format in docs/data.md is read, and however sound prices are written, no other numbers come out."""

import gzip
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from zoneinfo import ZoneInfo

import numpy as np
import pandas as pd
import pytest
from hypothesis import HealthCheck, assume, given, settings
from hypothesis import strategies as st

from forecaster.errors import BadInputError
from forecaster.prices.calendar import sessions_between
from forecaster.prices.fetching import FetchLog, Request
from forecaster.prices.importing.dialects import DIALECTS, OTHER_EXAMPLES
from forecaster.prices.importing.files import FileSource
from forecaster.prices.table import PriceTable

NOW = datetime(2026, 7, 5, 12, tzinfo=UTC)
NEW_YORK = ZoneInfo("America/New_York")
EXAMPLES = {each.name: (each.file, each.example) for each in DIALECTS} | dict(OTHER_EXAMPLES)


def read(path: Path) -> tuple[dict[str, PriceTable], FetchLog]:
    log = FetchLog()
    return {table.ticker: table for table in FileSource(path).tables(Request((), NOW), log)}, log


@pytest.mark.parametrize(("file", "lines"), EXAMPLES.values(), ids=EXAMPLES)
def test_every_documented_format_is_read(tmp_path: Path, file: str, lines: Sequence[str]) -> None:
    path = tmp_path / file
    path.write_text("\n".join(lines) + "\n", encoding="utf-8")
    tables, log = read(path)
    table = tables["AAPL"]
    closes = dict(zip(table.dates.astype(str).tolist(), table.columns["close"].tolist(), strict=True))
    assert (closes["2020-01-02"], closes["2020-01-03"]) == (75.09, 74.36)
    assert log.rejected == 0
    volume = table.columns["volume"][list(closes).index("2020-01-02")]
    assert np.isnan(volume) or volume in {135_480_400, 135_480_000}  # 135.48M
    adjusted = table.columns["adj_close"].tolist()
    assert adjusted == list(closes.values()) or adjusted == [73.59, 72.87]


@dataclass(frozen=True)
class Style:
    """How a table is written."""

    dates: str
    decimal: str
    thousands: str
    separator: str
    headings: tuple[str, str, str, str]
    decimals: int
    encoding: str
    line_end: str
    descending: bool
    ticker_column: bool
    zipped: bool


STYLES = st.builds(
    Style,
    dates=st.sampled_from(
        [
            *("%Y-%m-%d", "%Y%m%d", "%Y/%m/%d", "%d/%m/%Y", "%m/%d/%Y", "%d.%m.%Y", "%d-%b-%Y", "%b %d, %Y"),
            *("%Y-%d-%m", "%Y-%m-%dT00:00:00Z", "%m/%d/%Y 16:00:00", "midnight", "seconds", "milliseconds"),
        ]
    ),
    decimal=st.sampled_from([".", ","]),
    thousands=st.sampled_from(["", ",", ".", " ", "'"]),
    separator=st.sampled_from([",", ";", "\t", "|"]),
    headings=st.sampled_from(
        [
            ("Date", "Close", "Volume", "Ticker"),
            ("date", "close", "volume", "ticker"),
            ("<DATE>", "<CLOSE>", "<VOL>", "<TICKER>"),
            ("Date", "Close/Last", "Volume", "Symbol"),
            ("Date", "Price", "Vol.", "Symbol"),
            ("timestamp", "Last", "vol", "symbol"),
        ]
    ),
    decimals=st.sampled_from([0, 1, 2, 3, 4]),
    encoding=st.sampled_from(["utf-8", "utf-8-sig", "utf-16", "cp1252"]),
    line_end=st.sampled_from(["\n", "\r\n", "\r"]),
    descending=st.booleans(),
    ticker_column=st.booleans(),
    zipped=st.booleans(),
)


def stamp(day: np.datetime64, style: Style) -> str:
    date = day.astype(object)
    opened = datetime(date.year, date.month, date.day, 9, 30, tzinfo=NEW_YORK)
    if style.dates == "seconds":
        return str(int(opened.timestamp()))
    if style.dates == "milliseconds":
        return str(int(datetime(date.year, date.month, date.day, tzinfo=UTC).timestamp()) * 1000)
    if style.dates == "midnight":
        return opened.replace(hour=0, minute=0).isoformat(sep=" ")
    return date.strftime(style.dates)


def number(value: float, style: Style, decimals: int) -> str:
    whole, _, fraction = f"{value:,.{decimals}f}".partition(".")
    thousands = "" if style.thousands == style.decimal else style.thousands
    text = whole.replace(",", thousands) + (style.decimal + fraction if fraction else "")
    return f'"{text}"' if style.separator in text else text


def written(folder: Path, days: np.ndarray, closes: np.ndarray, volumes: np.ndarray, style: Style) -> Path:
    headings = list(style.headings[:3]) + ([style.headings[3]] if style.ticker_column else [])
    lines = [style.separator.join(headings)]
    for day, close, volume in zip(days, closes, volumes, strict=True):
        when = stamp(day, style)
        fields = [
            f'"{when}"' if style.separator in when else when,
            number(close, style, style.decimals),
            number(volume, style, 0),
        ]
        lines.append(style.separator.join(fields + (["AAPL"] if style.ticker_column else [])))
    rows = lines[1:]
    content = style.line_end.join([lines[0], *(rows[::-1] if style.descending else rows)]) + style.line_end
    path = folder / "AAPL.csv"
    path.unlink(missing_ok=True)
    zipped = path.with_name("AAPL.csv.gz")
    zipped.unlink(missing_ok=True)
    data = content.encode(style.encoding)
    if style.zipped:
        zipped.write_bytes(gzip.compress(data, 1))
        return zipped
    path.write_bytes(data)
    return path


@given(
    style=STYLES,
    first=st.dates(datetime(2005, 1, 3).date(), datetime(2025, 12, 1).date()),  # noqa: DTZ001
    moves=st.lists(st.floats(-0.05, 0.05), min_size=5, max_size=40),
    level=st.sampled_from([0.5, 7.0, 80.0, 950.0, 1234.5, 204_000.0]),
)
@settings(max_examples=300, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_the_same_numbers_come_back_or_a_refusal(
    tmp_path: Path, style: Style, first: datetime, moves: list[float], level: float
) -> None:
    # Beside commas a point is decimal unless a decimal comma proves the contrary, as docs/data.md says.
    assume((style.separator, style.thousands, style.decimals) != (",", ".", 0))
    start = np.datetime64(first, "D")
    days = sessions_between(start, start + 80)[: len(moves)]
    closes = np.round(level * np.exp(np.cumsum(moves)), style.decimals)
    closes = np.maximum(closes, 10.0**-style.decimals)
    volumes = np.round(1_000_000 * np.exp(np.cumsum(moves[::-1])))
    path = written(tmp_path, days, closes, volumes, style)
    plain = (
        style.dates in {"%Y-%m-%d", "%Y/%m/%d", "%d-%b-%Y", "midnight"}
        and (style.decimal, style.thousands) == (".", "")
        and (style.decimals in {1, 2} or style.separator == ",")
    )
    try:
        tables, log = read(path)
    except BadInputError:
        assert not plain
        return
    if not tables:
        assert not plain
        assert log.rejected > 0
        return
    table = tables["AAPL"]
    rejected = {rejection.row for rejection in log.rejections}
    assert len(table) == len(days) - len(rejected)
    assert not (plain and rejected)
    place = np.searchsorted(days, table.dates)
    np.testing.assert_array_equal(days[place], table.dates)
    np.testing.assert_allclose(table.columns["close"], closes[place], rtol=1e-12)
    known = np.isfinite(table.columns["volume"])
    np.testing.assert_allclose(table.columns["volume"][known], volumes[place][known], rtol=1e-12)


def lines_of(folder: Path, name: str, days: Sequence[str]) -> Path:
    path = folder / name
    path.write_text(
        "\n".join(["Date,Close", *(f"{day},{100 + place}" for place, day in enumerate(days))]) + "\n"
    )
    return path


def days_of(path: Path) -> tuple[list[str], str]:
    tables, _ = read(path)
    (table,) = tables.values()
    return table.dates.astype(str).tolist(), table.calendar


def test_sundays_are_sessions_in_tel_aviv_and_every_day_is_one_for_coins(tmp_path: Path) -> None:
    week = [str(day) for day in np.arange("2021-02-21", "2021-03-07", dtype="datetime64[D]")]
    tel_aviv = [
        day for day in week if np.is_busday(day, weekmask="Sun Mon Tue Wed Thu") and day != "2021-02-26"
    ]
    assert days_of(lines_of(tmp_path, "TEVA.TA.csv", tel_aviv)) == (tel_aviv, "XTAE")
    assert days_of(lines_of(tmp_path, "BTC-USD.csv", week)) == (week, "24/7")
    assert days_of(lines_of(tmp_path, "BTC.csv", week)) == (week, "24/7")  # learnt from the days


def test_a_days_stamp_in_utc_is_read_at_the_exchange_that_the_symbol_tells(tmp_path: Path) -> None:
    sessions = ["2020-03-02", "2020-03-03", "2020-03-04", "2020-03-05", "2020-03-06", "2020-03-09"]
    tokyo = [f"{np.datetime64(day) - 1} 15:00:00+00:00" for day in sessions]
    assert days_of(lines_of(tmp_path, "7203.T.csv", tokyo)) == (sessions, "XTKS")
    london = [str(int(datetime.fromisoformat(f"{day}T08:00:00+00:00").timestamp())) for day in sessions]
    assert days_of(lines_of(tmp_path, "SHEL.L.csv", london)) == (sessions, "XLON")
    with pytest.raises(BadInputError, match="--timezone"):
        read(lines_of(tmp_path, "TM.csv", tokyo))


def test_london_holidays_tell_the_calendar_where_the_symbol_does_not(tmp_path: Path) -> None:
    london = sessions_between(np.datetime64("2020-01-02"), np.datetime64("2021-12-31"), "XLON")
    assert days_of(lines_of(tmp_path, "SHEL.csv", london.astype(str).tolist()))[1] == "XLON"


def test_one_slip_does_not_turn_the_dates_round(tmp_path: Path) -> None:
    days = sessions_between(np.datetime64("2024-01-02"), np.datetime64("2024-01-12")).astype(str).tolist()
    tables, log = read(lines_of(tmp_path, "AAPL.csv", [*days, "2024-16-01"]))
    assert tables["AAPL"].dates.astype(str).tolist() == days
    assert [str(each) for each in log.rejections] == [
        f"AAPL.csv:{len(days) + 2}: AAPL: the date '2024-16-01' is not like 2024-01-31"
    ]


def test_the_last_bar_of_each_session_is_taken_where_that_is_asked_for(tmp_path: Path) -> None:
    rows = []
    for day, close in (("2024-01-02", 10), ("2024-01-03", 20), ("2024-01-04", 30), ("2024-01-05", 40)):
        rows += [f"{day} {hour:02d}:30:00,{close + hour / 100},5" for hour in (19, 15, 9, 12)]  # in no order
    path = tmp_path / "AAPL.csv"
    path.write_text("\n".join(["date,close,volume", *rows]) + "\n")
    with pytest.raises(BadInputError, match=r"intraday.*--daily last"):
        read(path)
    log = FetchLog()
    (table,) = FileSource(path).tables(Request((), NOW, last_of_day=True), log)
    assert table.columns["close"].tolist() == [10.15, 20.15, 30.15, 40.15]  # 19:30 is after the close
    assert np.isnan(table.columns["volume"]).all()
    assert log.rejected == 0
    with path.open("a") as file:
        file.write("2024-01-08 09:30:00,50,5\n2024-01-08 12:30:00,51,5\n")
    (cut,) = FileSource(path).tables(Request((), NOW, last_of_day=True), (cut_log := FetchLog()))
    assert len(cut) == 4
    assert "2024-01-08: the day's last bar is of 12:30" in str(cut_log.rejections[0])
    assert "of several bars a day the last of the session was kept" in "".join(log.notes)
    path.write_text("date,close\n2024-01-02 16:00:00,1\n2024-01-03 16:00:00,2\n")
    (table,) = FileSource(path).tables(Request((), NOW, last_of_day=True), FetchLog())
    assert table.columns["close"].tolist() == [1, 2]  # one bar a day needs no reduction


def test_the_first_sheet_of_a_spreadsheet_is_read(tmp_path: Path) -> None:
    path = tmp_path / "AAPL.xlsx"
    days = sessions_between(np.datetime64("2020-01-02"), np.datetime64("2020-01-08"))
    frame = pd.DataFrame({"Date": days, "Close": [75.09, 74.36, 74.95, 74.6, 75.8], "Volume": 135_480_400})
    frame.to_excel(path, index=False)
    tables, log = read(path)
    assert tables["AAPL"].columns["close"].tolist() == frame["Close"].tolist()
    assert tables["AAPL"].columns["volume"].tolist() == [135_480_400] * 5
    np.testing.assert_array_equal(tables["AAPL"].dates, days)
    assert log.rejected == 0
    path.write_bytes(path.read_bytes()[:-300])
    with pytest.raises(BadInputError, match="damaged"):
        read(path)


def test_a_spreadsheet_without_the_library_for_it(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "AAPL.xlsx"
    pd.DataFrame({"Date": ["2020-01-02"], "Close": [1.5]}).to_excel(path, index=False)
    monkeypatch.setitem(sys.modules, "openpyxl", None)
    with pytest.raises(BadInputError, match=r"is a spreadsheet; save its table as CSV, or: pip install"):
        read(path)
