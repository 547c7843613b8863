"""A picture that stands alone: shown by notebooks, saved as SVG, PNG or HTML."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from forecaster.errors import UsageError
from forecaster.files import check_writable, write_atomically
from forecaster.report.pictures.look import CONFIG, WIDTH, standing_alone

KINDS = (".svg", ".png", ".html")
_SHARPNESS = 2
"""Pixels of a PNG for each pixel of the picture."""


@dataclass(frozen=True)
class Picture:
    """One or more charts below one another.

    Attributes:
        specs: of Vega-Lite, as `finished` gives them.
        captions: of each; in HTML alone.
    """

    specs: Sequence[Mapping[str, Any]]
    captions: Sequence[str]

    def _repr_svg_(self) -> str:
        return self.svg()

    def svg(self) -> str:
        """As SVG, light, without scripts or anything to load."""
        import vl_convert

        found: str = vl_convert.vegalite_to_svg(json.dumps(self._joined()))
        return found

    def html(self) -> str:
        """As a page that opens from disk."""
        from forecaster.report.page import Figure, Section, render_page

        figures = [Figure(spec, caption) for spec, caption in zip(self.specs, self.captions, strict=True)]
        title = str(self.specs[0]["description"])
        return render_page(title, "", [Section("picture", title, figures)])

    def save(self, path: str | Path) -> None:
        """Write it; the file's name says as what.

        Args:
            path: of a file whose name ends in .svg, .png or .html.

        Raises:
            UsageError: the name ends in something else.
            DiskError: the disk fails.
        """
        path = Path(path)
        check_picture(path)
        write_atomically(path, self._content(path.suffix.lower()))

    def _content(self, kind: str) -> bytes | str:
        if kind == ".svg":
            return self.svg()
        if kind == ".html":
            return self.html()
        import vl_convert

        found: bytes = vl_convert.vegalite_to_png(json.dumps(self._joined()), scale=_SHARPNESS)
        return found

    def _joined(self) -> dict[str, Any]:
        """All charts as one specification with colours and widths of its own."""
        specs = [{"title": spec["description"], **spec} for spec in self.specs]
        if len(specs) == 1:
            return standing_alone(specs[0])
        own = [{key: value for key, value in spec.items() if key not in _OF_THE_WHOLE} for spec in specs]
        datasets = {name: rows for spec in self.specs for name, rows in spec.get("datasets", {}).items()}
        joined = {
            "$schema": self.specs[0]["$schema"],
            "config": CONFIG,
            "vconcat": [{**spec, "width": WIDTH} for spec in own],
            "resolve": {"scale": {"color": "independent", "strokeDash": "independent"}},
            "datasets": datasets,
        }
        return standing_alone(joined)


_OF_THE_WHOLE = ("$schema", "config", "autosize", "datasets")


def check_picture(path: Path | None) -> None:
    """See that a picture could be written there, before what it shows is worked out.

    Raises:
        UsageError: the name does not end in .svg, .png or .html.
        DiskError: the folder cannot be written.
    """
    if path is None:
        return
    if path.suffix.lower() not in KINDS:
        raise UsageError(f"{path} is no picture", f"choose a name that ends in {', '.join(KINDS)}")
    if path.is_dir():
        raise UsageError(f"{path} is a folder", "name a file in it")
    check_writable(path.absolute().parent)
