"""`forecast fetch`: bring prices into the store, and say what became of each ticker and row."""

from collections import Counter
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from forecaster.cli import screen
from forecaster.cli.completion import complete_tickers
from forecaster.cli.data import AsOfFlag, UniverseFlag
from forecaster.cli.progress import Tally, fetch_progress
from forecaster.errors import (
    BadInputError,
    ForecastError,
    NotFoundError,
    TryLaterError,
    UnavailableError,
    UsageError,
    name_some,
)

if TYPE_CHECKING:
    from forecaster.prices.earnings.fetching import EarningsReport
    from forecaster.prices.fetching import FetchLog, FetchReport


YAHOO = "yahoo"
NAMED_REASONS = 10
NAMED_NOTES = 10

TickersArgument = Annotated[
    list[str] | None,
    typer.Argument(
        metavar="[TICKER]...",
        help="Only these; all of them if none is given.",
        autocompletion=complete_tickers,
    ),
]


def fetch(
    context: typer.Context,
    tickers: TickersArgument = None,
    universe: UniverseFlag = None,
    as_of: AsOfFlag = None,
    source: Annotated[
        str | None,
        typer.Option(
            metavar="yahoo|sample|PATH",
            help="Yahoo Finance; prices that ship with the tool; a CSV or Parquet file; a folder.",
            show_default="yahoo",
        ),
    ] = None,
    earnings: Annotated[
        str | None,
        typer.Option(
            metavar="yahoo|sec|sample|PATH",
            help="Earnings dates too: Yahoo's calendar; filings with the SEC; the sample's; a file with "
            "ticker, date and perhaps when (before, 07:30 …). Without --source a file's dates come alone.",
            show_default=False,
        ),
    ] = None,
    start: Annotated[
        str | None, typer.Option(metavar="DATE", help="Nothing before this day, like 2010-01-31.")
    ] = None,
    timezone: Annotated[
        str | None,
        typer.Option(metavar="ZONE", help="Of a file with times: whose dates are meant, like Asia/Tokyo."),
    ] = None,
    calendar: Annotated[
        str | None,
        typer.Option(
            metavar="NAME",
            help="Of a file: on whose sessions its tickers trade, like XLON, XTKS or 24/7; else it is told "
            "from the tickers and the days.",
        ),
    ] = None,
    daily: Annotated[
        str | None,
        typer.Option(metavar="last", help="Of a file with several bars a day: take each session's last one."),
    ] = None,
    replace: Annotated[
        bool,
        typer.Option(
            "--replace", help="Of a file: put its rows in place of all that is stored of its tickers."
        ),
    ] = False,
    quiet: screen.QuietFlag = False,
    json: screen.JsonFlag = False,
    home: screen.HomeFlag = None,
) -> None:
    """Bring prices into the store.

    Only missing sessions are requested from Yahoo; without tickers, those of all that is stored.
    Where a split, a dividend or a correction has changed the past, the whole history replaces it. The
    exit code is 75 if some tickers failed and 69 if none could be had: run it again later.

    A file holds a row for each ticker and day: ticker, date and close at least; open, high, low,
    adj_close and volume too if there are any; Yahoo's own headings will do. A folder holds one CSV
    file for each ticker, named after it. Every row that is rejected is named with the reason, the
    rest is kept. The exit code is 66 if a ticker that was named is not there.
    """
    from forecaster.home import Home, chosen_sources

    settings = screen.open_settings(context, home)
    if as_of is not None and universe is None:
        raise UsageError("--as-of goes with --universe", "add --universe sp500")
    folder = Home(settings.home)
    source, earnings = chosen_sources(source, earnings)
    request = folder.request(
        tickers or (),
        universe=universe,
        source=source,
        start=start,
        as_of=as_of,
        timezone=timezone,
        calendar=calendar,
        replace=replace,
        daily=daily,
    )
    if universe is not None and not quiet:
        _describe_universe(universe, as_of, settings.home)
    tally = Tally(f"Prices from {source}", len(request.tickers) if source is not None else 0)

    def dates() -> Tally:
        return Tally(f"Earnings dates from {earnings}", len(request.tickers))

    with fetch_progress(tally, dates, quiet=quiet) as (watch, watch_dates):
        report = folder.run_request(request, source, watch, earnings, watch_dates)
    if not quiet:
        _print_log(report.log)
    _print_earnings_log(report.earnings, quiet=quiet)
    if json:
        screen.print_json("forecast.fetch/2", _as_json(report))
    elif not quiet:
        _print_summary(report)
    try:
        if source is not None:
            _raise_failures(report)
    except ForecastError:
        if fault := _earnings_fault(report.earnings):
            screen.write_note(f"warning: {fault}")
        raise
    _raise_earnings_failures(report.earnings)


def _describe_universe(name: str, as_of: str | None, home: Path) -> None:
    """On stderr how many members there are, and how old that knowledge is."""
    from forecaster.prices.universe import find_universe, members_on

    found, today = find_universe(name, home), screen.now().date()
    if found.known_to is not None:
        day, _ = members_on(found, as_of, today)
        for note in found.describe(day, today):
            screen.write_note(note)


def _print_log(log: "FetchLog") -> None:
    """Notes, and a line for each reason to reject rows, on stderr; plain text, as a row may hold anything."""
    lines = [f"note: {note}" for note in log.notes[:NAMED_NOTES]]
    if len(log.notes) > NAMED_NOTES:
        lines.append(f"note: and {len(log.notes) - NAMED_NOTES} more notes; --json names them")
    groups = sorted(log.groups.values(), key=lambda group: -group.count)
    lines += [f"rejected: {group}" for group in groups[:NAMED_REASONS]]
    if more := sum(group.count for group in groups[NAMED_REASONS:]):
        lines.append(f"rejected: and {more:,} more, for other reasons; --json names them")
    for line in lines:
        screen.write_note(line)


def _print_earnings_log(report: "EarningsReport | None", *, quiet: bool) -> None:
    """Moved dates, notes and rejected rows, on stderr."""
    if report is not None and not quiet:
        for moved in report.moved[:NAMED_NOTES]:
            screen.write_note(f"note: the earnings date of {moved}")
        if len(report.moved) > NAMED_NOTES:
            screen.write_note(
                f"note: and {len(report.moved) - NAMED_NOTES} more moved dates; --json names them"
            )
        _print_log(report.log)


def _earnings_fault(report: "EarningsReport | None") -> str:
    """What went wrong with earnings dates, in a sentence; empty if nothing did."""
    if report is None:
        return ""
    if report.error is not None:
        return f"no earnings dates from {report.source}: {report.error.message}"
    if not report.failures:
        return ""
    return (
        f"no earnings dates from {report.source} of {name_some(each.ticker for each in report.failures)}: "
        f"{report.failures[0].reason}"
    )


def _raise_earnings_failures(report: "EarningsReport | None") -> None:
    """End with 75 where earnings dates could not be had and the rest is done.

    Raises:
        TryLaterError: so it is.
    """
    if report is not None and (fault := _earnings_fault(report)):
        remedy = report.error.remedy if report.error is not None else "run the same command later"
        raise TryLaterError(fault, f"prices and forecasts go on without; {remedy}")


def _print_summary(report: "FetchReport") -> None:
    """A row for every outcome and kind of failure there was, on stdout."""
    from forecaster.prices.fetching import FailureKind, Outcome

    if report.earnings is not None and report.earnings.error is None:
        screen.stdout_console().print(_described_earnings(report.earnings), soft_wrap=True)
    if not report.outcomes and not report.failures:
        return
    title = f"Prices from {report.source}"
    table = screen.figures_table(title, "outcome", "tickers", "new rows", "changed rows")
    for outcome in Outcome:
        chosen = [each for each in report.outcomes if each.outcome == outcome]
        added, replaced = sum(each.rows_added for each in chosen), sum(each.rows_replaced for each in chosen)
        if chosen:
            table.add_row(outcome, f"{len(chosen):,}", f"{added:,}", f"{replaced:,}")
    for kind in FailureKind:
        if report.count(kind):
            table.add_row(kind, f"{report.count(kind):,}", "", "")
    console = screen.stdout_console()
    console.print(table)
    incomplete = sum(bool(each.missing_sessions) for each in report.outcomes)
    if incomplete:
        console.print(f"Tickers with sessions missing: {incomplete:,}; see `forecast data status`.")
    if report.log.rejected:
        console.print(f"Rows rejected: {report.log.rejected:,}; the reasons are above.")


def _described_earnings(report: "EarningsReport") -> str:
    counts = {"new": report.added, "changed": report.changed, "moved": len(report.moved)}
    words = ", ".join(f"{what}: {count:,}" for what, count in counts.items())
    none = f"; without any: {name_some(report.without)}" if report.without else ""
    return f"Earnings dates from {report.source}: tickers: {report.tickers:,}; dates {words}{none}."


def _as_json(report: "FetchReport") -> dict[str, Any]:
    from forecaster.prices.fetching import FailureKind, Outcome

    counts = {name.replace(" ", "_"): report.count(name) for name in (*Outcome, *FailureKind)}
    return {
        "source": report.source or None,
        "counts": counts | {"rejected": report.log.rejected},
        "tickers": [asdict(each) for each in report.outcomes],
        "failures": [asdict(each) for each in report.failures],
        "rejections": [asdict(each) for each in report.log.rejections],
        "notes": report.log.notes,
        "earnings": None if report.earnings is None else _earnings_as_json(report.earnings),
    }


def _earnings_as_json(report: "EarningsReport") -> dict[str, Any]:
    return {
        "source": report.source,
        "tickers": report.tickers,
        "added": report.added,
        "changed": report.changed,
        "moved": [each._asdict() for each in report.moved],
        "without": report.without,
        "failures": [asdict(each) for each in report.failures],
        "rejections": [asdict(each) for each in report.log.rejections],
        "notes": report.log.notes,
        "error": None if report.error is None else report.error.message,
    }


def _raise_failures(report: "FetchReport") -> None:
    """End with the error that sums up the failures, if there are any.

    Raises:
        BadInputError: the source has no prices that can be used, or a file's do not fit the stored ones.
        NotFoundError: the source knows none of the tickers, or it is a file, which will not know them later.
        UnavailableError: nothing could be had of any of them.
        TryLaterError: some could not be brought up to date, or the source limits the rate.
    """
    from forecaster.prices.fetching import ON_ANOTHER_SCALE, FailureKind

    served, kinds = bool(report.outcomes), {each.kind for each in report.failures}
    if report.source != YAHOO and FailureKind.KEPT in kinds:
        kept = [each for each in report.failures if each.kind is FailureKind.KEPT]
        for failure in kept if len(kept) > 1 else []:
            screen.write_note(f"kept: {failure.ticker}: {failure.reason}")
        why = kept[0].reason if len(kept) == 1 else "the reasons are above"
        raise BadInputError(f"not merged: {name_some(each.ticker for each in kept)}: {why}", ON_ANOTHER_SCALE)
    if not kinds:
        if not served:
            why = "the first reason is above" if report.log.rejections else "it holds no prices"
            raise BadInputError(f"nothing in {report.source} could be used: {why}", "fix it and try again")
        return
    error: type[ForecastError] = TryLaterError
    remedy = "what is stored stays as it was; run the same command later"
    if kinds == {FailureKind.NOT_FOUND} and (not served or report.source != YAHOO):
        rows = ", and the rejected rows above" if report.log.rejected else ""
        error, remedy = NotFoundError, f"check the spelling{rows}; what is stored stays as it was"
    elif FailureKind.RATE_LIMITED not in kinds and not served and kinds != {FailureKind.KEPT}:
        error = UnavailableError
    raise error(_summed_up(report), remedy)


def _summed_up(report: "FetchReport") -> str:
    from forecaster.prices.fetching import FailureKind

    failures, total = report.failures, len(report.outcomes) + len(report.failures)
    # A ticker that had no turn is no news beside the reason why.
    telling = [each for each in failures if each.kind is not FailureKind.NOT_REQUESTED] or list(failures)
    if total == 1:
        return str(telling[0])
    counts = Counter(each.kind for each in failures)
    kinds = ", ".join(f"{kind} {count}" for kind, count in counts.items())
    return (
        f"{len(failures):,} of {total:,} tickers failed ({kinds}): "
        f"{name_some(each.ticker for each in telling)}; the first: {telling[0].reason}"
    )
