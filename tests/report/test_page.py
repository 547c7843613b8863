"""The page: everything in it is escaped, allowed by its policy, and nothing is loaded."""

import base64
import hashlib
import json
import re
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from page_reader import read

from forecaster.report.page import (
    Choice,
    Figure,
    Missing,
    Section,
    Table,
    Text,
    Tiles,
    render_page,
)
from forecaster.report.pictures.picture import Picture

SPEC: dict[str, Any] = {"mark": "point", "data": {"values": []}, "description": "a picture"}
NASTY = "<script>alert(1)</script> [red]x[/red] \"'&`a` </script><!--"


def render_picture(spec: dict[str, Any]) -> str:
    return Picture([spec], [""]).html()


def page_of(text: str) -> str:
    columns = {"closes": {"day": [1], "close": [2.0]}}
    blocks = [
        Text(text),
        Text(text, quiet=True),
        Tiles([(text, text, text)]),
        Missing(text, text),
        Table(text, (text, text), [(text, (text, 1.0)), (text, (text, None))], text, frozenset({0})),
        Figure({**SPEC, "description": text, "datasets": {text: [{text: text}]}}, text),
        Choice(text, SPEC, [text], [columns], [text]),
    ]
    return render_page(text, text, [Section("one", text, blocks), Section("two", text)])


PLAIN = read(page_of("plain"))


def test_the_page_is_whole() -> None:
    assert PLAIN.tags.count("section") == 2
    assert PLAIN.loads == []
    assert len(PLAIN.inside["script"]) == 3
    assert PLAIN.text.count("plain") > 15


@pytest.mark.parametrize("text", [NASTY, "<b>&amp;", "\u2028\u2029", "a`b", "</style><style>*{}"])
def test_no_text_becomes_an_element(text: str) -> None:
    reader = read(page_of(text))
    assert [tag for tag in reader.tags if tag != "code"] == [tag for tag in PLAIN.tags if tag != "code"]
    assert reader.loads == []
    data = json.loads(reader.inside["script"][0])
    assert data["specs"][0]["datasets"] == {text: [{text: text}]}
    assert data["choices"][0]["captions"] == [text]


@given(st.text())
def test_data_cannot_leave_its_element(text: str) -> None:
    from forecaster.report.page import _for_script

    written = _for_script({"text": text})
    assert json.loads(written) == {"text": text}
    assert not re.search(r"[<>&\u2028\u2029]", written)


def test_what_is_quoted_is_code() -> None:
    page = render_page("a", "", [Section("one", "b", [Text("run `forecast <fetch>` now")])])
    assert "run <code>forecast &lt;fetch&gt;</code> now" in page


def test_the_policy_allows_its_own_scripts_and_style_alone() -> None:
    policy = dict(part.split(" ", 1) for part in PLAIN.meta["Content-Security-Policy"].split("; "))
    assert policy["default-src"] == "'none'"
    assert policy["base-uri"] == policy["form-action"] == "'none'"
    _data, *scripts = PLAIN.inside["script"]
    assert policy["script-src"].split() == [hash_of(script) for script in scripts]
    assert policy["style-src-elem"] == hash_of(PLAIN.inside["style"][0])
    assert "unsafe-eval" not in str(policy)
    assert "http" not in PLAIN.meta["Content-Security-Policy"]


def hash_of(text: str) -> str:
    return f"'sha256-{base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()}'"


def test_our_own_code_names_no_address() -> None:
    own = "".join([*PLAIN.inside["style"], PLAIN.inside["script"][2]])
    assert not re.search(r"https?://|//[a-z]+\.", own)
    assert "innerHTML" not in own
    assert "eval(" not in own


def test_cells_sort_by_their_values() -> None:
    rows = [("a", ("1,000", 1000.0), ("–", None)), ("b", ("20", 20.0), ("+1 %", 0.01))]
    page = render_page("x", "", [Section("one", "x", [Table("t", ("n", "v", "w"), rows)])])
    values = re.findall(r'data-value="([^"]*)"', page)
    assert values == ["a", "1000.0", "", "b", "20.0", "0.01"]


def test_one_picture_is_a_page_too() -> None:
    reader = read(render_picture(SPEC))
    assert reader.loads == []
    assert json.loads(reader.inside["script"][0])["specs"] == [SPEC]
    assert "nav" not in reader.tags


def test_infinite_figures_are_null() -> None:
    page = render_picture({**SPEC, "data": {"values": [{"x": float("inf"), "y": float("nan")}]}})
    data = json.loads(read(page).inside["script"][0])
    assert data["specs"][0]["data"]["values"] == [{"x": None, "y": None}]
