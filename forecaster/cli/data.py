"""`forecast data`: what is stored, its age and gaps; verify and repair it; universes; export."""

from collections import Counter
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from forecaster.cli import screen
from forecaster.cli.completion import complete_tickers, complete_universes
from forecaster.cli.earnings import show_earnings
from forecaster.errors import DiskError, ExitCode, UsageError, name_some

if TYPE_CHECKING:
    from pathlib import Path

    from rich.table import Table

    from forecaster.prices.fetching import Failure
    from forecaster.prices.health import TickerHealth
    from forecaster.prices.store import PriceStore
    from forecaster.settings import Settings


LISTED = 40
NAMED_GAPS = 20
DATE_LENGTH = 10

data_app = typer.Typer(
    help="What is in the store, how old it is, and whether it is sound.", no_args_is_help=True
)
TickersArgument = Annotated[
    list[str] | None,
    typer.Argument(
        metavar="[TICKER]...",
        help="Only these; all of them if none is given.",
        autocompletion=complete_tickers,
    ),
]


@data_app.command()
def status(
    context: typer.Context,
    tickers: TickersArgument = None,
    every: Annotated[bool, typer.Option("--all", help="List every ticker, however many there are.")] = False,
    json: screen.JsonFlag = False,
    home: screen.HomeFlag = None,
) -> None:
    """Show each ticker's span, its gaps against its exchange's calendar, its age, and when it was fetched.

    The age is how many sessions have closed since the last price. Tickers that are named are told in
    full: which sessions are missing, which of them will be requested again, what was restated. Of more
    than 40 tickers the ones in the worst state are shown, unless --all is given.
    """
    from forecaster.prices.health import check_health
    from forecaster.prices.market import sound_stocks

    store, chosen = _open_store(context, home, tickers)
    sound, moment = sound_stocks(store), screen.now()
    healths = [check_health(store, ticker, moment, sound=ticker in sound) for ticker in chosen]
    if json:
        screen.print_json("forecast.data-status/2", _status_as_json(store, healths))
        return
    shown = healths
    if len(healths) > LISTED and not every:
        shown = sorted(healths, key=_badness, reverse=True)[:LISTED]
    console = screen.stdout_console()
    console.print(_status_table(shown))
    for health in healths if tickers else []:
        for line in _details(health):
            console.print(line, soft_wrap=True)
    console.print(_status_summary(healths, len(shown)), soft_wrap=True)


@data_app.command()
def verify(
    context: typer.Context,
    tickers: TickersArgument = None,
    repair: Annotated[
        bool, typer.Option("--repair", help="Fetch the damaged anew from Yahoo, their whole history.")
    ] = False,
    json: screen.JsonFlag = False,
    home: screen.HomeFlag = None,
) -> None:
    """Check every file's digest and prices; exit with 1 if any is damaged and stays so.

    Moves that cannot be right are named too: a step by 100 as between pence and pounds, a split that the
    adjusted close lacks, an adjusted close that moves by itself. They are no damage: the file says what its
    source said. Fetch such a ticker anew, or import it with --replace.
    """
    store, chosen = _open_store(context, home, tickers)
    found, unreadable = _damaged(store, chosen)
    sound = [ticker for ticker in chosen if ticker not in found and ticker not in unreadable]
    odd = {ticker: moves for ticker in sound if (moves := _odd(store, ticker))}
    left, failures = found, list["Failure"]()
    if found and repair:
        failures = _repair(screen.open_settings(context, home), store, found)
        left, _ = _damaged(store, list(found))
    if json:
        listed = [
            {"ticker": ticker, "complaints": complaints, "repaired": ticker not in left}
            for ticker, complaints in found.items()
        ]
        reasons = {ticker: str(error) for ticker, error in unreadable.items()}
        content = {"checked": len(chosen), "damaged": listed, "unreadable": reasons, "odd": odd}
        screen.print_json("forecast.data-verify/1", content)
    else:
        console = screen.stdout_console()
        for ticker, complaints in found.items():
            console.print(f"{ticker}: {'; '.join(complaints)}", soft_wrap=True)
        for ticker, error in unreadable.items():
            console.print(f"{ticker}: {error}", soft_wrap=True)
        for ticker, moves in odd.items():
            console.print(f"{ticker} looks wrong: {name_some(moves)}", soft_wrap=True)
        repaired = f"; repaired: {len(found) - len(left):,}" if repair else ""
        strange = f"; with moves that look wrong: {len(odd):,}" if odd else ""
        barred = f"; not readable: {len(unreadable):,}" if unreadable else ""
        console.print(f"Checked: {len(chosen):,}; damaged: {len(found):,}{repaired}{barred}{strange}.")
        for failure in failures:
            console.print(str(failure), soft_wrap=True)
        if left:
            advice = "Try again later" if repair else "`forecast data verify --repair` fetches them anew"
            console.print(f"{advice}, or remove the damaged files.")
    if left or unreadable:
        raise typer.Exit(ExitCode.FAILED if left else ExitCode.DISK)


def _damaged(store: "PriceStore", tickers: list[str]) -> tuple[dict[str, list[str]], dict[str, DiskError]]:
    """What is wrong with each ticker's file with which something is, and which cannot be read."""
    found: dict[str, list[str]] = {}
    unreadable: dict[str, DiskError] = {}
    for ticker in tickers:
        try:
            if complaints := store.verify(ticker, screen.now()):
                found[ticker] = complaints
        except DiskError as error:
            unreadable[ticker] = error
    return found, unreadable


def _odd(store: "PriceStore", ticker: str) -> list[str]:
    from forecaster.prices.soundness import odd_moves

    return [f"{move.day}: {move.reason}" for move in odd_moves(store.read(ticker))]


def _repair(settings: "Settings", store: "PriceStore", damaged: dict[str, list[str]]) -> list["Failure"]:
    from forecaster.files import home_lock
    from forecaster.prices.fetching import Request, fetch_prices
    from forecaster.prices.yahoo.fetch import YahooSource

    source, request = YahooSource(settings, damaged), Request(tuple(damaged), screen.now())
    with home_lock(settings.home):
        return list(fetch_prices(source, store, request, lambda _: None).failures)


@data_app.command()
def export(
    context: typer.Context,
    output: Annotated[Path, typer.Option("--output", metavar="FILE", help="Where to: .csv or .parquet.")],
    tickers: TickersArgument = None,
    quiet: screen.QuietFlag = False,
    json: screen.JsonFlag = False,
    home: screen.HomeFlag = None,
) -> None:
    """Write a copy in long form, one row for each ticker and day, which `fetch --source` takes back."""
    from forecaster.prices.export import export_prices

    store, chosen = _open_store(context, home, tickers)
    exported = export_prices(store, chosen, output)
    if json:
        reasons = {ticker: str(error) for ticker, error in exported.failures.items()}
        content = {"output": output, "tickers": exported.tickers, "rows": exported.rows, "failures": reasons}
        screen.print_json("forecast.data-export/1", content)
    else:
        text = f"Rows written to {output}: {exported.rows:,}; tickers: {len(exported.tickers):,}."
        screen.stdout_console(quiet=quiet).print(text, soft_wrap=True)
    screen.fail_for(exported.failures, len(chosen), "exported")


def _open_store(
    context: typer.Context, home: Path | None, tickers: list[str] | None
) -> tuple["PriceStore", list[str]]:
    """The store and the tickers chosen in it, each of which is there."""
    from forecaster.prices.store import PriceStore, empty_store
    from forecaster.prices.table import checked_ticker

    store = PriceStore(screen.open_settings(context, home).home)
    stored = store.tickers()
    if not stored:
        raise empty_store(store)
    chosen = list(dict.fromkeys(checked_ticker(ticker) for ticker in tickers or stored))
    for ticker in chosen:
        store.require(ticker)
    return store, chosen


def _badness(health: "TickerHealth") -> tuple[bool, int, int]:
    return bool(health.damage), health.age, len(health.gaps)


def _status_table(healths: list["TickerHealth"]) -> "Table":
    from rich.table import Table

    from forecaster.prices.exchanges import XNYS

    table = Table()
    table.add_column("ticker", no_wrap=True)
    table.add_column("first", no_wrap=True)
    table.add_column("last", no_wrap=True)
    for heading in ("rows", "gaps", "age"):
        table.add_column(heading, justify="right", no_wrap=True)
    table.add_column("source", max_width=8, overflow="ellipsis", no_wrap=True)
    # Of other exchanges or currencies these are more telling than the day of the fetch, and fit in its place.
    elsewhere = any(each.calendar != XNYS or each.currency not in ("", "USD") for each in healths)
    table.add_column("calendar" if elsewhere else "fetched", no_wrap=True)
    for health in healths:
        if health.damage:
            table.add_row(health.ticker, "unreadable" if health.unreadable else "damaged")
            continue
        table.add_row(
            *(health.ticker, health.first, health.last),
            *(f"{health.rows:,}", str(len(health.gaps)), str(health.age)),
            Path(health.source).name,
            f"{health.calendar} {health.currency}" if elsewhere else health.fetched_at[:DATE_LENGTH],
        )
    return table


def _details(health: "TickerHealth") -> list[str]:
    """What the table has no room for."""
    from forecaster.dataset.panel import BRIDGE_SPAN, MOST_BRIDGED

    lines = []
    if len(health.gaps):
        named = name_some(health.gaps, NAMED_GAPS)
        lines.append(
            f"{health.ticker} has no price of {named}; forecasts bridge at most "
            f"{MOST_BRIDGED} of {BRIDGE_SPAN} sessions"
        )
    if health.pending:
        lines.append(
            f"{health.ticker}: to be requested again: {name_some(health.pending, NAMED_GAPS)}; "
            f"last requested {health.fetched_at}"
        )
    if health.restatements:
        lines.append(f"{health.ticker}: restated {health.restatements} times, last on {health.restated}")
    if health.odd:
        lines.append(f"{health.ticker} looks wrong: {name_some(health.odd)}")
    lines += [
        f"{health.ticker}: {day} has a dividend of {dividend:g} and a split of {split:g}, and no price yet"
        for day, dividend, split in health.events
    ]
    return lines


def _status_summary(healths: list["TickerHealth"], shown: int) -> str:
    from forecaster.dataset.panel import MOST_BRIDGED
    from forecaster.prices.exchanges import XNYS

    sound = [health for health in healths if not health.damage]
    parts = [f"Tickers: {len(healths):,}; rows: {sum(health.rows for health in sound):,}"]
    if sound:
        parts[0] += f", {min(health.first for health in sound)} to {max(health.last for health in sound)}"
        with_gaps = sum(len(health.gaps) > 0 for health in sound)
        stale = sum(health.age > 0 for health in sound)
        parts.append(f"with gaps: {with_gaps:,}; behind the last closed session: {stale:,}")
        pending, restated = (
            sum(bool(each.pending) for each in sound),
            sum(each.restatements for each in sound),
        )
        parts.append(f"with sessions to request again: {pending:,}; restatements seen: {restated:,}")
    counted = Counter(each.calendar for each in sound)
    if set(counted) - {XNYS}:
        parts.append("calendars: " + ", ".join(f"{name} {count:,}" for name, count in counted.most_common()))
    if bridged := sum(0 < each.recent_gaps <= MOST_BRIDGED for each in sound):
        parts.append(f"with recent gaps that forecasts bridge: {bridged:,}")
    if broken := [each.ticker for each in sound if each.recent_gaps > MOST_BRIDGED]:
        parts.append(f"with too many to bridge: {name_some(broken)}")
    if odd := [each.ticker for each in sound if each.odd]:
        parts.append(f"with moves that look wrong: {name_some(odd)}")
    unreadable = sum(each.unreadable for each in healths)
    parts.append(f"damaged: {len(healths) - len(sound) - unreadable:,}")
    if unreadable:
        parts.append(f"not readable: {unreadable:,}")
    if len(sound) < len(healths):
        parts.append("`forecast data verify` says what is wrong")
    if shown < len(healths):
        parts.append(f"shown are the {shown} in the worst state, --all lists every one")
    return "; ".join(parts) + "."


def _status_as_json(store: "PriceStore", healths: list["TickerHealth"]) -> dict[str, Any]:
    listed = []
    for health in healths:
        row = dict(vars(health))
        row["gap_dates"] = [str(day) for day in health.gaps[:NAMED_GAPS]]
        row["gaps"] = len(health.gaps)
        row["odd"] = list(health.odd[:NAMED_GAPS])
        row["pending"] = len(health.pending)
        row["pending_dates"] = list(health.pending[:NAMED_GAPS])
        listed.append(row)
    return {"store": store.folder, "tickers": listed}


UniverseFlag = Annotated[
    str | None,
    typer.Option(
        metavar="sp500|sample|FILE",
        help="These tickers: the S&P 500's, the sample's, or a file's, one a line.",
        show_default=False,
        autocompletion=complete_universes,
    ),
]
AsOfFlag = Annotated[
    str | None,
    typer.Option("--as-of", metavar="DATE", help="Members of that day.", show_default="today"),
]


def show_universe(
    context: typer.Context,
    name: Annotated[
        str | None,
        typer.Argument(
            metavar="[sp500|sample|FILE]",
            help="Which universe.",
            show_default="sp500",
            autocompletion=complete_universes,
        ),
    ] = None,
    universe: UniverseFlag = None,
    as_of: AsOfFlag = None,
    json: screen.JsonFlag = False,
    home: screen.HomeFlag = None,
) -> None:
    """Show who belongs to a universe on a day, how many they are, and how old that knowledge is.

    The S&P 500's list is complete from about 2012 on. A list of one's own is a file with a symbol a
    line, or a CSV file with a column symbol and perhaps the columns first and last (or start_date and
    end_date), the days of membership; data/universe/NAME.csv can be called by its name.
    """
    from forecaster.prices.universe import find_universe, members_on

    if name is not None and universe is not None:
        raise UsageError(f"two universes, {name} and {universe}", "give one of them")
    found = find_universe(name or universe or "sp500", screen.open_settings(context, home).home)
    day, members = members_on(found, as_of, screen.now().date())
    notes = found.describe(day, screen.now().date())
    if json:
        document = {
            "universe": found.name,
            "source": found.source,
            "as_of": day,
            "known_to": found.known_to,
            "complete_from": found.complete_from,
            "notes": notes,
            "count": len(members),
            "members": members,
        }
        screen.print_json("forecast.data-universe/2", document)
        return
    from rich.columns import Columns

    console = screen.stdout_console()
    for note in notes:
        console.print(note)
    console.print()
    console.print(Columns(members, equal=True, column_first=True))


data_app.command("universe")(show_universe)
data_app.command("earnings")(show_earnings)
