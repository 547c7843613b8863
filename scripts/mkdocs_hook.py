"""What the site needs beside MkDocs; mkdocs.yml names this file under `hooks`.

The site has the tree of the repository: README.md is its front page, the chapters stay in docs/, and a file
that a page links to comes along. So a link that works on a forge works in the site as it stands, and no text
is written twice.
"""

import html
import posixpath
import re
from pathlib import Path

from latex2mathml.converter import convert
from mkdocs.config.defaults import MkDocsConfig
from mkdocs.structure.files import File, Files, InclusionLevel

LINK = re.compile(r"\]\((?![a-z]+:)([^)#\s]+)")
FORMULA = re.compile(r'<(span|div) class="arithmatex">\\[(\[](.*?)\\[)\]]</\1>', re.DOTALL)


class CodePage(File):
    """A module that a page links to, shown as a page of highlighted code."""

    def is_documentation_page(self) -> bool:
        """Whether MkDocs makes a page of it: a module's name does not end as Markdown's does."""
        return True

    @property
    def content_string(self) -> str:
        """The page in Markdown; the search leaves it out."""
        code = Path(self.abs_src_path).read_text(encoding="utf-8")
        head = f"---\ntitle: {Path(self.src_uri).name}\nsearch:\n  exclude: true\n---\n"
        return f"{head}\n# `{self.src_uri}`\n\n``````python\n{code}``````\n"


def on_files(files: Files, config: MkDocsConfig) -> Files:
    """Give the chapters their paths in the repository, and add README.md and all that is linked to."""
    root = Path(config.config_file_path).parent
    chapters = [file for file in files if file.src_dir == config.docs_dir]
    for file in chapters:
        files.remove(file)
    waiting = ["README.md", *(f"docs/{file.src_uri}" for file in chapters)]
    while waiting:
        path = waiting.pop()
        if path.startswith("..") or not (root / path).is_file() or files.get_file_from_path(path):
            continue
        kind = CodePage if path.endswith(".py") else File
        file = kind(path, str(root), config.site_dir, config.use_directory_urls)
        if not path.startswith("docs/"):
            # A chapter that the navigation forgets is an error; what lies elsewhere need not be in it.
            file.inclusion = InclusionLevel.NOT_IN_NAV
        files.append(file)
        if path.endswith(".md"):
            folder = posixpath.dirname(path)
            links = LINK.findall((root / path).read_text(encoding="utf-8"))
            waiting += [posixpath.normpath(posixpath.join(folder, link)) for link in links]
    return files


def on_page_content(content: str, **_: object) -> str:
    """Turn formulas into MathML, which browsers show without a script."""
    return FORMULA.sub(_mathml, content)


def _mathml(formula: re.Match[str]) -> str:
    element = formula[1]
    display = "block" if element == "div" else "inline"
    # The converter knows `aligned` by the name that it has outside a formula.
    shown = convert(html.unescape(formula[2]).replace("{aligned}", "{align*}"), display=display)
    return f'<{element} class="arithmatex">{shown}</{element}>'
