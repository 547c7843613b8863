"""`forecast retrain`: challengers of the champions, through the gate or not."""

from dataclasses import asdict
from typing import TYPE_CHECKING, Annotated

import typer

from forecaster.cli.completion import complete_names
from forecaster.cli.flags import show_survivorship, warn_of_damaged, warn_of_dates
from forecaster.cli.screen import (
    HomeFlag,
    JsonFlag,
    QuietFlag,
    note_replay,
    now,
    open_settings,
    print_json,
    stderr_console,
    stdout_console,
)
from forecaster.errors import ForecastError, name_some

if TYPE_CHECKING:
    from datetime import datetime

    from forecaster.service.retraining import Retraining
    from forecaster.settings import Settings


def retrain(
    context: typer.Context,
    names: Annotated[
        list[str] | None,
        typer.Argument(
            metavar="[NAME]...", help="Models.", show_default="all", autocompletion=complete_names
        ),
    ] = None,
    if_stale: Annotated[
        int,
        typer.Option(
            "--if-stale",
            min=0,
            metavar="SESSIONS",
            help="Do nothing while the newest version, served or rejected, is not so many sessions old.",
        ),
    ] = 0,
    no_fetch: Annotated[bool, typer.Option("--no-fetch", help="Train on the prices that are there.")] = False,
    cold: Annotated[
        bool, typer.Option("--cold", help="Train from scratch; else on from the champion's weights.")
    ] = False,
    dry_run: Annotated[
        bool, typer.Option("--dry-run", help="Say what would be done; change nothing.")
    ] = False,
    json: JsonFlag = False,
    quiet: QuietFlag = False,
    home: HomeFlag = None,
) -> None:
    """Train challengers; promote each that passes the promotion gate.

    A challenger goes on from its champion's weights for one epoch of small steps; with --cold it is trained
    from scratch by the champion's recipe.

    Champion and challenger are scored on the last sessions (250, or 15 % of a shorter history), those
    that neither has seen. The challenger takes over if it is shown there to be no worse than the champion by
    more than a margin (0.25 % of CRPS and of the median's error one session ahead, √h times that at the last
    step; one-sided 95 % intervals), and is not significantly worse than linear-t or RiskMetrics-t. Losses are
    measured in each session's volatility. It is then fitted once more, through the last session; the weights
    that were compared are kept for the next comparison. The decision and its figures are kept in the card
    and in logs/events.jsonl. A failure of one model does not stop the rest; the exit code is the first
    failure's.
    """
    from forecaster.registry.versions import ModelRegistry, check_model_name
    from forecaster.service.events import log_event

    settings, moment = open_settings(context, home), now()
    note_replay(settings.home, quiet=quiet)
    registry = ModelRegistry(settings.home)
    chosen = [check_model_name(name) for name in names or registry.names() or [registry.default_name()]]
    if not no_fetch and not dry_run:
        _fetch(settings, moment, quiet=quiet)
    done: list[Retraining] = []
    failures: dict[str, ForecastError] = {}
    for name in dict.fromkeys(chosen):
        try:
            done.append(
                _retrain_one(settings, name, moment, if_stale, warm=not cold, dry_run=dry_run, quiet=quiet)
            )
        except ForecastError as error:
            failures[name] = error
            if not dry_run:
                log_event(settings.home, moment, "retrain failed", name=name, reason=str(error))
        else:
            _show(done[-1], quiet=quiet or json)
    if json:
        errors = {name: str(error) for name, error in failures.items()}
        print_json("forecast.retrain/2", {"models": [asdict(each) for each in done], "failures": errors})
    _complain(failures)


def _retrain_one(
    settings: "Settings",
    name: str,
    moment: "datetime",
    if_stale: int,
    *,
    warm: bool,
    dry_run: bool,
    quiet: bool,
) -> "Retraining":
    from forecaster.cli.progress import training_progress
    from forecaster.service.retraining import retrain as retrain_model

    with training_progress(quiet=quiet) as report:
        return retrain_model(settings, name, moment, report, if_stale=if_stale, warm=warm, dry_run=dry_run)


def _fetch(settings: "Settings", moment: "datetime", *, quiet: bool) -> None:
    """Bring Yahoo's tickers up to date; a failure is reported, and the prices' age decides."""
    from forecaster.service.refreshing import refresh_prices

    notes = stderr_console(quiet=quiet)
    fetched = refresh_prices(settings, moment)
    if fetched.other_sources:
        notes.print(
            f"note: {fetched.other_sources:,} tickers did not come from Yahoo and were not fetched",
            soft_wrap=True,
        )
    if fetched.unknown:
        notes.print(f"note: Yahoo does not know {name_some(fetched.unknown)}", soft_wrap=True)
    if fetched.repaired:
        notes.print(f"note: damaged and fetched anew: {name_some(fetched.repaired)}", soft_wrap=True)
    for failure in fetched.failures[:5]:
        notes.print(f"warning: {failure}", style="yellow", soft_wrap=True)


def _show(done: "Retraining", *, quiet: bool) -> None:
    challenger = f" {done.name}@{done.version}" if done.version else ""
    text = f"{done.name}@{done.champion}: {done.outcome}{challenger}: {done.reason}"
    if done.refit and not done.refit["refused"]:
        text += f"; refitted through {done.refit['trained_to']}"
    stdout_console(quiet=quiet).print(text, soft_wrap=True)
    show_survivorship(done.survivorship, stdout_console(quiet=quiet))
    warn_of_damaged(done.damaged)
    warn_of_dates(done.dates_fault)
    if done.refit and done.refit["refused"]:
        stderr_console().print(
            f"warning: {done.name}@{done.version} forecasts as it was evaluated; refitting it failed: "
            f"{done.refit['refused']}",
            style="yellow",
            soft_wrap=True,
        )
    if done.decision is not None and done.decision.champion_worse_than_reference:
        stderr_console().print(
            f"warning: {done.name}@{done.champion} was significantly worse than linear-t or RiskMetrics-t",
            style="yellow",
            soft_wrap=True,
        )


def _complain(failures: dict[str, ForecastError]) -> None:
    """End with the first failure, which names its model, and how many more there are.

    Raises:
        ForecastError: there are failures.
    """
    if not failures:
        return
    name, first = next(iter(failures.items()))
    more = f" (and {len(failures) - 1} more failed)" if len(failures) > 1 else ""
    raise type(first)(f"{name}: {first.message}{more}", first.remedy)
