import json
from pathlib import Path

import pytest
from command import rejection
from factories import filled_store
from quick_training import train_quickly

from forecaster.cli.main import run
from forecaster.prices.store import PriceStore

Capture = pytest.CaptureFixture[str]


def test_the_members_stand_in_columns_after_count_and_age(capsys: Capture) -> None:
    assert run(["data", "universe"]) == 0
    out, err = capsys.readouterr()
    assert err == ""
    first, second = out.splitlines()[:2]
    assert first.startswith("sp500 on 2026-11-21: 503 members; the last change known is of 2026-10-06, 46")
    assert second.startswith("days ago")
    assert max(map(len, out.splitlines())) <= 80
    assert len(out.partition("\n\n")[2].split()) == 503


def test_the_members_of_a_past_day_as_json(capsys: Capture) -> None:
    assert run(["data", "universe", "--as-of", "2000-07-03", "--json"]) == 0
    document = json.loads(capsys.readouterr().out)
    assert document["schema"] == "forecast.data-universe/2"
    assert (document["as_of"], document["known_to"]) == ("2000-07-03", "2026-10-06")
    assert document["count"] == len(document["members"]) == 414
    assert "thin before 2012" in document["notes"][1]


def test_fetching_a_universe_takes_its_members_of_that_day_from_a_file(
    tmp_path: Path, capsys: Capture
) -> None:
    Path("a.csv").write_text(
        "ticker,date,close\nTSLA,2024-07-01,1\nBRK.B,2024-07-01,2\nTWTR,2022-07-01,3\nZZZZ,2024-07-01,4\n"
    )
    assert run(["fetch", "--source", "a.csv", "--universe", "sp500"]) == 66
    err = capsys.readouterr().err
    assert err.startswith("sp500 on 2026-11-21: 503 members")
    assert "501 of 503 tickers failed (not found 501): A, AAPL, ABBV, ABNB, ABT and 496 more" in err
    assert PriceStore(tmp_path).tickers() == ["BRK-B", "TSLA"]
    assert run(["fetch", "--source", "a.csv", "--universe", "sp500", "--as-of", "2011-01-03"]) == 66
    assert "warning: the list is thin before 2012" in capsys.readouterr().err
    run(["fetch", "--source", "a.csv", "--universe", "sp500", "--as-of", "2022-06-30"])
    assert PriceStore(tmp_path).tickers() == ["BRK-B", "TSLA", "TWTR"]


def test_as_of_needs_a_universe(capsys: Capture) -> None:
    code, line = rejection(capsys, "fetch", "AAPL", "--source", "sample", "--as-of", "2020-01-02")
    assert (code, "--as-of goes with --universe" in line) == (2, True)


def test_a_day_without_members_fetches_nothing(capsys: Capture) -> None:
    arguments = ("--universe", "sp500", "--as-of", "1900-01-02")
    code, line = rejection(capsys, "fetch", "--source", "sample", *arguments)
    assert (code, "sp500 had no member on 1900-01-02" in line) == (66, True)


SMALL = ("--lookback", "12", "--horizon", "2", "--units", "4", "--epochs", "1", "--device", "cpu")
MINE = "symbol,first,last\nAAA,,\nBBB,2015-02-02,\nCCC,,2014-01-02\nGONE,,\n"


@pytest.fixture
def three_walks(tmp_path: Path) -> Path:
    """AAA and BBB of 2015 are members, BBB from February; CCC has left; GONE has no prices."""
    filled_store(tmp_path)
    (tmp_path / "mine.csv").write_text(MINE)
    return tmp_path


@pytest.mark.usefixtures("three_walks")
def test_a_network_learns_from_members_while_they_are_members(
    capsys: Capture, monkeypatch: pytest.MonkeyPatch
) -> None:
    """How many rows count; that they alone are trained on is tested beside `dataset.membership`."""
    train_quickly(monkeypatch)
    assert run(["train", "--universe", "mine.csv", *SMALL]) == 0
    text = " ".join(capsys.readouterr().out.split())
    assert "mine (changes known to 2015-02-02): members between 2015-01-02 and 2016-03-11: 3;" in text
    assert "in the store: 2; missing: 1, so the results lean towards those that are there." in text
    # Of 300 days 225 are for training, less the two steps; BBB's 20 sessions of January do not count.
    assert "days of membership; rows that count: 426 train, 56 validation, 88 test; left out: 20." in text
    assert run(["train", "--universe", "mine.csv", "--all-days", "--json", *SMALL]) == 0
    card = json.loads(capsys.readouterr().out)
    assert card["tickers"] == ["AAA", "BBB"]
    assert card["universe"]["missing"] == ["GONE"]
    assert card["universe"]["targets"] == "all days"
    assert card["universe"]["rows"]["train"] == {"counted": 446, "left_out": 0}


def test_cells_are_compared_on_members_only(
    three_walks: Path, capsys: Capture, monkeypatch: pytest.MonkeyPatch
) -> None:
    """BBB joins within the test part; the task that trains is told so."""
    train_quickly(monkeypatch)
    monkeypatch.setattr("forecaster.processes.run_isolated", lambda work, task, report: work(task, report))
    dates = PriceStore(three_walks).read("AAA").dates
    (three_walks / "mine.csv").write_text(f"symbol,first\nAAA,\nBBB,{dates[-10]}\n")
    assert run(["compare", "--universe", "mine.csv", "--cells", "gru", "--json", *SMALL]) == 0
    document = json.loads(capsys.readouterr().out)
    assert document["universe"]["rows"]["test"] == {"counted": 44 + 9, "left_out": 35}
    assert {row["scores"]["1"]["forecasts"] for row in document["models"]} == {44 + 9}


@pytest.mark.parametrize(
    ("arguments", "complaint"),
    [
        pytest.param(["AAA", "--universe", "sp500"], "exclude each other", id="tickers and universe"),
        pytest.param(["--all-days"], "all days can be chosen for a universe only", id="all days of what?"),
    ],
)
@pytest.mark.usefixtures("three_walks")
def test_flags_that_do_not_go_together(capsys: Capture, arguments: list[str], complaint: str) -> None:
    code, line = rejection(capsys, "train", *arguments)
    assert (code, complaint in line) == (2, True)
