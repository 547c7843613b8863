"""Large arrays of a task are shared with the process that does it."""

import gc
import mmap
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

from forecaster import packing
from forecaster.packing import SHARED_BYTES, mapped, shared
from forecaster.processes import results_of, run_isolated

LONG = SHARED_BYTES // 8


def look(arrays: dict[str, Any], _: Callable[[Any], None]) -> dict[str, tuple[bool, bool, bool, float]]:
    """Of each array: whether it lies in a mapped file, can be written, and is in Fortran's order; its sum."""
    return {
        name: (in_file(each), each.flags.writeable, each.flags.fnc, float(each.sum()))
        for name, each in arrays.items()
    }


def in_file(array: Any) -> bool:
    while isinstance(array, np.ndarray):
        array = array.base
    return isinstance(array, mmap.mmap)


def look_elsewhere(arrays: dict[str, Any]) -> dict[str, tuple[bool, bool, bool, float]]:
    return run_isolated(look, arrays)


def test_large_arrays_are_mapped_and_small_ones_sent() -> None:
    numbers = np.random.default_rng(0).normal(size=(4, LONG))
    arrays = {
        "large": numbers,
        "by columns": np.asfortranarray(numbers),
        "a part": numbers[:, 5 : LONG // 2 + 5],
        "small": numbers[0, : LONG - 1].copy(),
    }
    found = run_isolated(look, arrays)
    assert {name: each[:3] for name, each in found.items()} == {
        "large": (True, False, False),
        "by columns": (True, False, True),
        "a part": (True, False, False),
        "small": (False, True, False),
    }
    for name, (*_, total) in found.items():
        assert total == pytest.approx(float(arrays[name].sum()), rel=1e-12), name
    days = np.arange(LONG).astype("datetime64[D]")
    assert run_isolated(first_and_last, days) == (str(days[0]), str(days[-1]))


def first_and_last(days: Any, _: Callable[[Any], None]) -> tuple[str, str]:
    assert in_file(days)
    return str(days[0]), str(days[-1])


def test_an_array_is_written_once_for_all_tasks_and_dropped_with_it(monkeypatch: pytest.MonkeyPatch) -> None:
    made: list[int] = []
    usual = packing._written

    def counted(array: Any) -> packing.MappedArray:
        made.append(id(array))
        return usual(array)

    monkeypatch.setattr(packing, "_written", counted)
    numbers = np.ones(LONG)
    tasks = [{"shared": numbers}, {"shared": numbers}]
    found = list(results_of(look_elsewhere, tasks, 2, threads=True))
    assert [each["shared"] for each in found] == [(True, False, False, float(LONG))] * 2
    assert made == [id(numbers)]
    assert mapped(numbers) is mapped(numbers)
    kept = id(numbers)
    assert kept in packing._files
    tasks.clear()
    del numbers
    gc.collect()
    assert kept not in packing._files


def test_a_shared_array_is_not_written_again_wherever_it_is_sent(monkeypatch: pytest.MonkeyPatch) -> None:
    numbers = shared(np.arange(float(LONG)))
    assert in_file(numbers)
    assert not numbers.flags.writeable
    assert numbers[-1] == LONG - 1
    monkeypatch.setattr(packing, "_written", _not_again)
    assert run_isolated(look, {"shared": numbers})["shared"] == (True, False, False, float(numbers.sum()))
    assert run_isolated(send_on, numbers) == numbers[-1]


def _not_again(array: Any) -> packing.MappedArray:
    raise AssertionError(f"{array.nbytes} bytes are written again")


def send_on(numbers: Any, _: Callable[[Any], None]) -> float:
    packing._written = _not_again
    file = mapped(numbers)
    assert mapped(numbers) is file
    return float(file.array()[-1])


def test_without_room_for_files_an_array_is_not_shared(monkeypatch: pytest.MonkeyPatch) -> None:
    def full() -> Any:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("tempfile.TemporaryFile", full)
    numbers = np.ones(LONG)
    assert shared(numbers) is numbers
    assert not numbers.flags.writeable
    found = run_isolated(look, {"sent": numbers, "by columns": np.asfortranarray(numbers.reshape(2, -1))})
    assert found == {"sent": (False, True, False, LONG), "by columns": (False, True, True, LONG)}
