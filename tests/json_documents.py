"""What docs/json.md says of each JSON document that a command prints."""

import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

_TEXT = (Path(__file__).parents[1] / "docs" / "json.md").read_text(encoding="utf-8")
_SECTIONS = re.split(r"^## ", _TEXT, flags=re.MULTILINE)[1:]
_FIELD = re.compile(r"^\| `([^`]+)` \|", re.MULTILINE)
DOCUMENTED = {section.split("\n", 1)[0]: _FIELD.findall(section) for section in _SECTIONS}


def documented_fields(schema: str) -> tuple[set[str], dict[str, set[str]]]:
    """The fields at the top, and those of the items of each list."""
    top, nested = set[str](), dict[str, set[str]]()
    for field in DOCUMENTED[schema]:
        name, _, item = field.partition("[].")
        top.add(name)
        if item:
            nested.setdefault(name, set()).add(item)
    return top, nested


def assert_described(document: Mapping[str, Any], *also: str) -> None:
    """The document has the fields that are described under its schema and those of `also`, and no others.

    An item of a list may lack some of them: a baseline has no units.
    """
    top, nested = documented_fields(document["schema"])
    for other in also:
        top |= documented_fields(other)[0]
    assert set(document) - {"schema"} == top
    for name, fields in nested.items():
        assert document[name], f"{name} is empty"
        assert set().union(*document[name]) == fields, name
