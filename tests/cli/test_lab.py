import json
import math
from pathlib import Path

import pytest
from factories import filled_store
from json_documents import assert_described
from network_factory import card_of, random_network

from forecaster.cli.main import run
from forecaster.errors import ExitCode
from forecaster.laboratory.claims.claim import Claim, Rule, Said
from forecaster.laboratory.claims.effects import Effect
from forecaster.laboratory.claims.runs import FULL, QUICK
from forecaster.registry.versions import ModelRegistry

Screen = pytest.CaptureFixture[str]


def shown(screen: Screen, *arguments: str) -> str:
    """What a laboratory command prints, held to 80 columns with nothing cut."""
    assert run(["lab", *arguments]) == ExitCode.DONE
    out = screen.readouterr().out
    assert max(map(len, out.splitlines())) <= 80
    assert "…" not in out
    return out


def document(screen: Screen, *arguments: str) -> dict:
    assert run(["lab", *arguments, "--json"]) == ExitCode.DONE
    found: dict = json.loads(screen.readouterr().out)
    assert_described(found)
    return found


def refused(screen: Screen, code: ExitCode, message: str, *arguments: str) -> None:
    assert run(["lab", *arguments]) == code
    captured = screen.readouterr()
    assert captured.out == ""
    assert message in captured.err
    assert captured.err.count("\n") == 1


def test_parameters_shows_every_cell_with_keras_beside(capsys: Screen) -> None:
    out = shown(capsys, "parameters")
    for text in ("3·(u·f + u·u + 2u)", "4·(32·5 + 32·32 + 32) = 4,864", "Keras counts 3,744", "kernel 5×128"):
        assert text in out


def test_parameters_as_json(capsys: Screen) -> None:
    found = document(capsys, "parameters", "--units", "2", "--features", "3")
    assert found["schema"] == "forecast.lab-parameters/1"
    assert [row["parameters"] for row in found["networks"]] == [12, 48, 42, 36]
    assert [row["keras_parameters"] for row in found["networks"]] == [12, 48, 42, 36]


def test_parameters_of_a_cell_that_reads_weeks(capsys: Screen) -> None:
    out = shown(capsys, "parameters", "--cells", "convlstm", "--units", "2", "--features", "3")
    for text in (
        "4·(3·u·f + 3·u·u + u)",
        "= 4·(3·2·3 + 3·2·2 + 2) = 128",
        "Keras counts 128",
        "kernel 3×3×8",
    ):
        assert text in out
    refused(
        capsys, ExitCode.USAGE, "reads its weeks forwards only", "parameters", "--no-keras", "--cells", "all",
        "--bidirectional",
    )  # fmt: skip


@pytest.mark.parametrize(
    "command", [("memory",), ("gradients", "--on", "adding")], ids=["memory", "gradients"]
)
def test_what_is_measured_day_by_day_takes_no_cell_that_reads_weeks(
    capsys: Screen, command: tuple[str, ...]
) -> None:
    message = (
        "--cells 'gru,convlstm' has a cell that reads weeks, and a step is a day here; choose from rnn, "
    )
    refused(capsys, ExitCode.USAGE, message, *command, "--cells", "gru,convlstm")


@pytest.mark.parametrize(
    "command",
    [
        pytest.param(("cell", "AAA", "--model", "main"), id="cell"),
        pytest.param(("gates", "AAA"), id="gates"),
        pytest.param(("gradients", "--model", "main"), id="gradients"),
    ],
)
def test_what_looks_into_each_day_takes_no_network_that_reads_weeks(
    capsys: Screen, tmp_path: Path, command: tuple[str, ...]
) -> None:
    filled_store(tmp_path)
    network = random_network("convlstm", lookback=20)
    ModelRegistry(tmp_path).register("main", network, card_of(network), b"a Keras file")
    message = "main@1 is a ConvLSTM1D, whose steps are weeks, and here each is a day; choose another --model"
    refused(capsys, ExitCode.USAGE, message, *command, "--home", str(tmp_path))


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        pytest.param(["--cells", "cnn"], "names no known cell", id="cell"),
        pytest.param(["--units", "0"], "--units", id="units"),
    ],
)
def test_parameters_rejects_in_one_line(capsys: Screen, arguments: list[str], message: str) -> None:
    refused(capsys, ExitCode.USAGE, message, "parameters", "--no-keras", *arguments)


def test_cell_writes_the_last_step_out(capsys: Screen, tmp_path: Path) -> None:
    filled_store(tmp_path)
    out = shown(capsys, "cell", "AAA", "--coupling", "--home", str(tmp_path))
    for text in ("LSTM, unit 2 of 2", "Step 8", "c = f·c(t−1) + i·g", "cut: h = tanh(c)"):
        assert text in out


@pytest.mark.parametrize("cell", ["rnn", "lstm", "gru"])
def test_cell_of_numbers_given_and_one_unit(capsys: Screen, cell: str) -> None:
    out = shown(capsys, "cell", "--series", "0.5,-1,0.3", "--cell", cell, "--unit", "2", "--step", "2")
    assert "unit 2 of 2" in out
    assert "x = (-1.0000)" in out
    assert "unit 1\n" not in out


def test_cell_of_a_trained_network_as_json(capsys: Screen, tmp_path: Path) -> None:
    filled_store(tmp_path)
    network = random_network("gru", 3, features=("return", "magnitude"))
    ModelRegistry(tmp_path).register("main", network, card_of(network), b"keras")
    found = document(capsys, "cell", "AAA", "--model", "main", "--days", "5", "--home", str(tmp_path))
    assert found["schema"] == "forecast.lab-cell/1"
    assert [len(step["update"]) for step in found["steps"]] == [3] * 5
    assert len(found["steps"][0]["inputs"]) == 2
    assert sorted(found["equations"]) == ["1", "2"]


@pytest.mark.parametrize(
    ("arguments", "code", "message"),
    [
        pytest.param([], ExitCode.USAGE, "either a ticker or --series", id="nothing"),
        pytest.param(["--series", "1,x"], ExitCode.USAGE, "not a list of numbers", id="no number"),
        pytest.param(["--series", "1", "--step", "2"], ExitCode.USAGE, "--step 2", id="step"),
        pytest.param(["--series", "1", "--unit", "0"], ExitCode.USAGE, "--unit 0", id="unit"),
        pytest.param(
            ["--series", "1", "--cell", "all"], ExitCode.USAGE, "choose rnn, lstm or gru", id="cells"
        ),
        pytest.param(["AAA", "--days", "999"], ExitCode.BAD_INPUT, "no 999 usable days", id="days"),
        pytest.param(["ZZZ"], ExitCode.NOT_FOUND, "ZZZ", id="ticker"),
        pytest.param(["AAA", "--model", "none"], ExitCode.NOT_FOUND, "none", id="model"),
    ],
)
def test_cell_rejects_in_one_line(
    capsys: Screen, tmp_path: Path, arguments: list[str], code: ExitCode, message: str
) -> None:
    filled_store(tmp_path)
    refused(capsys, code, message, "cell", *arguments, "--home", str(tmp_path))


def test_inputs_names_what_moved_a_forecast(capsys: Screen, trained_home: Path) -> None:
    out = shown(capsys, "inputs", "aaa", "--home", str(trained_home))
    for text in (
        "AAA  12 days to 2026-11-20  GRU, model main@1",
        "1 session ahead  median",
        "3 sessions ahead  median",
        "market_volatility",
        "Rank correlation of the methods",
        "of what moves it, the last 5 days",
    ):
        assert text in out
    rows = [line.split() for line in out.splitlines() if line.startswith(("sum ", "must be "))]
    for total, wanted in zip(rows[::2], rows[1::2], strict=True):
        assert (total[2], total[4]) == tuple(wanted[-2:])  # integrated gradients are complete
    assert out.count("median ") >= 2
    one = shown(capsys, "inputs", "AAA", "--step", "2", "--home", str(trained_home))
    assert "2 sessions ahead" in one
    assert "1 session ahead" not in one


def test_inputs_as_json(capsys: Screen, trained_home: Path) -> None:
    found = document(capsys, "inputs", "AAA", "--home", str(trained_home))
    assert found["schema"] == "forecast.lab-inputs/1"
    assert [(each["step"], each["output"]) for each in found["attributions"]] == [
        (step, output) for step in (1, 3) for output in ("median", "width")
    ]
    for each in found["attributions"]:
        total = sum(part["gradients"] for part in each["inputs"])
        assert total == pytest.approx(each["forecast"] - each["baseline"], rel=1e-3)
        assert len(each["days_gradients"]) == len(each["days_occlusion"]) == len(found["dates"]) == 12
        assert list(each["last_days"]) == ["1", "5"]


@pytest.mark.parametrize(
    ("arguments", "code", "message"),
    [
        pytest.param(["ZZZ"], ExitCode.NOT_FOUND, "ZZZ", id="ticker"),
        pytest.param(["../AAA"], ExitCode.USAGE, "is not a ticker", id="path"),
        pytest.param(["SHORT"], ExitCode.BAD_INPUT, "SHORT has 25 bars", id="days"),
        pytest.param(["AAA", "--model", "none"], ExitCode.NOT_FOUND, "none", id="model"),
        pytest.param(["AAA", "--step", "4"], ExitCode.USAGE, "--step 4: main@1 has 3", id="step"),
    ],
)
def test_inputs_rejects_in_one_line(
    capsys: Screen, trained_home: Path, arguments: list[str], code: ExitCode, message: str
) -> None:
    refused(capsys, code, message, "inputs", *arguments, "--home", str(trained_home))


def test_gradients_on_prices_with_a_trained_network_beside(capsys: Screen, tmp_path: Path) -> None:
    filled_store(tmp_path)
    network = random_network("lstm", 3, features=("return", "magnitude"))
    ModelRegistry(tmp_path).register("main", network, card_of(network), b"keras")
    arguments = ("gradients", "AAA", "--model", "main", "--length", "20", "--sequences", "2")
    out = shown(capsys, *arguments, "--home", str(tmp_path))
    for text in ("rnn untrained", "main@1", "half-life", "steps back", "clipped at 1"):
        assert text in out


def test_gradients_on_a_task_as_json(capsys: Screen) -> None:
    found = document(capsys, "gradients", "--on", "order", "--length", "30", "--cells", "gru", "--units", "8")
    assert found["schema"] == "forecast.lab-gradients/1"
    (row,) = found["profiles"]
    assert len(row["state_norm"]) == len(row["loss_norm"]) == 30
    assert row["state_norm"][0] == pytest.approx(1)
    free, clipped = found["clipping"]
    assert sum(free["diverged"]) > sum(clipped["diverged"])


@pytest.mark.parametrize(
    ("arguments", "code", "message"),
    [
        pytest.param(["--on", "weather"], ExitCode.USAGE, "--on weather", id="on"),
        pytest.param(["--train-steps", "5"], ExitCode.USAGE, "for synthetic tasks", id="training on prices"),
        pytest.param(
            ["--on", "adding", "--model", "main"], ExitCode.USAGE, "of prices", id="model on a task"
        ),
        pytest.param(["--length", "999"], ExitCode.BAD_INPUT, "no ticker has 999", id="length"),
        pytest.param(["--model", "none"], ExitCode.NOT_FOUND, "none", id="model"),
    ],
)
def test_gradients_rejects_in_one_line(
    capsys: Screen, tmp_path: Path, arguments: list[str], code: ExitCode, message: str
) -> None:
    filled_store(tmp_path)
    refused(capsys, code, message, "gradients", *arguments, "--home", str(tmp_path))


def test_memory_runs_keeps_and_shows(capsys: Screen, tmp_path: Path) -> None:
    arguments = ("memory", "--task", "order", "--cells", "gru", "--lags", "6", "--seeds", "2")
    arguments += ("--units", "4", "--steps", "5", "--jobs", "1", "--home", str(tmp_path))
    out = shown(capsys, *arguments)
    for text in ("0 of 2", "○○", "Guessing has 0.750"):
        assert text in out
    found = document(capsys, *arguments)
    assert found["schema"] == "forecast.lab-memory/1"
    assert [(row["lag"], row["solved"], row["seeds"]) for row in found["rows"]] == [(6, 0, 2)]
    assert len((tmp_path / "reports" / "lab" / "memory.jsonl").read_text().splitlines()) == 2


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        pytest.param(["--task", "chess"], "--task chess", id="task"),
        pytest.param(["--lags", "10,x"], "--lags", id="no number"),
        pytest.param(["--lags", "2"], "--lags", id="too short"),
        pytest.param(["--start", "warm"], "--start warm", id="start"),
    ],
)
def test_memory_rejects_in_one_line(capsys: Screen, arguments: list[str], message: str) -> None:
    refused(capsys, ExitCode.USAGE, message, "memory", *arguments)


def test_gates_shows_moves_and_memory_and_draws_them(capsys: Screen, tmp_path: Path) -> None:
    filled_store(tmp_path)
    network = random_network("lstm", 3, features=("return", "magnitude"))
    ModelRegistry(tmp_path).register("main", network, card_of(network) | {"lookback": 30}, b"keras")
    page = tmp_path / "gates.html"
    arguments = ("gates", "AAA", "--days", "60", "--home", str(tmp_path))
    out = shown(capsys, *arguments, "--save", str(page))
    for text in ("X at the largest moves", "f forget", "above 0.9", "half of their state"):
        assert text in out
    assert page.read_text().startswith("<!doctype html>")
    found = document(capsys, *arguments)
    assert found["schema"] == "forecast.lab-gates/1"
    assert len(found["days"]) == 60
    assert len(found["half_lives"]) == 3
    assert len(found["events"]) == 5


@pytest.mark.parametrize(
    ("arguments", "code", "message"),
    [
        pytest.param(["ZZZ"], ExitCode.NOT_FOUND, "ZZZ", id="ticker"),
        pytest.param(["AAA", "--model", "none"], ExitCode.NOT_FOUND, "none", id="model"),
        pytest.param(["AAA", "--model", "plain"], ExitCode.USAGE, "has no gates", id="no gates"),
    ],
)
def test_gates_rejects_in_one_line(
    capsys: Screen, tmp_path: Path, arguments: list[str], code: ExitCode, message: str
) -> None:
    filled_store(tmp_path)
    network = random_network("rnn", 3)
    ModelRegistry(tmp_path).register("plain", network, card_of(network), b"keras")
    refused(capsys, code, message, "gates", *arguments, "--home", str(tmp_path))


def test_sweep_trains_keeps_and_shows(
    capsys: Screen, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(
        "forecaster.laboratory.prices.trials.run_isolated", lambda work, trial: work(trial, lambda _: None)
    )
    filled_store(tmp_path)
    arguments = ("sweep", "--over", "tickers", "--values", "2", "--cells", "gru", "--seeds", "1")
    arguments += ("--units", "2", "--epochs", "1", "--lookback", "10", "--horizon", "1", "--jobs", "1")
    out = shown(capsys, *arguments, "--home", str(tmp_path))
    for text in ("Equal units, seeds: 1", "GRU", "RiskMetrics-t has"):
        assert text in out
    (point,) = document(capsys, *arguments, "--home", str(tmp_path))["points"]
    assert (point["value"], point["units"], point["seeds"]) == (2, 2, 1)
    assert 0 < point["crps"] < 0.1
    assert point["peak_memory_mb"] > 10


@pytest.mark.parametrize(
    ("arguments", "code", "message"),
    [
        pytest.param(["--over", "mood"], ExitCode.USAGE, "--over mood", id="axis"),
        pytest.param(["--values", "5,x"], ExitCode.USAGE, "--values", id="values"),
        pytest.param(["--values", "all"], ExitCode.USAGE, "--values", id="all lookbacks"),
        pytest.param(["--values", "1"], ExitCode.USAGE, "--values 1 (lookback) is out of range", id="bounds"),
        pytest.param(["--match", "age"], ExitCode.USAGE, "--match age", id="match"),
        pytest.param(
            ["--over", "tickers", "--values", "9"], ExitCode.USAGE, "there are 3 tickers", id="too many"
        ),
        pytest.param(["ZZZ"], ExitCode.NOT_FOUND, "ZZZ", id="ticker"),
    ],
)
def test_sweep_rejects_in_one_line(
    capsys: Screen, tmp_path: Path, arguments: list[str], code: ExitCode, message: str
) -> None:
    filled_store(tmp_path)
    refused(capsys, code, message, "sweep", *arguments, "--home", str(tmp_path))


def some_claims() -> list[Claim]:
    long = "a long account of what was measured and on which days, with every seed and every ticker named"
    below = Rule("below", 0.0)
    return [
        Said(str(mean), group, "A cell is a cell.", below, "forecast lab cell", "GRU − LSTM").judged(
            Effect.about(mean, margin, repeats=3), long, long, {"x": 1.0}
        )
        for group, mean, margin in (
            ("design", -2.0, 1.0), ("cost", 2.0, 1.0), ("design", 1.0, 2.0), ("cost", 1.0, math.inf)
        )
    ]  # fmt: skip


def test_claims_shows_each_with_its_verdict(
    capsys: Screen, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    filled_store(tmp_path)
    asked: list[object] = []

    def judge(*arguments: object) -> list[Claim]:
        asked.append(arguments[2])
        return some_claims()

    monkeypatch.setattr("forecaster.laboratory.claims.judge.judge_claims", judge)
    picture = tmp_path / "claims.svg"
    out = shown(capsys, "claims", "--quick", "--save", str(picture), "--home", str(tmp_path))
    for text in (
        "Design: what a cell is\n1 supported, 0 not supported, 1 undecided\n",
        "Cost: what it costs\n0 supported, 1 not supported, 1 undecided\n",
        "found: GRU − LSTM +1.00 % (-1.00 to +3.00); ",
        "otherwise: an interval wholly above 0 %",
        "needs: about 12 seeds (now 3)",
        "4 claims: 1 supported, 1 not supported, 2 undecided",
    ):
        assert text in out
    assert "-2.00 % (-3.00 to -1.00)" in picture.read_text()
    found = document(capsys, "claims", "--home", str(tmp_path))
    assert found["schema"] == "forecast.lab-claims/1"
    verdicts = ["supported", "not supported", "undecided", "undecided"]
    assert [claim["verdict"] for claim in found["claims"]] == verdicts
    assert [claim["high"] for claim in found["claims"]] == [-1, 3, 3, None]
    assert asked == [QUICK, FULL]


def test_claims_needs_prices(capsys: Screen, tmp_path: Path) -> None:
    refused(capsys, ExitCode.NOT_FOUND, "forecast fetch", "claims", "--home", str(tmp_path))


@pytest.mark.slow
def test_quick_claims_on_the_sample(capsys: Screen, tmp_path: Path) -> None:
    assert run(["fetch", "--source", "sample", "--quiet", "--home", str(tmp_path)]) == ExitCode.DONE
    capsys.readouterr()
    found = document(capsys, "claims", "--quick", "--home", str(tmp_path))["claims"]
    assert len(found) >= 40
    verdicts = {claim["name"]: claim["verdict"] for claim in found}
    for certain in ("parameters", "coupling", "carousel", "explosion", "long lags", "memory", "operations"):
        assert verdicts[certain] == "supported"
