import numpy as np
import pytest
from factories import closes_table, random_walk_table
from hypothesis import given
from hypothesis import strategies as st

from forecaster.errors import UsageError
from forecaster.prices.exchanges import XNYS
from forecaster.prices.table import (
    COLUMNS,
    PriceTable,
    checked_ticker,
    clear_bad_fields,
    complete,
    day_faults,
    merge_tables,
    row_faults,
)

TODAY, NEWEST = np.datetime64("2024-07-05"), np.datetime64("2024-07-03")


@pytest.mark.parametrize(
    ("text", "ticker"),
    [
        pytest.param("aapl", "AAPL", id="lower case"),
        pytest.param(" BRK-B ", "BRK-B", id="spaces around"),
        pytest.param("^gspc", "^GSPC", id="index"),
        pytest.param("EURUSD=X", "EURUSD=X", id="currency"),
        pytest.param("brk.b", "BRK-B", id="class of shares with a dot"),
        pytest.param("VOD.L", "VOD.L", id="exchange with a dot"),
        pytest.param("A" * 16, "A" * 16, id="sixteen letters"),
    ],
)
def test_tickers_are_put_in_capitals(text: str, ticker: str) -> None:
    assert checked_ticker(text) == ticker


@pytest.mark.parametrize(
    "text",
    ["", "../../x", "..", ".hidden", "A/B", "A\\B", "A" * 17, "A\nB", "ß", "A\0", "^", "^^A", "-A", "A B"],
)
def test_nothing_else_is_a_ticker(text: str) -> None:
    with pytest.raises(UsageError, match="is not a ticker"):
        checked_ticker(text)


def faults_of(date: str, **values: float) -> str:
    row = {"close": 10.0, "adj_close": 10.0, **values}
    columns = {name: np.array([value]) for name, value in row.items()}
    days = np.array([date], "datetime64[D]")
    faults = {} if np.isnat(days[0]) else day_faults(days, XNYS, TODAY, NEWEST)
    return (row_faults(days, columns) | faults).get(0, "")


@pytest.mark.parametrize(
    ("date", "values", "reason"),
    [
        pytest.param("2024-07-03", {}, "", id="good"),
        pytest.param("NaT", {}, "there is no date", id="no date"),
        pytest.param("2024-07-08", {}, "the date is in the future", id="future"),
        pytest.param("0001-07-08", {}, "the date is before 1789", id="past"),
        pytest.param("2024-07-05", {}, "the session has not closed yet", id="unfinished"),
        pytest.param("2024-06-29", {}, "the date is a Saturday or a Sunday", id="weekend"),
        pytest.param("2024-07-04", {}, "", id="a holiday is kept"),
        pytest.param("2024-07-03", {"close": np.nan}, "close is missing", id="NaN close"),
        pytest.param("2024-07-03", {"adj_close": np.nan}, "adj_close is missing", id="NaN adjusted"),
        pytest.param("2024-07-03", {"close": np.inf}, "close is infinite", id="infinite"),
        pytest.param("2024-07-03", {"adj_close": 0.0}, "adj_close is not positive", id="zero"),
        pytest.param("1788-12-31", {}, "the date is before 1789", id="the last day that is too early"),
        pytest.param("1789-01-02", {}, "", id="the first that is not"),
        pytest.param("2024-07-03", {"close": 1e12}, "", id="the highest price"),
        pytest.param("2024-07-03", {"close": 1.001e12}, "close is above 1e+12", id="too high"),
        pytest.param("2024-07-03", {"adj_close": 1e308}, "adj_close is above 1e+12", id="enormous"),
        pytest.param("2024-07-03", {"open": np.nan}, "", id="open may be unknown"),
        pytest.param("2024-07-03", {"volume": 0.0}, "", id="no trade"),
        pytest.param("2024-07-03", {"volume": -1.0, "open": 0.0}, "", id="other fields do not cost the row"),
    ],
)
def test_row_faults(date: str, values: dict[str, float], reason: str) -> None:
    assert faults_of(date, **values) == reason


@pytest.mark.parametrize(
    ("name", "value", "left", "reason"),
    [
        pytest.param("open", 0.0, np.nan, "open is 0", id="zero"),
        pytest.param("low", -1.5, np.nan, "low is -1.5", id="negative"),
        pytest.param("high", np.inf, np.nan, "high is inf", id="infinite"),
        pytest.param("volume", -1.0, np.nan, "volume is -1", id="negative volume"),
        pytest.param("volume", 0.0, 0.0, "", id="no trade"),
        pytest.param("dividend", -0.5, 0.0, "dividend is -0.5", id="negative dividend"),
        pytest.param("split", 0.0, 1.0, "split is 0", id="split"),
        pytest.param("open", np.nan, np.nan, "", id="unknown"),
        pytest.param("open", 1e13, np.nan, "open is 1e+13", id="too high"),
        pytest.param("volume", 1e18, 1e18, "", id="the highest volume"),
        pytest.param("volume", 1e19, np.nan, "volume is 1e+19", id="more than that"),
    ],
)
def test_a_bad_field_is_emptied_and_nothing_else(name: str, value: float, left: float, reason: str) -> None:
    columns = {column: np.array([10.0, 10.0]) for column in COLUMNS}
    columns[name] = np.array([10.0, value])
    cleared, reasons = clear_bad_fields(columns)
    assert reasons == ({name: {1: reason}} if reason else {})
    np.testing.assert_array_equal(cleared[name], [10.0, left])
    np.testing.assert_array_equal(columns[name], [10.0, value])  # the source is as it was
    for other in set(COLUMNS) - {name}:
        assert cleared[other] is columns[other]


def test_of_several_bad_fields_the_reasons_come_in_the_order_of_the_columns() -> None:
    """Not in that of a set, which differs from one process to the next."""
    columns = {name: np.array([-1.0]) for name in reversed(COLUMNS)} | {
        name: np.array([10.0]) for name in ("close", "adj_close")
    }
    _, reasons = clear_bad_fields(columns)
    assert list(reasons) == [name for name in COLUMNS if name not in ("close", "adj_close")]


def test_high_and_low_are_emptied_together() -> None:
    columns = {"close": np.full(3, 5.0), "adj_close": np.full(3, 5.0)}
    columns |= {"high": np.array([6.0, 4.0, 7.0]), "low": np.array([4.0, 6.0, 0.0])}
    cleared, reasons = clear_bad_fields(columns)
    np.testing.assert_array_equal(cleared["high"], [6, np.nan, 7])
    np.testing.assert_array_equal(cleared["low"], [4, np.nan, np.nan])
    assert reasons == {
        "high": {1: "high is below low"},
        "low": {1: "high is below low", 2: "low is 0"},
    }


@pytest.mark.parametrize(
    "dates", [["2024-01-03", "2024-01-02"], ["2024-01-02", "2024-01-02"]], ids=["backwards", "twice"]
)
def test_a_table_is_in_order(dates: list[str]) -> None:
    with pytest.raises(ValueError, match="do not increase"):
        closes_table("A", dates, [1, 2])


def test_a_table_has_all_columns_of_one_length() -> None:
    with pytest.raises(ValueError, match="has the columns"):
        PriceTable("A", np.empty(0, "datetime64[D]"), {})
    with pytest.raises(ValueError, match="unequal length"):
        PriceTable("A", np.empty(0, "datetime64[D]"), complete({}, 1))


def test_known_columns() -> None:
    table = random_walk_table(days=10, closes_only=True)
    assert table.known("close")
    assert not table.known("volume")


def test_merge_by_hand() -> None:
    stored = closes_table("A", ["2024-01-02", "2024-01-03", "2024-01-05"], [1, 2, 3])
    incoming = closes_table("A", ["2024-01-03", "2024-01-04", "2024-01-05"], [20, 4, 3])
    merge = merge_tables(stored, incoming)
    assert merge.table.columns["close"].tolist() == [1, 20, 4, 3]
    assert (merge.added, merge.replaced) == (1, 1)


picks = st.sets(st.integers(0, 29))


@given(picks, picks)
def test_a_merge_holds_every_day_once_and_the_newer_rows(old: set[int], new: set[int]) -> None:
    days = random_walk_table(days=30).dates
    stored = closes_table("A", days[sorted(old)], [1.0] * len(old))
    incoming = closes_table("A", days[sorted(new)], [2.0] * len(new))
    merge = merge_tables(stored, incoming)
    assert merge.table.dates.tolist() == days[sorted(old | new)].tolist()
    assert merge.table.columns["close"].tolist() == [2.0 if day in new else 1.0 for day in sorted(old | new)]
    assert (merge.added, merge.replaced) == (len(new - old), len(new & old))


def test_merging_a_table_with_itself_changes_nothing() -> None:
    table = random_walk_table(days=50, closes_only=True)
    merge = merge_tables(table, table)
    assert (merge.added, merge.replaced) == (0, 0)
    assert all(
        np.array_equal(merge.table.columns[name], table.columns[name], equal_nan=True) for name in COLUMNS
    )
