"""`forecast data earnings`: when companies reported and will, who says so, and since when that was known."""

from typing import TYPE_CHECKING, Annotated, Any

import typer

from forecaster.cli import screen
from forecaster.cli.completion import complete_tickers
from forecaster.errors import NotFoundError, name_some

if TYPE_CHECKING:
    from forecaster.prices.earnings.table import EarningsTable

SHOWN_PAST = 8
LISTED = 40


def show_earnings(
    context: typer.Context,
    tickers: Annotated[
        list[str] | None,
        typer.Argument(
            metavar="[TICKER]...",
            help="Only these; all of them if none is given.",
            autocompletion=complete_tickers,
        ),
    ] = None,
    every: Annotated[bool, typer.Option("--all", help="List every date, however many there are.")] = False,
    json: screen.JsonFlag = False,
    home: screen.HomeFlag = None,
) -> None:
    """List past and coming earnings dates: when on the day, how certain, from which source.

    A date is reported, scheduled by the company, or projected: by its source, or, where none is known, from
    the same quarter of last year. Where sources differ a file of your own goes before the SEC's filings,
    these before Yahoo's calendar, and that before the dates that ship with the sample. Of tickers that are
    named the last 8 dates are shown and those to come, of all tickers the next ones, unless --all is given.
    """
    from forecaster.prices.calendar import local_date
    from forecaster.prices.earnings.projection import expected_dates
    from forecaster.prices.earnings.store import EarningsStore
    from forecaster.prices.table import checked_ticker

    store = EarningsStore(screen.open_settings(context, home).home)
    today = local_date(screen.now())
    found = expected_dates(store.read().table, today)
    chosen = list(dict.fromkeys(checked_ticker(ticker) for ticker in tickers or ()))
    if not len(found):
        raise NotFoundError(
            f"no earnings dates are stored in {store.path.parent}",
            "run `forecast fetch --source sample`, or `forecast fetch --earnings FILE`",
        )
    if missing := [ticker for ticker in chosen if ticker not in found.ticker]:
        raise NotFoundError(
            f"no earnings dates are stored of {name_some(missing)}",
            "bring them with `forecast fetch --earnings`",
        )
    if chosen:
        found = found.of(chosen)
    if json:
        document = {"today": today, "dates": [_as_json(found, row) for row in range(len(found))]}
        screen.print_json("forecast.data-earnings/1", document)
        return
    _print_table(found, today, named=bool(chosen), every=every)


def _print_table(found: "EarningsTable", today: Any, *, named: bool, every: bool) -> None:
    import numpy as np

    console = screen.stdout_console()
    moved, found = found.take(~found.live), found.take(found.live)
    coming = found.date >= today
    if every:
        rows = np.arange(len(found))
    elif named:
        past = np.flatnonzero(~coming)
        last = np.searchsorted(found.ticker[past], found.ticker[past], "right")
        recent = past[last - np.arange(len(past)) <= SHOWN_PAST]
        rows = np.sort(np.concatenate([recent, np.flatnonzero(coming)]))
    else:
        rows = np.flatnonzero(coming)
        rows = rows[np.argsort(found.date[rows], kind="stable")][:LISTED]
    if len(rows):
        table = screen.figures_table(None, "ticker", "date", "when", "status", "source", "known since")
        for row in rows:
            since = "" if np.isnat(found.announced[row]) else str(found.announced[row])
            source = screen.visible(str(found.source[row]))[:20]
            cells = (found.ticker, found.date, found.when, found.status)
            table.add_row(*(str(column[row]) for column in cells), source, since)
        console.print(table)
    for place in range(len(moved)) if named or every else ():
        console.print(
            f"{moved.ticker[place]}: {moved.date[place]} was expected from {moved.announced[place]} "
            f"to {moved.withdrawn[place]} ({moved.source[place]})",
            soft_wrap=True,
        )
    console.print(
        f"Tickers: {len(set(found.ticker.tolist())):,}; past dates: {int((~coming).sum()):,}; coming: "
        f"{int(coming.sum()):,}, of them projected: {int((found.status[coming] == 'projected').sum()):,}.",
        soft_wrap=True,
    )


def _as_json(found: "EarningsTable", row: int) -> dict[str, Any]:
    import numpy as np

    def day(value: Any) -> str | None:
        return None if np.isnat(value) else str(value)

    return {
        "ticker": str(found.ticker[row]),
        "date": str(found.date[row]),
        "when": str(found.when[row]),
        "status": str(found.status[row]),
        "source": str(found.source[row]),
        "known_since": day(found.announced[row]),
        "withdrawn": day(found.withdrawn[row]),
    }
