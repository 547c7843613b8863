"""Check every file of the registry, and remove versions that nobody needs."""

import shutil
import tempfile
from pathlib import Path

from forecaster.errors import BadInputError, NotFoundError, UsageError
from forecaster.files import disk_error, sync_folder
from forecaster.network.artifact import network_faults, read_card
from forecaster.registry.calibration import calibration_fault
from forecaster.registry.history import highest_given, read_history, remember_highest
from forecaster.registry.versions import ModelRegistry, check_model_name


def verify(registry: ModelRegistry, reference: str | None) -> dict[str, list[str]]:
    """By NAME@VERSION or NAME what is wrong with it, in sentences; empty lists where all is sound.

    Every version's files are held against their digests, and each name's champion and history are
    read. `reference` is NAME, NAME@VERSION, or None for all there is.

    Raises:
        NotFoundError, UsageError: there is no such model or version, or it is not a reference.
    """
    if reference is not None and "@" in reference:
        name, version = registry.resolve(reference)
        return {reference: _faults(registry.version_folder(name, version))}
    if reference is not None and not registry.versions(reference):
        registry.champion(reference)  # says in its own words that there is no such model
    found: dict[str, list[str]] = {}
    for name in registry.names() if reference is None else [reference]:
        found[name] = _service_faults(registry, name)
        for version in registry.versions(name):
            found[f"{name}@{version}"] = _faults(registry.version_folder(name, version))
    return found


def _faults(folder: Path) -> list[str]:
    """What is wrong with a version's files."""
    found = network_faults(folder)
    if not found and (fault := calibration_fault(folder, read_card(folder)["recipe"]["horizon"])):
        found.append(fault)
    return found


def remove(registry: ModelRegistry, reference: str, *, whole: bool) -> list[int]:
    """Remove NAME@VERSION if it is not in service, or with `whole` all of NAME; gives what is gone.

    The name or the version disappears in one step, and its numbers are never given again.

    Raises:
        UsageError: the version is in service, or all of NAME is meant without `whole`.
        NotFoundError: there is no such model or version.
        BadInputError: what is in service is not known, the file that names it being damaged.
        DiskError, TryLaterError: the disk fails, or another process writes to the home folder.
    """
    name = reference.partition("@")[0]
    with registry.writing(check_model_name(name)) as folder:
        if "@" in reference:
            _, version = registry.resolve(reference)
            _reject_champion(registry, name, version)
            return _remove_versions(registry, name, [version])
        versions = registry.versions(name)
        if not versions:
            registry.champion(name)
        if not whole:
            raise UsageError(
                f"this would remove all of {name}, {len(versions)} versions, the one in service too",
                "if that is meant, add --yes",
            )
        remember_highest(registry.folder, name, versions[-1])
        _discard(folder)
        return versions


def prune(registry: ModelRegistry, name: str, keep: int) -> list[int]:
    """Remove all but the newest `keep` versions and the one in service; gives what is gone.

    Raises:
        UsageError: fewer than one is to be kept, or it is not a model's name.
        NotFoundError, BadInputError, DiskError, TryLaterError: as `remove`.
    """
    if keep < 1:
        raise UsageError(f"--keep {keep} is out of range", "keep at least 1")
    with registry.writing(check_model_name(name)):
        champion = registry.champion(name)
        old = [version for version in registry.versions(name)[:-keep] if version != champion]
        return _remove_versions(registry, name, old)


def _service_faults(registry: ModelRegistry, name: str) -> list[str]:
    faults = []
    for check in (
        lambda: registry.version_folder(name, registry.champion(name)),
        lambda: read_history(registry.folder / name),
        lambda: highest_given(registry.folder, name),
    ):
        try:
            check()
        except (NotFoundError, BadInputError) as error:
            faults.append(error.message)
    return faults


def _reject_champion(registry: ModelRegistry, name: str, version: int) -> None:
    """A version without a champion beside it may go: it never was in service."""
    try:
        champion = registry.champion(name)
    except NotFoundError:
        return
    if version == champion:
        raise UsageError(
            f"{name}@{version} is in service and is not removed",
            f"promote another version first, or remove all of it with `forecast models remove {name} --yes`",
        )


def _remove_versions(registry: ModelRegistry, name: str, versions: list[int]) -> list[int]:
    folders = [registry.version_folder(name, version) for version in versions]
    if versions:
        remember_highest(registry.folder, name, max(registry.versions(name)))
    for folder in folders:
        _discard(folder)
    return versions


def _discard(folder: Path) -> None:
    """Take the folder's name away in one step, then its files; what a kill leaves, the next writer clears."""
    try:
        grave = Path(tempfile.mkdtemp(dir=folder.parent, prefix=".tmp-"))
        folder.rename(grave / folder.name)
        sync_folder(folder.parent)
        shutil.rmtree(grave)
    except OSError as error:
        raise disk_error(error, folder) from error
