"""docs/json.md describes every JSON document, and each has the fields that it says."""

import json
import re
from pathlib import Path
from typing import Any

import pytest
from json_documents import DOCUMENTED, assert_described

from forecaster.cli.main import run

PACKAGE = Path(__file__).parents[2] / "forecaster"


def printed_schemas() -> set[str]:
    sources = (path.read_text(encoding="utf-8") for path in PACKAGE.rglob("*.py"))
    return {schema for source in sources for schema in re.findall(r'"(forecast\.[a-z-]+/\d+)"', source)}


def test_every_document_is_described_and_nothing_else() -> None:
    assert printed_schemas() == set(DOCUMENTED)
    assert all(DOCUMENTED.values())


def document(capsys: pytest.CaptureFixture[str], home: Path, *arguments: str) -> dict[str, Any]:
    run(["--home", str(home), *arguments, "--json"])
    content: dict[str, Any] = json.loads(capsys.readouterr().out)
    return content


@pytest.mark.parametrize(
    ("arguments", "also"),
    [
        pytest.param(["fetch", "AAA", "--source", "sample"], (), id="fetch"),
        pytest.param(["data", "status"], (), id="data-status"),
        pytest.param(["data", "verify"], (), id="data-verify"),
        pytest.param(["data", "export", "--output", "copy.csv"], (), id="data-export"),
        pytest.param(["data", "universe", "sp500"], (), id="data-universe"),
        pytest.param(["predict", "AAA", "SHORT", "--record"], (), id="predict"),
        pytest.param(["models", "list"], (), id="models-list"),
        pytest.param(["models", "show", "main"], ("forecast.train/2",), id="models-show"),
        pytest.param(["models", "promote", "main@1"], (), id="models-promote"),
        pytest.param(["models", "verify"], (), id="models-verify"),
        pytest.param(["models", "prune", "main", "--keep", "3"], (), id="models-prune"),
        pytest.param(["models", "export", "main", "--output", "out"], (), id="models-export"),
        pytest.param(["retrain", "--dry-run", "--no-fetch"], (), id="retrain"),
        pytest.param(["schedule", "status"], (), id="schedule-status"),
        pytest.param(["doctor"], (), id="doctor"),
        pytest.param(["lab", "parameters"], (), id="lab-parameters"),
        pytest.param(["lab", "cell", "AAA"], (), id="lab-cell"),
        pytest.param(["lab", "gates", "AAA", "--days", "60"], (), id="lab-gates"),
        pytest.param(["lab", "inputs", "AAA"], (), id="lab-inputs"),
    ],
)
def test_a_document_has_the_fields_that_are_described(
    own_home: Path, capsys: pytest.CaptureFixture[str], arguments: list[str], also: tuple[str, ...]
) -> None:
    found = document(capsys, own_home, *arguments)
    assert_described(found, *also)


def test_the_score_has_the_fields_that_are_described(
    own_home: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    run(["predict", "OLD", "--record", "--home", str(own_home)])
    run(["predict", "AAA", "--record", "--home", str(own_home)])
    capsys.readouterr()
    assert_described(document(capsys, own_home, "score"))


def test_earnings_dates_have_the_fields_that_are_described(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    Path("dates.csv").write_text("ticker,date\nAAA,2026-12-01\n")
    run(["fetch", "--earnings", "dates.csv", "--quiet", "--home", str(tmp_path)])
    assert_described(document(capsys, tmp_path, "data", "earnings"))
