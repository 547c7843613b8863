"""The SEC's filings: which of them is a report, when it came, and every refusal."""

import json
from collections.abc import Iterator
from pathlib import Path

import pytest
from command import rejection
from earnings_factory import written
from sec_server import SecServer, filing, serving_filings, unpaced

from forecaster.cli.main import run
from forecaster.prices.earnings.sec import read_filings
from forecaster.prices.earnings.store import EarningsStore
from forecaster.settings import SecSettings, load_settings

Capture = pytest.CaptureFixture[str]
AGENT = "Jane Doe jane@example.com"
# Moments in UTC: New York is five hours behind in winter, four in summer.
RECENT = [
    filing("2026-10-29T20:30:12"),  # 16:30
    filing("2026-10-30T12:00:00", form="8-K/A"),
    filing("2026-08-06T11:30:00"),  # 7:30
    filing("2026-08-10T20:30:00", "7.01,2.02"),  # four days later: the same report
    filing("2026-06-01T20:30:00", "5.02,9.01"),  # a new director
    filing("2026-05-05T15:00:00"),  # 11:00
    filing("2026-05-05T21:00:00", form="4", items=""),
    filing("2026-02-03T01:10:00", date="2026-02-03"),  # 20:10 the evening before
]
OLDER = [
    filing("", "12", date="2004-07-20"),
    filing("", "12", date="2005-07-20"),  # by then item 12 was something else
]
STORED = [
    "AAA 2004-07-20 unknown reported sec - -",
    "AAA 2026-02-02 after reported sec - -",
    "AAA 2026-05-05 during reported sec - -",
    "AAA 2026-08-06 before reported sec - -",
    "AAA 2026-10-29 after reported sec - -",
]


@pytest.fixture
def sec(monkeypatch: pytest.MonkeyPatch) -> Iterator[SecServer]:
    """A stand-in for the SEC with two companies, one of which has never reported."""
    unpaced(monkeypatch)
    with serving_filings({"AAA": [RECENT, OLDER], "BBB": [[]]}) as server:
        values = {"URL": server.url, "USER_AGENT": AGENT, "RETRIES": "1", "BACKOFF": "0", "TIMEOUT": "2"}
        for name, value in values.items():
            monkeypatch.setenv(f"FORECAST_SEC_{name}", value)
        yield server


def fetch(capsys: Capture, *tickers: str) -> tuple[int, dict, str]:
    """Exit code, what the document says of earnings, stderr; prices come from a file."""
    Path("prices.csv").write_text(
        "ticker,date,close\n" + "".join(f"{name},2026-11-20,2\n" for name in tickers)
    )
    capsys.readouterr()
    code = run(["fetch", *tickers, "--source", "prices.csv", "--earnings", "sec", "--json", "--quiet"])
    captured = capsys.readouterr()
    return code, json.loads(captured.out)["earnings"], captured.err


def stored() -> list[str]:
    return written(EarningsStore(Path.cwd()).read().table)


def test_results_are_filed_as_item_2_02_and_amendments_are_none(sec: SecServer, capsys: Capture) -> None:
    code, found, err = fetch(capsys, "AAA", "BBB", "CCC")
    assert (code, err) == (0, "")
    assert stored() == STORED
    assert (found["tickers"], found["added"], found["without"]) == (1, 5, ["BBB", "CCC"])
    assert sec.agents == {AGENT}


def test_older_pages_are_asked_for_once(sec: SecServer, capsys: Capture) -> None:
    fetch(capsys, "AAA")
    assert sec.requests["/submissions/CIK0000000001-submissions-001.json"] == 1
    code, found, _ = fetch(capsys, "AAA")
    assert (code, found["added"], found["changed"]) == (0, 0, 0)
    assert stored() == STORED
    assert sec.requests["/submissions/CIK0000000001-submissions-001.json"] == 1
    assert sec.requests["/submissions/CIK0000000001.json"] == 2


def test_moments_in_new_yorks_time_that_are_marked_as_utc_are_told_by_the_hours_of_filing() -> None:
    utc = [filing("2026-10-29T20:30:12"), filing("2026-10-29T01:55:00", "", "4")]  # 21:55 in New York
    local = [filing("2026-10-29T16:30:12"), filing("2026-10-29T06:10:00", "", "4")]  # 2:10, read as UTC
    for filings in (utc, local):
        columns = {name: [each[name] for each in filings] for name in filings[0]}
        (row,) = read_filings("AAA", columns)
        assert (str(row.date), row.when) == ("2026-10-29", "after")


def test_a_moment_far_from_the_filings_date_is_not_believed() -> None:
    columns = {name: [value] for name, value in filing("2026-10-29T20:30:12", date="2026-08-03").items()}
    (row,) = read_filings("AAA", columns)
    assert (str(row.date), row.when) == ("2026-08-03", "unknown")


@pytest.mark.parametrize(
    ("agent", "why"),
    [
        pytest.param("", "the SEC answers only those who say who they are", id="nobody"),
        pytest.param("Jane Doe", "has no e-mail address", id="no address"),
        pytest.param("Jane\r\nX: y@z.com", "has no e-mail address", id="a second header"),
    ],
)
def test_without_a_contact_nothing_is_asked_for(
    sec: SecServer, capsys: Capture, monkeypatch: pytest.MonkeyPatch, agent: str, why: str
) -> None:
    monkeypatch.setenv("FORECAST_SEC_USER_AGENT", agent)
    code, line = rejection(capsys, "fetch", "AAA", "--earnings", "sec")
    assert code == 2
    assert why in line
    assert 'user_agent = "Jane Doe jane@example.com" under [sec] in forecast.toml' in line
    assert not sec.requests


FAULTS = {
    "429": ("the SEC limits the rate of requests", 2),
    "threshold": ("the SEC limits the rate of requests", 2),
    "403": ("the SEC refuses the request (403): sec.user_agent must name you", 1),
    "500": ("the SEC could not be used: status 500 (2 attempts)", 2),
    "html": ("the SEC could not be used: a web page came in place of filings (2 attempts)", 2),
    "cut": ("the SEC could not be used: the answer was cut short (2 attempts)", 2),
    "list": ("the SEC could not be used: the answer was cut short (2 attempts)", 2),
    "senseless": ("the SEC's answer makes no sense: columns of unequal length", 1),
    "no filings": ("the SEC's answer makes no sense: it has no filings", 1),
    "bad date": ("the SEC's answer makes no sense: the date 'soon'", 1),
    "bad page": ("the SEC's answer makes no sense: a page '../../etc/passwd'", 1),
}


@pytest.mark.parametrize("fault", FAULTS)
def test_a_fault_costs_the_dates_alone(sec: SecServer, capsys: Capture, fault: str) -> None:
    says, requests = FAULTS[fault]
    sec.faults["CIK0000000001.json"] = fault
    code, found, err = fetch(capsys, "AAA")
    assert code == 75
    assert err.startswith(f"forecast: no earnings dates from sec of AAA: {says}")
    assert len(err.splitlines()) == 1
    assert found["failures"][0]["reason"] in err
    assert sec.requests["/submissions/CIK0000000001.json"] == requests
    assert not EarningsStore(Path.cwd()).path.exists()


def test_a_day_that_is_not_possible_is_left_out(sec: SecServer, capsys: Capture) -> None:
    sec.companies["BBB"] = [[filing("", date="1850-12-31"), filing("2026-10-29T20:30:12")]]
    code, found, _ = fetch(capsys, "BBB")
    assert code == 0
    assert [each["reason"] for each in found["rejections"]] == ["the date 1850-12-31 is not possible"]
    assert stored() == ["BBB 2026-10-29 after reported sec - -"]


@pytest.mark.usefixtures("sec")
def test_on_a_replayed_day_later_filings_are_not_known(
    capsys: Capture, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("FORECAST_NOW", "2026-08-06T22:30:00")
    assert fetch(capsys, "AAA")[0] == 66  # the file's price is of November
    assert stored()[-1] == "AAA 2026-08-06 before reported sec 2026-08-06 -"


def test_of_several_what_can_be_had_is_stored(sec: SecServer, capsys: Capture) -> None:
    sec.faults["CIK0000000002.json"] = "500"
    code, found, err = fetch(capsys, "AAA", "BBB")
    assert code == 75
    assert "no earnings dates from sec of BBB" in err
    assert found["tickers"] == 1
    assert stored() == STORED


def test_a_limit_of_the_rate_ends_the_asking(sec: SecServer, capsys: Capture) -> None:
    sec.faults["CIK0000000001.json"] = "429"
    _, found, _ = fetch(capsys, "AAA", "BBB")
    assert [each["kind"] for each in found["failures"]] == ["rate limited", "not requested"]
    assert sec.requests["/submissions/CIK0000000002.json"] == 0


def test_the_list_of_companies_that_fails_costs_no_prices(sec: SecServer, capsys: Capture) -> None:
    sec.faults["company_tickers.json"] = "500"
    code, _, err = fetch(capsys, "AAA", "BBB", "CCC")
    assert code == 75
    assert "no earnings dates from sec of AAA, BBB, CCC: the SEC could not be used" in err


def test_no_more_than_ten_requests_a_second_can_be_set(tmp_path: Path) -> None:
    assert SecSettings().rate <= 10
    (tmp_path / "forecast.toml").write_text(f'[sec]\nuser_agent = "{AGENT}"\nrate = 10\n')
    settings = load_settings(tmp_path, {}).sec
    assert (settings.user_agent, settings.rate) == (AGENT, 10.0)
    (tmp_path / "forecast.toml").write_text("[sec]\nrate = 11\n")
    with pytest.raises(Exception, match="rate = 11 is out of range"):
        load_settings(tmp_path, {})
