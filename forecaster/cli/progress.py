"""How training and fetching look: a live line on a terminal, plain lines elsewhere."""

import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Protocol

from forecaster.cli.screen import stacked, stderr_console

if TYPE_CHECKING:
    from forecaster.network.fitting import Progress
    from forecaster.prices.earnings.fetching import WatchDates
    from forecaster.prices.fetching import Watch


class ProgressReport(Protocol):
    """What training calls after every batch."""

    def __call__(self, label: str, progress: "Progress") -> None:
        """Show how far the network called `label` has come."""


@contextmanager
def training_progress(*, quiet: bool) -> Iterator[ProgressReport]:
    """Show loss, validation loss, targets a second and time left, on stderr."""
    console = stderr_console(quiet=quiet)
    if not console.is_terminal or quiet:
        yield _plain_lines(quiet=quiet)
        return
    from rich.progress import BarColumn, TaskID, TextColumn
    from rich.progress import Progress as Bars

    columns = (
        TextColumn("{task.description}", markup=False),
        BarColumn(bar_width=None),
        TextColumn("{task.fields[figures]}", markup=False),
    )
    with Bars(*columns, console=console, transient=True) as bars:
        tasks: dict[str, TaskID] = {}

        def show(label: str, progress: "Progress") -> None:
            if label not in tasks:
                tasks[label] = bars.add_task(label, figures="")
            total = progress.epochs * progress.steps
            done = (progress.epoch - 1) * progress.steps + progress.step
            bars.update(tasks[label], total=total, completed=done, figures=_figures(progress))

        yield show


def _plain_lines(*, quiet: bool) -> ProgressReport:
    console = stderr_console(quiet=quiet)

    def show(label: str, progress: "Progress") -> None:
        if progress.step == progress.steps:
            console.print(f"{label}: {_figures(progress)}", soft_wrap=True)

    return show


def _figures(progress: "Progress") -> str:
    validation = f"{progress.validation_loss:.4f}" if progress.validation_loss is not None else "–"
    return (
        f"epoch {progress.epoch}/{progress.epochs}  loss {progress.loss:.4f}  validation {validation}  "
        f"{progress.targets_per_second:,.0f} targets/s  {progress.seconds_left:.0f} s left"
    )


@contextmanager
def fetch_progress(
    tally: "Tally", dates: Callable[[], "Tally"], *, quiet: bool
) -> Iterator[tuple["Watch", "WatchDates"]]:
    """Print failures of prices on stderr as they come and, on a terminal, how far the fetch is.

    Those of earnings dates are told once, at the end: they may be all. Their tally begins with the first.
    """
    from forecaster.prices.earnings.fetching import Answer
    from forecaster.prices.fetching import Failure, FailureKind, TickerOutcome

    console = stderr_console(quiet=quiet)
    status = console.status("")

    def watch(result: TickerOutcome | Failure) -> None:
        failed = isinstance(result, Failure)
        if isinstance(result, Failure) and result.kind is not FailureKind.NOT_REQUESTED:
            console.print(f"failed: {result}", soft_wrap=True)
        status.update(stacked(tally.advance(failed=failed)))

    begun: list[Tally] = []

    def watch_dates(result: Answer | Failure) -> None:
        if not begun:
            begun.append(dates())
        status.update(stacked(begun[0].advance(failed=isinstance(result, Failure))))

    if not sys.stderr.isatty() or quiet:
        yield watch, watch_dates
        return
    status.update(stacked(tally.line()))
    with status:
        yield watch, watch_dates


class Tally:
    """How many tickers are done, how quickly, and when the rest will be; `total` 0 where it is not known."""

    def __init__(self, title: str, total: int, clock: Callable[[], float] = time.monotonic) -> None:
        self._title, self._total = title, total
        self._clock, self._begun = clock, clock()
        self._done = self._failed = 0

    def advance(self, *, failed: bool) -> str:
        """One more is done: the line."""
        self._done += 1
        self._failed += failed
        return self.line()

    def line(self) -> str:
        """How far the fetch is."""
        total = f" of {self._total:,}" if self._total else ""
        line = f"{self._title}: {self._done:,}{total}"
        if self._done:
            rate = self._done / max(self._clock() - self._begun, 1e-9)
            line += f", {rate:.1f} a second"
            if self._total:
                minutes, seconds = divmod(round((self._total - self._done) / rate), 60)
                line += f", {minutes} min {seconds:02} s left" if minutes else f", {seconds} s left"
        return line + (f", failed: {self._failed:,}" if self._failed else "")
