"""`forecast audit`: does anything that training and testing do with these prices see ahead?"""

from typing import TYPE_CHECKING

import typer

from forecaster.cli.flags import (
    AllDaysFlag,
    TrainingTickers,
    TrainingUniverse,
    training_flags,
    warn_of_damaged,
    warn_of_dates,
)
from forecaster.cli.results import keep
from forecaster.cli.screen import (
    JsonFlag,
    QuietFlag,
    headline,
    note_replay,
    print_json,
    stderr_console,
    stdout_console,
)
from forecaster.errors import ExitCode, ForecastError
from forecaster.settings import Recipe, Settings

if TYPE_CHECKING:
    from forecaster.evaluation.audit.audit import Audit

_MARKS = {"passed": ("✓", "green"), "failed": ("✗", "bold red"), "not checked": ("–", "dim")}


@training_flags()
def audit(
    tickers: TrainingTickers = None,
    universe: TrainingUniverse = None,
    all_days: AllDaysFlag = False,
    json: JsonFlag = False,
    quiet: QuietFlag = False,
    *,
    settings: Settings,
    recipe: Recipe,
) -> None:
    """Check prices and settings for look-ahead, a line for each check; exit with 1 if any fails.

    Futures are changed, and small networks trained where nothing can be known: it takes about a minute. They
    read what the recipe reads; units, layers, dropout, epochs, batch size and learning rate are the audit's.
    """
    from forecaster.auditing import audit_on
    from forecaster.cli.progress import training_progress
    from forecaster.home import Home

    note_replay(settings.home, quiet=quiet)
    home = Home(settings.home)
    subject = home.audit_subject(tickers, universe=universe, all_days=all_days)
    warn_of_damaged(subject.inputs.damaged)
    warn_of_dates(subject.inputs.dates_fault)
    notes = stderr_console(quiet=quiet)
    with training_progress(quiet=quiet) as report:
        found = audit_on(
            subject,
            recipe,
            home.models_in_service(),
            report,
            lambda text: notes.print(f"{text[:1].upper()}{text[1:]} …", style="dim", soft_wrap=True),
        ).audit
    document = _document(found)
    keep(settings.home, "forecast.audit/1", document)
    if json:
        print_json("forecast.audit/1", document)
    else:
        _show(found, quiet=quiet)
    if not found.passed:
        if quiet:
            failed = "; ".join(f"{check.title}: {check.found}" for check in found.failed)
            raise ForecastError(f"checks that failed: {failed}", "see `forecast audit`")
        raise typer.Exit(ExitCode.FAILED)


def _document(found: "Audit") -> dict[str, object]:
    from dataclasses import asdict

    return {
        "passed": found.passed,
        "text": found.text,
        "checks": [
            {
                "check": check.check,
                "title": check.title,
                "state": check.state,
                "found": check.found,
                "figures": check.figures,
            }
            for check in found.checks
        ],
        "cuts": found.cuts,
        "tickers": found.tickers,
        "trained_tickers": found.trained_tickers,
        "recipe": asdict(found.recipe),
        "split": found.split,
        "seconds": found.seconds,
    }


def _show(found: "Audit", *, quiet: bool) -> None:
    from rich.table import Table
    from rich.text import Text

    from forecaster.cli.screen import visible

    screen = stdout_console(quiet=quiet)
    all_trained = len(found.trained_tickers) == len(found.tickers)
    few = "" if all_trained else f", small networks on {len(found.trained_tickers):,}"
    screen.print(
        headline(
            "Audit",
            f": {len(found.tickers):,} tickers{few}, {found.split['train_start']} to "
            f"{found.split['test_end']}, test after {found.split['validation_end']}; the future is changed "
            f"after {', '.join(found.cuts)}; {found.seconds:.0f} s",
        )
    )
    table = Table(box=None, show_header=False, padding=(0, 2, 0, 0))
    table.add_column(no_wrap=True)
    table.add_column(max_width=26)
    table.add_column()
    for check in found.checks:
        mark, style = _MARKS[check.state]
        said = check.found if check.state != "not checked" else f"not checked: {check.found}"
        shade = "" if check.state == "failed" else "dim"
        table.add_row(Text(mark, style=style), check.title, Text(visible(said), style=shade))
    screen.print(table)
    screen.print()
    screen.print(found.text, style="green" if found.passed else "bold red")
