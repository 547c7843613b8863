import json

import pytest

from forecaster.cli.main import run
from forecaster.errors import ExitCode

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
    return json.loads(screen.readouterr().out)


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
    assert found["schema"] == "forecast.lab.parameters/1"
    assert [row["parameters"] for row in found["networks"]] == [12, 48, 42, 36]
    assert [row["keras_parameters"] for row in found["networks"]] == [12, 48, 42, 36]


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        pytest.param(["--cell", "cnn"], "names no known cell", id="cell"),
        pytest.param(["--units", "0"], "--units", id="units"),
    ],
)
def test_parameters_refuses_in_one_line(capsys: Screen, arguments: list[str], message: str) -> None:
    refused(capsys, ExitCode.USAGE, message, "parameters", "--no-keras", *arguments)
