"""The market, brought up to date by what has changed, is that of a fresh start to the last bit."""

import os
import shutil
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from factories import WRITTEN, filled_store, random_walk_table
from hypothesis import given, settings
from hypothesis import strategies as st

from forecaster.prices import market_sums
from forecaster.prices.market import MarketSeries, mean_log_return, read_market, refresh_markets
from forecaster.prices.market_sums import BLOCKS, DaySums, block_of, read_blocks
from forecaster.prices.store import PriceStore
from forecaster.prices.table import PriceTable

NAMES = [f"T{number}" for number in range(12)] + ["L.L", "K.L", "^IDX"]
COMPOSITION = ("T1", "T2", "T3", "T5", "L.L", "GONE")


def table_of(name: str, seed: int, days: int = 60) -> PriceTable:
    """A random walk; the later seeds end earlier, begin later or move in ways that cannot be right."""
    table = random_walk_table(name, days, seed).take(slice(seed % 7, days - seed % 5))
    if seed % 6 == 5:
        table.columns["adj_close"][20] *= 100
    return replace(table, calendar="XLON") if name.endswith(".L") else table


def bits(found: MarketSeries) -> list[object]:
    arrays = (found.dates.astype("i8"), found.mean, found.tickers, found.listed, found.log_return)
    return [
        found.members,
        found.odd,
        found.composition,
        found.calendars,
        *(each.tobytes() for each in arrays),
    ]


def afresh(store: PriceStore, folder: Path, composition: tuple[str, ...] = ()) -> MarketSeries:
    """The market of a copy of the prices beside which nothing is kept."""
    copy = PriceStore(folder / "afresh")
    shutil.rmtree(copy.home, ignore_errors=True)
    shutil.copytree(store.folder, copy.folder)
    return read_market(copy, composition)


def sums_of(store: PriceStore) -> Path:
    return store.home / "data" / "market_sums.parquet"


Change = tuple[str, str, int]
CHANGES = st.lists(
    st.one_of(
        st.tuples(st.just("write"), st.sampled_from(NAMES), st.integers(0, 20)),
        st.tuples(st.sampled_from(["remove", "damage", "touch"]), st.sampled_from(NAMES), st.just(0)),
        st.tuples(
            st.sampled_from(["cut the sums", "spoil the sums", "lose the series"]),
            st.just(""),
            st.integers(0, 9),
        ),
    ),
    max_size=5,
)


def change(store: PriceStore, what: str, name: str, number: int) -> None:
    path = sums_of(store) if not name else store.path(name)
    match what:
        case "write":
            store.write(table_of(name, number), source="test", fetched_at=WRITTEN)
        case "remove":
            path.unlink(missing_ok=True)
        case "damage" if path.exists():
            path.write_bytes(path.read_bytes()[:-1])
        case "touch" if path.exists():
            os.utime(path, ns=(number, path.stat().st_mtime_ns + 1))
        case "cut the sums" if path.exists():
            path.write_bytes(path.read_bytes()[: -1 - number])
        case "spoil the sums" if path.exists():
            content = bytearray(path.read_bytes())
            content[number * (len(content) - 1) // 9] ^= 1 + number
            path.write_bytes(bytes(content))
        case "lose the series":
            (store.home / "data" / "market.parquet").unlink(missing_ok=True)


@settings(deadline=None, max_examples=12)
@given(steps=st.lists(CHANGES, min_size=1, max_size=4))
def test_whatever_changes_the_market_is_that_of_a_fresh_start(
    steps: list[list[Change]], tmp_path_factory: pytest.TempPathFactory
) -> None:
    folder = tmp_path_factory.mktemp("market")
    store = filled_store(folder / "home", *(table_of(name, seed) for seed, name in enumerate(NAMES[:8])))
    for changes in steps:
        for each in changes:
            change(store, *each)
        refresh_markets(store)
        for composition in ((), COMPOSITION):
            assert bits(read_market(store, composition)) == bits(afresh(store, folder, composition))


def test_it_is_that_of_the_tables_themselves_also_where_one_is_damaged(tmp_path: Path) -> None:
    tables = [table_of(name, seed) for seed, name in enumerate(sorted(NAMES[:-1]))]
    store = filled_store(tmp_path, *tables)
    assert bits(read_market(store)) == bits(mean_log_return(tables))
    store.path(tables[4].ticker).write_bytes(b"rubbish")
    sound = [*tables[:4], *tables[5:]]
    assert bits(read_market(store)) == bits(mean_log_return(sound))
    assert bits(read_market(store, COMPOSITION)) == bits(mean_log_return(sound, COMPOSITION))


@pytest.fixture
def many(tmp_path: Path) -> PriceStore:
    return filled_store(tmp_path, *(random_walk_table(f"T{number}", 40, number) for number in range(150)))


@pytest.fixture
def read(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """The tickers that are read from now on."""
    names: list[str] = []
    reader = PriceStore.read
    monkeypatch.setattr(PriceStore, "read", lambda *given: names.append(given[1]) or reader(*given))
    return names


def test_of_a_ticker_that_changes_its_block_alone_is_read(many: PriceStore, read: list[str]) -> None:
    read_market(many)
    assert len(read) == 150
    read.clear()
    many.write(random_walk_table("T7", 40, 200), source="test", fetched_at=WRITTEN)
    read_market(many)
    beside = [f"T{number}" for number in range(150) if block_of(f"T{number}") == block_of("T7")]
    assert sorted(read) == sorted(beside)
    assert len(beside) < 10


def test_a_composition_shares_the_blocks_that_it_has_whole(many: PriceStore, read: list[str]) -> None:
    read_market(many)
    read.clear()
    read_market(many, [name for name in many.tickers() if name != "T7"])
    assert {block_of(name) for name in read} == {block_of("T7")}
    assert "T7" not in read


def test_kept_blocks_of_other_compositions_stay_while_their_prices_do(
    many: PriceStore, read: list[str]
) -> None:
    read_market(many, many.tickers()[:70])
    many.write(random_walk_table("NEW", 40, 200), source="test", fetched_at=WRITTEN)
    read_market(many)
    for path in (many.home / "data").glob("market-*.parquet"):
        path.unlink()
    read.clear()
    read_market(many, many.tickers()[1:71])
    assert len(read) < 20  # those of blocks with a neighbour that is no longer, or newly, in it


def test_blocks_that_are_too_many_are_not_kept(many: PriceStore, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(market_sums, "_MOST_ROWS", 200)
    expected = bits(read_market(many))
    assert 0 < len(read_blocks(sums_of(many))) < BLOCKS
    (many.home / "data" / "market.parquet").unlink()
    assert bits(read_market(many)) == expected


@pytest.mark.parametrize(
    "spoil",
    [
        pytest.param(lambda path: path.write_bytes(b"rubbish"), id="rubbish"),
        pytest.param(lambda path: path.write_bytes(b""), id="empty"),
        pytest.param(lambda path: (path.unlink(), path.mkdir()), id="a folder"),
        pytest.param(lambda path: (path.unlink(), os.mkfifo(path)), id="a pipe"),
        pytest.param(lambda path: path.chmod(0), id="barred"),
    ],
)
def test_a_damaged_file_counts_as_absent(many: PriceStore, spoil: Callable[[Path], object]) -> None:
    expected = bits(read_market(many))
    spoil(sums_of(many))
    (many.home / "data" / "market.parquet").unlink()
    assert bits(read_market(many)) == expected


def test_a_bit_that_flips_anywhere_in_the_file_is_noticed(tmp_path: Path) -> None:
    """Sums that are kept for years would carry it on; a flip in what nobody reads changes nothing."""
    store = filled_store(tmp_path, *(table_of(name, seed) for seed, name in enumerate(NAMES[:4])))
    expected = bits(read_market(store))
    content = sums_of(store).read_bytes()
    for place in range(0, len(content), 29):
        flipped = bytearray(content)
        flipped[place] ^= 1 << place % 8
        sums_of(store).write_bytes(bytes(flipped))
        (tmp_path / "data" / "market.parquet").unlink()
        assert bits(read_market(store)) == expected, place


def test_a_process_that_is_ended_half_way_leaves_the_old_sums(
    many: PriceStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    read_market(many)
    before = sums_of(many).read_bytes()
    many.write(random_walk_table("T7", 40, 200), source="test", fetched_at=WRITTEN)
    with monkeypatch.context() as patch:
        patch.setattr(Path, "replace", lambda *_: (_ for _ in ()).throw(KeyboardInterrupt))
        with pytest.raises(KeyboardInterrupt):
            read_market(many)
    assert sums_of(many).read_bytes() == before
    assert bits(read_market(many)) == bits(afresh(many, many.home))


def test_what_another_process_writes_meanwhile_is_found_the_next_time(many: PriceStore) -> None:
    """The files are looked at before they are read: newer prices stand under an older fingerprint then."""
    changed = random_walk_table("T7", 40, 200)
    files = many.look()
    many.write(changed, source="test", fetched_at=WRITTEN)
    read_market(PriceStore(many.home, files=files))
    many.write(replace(changed, currency="EUR"), source="test", fetched_at=WRITTEN)
    assert bits(read_market(many)) == bits(afresh(many, many.home))


def test_sums_by_hand() -> None:
    sums = DaySums()
    sums.add(np.array([1000, 1001]), np.array([0.5, 0.25]))
    sums.add(np.array([998, 1001]), np.array([1.0, 2.0]))
    day = {998: (1.0, 1, 1), 999: (0.0, 0, 0), 1000: (0.5, 1, 1), 1001: (2.25, 2, 0), 1367: (0.0, 0, -2)}
    for number, expected in day.items():
        place = number - sums.first
        assert (sums.returns[place], sums.counts[place], sums.joining[place]) == expected
    sums.add(np.empty(0, np.int64), np.empty(0))
    assert sums.counts.sum() == 4
