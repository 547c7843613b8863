"""`forecast compare`, from the flags to the exit code."""

import json
import os
import re
import signal
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any

import pandas as pd
import pytest
from command import QUICK_AND_KERAS, ended, rejection, started
from json_documents import assert_described
from quick_training import train_quickly

from forecaster.cli.main import run
from forecaster.errors import ExitCode
from forecaster.evaluation import comparison
from forecaster.evaluation.experiment import run_experiment

SMALL = ("--lookback", "12", "--horizon", "2", "--units", "4", "--epochs", "1", "--device", "cpu")
STOCKS = ("AAA", "BBB", "CCC")
MODEL_KEYS = {
    "model",
    "kind",
    "parameters",
    "train_seconds",
    "targets_per_second",
    "peak_memory_mb",
    "scores",
}
SCORE_KEYS = {
    *("crps", "coverage_90", "mae", "rmse", "mape", "mase", "directional_accuracy", "skill", "p_value"),
}

BASELINE_NAMES = ("naive", "drift", "riskmetrics-t", "linear-t")


@pytest.fixture
def in_this_process(monkeypatch: pytest.MonkeyPatch) -> None:
    """Do not start TensorFlow anew for every cell."""

    def here(work: Callable[..., Any], task: Any, report: Callable[[Any], None]) -> Any:
        return work(task, report)

    monkeypatch.setattr("forecaster.processes.run_isolated", here)
    alone = "forecaster.evaluation.comparison.run_alone"
    monkeypatch.setattr(alone, run_experiment)


@pytest.mark.usefixtures("in_this_process")
def test_a_damaged_file_of_earnings_dates_costs_the_dates_alone(
    own_home: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    train_quickly(monkeypatch)
    (own_home / "data" / "earnings.parquet").write_bytes(b"PAR1 and nothing more")
    arguments = ["compare", *STOCKS, *SMALL, "--cells", "rnn", "--quiet", "--json", "--home", str(own_home)]
    assert run(arguments) == ExitCode.DONE
    (line,) = (line for line in capsys.readouterr().err.splitlines() if "earnings" in line)
    assert line.startswith("warning: earnings dates are left out: ")


@pytest.mark.usefixtures("in_this_process")
def test_the_table_fits_and_ends_in_a_verdict(
    trained_home: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    train_quickly(monkeypatch)
    arguments = [
        "compare",
        *STOCKS,
        *SMALL,
        "--cells",
        "RNN, gru",
        "--seeds",
        "2",
        "--home",
        str(trained_home),
    ]
    assert run(arguments) == ExitCode.DONE
    captured = capsys.readouterr()
    out = captured.out
    for text in ("3 tickers", "SimpleRNN", "GRU", "naive", "drift", "RiskMetrics-t", "2 days ahead", "±"):
        assert text in out
    assert "LSTM" not in out
    assert "Verdict\n" in out
    words = " ".join(out.split())
    assert "Tests: Diebold–Mariano on daily means" in words
    assert re.search(r"1 ahead: \d+ days, \d+ cosines", words)
    assert "Actuals by tenth of" in words
    assert "Over 1 and 2 days ahead taken together" in words
    assert "The intervals count other days and other seeds." in words
    groups = out[out.index("one day ahead, by kind of day") : out.index("Verdict\n")]
    assert len(groups.strip().splitlines()) <= 8
    assert " at equal units," in " ".join(out.split())
    assert max(map(len, out.splitlines())) <= 80
    assert "gru 2/2: epoch 1/1" in captured.err


@pytest.mark.usefixtures("in_this_process")
def test_a_cell_that_reads_weeks_stands_beside_the_others_at_equal_parameters(
    own_home: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    train_quickly(monkeypatch)
    flags = ["--cells", "gru,convlstm", "--match", "parameters", "--home", str(own_home)]
    sizes = ["--units", "16", "--lookback", "10"]
    assert run(["compare", *STOCKS, *SMALL, *sizes, *flags, "--json"]) == ExitCode.DONE
    captured = capsys.readouterr()
    assert "A ConvLSTM1D reads whole weeks" in captured.err
    document = json.loads(captured.out)
    assert_described(document)
    gru, weekly = (row for row in document["models"] if row["kind"] == "cell")
    assert weekly["model"] == "convlstm"
    assert weekly["parameters"] == pytest.approx(gru["parameters"], rel=0.15)
    assert weekly["scores"]["1"]["crps"] > 0


def test_windows_that_are_no_weeks_are_rejected_before_anything_is_trained(
    trained_home: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """A cell that reads weeks is compared only where it is asked for, and then on whole weeks."""
    flags = ("--cells", "gru,convlstm", "--home", trained_home)
    code, line = rejection(capsys, "compare", *STOCKS, *SMALL, *flags, "--quiet")
    assert code == ExitCode.USAGE
    assert "a lookback of 12 is no multiple of 5; choose --lookback 10 or 15, or another cell" in line


@pytest.mark.usefixtures("in_this_process")
def test_further_baselines_stand_in_the_table_and_say_where_they_could_not_be_fitted(
    trained_home: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    train_quickly(monkeypatch)
    monkeypatch.setattr("forecaster.evaluation.historical.LEAST_MOVES", 10)
    flags = ("--cells", "gru", "--baselines", "Historical, garch-t", "--home", str(trained_home))
    assert run(["compare", *STOCKS, *SMALL, *flags]) == ExitCode.DONE
    captured = capsys.readouterr()
    assert "GARCH-t: not fitted to 3 tickers, AAA, BBB, CCC: RiskMetrics-t instead." in captured.out
    assert "historical: not fitted" not in captured.out
    assert "garch-t: fitted\nhistorical: fitted\n" in captured.err
    assert max(map(len, captured.out.splitlines())) <= 80
    assert run(["compare", *STOCKS, *SMALL, *flags, "--json", "--quiet"]) == ExitCode.DONE
    document = json.loads(capsys.readouterr().out)
    assert_described(document)
    rows = {row["model"]: row for row in document["models"]}
    assert list(rows) == ["gru", *BASELINE_NAMES, "garch-t", "historical"]
    assert rows["garch-t"]["substituted"] == list(STOCKS)
    assert rows["historical"]["substituted"] == rows["gru"]["substituted"] == []
    assert rows["historical"]["scores"]["1"]["log_score"] is None


def assert_named(tests: Iterable[dict[str, Any]]) -> None:
    """Each p-value has its test's name and its days beside it."""
    for test in tests:
        assert test.keys() >= {"name", "days", "p_value"}
        assert test["name"]
        assert test["days"] > 0


@pytest.mark.usefixtures("in_this_process")
def test_several_seeds_are_trained_at_once_and_one_by_itself(
    trained_home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    train_quickly(monkeypatch)
    asked: list[int | None] = []
    compare_cells = comparison.compare_cells

    def watched(*arguments: Any) -> comparison.Comparison:
        asked.append(arguments[-1])
        return compare_cells(*arguments)

    monkeypatch.setattr(comparison, "compare_cells", watched)
    monkeypatch.setattr("forecaster.processes.most_jobs", lambda: 3)
    arguments = ["compare", *STOCKS, *SMALL, "--cells", "gru", "--quiet", "--home", str(trained_home)]
    for flags in ([], ["--seeds", "2"], ["--seeds", "2", "--jobs", "1"]):
        assert run([*arguments, *flags]) == ExitCode.DONE
    assert asked == [None, 3, 1]


@pytest.mark.usefixtures("in_this_process")
def test_json_holds_what_is_promised(
    trained_home: Path,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    train_quickly(monkeypatch)
    output = tmp_path / "forecasts.csv"
    flags = ("--match", "parameters", "--seeds", "2", "--json", "--quiet", "--output", str(output))
    cells = ("--cells", "rnn,gru")
    code = run(["compare", *STOCKS, *SMALL, *cells, *flags, "--home", str(trained_home)])
    assert code == ExitCode.DONE
    captured = capsys.readouterr()
    assert captured.err == ""
    document = json.loads(captured.out)
    assert document["schema"] == "forecast.compare/1"
    assert_described(document)
    assert [row["model"] for row in document["models"]] == [
        "rnn",
        "gru",
        "naive",
        "drift",
        "riskmetrics-t",
        "linear-t",
    ]
    assert [row["kind"] for row in document["models"]] == ["cell"] * 2 + ["baseline"] * 4
    for row in document["models"]:
        assert row.keys() >= MODEL_KEYS
        assert list(row["scores"]) == ["1", "2"]
        assert all(scores.keys() >= SCORE_KEYS for scores in row["scores"].values())
    for row in document["models"][:2]:
        assert row["parameters"] == row["keras_parameters"]
        assert row["deviations"]["1"]["crps"] > 0
        assert row["recipe"]["cell"] == row["model"]
        assert len(row["epochs"]) == 2
    rnn, gru = (row["parameters"] for row in document["models"][:2])
    assert abs(rnn - gru) < 0.1 * gru
    assert document["verdict"].keys() >= {"text", "beats_naive", "best"}
    assert " at about equal parameters," in document["verdict"]["text"]
    assert document["verdict"].keys() >= {"adjusted", "tests", "joint"}
    assert document["verdict"]["adjusted"]["tried"] == 4
    assert set(document["verdict"]["joint"]) == {"naive", "riskmetrics-t", "linear-t"}
    assert_named(document["verdict"]["tests"])
    assert_named(document["verdict"]["joint"][name]["average"] for name in document["verdict"]["joint"])
    for row in document["models"]:
        for tests in row["tests"].values():
            assert_named(tests[name] for name in ("range", "price", "direction", "calibration"))
            assert len(tests["pit_counts"]) == 10
            assert tests["directional_accuracy"].keys() == {"value", "low", "high", "method"}
    assert set(document["by"]) == {"year", "regime", "ticker", "reaction"}
    assert document["by"]["reaction"] == []
    assert {row["ticker"] for row in document["by"]["ticker"]} == set(STOCKS)
    assert {row["model"] for row in document["by"]["regime"]} == {row["model"] for row in document["models"]}
    assert (document["match"], document["seeds"], document["tickers"]) == ("parameters", 2, list(STOCKS))
    assert set(pd.read_csv(output)["model"]) == {
        *("rnn-seed0", "rnn-seed1", "gru-seed0", "gru-seed1", *BASELINE_NAMES),
    }


@pytest.mark.parametrize("quick", QUICK_AND_KERAS)
def test_each_cell_has_a_process_of_its_own(trained_home: Path, quick: bool) -> None:
    arguments = ["compare", *STOCKS, *SMALL, "--cells", "rnn", "--json", "--home", trained_home]
    process = started(arguments, quick=quick)
    out, err = process.communicate(timeout=120)
    assert process.returncode == ExitCode.DONE, err
    assert "rnn: epoch 1/1" in err
    assert "Traceback" not in err
    row = json.loads(out)["models"][0]
    assert row["peak_memory_mb"] > (30 if quick else 200)
    assert row["targets_per_second"] > 0


@pytest.mark.parametrize("quick", QUICK_AND_KERAS)
def test_an_interruption_ends_the_workers_too(trained_home: Path, quick: bool) -> None:
    process = started(["compare", *STOCKS, *SMALL, "--epochs", "100000", "--home", trained_home], quick=quick)
    assert process.stderr is not None
    assert "One seed" in process.stderr.readline()
    assert "rnn: epoch 1/100000" in process.stderr.readline()
    os.killpg(process.pid, signal.SIGINT)
    _, err = process.communicate(timeout=60)
    assert process.returncode == ExitCode.INTERRUPTED
    assert err.splitlines()[-1].startswith("forecast: interrupted")
    assert "Traceback" not in err
    assert ended(process.pid)


@pytest.mark.parametrize(
    ("arguments", "code", "words"),
    [
        pytest.param(["--cells", "rnn,mlp"], ExitCode.USAGE, "choose from rnn, lstm, gru", id="unknown-cell"),
        pytest.param(["--baselines", "arima"], ExitCode.USAGE, "no baseline 'arima'", id="unknown-baseline"),
        pytest.param(["--baselines", ""], ExitCode.USAGE, "choose from garch-t", id="no-baseline"),
        pytest.param(["--cells", ","], ExitCode.USAGE, "names no known cell", id="no-cell"),
        pytest.param(
            ["--match", "weights"], ExitCode.USAGE, "choose units or parameters", id="unknown-match"
        ),
        pytest.param(["--seeds", "0"], ExitCode.USAGE, "--seeds", id="no-seed"),
        pytest.param(["--lookback", "0"], ExitCode.USAGE, "--lookback 0", id="no-lookback"),
        pytest.param(
            ["--cells", "gru,convlstm", "--lookback", "12"], ExitCode.USAGE, "no multiple of 5", id="no-weeks"
        ),
        pytest.param(
            ["--output", "all.xlsx"], ExitCode.USAGE, "neither .parquet nor .csv", id="output-ending"
        ),
        pytest.param(["--train-end", "1980-01-01"], ExitCode.USAGE, "outside the prices", id="train-end"),
        pytest.param(["ZZZ"], ExitCode.NOT_FOUND, "ZZZ", id="unknown-ticker"),
        pytest.param(
            ["SHORT", "--horizon", "2"], ExitCode.BAD_INPUT, "days to forecast from", id="too-little"
        ),
    ],
)
def test_rejections_are_one_line(
    trained_home: Path, capsys: pytest.CaptureFixture[str], arguments: list[str], code: ExitCode, words: str
) -> None:
    tickers = [] if not arguments[0].startswith("--") else list(STOCKS)
    found, line = rejection(capsys, "compare", *tickers, *arguments, "--home", trained_home)
    assert found == code
    assert words in line


@pytest.mark.trial
def test_a_worker_s_rejection_is_the_command_s(
    trained_home: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    code, line = rejection(capsys, "compare", *STOCKS, "--lookback", "290", "--quiet", "--home", trained_home)
    assert code == ExitCode.BAD_INPUT
    assert "fetch at least" in line
