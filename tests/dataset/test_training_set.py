from pathlib import Path

import numpy as np
import pytest
from factories import filled_store, random_walk_table

from forecaster.dataset.panel import PANEL_COLUMNS
from forecaster.dataset.training_set import choose, load_training_set, read_inputs, split_by
from forecaster.errors import BadInputError, NotFoundError
from forecaster.prices.market import mean_log_return, read_market
from forecaster.prices.store import PriceStore
from forecaster.prices.table import PriceTable
from forecaster.prices.universe import Universe, find_universe
from forecaster.settings import Recipe

RECIPE = Recipe(lookback=10, horizon=2)


@pytest.fixture
def store(tmp_path: Path) -> PriceStore:
    tables = [random_walk_table(name, 300, seed) for seed, name in enumerate(("AAA", "BBB", "CCC", "^IDX"))]
    return filled_store(tmp_path, *tables)


def list_of(folder: Path, text: str) -> Universe:
    path = folder / "list.csv"
    path.write_text(text)
    return find_universe(str(path), folder)


@pytest.mark.parametrize(
    ("wanted", "tickers", "whole"),
    [
        (None, ("AAA", "BBB", "CCC"), True),
        ([], ("AAA", "BBB", "CCC"), True),
        (["ccc", "AAA"], ("CCC", "AAA"), False),
    ],
)
def test_all_stocks_are_chosen_unless_some_are_named(
    store: PriceStore, wanted: list[str] | None, tickers: tuple[str, ...], whole: bool
) -> None:
    chosen = choose(store, wanted)
    assert (chosen.tickers, chosen.selection, chosen.whole_store) == (tickers, None, whole)


def test_a_ticker_that_is_not_stored_is_an_error(store: PriceStore) -> None:
    with pytest.raises(NotFoundError, match="ZZZ"):
        choose(store, ["AAA", "ZZZ"])


def test_a_universe_restricts_targets_to_days_of_membership(store: PriceStore, tmp_path: Path) -> None:
    dates = store.read("AAA").dates
    listed = list_of(tmp_path, f"symbol,first,last\nAAA,,\nBBB,{dates[200]},\n")
    data = load_training_set(store, choose(store, universe=listed), split_by(RECIPE))
    assert data.panel.tickers == ("AAA", "BBB")
    assert not data.whole_store
    assert data.universe is not None
    assert data.universe["tickers"] == 2
    mask = data.panel.target_mask
    assert mask is not None
    assert mask[0].all()
    assert mask[1].sum() == len(dates) - 200
    everywhere = load_training_set(store, choose(store, universe=listed, all_days=True), split_by(RECIPE))
    assert everywhere.panel.target_mask is None


def test_no_more_columns_are_read_than_a_panel_has(
    store: PriceStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    whole = read_inputs(store, choose(store))
    assert all(table.known("open") for table in whole.tables)
    read: set[tuple[str, ...]] = set()
    reader = PriceStore.read

    def watched(store: PriceStore, ticker: str, columns: tuple[str, ...]) -> PriceTable:
        read.add(columns)
        return reader(store, ticker, columns)

    monkeypatch.setattr(PriceStore, "read", watched)
    market = read_market(store)
    read.clear()
    data = load_training_set(store, choose(store), split_by(RECIPE), market)
    assert read == {PANEL_COLUMNS}
    assert data.panel.digest() == whole.panel().digest()


def damage(store: PriceStore, ticker: str, *, footer: bool) -> None:
    """Spoil the end of a ticker's file, which says what is in it, or only its prices."""
    content = bytearray(store.path(ticker).read_bytes())
    place = slice(-20, None) if footer else slice(200, 260)
    content[place] = bytes(len(content[place]))
    store.path(ticker).write_bytes(content)


@pytest.mark.parametrize("footer", [True, False], ids=["footer", "prices"])
@pytest.mark.parametrize("by_universe", [True, False], ids=["universe", "whole store"])
def test_a_damaged_file_costs_only_its_own_ticker(
    store: PriceStore, tmp_path: Path, by_universe: bool, footer: bool
) -> None:
    listed = list_of(tmp_path, "symbol\nAAA\nBBB\nCCC\n") if by_universe else None
    damage(store, "BBB", footer=footer)
    data = load_training_set(store, choose(store, universe=listed), split_by(RECIPE))
    assert data.panel.tickers == ("AAA", "CCC")
    assert data.damaged == ("BBB",)
    if data.universe is not None:
        assert (data.universe["tickers"], data.universe["missing"]) == (2, ["BBB"])
    with pytest.raises(BadInputError, match="BBB"):
        load_training_set(store, choose(store, ["AAA", "BBB"]), split_by(RECIPE))
    for ticker in ("AAA", "CCC"):
        damage(store, ticker, footer=footer)
    with pytest.raises(BadInputError, match="damaged"):
        load_training_set(store, choose(store, universe=listed), split_by(RECIPE))


def test_the_recipe_splits_the_days(store: PriceStore) -> None:
    dates = store.read("AAA").dates
    recipe = Recipe(lookback=10, horizon=2, train_end=str(dates[150]), validation_end=str(dates[220]))
    split = load_training_set(store, choose(store), split_by(recipe)).split
    assert (split.train, split.validation, split.test) == (range(149), range(151, 219), range(221, 299))


def test_the_market_is_the_store_s_unless_one_is_given(store: PriceStore) -> None:
    chosen = choose(store, ["AAA"])
    panel = load_training_set(store, chosen, split_by(RECIPE)).panel
    assert panel.market_members == ("AAA", "BBB", "CCC")
    alone = mean_log_return([store.read("AAA")])
    given = load_training_set(store, chosen, split_by(RECIPE), alone).panel
    assert given.market_members == ("AAA",)
    np.testing.assert_allclose(given.market_return[1:], given.log_return[0, 1:], rtol=1e-6)
    assert not np.allclose(panel.market_return[1:], given.market_return[1:])
