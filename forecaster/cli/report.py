"""`forecast report`: everything that is known, as one HTML file."""

from pathlib import Path
from typing import Annotated

import typer

from forecaster.cli.completion import ModelFlag, complete_tickers
from forecaster.cli.screen import (
    HomeFlag,
    JsonFlag,
    QuietFlag,
    fail_for,
    note_replay,
    now,
    open_settings,
    print_json,
    stderr_console,
    stdout_console,
)


def report(
    context: typer.Context,
    tickers: Annotated[
        list[str] | None,
        typer.Argument(
            help="Tickers to show (all that are stored).", show_default=False, autocompletion=complete_tickers
        ),
    ] = None,
    output: Annotated[
        Path | None,
        typer.Option(
            "--output",
            metavar="DIR|FILE",
            help="Where to write it (reports/report.html in the home folder).",
            show_default=False,
        ),
    ] = None,
    model: ModelFlag = None,
    open_it: Annotated[bool, typer.Option("--open", help="Open it in the browser.")] = False,
    json: JsonFlag = False,
    quiet: QuietFlag = False,
    home: HomeFlag = None,
) -> None:
    """Write what is known as one HTML file, which opens from disk without a network.

    It shows the results that earlier commands have kept under results/, the forecasts of the model in
    service, the ledger and the state of the prices. Nothing is trained; of what is missing it names the
    command. A ticker that was named and cannot be predicted is listed, and the exit code is its own.
    """
    from forecaster.report.write import write_report

    settings = open_settings(context, home)
    note_replay(settings.home, quiet=quiet)
    written = write_report(settings.home, tickers, model, output, now())
    if open_it:
        import webbrowser

        if not webbrowser.open(written.path.resolve().as_uri()):
            stderr_console(quiet=quiet).print(
                "warning: no browser was found; open the file yourself", style="yellow"
            )
    if json:
        print_json(
            "forecast.report/1",
            {
                "output": written.path,
                "bytes": written.size,
                "tickers": written.tickers,
                "results": written.results,
                "failures": {ticker: error.message for ticker, error in written.failures.items()},
            },
        )
    else:
        stdout_console(quiet=quiet).print(f"The report is in {written.path}", soft_wrap=True)
    if tickers:
        fail_for(written.failures, len(written.tickers) + len(written.failures), "predicted")
