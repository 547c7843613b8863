"""What the documents promise exists: commands, flags, files and anchors; and their site has all of them."""

import re
import shlex
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml
from typer.main import get_command

from forecaster.cli.main import command_line

ROOT = Path(__file__).parents[1]
PAGES = [ROOT / "README.md", ROOT / "CONTRIBUTING.md", *sorted((ROOT / "docs").rglob("*.md"))]
LINKING_PAGES = [*PAGES, ROOT / "CHANGELOG.md", ROOT / "SECURITY.md"]
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
    command: Any = get_command(command_line())
    while words and words[0] in getattr(command, "commands", {}):
        command = command.commands[words.pop(0)]
    assert command.name != "forecast", f"there is no command for {line!r}"
    known = {flag for parameter in command.params for flag in parameter.opts} | {"--help"}
    assert {word for word in words if word.startswith("--")} <= known


def without_code(page: Path) -> str:
    return re.sub(r"^```.*?^```$", "", page.read_text(encoding="utf-8"), flags=re.DOTALL | re.MULTILINE)


def anchors(page: Path) -> set[str]:
    """The anchors that a forge gives to the headings of a page."""
    headings = re.findall(r"^#+ (.+)$", without_code(page), re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-") for heading in headings}


@pytest.mark.parametrize("page", LINKING_PAGES, ids=lambda page: page.name)
def test_links_lead_somewhere(page: Path) -> None:
    missing = []
    for target, anchor in re.findall(r"\]\((?!https?:)([^)#]*)#?([^)]*)\)", without_code(page)):
        path = page.parent / target if target else page
        if not path.exists() or (anchor and anchor not in anchors(path)):
            missing.append(f"{target}#{anchor}")
    assert not missing


def test_an_anchor_is_the_heading_without_its_marks(tmp_path: Path) -> None:
    page = tmp_path / "page.md"
    page.write_text("# A *page*\n## `Model.by_year`, and more – twice\n```sh\n# no heading\n```\n")
    assert anchors(page) == {"a-page", "modelby_year-and-more--twice"}


def pages_of(entries: list[Any]) -> Iterator[str]:
    """The pages that a part of the site's navigation names, in its order."""
    for entry in entries:
        for page in entry.values() if isinstance(entry, dict) else [entry]:
            yield from pages_of(page) if isinstance(page, list) else [page]


def test_the_site_lists_every_document_once() -> None:
    text = (ROOT / "mkdocs.yml").read_text(encoding="utf-8")
    # The base loader makes text of everything, also of the tag that names a function.
    listed = list(pages_of(yaml.load(text, Loader=yaml.BaseLoader)["nav"]))  # noqa: S506
    assert sorted(listed) == sorted(page.relative_to(ROOT).as_posix() for page in LINKING_PAGES)


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The built site."""
    folder = tmp_path_factory.mktemp("site")
    command = [sys.executable, "-m", "mkdocs", "build", "--site-dir", str(folder)]
    built = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    assert built.returncode == 0, built.stderr
    return folder


def test_the_site_loads_nothing_from_elsewhere(site: Path) -> None:
    for file in [*site.rglob("*.html"), *site.rglob("*.css")]:
        text = file.read_text(encoding="utf-8")
        loaded = re.findall(r'<(?!a\b)[^>]*\b(?:src|href)="((?:https?:)?//[^"]*)', text)
        assert not loaded + re.findall(r"url\([\"']?((?:https?:)?//[^)]*)", text), file.name


def test_the_site_shows_formulas_without_a_script(site: Path) -> None:
    page = (site / "docs" / "lab" / "cell.html").read_text(encoding="utf-8")
    assert page.count("<mtr>") == 2  # the LSTM's equations stand in two lines
    assert '<math xmlns="http://www.w3.org/1998/Math/MathML" display="inline"><mrow><mi>c</mi></mrow>' in page
    assert not re.search(r"\\[(\[]", page)


def test_the_site_shows_a_module_that_a_page_links_to(site: Path) -> None:
    assert 'href="forecaster/network/cells.html"' in (site / "index.html").read_text(encoding="utf-8")
    page = (site / "forecaster" / "network" / "cells.html").read_text(encoding="utf-8")
    assert "def run_layer(" in re.sub("<[^>]*>", "", page)


def test_no_document_names_this_machine() -> None:
    for page in LINKING_PAGES:
        assert not re.search(r"/(home|root|tmp|work)/", page.read_text(encoding="utf-8")), page.name
