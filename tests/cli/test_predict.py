"""`forecast predict`, from the flags to the exit code."""

import json
import subprocess
import sys
from pathlib import Path

import pytest
from command import rejection

from forecaster.cli.main import run
from forecaster.errors import ExitCode
from forecaster.registry.versions import ModelRegistry


def predict(capsys: pytest.CaptureFixture[str], home: Path, *arguments: str) -> tuple[str, str]:
    assert run(["predict", *arguments, "--home", str(home)]) == ExitCode.DONE
    captured = capsys.readouterr()
    return captured.out, captured.err


def test_a_dated_table_and_a_chart(trained_home: Path, capsys: pytest.CaptureFixture[str]) -> None:
    out, err = predict(capsys, trained_home, "aaa")
    assert err == ""
    for text in ("AAA", "close of 2026-11-20", "model main@1", "50 %", "90 %", "naive", "±"):
        assert text in out
    for date in ("2026-11-23", "2026-11-24", "2026-11-25"):
        assert date in out
    assert max(map(len, out.splitlines())) <= 80
    assert "\x1b" not in out


def test_json_holds_what_the_table_does(trained_home: Path, capsys: pytest.CaptureFixture[str]) -> None:
    out, _ = predict(capsys, trained_home, "AAA", "BBB", "--json", "--horizon", "2", "--level", "80")
    document = json.loads(out)
    assert document["schema"] == "forecast.predict/1"
    assert [item["ticker"] for item in document["predictions"]] == ["AAA", "BBB"]
    first = document["predictions"][0]
    assert (first["model"], first["trained_on"], first["sessions_old"]) == ("main@1", True, 0)
    assert [step["date"] for step in first["steps"]] == ["2026-11-23", "2026-11-24"]
    step = first["steps"][0]
    narrow, wide = step["intervals"]["50"], step["intervals"]["80"]
    assert wide["lower"] < narrow["lower"] < step["median"] < narrow["upper"] < wide["upper"]
    assert step["naive"]["median"] == first["last_close"]


@pytest.mark.parametrize(
    ("ticker", "words"),
    [
        pytest.param("OLD", "warning: OLD's last price is of 2026-11-13, 5 sessions ago", id="stale"),
        pytest.param("NEW", "note: main@1 was not trained on NEW", id="not-trained-on"),
    ],
)
def test_doubts_go_to_stderr(
    trained_home: Path, capsys: pytest.CaptureFixture[str], ticker: str, words: str
) -> None:
    out, err = predict(capsys, trained_home, ticker)
    assert words in err
    assert words not in out
    assert predict(capsys, trained_home, ticker, "--quiet") == ("", "")


@pytest.mark.parametrize(
    ("arguments", "code", "words"),
    [
        pytest.param(["ZZZ"], ExitCode.NOT_FOUND, "ZZZ", id="unknown-ticker"),
        pytest.param(["../AAA"], ExitCode.USAGE, "is not a ticker", id="a-path-for-a-ticker"),
        pytest.param(["AAA", "--horizon", "9"], ExitCode.USAGE, "foretells 1 to 3", id="horizon-too-large"),
        pytest.param(["AAA", "--level", "105"], ExitCode.USAGE, "--level 105", id="level-out-of-range"),
        pytest.param(["AAA", "--level", "much"], ExitCode.USAGE, "valid integer", id="level-no-number"),
        pytest.param(
            ["AAA", "--model", "../../x"], ExitCode.USAGE, "not a model's name", id="a-path-for-a-model"
        ),
        pytest.param(
            ["AAA", "--model", "other"], ExitCode.NOT_FOUND, "no model called other", id="no-such-model"
        ),
        pytest.param(["AAA", "--model", "main@7"], ExitCode.NOT_FOUND, "no version 7", id="no-such-version"),
        pytest.param(["SHORT"], ExitCode.BAD_INPUT, "fetch the missing days", id="too-few-days"),
        pytest.param([], ExitCode.USAGE, "Missing argument", id="no-ticker"),
    ],
)
def test_refusals_are_one_line(
    trained_home: Path, capsys: pytest.CaptureFixture[str], arguments: list[str], code: ExitCode, words: str
) -> None:
    found, line = rejection(capsys, "predict", *arguments, "--home", trained_home)
    assert found == code
    assert words in line


def test_an_empty_store_says_what_to_do(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    code, line = rejection(capsys, "predict", "AAA", "--home", tmp_path)
    assert code == ExitCode.NOT_FOUND
    assert "forecast fetch" in line


def test_prices_without_a_model_say_what_to_do(own_home: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (own_home / "models").rename(own_home / "elsewhere")
    code, line = rejection(capsys, "predict", "AAA", "--home", own_home)
    assert code == ExitCode.NOT_FOUND
    assert "run `forecast train`" in line


@pytest.mark.parametrize(
    ("path", "words"),
    [
        pytest.param("data/prices/AAA.parquet", "AAA.parquet", id="prices"),
        pytest.param("models/main/1/weights.npz", "weights.npz is damaged", id="weights"),
        pytest.param("models/main/1/card.json", "card.json is damaged", id="card"),
        pytest.param("models/main/champion", "champion does not name a version", id="champion"),
    ],
)
def test_damage_is_bad_input(
    own_home: Path, capsys: pytest.CaptureFixture[str], path: str, words: str
) -> None:
    whole = (own_home / path).read_bytes()
    (own_home / path).write_bytes(whole[: len(whole) // 2] + b"\0")
    code, line = rejection(capsys, "predict", "AAA", "--home", own_home)
    assert code == ExitCode.BAD_INPUT
    assert words in line


def test_the_last_good_model_answers_only_when_told_to(
    own_home: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    registry = ModelRegistry(own_home)
    card = registry.card("main", 1)
    registry.register("main", registry.load(None).network, card, b"keras")
    (own_home / "models" / "main" / "2" / "weights.npz").write_bytes(b"rubbish")
    assert rejection(capsys, "predict", "AAA", "--home", own_home)[0] == ExitCode.BAD_INPUT
    out, err = predict(capsys, own_home, "AAA", "--fallback", "--json")
    assert "2/weights.npz is damaged" in err
    assert "main@1 answers in its place" in err
    document = json.loads(out)
    assert document["predictions"][0]["model"] == "main@1"
    assert "2/weights.npz is damaged" in document["fallback"]


def test_help_needs_no_numpy() -> None:
    script = (
        "import sys; from forecaster.cli.main import run; run(['--help']); sys.exit('numpy' in sys.modules)"
    )
    ran = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=False)
    assert ran.returncode == 0, ran.stderr
    for command in ("fetch", "train", "compare", "predict", "models"):
        assert command in ran.stdout
