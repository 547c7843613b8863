"""How training looks: a live line of progress on a terminal, a plain line an epoch elsewhere."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Protocol

from forecaster.cli.screen import stderr_console

if TYPE_CHECKING:
    from forecaster.network.fitting import Progress


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
        TextColumn("{task.description}"),
        BarColumn(bar_width=None),
        TextColumn("{task.fields[figures]}"),
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
