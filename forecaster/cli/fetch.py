"""`forecast fetch`: bring prices into the store, and say what became of each ticker and row."""

import sys
import time
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import asdict, replace
from datetime import date
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from forecaster.cli import screen
from forecaster.cli.data import AsOfFlag, UniverseFlag, universe_to_fetch
from forecaster.errors import (
    BadInputError,
    ForecastError,
    NotFoundError,
    TryLaterError,
    UnavailableError,
    UsageError,
)

if TYPE_CHECKING:
    from forecaster.prices.fetching import FetchReport, PriceSource, Request
    from forecaster.prices.store import PriceStore
    from forecaster.prices.yahoo.fetch import Failure, YahooReport
    from forecaster.settings import Settings


NAMED_REJECTIONS = 20
NAMED_NOTES = 10

TickersArgument = Annotated[
    list[str] | None, typer.Argument(metavar="[TICKER]...", help="Only these; all of them if none is given.")
]


def fetch(
    context: typer.Context,
    tickers: TickersArgument = None,
    universe: UniverseFlag = None,
    as_of: AsOfFlag = None,
    source: Annotated[
        str,
        typer.Option(
            metavar="yahoo|sample|PATH",
            help="Yahoo Finance; prices that ship with the tool; a CSV or Parquet file; a folder.",
        ),
    ] = "yahoo",
    start: Annotated[
        str | None, typer.Option(metavar="DATE", help="Nothing before this day, like 2010-01-31.")
    ] = None,
    quiet: screen.QuietFlag = False,
    json: screen.JsonFlag = False,
    home: screen.HomeFlag = None,
) -> None:
    """Bring prices into the store.

    Yahoo is asked only for sessions that are missing; without tickers, for those of all that is stored.
    Where a split, a dividend or a correction has changed the past, the whole history replaces it. The
    exit code is 75 if some tickers failed and 69 if none could be had: run it again later.

    A file holds a row for each ticker and day: ticker, date and close at least; open, high, low,
    adj_close and volume too if there are any; Yahoo's own headings will do. A folder holds one CSV
    file for each ticker, named after it. Every row that is refused is named with the reason, the
    rest is kept.
    """
    from forecaster.files import home_lock
    from forecaster.prices.fetching import fetch_prices
    from forecaster.prices.store import PriceStore

    settings = screen.open_settings(context, home)
    if as_of is not None and universe is None:
        raise UsageError("--as-of goes with --universe", "add --universe sp500")
    listed = universe_to_fetch(universe, as_of, settings.home, quiet=quiet) if universe is not None else []
    request = _request(tickers or [], listed, start)
    if source == "yahoo":
        _fetch_yahoo(settings, request, quiet=quiet, json=json)
        return
    chosen = _source(source)
    with home_lock(settings.home), _progress(quiet=quiet) as progress:
        report = fetch_prices(chosen, PriceStore(settings.home), request, progress)
    if not quiet:
        _print_remarks(report)
    if json:
        screen.print_json("forecast.fetch/1", _as_json(report))
    elif report.outcomes and not quiet:
        _print_summary(report)
    _complain_of_missing(report)


def _source(text: str) -> "PriceSource":
    from forecaster.prices.importing.files import FileSource
    from forecaster.prices.sample import SampleSource

    return SampleSource() if text == "sample" else FileSource(Path(text).expanduser())


def _fetch_yahoo(settings: "Settings", request: "Request", *, quiet: bool, json: bool) -> None:
    from forecaster.prices.store import PriceStore

    store = PriceStore(settings.home)
    if not request.tickers:
        request = replace(request, tickers=tuple(store.tickers()))
    report = fetch_with_progress(settings, store, request, quiet=quiet)
    if not quiet:
        _print_remarks(report)
    if json:
        screen.print_json("forecast.fetch/1", _yahoo_as_json(report))
    elif not quiet:
        _print_yahoo_summary(report)
    complain_of_failures(report)


def _request(tickers: list[str], listed: list[str], start: str | None) -> "Request":
    from forecaster.prices.fetching import Request
    from forecaster.prices.table import checked_ticker

    asked = [*(checked_ticker(ticker) for ticker in tickers), *listed]
    return Request(tuple(dict.fromkeys(asked)), screen.now(), _day(start))


def _day(text: str | None) -> Any:
    import numpy as np

    if text is None:
        return None
    try:
        return np.datetime64(date.fromisoformat(text), "D")
    except ValueError:
        raise UsageError(f"--start {text} is not a date", "write it like 2010-01-31") from None


@contextmanager
def _progress(*, quiet: bool) -> Iterator[Callable[[str], None]]:
    """A counter on stderr that is told each ticker; on a terminal only."""
    if quiet or not sys.stderr.isatty():
        yield lambda _: None
        return
    count = 0
    with screen.stderr_console().status("reading") as status:

        def advance(ticker: str) -> None:
            nonlocal count
            count += 1
            status.update(f"{count} tickers, {ticker}")

        yield advance


def _print_remarks(report: "FetchReport | YahooReport") -> None:
    """Notes and the first refused rows, one line each, on stderr; plain text, as a row may hold anything."""
    lines = [f"note: {note}" for note in report.log.notes[:NAMED_NOTES]]
    if len(report.log.notes) > NAMED_NOTES:
        lines.append(f"note: and {len(report.log.notes) - NAMED_NOTES} more notes of this kind")
    lines += [f"refused: {rejection}" for rejection in report.log.rejections[:NAMED_REJECTIONS]]
    if report.log.refused > NAMED_REJECTIONS:
        lines.append(f"refused: and {report.log.refused - NAMED_REJECTIONS} more")
    sys.stderr.write("".join(f"{line}\n" for line in lines))


def _print_summary(report: "FetchReport") -> None:
    from rich.table import Table

    from forecaster.prices.fetching import ADDED, UNCHANGED, UPDATED

    table = Table(title=f"Prices from {report.source}", title_justify="left")
    table.add_column("outcome")
    for heading in ("tickers", "new rows", "replaced rows"):
        table.add_column(heading, justify="right")
    for outcome in (ADDED, UPDATED, UNCHANGED):
        chosen = [each for each in report.outcomes if each.outcome == outcome]
        added, replaced = sum(each.rows_added for each in chosen), sum(each.rows_replaced for each in chosen)
        table.add_row(outcome, f"{len(chosen):,}", f"{added:,}", f"{replaced:,}")
    if report.missing:
        table.add_row("not there", f"{len(report.missing):,}", "", "")
    console = screen.stdout_console()
    console.print(table)
    if report.log.refused:
        console.print(f"Refused: {report.log.refused:,}; the reasons stand above.")


def _as_json(report: "FetchReport") -> dict[str, Any]:
    from dataclasses import asdict

    from forecaster.prices.fetching import ADDED, UNCHANGED, UPDATED

    return {
        "source": report.source,
        "counts": {
            **{outcome: report.count(outcome) for outcome in (ADDED, UPDATED, UNCHANGED)},
            "missing": len(report.missing),
            "refused": report.log.refused,
        },
        "tickers": [asdict(outcome) for outcome in report.outcomes],
        "missing": list(report.missing),
        "rejections": [asdict(rejection) for rejection in report.log.rejections],
        "notes": report.log.notes,
    }


def _complain_of_missing(report: "FetchReport") -> None:
    from forecaster.prices.fetching import name_some

    if report.missing:
        kept = "; the rest is in the store" if report.outcomes else ""
        raise NotFoundError(
            f"{report.source} has no usable price of {name_some(report.missing)}{kept}",
            "check the spelling, and the refused rows above" if report.log.refused else "check the spelling",
        )
    if not report.outcomes:
        why = "the first reason stands above" if report.log.rejections else "it holds no prices"
        raise BadInputError(f"nothing in {report.source} could be used: {why}", "mend the file and try again")


TITLE = "Prices from Yahoo"


def fetch_with_progress(
    settings: "Settings",
    store: "PriceStore",
    request: "Request",
    *,
    quiet: bool,
    anew: frozenset[str] = frozenset(),
) -> "YahooReport":
    """Fetch under the home folder's lock; failures are told as they come.

    Raises:
        UsageError: the request names no ticker.
        TryLaterError: another process writes to the home folder.
        DiskError: the disk refuses.
    """
    from forecaster.files import home_lock
    from forecaster.prices.yahoo.fetch import fetch_from_yahoo

    if not request.tickers:
        raise UsageError(
            "there is no ticker to fetch",
            "name some, or give --universe sp500; --source sample needs no network",
        )
    with home_lock(settings.home), _yahoo_progress(len(request.tickers), quiet=quiet) as watch:
        return fetch_from_yahoo(settings, store, request, watch, anew=anew)


def _print_yahoo_summary(report: "YahooReport") -> None:
    """A row for every outcome there was, on stdout."""
    from forecaster.prices.fetching import ADDED, UNCHANGED, UPDATED
    from forecaster.prices.yahoo.fetch import NO_DATA, REPLACED, FailureKind

    table = screen.figures_table(TITLE, "outcome", "tickers", "new rows", "changed rows")
    for outcome in (ADDED, UPDATED, REPLACED, UNCHANGED, NO_DATA):
        chosen = [each for each in report.outcomes if each.outcome == outcome]
        added, replaced = sum(each.rows_added for each in chosen), sum(each.rows_replaced for each in chosen)
        if chosen:
            table.add_row(outcome, f"{len(chosen):,}", f"{added:,}", f"{replaced:,}")
    for kind in FailureKind:
        if report.count(kind):
            table.add_row(kind, f"{report.count(kind):,}", "", "")
    console = screen.stdout_console()
    console.print(table)
    if report.missing:
        console.print(f"Tickers with sessions missing: {len(report.missing):,}; see `forecast data status`.")
    if report.log.refused:
        console.print(f"Rows refused: {report.log.refused:,}; the reasons stand above.")


def _yahoo_as_json(report: "YahooReport") -> dict[str, Any]:
    """The report as `forecast.fetch/1`."""
    from forecaster.prices.fetching import ADDED, UNCHANGED, UPDATED
    from forecaster.prices.yahoo.fetch import NO_DATA, REPLACED, FailureKind

    names = (ADDED, UPDATED, REPLACED, UNCHANGED, NO_DATA, *FailureKind)
    unknown = [each.ticker for each in report.failures if each.kind is FailureKind.NOT_FOUND]
    rows = [
        {
            **asdict(each),
            "why_replaced": report.replaced.get(each.ticker),
            "missing_sessions": report.missing.get(each.ticker, []),
        }
        for each in report.outcomes
    ]
    return {
        "source": "yahoo",
        "counts": {
            **{name.replace(" ", "_"): report.count(name) for name in names},
            "missing": len(unknown),
            "refused": report.log.refused,
        },
        "tickers": rows,
        "missing": unknown,
        "failures": [asdict(failure) for failure in report.failures],
        "rejections": [asdict(rejection) for rejection in report.log.rejections],
        "notes": report.log.notes,
    }


def complain_of_failures(report: "YahooReport") -> None:
    """End with the error that sums up the failures, if there are any.

    Raises:
        NotFoundError: Yahoo knows none of the tickers.
        UnavailableError: nothing could be had of any of them.
        TryLaterError: some could not be brought up to date, or Yahoo limits the rate.
    """
    from forecaster.prices.yahoo.fetch import FailureKind

    if not report.failures:
        return
    kinds = {each.kind for each in report.failures}
    served = bool(report.outcomes)
    error: type[ForecastError] = TryLaterError
    remedy = "what is stored stays as it was; run the same command later"
    if kinds == {FailureKind.NOT_FOUND} and not served:
        error, remedy = NotFoundError, "check the spelling; what is stored stays as it was"
    elif FailureKind.RATE_LIMITED not in kinds and not served and kinds != {FailureKind.KEPT}:
        error = UnavailableError
    raise error(_summed_up(report), remedy)


def _summed_up(report: "YahooReport") -> str:
    from forecaster.prices.fetching import name_some
    from forecaster.prices.yahoo.fetch import FailureKind

    # A ticker that had no turn is no news beside the reason why.
    telling = [each for each in report.failures if each.kind is not FailureKind.NOT_ASKED] or report.failures
    total = len(report.outcomes) + len(report.failures)
    if total == 1:
        return f"{telling[0].ticker}: {telling[0].kind}: {telling[0].reason}"
    counts = Counter(str(each.kind) for each in report.failures)
    kinds = ", ".join(f"{kind} {count}" for kind, count in counts.items())
    names = name_some(each.ticker for each in telling)
    return (
        f"{len(report.failures):,} of {total:,} tickers failed ({kinds}): {names}; the first: "
        f"{telling[0].reason}"
    )


@contextmanager
def _yahoo_progress(total: int, *, quiet: bool) -> Iterator[Callable[[str, "Failure | None"], None]]:
    """Tells failures on stderr as they come and, on a terminal, how far it is."""
    if quiet:
        yield lambda _ticker, _failure: None
        return
    if not sys.stderr.isatty():
        yield lambda _ticker, failure: _tell(failure)
        return
    console = screen.stderr_console()
    with console.status(f"{TITLE}: 0 of {total:,}") as status:
        tally = Tally(total)

        def advance(_ticker: str, failure: "Failure | None") -> None:
            if failure is not None:
                console.print(_failure_line(failure).rstrip("\n"), markup=False, soft_wrap=True)
            status.update(tally.line(failed=failure is not None))

        yield advance


def _tell(failure: "Failure | None") -> None:
    sys.stderr.write(_failure_line(failure))
    sys.stderr.flush()


def _failure_line(failure: "Failure | None") -> str:
    if failure is None or failure.kind == "not asked":
        return ""
    return f"failed: {failure.ticker}: {failure.kind}: {failure.reason}\n"


class Tally:
    """How many are done, how quickly, and when the rest will be."""

    def __init__(self, total: int, clock: Callable[[], float] = time.monotonic) -> None:
        self._total, self._clock, self._begun = total, clock, clock()
        self._done = self._failed = 0

    def line(self, *, failed: bool) -> str:
        """How far it is now that one more is done."""
        self._done += 1
        self._failed += failed
        rate = self._done / max(self._clock() - self._begun, 1e-9)
        minutes, seconds = divmod(round((self._total - self._done) / rate), 60)
        left = f"{minutes} min {seconds:02} s" if minutes else f"{seconds} s"
        failures = f", failed: {self._failed:,}" if self._failed else ""
        return f"{TITLE}: {self._done:,} of {self._total:,}, {rate:.1f} a second, {left} left{failures}"
