"""`forecast data universe`, and the flags by which other commands name a universe."""

import sys
from datetime import date
from typing import TYPE_CHECKING, Annotated

import typer

from forecaster.cli import screen

if TYPE_CHECKING:
    from pathlib import Path

    from forecaster.prices.universe import Universe

UniverseFlag = Annotated[
    str | None,
    typer.Option(
        metavar="sp500|sample|FILE",
        help="These tickers: the S&P 500's, the sample's, or a file's, one a line.",
        show_default=False,
    ),
]
AsOfFlag = Annotated[
    str | None,
    typer.Option("--as-of", metavar="DATE", help="Members of that day.", show_default="today"),
]


def universe(
    context: typer.Context,
    name: Annotated[
        str, typer.Option("--universe", metavar="sp500|sample|FILE", help="Which universe.")
    ] = "sp500",
    as_of: AsOfFlag = None,
    json: screen.JsonFlag = False,
    home: screen.HomeFlag = None,
) -> None:
    """Show who belongs to a universe on a day, how many they are, and how old that knowledge is.

    The S&P 500's list is complete from about 2012 on. A list of one's own is a file with a symbol a
    line, or a CSV file with a column symbol and perhaps the columns first and last, the days of
    membership; data/universe/NAME.csv can be called by its name.
    """
    from forecaster.prices.universe import find_universe

    found = find_universe(name, screen.open_settings(context, home).home)
    day, members = members_asked(found, as_of)
    remarks = found.describe(day, screen.now().date())
    if json:
        document = {
            "universe": found.name,
            "source": found.source,
            "as_of": day,
            "known_to": found.known_to,
            "complete_from": found.complete_from,
            "remarks": remarks,
            "count": len(members),
            "members": members,
        }
        screen.print_json("forecast.data-universe/1", document)
        return
    from rich.columns import Columns
    from rich.text import Text

    console = screen.results()
    for remark in remarks:
        console.print(remark, markup=False)
    console.print()
    console.print(Columns([Text(symbol) for symbol in members], equal=True, column_first=True))


def members_asked(found: "Universe", as_of: str | None) -> tuple[date, list[str]]:
    """The day that --as-of names, and the members on it, of whom there is at least one."""
    from forecaster.errors import NotFoundError
    from forecaster.prices.universe import day_asked

    day = day_asked(found, as_of, screen.now().date())
    members = found.members(day)
    if not members:
        raise NotFoundError(f"{found.name} had no member on {day}", "choose a later day")
    return day, members


def universe_to_fetch(name: str, as_of: str | None, home: "Path", *, quiet: bool) -> list[str]:
    """The members to fetch; on stderr how many they are and how old that knowledge is."""
    from forecaster.prices.universe import find_universe

    found = find_universe(name, home)
    day, members = members_asked(found, as_of)
    if not quiet and found.known_to is not None:
        sys.stderr.write("".join(f"{remark}\n" for remark in found.describe(day, screen.now().date())))
    return members
