"""`forecast schedule`: let cron call `forecast run`."""

from typing import Annotated

import typer

from forecaster.cli.screen import HomeFlag, JsonFlag, now, open_settings, print_json, remarks, results

schedule_app = typer.Typer(help="Let cron do the night's work.", no_args_is_help=True)


@schedule_app.command()
def install(
    context: typer.Context,
    at: Annotated[
        str,
        typer.Option(
            "--at", help="Minute, hour, day, month, weekday, in the machine's time zone.", metavar="CRON"
        ),
    ] = "30 22 * * 1-5",
    home: HomeFlag = None,
) -> None:
    """Schedule `forecast run` for the home folder in the user's crontab.

    Only the block between the tool's own marks is written; an older schedule of the same home folder is
    replaced. New York closes at 20:00 or 21:00 UTC; the run itself finds out what is due. FORECAST_…
    variables do not reach cron: settings belong in forecast.toml.
    """
    from forecaster.operations import schedule
    from forecaster.operations.crontab import daemon_runs

    settings = open_settings(context, home)
    line = schedule.install(settings.home, at)
    results().print(f"Scheduled: {line}", soft_wrap=True, markup=False)
    if not daemon_runs():
        remarks().print("warning: no cron daemon runs on this machine; start one", style="yellow")


@schedule_app.command()
def status(context: typer.Context, json: JsonFlag = False, home: HomeFlag = None) -> None:
    """Tell the next run, how the last one went, and whether a daemon is there."""
    from dataclasses import asdict

    from forecaster.operations import schedule

    settings = open_settings(context, home)
    found = schedule.status(settings.home, now())
    if json:
        print_json("forecast.schedule/1", asdict(found))
        return
    for name, text in {
        "scheduled": found.line or "no; `forecast schedule install` does it",
        "next run": found.next_run or "none",
        "last run": found.last_run.text if found.last_run else "none yet",
        "cron daemon": "runs" if found.daemon else "does not run",
    }.items():
        results().print(f"{name + ':':13}{text}", soft_wrap=True, markup=False)


@schedule_app.command()
def remove(context: typer.Context, home: HomeFlag = None) -> None:
    """Take the schedule of the home folder out of the crontab; the rest stays as it is."""
    from forecaster.operations import schedule

    settings = open_settings(context, home)
    schedule.remove(settings.home)
    results().print(f"No longer scheduled: {settings.home}", soft_wrap=True, markup=False)
