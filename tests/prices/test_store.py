import json
from collections.abc import Mapping
from datetime import UTC, datetime
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from factories import WRITTEN, filled_store, random_walk_table
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from forecaster.errors import BadInputError, DiskError, NotFoundError, UsageError
from forecaster.prices.store import METADATA_KEY, MOST_DAYS, PriceStore, content_digest
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
    changed, fault = store.verify("AAA", NOW)
    assert changed == "not as it was written: close"
    assert fault == f"{random_walk_table('AAA').dates[7]}: close is not positive"


def rewritten(path: Path, changes: Mapping[str, object], about: Mapping[str, object] | None = None) -> None:
    """Write a price file anew with other columns, and what it says of itself as it was, or changed."""
    table = pq.read_table(path)
    metadata = dict(table.schema.metadata)
    for name, values in changes.items():
        table = table.set_column(table.column_names.index(name), name, [values])
    if about is not None:
        metadata[METADATA_KEY] = json.dumps({**json.loads(metadata[METADATA_KEY]), **about}).encode()
    pq.write_table(table.replace_schema_metadata(metadata), path)


@pytest.mark.parametrize("column", ["date", *COLUMNS])
def test_one_changed_value_of_any_column_is_noticed_where_it_is_read(tmp_path: Path, column: str) -> None:
    store = filled_store(tmp_path)
    values = pq.read_table(store.path("AAA"))[column].to_numpy().copy()
    values[-1] = np.datetime64("2031-01-01") if column == "date" else 1.5 * values[-1]
    if column in ("dividend", "split"):
        values[-1] = 0.5
    rewritten(store.path("AAA"), {column: pa.array(values, pa.date32() if column == "date" else None)})
    for columns in (COLUMNS, (column,) if column in COLUMNS else ("close",)):
        (found,) = store.read_each(["AAA"], columns)
        assert isinstance(found, BadInputError)
        assert "written" in found.message
        assert "data verify --repair" in found.remedy
    (found,) = store.read_each(["AAA"], [name for name in COLUMNS if name != column])
    assert isinstance(found, PriceTable) == (column != "date")


def test_what_a_file_says_of_itself_is_held_against_its_checksum(tmp_path: Path) -> None:
    store = filled_store(tmp_path)
    rewritten(store.path("AAA"), {}, {"calendar": "XLON"})
    with pytest.raises(BadInputError, match="says of itself"):
        store.info("AAA")


def test_a_file_of_an_earlier_release_is_held_against_its_digest(tmp_path: Path) -> None:
    """It has no checksums, so that all of its columns are read."""
    store = filled_store(tmp_path)
    path = store.path("AAA")
    table = pq.read_table(path)
    about = json.loads(table.schema.metadata[METADATA_KEY])
    del about["checksums"]
    pq.write_table(table.replace_schema_metadata({METADATA_KEY: json.dumps(about)}), path)
    assert next(store.read_each(["AAA"], ("close",))).ticker == "AAA"
    assert not store.verify("AAA", NOW)
    rewritten(path, {"volume": table["volume"].to_numpy() + 1})
    with pytest.raises(BadInputError, match="its prices are not those"):
        store.read("AAA")


@pytest.mark.parametrize("rows", [0, MOST_DAYS + 1])
def test_an_impossible_number_of_rows_is_not_read(tmp_path: Path, rows: int) -> None:
    store = filled_store(tmp_path)
    path = store.path("AAA")
    table = pq.read_table(path)
    pq.write_table(pa.Table.from_batches(table.to_batches()).take(np.zeros(rows, int)), path)
    with pytest.raises(BadInputError, match=f"it has {rows:,} rows"):
        store.read("AAA")


def test_a_disk_that_rejects_is_one_error(tmp_path: Path) -> None:
    (tmp_path / "data").write_text("a file where a folder should be")
    with pytest.raises(DiskError, match="cannot write"):
        PriceStore(tmp_path).write(random_walk_table(), source="test", fetched_at=WRITTEN)
