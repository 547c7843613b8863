"""One HTML file that opens from disk: text, tables and pictures, and the scripts that draw them.

Nothing in it may load or run anything that is not in it: its Content-Security-Policy names the hashes of its
own scripts and its style sheet. All text is escaped, in HTML by Jinja and in JSON for the scripts here.
"""

import base64
import hashlib
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import cache
from importlib.resources import files
from typing import Any

from forecaster.files import json_value, without_nan
from forecaster.report.pictures.look import DARK, LIGHT

Cell = str | tuple[str, float | str | None]
"""What a table shows; with the value that it is sorted by, where the text itself is not meant."""


@dataclass(frozen=True)
class Text:
    """A paragraph; `quiet` for notes."""

    text: str
    quiet: bool = False


@dataclass(frozen=True)
class Tiles:
    """A few figures side by side: what it is, the figure, what it rests on."""

    tiles: Sequence[tuple[str, str, str]]


@dataclass(frozen=True)
class Figure:
    """A picture with its caption below."""

    spec: Mapping[str, Any]
    caption: str


@dataclass(frozen=True)
class Table:
    """Rows under headings, sorted by a click on one; the first column is of names."""

    title: str
    headings: Sequence[str]
    rows: Sequence[Sequence[Cell]]
    note: str = ""
    marked: frozenset[int] = frozenset()
    """The rows to be told from the others, like the best."""


@dataclass(frozen=True)
class Missing:
    """What is not there, and the command that makes it."""

    what: str
    command: str


@dataclass(frozen=True)
class Choice:
    """One picture of several data sets, of which the reader chooses one.

    Attributes:
        label: what is chosen.
        spec: the picture with empty data sets.
        names: of the choices.
        columns: the columns of each choice's data sets, see `fan_picture`.
        captions: of each choice.
    """

    label: str
    spec: Mapping[str, Any]
    names: Sequence[str]
    columns: Sequence[Mapping[str, Mapping[str, Sequence[Any]]]]
    captions: Sequence[str]


Block = Text | Tiles | Figure | Table | Missing | Choice


@dataclass(frozen=True)
class Section:
    """A chapter of the page."""

    name: str
    title: str
    blocks: Sequence[Block] = field(default_factory=tuple)


def render_page(title: str, subtitle: str, sections: Sequence[Section]) -> str:
    """The whole page.

    Args:
        title: of the document.
        subtitle: the line below it.
        sections: in order; the first stands on the first screen, without a heading of its own.
    """
    specs: list[Mapping[str, Any]] = []
    choices: list[dict[str, Any]] = []

    def picture(spec: Mapping[str, Any]) -> int:
        specs.append(spec)
        return len(specs) - 1

    def choice(block: Choice) -> int:
        choices.append({"columns": block.columns, "captions": block.captions})
        return len(choices) - 1

    style = _style()
    scripts = [drawing_library(), _resource("page.js")]
    body = _template().render(
        title=title,
        subtitle=subtitle,
        sections=sections,
        kind=lambda block: type(block).__name__,
        picture=picture,
        choice=choice,
        text_of=lambda cell: cell if isinstance(cell, str) else cell[0],
        value_of=_sort_value,
        is_text=lambda table, place: bool(table.rows) and isinstance(table.rows[0][place], str),
    )
    data = _for_script({"specs": specs, "choices": choices})
    return _frame(title, style, body, data, scripts)


def _frame(title: str, style: str, body: str, data: str, scripts: Sequence[str]) -> str:
    from markupsafe import escape

    policy = "; ".join(
        [
            "default-src 'none'",
            f"script-src {' '.join(_hash(script) for script in scripts)}",
            f"style-src-elem {_hash(style)}",
            "style-src-attr 'unsafe-inline'",  # the drawings' own attributes
            "base-uri 'none'",
            "form-action 'none'",
        ]
    )
    parts = [
        '<!doctype html>\n<html lang="en"><head><meta charset="utf-8">',
        f'<meta http-equiv="Content-Security-Policy" content="{escape(policy)}">',
        '<meta name="viewport" content="width=device-width, initial-scale=1">',
        '<meta name="color-scheme" content="light dark"><meta name="referrer" content="no-referrer">',
        f"<title>{escape(title)}</title><style>{style}</style></head>\n<body>{body}\n",
        f'<script type="application/json" id="data">{data}</script>\n',
        *(f"<script>{script}</script>\n" for script in scripts),
        "</body></html>\n",
    ]
    return "".join(parts)


def _hash(text: str) -> str:
    return f"'sha256-{base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()}'"


def _for_script(value: Any) -> str:
    """JSON that cannot end the element it stands in."""
    text = json.dumps(without_nan(value), default=json_value, separators=(",", ":"), ensure_ascii=False)
    for letter in "<>&\u2028\u2029":
        text = text.replace(letter, f"\\u{ord(letter):04x}")
    return text


def _sort_value(cell: Cell) -> str:
    if isinstance(cell, str):
        return cell
    return "" if cell[1] is None else str(cell[1])


def _coded(text: str) -> Any:
    """Escaped text, with what stands in `backticks` as code."""
    from markupsafe import Markup, escape

    parts = text.split("`")
    if len(parts) % 2 == 0:  # one of them is no pair's
        return escape(text)
    return Markup("").join(
        Markup("<code>{}</code>").format(part) if place % 2 else part for place, part in enumerate(parts)
    )


def _style() -> str:
    def variables(colours: Mapping[str, str]) -> str:
        return "".join(f"--{name}:{colour};" for name, colour in colours.items())

    light, dark = variables(LIGHT), variables(DARK)
    return (
        f":root{{{light}}}\n"
        f"@media (prefers-color-scheme: dark){{:root:not([data-theme=light]){{{dark}}}}}\n"
        f":root[data-theme=dark]{{{dark}}}\n"
        f"@media print{{:root:root:root{{{light}}}}}\n" + _resource("page.css")
    )


@cache
def drawing_library() -> str:
    """Vega, Vega-Lite and Vega-Embed as one script that sets `vegaEmbed`."""
    import vl_convert

    script: str = vl_convert.javascript_bundle("window.vegaEmbed = vegaEmbed;")
    if "</script" in script.lower() or "<!--" in script:
        raise ValueError("the drawing library cannot stand in a page")
    return script


@cache
def _template() -> Any:
    from jinja2 import Environment, StrictUndefined

    environment = Environment(
        autoescape=True, undefined=StrictUndefined, trim_blocks=True, lstrip_blocks=True
    )
    environment.filters["coded"] = _coded
    return environment.from_string(_resource("page.html.j2"))


@cache
def _resource(name: str) -> str:
    return files("forecaster.report").joinpath("resources", name).read_text(encoding="utf-8")
