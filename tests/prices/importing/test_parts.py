"""The small decisions of the import, one by one: tickers, numbers, dates, frequencies."""

import numpy as np
import pyarrow as pa
import pytest

from forecaster.errors import BadInputError, UsageError
from forecaster.prices.importing import frequency
from forecaster.prices.importing.date_reader import DateReader, looks_like_date
from forecaster.prices.importing.frequency import SwapWatch, frequency_of, is_intraday
from forecaster.prices.importing.number_reader import NumberReader, read_number
from forecaster.prices.importing.symbols import ticker_of, ticker_of_file


@pytest.mark.parametrize(
    ("text", "ticker"),
    [
        ("NYSE:LMT", "LMT"),
        ("LON:VOD", "VOD.L"),
        ("TYO:7203", "7203.T"),
        ("BRK/B", "BRK-B"),
        ("BRK_B", "BRK-B"),
        ("brk.b", "BRK-B"),
        ("AAPL US Equity", "AAPL"),
        ("VOD LN Equity", "VOD.L"),
        ("AAPL.US", "AAPL"),
        (" aapl ", "AAPL"),
        ("^gspc", "^GSPC"),
        ("BTC-USD", "BTC-USD"),
        ("BTC/USD", "BTC-USD"),
        ("eth_usdt", "ETH-USDT"),
    ],
)
def test_symbols_as_sources_write_them(text: str, ticker: str) -> None:
    assert ticker_of(text) == ticker


@pytest.mark.parametrize("text", ["", "Apple Inc.", "../x", "XXXX:LMT", "AAPL;KO", "Ä", "A" * 17])
def test_what_is_no_symbol(text: str) -> None:
    with pytest.raises(UsageError, match="is not a ticker"):
        ticker_of(text)


@pytest.mark.parametrize(
    ("stem", "ticker"),
    [
        ("AAPL", "AAPL"),
        ("aapl.us", "AAPL"),
        ("AAPL (1)", "AAPL"),
        ("AAPL_data", "AAPL"),
        ("AAPL Historical Data", "AAPL"),
        ("NASDAQ_AAPL, 1D", "AAPL"),
        ("LSE_VOD", "VOD.L"),
        ("BRK_B", "BRK-B"),
        ("VOD.L", "VOD.L"),
        ("AAPL_2020-01-01", "AAPL"),
        ("HistoricalData", ""),
        ("prices", ""),
        ("all_stocks_5yr", ""),
        ("Apple Inc. prices", ""),
    ],
)
def test_files_are_named_after_tickers(stem: str, ticker: str) -> None:
    assert ticker_of_file(stem) == ticker


@pytest.mark.parametrize(
    ("text", "decimal", "value"),
    [
        ("1,234.50", ".", 1234.5),
        ("1.234,50", ",", 1234.5),
        ("1,02,345.50", ".", 102345.5),
        ("1 234,5", ",", 1234.5),
        ("1'234.5", ".", 1234.5),
        ("$75.09", ".", 75.09),
        ("75,09 €", ",", 75.09),
        ("(12)", ".", -12),
        ("\u221212", ".", -12),
        ("7.436E+01", ".", 74.36),
        ("+75.", ".", 75),
        (".5", ".", 0.5),
        ("n/a", ".", np.nan),
        ("#N/A", ".", np.nan),
        ("--", ".", np.nan),
    ],
)
def test_numbers_as_they_are_written(text: str, decimal: str, value: float) -> None:
    np.testing.assert_equal(read_number(text, decimal, suffixes=False), value)


@pytest.mark.parametrize(
    ("text", "value"), [("135.48M", 135_480_000), ("1.5K", 1500), ("2b", 2e9), ("0.1T", 1e11)]
)
def test_volumes_have_suffixes(text: str, value: float) -> None:
    assert read_number(text, ".", suffixes=True) == value
    with pytest.raises(ValueError, match=text):
        read_number(text, ".", suffixes=False)


@pytest.mark.parametrize(
    "text", ["abc", "0x4B", "1_000", "5.1.2", "1,23", "12,3456", "1e", "nan1", "5%", "½"]
)
def test_what_is_no_number(text: str) -> None:
    with pytest.raises(ValueError):  # noqa: PT011  (the text is the message)
        read_number(text, ".", suffixes=False)


@pytest.mark.parametrize(
    ("text", "ratio"), [("2:1", 2), ("3/2", 1.5), ("1:10", 0.1), ("4.0", 4), ("", 1), ("0", 1)]
)
def test_splits_may_be_ratios(text: str, ratio: float) -> None:
    assert NumberReader().parse("split", pa.array([text, "2:1"])).values.tolist() == [ratio, 2]


@pytest.mark.parametrize(
    ("separator", "prices", "volumes", "decimal"),
    [
        pytest.param(",", ["75.09", "75"], ["1,234,567"], ".", id="English"),
        pytest.param(";", ["75,09", "75"], ["1.234.567"], ",", id="German"),
        pytest.param(";", ["1.234,5"], [], ",", id="both signs"),
        pytest.param(",", ["1.234"], [], ".", id="between commas a point is decimal"),
        pytest.param(";", ["950", "951"], ["1.234.567"], ",", id="a volume settles it"),
        pytest.param(";", ["950.5", "951"], ["1234"], ".", id="one decimal"),
        pytest.param("\t", ["0.123", "1.5"], [], ".", id="a zero before the point"),
    ],
)
def test_the_decimal_sign_is_decided_by_the_first_rows(
    separator: str, prices: list[str], volumes: list[str], decimal: str
) -> None:
    reader = NumberReader(separator)
    columns = {"close": pa.array(prices)} | ({"volume": pa.array(volumes)} if volumes else {})
    reader.decide(columns)
    parsed = reader.parse("close", pa.array([f"7{decimal}5"]))
    assert (parsed.values.tolist(), parsed.faults) == ([7.5], {})


@pytest.mark.parametrize(
    ("separator", "prices", "says"),
    [
        pytest.param(";", ["1.234", "2.345"], "may have thousands or three decimals", id="points"),
        pytest.param(
            "\t", ["1.234", "2.345"], "may have thousands or three decimals", id="points between tabs"
        ),
        pytest.param(",", ["1,234", "2,345"], "may have thousands or three decimals", id="commas"),
        pytest.param(";", ["1.234", "950"], "may have thousands or three decimals", id="some without a sign"),
        pytest.param(";", ["1.5", "1,5"], "'1.5' has a decimal point, '1,5' a comma", id="both"),
    ],
)
def test_prices_that_can_be_read_in_two_ways_are_refused(
    separator: str, prices: list[str], says: str
) -> None:
    with pytest.raises(BadInputError, match=says):
        NumberReader(separator).decide({"close": pa.array(prices)})


def dates_of(*texts: str, zone: str | None = None) -> list[str]:
    return DateReader(zone).parse(pa.array(texts)).days.astype(str).tolist()


@pytest.mark.parametrize(
    ("texts", "days"),
    [
        pytest.param(["2020-01-02", "2020-1-3"], ["2020-01-02", "2020-01-03"], id="ISO"),
        pytest.param(["20200102"], ["2020-01-02"], id="digits"),
        pytest.param(["2020/01/02", "2020.01.03"], ["2020-01-02", "2020-01-03"], id="slashes and points"),
        pytest.param(["01/02/2020", "01/13/2020"], ["2020-01-02", "2020-01-13"], id="month first"),
        pytest.param(["01/02/2020", "13/02/2020"], ["2020-02-01", "2020-02-13"], id="day first"),
        pytest.param(["02-Jan-2020", "3 February 2020"], ["2020-01-02", "2020-02-03"], id="named"),
        pytest.param(
            ["Jan 2, 2020", "Thursday, January 2, 2020"], ["2020-01-02"] * 2, id="named, month first"
        ),
        pytest.param(["2020-01-02T00:00:00Z"], ["2020-01-02"], id="midnight in UTC"),
        pytest.param(
            ["2020-01-02 00:00:00-05:00", "2020-07-02 00:00:00-04:00"],
            ["2020-01-02", "2020-07-02"],
            id="clocks",
        ),
        pytest.param(
            ["1577975400", "1578061800"], ["2020-01-02", "2020-01-03"], id="seconds, New York's opening"
        ),
        pytest.param(["1577923200000"], ["2020-01-02"], id="milliseconds"),
        pytest.param(["1/2/20", "1/13/20"], ["2020-01-02", "2020-01-13"], id="years of two digits"),
        pytest.param(
            ["01/01/2020", "02/02/2020"], ["2020-01-01", "2020-02-02"], id="the same in both orders"
        ),
    ],
)
def test_dates_as_they_are_written(texts: list[str], days: list[str]) -> None:
    assert dates_of(*texts) == days
    assert all(map(looks_like_date, texts))


@pytest.mark.parametrize(
    ("texts", "says"),
    [
        pytest.param(["01/02/2020", "01/03/2020"], "begins with the day or the month", id="no day above 12"),
        pytest.param(["13/02/2020", "02/13/2020"], "day and month change places", id="both orders"),
        pytest.param(
            ["2020-01-02T15:00:00Z", "2020-01-03T15:00:00Z"], "the times are in UTC", id="Tokyo in UTC"
        ),
    ],
)
def test_dates_that_can_be_read_in_two_ways_are_refused(texts: list[str], says: str) -> None:
    with pytest.raises(BadInputError, match=says):
        dates_of(*texts)


def test_a_zone_that_is_named_settles_utc() -> None:
    assert dates_of("2020-01-02T15:00:00Z", "2020-01-03T15:00:00Z", zone="Asia/Tokyo") == [
        "2020-01-03",
        "2020-01-04",
    ]


@pytest.mark.parametrize(
    ("step", "name"), [(1, ""), (5, ""), (7, "weekly"), (30, "monthly"), (91, "quarterly"), (365, "yearly")]
)
def test_frequencies(step: int, name: str) -> None:
    days = np.datetime64("2020-01-03") + step * np.arange(10)
    assert frequency_of(days) == name
    assert frequency_of(days[: frequency.LEAST_BARS - 1]) == ""


def test_the_limits_are_these() -> None:
    assert (frequency.LEAST_BARS, frequency.USUAL_SHARE, frequency.INTRADAY_SHARE) == (6, 0.8, 0.05)
    assert (frequency.LEAST_SWAPPED, frequency.WEEKEND_SHARE, frequency.LEAST_DAYS, frequency.WIDE_DAYS) == (
        3,
        0.1,
        10,
        7,
    )


def test_several_times_on_a_day_are_intraday_and_a_rare_one_is_not() -> None:
    days = np.repeat(np.arange("2020-01-01", "2020-03-01", dtype="datetime64[D]"), 2)
    codes, seconds = np.zeros(len(days), np.intp), np.tile(np.array([0, 3600], np.int32), len(days) // 2)
    assert is_intraday(codes, days, seconds)
    assert not is_intraday(codes, days, np.where(np.arange(len(days)) < 2, seconds, 0))
    assert not is_intraday(np.arange(len(days)), days, seconds)  # of different tickers


@pytest.mark.parametrize(
    ("days", "says"),
    [
        pytest.param(np.arange("2021-01-02", "2021-01-30", dtype="datetime64[D]"), "", id="every day"),
        pytest.param(np.array([1, 2, 3, 4, 5]), "a day late", id="Saturdays, no Mondays"),
        pytest.param(np.array([6, 0, 1, 2, 3]), "a day early", id="Sundays, no Fridays"),
        pytest.param(np.array([0, 1, 2, 3, 4]), "", id="weekdays"),
    ],
)
def test_weekends_tell_of_dates_that_are_a_day_off(days: np.ndarray, says: str) -> None:
    if days.dtype == int:  # days of the week, Monday 0, for four weeks from Monday 4 January 2021 on
        week = np.datetime64("2021-01-04") + np.sort(np.where(days == 6, -1, days))
        days = np.concatenate([week + 7 * number for number in range(4)])
    watch = SwapWatch()
    watch.add(np.zeros(len(days), np.intp), days)
    if says:
        with pytest.raises(BadInputError, match=says):
            watch.check()
    else:
        watch.check()
