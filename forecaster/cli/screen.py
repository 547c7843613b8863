"""What every command shares: where results, progress and errors are printed, and the common flags."""

import json
import os
import sys
from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from forecaster.errors import ForecastError, name_some
from forecaster.files import json_value, without_nan
from forecaster.settings import Settings, current_time, find_home, is_replay, load_settings

if TYPE_CHECKING:
    from rich.console import Console
    from rich.table import Table
    from rich.text import Text

HomeFlag = Annotated[
    Path | None,
    typer.Option(
        "--home", help="Folder with data/ and models/ (else FORECAST_HOME, else here).", show_default=False
    ),
]
JsonFlag = Annotated[bool, typer.Option("--json", help="One JSON document on stdout.")]
QuietFlag = Annotated[bool, typer.Option("--quiet", help="Print errors only.")]


def open_settings(context: typer.Context, home: Path | None) -> Settings:
    """The settings of the home folder given to the command, else to `forecast` itself, else found."""
    chosen = home if home is not None else context.find_root().obj
    return load_settings(find_home(chosen, os.environ, Path.cwd()), os.environ)


def now() -> datetime:
    """The one clock of a command, in UTC."""
    return current_time(os.environ)


def note_replay(home: Path, *, quiet: bool) -> None:
    """Say which day is replayed, where the clock is set to one and there are later prices."""
    from forecaster.prices.market import later_markets, read_market
    from forecaster.prices.store import PriceStore

    if is_replay(os.environ) and later_markets(read_market(PriceStore(home)), now()):
        stderr_console(quiet=quiet).print(
            f"replay: FORECAST_NOW sets the clock to {now():%Y-%m-%d %H:%M} UTC; later prices are not seen",
            style="yellow",
            soft_wrap=True,
        )


def stdout_console(*, quiet: bool = False) -> "Console":
    """The console for what the user asked for: stdout. A string printed on it is one line, as plain text."""
    return _console(quiet=quiet)


def stderr_console(*, quiet: bool = False) -> "Console":
    """The console for progress, notes and warnings: stderr."""
    return _console(stderr=True, quiet=quiet)


def _console(**options: Any) -> "Console":
    from rich.console import Console

    class Printer(Console):
        def render_str(self, text: str, **options: Any) -> "Text":
            """Every string that is printed, alone or in a table, comes by here."""
            return super().render_str(visible(text), **options)

        def on_broken_pipe(self) -> None:
            """Leave it to the command, which ends well: Rich would end it with 1."""
            raise BrokenPipeError

    return Printer(highlight=False, markup=False, emoji=False, **options)


def visible(text: str) -> str:
    """The text with all that a terminal obeys or hides in escaped form, as Python writes it: one line.

    Control characters, line ends, and marks that turn or hide what stands beside them are such.
    """
    if text.isprintable():
        return text
    return "".join(
        letter if letter.isprintable() else letter.encode("unicode_escape").decode() for letter in text
    )


def headline(title: str, rest: str) -> "Text":
    """A line that begins in bold."""
    from rich.text import Text

    return Text.assemble((visible(title), "bold"), visible(rest))


def stacked(*lines: str) -> "Text":
    """Lines below one another in one place, as in a cell or a title."""
    from rich.text import Text

    return Text("\n".join(map(visible, lines)))


def print_picture(screen: "Console", picture: "str | Text") -> None:
    """Print lines that were laid out and made visible already, as those of a chart."""
    from rich.text import Text

    laid_out = picture if isinstance(picture, Text) else Text(picture)
    screen.print(laid_out, no_wrap=True, overflow="ignore", crop=False)


def write_note(line: str) -> None:
    """One line on stderr, plain and whole however wide the terminal is."""
    sys.stderr.write(visible(line) + "\n")


def fail_for(failures: Mapping[str, ForecastError], total: int, what: str) -> None:
    """List the tickers that failed, even with --quiet, and end with the kind of the first if there is one.

    Raises:
        ForecastError: of `total` tickers these could not be `what` ("predicted").
    """
    if not failures:
        return
    for ticker, error in failures.items():
        reason = error.message if ticker in error.message else f"{ticker}: {error.message}"
        write_note(f"failed: {reason}; {error.remedy}")
    first = next(iter(failures.values()))
    raise type(first)(
        f"{len(failures):,} of {total:,} tickers could not be {what}: {name_some(failures)}", first.remedy
    )


def figures_table(title: "str | Text | None", first: str, *headings: str) -> "Table":
    """An empty table of figures under a first column of names, narrow enough for 80 columns."""
    from rich.box import SIMPLE_HEAD
    from rich.table import Table

    table = Table(
        title=title,
        title_justify="left",
        title_style="bold",
        box=SIMPLE_HEAD,
        padding=(0, 1, 0, 0),
        show_edge=False,
    )
    table.add_column(first, no_wrap=True)
    for heading in headings:
        table.add_column(heading, justify="right")
    return table


def plain_table(headings: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    """A table of many rows as text: the first column to the left, the others to the right.

    Rich would take a millisecond for each row.
    """
    lines = [[visible(cell) for cell in row] for row in (headings, *rows)]
    widths = [max(map(len, column)) for column in zip(*lines, strict=True)]
    return "\n".join(
        "  ".join([row[0].ljust(widths[0]), *(map(str.rjust, row[1:], widths[1:]))]).rstrip() for row in lines
    )


def print_json(schema: str, content: Mapping[str, Any]) -> None:
    """One document on stdout; `schema` names its form, and NaN becomes null as JSON has none.

    It is indented for a reader at a terminal only: that takes ten times as long.
    """
    document = without_nan({"schema": schema, **content})
    indent = 2 if sys.stdout.isatty() else None
    sys.stdout.write(json.dumps(document, indent=indent, default=json_value) + "\n")
