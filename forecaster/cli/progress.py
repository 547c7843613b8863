"""How training and fetching look: a live line on a terminal, plain lines elsewhere."""

import math
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Protocol

from forecaster.cli.screen import stacked, stderr_console

if TYPE_CHECKING:
    from rich.console import Console
    from rich.progress import Progress as Bars
    from rich.progress import TaskID

    from forecaster.evaluation.backtest import WalkProgress
    from forecaster.evaluation.backtest import Watch as WatchFolds
    from forecaster.evaluation.tuning import TuneProgress, WatchTrials
    from forecaster.network.fitting import Progress
    from forecaster.prices.earnings.fetching import WatchDates
    from forecaster.prices.fetching import Watch


class ProgressReport(Protocol):
    """What training and fitting call as they get on."""

    def __call__(self, label: str, progress: "Progress") -> None:
        """Show how far the network called `label` has come, after a batch."""

    def fits(self, name: str, done: int, of: int) -> None:
        """Show how many of a baseline's fits are done."""


@contextmanager
def training_progress(*, quiet: bool) -> Iterator[ProgressReport]:
    """Show loss, validation loss, targets a second and time left, on stderr."""
    console = stderr_console(quiet=quiet)
    if not console.is_terminal or quiet:
        yield _Lines(console)
        return
    from rich.progress import BarColumn, TextColumn
    from rich.progress import Progress as Bars

    columns = (
        TextColumn("{task.description}", markup=False),
        BarColumn(bar_width=None),
        TextColumn("{task.fields[figures]}", markup=False),
    )
    with Bars(*columns, console=console, transient=True) as bars:
        yield _LiveBars(bars)


class _LiveBars:
    """A bar for each network and each baseline that is fitted."""

    def __init__(self, bars: "Bars") -> None:
        self._bars = bars
        self._tasks: dict[str, TaskID] = {}

    def __call__(self, label: str, progress: "Progress") -> None:
        done = (progress.epoch - 1) * progress.steps + progress.step
        self._show(label, done, progress.epochs * progress.steps, _figures(progress))

    def fits(self, name: str, done: int, of: int) -> None:
        self._show(name, done, of, f"{done} of {of} fits")

    def _show(self, label: str, done: int, of: int, figures: str) -> None:
        if label not in self._tasks:
            self._tasks[label] = self._bars.add_task(label, figures="")
        self._bars.update(self._tasks[label], total=of, completed=done, figures=figures)


class _Lines:
    """A line an epoch, and one for each baseline that is fitted."""

    def __init__(self, console: "Console") -> None:
        self._console = console

    def __call__(self, label: str, progress: "Progress") -> None:
        if progress.step == progress.steps:
            self._console.print(f"{label}: {_figures(progress)}", soft_wrap=True)

    def fits(self, name: str, done: int, of: int) -> None:
        if done == of:
            self._console.print(f"{name}: fitted", soft_wrap=True)


@contextmanager
def folds_progress(*, quiet: bool) -> Iterator["WatchFolds"]:
    """Show which fold is done, how many there are, and the time left: a bar on a terminal, else lines."""
    console = stderr_console(quiet=quiet)
    began = time.monotonic()

    def text(progress: "WalkProgress") -> str:
        fresh = progress.done - progress.kept
        kept = f", {progress.kept:,} kept from before" if progress.kept else ""
        left = ""
        if fresh and progress.done < progress.of:
            rest = (time.monotonic() - began) / fresh * (progress.of - progress.done)
            left = f", {_minutes(rest)} left"
        return f"{progress.done:,} of {progress.of:,} folds{kept}{left}"

    if not console.is_terminal or quiet:

        def print_line(progress: "WalkProgress") -> None:
            if progress.name and not progress.was_kept:
                console.print(f"{progress.name} from {progress.fold}: {text(progress)}", soft_wrap=True)

        yield print_line
        return
    from rich.progress import BarColumn, TextColumn
    from rich.progress import Progress as Bars

    with Bars(
        TextColumn("{task.description}", markup=False),
        BarColumn(bar_width=None),
        TextColumn("{task.fields[figures]}", markup=False),
        console=console,
        transient=True,
    ) as live:
        task = live.add_task("folds", figures="", total=None)

        def move_bar(progress: "WalkProgress") -> None:
            done = f"{progress.name} from {progress.fold}" if progress.name else "folds"
            live.update(
                task, description=done, total=progress.of, completed=progress.done, figures=text(progress)
            )

        yield move_bar


@contextmanager
def trials_progress(minutes: float | None, *, quiet: bool) -> Iterator["WatchTrials"]:
    """Show which trial has ended and how, and the best so far: a bar on a terminal, else lines.

    The time left is no more than what is left of `minutes`.
    """
    console = stderr_console(quiet=quiet)
    began = time.monotonic()
    until = math.inf if minutes is None else began + 60 * minutes
    if not console.is_terminal or quiet:

        def print_line(progress: "TuneProgress") -> None:
            if progress.trial is not None or progress.kept:
                console.print(f"{_ended(progress)}{_tried(progress, began, until)}", soft_wrap=True)

        yield print_line
        return
    from rich.progress import BarColumn, TextColumn
    from rich.progress import Progress as Bars

    columns = (
        TextColumn("{task.description}", markup=False),
        BarColumn(bar_width=None),
        TextColumn("{task.fields[figures]}", markup=False),
    )
    with Bars(*columns, console=console, transient=True) as live:
        task = live.add_task("trials", figures="", total=None)

        def move_bar(progress: "TuneProgress") -> None:
            live.update(
                task, total=progress.of, completed=progress.ended, figures=_tried(progress, began, until)
            )

        yield move_bar


def _ended(progress: "TuneProgress") -> str:
    """Which trial has ended, how, and why if it failed; empty at the start."""
    trial = progress.trial
    if trial is None:
        return ""
    what = f" ({trial.reason})" if trial.reason else f" at {trial.value:.4f}"
    return f"trial {trial.number} {trial.state}{what}: "


def _tried(progress: "TuneProgress", began: float, until: float) -> str:
    """How many trials have ended, the best value, and the time left at this pace, or until the limit."""
    fresh = progress.ended - progress.kept
    parts = [f"{progress.ended:,} of {progress.of:,} trials"]
    if progress.kept:
        parts.append(f"{progress.kept:,} kept from before")
    if progress.best is not None:
        parts.append(f"best {progress.best:.4f}")
    if fresh and progress.ended < progress.of:
        now = time.monotonic()
        rest = min((now - began) / fresh * (progress.of - progress.ended), max(until - now, 0.0))
        parts.append(f"{_minutes(rest)} left")
    return ", ".join(parts)


def _minutes(seconds: float) -> str:
    minutes, rest = divmod(round(seconds), 60)
    return f"{minutes} min {rest:02} s" if minutes else f"{rest} s"


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
                line += f", {_minutes((self._total - self._done) / rate)} left"
        return line + (f", failed: {self._failed:,}" if self._failed else "")
