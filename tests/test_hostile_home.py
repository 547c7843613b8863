"""One bad file in a home folder costs only itself: it is named, left out, and nothing hangs on it."""

import json
import os
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from command import measured
from hostile import (
    BAD_CONTENT,
    MEMORY,
    NO_FILE,
    SECONDS,
    Damage,
    astray,
    empty,
    endless,
    enormous,
    folder,
    in_time,
)
from trained_home import recent_table

from forecaster.cli.main import run
from forecaster.prices.earnings.store import EarningsStore
from forecaster.prices.market import read_market
from forecaster.prices.store import PriceStore


def moved(path: Path) -> None:
    """Another last close, with all that the file says of itself as it was."""
    table = pq.read_table(path)
    for name in ("close", "adj_close"):
        values = table[name].to_numpy().copy()
        values[-1] *= 1.5
        table = table.set_column(table.column_names.index(name), name, [values])
    pq.write_table(table, path)


def without_rows(path: Path) -> None:
    pq.write_table(pq.read_table(path).slice(0, 0), path)


def of_other_columns(path: Path) -> None:
    pq.write_table(pa.table({"ticker": ["OLD"]}), path)


def without_columns(path: Path) -> None:
    pq.write_table(pa.table({"ticker": ["AAA"]}), path)


PRICE_FILES: tuple[Damage, ...] = (*NO_FILE, *BAD_CONTENT, astray, moved, without_rows, of_other_columns)


def called(capsys: pytest.CaptureFixture[str], home: Path, *words: str) -> tuple[int, str, str]:
    capsys.readouterr()
    with in_time():
        code = run([*words, "--home", str(home)])
    out, err = capsys.readouterr()
    assert "Traceback" not in out + err
    assert "this is a bug" not in out + err
    return code, out, err


@pytest.mark.parametrize("damage", [*NO_FILE, *BAD_CONTENT, without_columns])
def test_a_bad_file_of_earnings_dates_costs_only_the_dates(
    own_home: Path, capsys: pytest.CaptureFixture[str], damage: Damage
) -> None:
    Path("dates.csv").write_text("ticker,date\nAAA,2026-12-01\n")
    assert called(capsys, own_home, "fetch", "--earnings", "dates.csv")[0] == 0
    damage(EarningsStore(own_home).path)

    code, _, err = called(capsys, own_home, "data", "earnings")
    assert (code, err.count("\n")) == (65, 1)
    assert "earnings.parquet" in err
    code, _, err = called(capsys, own_home, "predict", "AAA", "--quiet")
    assert (code, err.count("\n")) == (0, 1)
    assert err.startswith("warning: earnings dates are left out: ")
    assert "earnings.parquet" in err
    assert called(capsys, own_home, "data", "status")[0] == 0

    code, _, err = called(capsys, own_home, "fetch", "--earnings", "dates.csv")
    assert code == 0
    assert "it was replaced by what was fetched" in err
    assert called(capsys, own_home, "data", "earnings")[0] == 0


@pytest.mark.parametrize("damage", PRICE_FILES)
def test_a_bad_price_file_is_named_and_left_out(
    own_home: Path, capsys: pytest.CaptureFixture[str], damage: Damage
) -> None:
    damage(PriceStore(own_home).path("OLD"))

    code, _, err = called(capsys, own_home, "predict", "OLD")
    assert (code, err.count("\n")) == (65, 1)
    assert "OLD" in err

    code, out, _ = called(capsys, own_home, "predict", "AAA", "--json")
    assert (code, len(json.loads(out)["predictions"])) == (0, 1)

    code, out, err = called(capsys, own_home, "predict", "--json")
    assert {row["ticker"] for row in json.loads(out)["predictions"]} == {"AAA", "BBB", "CCC", "NEW"}
    assert "failed: " in err
    assert "OLD" in err

    code, out, _ = called(capsys, own_home, "data", "status", "--json")
    health = {row["ticker"]: row["damage"] for row in json.loads(out)["tickers"]}
    assert code == 0
    assert [ticker for ticker, why in health.items() if why] == ["OLD"]

    code, out, _ = called(capsys, own_home, "data", "verify", "--json")
    assert (code, [row["ticker"] for row in json.loads(out)["damaged"]]) == (1, ["OLD"])

    code, out, _ = called(capsys, own_home, "doctor", "--json")
    states = {row["check"]: row for row in json.loads(out)["checks"]}
    assert states["prices"]["state"] == "fail"
    assert "OLD" in states["prices"]["text"]

    code, out, err = called(capsys, own_home, "data", "export", "--output", "copy.csv", "--json")
    assert (code, list(json.loads(out)["failures"])) == (65, ["OLD"])
    assert "OLD" not in Path("copy.csv").read_text()

    assert read_market(PriceStore(own_home)).members == ("AAA", "BBB", "CCC", "GAPPY", "NEW", "SHORT")


@pytest.mark.parametrize("damage", PRICE_FILES)
def test_a_fetch_goes_round_a_bad_price_file(
    own_home: Path, capsys: pytest.CaptureFixture[str], damage: Damage
) -> None:
    damage(PriceStore(own_home).path("OLD"))
    (own_home / "data" / "prices" / ".tmp-x").mkdir()
    code, _, err = called(capsys, own_home, "fetch", "--source", "sample")
    assert code == 0
    assert "OLD" in err
    assert not (own_home / "data" / "prices" / ".tmp-x").exists()


@pytest.mark.parametrize("damage", [*NO_FILE, *BAD_CONTENT, astray, moved])
def test_an_import_replaces_a_bad_price_file_and_loses_nothing(
    own_home: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str], damage: Damage
) -> None:
    store = PriceStore(own_home)
    damage(store.path("OLD"))
    table = recent_table("OLD", 40)
    rows = "".join(f"{day},{close}\n" for day, close in zip(table.dates, table.columns["close"], strict=True))
    (tmp_path / "OLD.csv").write_text("date,close\n" + rows)
    code, _, err = called(capsys, own_home, "fetch", "--source", str(tmp_path / "OLD.csv"))
    assert code == 0, err
    assert len(store.read("OLD")) == 40
    if damage is folder:
        assert (store.folder / "OLD.parquet.aside-1" / "kept.txt").exists()


def test_what_may_not_be_read_is_not_called_damaged(
    own_home: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """The superuser may read everything, so that the system's answer is put in its mouth."""
    barred = str(PriceStore(own_home).path("OLD"))
    really_open = os.open

    def opened(path: str | Path, *rest: int) -> int:
        if str(path) == barred:
            raise PermissionError(13, "Permission denied", barred)
        return really_open(path, *rest)

    monkeypatch.setattr(os, "open", opened)
    for words, code in (
        (("predict", "OLD"), 74),
        (("data", "status", "OLD"), 0),
        (("data", "verify", "OLD"), 74),
        (("doctor",), 1),
        (("fetch", "--source", "sample"), 0),
    ):
        found, out, err = called(capsys, own_home, *words)
        said = " ".join((out + err).split())
        assert found == code, words
        assert "damaged" not in said.replace("damaged: 0", "").replace("fetches the damaged anew", "")
        assert "Permission denied" in said or words[1:2] == ("status",)


def test_a_training_leaves_out_what_it_cannot_read_and_says_so(
    own_home: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    moved(PriceStore(own_home).path("OLD"))
    folder(PriceStore(own_home).path("ZZZ"))
    words = ("--lookback=12", "--horizon=3", "--units=4", "--epochs=1", "--device=cpu", "--name=other")
    code, _, err = called(capsys, own_home, "train", *words)
    assert code == 0, err
    assert "OLD" in err
    assert "ZZZ" in err


REGISTRY_FILES = ("champion", "history.json", "1/card.json", "1/weights.npz", "1/model.keras")


@pytest.mark.parametrize("name", REGISTRY_FILES)
@pytest.mark.parametrize("damage", [*NO_FILE, *BAD_CONTENT])
def test_a_bad_file_of_a_model_is_named_by_verify_and_hangs_nothing(
    own_home: Path, capsys: pytest.CaptureFixture[str], name: str, damage: Damage
) -> None:
    path = own_home / "models" / "main" / name
    if not path.exists():
        path.write_text("{}")
    damage(path)
    code, out, err = called(capsys, own_home, "models", "verify")
    assert code == 1
    assert name.rpartition("/")[2] in " ".join((out + err).split())
    for words in (("predict", "AAA"), ("models", "list"), ("doctor",), ("models", "show", "main")):
        code, _, err = called(capsys, own_home, *words)
        assert code in (0, 1, 65, 66), (words, err)
    assert called(capsys, own_home, "data", "status")[0] == 0


@pytest.mark.parametrize("damage", [*NO_FILE, empty])
def test_a_champion_that_is_no_file_is_replaced_by_a_promotion(
    own_home: Path, capsys: pytest.CaptureFixture[str], damage: Damage
) -> None:
    damage(own_home / "models" / "main" / "champion")
    code, _, err = called(capsys, own_home, "predict", "AAA")
    assert code == 65
    assert "main@1" in err
    assert called(capsys, own_home, "models", "promote", "main@1")[0] == 0
    assert called(capsys, own_home, "predict", "AAA")[0] == 0


HOME_FILES = (
    "forecast.toml",
    "models/numbers.json",
    "models/ledger.sqlite",
    "data/market.parquet",
    "data/market_sums.parquet",
    "logs/run_status.json",
    "logs/events.jsonl",
    ".forecast.lock",
)


COMMANDS = (
    ("doctor",),
    ("predict", "AAA"),
    ("predict", "AAA", "--record"),
    ("score",),
    ("data", "status"),
    ("models", "list"),
    ("models", "verify"),
    ("schedule", "status"),
)
OF_THE_SAMPLE = ("fetch", "--source", "sample")
OF_A_FILE = ("fetch", "--source", "prices.csv")
"""A twentieth of the sample's work, and the same files of the home are read and written."""


@pytest.mark.parametrize("name", HOME_FILES)
@pytest.mark.parametrize("damage", [*NO_FILE, *BAD_CONTENT])
def test_a_bad_file_of_the_home_ends_every_command_soon(
    own_home: Path, capsys: pytest.CaptureFixture[str], name: str, damage: Damage
) -> None:
    path = own_home / name
    path.parent.mkdir(exist_ok=True)
    if not path.exists():
        path.write_text("x" * 200)
    damage(path)
    Path("prices.csv").write_text("ticker,date,close\nAAPL,2026-11-19,1\nAAPL,2026-11-20,2\n")
    for words in (*COMMANDS, OF_A_FILE):
        code, _, err = called(capsys, own_home, *words)
        assert code in (0, 1, 2, 65, 66, 74), (words, err)
    assert np.isfinite(read_market(PriceStore(own_home)).log_return).all()


BY_THE_WAY = (
    *("data/prices/OLD.parquet", "data/market.parquet", "data/market_sums.parquet"),
    *("logs/run_status.json", "logs/events.jsonl"),
    "models/main/history.json",
)
"""Files that no command ends at."""
LOOKED_FOR = ("forecast.toml", "models/ledger.sqlite", "models/numbers.json", "models/main/champion")


@pytest.mark.trial
@pytest.mark.parametrize(
    ("place", "name"),
    list(enumerate([*LOOKED_FOR, "models/main/1/card.json", "models/main/1/weights.npz"])),
)
@pytest.mark.parametrize("damage", [endless, enormous])
def test_a_hostile_home_costs_no_command_much_memory(
    own_home: Path, place: int, name: str, damage: Damage
) -> None:
    """Each command meets each file in one of the two ways, and each way at half of the files."""
    for each in (*BY_THE_WAY, name):
        (own_home / each).parent.mkdir(exist_ok=True)
        (own_home / each).touch()
        damage(own_home / each)
    commands = (*COMMANDS, OF_THE_SAMPLE)[(place + (damage is endless)) % 2 :: 2]
    with in_time(len(commands) * SECONDS):
        for words, (code, memory) in zip(commands, measured(commands, "--home", own_home), strict=True):
            assert code in (0, 1, 2, 65, 66, 74), words
            assert memory < MEMORY, words
