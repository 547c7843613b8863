"""What is in service, what was before, and what is never lost: promotion, rollback, removal, damage."""

import json
from datetime import UTC, datetime
from pathlib import Path

import pytest
from network_factory import card_of, random_network

from forecaster.errors import BadInputError, NotFoundError, TryLaterError, UsageError
from forecaster.files import home_lock
from forecaster.registry import versions as registry_module
from forecaster.registry.history import Service, read_history, served_before
from forecaster.registry.maintenance import prune, remove, verify
from forecaster.registry.promotion import Change, load_or_fall_back, promote, roll_back
from forecaster.registry.versions import ModelRegistry

NOW = datetime(2026, 11, 21, 22, 30, tzinfo=UTC)


def register(registry: ModelRegistry, times: int = 1, name: str = "main") -> int:
    for seed in range(times):
        network = random_network(seed=seed)
        version = registry.register(name, network, card_of(network), b"a Keras file")
    return version


def damage(registry: ModelRegistry, version: int, file: str = "weights.npz") -> None:
    (registry.folder / "main" / str(version) / file).write_bytes(b"rubbish")


def versions_served(registry: ModelRegistry) -> list[int]:
    return [entry.version for entry in read_history(registry.folder / "main")]


@pytest.fixture
def registry(tmp_path: Path) -> ModelRegistry:
    """main with three versions, the third in service."""
    registry = ModelRegistry(tmp_path)
    register(registry, 3)
    return registry


def test_promotion_is_noted_with_time_and_reason(registry: ModelRegistry) -> None:
    assert promote(registry, "main@1", NOW, "by hand") == Change("main", 1, before=3)
    assert registry.champion("main") == 1
    assert versions_served(registry) == [1, 2, 3, 1]
    assert read_history(registry.folder / "main")[-1] == Service(1, "2026-11-21T22:30:00+00:00", "by hand")
    promote(registry, "main@1", NOW)
    assert versions_served(registry) == [1, 2, 3, 1]


def test_rolling_back_twice_goes_back_twice(registry: ModelRegistry) -> None:
    assert roll_back(registry, "main", NOW) == Change("main", 2, before=3)
    assert roll_back(registry, "main", NOW) == Change("main", 1, before=2)
    with pytest.raises(NotFoundError, match=r"in service before main@1.*promote"):
        roll_back(registry, "main", NOW)
    assert versions_served(registry) == [1, 2, 3, 2, 1]


@pytest.mark.parametrize(
    ("served", "champion", "before"),
    [
        pytest.param([1, 2, 3], 3, [2, 1], id="in order"),
        pytest.param([1, 2, 3, 1], 1, [3, 2], id="an old one promoted"),
        pytest.param([1, 2, 3, -2], 2, [1], id="rolled back"),
        pytest.param([1, 2, 3, -2, 4], 4, [2, 1], id="a new one after it"),
        pytest.param([1, 2], 3, [2, 1], id="killed before a new champion was noted"),
        pytest.param([1, 2, 3], 2, [1], id="killed before a rollback was noted"),
        pytest.param([], 3, [], id="no history"),
    ],
)
def test_what_there_is_to_go_back_to(served: list[int], champion: int, before: list[int]) -> None:
    """A minus marks a step back."""
    services = [Service(abs(number), "", "", back=number < 0) for number in served]
    assert served_before(services, champion) == before


def test_a_champion_that_was_never_noted_is_noted_by_the_next(registry: ModelRegistry) -> None:
    (registry.folder / "main" / "history.json").unlink()
    register(registry)
    assert versions_served(registry) == [3, 4]
    assert roll_back(registry, "main", NOW).version == 3


def test_removed_versions_are_passed_over_by_a_rollback(registry: ModelRegistry) -> None:
    remove(registry, "main@2", whole=False)
    assert roll_back(registry, "main", NOW).version == 1


def test_a_damaged_version_is_not_put_into_service(registry: ModelRegistry) -> None:
    damage(registry, 2)
    with pytest.raises(BadInputError, match=r"weights\.npz is damaged"):
        promote(registry, "main@2", NOW)
    with pytest.raises(BadInputError):
        roll_back(registry, "main", NOW)
    assert registry.champion("main") == 3


def test_a_damaged_champion_file_is_mended_by_promotion(registry: ModelRegistry) -> None:
    (registry.folder / "main" / "champion").write_text("rubbish")
    assert promote(registry, "main@2", NOW).before is None
    assert registry.load(None).reference == "main@2"


@pytest.mark.parametrize("content", ["", "[]", '{"format": 2}', '{"format": 1, "services": [1]}'])
def test_a_damaged_history_stops_a_rollback_but_no_promotion(registry: ModelRegistry, content: str) -> None:
    path = registry.folder / "main" / "history.json"
    path.write_text(content)
    with pytest.raises(BadInputError, match=r"history\.json is damaged"):
        roll_back(registry, "main", NOW)
    assert verify(registry, "main")["main"]
    promote(registry, "main@1", NOW)
    assert versions_served(registry) == [3, 1]
    assert (path.parent / "history.damaged.json").read_text() == content


def test_the_last_good_version_answers_when_it_may(registry: ModelRegistry) -> None:
    damage(registry, 3)
    damage(registry, 2, "card.json")
    with pytest.raises(BadInputError, match=r"3/weights\.npz is damaged"):
        registry.load(None)
    model, refused = load_or_fall_back(registry, None)
    assert model.reference == "main@1"
    assert "3/weights.npz is damaged" in str(refused)
    with pytest.raises(BadInputError):
        load_or_fall_back(registry, "main@3")
    damage(registry, 1)
    with pytest.raises(BadInputError, match=r"3/weights\.npz is damaged"):
        load_or_fall_back(registry, "main")


def test_a_version_that_was_given_up_is_not_fallen_back_to(registry: ModelRegistry) -> None:
    roll_back(registry, "main", NOW)
    damage(registry, 2)
    assert load_or_fall_back(registry, "main")[0].reference == "main@1"


def test_without_history_the_newest_other_version_answers(registry: ModelRegistry) -> None:
    (registry.folder / "main" / "history.json").unlink()
    damage(registry, 3)
    assert load_or_fall_back(registry, None)[0].reference == "main@2"
    (registry.folder / "main" / "champion").write_text("rubbish")
    assert load_or_fall_back(registry, None)[0].reference == "main@2"


@pytest.mark.parametrize(
    ("path", "named"),
    [
        pytest.param("2/weights.npz", "main@2", id="weights"),
        pytest.param("2/model.keras", "main@2", id="Keras file"),
        pytest.param("2/card.json", "main@2", id="card"),
        pytest.param("champion", "main", id="champion"),
        pytest.param("history.json", "main", id="history"),
    ],
)
def test_verify_finds_one_changed_byte(registry: ModelRegistry, path: str, named: str) -> None:
    assert verify(registry, None) == {"main": [], "main@1": [], "main@2": [], "main@3": []}
    file = registry.folder / "main" / path
    whole = bytearray(file.read_bytes())
    whole[0] ^= 0x80
    file.write_bytes(whole)
    found = verify(registry, None)
    assert [name for name, faults in found.items() if faults] == [named]
    assert file.name in found[named][0]


def test_verify_names_every_damaged_file(registry: ModelRegistry) -> None:
    damage(registry, 1)
    damage(registry, 1, "model.keras")
    assert len(verify(registry, "main@1")["main@1"]) == 2
    (registry.folder / "main" / "champion").write_text("9")
    assert "no version 9" in verify(registry, "main")["main"][0]


def test_numbers_are_never_given_again(registry: ModelRegistry) -> None:
    promote(registry, "main@1", NOW)
    assert remove(registry, "main@3", whole=False) == [3]
    assert register(registry) == 4
    assert remove(registry, "main", whole=True) == [1, 2, 4]
    assert registry.names() == []
    assert [path.name for path in registry.folder.iterdir()] == ["numbers.json"]
    assert register(registry) == 5
    assert register(registry, name="other") == 1
    assert verify(registry, None) == {"main": [], "main@5": [], "other": [], "other@1": []}


def test_the_champion_is_removed_only_with_the_whole_name(registry: ModelRegistry) -> None:
    with pytest.raises(UsageError, match="main@3 is in service and is not removed"):
        remove(registry, "main@3", whole=True)
    with pytest.raises(UsageError, match=r"all of main, 3 versions.*--yes"):
        remove(registry, "main", whole=False)
    for reference in ("main@", "../main", "main@x"):
        with pytest.raises(UsageError):
            remove(registry, reference, whole=True)
    for reference in ("other", "main@9"):
        with pytest.raises(NotFoundError):
            remove(registry, reference, whole=True)
    assert registry.versions("main") == [1, 2, 3]


def test_pruning_keeps_the_newest_and_the_champion(registry: ModelRegistry) -> None:
    register(registry, 2)
    promote(registry, "main@1", NOW)
    assert prune(registry, "main", 2) == [2, 3]
    assert registry.versions("main") == [1, 4, 5]
    assert prune(registry, "main", 9) == []


def test_a_kill_while_removing_leaves_nothing_half(
    registry: ModelRegistry, monkeypatch: pytest.MonkeyPatch
) -> None:
    with monkeypatch.context() as patch:
        patch.setattr("shutil.rmtree", lambda *_, **__: None)
        remove(registry, "main@1", whole=False)
        remove(registry, "main", whole=True)
    assert list(registry.folder.glob(".tmp-*"))
    assert registry.names() == []
    assert register(registry) == 4
    assert not list(registry.folder.glob(".tmp-*"))


def test_writers_wait_for_the_lock_and_leave_all_as_it_was(
    registry: ModelRegistry, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(registry_module, "_LOCK_WAIT_SECONDS", 0.01)
    with home_lock(registry.home):
        for change in (
            lambda: promote(registry, "main@1", NOW),
            lambda: roll_back(registry, "main", NOW),
            lambda: remove(registry, "main@1", whole=False),
            lambda: prune(registry, "main", 1),
        ):
            with pytest.raises(TryLaterError):
                change()
        assert registry.load(None).reference == "main@3"
    assert registry.versions("main") == [1, 2, 3]


def test_the_next_champion_is_read_when_the_old_one_goes_meanwhile(
    registry: ModelRegistry, monkeypatch: pytest.MonkeyPatch
) -> None:
    load = registry_module.load_network

    def load_late(folder: Path) -> object:
        if folder.name == "3":
            monkeypatch.setattr(registry_module, "load_network", load)
            promote(registry, "main@1", NOW)
            remove(registry, "main@3", whole=False)
        return load(folder)

    monkeypatch.setattr(registry_module, "load_network", load_late)
    assert registry.load(None).reference == "main@1"


def test_a_damaged_memory_of_numbers_stops_removals_only(registry: ModelRegistry) -> None:
    (registry.folder / "numbers.json").write_text(json.dumps({"format": 1, "highest": {"main": "x"}}))
    with pytest.raises(BadInputError, match=r"numbers\.json"):
        remove(registry, "main@1", whole=False)
    assert registry.versions("main") == [1, 2, 3]
    assert register(registry) == 4
