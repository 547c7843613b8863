"""Where the home folder is, what `forecast.toml` and the environment say, and what time it is.

A setting is looked for on the command line, then in the environment (`FORECAST_TRAIN_LOOKBACK`),
then in the home folder's `forecast.toml` (`[train]`, `lookback = 120`), then here. An invalid value
is reported as and where it was written: `--lookback 1`, `FORECAST_TRAIN_LOOKBACK=1`, or
`/home/me/stocks/forecast.toml [train] lookback = 1`.
"""

import json
import sys
import tomllib
from collections.abc import Callable, Iterable, Mapping
from dataclasses import asdict, dataclass, field, fields, replace
from datetime import UTC, date, datetime
from pathlib import Path
from typing import Any, NamedTuple, Self, TypeVar, get_args, get_type_hints

from forecaster.errors import BadInputError, DiskError, UsageError
from forecaster.files import read_regular

SETTINGS_FILE = "forecast.toml"
CELLS = ("rnn", "lstm", "gru")
"""The cells that read a window day by day, and can answer at each."""
CONVLSTM = "convlstm"
"""The cell that reads a window week by week, and answers at its last day."""
ALL_CELLS = (*CELLS, CONVLSTM)
CELL_TITLES: Mapping[str, str] = {"rnn": "SimpleRNN", "lstm": "LSTM", "gru": "GRU", CONVLSTM: "ConvLSTM1D"}
WEEK = 5
"""Days of a week as a ConvLSTM1D reads it: the sessions of a week without a holiday."""
LINEAR = "linear"
"""What is trained in place of a cell: the same inputs without recurrence."""
ALL_FEATURES, PRICES_ONLY = "all", "prices"
DEVICES = ("auto", "cpu", "gpu", "gpus")
FLOAT32, MIXED = "float32", "mixed"
FIRST_YEAR, LAST_YEAR = 1900, 2100
"""Of which the calendars know."""
MOST_SETTINGS_BYTES = 20_000
"""Many times what all settings take. A key of so many dots is read in a second, one of 200 kB in minutes."""
SHELL_VARIABLES = ("FORECAST_HOME", "FORECAST_NOW", "FORECAST_DEBUG")
"""Variables that are no settings: they cannot be written into forecast.toml."""
_TEST_VARIABLES = "FORECAST_TEST_"
"""Reserved for switches of the test suite."""
_TRUTHS = {"1": True, "true": True, "yes": True, "0": False, "false": False, "no": False}


@dataclass(frozen=True)
class _Bounds:
    """What a value has to be; None, empty or False where it does not matter."""

    least: float | None
    most: float | None
    above: float | None
    below: float | None
    choices: tuple[str, ...]
    date: bool

    def hold(self, value: Any) -> bool:
        """Whether a value of the right type is valid; NaN is within no bounds."""
        return (
            (self.least is None or value >= self.least)
            and (self.most is None or value <= self.most)
            and (self.above is None or value > self.above)
            and (self.below is None or value < self.below)
        )

    def described(self) -> str:
        """The range in words, `at least 1 and at most 64`; empty if there is none."""
        ends = {"at least": self.least, "above": self.above, "at most": self.most, "below": self.below}
        # Ints in full: `g` would round the largest seed.
        numbers = {words: f"{end:g}" if isinstance(end, float) else f"{end}" for words, end in ends.items()}
        return " and ".join(f"{words} {numbers[words]}" for words, end in ends.items() if end is not None)


def setting(
    default: Any,
    *,
    least: float | None = None,
    most: float | None = None,
    above: float | None = None,
    below: float | None = None,
    choices: tuple[str, ...] = (),
    date: bool = False,
) -> Any:
    """A dataclass field with the bounds that every way of setting it is held to."""
    bounds = _Bounds(least, most, above, below, choices, date)
    return field(default=default, metadata={"bounds": bounds})


@dataclass(frozen=True)
class Recipe:
    """The recipe a network is trained by; lookback and horizon in trading days.

    `epochs` and `batch_size` are chosen from the amount of data where they are None, and the
    split dates (ISO, the last day of each part) from its span. `features` are those of prices alone, or
    all that can be had, those of earnings dates too. With mixed `precision` the recurrent layers compute in
    bfloat16 as they are trained; weights, head and loss are float32, and so is all that is kept. `ensemble`
    networks are trained, each from another seed, and their answers averaged.
    """

    cell: str = setting("gru", choices=(*ALL_CELLS, LINEAR))
    lookback: int = setting(120, least=2, most=5000)
    horizon: int = setting(5, least=1, most=252)
    features: str = setting(ALL_FEATURES, choices=(ALL_FEATURES, PRICES_ONLY))
    units: int = setting(32, least=1, most=4096)
    layers: int = setting(1, least=1, most=16)
    bidirectional: bool = setting(False)
    dropout: float = setting(0.1, least=0.0, below=1.0)
    epochs: int | None = setting(None, least=1, most=100_000)
    batch_size: int | None = setting(None, least=1, most=1_000_000)
    learning_rate: float = setting(0.003, above=0.0, most=10.0)
    seed: int = setting(0, least=0, most=2**32 - 1)
    ensemble: int = setting(1, least=1, most=100)
    train_end: str | None = setting(None, date=True)
    validation_end: str | None = setting(None, date=True)
    precision: str = setting(FLOAT32, choices=(FLOAT32, MIXED))
    device: str = setting("auto", choices=DEVICES)

    @property
    def last_day_only(self) -> bool:
        """Whether the network answers at the last day of a window only, see `answers_last_day_only`."""
        return answers_last_day_only(self.cell, bidirectional=self.bidirectional)


_LATER = {"precision": FLOAT32, "ensemble": 1}
"""Settings of a recipe that are younger than some kept results, with what was then the only value."""


def told_apart(recipe: Recipe) -> dict[str, Any]:
    """A recipe in plain values, so that what was kept before a setting existed is still known by it."""
    return {
        name: value for name, value in asdict(recipe).items() if name not in _LATER or value != _LATER[name]
    }


def cell_text(recipe: Mapping[str, Any]) -> str:
    """The cell of a recipe that a card keeps; of an ensemble with its number of networks: `4 × gru`."""
    networks = recipe.get("ensemble", 1)  # older recipes have none
    return f"{networks} × {recipe['cell']}" if networks > 1 else str(recipe["cell"])


def answers_last_day_only(cell: str, *, bidirectional: bool) -> bool:
    """Whether what a network has read at a day of a window, but for the last, may have come after that day.

    A bidirectional layer has read the window backwards too; a ConvLSTM1D has read the whole week of a day.
    """
    return bidirectional or cell == CONVLSTM


def check_cell(recipe: Recipe) -> None:
    """Hold the window and the direction against what the cell can read; each value by itself is checked.

    Raises:
        UsageError: a ConvLSTM1D is to read something else than whole weeks, or backwards too.
    """
    if recipe.cell != CONVLSTM:
        return
    if recipe.lookback % WEEK:
        below = recipe.lookback - recipe.lookback % WEEK
        near = " or ".join(str(days) for days in (below, below + WEEK) if days)
        raise UsageError(
            f"a {CELL_TITLES[CONVLSTM]} reads weeks of {WEEK} days, and a lookback of {recipe.lookback} "
            f"is no multiple of {WEEK}",
            f"choose --lookback {near}, or another cell",
        )
    if recipe.bidirectional:
        raise UsageError(
            f"a {CELL_TITLES[CONVLSTM]} reads its weeks forwards only",
            f"leave out --bidirectional, or choose another cell: {', '.join(CELLS)}",
        )


@dataclass(frozen=True)
class YahooSettings:
    """How Yahoo is requested: base address (empty: its own), requests a second (0: unpaced), seconds.

    `backoff` is the wait before the first of the `retries`; each further wait is twice as long.
    """

    url: str = setting("")
    rate: float = setting(2.0, least=0.0, most=1000.0)
    workers: int = setting(4, least=1, most=64)
    timeout: float = setting(20.0, above=0.0, most=3600.0)
    retries: int = setting(4, least=0, most=20)
    backoff: float = setting(1.0, least=0.0, most=60.0)


@dataclass(frozen=True)
class SecSettings:
    """How the SEC's EDGAR is requested for earnings dates; the rest as for Yahoo.

    `user_agent` names who asks, with an address at which they can be reached: without it the SEC refuses. It
    allows ten requests a second. `url` stands in place of both of its hosts.
    """

    user_agent: str = setting("")
    url: str = setting("")
    rate: float = setting(5.0, above=0.0, most=10.0)
    timeout: float = setting(20.0, above=0.0, most=3600.0)
    retries: int = setting(4, least=0, most=20)
    backoff: float = setting(1.0, least=0.0, most=60.0)


@dataclass(frozen=True)
class RunSettings:
    """When `forecast run` retrains (after so many sessions), and the time limit of each step in minutes.

    The longest limit is a week.
    """

    retrain_after: int = setting(21, least=1, most=10_000)
    fetch_minutes: float = setting(60.0, above=0.0, most=10_080.0)
    earnings_minutes: float = setting(30.0, above=0.0, most=10_080.0)
    retrain_minutes: float = setting(240.0, above=0.0, most=10_080.0)
    predict_minutes: float = setting(30.0, above=0.0, most=10_080.0)
    score_minutes: float = setting(10.0, above=0.0, most=10_080.0)


@dataclass(frozen=True)
class Settings:
    """All settings of one home folder."""

    home: Path
    train: Recipe = field(default_factory=Recipe)
    yahoo: YahooSettings = field(default_factory=YahooSettings)
    sec: SecSettings = field(default_factory=SecSettings)
    run: RunSettings = field(default_factory=RunSettings)


_SECTIONS = tuple(part.name for part in fields(Settings) if part.name != "home")
Section = TypeVar("Section", Recipe, YahooSettings, SecSettings, RunSettings)
Quote = Callable[[str, object], str]
"""How a reader wrote a value under a key."""


class WrittenDate(str):
    """An ISO date that remembers how it was written, for errors that only the prices can show.

    It is `train_end` and `validation_end` of checked settings: whether they fit is known once the
    prices are read.
    """

    __slots__ = ("quote",)
    quote: str

    def __new__(cls, text: str, quote: str = "") -> Self:
        """The date `text`; `quote` is what an error shows, `--train-end 2015-12-31`."""
        written = super().__new__(cls, text)
        written.quote = quote or text
        return written


def find_home(chosen: Path | None, environ: Mapping[str, str], current: Path) -> Path:
    """The home folder: `--home`, `FORECAST_HOME`, the nearest parent with a forecast.toml, or here.

    Raises:
        UsageError: it begins with the home of a user (`~name`) who does not exist, or its name is not UTF-8.
    """
    if chosen is not None:
        return _expanded(chosen, f"--home {chosen}")
    if environ.get("FORECAST_HOME"):
        return _expanded(Path(environ["FORECAST_HOME"]), f"FORECAST_HOME={environ['FORECAST_HOME']}")
    for folder in (current, *current.parents):
        if (folder / SETTINGS_FILE).is_file():
            return _in_utf8(folder)
    return _in_utf8(current)


def load_settings(home: Path, environ: Mapping[str, str]) -> Settings:
    """Read `forecast.toml` under `home` and the `FORECAST_…` variables over it.

    Raises:
        UsageError: the file is not TOML, or a name or value in it or in the environment is invalid.
    """
    file = home / SETTINGS_FILE
    written = _read_toml(file)
    defaults = Settings(home)
    for name, value in written.items():
        if not isinstance(value, dict):
            raise UsageError(
                f"{file} {name} = {_toml(value)} is in no section",
                f"write it under one of {', '.join(f'[{section}]' for section in _SECTIONS)}",
            )
        if name not in _SECTIONS:
            raise UsageError(
                f"{file} has an unknown section [{name}]", f"{_suggestion(name, _SECTIONS)}, or remove it"
            )
    _reject_unknown_variables(environ)
    return Settings(
        home,
        train=_set("train", defaults.train, written, file, environ),
        yahoo=_set("yahoo", defaults.yahoo, written, file, environ),
        sec=_set("sec", defaults.sec, written, file, environ),
        run=_set("run", defaults.run, written, file, environ),
    )


def as_flag(key: str, value: object) -> str:
    """A value as it is written on the command line: `--train-end 2015-12-31`."""
    return f"--{key.replace('_', '-')} {value}"


def override(section: Section, values: Mapping[str, object], quote: Quote = as_flag) -> Section:
    """A copy of a settings section with `values` in it, each held to its bounds; None changes nothing.

    Args:
        section: the settings that `values` go before.
        values: new values by key, from the command line unless `quote` shows another place.
        quote: gives a key and its value as the reader wrote them, for the error.

    Raises:
        UsageError: a value is out of its bounds or of the wrong type.
    """
    return _replaced(
        section, (_Entry(key, value, quote(key, value)) for key, value in values.items() if value is not None)
    )


def current_time(environ: Mapping[str, str]) -> datetime:
    """Now, in UTC; `FORECAST_NOW` (ISO; UTC unless it says otherwise) sets it for replays.

    Raises:
        UsageError: `FORECAST_NOW` is not a date and time, or in a year of which no calendar is known.
    """
    text = environ.get("FORECAST_NOW")
    if not text:
        return datetime.now(UTC)
    try:
        moment = datetime.fromisoformat(text)
        moment = moment.replace(tzinfo=UTC) if moment.tzinfo is None else moment.astimezone(UTC)
    except (ValueError, OverflowError):
        raise UsageError(
            f"FORECAST_NOW={text} is not an ISO date and time", "write it like 2026-11-21T22:30:00"
        ) from None
    if not FIRST_YEAR <= moment.year <= LAST_YEAR:
        raise UsageError(
            f"FORECAST_NOW={text} is out of range", f"choose a year from {FIRST_YEAR} to {LAST_YEAR}"
        )
    return moment


def is_replay(environ: Mapping[str, str]) -> bool:
    """Whether `FORECAST_NOW` sets the clock."""
    return bool(environ.get("FORECAST_NOW"))


def iso_utc(moment: datetime) -> str:
    """A moment as files and logs have it: `2026-11-21T22:30:00+00:00`."""
    return moment.astimezone(UTC).isoformat(timespec="seconds")


class _Entry(NamedTuple):
    """One value of a setting, and how it was written."""

    key: str
    value: Any
    quote: str


def _expanded(folder: Path, quote: str) -> Path:
    try:
        return _in_utf8(folder.expanduser().absolute())
    except RuntimeError:
        raise UsageError(
            f"{quote} begins with the home of an unknown user", "write the folder in full"
        ) from None


def _in_utf8(folder: Path) -> Path:
    """The folder, whose name logs, the crontab and JSON can hold.

    Raises:
        UsageError: they cannot.
    """
    try:
        str(folder).encode()
    except UnicodeEncodeError:
        raise UsageError(f"the name of the home folder {folder} is not UTF-8", "rename it") from None
    return folder


def _read_toml(path: Path) -> dict[str, Any]:
    try:
        return tomllib.loads(read_regular(path, most_bytes=MOST_SETTINGS_BYTES).decode())
    except FileNotFoundError:
        return {}
    except (ValueError, RecursionError) as error:  # also of bad UTF-8 and of numbers with too many digits
        raise UsageError(f"{path} is not valid TOML: {error}", "fix or remove it") from error
    except (BadInputError, DiskError) as error:
        raise UsageError(error.message, error.remedy) from error


def _set(
    name: str, section: Section, written: Mapping[str, Any], file: Path, environ: Mapping[str, str]
) -> Section:
    """The section called `name` as the file and, over it, the environment set it."""
    from_file = _replaced(section, _from_file(section, written.get(name, {}), f"{file} [{name}]"))
    return _replaced(from_file, _from_environment(section, name, environ))


def _from_file(section: Section, table: Mapping[str, Any], where: str) -> Iterable[_Entry]:
    known = {part.name for part in fields(section)}
    for written, value in table.items():
        key = written.replace("-", "_")
        if key not in known:
            raise UsageError(f"{where} has no setting {written}", f"{_suggestion(key, known)}, or remove it")
        yield _Entry(key, value, f"{where} {written} = {_toml(value)}")


def _from_environment(section: Section, name: str, environ: Mapping[str, str]) -> Iterable[_Entry]:
    hints = get_type_hints(type(section))
    for part in fields(section):
        variable = _variable(name, part.name)
        text = environ.get(variable)
        if text:
            yield _Entry(part.name, _parsed(text, _plain_type(hints[part.name])), f"{variable}={text}")


def _variable(section: str, key: str) -> str:
    return f"FORECAST_{section}_{key}".upper()


def _reject_unknown_variables(environ: Mapping[str, str]) -> None:
    defaults = Settings(Path())
    known = {*SHELL_VARIABLES} | {
        _variable(name, part.name) for name in _SECTIONS for part in fields(getattr(defaults, name))
    }
    for name, text in environ.items():
        ours = name.startswith("FORECAST_") and not name.startswith(_TEST_VARIABLES)
        if text and ours and name not in known:
            raise UsageError(f"the variable {name} is not known", f"{_suggestion(name, known)}, or unset it")


def _suggestion(name: str, known: Iterable[str]) -> str:
    from difflib import get_close_matches

    # In order, so that of equally near names always the same is said.
    return f"rename it (the nearest is {get_close_matches(name, sorted(known), n=1, cutoff=0.0)[0]})"


def _toml(value: Any) -> str:
    """A value as TOML has it, as far as one line shows it."""
    if isinstance(value, str | bool):
        return json.dumps(value, ensure_ascii=False)
    return value.isoformat() if hasattr(value, "isoformat") else str(value)


def _parsed(text: str, kind: type) -> Any:
    """The value that a variable's text stands for; the text itself, of the wrong type, if for none."""
    if kind is bool:
        return _TRUTHS.get(text.lower(), text)
    try:
        return kind(text)
    except ValueError:
        return text


def _plain_type(hint: Any) -> type:
    """The type in `X | None`, or X."""
    options = [option for option in get_args(hint) if option is not type(None)]
    kind: type = options[0] if options else hint
    return kind


def _replaced(section: Section, entries: Iterable[_Entry]) -> Section:
    hints = get_type_hints(type(section))
    bounds = {part.name: part.metadata["bounds"] for part in fields(section)}
    checked = {
        entry.key: _checked(entry, _plain_type(hints[entry.key]), bounds[entry.key]) for entry in entries
    }
    return replace(section, **checked)


def _checked(entry: _Entry, kind: type, bounds: _Bounds) -> Any:
    if bounds.date:
        return _checked_date(entry)
    value = entry.value
    if kind is float and type(value) is int and abs(value) <= sys.float_info.max:
        value = float(value)
    words = {int: "a whole number", float: "a number", bool: "true or false", str: "text"}[kind]
    wanted = f"choose {words}, {bounds.described()}" if bounds.described() else f"choose {words}"
    if not isinstance(value, kind) or (kind is int and isinstance(value, bool)):
        raise UsageError(f"{entry.quote} is not {words}", wanted)
    if bounds.choices and value not in bounds.choices:
        raise UsageError(f"{entry.quote} is not known", f"choose from {', '.join(bounds.choices)}")
    if not bounds.hold(value):
        raise UsageError(f"{entry.quote} is out of range", wanted)
    return value


def _checked_date(entry: _Entry) -> WrittenDate:
    """TOML has dates of its own; a date setting is ISO text."""
    text = entry.value.isoformat() if type(entry.value) is date else entry.value
    try:
        return WrittenDate(date.fromisoformat(text).isoformat(), entry.quote)
    except (TypeError, ValueError):
        raise UsageError(f"{entry.quote} is not a date", "write it like 2015-12-31") from None
