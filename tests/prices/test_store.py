import json
from datetime import UTC, datetime
from pathlib import Path

import numpy as np
import pyarrow.parquet as pq
import pytest
from factories import WRITTEN, filled_store, random_walk_table
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from forecaster.errors import BadInputError, DiskError, NotFoundError, UsageError
from forecaster.prices.store import METADATA_KEY, PriceStore, content_digest
from forecaster.prices.table import COLUMNS, PriceTable

NOW = datetime(2026, 11, 21, tzinfo=UTC)
numbers = st.lists(st.floats(allow_nan=True), min_size=5, max_size=5)


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=30)
@given(st.tuples(*[numbers] * len(COLUMNS)))
def test_what_is_written_is_read_back_bit_for_bit(tmp_path: Path, values: tuple[list[float], ...]) -> None:
    columns = {name: np.array(column) for name, column in zip(COLUMNS, values, strict=True)}
    table = PriceTable("AAA", random_walk_table(days=5).dates, columns)
    store = filled_store(tmp_path, table)
    again = store.read("aaa")
    np.testing.assert_array_equal(again.dates, table.dates)
    for name in COLUMNS:
        assert again.columns[name].tobytes() == columns[name].tobytes()
    assert content_digest(again) == store.info("AAA").digest


def test_info_tells_source_and_span(tmp_path: Path) -> None:
    table = random_walk_table("^IDX", days=20)
    info = filled_store(tmp_path, table).info("^idx")
    assert (info.ticker, info.source, info.fetched_at) == ("^IDX", "test", "2026-11-21T00:00:00+00:00")
    assert (info.rows, info.first, info.last) == (20, table.dates[0], table.dates[-1])


def test_tickers_are_those_with_a_file(tmp_path: Path) -> None:
    store = filled_store(tmp_path)
    (store.folder / ".tmp-x.parquet").touch()
    (store.folder / "notes.txt").touch()
    (store.folder / "not a ticker.parquet").touch()
    assert store.tickers() == ["AAA", "BBB", "CCC"]
    assert PriceStore(tmp_path / "nowhere").tickers() == []


def test_read_many_keeps_the_order(tmp_path: Path) -> None:
    names = [f"T{number}" for number in range(100)]
    store = filled_store(tmp_path, *(random_walk_table(name, days=3) for name in names))
    assert [table.ticker for table in store.read_many(names[::-1])] == names[::-1]


def test_a_missing_ticker_is_named_with_its_neighbours(tmp_path: Path) -> None:
    store = filled_store(tmp_path, random_walk_table("AAPL"), random_walk_table("MSFT"))
    with pytest.raises(NotFoundError, match="did you mean AAPL"):
        store.read("APPL")
    with pytest.raises(NotFoundError, match="is empty; run `forecast fetch --source sample`"):
        PriceStore(tmp_path / "new").read("AAPL")
    with pytest.raises(UsageError, match="not a ticker"):
        store.read("../AAPL")


def truncate(path: Path) -> None:
    path.write_bytes(path.read_bytes()[:-100])


def empty(path: Path) -> None:
    path.write_bytes(b"")


def scramble(path: Path) -> None:
    content = bytearray(path.read_bytes())
    content[4:400] = bytes(396)
    path.write_bytes(bytes(content))


def strip(path: Path) -> None:
    pq.write_table(pq.read_table(path).replace_schema_metadata(None), path)


def drop_column(path: Path) -> None:
    pq.write_table(pq.read_table(path).drop_columns("close"), path)


@pytest.mark.parametrize("damage", [truncate, empty, scramble, strip, drop_column])
def test_a_damaged_file_is_named(tmp_path: Path, damage: object) -> None:
    store = filled_store(tmp_path)
    damage(store.path("BBB"))
    with pytest.raises(BadInputError, match=r"BBB\.parquet is damaged.*forecast data verify"):
        store.read("BBB")
    assert store.verify("BBB", NOW)
    assert not store.verify("AAA", NOW)


def test_a_file_of_another_format_is_not_touched(tmp_path: Path) -> None:
    store = filled_store(tmp_path)
    table = pq.read_table(store.path("AAA"))
    about = json.loads(table.schema.metadata[METADATA_KEY]) | {"format": 99}
    pq.write_table(table.replace_schema_metadata({METADATA_KEY: json.dumps(about)}), store.path("AAA"))
    with pytest.raises(UsageError, match="has format 99"):
        store.read("AAA")


def test_verify_sees_a_changed_price_and_a_bad_one(tmp_path: Path) -> None:
    store = filled_store(tmp_path)
    table = pq.read_table(store.path("AAA"))
    close = table["close"].to_numpy().copy()
    close[7] = -1.0
    changed = table.set_column(table.column_names.index("close"), "close", [close])
    pq.write_table(changed.replace_schema_metadata(table.schema.metadata), store.path("AAA"))
    digest, fault = store.verify("AAA", NOW)
    assert "digest differs" in digest
    assert fault == f"{store.read('AAA').dates[7]}: close is not positive"


def test_a_disk_that_rejects_is_one_error(tmp_path: Path) -> None:
    (tmp_path / "data").write_text("a file where a folder should be")
    with pytest.raises(DiskError, match="cannot write"):
        PriceStore(tmp_path).write(random_walk_table(), source="test", fetched_at=WRITTEN)
