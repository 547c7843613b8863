"""What the commands say of a bidirectional network from before format 3, which no forecast can come from."""

from pathlib import Path

import pytest
from command import rejection
from network_factory import card_of, make_old, random_network

from forecaster.cli.main import run
from forecaster.errors import ExitCode
from forecaster.registry.versions import ModelRegistry

REASON = "models/main/2/card.json: an earlier forecast trained this bidirectional network"
REMEDY = "train it anew with `forecast train --name main --bidirectional --cell gru"


@pytest.fixture
def home(own_home: Path) -> Path:
    """A store, a sound main@1, and such a network in service as main@2."""
    network = random_network(bidirectional=True)
    ModelRegistry(own_home).register("main", network, card_of(network), b"keras")
    make_old(own_home / "models" / "main" / "2", 2)
    return own_home


@pytest.mark.parametrize(
    "arguments",
    [
        pytest.param(["predict", "AAA"], id="predict"),
        pytest.param(["retrain", "main", "--no-fetch"], id="retrain"),
        pytest.param(["models", "show", "main"], id="show"),
        pytest.param(["models", "promote", "main@2"], id="promote"),
        pytest.param(["models", "export", "main", "--output", "out"], id="export"),
        pytest.param(["lab", "gates", "AAA"], id="gates"),
    ],
)
def test_it_is_rejected_with_the_reason_and_the_way_out(
    home: Path, capsys: pytest.CaptureFixture[str], arguments: list[str]
) -> None:
    code, line = rejection(capsys, *arguments, "--home", home)
    assert code == ExitCode.BAD_INPUT
    assert REASON in line
    assert REMEDY in line


def test_the_list_and_the_check_name_it(home: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["models", "list", "--home", str(home)]) == ExitCode.DONE
    lines = capsys.readouterr().out.splitlines()
    assert ["unusable" in line for line in lines if "main@" in line] == [False, True]
    assert run(["models", "verify", "--home", str(home)]) == ExitCode.FAILED
    assert REASON in capsys.readouterr().out


def test_rollback_serves_the_version_before_it(home: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["models", "rollback", "main", "--home", str(home)]) == ExitCode.DONE
    assert run(["predict", "AAA", "--quiet", "--home", str(home)]) == ExitCode.DONE
    capsys.readouterr()
    assert ModelRegistry(home).champion("main") == 1
