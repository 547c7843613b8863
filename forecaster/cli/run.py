"""`forecast run`: what cron calls; silent when all is well."""

import sys

import typer

from forecaster.cli.screen import HomeFlag, now, open_settings, results


def run_daily(context: typer.Context, home: HomeFlag = None) -> None:
    """Fetch, retrain if due, predict and record every ticker, score.

    Nothing is printed when all is well, except on a terminal; else one line on stderr, and the exit code
    of the first step that failed. Each step has a time limit, and one that fails does not stop the next.
    Settings, in forecast.toml under [run]: retrain_after (21 sessions), fetch_minutes, retrain_minutes,
    predict_minutes, score_minutes. What happened stands in logs/events.jsonl and logs/heartbeat.json.
    """
    from forecaster.service.nightly import daily_run

    report = daily_run(open_settings(context, home), now())
    report.complain()
    summary = "; ".join(f"{step.name}: {step.text}" for step in report.steps)
    results(quiet=not sys.stdout.isatty()).print(summary, soft_wrap=True, markup=False)
