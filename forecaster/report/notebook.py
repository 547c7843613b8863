"""How results show themselves in a notebook: sentences, a table, pictures as SVG, nothing to load."""

from collections.abc import Sequence
from typing import TYPE_CHECKING

from forecaster.report.pictures.picture import Picture

if TYPE_CHECKING:
    import pandas as pd


def shown(sentences: Sequence[str], table: "pd.DataFrame", picture: Picture | None = None) -> str:
    """HTML of a result.

    Args:
        sentences: what it comes to.
        table: the figures.
        picture: below them.
    """
    from markupsafe import Markup, escape

    said = Markup("").join(Markup("<p>{}</p>").format(sentence) for sentence in sentences)
    figures = table.to_html(index=False, float_format="{:.6g}".format, border=0, escape=True)
    drawn = "" if picture is None else picture.svg()
    return f"<div>{escape(said)}{figures}{drawn}</div>"
