"""What `forecast fetch` shows of a run that asks Yahoo, and how it ends."""

import sys
import time
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import asdict
from typing import TYPE_CHECKING, Any

from forecaster.cli import screen
from forecaster.errors import ForecastError, NotFoundError, TryLaterError, UnavailableError, UsageError

if TYPE_CHECKING:
    from forecaster.prices.sources import Request
    from forecaster.prices.store import PriceStore
    from forecaster.prices.yahoo.fetch import Failure, YahooReport
    from forecaster.settings import Settings

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
    with home_lock(settings.home), _progress(len(request.tickers), quiet=quiet) as watch:
        return fetch_from_yahoo(settings, store, request, watch, anew=anew)


def print_summary(report: "YahooReport") -> None:
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
    console = screen.results()
    console.print(table)
    if report.missing:
        console.print(f"Tickers with sessions missing: {len(report.missing):,}; see `forecast data status`.")
    if report.log.refused:
        console.print(f"Rows refused: {report.log.refused:,}; the reasons stand above.")


def as_json(report: "YahooReport") -> dict[str, Any]:
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
        "refusals": [asdict(refusal) for refusal in report.log.refusals],
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
def _progress(total: int, *, quiet: bool) -> Iterator[Callable[[str, "Failure | None"], None]]:
    """Tells failures on stderr as they come and, on a terminal, how far it is."""
    if quiet:
        yield lambda _ticker, _failure: None
        return
    if not sys.stderr.isatty():
        yield lambda _ticker, failure: _tell(failure)
        return
    console = screen.remarks()
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
