"""Reads an HTML page: its elements, what it would load, its text, its scripts and styles."""

from html.parser import HTMLParser


class Reader(HTMLParser):
    """Collects elements, what would be loaded, text, and the scripts and styles."""

    def __init__(self) -> None:
        super().__init__()
        self.tags: list[str] = []
        self.loads: list[str] = []
        self.text = ""
        self.inside: dict[str, list[str]] = {"script": [], "style": []}
        self._open = ""
        self.meta: dict[str, str] = {}

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append(tag)
        found = dict(attrs)
        self.loads += [
            f"{tag} {name}={value}" for name, value in attrs if name in {"src", "srcset", "action"}
        ]
        if tag in {"link", "iframe", "object", "embed", "img", "base"}:
            self.loads.append(tag)
        if tag == "a" and not (found.get("href") or "").startswith("#"):
            self.loads.append("a href")
        assert not any(name.startswith("on") for name, _ in attrs)
        if found.get("http-equiv"):
            self.meta[str(found["http-equiv"])] = str(found["content"])
        if tag in self.inside:
            self._open = tag
            self.inside[tag].append("")

    def handle_endtag(self, tag: str) -> None:
        if tag == self._open:
            self._open = ""

    def handle_data(self, data: str) -> None:
        if self._open:
            self.inside[self._open][-1] += data
        else:
            self.text += data


def read(page: str) -> Reader:
    reader = Reader()
    reader.feed(page)
    return reader
