import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from factories import WRITTEN, closes_table, filled_store, random_walk_table

from forecaster.cli.main import run
from forecaster.prices.market import read_market
from forecaster.prices.store import PriceStore
from forecaster.prices.table import COLUMNS

Capture = pytest.CaptureFixture[str]


def test_status_knows_gaps_and_age(tmp_path: Path, capsys: Capture, monkeypatch: pytest.MonkeyPatch) -> None:
    # 2024-07-04 is a holiday, so the 3rd is the only gap; on the 9th, a Tuesday, one session has closed.
    filled_store(tmp_path, closes_table("AA", ["2024-07-01", "2024-07-02", "2024-07-05"], [1, 2, 3]))
    monkeypatch.setenv("FORECAST_NOW", "2024-07-09T12:00:00")
    assert run(["data", "status", "AA", "--json"]) == 0
    (row,) = json.loads(capsys.readouterr().out)["tickers"]
    assert (row["first"], row["last"], row["rows"]) == ("2024-07-01", "2024-07-05", 3)
    assert (row["gaps"], row["gap_dates"], row["age"], row["source"]) == (1, ["2024-07-03"], 1, "test")
    assert run(["data", "status", "AA"]) == 0
    assert "AA has no price of 2024-07-03" in capsys.readouterr().out


def test_status_of_many_shows_the_worst_in_80_columns(tmp_path: Path, capsys: Capture) -> None:
    tables = [random_walk_table(f"T{number}", days=100) for number in range(50)]
    stale = random_walk_table("STALE", days=50)
    store = filled_store(tmp_path, *tables, stale)
    store.path("T7").write_bytes(b"rubbish")
    assert run(["data", "status"]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert "T7" in lines[3]
    assert "damaged" in lines[3]
    assert "STALE" in lines[4]
    assert len([line for line in lines if line.startswith("│")]) == 40
    assert max(len(line) for line in lines[:-1]) <= 80
    assert lines[-1].startswith("Tickers: 51; rows: 4,950")
    assert run(["data", "status", "--all"]) == 0
    assert capsys.readouterr().out.count("│ T") == 50


def test_verify_names_the_damaged(tmp_path: Path, capsys: Capture) -> None:
    store = filled_store(tmp_path)
    assert run(["data", "verify"]) == 0
    store.path("BBB").write_bytes(store.path("BBB").read_bytes()[:-9])
    capsys.readouterr()
    assert run(["data", "verify", "--json"]) == 1
    document = json.loads(capsys.readouterr().out)
    assert (document["checked"], [each["ticker"] for each in document["damaged"]]) == (3, ["BBB"])
    assert run(["data", "verify", "AAA"]) == 0
    assert run(["data", "verify"]) == 1
    assert "BBB.parquet is damaged" in capsys.readouterr().out


@pytest.mark.parametrize("command", ["status", "verify", "export --output x.csv"])
def test_an_empty_store_says_how_to_fill_it(capsys: Capture, command: str) -> None:
    assert run(["data", *command.split()]) == 66
    assert "run `forecast fetch --source sample`" in capsys.readouterr().err


def test_export_by_ending(tmp_path: Path, capsys: Capture) -> None:
    filled_store(tmp_path)
    assert run(["data", "export", "--output", "x.csv", "aaa"]) == 0
    assert "Rows written to x.csv: 300" in capsys.readouterr().out
    heading, first = Path("x.csv").read_text().splitlines()[:2]
    assert heading.replace('"', "").split(",")[:3] == ["ticker", "date", "open"]
    assert first.replace('"', "").startswith("AAA,2015-01-02,")
    assert run(["data", "export", "--output", "x.xlsx"]) == 2
    assert run(["data", "export", "--output", "x.csv", "ZZZ"]) == 66
    assert run(["data", "export", "--output", "/dev/null/x.csv"]) == 74


def test_an_export_that_fails_leaves_no_file(tmp_path: Path) -> None:
    store = filled_store(tmp_path)
    for ticker in store.tickers():
        store.path(ticker).write_bytes(b"rubbish")
    assert run(["data", "export", "--output", "x.csv"]) == 65
    assert not Path("x.csv").exists()
    assert not list(Path().glob(".tmp*"))


def test_the_factories_are_seeded() -> None:
    one, two = random_walk_table(seed=3), random_walk_table(seed=3)
    np.testing.assert_array_equal(one.columns["close"], two.columns["close"])


def test_status_and_doctor_tell_what_forecasts_bridge(tmp_path: Path, capsys: Capture) -> None:
    whole = random_walk_table("AAA", 200, 1)
    short = replace(whole.take(np.delete(np.arange(200), [150, 190])), ticker="BBB")
    wide = replace(whole.take(np.delete(np.arange(200), range(150, 156))), ticker="CCC")
    old = replace(whole.take(np.delete(np.arange(200), range(50, 90))), ticker="DDD")
    filled_store(tmp_path, whole, short, wide, old)
    for command in (["data", "status"], ["doctor"]):
        run(command)
        out = " ".join(capsys.readouterr().out.split())
        assert "with recent gaps that forecasts bridge: 1" in out
        assert "with too many to bridge: CCC" in out


def test_status_takes_dates_alone_of_what_is_known_to_be_sound_and_says_the_same(
    tmp_path: Path, capsys: Capture, monkeypatch: pytest.MonkeyPatch
) -> None:
    odd = random_walk_table("ODD", 200, 1)
    odd.columns["adj_close"][100:] *= 100
    store = filled_store(
        tmp_path, odd, *(random_walk_table(f"T{number}", 200, number) for number in range(4))
    )
    store.write(random_walk_table("^IDX", 200, 9), source="test", fetched_at=WRITTEN)
    read: dict[str, int] = {}
    reader = PriceStore.read_with_info

    def watched(store: PriceStore, ticker: str, columns: tuple[str, ...] = COLUMNS) -> object:
        read[ticker] = len(columns)
        return reader(store, ticker, columns)

    monkeypatch.setattr(PriceStore, "read_with_info", watched)

    def status() -> list[dict]:
        read.clear()
        assert run(["data", "status", "--json"]) == 0
        rows: list[dict] = json.loads(capsys.readouterr().out)["tickers"]
        return rows

    before = status()
    assert set(read.values()) == {len(COLUMNS)}
    read_market(store)
    assert status() == before
    assert [ticker for ticker, columns in read.items() if columns] == ["ODD", "^IDX"]
    content = store.path("T2").read_bytes()
    store.path("T2").write_bytes(content[:200] + bytes([content[200] ^ 1]) + content[201:])
    assert [row["ticker"] for row in status() if row["damage"]] == ["T2"]
