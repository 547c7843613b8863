"""Every recorded forecast, and its actual: models/ledger.sqlite.

SQLite in write-ahead mode has a lock of its own for writers, and readers never wait; the home folder's
lock is not needed. A forecast is recorded once, before its target date has closed, and scored once, after it.

A database can hold queries of its own (views, triggers) and any type in any column, so that the file is
believed only when its schema is ours to the letter and every row is a forecast.
"""

import os
import sqlite3
import tempfile
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import closing, contextmanager, suppress
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from forecaster.errors import (
    BadInputError,
    DiskError,
    ForecastError,
    NotFoundError,
    TryLaterError,
    UsageError,
    name_some,
)
from forecaster.files import check_regular, make_folder, sync_folder
from forecaster.network.student_t import ForecastDistribution
from forecaster.prices.calendar import last_closed_session
from forecaster.prices.exchanges import XNYS
from forecaster.settings import iso_utc

FORMAT = 1
_WAIT_SECONDS = 30.0
_TABLES = (
    """
CREATE TABLE forecasts (
    id INTEGER PRIMARY KEY,
    model TEXT NOT NULL,
    version INTEGER NOT NULL,
    ticker TEXT NOT NULL,
    origin TEXT NOT NULL,                -- the session at whose close it was made
    step INTEGER NOT NULL,
    target TEXT NOT NULL,                -- the session that is predicted
    last_close REAL NOT NULL,            -- as quoted that day
    location REAL NOT NULL,              -- of the cumulative log return from origin to target
    scale REAL NOT NULL,
    degrees_of_freedom REAL NOT NULL,
    naive_location REAL NOT NULL,
    naive_scale REAL NOT NULL,           -- of a normal
    recorded_at TEXT NOT NULL,
    log_return REAL,                     -- the actual; NULL while it is open
    crps REAL,
    covered INTEGER,                     -- whether the 90 % interval covered it
    naive_crps REAL,
    naive_covered INTEGER,
    scored_at TEXT,
    UNIQUE (model, version, ticker, origin, step)
)""",
    "CREATE INDEX open_forecasts ON forecasts (target) WHERE log_return IS NULL",
    "CREATE INDEX scored_forecasts ON forecasts (model, step, origin) WHERE log_return IS NOT NULL",
)
_IMPOSSIBLE = """
SELECT id FROM forecasts WHERE NOT (
    typeof(model) = 'text' AND length(model) BETWEEN 1 AND 64 AND model NOT GLOB '*[^a-z0-9_-]*'
    AND typeof(version) = 'integer' AND version >= 1
    AND typeof(ticker) = 'text' AND length(ticker) BETWEEN 1 AND 16 AND ticker NOT GLOB '*[^A-Z0-9.=^-]*'
    AND typeof(step) = 'integer' AND step BETWEEN 1 AND 1000
    AND typeof(origin) = 'text' AND date(origin, '+0 days') IS origin AND origin >= '1000'
    AND typeof(target) = 'text' AND date(target, '+0 days') IS target AND target > origin
    AND typeof(recorded_at) = 'text' AND length(recorded_at) < 40
    AND typeof(last_close) = 'real' AND last_close BETWEEN 0 AND 1e300
    AND typeof(location) = 'real' AND location BETWEEN -1e300 AND 1e300
    AND typeof(scale) = 'real' AND scale BETWEEN 0 AND 1e300
    AND typeof(degrees_of_freedom) = 'real' AND degrees_of_freedom > 0
    AND typeof(naive_location) = 'real' AND naive_location BETWEEN -1e300 AND 1e300
    AND typeof(naive_scale) = 'real' AND naive_scale BETWEEN 0 AND 1e300
    AND CASE WHEN log_return IS NULL
        THEN crps IS NULL AND covered IS NULL AND naive_crps IS NULL AND naive_covered IS NULL
            AND scored_at IS NULL
        ELSE typeof(log_return) = 'real' AND log_return BETWEEN -1e300 AND 1e300
            AND typeof(crps) = 'real' AND crps BETWEEN 0 AND 1e300
            AND typeof(naive_crps) = 'real' AND naive_crps BETWEEN 0 AND 1e300
            AND typeof(covered) = 'integer' AND covered IN (0, 1)
            AND typeof(naive_covered) = 'integer' AND naive_covered IN (0, 1)
            AND typeof(scored_at) = 'text' AND length(scored_at) < 40
        END
) LIMIT 1"""
"""The first row that no `record` and no `fill` wrote."""
_QUERY_SECONDS = 60.0
"""A query over ten years of the whole index takes a few seconds."""
_CELL_BYTES = 1_000_000
"""Of one value; the largest of ours is the schema's text, of 1 kB."""
_STEPS_BETWEEN_LOOKS = 100_000
_START_ANEW = "move it away; a new one is begun by `forecast predict --record`"
_ERRORS: dict[int, tuple[type[ForecastError], str]] = {
    sqlite3.SQLITE_BUSY: (TryLaterError, "another forecast is writing to it; try again"),
    sqlite3.SQLITE_LOCKED: (TryLaterError, "another forecast is writing to it; try again"),
    sqlite3.SQLITE_ERROR: (BadInputError, _START_ANEW),  # a table or column is not there
    sqlite3.SQLITE_CORRUPT: (BadInputError, _START_ANEW),
    sqlite3.SQLITE_TOOBIG: (BadInputError, _START_ANEW),
    sqlite3.SQLITE_MISMATCH: (BadInputError, _START_ANEW),
    sqlite3.SQLITE_INTERRUPT: (BadInputError, _START_ANEW),  # it took longer than any query of ours
    sqlite3.SQLITE_NOTADB: (BadInputError, _START_ANEW),
}


@dataclass(frozen=True)
class ForecastRows:
    """Forecasts of one model version to record, a row for each ticker and step, (R,) each.

    Attributes:
        model, version: whose they are.
        ticker: symbols.
        origin: the sessions at whose close they were made.
        step: 1 for the next session.
        target: the sessions that are predicted.
        last_close: closes of the origins, as quoted.
        forecast: the model's distributions of cumulative log return.
        naive: the naive forecast's, normals.
        calendars: of tickers whose exchange is not New York's.
    """

    model: str
    version: int
    ticker: NDArray[np.object_]
    origin: NDArray[np.datetime64]
    step: NDArray[np.int_]
    target: NDArray[np.datetime64]
    last_close: NDArray[np.float64]
    forecast: ForecastDistribution
    naive: ForecastDistribution
    calendars: Mapping[str, str] = field(default_factory=dict)

    def __len__(self) -> int:
        return len(self.ticker)


@dataclass(frozen=True)
class Recorded:
    """What became of forecasts offered to the ledger.

    Attributes:
        new: recorded.
        known: in it already, unchanged.
        over: left out, as their target date had closed when they were made.
    """

    new: int
    known: int
    over: int


@dataclass(frozen=True)
class OpenForecasts:
    """Forecasts whose target date has closed and that nobody has scored, (O,) each."""

    key: list[int]
    ticker: list[str]
    origin: np.ndarray[Any, np.dtype[np.datetime64]]
    target: np.ndarray[Any, np.dtype[np.datetime64]]
    location: np.ndarray[Any, np.dtype[np.float64]]
    scale: np.ndarray[Any, np.dtype[np.float64]]
    degrees_of_freedom: np.ndarray[Any, np.dtype[np.float64]]
    naive_location: np.ndarray[Any, np.dtype[np.float64]]
    naive_scale: np.ndarray[Any, np.dtype[np.float64]]


class Ledger:
    """The forecasts of one home folder.

    Every method raises BadInputError where the file is damaged, UsageError where it is of another
    version of forecast, DiskError where the disk fails, TryLaterError where another writer is slow,
    and all but `record` NotFoundError where nothing was ever recorded.
    """

    def __init__(self, home: Path) -> None:
        self.path = home / "models" / "ledger.sqlite"
        self._rows_checked = False

    def record(self, forecasts: ForecastRows, now: datetime) -> Recorded:
        """Keep forecasts whose target date has not closed; one that is kept already stays as it is."""
        rows = _open_rows(forecasts, now)
        columns = (
            "model, version, ticker, origin, step, target, last_close, location, scale, degrees_of_freedom, "
            "naive_location, naive_scale, recorded_at"
        )
        with self._writing() as connection:
            before = connection.total_changes
            connection.executemany(
                f"INSERT INTO forecasts ({columns}) VALUES ({', '.join('?' * 13)}) "  # noqa: S608
                "ON CONFLICT DO NOTHING",
                rows,
            )
            new = connection.total_changes - before
        return Recorded(new, len(rows) - new, len(forecasts) - len(rows))

    def due(self, now: datetime) -> OpenForecasts:
        """The forecasts whose target date has closed and whose outcome is not known yet."""
        rows = self.select(
            "SELECT id, ticker, origin, target, location, scale, degrees_of_freedom, naive_location, "
            "naive_scale FROM forecasts WHERE log_return IS NULL AND target <= ? "
            "ORDER BY ticker, origin, step",
            str(last_closed_session(now)),
        )
        columns: list[Sequence[Any]] = list(zip(*rows, strict=True)) or [()] * 9
        days = [np.array(column, dtype="datetime64[D]") for column in columns[2:4]]
        figures = [np.array(column, dtype=np.float64) for column in columns[4:]]
        return OpenForecasts(list(columns[0]), list(columns[1]), *days, *figures)

    def fill(self, outcomes: Sequence[tuple[float, float, bool, float, bool, int]], now: datetime) -> None:
        """Write the actuals: log return, CRPS, whether covered, both for the naive one, and the key."""
        scored_at = iso_utc(now)
        with self._writing() as connection:
            connection.executemany(
                "UPDATE forecasts SET scored_at = ?, log_return = ?, crps = ?, covered = ?, naive_crps = ?, "
                "naive_covered = ? WHERE id = ? AND log_return IS NULL",
                [(scored_at, *outcome) for outcome in outcomes],
            )

    def select(self, query: str, *values: str | int) -> list[tuple[Any, ...]]:
        """The rows of a query that changes nothing."""
        self._check_files()
        if not self.path.exists():
            raise NotFoundError(
                f"no forecast was recorded in {self.path}",
                "record some with `forecast predict TICKER --record`",
            )
        with self._explained(), closing(self._connect(read_only=True)) as connection:
            self._check(connection)
            self._check_rows(connection)
            return connection.execute(query, values).fetchall()

    def faults(self) -> list[str]:
        """What SQLite finds wrong with the file; empty when it is sound."""
        found = [str(row[0]) for row in self.select("PRAGMA quick_check(1)")]
        return [] if found == ["ok"] else found

    @contextmanager
    def _writing(self) -> Iterator[sqlite3.Connection]:
        """One transaction, which is whole or absent; the file is made where there is none."""
        self._check_files()
        with self._explained():
            if not self.path.exists():
                self._begin()
            with closing(self._connect(read_only=False)) as connection:
                connection.execute("BEGIN IMMEDIATE")
                with connection:  # commits, or takes all of it back
                    self._check(connection)
                    yield connection

    def _begin(self) -> None:
        """Make an empty ledger elsewhere and give it its name, unless another process was first.

        SQLite does not wait while several turn one new file to WAL, so none does it in place.
        """
        make_folder(self.path.parent)
        with tempfile.TemporaryDirectory(dir=self.path.parent, prefix=".tmp-") as folder:
            fresh = Path(folder) / self.path.name
            with closing(sqlite3.connect(fresh, isolation_level=None)) as connection:
                connection.execute("PRAGMA journal_mode = WAL")
                for statement in _TABLES:
                    connection.execute(statement)
                connection.execute(f"PRAGMA user_version = {FORMAT}")
            with suppress(FileExistsError):
                os.link(fresh, self.path)
                sync_folder(self.path.parent)

    def _connect(self, *, read_only: bool) -> sqlite3.Connection:
        address = f"{self.path.absolute().as_uri()}?mode={'ro' if read_only else 'rwc'}"
        connection = sqlite3.connect(address, uri=True, timeout=_WAIT_SECONDS, isolation_level=None)
        connection.setlimit(sqlite3.SQLITE_LIMIT_LENGTH, _CELL_BYTES)
        connection.text_factory = _decoded
        ends = time.monotonic() + _QUERY_SECONDS
        connection.set_progress_handler(lambda: time.monotonic() > ends, _STEPS_BETWEEN_LOOKS)
        return connection

    def _check_files(self) -> None:
        """Reject pipes, devices and folders in place of the file or of those that SQLite keeps beside it."""
        for suffix in ("", "-wal", "-shm", "-journal"):
            check_regular(self.path.with_name(self.path.name + suffix), _START_ANEW)

    def _check(self, connection: sqlite3.Connection) -> None:
        """Believe a database only when its schema is the one that `_begin` makes."""
        found = int(connection.execute("PRAGMA user_version").fetchone()[0])
        if found != FORMAT:
            raise UsageError(
                f"{self.path} has format {found}, this version of forecast reads {FORMAT}",
                "update forecast, or move the file away",
            )
        # What SQLite keeps for itself, as the statistics of ANALYZE, has a name that nobody else may give.
        query = "SELECT name, sql FROM sqlite_master WHERE name NOT LIKE 'sqlite\\_%' ESCAPE '\\'"
        there = dict(connection.execute(query).fetchall())
        if list(there.values()) != [statement.strip() for statement in _TABLES]:
            ours = {statement.split()[2] for statement in _TABLES}
            others = sorted(str(name) for name in there.keys() - ours)
            what = (
                f"holds {name_some(others)}, which forecast did not make" if others else "has another schema"
            )
            raise BadInputError(f"the ledger {self.path} {what}", _START_ANEW)

    def _check_rows(self, connection: sqlite3.Connection) -> None:
        """Reject a database with a row that is no forecast, once for every reader of it."""
        if self._rows_checked:
            return
        row = connection.execute(_IMPOSSIBLE).fetchone()
        if row is not None:
            raise BadInputError(
                f"the ledger {self.path} holds what is no forecast, in row {row[0]}", _START_ANEW
            )
        self._rows_checked = True

    @contextmanager
    def _explained(self) -> Iterator[None]:
        """Say in the user's words what SQLite or the system failed."""
        try:
            yield
        except sqlite3.Error as error:
            if not hasattr(error, "sqlite_errorcode"):
                raise  # the module's own complaint about how it was called
            primary = error.sqlite_errorcode & 0xFF
            kind, remedy = _ERRORS.get(primary, (DiskError, "free some space, or fix its permissions"))
            raise kind(f"the ledger {self.path} cannot be used: {error}", remedy) from error
        except OSError as error:
            reason = error.strerror or str(error)
            raise DiskError(f"cannot write {self.path}: {reason}", "fix its permissions") from error


def _decoded(text: bytes) -> str:
    return text.decode(errors="replace")


def _open_rows(forecasts: ForecastRows, now: datetime) -> list[tuple[Any, ...]]:
    """The values to insert, of the forecasts whose target date has not closed."""
    newest = {
        ticker: last_closed_session(now, forecasts.calendars.get(ticker, XNYS))
        for ticker in set(forecasts.ticker.tolist())
    }
    closed = np.array([newest[ticker] for ticker in forecasts.ticker], dtype="datetime64[D]")
    kept = forecasts.target > closed
    learned, naive = forecasts.forecast, forecasts.naive
    figures = (
        *(forecasts.last_close, learned.location, learned.scale, learned.degrees_of_freedom),
        *(naive.location, naive.scale),
    )
    columns = [
        forecasts.ticker[kept].tolist(),
        forecasts.origin[kept].astype(str).tolist(),
        forecasts.step[kept].tolist(),
        forecasts.target[kept].astype(str).tolist(),
        *(column[kept].astype(np.float64).tolist() for column in figures),
    ]
    head, recorded_at = (forecasts.model, forecasts.version), iso_utc(now)
    return [(*head, *row, recorded_at) for row in zip(*columns, strict=True)]
