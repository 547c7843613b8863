import json
from pathlib import Path

import pytest
from command import started
from factories import filled_store, random_walk_table

from forecaster.cli.main import run
from forecaster.errors import ExitCode
from forecaster.files import home_lock
from forecaster.prices.export import export_prices
from forecaster.prices.store import PriceStore

Capture = pytest.CaptureFixture[str]
GOOD = "ticker,date,close\nAA,2024-07-01,1\nAA,2024-07-02,2\n"


def fetch_json(capsys: Capture, *arguments: str, code: int = 0) -> dict:
    assert run(["fetch", "--json", *arguments]) == code
    return json.loads(capsys.readouterr().out)


def test_the_sample_comes_whole_and_a_second_time_changes_nothing(tmp_path: Path, capsys: Capture) -> None:
    first = fetch_json(capsys, "--source", "sample")
    assert first["schema"] == "forecast.fetch/2"
    assert {name: count for name, count in first["counts"].items() if count} == {"added": 21}
    store = PriceStore(tmp_path)
    before = {ticker: store.path(ticker).stat().st_mtime_ns for ticker in store.tickers()}
    assert fetch_json(capsys, "--source", "sample")["counts"]["unchanged"] == 21
    assert {ticker: store.path(ticker).stat().st_mtime_ns for ticker in store.tickers()} == before
    assert (tmp_path / "data" / "market.parquet").exists()


def test_new_rows_are_added_changed_ones_replaced_old_ones_kept(tmp_path: Path, capsys: Capture) -> None:
    Path("a.csv").write_text(GOOD)
    Path("b.csv").write_text("ticker,date,close\nAA,2024-07-02,2.5\nAA,2024-07-03,3\n")
    fetch_json(capsys, "--source", "a.csv")
    (outcome,) = fetch_json(capsys, "--source", "b.csv")["tickers"]
    assert (outcome["outcome"], outcome["rows_added"], outcome["rows_replaced"], outcome["rows"]) == (
        "updated",
        1,
        1,
        3,
    )
    assert PriceStore(tmp_path).read("AA").columns["close"].tolist() == [1, 2.5, 3]


def test_rejected_rows_are_named_by_reason_on_stderr(capsys: Capture) -> None:
    rows = ["AA,2024-07-03,-1"] * 25 + ["AA,2024-07-03,abc", "AA,2024-07-03,1_0", "AA,2024-13-03,5"]
    Path("a.csv").write_text(GOOD + "\n".join(rows) + "\n")
    assert run(["fetch", "--source", "a.csv"]) == 0
    out, err = capsys.readouterr()
    assert [line for line in err.splitlines() if line.startswith("rejected")] == [
        "rejected: 25 rows: close is not positive; e.g. AA in a.csv:4, :5, :6, :7, :8",
        "rejected: 2 rows: close 'abc' is not a number, and the like; e.g. AA in a.csv:29, :30",
        "rejected: a.csv:31: AA: the date '2024-13-03' is not like 2024-01-31",
    ]
    assert "added" in out
    assert max(map(len, out.splitlines())) <= 80


def test_a_ticker_that_is_not_there_ends_with_66_after_the_rest(tmp_path: Path, capsys: Capture) -> None:
    Path("a.csv").write_text(GOOD)
    assert run(["fetch", "AA", "ZZ", "--source", "a.csv"]) == 66
    last = capsys.readouterr().err.splitlines()[-1]
    assert "1 of 2 tickers failed (not found 1): ZZ; the first: a.csv has no usable price of it" in last
    assert PriceStore(tmp_path).tickers() == ["AA"]


def test_a_universe_file_restricts(tmp_path: Path, capsys: Capture) -> None:
    Path("list.txt").write_text("aapl\nKO\n")
    run(["fetch", "--source", "sample", "--universe", "list.txt", "--start", "2020-01-01", "--quiet"])
    store = PriceStore(tmp_path)
    assert store.tickers() == ["AAPL", "KO"]
    assert str(store.info("KO").first) == "2020-01-02"
    assert fetch_json(capsys, "--source", "sample", "--universe", "sample")["counts"]["added"] == 19


@pytest.mark.parametrize(
    ("arguments", "code", "complaint"),
    [
        pytest.param([], 2, "there is no ticker to fetch", id="no ticker"),
        pytest.param(["--source", "sample", "../../x"], 2, "is not a ticker", id="a path for a ticker"),
        pytest.param(["--source", "sample", "--start", "soon"], 2, "is not a date", id="no date"),
        pytest.param(["--source", "nowhere"], 66, "no file or folder nowhere", id="no file"),
        pytest.param(["--source", "sample", "--universe", "nowhere"], 66, "no file nowhere", id="no list"),
        pytest.param(["--source", "bad.csv"], 65, "nothing in bad.csv could be used", id="nothing usable"),
        pytest.param(["--source", "empty.csv"], 65, "empty.csv is empty", id="empty"),
    ],
)
def test_what_cannot_be_done_is_one_line(
    capsys: Capture, arguments: list[str], code: int, complaint: str
) -> None:
    Path("bad.csv").write_text("ticker,date,close\nAA,2024-07-01,x\n")
    Path("empty.csv").touch()
    assert run(["fetch", *arguments]) == code
    last = capsys.readouterr().err.splitlines()[-1]
    assert last.startswith("forecast: ")
    assert complaint in last


def test_a_second_fetch_at_the_same_time_is_told_to_wait(tmp_path: Path, capsys: Capture) -> None:
    with home_lock(tmp_path):
        assert run(["fetch", "--source", "sample"]) == 75
    assert "another forecast is writing" in capsys.readouterr().err


def test_a_damaged_file_is_repaired_by_fetching_again(tmp_path: Path, capsys: Capture) -> None:
    run(["fetch", "--source", "sample", "KO", "--quiet"])
    PriceStore(tmp_path).path("KO").write_bytes(b"rubbish")
    report = fetch_json(capsys, "--source", "sample", "KO", "--quiet")
    assert "KO.parquet is damaged" in report["notes"][0]
    assert run(["data", "verify"]) == 0


def test_a_damaged_file_that_is_not_fetched_is_named_as_missing_from_the_market(
    tmp_path: Path, capsys: Capture
) -> None:
    run(["fetch", "--source", "sample", "KO", "AAPL", "--quiet"])
    PriceStore(tmp_path).path("KO").write_bytes(b"rubbish")
    (note,) = fetch_json(capsys, "--source", "sample", "AAPL", "--quiet")["notes"]
    assert "KO.parquet is damaged" in note
    assert note.endswith("; the market's return is without KO")


def test_leftovers_of_a_killed_fetch_are_cleared(tmp_path: Path) -> None:
    leftover = tmp_path / "data" / "prices" / ".tmp-abc.parquet"
    leftover.parent.mkdir(parents=True)
    leftover.touch()
    assert run(["fetch", "--source", "sample", "KO", "--quiet"]) == 0
    assert not leftover.exists()


def test_quiet_prints_nothing(capsys: Capture) -> None:
    Path("a.csv").write_text(GOOD + "AA,2024-07-03,-1\n")
    assert run(["fetch", "--source", "a.csv", "--quiet"]) == 0
    assert capsys.readouterr() == ("", "")


@pytest.mark.parametrize("ending", ["csv", "parquet"])
def test_an_export_comes_back_as_it_was(tmp_path: Path, capsys: Capture, ending: str) -> None:
    tables = [random_walk_table("AA", days=30), random_walk_table("BB", days=20, seed=1, closes_only=True)]
    store = filled_store(tmp_path / "old", *tables)
    assert export_prices(store, ["AA", "BB"], tmp_path / f"long.{ending}").rows == 50
    fetch_json(capsys, "--source", f"long.{ending}", "--home", "new")
    again = PriceStore(tmp_path / "new")
    assert [again.info(ticker).digest for ticker in ("AA", "BB")] == [
        store.info(ticker).digest for ticker in ("AA", "BB")
    ]


def test_a_full_disk_leaves_what_was_there(tmp_path: Path) -> None:
    run(["fetch", "--source", "sample", "--start", "2022-12-01"])
    store = PriceStore(tmp_path)
    before = {ticker: store.info(ticker).rows for ticker in store.tickers()}

    process = started(["fetch", "--source", "sample"], largest_file=4096)
    _, stderr = process.communicate(timeout=60)
    assert process.returncode == 74
    assert stderr.startswith("forecast: cannot write")
    assert {ticker: store.info(ticker).rows for ticker in store.tickers()} == before
    assert [path.name for path in store.folder.iterdir() if path.name.startswith(".tmp")] == []
    assert run(["data", "verify"]) == 0


def test_an_interrupt_leaves_every_ticker_whole(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    write = PriceStore.write

    def write_until_interrupted(self: PriceStore, table: object, **about: object) -> None:
        if len(self.tickers()) == 5:
            raise KeyboardInterrupt
        write(self, table, **about)

    monkeypatch.setattr(PriceStore, "write", write_until_interrupted)
    assert run(["fetch", "--source", "sample"]) == 130
    assert len(PriceStore(tmp_path).tickers()) == 5
    assert run(["data", "verify"]) == 0


def written(name: str, first: int, factor: float = 1) -> str:
    """Six sessions of July 2024 from the `first` on, at 10, 11, 12 … times `factor`."""
    days = ["01", "02", "03", "05", "08", "09", "10", "11", "12", "15", "16", "17"]
    rows = [f"AA,2024-07-{days[row]},{factor * (10 + row)}" for row in range(first, first + 6)]
    Path(name).write_text("\n".join(["ticker,date,close", *rows]) + "\n")
    return name


def test_a_file_on_another_scale_is_refused_and_replace_is_the_way_out(
    tmp_path: Path, capsys: Capture
) -> None:
    assert run(["fetch", "--source", written("pounds.csv", 0), "--quiet"]) == 0
    before = PriceStore(tmp_path).info("AA")
    pence = written("pence.csv", 4, 100)
    assert run(["fetch", "--source", pence, "--quiet"]) == ExitCode.BAD_INPUT
    err = capsys.readouterr().err
    assert "not merged: AA: its close is 100 times the stored one on 2 shared days" in err
    assert "2024-07-08: 1400, not 14" in err
    assert "--replace" in err
    assert len(err.splitlines()) == 1
    assert PriceStore(tmp_path).info("AA") == before
    assert run(["fetch", "--source", pence, "--replace", "--quiet"]) == 0
    assert PriceStore(tmp_path).read("AA").columns["close"].tolist() == [
        100.0 * (10 + row) for row in range(4, 10)
    ]


def test_replace_takes_all_of_a_folder(tmp_path: Path) -> None:
    assert run(["fetch", "--source", written("pounds.csv", 0), "--quiet"]) == 0
    folder = tmp_path / "years"
    folder.mkdir()
    written(str(folder / "one.csv"), 0, 100)
    written(str(folder / "two.csv"), 6, 100)
    assert run(["fetch", "--source", str(folder), "--replace", "--quiet"]) == 0
    assert PriceStore(tmp_path).read("AA").columns["close"].tolist() == [
        100.0 * (10 + row) for row in range(12)
    ]


def test_replace_and_calendar_are_for_files(capsys: Capture) -> None:
    for flag in (["--replace"], ["--calendar", "XLON"]):
        assert run(["fetch", "AAPL", *flag]) == ExitCode.USAGE
        assert f"{flag[0]} is for files" in capsys.readouterr().err


def test_a_calendar_that_is_named_is_the_tickers(tmp_path: Path) -> None:
    assert run(["fetch", "--source", written("a.csv", 0), "--calendar", "xlon", "--quiet"]) == 0
    assert PriceStore(tmp_path).read("AA").calendar == "XLON"
    assert run(["fetch", "--source", written("a.csv", 0), "--calendar", "XTKS", "--quiet"]) == 0
    assert PriceStore(tmp_path).read("AA").calendar == "XTKS"


def test_what_looks_wrong_stands_before_notes_of_no_weight(capsys: Capture) -> None:
    Path("folder").mkdir()
    for number in range(12):  # each file has a note of its own: its rows are out of order
        rows = [f"2024-07-{day:02},10" for day in (3, 2, 4, 1)]
        Path(f"folder/A{number:02}.csv").write_text("\n".join(["date,close", *rows]) + "\n")
    rows = ["2024-07-01,10", "2024-07-02,1010", "2024-07-03,1000"]
    Path("folder/ZZ.csv").write_text("\n".join(["date,close", *rows]) + "\n")
    assert run(["fetch", "--source", "folder"]) == 0
    lines = capsys.readouterr().err.splitlines()
    assert lines[0].startswith("note: ZZ looks wrong: 2024-07-02")
    assert "more notes; --json names them" in lines[10]


def test_moves_that_cannot_be_right_are_named_at_the_import_and_by_verify(capsys: Capture) -> None:
    rows = [
        f"AA,2024-07-{day},{close}" for day, close in (("01", 10), ("02", 10.1), ("03", 1020), ("05", 1010))
    ]
    Path("a.csv").write_text("\n".join(["ticker,date,close", *rows]) + "\n")
    assert run(["fetch", "--source", "a.csv"]) == 0
    said = "AA looks wrong: 2024-07-03: the price is 100 times larger than the day before: another unit?"
    assert said in capsys.readouterr().err
    assert run(["data", "verify"]) == 0
    assert said in capsys.readouterr().out
    assert run(["data", "status"]) == 0
    assert "with moves that look wrong: AA" in " ".join(capsys.readouterr().out.split())
    run(["doctor"])
    assert "with moves that look wrong: AA" in " ".join(capsys.readouterr().out.split())
