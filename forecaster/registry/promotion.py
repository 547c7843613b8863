"""Put versions of a model into service, go back, and answer when the one in service is damaged."""

from dataclasses import dataclass
from datetime import datetime

from forecaster.errors import BadInputError, NotFoundError, UsageError
from forecaster.network.artifact import load_network
from forecaster.registry.history import Service
from forecaster.registry.versions import ModelRegistry, RegisteredModel
from forecaster.settings import iso_utc


@dataclass(frozen=True)
class Change:
    """What a promotion or a rollback did; `before` is None where nothing (sound) was in service."""

    name: str
    version: int
    before: int | None


def promote(registry: ModelRegistry, reference: str, now: datetime, why: str = "promoted") -> Change:
    """Put NAME@VERSION into service, whatever was in service before.

    Raises:
        UsageError: no version is named.
        NotFoundError, BadInputError: there is no such version, or it is damaged.
        DiskError, TryLaterError: the disk fails, or another process writes to the home folder.
    """
    if "@" not in reference:
        raise UsageError(
            f"{reference[:80]!r} names no version",
            "write NAME@VERSION; `forecast models list` shows what there is",
        )
    name, version = registry.resolve(reference)
    return _serve(registry, name, version, now, why, back=False)


def roll_back(registry: ModelRegistry, name: str, now: datetime) -> Change:
    """Put into service what was before; a second time goes one further back.

    Raises:
        UsageError: it is not a model's name.
        NotFoundError: there is no such model, or nothing left that served before.
        BadInputError: the history or that version is damaged.
        DiskError, TryLaterError: the disk fails, or another process writes to the home folder.
    """
    champion = registry.champion(name)
    before = registry.served_before(name)
    if not before:
        raise NotFoundError(
            f"no version of {name} that is still there was in service before {name}@{champion}",
            "put one into service with `forecast models promote`",
        )
    return _serve(registry, name, before[0], now, f"rolled back from {champion}", back=True)


def load_or_fall_back(registry: ModelRegistry, reference: str | None) -> tuple[RegisteredModel, str | None]:
    """The model in service, or if it cannot be loaded the last good one; and why it fell back, if so.

    Good are the versions that served before, the latest first; where no history tells, all of them. A
    version that was asked for by number is never replaced by another.

    Raises:
        NotFoundError, BadInputError, UsageError: as `ModelRegistry.load`, where nothing helps.
    """
    try:
        return registry.load(reference), None
    except (NotFoundError, BadInputError) as error:
        if reference is not None and "@" in reference:
            raise
        name = reference or registry.default_name()
        for version in _last_good(registry, name):
            try:
                return registry.load(f"{name}@{version}"), error.message
            except BadInputError:
                continue
        raise


def _last_good(registry: ModelRegistry, name: str) -> list[int]:
    try:
        before = registry.served_before(name)
    except (NotFoundError, BadInputError):
        before = []
    champion = registry.current(name)
    return before or [version for version in reversed(registry.versions(name)) if version != champion]


def _serve(
    registry: ModelRegistry, name: str, version: int, now: datetime, why: str, *, back: bool
) -> Change:
    with registry.writing(name):
        load_network(registry.version_folder(name, version))
        before = registry.current(name)
        if before != version:
            when = iso_utc(now)
            registry.serve(name, Service(version, when, why, back))
    return Change(name, version, before)
