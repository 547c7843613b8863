"""`forecast models promote`, `rollback`, `verify`, `remove` and `prune`, from the flags to the exit code."""

import json
from pathlib import Path
from typing import Any

import pytest
from command import rejection
from network_factory import card_of, random_network

from forecaster.cli.main import run
from forecaster.errors import ExitCode
from forecaster.registry.versions import ModelRegistry


@pytest.fixture
def home(tmp_path: Path) -> Path:
    """Three versions of main, the third in service."""
    registry = ModelRegistry(tmp_path)
    for seed in range(3):
        network = random_network(seed=seed)
        registry.register("main", network, card_of(network), b"keras")
    return tmp_path


def models(capsys: pytest.CaptureFixture[str], home: Path, *arguments: str, code: int = 0) -> str:
    capsys.readouterr()
    assert run(["models", *arguments, "--home", str(home)]) == code
    captured = capsys.readouterr()
    assert captured.err == ""
    return captured.out


def document(capsys: pytest.CaptureFixture[str], home: Path, *arguments: str, code: int = 0) -> Any:
    found = json.loads(models(capsys, home, *arguments, "--json", code=code))
    found.pop("schema")
    return found


def test_each_change_says_what_serves_now(home: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert models(capsys, home, "promote", "main@1") == "main@1 is in service, in place of main@3.\n"
    assert models(capsys, home, "promote", "main@1") == "main@1 was in service already.\n"
    assert document(capsys, home, "rollback", "main") == {"name": "main", "version": 3, "before": 1}
    assert "2026-11-21 22:30, rolled back from 1" in models(capsys, home, "show", "main@3")
    shown = document(capsys, home, "show", "main@1")
    assert shown["service"][-1] == {"when": "2026-11-21T22:30:00+00:00", "why": "promoted"}


def test_removals_name_what_is_gone(home: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert document(capsys, home, "prune", "main", "--keep", "2") == {"name": "main", "versions": [1]}
    assert models(capsys, home, "prune", "main", "--keep", "2") == "Removed: nothing.\n"
    assert models(capsys, home, "remove", "main@2") == "Removed: main@2.\n"
    assert models(capsys, home, "remove", "main", "--yes") == "Removed: main@3.\n"


def test_verify_exits_with_1_and_names_each(home: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert models(capsys, home, "verify") == "Versions checked: 3; damaged: 0.\n"
    (home / "models" / "main" / "2" / "model.keras").write_bytes(b"")
    (home / "models" / "main" / "3" / "weights.npz").unlink()
    lines = models(capsys, home, "verify", code=ExitCode.FAILED).splitlines()
    assert [line.split(":")[0] for line in lines[:2]] == ["main@2", "main@3"]
    found = document(capsys, home, "verify", "main@2", code=ExitCode.FAILED)
    assert (found["checked"], [entry["model"] for entry in found["damaged"]]) == (1, ["main@2"])


@pytest.mark.parametrize(
    ("arguments", "code", "words"),
    [
        pytest.param("promote main", ExitCode.USAGE, "names no version", id="promote-no-version"),
        pytest.param("promote main@9", ExitCode.NOT_FOUND, "it has 1, 2, 3", id="promote-unknown"),
        pytest.param("promote ../x@1", ExitCode.USAGE, "not a model's name", id="promote-path"),
        pytest.param("rollback none", ExitCode.NOT_FOUND, "no model called none", id="rollback-unknown"),
        pytest.param("rollback main@2", ExitCode.USAGE, "not a model's name", id="rollback-version"),
        pytest.param("remove main", ExitCode.USAGE, "add --yes", id="remove-all"),
        pytest.param("remove main@3 --yes", ExitCode.USAGE, "is in service", id="remove-champion"),
        pytest.param("prune main --keep 0", ExitCode.USAGE, "--keep", id="keep-none"),
        pytest.param("prune main", ExitCode.USAGE, "--keep", id="keep-missing"),
        pytest.param("verify none", ExitCode.NOT_FOUND, "no model called none", id="verify-unknown"),
        pytest.param("verify main@7", ExitCode.NOT_FOUND, "no version 7", id="verify-unknown-version"),
    ],
)
def test_rejections_are_one_line(
    home: Path, capsys: pytest.CaptureFixture[str], arguments: str, code: ExitCode, words: str
) -> None:
    found, line = rejection(capsys, "models", *arguments.split(), "--home", home)
    assert found == code
    assert words in line
    assert ModelRegistry(home).champion("main") == 3
    assert ModelRegistry(home).versions("main") == [1, 2, 3]
