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
from collections.abc import Iterable, Iterator, Mapping, Sequence
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
from forecaster.ledger.schema import FORMAT, FORMER_TABLES, IMPOSSIBLE, TABLES, upgrade
from forecaster.network.student_t import ForecastDistribution
from forecaster.prices.calendar import last_closed_session
from forecaster.prices.exchanges import XNYS
from forecaster.settings import iso_utc

_WAIT_SECONDS = 30.0
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
        reference: linear-t or riskmetrics-t: the simple forecast that the model has to beat.
        simple: its distributions.
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
    reference: str
    simple: ForecastDistribution
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
    """Forecasts whose target date has closed and that nobody has scored, (O,) each.

    Those of the reference are NaN where a ledger of format 1 did not record it.
    """

    key: list[int]
    ticker: list[str]
    origin: np.ndarray[Any, np.dtype[np.datetime64]]
    target: np.ndarray[Any, np.dtype[np.datetime64]]
    location: np.ndarray[Any, np.dtype[np.float64]]
    scale: np.ndarray[Any, np.dtype[np.float64]]
    degrees_of_freedom: np.ndarray[Any, np.dtype[np.float64]]
    naive_location: np.ndarray[Any, np.dtype[np.float64]]
    naive_scale: np.ndarray[Any, np.dtype[np.float64]]
    reference_location: np.ndarray[Any, np.dtype[np.float64]]
    reference_scale: np.ndarray[Any, np.dtype[np.float64]]
    reference_degrees: np.ndarray[Any, np.dtype[np.float64]]


Spans = Mapping[str, Iterable[tuple[str, str, str]]]
"""Of a name of our own: tickers, and the first and the last day (ISO) of something of theirs."""
Outcome = tuple[float, float, bool, float, bool, float | None, float | None, int]
"""Log return, CRPS, whether covered, both of the naive forecast; reference CRPS and most gain; the key."""


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
            "naive_location, naive_scale, reference, reference_location, reference_scale, reference_degrees, "
            "recorded_at"
        )
        with self._writing() as connection:
            before = connection.total_changes
            connection.executemany(
                f"INSERT INTO forecasts ({columns}) VALUES ({', '.join('?' * 17)}) "  # noqa: S608
                "ON CONFLICT DO NOTHING",
                rows,
            )
            new = connection.total_changes - before
        return Recorded(new, len(rows) - new, len(forecasts) - len(rows))

    def due(self, now: datetime) -> OpenForecasts:
        """The forecasts whose target date has closed and whose outcome is not known yet."""
        rows = self.select(
            "SELECT id, ticker, origin, target, location, scale, degrees_of_freedom, naive_location, "
            "naive_scale, reference_location, reference_scale, reference_degrees "
            "FROM forecasts WHERE log_return IS NULL AND target <= ? "
            "ORDER BY ticker, origin, step",
            str(last_closed_session(now)),
        )
        columns: list[Sequence[Any]] = list(zip(*rows, strict=True)) or [()] * 12
        days = [np.array(column, dtype="datetime64[D]") for column in columns[2:4]]
        figures = [np.array(column, dtype=np.float64) for column in columns[4:]]
        return OpenForecasts(list(columns[0]), list(columns[1]), *days, *figures)

    def fill(self, outcomes: Sequence[Outcome], now: datetime) -> None:
        """Write the actuals, and what they cost each forecast."""
        scored_at = iso_utc(now)
        with self._writing() as connection:
            connection.executemany(
                "UPDATE forecasts SET scored_at = ?, log_return = ?, crps = ?, covered = ?, naive_crps = ?, "
                "naive_covered = ?, reference_crps = ?, most_gain = ? WHERE id = ? AND log_return IS NULL",
                [(scored_at, *outcome) for outcome in outcomes],
            )

    def select(self, query: str, *values: str | int, beside: Spans | None = None) -> list[tuple[Any, ...]]:
        """The rows of a query that changes nothing.

        Args:
            query: SQL.
            values: of its question marks.
            beside: tables that it finds beside the ledger's, with columns ticker, first and last; they are
                kept in memory for as long as it runs.
        """
        self._check_files()
        if not self.path.exists():
            raise NotFoundError(
                f"no forecast was recorded in {self.path}",
                "record some with `forecast predict TICKER --record`",
            )
        with self._explained(), closing(self._connect(read_only=True)) as connection:
            if self._check(connection) == FORMAT:
                self._check_rows(connection)
                _lay_beside(connection, beside or {})
                return connection.execute(query, values).fetchall()
        with self._writing():  # brings it up to date
            pass
        return self.select(query, *values, beside=beside)

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
                    if self._check(connection) != FORMAT:
                        upgrade(connection)
                        self._check_rows(connection)
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
                for statement in TABLES:
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

    def _check(self, connection: sqlite3.Connection) -> int:
        """The format of a database whose schema is one that `_begin` makes or made: no other is believed."""
        found = int(connection.execute("PRAGMA user_version").fetchone()[0])
        tables = TABLES if found == FORMAT else FORMER_TABLES.get(found)
        if tables is None:
            raise UsageError(
                f"{self.path} has format {found}, this version of forecast reads {FORMAT}",
                "update forecast, or move the file away",
            )
        # What SQLite keeps for itself, as the statistics of ANALYZE, has a name that nobody else may give.
        query = "SELECT name, sql FROM sqlite_master WHERE name NOT LIKE 'sqlite\\_%' ESCAPE '\\'"
        there = dict(connection.execute(query).fetchall())
        if list(there.values()) != [statement.strip() for statement in tables]:
            ours = {statement.split()[2] for statement in tables}
            others = sorted(str(name) for name in there.keys() - ours)
            what = (
                f"holds {name_some(others)}, which forecast did not make" if others else "has another schema"
            )
            raise BadInputError(f"the ledger {self.path} {what}", _START_ANEW)
        return found

    def _check_rows(self, connection: sqlite3.Connection) -> None:
        """Reject a database with a row that is no forecast, once for every reader of it."""
        if self._rows_checked:
            return
        row = connection.execute(IMPOSSIBLE).fetchone()
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


def _lay_beside(connection: sqlite3.Connection, beside: Spans) -> None:
    connection.execute("PRAGMA temp_store = MEMORY")
    for name, spans in beside.items():
        connection.execute(
            f"CREATE TEMP TABLE {name} (ticker TEXT, first TEXT, last TEXT, "
            "PRIMARY KEY (ticker, first, last)) WITHOUT ROWID"
        )
        connection.execute("BEGIN")
        connection.executemany(f"INSERT OR IGNORE INTO {name} VALUES (?, ?, ?)", spans)  # noqa: S608
        connection.execute("COMMIT")


def _decoded(text: bytes) -> str:
    return text.decode(errors="replace")


def _open_rows(forecasts: ForecastRows, now: datetime) -> list[tuple[Any, ...]]:
    """The values to insert, of the forecasts whose target date has not closed."""
    calendars = [forecasts.calendars.get(ticker, XNYS) for ticker in forecasts.ticker]
    newest = {calendar: last_closed_session(now, calendar) for calendar in set(calendars)}
    closed = np.array([newest[calendar] for calendar in calendars], dtype="datetime64[D]")
    kept = forecasts.target > closed
    learned, naive, simple = forecasts.forecast, forecasts.naive, forecasts.simple
    figures = (
        *(forecasts.last_close, learned.location, learned.scale, learned.degrees_of_freedom),
        *(naive.location, naive.scale),
    )
    references = simple.location, simple.scale, simple.degrees_of_freedom
    columns = [
        forecasts.ticker[kept].tolist(),
        forecasts.origin[kept].astype(str).tolist(),
        forecasts.step[kept].tolist(),
        forecasts.target[kept].astype(str).tolist(),
        *(column[kept].astype(np.float64).tolist() for column in figures),
        [forecasts.reference] * int(kept.sum()),
        *(column[kept].astype(np.float64).tolist() for column in references),
    ]
    head, recorded_at = (forecasts.model, forecasts.version), iso_utc(now)
    return [(*head, *row, recorded_at) for row in zip(*columns, strict=True)]
