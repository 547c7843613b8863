"""The report of a home folder: what it shows, what it says of what is missing, and what it rejects."""

import json
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from page_reader import Reader, read

from forecaster.cli.main import run
from forecaster.errors import ExitCode
from forecaster.home import Home
from forecaster.network.recurrent import RecurrentNetwork, ensemble_of
from forecaster.registry.versions import ModelRegistry


def report(home: Path, *arguments: str) -> Reader:
    assert run(["report", *arguments, "--quiet", "--home", str(home)]) == ExitCode.DONE
    return read((home / "reports" / "report.html").read_text())


def data_of(page: Reader) -> dict[str, Any]:
    return json.loads(page.inside["script"][0])


def test_everything_kept_is_shown(home_with_results: Path, tmp_path: Path) -> None:
    path = Home(home_with_results).report(output=tmp_path)
    assert path == tmp_path / "report.html"
    page = read(path.read_text())
    assert page.loads == []
    for text in (
        "Verdict",
        "strongest simple forecast",
        "recurrence adds",
        "Scores one session ahead",
        "among the best",
        "GRU one session ahead by year",
        "Where this comes from",
        "forecaster.Home.backtest",
        "main@1",
    ):
        assert text in page.text
    assert len(data_of(page)["specs"]) > 10


def test_missing_parts_name_the_command_that_fills_them(own_home: Path) -> None:
    page = report(own_home)
    for command in (
        "forecast compare",
        "forecast backtest",
        "forecast audit",
        "forecast lab gates AAA",
        "forecast lab inputs AAA",
        "forecast lab memory",
        "forecast lab claims",
        "forecast predict --record",
    ):
        assert command in page.text


def test_a_replay_does_not_know_later_results(
    home_with_results: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("FORECAST_NOW", "2026-11-20T22:30")
    page = read(Home(home_with_results).report(output=tmp_path).read_text())
    assert "No comparison is kept" in page.text


def test_without_a_model_it_says_how_to_train_one(own_home: Path) -> None:
    import shutil

    shutil.rmtree(own_home / "models")
    assert "forecast train" in report(own_home).text


def test_an_ensemble_is_told_from_one_network(own_home: Path) -> None:
    assert "2 × " not in report(own_home).text
    registry = ModelRegistry(own_home)
    network, card = registry.load("main").network, registry.card("main", 1)
    assert isinstance(network, RecurrentNetwork)
    card["recipe"]["ensemble"] = 2
    registry.register("main", ensemble_of([network, network]), card, b"keras")
    assert f"2 × {network.cell}" in report(own_home).text


def test_only_the_tickers_that_were_named(own_home: Path) -> None:
    page = report(own_home, "bbb", "AAA", "bbb")
    assert [len(choice["columns"]) for choice in data_of(page)["choices"]] == [2]
    assert "CCC" not in page.text


def test_a_ticker_that_cannot_be_predicted_costs_itself_alone(
    own_home: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run(["report", "AAA", "SHORT", "ZZZ", "--quiet", "--home", str(own_home)]) == ExitCode.NOT_FOUND
    lines = capsys.readouterr().err.splitlines()
    assert [line.split(":")[0] for line in lines] == ["failed", "failed", "forecast"]
    page = read((own_home / "reports" / "report.html").read_text())
    assert [len(choice["columns"]) for choice in data_of(page)["choices"]] == [1]
    for text in ("Not predicted", "SHORT", "ZZZ"):
        assert text in page.text
    report(own_home)  # of all that are stored it says so in the page alone


def test_what_is_written_is_told(own_home: Path, capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    target = tmp_path / "deep" / "mine.html"
    arguments = ["report", "AAA", "SHORT", "--output", str(target), "--json", "--home", str(own_home)]
    assert run(arguments) == ExitCode.BAD_INPUT
    found = json.loads(capsys.readouterr().out)
    assert found["schema"] == "forecast.report/1"
    assert (found["output"], found["bytes"]) == (str(target), target.stat().st_size)
    assert found["tickers"] == ["AAA"]
    assert list(found["failures"]) == ["SHORT"]


@pytest.mark.parametrize(
    ("arguments", "code", "words"),
    [
        pytest.param(["ZZZ"], ExitCode.NOT_FOUND, "ZZZ", id="ticker"),
        pytest.param(["--model", "none"], ExitCode.NOT_FOUND, "none", id="model"),
        pytest.param(["--output", "x.pdf"], ExitCode.USAGE, ".html", id="output"),
        pytest.param(["<script>"], ExitCode.USAGE, "<script>", id="no ticker"),
    ],
)
def test_wrong_input_is_one_line(
    own_home: Path, capsys: pytest.CaptureFixture[str], arguments: list[str], code: ExitCode, words: str
) -> None:
    assert run(["report", *arguments, "--home", str(own_home)]) == code
    err = capsys.readouterr().err
    assert err.count("\n") == 1
    assert words in err
    assert not (own_home / "reports").exists()


def test_an_empty_store_says_what_to_do(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["report", "--home", str(tmp_path)]) == ExitCode.NOT_FOUND
    assert "forecast fetch" in capsys.readouterr().err


def test_a_folder_that_cannot_be_written_is_a_disk_error(own_home: Path) -> None:
    (own_home / "reports").write_text("in the way")
    assert run(["report", "--home", str(own_home)]) == ExitCode.DISK


def test_a_report_of_500_tickers_stays_small(home_with_results: Path) -> None:
    """The limits: 5 MB for 20 tickers and 12 MB for 500, each with half a year of closes and forecasts."""
    from forecaster.report.collect import collect
    from forecaster.report.sections import report_page

    data = collect(home_with_results, ["AAA"], None, datetime(2026, 11, 21, 22, 30, tzinfo=UTC))
    (prediction,), (fan,) = data.predictions, data.fans
    for count, most in ((20, 5_000_000), (500, 12_000_000)):
        many = [replace(prediction, ticker=f"T{number}") for number in range(count)]
        page = report_page(replace(data, predictions=many, fans=[fan] * count))
        assert len(page.encode()) < most
        assert page.count("<option") == count
