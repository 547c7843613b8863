"""What the tests have a cluster do; its workers import it."""

import os
import time
from pathlib import Path
from typing import Any

import numpy as np

from forecaster.errors import BadInputError


def summed(task: tuple[int, Any]) -> tuple[int, float, bool]:
    """The sum of an array, and whether it lies in the cluster's store, where nobody may write."""
    number, values = task
    return number, float(np.sum(values)), bool(values.flags.writeable)


def slowly(task: tuple[int, str]) -> int:
    """Leaves a mark when it begins, and takes two seconds."""
    number, folder = task
    with (Path(folder) / str(number)).open("a") as marks:
        marks.write("begun\n")
    time.sleep(2)
    return number * number


def engine_there(_: int) -> str | None:
    """Which engine would train."""
    return os.environ.get("KERAS_BACKEND")


def failing(number: int) -> int:
    """Fails at 3."""
    if number == 3:
        raise BadInputError("three is bad", "leave it out")
    return number
