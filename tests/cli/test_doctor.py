import json
import subprocess
import sys
from pathlib import Path

import pytest

from forecaster.cli.main import run
from forecaster.errors import ExitCode


def test_warnings_alone_are_no_failure(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["doctor", "--home", str(tmp_path)]) == ExitCode.DONE
    out = capsys.readouterr().out
    assert max(map(len, out.splitlines())) <= 80
    for text in ("ok    Python", "warn  prices", "→ run `forecast fetch`", "→ run `forecast train`"):
        assert text in out


def test_a_failure_is_exit_code_1(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "forecast.toml").write_text("[train")
    assert run(["doctor", "--json", "--home", str(tmp_path)]) == ExitCode.FAILED
    document = json.loads(capsys.readouterr().out)
    assert (document["schema"], document["failed"]) == ("forecast.doctor/1", 1)
    (failed,) = [check for check in document["checks"] if check["state"] == "fail"]
    assert failed["check"] == "settings"
    assert failed["remedy"]


@pytest.mark.parametrize(
    "flags",
    [pytest.param((), id="cheap"), pytest.param(("--deep",), id="deep", marks=pytest.mark.trial)],
)
def test_only_deep_starts_the_engine(tmp_path: Path, flags: tuple[str, ...]) -> None:
    script = (
        "import sys; from forecaster.cli.main import run; run(sys.argv[1:]); print('keras' in sys.modules)"
    )
    command = [sys.executable, "-c", script, "doctor", *flags, "--home", str(tmp_path)]
    ran = subprocess.run(command, capture_output=True, text=True, check=True)
    assert ran.stdout.splitlines()[-1] == str(bool(flags))
    assert ("computes on the" in ran.stdout) == bool(flags)
