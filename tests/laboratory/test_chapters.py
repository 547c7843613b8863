import importlib.util
from pathlib import Path
from types import ModuleType

import pytest

from forecaster.cli.lab.app import lab_app

ROOT = Path(__file__).parents[2]
CHAPTERS = sorted((ROOT / "docs" / "lab").glob("*.md"))
COMMANDS = [command.callback.__name__ for command in lab_app.registered_commands if command.callback]


@pytest.fixture(scope="module")
def script() -> ModuleType:
    spec = importlib.util.spec_from_file_location("build_lab", ROOT / "scripts" / "build_lab.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def test_every_command_has_a_chapter_that_the_index_names() -> None:
    index = (ROOT / "docs" / "lab" / "README.md").read_text()
    assert {path.stem for path in CHAPTERS} == {*COMMANDS, "README", "claims-quick"}
    for command in COMMANDS:
        assert f"({command}.md)" in index
        assert f"$ forecast lab {command}" in (ROOT / "docs" / "lab" / f"{command}.md").read_text()


@pytest.mark.trial  # and a part of `make lint`
@pytest.mark.parametrize("chapter", CHAPTERS, ids=lambda path: path.stem)
def test_what_needs_no_training_is_what_the_command_prints(chapter: Path, script: ModuleType) -> None:
    assert script.filled(chapter, None) == chapter.read_text()


def test_a_stale_block_is_noticed(tmp_path: Path, script: ModuleType) -> None:
    chapter = tmp_path / "chapter.md"
    command = "forecast lab cell --series 1 --cell rnn --unit 1"
    chapter.write_text(f"<!-- checked -->\n```console\n$ {command}\nold\n```\nrest\n")
    filled = script.filled(chapter, None)
    assert "old" not in filled
    assert "SimpleRNN, unit 1 of 2" in filled
    assert filled.endswith("```\nrest\n")
