import json
from pathlib import Path

import pytest
from network_factory import card_of, random_network

from forecaster.cli.main import run
from forecaster.errors import ExitCode
from forecaster.network.recurrent import ensemble_of
from forecaster.registry.versions import ModelRegistry


@pytest.fixture
def home(tmp_path: Path) -> Path:
    """Two versions of main, and a model with a long name and awkward scores."""
    registry = ModelRegistry(tmp_path)
    for seed in range(2):
        network = random_network(seed=seed)
        registry.register("main", network, card_of(network), b"keras")
    network = random_network("lstm", 128, bidirectional=True)
    card = card_of(network, tickers=[f"T{number:03d}" for number in range(501)])
    card["scores"] = {"1": card["scores"]["1"] | {"skill": -0.123}}
    registry.register("a-model-with-a-rather-long-name", network, card, b"keras")
    return tmp_path


def test_list_marks_the_version_in_service(home: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["models", "list", "--home", str(home)]) == ExitCode.DONE
    out = capsys.readouterr().out
    assert ["*" in line for line in out.splitlines() if "main@" in line] == [False, True]
    for text in ("83.18", "+2.1%", "-12.3%", "501", "2015-12-31", "2026-11-21"):
        assert text in out


def test_an_ensemble_has_one_line_in_the_list(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    network = ensemble_of([random_network("gru", 32, seed=seed) for seed in range(4)])
    ModelRegistry(tmp_path).register("main", network, card_of(network), b"keras")
    run(["models", "list", "--home", str(tmp_path)])
    (line,) = (line for line in capsys.readouterr().out.splitlines() if "main@" in line)
    assert line.split()[:7] == ["main@1", "*", "4", "×", "gru", "32", "2"]
    assert len(line) <= 80


def test_list_survives_eighty_columns(home: Path, capsys: pytest.CaptureFixture[str]) -> None:
    run(["models", "list", "--home", str(home)])
    out = capsys.readouterr().out
    assert max(map(len, out.splitlines())) <= 80
    assert "…" not in out


def test_list_as_json(home: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["models", "list", "--json", "--home", str(home)]) == ExitCode.DONE
    document = json.loads(capsys.readouterr().out)
    assert document["schema"] == "forecast.models-list/1"
    rows = {(row["name"], row["version"]): row for row in document["models"]}
    assert [key for key, row in rows.items() if row["champion"]] == [
        ("a-model-with-a-rather-long-name", 1),
        ("main", 2),
    ]
    newest = rows["main", 2]
    assert (newest["cell"], newest["units"], newest["tickers"]) == ("gru", 4, 3)
    assert newest["parameters"] == random_network().parameter_count()
    assert (newest["crps"], newest["skill"]) == (0.008318, 0.021)


def test_list_shows_a_damaged_version_as_unusable(home: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (home / "models" / "main" / "2" / "card.json").write_text("{")
    assert run(["models", "list", "--home", str(home)]) == ExitCode.DONE
    out = capsys.readouterr().out
    assert ["unusable" in line for line in out.splitlines() if "main@" in line] == [False, True]
    assert "`forecast models verify` says why" in out
    run(["models", "list", "--json", "--home", str(home)])
    rows = json.loads(capsys.readouterr().out)["models"]
    assert "card.json is damaged" in rows[-1]["damage"]
    assert rows[-2]["damage"] is None


@pytest.mark.parametrize("arguments", [["--json"], []], ids=["json", "table"])
def test_list_before_any_training(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], arguments: list[str]
) -> None:
    assert run(["models", "list", "--home", str(tmp_path), *arguments]) == ExitCode.DONE
    captured = capsys.readouterr()
    if arguments:
        assert json.loads(captured.out)["models"] == []
    else:
        assert captured.out == ""
        assert "forecast train" in captured.err


def test_show_prints_the_card(home: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["models", "show", "main@1", "--home", str(home)]) == ExitCode.DONE
    out = capsys.readouterr().out
    assert max(map(len, out.splitlines())) <= 80
    for text in (
        "main@1",
        "gru",
        "return, range, market_return",
        "AAA, BBB, CCC",
        "83.18",
        "91.2%",
        "numpy 2.4.6",
    ):
        assert text in out


def test_show_as_json_is_the_whole_card(home: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["models", "show", "main", "--json", "--home", str(home)]) == ExitCode.DONE
    document = json.loads(capsys.readouterr().out)
    assert document["schema"] == "forecast.models-show/2"
    assert (document["name"], document["version"]) == ("main", 2)
    assert card_of(random_network()).items() <= document.items()


@pytest.mark.parametrize(
    ("model", "code", "message"),
    [
        pytest.param("none", ExitCode.NOT_FOUND, "no model called none", id="unknown name"),
        pytest.param(
            "main@9", ExitCode.NOT_FOUND, "main has no version 9; it has 1, 2", id="unknown version"
        ),
        pytest.param("../../x", ExitCode.USAGE, "is not a model's name", id="path"),
        pytest.param("main@x", ExitCode.USAGE, "is not NAME or NAME@VERSION", id="no version"),
    ],
)
def test_show_rejects_in_one_line(
    home: Path, capsys: pytest.CaptureFixture[str], model: str, code: ExitCode, message: str
) -> None:
    assert run(["models", "show", model, "--home", str(home)]) == code
    captured = capsys.readouterr()
    assert captured.out == ""
    assert message in captured.err
    assert captured.err.count("\n") == 1


def test_show_rejects_a_damaged_card(home: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (home / "models" / "main" / "2" / "card.json").write_text("{")
    assert run(["models", "show", "main", "--home", str(home)]) == ExitCode.BAD_INPUT
    assert "card.json is damaged" in capsys.readouterr().err
