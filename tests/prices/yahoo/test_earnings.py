"""Yahoo's earnings dates: its pages, their faults, and what the user and the store are left with."""

import inspect
import json

import pytest
from earnings_factory import written
from yahoo_runs import EVENING, FetchRuns
from yahoo_server import CALENDAR, COOKIE, CRUMB, DATES, company, dates_page

from forecaster.prices.earnings.store import EarningsStore

# The clock stands at Saturday, 21 November 2026.
PAGE = [
    "May 4, 2027 at 4 PM EDT",
    "February 2, 2027 at 4 PM EST",
    "November 3, 2026 at 4 PM EST",
    "August 4, 2026 at 7 AM EDT",
    "May 5, 2026 at 12 AM EDT",
]
STORED = [
    "AAA 2026-05-05 unknown reported yahoo - -",
    "AAA 2026-08-04 before reported yahoo - -",
    "AAA 2026-11-03 after reported yahoo - -",
    "AAA 2027-02-02 after scheduled yahoo 2026-11-21 -",
]


@pytest.fixture(autouse=True)
def pages(runs: FetchRuns) -> None:
    runs.at(EVENING)
    runs.yahoo.reports["AAA"] = list(PAGE)
    runs.yahoo.coming["AAA"] = (("2027-02-02T21:00:00",), False)


def stored(runs: FetchRuns) -> list[str]:
    return written(EarningsStore(runs.home).read().table)


def last_line(stderr: str) -> str:
    return stderr.splitlines()[-1] if stderr else ""


def test_dates_come_with_prices_and_one_pair_of_requests_a_ticker(runs: FetchRuns) -> None:
    runs.yahoo.reports["BBB"] = []
    code, err = runs.fetch("AAA", "BBB", "--earnings", "yahoo", "--quiet")
    assert (code, err) == (0, "")
    assert stored(runs) == STORED
    assert runs.stored_days("AAA")[-1] == "2026-11-20"
    asked = {path: count for (_, path), count in runs.yahoo.requests.items() if "chart" not in path}
    assert asked.pop(COOKIE) <= 2  # yfinance asks for the cookie twice
    assert asked == {CRUMB: 1, DATES: 2, f"{CALENDAR}AAA": 1, f"{CALENDAR}BBB": 1}
    assert EarningsStore(runs.home).read().asked == {"yahoo": {"AAA": "2026-11-21", "BBB": "2026-11-21"}}


def test_what_came_is_told(runs: FetchRuns) -> None:
    found = runs.fetch_json("AAA", "BBB", "^GSPC", "--earnings", "yahoo")["earnings"]
    assert (found["source"], found["tickers"], found["added"]) == ("yahoo", 1, 4)
    assert found["without"] == ["BBB"]  # an index is not asked for; of BBB the calendar knows nothing
    assert found["failures"] == []


def test_a_moved_date_is_told(runs: FetchRuns) -> None:
    runs.fetch("AAA", "--earnings", "yahoo", "--quiet")
    runs.at("2026-11-28T22:30:00")
    runs.yahoo.reports["AAA"][1] = "February 9, 2027 at 4 PM EST"
    runs.yahoo.coming["AAA"] = (("2027-02-09T21:00:00",), False)
    code, err = runs.fetch("AAA", "--earnings", "yahoo")
    assert code == 0
    assert "note: the earnings date of AAA: moved from 2027-02-02 to 2027-02-09 (yahoo)" in err
    assert "AAA 2027-02-02 after scheduled yahoo 2026-11-21 2026-11-28" in stored(runs)
    assert "AAA 2027-02-09 after scheduled yahoo 2026-11-28 -" in stored(runs)


@pytest.mark.parametrize(
    ("coming", "status"),
    [
        pytest.param((("2027-02-02T21:00:00",), True), "projected", id="an estimate"),
        pytest.param((("2027-02-01T11:00:00", "2027-02-05T21:00:00"), False), "projected", id="a span"),
        pytest.param(((), False), "scheduled", id="nothing"),
    ],
)
def test_the_calendar_tells_how_certain_the_next_date_is(
    runs: FetchRuns, coming: tuple[tuple[str, ...], bool], status: str
) -> None:
    runs.yahoo.coming["AAA"] = coming
    runs.fetch("AAA", "--earnings", "yahoo", "--quiet")
    assert stored(runs)[3] == f"AAA 2027-02-02 after {status} yahoo 2026-11-21 -"


def test_on_the_evening_of_a_report_the_calendar_s_estimate_is_of_the_next_one(runs: FetchRuns) -> None:
    runs.at("2026-11-03T22:30:00")
    runs.yahoo.coming["AAA"] = (("2027-02-02T21:00:00",), True)
    runs.fetch("AAA", "--earnings", "yahoo", "--quiet")
    assert stored(runs)[2:] == ["AAA 2026-11-03 after scheduled yahoo 2026-11-03 -"]
    # Where the calendar is at today's report itself, its word holds.
    runs.yahoo.coming["AAA"] = (("2026-11-02T11:00:00", "2026-11-06T21:00:00"), True)
    runs.fetch("AAA", "--earnings", "yahoo", "--quiet")
    assert stored(runs)[2:] == ["AAA 2026-11-03 after projected yahoo 2026-11-03 -"]


@pytest.mark.parametrize("zone", ["UTC", "Asia/Tokyo", "America/Los_Angeles"])
def test_dates_that_the_page_lacks_come_from_the_calendar_in_any_zone(
    runs: FetchRuns, monkeypatch: pytest.MonkeyPatch, zone: str
) -> None:
    """In 2025 the page had no coming dates for weeks; yfinance gives the calendar's in the machine's zone."""
    import time

    monkeypatch.setenv("TZ", zone)
    time.tzset()
    try:
        del runs.yahoo.reports["AAA"][:2]
        runs.fetch("AAA", "--earnings", "yahoo", "--quiet")
        assert stored(runs)[3:] == ["AAA 2027-02-02 unknown scheduled yahoo 2026-11-21 -"]
        runs.yahoo.coming["AAA"] = (("2027-02-01T11:00:00", "2027-02-05T21:00:00"), False)
        runs.at("2026-11-28T22:30:00")
        runs.fetch("AAA", "--earnings", "yahoo", "--quiet")
        assert "AAA 2027-02-03 unknown projected yahoo 2026-11-28 -" in stored(runs)  # the middle of the span
    finally:
        monkeypatch.undo()
        time.tzset()


def test_coming_dates_that_are_missing_take_none_away(runs: FetchRuns) -> None:
    runs.fetch("AAA", "--earnings", "yahoo", "--quiet")
    runs.yahoo.reports["AAA"], runs.yahoo.coming["AAA"] = PAGE[2:], ((), False)
    assert runs.fetch("AAA", "--earnings", "yahoo", "--quiet") == (0, "")
    assert stored(runs) == STORED


FAULTS = {
    "500": "status 500",
    "503": "status 503",
    "html": "a web page came in place of",
    "consent": "a consent page came in place of",
    "redirect": "status 302",
    "right back": "it says that it will be right back",
    "empty": "the answer",
    "reset": "the connection was refused or cut",
}


@pytest.mark.parametrize(("fault", "says"), FAULTS.items(), ids=FAULTS)
def test_where_neither_page_answers_prices_come_all_the_same(runs: FetchRuns, fault: str, says: str) -> None:
    runs.yahoo.page_faults = {DATES: fault, CALENDAR: fault}
    code, err = runs.fetch("AAA", "BBB", "--earnings", "yahoo", "--quiet")
    assert code == 75
    assert len(err.splitlines()) == 1
    assert err.startswith("forecast: no earnings dates from yahoo of AAA, BBB: Yahoo could not be used: ")
    assert says in err
    assert runs.stored_days("AAA")[-1] == runs.stored_days("BBB")[-1] == "2026-11-20"
    assert not EarningsStore(runs.home).path.exists()


@pytest.mark.parametrize("part", [DATES, CALENDAR])
def test_one_page_will_do(runs: FetchRuns, part: str) -> None:
    runs.yahoo.page_faults = {part: "html"}
    code, err = runs.fetch("AAA", "--earnings", "yahoo")
    assert code == 0
    assert "note: of some tickers Yahoo gave a part of the dates only; AAA: Yahoo could not be used" in err
    kept = STORED if part == CALENDAR else ["AAA 2027-02-02 unknown scheduled yahoo 2026-11-21 -"]
    assert stored(runs) == kept


@pytest.mark.parametrize(
    ("part", "fault"),
    [(COOKIE, "reset"), (CRUMB, "html"), (CRUMB, "404"), (CRUMB, "503"), (CRUMB, "reset"), (CRUMB, "empty")],
)
def test_without_a_crumb_there_is_no_date_and_soon_nobody_asks_on(
    runs: FetchRuns, part: str, fault: str
) -> None:
    names = [f"T{number}" for number in range(10)]
    runs.yahoo.add(*map(company, names))
    runs.yahoo.page_faults = {part: fault}
    code, err = runs.fetch(*names, "--earnings", "yahoo", "--quiet")
    assert code == 75
    assert "no earnings dates from yahoo of T0, T1, T2, T3, T4 and 5 more: Yahoo could not be used" in err
    pages = sum(count for (_, path), count in runs.yahoo.requests.items() if "chart" not in path)
    # Of three tickers two pages, each with two requests for the cookie and two attempts; the rest are left.
    assert pages <= 3 * 2 * 5


def test_too_many_requests_end_the_asking_at_once(runs: FetchRuns) -> None:
    runs.yahoo.reports["BBB"] = list(PAGE)
    runs.yahoo.page_faults = {DATES: "429, one hour"}
    code, err = runs.fetch("AAA", "BBB", "--earnings", "yahoo", "--quiet")
    assert code == 75
    assert "Yahoo limits the rate of requests; it asks to wait 3,600 seconds" in last_line(err)
    assert runs.yahoo.requests["127.0.0.1", DATES] == 1


def test_where_yahoo_limits_the_prices_it_is_not_asked_for_dates(runs: FetchRuns) -> None:
    runs.yahoo.fail("AAA", "429, one hour")
    code, err = runs.fetch("AAA", "--earnings", "yahoo", "--quiet")
    assert code == 75
    assert err.startswith(
        "warning: no earnings dates from yahoo: Yahoo limits the rate of requests\nforecast: "
    )
    assert {path for _, path in runs.yahoo.requests} == {"/v8/finance/chart/AAA"}


def test_a_page_that_changes_its_form_is_no_crash(runs: FetchRuns, monkeypatch: pytest.MonkeyPatch) -> None:
    page = dates_page("AAA", PAGE).replace(b"Earnings Date", b"When")
    monkeypatch.setattr("yahoo_server.dates_page", lambda *_: page)
    code, err = runs.fetch("AAA", "--earnings", "yahoo")
    assert code == 0
    assert "AAA: Yahoo's answer makes no sense: KeyError" in err
    assert stored(runs) == ["AAA 2027-02-02 unknown scheduled yahoo 2026-11-21 -"]


@pytest.mark.parametrize("stamp", ["soon", None, 10**30, -(10**30), [1]])
def test_a_calendar_that_makes_no_sense_is_no_crash(
    runs: FetchRuns, monkeypatch: pytest.MonkeyPatch, stamp: object
) -> None:
    events = {"calendarEvents": {"earnings": {"earningsDate": [stamp]}}}
    answer = json.dumps({"quoteSummary": {"result": [events], "error": None}}).encode()
    monkeypatch.setattr("yahoo_server.calendar_answer", lambda *_: answer)
    code, err = runs.fetch("AAA", "--earnings", "yahoo")
    assert code == 0
    assert "makes no sense" in err
    assert stored(runs) == STORED


def test_prices_are_as_before_afterwards(runs: FetchRuns) -> None:
    """The session and the crumb of one must not stay for the other: both share yfinance's one object."""
    runs.fetch("AAA", "--earnings", "yahoo", "--quiet")
    runs.yahoo.requests.clear()
    runs.at("2026-11-23T22:30:00")
    assert runs.fetch("AAA", "BBB", "--quiet") == (0, "")
    assert runs.stored_days("AAA")[-1] == "2026-11-23"
    assert {path for _, path in runs.yahoo.requests} == {"/v8/finance/chart/AAA", "/v8/finance/chart/BBB"}


def test_the_private_parts_of_yfinance_that_are_set() -> None:
    """If this fails after an update, see in its source how cookie and crumb are kept now."""
    from yfinance.data import YfData

    source = inspect.getsource(YfData)
    for part in ("self._cookie = None", "self._crumb = None", "self._cookie_strategy = 'basic'"):
        assert part in source
    assert "if self._crumb is not None" in inspect.getsource(YfData._get_crumb_basic)
    assert "if self._cookie is not None" in inspect.getsource(YfData._get_cookie_basic)
