"""`forecast doctor`: what is wrong with this machine and this home folder, and how to fix it."""

import os
from pathlib import Path
from typing import Annotated

import typer

from forecaster.cli.screen import HomeFlag, JsonFlag, now, print_json, stacked, stdout_console
from forecaster.errors import ExitCode
from forecaster.settings import find_home

_STYLES = {"ok": "green", "warn": "yellow", "fail": "bold red"}


def doctor(
    context: typer.Context,
    deep: Annotated[bool, typer.Option("--deep", help="Start the Keras engine too; takes seconds.")] = False,
    json: JsonFlag = False,
    home: HomeFlag = None,
) -> None:
    """Check machine and home folder, each line with its remedy; exit with 1 if any check fails."""
    from dataclasses import asdict

    from rich.table import Table
    from rich.text import Text

    from forecaster.service.doctor import examine

    chosen = home if home is not None else context.find_root().obj
    folder = find_home(chosen, os.environ, Path.cwd())
    findings = examine(folder, now(), os.environ, deep=deep)
    failed = sum(finding.state == "fail" for finding in findings)
    if json:
        listed = [asdict(finding) for finding in findings]
        print_json("forecast.doctor/1", {"home": folder, "failed": failed, "checks": listed})
    else:
        table = Table(box=None, show_header=False, padding=(0, 2, 0, 0))
        for finding in findings:
            text = stacked(finding.text, *([f"→ {finding.remedy}"] if finding.remedy else []))
            table.add_row(Text(finding.state, style=_STYLES[finding.state]), finding.check, text)
        stdout_console().print(table)
    if failed:
        raise typer.Exit(ExitCode.FAILED)
