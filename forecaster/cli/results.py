"""What commands with results share: keeping them for the report, and their pictures."""

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from forecaster.cli.screen import now, stderr_console, write_note

if TYPE_CHECKING:
    from forecaster.report.pictures.picture import Picture

SaveFlag = Annotated[
    Path | None,
    typer.Option(
        "--save", metavar="PICTURE", help="A picture, to this .svg, .png or .html file.", show_default=False
    ),
]


def keep(home: Path, schema: str, content: Mapping[str, Any]) -> None:
    """Keep a result for the report; what cannot be written costs a warning.

    Args:
        home: the folder.
        schema: as for `print_json`.
        content: as for `print_json`.
    """
    from forecaster.report import kept

    if fault := kept.keep(home, {"schema": schema, **content}, now()):
        write_note(f"warning: {fault}")


def check_save(path: Path | None) -> None:
    """See that the picture can be written, before what it shows is worked out.

    Raises:
        UsageError: its name does not end in .svg, .png or .html, or it is a folder.
        DiskError: its folder cannot be written.
    """
    if path is not None:
        from forecaster.report.pictures.picture import check_picture

        check_picture(path)


def save_picture(path: Path | None, schema: str, content: Mapping[str, Any], *, quiet: bool) -> None:
    """Write what a result looks like, if a picture is wanted.

    Raises:
        DiskError: the disk fails.
    """
    if path is not None:
        from forecaster.files import plain
        from forecaster.report.pictures.gallery import picture_of

        write_picture(path, picture_of(plain({"schema": schema, **content})), quiet=quiet)


def write_picture(path: Path, picture: "Picture", *, quiet: bool) -> None:
    """Write a picture, and say where.

    Raises:
        DiskError: the disk fails.
    """
    picture.save(path)
    stderr_console(quiet=quiet).print(f"The picture is in {path}.", soft_wrap=True)
