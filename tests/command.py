"""The command line as a test meets it: in this process, or in one of its own."""

import json
import os
import subprocess
import sys
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest

from forecaster.cli.main import run

FORECAST = (sys.executable, "-m", "forecaster.cli.main")
QUICK_FORECAST = (sys.executable, str(Path(__file__).with_name("quick_forecast.py")))
QUICK_AND_KERAS = [
    pytest.param(True, id="quick"),
    pytest.param(False, id="Keras", marks=pytest.mark.trial),
]
"""Values of `quick` in a test that Keras need not pass each time."""
ON_A_SMALL_DISK = """
import os, resource, sys
resource.setrlimit(resource.RLIMIT_FSIZE, (int(sys.argv[1]),) * 2)
os.execv(sys.argv[2], sys.argv[2:])
"""
MEASURING = """
import json, os, subprocess, sys
for words in json.loads(sys.argv[1]):
    process = subprocess.Popen(words, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    _, status, used = os.wait4(process.pid, 0)
    print(os.waitstatus_to_exitcode(status), used.ru_maxrss * 1024)
"""


def measured(commands: Sequence[Sequence[str]], *rest: str | Path) -> list[tuple[int, int]]:
    """Exit code and peak of memory, in bytes, of each command.

    A small process starts them: what a large one starts counts the memory of the large one as its own.
    """
    given = [[*FORECAST, *words, *map(str, rest)] for words in commands]
    words = [sys.executable, "-c", MEASURING, json.dumps(given)]
    printed = subprocess.run(words, capture_output=True, text=True, check=True).stdout.splitlines()
    return [(int(code), int(memory)) for code, memory in map(str.split, printed)]


def rejection(capsys: pytest.CaptureFixture[str], *arguments: str | Path) -> tuple[int, str]:
    """Exit code and the one line on stderr of a command that must fail."""
    capsys.readouterr()
    code = run([str(argument) for argument in arguments])
    captured = capsys.readouterr()
    assert captured.out == ""
    return code, one_line(captured.err)


def one_line(stderr: str) -> str:
    assert stderr.startswith("forecast: ")
    assert stderr.count("\n") == 1
    assert "Traceback" not in stderr
    return stderr.strip()


def started(
    arguments: Sequence[str | Path], largest_file: int | None = None, *, quick: bool = False, **options: Any
) -> "subprocess.Popen[str]":
    """The command in a process group of its own, its output in pipes.

    No file of its may grow beyond `largest_file` bytes: to a program, that is a full disk. With `quick` it
    trains as `quick_training` does.
    """
    words = [*(QUICK_FORECAST if quick else FORECAST), *map(str, arguments)]
    if largest_file is not None:
        words = [sys.executable, "-c", ON_A_SMALL_DISK, str(largest_file), *words]
    return subprocess.Popen(
        words, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, start_new_session=True, **options
    )


def ended(group: int) -> bool:
    """Whether all processes of a group are gone; what orphans leave is collected by the system's init."""
    for _ in range(100):
        try:
            os.killpg(group, 0)
        except ProcessLookupError:
            return True
        time.sleep(0.1)
    return False
