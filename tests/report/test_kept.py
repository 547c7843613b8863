"""Kept results: whole, newest first, bounded, and no damaged file in the way."""

import json
import math
from datetime import UTC, datetime
from pathlib import Path

import numpy as np
import pytest

from forecaster.cli.main import run
from forecaster.report import kept
from forecaster.report.kept import KeptResult, keep, keep_result, kept_results

NOON = datetime(2026, 11, 21, 12, 0, tzinfo=UTC)


def newest_result(home: Path, kind: str) -> KeptResult | None:
    return next(iter(kept_results(home, kind)), None)


def result(second: int = 0, kind: str = "compare", **content: object) -> KeptResult:
    made = f"2026-11-21T12:00:{second:02}+00:00"
    document = {"schema": f"forecast.{kind}/1", **content}
    return KeptResult(kind, made, "forecast compare", {"numpy": "2"}, document)


def test_what_is_kept_is_read_as_json_has_it(tmp_path: Path) -> None:
    path = keep_result(
        tmp_path, result(figure=np.float64(0.5), unknown=math.nan, day=np.datetime64("2020-01-01"))
    )
    assert path.parent == tmp_path / "results" / "compare"
    found = newest_result(tmp_path, "compare")
    assert found is not None
    assert found.command == "forecast compare"
    assert found.document == {
        "schema": "forecast.compare/1",
        "figure": 0.5,
        "unknown": None,
        "day": "2020-01-01",
    }


def test_the_newest_come_first_and_the_oldest_go(tmp_path: Path) -> None:
    assert kept.MOST_KEPT == 10
    for second in range(12):
        keep_result(tmp_path, result(second, number=second))
    assert [each.document["number"] for each in kept_results(tmp_path, "compare")] == list(range(11, 1, -1))


def test_kinds_are_apart_and_a_stranger_is_left_alone(tmp_path: Path) -> None:
    keep_result(tmp_path, result(kind="audit"))
    (tmp_path / "results" / "audit" / "mine.json").write_text("{}")
    assert newest_result(tmp_path, "compare") is None
    for second in range(kept.MOST_KEPT + 2):
        keep_result(tmp_path, result(second, kind="audit"))
    assert (tmp_path / "results" / "audit" / "mine.json").exists()


@pytest.mark.parametrize(
    "content",
    [
        pytest.param(b"", id="empty"),
        pytest.param(b"{", id="half"),
        pytest.param(b"[1]", id="a list"),
        pytest.param(b'{"format": 1}', id="no document"),
        pytest.param(b'{"format": 99, "document": {"schema": "forecast.compare/1"}}', id="another format"),
        pytest.param(b"\xff\xfe", id="no text"),
        pytest.param(b"[" * 100_000, id="deep"),
    ],
)
def test_a_damaged_file_counts_as_not_there(tmp_path: Path, content: bytes) -> None:
    keep_result(tmp_path, result(number=1))
    (tmp_path / "results" / "compare" / "20991231T000000Z-00.json").write_bytes(content)
    assert [each.document["number"] for each in kept_results(tmp_path, "compare")] == [1]


def test_a_changed_document_counts_as_not_there(tmp_path: Path) -> None:
    path = keep_result(tmp_path, result(crps=0.5, text="σ ≤ 1"))
    assert newest_result(tmp_path, "compare") is not None
    path.write_text(path.read_text().replace("0.5", "0.4"))
    assert newest_result(tmp_path, "compare") is None


def test_nothing_is_kept_outside_a_home_folder(tmp_path: Path) -> None:
    assert keep(tmp_path, {"schema": "forecast.lab-gradients/1"}, NOON) == ""
    assert not list(tmp_path.iterdir())


def test_a_disk_that_fails_costs_a_warning(tmp_path: Path) -> None:
    (tmp_path / "data").mkdir()
    (tmp_path / "results").write_text("in the way")
    fault = keep(tmp_path, {"schema": "forecast.compare/1"}, NOON)
    assert "not kept" in fault


def test_the_command_is_kept_as_it_was_typed(tmp_path: Path) -> None:
    (tmp_path / "data").mkdir()
    token = kept.COMMAND.set(("compare", "A B", "--cells", "gru"))
    try:
        assert keep(tmp_path, {"schema": "forecast.compare/1"}, NOON) == ""
    finally:
        kept.COMMAND.reset(token)
    (path,) = (tmp_path / "results" / "compare").iterdir()
    content = json.loads(path.read_text())
    assert content["command"] == "forecast compare 'A B' --cells gru"
    assert content["made"] == "2026-11-21T12:00:00+00:00"
    assert path.name.startswith("20261121T120000Z-")
    assert set(content["versions"]) >= {"python", "forecaster", "numpy"}


def test_what_python_makes_after_a_command_is_not_the_commands() -> None:
    assert run(["lab", "parameters", "--no-keras"]) == 0
    assert kept.COMMAND.get() == ()
