"""Live scores on the days on which prices react to a report: which forecasts these are, and their figures."""

import sqlite3
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from dated_home import store_dates
from earnings_factory import said
from factories import closes_table, filled_store, random_walk_table
from ledger_factory import normal, prediction, record_now, together

from forecaster.dataset.panel import latest_days
from forecaster.ledger.ledger import Ledger
from forecaster.ledger.reaction_scores import ReactionScores, reaction_scores
from forecaster.ledger.scoring import fill_outcomes
from forecaster.prices.calendar import closing_time, next_sessions, sessions_between
from forecaster.prices.earnings.store import EarningsStore, StoredEarnings
from forecaster.prices.earnings.table import merge_earnings
from forecaster.prices.store import PriceStore

DAYS = sessions_between(np.datetime64("2026-01-05"), np.datetime64("2026-01-16"))  # ten, Monday to Friday
LATER = datetime(2026, 1, 17, 12, 0, tzinfo=UTC)  # Saturday
QUIET, MOVE = 0.001, 0.2
STEPS = [QUIET * 10, QUIET * 14]


def priced(home: Path, **moves: str) -> PriceStore:
    """Each ticker's price moves by a fifth on one day, and hardly on the others."""
    tables = []
    for ticker, day in moves.items():
        returns = np.where(np.datetime64(day) == DAYS, MOVE, QUIET)
        tables.append(closes_table(ticker, DAYS.astype(str).tolist(), 100 * np.exp(np.cumsum(returns))))
    return filled_store(home, *tables)


def recorded(home: Path, *tickers: str, days: np.ndarray = DAYS) -> None:
    """Two steps ahead from each day but the last two, by narrow normals that one move alone escapes."""
    rows = [
        prediction(ticker, origin, normal(STEPS), normal(STEPS)) for ticker in tickers for origin in days[:-2]
    ]
    record_now(home, together(rows), closing_time(days[0]))


def scored(home: Path, now: datetime = LATER) -> ReactionScores:
    ledger, store = Ledger(home), PriceStore(home, now)
    fill_outcomes(ledger, store, now)
    return reaction_scores(ledger, store, now)


def figures(found: ReactionScores) -> dict[tuple[int, str], tuple[int, float]]:
    """Step and group to forecasts and coverage."""
    return {(row.step, row.group): (row.forecasts, row.coverage_90) for row in found.rows}


def move(home: Path, row: str, on: str) -> None:
    """Yahoo says on a day that its date is another one."""
    store = EarningsStore(home)
    merged = merge_earnings(store.read().table, said("yahoo", row), np.datetime64(on))
    assert len(merged.moved) == 1
    store.write(StoredEarnings(merged.table))


@pytest.mark.parametrize(
    ("announced", "reacts"),
    [
        pytest.param("2026-01-13 before", "2026-01-13", id="before the open"),
        pytest.param("2026-01-13 during", "2026-01-13", id="during the session"),
        pytest.param("2026-01-13 after", "2026-01-14", id="after the close"),
        pytest.param("2026-01-10 before", "2026-01-12", id="on a Saturday"),
    ],
)
def test_the_reaction_day_decides_by_hand(tmp_path: Path, announced: str, reacts: str) -> None:
    priced(tmp_path, AAA=reacts)
    # An earlier date, so that the dates tell of all ten days.
    store_dates(tmp_path, "AAA 2025-10-15 before", f"AAA {announced} scheduled", on="2026-01-05")
    recorded(tmp_path, "AAA")
    found = scored(tmp_path)
    # Of eight origins one has the move one day ahead, two have it one or two days ahead; only it is missed.
    assert figures(found) == {
        (1, "no report"): (7, 1.0),
        (1, "report"): (1, 0.0),
        (2, "no report"): (6, 1.0),
        (2, "report"): (2, 0.0),
    }
    assert (found.left_out, found.why) == (0, "")


def test_the_groups_have_the_means_of_their_forecasts(tmp_path: Path) -> None:
    priced(tmp_path, AAA="2026-01-13", BBB="2026-01-07")
    store_dates(tmp_path, *(f"{name} 2025-10-15 before" for name in ("AAA", "BBB")))
    store_dates(tmp_path, "AAA 2026-01-13 before", "BBB 2026-01-08 after", on="2026-01-05", source="yahoo")
    recorded(tmp_path, "AAA", "BBB")
    found = scored(tmp_path)
    reacted = {"AAA": "2026-01-13", "BBB": "2026-01-09"}
    expected: dict[tuple[int, str], list[tuple[float, ...]]] = {}
    query = "SELECT ticker, origin, target, step, crps, covered, naive_crps, reference_crps FROM forecasts"
    for ticker, origin, target, step, *losses in Ledger(tmp_path).select(query):
        group = "report" if origin < reacted[ticker] <= target else "no report"
        expected.setdefault((step, group), []).append((*losses, origin))
    assert {(row.step, row.group) for row in found.rows} == set(expected)
    for row in found.rows:
        losses = expected[row.step, row.group]
        means = np.mean([each[:-1] for each in losses], axis=0)
        assert (row.forecasts, row.days) == (len(losses), len({each[-1] for each in losses}))
        values = [row.crps, row.coverage_90, row.naive_crps, row.reference_crps]
        assert values == pytest.approx(means, rel=1e-12)


def test_where_the_time_is_unknown_prices_tell_the_day(tmp_path: Path) -> None:
    """Two reports whose next day moved more, then one without a time: it is taken for one after the close."""
    table = random_walk_table("AAA", 200, after="2025-03-31", volatility=0.001)
    reports = [table.dates[place] for place in (60, 120, 180)]
    for place in (61, 121, 181):
        table.columns["adj_close"][place:] *= 1.2
        table.columns["close"][place:] *= 1.2
    filled_store(tmp_path, table)
    store_dates(tmp_path, *(f"AAA {day}" for day in reports))
    recorded(tmp_path, "AAA", days=table.dates[176:186])
    found = scored(tmp_path, closing_time(table.dates[-1]))
    one = next(row for row in found.rows if (row.step, row.group) == (1, "report"))
    assert (one.forecasts, one.coverage_90) == (1, 0.0)
    rest = next(row for row in found.rows if (row.step, row.group) == (1, "no report"))
    assert (rest.forecasts, rest.coverage_90) == (7, 1.0)


def test_days_of_which_no_dates_tell_are_left_out(tmp_path: Path) -> None:
    """BBB has no date, CCC's last one is too long ago, DDD's first one comes in the middle."""
    tickers = dict.fromkeys(("AAA", "BBB", "CCC", "DDD"), "2026-01-13")
    priced(tmp_path, **tickers)
    dates = ("AAA 2025-08-26 before", "CCC 2025-08-15 before", "DDD 2026-01-13 before")
    store_dates(tmp_path, *dates, on="2026-01-15")
    recorded(tmp_path, *tickers)
    found = scored(tmp_path)
    # AAA's date tells of 140 days, up to Tuesday the 13th: of six targets at step 1, of five at step 2, and
    # nothing of the reaction. DDD's tells of the 13th and what follows: two more targets without one each.
    assert figures(found) == {
        (1, "no report"): (6 + 2, 7 / 8),
        (1, "report"): (1, 0.0),
        (2, "no report"): (5 + 2, 6 / 7),
        (2, "report"): (2, 0.0),
    }
    assert found.left_out == 4 * 16 - 8 - 1 - 7 - 2


def test_what_a_replay_cannot_know_does_not_count(tmp_path: Path) -> None:
    """The date moved from the 13th to the 15th, and on Monday nobody knew."""
    priced(tmp_path, AAA="2026-01-13")
    store_dates(tmp_path, "AAA 2025-10-15 before")
    store_dates(tmp_path, "AAA 2026-01-13 before scheduled", on="2026-01-05", source="yahoo")
    recorded(tmp_path, "AAA")
    now = closing_time(np.datetime64("2026-01-13"))
    assert figures(scored(tmp_path, now))[1, "report"] == (1, 0.0)
    move(tmp_path, "AAA 2026-01-15 before scheduled", "2026-01-14")
    assert figures(scored(tmp_path, now))[1, "report"] == (1, 0.0)
    # By Saturday it is known to have been on the 15th, a day on which hardly anything moved.
    assert figures(scored(tmp_path))[1, "report"] == (1, 1.0)


def test_a_move_that_is_learned_on_the_weekend_is_known_on_it(tmp_path: Path) -> None:
    priced(tmp_path, AAA="2026-01-13")
    store_dates(tmp_path, "AAA 2025-10-15 before")
    store_dates(tmp_path, "AAA 2026-01-16 before scheduled", on="2026-01-05", source="yahoo")
    recorded(tmp_path, "AAA")
    assert (2, "report") in figures(scored(tmp_path))
    move(tmp_path, "AAA 2026-01-22 before scheduled", "2026-01-17")
    assert (2, "report") not in figures(scored(tmp_path))


def test_why_there_are_none_is_said(tmp_path: Path) -> None:
    priced(tmp_path, AAA="2026-01-13")
    recorded(tmp_path, "AAA")
    ledger, store = Ledger(tmp_path), PriceStore(tmp_path, LATER)
    assert reaction_scores(ledger, store, LATER).why == "no forecast is scored yet"
    fetch = "`forecast fetch --earnings yahoo` brings them"
    none = ReactionScores(left_out=16, why=f"no earnings dates are stored; {fetch}")
    assert scored(tmp_path) == none
    store_dates(tmp_path, "BBB 2026-01-13 before")
    assert scored(tmp_path).why == f"no earnings dates of these tickers are stored; {fetch}"
    store_dates(tmp_path, "AAA 2024-01-13 before", source="yahoo")
    found = scored(tmp_path)
    assert (found.rows, found.left_out) == ([], 16)
    assert found.why == f"the earnings dates that are stored tell of none of these forecasts; {fetch}"
    EarningsStore(tmp_path).path.write_bytes(b"rubbish")
    found = scored(tmp_path)
    assert (found.rows, found.left_out) == ([], 16)
    assert "earnings.parquet is damaged" in found.why


def test_a_ticker_whose_prices_are_damaged_is_left_out(tmp_path: Path) -> None:
    store = priced(tmp_path, AAA="2026-01-13", BBB="2026-01-13")
    store_dates(tmp_path, "AAA 2026-01-05 before", "BBB 2026-01-05 before")
    recorded(tmp_path, "AAA", "BBB")
    fill_outcomes(Ledger(tmp_path), store, LATER)
    assert figures(scored(tmp_path))[1, "no report"][0] == 16
    store.path("BBB").write_bytes(b"rubbish")
    found = scored(tmp_path)
    assert figures(found)[1, "no report"][0] == 8
    assert found.left_out == 16


def test_a_ledger_that_begins_before_all_prices_reads_no_more_days(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What a damaged ledger has of the year 1000 would take a gigabyte for five hundred tickers."""
    asked: list[int] = []

    def watched(tables: Any, market: Any, days: int, *rest: Any) -> Any:
        asked.append(days)
        return latest_days(tables, market, days, *rest)

    monkeypatch.setattr("forecaster.ledger.reaction_scores.latest_days", watched)
    priced(tmp_path, AAA="2026-01-13")
    store_dates(tmp_path, "AAA 2025-10-15 before", "AAA 2026-01-13 before", on="2026-01-15")
    recorded(tmp_path, "AAA")
    assert figures(scored(tmp_path))[1, "report"] == (1, 0.0)
    with sqlite3.connect(Ledger(tmp_path).path) as connection:
        connection.execute("UPDATE forecasts SET origin = '1000-01-02' WHERE id = 1")
    connection.close()
    assert figures(scored(tmp_path))[1, "report"] == (1, 0.0)
    assert asked == [2000 + len(DAYS)] * 2


def test_tables_beside_the_ledger_leave_it_unchanged(tmp_path: Path) -> None:
    recorded(tmp_path, "AAA", days=next_sessions(np.datetime64("2026-01-02"), 4))
    ledger = Ledger(tmp_path)
    before = ledger.path.read_bytes()
    query = "SELECT COUNT(*) FROM forecasts JOIN some ON some.ticker = forecasts.ticker"
    assert ledger.select(query, beside={"some": [("AAA", "2026-01-01", "2026-01-02")] * 2}) == [(4,)]
    assert ledger.path.read_bytes() == before
    assert ledger.faults() == []
    recorded(tmp_path, "BBB", days=next_sessions(np.datetime64("2026-01-02"), 4))
