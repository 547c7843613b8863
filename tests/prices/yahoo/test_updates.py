"""What changes between two runs: new sessions, splits, dividends, corrections, gaps that fill."""

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from factories import closes_table, random_walk_table
from yahoo_runs import EVENING, FetchRuns
from yahoo_server import MUTATIONS, REPLIES, company

from forecaster.cli.main import run
from forecaster.cli.progress import Tally
from forecaster.files import home_lock
from forecaster.prices.calendar import sessions_between
from forecaster.prices.fetch_state import Asked
from forecaster.prices.store import PriceStore

MONDAY = "2026-11-23T22:30:00"


def test_a_first_fetch_is_one_request_and_a_second_is_none(runs: FetchRuns) -> None:
    assert runs.fetch("AAA", "BBB") == (0, "")
    assert runs.yahoo.requests == {
        ("127.0.0.1", "/v8/finance/chart/AAA"): 1,
        ("127.0.0.1", "/v8/finance/chart/BBB"): 1,
    }
    files = {ticker: runs.store.path(ticker).stat().st_mtime_ns for ticker in runs.store.tickers()}
    assert runs.fetch("AAA", "BBB") == (0, "")
    assert runs.fetch() == (0, "")  # all that is stored
    assert runs.yahoo.total == 2
    assert files == {ticker: runs.store.path(ticker).stat().st_mtime_ns for ticker in runs.store.tickers()}


def test_what_is_stored_is_what_yahoo_has(runs: FetchRuns) -> None:
    traded = runs.yahoo.companies["AAA"]
    traded.splits["2026-06-01"] = 2.0
    traded.dividends["2026-03-02"] = 0.8
    runs.fetch("AAA")
    table = runs.store.read("AAA")
    place = int(np.searchsorted(table.dates, np.datetime64("2026-06-01")))
    assert table.columns["split"][place] == 2.0
    assert table.columns["close"][place - 1] == pytest.approx(traded.closes[place - 1] / 2)
    assert table.columns["volume"][place - 1] == traded.volumes[place - 1] * 2
    paid = int(np.searchsorted(table.dates, np.datetime64("2026-03-02")))
    assert table.columns["dividend"][paid] == pytest.approx(0.4)  # in today's shares
    ratio = table.columns["adj_close"] / table.columns["close"]
    assert ratio[paid - 1] == pytest.approx(1 - 0.4 / (traded.closes[paid - 1] / 2))
    assert ratio[paid] == pytest.approx(1)
    assert runs.store.info("AAA").source == "yahoo"


def test_an_update_begins_five_sessions_before_the_last_stored_bar(runs: FetchRuns) -> None:
    runs.fetch("AAA")
    runs.at(MONDAY)
    assert runs.fetch("AAA") == (0, "")
    # The 20th is the last stored bar; the 13th is five sessions before it.
    assert runs.yahoo.ranges == [("AAA", "1900-01-01", "2026-11-22"), ("AAA", "2026-11-13", "2026-11-24")]
    assert runs.is_as_fresh("AAA")


@pytest.mark.parametrize("asked_on_the_day", [True, False])
@pytest.mark.parametrize(
    ("dividends", "splits", "says"),
    [
        pytest.param({"2026-11-23": 0.7}, {}, "a dividend of 0.7 on 2026-11-23", id="dividend"),
        pytest.param({}, {"2026-11-23": 4.0}, "a split, 4 for 1, on 2026-11-23", id="split"),
        pytest.param({}, {"2026-11-23": 0.1}, "a split, 0.1 for 1, on 2026-11-23", id="reverse split"),
        pytest.param({"2026-11-24": 0.7}, {"2026-11-25": 2.0}, "fetched anew: a ", id="both"),
    ],
)
def test_events_between_two_runs_leave_what_a_fresh_fetch_would(
    runs: FetchRuns, dividends: dict[str, float], splits: dict[str, float], says: str, asked_on_the_day: bool
) -> None:
    runs.fetch("AAA", "BBB")
    runs.yahoo.companies["AAA"].dividends |= dividends
    runs.yahoo.companies["AAA"].splits |= splits
    runs.at(MONDAY if asked_on_the_day else "2026-11-30T22:30:00")
    code, err = runs.fetch("AAA", "BBB")
    assert code == 0
    has_happened = not asked_on_the_day or min([*dividends, *splits]) <= "2026-11-23"
    assert (says in err) == has_happened
    runs.at("2026-11-30T22:30:00")
    assert runs.fetch()[0] == 0
    fetch_state = runs.store.info("AAA").fetch_state
    assert fetch_state.restatements in {1, 2}
    assert runs.store.info("BBB").fetch_state.restatements == 0
    assert runs.is_as_fresh("AAA")
    assert runs.is_as_fresh("BBB")


@pytest.mark.parametrize(
    ("column", "factor", "says"),
    [
        pytest.param("closes", 1.001, "close of 2026-11-16 was", id="close"),
        pytest.param("volumes", 1.01, "volume of 2026-11-16 was", id="volume"),
    ],
)
def test_a_corrected_past_is_fetched_whole(runs: FetchRuns, column: str, factor: float, says: str) -> None:
    runs.fetch("AAA")
    traded = runs.yahoo.companies["AAA"]
    rows = traded.dates <= np.datetime64("2026-11-16")
    rows &= traded.dates >= np.datetime64("2026-11-16") if column == "volumes" else rows
    getattr(traded, column)[rows] *= factor
    runs.at(MONDAY)
    document = runs.fetch_json("AAA")
    assert document["counts"]["replaced"] == 1
    assert document["tickers"][0]["why_replaced"].startswith(says if column == "volumes" else "close of")
    assert runs.is_as_fresh("AAA")
    fetch_state = runs.store.info("AAA").fetch_state
    assert (fetch_state.restatements, fetch_state.restated[:10]) == (1, "2026-11-23")


def test_differences_within_the_tolerance_change_nothing(runs: FetchRuns) -> None:
    runs.fetch("AAA")
    before = runs.store.read("AAA")
    runs.yahoo.companies["AAA"].closes *= 1 + 1e-7
    runs.at(MONDAY)
    document = runs.fetch_json("AAA")
    assert (document["counts"]["updated"], document["counts"]["replaced"]) == (1, 0)
    after = runs.store.read("AAA").take(slice(0, len(before)))
    np.testing.assert_array_equal(after.columns["close"], before.columns["close"])


def test_a_gap_is_asked_for_again_but_not_in_every_run(runs: FetchRuns) -> None:
    runs.yahoo.fail("AAA", "missing day")
    runs.fetch("AAA")
    assert runs.store.info("AAA").fetch_state.pending == {"2026-11-18": Asked(1, "2026-11-21T22:30:00+00:00")}
    for moment, requests in [
        ("2026-11-21T23:00:00", 1),  # half an hour later
        ("2026-11-21T23:30:00", 2),  # an hour later
        ("2026-11-22T03:00:00", 2),
        ("2026-11-22T03:30:00", 3),  # four hours after that
        ("2026-11-22T19:00:00", 3),
    ]:
        runs.at(moment)
        assert runs.fetch("AAA")[0] == 0
        assert runs.yahoo.total == requests, moment
    runs.yahoo.heal()
    runs.at("2026-11-22T19:30:00")  # sixteen hours after that
    assert runs.fetch("AAA") == (0, "")
    assert runs.store.info("AAA").fetch_state.pending == {}
    assert runs.is_as_fresh("AAA")


def test_a_history_that_lost_rows_is_believed_on_the_third_day(runs: FetchRuns) -> None:
    runs.fetch("AAA")
    before = runs.store.read("AAA")
    traded = runs.yahoo.companies["AAA"]
    kept = traded.dates != np.datetime64("2026-04-15")
    traded.dates, traded.closes, traded.volumes = (
        traded.dates[kept],
        traded.closes[kept],
        traded.volumes[kept],
    )
    traded.splits["2026-11-23"] = 2.0
    lost = "lacks 1 stored rows, the first of 2026-04-15"
    for moment in (MONDAY, "2026-11-23T23:30:00", "2026-11-24T22:30:00"):
        runs.at(moment)
        code, err = runs.fetch("AAA")
        assert code == 75
        assert f"failed: AAA: kept: a split, 2 for 1, on 2026-11-23, but Yahoo's whole history {lost}" in err
        np.testing.assert_array_equal(runs.store.read("AAA").columns["close"], before.columns["close"])
    runs.at("2026-11-25T22:30:00")
    code, err = runs.fetch("AAA")
    assert code == 0
    assert f"{lost}, on 3 different days; it was believed" in err
    assert runs.is_as_fresh("AAA")


def test_the_sample_gives_way_to_a_history_that_covers_it(runs: FetchRuns) -> None:
    runs.yahoo.add(company("KO", first="1985-01-02"))
    assert runs.fetch("KO", "--source", "sample")[0] == 0
    code, err = runs.fetch("KO")
    assert code == 0
    assert "note: KO: the whole history was fetched anew: it was stored from sample" in err
    assert runs.store.info("KO").source == "yahoo"
    assert str(runs.store.info("KO").first) == "1985-01-02"
    assert runs.store.info("KO").fetch_state.restatements == 0


def test_prices_of_ones_own_stay_where_yahoo_has_less(runs: FetchRuns) -> None:
    own = random_walk_table("AAA", days=300, after="2025-10-01")
    runs.store.write(own, source="mine.csv", fetched_at=runs.yahoo.now)
    code, err = runs.fetch("AAA")
    assert code == 75
    assert "AAA: kept: it was stored from mine.csv, 2025-10-02 to " in err
    assert "do not cover it; the stored prices were kept" in err
    assert runs.store.info("AAA").source == "mine.csv"


def test_a_start_is_kept_and_can_be_moved_back(runs: FetchRuns) -> None:
    runs.fetch("AAA", "--start", "2026-06-01")
    assert str(runs.store.info("AAA").first) == "2026-06-01"
    runs.at(MONDAY)
    runs.fetch("AAA")
    assert str(runs.store.info("AAA").first) == "2026-06-01"
    runs.yahoo.companies["AAA"].splits["2026-11-24"] = 2.0
    runs.at("2026-11-24T22:30:00")
    runs.fetch("AAA")
    assert str(runs.store.info("AAA").first) == "2026-06-01"
    runs.fetch("AAA", "--start", "2026-03-01")
    assert str(runs.store.info("AAA").first) == "2026-03-02"
    runs.fetch("AAA", "--start", "1990-01-01")
    assert runs.store.read("AAA").dates[0] == np.datetime64("2026-01-02")
    before = runs.yahoo.total
    runs.fetch("AAA", "--start", "1990-01-01")
    assert runs.yahoo.total == before


def test_a_damaged_file_is_fetched_anew(runs: FetchRuns) -> None:
    runs.fetch("AAA")
    runs.store.path("AAA").write_bytes(b"rubbish")
    code, err = runs.fetch()
    assert code == 0
    assert "AAA.parquet is damaged" in err
    assert runs.is_as_fresh("AAA")


def test_a_class_of_shares_has_yahoos_hyphen(runs: FetchRuns) -> None:
    runs.yahoo.add(company("BRK-B"))
    assert runs.fetch("BRK.B") == (0, "")
    assert runs.store.tickers() == ["BRK-B"]


def test_an_index_needs_no_volume(runs: FetchRuns) -> None:
    index = company("^GSPC")
    index.volumes[:100] = 0
    runs.yahoo.add(index)
    assert runs.fetch("^GSPC") == (0, "")
    assert len(runs.store.read("^GSPC")) == 225 - 1


def test_an_isin_is_not_searched_for(runs: FetchRuns) -> None:
    code, err = runs.fetch("US0378331005")
    assert (code, runs.yahoo.total) == (66, 0)
    assert "US0378331005 is an ISIN" in err


def test_the_market_is_refreshed(runs: FetchRuns) -> None:
    runs.fetch("AAA")
    assert (runs.home / "data" / "market.parquet").is_file()


def test_a_second_run_at_the_same_time_leaves(runs: FetchRuns) -> None:
    with home_lock(runs.home):
        code, err = runs.fetch("AAA")
    assert code == 75
    assert "another forecast is writing" in err
    assert runs.yahoo.total == 0


def test_quiet_prints_errors_only(runs: FetchRuns, capsys: pytest.CaptureFixture[str]) -> None:
    runs.yahoo.fail("AAA", "stale")
    assert runs.fetch("AAA", "--quiet") == (0, "")
    code, err = runs.fetch("ZZZ", "--quiet")
    assert (code, err.count("\n")) == (66, 1)
    assert capsys.readouterr().out == ""


def test_the_report_as_json(runs: FetchRuns) -> None:
    runs.yahoo.fail("AAA", "missing day")
    document = runs.fetch_json("AAA", "ZZZ")
    assert (document["schema"], document["source"]) == ("forecast.fetch/2", "yahoo")
    counts = {name: count for name, count in document["counts"].items() if count}
    assert counts == {"added": 1, "not_found": 1}
    assert document["tickers"][0]["missing_sessions"] == ["2026-11-18"]
    assert document["failures"] == [
        {"ticker": "ZZZ", "kind": "not found", "reason": "No data found, symbol may be delisted"}
    ]


def test_the_fetch_state_survives_the_file(runs: FetchRuns) -> None:
    runs.yahoo.fail("AAA", "missing day")
    runs.fetch("AAA")
    info = PriceStore(runs.home).info("AAA")
    assert info.fetch_state.asked_from == "1900-01-01"
    assert PriceStore(runs.home).verify("AAA", runs.yahoo.now) == []
    assert info.fetched_at == EVENING + "+00:00"


def test_rows_of_another_year_do_not_join(runs: FetchRuns) -> None:
    """A stored tail of which Yahoo has nothing is no overlap."""
    runs.fetch("AAA")
    info = runs.store.info("AAA")
    table = closes_table("AAA", ["2025-11-19", "2025-11-20"], [1.0, 2.0])
    runs.store.write(table, source="yahoo", fetched_at=runs.yahoo.now, fetch_state=info.fetch_state)
    code, err = runs.fetch("AAA")
    assert code == 75
    assert "none of the stored days came again, but Yahoo's whole history lacks 2 stored rows" in err


def test_status_shows_the_fetch_state(runs: FetchRuns, capsys: pytest.CaptureFixture[str]) -> None:
    runs.yahoo.fail("AAA", "missing day")
    runs.fetch("AAA", "BBB")
    runs.yahoo.companies["BBB"].splits["2026-11-23"] = 2.0
    runs.yahoo.heal()
    runs.at("2026-11-23T22:30:00")
    runs.fetch("BBB")
    capsys.readouterr()
    assert run(["data", "status", "AAA", "BBB", "--home", str(runs.home)]) == 0
    out = capsys.readouterr().out
    assert max(map(len, out.splitlines()[:7])) <= 80
    assert "│ yahoo  │ 2026-11-21 │" in out
    assert "AAA: to be requested again: 2026-11-18; last requested 2026-11-21T22:30:00+00:00" in out
    assert "BBB: restated 1 times, last on 2026-11-23: a split, 2 for 1, on 2026-11-23" in out
    assert "with sessions to request again: 1; restatements seen: 1" in out
    assert run(["data", "status", "--json", "--home", str(runs.home)]) == 0
    first, second = json.loads(capsys.readouterr().out)["tickers"]
    assert (first["pending"], first["pending_dates"], first["source"]) == (1, ["2026-11-18"], "yahoo")
    assert (second["restatements"], second["fetched_at"]) == (1, "2026-11-23T22:30:00+00:00")


def test_verify_repairs_from_yahoo(runs: FetchRuns, capsys: pytest.CaptureFixture[str]) -> None:
    runs.fetch("AAA", "BBB")
    sound = runs.store.info("AAA").digest
    table = runs.store.read("AAA")
    altered = replace(table, columns={**table.columns, "close": table.columns["close"] + 0.01})
    path = runs.store.path("AAA")
    runs.store.write(altered, source="yahoo", fetched_at=runs.yahoo.now)
    path.write_bytes(path.read_bytes().replace(runs.store.info("AAA").digest.encode(), sound.encode()))
    runs.store.path("BBB").write_bytes(b"rubbish")
    home = ("--home", str(runs.home))
    runs.yahoo.fail("BBB", "503")
    assert run(["data", "verify", "--repair", *home]) == 1
    out = capsys.readouterr().out
    assert "Checked: 2; damaged: 2; repaired: 1." in out
    assert "BBB: unavailable: Yahoo could not be used: status 503 (3 attempts)" in out
    assert runs.store.info("AAA").digest == sound
    runs.yahoo.heal()
    assert run(["data", "verify", "--repair", *home]) == 0
    assert "damaged: 1; repaired: 1." in capsys.readouterr().out
    assert run(["data", "verify", *home]) == 0


def test_the_time_left_follows_from_the_rate() -> None:
    moments = iter([0.0, 2.0, 4.0])
    tally = Tally("Prices", 302, clock=lambda: next(moments))
    assert tally.line() == "Prices: 0 of 302"
    assert tally.advance(failed=False) == "Prices: 1 of 302, 0.5 a second, 10 min 02 s left"
    assert tally.advance(failed=True) == "Prices: 2 of 302, 0.5 a second, 10 min 00 s left, failed: 1"


def test_without_a_total_there_is_no_time_left() -> None:
    moments = iter([0.0, 2.0])
    tally = Tally("Prices", 0, clock=lambda: next(moments))
    assert tally.advance(failed=False) == "Prices: 1, 0.5 a second"


def test_a_split_whose_history_cannot_be_had_changes_nothing(runs: FetchRuns) -> None:
    runs.fetch("AAA")
    before = runs.store.info("AAA")
    runs.yahoo.companies["AAA"].splits["2026-11-23"] = 2.0
    runs.at(MONDAY)
    runs.yahoo.fail("AAA", "503", after=1)
    code, err = runs.fetch("AAA")
    assert code == 69
    assert "status 503" in err
    assert runs.store.info("AAA") == before
    runs.yahoo.heal()
    assert runs.fetch("AAA")[0] == 0
    assert runs.is_as_fresh("AAA")


@pytest.mark.parametrize("seed", range(6))
def test_whatever_happens_in_a_month_it_ends_as_a_fresh_fetch(runs: FetchRuns, seed: int) -> None:
    random = np.random.default_rng(seed)
    faults = sorted({*REPLIES, *MUTATIONS, "cut json", "truncated"} - {"timeout", "reset"})
    traded = runs.yahoo.companies["AAA"]
    for day in sessions_between(np.datetime64("2026-10-26"), np.datetime64("2026-11-20")).astype(str):
        runs.at(f"{day}T{random.choice(['13:00', '19:00', '22:30'])}:00")
        if random.random() < 0.15:
            traded.dividends[day] = 0.5
        if random.random() < 0.1:
            traded.splits[day] = float(random.choice([2.0, 0.25]))
        runs.yahoo.heal()
        if random.random() < 0.5:
            runs.yahoo.fail("AAA", str(random.choice(faults)), times=int(random.integers(1, 5)))
        runs.fetch("AAA")
        assert all(runs.store.verify(ticker, runs.yahoo.now) == [] for ticker in runs.store.tickers())
    runs.yahoo.heal()
    for moment in ("2026-12-28T22:30:00", "2026-12-29T22:30:00", "2026-12-30T22:30:00"):
        runs.at(moment)
        runs.fetch("AAA")
    assert runs.is_as_fresh("AAA")


def test_a_few_rows_of_a_file_leave_a_ticker_yahoos(runs: FetchRuns) -> None:
    runs.fetch("AAA")
    before = runs.store.read("AAA")
    rows = [f"AAA,{before.dates[row]},{before.columns['close'][row]:.2f}" for row in range(-5, 0)]
    Path("own.csv").write_text("\n".join(["ticker,date,close", *rows]) + "\n")
    code, err = runs.fetch("--source", "own.csv")
    assert code == 0
    assert "AAA stays Yahoo's, as most of its rows are" in err
    assert runs.store.info("AAA").source == "yahoo"
    runs.at(MONDAY)
    assert runs.fetch()[0] == 0  # without tickers: all that is Yahoo's
    assert runs.is_as_fresh("AAA")


def test_a_file_that_replaces_a_ticker_of_yahoos_says_so(runs: FetchRuns) -> None:
    runs.fetch("AAA")
    before = runs.store.read("AAA")
    rows = [
        f"AAA,{day},{2 * close:.2f}" for day, close in zip(before.dates, before.columns["close"], strict=True)
    ]
    Path("own.csv").write_text("\n".join(["ticker,date,close", *rows]) + "\n")
    code, err = runs.fetch("--source", "own.csv")
    assert code == 0
    assert "AAA came from Yahoo; most of it is own.csv's now: it is no longer refreshed" in err
    assert runs.store.info("AAA").source == "own.csv"
