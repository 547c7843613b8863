"""Trained networks by name and version, and which version of each is in service."""

import re
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

from forecaster.errors import BadInputError, NotFoundError, TryLaterError, UsageError
from forecaster.files import (
    clear_leftovers,
    home_lock,
    read_regular,
    set_folder_aside,
    unreadable,
    write_atomically,
)
from forecaster.network.artifact import (
    load_evaluated,
    load_network,
    load_reference,
    read_card,
    save_network,
)
from forecaster.network.network import Network
from forecaster.network.recurrent import RecurrentNetwork
from forecaster.registry.history import Service, add_service, highest_given, read_history, served_before
from forecaster.settings import CONVLSTM

DEFAULT_NAME = "main"
_NAME = re.compile(r"[a-z0-9][a-z0-9_-]{0,63}")
_VERSION = re.compile(r"[1-9][0-9]{0,8}")
_CHAMPION = "champion"
_LOCK_WAIT_SECONDS = 60.0
_PATIENCE_SECONDS = 1800.0  # hours of training are not lost to a fetch that holds the lock for minutes


@dataclass(frozen=True)
class RegisteredModel:
    """A version as it was loaded; `reference` is NAME@VERSION."""

    reference: str
    network: Network
    card: dict[str, Any]

    @cached_property
    def trained_on(self) -> frozenset[str]:
        """The tickers that it was trained on."""
        return frozenset(self.card["tickers"])

    def recurrent(self) -> RecurrentNetwork:
        """Its network, trained by Keras.

        Raises:
            UsageError: it is a linear-t, which has no cell.
        """
        if not isinstance(self.network, RecurrentNetwork):
            raise UsageError(
                f"{self.reference} is a linear-t and has no recurrent cell", "choose another --model"
            )
        return self.network

    def daily(self) -> RecurrentNetwork:
        """Its network, whose cells and gates can be looked at day by day.

        Raises:
            UsageError: it is a linear-t, which has neither, a ConvLSTM1D, which has them week by week, or an
                ensemble.
        """
        network = self.recurrent()
        if network.ensemble > 1:
            raise UsageError(
                f"{self.reference} is an ensemble of {network.ensemble} networks, and here one is looked at",
                "choose another --model",
            )
        if network.cell == CONVLSTM:
            raise UsageError(
                f"{self.reference} is a ConvLSTM1D, whose steps are weeks, and here each is a day",
                "choose another --model",
            )
        return network


def check_model_name(name: str) -> str:
    """The name itself, if it is one.

    Raises:
        UsageError: it is not made of small letters, digits, - and _, at most 64 of them.
    """
    if not _NAME.fullmatch(name):
        raise UsageError(
            f"{name[:80]!r} is not a model's name", "use small letters, digits, - and _, at most 64 of them"
        )
    return name


class ModelRegistry:
    """The models of one home folder: models/<name>/<version>/ and models/<name>/champion."""

    def __init__(self, home: Path) -> None:
        self.home = home
        self.folder = home / "models"

    def names(self) -> list[str]:
        """All names that have a version, sorted."""
        listed = [path.name for path in _entries(self.folder) if _NAME.fullmatch(path.name)]
        return sorted(name for name in listed if self.versions(name))

    def versions(self, name: str) -> list[int]:
        """A name's versions, oldest first."""
        entries = _entries(self.folder / check_model_name(name))
        return sorted(int(path.name) for path in entries if _VERSION.fullmatch(path.name) and path.is_dir())

    def champion(self, name: str) -> int:
        """The version in service.

        Raises:
            NotFoundError: there is no such model, or none of its versions was put into service.
            BadInputError: the file that names it is damaged.
        """
        path = self.folder / check_model_name(name) / _CHAMPION
        try:
            content = read_regular(path, self._choice(name))
        except FileNotFoundError:
            raise self._no_champion(name) from None
        text = content.decode(errors="replace").strip()
        if not _VERSION.fullmatch(text):
            raise BadInputError(f"{path} does not name a version", self._choice(name))
        return int(text)

    def card(self, name: str, version: int) -> dict[str, Any]:
        """A version's card.

        Raises:
            NotFoundError, BadInputError: as `load`.
        """
        return read_card(self.version_folder(name, version)) | {"name": name, "version": version}

    def register(
        self,
        name: str,
        network: Network,
        card: dict[str, Any],
        keras_file: bytes,
        evaluated: Network | None = None,
        reference: Network | None = None,
        *,
        parent: int | None = None,
        why: str | None = "trained",
    ) -> int:
        """Keep a network as the next version of `name`, and put it into service unless `why` is None.

        Args:
            name: the model's.
            network: what is to forecast.
            card: what is to be known of it.
            keras_file: the network as a `.keras` file.
            evaluated: the network that the card's scores are of, where it is another one.
            reference: the linear-t that its live forecasts are compared with, where one is.
            parent: the version it descends from and was compared with, which must still be in service.
            why: for the history of services.

        Raises:
            DiskError: the disk fails; nothing has changed.
            TryLaterError: another process writes to the home folder, or changed what is in service.
        """
        with self.writing(name, _PATIENCE_SECONDS) as folder:
            if parent is not None and self.current(name) != parent:
                raise TryLaterError(
                    f"another version of {name} came into service while its challenger was trained",
                    "retrain again",
                )
            version = 1 + max([*self.versions(name), self._highest_removed(name)])
            named = {**card, "name": name, "version": version, "parent": parent}
            save_network(folder / str(version), network, named, keras_file, evaluated, reference)
            if why is not None:
                self.serve(name, Service(version, str(card["created"]), why))
        return version

    @contextmanager
    def writing(self, name: str, wait_seconds: float | None = None) -> Iterator[Path]:
        """Hold the home folder's lock to change the model's folder, which is given.

        Raises:
            TryLaterError, DiskError: as `files.home_lock`.
        """
        folder = self.folder / check_model_name(name)
        with home_lock(self.home, _LOCK_WAIT_SECONDS if wait_seconds is None else wait_seconds):
            clear_leftovers(self.folder)
            clear_leftovers(folder)
            yield folder

    def serve(self, name: str, service: Service) -> None:
        """Put a version into service and note it in the history; the caller holds `writing`.

        Raises:
            DiskError: the disk fails; the version in service is the old one or the new one.
        """
        folder, before = self.folder / name, self.current(name)
        set_folder_aside(folder / _CHAMPION)
        write_atomically(folder / _CHAMPION, f"{service.version}\n")
        add_service(folder, service, before)

    def current(self, name: str) -> int | None:
        """The version in service; None if there is none, or the file that names it is damaged."""
        try:
            return self.champion(name)
        except (NotFoundError, BadInputError):
            return None

    def served_before(self, name: str) -> list[int]:
        """The versions to go back to, the latest first: they served before and are still there.

        Raises:
            BadInputError: the history is damaged.
            NotFoundError, BadInputError: as `champion`.
        """
        there = self.versions(name)
        past = read_history(self.folder / check_model_name(name))
        return [version for version in served_before(past, self.champion(name)) if version in there]

    def load(self, reference: str | None) -> RegisteredModel:
        """Load NAME@VERSION, NAME's champion, or by default the champion of `main` or of the only model.

        Raises:
            NotFoundError: there is no such model or version.
            BadInputError: its files are damaged.
            UsageError: the reference is not one.
        """
        name, version = self.resolve(reference)
        try:
            network, card = load_network(self.version_folder(name, version))
        except (NotFoundError, BadInputError):
            if self.resolve(reference) == (name, version):
                raise
            return self.load(reference)  # the champion changed, and its predecessor was removed meanwhile
        named = card | {"name": name, "version": version}  # a folder may have been renamed since
        return RegisteredModel(f"{name}@{version}", network, named)

    def load_evaluated(self, name: str, version: int) -> Network:
        """The network that a version's scores are of; what forecasts may have been refitted since.

        Raises:
            NotFoundError, BadInputError: as `load`.
        """
        return load_evaluated(self.version_folder(name, version))

    def load_reference(self, name: str, version: int) -> Network | None:
        """The linear-t that a version's live forecasts are compared with; None where that is RiskMetrics-t.

        Raises:
            NotFoundError, BadInputError: as `load`.
        """
        return load_reference(self.version_folder(name, version))

    def resolve(self, reference: str | None) -> tuple[str, int]:
        """Name and version that a reference means.

        Raises:
            NotFoundError, UsageError: as `load`.
        """
        if reference is None:
            name = self.default_name()
            return name, self.champion(name)
        name, _, text = reference.partition("@")
        check_model_name(name)
        if not text and "@" not in reference:
            return name, self.champion(name)
        if not _VERSION.fullmatch(text):
            raise UsageError(f"{reference[:80]!r} is not NAME or NAME@VERSION", "write it like main@3")
        return name, int(text)

    def default_name(self) -> str:
        """`main`, or the only name there is.

        Raises:
            NotFoundError: there is no model, or several and none is `main`.
        """
        names = self.names()
        if not names:
            raise NotFoundError(f"no model has been trained in {self.home}", "run `forecast train`")
        if DEFAULT_NAME in names:
            return DEFAULT_NAME
        if len(names) > 1:
            raise NotFoundError(
                f"there is no model called {DEFAULT_NAME}", f"choose with --model from {', '.join(names)}"
            )
        return names[0]

    def version_folder(self, name: str, version: int) -> Path:
        """Where a version is kept.

        Raises:
            NotFoundError: there is no such model or version.
        """
        if not self.versions(name):
            raise self._no_such_model(name)
        if version not in self.versions(name):
            known = ", ".join(str(number) for number in self.versions(name))
            raise NotFoundError(f"{name} has no version {version}", f"it has {known}")
        return self.folder / name / str(version)

    def _highest_removed(self, name: str) -> int:
        try:
            return highest_given(self.folder, name)
        except BadInputError:
            return 0  # hours of training are not lost over a number; `models verify` names the file

    def _choice(self, name: str) -> str:
        versions = ", ".join(f"{name}@{number}" for number in self.versions(name))
        return f"name one yourself: {versions}, or put one into service with `forecast models promote`"

    def _no_champion(self, name: str) -> NotFoundError:
        """A registration killed before its last step leaves a version that is not in service."""
        if not self.versions(name):
            return self._no_such_model(name)
        return NotFoundError(f"no version of {name} is in service", self._choice(name))

    def _no_such_model(self, name: str) -> NotFoundError:
        names = ", ".join(self.names())
        remedy = f"there are {names}" if names else "run `forecast train`"
        return NotFoundError(f"there is no model called {name} in {self.home}", remedy)


def _entries(folder: Path) -> list[Path]:
    """What is in a folder; nothing where there is none.

    Raises:
        DiskError: the system does not let us list it.
    """
    try:
        return list(folder.iterdir())
    except (FileNotFoundError, NotADirectoryError):
        return []
    except OSError as error:
        raise unreadable(error, folder) from error
