"""Fingerprints of prices: what later rescaling leaves alone, and what a restated day moves."""

from dataclasses import replace
from datetime import date

import numpy as np
import pytest
from factories import panel_of, random_walk_table

from forecaster.dataset.fingerprint import price_fingerprints, restated_parts
from forecaster.prices.table import PriceTable

DAYS = 300
TABLE = random_walk_table("AAA", DAYS, seed=1)
MASK = 2**64 - 1


def changed(column: str, rows: slice | int, factor: float, table: PriceTable = TABLE) -> PriceTable:
    columns = {name: np.array(values) for name, values in table.columns.items()}
    columns[column][rows] *= factor
    return replace(table, columns=columns)


def parts(now: PriceTable, then: PriceTable = TABLE) -> list[str]:
    old, new = (price_fingerprints(panel_of(table))["AAA"] for table in (then, now))
    return restated_parts(old, new)


def weight(day: date, number: int) -> float:
    """SplitMix64 in whole numbers."""
    mixed = ((day - date(1970, 1, 1)).days * 2 + number) * 0x9E3779B97F4A7C15 & MASK
    mixed = (mixed ^ (mixed >> 30)) * 0xBF58476D1CE4E5B9 & MASK
    mixed = (mixed ^ (mixed >> 27)) * 0x94D049BB133111EB & MASK
    return (mixed ^ (mixed >> 31)) / 2**63 - 1


def test_a_fingerprint_by_hand() -> None:
    panel = panel_of(TABLE)
    found = price_fingerprints(panel)["AAA"]
    assert (found["first"], found["bars"]) == (str(TABLE.dates[0]), DAYS - 1)
    days = [day.astype(object) for day in TABLE.dates]
    close, volume = TABLE.columns["adj_close"], np.log1p(TABLE.columns["volume"])
    for number in (1, 2):
        weights = np.array([weight(day, number) for day in days])
        assert found["returns"][number - 1] == pytest.approx(weights[1:] @ np.diff(np.log(close)), abs=1e-6)
        ranges = np.log(TABLE.columns["high"] / TABLE.columns["low"])
        assert found["ranges"][number - 1] == pytest.approx(weights @ ranges, abs=1e-6)
        assert found["volumes"][number - 1] == pytest.approx(weights @ (volume - volume.mean()), abs=1e-4)


def test_a_column_that_nobody_has_is_none() -> None:
    table = random_walk_table("AAA", DAYS, seed=1, closes_only=True)
    found = price_fingerprints(panel_of(table))["AAA"]
    assert found["ranges"] is found["volumes"] is None
    assert parts(TABLE, table) == []


@pytest.mark.parametrize("digits", [6, 15])
def test_a_later_dividend_and_split_are_no_restatement(digits: int) -> None:
    """Both rescale what was before them; a source rounds what it sends to some digits."""
    split = changed("volume", slice(None), 4.0)
    for name in ("open", "high", "low", "close", "adj_close"):
        split = changed(name, slice(None), 0.25 * (0.9871 if name == "adj_close" else 1), split)
    rounded = {
        name: np.array([float(f"{value:.{digits}e}") for value in values])
        for name, values in split.columns.items()
    }
    assert parts(replace(split, columns=rounded)) == []


@pytest.mark.parametrize(
    ("column", "factor", "expected", "share"),
    [
        pytest.param("adj_close", 1.001, "returns", 0.98, id="a price by 0.1 %"),
        pytest.param("adj_close", 1.02, "returns", 1.0, id="a price by 2 %"),
        pytest.param("high", 1.001, "ranges", 0.98, id="a high by 0.1 %"),
        pytest.param("volume", 1.1, "volumes", 0.98, id="a volume by 10 %"),
    ],
)
def test_one_restated_day_is_found(column: str, factor: float, expected: str, share: float) -> None:
    found = [parts(changed(column, row, factor)) for row in range(DAYS)]
    assert all(each in ([], [expected]) for each in found)
    assert np.mean([each == [expected] for each in found]) >= share


def test_a_bar_that_is_gone_is_found() -> None:
    assert "bars" in parts(TABLE.take(np.delete(np.arange(DAYS), 100)))


def test_a_day_weighs_the_same_in_every_panel() -> None:
    other = random_walk_table("BBB", 2 * DAYS, seed=2, after="2013-12-31")
    assert price_fingerprints(panel_of(TABLE, other))["AAA"] == price_fingerprints(panel_of(TABLE))["AAA"]
