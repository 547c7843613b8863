"""Forecasts recorded before their day and scored after it, as evaluation.scoring would score them."""

import resource
import sqlite3
import threading
from contextlib import closing
from datetime import UTC, datetime
from pathlib import Path

import numpy as np
import pytest
from factories import closes_table, filled_store, panel_of, random_walk_table
from ledger_factory import normal, prediction, record_now

from forecaster.errors import (
    BadInputError,
    DiskError,
    ForecastError,
    NotFoundError,
    TryLaterError,
    UsageError,
)
from forecaster.evaluation.baselines import naive
from forecaster.evaluation.forecasts import Origins
from forecaster.evaluation.scoring import actuals, against, score_step
from forecaster.network.student_t import ForecastDistribution
from forecaster.operations import ledger as module
from forecaster.operations.ledger import Ledger, Recorded
from forecaster.operations.live import GROUPS, daily_scores, fill_outcomes, live_scores, p_value
from forecaster.prices.calendar import closing_time
from forecaster.prices.store import PriceStore
from forecaster.prices.table import PriceTable

MONDAY = np.datetime64("2026-11-16")
LATER = datetime(2026, 12, 31, 23, 0, tzinfo=UTC)
DAYS = ("2026-11-16", "2026-11-17", "2026-11-18")
TWO_STEPS = prediction("AAA", MONDAY, normal([0.01, 0.014]), normal([0.02, 0.028]))


def outcomes(home: Path) -> list[float | None]:
    return [row[0] for row in Ledger(home).select("SELECT log_return FROM forecasts ORDER BY step")]


def test_recording_twice_changes_nothing(tmp_path: Path) -> None:
    assert record_now(tmp_path, TWO_STEPS) == Recorded(new=2, known=0, over=0)
    first = Ledger(tmp_path).select("SELECT * FROM forecasts")
    again = prediction("AAA", MONDAY, normal([0.5, 0.5]), normal([0.5, 0.5]))
    assert record_now(tmp_path, again) == Recorded(new=0, known=2, over=0)
    assert Ledger(tmp_path).select("SELECT * FROM forecasts") == first


def test_a_row_says_all_of_its_forecast(tmp_path: Path) -> None:
    learnt = ForecastDistribution(*(np.array([value], np.float32) for value in (0.001, 0.01, 5.5)))
    record_now(tmp_path, prediction("AAA", MONDAY, learnt, normal(0.02), "gru-32@7"))
    row = Ledger(tmp_path).select("SELECT * FROM forecasts")[0]
    assert row[1:8] == ("gru-32", 7, "AAA", "2026-11-16", 1, "2026-11-17", 100.0)
    assert row[8:13] == (np.float32(0.001), np.float32(0.01), 5.5, 0.0, 0.02)
    assert row[13:] == ("2026-11-16T21:00:00+00:00", *[None] * 6)


def test_what_is_over_is_not_foretold(tmp_path: Path) -> None:
    """Once Tuesday has closed, a forecast of Tuesday from Monday is no forecast."""
    tuesday = closing_time(np.datetime64("2026-11-17"))
    assert record_now(tmp_path, TWO_STEPS, tuesday) == Recorded(new=1, known=0, over=1)


def test_what_came_true_is_filled_in_when_its_day_is_over(tmp_path: Path) -> None:
    record_now(tmp_path, TWO_STEPS)
    store = filled_store(tmp_path, closes_table("AAA", DAYS, [100, 110, 99]))
    ledger = Ledger(tmp_path)
    assert fill_outcomes(ledger, store, closing_time(MONDAY)).scored == 0
    tuesday, wednesday = (closing_time(np.datetime64(day)) for day in DAYS[1:])
    assert fill_outcomes(ledger, store, tuesday).scored == 1
    assert outcomes(tmp_path) == [pytest.approx(np.log(1.1)), None]
    assert fill_outcomes(ledger, store, wednesday).scored == 1
    assert fill_outcomes(ledger, store, wednesday).scored == 0
    assert outcomes(tmp_path) == pytest.approx([np.log(1.1), np.log(0.99)])


def test_a_split_and_a_dividend_after_the_forecast_spoil_nothing(tmp_path: Path) -> None:
    """Two for one and 1 % paid out on Wednesday: all earlier adjusted prices are rescaled."""
    record_now(tmp_path, TWO_STEPS)
    store = filled_store(tmp_path, closes_table("AAA", DAYS, [100 / 2 * 0.99, 110 / 2 * 0.99, 54]))
    fill_outcomes(Ledger(tmp_path), store, LATER)
    assert outcomes(tmp_path) == pytest.approx([np.log(1.1), np.log(54 / 49.5)])


@pytest.mark.parametrize(
    ("table", "reason", "scored"),
    [
        pytest.param(closes_table("AAA", DAYS[:2], [100, 110]), "prices end on 2026-11-17", 1, id="delisted"),
        pytest.param(closes_table("AAA", DAYS[::2], [100, 99]), "no price of 2026-11-17", 1, id="hole"),
        pytest.param(closes_table("AAA", DAYS[1:], [110, 99]), "no price of 2026-11-16", 0, id="no origin"),
        pytest.param(closes_table("AAA", DAYS, [100, np.nan, 99]), "no price of 2026-11-17", 1, id="unknown"),
        pytest.param(closes_table("BBB", DAYS, [100, 110, 99]), "no prices of AAA", 0, id="gone"),
    ],
)
def test_what_is_missing_stays_open_and_is_said(
    tmp_path: Path, table: PriceTable, reason: str, scored: int
) -> None:
    record_now(tmp_path, TWO_STEPS)
    filled = fill_outcomes(Ledger(tmp_path), filled_store(tmp_path, table), LATER)
    assert (filled.scored, filled.still_open) == (scored, 2 - scored)
    assert reason in filled.reasons["AAA"]
    late = filled_store(tmp_path, closes_table("AAA", DAYS, [100, 110, 99]))
    assert fill_outcomes(Ledger(tmp_path), late, LATER).scored == 2 - scored
    assert outcomes(tmp_path) == pytest.approx([np.log(1.1), np.log(0.99)])


def test_a_damaged_price_file_leaves_the_other_tickers_be(tmp_path: Path) -> None:
    for ticker in ("AAA", "BBB"):
        record_now(tmp_path, prediction(ticker, MONDAY, normal(0.01), normal(0.02)))
    store = filled_store(tmp_path, *(closes_table(ticker, DAYS, [100, 110, 99]) for ticker in ("AAA", "BBB")))
    store.path("AAA").write_bytes(b"rubbish")
    filled = fill_outcomes(Ledger(tmp_path), store, LATER)
    assert (filled.scored, filled.still_open, list(filled.reasons)) == (1, 1, ["AAA"])


def test_scores_are_those_of_the_evaluation(tmp_path: Path) -> None:
    """Three tickers, one delisted, forty origins, three steps: the same forecasts scored directly."""
    tables = [random_walk_table(name, 120, seed) for seed, name in enumerate(("AAA", "BBB", "CCC"))]
    tables[2] = tables[2].take(slice(100))
    panel, horizon = panel_of(*tables), 3
    ticker, day = (grid.ravel() for grid in np.meshgrid(np.arange(3), np.arange(70, 110), indexing="ij"))
    there = np.isfinite(panel.close[ticker, day])
    origins = Origins(ticker[there], day[there])
    random = np.random.default_rng(0)
    shape = (len(origins), horizon)
    learnt = ForecastDistribution(
        random.normal(0, 0.01, shape), random.uniform(0.01, 0.04, shape), random.uniform(2.1, 30, shape)
    )
    walk = naive(panel, origins, horizon)
    made = []
    for place in range(len(origins)):
        one, other = (
            ForecastDistribution(made.location[place], made.scale[place], made.degrees_of_freedom[place])
            for made in (learnt, walk)
        )
        origin = panel.dates[origins.day[place]]
        made.append(prediction(panel.tickers[origins.ticker[place]], origin, one, other))
    ledger = Ledger(tmp_path)
    ledger.record(made, closing_time(panel.dates[70]))
    fill_outcomes(ledger, filled_store(tmp_path, *tables), LATER)
    truth = actuals(panel, origins, horizon, range(60))
    for step, live in enumerate(live_scores(ledger), start=1):
        network, reference = score_step(learnt, truth, step), score_step(walk, truth, step)
        expected = against(network, reference, step)
        assert live.forecasts == expected.forecasts
        assert live.crps == pytest.approx(expected.crps, rel=1e-5)
        assert live.coverage_90 == pytest.approx(expected.coverage_90)
        assert live.naive_crps == pytest.approx(reference.scores.crps, rel=1e-5)
        assert live.skill == pytest.approx(expected.skill, abs=1e-5)
        daily = daily_scores(ledger, "main", step)
        np.testing.assert_allclose(daily.crps, network.crps, rtol=1e-4)
        assert p_value(daily, step) == pytest.approx(expected.p_value, rel=1e-3)


def test_groups_add_up_to_the_whole(tmp_path: Path) -> None:
    days = random_walk_table(days=60).dates
    tables = [random_walk_table(name, 60, seed) for seed, name in enumerate(("AAA", "BBB"))]
    made = [
        prediction(table.ticker, origin, normal(0.01), normal(0.02))
        for table in tables
        for origin in days[:50]
    ]
    ledger = Ledger(tmp_path)
    ledger.record(made, closing_time(days[0]))
    fill_outcomes(ledger, filled_store(tmp_path, *tables), LATER)
    whole = live_scores(ledger)[0]
    for expression, groups in ((GROUPS["ticker"], ["AAA", "BBB"]), (GROUPS["month"], ["2015-01", "2015-02"])):
        rows = live_scores(ledger, expression)
        assert [row.group for row in rows][:2] == groups
        assert sum(row.forecasts for row in rows) == whole.forecasts == 100
        assert sum(row.crps * row.forecasts for row in rows) / 100 == pytest.approx(whole.crps)
    assert (whole.days, whole.model, whole.step) == (50, "main", 1)


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
        connection.execute("PRAGMA user_version = 2")


def replaced_by_a_folder(path: Path) -> None:
    path.unlink()
    path.mkdir()


@pytest.mark.parametrize(
    ("harm", "error", "words"),
    [
        pytest.param(rubbish, BadInputError, "not a database; move it away", id="rubbish"),
        pytest.param(newer, UsageError, "has format 2.*update forecast", id="newer"),
        pytest.param(replaced_by_a_folder, DiskError, "refuses.*mend its rights", id="folder"),
        pytest.param(Path.unlink, NotFoundError, "no forecast was recorded.*--record", id="none"),
    ],
)
def test_what_cannot_be_read_is_refused(
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
            Ledger(tmp_path).record(many, closing_time(MONDAY))
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)
    assert len(outcomes(tmp_path)) == 2
    assert Ledger(tmp_path).record(many, closing_time(MONDAY)).new == 2000


def test_a_kill_amid_recording_leaves_nothing_of_it(tmp_path: Path) -> None:
    record_now(tmp_path, TWO_STEPS)

    def killed() -> None:
        with Ledger(tmp_path)._writing() as connection:
            connection.execute("DELETE FROM forecasts")
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        killed()
    assert len(outcomes(tmp_path)) == 2
