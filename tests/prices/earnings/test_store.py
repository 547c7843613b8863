"""data/earnings.parquet: what is written comes back; a file that is not so written is one error."""

import json
import os
import subprocess
import sys
from collections.abc import Callable
from datetime import date
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from earnings_factory import after, day, said, written

from forecaster.errors import BadInputError, ForecastError, UsageError
from forecaster.prices.earnings.store import METADATA_KEY, EarningsStore, StoredEarnings, _empty_cells

STORED = StoredEarnings(
    after(
        ("2026-01-02", said("yahoo", "AA 2025-10-21 before", "AA 2026-01-20 after scheduled")),
        ("2026-01-09", said("yahoo", "AA 2026-01-22 after scheduled")),
        ("2026-01-09", said("höhere.csv", "^X=Y-1.L 1999-12-31 during")),
    ),
    {"yahoo": {"AA": "2026-01-09"}},
)


@pytest.fixture
def store(tmp_path: Path) -> EarningsStore:
    store = EarningsStore(tmp_path)
    store.write(STORED)
    return store


def test_what_is_written_comes_back(store: EarningsStore) -> None:
    found = store.read()
    assert written(found.table) == written(STORED.table)
    assert found.asked == STORED.asked


def test_reading_loads_nothing_slow(store: EarningsStore, tmp_path: Path) -> None:
    script = f"""
import sys
from pathlib import Path
from forecaster.prices.earnings.store import EarningsStore
found = len(EarningsStore(Path({str(tmp_path)!r})).read().table)
print(found, [name for name in ("pandas", "pyarrow.compute") if name in sys.modules])
"""
    ran = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True)
    assert ran.stdout.strip() == f"{len(store.read().table)} []"
    assert not ran.stdout.startswith("0 ")


@pytest.mark.parametrize("part", [slice(None), slice(3, None), slice(5, 20), slice(14, 14)], ids=str)
def test_empty_cells_are_those_that_arrow_finds(part: slice) -> None:
    some = pa.array([None, date(2020, 1, 1), None] * 7 + [date(2020, 1, 2)] * 9, pa.date32())
    full = pa.array([date(2020, 1, 1)] * 30, pa.date32())
    for whole in (some, full):
        assert _empty_cells(whole[part]).tolist() == whole[part].is_null().to_pylist()


def test_without_a_file_there_is_nothing(tmp_path: Path) -> None:
    assert len(EarningsStore(tmp_path).read().table) == 0
    EarningsStore(tmp_path).write(StoredEarnings())
    assert len(EarningsStore(tmp_path).read().table) == 0


def test_who_was_asked_a_week_ago_or_never_is_due() -> None:
    assert STORED.due("yahoo", ["AA", "BB"], day("2026-01-15"), 7) == ["BB"]
    assert STORED.due("yahoo", ["AA", "BB"], day("2026-01-16"), 7) == ["AA", "BB"]
    assert STORED.due("sec", ["AA"], day("2026-01-09"), 7) == ["AA"]


def rewritten(store: EarningsStore, change: Callable[[pa.Table], pa.Table]) -> None:
    pq.write_table(change(pq.read_table(store.path)), store.path)


def column(name: str, *values: object) -> Callable[[pa.Table], pa.Table]:
    def change(table: pa.Table) -> pa.Table:
        place = table.column_names.index(name)
        return table.slice(0, len(values)).set_column(place, name, pa.array(values))

    return change


def about(**values: object) -> Callable[[pa.Table], pa.Table]:
    content = json.dumps({"format": 1, "asked": {}} | values).encode()
    return lambda table: table.replace_schema_metadata({METADATA_KEY: content})


@pytest.mark.parametrize(
    ("change", "why"),
    [
        pytest.param(column("ticker", "../../etc", "AA"), "is not a ticker", id="a path for a ticker"),
        pytest.param(column("ticker", None, "AA"), "empty cells", id="no ticker"),
        pytest.param(column("when", "soon", "after"), "column when has values", id="unknown when"),
        pytest.param(column("status", "true", "reported"), "column status has values", id="unknown status"),
        pytest.param(column("source", "x" * 300, "a"), "a text of 300 letters", id="a long source"),
        pytest.param(column("date", day("1066-10-14").tolist()), "not possible", id="an early day"),
        pytest.param(column("date", None, day("2020-01-01").tolist()), "empty cells", id="no day"),
        pytest.param(column("announced", "soon", "x"), "of type", id="a text for a day"),
        pytest.param(lambda table: table.drop_columns(["when"]), "its columns are not", id="no column"),
        pytest.param(lambda table: table.replace_schema_metadata({}), "does not say", id="no metadata"),
        pytest.param(about(asked={"yahoo": {"AA": "soon"}}), "does not say", id="an odd day of asking"),
        pytest.param(about(asked=[1]), "does not say", id="odd metadata"),
    ],
)
def test_a_file_that_is_not_as_we_write_them_is_damaged(
    store: EarningsStore, change: Callable[[pa.Table], pa.Table], why: str
) -> None:
    rewritten(store, change)
    with pytest.raises(BadInputError, match=why) as raised:
        store.read()
    assert "earnings.parquet is damaged" in raised.value.message
    assert "\n" not in str(raised.value)


@pytest.mark.parametrize("cut", [0, 3, 100, -20])
def test_a_file_cut_short_is_damaged(store: EarningsStore, cut: int) -> None:
    store.path.write_bytes(store.path.read_bytes()[:cut])
    with pytest.raises(BadInputError, match="is damaged"):
        store.read()


def test_any_changed_byte_is_noticed_or_harmless(store: EarningsStore) -> None:
    content = store.path.read_bytes()
    expected = written(STORED.table)
    for place in range(0, len(content), 7):
        store.path.write_bytes(content[:place] + bytes([content[place] ^ 0x10]) + content[place + 1 :])
        try:
            found = store.read()
        except ForecastError:
            continue
        assert written(found.table) == expected


def test_a_newer_format_is_no_damage(store: EarningsStore) -> None:
    rewritten(store, about(format=2))
    with pytest.raises(UsageError, match="has format 2, this version reads 1"):
        store.read()


def test_what_is_no_file_is_not_waited_for(store: EarningsStore) -> None:
    store.path.unlink()
    os.mkfifo(store.path)
    with pytest.raises(BadInputError, match="is a pipe"):
        store.read()
