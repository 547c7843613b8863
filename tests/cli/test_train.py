"""`forecast train`, from the flags to the exit code; what fails leaves nothing behind."""

import json
import os
import shutil
import signal
import subprocess
from pathlib import Path

import pytest
from command import QUICK_AND_KERAS, one_line, rejection, started
from quick_training import train_quickly

from forecaster.cli.main import run
from forecaster.errors import ExitCode
from forecaster.registry.versions import ModelRegistry

SMALL = ("--lookback", "12", "--horizon", "2", "--units", "4", "--epochs", "1", "--device", "cpu")
STOCKS = ("AAA", "BBB", "CCC")


@pytest.fixture
def prices(trained_home: Path, tmp_path: Path) -> Path:
    """A home with prices only."""
    shutil.copytree(trained_home / "data", tmp_path / "fresh" / "data")
    return tmp_path / "fresh"


def left(home: Path) -> list[str]:
    """All that stands under models/, hidden files too."""
    return sorted(path.relative_to(home / "models").as_posix() for path in (home / "models").rglob("*"))


def test_a_network_is_trained_tested_and_put_into_service(
    own_home: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run(["train", *STOCKS, *SMALL, "--cell", "lstm", "--home", str(own_home)]) == ExitCode.DONE
    captured = capsys.readouterr()
    for text in ("LSTM 4", "naive", "RiskMetrics-t", "CRPS", "Registered as main@2"):
        assert text in captured.out
    assert max(map(len, captured.out.splitlines())) <= 80
    assert "lstm: epoch 1/1  loss " in captured.err
    assert ModelRegistry(own_home).champion("main") == 2
    assert run(["predict", "AAA", "--home", str(own_home)]) == ExitCode.DONE
    assert "main@2" in capsys.readouterr().out


def test_a_cell_that_reads_weeks_is_trained_and_put_into_service(
    prices: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    train_quickly(monkeypatch)
    weekly = ("--cell", "convlstm", "--lookback", "15", "--home", str(prices))
    assert run(["train", *STOCKS, *SMALL, *weekly]) == ExitCode.DONE
    captured = capsys.readouterr()
    assert "ConvLSTM1D 4" in captured.out
    note = "A ConvLSTM1D reads whole weeks: with it only the last day of each window is supervised."
    assert note in " ".join(captured.err.split())
    card = ModelRegistry(prices).card("main", 1)
    assert (card["recipe"]["cell"], card["recipe"]["lookback"]) == ("convlstm", 15)
    assert run(["predict", "AAA", "--home", str(prices)]) == ExitCode.DONE
    assert "main@1" in capsys.readouterr().out


def test_an_ensemble_is_trained_shown_explained_and_put_into_service(
    prices: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    train_quickly(monkeypatch)
    home = ("--home", str(prices))
    assert run(["train", *STOCKS, *SMALL, "--ensemble", "3", *home]) == ExitCode.DONE
    assert "3 × GRU 4" in capsys.readouterr().out
    assert ModelRegistry(prices).card("main", 1)["recipe"]["ensemble"] == 3
    assert run(["models", "verify", *home]) == ExitCode.DONE
    for command in (["predict", "AAA"], ["lab", "inputs", "AAA"]):
        assert run([*command, *home]) == ExitCode.DONE
        assert "main@1" in capsys.readouterr().out
    for command in (["models", "list"], ["models", "show", "main"]):
        assert run([*command, *home]) == ExitCode.DONE
        assert "3 × gru" in capsys.readouterr().out
    assert rejection(capsys, "lab", "gates", "AAA", *home) == (
        ExitCode.USAGE,
        "forecast: main@1 is an ensemble of 3 networks, and here one is looked at; choose another --model",
    )


def test_json_is_the_card(
    prices: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    train_quickly(monkeypatch)
    arguments = ["train", "AAA", *SMALL, "--name", "one", "--json", "--quiet", "--home", str(prices)]
    assert run(arguments) == ExitCode.DONE
    captured = capsys.readouterr()
    assert captured.err == ""
    document = json.loads(captured.out)
    assert (document["schema"], document["name"], document["version"]) == ("forecast.train/2", "one", 1)
    assert (document["tickers"], document["created"]) == (["AAA"], "2026-11-21T22:30:00+00:00")
    assert document["recipe"]["lookback"] == 12
    card = ModelRegistry(prices).card("one", 1)
    assert {name: document[name] for name in ("features", "scores", "split")} == {
        name: card[name] for name in ("features", "scores", "split")
    }


def test_settings_come_from_the_file_and_flags_win(
    prices: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    train_quickly(monkeypatch)
    (prices / "forecast.toml").write_text('[train]\ncell = "rnn"\nlookback = 12\nunits = 3\nepochs = 1\n')
    assert (
        run(["train", *STOCKS, "--units", "5", "--json", "--quiet", "--home", str(prices)]) == ExitCode.DONE
    )
    recipe = json.loads(capsys.readouterr().out)["recipe"]
    assert (recipe["cell"], recipe["lookback"], recipe["units"]) == ("rnn", 12, 5)


@pytest.mark.parametrize(
    ("arguments", "code", "words"),
    [
        pytest.param(["--lookback", "0"], ExitCode.USAGE, "--lookback 0 is out of range", id="no-lookback"),
        pytest.param(["--cell", "mlp"], ExitCode.USAGE, "choose from rnn, lstm, gru", id="unknown-cell"),
        pytest.param(["--name", "../../x"], ExitCode.USAGE, "is not a model's name", id="a-path-for-a-name"),
        pytest.param(["--train-end", "soon"], ExitCode.USAGE, "--train-end soon is not a date", id="no-date"),
        pytest.param(
            ["--train-end", "2026-06-01", "--validation-end", "2026-01-05"],
            ExitCode.USAGE,
            "is not before --validation-end",
            id="wrong-order",
        ),
        pytest.param(["ZZZ"], ExitCode.NOT_FOUND, "ZZZ", id="unknown-ticker"),
        pytest.param(["SHORT"], ExitCode.BAD_INPUT, "days to forecast from", id="too-little-data"),
        pytest.param(
            ["--cell", "convlstm", "--lookback", "12"],
            ExitCode.USAGE,
            "reads weeks of 5 days, and a lookback of 12 is no multiple of 5; choose --lookback 10 or 15, or",
            id="no-whole-weeks",
        ),
        pytest.param(
            ["--cell", "convlstm", "--bidirectional"],
            ExitCode.USAGE,
            "reads its weeks forwards only; leave out --bidirectional, or choose another cell: rnn, lstm,",
            id="weeks-backwards",
        ),
        pytest.param(["--lookback", "290"], ExitCode.BAD_INPUT, "fetch at least", id="lookback-too-long"),
    ],
)
def test_rejections_are_one_line_and_leave_nothing(
    prices: Path, capsys: pytest.CaptureFixture[str], arguments: list[str], code: ExitCode, words: str
) -> None:
    tickers = [] if arguments[0] in ("ZZZ", "SHORT") else list(STOCKS)
    found, line = rejection(capsys, "train", *tickers, *arguments, "--home", prices)
    assert found == code
    assert words in line
    assert left(prices) == []
    assert not (prices.parent / "x").exists()


@pytest.mark.parametrize(
    ("variable", "value", "words"),
    [
        pytest.param("FORECAST_TRAIN_UNITS", "0", "FORECAST_TRAIN_UNITS=0 is out of range", id="value"),
        pytest.param("FORECAST_TRAIN_UNIST", "8", "the nearest is FORECAST_TRAIN_UNITS", id="name"),
        pytest.param(
            "FORECAST_TRAIN_TRAIN_END",
            "1980-01-01",
            "FORECAST_TRAIN_TRAIN_END=1980-01-01 is outside the prices",
            id="split-date",
        ),
    ],
)
def test_a_wrong_variable_is_rejected_by_its_name(
    prices: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    variable: str,
    value: str,
    words: str,
) -> None:
    monkeypatch.setenv(variable, value)
    code, line = rejection(capsys, "train", *STOCKS, "--home", prices)
    assert code == ExitCode.USAGE
    assert words in line


def test_an_empty_store_says_what_to_do(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    code, line = rejection(capsys, "train", "--home", tmp_path)
    assert code == ExitCode.NOT_FOUND
    assert "forecast fetch" in line


def test_broken_prices_are_named(prices: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (prices / "data" / "prices" / "BBB.parquet").write_bytes(b"PAR1 and nothing more")
    code, line = rejection(capsys, "train", *STOCKS, "--home", prices)
    assert code == ExitCode.BAD_INPUT
    assert "BBB.parquet" in line


def test_a_damaged_file_is_left_out_of_the_whole_store_and_named(
    prices: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    train_quickly(monkeypatch)
    (prices / "data" / "prices" / "BBB.parquet").write_bytes(b"PAR1 and nothing more")
    assert run(["train", *SMALL, "--quiet", "--json", "--home", str(prices)]) == ExitCode.DONE
    captured = capsys.readouterr()
    assert "left out, as their price files are damaged: BBB;" in captured.err
    card = json.loads(captured.out)
    assert (card["damaged"], "BBB" in card["tickers"]) == (["BBB"], False)


def test_a_damaged_file_of_earnings_dates_costs_the_dates_alone(
    prices: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    train_quickly(monkeypatch)
    (prices / "data" / "earnings.parquet").write_bytes(b"PAR1 and nothing more")
    assert run(["train", *STOCKS, *SMALL, "--quiet", "--json", "--home", str(prices)]) == ExitCode.DONE
    captured = capsys.readouterr()
    (line,) = captured.err.splitlines()
    assert line.startswith("warning: earnings dates are left out: ")
    assert "earnings.parquet is damaged: " in line
    assert "dates_known" not in json.loads(captured.out)["features"]


def test_a_gpu_that_is_not_there(
    prices: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("forecaster.network.engine._gpus", lambda _: [])
    code, line = rejection(capsys, "train", *STOCKS, "--device", "gpu", "--home", prices)
    assert code == ExitCode.USAGE
    assert "pip install" in line


def test_a_file_where_models_should_be(prices: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (prices / "models").write_text("not a folder")
    code, line = rejection(capsys, "train", *STOCKS, *SMALL, "--quiet", "--home", prices)
    assert code == ExitCode.DISK
    assert "models" in line
    assert (prices / "models").read_text() == "not a folder"


def test_a_full_disk_loses_nothing(own_home: Path) -> None:
    before = left(own_home)
    process = started(["train", *STOCKS, *SMALL, "--quiet", "--home", own_home], 2_000, quick=True)
    _, err = process.communicate(timeout=120)
    assert process.returncode == ExitCode.DISK, err
    one_line(err)
    assert left(own_home) == before
    assert ModelRegistry(own_home).champion("main") == 1


@pytest.mark.parametrize("quick", QUICK_AND_KERAS)
def test_an_interruption_is_one_line_and_leaves_nothing(own_home: Path, quick: bool) -> None:
    before = left(own_home)
    process = started(["train", *STOCKS, *SMALL, "--epochs", "100000", "--home", own_home], quick=quick)
    assert process.stderr is not None
    assert "epoch 1/100000" in process.stderr.readline()
    os.killpg(process.pid, signal.SIGINT)
    _, err = process.communicate(timeout=60)
    assert process.returncode == ExitCode.INTERRUPTED
    *progress, last = err.splitlines()
    assert [line for line in progress if not line.startswith("gru: epoch")] == []
    assert last.startswith("forecast: interrupted")
    assert left(own_home) == before


def test_two_at_once_are_two_versions(prices: Path) -> None:
    arguments = ["train", *STOCKS, *SMALL, "--quiet", "--home", prices]
    both: list[subprocess.Popen[str]] = [
        started([*arguments, "--seed", str(seed)], quick=True) for seed in (0, 1)
    ]
    assert [(process.communicate(timeout=120)[1], process.returncode) for process in both] == [("", 0)] * 2
    registry = ModelRegistry(prices)
    assert registry.versions("main") == [1, 2]
    assert {registry.card("main", version)["recipe"]["seed"] for version in (1, 2)} == {0, 1}
    assert registry.champion("main") == 2
