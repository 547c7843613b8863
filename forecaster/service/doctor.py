"""What is wrong with this machine or this home folder, and how to fix it.

The rest of the tool is imported inside the checks: a library that cannot be imported is a finding.
"""

import importlib.util
import os
import platform
import re
import shutil
import sys
from collections import Counter
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from importlib.metadata import PackageNotFoundError, requires, version
from pathlib import Path
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from forecaster.errors import ForecastError, name_some
from forecaster.files import LOCK_NAME, check_writable, lock_is_held
from forecaster.service.run_status import CUT_OFF, FAILED
from forecaster.settings import is_replay, load_settings

LEAST_PYTHON = (3, 11)
SPACE_NEEDED, SPACE_WANTED = 200_000_000, 2_000_000_000
PRICES_STALE, MODEL_STALE = 1, 63  # sessions: a day's grace for the night's fetch, and a quarter
_SHOWN_VERSIONS = ("keras", "tensorflow", "numpy", "pyarrow", "yfinance")
_REQUIREMENT = re.compile(r"[^A-Za-z0-9._-]")  # what ends the name in `yfinance>=1.0`
_NVIDIA_DRIVER = Path("/proc/driver/nvidia/version")


@dataclass(frozen=True)
class Finding:
    """One check's answer: `state` is ok, warn or fail, and `remedy` is empty when it is ok."""

    check: str
    state: str
    text: str
    remedy: str = ""


def examine(home: Path, now: datetime, environ: Mapping[str, str], *, deep: bool) -> list[Finding]:
    """Make every check; none raises, and none changes anything.

    Args:
        home: the home folder, which need not be there.
        now: aware.
        environ: the environment.
        deep: start the Keras engine too, which takes seconds.
    """
    checks: dict[str, Callable[[], Finding]] = {
        "Python": _python,
        "packages": _packages,
        "engine": lambda: _started_engine() if deep else _engine(environ),
        "settings": lambda: _settings(home, environ),
        "home folder": lambda: _home(home),
        "disk space": lambda: _space(home),
        "lock": lambda: _lock(home),
        "prices": lambda: _prices(home, now),
        "earnings dates": lambda: _earnings(home, now),
        "models": lambda: _models(home, now),
        "ledger": lambda: _ledger(home),
        "schedule": lambda: _schedule(home, now),
        "clock": lambda: _clock(home, now, environ),
        "time zone": lambda: _time_zone(now),
    }
    return [_examined(name, check) for name, check in checks.items()]


def _examined(name: str, check: Callable[[], Finding]) -> Finding:
    try:
        return check()
    except ForecastError as error:
        return Finding(name, "fail", error.message, error.remedy)
    except ZoneInfoNotFoundError as error:
        return Finding(name, "fail", f"no time zones are installed: {error}", "pip install tzdata")
    except OSError as error:
        reason = f"the system cannot use {error.filename}: {error.strerror}"
        return Finding(name, "fail", reason, "fix its permissions, or choose another --home")
    except ImportError as error:
        return Finding(name, "fail", f"cannot be looked at: {error}", "install forecast anew")


def _python() -> Finding:
    text = f"{platform.python_version()} on {platform.system()} {platform.machine()}"
    if sys.version_info < LEAST_PYTHON:
        return Finding("Python", "fail", text, "install Python 3.11 or later")
    return Finding("Python", "ok", text)


def _packages() -> Finding:
    try:
        needed = [line for line in requires("forecaster") or [] if "extra ==" not in line]
    except PackageNotFoundError:
        return Finding("packages", "warn", "forecast runs without having been installed", "run `make setup`")
    names = [_REQUIREMENT.split(line, maxsplit=1)[0] for line in needed]
    missing = [name for name in names if _version(name) is None]
    if missing:
        return Finding(
            "packages", "fail", f"missing: {', '.join(missing)}", f"pip install {' '.join(missing)}"
        )
    shown = ", ".join(f"{name} {_version(name)}" for name in ("forecaster", *_SHOWN_VERSIONS))
    return Finding("packages", "ok", shown)


def _version(package: str) -> str | None:
    try:
        return version(package)
    except PackageNotFoundError:
        return None


def _engine(environ: Mapping[str, str]) -> Finding:
    """Found, not imported: TensorFlow alone takes seconds."""
    name = environ.get("KERAS_BACKEND") or "tensorflow"
    if importlib.util.find_spec(name) is None:
        return Finding("engine", "fail", f"the Keras engine {name} is not installed", f"pip install {name}")
    device = "an NVIDIA driver is there" if _NVIDIA_DRIVER.exists() else "no NVIDIA driver, so the CPU"
    return Finding("engine", "ok", f"{name} {_version(name)}, not started (--deep does); {device}")


def _started_engine() -> Finding:
    from forecaster.network.engine import start_engine

    engine = start_engine("auto")
    text = f"{engine.backend} {_version(engine.backend)} computes on the {engine.device.upper()}"
    if engine.device == "cpu" and _NVIDIA_DRIVER.exists():
        return Finding("engine", "warn", f"{text}, though there is a GPU", "pip install 'forecaster[gpu]'")
    return Finding("engine", "ok", text)


def _settings(home: Path, environ: Mapping[str, str]) -> Finding:
    load_settings(home, environ)
    file = home / "forecast.toml"
    return Finding(
        "settings", "ok", f"{file} is sound" if file.exists() else "no forecast.toml, so the defaults"
    )


def _home(home: Path) -> Finding:
    if not home.exists():
        return Finding("home folder", "warn", f"{home} is not there yet", "`forecast fetch` makes it")
    for folder in (home, home / "data" / "prices", home / "models"):
        if folder.exists():
            check_writable(folder)
    return Finding("home folder", "ok", f"{home} can be written")


def _space(home: Path) -> Finding:
    there = next(folder for folder in (home, *home.parents) if folder.exists())
    free = shutil.disk_usage(there).free
    text = f"{free / 1e9:,.1f} GB free"
    if free < SPACE_WANTED:
        state = "fail" if free < SPACE_NEEDED else "warn"
        return Finding(
            "disk space", state, text, "free some, or choose another --home; `forecast models prune`"
        )
    return Finding("disk space", "ok", text)


def _lock(home: Path) -> Finding:
    if not (home / LOCK_NAME).exists():
        return Finding("lock", "ok", "nobody has written here yet")
    if lock_is_held(home):
        return Finding(
            "lock", "warn", "another forecast is writing now", "writers wait for it; readers need not"
        )
    return Finding("lock", "ok", "free")


def _earnings(home: Path, now: datetime) -> Finding:
    from forecaster.prices.calendar import local_date
    from forecaster.prices.earnings.projection import expected_dates
    from forecaster.prices.earnings.store import EarningsStore
    from forecaster.prices.earnings.table import PROJECTED
    from forecaster.service.refreshing import STALE_DAYS

    stored, today = EarningsStore(home).read(), local_date(now)
    if not len(stored.table):
        return Finding("earnings dates", "ok", "none stored; `forecast fetch --earnings` brings some")
    found = expected_dates(stored.table, today)
    announced = (found.date >= today) & (found.status != PROJECTED) & found.live
    text = f"tickers: {len(set(stored.table.ticker.tolist())):,}; announced: {int(announced.sum()):,}"
    newest = {source: max(answered.values()) for source, answered in stored.asked.items() if answered}
    text += "".join(f"; {source} last answered on {day}" for source, day in newest.items())
    if any(stored.due(source, stored.asked[source], today, STALE_DAYS) for source in newest):
        remedy = "run `forecast fetch --earnings`, or let `forecast run` do so each night"
        return Finding("earnings dates", "warn", f"{text}; some are older than {STALE_DAYS} days", remedy)
    return Finding("earnings dates", "ok", text)


def _prices(home: Path, now: datetime) -> Finding:
    import numpy as np

    from forecaster.dataset.panel import MOST_BRIDGED
    from forecaster.prices.calendar import last_closed_session, session_count
    from forecaster.prices.exchanges import XNYS
    from forecaster.prices.health import check_health
    from forecaster.prices.market import read_market
    from forecaster.prices.store import PriceStore

    store = PriceStore(home)
    tickers = store.tickers()
    if not tickers:
        return Finding("prices", "warn", "no prices stored", "run `forecast fetch`")
    health = [check_health(store, ticker, now) for ticker in tickers]
    unusable = [each for each in health if each.damage]
    if unusable:
        text = f"{len(unusable):,} of {len(tickers):,} files cannot be used: " + name_some(
            each.ticker for each in unusable
        )
        remedy = "`forecast data verify` says why; with --repair it fetches the damaged anew"
        return Finding("prices", "fail", f"{text}; {unusable[0].damage}", remedy)
    newest = np.datetime64(max(each.last for each in health))
    age = max(0, session_count(newest, last_closed_session(now)))
    text = f"tickers: {len(tickers):,}; the newest price is of {newest}, {age:,} sessions old"
    text += _named_counts("; calendars", Counter(each.calendar for each in health), usual=XNYS)
    text += _named_counts(
        "; currencies", Counter(each.currency for each in health if each.currency), usual="USD"
    )
    if bridged := sum(0 < each.recent_gaps <= MOST_BRIDGED for each in health):
        text += f"; with recent gaps that forecasts bridge: {bridged:,}"
    if broken := [each.ticker for each in health if each.recent_gaps > MOST_BRIDGED]:
        text += f"; with too many to bridge: {name_some(broken)}"
        return Finding("prices", "warn", text, "run `forecast fetch`, and look at `forecast data status`")
    if odd := read_market(store).odd:
        text += f"; with moves that look wrong: {name_some(odd)}"
        return Finding("prices", "warn", text, "`forecast data verify` names them; fetch them anew")
    if age > PRICES_STALE:
        return Finding("prices", "warn", text, "run `forecast fetch`")
    return Finding("prices", "ok", text)


def _named_counts(heading: str, counts: Mapping[str, int], usual: str) -> str:
    """How many tickers have which; nothing where all have the usual one."""
    if set(counts) <= {usual}:
        return ""
    return f"{heading}: " + ", ".join(f"{name} {count:,}" for name, count in sorted(counts.items()))


def _models(home: Path, now: datetime) -> Finding:
    import numpy as np

    from forecaster.prices.calendar import last_closed_session, session_count
    from forecaster.registry.versions import ModelRegistry

    registry = ModelRegistry(home)
    names, parts, damaged, stale = registry.names(), [], [], False
    for name in names:
        try:
            model = registry.load(name)
        except ForecastError as error:
            damaged.append(f"{name}: {error.message}")
            continue
        last_day = np.datetime64(model.card["prices"]["last_day"])
        age = max(0, session_count(last_day, last_closed_session(now)))
        stale |= age > MODEL_STALE
        parts.append(f"{model.reference} knows prices to {last_day}, {age:,} sessions ago")
    if damaged:
        return Finding("models", "fail", "; ".join(damaged), "`forecast models rollback NAME`, or train anew")
    if not names:
        return Finding("models", "warn", "none was trained", "run `forecast train`")
    if stale:
        return Finding("models", "warn", "; ".join(parts), "`forecast retrain` brings it up to date")
    return Finding("models", "ok", "; ".join(parts))


def _ledger(home: Path) -> Finding:
    from forecaster.ledger.ledger import Ledger

    ledger = Ledger(home)
    if not ledger.path.exists():
        return Finding("ledger", "ok", "nothing was recorded yet")
    faults = ledger.faults()
    if faults:
        return Finding("ledger", "fail", f"{ledger.path} is damaged: {faults[0]}", "move it away")
    recorded, scored = ledger.select("SELECT COUNT(*), COUNT(log_return) FROM forecasts")[0]
    return Finding("ledger", "ok", f"sound; forecasts: {recorded:,}, scored: {scored:,}")


def _schedule(home: Path, now: datetime) -> Finding:
    from forecaster.service.schedule import install as schedule
    from forecaster.service.schedule.staying import missed_run

    found = schedule.status(home, now)
    if found.by is None or found.expression is None:
        return Finding("schedule", "ok", "nothing is scheduled; `forecast schedule install` does it")
    last = found.last_run
    text = f"by {found.by}, next at {found.next_run}; last run: {last.text if last else 'none yet'}"
    if not found.daemon:
        return Finding("schedule", "fail", f"{text}; no daemon runs it", f"start {found.by}")
    missed = missed_run(found.expression, last, now)
    if missed:
        when = missed.isoformat(timespec="minutes")
        return Finding("schedule", "fail", f"{text}; nothing ran at {when}", f"see the log of {found.by}")
    if last is not None and last.outcome in (FAILED, CUT_OFF):
        return Finding("schedule", "warn", text, "`forecast run` tells why; so does logs/events.jsonl")
    return Finding("schedule", "ok", text)


def _clock(home: Path, now: datetime, environ: Mapping[str, str]) -> Finding:
    text = f"{now:%Y-%m-%d %H:%M} UTC"
    if is_replay(environ):
        return Finding(
            "clock", "warn", f"{text}, set by FORECAST_NOW", "unset FORECAST_NOW unless it is a replay"
        )
    written = [
        entry.stat(follow_symlinks=False).st_mtime
        for entry in _entries(home / "data" / "prices", home / "models")
    ]
    ahead = timedelta(seconds=max(written, default=0) - now.timestamp())
    if ahead > timedelta(hours=1):
        return Finding(
            "clock", "fail", f"{text}: {ahead} behind files written here", "set the system's clock"
        )
    return Finding("clock", "ok", text)


def _entries(*folders: Path) -> list[os.DirEntry[str]]:
    """What the folders hold, without SQLite's side files: those are touched by whoever reads the ledger."""
    found = [entry for folder in folders if folder.is_dir() for entry in os.scandir(folder)]
    return [entry for entry in found if not entry.name.endswith(("-shm", "-wal"))]


def _time_zone(now: datetime) -> Finding:
    from forecaster.prices.calendar import closing_time, last_closed_session

    ZoneInfo("America/New_York")
    session = last_closed_session(now)
    closed = closing_time(session).astimezone()
    zone = now.astimezone().tzname()
    return Finding("time zone", "ok", f"{zone}; New York last closed on {session}, at {closed:%H:%M} here")
