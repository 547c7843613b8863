"""`forecast schedule`: let cron or systemd call `forecast run`; and `forecast run` itself."""

import os
import sys
from collections.abc import Iterator
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, NoReturn

import typer

from forecaster.cli.screen import (
    HomeFlag,
    JsonFlag,
    note_replay,
    now,
    open_settings,
    print_json,
    stderr_console,
    stdout_console,
)
from forecaster.errors import UsageError
from forecaster.settings import is_replay

if TYPE_CHECKING:
    from forecaster.service.schedule.install import ScheduleStatus


schedule_app = typer.Typer(help="Let cron or systemd do the night's work.", no_args_is_help=True)
_OTHER_VARIABLES = {"HTTPS_PROXY", "https_proxy", "KERAS_BACKEND", "REQUESTS_CA_BUNDLE", "CURL_CA_BUNDLE"}


@schedule_app.command()
def install(
    context: typer.Context,
    at: Annotated[
        str,
        typer.Option(
            "--at", help="Minute, hour, day, month, weekday, in the machine's time zone.", metavar="CRON"
        ),
    ] = "30 22 * * 1-5",
    by_systemd: Annotated[
        bool, typer.Option("--systemd", help="Set a timer of the user's systemd, not a line of the crontab.")
    ] = False,
    home: HomeFlag = None,
) -> None:
    """Schedule `forecast run` for the home folder, in the user's crontab or as a timer of systemd.

    Of the crontab, only the block between the tool's own marks is written. An older schedule of the same
    home folder is replaced, whoever ran it. New York closes at 20:00 or 21:00 UTC; the run itself finds
    out what is due. Variables of this shell do not reach it: settings belong in forecast.toml.
    """
    from forecaster.service.schedule import install as schedule

    settings = open_settings(context, home)
    line = schedule.install(settings.home, at, by=schedule.SYSTEMD if by_systemd else schedule.CRON)
    stdout_console().print(f"Scheduled: {line}", soft_wrap=True)
    for doubt in _doubts(settings.home, schedule.status(settings.home, now())):
        stderr_console().print(doubt, style="yellow", soft_wrap=True)


@schedule_app.command()
def status(context: typer.Context, json: JsonFlag = False, home: HomeFlag = None) -> None:
    """Tell the next run, how the last one went, and whether a daemon is there to run it."""
    from dataclasses import asdict

    from forecaster.service.schedule import install as schedule

    settings = open_settings(context, home)
    found = schedule.status(settings.home, now())
    if json:
        print_json("forecast.schedule-status/2", asdict(found))
        return
    for name, text in {
        "scheduled": found.line or "no; `forecast schedule install` does it",
        "next run": found.next_run or "none",
        "last run": found.last_run.text if found.last_run else "none yet",
        found.by or "cron": "waits for it" if found.daemon else "does not run",
    }.items():
        stdout_console().print(f"{name + ':':13}{text}", soft_wrap=True)


@schedule_app.command()
def remove(context: typer.Context, home: HomeFlag = None) -> None:
    """Take the schedule of the home folder out; the rest of the crontab stays as it is."""
    from forecaster.service.schedule import install as schedule

    settings = open_settings(context, home)
    schedule.remove(settings.home)
    stdout_console().print(f"No longer scheduled: {settings.home}", soft_wrap=True)


def _doubts(home: Path, found: "ScheduleStatus") -> Iterator[str]:
    """What may keep the schedule from doing what is expected of it."""
    from forecaster.prices.store import PriceStore
    from forecaster.registry.versions import ModelRegistry
    from forecaster.service.schedule import install as schedule
    from forecaster.service.schedule import systemd
    from forecaster.settings import SHELL_VARIABLES

    if found.by == schedule.CRON and not found.daemon:
        yield "warning: no cron daemon runs on this machine; start one"
    if found.by == schedule.SYSTEMD and not systemd.lingers():
        yield "warning: the timer waits only while you are logged in; `loginctl enable-linger` fixes that"
    if not PriceStore(home).tickers():
        yield f"warning: there are no prices in {home} yet; `forecast fetch --universe sp500` brings some"
    elif not ModelRegistry(home).names():
        yield f"warning: no model has been trained in {home} yet; `forecast train` does it"
    unseen = sorted(
        name
        for name, text in os.environ.items()
        if text and (name.startswith("FORECAST_") or name in _OTHER_VARIABLES) and name not in SHELL_VARIABLES
    )
    if unseen:
        yield (
            f"warning: set in this shell, but not for the scheduled run: {', '.join(unseen)}; settings "
            "belong in forecast.toml, other variables in the crontab"
        )
    if found.next_run:
        yield from _too_early(datetime.fromisoformat(found.next_run))


def _too_early(run: datetime) -> Iterator[str]:
    """Whether New York trades on the day of the next run and has not closed by then."""
    import numpy as np

    from forecaster.prices.calendar import closing_time, is_session, local_date

    day = local_date(run)
    if is_session(np.array(day)) and run < closing_time(day):
        closes = closing_time(day).astimezone(run.tzinfo)
        yield (
            f"note: at {run:%H:%M} New York has not closed (it does at {closes:%H:%M} here), so the run will "
            "bring the session before; --at chooses another time"
        )


def run_daily(
    context: typer.Context,
    at: Annotated[
        str | None,
        typer.Option(
            "--at",
            metavar="CRON",
            help="Stay and run at these times, as in a container: five fields as of `schedule install`.",
            show_default=False,
        ),
    ] = None,
    home: HomeFlag = None,
) -> None:
    """Fetch, retrain if due, predict and record every ticker, score.

    Nothing is printed when all is well, except on a terminal; else one line on stderr, and the exit code
    of the first step that failed. Each step has a time limit, and one that fails does not stop the next.
    Settings, in forecast.toml under [run]: retrain_after (21 sessions), fetch_minutes, retrain_minutes,
    predict_minutes, score_minutes. What happened stands in logs/events.jsonl and logs/run_status.json.

    With --at it stays until it is interrupted, says on stderr when the next run begins, and does not end
    when one fails. A run that was missed while it was away begins at once.
    """
    settings = open_settings(context, home)
    if at is not None:
        _stay(settings.home, at)
    from forecaster.service.nightly import daily_run

    quiet = not sys.stdout.isatty()
    note_replay(settings.home, quiet=quiet)
    report = daily_run(settings, now())
    report.complain()
    summary = "; ".join(f"{step.name}: {step.text}" for step in report.steps)
    stdout_console(quiet=quiet).print(summary, soft_wrap=True)


def _stay(home: Path, at: str) -> NoReturn:
    """Start a run whenever one is due, until somebody interrupts.

    Raises:
        UsageError: `at` names no time to come, or FORECAST_NOW has stopped the clock.
        TryLaterError: another process stays for this home folder.
    """
    from forecaster.service.schedule.staying import due_runs, run_once, staying, wait_until

    if is_replay(os.environ):
        raise UsageError("--at waits for the clock, which FORECAST_NOW has stopped", "unset FORECAST_NOW")
    with staying(home, at):
        for moment in due_runs(home, at, now):
            stderr_console().print(f"next run: {moment:%Y-%m-%d %H:%M %Z}", soft_wrap=True)
            wait_until(moment, now)
            if code := run_once(home):
                told = f"that run ended with exit code {code}"
                stderr_console().print(told, style="yellow", soft_wrap=True)
    raise AssertionError("the runs to come have no end")
