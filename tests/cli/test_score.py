"""`forecast predict --record` and `forecast score`, from the flags to the exit code."""

import json
from pathlib import Path

import numpy as np
import pytest
from command import rejection
from dated_home import store_dates
from factories import filled_store, random_walk_table
from ledger_factory import normal, prediction, record_daily, record_now, together
from network_factory import card_of, random_network
from trained_home import recent_table

from forecaster.cli.main import run
from forecaster.errors import ExitCode
from forecaster.ledger.ledger import Ledger
from forecaster.prices.calendar import next_sessions
from forecaster.registry.versions import ModelRegistry


def lived(home: Path, scale: float, days: int = 60) -> Path:
    """So many days of forecasts that was realised, of volatility 0.02; main is in the registry."""
    network = random_network()
    ModelRegistry(home).register("main", network, card_of(network), b"keras")
    table = recent_table("AAA", days + 1)
    filled_store(home, table)
    record_daily(home, table.dates[:-1], scale)
    return home


def test_record_then_score(own_home: Path, capsys: pytest.CaptureFixture[str]) -> None:
    arguments = ["predict", "AAA", "OLD", "--record", "--json", "--home", str(own_home)]
    assert run(arguments) == ExitCode.DONE
    captured = capsys.readouterr()
    # Of OLD's three days, all are over by the tests' own day.
    assert json.loads(captured.out)["recorded"] == {"new": 3, "known": 0, "over": 3}
    assert "3 are left out, as their target date has closed" in captured.err
    run(arguments)
    assert json.loads(capsys.readouterr().out)["recorded"]["known"] == 3
    row = Ledger(own_home).select("SELECT model, version, ticker, origin FROM forecasts WHERE step = 1")
    assert row == [("main", 1, "AAA", "2026-11-20")]
    chosen = ModelRegistry(own_home).card("main", 1)["reference"]
    assert Ledger(own_home).select("SELECT DISTINCT reference FROM forecasts") == [(chosen,)]
    assert run(["score", "--home", str(own_home)]) == ExitCode.DONE
    assert capsys.readouterr().out == "Newly scored: 0; over, but still open: 0.\n"


def test_without_record_there_is_no_ledger(own_home: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["predict", "AAA", "--quiet", "--home", str(own_home)]) == ExitCode.DONE
    code, line = rejection(capsys, "score", "--home", own_home)
    assert code == ExitCode.NOT_FOUND
    assert "forecast predict TICKER --record" in line


def test_scores_fit_a_terminal(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["score", "--home", str(lived(tmp_path, 0.02))]) == ExitCode.DONE
    captured = capsys.readouterr()
    assert captured.err == ""
    assert max(map(len, captured.out.splitlines())) <= 80
    why = "Days of reports: no earnings dates are stored; `forecast fetch --earnings yahoo` brings them."
    assert why in " ".join(captured.out.split())
    for text in ("Newly scored: 60", "By model", "By month", "2026-10", "By ticker", "AAA", "+0.0%"):
        assert text in captured.out


def test_json_holds_every_group(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["score", "--json", "--home", str(lived(tmp_path, 0.02))]) == ExitCode.DONE
    document = json.loads(capsys.readouterr().out)
    assert document["schema"] == "forecast.score/1"
    assert (document["scored"], document["still_open"], document["alarms"]) == (60, 0, [])
    assert (document["reactions"], document["reactions_left_out"]) == ([], 60)
    assert document["reactions_missing"].startswith(
        "no earnings dates are stored; `forecast fetch --earnings"
    )
    (whole,) = document["models"]
    assert (whole["model"], whole["step"], whole["forecasts"], whole["skill"]) == ("main", 1, 60, 0.0)
    assert [row["ticker"] for row in document["tickers"]] == ["AAA"]
    assert sum(row["forecasts"] for row in document["months"]) == 60


@pytest.mark.parametrize("flags", [[], ["--quiet"], ["--json"]], ids=["plain", "quiet", "json"])
def test_an_alarm_is_exit_code_1_and_a_line(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], flags: list[str]
) -> None:
    assert run(["score", *flags, "--home", str(lived(tmp_path, 0.002))]) == ExitCode.FAILED
    captured = capsys.readouterr()
    first, second = captured.err.splitlines()
    assert first.startswith("alarm: main: the 90 % interval covered ")
    assert second.startswith("alarm: main: the CRPS is worse than that of riskmetrics-t, skill -")
    events = [json.loads(line) for line in (tmp_path / "logs" / "events.jsonl").read_text().splitlines()]
    assert [(event["event"], event["kind"]) for event in events] == [
        ("alarm", "coverage"),
        ("alarm", "skill"),
    ]
    if flags == ["--quiet"]:
        assert captured.out == ""
    if flags == ["--json"]:
        kinds = [alarm["kind"] for alarm in json.loads(captured.out)["alarms"]]
        assert kinds == ["coverage", "skill"]


def test_what_is_missing_is_said(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    home = lived(tmp_path, 0.02)
    for number in range(7):
        gone = prediction(f"GONE{number}", np.datetime64("2026-11-16"), normal(0.01), normal(0.02))
        record_now(home, gone)
    assert run(["score", "--home", str(home)]) == ExitCode.DONE
    out = capsys.readouterr().out
    assert "over, but still open: 7. GONE0: there are no prices of GONE0" in out
    assert "and 2 more tickers" in out


def test_of_many_months_the_last_year_is_shown(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    home = lived(tmp_path, 0.02, days=400)
    run(["score", "--home", str(home)])
    out = capsys.readouterr().out
    assert "2025-11" not in out.split("By month")[1]
    assert all(month in out for month in ("2025-12", "2026-11", "8 earlier months: --all."))
    run(["score", "--all", "--home", str(home)])
    assert "2025-04" in capsys.readouterr().out


def test_of_many_tickers_the_worst_are_shown(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    tables = [random_walk_table(f"T{number:02d}", 3, number) for number in range(12)]
    filled_store(tmp_path, *tables)
    origin = tables[0].dates[0]
    for number, table in enumerate(tables):
        scale = 0.5 if number == 7 else 0.02
        record_now(tmp_path, prediction(table.ticker, origin, normal(scale), normal(0.02)))
    assert next_sessions(origin, 1)[0] == tables[0].dates[1]
    run(["score", "--home", str(tmp_path)])
    out = capsys.readouterr().out
    assert "the 10 of 12 with the least skill" in out
    assert "T07" in out
    run(["score", "--all", "--home", str(tmp_path)])
    out = capsys.readouterr().out
    assert all(f"T{number:02d}" in out for number in range(12))


def reported(home: Path) -> Path:
    """Two steps from 60 origins of AAA, which reported on one day; nothing is known of BBB's reports."""
    tables = [recent_table("AAA", 62), recent_table("BBB", 62, seed=1)]
    filled_store(home, *tables)
    made = [
        prediction(table.ticker, origin, normal([0.02, 0.03]), normal([0.02, 0.03]))
        for table in tables
        for origin in table.dates[:-2]
    ]
    record_now(home, together(made))
    store_dates(home, f"AAA {tables[0].dates[0]} before", f"AAA {tables[0].dates[30]} before")
    return home


def test_days_of_reports_are_shown_apart(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["score", "--home", str(reported(tmp_path))]) == ExitCode.DONE
    out = capsys.readouterr().out
    assert max(map(len, out.splitlines())) <= 80
    part = out.split("By whether there is a report to react to up to the target date")[1].split("By month")[0]
    rows = [line.split()[:4] for line in part.splitlines() if line.startswith("main")]
    assert rows == [
        ["main", "1", "no", "report"],
        ["main", "1", "report", "1"],
        ["main", "2", "no", "report"],
        ["main", "2", "report", "2"],
    ]
    assert "Left out, as no earnings dates of the ticker tell of those days: 120 forecasts." in part


def test_days_of_reports_in_json(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["score", "--json", "--home", str(reported(tmp_path))]) == ExitCode.DONE
    document = json.loads(capsys.readouterr().out)
    found = [(row["step"], row["reaction"], row["forecasts"]) for row in document["reactions"]]
    assert found == [(1, "no report", 59), (1, "report", 1), (2, "no report", 58), (2, "report", 2)]
    assert (document["reactions_left_out"], document["reactions_missing"]) == (120, None)


def test_every_step_of_the_days_of_reports(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    table = recent_table("AAA", 20)
    filled_store(tmp_path, table)
    steps = normal([0.02] * 5)
    record_now(tmp_path, together([prediction("AAA", origin, steps, steps) for origin in table.dates[:-5]]))
    store_dates(tmp_path, f"AAA {table.dates[0]} before", f"AAA {table.dates[10]} before")
    for flags, shown in (([], ["1", "5"]), (["--all"], ["1", "2", "3", "4", "5"])):
        run(["score", *flags, "--home", str(tmp_path)])
        part = capsys.readouterr().out.split("a report to react to")[1].split("By month")[0]
        assert [line.split()[1] for line in part.splitlines() if "no report" in line] == shown


def test_coverage_and_gain_by_month_are_the_means_of_their_days(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    home = lived(tmp_path, 1.0)
    run(["score", "--json", "--home", str(home)])
    found = json.loads(capsys.readouterr().out)
    ledger = Ledger(home)
    for name, figure in (
        ("coverage_by_month", "AVG(day_covered)"),
        ("gain_by_month", "1 - SUM(day_crps) / SUM(day_reference)"),
    ):
        rows = ledger.select(
            f"SELECT substr(origin, 1, 7), {figure} FROM (SELECT origin, AVG(covered) day_covered, "  # noqa: S608
            "AVG(crps) day_crps, AVG(reference_crps) day_reference FROM forecasts "
            "WHERE step = 1 AND log_return IS NOT NULL GROUP BY origin) GROUP BY 1 ORDER BY 1"
        )
        assert [row["month"] for row in found[name]] == [month for month, _ in rows]
        assert [row["value"] for row in found[name]] == pytest.approx([value for _, value in rows])
        assert all(row["low"] is None or row["low"] <= row["value"] <= row["high"] for row in found[name])
        assert any(row["low"] is not None for row in found[name])


def test_what_was_recorded_is_drawn_and_reported(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    home = lived(tmp_path, 1.0)
    target = tmp_path / "live.svg"
    run(["score", "--save", str(target), "--home", str(home)])
    assert "Coverage of recorded forecasts by month" in target.read_text()
    assert "Gain of recorded forecasts" in target.read_text()
    capsys.readouterr()
    assert run(["report", "--home", str(home)]) == ExitCode.DONE
    page = (home / "reports" / "report.html").read_text()
    assert "Recorded forecasts that have been scored" in page
    assert "a drift shows here" in page


def test_an_alarm_is_in_the_report(tmp_path: Path) -> None:
    home = lived(tmp_path, 0.002)
    assert run(["score", "--quiet", "--home", str(home)]) == ExitCode.FAILED
    assert run(["report", "--quiet", "--home", str(home)]) == ExitCode.DONE
    assert "the 90 % interval covered" in (home / "reports" / "report.html").read_text()


def test_without_a_scored_forecast_there_is_no_picture(
    own_home: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run(["predict", "AAA", "--record", "--quiet", "--home", str(own_home)]) == ExitCode.DONE
    capsys.readouterr()
    assert run(["score", "--save", str(tmp_path / "x.svg"), "--home", str(own_home)]) == ExitCode.DONE
    assert "There is no picture" in capsys.readouterr().err
    assert not (tmp_path / "x.svg").exists()
