"""Changes to one value of a JSON document: what no change of bytes would make of it."""

from copy import deepcopy
from random import Random
from typing import Any

VALUES: tuple[Any, ...] = (
    *(None, True, False, 0, 1, -1, 2**31, 2**63, -(2**63), 10**400, 0.5, 1e308, -1e308),
    *(
        float("nan"),
        float("inf"),
        "",
        "AAA",
        "2026-11-20",
        "0001-01-01",
        "\x00",
        "\u202e",
        "\ud800",
        "x" * 300,
    ),
    *([], {}, [None], [[]], {"a": 1}, [1] * 300),
)


def with_other_value(document: Any, random: Random) -> Any:
    """The document with one value replaced, left out, doubled, or put under another name."""
    places: list[tuple[Any, ...]] = [(), *_places(document)]
    path = random.choice(places)
    if not path:
        return random.choice(VALUES)
    whole = deepcopy(document)
    outer = whole
    for key in path[:-1]:
        outer = outer[key]
    key = path[-1]
    action = random.randrange(6)
    if action == 0:
        del outer[key]
    elif action == 1 and isinstance(outer, list):
        outer.insert(random.randrange(len(outer) + 1), deepcopy(outer[key]))
    elif action == 1:
        outer[random.choice([*outer, "more"])] = deepcopy(outer[key])
    elif action == 2:
        outer[key] = deepcopy(_at(document, random.choice(places)))
    elif action == 3 and isinstance(outer[key], int | float):
        outer[key] = outer[key] * random.choice((-1, 0, 1e-6, 1.5, 1000, 86_400)) + random.choice((0, 1, -1))
    else:
        outer[key] = random.choice(VALUES)
    return whole


def _places(value: Any, path: tuple[Any, ...] = ()) -> list[tuple[Any, ...]]:
    items = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    found: list[tuple[Any, ...]] = []
    for key, inner in items:
        found += [(*path, key), *_places(inner, (*path, key))]
    return found


def _at(document: Any, path: tuple[Any, ...]) -> Any:
    for key in path:
        document = document[key]
    return document
