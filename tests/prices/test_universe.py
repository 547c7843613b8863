"""Who is in the S&P 500 when: changes that anybody can look up, and lists of one's own."""

import csv
from datetime import date
from importlib import resources
from pathlib import Path

import pytest

from forecaster.errors import UsageError
from forecaster.prices.sample import SAMPLE_TICKERS
from forecaster.prices.universe import Universe, day_asked, find_universe

TODAY = date(2026, 11, 21)


@pytest.fixture(scope="module")
def sp500() -> Universe:
    return find_universe("sp500", Path("nowhere"))


@pytest.mark.parametrize(
    ("symbol", "day", "member"),
    [
        pytest.param("TSLA", "2020-12-20", False, id="before Tesla joined"),
        pytest.param("TSLA", "2020-12-21", True, id="Tesla's first day"),
        pytest.param("META", "2013-12-20", False, id="before Facebook joined"),
        pytest.param("META", "2013-12-23", True, id="Facebook's first day, under its later symbol"),
        pytest.param("TWTR", "2022-10-31", True, id="Twitter's last day"),
        pytest.param("TWTR", "2022-11-01", False, id="after Twitter was bought"),
        pytest.param("SIVB", "2023-03-14", True, id="Silicon Valley Bank's last day"),
        pytest.param("SIVB", "2023-03-15", False, id="after Silicon Valley Bank failed"),
        pytest.param("AMD", "2015-06-01", False, id="AMD between its two spans"),
        pytest.param("AMD", "2017-03-20", True, id="AMD back"),
        pytest.param("BRK-B", "2010-02-16", True, id="a dot became a hyphen"),
    ],
)
def test_well_known_changes(sp500: Universe, symbol: str, day: str, member: bool) -> None:
    assert (symbol in sp500.members(date.fromisoformat(day))) is member


def test_from_2012_on_there_are_about_five_hundred(sp500: Universe) -> None:
    for year in range(2012, 2027):
        assert 494 <= len(sp500.members(date(year, 7, 1))) <= 506
    assert len(sp500.members(TODAY)) == 503
    assert sp500.known_to == date(2026, 10, 6)


def test_every_row_of_the_file_is_taken_and_sorted(sp500: Universe) -> None:
    text = (resources.files("forecaster.prices") / "resources" / "sp500.csv").read_text(encoding="utf-8")
    rows = list(csv.DictReader(text.splitlines()))
    read = [
        (symbol, str(span.first), str(span.last or ""))
        for symbol, spans in sp500.spans.items()
        for span in spans
    ]
    order = [(row["symbol"], row["name"], row["first"]) for row in rows]
    assert order == sorted(order)
    assert sorted(read) == sorted((row["symbol"], row["first"], row["last"]) for row in rows)
    assert len(rows) == 886
    assert all(row["name"] for row in rows)


def test_its_age_is_told_and_thin_years_are_a_warning(sp500: Universe) -> None:
    (line,) = sp500.describe(TODAY, TODAY)
    assert line == (
        "sp500 on 2026-11-21: 503 members; the last change known is of 2026-10-06, 46 days ago; "
        "later ones are not in it"
    )
    known, warning = sp500.describe(date(2000, 7, 3), TODAY)
    assert known.startswith("sp500 on 2000-07-03: 414 members")
    assert warning.startswith("warning: the list is thin before 2012")


def test_a_list_of_ones_own_is_called_by_its_name_or_its_path(tmp_path: Path) -> None:
    folder = tmp_path / "data" / "universe"
    folder.mkdir(parents=True)
    (folder / "mine.csv").write_text("symbol,first,last\nBB,2015-01-02,\nAA,,2016-01-04\n")
    named, placed = find_universe("mine", tmp_path), find_universe(str(folder / "mine.csv"), Path("nowhere"))
    assert (named.name, named.spans) == (placed.name, placed.spans)
    assert named.members(date(2015, 1, 1)) == ["AA"]
    assert named.members(date(2016, 1, 4)) == ["AA", "BB"]
    assert named.members_between(date(2016, 1, 5), TODAY) == ["BB"]
    assert named.complete_from is None


def test_a_newer_list_in_the_home_folder_comes_first(tmp_path: Path) -> None:
    folder = tmp_path / "data" / "universe"
    folder.mkdir(parents=True)
    (folder / "sp500.csv").write_text("symbol,first\nAA,2026-11-02\n")
    found = find_universe("sp500", tmp_path)
    assert found.members(TODAY) == ["AA"]
    assert found.known_to == date(2026, 11, 2)
    assert found.complete_from == date(2012, 1, 1)


def test_the_day_asked_for(sp500: Universe) -> None:
    assert day_asked(sp500, None, TODAY) == TODAY
    assert day_asked(sp500, "2015-06-30", TODAY) == date(2015, 6, 30)
    with pytest.raises(UsageError, match="is not a date"):
        day_asked(sp500, "30.6.2015", TODAY)
    with pytest.raises(UsageError, match="in the future"):
        day_asked(sp500, "2026-11-22", TODAY)


def test_the_sample_has_no_dates() -> None:
    sample = find_universe("sample", Path("nowhere"))
    assert sample.members(TODAY) == sorted(SAMPLE_TICKERS)
    with pytest.raises(UsageError, match="has no dates"):
        day_asked(sample, "2015-06-30", TODAY)


def test_a_digest_tells_lists_apart_whatever_their_order(tmp_path: Path) -> None:
    texts = {
        "one": "symbol,first,last\nAAA,2012-01-03,\nBBB,,2015-06-30\n",
        "turned": "symbol,first,last\nBBB,,2015-06-30\nAAA,2012-01-03,\n",
        "other": "symbol,first,last\nAAA,2012-01-04,\nBBB,,2015-06-30\n",
    }
    digests = {}
    for name, text in texts.items():
        path = tmp_path / f"{name}.csv"
        path.write_text(text)
        digests[name] = find_universe(str(path), tmp_path).digest
    assert digests["one"] == digests["turned"] != digests["other"]
