"""Where the home folder is, what `forecast.toml` and the environment say, and what time it is.

A setting is looked for on the command line, then in the environment (`FORECAST_TRAIN_LOOKBACK`),
then in the home folder's `forecast.toml` (`[train]`, `lookback = 120`), then here.
"""

import tomllib
from collections.abc import Mapping
from dataclasses import dataclass, field, fields, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, get_args, get_type_hints

from forecaster.errors import UsageError

SETTINGS_FILE = "forecast.toml"
CELLS = ("rnn", "lstm", "gru")
DEVICES = ("auto", "cpu", "gpu")


def setting(
    default: Any,
    *,
    least: float | None = None,
    most: float | None = None,
    above: float | None = None,
    below: float | None = None,
    choices: tuple[str, ...] = (),
) -> Any:
    """A dataclass field with the bounds that every way of setting it is held to."""
    bounds = {"least": least, "most": most, "above": above, "below": below, "choices": choices}
    return field(default=default, metadata=bounds)


@dataclass(frozen=True)
class TrainSettings:
    """The recipe a network is trained by; lookback and horizon in trading days.

    `epochs` and `batch_size` are chosen from the amount of data where they are None, and the
    split dates (ISO, the last day of each part) from its span.
    """

    cell: str = setting("gru", choices=CELLS)
    lookback: int = setting(120, least=2, most=5000)
    horizon: int = setting(5, least=1, most=252)
    units: int = setting(32, least=1, most=4096)
    layers: int = setting(1, least=1, most=16)
    bidirectional: bool = setting(False)
    dropout: float = setting(0.1, least=0.0, below=1.0)
    epochs: int | None = setting(None, least=1, most=100_000)
    batch_size: int | None = setting(None, least=1, most=1_000_000)
    learning_rate: float = setting(0.003, above=0.0, most=10.0)
    seed: int = setting(0, least=0, most=2**32 - 1)
    train_end: str | None = setting(None)
    validation_end: str | None = setting(None)
    device: str = setting("auto", choices=DEVICES)


@dataclass(frozen=True)
class YahooSettings:
    """How Yahoo is asked: base address (empty: its own), requests a second (0: unpaced), seconds.

    `backoff` is the wait before the first of the `retries`; each further wait is twice as long.
    """

    url: str = setting("")
    rate: float = setting(2.0, least=0.0)
    workers: int = setting(4, least=1, most=64)
    timeout: float = setting(20.0, above=0.0)
    retries: int = setting(4, least=0, most=20)
    backoff: float = setting(1.0, least=0.0, most=60.0)


@dataclass(frozen=True)
class RunSettings:
    """What `forecast run` is held to: the age in sessions that makes a retraining due, minutes a step."""

    retrain_after: int = setting(21, least=1, most=10_000)
    fetch_minutes: float = setting(60.0, above=0.0)
    retrain_minutes: float = setting(240.0, above=0.0)
    predict_minutes: float = setting(30.0, above=0.0)
    score_minutes: float = setting(10.0, above=0.0)


@dataclass(frozen=True)
class Settings:
    """Everything that can be set, with the home folder it holds for."""

    home: Path
    train: TrainSettings = field(default_factory=TrainSettings)
    yahoo: YahooSettings = field(default_factory=YahooSettings)
    run: RunSettings = field(default_factory=RunSettings)


def find_home(chosen: Path | None, environ: Mapping[str, str], current: Path) -> Path:
    """The home folder: `--home`, `FORECAST_HOME`, the nearest parent with a forecast.toml, or here."""
    if chosen is not None:
        return chosen.expanduser().absolute()
    if environ.get("FORECAST_HOME"):
        return Path(environ["FORECAST_HOME"]).expanduser().absolute()
    for folder in (current, *current.parents):
        if (folder / SETTINGS_FILE).is_file():
            return folder
    return current


def load_settings(home: Path, environ: Mapping[str, str]) -> Settings:
    """Read `forecast.toml` under `home` and the `FORECAST_…` variables over it.

    Raises:
        UsageError: the file is not TOML, or names or values in it are not known.
    """
    written = _read_toml(home / SETTINGS_FILE)
    settings = Settings(home=home)
    sections = {part.name for part in fields(Settings)} - {"home"}
    for name in written:
        if name not in sections:
            raise UsageError(
                f"{home / SETTINGS_FILE} has an unknown section [{name}]",
                f"the sections are {', '.join(sorted(sections))}",
            )
    for name in sections:
        section = getattr(settings, name)
        found = _from_file(section, written.get(name, {}), f"{home / SETTINGS_FILE} [{name}]")
        found |= _from_environment(section, name, environ)
        settings = replace(settings, **{name: override(section, found)})
    return settings


def override(section: Any, values: Mapping[str, Any]) -> Any:
    """A copy of a settings section with `values` in it, each held to its bounds; None changes nothing.

    Raises:
        UsageError: a value is out of its bounds or of the wrong type.
    """
    given = {key: value for key, value in values.items() if value is not None}
    hints = get_type_hints(type(section))
    bounds = {part.name: part.metadata for part in fields(section)}
    checked = {key: _checked(key, value, hints[key], bounds[key]) for key, value in given.items()}
    return replace(section, **checked)


def current_time(environ: Mapping[str, str]) -> datetime:
    """Now, in UTC; `FORECAST_NOW` (ISO; UTC unless it says otherwise) sets it for replays.

    Raises:
        UsageError: `FORECAST_NOW` is not a date and time.
    """
    text = environ.get("FORECAST_NOW")
    if not text:
        return datetime.now(UTC)
    try:
        moment = datetime.fromisoformat(text)
    except ValueError:
        raise UsageError(
            f"FORECAST_NOW={text} is not an ISO date and time", "write it like 2026-11-21T22:30:00"
        ) from None
    return moment.replace(tzinfo=UTC) if moment.tzinfo is None else moment.astimezone(UTC)


def iso_utc(moment: datetime) -> str:
    """A moment as files and logs have it: `2026-11-21T22:30:00+00:00`."""
    return moment.astimezone(UTC).isoformat(timespec="seconds")


def _read_toml(path: Path) -> dict[str, Any]:
    try:
        return tomllib.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        return {}
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise UsageError(f"{path} is not valid TOML: {error}", "mend or remove it") from error
    except OSError as error:
        raise UsageError(f"cannot read {path}: {error.strerror}", "mend its rights") from error


def _from_file(section: Any, written: Any, where: str) -> dict[str, Any]:
    known = {part.name for part in fields(section)}
    if not isinstance(written, dict):
        raise UsageError(
            f"{where} is not a table of settings", f"write `{where.rsplit(maxsplit=1)[-1]}` above them"
        )
    for key in written:
        if key.replace("-", "_") not in known:
            raise UsageError(f"{where} has no setting {key}", f"it has {', '.join(sorted(known))}")
    return {key.replace("-", "_"): _plain(value) for key, value in written.items()}


def _plain(value: Any) -> Any:
    """TOML has dates of its own; a date setting is ISO text."""
    return value.isoformat() if hasattr(value, "isoformat") else value


def _from_environment(section: Any, name: str, environ: Mapping[str, str]) -> dict[str, Any]:
    hints = get_type_hints(type(section))
    found = {}
    for part in fields(section):
        variable = f"FORECAST_{name}_{part.name}".upper()
        if environ.get(variable):
            found[part.name] = _parsed(variable, environ[variable], hints[part.name])
    return found


def _parsed(name: str, text: str, hint: Any) -> Any:
    kind = _plain_type(hint)
    if kind is bool:
        truths = {"1": True, "true": True, "yes": True, "0": False, "false": False, "no": False}
        if text.lower() not in truths:
            raise UsageError(f"{name}={text} is neither true nor false", "write true or false")
        return truths[text.lower()]
    try:
        return kind(text)
    except ValueError:
        raise UsageError(f"{name}={text} is not a number", f"give a value of type {kind.__name__}") from None


def _plain_type(hint: Any) -> type:
    """The type in `X | None`, or X."""
    options = [option for option in get_args(hint) if option is not type(None)]
    kind: type = options[0] if options else hint
    return kind


def _checked(name: str, value: Any, hint: Any, bounds: Mapping[str, Any]) -> Any:
    kind = _plain_type(hint)
    flag = "--" + name.replace("_", "-")
    if kind is float and isinstance(value, int) and not isinstance(value, bool):
        value = float(value)
    if not isinstance(value, kind) or (kind is int and isinstance(value, bool)):
        raise UsageError(f"{flag} {value!r} is not of type {kind.__name__}", "correct it")
    if bounds["choices"] and value not in bounds["choices"]:
        raise UsageError(f"{flag} {value} is not known", f"choose from {', '.join(bounds['choices'])}")
    complaint = _out_of_bounds(value, bounds)
    if complaint:
        raise UsageError(f"{flag} {value} is out of range", f"it must be {complaint}")
    return value


def _out_of_bounds(value: Any, bounds: Mapping[str, Any]) -> str:
    """What the value must be, if it is not; empty if it is."""
    if bounds["least"] is not None and not value >= bounds["least"]:
        return f"at least {bounds['least']}"
    if bounds["above"] is not None and not value > bounds["above"]:
        return f"above {bounds['above']}"
    if bounds["most"] is not None and not value <= bounds["most"]:
        return f"at most {bounds['most']}"
    if bounds["below"] is not None and not value < bounds["below"]:
        return f"below {bounds['below']}"
    return ""
