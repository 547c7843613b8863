"""Forecasts recorded before their day, read by many, and lost to nothing."""

import resource
import sqlite3
import threading
from contextlib import closing
from datetime import UTC, datetime
from pathlib import Path

import numpy as np
import pytest
from ledger_factory import normal, outcomes, prediction, record_now, together

from forecaster.errors import (
    BadInputError,
    DiskError,
    ForecastError,
    NotFoundError,
    TryLaterError,
    UsageError,
)
from forecaster.ledger import ledger as module
from forecaster.ledger.ledger import Ledger, Recorded
from forecaster.ledger.scoring import fill_outcomes
from forecaster.network.student_t import ForecastDistribution
from forecaster.prices.calendar import closing_time
from forecaster.prices.store import PriceStore

MONDAY = np.datetime64("2026-11-16")
LATER = datetime(2026, 12, 31, 23, 0, tzinfo=UTC)
DAYS = ("2026-11-16", "2026-11-17", "2026-11-18")
TWO_STEPS = prediction("AAA", MONDAY, normal([0.01, 0.014]), normal([0.02, 0.028]))


def test_recording_twice_changes_nothing(tmp_path: Path) -> None:
    assert record_now(tmp_path, TWO_STEPS) == Recorded(new=2, known=0, over=0)
    first = Ledger(tmp_path).select("SELECT * FROM forecasts")
    again = prediction("AAA", MONDAY, normal([0.5, 0.5]), normal([0.5, 0.5]))
    assert record_now(tmp_path, again) == Recorded(new=0, known=2, over=0)
    assert Ledger(tmp_path).select("SELECT * FROM forecasts") == first


def test_a_row_says_all_of_its_forecast(tmp_path: Path) -> None:
    learned = ForecastDistribution(*(np.array([value], np.float32) for value in (0.001, 0.01, 5.5)))
    record_now(tmp_path, prediction("AAA", MONDAY, learned, normal(0.02), "gru-32@7"))
    row = Ledger(tmp_path).select("SELECT * FROM forecasts")[0]
    assert row[1:8] == ("gru-32", 7, "AAA", "2026-11-16", 1, "2026-11-17", 100.0)
    assert row[8:13] == (np.float32(0.001), np.float32(0.01), 5.5, 0.0, 0.02)
    assert row[17:] == ("2026-11-16T21:00:00+00:00", *[None] * 8)


def test_what_is_over_is_not_predicted(tmp_path: Path) -> None:
    """Once Tuesday has closed, a forecast of Tuesday from Monday is no forecast."""
    tuesday = closing_time(np.datetime64("2026-11-17"))
    assert record_now(tmp_path, TWO_STEPS, tuesday) == Recorded(new=1, known=0, over=1)


def test_readers_do_not_wait_for_a_writer(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    record_now(tmp_path, TWO_STEPS)
    monkeypatch.setattr(module, "_WAIT_SECONDS", 0.01)
    with Ledger(tmp_path)._writing() as connection:
        connection.execute("DELETE FROM forecasts")
        assert len(outcomes(tmp_path)) == 2
        with pytest.raises(TryLaterError, match="another forecast is writing"):
            record_now(tmp_path, TWO_STEPS)
        connection.execute("ROLLBACK")


def test_many_may_begin_it_at_once(tmp_path: Path) -> None:
    found: list[Recorded] = []
    threads = [
        threading.Thread(target=lambda: found.append(record_now(tmp_path, TWO_STEPS))) for _ in range(8)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(one.new for one in found) == [0] * 7 + [2]


def rubbish(path: Path) -> None:
    path.write_bytes(b"rubbish" * 1000)


def newer(path: Path) -> None:
    with closing(sqlite3.connect(path)) as connection:
        connection.execute("PRAGMA user_version = 3")


def replaced_by_a_folder(path: Path) -> None:
    path.unlink()
    path.mkdir()


@pytest.mark.parametrize(
    ("harm", "error", "words"),
    [
        pytest.param(rubbish, BadInputError, "not a database; move it away", id="rubbish"),
        pytest.param(newer, UsageError, "has format 3.*update forecast", id="newer"),
        pytest.param(replaced_by_a_folder, BadInputError, "is a folder.*move it away", id="folder"),
        pytest.param(Path.unlink, NotFoundError, "no forecast was recorded.*--record", id="none"),
    ],
)
def test_what_cannot_be_read_is_rejected(
    tmp_path: Path, harm: object, error: type[ForecastError], words: str
) -> None:
    record_now(tmp_path, TWO_STEPS)
    ledger = Ledger(tmp_path)
    assert ledger.faults() == []
    harm(ledger.path)  # type: ignore[operator]
    with pytest.raises(error, match=words):
        fill_outcomes(ledger, PriceStore(tmp_path), LATER)
    if error is not NotFoundError:
        with pytest.raises(error, match=words):
            record_now(tmp_path, TWO_STEPS)


def test_a_full_disk_leaves_what_was_there(tmp_path: Path) -> None:
    record_now(tmp_path, TWO_STEPS)
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    many = [prediction(f"T{number}", MONDAY, normal(0.01), normal(0.02)) for number in range(2000)]
    resource.setrlimit(resource.RLIMIT_FSIZE, (100_000, before[1]))
    try:
        with pytest.raises(DiskError, match="free some space"):
            Ledger(tmp_path).record(together(many), closing_time(MONDAY))
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)
    assert len(outcomes(tmp_path)) == 2
    assert Ledger(tmp_path).record(together(many), closing_time(MONDAY)).new == 2000


def test_a_kill_amid_recording_leaves_nothing_of_it(tmp_path: Path) -> None:
    record_now(tmp_path, TWO_STEPS)

    def killed() -> None:
        with Ledger(tmp_path)._writing() as connection:
            connection.execute("DELETE FROM forecasts")
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        killed()
    assert len(outcomes(tmp_path)) == 2
