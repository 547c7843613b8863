"""The command `forecast`: its commands, and the one place where errors become exit codes."""

import gc
import os
import sys
from collections.abc import Callable, Iterable
from functools import cache
from importlib import import_module
from pathlib import Path
from typing import Annotated, Any

import typer
from typer.main import get_command

from forecaster import __version__
from forecaster.cli.screen import visible, write_note
from forecaster.cli.streams import drop_stdout, finish_stdout, prepare_streams
from forecaster.errors import ExitCode, ForecastError
from forecaster.report.kept import COMMAND

COMMANDS = {
    "fetch": "fetch:fetch",
    "data": "data:data_app",
    "train": "train:train",
    "compare": "compare:compare",
    "backtest": "backtest:backtest",
    "audit": "audit:audit",
    "tune": "tune:tune",
    "predict": "predict:predict",
    "retrain": "retrain:retrain",
    "score": "score:score",
    "report": "report:report",
    "run": "schedule:run_daily",
    "schedule": "schedule:schedule_app",
    "models": "models:models_app",
    "lab": "lab.app:lab_app",
    "doctor": "doctor:doctor",
}
"""Every command, and the module and name of its function or group. The module is loaded when it is needed."""
_TITLES = {"keras": "Keras", "tensorflow": "TensorFlow", "jax": "JAX", "torch": "PyTorch"}


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


def command_line(names: Iterable[str] = COMMANDS) -> typer.Typer:
    """The command `forecast`, with all of its commands or some."""
    app = typer.Typer(
        name="forecast",
        no_args_is_help=True,
        # Rich draws the help on a terminal; a pipe gets plain text, in half the time.
        rich_markup_mode="rich" if sys.stdout is not None and sys.stdout.isatty() else None,
        pretty_exceptions_enable=False,
        context_settings={"help_option_names": ["-h", "--help"]},
    )
    app.callback()(forecast)
    for name in names:
        module, _, attribute = COMMANDS[name].partition(":")
        command = getattr(import_module(f"forecaster.cli.{module}"), attribute)
        if isinstance(command, typer.Typer):
            app.add_typer(command, name=name)
        else:
            app.command(name)(command)
    return app


def main() -> None:
    """Run the command line; every error is one line on stderr and the documented exit code."""
    prepare_streams()
    if sys.argv[1:2] == ["predict"]:
        # Before NumPy is loaded: to start its threads takes longer than the products of a forecast. And to
        # look for cycles, of which it makes none, would be an eighth of its time.
        os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")
        gc.disable()
    code = run(sys.argv[1:])
    if error := finish_stdout():
        code = _explain(error)
    sys.exit(code)


def run(arguments: list[str]) -> int:
    """Run one command and give its exit code."""
    typed = COMMAND.set(tuple(arguments))
    try:
        commands = _commands(arguments[0] if arguments and arguments[0] in COMMANDS else None)
        code = commands(arguments, prog_name="forecast", standalone_mode=False) or ExitCode.DONE
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
    finally:
        COMMAND.reset(typed)


@cache
def _commands(name: str | None) -> Callable[..., Any]:
    """One command, or all of them, put together once in a process that runs several."""
    return get_command(command_line(COMMANDS if name is None else (name,)))


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
