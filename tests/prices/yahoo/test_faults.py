"""Every fault that Yahoo is known for: what the user sees, and what the store holds afterwards."""

from dataclasses import dataclass

import pytest
from yahoo_runs import EVENING, FetchRuns

SESSIONS = ["2026-11-16", "2026-11-17", "2026-11-18", "2026-11-19", "2026-11-20"]


@dataclass(frozen=True)
class Case:
    """A fault, the exit code of fetching that ticker alone, words on stderr, sessions that do not come."""

    fault: str
    code: int
    says: str
    lacks: tuple[str, ...] = ()
    requests: int = 1
    stored: bool = True


def failing(fault: str, code: int, says: str, requests: int) -> object:
    return pytest.param(Case(fault, code, says, tuple(SESSIONS[1:]), requests, stored=False), id=fault)


def coming(fault: str, says: str, *lacks: str) -> object:
    return pytest.param(Case(fault, 0, says, lacks), id=fault)


HOLE_18 = "AAA: no price of 2026-11-18; a later run requests it again"
CASES = [
    failing("404", 66, "AAA: not found: No data found, symbol may be delisted; check the spelling", 1),
    failing("429", 75, "AAA: rate limited: Yahoo limits the rate of requests", 3),
    failing("429, one hour", 75, "it asks to wait 3,600 seconds", 1),
    failing(
        "500", 69, "AAA: unavailable: Yahoo could not be used: status 500, engine failure (3 attempts)", 3
    ),
    failing("right back", 69, "it says that it will be right back", 3),
    failing("502", 69, "status 502", 3),
    failing("503", 69, "status 503", 3),
    failing("html", 69, "a web page came in place of prices", 3),
    failing("consent", 69, "a consent page came in place of prices", 3),
    failing("redirect", 69, "status 302", 3),
    failing("empty", 69, "the answer is empty", 3),
    failing("cut json", 69, "the answer was cut short", 3),
    failing("timeout", 69, "no answer within 0.3 seconds", 3),
    failing("reset", 69, "the connection was refused or cut", 3),
    failing("truncated", 69, "the answer was cut short", 3),
    failing("null result", 69, "the answer is empty", 3),
    failing("empty result", 69, "the answer is empty", 3),
    failing("no zone", 69, "Yahoo's answer makes no sense: KeyError 'exchangeTimezoneName'", 1),
    failing("no time", 69, "Yahoo's answer makes no sense: ValueError a row has no day", 1),
    failing("uneven", 69, "Yahoo's answer makes no sense: ValueError", 1),
    failing("all empty", 69, "bars can be used: they have no prices", 1),
    coming("empty middle", HOLE_18, "2026-11-18"),
    coming("empty last", "AAA: nothing after 2026-11-19 yet; a later run requests it again", "2026-11-20"),
    coming("missing day", HOLE_18, "2026-11-18"),
    coming("stale", "AAA: nothing after 2026-11-18 yet", "2026-11-19", "2026-11-20"),
    coming("zero price", "rejected: Yahoo: AAA: 2026-11-19: close is not positive", "2026-11-19"),
    coming("negative price", "AAA: fields left empty, as their values are impossible: 2026-11-19: low is -1"),
    coming(
        "infinite price", "AAA: fields left empty, as their values are impossible: 2026-11-19: high is inf"
    ),
    coming("zero volume", "rejected: Yahoo: AAA: 2026-11-19: nothing was traded that day", "2026-11-19"),
    coming("unadjusted", "AAA: Yahoo gave no adjusted close; close stands in for it"),
    coming("repeated", ""),
    coming("unordered", ""),
    coming("session cut off", "AAA: nothing after 2026-11-19 yet", "2026-11-20"),
]


@pytest.fixture
def case(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> Case:
    """The case at hand, with little patience where that is what it is about."""
    if request.param.fault == "timeout":
        monkeypatch.setenv("FORECAST_YAHOO_TIMEOUT", "0.3")
    return request.param


@pytest.mark.parametrize("case", CASES, indirect=True)
def test_a_fault_at_the_first_fetch(runs: FetchRuns, case: Case) -> None:
    runs.yahoo.fail("AAA", case.fault)
    code, err = runs.fetch("AAA")
    assert (code, runs.yahoo.total) == (case.code, case.requests)
    assert case.says in err
    assert ("forecast: " in err) is (case.code != 0)
    assert runs.store.tickers() == (["AAA"] if case.stored else [])
    if case.stored:
        assert not set(case.lacks) & set(runs.stored_days("AAA"))
        runs.yahoo.heal()
        # On a Sunday nothing but the gaps is missing. An empty field comes with the next session's request.
        runs.at("2026-11-23T23:00:00" if "left empty" in case.says else "2026-11-22T23:00:00")
        assert runs.fetch("AAA")[0] == 0
        assert runs.is_as_fresh("AAA")


@pytest.mark.parametrize("case", CASES, indirect=True)
def test_a_fault_at_an_update_loses_nothing(runs: FetchRuns, case: Case) -> None:
    runs.at("2026-11-16T22:30:00")
    assert runs.fetch("AAA", "BBB")[0] == 0
    before = runs.store.info("AAA")
    assert runs.stored_days("AAA")[-1] == SESSIONS[0]
    runs.at(EVENING)
    runs.yahoo.fail("AAA", case.fault)
    code, err = runs.fetch("AAA", "BBB")
    limited = case.fault.startswith("429")
    assert code == (75 if case.code else 0)
    assert case.says.split(";")[0].removeprefix("AAA: ") in err
    assert set(SESSIONS) - set(runs.stored_days("AAA")) == set(case.lacks)
    assert runs.stored_days("BBB")[-1] == SESSIONS[-1] or limited
    if not case.stored:
        assert runs.store.info("AAA") == before
    runs.yahoo.heal()
    runs.at("2026-11-23T23:00:00")
    assert runs.fetch("AAA", "BBB")[0] == 0
    assert runs.is_as_fresh("AAA")


def test_no_data_in_the_range_is_no_error(runs: FetchRuns) -> None:
    runs.yahoo.fail("AAA", "400")
    code, err = runs.fetch("AAA")
    assert (code, runs.store.tickers(), runs.yahoo.total) == (0, [], 1)
    assert "note: AAA: Yahoo has no prices: Data doesn't exist" in err
    runs.yahoo.heal()
    runs.at("2026-11-16T22:30:00")
    runs.fetch("AAA")
    before = runs.store.read("AAA")
    runs.at(EVENING)
    runs.yahoo.fail("AAA", "400")
    assert runs.fetch("AAA")[0] == 0
    assert runs.store.read("AAA").dates.tolist() == before.dates.tolist()


def test_a_weekend_is_not_asked_for(runs: FetchRuns) -> None:
    runs.at("2026-11-20T22:30:00")
    runs.fetch("AAA")
    runs.at("2026-11-22T22:30:00")
    assert runs.fetch("AAA") == (0, "")
    runs.at("2026-11-23T12:00:00")  # Monday, before New York opens
    assert runs.fetch("AAA") == (0, "")
    assert runs.yahoo.total == 1


def test_the_bar_of_an_unfinished_session_is_not_stored(runs: FetchRuns) -> None:
    runs.at("2026-11-20T19:00:00")
    assert runs.fetch("AAA") == (0, "")
    assert runs.stored_days("AAA")[-1] == "2026-11-19"
    runs.at(EVENING)
    assert runs.fetch("AAA")[0] == 0
    assert runs.is_as_fresh("AAA")


def test_an_ex_date_before_the_opening_is_kept_without_its_bar(runs: FetchRuns) -> None:
    runs.yahoo.companies["AAA"].dividends["2026-11-20"] = 0.5
    runs.at("2026-11-18T22:30:00")
    runs.fetch("AAA")
    runs.at("2026-11-20T13:00:00")
    code, err = runs.fetch("AAA")
    assert code == 0
    assert "fetched anew: a dividend of 0.5 on 2026-11-20" in err
    assert runs.stored_days("AAA")[-1] == "2026-11-19"
    assert runs.store.info("AAA").fetch_state.events == {"2026-11-20": (0.5, 1.0)}
    before = runs.yahoo.total
    runs.at(EVENING)
    code, err = runs.fetch("AAA")
    assert (code, err, runs.yahoo.total) == (0, "", before + 1)  # the event was known
    assert runs.store.read("AAA").columns["dividend"][-1] == 0.5
    assert runs.store.info("AAA").fetch_state.events == {}
    assert runs.is_as_fresh("AAA")


def test_prices_without_adjustment_do_not_replace_adjusted_ones(runs: FetchRuns) -> None:
    runs.yahoo.companies["AAA"].dividends["2026-11-10"] = 0.5
    runs.at("2026-11-16T22:30:00")
    runs.fetch("AAA")
    before = runs.store.info("AAA")
    runs.at(EVENING)
    runs.yahoo.fail("AAA", "unadjusted")
    code, err = runs.fetch("AAA")
    assert code == 75
    assert "AAA: kept: Yahoo gave no adjusted close this time; the stored prices were kept" in err
    assert runs.store.info("AAA") == before


def test_one_failure_does_not_stop_the_rest(runs: FetchRuns) -> None:
    runs.yahoo.fail("AAA", "503")
    code, err = runs.fetch("AAA", "BBB", "ZZZ")
    assert code == 75
    assert "failed: AAA: unavailable" in err
    assert "failed: ZZZ: not found" in err
    assert "2 of 3 tickers failed (unavailable 1, not found 1): AAA, ZZZ" in err
    assert runs.store.tickers() == ["BBB"]


def test_a_server_that_is_not_there(runs: FetchRuns, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("FORECAST_YAHOO_URL", "http://127.0.0.1:9")
    code, err = runs.fetch("AAA", "BBB")
    assert code == 69
    assert "the connection was refused or cut (3 attempts)" in err


def test_a_run_ends_early_when_nothing_answers(runs: FetchRuns) -> None:
    runs.yahoo.fail("*", "503")
    runs.yahoo.latency = 0.02
    code, err = runs.fetch(*(f"T{number}" for number in range(100)))
    assert code == 69
    assert "not requested" in err
    assert runs.yahoo.total < 3 * 100


def test_rate_limits_stop_everything_and_the_next_run_resumes(runs: FetchRuns) -> None:
    runs.fetch("AAA")
    runs.yahoo.fail("*", "429")
    tickers = [f"T{number}" for number in range(50)]
    code, err = runs.fetch("AAA", *tickers)
    assert code == 75
    assert "limits the rate" in err
    assert runs.yahoo.total < 20
    assert runs.store.tickers() == ["AAA"]


def test_a_passing_fault_is_not_seen(runs: FetchRuns) -> None:
    runs.yahoo.fail("AAA", "503", times=2)
    runs.yahoo.fail("BBB", "429", times=1)
    assert runs.fetch("AAA", "BBB") == (0, "")
    assert runs.store.tickers() == ["AAA", "BBB"]


@pytest.mark.parametrize(
    "url",
    [
        *(
            "ftp://x",
            "nowhere",
            "http://",
            "http://[::1",
            "http://host:99999/",
            "http://host:0",
            "http://a b/",
        ),
        *("http://a\u2028b/", "http://a.b/\x1b[2J", "http://:80", "file:///etc/passwd"),
    ],
)
def test_an_address_that_is_none(runs: FetchRuns, monkeypatch: pytest.MonkeyPatch, url: str) -> None:
    monkeypatch.setenv("FORECAST_YAHOO_URL", url)
    code, err = runs.fetch("AAA")
    assert (code, err.count("\n")) == (2, 1)
    assert "is not an address" in err
