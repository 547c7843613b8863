"""The command `forecast`: its commands, and the one place where errors become exit codes."""

import os
import sys
from collections.abc import Callable
from functools import cache
from pathlib import Path
from typing import Annotated, Any

import typer
from typer.main import get_command

from forecaster import __version__
from forecaster.cli.audit import audit
from forecaster.cli.backtest import backtest
from forecaster.cli.compare import compare
from forecaster.cli.data import data_app
from forecaster.cli.doctor import doctor
from forecaster.cli.fetch import fetch
from forecaster.cli.lab.app import lab_app
from forecaster.cli.models import models_app
from forecaster.cli.predict import predict
from forecaster.cli.report import report
from forecaster.cli.retrain import retrain
from forecaster.cli.schedule import run_daily, schedule_app
from forecaster.cli.score import score
from forecaster.cli.screen import visible, write_note
from forecaster.cli.streams import drop_stdout, finish_stdout, prepare_streams
from forecaster.cli.train import train
from forecaster.cli.tune import tune
from forecaster.errors import ExitCode, ForecastError
from forecaster.report.kept import COMMAND

_TITLES = {"keras": "Keras", "tensorflow": "TensorFlow", "jax": "JAX", "torch": "PyTorch"}

# Rich draws the help on a terminal; a pipe gets plain text, in half the time.
app = typer.Typer(
    name="forecast",
    no_args_is_help=True,
    rich_markup_mode="rich" if sys.stdout is not None and sys.stdout.isatty() else None,
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
)


def _show_version(wanted: bool) -> None:
    """The version, in a line that scripts read; then what it runs on."""
    if wanted:
        typer.echo(f"forecast {__version__}")
        typer.echo(visible(_engine()))
        raise typer.Exit


def _engine() -> str:
    """Python, Keras and the engine that would train, found without importing them: TensorFlow takes seconds.

    As `start_engine` has it, `KERAS_BACKEND` chooses; the user's keras.json does not.
    """
    from platform import python_version

    engine = os.environ.get("KERAS_BACKEND") or "tensorflow"
    return f"Python {python_version()}, {_installed('keras')} with {_installed(engine)}"


def _installed(package: str) -> str:
    from importlib.metadata import PackageNotFoundError, version

    title = _TITLES.get(package, package)
    try:
        return f"{title} {version(package)}"
    except PackageNotFoundError:
        return f"{title} (not installed)"


@app.callback()
def forecast(
    context: typer.Context,
    home: Annotated[
        Path | None, typer.Option("--home", help="Folder with data/ and models/.", show_default=False)
    ] = None,
    version: Annotated[  # noqa: ARG001  (its callback does the work)
        bool,
        typer.Option(
            "--version", help="Print version and engine, and leave.", is_eager=True, callback=_show_version
        ),
    ] = False,
) -> None:
    """What a recurrent network can honestly say about a stock."""
    context.obj = home


app.command()(fetch)
app.add_typer(data_app, name="data")
app.command()(train)
app.command()(compare)
app.command()(backtest)
app.command()(audit)
app.command()(tune)
app.command()(predict)
app.command()(retrain)
app.command()(score)
app.command()(report)
app.command("run")(run_daily)
app.add_typer(schedule_app, name="schedule")
app.add_typer(models_app, name="models")
app.add_typer(lab_app, name="lab")
app.command()(doctor)


def main() -> None:
    """Run the command line; every error is one line on stderr and the documented exit code."""
    prepare_streams()
    code = run(sys.argv[1:])
    if error := finish_stdout():
        code = _explain(error)
    sys.exit(code)


def run(arguments: list[str]) -> int:
    """Run one command and give its exit code."""
    COMMAND.set(tuple(arguments))
    try:
        code = _commands()(arguments, prog_name="forecast", standalone_mode=False) or ExitCode.DONE
        # Typer answers Ctrl-C with its exit code alone.
        return _explain(KeyboardInterrupt()) if code == ExitCode.INTERRUPTED else int(code)
    except BrokenPipeError:
        drop_stdout()
        return ExitCode.DONE
    except SystemExit as leaving:
        # Typer leaves with 1 when nobody reads on, before the error reaches this place.
        if not isinstance(leaving.__context__, BrokenPipeError):
            raise
        drop_stdout()
        return ExitCode.DONE
    except (Exception, KeyboardInterrupt) as error:
        if os.environ.get("FORECAST_DEBUG"):
            raise
        return _explain(error)


@cache
def _commands() -> Callable[..., Any]:
    """All commands, put together once in a process that runs several."""
    return get_command(app)


def _explain(error: BaseException) -> int:
    """Say in one line what went wrong, and give the exit code."""
    match error:
        case ForecastError():
            return _complain(str(error), error.exit_code)
        case typer.TyperException():
            return _reject_usage(error)
        case KeyboardInterrupt() | typer.Abort():
            return _complain("interrupted; nothing was left half-written", ExitCode.INTERRUPTED)
        case UnicodeEncodeError():
            name = ascii(error.object)[:60]
            return _complain(f"{name} is not written in UTF-8; rename the file or folder", ExitCode.BAD_INPUT)
        case OSError():
            place = f" {error.filename}" if error.filename else ""
            reason = f"the system failed{place}: {error.strerror or error}"
            return _complain(f"{reason}; fix its permissions or free some space", ExitCode.DISK)
    what = f"this is a bug: {type(error).__name__}: {error}"
    return _complain(f"{what}; run it again with FORECAST_DEBUG=1 and report what it prints", ExitCode.FAILED)


def _complain(message: str, code: ExitCode) -> int:
    write_note(f"forecast: {' '.join(message.split())}")
    return int(code)


def _reject_usage(error: typer.TyperException) -> int:
    """One line that names the help to read; a command group without a command shows its help."""
    message = error.format_message().strip()
    if message.startswith("Usage:"):
        sys.stderr.write(message + "\n")
        return int(ExitCode.USAGE)
    context = getattr(error, "ctx", None)
    command = context.command_path if context else "forecast"
    return _complain(f"{message.rstrip('.')}; see `{command} --help`", ExitCode.USAGE)


if __name__ == "__main__":
    main()
