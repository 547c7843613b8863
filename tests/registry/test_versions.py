import os
import threading
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from network_factory import card_of, random_network

from forecaster.errors import BadInputError, NotFoundError, TryLaterError, UsageError
from forecaster.files import home_lock
from forecaster.registry import versions as module
from forecaster.registry.versions import ModelRegistry, check_model_name


class Killed(BaseException):
    """Stands for the end of the process: nothing catches it."""


def register(registry: ModelRegistry, name: str = "main", seed: int = 0) -> int:
    network = random_network(seed=seed)
    return registry.register(name, network, card_of(network), b"a Keras file")


@pytest.fixture
def registry(tmp_path: Path) -> ModelRegistry:
    return ModelRegistry(tmp_path)


def test_versions_count_up_and_the_newest_serves(registry: ModelRegistry) -> None:
    assert [register(registry, seed=seed) for seed in range(3)] == [1, 2, 3]
    assert registry.versions("main") == [1, 2, 3]
    assert registry.champion("main") == 3
    assert (registry.folder / "main" / "champion").read_text() == "3\n"


def test_the_tenth_version_comes_after_the_ninth(registry: ModelRegistry) -> None:
    for _ in range(10):
        register(registry)
    assert registry.versions("main") == list(range(1, 11))
    assert registry.champion("main") == 10


def test_a_version_is_loaded_as_registered(registry: ModelRegistry) -> None:
    for seed in range(2):
        register(registry, seed=seed)
    model = registry.load("main@1")
    assert model.reference == "main@1"
    assert (model.card["name"], model.card["version"]) == ("main", 1)
    np.testing.assert_array_equal(
        model.network.weights["head/kernel"], random_network(seed=0).weights["head/kernel"]
    )
    assert registry.load("main").reference == "main@2"


def test_without_a_name_main_is_loaded(registry: ModelRegistry) -> None:
    register(registry, "aaa")
    assert registry.load(None).reference == "aaa@1"
    register(registry, "main")
    assert registry.load(None).reference == "main@1"
    assert registry.names() == ["aaa", "main"]


def test_without_a_name_and_without_main_the_names_are_listed(registry: ModelRegistry) -> None:
    for name in ("fast", "slow"):
        register(registry, name)
    with pytest.raises(NotFoundError, match=r"no model called main.*fast, slow"):
        registry.load(None)


def test_before_any_training(registry: ModelRegistry) -> None:
    assert registry.names() == []
    with pytest.raises(NotFoundError, match="forecast train"):
        registry.load(None)


@pytest.mark.parametrize(
    ("reference", "message"),
    [
        pytest.param("other", "no model called other.*there are main", id="unknown name"),
        pytest.param("other@1", "no model called other.*there are main", id="unknown name with version"),
        pytest.param("main@7", "main has no version 7; it has 1", id="unknown version"),
    ],
)
def test_what_is_not_there_is_answered_with_what_is(
    registry: ModelRegistry, reference: str, message: str
) -> None:
    register(registry)
    with pytest.raises(NotFoundError, match=message):
        registry.load(reference)


@pytest.mark.parametrize(
    "reference",
    [
        "../../x",
        "../main",
        "main/1",
        "main/../main",
        "/etc",
        "",
        ".",
        ".tmp-1",
        "-x",
        "Main",
        "main\n",
        "a" * 65,
        "main@",
        "main@x",
        "main@-1",
        "main@0",
        "main@01",
        "main@1.0",
        "main@²",
        "main@" + "9" * 5000,
        "main@1@2",
        "main@../../x",
    ],
)
def test_what_is_no_reference_is_rejected(registry: ModelRegistry, reference: str) -> None:
    register(registry)
    with pytest.raises(UsageError):
        registry.load(reference)


@pytest.mark.parametrize("name", ["a", "0", "gru-32_big", "a" * 64])
def test_good_names(name: str) -> None:
    assert check_model_name(name) == name


def test_a_bad_name_is_not_registered(registry: ModelRegistry) -> None:
    with pytest.raises(UsageError):
        register(registry, "../../x")
    assert not registry.folder.exists()


def test_other_things_in_the_folder_are_no_models(registry: ModelRegistry) -> None:
    register(registry)
    (registry.folder / "README.md").write_text("text")
    (registry.folder / "stray").write_text("a file")
    (registry.folder / "empty").mkdir()
    for stray in ("07", "²", "x", "0"):
        (registry.folder / "main" / stray).mkdir()
    (registry.folder / "main" / "8").write_text("a file")
    assert registry.names() == ["main"]
    assert registry.versions("main") == [1]


def test_a_damaged_version_is_rejected_and_the_others_still_load(registry: ModelRegistry) -> None:
    for seed in range(2):
        register(registry, seed=seed)
    (registry.folder / "main" / "2" / "weights.npz").write_bytes(b"rubbish")
    with pytest.raises(BadInputError, match=r"weights\.npz is damaged.*another version"):
        registry.load("main")
    assert registry.load("main@1").reference == "main@1"


@pytest.mark.parametrize("content", [b"", b"two\n", b"-1\n", b"\xff\xfe", b"\xc2\xb2\n", b"9" * 5000])
def test_a_damaged_champion_file_is_rejected(registry: ModelRegistry, content: bytes) -> None:
    register(registry)
    (registry.folder / "main" / "champion").write_bytes(content)
    with pytest.raises(BadInputError, match=r"champion does not name a version.*main@1"):
        registry.load("main")


def test_a_champion_that_is_gone(registry: ModelRegistry) -> None:
    register(registry)
    (registry.folder / "main" / "champion").write_text("5\n")
    with pytest.raises(NotFoundError, match="main has no version 5; it has 1"):
        registry.load("main")


@pytest.mark.parametrize("step", ["fsync", "rename"])
def test_a_kill_while_writing_leaves_the_old_champion(
    registry: ModelRegistry, monkeypatch: pytest.MonkeyPatch, step: str
) -> None:
    register(registry)

    def kill(*_: object) -> None:
        raise Killed

    with monkeypatch.context() as patch:
        patch.setattr(*((os, "fsync") if step == "fsync" else (Path, "rename")), kill)
        patch.setattr("shutil.rmtree", lambda *_, **__: None)  # a killed process tidies nothing
        with pytest.raises(Killed):
            register(registry, seed=1)
    assert list((registry.folder / "main").glob(".tmp-*"))
    assert registry.versions("main") == [1]
    assert registry.load(None).reference == "main@1"
    assert register(registry, seed=2) == 2
    assert not list((registry.folder / "main").glob(".tmp-*"))


def test_a_kill_before_the_champion_is_named_leaves_the_old_one(
    registry: ModelRegistry, monkeypatch: pytest.MonkeyPatch
) -> None:
    def kill(*_: Any) -> None:
        raise Killed

    register(registry)
    with monkeypatch.context() as patch:
        patch.setattr(module, "write_atomically", kill)
        with pytest.raises(Killed):
            register(registry, seed=1)
        with pytest.raises(Killed):
            register(registry, "first")
    assert registry.versions("main") == [1, 2]
    assert registry.load("main").reference == "main@1"
    with pytest.raises(NotFoundError, match="no version of first is in service; name one yourself: first@1"):
        registry.load("first")
    assert register(registry, seed=2) == 3


def test_two_registrations_at_once_get_two_versions(registry: ModelRegistry) -> None:
    given: list[int] = []
    threads = [threading.Thread(target=lambda: given.append(register(registry))) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(given) == [1, 2, 3, 4]
    assert registry.champion("main") == 4


def test_a_lock_held_by_another_is_waited_for_then_refused(
    registry: ModelRegistry, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "_PATIENCE_SECONDS", 0.05)
    with home_lock(registry.home), pytest.raises(TryLaterError):
        register(registry)
    assert registry.names() == []
