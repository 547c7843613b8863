from pathlib import Path

import numpy as np
import pytest
from factories import WRITTEN, closes_table, filled_store, random_walk_table

from forecaster.prices import market
from forecaster.prices.market import mean_log_return, read_market


def test_the_mean_by_hand() -> None:
    first = closes_table("A", ["2024-01-02", "2024-01-03", "2024-01-04"], [100, 110, 121])
    second = closes_table("B", ["2024-01-03", "2024-01-04"], [50, 25])
    series = mean_log_return([first, second])
    assert series.dates.astype(str).tolist() == ["2024-01-03", "2024-01-04"]
    assert series.tickers.tolist() == [1, 2]
    np.testing.assert_allclose(series.log_return, [np.log(1.1), (np.log(1.1) + np.log(0.5)) / 2])


def test_a_return_across_a_missing_session_does_not_count_and_a_weekend_is_none() -> None:
    gap = closes_table("A", ["2024-01-04", "2024-01-05", "2024-01-08", "2024-01-10"], [1, 2, 4, 9])
    assert mean_log_return([gap]).dates.astype(str).tolist() == ["2024-01-05", "2024-01-08"]


def test_indices_are_left_out(tmp_path: Path) -> None:
    store = filled_store(tmp_path, random_walk_table("AAA"), random_walk_table("^IDX", seed=1))
    assert read_market(store).tickers.max() == 1


def test_it_is_kept_until_a_price_file_changes(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    store = filled_store(tmp_path)
    before = read_market(store)
    with monkeypatch.context() as patch:
        patch.setattr(market, "mean_log_return", lambda _: pytest.fail("computed again"))
        np.testing.assert_array_equal(read_market(store).log_return, before.log_return)
    store.write(random_walk_table("DDD", seed=9), source="test", fetched_at=WRITTEN)
    assert read_market(store).tickers.max() == 4


def test_a_damaged_or_unwritable_copy_does_no_harm(tmp_path: Path) -> None:
    store = filled_store(tmp_path)
    kept = tmp_path / "data" / "market.parquet"
    kept.write_bytes(b"rubbish")
    expected = read_market(store).log_return
    kept.unlink()
    kept.mkdir()
    np.testing.assert_array_equal(read_market(store).log_return, expected)


def test_an_empty_store_has_no_market_and_stays_empty(tmp_path: Path) -> None:
    assert len(read_market(filled_store(tmp_path / "x", random_walk_table("^IDX"))).dates) == 0
    assert not (tmp_path / "x" / "data" / "market.parquet").exists()


def test_a_damaged_file_is_left_out_and_the_members_say_so(tmp_path: Path) -> None:
    store = filled_store(tmp_path, *(random_walk_table(name, seed=seed) for seed, name in enumerate("ABC")))
    assert read_market(store).members == ("A", "B", "C")
    store.path("B").write_bytes(b"rubbish")
    market = read_market(store)
    assert market.members == ("A", "C")
    expected = mean_log_return([store.read("A"), store.read("C")])
    np.testing.assert_array_equal(market.log_return, expected.log_return)
    assert read_market(store).members == ("A", "C")  # from its own file
