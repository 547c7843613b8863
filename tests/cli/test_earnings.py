"""`fetch --earnings` and `data earnings`, driven as a user drives them."""

import json
from pathlib import Path

import pytest
from command import rejection
from factories import filled_store

from forecaster.cli.main import run
from forecaster.prices.earnings.store import EarningsStore

Capture = pytest.CaptureFixture[str]
DATES = (
    "ticker,date,when\nAAA,2026-02-10,before\nAAA,2025-11-11,before\nBBB,2025-10-30,16:05\nCCC,2025-12-01,\n"
)


@pytest.fixture(autouse=True)
def at_home(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("FORECAST_NOW", "2026-01-15T22:30:00")
    Path("dates.csv").write_text(DATES)


def fetch_json(capsys: Capture, *arguments: str, code: int = 0) -> dict:
    capsys.readouterr()
    assert run(["fetch", "--json", *arguments]) == code
    return json.loads(capsys.readouterr().out)


def earnings_json(capsys: Capture, *arguments: str) -> list[str]:
    capsys.readouterr()
    assert run(["data", "earnings", "--json", *arguments]) == 0
    document = json.loads(capsys.readouterr().out)
    assert document["schema"] == "forecast.data-earnings/1"
    return [" ".join(str(value) for value in each.values()) for each in document["dates"]]


def test_a_file_of_dates_is_taken_without_prices_and_a_second_time_changes_nothing(capsys: Capture) -> None:
    report = fetch_json(capsys, "--earnings", "dates.csv")
    assert (report["source"], report["tickers"]) == (None, [])
    found = report["earnings"]
    assert (found["source"], found["tickers"], found["added"]) == ("dates.csv", 3, 4)
    found = fetch_json(capsys, "--earnings", "dates.csv")["earnings"]
    assert (found["added"], found["changed"], found["moved"]) == (0, 0, [])


def test_dates_are_listed_with_when_status_source_and_since_when_they_are_known(capsys: Capture) -> None:
    run(["fetch", "--earnings", "dates.csv", "--quiet"])
    assert earnings_json(capsys, "aaa") == [
        "AAA 2025-11-11 before reported dates.csv None None",
        "AAA 2026-02-10 before scheduled dates.csv 2026-01-15 None",
        # A year after the report of November; in February a date is announced.
        "AAA 2026-11-10 before projected projection None None",
    ]
    assert run(["data", "earnings"]) == 0
    out = capsys.readouterr().out
    assert [line.split()[0] for line in out.splitlines()[2:-1]] == ["AAA", "BBB", "AAA", "CCC"]
    assert out.splitlines()[-1] == "Tickers: 3; past dates: 3; coming: 4, of them projected: 3."
    assert max(map(len, out.splitlines())) <= 80


def test_a_moved_date_is_told_and_both_are_listed(capsys: Capture, monkeypatch: pytest.MonkeyPatch) -> None:
    run(["fetch", "--earnings", "dates.csv", "--quiet"])
    Path("dates.csv").write_text(DATES.replace("2026-02-10", "2026-02-17"))
    monkeypatch.setenv("FORECAST_NOW", "2026-01-20T22:30:00")
    capsys.readouterr()
    assert run(["fetch", "--earnings", "dates.csv"]) == 0
    told = capsys.readouterr().err
    assert told == "note: the earnings date of AAA: moved from 2026-02-10 to 2026-02-17 (dates.csv)\n"
    assert run(["data", "earnings", "AAA"]) == 0
    assert "AAA: 2026-02-10 was expected from 2026-01-15 to 2026-01-20" in capsys.readouterr().out
    # Replayed at a day between, it has not moved yet.
    monkeypatch.setenv("FORECAST_NOW", "2026-01-17T22:30:00")
    assert earnings_json(capsys, "AAA")[1] == "AAA 2026-02-10 before scheduled dates.csv 2026-01-15 None"


def test_a_replay_knows_a_date_two_weeks_ahead(capsys: Capture, monkeypatch: pytest.MonkeyPatch) -> None:
    run(["fetch", "--earnings", "dates.csv", "--quiet"])
    monkeypatch.setenv("FORECAST_NOW", "2025-10-15T22:30:00")
    capsys.readouterr()
    assert run(["data", "earnings", "BBB"]) == 66
    monkeypatch.setenv("FORECAST_NOW", "2025-10-16T22:30:00")
    assert earnings_json(capsys, "BBB") == ["BBB 2025-10-30 after scheduled dates.csv None None"]


def test_only_tickers_that_are_named_are_taken(capsys: Capture) -> None:
    assert fetch_json(capsys, "CCC", "ZZZ", "--earnings", "dates.csv")["earnings"]["without"] == ["ZZZ"]
    assert {row.split()[0] for row in earnings_json(capsys)} == {"CCC"}


def test_a_file_of_no_use_stops_no_prices_and_ends_with_75(tmp_path: Path, capsys: Capture) -> None:
    Path("prices.csv").write_text("ticker,date,close\nAAA,2025-11-11,5\n")
    Path("dates.csv").write_text("ticker,date\nAAA,never\n")
    assert run(["fetch", "--source", "prices.csv", "--earnings", "dates.csv", "--quiet"]) == 75
    (line,) = capsys.readouterr().err.splitlines()
    assert line.startswith("forecast: no earnings dates from dates.csv: dates.csv has no earnings date that")
    assert "prices and forecasts go on without" in line
    assert (tmp_path / "data" / "prices" / "AAA.parquet").exists()
    assert not (tmp_path / "data" / "earnings.parquet").exists()


def test_where_prices_fail_too_the_dates_are_one_warning(capsys: Capture) -> None:
    Path("prices.csv").write_text("ticker,date,close\nAAA,2025-11-11,5\n")
    code = run(["fetch", "ZZZ", "--source", "prices.csv", "--earnings", "nowhere.csv", "--quiet"])
    assert code == 66
    warning, error = capsys.readouterr().err.splitlines()
    assert warning == "warning: no earnings dates from nowhere.csv: there is no file or folder nowhere.csv"
    assert error.startswith("forecast: ZZZ: not found")


@pytest.mark.parametrize(
    ("arguments", "code", "complaint"),
    [
        pytest.param(["fetch", "--earnings", "nowhere.csv"], 66, "no file or folder", id="no file"),
        pytest.param(["data", "earnings"], 66, "no earnings dates are stored in", id="nothing stored"),
        pytest.param(["data", "earnings", "../x"], 2, "is not a ticker", id="a path for a ticker"),
    ],
)
def test_what_cannot_be_done_is_one_line(
    capsys: Capture, arguments: list[str], code: int, complaint: str
) -> None:
    found, line = rejection(capsys, *arguments)
    assert (found, complaint in line) == (code, True), line


def test_a_damaged_file_is_one_error_and_costs_nothing_else(tmp_path: Path, capsys: Capture) -> None:
    filled_store(tmp_path)
    path = EarningsStore(tmp_path).path
    path.write_bytes(b"rubbish")
    code, line = rejection(capsys, "data", "earnings")
    assert code == 65
    assert "earnings.parquet is damaged" in line
    assert run(["data", "status"]) == 0
    capsys.readouterr()
    (note,) = fetch_json(capsys, "--earnings", "dates.csv")["earnings"]["notes"]
    assert note.endswith("it was replaced by what was fetched")
    assert len(earnings_json(capsys)) == 7


def test_a_name_with_terminal_escapes_is_shown_escaped(capsys: Capture) -> None:
    Path("\x1b[31mdates.csv").write_text(DATES)
    assert run(["fetch", "--earnings", "\x1b[31mdates.csv"]) == 0
    assert run(["data", "earnings", "AAA"]) == 0
    assert "\x1b" not in capsys.readouterr().out


def test_the_samples_dates_come_with_its_prices(tmp_path: Path, capsys: Capture) -> None:
    found = fetch_json(capsys, "--source", "sample")["earnings"]
    assert (found["source"], found["tickers"], found["added"]) == ("sample", 19, 1560)
    before = EarningsStore(tmp_path).path.stat().st_mtime_ns
    found = fetch_json(capsys, "RRC", "KO", "^GSPC", "--source", "sample")["earnings"]
    assert (found["tickers"], found["added"], found["without"]) == (1, 0, ["RRC"])
    assert EarningsStore(tmp_path).path.stat().st_mtime_ns == before
    assert fetch_json(capsys, "--earnings", "sample")["source"] is None
    assert earnings_json(capsys, "KO")[-1] == "KO 2022-10-25 before reported sample None None"


def test_a_file_of_ones_own_goes_before_the_sample(capsys: Capture) -> None:
    run(["fetch", "--earnings", "sample", "--quiet"])
    Path("dates.csv").write_text("ticker,date,when\nKO,2022-10-26,after\n")
    run(["fetch", "--earnings", "dates.csv", "--quiet"])
    assert earnings_json(capsys, "KO")[-1] == "KO 2022-10-26 after reported dates.csv None None"
