"""What the laboratory's commands share: choosing cells, names for the screen, and pictures."""

from typing import TYPE_CHECKING, Annotated

import typer

from forecaster.cli.completion import complete_cells, complete_daily_cells

if TYPE_CHECKING:
    from rich.console import Console

CellsFlag = Annotated[
    str,
    typer.Option("--cells", help="rnn, lstm, gru, with commas, or all.", autocompletion=complete_daily_cells),
]
AllCellsFlag = Annotated[
    str,
    typer.Option(
        "--cells", help="rnn, lstm, gru, convlstm, with commas, or all.", autocompletion=complete_cells
    ),
]
JobsFlag = Annotated[int, typer.Option("--jobs", help="Processes at once.", min=1, max=1024)]


def whole_numbers(flag: str, text: str, least: int, most: int) -> list[int]:
    """Whole numbers with commas between them, within bounds, each once.

    Raises:
        UsageError: one of them is not such a number.
    """
    from forecaster.errors import UsageError

    try:
        numbers = list(dict.fromkeys(int(part) for part in text.split(",")))
    except ValueError:
        numbers = []
    if not numbers or not all(least <= number <= most for number in numbers):
        raise UsageError(
            f"{flag} {text!r} is not a list of whole numbers from {least} to {most}", "write it like 10,50"
        )
    return numbers


def with_colour(screen: "Console") -> bool:
    """Whether a picture may use the terminal's colours."""
    return screen.is_terminal and not screen.no_color
