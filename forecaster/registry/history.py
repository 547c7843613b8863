"""What a registry remembers: which versions were in service, when and why, and which numbers were given.

models/<name>/history.json is only ever added to; models/numbers.json holds the highest version number
of each name that lost a version, so that none is given twice.
"""

import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from forecaster.errors import BadInputError
from forecaster.files import read_regular, set_folder_aside, write_atomically

FORMAT = 1
_HISTORY, _NUMBERS = "history.json", "numbers.json"
_REMEDY = "move it away: the models stay, what it remembered is lost"


@dataclass(frozen=True)
class Service:
    """A version that was put into service.

    Attributes:
        version: its number.
        when: ISO, UTC.
        why: for a reader.
        back: whether it was a step back: the versions after it no longer count as served before.
    """

    version: int
    when: str
    why: str
    back: bool = False


def read_history(folder: Path) -> list[Service]:
    """The services of a model's folder, oldest first; none where nothing was written.

    Raises:
        BadInputError: the file is damaged or of another format.
    """
    path = folder / _HISTORY
    try:
        entries = [Service(**entry) for entry in _read(path).get("services", [])]
    except (TypeError, AttributeError) as error:
        raise _damaged(path) from error
    if not all(type(entry.version) is int and type(entry.back) is bool for entry in entries):
        raise _damaged(path)
    return entries


def add_service(folder: Path, service: Service, champion: int | None) -> None:
    """Add to a model's history, in one step, what follows `champion` in service.

    A damaged history is kept beside the new one: what is in service must not hang on a diary.

    Raises:
        DiskError: the disk fails.
    """
    try:
        past = read_history(folder)
    except BadInputError:
        _set_aside(folder / _HISTORY)
        past = []
    if champion is not None and (not past or past[-1].version != champion):
        known = any(entry.version == champion for entry in past)
        past.append(Service(champion, service.when, "found in service", back=known))
    _write(folder / _HISTORY, {"services": [asdict(entry) for entry in [*past, service]]})


def served_before(services: Sequence[Service], champion: int) -> list[int]:
    """The versions to go back to from `champion`, the latest first.

    Example:
        after 1, 2, 3 and back to 2, only 1 is left to go back to: 3 was given up.
    """
    served: list[int] = []
    for service in services:
        _follow(served, service.version, back=service.back)
    # A kill between the champion and its history leaves a champion that the history does not end with.
    _follow(served, champion, back=champion in served)
    return list(dict.fromkeys(version for version in reversed(served[:-1]) if version != champion))


def highest_given(models: Path, name: str) -> int:
    """The highest version number that a removed version of `name` may have had; 0 if none was removed.

    Raises:
        BadInputError: the file is damaged or of another format.
    """
    number = _read(models / _NUMBERS).get("highest", {}).get(name, 0)
    if type(number) is not int:
        raise _damaged(models / _NUMBERS)
    return number


def remember_highest(models: Path, name: str, number: int) -> None:
    """Keep the number from being given again after its version is gone; the caller holds the lock.

    Raises:
        BadInputError, DiskError: the file is damaged, or the disk fails.
    """
    if number > highest_given(models, name):
        highest = _read(models / _NUMBERS).get("highest", {})
        _write(models / _NUMBERS, {"highest": {**highest, name: number}})


def _follow(served: list[int], version: int, *, back: bool) -> None:
    if back and version in served:
        while served[-1] != version:
            served.pop()
    elif served[-1:] != [version]:
        served.append(version)


def _read(path: Path) -> dict[str, Any]:
    try:
        content: dict[str, Any] = json.loads(read_regular(path, _REMEDY))
        sound = content["format"] == FORMAT
    except FileNotFoundError:
        return {}
    except (ValueError, KeyError, TypeError, RecursionError) as error:
        raise _damaged(path) from error
    if not sound or not isinstance(content.get("highest", {}), dict):
        raise _damaged(path)
    return content


def _write(path: Path, content: Mapping[str, Any]) -> None:
    set_folder_aside(path)
    write_atomically(path, json.dumps({"format": FORMAT, **content}, indent=1) + "\n")


def _set_aside(path: Path) -> None:
    path.replace(path.with_suffix(".damaged.json"))


def _damaged(path: Path) -> BadInputError:
    return BadInputError(f"{path} is damaged or of another version of forecast", _REMEDY)
