"""The recalibration of a version in service: it moves with every night, beside files that never change."""

import json
from collections.abc import Mapping
from datetime import datetime
from pathlib import Path
from typing import Any

from forecaster.errors import BadInputError
from forecaster.evaluation.calibration import Calibration, parse_calibration
from forecaster.files import read_regular, write_atomically
from forecaster.registry.versions import ModelRegistry, RegisteredModel

FORMAT = 1
_FILE = "calibration.json"
_MOST_BYTES = 1_000_000


def calibration_at(registry: ModelRegistry, model: RegisteredModel, moment: datetime) -> Calibration | None:
    """What a version's forecasts are recalibrated by at a moment.

    That is what its own forecasts have come to by then, as `forecast score` keeps it, else what its test days
    came to, which its card has; None of a card from before there was one. A file that is damaged counts as
    not there: the next `forecast score` writes it anew.
    """
    kept = _kept(_path(registry, model.reference), model.network.horizon)
    if kept is not None and kept.through <= moment.date().isoformat():
        return kept
    return calibration_of_card(model.card)


def calibration_of_card(card: Mapping[str, Any]) -> Calibration | None:
    """What the test days of a version's training came to; None of a card that does not say it.

    Raises:
        BadInputError: the card is not as it was written.
    """
    found = card.get("calibration")
    if found is None:
        return None
    try:
        return parse_calibration(found, card["recipe"]["horizon"])
    except ValueError as error:
        raise BadInputError(f"the card's calibration is damaged: {error}", "train the model anew") from error


def keep_calibration(registry: ModelRegistry, reference: str, calibration: Calibration) -> None:
    """Keep what a version's forecasts have come to, unless what is kept is of a later day.

    Raises:
        DiskError: the disk fails.
        TryLaterError: another process writes to the home folder.
        NotFoundError: the version is gone.
    """
    content = {"format": FORMAT, **calibration.described()}
    path = _path(registry, reference)
    with registry.writing(reference.partition("@")[0]):
        kept = _kept(path, len(calibration.days))
        later = kept is not None and kept.through > calibration.through  # this one is of a replay
        if path.parent.is_dir() and not later:  # it may have been removed since
            write_atomically(path, json.dumps(content))


def calibration_fault(folder: Path, horizon: int) -> str:
    """What is wrong with the file of a version's folder; empty if nothing is, or there is none."""
    path = folder / _FILE
    if not path.exists() or _kept(path, horizon) is not None:
        return ""
    return f"{path} is damaged; the next `forecast score` writes it anew"


def _path(registry: ModelRegistry, reference: str) -> Path:
    return registry.version_folder(*registry.resolve(reference)) / _FILE


def _kept(path: Path, horizon: int) -> Calibration | None:
    try:
        content = json.loads(read_regular(path, most_bytes=_MOST_BYTES))
        if content["format"] != FORMAT:
            return None
        return parse_calibration(content, horizon)
    except FileNotFoundError:
        return None
    except (BadInputError, ValueError, KeyError, TypeError, RecursionError):
        return None
