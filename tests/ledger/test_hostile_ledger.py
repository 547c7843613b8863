"""A ledger is believed only when its schema is ours and every row is a forecast."""

import sqlite3
from collections.abc import Callable
from contextlib import closing
from pathlib import Path

import numpy as np
import pytest
from factories import filled_store, random_walk_table
from hostile import in_time, pipe
from ledger_factory import normal, prediction, record_now

from forecaster.errors import BadInputError, ForecastError
from forecaster.ledger import ledger as ledger_module
from forecaster.ledger.ledger import Ledger
from forecaster.ledger.live_scores import live_scores
from forecaster.ledger.schema import FORMAT, FORMER_TABLES, TABLES
from forecaster.ledger.scoring import fill_outcomes
from forecaster.prices.calendar import closing_time

ORIGIN = np.datetime64("2026-11-20")
LATER = np.datetime64("2100-01-01")


@pytest.fixture
def home(tmp_path: Path) -> Path:
    record_now(tmp_path, prediction("AAA", ORIGIN, normal([0.01, 0.02]), normal([0.02, 0.03])))
    return tmp_path


def harm(home: Path, *statements: str) -> None:
    with closing(sqlite3.connect(Ledger(home).path, isolation_level=None)) as connection:
        for statement in statements:
            connection.execute(statement)


ENDLESS = "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n) SELECT i FROM n"
SCHEMAS = {
    "an endless view": ("DROP TABLE forecasts", f"CREATE VIEW forecasts AS {ENDLESS}"),
    "one view more": (f"CREATE VIEW more AS {ENDLESS}",),
    "a trigger": ("CREATE TRIGGER t AFTER INSERT ON forecasts BEGIN DELETE FROM forecasts; END",),
    "one table more": ("CREATE TABLE more (a)",),
    "another column": ("ALTER TABLE forecasts ADD COLUMN more TEXT",),
    "a column without a type": ("DROP TABLE forecasts", "CREATE TABLE forecasts (id, model, version)"),
    "no index": ("DROP INDEX open_forecasts",),
    "no table": ("DROP TABLE forecasts",),
    "a full-text table": ("DROP TABLE forecasts", "CREATE VIRTUAL TABLE forecasts USING fts5(model)"),
}


@pytest.mark.parametrize("name", SCHEMAS)
def test_another_schema_is_rejected_before_anything_is_read_or_written(home: Path, name: str) -> None:
    harm(home, *SCHEMAS[name])
    ledger, now = Ledger(home), closing_time(ORIGIN)
    row = prediction("BBB", ORIGIN, normal(0.01), normal(0.02))
    uses: tuple[Callable[[], object], ...] = (
        lambda: ledger.select("SELECT COUNT(*) FROM forecasts"),
        lambda: ledger.due(now),
        lambda: ledger.fill([], now),
        lambda: ledger.record(row, now),
        ledger.faults,
        lambda: live_scores(ledger, ORIGIN),
    )
    for use in uses:
        with in_time(), pytest.raises(BadInputError, match=r"did not make|another schema"):
            use()


def test_statistics_that_sqlite_keeps_for_itself_are_no_other_schema(home: Path) -> None:
    harm(home, "ANALYZE")
    assert Ledger(home).select("SELECT COUNT(*) FROM forecasts") == [(2,)]


VALUES = {
    "model": ("x'00ff'", "'Up and away'", "''", "'../x'", "CAST(x'ff' AS TEXT)"),
    "version": ("'one'", "0", "-1", "1.5"),
    "ticker": ("x'41'", "'a'", "''", "'AAA' || char(10)", "'[red]'", "printf('%.*c', 17, 'A')"),
    "origin": (
        "'yesterday'",
        "20261120",
        "'2026-02-30'",
        "'2026-11-20 10:00'",
        "'+2026-11-20'",
        "'0001-01-01'",
    ),
    "step": ("'one'", "0", "1001", "1.5"),
    "target": ("'tomorrow'", "'2026-11-19'", "x''"),
    "last_close": ("'dear'", "-1", "9e999", "x''"),
    "location": ("'up'", "9e999", "-9e999"),
    "scale": ("'wide'", "-1", "9e999"),
    "degrees_of_freedom": ("'many'", "0", "-1", "1.9"),
    "naive_location": ("'up'", "9e999"),
    "naive_scale": ("'wide'", "-1"),
    "reference": ("NULL", "'naive'", "x''"),
    "reference_location": ("'up'", "9e999", "NULL"),
    "reference_scale": ("'wide'", "-1", "NULL"),
    "reference_degrees": ("'many'", "1.5", "NULL"),
    "reference_crps": ("0.1", "-1"),
    "most_gain": ("0.1", "'much'"),
    "recorded_at": ("5.5 || printf('%.*c', 100, '0')", "x''"),
    "log_return": ("'up'", "0.1", "9e999"),
    "crps": ("'good'", "0.1"),
    "covered": ("'yes'", "2"),
    "naive_crps": ("-1",),
    "naive_covered": ("0.5",),
    "scored_at": ("'2026-11-20'",),
}


@pytest.mark.parametrize(
    ("column", "value"), [(name, value) for name, found in VALUES.items() for value in found]
)
def test_a_row_that_is_no_forecast_is_named(home: Path, column: str, value: str) -> None:
    harm(home, f"UPDATE forecasts SET {column} = {value} WHERE step = 2")  # noqa: S608
    with pytest.raises(BadInputError, match="no forecast, in row 2; move it away"):
        Ledger(home).due(closing_time(ORIGIN))


SCORES = ("crps", "covered", "naive_crps", "naive_covered", "scored_at", "reference_crps", "most_gain")


def test_every_column_of_a_scored_row_is_looked_at(home: Path) -> None:
    sound = (
        "log_return = 0.1, crps = 0.1, covered = 1, naive_crps = 0.1, naive_covered = 0, "
        "scored_at = 'today', reference_crps = 0.1, most_gain = 0.0"
    )
    harm(home, f"UPDATE forecasts SET {sound}")  # noqa: S608
    assert live_scores(Ledger(home), LATER)[0].forecasts == 1
    for column in SCORES:
        harm(home, f"UPDATE forecasts SET {sound}", f"UPDATE forecasts SET {column} = NULL WHERE step = 1")  # noqa: S608
        with pytest.raises(BadInputError, match="no forecast, in row 1"):
            live_scores(Ledger(home), LATER)


def test_an_enormous_value_is_not_read(home: Path) -> None:
    harm(home, "UPDATE forecasts SET recorded_at = printf('%.*c', 50000000, 'x')")
    with pytest.raises(BadInputError, match=r"cannot be used|no forecast"):
        Ledger(home).due(closing_time(ORIGIN))


def test_text_that_is_not_utf_8_is_no_bug(home: Path) -> None:
    harm(home, "UPDATE forecasts SET model = CAST(x'ff' AS TEXT)")
    with pytest.raises(BadInputError):
        live_scores(Ledger(home), LATER)


@pytest.mark.parametrize("suffix", ["", "-wal", "-shm", "-journal"])
def test_a_pipe_in_place_of_a_file_of_the_ledger_hangs_nobody(home: Path, suffix: str) -> None:
    path = Ledger(home).path
    pipe(path.with_name(path.name + suffix))
    for use in (
        lambda: Ledger(home).due(closing_time(ORIGIN)),
        lambda: record_now(home, prediction("BBB", ORIGIN, normal(0.01), normal(0.02))),
    ):
        with in_time(), pytest.raises(BadInputError, match="is a pipe, where a file should be"):
            use()


def test_a_query_that_takes_too_long_is_given_up(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    assert ledger_module._QUERY_SECONDS == 60
    monkeypatch.setattr(ledger_module, "_QUERY_SECONDS", 0.1)
    with in_time(), pytest.raises(ForecastError, match="interrupted"):
        Ledger(home).select(ENDLESS)


def test_the_schema_changes_only_with_the_format() -> None:
    """A ledger of each format that is out there has to the letter this schema."""
    from forecaster.files import digest_bytes

    digests = {
        number: digest_bytes("\n".join(tables).encode())[:16]
        for number, tables in {**FORMER_TABLES, FORMAT: TABLES}.items()
    }
    assert digests == {1: "2fb3e512db267e29", 2: "be7b8b4ba76fe03c"}


def former(home: Path, scored: bool) -> None:
    """Turn the ledger into one of format 1, with the forecasts it holds."""
    kept = [row[1] for row in Ledger(home).select("PRAGMA table_info(forecasts)")]
    columns = ", ".join(name for name in kept if not name.startswith(("reference", "most_gain")))
    scores = (
        "log_return = 0.1, crps = 0.1, covered = 1, naive_crps = 0.2, naive_covered = 0, scored_at = 'now'"
    )
    harm(
        home,
        f"CREATE TEMP TABLE kept AS SELECT {columns} FROM forecasts",  # noqa: S608
        "DROP TABLE forecasts",
        *FORMER_TABLES[1],
        f"INSERT INTO forecasts ({columns}) SELECT {columns} FROM kept",  # noqa: S608
        *([f"UPDATE forecasts SET {scores}"] if scored else []),  # noqa: S608
        "PRAGMA user_version = 1",
    )


@pytest.mark.parametrize("scored", [False, True], ids=["open", "scored"])
def test_a_ledger_of_format_1_is_brought_up_to_date_with_all_its_forecasts(home: Path, scored: bool) -> None:
    query = "SELECT id, model, ticker, origin, step, location, scale, log_return, crps FROM forecasts"
    former(home, scored)
    with closing(sqlite3.connect(Ledger(home).path)) as connection:
        before = connection.execute(query).fetchall()
    assert Ledger(home).select(query) == before
    assert Ledger(home).select("PRAGMA user_version") == [(2,)]
    assert Ledger(home).select("SELECT COUNT(reference) FROM forecasts") == [(0,)]
    assert record_now(home, prediction("BBB", ORIGIN, normal(0.01), normal(0.02))).new == 1
    assert [row.reference_crps for row in live_scores(Ledger(home), LATER)] == ([None] * 2 if scored else [])


def test_a_forecast_of_format_1_is_scored_without_a_reference(home: Path) -> None:
    former(home, scored=False)
    fill_outcomes(
        Ledger(home),
        filled_store(home, random_walk_table("AAA", 10, after="2026-11-19")),
        closing_time(np.datetime64("2026-12-04")),
    )
    assert [(row.forecasts, row.reference_skill) for row in live_scores(Ledger(home), LATER)] == [
        (1, None),
        (1, None),
    ]


def test_a_ledger_of_format_1_with_a_row_that_is_no_forecast_stays_as_it_is(home: Path) -> None:
    former(home, scored=False)
    harm(home, "UPDATE forecasts SET step = 0 WHERE step = 2")
    before = Ledger(home).path.read_bytes()
    for use in (
        lambda: Ledger(home).due(closing_time(ORIGIN)),
        lambda: record_now(home, prediction("BBB", ORIGIN, normal(0.01), normal(0.02))),
    ):
        with pytest.raises(BadInputError, match="no forecast, in row 2"):
            use()
    harm(home, "PRAGMA wal_checkpoint(TRUNCATE)")
    assert Ledger(home).path.read_bytes() == before
