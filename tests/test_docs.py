"""What the documents promise exists: commands, flags and files."""

import re
import shlex
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from typer.main import get_command

from forecaster.cli.main import app

ROOT = Path(__file__).parents[1]
PAGES = [ROOT / "README.md", ROOT / "CONTRIBUTING.md", *sorted((ROOT / "docs").rglob("*.md"))]
GENERATED = {"commands.md"}


def written_commands() -> Iterator[Any]:
    """Every `forecast …` line in a shell block, and `forecast …` in a line of prose."""
    for page in PAGES:
        if page.name in GENERATED:
            continue
        text = page.read_text(encoding="utf-8")
        blocks = "\n".join(re.findall(r"```sh\n(.*?)```", text, re.DOTALL))
        lines = [line for line in blocks.splitlines() if line.startswith("forecast ")]
        for line in [*lines, *re.findall(r"`(forecast [a-z][^`\n]*)`", text)]:
            yield pytest.param(line, id=f"{page.name}: {line.split('#')[0].strip()}")


@pytest.mark.parametrize("line", list(dict.fromkeys(written_commands())))
def test_a_written_command_exists_with_its_flags(line: str) -> None:
    words = shlex.split(line, comments=True)[1:]
    command: Any = get_command(app)
    while words and words[0] in getattr(command, "commands", {}):
        command = command.commands[words.pop(0)]
    assert command.name != "forecast", f"there is no command for {line!r}"
    known = {flag for parameter in command.params for flag in parameter.opts} | {"--help"}
    assert {word for word in words if word.startswith("--")} <= known


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_links_lead_somewhere(page: Path) -> None:
    targets = re.findall(r"\]\((?!https?:)([^)#]+)", page.read_text(encoding="utf-8"))
    missing = [target for target in targets if not (page.parent / target).exists()]
    assert not missing


def test_no_document_names_this_machine() -> None:
    for page in PAGES:
        assert not re.search(r"/(home|root|tmp|work)/", page.read_text(encoding="utf-8")), page.name
