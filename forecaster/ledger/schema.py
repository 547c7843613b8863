"""The ledger's table, what a row of it may hold, and how one of an earlier format is brought up to date.

Format 1 did not know the reference: its forecasts keep their scores and have none against it.
"""

import sqlite3

FORMAT = 2
TABLES = (
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
    reference TEXT,                      -- linear-t or riskmetrics-t; NULL in what format 1 recorded
    reference_location REAL,
    reference_scale REAL,
    reference_degrees REAL,
    recorded_at TEXT NOT NULL,
    log_return REAL,                     -- the actual; NULL while it is open
    crps REAL,
    covered INTEGER,                     -- whether the 90 % interval covered it
    naive_crps REAL,
    naive_covered INTEGER,
    reference_crps REAL,
    most_gain REAL,                      -- by how much crps could have been below reference_crps
    scored_at TEXT,
    UNIQUE (model, version, ticker, origin, step)
)""",
    "CREATE INDEX open_forecasts ON forecasts (target) WHERE log_return IS NULL",
    "CREATE INDEX scored_forecasts ON forecasts (model, step, origin) WHERE log_return IS NOT NULL",
)
IMPOSSIBLE = """
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
    AND typeof(degrees_of_freedom) = 'real' AND degrees_of_freedom >= 2
    AND typeof(naive_location) = 'real' AND naive_location BETWEEN -1e300 AND 1e300
    AND typeof(naive_scale) = 'real' AND naive_scale BETWEEN 0 AND 1e300
    AND CASE WHEN reference IS NULL
        THEN reference_location IS NULL AND reference_scale IS NULL AND reference_degrees IS NULL
        ELSE typeof(reference) = 'text' AND reference IN ('linear-t', 'riskmetrics-t')
            AND typeof(reference_location) = 'real' AND reference_location BETWEEN -1e300 AND 1e300
            AND typeof(reference_scale) = 'real' AND reference_scale BETWEEN 0 AND 1e300
            AND typeof(reference_degrees) = 'real' AND reference_degrees >= 2
        END
    AND CASE WHEN log_return IS NULL OR reference IS NULL
        THEN reference_crps IS NULL AND most_gain IS NULL
        ELSE typeof(reference_crps) = 'real' AND reference_crps BETWEEN 0 AND 1e300
            AND typeof(most_gain) = 'real' AND most_gain BETWEEN 0 AND 1e300
        END
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

_COLUMNS_1 = (
    "id, model, version, ticker, origin, step, target, last_close, location, scale, degrees_of_freedom, "
    "naive_location, naive_scale, recorded_at, log_return, crps, covered, naive_crps, naive_covered, "
    "scored_at"
)
_NEW_LINES = ("reference", "most_gain")
_TABLE_1 = "\n".join(line for line in TABLES[0].splitlines() if not line.strip().startswith(_NEW_LINES))
FORMER_TABLES = {1: (_TABLE_1, *TABLES[1:])}
"""By format."""


def upgrade(connection: sqlite3.Connection) -> None:
    """Bring a database of format 1 up to date, within the transaction that is open.

    Its table is made anew: one that is altered would not have our schema to the letter.
    """
    connection.execute("CREATE TEMP TABLE former AS SELECT * FROM forecasts")
    connection.execute("DROP TABLE forecasts")
    for statement in TABLES:
        connection.execute(statement)
    connection.execute(f"INSERT INTO forecasts ({_COLUMNS_1}) SELECT {_COLUMNS_1} FROM former")  # noqa: S608
    connection.execute("DROP TABLE former")
    connection.execute(f"PRAGMA user_version = {FORMAT}")
