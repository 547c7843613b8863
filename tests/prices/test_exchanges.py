"""Which calendar a ticker has, and what the calendars of the world's exchanges say of known days."""

from datetime import UTC, datetime

import exchange_calendars
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from forecaster.errors import UsageError
from forecaster.prices.calendar import (
    calendar_names,
    checked_calendar,
    closing_time,
    is_session,
    is_weekend,
    known_from,
    last_closed_session,
    likely_calendar,
    local_date,
    next_sessions,
    sessions_between,
)
from forecaster.prices.exchanges import (
    BY_INDEX,
    BY_KIND,
    BY_SUFFIX,
    BY_ZONE,
    calendar_of_answer,
    calendar_of_symbol,
)


def day(text: str) -> np.datetime64:
    return np.datetime64(text, "D")


def days(*texts: str) -> np.ndarray:
    return np.array(texts, "datetime64[D]")


@pytest.mark.parametrize(
    ("ticker", "calendar"),
    [
        ("AAPL", None),
        ("BRK-B", None),
        ("SHEL.L", "XLON"),
        ("SAP.DE", "XETR"),
        ("MC.PA", "XPAR"),
        ("7203.T", "XTKS"),
        ("0700.HK", "XHKG"),
        ("RELIANCE.NS", "XBOM"),
        ("TEVA.TA", "XTAE"),
        ("2222.SR", "XSAU"),
        ("BTC-USD", "24/7"),
        ("1INCH-EUR", "24/7"),
        ("EURUSD=X", "24/5"),
        ("ES=F", "CMES"),
        ("^GSPC", None),
        ("^FTSE", "XLON"),
        ("ODD.QQ", None),
    ],
)
def test_symbols_tell_the_calendar(ticker: str, calendar: str | None) -> None:
    assert calendar_of_symbol(ticker) == calendar


@pytest.mark.parametrize(
    ("ticker", "kind", "zone", "calendar"),
    [
        pytest.param("AAPL", "EQUITY", "America/New_York", "XNYS", id="a share"),
        pytest.param("SOL", "CRYPTOCURRENCY", "UTC", "24/7", id="the kind comes first"),
        pytest.param("VOD.L", "EQUITY", "Europe/London", "XLON", id="the ending"),
        pytest.param("ODD.QQ", "EQUITY", "Europe/Paris", "XPAR", id="an unknown ending has its zone's"),
        pytest.param("ODD.QQ", "EQUITY", "Africa/Cairo", "24/5", id="an unknown zone has weekdays"),
        pytest.param("AAPL", "", "", "XNYS", id="nothing is said"),
    ],
)
def test_yahoos_answer_tells_the_calendar(ticker: str, kind: str, zone: str, calendar: str) -> None:
    assert calendar_of_answer(ticker, kind, zone) == calendar


def test_every_calendar_that_is_named_is_there() -> None:
    named = {*BY_SUFFIX.values(), *BY_INDEX.values(), *BY_KIND.values(), *BY_ZONE.values()}
    assert named <= set(calendar_names())


def test_a_calendar_is_found_in_any_case_and_an_unknown_one_is_not() -> None:
    assert checked_calendar(" xlon") == "XLON"
    assert checked_calendar("24/7") == "24/7"
    with pytest.raises(UsageError, match=r"there is no calendar 'LONDON'.*XLON"):
        checked_calendar("LONDON")


@pytest.mark.parametrize(
    ("calendar", "date", "open_"),
    [
        ("XLON", "2021-08-30", False),  # summer bank holiday
        ("XLON", "2021-09-06", True),  # Labor Day in New York
        ("XLON", "2022-06-03", False),  # the Queen's jubilee
        ("XETR", "2021-05-24", False),  # Whit Monday, kept until that year
        ("XETR", "2022-06-06", True),
        ("XETR", "2020-10-03", False),
        ("XPAR", "2021-05-24", True),
        ("XTKS", "2021-05-05", False),  # Golden Week
        ("XTKS", "2020-10-01", False),  # the system failed for a whole day
        ("XHKG", "2021-02-12", False),  # Chinese New Year
        ("XTAE", "2021-03-07", True),  # a Sunday
        ("XTAE", "2021-03-05", False),  # a Friday
        ("XSHG", "2021-10-04", False),  # National Day's week
        ("XBOM", "2024-01-20", True),  # a Saturday, as the Monday after it was free
        ("24/7", "2021-12-25", True),
        ("24/7", "2021-12-26", True),  # a Sunday
        ("24/5", "2021-12-24", True),
        ("24/5", "2021-12-25", False),  # a Saturday
        ("XNYS", "1962-02-22", False),  # Washington's birthday
        ("XNYS", "1968-06-12", False),  # Wednesdays were kept for paperwork
        ("XNYS", "1968-11-05", False),  # election day
        ("XNYS", "1963-11-25", False),  # the President's funeral
        ("XNYS", "1987-10-19", True),
        ("XNYS", "1985-09-27", False),  # a hurricane
    ],
)
def test_known_days(calendar: str, date: str, *, open_: bool) -> None:
    assert bool(is_session(day(date), calendar)) is open_


def test_new_york_is_known_from_its_first_week_of_five_days() -> None:
    assert known_from() == day("1952-09-29")
    closed = np.setdiff1d(
        np.arange("1962", "1963", dtype="datetime64[D]"),
        sessions_between(day("1962-01-01"), day("1962-12-31")),
    )
    weekdays = closed[np.is_busday(closed)]
    assert [str(holiday)[5:] for holiday in weekdays] == [
        *("01-01", "02-22", "04-20", "05-30", "07-04", "09-03", "11-06", "11-22", "12-25")
    ]


def test_a_session_on_a_free_day_is_no_weekend() -> None:
    held, free, holiday = "2024-01-20", "2024-01-21", "2024-01-22"
    assert is_weekend(days(held, free, holiday), "XBOM").tolist() == [False, True, False]
    assert is_weekend(days("2021-03-05", "2021-03-07", "2021-12-25"), "24/7").tolist() == [False] * 3


@pytest.mark.parametrize(
    ("calendar", "now", "last"),
    [
        pytest.param("XTKS", "2024-12-02T06:29:59", "2024-11-29", id="Tokyo, a second before 15:30"),
        pytest.param("XTKS", "2024-12-02T06:30:00", "2024-12-02", id="Tokyo, when New York sleeps"),
        pytest.param("XLON", "2024-07-01T15:30:00", "2024-07-01", id="London's 16:30 in summer"),
        pytest.param(
            "XLON", "2024-12-24T12:30:00", "2024-12-24", id="London closes at 12:30 on Christmas Eve"
        ),
        pytest.param("24/7", "2024-07-07T12:00:00", "2024-07-06", id="a Sunday that has not ended"),
        pytest.param("24/7", "2024-07-08T00:00:00", "2024-07-07", id="a Sunday that has ended"),
        pytest.param("24/5", "2024-07-07T12:00:00", "2024-07-05", id="currencies rest at weekends"),
        pytest.param("XSHG", "2020-02-02T00:00:00", "2020-01-23", id="ten days of New Year"),
    ],
)
def test_last_closed_session(calendar: str, now: str, last: str) -> None:
    assert last_closed_session(datetime.fromisoformat(now).replace(tzinfo=UTC), calendar) == day(last)


def test_dates_are_the_exchanges() -> None:
    evening = datetime(2024, 7, 1, 23, tzinfo=UTC)
    assert [str(local_date(evening, name)) for name in ("XNYS", "XTKS", "24/7")] == [
        *("2024-07-01", "2024-07-02", "2024-07-01")
    ]


def test_next_sessions_pass_over_the_exchanges_holidays() -> None:
    assert next_sessions(day("2021-08-27"), 2, "XLON").astype(str).tolist() == ["2021-08-31", "2021-09-01"]
    assert next_sessions(day("2021-12-24"), 2, "24/7").astype(str).tolist() == ["2021-12-25", "2021-12-26"]
    assert next_sessions(day("2021-03-04"), 1, "XTAE").astype(str).tolist() == ["2021-03-07"]


@pytest.mark.parametrize("calendar", ["XNYS", "XLON", "XTKS", "XBOM", "XTAE", "24/7", "24/5"])
def test_its_own_days_are_recognised(calendar: str) -> None:
    span = sessions_between(day("2018-01-01"), day("2021-12-31"), calendar)
    assert likely_calendar(span) == calendar


@given(st.sampled_from(["XNYS", "XLON", "XTKS", "24/7"]), st.sets(st.integers(0, 720), max_size=7))
def test_a_few_lost_days_do_not_matter(calendar: str, lost: set[int]) -> None:
    span = sessions_between(day("2018-01-01"), day("2020-12-31"), calendar)
    assert likely_calendar(np.delete(span, sorted(lost))) == calendar


@pytest.mark.parametrize(
    ("dates", "calendar"),
    [
        pytest.param(
            ["2024-07-05", "2024-07-06", "2024-07-07", "2024-07-08"], "24/7", id="a weekend of four days"
        ),
        pytest.param(["2024-07-05", "2024-07-06", "2024-07-08"], "XNYS", id="a Saturday alone is a mistake"),
        pytest.param(["2024-07-04", "2024-07-05"], "XNYS", id="too few days to tell"),
    ],
)
def test_few_days_tell_little(dates: list[str], calendar: str) -> None:
    assert likely_calendar(days(*dates)) == calendar


# The files were written with pandas 2; with pandas 3 the package fails on Orthodox Easter and loses sessions
# that are held on a free day.
ONLY_WITH_PANDAS_2 = {"ASEX", "XBSE", "XBOM", "XMOS", "XTAE"}


@pytest.mark.trial
@pytest.mark.filterwarnings("ignore")  # raised inside exchange_calendars
@pytest.mark.parametrize("calendar", sorted({*calendar_names()} - ONLY_WITH_PANDAS_2 - {"24/7", "24/5"}))
def test_agrees_with_exchange_calendars_on_every_day(calendar: str) -> None:
    rules = exchange_calendars.calendar_utils._default_calendar_factories[calendar]
    first = max(known_from(calendar), day("2005-01-01"))
    last = day("2060-12-31") if rules.bound_max() is None else day(str(rules.bound_max())[:10])
    schedule = exchange_calendars.get_calendar(calendar, start=str(first), end=str(last)).schedule
    sessions = schedule.index.to_numpy().astype("datetime64[D]")
    np.testing.assert_array_equal(sessions_between(first, last, calendar), sessions)
    recent = schedule["close"]["2024":"2025"]
    for session, moment in recent.items():
        # Tokyo closed earlier before November 2024, as Santiago does in winter. Too late does no harm.
        assert closing_time(np.datetime64(session, "D"), calendar) >= moment.to_pydatetime()
